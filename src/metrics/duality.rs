//! NC3: how far the classifier is from the class means.

use rayon::prelude::*;

use super::bounded::{Bounded, U, gamma, sum};
use super::geometry::{FrameDistance, FrameSums, TILE_ROWS, Target, product_error, tile};
use super::rows::Rows;

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
