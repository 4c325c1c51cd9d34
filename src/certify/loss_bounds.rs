//! Rigorous bounds for a convex loss of the user's own.

use faer::Mat;
use rug::{Float, Integer, Rational};

use super::{CertifyError, dual, factor::psd_factor};
use crate::linalg::thin_svd;
use crate::problem::exact::{logits, rows_times_rows, scaled};
use crate::problem::loss::ConvexLoss;
use crate::problem::{Bias, Dyadic, ExactPoint, Model, Point, Problem};
use crate::scalar::Ball;

/// What [`loss_bounds`] proves.
#[derive(Debug, Clone)]
pub struct LossBounds {
    /// A number no larger than the objective at any point of the problem.
    pub lower: Float,
    /// A number no smaller than the objective at this point.
    pub upper: Float,
    /// `upper − lower`, rounded up.
    pub gap: Float,
}

/// Significant bits of a double.
const F64_BITS: u32 = 53;
/// Bits of enclosures: far beyond the doubles that the dual matrix is made of.
const PRECISION: u32 = 128;

/// Bounds on the minimum of `L(WH + b 1ᵀ) + λ_W/2 ‖W‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖²` for a convex loss L of one's own, and on its
/// value at `point`.
///
/// Formula: `f(W,H,b) >= −Σ_i ℓ_i*(g_i) − ‖G 1‖²/(2 λ_b)` for every G = [g_1, ..., g_N] with ‖G‖_op <= μ (free bias: G 1 = 0; no bias: no
/// last term). G is the loss's gradient at the point, its modes repaired to singular value μ or scaled down, on a dyadic grid; the
/// operator norm is proved exactly.
///
/// Hypotheses: the plain or multi-label model (its own loss is ignored), any labels, bias and d; `loss` encloses what it says, ℓ_i
/// convex. Guarantee: `lower` and `upper` are bounds for the exact entries of `point`; `None` when a value could not be enclosed or no
/// G lay in the conjugate's domain.
///
/// # Errors
/// [`CertifyError`] for other models, points of the wrong shape or with entries that are not finite, and sizes beyond memory.
///
/// Source: the collapse identity (Zhou et al. 2022), with the loss's Fenchel–Young term in place of its Bregman term.
pub fn loss_bounds(problem: &Problem, loss: &dyn ConvexLoss, point: &Point) -> Result<Option<LossBounds>, CertifyError> {
    let (Model::Plain { lambda_w, lambda_h } | Model::MultiLabel { lambda_w, lambda_h }) = &problem.model else {
        return Err(CertifyError::Unsupported("model (a loss of one's own goes with the plain and multi-label models)"));
    };
    super::check_sizes(problem.point_sizes()?, &problem.bias, |name| match name {
        "W" => point.factors.first().map(|w| w.shape()),
        "H" => Some(point.h.shape()),
        _ => point.b.as_ref().map(|b| (b.len(), 1)),
    })?;
    let exact = point.to_exact().ok_or(CertifyError::Unsupported("point with an entry that is not finite"))?;
    let z = logits(&exact);
    let upper = value(problem, (lambda_w, lambda_h), loss, &exact, &z);
    let radius = Rational::from(lambda_w * lambda_h);
    let Some(lower) = lower(problem, &radius, loss, &z, &(&point.factors[0] * &point.h)) else { return Ok(None) };
    let (lower, upper) = (lower.lower(), upper.upper());
    let gap = (&Ball::exact(upper.clone()) - &Ball::exact(lower.clone())).upper();
    Ok(gap.is_finite().then_some(LossBounds { lower, upper, gap }))
}

fn lambda_b(problem: &Problem) -> Option<&Rational> {
    if let Bias::Regularized { lambda_b } = &problem.bias { Some(lambda_b) } else { None }
}

fn column(x: &Dyadic, i: usize) -> Vec<Ball> {
    (0..x.rows).map(|k| Ball::from_rational(&x.rational(k, i), PRECISION)).collect()
}

/// f at the point.
fn value(problem: &Problem, (lambda_w, lambda_h): (&Rational, &Rational), loss: &dyn ConvexLoss, point: &ExactPoint, z: &Dyadic) -> Ball {
    let mut penalty = point.factors[0].sum_squares() * lambda_w + point.h.sum_squares() * lambda_h;
    if let (Some(lambda_b), Some(b)) = (lambda_b(problem), &point.b) {
        penalty += b.sum_squares() * lambda_b;
    }
    let start = Ball::from_rational(&(penalty / 2u32), PRECISION);
    (0..z.cols).fold(start, |sum, i| &sum + &loss.enclosure(&column(z, i), i))
}

/// The best of the repaired and the scaled gradient, each shrunk until its proof goes through.
fn lower(problem: &Problem, radius: &Rational, loss: &dyn ConvexLoss, z: &Dyadic, wh: &Mat<f64>) -> Option<Ball> {
    let (k, n) = (z.rows, z.cols);
    let z = z.to_f64();
    let mut flat: Vec<f64> = (0..n).flat_map(|i| z.col(i).iter().copied().collect::<Vec<_>>()).collect();
    loss.gradient(&mut flat, 0);
    let mut g = Mat::from_fn(k, n, |a, i| flat[i * k + a]);
    if problem.bias == Bias::Free {
        for a in 0..k {
            let mean = (0..n).map(|i| g[(a, i)]).sum::<f64>() / n as f64;
            (0..n).for_each(|i| g[(a, i)] -= mean);
        }
    }
    let mu = radius.to_f64().sqrt();
    let (_, s, _) = thin_svd(g.as_ref())?;
    let theta = (mu / s[0].max(f64::MIN_POSITIVE)).min(1.0);
    let scaled = Mat::from_fn(k, n, |a, i| theta * g[(a, i)]);
    let candidates = [dual::polar(&g, wh, mu), Some(scaled)];
    let proved = candidates.into_iter().flatten().filter_map(|g| shrunk(problem, radius, loss, &g));
    proved.reduce(|a, b| if a.lower() >= b.lower() { a } else { b })
}

/// The bound of (1 − 2^-s) G for the largest s whose proof goes through.
fn shrunk(problem: &Problem, radius: &Rational, loss: &dyn ConvexLoss, g: &Mat<f64>) -> Option<Ball> {
    (1..F64_BITS).rev().step_by(2).find_map(|s| {
        let shrink = 1.0 - 2f64.powi(-(s as i32));
        let mut g = Dyadic::from_f64(&Mat::from_fn(g.nrows(), g.ncols(), |a, i| shrink * g[(a, i)]))?;
        let mut beta = Rational::new();
        for row in g.m.chunks_mut(g.cols) {
            let sum: Integer = row.iter().sum();
            match &problem.bias {
                // The rounding of a row's sum, met exactly at its first sample.
                Bias::Free => row[0] -= sum,
                Bias::Regularized { lambda_b } => beta += Rational::from(sum.square()) / Rational::from(2 * lambda_b),
                Bias::None => {}
            }
        }
        let beta = Ball::from_rational(&(beta * scaled(Integer::from(1), 2 * g.exp)), PRECISION);
        psd_factor(&vec![radius.clone(); g.rows], &rows_times_rows(&g, &g), s, F64_BITS)?;
        let bound = (0..g.cols).fold(-beta, |sum, i| &sum - &loss.conjugate(&column(&g, i), i));
        bound.is_finite().then_some(bound)
    })
}
