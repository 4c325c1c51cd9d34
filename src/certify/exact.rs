//! Exact arithmetic on a point of the plain model: logits, penalties, squared losses and gradients as integers and
//! rationals; cross-entropy and its derivatives in enclosures.

use rayon::prelude::*;
use rug::{Float, Integer, Rational, float::Round, ops::AddFrom};

use super::CertifyError;
use crate::problem::{Bias, Dyadic, ExactPoint, Loss, Model, Problem};
use crate::scalar::Ball;

/// The plain model with exact parameters and materialised labels.
pub(super) struct Plain {
    pub k: usize,
    pub d: usize,
    pub n: usize,
    pub counts: Vec<u64>,
    pub label: Vec<usize>,
    pub lambda_w: Rational,
    pub lambda_h: Rational,
    pub bias: Bias,
    pub mse: bool,
}

impl Plain {
    pub fn new(problem: &Problem) -> Result<Self, CertifyError> {
        let Model::Plain { lambda_w, lambda_h } = &problem.model else {
            return Err(CertifyError::Unsupported("model (certificates cover the plain model)"));
        };
        let mse = match problem.loss {
            Loss::Mse => true,
            Loss::Ce => false,
            _ => return Err(CertifyError::Unsupported("loss (certificates cover mse and ce)")),
        };
        let (k, d, n) = problem.point_sizes()?;
        let counts = problem.class_counts().ok_or(CertifyError::Unsupported("labels"))?;
        let label = counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n as usize)).collect();
        Ok(Plain { k, d, n, counts, label, lambda_w: lambda_w.clone(), lambda_h: lambda_h.clone(), bias: problem.bias.clone(), mse })
    }

    pub fn lambda_b(&self) -> Option<&Rational> {
        match &self.bias {
            Bias::Regularized { lambda_b } => Some(lambda_b),
            _ => None,
        }
    }

    /// N² λ_W λ_H = (N μ)².
    pub fn radius_squared(&self) -> Rational {
        Rational::from(&self.lambda_w * &self.lambda_h) * Integer::from(self.n).square()
    }
}

/// m · 2^e as a rational.
pub(super) fn scaled(m: Integer, e: i32) -> Rational {
    if e >= 0 { Rational::from(m) << e as u32 } else { Rational::from(m) >> e.unsigned_abs() }
}

impl Dyadic {
    pub(super) fn transpose(&self) -> Dyadic {
        let m = (0..self.cols).flat_map(|j| (0..self.rows).map(move |i| (i, j))).map(|(i, j)| self.m[i * self.cols + j].clone());
        Dyadic { rows: self.cols, cols: self.rows, exp: self.exp, m: m.collect() }
    }

    /// The same numbers with exponent `exp <= self.exp`.
    pub(super) fn aligned(mut self, exp: i32) -> Dyadic {
        let shift = (self.exp - exp) as u32;
        if shift > 0 {
            self.m.iter_mut().for_each(|x| *x <<= shift);
        }
        self.exp = exp;
        self
    }

    /// Nearest integers on the grid 2^exp; an entry moves by at most half a unit (not at all when `exp <= self.exp`).
    pub(super) fn rounded(self, exp: i32) -> Dyadic {
        if exp <= self.exp {
            return self.aligned(exp);
        }
        let shift = (exp - self.exp) as u32;
        let half = Integer::from(1) << (shift - 1);
        let m = self.m.into_iter().map(|x| (x + &half) >> shift).collect();
        Dyadic { exp, m, ..self }
    }

    /// Σ m².
    pub(super) fn sum_squares(&self) -> Rational {
        let mut total = Integer::new();
        for x in &self.m {
            total += x.square_ref();
        }
        scaled(total, 2 * self.exp)
    }

    fn small(&self) -> Option<(Vec<i64>, u64)> {
        let small: Vec<i64> = self.m.iter().map(|x| x.to_i64()).collect::<Option<_>>()?;
        let max = small.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        Some((small, max))
    }
}

/// `A Bᵀ`, exactly: rows of A against rows of B. Machine integers where the bound len · max|a| · max|b| < 2^127 allows.
pub(super) fn rows_times_rows(a: &Dyadic, b: &Dyadic) -> Dyadic {
    let len = a.cols;
    debug_assert_eq!(len, b.cols);
    let exp = a.exp + b.exp;
    let (rows, cols) = (a.rows, b.rows);
    if let (Some((x, mx)), Some((y, my))) = (a.small(), b.small()) {
        let fits = (mx as u128 * my as u128).checked_mul(len.max(1) as u128).is_some_and(|bound| bound < 1 << 127);
        if fits {
            let row = |i: usize| {
                let x = &x[i * len..(i + 1) * len];
                (0..cols).map(move |j| (x, j)).map(|(x, j)| {
                    let y = &y[j * len..(j + 1) * len];
                    Integer::from(x.iter().zip(y).map(|(&p, &q)| p as i128 * q as i128).sum::<i128>())
                })
            };
            let m = (0..rows).into_par_iter().flat_map_iter(row).collect();
            return Dyadic { rows, cols, exp, m };
        }
    }
    let entry = |i: usize, j: usize| {
        let mut sum = Integer::new();
        for t in 0..len {
            sum += &a.m[i * len + t] * &b.m[j * len + t];
        }
        sum
    };
    let m = (0..rows).into_par_iter().flat_map_iter(|i| (0..cols).map(move |j| entry(i, j))).collect();
    Dyadic { rows, cols, exp, m }
}

/// Sum of dyadic matrices of one shape, exactly.
pub(super) fn sum(terms: Vec<Dyadic>) -> Dyadic {
    let exp = terms.iter().map(|t| t.exp).min().unwrap_or(0);
    let mut terms = terms.into_iter().map(|t| t.aligned(exp));
    let mut total = terms.next().expect("at least one term");
    for term in terms {
        total.m.iter_mut().zip(term.m).for_each(|(x, y)| *x += y);
    }
    total
}

/// b 1ᵀ for a column b.
fn spread(b: &Dyadic, n: usize) -> Dyadic {
    let m = b.m.iter().flat_map(|x| std::iter::repeat_n(x.clone(), n)).collect();
    Dyadic { rows: b.rows, cols: n, exp: b.exp, m }
}

/// `dW H + W dH + db 1ᵀ` and, with the point itself in both places, the logits (see [`logits`]).
pub(super) fn directional_logits(point: &ExactPoint, v: &ExactPoint) -> Dyadic {
    let mut terms = vec![rows_times_rows(&v.factors[0], &point.h.transpose()), rows_times_rows(&point.factors[0], &v.h.transpose())];
    terms.extend(v.b.as_ref().map(|b| spread(b, point.h.cols)));
    sum(terms)
}

/// The logits Z = W H + b 1ᵀ, exactly.
pub(super) fn logits(point: &ExactPoint) -> Dyadic {
    let mut terms = vec![rows_times_rows(&point.factors[0], &point.h.transpose())];
    terms.extend(point.b.as_ref().map(|b| spread(b, point.h.cols)));
    sum(terms)
}

/// λ_W/2 ‖W‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖², exactly.
pub(super) fn penalty(plain: &Plain, point: &ExactPoint) -> Rational {
    let mut total = Rational::from(&plain.lambda_w * point.factors[0].sum_squares()) + Rational::from(&plain.lambda_h * point.h.sum_squares());
    if let (Some(lambda_b), Some(b)) = (plain.lambda_b(), &point.b) {
        total += Rational::from(lambda_b * b.sum_squares());
    }
    total / 2u32
}

/// Z − Y, exactly.
pub(super) fn minus_targets(plain: &Plain, z: &Dyadic) -> Dyadic {
    let mut z = z.clone();
    if z.exp > 0 {
        z = z.aligned(0);
    }
    let one = Integer::from(1) << z.exp.unsigned_abs();
    for (i, &y) in plain.label.iter().enumerate() {
        z.m[y * plain.n + i] -= &one;
    }
    z
}

/// Softmax of the logits: for each sample (p_1..p_K) and its loss, with relative error at most 2^-bits in every p and absolute
/// error at most 2^-bits in the loss. `None` when a logit difference exceeds 2^40.
///
/// With e_k = exp(z_k − z_y), s = Σ e_k (e_y = 1): p_k = e_k / s, loss = ln s. The difference is exact; rounding it to w bits moves
/// it by |x| 2^-w, so e_k carries a relative error of at most (1.01 |x| + 1) 2^-w, the sum of K such terms at most
/// (1.01 |x| + K + 1) 2^-w, quotient and logarithm one rounding more: w = bits + 4 + log2(|x|_max + K + 4) suffices for all.
pub(super) struct Softmax {
    pub p: Vec<Vec<Float>>,
    pub loss: Vec<Float>,
}

pub(super) fn softmax(plain: &Plain, z: &Dyadic, bits: u32) -> Option<Softmax> {
    let largest = z.m.iter().map(|x| x.significant_bits()).max().unwrap_or(0) as i64 + z.exp as i64 + 1;
    if largest > 40 {
        return None;
    }
    let range = (1u64 << largest.max(0)) as f64 + plain.k as f64 + 4.0;
    let w = bits + 4 + range.log2().ceil() as u32;
    let columns: Vec<(Vec<Float>, Float)> = (0..plain.n)
        .into_par_iter()
        .map(|i| {
            let y = plain.label[i];
            let reference = &z.m[y * plain.n + i];
            let mut s = Float::with_val(w, 0);
            let e: Vec<Float> = (0..plain.k)
                .map(|k| {
                    let x = Float::with_val(w, Integer::from(&z.m[k * plain.n + i] - reference)) << z.exp;
                    let e = if k == y { Float::with_val(w, 1) } else { x.exp() };
                    s += &e;
                    e
                })
                .collect();
            let p = e.into_iter().map(|e| e / &s).collect();
            (p, s.ln())
        })
        .collect();
    let (p, loss) = columns.into_iter().unzip();
    Some(Softmax { p, loss })
}

/// f at the point: exact for MSE, enclosed to about `bits` bits for CE.
pub(super) fn objective(plain: &Plain, point: &ExactPoint, z: &Dyadic, bits: u32) -> Option<Ball> {
    let penalty = penalty(plain, point);
    if plain.mse {
        let loss = minus_targets(plain, z).sum_squares() / Integer::from(2 * plain.n as u64);
        return Some(Ball::from_rational(&(loss + penalty), bits + 64));
    }
    let soft = softmax(plain, z, bits + 8)?;
    let width = bits + 80;
    let mut sum = Float::with_val(width, 0);
    for loss in &soft.loss {
        sum += loss;
    }
    // N losses, each within 2^-(bits+8); the sum itself rounds at 2^-(bits+80) relative, N times, far below the slack of two.
    let mean = Ball::exact(sum) / Ball::from_rational(&Rational::from(plain.n as u64), width);
    let slack = Ball::exact(Float::with_val(width, 1) >> (bits + 7));
    let low = &mean - &slack;
    let high = &mean + &slack;
    Some(low.hull(&high) + Ball::from_rational(&penalty, width))
}

/// N · grad L(Z), each entry within one unit of the grid 2^-bits (exact for MSE when `exact`), with the error in units.
pub(super) fn residual(plain: &Plain, z: &Dyadic, bits: u32, exact: bool) -> Option<(Dyadic, f64)> {
    if plain.mse {
        let r = minus_targets(plain, z);
        return Some(if exact { (r, 0.0) } else { (r.rounded(-(bits as i32)), 1.0) });
    }
    let soft = softmax(plain, z, bits)?;
    let one = Integer::from(1) << bits;
    let mut m = Vec::with_capacity(plain.k * plain.n);
    for k in 0..plain.k {
        for i in 0..plain.n {
            let p = Float::with_val(soft.p[i][k].prec(), &soft.p[i][k] << bits);
            // Relative error 2^-bits of a number at most 1, plus half a unit from rounding: within two units.
            let (p, _) = p.to_integer_round(Round::Nearest)?;
            m.push(if plain.label[i] == k { p - &one } else { p });
        }
    }
    Some((Dyadic { rows: plain.k, cols: plain.n, exp: -(bits as i32), m }, 2.0))
}

/// Enclosure of ‖grad f‖ from the residual N·G with entrywise error `units · 2^exp`.
///
/// N grad_W = R Hᵀ + N λ_W W, N grad_H = Wᵀ R + N λ_H H, N grad_b = R 1 + N λ_b b: integers over a common denominator, squared and
/// summed exactly. An entrywise error u in R moves them by at most u √K ‖ |H| 1 ‖, u √N ‖ 1ᵀ|W| ‖ and u √K N.
pub(super) fn gradient_norm(plain: &Plain, point: &ExactPoint, r: &Dyadic, units: f64, bits: u32) -> Ball {
    let w = &point.factors[0];
    let n = Rational::from(plain.n as u64);
    let squared = |product: Dyadic, lambda: &Rational, x: &Dyadic| {
        let weight = Rational::from(lambda * &n);
        let exp = product.exp.min(x.exp);
        let (product, x) = (product.aligned(exp), x.clone().aligned(exp));
        let mut total = Integer::new();
        for (p, x) in product.m.iter().zip(&x.m) {
            let g = Integer::from(p * weight.denom()) + Integer::from(x * weight.numer());
            total += g.square();
        }
        scaled(total, 2 * exp) / Integer::from(weight.denom().square_ref())
    };
    let mut total = squared(rows_times_rows(r, &point.h), &plain.lambda_w, w);
    total += squared(rows_times_rows(&w.transpose(), &r.transpose()), &plain.lambda_h, &point.h);
    if let Some(b) = &point.b {
        let m = (0..plain.k).map(|k| r.m[k * plain.n..(k + 1) * plain.n].iter().sum()).collect();
        let zero = Rational::new();
        total += squared(Dyadic { rows: plain.k, cols: 1, exp: r.exp, m }, plain.lambda_b().unwrap_or(&zero), b);
    }
    let norm = Ball::from_rational(&(total / n.square()), bits + 64).sqrt();
    if units == 0.0 {
        return norm;
    }
    let line_norm = |x: &Dyadic, by_row: bool| {
        let mut sums = vec![Integer::new(); if by_row { x.rows } else { x.cols }];
        for (t, m) in x.m.iter().enumerate() {
            let line = if by_row { t / x.cols } else { t % x.cols };
            sums[line] += m.clone().abs();
        }
        let mut total = Integer::new();
        sums.iter().for_each(|s| total.add_from(s.clone().square()));
        Float::with_val_round(64, &total, Round::Up).0.sqrt() << x.exp
    };
    let root = |x: usize| Float::with_val(64, x).sqrt();
    let mut error = root(plain.k) * line_norm(&point.h, true) + root(plain.n) * line_norm(w, false);
    if point.b.is_some() {
        error += root(plain.k) * plain.n as u64;
    }
    // A dozen roundings at 64 bits: 2^-32 covers them with room.
    error *= units * (1.0 + 2f64.powi(-32)) / plain.n as f64;
    let error = Ball::exact(error << r.exp);
    (&norm - &error).hull(&(&norm + &error))
}

/// Q(v) and ‖v‖²: the second derivative of f along v, exact for MSE, enclosed for CE.
///
/// Q(v) = ⟨Z', ∇²L Z'⟩ + ⟨∇L, 2 dW dH⟩ + λ_W ‖dW‖² + λ_H ‖dH‖² + λ_b ‖db‖², Z' = dW H + W dH + db 1ᵀ;
/// CE: ⟨Z', ∇²L Z'⟩ = (1/N) Σ_i Var_{p_i}(z'_i).
pub(super) fn curvature(plain: &Plain, point: &ExactPoint, v: &ExactPoint, z: &Dyadic, bits: u32) -> Option<(Ball, Rational)> {
    let first = directional_logits(point, v);
    let second = rows_times_rows(&v.factors[0], &v.h.transpose());
    let n = Integer::from(plain.n as u64);
    let penalty = 2 * penalty(plain, v);
    let mut norm = v.factors[0].sum_squares() + v.h.sum_squares();
    if let Some(b) = &v.b {
        norm += b.sum_squares();
    }
    let width = bits + 64;
    if plain.mse {
        let r = minus_targets(plain, z);
        let mut inner = Integer::new();
        r.m.iter().zip(&second.m).for_each(|(a, b)| inner += a * b);
        let inner = scaled(inner, r.exp + second.exp);
        let q = (first.sum_squares() + 2 * inner) / n + penalty;
        return Some((Ball::from_rational(&q, width), norm));
    }
    let soft = softmax(plain, z, width)?;
    let relative = Float::with_val(width, 1) >> width;
    let mut total = Ball::zero(width);
    for i in 0..plain.n {
        let (mut mean, mut square, mut inner) = (Ball::zero(width), Ball::zero(width), Ball::zero(width));
        for k in 0..plain.k {
            let p = Ball::exact(soft.p[i][k].clone());
            let error = &p * &Ball::exact(relative.clone());
            let p = (&p - &error).hull(&(&p + &error));
            let t = k * plain.n + i;
            let (a, b) = (Ball::from_rational(&scaled(first.m[t].clone(), first.exp), width), Ball::from_rational(&scaled(second.m[t].clone(), second.exp), width));
            let pa = &p * &a;
            mean = &mean + &pa;
            square = &square + &(&pa * &a);
            let g = if plain.label[i] == k { &p - &Ball::from_rational(&Rational::from(1), width) } else { p };
            inner = &inner + &(&g * &b);
        }
        total = &total + &(&(&square - &mean.square()) + &(&inner + &inner));
    }
    let q = &total / &Ball::from_rational(&Rational::from(n), width);
    Some((&q + &Ball::from_rational(&penalty, width), norm))
}
