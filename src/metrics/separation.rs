//! GNC2: the one-vs-rest distance of directions.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, U, gamma};
use super::rows::Rows;

const SLACK: f64 = 1.0 + 1e-6;
/// Most classes for which K quadratic programs on a K x K Gram matrix are solved.
pub(crate) const MAX_CLASSES: usize = 2048;
/// Relative gap between the bounds at which a program is solved.
const RELATIVE_GAP: f64 = 1e-9;
/// Steps after which the bounds reached are reported as they are.
const MAX_STEPS: usize = 20_000;

/// `min_k dist(v_k, conv{v_j : j ≠ k})` of the rows scaled to norm one; `None` for a row that may be zero or too many rows.
/// At a simplex equiangular tight frame it is K/(K−1), the largest value there is for d >= K−1.
///
/// Method: for each k the minimum-norm point of `conv{v_k − v_j}` by conditional gradients with away steps. A point p of the hull
/// gives `dist <= ‖p‖`, the supporting plane `dist >= min_j <p, v_k − v_j>/‖p‖`; the value reported lies between.
///
/// Source: J. Jiang et al., arXiv 2310.05351; S. Lacoste-Julien and M. Jaggi, *NeurIPS* (2015).
pub(crate) fn one_vs_rest(rows: &Rows) -> Option<Bounded> {
    let k = rows.count();
    if k > MAX_CLASSES {
        return None;
    }
    let norms: Vec<f64> = (0..k).map(|i| rows.norm(i).value).collect();
    // Of each unit vector: the row's own error, and the rounding of norm and quotient.
    let errors: Vec<f64> = (0..k).map(|i| (2.0 * rows.errors[i] / rows.norm(i).lower() + gamma(rows.dim + 6)) * SLACK).collect();
    let error = errors.iter().copied().fold(0.0, |a: f64, b| if b >= 0.0 { a.max(b) } else { f64::INFINITY });
    if error.is_nan() || error >= 0.1 {
        return None;
    }
    let mut unit = Mat::<f64>::zeros(k, rows.dim);
    for (i, norm) in norms.iter().enumerate() {
        unit.row_mut(i).iter_mut().zip(rows.row(i)).for_each(|(u, x)| *u = x / norm);
    }
    let mut gram = Mat::<f64>::zeros(k, k);
    matmul(gram.as_mut(), Accum::Replace, &unit, unit.transpose(), 1.0, Par::Seq);
    let bounds: Vec<(f64, f64)> = (0..k).into_par_iter().map(|class| distance(&gram, class, gamma(rows.dim + 4))).collect();
    let (low, high) = bounds.into_iter().fold((f64::INFINITY, f64::INFINITY), |(a, b), (low, high)| (a.min(low), b.min(high)));
    // Moving every vector by `error` moves a distance between one and a convex combination of others by twice that.
    let (low, high) = ((low - 2.0 * error).max(0.0), high + 2.0 * error * SLACK);
    Some(Bounded::new(0.5 * (low + high), (0.5 * (high - low) + 4.0 * U * high) * SLACK))
}

/// Lower and upper bound of the distance of one row to the hull of the others; `entry` bounds the error of the Gram matrix.
fn distance(gram: &Mat<f64>, class: usize, entry: f64) -> (f64, f64) {
    let k = gram.nrows();
    let others: Vec<usize> = (0..k).filter(|&j| j != class).collect();
    // Q_ij = <v_k − v_i, v_k − v_j>.
    let q = |i: usize, j: usize| gram[(class, class)] - gram[(class, i)] - gram[(class, j)] + gram[(i, j)];
    let start = others.iter().copied().min_by(|&i, &j| q(i, i).total_cmp(&q(j, j))).unwrap_or(class);
    let mut weights = vec![0.0; k];
    weights[start] = 1.0;
    let mut slope: Vec<f64> = (0..k).map(|j| q(start, j)).collect();
    let mut best = (0.0f64, f64::INFINITY);
    for step in 0..MAX_STEPS {
        if step % 64 == 63 {
            // The slope is recomputed: rounding must not accumulate in it.
            let active: Vec<usize> = others.iter().copied().filter(|&i| weights[i] > 0.0).collect();
            let total: f64 = active.iter().map(|&i| weights[i]).sum();
            active.iter().for_each(|&i| weights[i] /= total);
            slope = (0..k).map(|j| active.iter().map(|&i| weights[i] * q(i, j)).sum()).collect();
        }
        let square: f64 = others.iter().map(|&j| weights[j] * slope[j]).sum();
        let toward = others.iter().copied().min_by(|&i, &j| slope[i].total_cmp(&slope[j])).unwrap_or(start);
        // Entries of Q lie within 8 `entry` + rounding; the weights sum to one within 128 U.
        let error = 8.0 * entry + (k as f64 + 1024.0) * 4.0 * U;
        let upper = (square.max(0.0) + error).sqrt() * (1.0 + 1024.0 * U);
        let lower = (slope[toward] - error) / upper * (1.0 - 1024.0 * U);
        best = (best.0.max(lower), best.1.min(upper));
        if best.1 - best.0 <= RELATIVE_GAP * best.1 {
            break;
        }
        let away = others.iter().copied().filter(|&j| weights[j] > 0.0).max_by(|&i, &j| slope[i].total_cmp(&slope[j])).unwrap_or(start);
        // Pairwise step: weight moves from the worst vertex of the support to the best of all.
        let descent = slope[away] - slope[toward];
        let curvature = q(toward, toward) - 2.0 * q(toward, away) + q(away, away);
        if !(descent > 0.0 && curvature > 0.0) {
            break;
        }
        let length = (descent / curvature).min(weights[away]);
        if length == weights[away] {
            weights[away] = 0.0;
        } else {
            weights[away] -= length;
        }
        weights[toward] += length;
        for (j, s) in slope.iter_mut().enumerate() {
            *s += length * (q(toward, j) - q(away, j));
        }
    }
    best
}
