//! Directions of negative curvature at critical points of the sphere model.

use faer::Mat;
use rug::Rational;

use super::super::saddle::lanczos;
use super::units::Units;
use crate::linalg::eigh;
use crate::problem::exact::State;
use crate::problem::{Dyadic, ExactPoint, Point, Problem};
use crate::scalar::Ball;

/// Curvature above −2^-20 of the matrix M is no witness: rounding and rotations of a near-minimum show as little.
const NEGLIGIBLE_SHIFT: u32 = 20;
/// Largest K + N whose matrix M is diagonalised.
const EXPLICIT_MAX: usize = 1024;

/// A direction and its curvature, proved to be negative; `None` when none was found.
pub(super) fn find(problem: &Problem, units: &Units<'_>, state: &State<'_>, residual: &(Dyadic, f64)) -> Option<(ExactPoint, Ball)> {
    let (k, n) = (units.plain.k, units.plain.n);
    let (m, scale) = multiplier_matrix(units, state, &residual.0);
    let verified = |direction: Point| {
        let mut direction = direction;
        direction.snap();
        let direction = direction.to_exact()?;
        let (q, norm) = units.curvature(state, residual, &direction)?;
        let curvature = &q / &Ball::from_rational(&norm, q.prec());
        let least = Rational::from_f64(scale)? >> NEGLIGIBLE_SHIFT;
        curvature.upper_rational().is_some_and(|c| c < -least).then_some((direction, curvature))
    };
    let point = Point { factors: vec![units.w.to_f64()], h: units.scaled.h.to_f64(), b: None };
    let explicit = || if k + n <= EXPLICIT_MAX { explicit(m.as_ref()?, &point) } else { None };
    explicit().and_then(verified).or_else(|| lanczos(problem, &point).and_then(verified))
}

/// M = [[−diag λ, τ G], [τ Gᵀ, −diag ν]], λ_k = τ<ŵ_k, (G Hᵀ)_k>, ν_i = τ<ĥ_i, (Wᵀ G)_i>, when it is small, and its largest entry.
fn multiplier_matrix(units: &Units<'_>, state: &State<'_>, r: &Dyadic) -> (Option<Mat<f64>>, f64) {
    let (k, n) = (units.plain.k, units.plain.n);
    let (r, z) = (r.to_f64(), state.z.to_f64());
    let (samples, tau) = (n as f64, units.tau.to_f64());
    let term = |i: usize, j: usize| r[(i, j)] * z[(i, j)] / samples;
    let lambda: Vec<f64> = (0..k).map(|i| (0..n).map(|j| term(i, j)).sum()).collect();
    let nu: Vec<f64> = (0..n).map(|j| (0..k).map(|i| term(i, j)).sum()).collect();
    let scale = lambda.iter().chain(&nu).fold(r.norm_max() * tau / samples, |m, x| m.max(x.abs()));
    let matrix = (k + n <= EXPLICIT_MAX).then(|| {
        Mat::from_fn(k + n, k + n, |a, b| match (a.min(b), a.max(b)) {
            (i, j) if i == j => -if i < k { lambda[i] } else { nu[i - k] },
            (i, j) if i < k && j >= k => tau * r[(i, j - k)] / samples,
            _ => 0.0,
        })
    });
    (matrix, scale)
}

/// (x eᵀ, e yᵀ), (x, y) the lowest eigenvector of M, e as orthogonal to the rows of W and the columns of H as there is: when it is
/// orthogonal, the curvature is (x, y)ᵀ M (x, y).
fn explicit(m: &Mat<f64>, point: &Point) -> Option<Point> {
    let (_, vectors) = eigh(m.as_ref())?;
    let w = &point.factors[0];
    let (_, basis) = eigh((w.transpose() * w + &point.h * point.h.transpose()).as_ref())?;
    let (xy, e) = (vectors.col(0), basis.col(0));
    let (k, d) = w.shape();
    Some(Point {
        factors: vec![Mat::from_fn(k, d, |i, j| xy[i] * e[j])],
        h: Mat::from_fn(d, point.h.ncols(), |i, j| e[i] * xy[k + j]),
        b: None,
    })
}
