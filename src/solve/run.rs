use std::time::Instant;

use super::{
    Method, Progress, Solution, SolveError, SolveOptions, Start, Status, TraceRow, Work, collapse, gradient_descent, lbfgs, newton, start,
    warm,
};
use crate::linalg::vector;
use crate::metrics::point_metrics;
use crate::problem::{Model, Objective, Point, Problem, loss::LogitLoss};

/// A point of the search: variables, objective, gradient and its norm.
pub(super) struct Iterate {
    pub x: Vec<f64>,
    pub f: f64,
    pub g: Vec<f64>,
    pub norm: f64,
}

/// What every method needs while it runs: limits, progress, trace.
pub(super) struct Run<'a> {
    pub problem: &'a Problem,
    pub options: &'a SolveOptions,
    pub objective: Objective,
    /// The whole problem's objective while `objective` is that of one feature per class.
    whole: Option<Objective>,
    progress: &'a mut dyn FnMut(&Progress),
    observe: &'a mut dyn FnMut(&TraceRow, &Point),
    started: Instant,
    pub iterations: u64,
    trace: Vec<TraceRow>,
}

impl Run<'_> {
    pub fn evaluate(&mut self, at: &mut Iterate) {
        at.f = self.objective.value_gradient(&at.x, &mut at.g);
        at.norm = vector::norm(&at.g, self.objective.parallel());
    }

    /// As [`Run::evaluate`], after bringing the variables back to where the model wants them; not finite when that is impossible.
    pub fn evaluate_retracted(&mut self, at: &mut Iterate) {
        match self.objective.retract(&mut at.x) {
            Ok(()) => self.evaluate(at),
            Err(_) => (at.f, at.norm) = (f64::NAN, f64::NAN),
        }
    }

    /// Reports and records where an iteration begins, and counts it; returns whether a limit forbids it.
    pub fn step(&mut self, at: &Iterate) -> bool {
        self.report(at);
        if self.options.trace {
            self.record(at);
        }
        if self.iterations >= self.options.max_iterations || self.out_of_budget() {
            return true;
        }
        self.iterations += 1;
        false
    }

    /// From now on the search is over points whose features are equal within classes.
    pub fn exchange(&mut self, mut collapsed: Objective) {
        (collapsed.gradients, collapsed.products) = (self.objective.gradients, self.objective.products);
        self.whole = Some(std::mem::replace(&mut self.objective, collapsed));
    }

    /// Back to the whole problem.
    pub fn restore(&mut self) {
        if let Some(mut whole) = self.whole.take() {
            (whole.gradients, whole.products) = (self.objective.gradients, self.objective.products);
            self.objective = whole;
        }
    }

    pub fn report(&mut self, at: &Iterate) {
        let (seconds, gradient_norm) = (self.started.elapsed().as_secs_f64(), self.whole_norm(at));
        (self.progress)(&Progress { iteration: self.iterations, objective: at.f, gradient_norm, seconds });
    }

    /// The whole problem's gradient norm.
    fn whole_norm(&self, at: &Iterate) -> f64 {
        self.whole.as_ref().map_or(at.norm, |whole| collapse::whole_norm(whole, &at.g))
    }

    /// Records a row and shows it with its point; the time that takes is not the run's.
    pub fn record(&mut self, at: &Iterate) {
        let paused = Instant::now();
        let point = match &self.whole {
            Some(whole) => whole.layout().point(&collapse::spread(whole, &at.x)),
            None => self.objective.layout().point(&at.x),
        };
        let metrics = point_metrics(self.problem, &point);
        let row = TraceRow { step: self.iterations, objective: at.f, gradient_norm: self.whole_norm(at), metrics };
        (self.observe)(&row, &point);
        self.trace.push(row);
        self.started += paused.elapsed();
    }

    /// The gradient norm at which a point is stationary. The sphere's objective has no regulariser and may itself be far below the
    /// tolerance: there the gradient has to be small against it as well.
    pub fn tolerance(&self, at: &Iterate) -> f64 {
        let sphere = matches!(self.problem.model, Model::Sphere { .. });
        if sphere { self.options.tol * (at.f.abs() / SMALL).min(1.0) } else { self.options.tol }
    }

    pub fn out_of_budget(&self) -> bool {
        let work = self.objective.gradients + 2 * self.objective.products;
        work >= self.options.budget || self.options.time_limit.is_some_and(|limit| self.started.elapsed() >= limit)
    }
}

/// On the sphere the tolerance is relative to objectives below this: the share of the objective still to be lost is about N/τ times the
/// square of gradient norm over objective, 1e-13 for the default tolerance and a thousand samples.
const SMALL: f64 = 1e-4;

/// Rounding the returned point to its grid can lift the gradient norm above the tolerance; the search then resumes this often.
const SNAP_ATTEMPTS: usize = 4;

/// Searches for a stationary point of the problem's objective, all entries of W, H and b free.
///
/// Guarantee: the same point for any number of threads; `Status::Converged` only when the returned (snapped) point's gradient
/// norm in double precision is at most `options.tol`. A stationary point may be a saddle: nothing is claimed about that here.
/// On the sphere the method is Riemannian: tangent gradients and Hessian products, steps retracted by normalisation; with
/// [`SolveOptions::warm`] it begins at points whose features are equal within classes, where it only goes on if that is no minimum yet.
/// Iterates that leave the finite numbers end the run as `Status::Stalled`, with the last finite point.
///
/// `progress` is called once per iteration.
///
/// # Errors
/// [`SolveError`]: a model or loss without numerical objective, a problem that does not fit in memory, an option out of range, a
/// start of the wrong shape.
///
/// Source: T. Steihaug, *SIAM J. Numer. Anal.* 20 (1983); J. Nocedal, *Math. Comp.* 35 (1980); W. Hager and H. Zhang,
/// *SIAM J. Optim.* 16 (2005); P.-A. Absil, C. Baker and K. Gallivan, *Found. Comput. Math.* 7 (2007) for the sphere.
///
/// ```
/// use ufm::{problem::Problem, solve::{SolveOptions, Status, minimise}};
/// let p = Problem::from_toml("model = 'plain'\nloss = 'ce'\nbias = 'free'\nclasses = 3\nper_class = 4\ndim = 5\nlambda_w = '0.01'\nlambda_h = '0.01'").unwrap();
/// let solution = minimise(&p, &SolveOptions::default(), &mut |_| {}).unwrap();
/// assert_eq!(solution.status, Status::Converged);
/// assert!(solution.gradient_norm <= 1e-12);
/// ```
pub fn minimise(problem: &Problem, options: &SolveOptions, progress: &mut dyn FnMut(&Progress)) -> Result<Solution, SolveError> {
    minimise_observed(problem, options, progress, &mut |_, _| {})
}

/// [`minimise`], with each row of the trace shown to `observe` together with its point, which is not kept: the trace stays small
/// whatever is derived from the points.
///
/// # Errors
/// As [`minimise`].
pub fn minimise_observed(
    problem: &Problem,
    options: &SolveOptions,
    progress: &mut dyn FnMut(&Progress),
    observe: &mut dyn FnMut(&TraceRow, &Point),
) -> Result<Solution, SolveError> {
    options.validate()?;
    search(problem, Objective::new(problem, options.threads)?, options, progress, observe)
}

/// [`minimise`] with a loss of one's own in the plain or multi-label model: labels, sizes, bias and weights are the problem's, its
/// loss is ignored. `examples/own_loss.rs` shows one.
///
/// # Errors
/// As [`minimise`].
pub fn minimise_loss(
    problem: &Problem,
    loss: Box<dyn LogitLoss>,
    options: &SolveOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Solution, SolveError> {
    options.validate()?;
    search(problem, Objective::with_loss(problem, loss, options.threads)?, options, progress, &mut |_, _| {})
}

fn search(
    problem: &Problem,
    mut objective: Objective,
    options: &SolveOptions,
    progress: &mut dyn FnMut(&Progress),
    observe: &mut dyn FnMut(&TraceRow, &Point),
) -> Result<Solution, SolveError> {
    let started = Instant::now();
    let sphere = matches!(problem.model, Model::Sphere { .. });
    if sphere && (options.method == Method::Lbfgs || options.start == Start::Spectral) {
        let what =
            "L-BFGS and the spectral start do not cover the sphere model; use the trust-region method from a random start or a point";
        return Err(SolveError::Unsupported(what.into()));
    }
    let mut x = match &options.start {
        Start::Random => start::random(objective.layout(), options.seed),
        Start::Spectral => start::spectral(&mut objective)?,
        Start::Point(point) => objective.layout().flatten(point)?,
    };
    objective.retract(&mut x)?;
    let len = x.len();
    let mut run = Run { problem, options, objective, whole: None, progress, observe, started, iterations: 0, trace: Vec::new() };
    let mut at = Iterate { x, f: f64::NAN, g: vec![0.0; len], norm: f64::NAN };
    run.evaluate(&mut at);
    let descent = matches!(options.method, Method::GradientDescent { .. });
    if options.warm && !descent && run.objective.layout().layers == 1 {
        let improve = if sphere { collapse::improve } else { warm::improve };
        improve(&mut run, &mut at);
    }
    let mut status = Status::Stalled;
    for _ in 0..SNAP_ATTEMPTS {
        status = match options.method {
            Method::NewtonCg => newton::search(&mut run, &mut at),
            Method::Lbfgs => lbfgs::search(&mut run, &mut at),
            Method::GradientDescent { learning_rate, steps } => gradient_descent::search(&mut run, &mut at, learning_rate, steps),
        };
        let mut point = run.objective.layout().point(&at.x);
        point.snap();
        at.x = run.objective.layout().flatten(&point)?;
        run.evaluate(&mut at);
        if status != Status::Converged || at.norm <= options.tol {
            break;
        }
        status = Status::Stalled;
    }
    if status != Status::Converged && at.norm <= options.tol {
        status = Status::Converged;
    }
    run.report(&at);
    let work = Work { gradients: run.objective.gradients, hessian_products: run.objective.products };
    Ok(Solution {
        point: run.objective.layout().point(&at.x),
        objective: at.f,
        gradient_norm: at.norm,
        iterations: run.iterations,
        work,
        seconds: run.started.elapsed().as_secs_f64(),
        status,
        seed: options.seed,
        trace: run.trace,
    })
}
