//! Explicit frames: class means with a chosen Gram matrix, and points built from them.

use rug::{Float, Rational, float::Round};

use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::Ball;

/// Bits beyond the grid's in which entries are computed before they are rounded once.
pub(super) const GUARD: u32 = 32;

/// Nearest entries on a grid of `prec` bits below the largest.
pub(super) fn on_grid(rows: usize, cols: usize, entries: &[Float], prec: u32) -> Dyadic {
    let top = entries.iter().filter_map(Float::get_exp).max().unwrap_or(0);
    let exp = top - prec as i32;
    let round = |x: &Float| {
        let scaled =
            if exp >= 0 { Float::with_val(x.prec(), x >> exp.unsigned_abs()) } else { Float::with_val(x.prec(), x << exp.unsigned_abs()) };
        scaled.to_integer_round(Round::Nearest).map_or_else(Default::default, |(m, _)| m)
    };
    Dyadic { rows, cols, exp, m: entries.iter().map(round).collect() }
}

/// Row i (1 <= i < K) of the Helmert basis of the complement of the all-ones vector:
/// (1, ..., 1, −i, 0, ..., 0) / √(i (i+1)) with i ones.
fn helmert(k: usize, i: usize, prec: u32) -> Vec<Float> {
    let norm = Ball::from_rational(&Rational::from((i * (i + 1)) as u64), prec).sqrt().mid();
    (0..k)
        .map(|j| match j.cmp(&i) {
            std::cmp::Ordering::Less => Float::with_val(prec, 1) / &norm,
            std::cmp::Ordering::Equal => -(Float::with_val(prec, i) / &norm),
            std::cmp::Ordering::Greater => Float::new(prec),
        })
        .collect()
}

/// d × K matrix M with MᵀM = simplex (I − J/K) + mean J/K, its rank permitting.
///
/// Equal coefficients give a diagonal matrix (its first d rows when d < K: the top modes); otherwise the rows are √simplex times the
/// Helmert basis and, when `mean` is not zero, √mean/√K times the all-ones row.
pub(super) fn means(k: usize, d: usize, simplex: &Ball, mean: Option<&Ball>, prec: u32) -> Vec<Float> {
    let width = prec + GUARD;
    let mut m = vec![Float::new(width); d * k];
    let root = simplex.sqrt().mid();
    if mean.is_some_and(|mean| mean == simplex) {
        for i in 0..d.min(k) {
            m[i * k + i].clone_from(&root);
        }
        return m;
    }
    for i in 1..k.min(d + 1) {
        for (j, x) in helmert(k, i, width).into_iter().enumerate() {
            m[(i - 1) * k + j] = x * &root;
        }
    }
    if let Some(mean) = mean
        && d >= k
    {
        let entry = (mean / &Ball::from_rational(&Rational::from(k as u64), width)).sqrt().mid();
        m[(k - 1) * k..k * k].fill(entry);
    }
    m
}

/// W = scale · Mᵀ and H with column m_{y_i} for sample i, for classes of n samples.
pub(super) fn self_dual_point(k: usize, d: usize, n: usize, means: &[Float], scale: &Ball, bias: Option<Float>, prec: u32) -> ExactPoint {
    let scale = scale.mid();
    let w: Vec<Float> = (0..k * d).map(|t| Float::with_val(prec + GUARD, &means[(t % d) * k + t / d] * &scale)).collect();
    let columns = on_grid(d, k, means, prec);
    let h = columns.m.iter().flat_map(|m| std::iter::repeat_n(m.clone(), n)).collect();
    ExactPoint {
        factors: vec![on_grid(k, d, &w, prec)],
        h: Dyadic { rows: d, cols: k * n, exp: columns.exp, m: h },
        b: bias.map(|b| on_grid(k, 1, &vec![b; k], prec)),
    }
}
