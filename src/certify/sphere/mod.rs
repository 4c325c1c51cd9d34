//! The sphere model: rows of W and columns of H on unit spheres, logits τ W H, cross-entropy.
//!
//! A point stands for its radial projection: stored numbers are dyadic, unit vectors hardly ever are.

mod dual;
mod saddle;
mod units;

use rug::{Float, Integer, Rational};

use super::writer::{Writer, round_up};
use super::{
    Bounds, Certification, CertifyError, CertifyOptions, Collapse, F64_TIER_BITS, MACHINE_BITS, Verdict, check_shapes, checker_slack,
    factor, group_means, halved_towards_zero, tight, widened, working_bits,
};
use crate::problem::exact::{Plain, PlainError, scaled};
use crate::problem::{ExactPoint, Problem};
use crate::scalar::Ball;
use dual::SphereDual;
use units::Units;

/// Fractional bits of the unit vectors when products must run in machine integers, and the work from which they must.
const MACHINE_GRID: u32 = 56;
const MACHINE_WORK: usize = 1 << 23;
/// Fractional bits of the unit vectors beyond the accuracy asked.
const GRID_ROOM: u32 = 40;

/// f at the radial projection of a point, enclosed.
pub(super) fn objective(problem: &Problem, tau: &Rational, point: &ExactPoint, bits: u32) -> Option<Ball> {
    let plain = Plain::unregularized(problem).ok()?;
    check_shapes(&plain, point).ok()?;
    let units = Units::new(&plain, tau, point, bits + GRID_ROOM)?;
    let state = units.state(bits)?;
    Some(units.objective(&state))
}

/// See [`super::certify`].
pub(super) fn certify(
    problem: &Problem,
    tau: &Rational,
    problem_file: &[u8],
    point: &ExactPoint,
    options: &CertifyOptions,
) -> Result<Certification, CertifyError> {
    let plain = Plain::unregularized(problem).map_err(|e| match e {
        PlainError::Spec(e) => CertifyError::Spec(e),
        _ => CertifyError::Unsupported("labels (the sphere model takes classes)"),
    })?;
    check_shapes(&plain, point)?;
    let bits = working_bits(options.digits);
    let large = bits == F64_TIER_BITS && plain.k * plain.d * plain.n > MACHINE_WORK;
    let mut result = Certification {
        verdict: Verdict::Undecided(String::new()),
        objective: None,
        gradient_norm: None,
        bounds: None,
        curvature: None,
        tight: tight(problem),
        modes: false,
        dual: None,
        text: None,
    };
    let Some(units) = Units::new(&plain, tau, point, if large { MACHINE_GRID } else { bits + GRID_ROOM }) else {
        result.verdict = Verdict::Undecided("domain: a row of W or a column of H is zero and has no direction".into());
        return Ok(result);
    };
    let Some(state) = units.state(bits) else {
        result.verdict = Verdict::Undecided("domain: logits beyond 2^40 in magnitude, where cross-entropy is not evaluated".into());
        return Ok(result);
    };
    let objective = units.objective(&state);
    let residual = state.residual();
    let gradient_norm = if bits == F64_TIER_BITS {
        let coarse = residual.0.clone().rounded(-MACHINE_BITS);
        units.gradient_norm(&state, &coarse, 1.0 + residual.1)
    } else {
        units.gradient_norm(&state, &residual.0, residual.1)
    };
    let Some(gradient_norm) = gradient_norm else {
        result.verdict = Verdict::Undecided("precision: a temperature this high needs more --digits".into());
        return Ok(result);
    };
    let means = group_means(&plain, &residual.0, bits);
    let logits = group_means(&plain, &state.z, bits);
    let precision = checker_precision(&plain, bits);
    let good = |dual: &super::dual::Dual| (&objective - &dual.lower).upper_rational().is_some_and(|gap| gap <= options.gap_tol);
    let exact = gradient_norm.upper().get_exp().is_none_or(|e| e < -64);
    let dual = dual::best(&units, &means, &logits, exact, bits, good);
    result.bounds = dual.as_ref().and_then(|dual| bounds(&units, dual, &objective, precision));
    result.dual = dual.as_ref().map(|d| d.dual.r.clone());
    result.gradient_norm = Some(gradient_norm.clone());
    result.objective = Some(objective);

    let proved_gap = result.bounds.as_ref().and_then(|b| b.gap.to_rational());
    let gradient = gradient_norm.upper();
    if proved_gap.is_some_and(|gap| gap <= options.gap_tol) {
        result.verdict = Verdict::GlobalMinimum;
    } else if gradient_norm.upper_rational().is_some_and(|g| g <= options.tol) {
        if let Some((direction, curvature)) = saddle::find(problem, &units, &state, &residual) {
            let mut text = Writer::new(problem_file, "strict-saddle", precision);
            text.point("", point);
            text.point("d", &direction);
            text.claim("gradient", "<=", &widened(&gradient, precision, true));
            text.claim("curvature", "<=", &halved_towards_zero(&curvature));
            result.verdict = Verdict::StrictSaddle;
            result.curvature = Some(curvature);
            result.text = Some(text.finish());
            return Ok(result);
        }
        result.verdict = Verdict::NearMinimum;
    } else if gradient_norm.lower_rational().is_some_and(|g| g > options.tol) {
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
    match (&result.verdict, dual, &result.bounds) {
        (Verdict::Undecided(_), ..) => {
            let reason = "precision: the gradient norm cannot be told from --tol at this precision; ask for more --digits";
            result.verdict = Verdict::Undecided(reason.into());
        }
        (_, Some(SphereDual { dual, a, c }), Some(b)) => {
            let mut text = Writer::new(problem_file, "gap", precision);
            text.point("", point);
            text.matrix("R", &dual.r);
            text.matrix("a", &a);
            text.matrix("c", &c);
            text.matrix("L", &dual.l);
            text.gap_claims(b, "alignment");
            text.claim("gradient", "<=", &widened(&gradient, precision, true));
            result.text = Some(text.finish());
        }
        _ => result.verdict = Verdict::Undecided("precision: no dual matrix could be verified".into()),
    }
    Ok(result)
}

/// Fractional bits of the checker's numbers: machine integers when K is large and the digits asked are a double's.
fn checker_precision(plain: &Plain, bits: u32) -> u32 {
    if plain.k > factor::CHOLESKY_MAX && bits <= F64_TIER_BITS { MACHINE_GRID } else { bits + 24 }
}

fn bounds(units: &Units<'_>, dual: &SphereDual, objective: &Ball, precision: u32) -> Option<Bounds> {
    let plain = units.plain;
    // The checker's own unit vectors: losses move by 12 τ √d units.
    let root = Integer::from(plain.d).sqrt() + 1u32;
    let slack = checker_slack(plain, precision) + scaled(Integer::from(1), -(precision as i32)) * units.tau * root * 16u32;
    let width = precision + 64;
    let lower = Ball::from_rational(&(dual.dual.lower.lower_rational()? - &slack), width).lower();
    let upper = Ball::from_rational(&(objective.upper_rational()? + &slack), width).upper();
    let gap = round_up(&(upper.to_rational()? - lower.to_rational()?));
    let largest = (0..plain.k).map(|k| dual.c.rational(k, 0) / Integer::from(plain.counts[k])).max()?;
    let deviation: Float = round_up(&(2u32 * gap.to_rational()? * largest));
    let collapse = Collapse { within_class: deviation.clone(), self_duality: deviation, fit: gap.clone() };
    Some(Bounds { lower, upper, gap, collapse: Some(collapse) })
}
