//! Proofs that a symmetric matrix is positive semidefinite: A − L Lᵀ diagonally dominant, exactly.

use faer::Mat;
use rayon::prelude::*;
use rug::{Float, Integer, Rational, float::Round};

use crate::linalg::eigh;
use crate::problem::Dyadic;
use crate::problem::exact::{SHARE, rows_times_rows};

/// Above this many classes the proof factor comes from a double-precision eigendecomposition, below from a Cholesky
/// factorization at a precision that makes its rounding invisible.
pub(super) const CHOLESKY_MAX: usize = 256;

/// L with diag(diagonal) − gram − L Lᵀ diagonally dominant, or `None`. `shrink`: the matrix is expected to be at least about
/// 2^-shrink times its diagonal; `bits`: the accuracy of gram's entries.
pub(super) fn psd_factor(diagonal: &[Rational], gram: &Dyadic, shrink: u32, bits: u32) -> Option<Dyadic> {
    let k = gram.rows;
    let empty = Dyadic { rows: k, cols: 0, exp: 0, m: vec![] };
    if dominant(diagonal, gram, &empty) {
        return Some(empty);
    }
    let l = if k > CHOLESKY_MAX { spectral_factor(diagonal, gram, shrink)? } else { cholesky_factor(diagonal, gram, shrink, bits)? };
    dominant(diagonal, gram, &l).then_some(l)
}

/// Diagonal dominance of diag(diagonal) − gram − L Lᵀ, exactly (the checker's predicate P1).
pub(super) fn dominant(diagonal: &[Rational], gram: &Dyadic, l: &Dyadic) -> bool {
    let k = gram.rows;
    let mut exp = gram.exp.min(2 * l.exp);
    let mut a = gram.clone().aligned(exp);
    if l.cols > 0 {
        let ll = rows_times_rows(l, l).aligned(exp);
        a.m.iter_mut().zip(&ll.m).for_each(|(x, y)| *x += y);
    }
    if exp > -64 {
        a = a.aligned(-64);
        exp = -64;
    }
    (0..k).into_par_iter().with_min_len(SHARE / k).all(|i| {
        let row = &a.m[i * k..(i + 1) * k];
        let mut off = Integer::new();
        for (_, x) in row.iter().enumerate().filter(|&(j, _)| j != i) {
            if *x < 0 { off -= x } else { off += x }
        }
        // Rounding the diagonal down can only make the test stricter.
        let diagonal = Rational::from(&diagonal[i] << exp.unsigned_abs()).floor();
        Integer::from(diagonal.numer() - &row[i]) >= off
    })
}

/// Cholesky factor of (1 − 2^-shrink) diag(diagonal) − gram: the diagonal held back covers its rounding.
fn cholesky_factor(diagonal: &[Rational], gram: &Dyadic, shrink: u32, bits: u32) -> Option<Dyadic> {
    let k = gram.rows;
    let log_k = usize::BITS - k.leading_zeros();
    let precision = (shrink.max(bits) + 2 * log_k + 64).max(128);
    let diagonal: Vec<Float> = diagonal.iter().map(|x| Float::with_val(precision, x)).collect();
    let exponents = || diagonal.iter().map(|x| x.get_exp().unwrap_or(0));
    let (largest, least) = (exponents().max()?, exponents().min()?);
    let mut l = vec![Float::new(precision); k * k];
    for j in 0..k {
        for i in j..k {
            let mut sum = -(Float::with_val(precision, &gram.m[i * k + j]) << gram.exp);
            if i == j {
                sum += &diagonal[i];
                sum -= Float::with_val(precision, &diagonal[i] >> shrink);
            }
            for t in 0..j {
                sum -= &l[i * k + t] * &l[j * k + t];
            }
            if i == j {
                if sum <= 0 {
                    return None;
                }
                l[j * k + j] = sum.sqrt();
            } else {
                l[i * k + j] = sum / &l[j * k + j];
            }
        }
    }
    // With D the largest diagonal entry, rounding L to the grid 2^e moves a row of L Lᵀ by at most 2 K² √D 2^e in all; keep that
    // below half of the least that was held back.
    let exp = (largest + 1).div_euclid(2) - (shrink + 2 * log_k + 6) as i32 - (largest - least);
    let m = l.into_iter().map(|x| (x >> exp).to_integer_round(Round::Nearest).map(|(m, _)| m)).collect::<Option<_>>()?;
    Some(Dyadic { rows: k, cols: k, exp, m })
}

/// One column sqrt(σ) u per eigenvector u of diag(diagonal) − gram whose eigenvalue σ stays clear of zero.
fn spectral_factor(diagonal: &[Rational], gram: &Dyadic, shrink: u32) -> Option<Dyadic> {
    let k = gram.rows;
    let diagonal: Vec<f64> = diagonal.iter().map(Rational::to_f64).collect();
    let largest = diagonal.iter().fold(0.0f64, |m, &x| m.max(x));
    let gram = gram.to_f64();
    let (values, u) = eigh(Mat::from_fn(k, k, |i, j| if i == j { diagonal[i] } else { 0.0 } - gram[(i, j)]).as_ref())?;
    let margin = largest * 2f64.powi(1 - shrink as i32);
    let columns: Vec<(usize, f64)> =
        values.iter().map(|&v| v - margin).enumerate().filter(|&(_, gap)| gap > 16.0 * margin).map(|(i, gap)| (i, gap.sqrt())).collect();
    let exp = (largest.sqrt().log2().floor() as i32) - 56;
    let unit = 2f64.powi(exp);
    let m = (0..k).flat_map(|i| columns.iter().map(move |&(j, scale)| (i, j, scale)));
    let m = m.map(|(i, j, scale)| Integer::from_f64((u[(i, j)] * scale / unit).round())).collect::<Option<Vec<_>>>()?;
    Some(Dyadic { rows: k, cols: columns.len(), exp, m })
}
