//! From a point to a claim: rigorous lower and upper bounds, verdicts, and the certificates that carry them.
//!
//! Nothing here trusts a solver: every number of a [`Certification`] is derived from the exact entries of the point and the
//! exact parameters of the problem, in integers, rationals and enclosures. The certificate's text (proofs/FORMAT.md) is for the
//! independent checker, which recomputes all of it.

mod deep;
mod distances;
mod dual;
mod factor;
mod focal;
mod identity;
mod inertia;
mod loss_bounds;
mod modes;
mod objective;
mod rocq;
mod saddle;
mod sphere;
mod words;
mod writer;

pub use deep::{Below, below};
pub use distances::{MinimiserDistance, mean_distances, minimiser_distances};
pub use identity::{IdentityTerms, identity_terms};
pub use inertia::hessian_eigenvalues;
pub use loss_bounds::{LossBounds, loss_bounds};
pub use objective::{deep_gradient_norm, objective};
pub use rocq::rocq;
use rug::{Float, Integer, Rational};

use crate::problem::exact::State;
use crate::problem::exact::{Plain, PlainError, scaled};
use crate::problem::{ExactPoint, Model, Problem, SpecError};
use crate::scalar::Ball;
use writer::Writer;

/// What is asked of a certification.
#[derive(Debug, Clone)]
pub struct CertifyOptions {
    /// Significant digits wanted in the bounds (1 to 1000 in ordinary use).
    pub digits: u32,
    /// Largest certified gap that counts as a global minimum.
    pub gap_tol: Rational,
    /// Largest certified gradient norm that counts as critical.
    pub tol: Rational,
}

impl Default for CertifyOptions {
    /// 15 digits, gap and gradient tolerances 1e-9.
    fn default() -> Self {
        let billionth = Rational::from((1, 1_000_000_000));
        CertifyOptions { digits: 15, gap_tol: billionth.clone(), tol: billionth }
    }
}

/// What a point is. Every variant but the last is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The certified gap to the global minimum is at most the gap tolerance.
    GlobalMinimum,
    /// The gap is larger, the gradient norm at most the tolerance, and no negative curvature was found.
    NearMinimum,
    /// The gradient norm is at most the tolerance and a direction of negative curvature is enclosed.
    StrictSaddle,
    /// The gradient norm exceeds the tolerance.
    NotCritical,
    /// None of these could be proved; the reason says why.
    Undecided(String),
}

impl Verdict {
    /// The verdict's name in reports: `global-minimum`, `near-minimum`, `strict-saddle`, `not-critical` or `undecided`.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::GlobalMinimum => "global-minimum",
            Verdict::NearMinimum => "near-minimum",
            Verdict::StrictSaddle => "strict-saddle",
            Verdict::NotCritical => "not-critical",
            Verdict::Undecided(_) => "undecided",
        }
    }
}

/// Certified upper bounds on a point's distance to collapse, consequences of its gap g (the collapse identity).
#[derive(Debug, Clone)]
pub struct Collapse {
    /// tr S_W = (1/N) Σ ‖h_i − h̄_{y_i}‖² <= 2 g / (λ_H N). Sphere: <= 2 g / min b.
    pub within_class: Float,
    /// ‖W + G Hᵀ/λ_W‖² <= 2 g / λ_W, G the certificate's dual matrix; kind `modes`: −μ times the polar factor of WH. Sphere:
    /// (1/N) Σ ‖h_i + (τ/b_{y_i}) Wᵀ r_{y_i}‖² <= 2 g / min b.
    pub self_duality: Float,
    /// The Fenchel–Young term <= g: ‖Z − Y − N G‖²/(2N) for MSE, mean KL(q ‖ softmax z) for cross-entropy. Kind `modes`: the squared
    /// distance of the singular values of WH M^{1/2} from those of the minimum, over 2N.
    pub fit: Float,
}

impl Collapse {
    /// What a gap g implies: 2 g/(λ_H N), 2 g/λ_W and g, rounded up.
    fn of_gap([lambda_w, lambda_h]: [&Rational; 2], samples: u64, gap: &Float) -> Option<Self> {
        let twice = gap.to_rational()? * 2u32;
        let within_class = writer::round_up(&(Rational::from(&twice / lambda_h) / Integer::from(samples)));
        let self_duality = writer::round_up(&(twice / lambda_w));
        Some(Collapse { within_class, self_duality, fit: gap.clone() })
    }
}

/// The proved bounds of one point.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// A number no larger than the global minimum, over all points of the problem.
    pub lower: Float,
    /// A number no smaller than the objective at this point.
    pub upper: Float,
    /// `upper − lower`, rounded up.
    pub gap: Float,
    /// `None` where the bound proves nothing about collapse: deep models, and the focal loss at points with negative margins.
    pub collapse: Option<Collapse>,
}

/// The result of [`certify`].
#[derive(Debug, Clone)]
pub struct Certification {
    pub verdict: Verdict,
    /// Enclosure of the objective at this very point; `None` when it could not be evaluated (the verdict says why).
    pub objective: Option<Ball>,
    /// Enclosure of the gradient norm.
    pub gradient_norm: Option<Ball>,
    pub bounds: Option<Bounds>,
    /// Enclosed curvature of the witness, for a strict saddle.
    pub curvature: Option<Ball>,
    /// Whether theory has the lower bound attained at this d: for MSE every d, but with a regularized bias and classes of different sizes
    /// d >= K; otherwise d >= K − 1. For smaller d it holds but need not be tight; nor for the focal loss with a bias where no proof of the
    /// minimum is known.
    pub tight: bool,
    /// Whether the lower bound is that of the target's singular values (kind `modes`, and deep models) and not that of `dual`.
    pub modes: bool,
    /// The best dual matrix found: K × C, one column per class or tag set. Beyond 256 classes none is looked for where the modes suffice.
    pub dual: Option<crate::problem::Dyadic>,
    /// The certificate; `None` when undecided. Of a global minimum with more than 256 classes it claims the gap and what follows, not the
    /// gradient's norm, which would take half of the checker's time.
    pub text: Option<String>,
}

/// Why nothing could be certified.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    #[error("no certificate for this {0}")]
    Unsupported(&'static str),
    #[error("array `{name}` is {found}, but the problem demands {expected}")]
    Shape { name: &'static str, found: String, expected: String },
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// Decides what a point is and proves it.
///
/// Formula: with G the gradient averaged over samples of one target of the loss, repaired to ‖G‖_op <= μ, weak duality gives
/// `f(W,H,b) >= −L*(G) − ‖G 1‖²/(2 λ_b)` for all points of the problem, at every d; the objective at `point` is exact (MSE) or
/// enclosed (cross-entropy).
///
/// Sphere: the point is the radial projection of its rows of W and columns of H, and the bound is
/// `−L*(G) − (Σ α_k + Σ β_i)/2` with [[diag α, τ G], [τ Gᵀ, diag β]] positive semidefinite (proofs/FORMAT.md, sphere).
///
/// For MSE a second bound does not depend on the point: `(1/2N) [tr(T M Tᵀ) − Σ_i ((s_i − N μ)_+)²]` over the min(d, K) largest singular
/// values s_i of T M^{1/2}, M = I − c 11ᵀ/N, c = 0, 1 or 1/(1+λ_b) by bias (FORMAT.md, kind `modes`): the minimum where d is too small for
/// the first to be. It is taken where the first leaves a gap above the tolerance and it proves more.
///
/// For deep linear models the bound is the closed-form value (any depth, class sizes and d; FORMAT.md, "Deep models"), the certificate
/// always of kind `gap`.
///
/// For the focal loss the bound is the least cost of a margin, with G a multiple of P Y (FORMAT.md, "The focal loss").
///
/// Hypotheses: the plain model with MSE, cross-entropy or label smoothing, or the multi-label model; any class sizes or tag sets, bias
/// and d; the focal loss (the bound for balanced classes only); the sphere model; deep linear models. `problem_file` are the bytes the certificate
/// is bound to by hash. Guarantee: each verdict but `Undecided` is a theorem about this point, and `text` proves it to the checker.
/// Shapes: W (K,d), H (d,N), b (K,1).
///
/// # Errors
/// [`CertifyError`] for other models and losses, points of the wrong shape, and sizes beyond memory.
///
/// Source: the collapse identity and the strict-saddle dichotomy (Zhu et al. 2021; Zhou et al. 2022; Tirer and Bruna 2022; Yaras et
/// al. 2022 for the sphere).
///
/// ```
/// use ufm::{certify::{CertifyOptions, Verdict, certify}, problem::{Point, Problem}};
/// let file = "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 2\nper_class = 1\ndim = 2\nlambda_w = \"1\"\nlambda_h = \"1\"\n";
/// let problem = Problem::from_toml(file).unwrap();
/// // c = K sqrt(n) mu = 2 >= 1: zero is the global minimum.
/// let zero = Point { factors: vec![faer::Mat::zeros(2, 2)], h: faer::Mat::zeros(2, 2), b: None }.to_exact().unwrap();
/// let result = certify(&problem, file.as_bytes(), &zero, &CertifyOptions::default()).unwrap();
/// assert_eq!(result.verdict, Verdict::GlobalMinimum);
/// ```
pub fn certify(
    problem: &Problem,
    problem_file: &[u8],
    point: &ExactPoint,
    options: &CertifyOptions,
) -> Result<Certification, CertifyError> {
    if problem.is_deep_linear() {
        return deep::certify(problem, problem_file, point, options);
    }
    if let Model::Sphere { temperature } = &problem.model {
        return sphere::certify(problem, temperature, problem_file, point, options);
    }
    certify_with(problem, problem_file, point, options, None)
}

/// [`certify`] with a dual matrix of one's own, from another point, loss or bias mode (one column per class or tag set): what it proves
/// here is decided exactly, and a matrix that proves nothing leaves the verdict without a gap.
///
/// # Errors
/// As [`certify`].
pub fn certify_with(
    problem: &Problem,
    problem_file: &[u8],
    point: &ExactPoint,
    options: &CertifyOptions,
    given: Option<&crate::problem::Dyadic>,
) -> Result<Certification, CertifyError> {
    if matches!((&problem.model, &problem.loss), (Model::Plain { .. }, crate::problem::Loss::Focal { .. })) {
        return focal::certify(problem, problem_file, point, options, given);
    }
    let plain = certifiable(problem)?;
    check_shapes(&plain, point)?;
    let bits = working_bits(options.digits);
    let precision = checker_precision(&plain, bits);
    if given.is_none()
        && plain.k > factor::CHOLESKY_MAX
        && bits == F64_TIER_BITS
        && let Some(result) = in_words(problem, problem_file, &plain, point, options, precision)
    {
        return Ok(result);
    }
    let Some(state) = State::new(&plain, point, bits) else {
        let reason = "domain: logits beyond 2^40 in magnitude, where cross-entropy is not evaluated".to_owned();
        return Ok(Certification {
            verdict: Verdict::Undecided(reason),
            objective: None,
            gradient_norm: None,
            bounds: None,
            curvature: None,
            tight: tight(problem),
            modes: false,
            dual: None,
            text: None,
        });
    };
    let objective = state.objective();
    let (residual, units) = state.residual();
    let gradient_norm = if bits == F64_TIER_BITS {
        // A machine integer's worth of bits bounds a double's gradient amply, and products of machine integers are fast.
        let (exp, unit) = (residual.exp, units);
        let coarse = residual.clone().rounded(-MACHINE_BITS);
        let units = if exp >= -MACHINE_BITS { unit } else { 1.0 + unit };
        state.gradient_norm(&coarse, units)
    } else {
        state.gradient_norm(&residual, units)
    };
    let means = group_means(&plain, &residual, bits);

    let dual = match given {
        Some(r) => dual::verify(&plain, r, bits),
        None => best_dual(&plain, &state, &means, &gradient_norm, &objective, options, bits),
    };
    let mut bounds = dual.as_ref().and_then(|dual| bounds_from(&plain, &dual.lower, &objective, precision));
    // The bound that does not depend on the point, where the dual matrix leaves a gap and it proves more.
    let small = bounds.as_ref().and_then(|b| b.gap.to_rational()).is_some_and(|gap| gap <= options.gap_tol);
    let modes = if small || given.is_some() { None } else { modes::bound(&plain, &objective, precision, modes::MAX_SIZES) };
    let modes = modes.filter(|modes| dual.as_ref().is_none_or(|dual| dual.lower.mid() < modes.lower.mid()));
    if let Some(modes) = &modes {
        bounds = bounds_from(&plain, &modes.lower, &objective, modes.precision);
    }
    let mut result = Certification {
        verdict: Verdict::Undecided(String::new()),
        objective: Some(objective),
        gradient_norm: Some(gradient_norm.clone()),
        bounds,
        curvature: None,
        tight: tight(problem),
        modes: modes.is_some(),
        dual: dual.as_ref().map(|d| d.r.clone()),
        text: None,
    };
    let gradient = gradient_norm.upper();
    let critical = gradient_norm.upper_rational().is_some_and(|g| g <= options.tol);
    let proved_gap = result.bounds.as_ref().and_then(|b| b.gap.to_rational());
    if proved_gap.is_some_and(|gap| gap <= options.gap_tol) {
        result.verdict = Verdict::GlobalMinimum;
    } else if critical {
        if let Some(found) = saddle::find(problem, &state, &means) {
            let mut text = Writer::new(problem_file, "strict-saddle", precision);
            text.point("", point);
            text.point("d", &found.direction);
            text.claim("gradient", "<=", &widened(&gradient, precision, true));
            text.claim("curvature", "<=", &halved_towards_zero(&found.curvature));
            result.verdict = Verdict::StrictSaddle;
            result.curvature = Some(found.curvature);
            result.text = Some(text.finish());
            return Ok(result);
        }
        result.verdict = Verdict::NearMinimum;
    } else if gradient_norm.lower_rational().is_some_and(|g| g > options.tol) {
        // Below the checker's own rounding a positive claim cannot be made: more digits can.
        let least = widened(&gradient_norm.lower(), precision, false);
        if least > 0 {
            let mut text = Writer::new(problem_file, "not-critical", precision);
            text.point("", point);
            text.claim("gradient", ">=", &least);
            result.verdict = Verdict::NotCritical;
            result.text = Some(text.finish());
            return Ok(result);
        }
    }
    match (&result.verdict, &result.bounds) {
        (Verdict::Undecided(_), _) => {
            result.verdict = Verdict::Undecided(
                "precision: the gradient norm cannot be told from --tol at this precision; ask for more --digits".into(),
            );
        }
        (_, Some(b)) => {
            // With many classes the gradient is half of the checker's work and adds nothing to a minimum's gap.
            let claimed = result.verdict != Verdict::GlobalMinimum || plain.k <= factor::CHOLESKY_MAX;
            let gradient = claimed.then_some(&gradient_norm);
            let evidence = modes.as_ref().map(Evidence::Modes).or_else(|| dual.as_ref().map(Evidence::Dual));
            result.text = evidence.map(|evidence| gap_text(problem_file, point, precision, &evidence, b, gradient));
        }
        _ => result.verdict = Verdict::Undecided("precision: no dual matrix could be verified".into()),
    }
    Ok(result)
}

/// What a lower bound rests on.
enum Evidence<'a> {
    Dual(&'a dual::Dual),
    Modes(&'a modes::Modes),
}

/// The certificate of a gap, with the gradient's norm where given.
fn gap_text(
    problem_file: &[u8],
    point: &ExactPoint,
    precision: u32,
    evidence: &Evidence<'_>,
    bounds: &Bounds,
    gradient_norm: Option<&Ball>,
) -> String {
    let (kind, precision) = match evidence {
        Evidence::Dual(_) => ("gap", precision),
        Evidence::Modes(modes) => ("modes", modes.precision),
    };
    let mut text = Writer::new(problem_file, kind, precision);
    text.point("", point);
    match evidence {
        Evidence::Dual(dual) => {
            text.matrix("R", &dual.r);
            text.matrix("L", &dual.l);
        }
        Evidence::Modes(modes) => modes.sections(&mut text),
    }
    text.gap_claims(bounds, "self-duality");
    if let Some(norm) = gradient_norm {
        text.claim("gradient", "<=", &widened(&norm.upper(), precision, true));
    }
    text.finish()
}

/// [`certify`] in machine words, for many classes and a double's digits; `None` where they do not do or the point is not shown to be a global
/// minimum. Where the target's modes show it no dual matrix is looked for.
fn in_words(
    problem: &Problem,
    problem_file: &[u8],
    plain: &Plain,
    point: &ExactPoint,
    options: &CertifyOptions,
    precision: u32,
) -> Option<Certification> {
    /// Different class sizes up to which the modes are quicker than a dual matrix.
    const FEW_SIZES: usize = 16;
    let at = words::evaluate(plain, point)?;
    let bounds = |lower: &Ball, precision: u32| {
        let bounds = bounds_from(plain, lower, &at.objective, precision)?;
        (bounds.gap.to_rational()? <= options.gap_tol).then_some(bounds)
    };
    let modes = modes::bound(plain, &at.objective, precision, FEW_SIZES);
    let by_modes = modes.as_ref().and_then(|modes| Some((bounds(&modes.lower, modes.precision)?, Evidence::Modes(modes))));
    let dual = if by_modes.is_some() { None } else { at.dual(|dual| bounds(&dual.lower, precision).is_some()) };
    let by_dual = || dual.as_ref().and_then(|dual| Some((bounds(&dual.lower, precision)?, Evidence::Dual(dual))));
    let (bounds, evidence) = by_modes.or_else(by_dual)?;
    Some(Certification {
        verdict: Verdict::GlobalMinimum,
        text: Some(gap_text(problem_file, point, precision, &evidence, &bounds, None)),
        modes: matches!(evidence, Evidence::Modes(_)),
        objective: Some(at.objective),
        gradient_norm: Some(at.gradient_norm),
        bounds: Some(bounds),
        curvature: None,
        tight: tight(problem),
        dual: dual.map(|dual| dual.r),
    })
}

/// See [`Certification::tight`].
fn tight(problem: &Problem) -> bool {
    use crate::problem::{Bias, Loss};
    match (&problem.loss, &problem.bias) {
        (Loss::Mse, Bias::None | Bias::Free) => true,
        (Loss::Mse, Bias::Regularized { .. }) => problem.dim >= problem.classes() || problem.per_class().is_some(),
        _ => problem.dim >= problem.classes() - 1,
    }
}

/// The models and losses the certificate format covers.
fn certifiable(problem: &Problem) -> Result<Plain, CertifyError> {
    Plain::new(problem).map_err(|e| match e {
        PlainError::Model => CertifyError::Unsupported(match &problem.model {
            Model::DeepRelu { .. } => {
                "model (no lower bound of deep ReLU models is proved: the theory's assumes that minimisers have equal nuclear norms before and \
                 after the ReLU; ufm hunt certifies points below the collapsed value)"
            }
            _ => "model (certificates cover the plain, multi-label, sphere and deep linear models)",
        }),
        PlainError::Loss => CertifyError::Unsupported("loss (certificates cover mse, ce, label-smoothing and pick-all-labels)"),
        PlainError::Spec(e) => CertifyError::Spec(e),
    })
}

/// Bits of accuracy at which a double's 53 are invisible.
const F64_TIER_BITS: u32 = 76;
/// Fractional bits that leave a residual of size below 4 in 64-bit integers.
const MACHINE_BITS: i32 = 60;

/// Bits of accuracy for everything inexact: the digits asked, and room so that rounding is invisible beside a double's.
fn working_bits(digits: u32) -> u32 {
    // log2(10) < 3.33.
    ((f64::from(digits) * 3.33) as u32 + 24).max(F64_TIER_BITS)
}

/// Fractional bits of the checker's own exponentials and logarithms; few enough for machine integers when K is large and the
/// digits asked are a double's.
fn checker_precision(plain: &Plain, bits: u32) -> u32 {
    if plain.k > factor::CHOLESKY_MAX && bits <= 80 { 60 } else { bits + 24 }
}

/// A bound on what the checker's rounding at `precision` fractional bits may move a bound: 64 K + 1024 units for each unit of target
/// mass.
fn checker_slack(plain: &Plain, precision: u32) -> Rational {
    let units = (64 * plain.k as u64 + 1024) * plain.largest_mass();
    if plain.mse { Rational::new() } else { scaled(Integer::from(units), -(precision as i32)) }
}

fn check_shapes(plain: &Plain, point: &ExactPoint) -> Result<(), CertifyError> {
    let size = |x: &crate::problem::Dyadic| (x.rows, x.cols);
    check_sizes((plain.k, plain.d, plain.n), &plain.bias, |name| match name {
        "W" => point.factors.first().map(size),
        "H" => Some(size(&point.h)),
        _ => point.b.as_ref().map(size),
    })
}

/// Whether the blocks W, H and b have the sizes of a problem with (K, d, N).
fn check_sizes(
    (k, d, n): (usize, usize, usize),
    bias: &crate::problem::Bias,
    found: impl Fn(&str) -> Option<(usize, usize)>,
) -> Result<(), CertifyError> {
    let biased = *bias != crate::problem::Bias::None;
    for (name, expected) in [("W", (k, d)), ("H", (d, n)), ("b", if biased { (k, 1) } else { (0, 0) })] {
        let found = found(name).unwrap_or((0, 0));
        if found != expected {
            let text = |(r, c): (usize, usize)| format!("{r} x {c}");
            return Err(CertifyError::Shape { name, found: text(found), expected: text(expected) });
        }
    }
    Ok(())
}

/// Averages of the residual's columns over each group, row-major K × (number of groups), accurate to `bits` bits below one.
fn group_means(plain: &Plain, residual: &crate::problem::Dyadic, bits: u32) -> Vec<Float> {
    let mut means = Vec::with_capacity(plain.k * plain.counts.len());
    for i in 0..plain.k {
        let row = &residual.m[i * plain.n..(i + 1) * plain.n];
        let mut start = 0;
        for &count in &plain.counts {
            let end = start + count as usize;
            let sum: Integer = row[start..end].iter().sum();
            means.push(Float::with_val(bits + 32, scaled(sum, residual.exp) / Integer::from(count)));
            start = end;
        }
    }
    means
}

/// The dual bound: for points as close to critical as the digits ask, from the class means themselves; otherwise through the f64
/// polar repair; and when that leaves a gap, the better of it and the scaled candidate.
fn best_dual(
    plain: &Plain,
    state: &State<'_>,
    means: &[Float],
    gradient_norm: &Ball,
    objective: &Ball,
    options: &CertifyOptions,
    bits: u32,
) -> Option<dual::Dual> {
    let log_gradient = gradient_norm.upper().get_exp().unwrap_or(-(bits as i32));
    // Beyond a double's accuracy the point itself says how far the dual matrix can be trusted.
    let good = |dual: &dual::Dual| (objective - &dual.lower).upper_rational().is_some_and(|gap| gap <= options.gap_tol);
    let mut found = None;
    let reach = (-log_gradient).clamp(0, bits as i32) as u32;
    if reach > 64 && plain.k <= factor::CHOLESKY_MAX {
        found = dual::from_means(plain, means, bits);
        if found.as_ref().is_some_and(good) {
            return found;
        }
    }
    // A point critical to many bits need not be a minimum: its own means may then prove little.
    dual::better(found, dual::best_f64(plain, means, &state.point.factors[0], &state.point.h, good))
}

fn bounds_from(plain: &Plain, lower: &Ball, objective: &Ball, precision: u32) -> Option<Bounds> {
    let slack = checker_slack(plain, precision);
    let width = precision + 64;
    let lower = Ball::from_rational(&(lower.lower_rational()? - &slack), width).lower();
    let upper = Ball::from_rational(&(objective.upper_rational()? + &slack), width).upper();
    let gap = writer::round_up(&(upper.to_rational()? - lower.to_rational()?));
    let collapse = Collapse::of_gap([&plain.lambda_w, &plain.lambda_h], plain.n as u64, &gap);
    Some(Bounds { lower, upper, gap, collapse })
}

/// A gradient bound with room for the checker's own rounding: relative 2^-16 and absolute 2^-(precision/2), outwards.
fn widened(value: &Float, precision: u32, up: bool) -> Float {
    let value = value.to_rational().unwrap_or_default();
    let slack = Rational::from(&value >> 16u32) + (Rational::from(1) >> (precision / 2));
    if up { writer::round_up(&(value + slack)) } else { Ball::from_rational(&(value - slack), 64).lower() }
}

/// Half of a negative curvature's upper bound: still negative, and far from the checker's rounding.
fn halved_towards_zero(curvature: &Ball) -> Float {
    curvature.upper() >> 1
}
