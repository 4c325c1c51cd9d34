//! Dual matrices: from a point, a K × K matrix R (one column per class) whose exact properties prove a lower bound on f over
//! every point of the problem (proofs/FORMAT.md, kind `gap`).
//!
//! The dual function is concave and symmetric under permuting samples of a class, so averaging G over each class loses nothing:
//! G = (1/N) R Y, and ‖G‖_op <= μ becomes R D Rᵀ ⪯ N² μ² I with D = diag(n_k).

use faer::Mat;
use rayon::prelude::*;
use rug::{Float, Integer, Rational, float::Round};

use super::factor::{CHOLESKY_MAX, psd_factor};
use crate::linalg::thin_svd;
use crate::problem::exact::{Plain, rows_times_rows, scaled};
use crate::problem::{Bias, Dyadic};
use crate::scalar::Ball;

/// A verified dual: R and the factor L of the positive-semidefiniteness proof, with the lower bound they prove.
pub(super) struct Dual {
    pub r: Dyadic,
    pub l: Dyadic,
    pub lower: Ball,
}

/// Share of the class prior mixed in beyond what makes T + R nonnegative: far above f64 rounding, far below what a bound shows.
const PRIOR_ROOM: f64 = 1e-12;

/// Modes of the logits below this share of their norm count as absent in the polar repair.
const MODE_PRESENCE: f64 = 1e-7;

/// Significant bits of the double-precision tier.
const F64_BITS: u32 = 53;

/// The dual bound from the class averages of N·grad L(Z) themselves: for points critical to nearly `bits` bits.
///
/// `means` is K × K, row-major (column k: class k), accurate to about `bits` bits. `None` when no scaling of it could be verified.
pub(super) fn from_means(plain: &Plain, means: &[Float], bits: u32) -> Option<Dual> {
    shrink_until_verified(plain, means, bits)
}

/// The dual bound at double precision: the polar repair, and unless `good` finds that enough, the better of it and a scaled copy
/// (scaling loses first order in the distance from a minimum, the repair second order, but away from one scaling can win).
pub(super) fn best_f64(plain: &Plain, means: &[Float], w: &Dyadic, h: &Dyadic, good: impl Fn(&Dual) -> bool) -> Option<Dual> {
    let repaired = polar_repair(plain, means, &class_logits(plain, w, h)).and_then(|m| shrink_until_verified(plain, &m, F64_BITS));
    if repaired.as_ref().is_some_and(&good) {
        return repaired;
    }
    let scaled = scaled_candidate(plain, means).and_then(|m| shrink_until_verified(plain, &m, F64_BITS));
    match (repaired, scaled) {
        (Some(a), Some(b)) => Some(if a.lower.mid() >= b.lower.mid() { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// W times the class means of H, in f64.
fn class_logits(plain: &Plain, w: &Dyadic, h: &Dyadic) -> Mat<f64> {
    let h = h.to_f64();
    let mut means = Mat::<f64>::zeros(plain.d, plain.k);
    for (i, &class) in plain.label.iter().enumerate() {
        for t in 0..plain.d {
            means[(t, class)] += h[(t, i)] / plain.counts[class] as f64;
        }
    }
    w.to_f64() * means
}

fn to_f64(plain: &Plain, means: &[Float]) -> Mat<f64> {
    Mat::from_fn(plain.k, plain.k, |i, j| means[i * plain.k + j].to_f64())
}

pub(super) fn from_f64(m: &Mat<f64>) -> Vec<Float> {
    (0..m.nrows()).flat_map(|i| (0..m.ncols()).map(move |j| (i, j))).map(|(i, j)| Float::with_val(53, m[(i, j)])).collect()
}

fn root_counts(plain: &Plain) -> Vec<f64> {
    plain.counts.iter().map(|&n| (n as f64).sqrt()).collect()
}

/// Singular values of R D^{1/2}: those of modes present in the logits are set to N μ, the others clipped at it.
///
/// At a minimum every mode of W H has dual singular value exactly N μ; at a point within ε of one this correction makes the dual
/// bound accurate to second order in ε, where scaling the whole matrix is accurate to first order only.
fn polar_repair(plain: &Plain, means: &[Float], z0: &Mat<f64>) -> Option<Vec<Float>> {
    let k = plain.k;
    let root = root_counts(plain);
    let weighted = |m: &Mat<f64>| Mat::from_fn(k, k, |i, j| m[(i, j)] * root[j]);
    let radius = plain.radius_squared().to_f64().sqrt();
    let mut r = to_f64(plain, means);
    meet_sums(plain, &mut r);
    let (u, mut s, v) = thin_svd(weighted(&r).as_ref())?;
    let z = weighted(z0);
    let threshold = MODE_PRESENCE * z.norm_l2();
    let zv = &z * &v;
    for (i, s) in s.iter_mut().enumerate() {
        let presence: f64 = -(0..k).map(|t| u[(t, i)] * zv[(t, i)]).sum::<f64>();
        if presence > threshold {
            *s = radius;
        } else {
            *s = s.min(radius);
        }
    }
    let us = Mat::from_fn(k, k, |i, j| u[(i, j)] * s[j]);
    let product = &us * v.transpose();
    Some(from_f64(&Mat::from_fn(k, k, |i, j| product[(i, j)] / root[j])))
}

/// Meets the linear conditions in f64, so that the exact restoration on the grid moves entries by units of the grid only:
/// cross-entropy loses its column means, free bias the weighted mean column.
fn meet_sums(plain: &Plain, r: &mut Mat<f64>) {
    let k = plain.k;
    if !plain.mse {
        for j in 0..k {
            let mean = (0..k).map(|i| r[(i, j)]).sum::<f64>() / k as f64;
            (0..k).for_each(|i| r[(i, j)] -= mean);
        }
    }
    if plain.bias == Bias::Free {
        for i in 0..k {
            let mean = (0..k).map(|j| r[(i, j)] * plain.counts[j] as f64).sum::<f64>() / plain.n as f64;
            (0..k).for_each(|j| r[(i, j)] -= mean);
        }
    }
}

/// θ R with the linear conditions met; for cross-entropy with free bias R is first mixed with the class prior until T + R >= 0.
fn scaled_candidate(plain: &Plain, means: &[Float]) -> Option<Vec<Float>> {
    let k = plain.k;
    let n = plain.n as f64;
    let mut r = to_f64(plain, means);
    meet_sums(plain, &mut r);
    if plain.bias == Bias::Free && !plain.mse {
        let prior = |i: usize| plain.counts[i] as f64 / n;
        let mut mix: f64 = 0.0;
        for j in 0..k {
            for i in 0..k {
                let q = r[(i, j)] + f64::from(i == j);
                if q < 0.0 {
                    mix = mix.max(q / (q - prior(i)));
                }
            }
        }
        // A little more than enough, so that rounding leaves no entry negative.
        let mix = if mix > 0.0 { (mix + PRIOR_ROOM).min(1.0) } else { 0.0 };
        r = Mat::from_fn(k, k, |i, j| (1.0 - mix) * r[(i, j)] + mix * (prior(i) - f64::from(i == j)));
    }
    let root = root_counts(plain);
    let (_, s, _) = thin_svd(Mat::from_fn(k, k, |i, j| r[(i, j)] * root[j]).as_ref())?;
    let mut theta = (plain.radius_squared().to_f64().sqrt() / s[0].max(f64::MIN_POSITIVE)).min(1.0);
    if plain.mse {
        // The bound is a concave quadratic in the scale: its vertex may lie below the feasible limit.
        let weight = |j: usize| plain.counts[j] as f64;
        let mut curvature: f64 = (0..k).map(|j| weight(j) * (0..k).map(|i| r[(i, j)].powi(2)).sum::<f64>()).sum();
        if let Some(lambda_b) = plain.lambda_b() {
            let total: f64 = (0..k).map(|i| (0..k).map(|j| weight(j) * r[(i, j)]).sum::<f64>().powi(2)).sum();
            curvature += total / (lambda_b.to_f64() * n);
        }
        let slope: f64 = -(0..k).map(|j| weight(j) * r[(j, j)]).sum::<f64>();
        if curvature > 0.0 {
            theta = theta.min(slope / curvature).max(0.0);
        }
    }
    theta.is_finite().then(|| from_f64(&Mat::from_fn(k, k, |i, j| theta * r[(i, j)])))
}

/// Rounds (1 − 2^-s) R to the grid for the largest s whose proof goes through.
fn shrink_until_verified(plain: &Plain, r: &[Float], bits: u32) -> Option<Dual> {
    let k = plain.k;
    let max = r.iter().map(|x| x.to_f64().abs()).fold(0.0, f64::max);
    if !max.is_finite() {
        return None;
    }
    // Entries of the grid have bits + 16 bits (54 when K is large, so that the checker stays in machine integers).
    let grid_bits = if k > CHOLESKY_MAX { 54 } else { bits as i32 + 16 };
    let exp = if max > 0.0 { max.log2().floor() as i32 + 1 - grid_bits } else { -grid_bits }.min(0);
    // Dominance adds up K rounding errors of a double: for large K no shrink finer than 2^-53 K can pass.
    let first = bits as i32 - if k > CHOLESKY_MAX { k.ilog2() as i32 + 2 } else { 2 };
    let step = if k > CHOLESKY_MAX { 1 } else { 2 };
    let mut s = first;
    while s >= 1 {
        if let Some(dual) = attempt(plain, r, s as u32, exp, bits) {
            return Some(dual);
        }
        s -= if first - s >= 12 { (s / 3).max(1) } else { step };
    }
    // Nothing but R = 0 is left to try: it always verifies (A = N² μ² I).
    attempt(plain, &vec![Float::new(53); k * k], 1, exp, bits)
}

fn attempt(plain: &Plain, r: &[Float], shrink: u32, exp: i32, bits: u32) -> Option<Dual> {
    let r = restore_sums(plain, round_shrunk(plain.k, r, shrink, exp))?;
    if !plain.mse {
        let one = Integer::from(1) << r.exp.unsigned_abs();
        let negative = |(t, x): (usize, &Integer)| if t / plain.k == t % plain.k { Integer::from(x + &one) < 0 } else { *x < 0 };
        if r.m.iter().enumerate().any(negative) {
            return None;
        }
    }
    let gram = rows_times_rows(&weighted(plain, &r), &r);
    let l = psd_factor(&vec![plain.radius_squared(); plain.k], &gram, shrink, bits)?;
    let lower = lower_bound(plain, &r, bits + 64);
    Some(Dual { r, l, lower })
}

/// R D, entries times class sizes.
fn weighted(plain: &Plain, r: &Dyadic) -> Dyadic {
    let m = r.m.iter().enumerate().map(|(t, x)| Integer::from(x * plain.counts[t % plain.k])).collect();
    Dyadic { m, ..*r }
}

pub(super) fn round_shrunk(k: usize, r: &[Float], shrink: u32, exp: i32) -> Dyadic {
    let m = r.iter().map(|x| {
        let scaled = Float::with_val(x.prec() + shrink + 8, x - Float::with_val(x.prec() + shrink + 8, x >> shrink)) >> exp;
        scaled.to_integer_round(Round::Nearest).map_or_else(Integer::new, |(m, _)| m)
    });
    Dyadic { rows: k, cols: k, exp, m: m.collect() }
}

/// Meets the linear conditions exactly: columns summing to zero (cross-entropy), Σ n_k r_k = 0 (free bias). Entries move by a few
/// units of the grid. `None` when the class sizes admit no small correction.
fn restore_sums(plain: &Plain, mut r: Dyadic) -> Option<Dyadic> {
    let k = plain.k;
    if !plain.mse {
        for j in 0..k {
            let sum: Integer = (0..k).map(|i| &r.m[i * k + j]).sum();
            r.m[j * k + j] -= sum;
        }
    }
    if plain.bias != Bias::Free {
        return Some(r);
    }
    let mut rest: Vec<Integer> = (0..k).map(|i| (0..k).map(|j| Integer::from(&r.m[i * k + j] * plain.counts[j])).sum()).collect();
    // Reduce Σ n_k r_k by whole multiples of each class size, largest first; what is left is below the smallest size.
    let mut order: Vec<usize> = (0..k).collect();
    order.sort_by_key(|&j| std::cmp::Reverse(plain.counts[j]));
    for &j in &order {
        let n = Integer::from(plain.counts[j]);
        let mut quotients: Vec<Integer> = rest.iter().map(|s| s.clone().div_rem_round(n.clone()).0).collect();
        if !plain.mse {
            let excess: Integer = quotients.iter().sum();
            quotients[j] -= excess;
        }
        for (i, q) in quotients.into_iter().enumerate() {
            rest[i] -= Integer::from(&q * &n);
            r.m[i * k + j] -= q;
        }
    }
    if rest.iter().all(|s| *s == 0) {
        return Some(r);
    }
    // Σ β_k n_k = gcd, and every remainder is a multiple of the gcd.
    let (mut gcd, mut beta) = (Integer::new(), vec![Integer::new(); k]);
    for j in 0..k {
        let (g, s, t) = gcd.extended_gcd(Integer::from(plain.counts[j]), Integer::new());
        beta[..j].iter_mut().for_each(|b| *b *= &s);
        beta[j] = t;
        gcd = g;
    }
    for (i, left) in rest.into_iter().enumerate() {
        let (q, remainder) = left.div_rem(gcd.clone());
        if remainder != 0 {
            return None;
        }
        for (j, beta) in beta.iter().enumerate() {
            r.m[i * k + j] -= Integer::from(&q * beta);
        }
    }
    Some(r)
}

/// The bound R proves: MSE `−(1/2N) Σ n_k ‖r_k‖² − (1/N) Σ n_k r_kk − β`, CE `(1/N) Σ n_k entropy(e_k + r_k) − β`,
/// β = ‖Σ n_k r_k‖² / (2 λ_b N²).
pub(super) fn lower_bound(plain: &Plain, r: &Dyadic, precision: u32) -> Ball {
    let k = plain.k;
    let n = Integer::from(plain.n as u64);
    let mut beta = Rational::new();
    if let Some(lambda_b) = plain.lambda_b() {
        let mut total = Integer::new();
        for i in 0..k {
            let row: Integer = (0..k).map(|j| Integer::from(&r.m[i * k + j] * plain.counts[j])).sum();
            total += row.square();
        }
        beta = scaled(total, 2 * r.exp) / (Rational::from(2 * lambda_b) * Integer::from(n.square_ref()));
    }
    if plain.mse {
        let (mut squares, mut trace) = (Integer::new(), Integer::new());
        for i in 0..k {
            for j in 0..k {
                squares += Integer::from(r.m[i * k + j].square_ref()) * plain.counts[j];
            }
            trace += Integer::from(&r.m[i * k + i] * plain.counts[i]);
        }
        let value = -(scaled(squares, 2 * r.exp) / 2u32 + scaled(trace, r.exp)) / n - beta;
        return Ball::from_rational(&value, precision);
    }
    let one = Integer::from(1) << r.exp.unsigned_abs();
    let column = |j: usize| {
        let mut entropy = Float::new(precision);
        for i in 0..k {
            let m = &r.m[i * k + j];
            let m = if i == j { Integer::from(m + &one) } else { m.clone() };
            if m != 0 {
                let q = Float::with_val(precision, m) << r.exp;
                entropy -= Float::with_val(precision, q.ln_ref()) * q;
            }
        }
        entropy
    };
    let columns: Vec<Float> = (0..k).into_par_iter().map(column).collect();
    let mut total = Float::new(precision);
    for (entropy, &count) in columns.iter().zip(&plain.counts) {
        total += Float::with_val(precision, entropy * count);
    }
    // Each q, its logarithm and their product round to 2^-precision relative, |q ln q| <= 1/2, and every partial sum of a column is at
    // most ln K + 1/2 <= K: a column errs by at most (2 K + K²) 2^-precision, the weighted mean by as much and N roundings of N K.
    let units = Integer::from(4 * k as u64 * k as u64) * &n;
    let error = Ball::from_integer(&units, precision).scale(-(precision as i32));
    let total = Ball::exact(total);
    let total = (&total - &error).hull(&(&total + &error));
    &(&total / &Ball::from_rational(&Rational::from(n), precision)) - &Ball::from_rational(&beta, precision)
}
