//! Enclosures of exp and log in fixed point, and the cross-entropy quantities built from them.
//!
//! A real x stands on the grid of 2^-w, w = `precision`, as an integer; one unit there is an *ulp*. Every division and
//! shift below rounds down, so each computed value is a lower bound; the text derives how far below it can be.

use std::ops::{Shl, Shr};

use num_bigint::BigInt;
use num_traits::{NumRef, One, Signed, ToPrimitive, Zero};

use crate::dyadic::{Dyadic, shifted};
use crate::matrix::{Mat, parallel};

/// Integers wide enough for products of two numbers of w + 1 bits: `i128` up to w = 62, `BigInt` beyond.
pub(crate) trait Word:
    num_integer::Integer
    + Signed
    + NumRef
    + Clone
    + Send
    + Sync
    + Into<BigInt>
    + ToPrimitive
    + From<i64>
    + Shl<usize, Output = Self>
    + Shr<usize, Output = Self>
{
    /// The same number, or the nearest one this type has.
    fn narrow(x: &BigInt) -> Self;
}

impl Word for i128 {
    fn narrow(x: &BigInt) -> Self {
        x.to_i128().unwrap_or(if x.is_negative() { i128::MIN / 2 } else { i128::MAX / 2 })
    }
}

impl Word for BigInt {
    fn narrow(x: &BigInt) -> Self {
        x.clone()
    }
}

/// The cross-entropy quantities, at either width.
pub(crate) trait CrossEntropy {
    /// An upper bound of Σ_i [ log Σ_k exp z_ik - z_(i, y_i) ]; row i of `z` holds the logits of sample i.
    fn loss_upper(&self, z: &Mat, labels: &[usize]) -> Dyadic;
    /// A lower bound of Σ_k n_k Σ_j -q_kj log q_kj; the rows of `q` are probability vectors.
    fn entropy_lower(&self, q: &Mat, counts: &[usize]) -> Dyadic;
    /// P and S >= 0 with P <= softmax(row) <= P + S entrywise, row by row.
    fn softmax(&self, z: &Mat) -> (Mat, Mat);
}

pub(crate) fn cross_entropy(precision: usize) -> Box<dyn CrossEntropy> {
    if precision <= 62 { Box::new(Fixed::<i128>::new(precision)) } else { Box::new(Fixed::<BigInt>::new(precision)) }
}

/// Tables at w bits, each entry below the exact value by less than 1.02 ulp.
pub(crate) struct Fixed<T> {
    w: usize,
    ln2: T,
    /// exp(j/2^8) for j/2^8 <= ln 2, and exp(j/2^16) for j < 2^8.
    exp_coarse: Vec<T>,
    exp_fine: Vec<T>,
    /// log(1 + j/2^8) for j < 2^8.
    log: Vec<T>,
}

impl<T: Word> Fixed<T> {
    /// Tables are computed with 32 more bits, v = w + 32, and rounded down.
    ///
    /// exp: one series in x = 2^-8 or 2^-16, then powers; at most v + 2 ulps of 2^-v are lost per factor, below 3 · 256 (v + 2)
    /// in all. log: log(1 + j/2^8) - log(1 + (j-1)/2^8) = 2 atanh(1/(511 + 2j)), fewer than v ulps each; j = 256 gives ln 2.
    /// Both stay under 0.02 · 2^32 ulps of 2^-v while v <= 100032.
    pub fn new(w: usize) -> Self {
        let v = w + 32;
        let rounded = |table: Vec<BigInt>| -> Vec<T> { table.iter().map(|x| T::narrow(&(x >> 32))).collect() };
        let powers = |shift: usize, length: usize| {
            let (mut term, mut step, mut i) = (BigInt::one() << v, BigInt::zero(), 0u32);
            while !term.is_zero() {
                step += &term;
                i += 1;
                term = (term >> shift) / i;
            }
            let first = BigInt::one() << v;
            rounded(std::iter::successors(Some(first), |x| Some((x * &step) >> v)).take(length).collect())
        };
        let mut log = vec![BigInt::zero()];
        for j in 1..=256u32 {
            let z = 511 + 2 * j;
            let (mut term, mut sum, mut odd) = ((BigInt::one() << v) / z, BigInt::zero(), 1u32);
            while !term.is_zero() {
                sum += &term / odd;
                term /= z * z;
                odd += 2;
            }
            log.push(&log[log.len() - 1] + 2 * sum);
        }
        let mut log = rounded(log);
        let ln2 = log.pop().unwrap_or_else(T::zero);
        Fixed { w, ln2, exp_coarse: powers(8, 178), exp_fine: powers(16, 256), log }
    }

    /// Bounds (lo, hi), in ulps, of exp(x) for x <= 0.
    ///
    /// Let X = floor(x 2^w), LN2 the table's ln 2 (below by δ < 1.02), n the least integer with r = X + n·LN2 >= 0. Then
    /// exp x = 2^-n exp(r 2^-w) · exp((nδ + θ) 2^-w) with θ < 1. Split r = a/2^8 + b/2^16 + s, s < 2^-16:
    /// - P = A·B from the tables: below by < 1.02 (2.002 + 1.004) + 0.01 + 1 < 4.1 ulps, and P < 2.002;
    /// - U = Σ_(i<m) t_i with t_i = floor(t_(i-1) s / i), t_m = 0: each t_i, i >= 1, is below by < 1.00002 ulps, the tail after
    ///   t_m is smaller than 0.001 ulp, so U is below by < m + 1 ulps, and U < 1.00002;
    /// - P·U: below by < 4.11 + 2.003 (m + 1) + 1 ulps; the last factor adds < 2.01 (1.02 n + 1).
    ///
    /// Together < 10 + 3 (m + n) ulps, before the division by 2^n. Beyond n = w + 2, exp x is below 1 ulp.
    pub fn exp(&self, x: &Dyadic) -> (T, T) {
        let w = self.w;
        if !x.is_zero() && x.magnitude() > 40 {
            return (T::zero(), T::one());
        }
        let x = T::narrow(&x.floor_at(w));
        let n = T::zero() - x.div_floor(&self.ln2);
        let Some(halvings) = n.to_usize().filter(|&n| n <= w + 2) else {
            return (T::zero(), T::one());
        };
        let r = x + n * &self.ln2;
        let index = (r.clone() >> (w - 16)).to_usize().unwrap_or(0); // below 178 · 2^8, as r < ln 2
        let s = r - (T::from(index as i64) << (w - 16));
        let p = (self.exp_coarse[index >> 8].clone() * &self.exp_fine[index & 255]) >> w;
        let (mut term, mut u, mut m) = (T::one() << w, T::zero(), 0i64);
        while !term.is_zero() {
            u = u + &term;
            m += 1;
            term = ((term * &s) >> w) / T::from(m);
        }
        let low = (p * &u) >> w;
        let high = low.clone() + T::from(10 + 3 * (m + halvings as i64));
        (low >> halvings, (high >> halvings) + T::one())
    }

    /// Bounds (lo, hi), in ulps, of log(y) for y > 0.
    ///
    /// y = 2^s v with v in [1, 2), V = floor(v 2^w) (so log v loses < 1 ulp), c = 1 + j/2^8 <= v the table's point next below:
    /// log y = s ln 2 + log c + 2 atanh z, z = (v - c)/(v + c) < 2^-9. In Σ z^(2i+1)/(2i+1) the power t_i is below by < 1.01 ulps,
    /// its quotient by < 1.34 (< 1 for i = 0); with t_m = 0 the rest is < 1.02: together < 1.34 m + 1.02, doubled 2.68 m + 2.04.
    /// log c adds 1.02, s ln 2 at most 1.02 |s| (above for s < 0: two ulps per unit of s are taken off first).
    /// Together < 5 + 3 m + 2 |s| ulps.
    pub fn log(&self, y: &Dyadic) -> (T, T) {
        let w = self.w;
        let s = y.magnitude() - 1;
        let v = T::narrow(&shifted(&y.m, w as i64 + y.e - s));
        let j = (v.clone() >> (w - 8)).to_usize().unwrap_or(256) - 256; // v has w + 1 bits
        let c = T::from(256 + j as i64) << (w - 8);
        let z = ((v.clone() - &c) << w) / (v + &c);
        let square = (z.clone() * &z) >> w;
        let (mut term, mut sum, mut m) = (z, T::zero(), 0i64);
        while !term.is_zero() {
            sum = sum + term.clone() / T::from(2 * m + 1);
            term = (term * &square) >> w;
            m += 1;
        }
        let low = T::from(s) * &self.ln2 + &self.log[j] + (sum << 1) + T::from(2 * s.min(0));
        (low.clone(), low + T::from(5 + 3 * m + 2 * s.abs()))
    }

    fn number(&self, ulps: impl Into<BigInt>) -> Dyadic {
        Dyadic { m: ulps.into(), e: -(self.w as i64) }
    }

    /// The largest logit of row i, and the enclosures of exp(z - largest).
    fn exponentials(&self, z: &Mat, i: usize) -> (BigInt, Vec<(T, T)>) {
        let row = z.row(i);
        let top = row.iter().max().cloned().unwrap_or_default();
        let bounds = row.iter().map(|x| self.exp(&Dyadic { m: x - &top, e: z.e })).collect();
        (top, bounds)
    }
}

impl<T: Word> CrossEntropy for Fixed<T> {
    /// log Σ exp z_k - z_y = (top - z_y) + log Σ exp(z_k - top).
    fn loss_upper(&self, z: &Mat, labels: &[usize]) -> Dyadic {
        let losses = parallel(z.rows, 100 * z.cols, |i| {
            let (top, bounds) = self.exponentials(z, i);
            let sum = bounds.into_iter().fold(T::zero(), |sum, (_, high)| sum + high);
            let margin = Dyadic { m: top - &z.row(i)[labels[i]], e: z.e };
            margin.ceil_at(self.w) + self.log(&self.number(sum)).1.into()
        });
        self.number(losses.into_iter().sum::<BigInt>())
    }

    /// With hi >= log q, min(hi, 0) >= log q too, and -q log q >= floor(q) · (-min(hi, 0)).
    fn entropy_lower(&self, q: &Mat, counts: &[usize]) -> Dyadic {
        let term = |q: &Dyadic| {
            let log = self.log(q).1.min(T::zero());
            (T::narrow(&q.floor_at(self.w)) * (T::zero() - log)) >> self.w
        };
        let entropies = parallel(q.rows, 100 * q.cols, |k| {
            let positive = q.dyadics(k).filter(|q| !q.is_zero());
            positive.fold(T::zero(), |sum, q| sum + term(&q)).into() * counts[k]
        });
        self.number(entropies.into_iter().sum::<BigInt>())
    }

    /// lo_k / Σ hi <= p_k <= hi_k / Σ lo; the term exp 0 keeps Σ lo positive.
    fn softmax(&self, z: &Mat) -> (Mat, Mat) {
        let rows = parallel(z.rows, 100 * z.cols, |i| {
            let (_, bounds) = self.exponentials(z, i);
            let (low, high) = bounds.iter().fold((T::zero(), T::zero()), |(l, h), (lo, hi)| (l + lo, h + hi));
            let pair = |(lo, hi): (T, T)| {
                let p: BigInt = ((lo << self.w) / high.clone()).into();
                let above: BigInt = ((hi << self.w) / low.clone()).into();
                let slack = above + 1 - &p;
                (p, slack)
            };
            bounds.into_iter().map(pair).unzip::<_, _, Vec<_>, Vec<_>>()
        });
        let (p, slack): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let matrix = |m: Vec<Vec<BigInt>>| Mat { rows: z.rows, cols: z.cols, e: -(self.w as i64), m: m.into_iter().flatten().collect() };
        (matrix(p), matrix(slack))
    }
}
