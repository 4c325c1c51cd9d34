//! NC3: how far the classifier is from the class means.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, U, gamma, sum};
use super::geometry::{FrameDistance, FrameSums, TILE_ROWS, Target, product_error, tile};
use super::rows::Rows;
use super::variability::Spectrum;

const SLACK: f64 = 1.0 + 1e-6;

/// `‖A/‖A‖ − T‖_F` with `A = W Mᵀ` for rows W and M.
pub(crate) fn nc3(classifier: &Rows, means: &Rows, target: Target) -> Bounded {
    let k = means.count();
    let trace = sum((0..k).map(|i| classifier.product(i, means, i)));
    let weights = vec![1.0; k];
    let (w, m) = (classifier.weighted_mean(&weights), means.weighted_mean(&weights));
    let count = Bounded::exact(k as f64);
    let total = w.product(0, &m, 0) * count.square();
    let frame = FrameDistance::new(target, k, target.inner(k, trace, total));
    let starts: Vec<usize> = (0..k).step_by(TILE_ROWS).collect();
    let one = |&start: &usize| {
        let end = (start + TILE_ROWS).min(k);
        let entries = tile(classifier, start..end, means, 0);
        let mut sums = FrameSums::default();
        for (row, i) in entries.chunks(k).zip(start..) {
            frame.off_diagonal(&mut sums, &row[..i], false);
            frame.diagonal(&mut sums, row[i]);
            frame.off_diagonal(&mut sums, &row[i + 1..], false);
        }
        sums
    };
    let parts: Vec<FrameSums> = starts.par_iter().map(one).collect();
    let sums = parts.into_iter().fold(FrameSums::default(), FrameSums::plus);
    frame.finish(&sums, k, product_error(classifier, means))
}

/// `‖W/‖W‖_F − M/‖M‖_F‖_F²`.
pub(crate) fn alignment(classifier: &Rows, means: &Rows) -> Bounded {
    let (w, m) = (classifier.square().sqrt(), means.square().sqrt());
    let (_, w_error) = classifier.frobenius();
    let (_, m_error) = means.frobenius();
    let square: f64 = classifier
        .data
        .chunks(classifier.dim)
        .zip(means.data.chunks(means.dim))
        .map(|(x, y)| x.iter().zip(y).map(|(x, y)| (x / w.value - y / m.value) * (x / w.value - y / m.value)).sum::<f64>())
        .sum();
    // ‖x/‖x‖ − y/‖y‖‖ <= 2‖x − y‖/‖x‖, and the norms' own relative errors.
    let least = |norm: Bounded| norm.lower().max(0.0);
    let moved = 2.0 * w_error / least(w) + 2.0 * m_error / least(m) + w.bound / least(w) + m.bound / least(m) + 8.0 * U;
    let moved = if moved.is_nan() { f64::INFINITY } else { moved };
    let depth = gamma(classifier.dim + classifier.count() + 4);
    let norm = square.sqrt();
    let norm = Bounded::new(norm, (moved + depth * norm) * SLACK);
    let bound = norm.square().bound + (norm.square().value - square).abs();
    Bounded::new(square, bound)
}

/// Mean over classes of `1 − cos(w_k, m_k) = ‖w_k/‖w_k‖ − m_k/‖m_k‖‖²/2`, which does not cancel near alignment.
pub(crate) fn cosine_distance(classifier: &Rows, means: &Rows) -> Bounded {
    let k = means.count();
    let pairs = (0..k).map(|i| alignment(&classifier.only(i), &means.only(i)));
    sum(pairs) / Bounded::exact(2.0 * k as f64)
}

/// Mean cosine of the principal angles between the span of the class means and the r leading right singular vectors of W, r the rank
/// of the class means' spectrum.
///
/// Error: the span of the exact means, of rank r, is within `e/σ_r` of the computed one (sines of the angles in Frobenius norm), e the
/// spectrum's error; W's leading r-dimensional singular space within `√2 e/(s_r − s_{r+1} − e)`. Bases of spaces at that distance can
/// be chosen √2 as far apart, and r singular values move by at most √r times as much together.
///
/// Source: P.-Å. Wedin, *BIT* 12 (1972).
pub(crate) fn overlap(classifier: &Rows, means: &Spectrum) -> Option<Bounded> {
    let (d, r) = (classifier.dim, means.values.len());
    let weights = Spectrum::new(classifier, d.min(classifier.count()))?;
    let values = weights.singular_values();
    let gap = values.get(r - 1)?.lower() - if r == d { 0.0 } else { values.get(r).map_or(0.0, |s| s.upper()) };
    let least = means.singular_values()[r - 1].lower();
    if !(gap > 0.0 && least > 0.0) {
        return None;
    }
    let turn = |error: f64, gap: f64, eta: f64| (std::f64::consts::SQRT_2 * error / gap + eta) * SLACK;
    let of_means = turn(means.error, least, means.eta_u);
    let of_weights = if r == d { weights.eta_u } else { turn(std::f64::consts::SQRT_2 * values[0].bound, gap, weights.eta_u) };
    let top = weights.u.subcols(0, r);
    let mut product = Mat::<f64>::zeros(r, r);
    matmul(product.as_mut(), Accum::Replace, means.u.transpose(), top, 1.0, Par::Seq);
    let root = (r as f64).sqrt();
    let rounding = gamma(d + 4) * r as f64 * SLACK;
    let error = (rounding + of_means + of_weights * (1.0 + means.eta_u)) * SLACK;
    let rows = (0..r).flat_map(|i| product.row(i).iter().copied().collect::<Vec<_>>()).collect();
    let cosines = Spectrum::new(&Rows::exact(rows, r), r)?.singular_values();
    let mean = sum(cosines) / Bounded::exact(r as f64);
    Some(Bounded::new(mean.value.min(1.0), (mean.bound + (mean.value - 1.0).max(0.0) + error / root) * SLACK))
}

/// `‖W h_G + b‖` and `‖P (W h_G + b)‖`, P the projection that takes away the mean.
pub(crate) fn bias_alignment(classifier: &Rows, bias: &[f64], centre: &Rows) -> (Bounded, Bounded) {
    let k = classifier.count();
    let logits: Vec<Bounded> = (0..k).map(|i| classifier.product(i, centre, 0) + Bounded::exact(bias[i])).collect();
    let mean = sum(logits.iter().copied()) / Bounded::exact(k as f64);
    let norm = |terms: &mut dyn Iterator<Item = Bounded>| {
        let terms: Vec<Bounded> = terms.collect();
        let square: f64 = terms.iter().map(|t| t.value * t.value).sum();
        let error = terms.iter().map(|t| t.bound * t.bound).sum::<f64>().sqrt();
        let root = square.sqrt();
        Bounded::new(root, (error + gamma(k + 4) * root) * SLACK)
    };
    (norm(&mut logits.iter().copied()), norm(&mut logits.iter().map(|&z| z - mean)))
}
