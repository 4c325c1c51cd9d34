//! Several starts, where one may end at a local minimum that is not global.

use std::time::Instant;

use super::{Method, Progress, Solution, SolveError, SolveOptions, Start, Status, TraceRow, run::minimise_observed, start};
use crate::problem::{Layout, Loss, Model, Objective, Point, Problem};
use crate::scalar::Rational;

/// One start and where it led.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attempt {
    /// `random`, `spectral`, `point`, `self-dual` (sphere: every feature at its class's row of W) or `continuation` (sphere: the minimiser at
    /// temperature 8).
    pub start: &'static str,
    pub seed: u64,
    pub objective: f64,
    pub status: Status,
}

/// The lowest of several solutions.
#[derive(Debug, Clone)]
pub struct Lowest {
    pub solution: Solution,
    /// Every start tried, in order.
    pub attempts: Vec<Attempt>,
    /// Which of them led to the solution.
    pub chosen: usize,
}

/// A later start has to be lower by this share of the objective: less is the same minimum.
const LOWER: f64 = 1e-12;
/// Starts of each kind on a sphere that is too small for the strict-saddle theorem.
const SPHERE_STARTS: u64 = 6;

/// [`minimise_observed`] from the random start and, for models with minima that are not global, from others too; the lowest result counts.
///
/// Deep models of three factors and more have a strict local minimum at zero, which attracts small random starts; the focal loss can have
/// one there too; so these also begin at [`Start::Spectral`], at its best scale (points of deep ReLU models below the collapsed ones are
/// what [`hunt`](super::hunt()) looks for). Spheres with dim <= classes begin at further random and at self-dual points as well, and hot
/// ones (temperature above 8) at the minimiser of a mild one. All other models have strict saddles only, and one start is enough. Gradient
/// descent, and a start other than [`Start::Random`], are left as they are.
///
/// The trace, and what `observe` sees, are those of the start that led to the solution.
///
/// Guarantee: as [`minimise`](super::minimise). That the lowest of these is the global minimum is a matter for
/// [`certify`](crate::certify::certify).
///
/// # Errors
/// As [`minimise`](super::minimise).
///
/// ```
/// use ufm::{problem::Problem, solve::{SolveOptions, minimise_lowest}};
/// let p = Problem::from_toml("model = 'deep-linear'\nloss = 'mse'\nclasses = 3\nper_class = 1\ndim = 4\nlambdas = ['0.02', '0.02', '0.02', '0.02']").unwrap();
/// let lowest = minimise_lowest(&p, &SolveOptions::default(), &mut |_| {}, &mut |_, _| {}).unwrap();
/// // The random start ends at zero, where the objective is 1/2.
/// assert!(lowest.attempts[0].objective > 0.49 && lowest.solution.objective < 0.12);
/// ```
pub fn minimise_lowest(
    problem: &Problem,
    options: &SolveOptions,
    progress: &mut dyn FnMut(&Progress),
    observe: &mut dyn FnMut(&TraceRow, &Point),
) -> Result<Lowest, SolveError> {
    let descent = matches!(options.method, Method::GradientDescent { .. });
    let further = if descent || options.start != Start::Random { vec![] } else { further_starts(problem, options)? };
    if further.is_empty() {
        return minimise_from(problem, options, progress, observe);
    }
    let started = Instant::now();
    let starts: Vec<Named> = std::iter::once(("random", options.seed, Start::Random)).chain(further).collect();
    let mut attempts = Vec::with_capacity(starts.len());
    let mut best: Option<(usize, Solution)> = None;
    for (index, (name, seed, start)) in starts.iter().enumerate() {
        let time_limit = options.time_limit.map(|limit| limit.saturating_sub(started.elapsed()));
        let options = SolveOptions { start: start.clone(), seed: *seed, time_limit, trace: false, ..options.clone() };
        let solution = minimise_observed(problem, &options, progress, &mut |_, _| {})?;
        attempts.push(attempt(name, &solution));
        let lower = |best: &Solution| solution.objective < best.objective - LOWER * best.objective.abs();
        if best.as_ref().is_none_or(|(_, best)| lower(best) || !best.objective.is_finite()) {
            best = Some((index, solution));
        }
    }
    let Some((chosen, mut solution)) = best else { return Err(SolveError::Unsupported("no start was tried".into())) };
    if options.trace {
        let (_, seed, start) = &starts[chosen];
        solution = minimise_observed(problem, &SolveOptions { start: start.clone(), seed: *seed, ..options.clone() }, progress, observe)?;
    }
    solution.seed = options.seed;
    solution.seconds = started.elapsed().as_secs_f64();
    Ok(Lowest { solution, attempts, chosen })
}

/// [`minimise_observed`] from one start, as [`minimise_lowest`] reports it.
pub(crate) fn minimise_from(
    problem: &Problem,
    options: &SolveOptions,
    progress: &mut dyn FnMut(&Progress),
    observe: &mut dyn FnMut(&TraceRow, &Point),
) -> Result<Lowest, SolveError> {
    let name = match options.start {
        Start::Random => "random",
        Start::Spectral => "spectral",
        Start::Point(_) => "point",
    };
    let solution = minimise_observed(problem, options, progress, observe)?;
    let attempts = vec![attempt(name, &solution)];
    Ok(Lowest { solution, attempts, chosen: 0 })
}

fn attempt(start: &'static str, solution: &Solution) -> Attempt {
    Attempt { start, seed: solution.seed, objective: solution.objective, status: solution.status }
}

/// A temperature at which sphere models are solved from anywhere.
const MILD: u32 = 8;

type Named = (&'static str, u64, Start);

fn further_starts(problem: &Problem, options: &SolveOptions) -> Result<Vec<Named>, SolveError> {
    let seed = options.seed;
    Ok(match (&problem.model, &problem.loss) {
        (Model::DeepLinear { lambdas }, _) if lambdas.len() > 2 => vec![("spectral", seed, Start::Spectral)],
        (Model::DeepRelu { lambdas }, _) if lambdas.len() > 2 => vec![("spectral", seed, Start::Spectral)],
        (Model::Plain { .. }, Loss::Focal { focusing }) if *focusing != 0 => vec![("spectral", seed, Start::Spectral)],
        (Model::Sphere { temperature }, _) if problem.dim > problem.classes() && *temperature <= MILD => vec![],
        (Model::Sphere { temperature }, _) => {
            let hot = *temperature > MILD;
            let mild = hot.then(|| continued(problem, options)).transpose()?;
            let further = mild.map(|point| ("continuation", seed, Start::Point(point)));
            if problem.dim > problem.classes() {
                return Ok(further.into_iter().collect());
            }
            let objective = Objective::new(problem, options.threads)?;
            let layout = objective.layout();
            let seeds = |first: u64| (first..SPHERE_STARTS).map(move |i| seed.wrapping_add(i));
            let point = |seed: u64, dual: bool| {
                let mut x = start::random(layout, seed);
                if dual {
                    self_dual(layout, &objective.targets().labels, &mut x);
                }
                Start::Point(layout.point(&x))
            };
            let random = seeds(1).map(|s| ("random", s, point(s, false)));
            further.into_iter().chain(random).chain(seeds(0).map(|s| ("self-dual", s, point(s, true)))).collect()
        }
        _ => vec![],
    })
}

/// The minimiser at a mild temperature, from the random start: beyond it most of the spheres is a plateau.
fn continued(problem: &Problem, options: &SolveOptions) -> Result<Point, SolveError> {
    let model = Model::Sphere { temperature: Rational::from(MILD) };
    let mild = Problem { model, ..problem.clone() };
    let options = SolveOptions { trace: false, ..options.clone() };
    Ok(minimise_observed(&mild, &options, &mut |_| {}, &mut |_, _| {})?.point)
}

/// h_i = w_{y_i}.
fn self_dual(layout: &Layout, labels: &[u32], x: &mut [f64]) {
    let w = layout.factor_of(x, 0).to_owned();
    let mut h = layout.features_mut(x);
    for (sample, &label) in labels.iter().enumerate() {
        (0..w.ncols()).for_each(|j| h[(j, sample)] = w[(label as usize, j)]);
    }
}
