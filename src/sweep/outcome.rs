//! One instance: closed form, numerical minimiser, certificate, and whether all of it agrees.

use serde::{Deserialize, Serialize};

use super::{
    GridError, Instance, SweepOptions,
    options::{SweepMethod, SweepStart},
    predict::{measured_modes, theory_rank},
};
use crate::certify::{Certification, CertifyError, Verdict, certify, objective};
use crate::closed_form::{ClosedForm, Scalar, closed_form};
use crate::metrics::point_metrics;
use crate::problem::{ExactPoint, Problem};
use crate::scalar::{Ball, decide_digits};
use crate::solve::{Solution, Status, minimise, minimise_lowest, refine};

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepStatus {
    /// Converged, certified a global minimum, and in agreement with theory.
    Holds,
    /// No verdict, or none that says minimum.
    #[default]
    Undecided,
    /// The point is certified not to be a minimum, or the certificate contradicts the closed form.
    Refuted,
    /// The minimiser stopped at a limit.
    NotConverged,
    /// Certified, but the modes alive are not those of the theory.
    Disagrees,
    /// Nothing could be computed.
    Failed,
}

impl SweepStatus {
    pub const ALL: [SweepStatus; 6] = [
        SweepStatus::Holds,
        SweepStatus::Undecided,
        SweepStatus::Refuted,
        SweepStatus::NotConverged,
        SweepStatus::Disagrees,
        SweepStatus::Failed,
    ];

    pub fn name(self) -> &'static str {
        match self {
            SweepStatus::Holds => "holds",
            SweepStatus::Undecided => "undecided",
            SweepStatus::Refuted => "refuted",
            SweepStatus::NotConverged => "not-converged",
            SweepStatus::Disagrees => "disagrees",
            SweepStatus::Failed => "failed",
        }
    }
}

/// What came out of an instance; decimals are texts, `None` where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outcome {
    pub status: SweepStatus,
    /// Why it does not hold.
    pub reason: Option<String>,
    /// Of the closed form: `collapsed`, `zero` or `partial`.
    pub regime: Option<String>,
    /// Whether the closed form assumes something that must be measured.
    pub conditional: bool,
    pub f_star: Option<String>,
    pub c: Option<String>,
    pub kappa: Option<String>,
    pub kappa_critical: Option<String>,
    pub logit_scale: Option<String>,
    pub mean_scale: Option<String>,
    /// Modes alive by theory, least and most.
    pub rank_theory: Option<(u64, u64)>,
    /// The point that was certified: `numerical` or `closed-form`.
    pub point: Option<String>,
    pub start: Option<String>,
    /// Of the minimiser: `converged`, `budget` or `stalled`.
    pub solver: Option<String>,
    pub iterations: Option<u64>,
    pub objective: Option<String>,
    pub lower: Option<String>,
    /// What the certificate's `lower` rests on: `dual`, a dual matrix, or `modes`, the target's singular values (MSE).
    pub bound: Option<String>,
    pub gap: Option<String>,
    /// A certified upper bound.
    pub gradient_norm: Option<String>,
    pub verdict: Option<String>,
    pub nc1: Option<String>,
    pub nc2_etf: Option<String>,
    pub nc2_of: Option<String>,
    pub nc3: Option<String>,
    /// Modes alive, measured at the numerical point.
    pub rank: Option<u64>,
    /// Classes whose logits are not zero, bias left out, measured.
    pub surviving_classes: Option<u64>,
    /// √(Σ ‖z‖²/N) of the logits without bias, measured.
    pub logit_norm: Option<String>,
}

impl Outcome {
    /// Whether the modes measured are as many as theory says; `None` when either is missing.
    pub fn agrees(&self) -> Option<bool> {
        let (least, most) = self.rank_theory?;
        Some((least..=most).contains(&self.rank?))
    }
}

/// Digits that a double's point carries.
const F64_DIGITS: u32 = 15;
/// Significant digits of a bound whose size alone matters.
const BOUND_DIGITS: u32 = 3;
/// Precision doubles up to this many times the digits' own before a digit is called undecidable.
const PRECISION_FACTOR: u32 = 64;

/// Bits that carry `digits` significant digits with room to spare: log2(10) < 3.33.
fn bits(digits: u32) -> u32 {
    (f64::from(digits) * 3.33) as u32 + 32
}

fn number(x: f64) -> String {
    format!("{x:e}")
}

/// Solves and certifies one instance on the calling thread.
///
/// Guarantee: the same outcome on any number of threads, unless `options.time_limit` ends a run.
///
/// # Errors
/// [`GridError`] when the instance's fields make no problem, which those of a [`super::Grid`] do.
///
/// ```
/// use ufm::sweep::{Grid, SweepStatus, solve_instance};
/// let grid = Grid::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 3\nper_class = 1\ndim = 'K'\nlambda = ['0.1', '0.5']").unwrap();
/// let outcomes: Vec<_> = grid.instances.iter().map(|i| solve_instance(i, &grid.options).unwrap()).collect();
/// assert!(outcomes.iter().all(|o| o.status == SweepStatus::Holds));
/// // c = 0.3 and c = 1.5: three modes alive, then none.
/// assert_eq!((outcomes[0].rank, outcomes[1].rank), (Some(3), Some(0)));
/// ```
pub fn solve_instance(instance: &Instance, options: &SweepOptions) -> Result<Outcome, GridError> {
    let problem = instance.problem()?;
    let mut outcome = Outcome::default();
    let form = if options.method == SweepMethod::Numerical { None } else { closed_form(&problem).ok() };
    if let Some(form) = &form {
        outcome.theory(form, options.digits);
    }
    outcome.rank_theory = theory_rank(&problem, form.as_ref());
    let found = if options.numerical() {
        outcome.minimised(&problem, instance, options)
    } else {
        let prec = if options.digits <= F64_DIGITS { 53 } else { bits(options.digits) };
        let point = form.as_ref().map(|form| form.minimiser(&problem, prec));
        outcome.point = Some("closed-form".into());
        point.unwrap_or_else(|| Err(crate::problem::SpecError::Conflict("no closed form".into()))).map_err(|e| e.to_string())
    };
    match found {
        Ok(point) => outcome.certified(&problem, &point, form.as_ref(), options),
        Err(why) => (outcome.status, outcome.reason) = (SweepStatus::Failed, Some(why)),
    }
    Ok(outcome)
}

impl Outcome {
    fn theory(&mut self, form: &ClosedForm, digits: u32) {
        let most = bits(digits) * PRECISION_FACTOR;
        let scalar = |name: &str| {
            let pick = |prec: u32| match form.scalars(prec).into_iter().find(|(n, _)| *n == name) {
                Some((_, Scalar::Value(ball))) => Some(ball),
                _ => None,
            };
            pick(32)?;
            decide_digits(digits, most, |prec| pick(prec).unwrap_or_else(|| Ball::whole(prec)))
        };
        self.regime = Some(form.regime().name().into());
        self.conditional = form.conditional();
        self.f_star = decide_digits(digits, most, |prec| form.f_star(prec));
        self.c = scalar("c");
        self.kappa = scalar("kappa");
        self.kappa_critical = scalar("kappa_critical");
        self.logit_scale = scalar("logit_scale");
        self.mean_scale = scalar("mean_scale");
    }

    /// The lowest point of the starts, measured.
    fn minimised(&mut self, problem: &Problem, instance: &Instance, options: &SweepOptions) -> Result<ExactPoint, String> {
        let mut best: Option<(&str, Solution)> = None;
        if options.starts.is_empty() {
            let solve = options.solve_options(problem, SweepStart::Random, instance.seed);
            let lowest = minimise_lowest(problem, &solve, &mut |_| {}, &mut |_, _| {}).map_err(|e| e.to_string())?;
            best = Some((lowest.attempts.get(lowest.chosen).map_or("random", |a| a.start), lowest.solution));
        }
        for &start in &options.starts {
            let solve = options.solve_options(problem, start, instance.seed);
            let solution = minimise(problem, &solve, &mut |_| {}).map_err(|e| e.to_string())?;
            // A run that converged is preferred to one that did not.
            let rank = |s: &Solution| (s.status != Status::Converged, s.objective);
            if best.as_ref().is_none_or(|(_, b)| rank(&solution) < rank(b)) {
                best = Some((start.name(), solution));
            }
        }
        let (start, solution) = best.ok_or("no start")?;
        self.point = Some("numerical".into());
        self.start = Some(start.into());
        self.solver = Some(solution.status.name().into());
        self.iterations = Some(solution.iterations);
        let m = point_metrics(problem, &solution.point);
        [self.nc1, self.nc2_etf, self.nc2_of, self.nc3] = [m.nc1, m.nc2_etf, m.nc2_of, m.nc3].map(|x| x.map(number));
        if let Some(modes) = measured_modes(problem, &solution.point) {
            self.rank = Some(modes.rank);
            self.surviving_classes = modes.surviving_classes;
            self.logit_norm = Some(number(modes.logit_norm));
        }
        if options.digits > F64_DIGITS
            && solution.status == Status::Converged
            && let Ok(refined) = refine(problem, &solution.point, options.digits, &mut |_| {})
        {
            return Ok(refined.point);
        }
        solution.point.to_exact().ok_or_else(|| "the minimiser left the finite numbers".into())
    }

    fn certified(&mut self, problem: &Problem, point: &ExactPoint, form: Option<&ClosedForm>, options: &SweepOptions) {
        let result = certify(problem, &[], point, &options.certify_options());
        let digits = options.digits;
        let value = match &result {
            Ok(c) => c.objective.as_ref().and_then(|ball| ball.to_decimal(digits)),
            Err(_) => None,
        };
        let evaluated = || {
            let at = |bits: u32| objective(problem, point, bits)?.to_decimal(digits);
            at(bits(digits)).or_else(|| at(2 * bits(digits)))
        };
        self.objective = value.or_else(evaluated);
        let (status, reason) = match result {
            Err(e @ CertifyError::Unsupported(_)) => (SweepStatus::Undecided, Some(e.to_string())),
            Err(e) => (SweepStatus::Failed, Some(e.to_string())),
            Ok(certification) => self.judged(&certification, form, options),
        };
        let disagrees = self.agrees() == Some(false);
        (self.status, self.reason) = match status {
            SweepStatus::Holds if disagrees => (SweepStatus::Disagrees, Some("theory has other modes alive than were measured".into())),
            SweepStatus::Holds | SweepStatus::Undecided if !self.converged() => {
                let why = if self.solver.as_deref() == Some(Status::Budget.name()) {
                    "the minimiser ran out of its budget"
                } else {
                    "the minimiser stalled before it converged"
                };
                (SweepStatus::NotConverged, Some(why.into()))
            }
            other => (other, reason),
        };
    }

    /// Whether no minimiser was stopped at a limit.
    fn converged(&self) -> bool {
        self.solver.as_deref().is_none_or(|s| s == Status::Converged.name())
    }

    fn judged(&mut self, c: &Certification, form: Option<&ClosedForm>, options: &SweepOptions) -> (SweepStatus, Option<String>) {
        self.verdict = Some(c.verdict.name().into());
        self.gradient_norm = c.gradient_norm.as_ref().map(|g| g.upper_decimal(BOUND_DIGITS));
        if let Some(b) = &c.bounds {
            self.lower = Some(Ball::exact(b.lower.clone()).lower_decimal(options.digits));
            self.gap = Some(Ball::exact(b.gap.clone()).upper_decimal(BOUND_DIGITS));
            self.bound = Some(if c.modes { "modes" } else { "dual" }.into());
        }
        if let (Some(form), Some(b), false) = (form, &c.bounds, self.conditional) {
            let f_star = form.f_star(bits(options.digits));
            let below = |x: &Ball, y: &Ball| x.cmp_certain(y) == Some(std::cmp::Ordering::Less);
            if below(&Ball::exact(b.upper.clone()), &f_star) || below(&f_star, &Ball::exact(b.lower.clone())) {
                return (SweepStatus::Refuted, Some("the certified bounds exclude the closed form's minimum".into()));
            }
        }
        match &c.verdict {
            Verdict::GlobalMinimum => (SweepStatus::Holds, None),
            // Where the minimiser was stopped, that is what is to say.
            Verdict::NotCritical if !self.converged() => (SweepStatus::Undecided, None),
            Verdict::StrictSaddle | Verdict::NotCritical => (SweepStatus::Refuted, Some(format!("the point is {}", c.verdict.name()))),
            Verdict::NearMinimum if !c.tight => (
                SweepStatus::Undecided,
                Some(
                    "the lower bound need not be tight: the dimension is too small for the theory, or its proof leaves out this bias"
                        .into(),
                ),
            ),
            Verdict::NearMinimum => (SweepStatus::Undecided, Some("critical, but the certified gap is above gap_tol".into())),
            Verdict::Undecided(why) => (SweepStatus::Undecided, Some(why.clone())),
        }
    }
}
