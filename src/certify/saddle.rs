//! Directions of negative curvature at critical points that are not minima.

use faer::Mat;
use rug::{Float, Rational};

use crate::linalg::{eigh, thin_svd};
use crate::problem::exact::Plain;
use crate::problem::exact::State;
use crate::problem::{ExactPoint, Objective, Point, Problem};
use crate::scalar::Ball;

/// A direction and its verified curvature: Q(v) <= curvature · ‖v‖², curvature < 0.
pub(super) struct Saddle {
    pub direction: ExactPoint,
    pub curvature: Ball,
}

/// Curvature above −2^-20 min(λ_W, λ_H) is no witness: rotating a point that is near a minimum curves f by as little, in either sign.
const NEGLIGIBLE_SHIFT: u32 = 20;

/// Steps of the Lanczos search when the explicit direction does not apply.
const LANCZOS_STEPS: usize = 60;

/// The explicit direction of the dichotomy when the widths leave room, otherwise the lowest Ritz vector of the Hessian.
///
/// With (u, v) the top singular pair of G, σ = ‖G‖_op > μ, and a unit e orthogonal to the rows of W and the columns of H,
/// (√λ_H u eᵀ, −√λ_W e vᵀ) has curvature 2 μ (μ − σ) < 0.
pub(super) fn find(problem: &Problem, state: &State<'_>, means: &[Float]) -> Option<Saddle> {
    let point = state.point.to_f64();
    let verified = |direction: Point| {
        let mut direction = direction;
        direction.snap();
        let direction = direction.to_exact()?;
        let (q, norm) = state.curvature(&direction);
        if norm == 0 || !q.is_negative() {
            return None;
        }
        let curvature = &q / &Ball::from_rational(&norm, q.prec());
        let least = Rational::from((&state.plain.lambda_w).min(&state.plain.lambda_h)) >> NEGLIGIBLE_SHIFT;
        curvature.upper_rational().is_some_and(|c| c < -least).then_some(Saddle { direction, curvature })
    };
    explicit(state.plain, &point, means).and_then(verified).or_else(|| lanczos(problem, &point).and_then(verified))
}

fn explicit(plain: &Plain, point: &Point, means: &[Float]) -> Option<Point> {
    let (k, d) = (plain.k, plain.d);
    let root: Vec<f64> = plain.counts.iter().map(|&n| (n as f64).sqrt()).collect();
    let c = root.len();
    let r = Mat::from_fn(k, c, |i, j| means[i * c + j].to_f64() * root[j]);
    let (u, _, v) = thin_svd(r.as_ref())?;
    let w = &point.factors[0];
    let (_, basis) = eigh((w.transpose() * w + &point.h * point.h.transpose()).as_ref())?;
    let e = basis.col(0);
    let (lambda_w, lambda_h) = (plain.lambda_w.to_f64().sqrt(), plain.lambda_h.to_f64().sqrt());
    Some(Point {
        factors: vec![Mat::from_fn(k, d, |i, j| lambda_h * u[(i, 0)] * e[j])],
        h: Mat::from_fn(d, plain.n, |i, j| -lambda_w * e[i] * v[(plain.label[j], 0)] / root[plain.label[j]]),
        b: point.b.as_ref().map(|b| vec![0.0; b.len()]),
    })
}

/// Lanczos with full reorthogonalisation on the Hessian of f, from a fixed dense start; deterministic.
pub(super) fn lanczos(problem: &Problem, point: &Point) -> Option<Point> {
    let mut objective = Objective::new(problem, None).ok()?;
    let mut x = objective.layout().flatten(point).ok()?;
    objective.retract(&mut x).ok()?;
    let size = x.len();
    let mut next = vec![0.0; size];
    objective.value_gradient(&x, &mut next);
    objective.accept();
    let steps = LANCZOS_STEPS.min(size);
    // A start without structure: fractional parts of multiples of the golden ratio.
    let mut q: Vec<f64> = (0..size).map(|i| ((i as f64 + 1.0) * 0.618_033_988_749_894_9).fract() - 0.5).collect();
    objective.project(&x, &mut q);
    normalise(&mut q)?;
    let (mut basis, mut alpha, mut beta) = (vec![q], vec![], vec![]);
    loop {
        let last = basis.last()?;
        objective.hessian_product(&x, last, &mut next);
        alpha.push(dot(&next, last));
        for _ in 0..2 {
            for q in &basis {
                let c = dot(&next, q);
                next.iter_mut().zip(q).for_each(|(x, q)| *x -= c * q);
            }
        }
        let norm = dot(&next, &next).sqrt();
        // Twice the unit roundoff of the tridiagonal's scale: the Krylov space is exhausted.
        let exhausted = norm <= 2.0 * f64::EPSILON * alpha.iter().fold(0.0f64, |m, a| m.max(a.abs()));
        if basis.len() == steps || exhausted || !norm.is_finite() {
            break;
        }
        beta.push(norm);
        basis.push(next.iter().map(|x| x / norm).collect());
    }
    let m = alpha.len();
    let t = Mat::from_fn(m, m, |i, j| match i.abs_diff(j) {
        0 => alpha[i],
        1 => beta[i.min(j)],
        _ => 0.0,
    });
    let (_, y) = eigh(t.as_ref())?;
    let mut lowest = vec![0.0; size];
    for (i, q) in basis.iter().enumerate() {
        lowest.iter_mut().zip(q).for_each(|(x, q)| *x += y[(i, 0)] * q);
    }
    Some(objective.layout().point(&lowest))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn normalise(x: &mut [f64]) -> Option<()> {
    let norm = dot(x, x).sqrt();
    (norm > 0.0).then(|| x.iter_mut().for_each(|x| *x /= norm))
}
