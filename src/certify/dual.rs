//! Dual matrices: from a point, a K × C matrix R, one column per group of samples that share a target (a class, or a tag set), whose
//! exact properties prove a lower bound on f over every point of the problem (proofs/FORMAT.md, kind `gap`).
//!
//! The dual function is concave and symmetric under permuting samples of a group, so averaging G over each group loses nothing:
//! G = (1/N) [r_{g_1}, ..., r_{g_N}], and ‖G‖_op <= μ becomes R D Rᵀ ⪯ N² μ² I with D = diag of the groups' sizes.

use faer::Mat;
use rayon::prelude::*;
use rug::{Float, Integer, Rational, float::Round};

use super::factor::{CHOLESKY_MAX, psd_factor};
use crate::linalg::thin_svd;
use crate::problem::exact::{Plain, SHARE, rows_times_rows, scaled};
use crate::problem::{Bias, Dyadic};
use crate::scalar::Ball;

/// A verified dual: R and the factor L of the positive-semidefiniteness proof, with the lower bound they prove.
pub(super) struct Dual {
    pub r: Dyadic,
    pub l: Dyadic,
    pub lower: Ball,
}

/// Share of the prior mixed in beyond what makes T + R nonnegative: far above f64 rounding, far below what a bound shows.
const PRIOR_ROOM: f64 = 1e-12;

/// Modes of the logits below this share of their norm count as absent in the polar repair.
const MODE_PRESENCE: f64 = 1e-7;

/// Significant bits of the double-precision tier.
const F64_BITS: u32 = 53;

/// The dual bound from the group averages of N·grad L(Z) themselves: for points critical to nearly `bits` bits.
///
/// `means` is K × C, row-major (column g: group g), accurate to about `bits` bits. `None` when no scaling of it could be verified.
pub(super) fn from_means(plain: &Plain, means: &[Float], bits: u32) -> Option<Dual> {
    shrink_until_verified(plain, means, bits)
}

/// The dual bound at double precision: the polar repair, and unless `good` finds that enough, the better of it and a scaled copy
/// (scaling loses first order in the distance from a minimum, the repair second order, but away from one scaling can win).
pub(super) fn best_f64(plain: &Plain, means: &[Float], w: &Dyadic, h: &Dyadic, good: impl Fn(&Dual) -> bool) -> Option<Dual> {
    let repaired = polar_repair(plain, means, &group_logits(plain, w, h)).and_then(|m| shrink_until_verified(plain, &m, F64_BITS));
    if repaired.as_ref().is_some_and(&good) {
        return repaired;
    }
    better(repaired, scaled_candidate(plain, means).and_then(|m| shrink_until_verified(plain, &m, F64_BITS)))
}

/// The one that proves more.
pub(super) fn better(a: Option<Dual>, b: Option<Dual>) -> Option<Dual> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.lower.mid() >= b.lower.mid() { a } else { b }),
        (a, b) => a.or(b),
    }
}

/// W times the group means of H, in f64.
fn group_logits(plain: &Plain, w: &Dyadic, h: &Dyadic) -> Mat<f64> {
    let h = h.to_f64();
    let mut means = Mat::<f64>::zeros(plain.d, plain.counts.len());
    for (i, &group) in plain.label.iter().enumerate() {
        for t in 0..plain.d {
            means[(t, group)] += h[(t, i)] / plain.counts[group] as f64;
        }
    }
    w.to_f64() * means
}

fn to_f64(plain: &Plain, means: &[Float]) -> Mat<f64> {
    let c = plain.counts.len();
    Mat::from_fn(plain.k, c, |i, j| means[i * c + j].to_f64())
}

pub(super) fn from_f64(m: &Mat<f64>) -> Vec<Float> {
    (0..m.nrows()).flat_map(|i| (0..m.ncols()).map(move |j| (i, j))).map(|(i, j)| Float::with_val(53, m[(i, j)])).collect()
}

pub(super) fn root_counts(plain: &Plain) -> Vec<f64> {
    plain.counts.iter().map(|&n| (n as f64).sqrt()).collect()
}

/// Singular values of R D^{1/2}: those of modes present in the logits are set to N μ, the others clipped at it.
///
/// At a minimum every mode of W H has dual singular value exactly N μ; at a point within ε of one this correction makes the dual
/// bound accurate to second order in ε, where scaling the whole matrix is accurate to first order only.
fn polar_repair(plain: &Plain, means: &[Float], z0: &Mat<f64>) -> Option<Vec<Float>> {
    let (k, c) = (plain.k, plain.counts.len());
    let root = root_counts(plain);
    let weighted = |m: &Mat<f64>| Mat::from_fn(k, c, |i, j| m[(i, j)] * root[j]);
    let radius = plain.radius_squared().to_f64().sqrt();
    let mut r = to_f64(plain, means);
    meet_sums(plain, &mut r);
    let product = polar(&weighted(&r), &weighted(z0), radius)?;
    Some(from_f64(&Mat::from_fn(k, c, |i, j| product[(i, j)] / root[j])))
}

/// The matrix with the singular vectors of `r` whose singular values are the radius for modes present in `z`, clipped at it otherwise.
pub(super) fn polar(r: &Mat<f64>, z: &Mat<f64>, radius: f64) -> Option<Mat<f64>> {
    let (u, mut s, v) = thin_svd(r.as_ref())?;
    let threshold = MODE_PRESENCE * z.norm_l2();
    let zv = z * &v;
    for (i, s) in s.iter_mut().enumerate() {
        let presence: f64 = -(0..r.nrows()).map(|t| u[(t, i)] * zv[(t, i)]).sum::<f64>();
        *s = if presence > threshold { radius } else { s.min(radius) };
    }
    let us = Mat::from_fn(r.nrows(), s.len(), |i, j| u[(i, j)] * s[j]);
    Some(&us * v.transpose())
}

/// Meets the linear conditions in f64, so that the exact restoration on the grid moves entries by units of the grid only:
/// cross-entropy loses its column means, free bias the weighted mean column.
pub(super) fn meet_sums(plain: &Plain, r: &mut Mat<f64>) {
    let (k, c) = (plain.k, plain.counts.len());
    if !plain.mse {
        for j in 0..c {
            let mean = (0..k).map(|i| r[(i, j)]).sum::<f64>() / k as f64;
            (0..k).for_each(|i| r[(i, j)] -= mean);
        }
    }
    if plain.bias == Bias::Free {
        for i in 0..k {
            let mean = (0..c).map(|j| r[(i, j)] * plain.counts[j] as f64).sum::<f64>() / plain.n as f64;
            (0..c).for_each(|j| r[(i, j)] -= mean);
        }
    }
}

/// θ R with the linear conditions met; for cross-entropy with free bias R is first mixed with the prior
/// Q0 = (T 1) mᵀ/Σm, whose columns have the masses m of T's and whose row sums are T's, until T + R >= 0.
fn scaled_candidate(plain: &Plain, means: &[Float]) -> Option<Vec<Float>> {
    let (k, c) = (plain.k, plain.counts.len());
    let n = plain.n as f64;
    let mut r = to_f64(plain, means);
    meet_sums(plain, &mut r);
    if plain.bias == Bias::Free && !plain.mse {
        let (peak, floor) = (plain.target(true).to_f64(), plain.target(false).to_f64());
        let targets = Mat::from_fn(k, c, |i, j| if plain.tagged(j, i) { peak } else { floor });
        let size = |j: usize| plain.counts[j] as f64;
        let total: f64 = (0..c).map(|j| size(j) * plain.mass(j) as f64).sum();
        let shares: Vec<f64> = (0..k).map(|i| (0..c).map(|j| size(j) * targets[(i, j)]).sum::<f64>() / total).collect();
        let prior = |i: usize, j: usize| shares[i] * plain.mass(j) as f64;
        let mut mix: f64 = 0.0;
        for j in 0..c {
            for i in 0..k {
                let q = r[(i, j)] + targets[(i, j)];
                if q < 0.0 {
                    mix = mix.max(q / (q - prior(i, j)));
                }
            }
        }
        // A little more than enough, so that rounding leaves no entry negative.
        let mix = if mix > 0.0 { (mix + PRIOR_ROOM).min(1.0) } else { 0.0 };
        r = Mat::from_fn(k, c, |i, j| (1.0 - mix) * r[(i, j)] + mix * (prior(i, j) - targets[(i, j)]));
    }
    let root = root_counts(plain);
    let (_, s, _) = thin_svd(Mat::from_fn(k, c, |i, j| r[(i, j)] * root[j]).as_ref())?;
    let mut theta = (plain.radius_squared().to_f64().sqrt() / s[0].max(f64::MIN_POSITIVE)).min(1.0);
    if plain.mse {
        // The bound is a concave quadratic in the scale: its vertex may lie below the feasible limit.
        let weight = |j: usize| plain.counts[j] as f64;
        let mut curvature: f64 = (0..c).map(|j| weight(j) * (0..k).map(|i| r[(i, j)].powi(2)).sum::<f64>()).sum();
        if let Some(lambda_b) = plain.lambda_b() {
            let total: f64 = (0..k).map(|i| (0..c).map(|j| weight(j) * r[(i, j)]).sum::<f64>().powi(2)).sum();
            curvature += total / (lambda_b.to_f64() * n);
        }
        let slope: f64 = -(0..c).map(|j| weight(j) * plain.tags[j].iter().map(|&i| r[(i, j)]).sum::<f64>()).sum::<f64>();
        if curvature > 0.0 {
            theta = theta.min(slope / curvature).max(0.0);
        }
    }
    theta.is_finite().then(|| from_f64(&Mat::from_fn(k, c, |i, j| theta * r[(i, j)])))
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
    let mut step = if k > CHOLESKY_MAX { 1 } else { 2 };
    let mut s = first;
    while s >= 1 {
        if let Some(dual) = attempt(plain, r, s as u32, exp, bits) {
            return Some(dual);
        }
        // Twelve bits one by one, for points as accurate as asked; then in growing strides, so that a point which misses that by a
        // few bits loses a few more only.
        if first - s >= 12 {
            step *= 2;
        }
        s -= step;
    }
    // Nothing but R = 0 is left to try: it always verifies (A = N² μ² I).
    attempt(plain, &vec![Float::new(53); r.len()], 1, exp, bits)
}

fn attempt(plain: &Plain, r: &[Float], shrink: u32, exp: i32, bits: u32) -> Option<Dual> {
    given(plain, restore_sums(plain, round_shrunk(plain.k, r, shrink, exp))?, shrink, bits)
}

/// The dual of a matrix from elsewhere: every predicate is decided exactly, `None` when one fails.
pub(super) fn verify(plain: &Plain, r: &Dyadic, bits: u32) -> Option<Dual> {
    let (k, c) = (plain.k, plain.counts.len());
    if (r.rows, r.cols) != (k, c) {
        return None;
    }
    let r = if r.exp > 0 { r.clone().aligned(0) } else { r.clone() };
    let column_sum = |j: usize| (0..k).map(|i| &r.m[i * c + j]).sum::<Integer>();
    let row_sum = |i: usize| (0..c).map(|j| Integer::from(&r.m[i * c + j] * plain.counts[j])).sum::<Integer>();
    let columns = plain.mse || (0..c).all(|j| column_sum(j) == 0);
    let rows = plain.bias != Bias::Free || (0..k).all(|i| row_sum(i) == 0);
    // How far the matrix was shrunk is its maker's secret: any power of two may be held back from the factor's diagonal.
    (columns && rows).then(|| (1..=bits).rev().find_map(|shrink| given(plain, r.clone(), shrink, bits)))?
}

/// The dual of a given matrix whose sums already meet the linear conditions, `shrink` as in (1 − 2^-shrink) below the radius.
pub(super) fn given(plain: &Plain, r: Dyadic, shrink: u32, bits: u32) -> Option<Dual> {
    if !plain.mse {
        // The checker knows targets to its own precision, rounded down.
        let precision = super::checker_precision(plain, bits);
        let least = |hit| {
            let target = (plain.target(hit) << precision).floor() >> precision;
            -(target << r.exp.unsigned_abs()).floor().into_numer_denom().0
        };
        let (peak, floor) = (least(true), least(false));
        let negative = |(t, x): (usize, &Integer)| *x < *if plain.tagged(t % r.cols, t / r.cols) { &peak } else { &floor };
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
    let m = r.m.par_iter().with_min_len(SHARE).enumerate().map(|(t, x)| Integer::from(x * plain.counts[t % r.cols])).collect();
    Dyadic { m, ..*r }
}

pub(super) fn round_shrunk(k: usize, r: &[Float], shrink: u32, exp: i32) -> Dyadic {
    let m = r.par_iter().with_min_len(SHARE).map(|x| {
        let scaled = Float::with_val(x.prec() + shrink + 8, x - Float::with_val(x.prec() + shrink + 8, x >> shrink)) >> exp;
        scaled.to_integer_round(Round::Nearest).map_or_else(Integer::new, |(m, _)| m)
    });
    Dyadic { rows: k, cols: r.len() / k, exp, m: m.collect() }
}

/// Meets the linear conditions exactly: columns summing to zero (cross-entropy), Σ n_g r_g = 0 (free bias). Entries move by a few
/// units of the grid. `None` when the group sizes admit no small correction.
pub(super) fn restore_sums(plain: &Plain, mut r: Dyadic) -> Option<Dyadic> {
    let (k, c) = (plain.k, plain.counts.len());
    if !plain.mse {
        for j in 0..c {
            let sum: Integer = (0..k).map(|i| &r.m[i * c + j]).sum();
            r.m[plain.tags[j][0] * c + j] -= sum;
        }
    }
    if plain.bias != Bias::Free {
        return Some(r);
    }
    let mut rest: Vec<Integer> = (0..k).map(|i| (0..c).map(|j| Integer::from(&r.m[i * c + j] * plain.counts[j])).sum()).collect();
    // Reduce Σ n_g r_g by whole multiples of each group's size, largest first; what is left is below the smallest size.
    let mut order: Vec<usize> = (0..c).collect();
    order.sort_by_key(|&j| std::cmp::Reverse(plain.counts[j]));
    for &j in &order {
        let n = Integer::from(plain.counts[j]);
        let mut quotients: Vec<Integer> = rest.iter().map(|s| s.clone().div_rem_round(n.clone()).0).collect();
        if !plain.mse {
            let excess: Integer = quotients.iter().sum();
            quotients[plain.tags[j][0]] -= excess;
        }
        for (i, q) in quotients.into_iter().enumerate() {
            rest[i] -= Integer::from(&q * &n);
            r.m[i * c + j] -= q;
        }
    }
    if rest.iter().all(|s| *s == 0) {
        return Some(r);
    }
    // Σ β_k n_k = gcd, and every remainder is a multiple of the gcd.
    let (mut gcd, mut beta) = (Integer::new(), vec![Integer::new(); c]);
    for j in 0..c {
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
            r.m[i * c + j] -= Integer::from(&q * beta);
        }
    }
    Some(r)
}

/// β = ‖Σ n_g r_g‖² / (2 λ_b N²), zero unless the bias is regularized.
pub(super) fn bias_cost(plain: &Plain, r: &Dyadic) -> Rational {
    let Some(lambda_b) = plain.lambda_b() else { return Rational::new() };
    let row = |row: &[Integer]| row.iter().zip(&plain.counts).map(|(x, &n)| Integer::from(x * n)).sum::<Integer>().square();
    let total: Integer = r.m.chunks(r.cols).map(row).sum();
    scaled(total, 2 * r.exp) / (Rational::from(2 * lambda_b) * Integer::from(plain.n).square())
}

/// The bound R proves: MSE `−(1/2N) Σ n_g ‖r_g‖² − (1/N) Σ n_g <t_g, r_g> − β`, CE and its kin
/// `(1/N) Σ n_g m_g entropy((t_g + r_g)/m_g) − β`, β the [`bias_cost`].
pub(super) fn lower_bound(plain: &Plain, r: &Dyadic, precision: u32) -> Ball {
    let (k, c) = (plain.k, plain.counts.len());
    let n = Integer::from(plain.n as u64);
    let beta = bias_cost(plain, r);
    if plain.mse {
        let row = |i: usize| {
            let row = r.m[i * c..(i + 1) * c].iter().zip(&plain.counts);
            row.fold(Integer::new(), |sum, (x, &count)| sum + Integer::from(x.square_ref()) * count)
        };
        let squares: Integer = (0..k).into_par_iter().with_min_len(SHARE / k).map(row).sum();
        let mut trace = Integer::new();
        for j in 0..c {
            trace += plain.tags[j].iter().map(|&i| Integer::from(&r.m[i * c + j] * plain.counts[j])).sum::<Integer>();
        }
        let value = -(scaled(squares, 2 * r.exp) / 2u32 + scaled(trace, r.exp)) / n - beta;
        return Ball::from_rational(&value, precision);
    }
    // Targets as integers over one denominator, so that q is rounded once.
    let (peak, floor) = (plain.target(true), plain.target(false));
    let unit = Integer::from(peak.denom().lcm_ref(floor.denom()));
    let whole = |t: &Rational| (Rational::from(t * &unit) << r.exp.unsigned_abs()).into_numer_denom().0;
    let (peak, floor) = (whole(&peak), whole(&floor));
    let column = |j: usize| {
        let mass = Float::with_val(precision, plain.mass(j));
        let mut entropy = Float::with_val(precision, mass.ln_ref()) * mass;
        for i in 0..k {
            let m = Integer::from(&r.m[i * c + j] * &unit) + if plain.tagged(j, i) { &peak } else { &floor };
            if m != 0 {
                let q = Float::with_val(precision, Rational::from((m, unit.clone()))) << r.exp;
                entropy -= Float::with_val(precision, q.ln_ref()) * q;
            }
        }
        entropy
    };
    let columns: Vec<Float> = (0..c).into_par_iter().with_min_len(SHARE / 16 / k).map(column).collect();
    let mut total = Float::new(precision);
    for (entropy, &count) in columns.iter().zip(&plain.counts) {
        total += Float::with_val(precision, entropy * count);
    }
    // With M the largest mass, Σ |q ln q| <= K/2 + M ln M in a column, and so are its partial sums with M ln M: all below S = K + 2 M².
    // Each q, its logarithm and their product round to 2^-precision relative, so a column errs by at most (K + 16) S 2^-precision; the
    // weighted sum by N times as much and C roundings of N S.
    let mass = Integer::from(plain.largest_mass());
    let units = Integer::from(c + k + 16) * (Integer::from(k) + 2u32 * Integer::from(mass.square_ref())) * &n;
    let error = Ball::from_integer(&units, precision).scale(-(precision as i32));
    let total = Ball::exact(total);
    let total = (&total - &error).hull(&(&total + &error));
    &(&total / &Ball::from_rational(&Rational::from(n), precision)) - &Ball::from_rational(&beta, precision)
}
