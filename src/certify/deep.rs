//! Deep models: gaps of linear ones, and points of ReLU ones below the collapsed value (proofs/FORMAT.md, "Deep models").

use rug::{Float, Rational};

use super::writer::{Writer, round_up};
use super::{Bounds, Certification, CertifyError, CertifyOptions, Verdict, deep_gradient_norm, objective, tight, working_bits};
use crate::closed_form::collapsed_value;
use crate::problem::{ExactPoint, Model, Problem};
use crate::scalar::Ball;

/// A point of a deep ReLU model that is certainly below the collapsed value.
#[derive(Debug, Clone)]
pub struct Below {
    /// The exact objective, rounded once.
    pub objective: Ball,
    /// The collapsed value: the least objective of the deep linear model with the same parameters.
    pub collapsed: Ball,
    /// The certificate, of kind `below`.
    pub text: String,
}

/// Bits of a counterexample's enclosures.
const BELOW_BITS: u32 = 128;
/// What the checker's grid of 2^-w may cost: its bound is short by less than 2^(10 − w) (three roundings of slope at most p <= 100
/// per class, averaged over classes).
const GRID_LOSS: u32 = 10;

/// The certificate that a point's objective is below the collapsed value; `None` when that is not certain.
///
/// Formula: `f(point) < Σ_k (n_k/N) min over x >= 0 of (x−1)²/2 + (p/2) κ_k x^{2/p}`, `κ_k = N Λ^{1/p} n_k^{1/p−1}`: the least objective over
/// collapsed points (for balanced classes: orthogonal frames in every layer), which is the minimum of the deep linear model.
///
/// Hypotheses: deep ReLU, any depth and class sizes. Guarantee: the objective is exact, the collapsed value enclosed; `text` proves both
/// to the checker. Shapes: those of the problem.
///
/// # Errors
/// [`CertifyError`] for other models and points of the wrong shape.
///
/// Source: P. Súkeník, C. Lampert and M. Mondelli, *Neural collapse vs. low-rank bias* (2024).
pub fn below(problem: &Problem, problem_file: &[u8], point: &ExactPoint) -> Result<Option<Below>, CertifyError> {
    if !matches!(problem.model, Model::DeepRelu { .. }) {
        return Err(CertifyError::Unsupported("model (certificates of kind below are for deep-relu)"));
    }
    let (value, collapsed) = evaluated(problem, point, BELOW_BITS)?;
    let precision = checker_precision(&collapsed, BELOW_BITS);
    let (Some(upper), Some(lower)) = (round_up_of(&value), confirmed_lower(&collapsed, precision)) else { return Ok(None) };
    if upper >= lower {
        return Ok(None);
    }
    let mut text = writer(problem_file, "below", precision, point);
    text.claim("objective", "<=", &upper);
    text.claim("collapsed", ">=", &lower);
    Ok(Some(Below { objective: value, collapsed, text: text.finish() }))
}

/// [`super::certify`] for deep linear models: the closed-form value is a lower bound at every point.
pub(super) fn certify(
    problem: &Problem,
    problem_file: &[u8],
    point: &ExactPoint,
    options: &CertifyOptions,
) -> Result<Certification, CertifyError> {
    let bits = working_bits(options.digits);
    let (value, collapsed) = evaluated(problem, point, bits)?;
    let gradient_norm = deep_gradient_norm(problem, point, bits);
    let precision = checker_precision(&collapsed, bits);
    let bounds = bounds(&value, &collapsed, precision);
    let mut result = Certification {
        verdict: Verdict::Undecided("precision: the bounds could not be enclosed".into()),
        objective: Some(value),
        gradient_norm,
        bounds,
        curvature: None,
        tight: tight(problem),
        modes: true,
        dual: None,
        text: None,
    };
    let Some(b) = &result.bounds else { return Ok(result) };
    let gradient = result.gradient_norm.as_ref();
    let (most, least) = (gradient.and_then(Ball::upper_rational), gradient.and_then(Ball::lower_rational));
    result.verdict = if b.gap.to_rational().is_some_and(|gap| gap <= options.gap_tol) {
        Verdict::GlobalMinimum
    } else if most.is_some_and(|g| g <= options.tol) {
        Verdict::NearMinimum
    } else if least.is_some_and(|g| g > options.tol) {
        Verdict::NotCritical
    } else {
        Verdict::Undecided("precision: the gradient norm cannot be told from --tol at this precision; ask for more --digits".into())
    };
    let mut text = writer(problem_file, "gap", precision, point);
    text.gap_claims(b, "self-duality");
    result.text = Some(text.finish());
    Ok(result)
}

/// The exact objective rounded once, and the collapsed value.
fn evaluated(problem: &Problem, point: &ExactPoint, bits: u32) -> Result<(Ball, Ball), CertifyError> {
    problem.point_sizes()?;
    let value = objective(problem, point, bits).ok_or_else(|| CertifyError::Shape {
        name: "H, W1, ...",
        found: "of another shape".into(),
        expected: "H (d,N), W1 .. (d,d), the last (K,d)".into(),
    })?;
    let collapsed = collapsed_value(problem, bits).ok_or(CertifyError::Unsupported("model"))?;
    Ok((value, collapsed))
}

fn bounds(value: &Ball, collapsed: &Ball, precision: u32) -> Option<Bounds> {
    let width = precision + 64;
    let lower = confirmed_lower(collapsed, precision)?;
    let upper = Ball::from_rational(&value.upper_rational()?, width).upper();
    let gap = round_up(&(upper.to_rational()? - lower.to_rational()?));
    Some(Bounds { lower, upper, gap, collapse: None })
}

/// A number no larger than the bound that the checker finds for `collapsed` on its grid.
fn confirmed_lower(collapsed: &Ball, precision: u32) -> Option<Float> {
    let loss = Rational::from(1) >> (precision - GRID_LOSS);
    Some(Ball::from_rational(&(collapsed.lower_rational()? - loss), precision + 64).lower())
}

fn round_up_of(value: &Ball) -> Option<Float> {
    value.upper_rational().map(|x| Ball::from_rational(&x, BELOW_BITS).upper())
}

/// Fractional bits at which the checker's bound has `bits` significant ones, and some more.
fn checker_precision(collapsed: &Ball, bits: u32) -> u32 {
    let small = collapsed.mid().get_exp().map_or(0, |e| (-e).max(0)) as u32;
    bits + small + GRID_LOSS + 8
}

fn writer(problem_file: &[u8], kind: &str, precision: u32, point: &ExactPoint) -> Writer {
    let mut text = Writer::new(problem_file, kind, precision);
    text.matrix("H", &point.h);
    for (j, w) in point.factors.iter().enumerate() {
        text.matrix(&format!("W{}", j + 1), w);
    }
    text
}
