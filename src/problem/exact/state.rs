//! One point of the plain model with everything a claim about it needs: objective, residual, gradient norm and curvature,
//! exact for MSE, enclosed for cross-entropy and its kin.

use rayon::prelude::*;
use rug::{Assign, Float, Integer, Rational, float::Round};

use super::arithmetic::{CHUNK, Plain, SHARE, directional_logits, logits, rows_times_rows, scaled};
use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::Ball;

/// Logits beyond ±2^40 are not evaluated for cross-entropy: their exponentials say nothing.
const LOGIT_BITS: i64 = 40;

/// Exponentials times their squared bits from which a second thread pays.
const PARALLEL_COST: usize = 1 << 22;

/// A point, its exact logits, and (CE) its softmax to a stated accuracy.
pub(crate) struct State<'a> {
    pub plain: &'a Plain,
    pub point: &'a ExactPoint,
    /// Z = W H + b 1ᵀ, exactly.
    pub z: Dyadic,
    soft: Option<Softmax>,
    bits: u32,
}

/// For each sample the probabilities p_1..p_K with relative error at most 2^-bits, and the loss with absolute error at most 2^-bits.
///
/// With y the sample's first tag, e_k = exp(z_k − z_y), s = Σ e_k (e_y = 1): p_k = e_k / s, loss = ln s. The difference is exact; rounding it to w bits moves
/// it by |x| 2^-w, so e_k carries a relative error of at most (1.01 |x| + 1) 2^-w, the sum of K such terms at most
/// (1.01 |x| + K + 1) 2^-w, quotient and logarithm one rounding more: w = bits + 4 + log2(|x|_max + K + 4) suffices for all.
struct Softmax {
    p: Vec<Vec<Float>>,
    loss: Vec<Float>,
}

impl Softmax {
    fn new(plain: &Plain, z: &Dyadic, bits: u32) -> Option<Self> {
        // Differences of two logits: one bit more.
        let largest = z.m.iter().map(|x| x.significant_bits()).max().unwrap_or(0) as i64 + z.exp as i64 + 1;
        if largest > LOGIT_BITS {
            return None;
        }
        let range = (1u64 << largest.max(0)) as f64 + plain.k as f64 + 4.0;
        let w = bits + 4 + range.log2().ceil() as u32;
        let column = |i: usize| {
            let y = plain.tags[plain.label[i]][0];
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
            let p: Vec<Float> = e.into_iter().map(|e| e / &s).collect();
            (p, s.ln())
        };
        let cost = plain.k * plain.n * (w as usize).pow(2);
        let (p, loss) =
            if cost < PARALLEL_COST { (0..plain.n).map(column).unzip() } else { (0..plain.n).into_par_iter().map(column).unzip() };
        Some(Softmax { p, loss })
    }
}

impl<'a> State<'a> {
    /// `bits`: accuracy asked of everything that is not exact. `None` when cross-entropy's logits exceed 2^40.
    pub fn new(plain: &'a Plain, point: &'a ExactPoint, bits: u32) -> Option<Self> {
        let z = logits(point);
        let soft = if plain.mse { None } else { Some(Softmax::new(plain, &z, bits + 8)?) };
        Some(State { plain, point, z, soft, bits })
    }

    /// f at the point: exact (then rounded once) for MSE, enclosed to about `bits` bits for CE.
    pub fn objective(&self) -> Ball {
        let penalty = penalty(self.plain, self.point);
        match &self.soft {
            None => Ball::from_rational(&(self.squared_loss() + penalty), self.width()),
            Some(_) => self.loss() + Ball::from_rational(&penalty, self.width()),
        }
    }

    /// L(Z), as [`State::objective`].
    pub fn loss(&self) -> Ball {
        let width = self.width();
        let Some(soft) = &self.soft else { return Ball::from_rational(&self.squared_loss(), width) };
        // Losses times masses and their rounded sum: each within mass · 2^-(bits+8); their own rounding at 80 more bits is covered by
        // doubling the slack.
        let mut sum = Float::with_val(width, 0);
        for (loss, &group) in soft.loss.iter().zip(&self.plain.label) {
            sum += Float::with_val(width, loss * self.plain.mass(group));
        }
        let mean = Ball::exact(sum) / Ball::from_integer(&Integer::from(self.plain.n), width);
        let slack = Ball::exact(Float::with_val(width, self.plain.largest_mass()) >> (self.bits + 7));
        (&mean - &slack).hull(&(&mean + &slack)) - Ball::from_rational(&self.target_margins(), width)
    }

    /// (1/N) Σ_i ⟨t_i, z_i − z_yi 1⟩, exactly, y the first tag: m logsumexp(z) − ⟨t, z⟩ is below m ln s, s = Σ exp(z_k − z_y), by its
    /// summand. Zero for one-hot targets.
    fn target_margins(&self) -> Rational {
        let plain = self.plain;
        let (mut all, mut tagged) = (Integer::new(), Integer::new());
        for (i, &group) in plain.label.iter().enumerate() {
            let tags = &plain.tags[group];
            let at = |k: usize| &self.z.m[k * plain.n + i];
            if plain.smoothing != 0 {
                all += (0..plain.k).map(at).sum::<Integer>();
                all -= Integer::from(at(tags[0]) * plain.k as u64);
            }
            if tags.len() > 1 {
                tagged += tags.iter().map(|&k| at(k)).sum::<Integer>();
                tagged -= Integer::from(at(tags[0]) * tags.len() as u64);
            }
        }
        // Targets are the floor everywhere and 1 − α more at the tags.
        let floor = plain.target(false);
        let more = Rational::from(1) - &plain.smoothing;
        (floor * scaled(all, self.z.exp) + more * scaled(tagged, self.z.exp)) / Integer::from(plain.n)
    }

    fn squared_loss(&self) -> Rational {
        minus_targets(self.plain, &self.z).sum_squares() / Integer::from(2 * self.plain.n)
    }

    /// Precision of enclosures: rounding far below the accuracy asked.
    pub fn width(&self) -> u32 {
        self.bits + 80
    }

    /// N · grad L(Z) on the grid 2^-bits or finer, each entry within the returned number of units of its exact value.
    pub fn residual(&self) -> (Dyadic, f64) {
        let Some(soft) = &self.soft else {
            let r = minus_targets(self.plain, &self.z);
            let grid = -(self.bits as i32);
            // On the grid already: exact. Otherwise rounded to the nearest.
            return if r.exp >= grid { (r, 0.0) } else { (r.rounded(grid), 1.0) };
        };
        let (k, n) = (self.plain.k, self.plain.n);
        // Targets within half a unit; one-hot ones exactly.
        let target = |hit| self.grid_target(hit);
        let (peak, floor) = (target(true), target(false));
        let m = (0..k * n).into_par_iter().with_min_len(SHARE).map(|t| (t / n, t % n)).map(|(c, i)| {
            // Relative error below 2^-bits of a number at most m, plus half a unit from rounding: within m + 1 units with the target's
            // half.
            let group = self.plain.label[i];
            let p = Float::with_val(soft.p[i][c].prec(), &soft.p[i][c] * self.plain.mass(group)) << self.bits;
            let p = p.to_integer_round(Round::Nearest).map_or_else(Integer::new, |(p, _)| p);
            p - if self.plain.tagged(group, c) { &peak } else { &floor }
        });
        let units = 1.0 + self.plain.largest_mass() as f64;
        (Dyadic { rows: k, cols: n, exp: -(self.bits as i32), m: m.collect() }, units)
    }

    /// A target at a sample's tag or at another class, to the nearest unit of 2^-bits.
    pub fn grid_target(&self, hit: bool) -> Integer {
        let target = self.plain.target(hit);
        Rational::from(&target << self.bits).round().into_numer_denom().0
    }

    /// Enclosure of ‖grad f‖ from the residual R = N·G with entrywise error `units · 2^exp`.
    ///
    /// N grad_W = R Hᵀ + N λ_W W, N grad_H = Wᵀ R + N λ_H H, N grad_b = R 1 + N λ_b b: integers over a common denominator, squared
    /// and summed exactly. An entrywise error u in R moves them by at most u √K ‖ |H| 1 ‖, u √N ‖ 1ᵀ|W| ‖ and u √K N.
    pub fn gradient_norm(&self, r: &Dyadic, units: f64) -> Ball {
        let (plain, point) = (self.plain, self.point);
        let w = &point.factors[0];
        let mut total = weighted_squares(rows_times_rows(r, &point.h), &plain.lambda_w, plain.n, w);
        total += weighted_squares(rows_times_rows(&w.transpose(), &r.transpose()), &plain.lambda_h, plain.n, &point.h);
        if let Some(b) = &point.b {
            let m = (0..plain.k).map(|k| r.m[k * plain.n..(k + 1) * plain.n].iter().sum()).collect();
            let zero = Rational::new();
            total += weighted_squares(Dyadic { rows: plain.k, cols: 1, exp: r.exp, m }, plain.lambda_b().unwrap_or(&zero), plain.n, b);
        }
        let n = Integer::from(plain.n);
        let width = self.width();
        let norm = Ball::from_rational(&(total / Integer::from(n.square_ref())), width).sqrt();
        if units == 0.0 {
            return norm;
        }
        let root = |x: usize| Ball::from_integer(&Integer::from(x), width).sqrt();
        let rows = |x: &Dyadic| Ball::from_rational(&line_squares(x), width).sqrt();
        let mut error = &(&root(plain.k) * &rows(&point.h)) + &(&root(plain.n) * &rows(&w.transpose()));
        if point.b.is_some() {
            error = &error + &(&root(plain.k) * &Ball::from_integer(&n, width));
        }
        let unit =
            Ball::from_f64(units, width) * Ball::from_rational(&scaled(Integer::from(1), r.exp), width) / Ball::from_integer(&n, width);
        let error = error * unit;
        (&norm - &error).hull(&(&norm + &error))
    }

    /// Q(v) and ‖v‖²: the second derivative of f along v, exact for MSE (then rounded once), enclosed for CE.
    ///
    /// Q(v) = ⟨Z', ∇²L Z'⟩ + ⟨∇L, 2 dW dH⟩ + λ_W ‖dW‖² + λ_H ‖dH‖² + λ_b ‖db‖², Z' = dW H + W dH + db 1ᵀ;
    /// CE and its kin: ⟨Z', ∇²L Z'⟩ = (1/N) Σ_i m_i Var_{p_i}(z'_i).
    pub fn curvature(&self, v: &ExactPoint) -> (Ball, Rational) {
        let plain = self.plain;
        let first = directional_logits(self.point, v);
        let second = rows_times_rows(&v.factors[0], &v.h.transpose());
        let n = Integer::from(plain.n);
        let penalty = 2u32 * penalty(plain, v);
        let norm = v.factors[0].sum_squares() + v.h.sum_squares() + v.b.as_ref().map_or_else(Rational::new, Dyadic::sum_squares);
        let width = self.width();
        let Some(soft) = &self.soft else {
            let r = minus_targets(plain, &self.z);
            let mut inner = Integer::new();
            r.m.iter().zip(&second.m).for_each(|(a, b)| inner += a * b);
            let q = (first.sum_squares() + (2u32 * scaled(inner, r.exp + second.exp))) / n + penalty;
            return (Ball::from_rational(&q, width), norm);
        };
        let relative = Ball::exact(Float::with_val(width, 1) >> (self.bits + 8));
        let target = |hit: bool| Ball::from_rational(&plain.target(hit), width);
        let (peak, floor) = (target(true), target(false));
        let sample = |i: usize| {
            let (mut mean, mut square, mut inner) = (Ball::zero(width), Ball::zero(width), Ball::zero(width));
            let group = plain.label[i];
            let mass = Ball::from_integer(&Integer::from(plain.mass(group)), width);
            for k in 0..plain.k {
                let p = Ball::exact(soft.p[i][k].clone());
                let error = &p * &relative;
                let p = (&p - &error).hull(&(&p + &error));
                let t = k * plain.n + i;
                let entry = |x: &Dyadic| Ball::from_rational(&scaled(x.m[t].clone(), x.exp), width);
                let (a, b) = (entry(&first), entry(&second));
                let pa = &p * &a;
                mean = &mean + &pa;
                square = &square + &(&pa * &a);
                let g = &(&mass * &p) - if plain.tagged(group, k) { &peak } else { &floor };
                inner = &inner + &(&g * &b);
            }
            &(&mass * &(&square - &mean.square())) + &(&inner + &inner)
        };
        let samples: Vec<Ball> = (0..plain.n).into_par_iter().map(sample).collect();
        let total = samples.iter().fold(Ball::zero(width), |sum, x| &sum + x);
        (&(&total / &Ball::from_integer(&n, width)) + &Ball::from_rational(&penalty, width), norm)
    }
}

/// λ_W/2 ‖W‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖², exactly.
fn penalty(plain: &Plain, point: &ExactPoint) -> Rational {
    let mut total = (&plain.lambda_w * point.factors[0].sum_squares()) + (&plain.lambda_h * point.h.sum_squares());
    if let (Some(lambda_b), Some(b)) = (plain.lambda_b(), &point.b) {
        total += lambda_b * b.sum_squares();
    }
    total / 2u32
}

/// Z − Y, exactly.
fn minus_targets(plain: &Plain, z: &Dyadic) -> Dyadic {
    let exp = z.exp.min(0);
    let mut r = z.clone().aligned(exp);
    let one = Integer::from(1) << exp.unsigned_abs();
    for (i, &group) in plain.label.iter().enumerate() {
        for &y in &plain.tags[group] {
            r.m[y * plain.n + i] -= &one;
        }
    }
    r
}

/// ‖P + n λ X‖² for exact P and X, exactly.
pub(crate) fn weighted_squares(product: Dyadic, lambda: &Rational, n: usize, x: &Dyadic) -> Rational {
    let weight = Rational::from(lambda * Integer::from(n));
    let exp = product.exp.min(x.exp);
    let shift = (x.exp - exp) as u32;
    let (product, numer) = (product.aligned(exp), Integer::from(weight.numer() << shift));
    let parts = product.m.par_chunks(CHUNK).zip(x.m.par_chunks(CHUNK)).map(|(p, x)| {
        let (mut total, mut g, mut square) = (Integer::new(), Integer::new(), Integer::new());
        for (p, x) in p.iter().zip(x) {
            g.assign(p * weight.denom());
            g += x * &numer;
            square.assign(g.square_ref());
            total += &square;
        }
        total
    });
    let total: Integer = parts.sum();
    scaled(total, 2 * exp) / Integer::from(weight.denom().square_ref())
}

/// ‖ |X| 1 ‖²: the squared norm of the vector of absolute row sums.
fn line_squares(x: &Dyadic) -> Rational {
    let mut total = Integer::new();
    for row in x.m.chunks(x.cols.max(1)) {
        let sum: Integer = row.iter().map(|m| m.clone().abs()).sum();
        total += sum.square();
    }
    scaled(total, 2 * x.exp)
}
