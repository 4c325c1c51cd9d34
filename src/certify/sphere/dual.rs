//! Dual matrices of the sphere model: R with positive vectors a and c, whose exact properties prove a lower bound on f over every
//! point of the problem (proofs/FORMAT.md, sphere).
//!
//! diag(a) ⪰ τ² R diag(c) Rᵀ reads ‖R̃‖_op <= 1 for R̃ = τ diag(a)^{-1/2} R diag(c)^{1/2}: a point's R is made feasible by
//! clipping singular values.

use faer::Mat;
use rug::{Float, Integer, Rational, float::Round};

use super::super::dual::{Dual, from_f64, lower_bound, round_shrunk};
use super::super::factor::{CHOLESKY_MAX, psd_factor};
use super::units::Units;
use crate::linalg::thin_svd;
use crate::problem::Dyadic;
use crate::problem::exact::{Plain, rows_times_rows, scaled};
use crate::scalar::Ball;

/// A verified dual: R, a, c and the factor L of the proof, with the lower bound they prove.
pub(super) struct SphereDual {
    pub dual: Dual,
    pub a: Dyadic,
    pub c: Dyadic,
}

/// What a dual is made from: R row by row, a, and c = n_k/b_k.
struct Candidate {
    r: Vec<Float>,
    a: Vec<Float>,
    c: Vec<Float>,
}

/// Modes of the logits below this share of their norm count as absent in the polar repair.
const MODE_PRESENCE: f64 = 1e-7;
/// Multipliers below this share of the largest are rounding errors of zero: the point gives no dual.
const MULTIPLIER_PRESENCE: f64 = 1e-9;
/// Significant bits of the double-precision tier.
const F64_BITS: u32 = 53;
/// Exponents below this are left to R = 0: certificates hold numbers down to 2^-100000.
const LEAST_EXPONENT: i32 = -20_000;

/// The best dual: for balanced classes the theorem's own, at any point; otherwise the point's.
///
/// `means` are the class averages of the residual's columns, `logits` those of the logits, K × K row by row, accurate to `bits` bits.
/// `exact`: the point is critical to more than a double's accuracy.
pub(super) fn best(
    units: &Units<'_>,
    means: &[Float],
    logits: &[Float],
    exact: bool,
    bits: u32,
    good: impl Fn(&Dual) -> bool,
) -> Option<SphereDual> {
    let plain = units.plain;
    let fine = if plain.k > CHOLESKY_MAX { F64_BITS } else { bits };
    if let Some(found) = balanced(units, bits).and_then(|c| shrink_until_verified(units, &c, fine)) {
        return Some(found);
    }
    let mut best: Option<SphereDual> = None;
    let mut consider = |candidate: Option<Candidate>, bits: u32| {
        let Some(found) = candidate.and_then(|c| shrink_until_verified(units, &c, bits)) else { return false };
        let done = good(&found.dual);
        if best.as_ref().is_none_or(|b| found.dual.lower.mid() > b.dual.lower.mid()) {
            best = Some(found);
        }
        done
    };
    if exact && plain.k <= CHOLESKY_MAX && consider(at_point(plain, means, logits), bits) {
        return best;
    }
    if !consider(polar_repair(units, means, logits), F64_BITS) {
        consider(uniform(units, means), F64_BITS);
        consider(Some(zero(plain)), F64_BITS);
    }
    best
}

fn doubles(x: &[Float], k: usize) -> Mat<f64> {
    Mat::from_fn(k, k, |i, j| x[i * k + j].to_f64())
}

fn floats(x: impl IntoIterator<Item = f64>) -> Vec<Float> {
    x.into_iter().map(|x| Float::with_val(F64_BITS, x)).collect()
}

/// The dual of the simplex ETF: with q = 1/(e^m + K − 1), m = τK/(K−1) the margin, R = q (J − K I), b = τ K q, a = n b.
fn balanced(units: &Units<'_>, bits: u32) -> Option<Candidate> {
    let plain = units.plain;
    let k = plain.k;
    let n = *plain.counts.first()?;
    if plain.counts.iter().any(|&other| other != n) {
        return None;
    }
    let prec = bits + 64;
    let margin = Float::with_val(prec, units.tau * Rational::from((k as u64, k as u64 - 1)));
    let q = (margin.exp() + (k as u64 - 1)).recip();
    if q.get_exp().is_none_or(|e| e < LEAST_EXPONENT) {
        return None;
    }
    let b = Float::with_val(prec, &q * Rational::from(units.tau * Integer::from(k)));
    let (diagonal, a) = (Float::with_val(prec, -&q) * (k as u64 - 1), Float::with_val(prec, &b * n));
    let r = (0..k * k).map(|t| if t / k == t % k { diagonal.clone() } else { q.clone() }).collect();
    Some(Candidate { r, a: vec![a; k], c: vec![Float::with_val(prec, n) / b; k] })
}

/// R, a_k = −Σ_j n_j r_kj z̄_kj and b_j = −Σ_k r_kj z̄_kj of the point itself.
fn at_point(plain: &Plain, means: &[Float], logits: &[Float]) -> Option<Candidate> {
    let k = plain.k;
    let prec = means.first()?.prec();
    let term = |i: usize, j: usize| Float::with_val(prec, &means[i * k + j] * &logits[i * k + j]);
    let a: Vec<Float> = (0..k).map(|i| (0..k).fold(Float::new(prec), |sum, j| sum - term(i, j) * plain.counts[j])).collect();
    let b: Vec<Float> = (0..k).map(|j| (0..k).fold(Float::new(prec), |sum, i| sum - term(i, j))).collect();
    let present = |x: &[Float]| {
        let largest = x.iter().fold(0.0f64, |m, x| m.max(x.to_f64()));
        largest > 0.0 && x.iter().all(|x| x.to_f64() > MULTIPLIER_PRESENCE * largest)
    };
    if !present(&a) || !present(&b) || a[0].get_exp()? < LEAST_EXPONENT {
        return None;
    }
    let c = b.iter().zip(&plain.counts).map(|(b, &n)| Float::with_val(prec, n) / b).collect();
    Some(Candidate { r: means.to_vec(), a, c })
}

/// The point's dual with singular values of R̃ set to one where the logits have the mode, and clipped at one elsewhere.
///
/// At a minimum a_k ŵ_k = −τ Σ_j r_kj n_j h̄_j and b_j h̄_j = −τ Σ_k r_kj ŵ_k, so that every mode of diag(a)^{1/2} W H̄ diag(n b)^{1/2}
/// is one of R̃ with singular value one: the correction makes the bound accurate to second order.
fn polar_repair(units: &Units<'_>, means: &[Float], logits: &[Float]) -> Option<Candidate> {
    let (plain, k) = (units.plain, units.plain.k);
    let Candidate { a, c, .. } = at_point(plain, means, logits)?;
    let tau = units.tau.to_f64();
    let root = |x: &[Float]| -> Vec<f64> { x.iter().map(|x| x.to_f64().sqrt()).collect() };
    let (root_a, root_c) = (root(&a), root(&c));
    let (r, z) = (doubles(means, k), doubles(logits, k));
    let weighted = Mat::from_fn(k, k, |i, j| tau * r[(i, j)] * root_c[j] / root_a[i]);
    // √(n b) = n/√c; the logits' factor τ does not matter.
    let modes = Mat::from_fn(k, k, |i, j| root_a[i] * z[(i, j)] * plain.counts[j] as f64 / root_c[j]);
    let (u, mut s, v) = thin_svd(weighted.as_ref())?;
    let threshold = MODE_PRESENCE * modes.norm_l2();
    let product = &modes * &v;
    for (i, s) in s.iter_mut().enumerate() {
        let presence: f64 = -(0..k).map(|t| u[(t, i)] * product[(t, i)]).sum::<f64>();
        *s = if presence > threshold { 1.0 } else { s.min(1.0) };
    }
    let us = Mat::from_fn(k, k, |i, j| u[(i, j)] * s[j]);
    let repaired = &us * v.transpose();
    let r = Mat::from_fn(k, k, |i, j| repaired[(i, j)] * root_a[i] / (tau * root_c[j]));
    let finite = (0..k).all(|j| (0..k).all(|i| r[(i, j)].is_finite()));
    finite.then(|| Candidate { r: from_f64(&r), a, c })
}

/// The point's R with a and b constant: with σ = ‖R D^{1/2}‖_op, b = τ σ √(K/N) and a = τ σ √(N/K) are the cheapest that are feasible.
fn uniform(units: &Units<'_>, means: &[Float]) -> Option<Candidate> {
    let (plain, k) = (units.plain, units.plain.k);
    let r = doubles(means, k);
    let (_, s, _) = thin_svd(Mat::from_fn(k, k, |i, j| r[(i, j)] * (plain.counts[j] as f64).sqrt()).as_ref())?;
    let scale = units.tau.to_f64() * s[0];
    let ratio = (plain.n as f64 / k as f64).sqrt();
    let usable = scale > 0.0 && scale.is_finite();
    usable.then(|| Candidate {
        r: means.to_vec(),
        a: floats(vec![scale * ratio; k]),
        c: floats(plain.counts.iter().map(|&n| n as f64 * ratio / scale)),
    })
}

/// R = 0: the bound is zero, less next to nothing.
fn zero(plain: &Plain) -> Candidate {
    let k = plain.k;
    let large = Float::with_val(F64_BITS, 1) << 200;
    Candidate { r: vec![Float::new(F64_BITS); k * k], a: vec![Float::new(F64_BITS); k], c: vec![large; k] }
}

/// Rounds (1 − 2^-s) R to the grid for the largest s whose proof goes through.
fn shrink_until_verified(units: &Units<'_>, candidate: &Candidate, bits: u32) -> Option<SphereDual> {
    let k = units.plain.k;
    let wide = k > CHOLESKY_MAX;
    // Entries have bits + 16 bits (54 when K is large, so that the checker stays in machine integers).
    let entry_bits = if wide { 54 } else { bits as i32 + 16 };
    let (a, c) = (column(&candidate.a, entry_bits)?, column(&candidate.c, entry_bits)?);
    let top = candidate.r.iter().filter_map(Float::get_exp).max().unwrap_or(0);
    let exp = (top - entry_bits).min(0);
    // Dominance adds up K rounding errors of a double: for large K no shrink finer than 2^-53 K can pass.
    let first = bits as i32 - if wide { k.ilog2() as i32 + 2 } else { 2 };
    let mut s = first;
    while s >= 1 {
        if let Some(dual) = attempt(units, candidate, &a, &c, s as u32, exp, bits) {
            return Some(SphereDual { dual, a, c });
        }
        s -= if first - s >= 12 { (s / 3).max(1) } else { 2 };
    }
    None
}

/// Nearest numbers on a grid of `bits` bits below the largest.
fn column(x: &[Float], bits: i32) -> Option<Dyadic> {
    let exp = x.iter().filter_map(Float::get_exp).max().unwrap_or(0) - bits;
    let round = |x: &Float| Float::with_val(x.prec(), x >> exp).to_integer_round(Round::Nearest).map(|(m, _)| m);
    Some(Dyadic { rows: x.len(), cols: 1, exp, m: x.iter().map(round).collect::<Option<_>>()? })
}

fn attempt(units: &Units<'_>, candidate: &Candidate, a: &Dyadic, c: &Dyadic, shrink: u32, exp: i32, bits: u32) -> Option<Dual> {
    let (plain, k) = (units.plain, units.plain.k);
    let mut r = round_shrunk(k, &candidate.r, shrink, exp);
    let one = Integer::from(1) << r.exp.unsigned_abs();
    for j in 0..k {
        let sum: Integer = (0..k).map(|i| &r.m[i * k + j]).sum();
        r.m[j * k + j] -= sum;
    }
    let negative = |(t, x): (usize, &Integer)| if t / k == t % k { Integer::from(x + &one) < 0 } else { *x < 0 };
    if r.m.iter().enumerate().any(negative) || c.m.iter().any(|c| *c <= 0) {
        return None;
    }
    let weighted = Dyadic { m: r.m.iter().enumerate().map(|(t, x)| Integer::from(x * &c.m[t % k])).collect(), exp: r.exp + c.exp, ..r };
    let gram = rows_times_rows(&weighted, &r);
    let tau_squared = Rational::from(units.tau * units.tau);
    let diagonal: Vec<Rational> = (0..k).map(|i| a.rational(i, 0) / &tau_squared).collect();
    let l = psd_factor(&diagonal, &gram, shrink, bits)?;
    let lower = lower_bound(plain, &r, bits + 64) - Ball::from_rational(&price(plain, a, c), bits + 64);
    Some(Dual { r, l, lower })
}

/// (Σ a_k + Σ n_k²/c_k) / (2N).
fn price(plain: &Plain, a: &Dyadic, c: &Dyadic) -> Rational {
    let sum: Integer = a.m.iter().sum();
    let mut total = scaled(sum, a.exp);
    for (k, &n) in plain.counts.iter().enumerate() {
        total += Rational::from(Integer::from(n).square()) / c.rational(k, 0);
    }
    total / Integer::from(2 * plain.n)
}
