//! Certification of large points in machine words: what a certificate at double precision needs.
//!
//! With hundreds of classes nearly all the time of a certification goes into one heap-allocated integer per entry. Here the exact products
//! are matrices of 128-bit integers, what follows them stands on 64-bit grids or in doubles with proved bounds on the rounding, and
//! exp and log are in fixed point. Whatever does not fit, and any point this does not show to be a global minimum, is left to the general code.

mod dual;
mod fixed;
#[cfg(test)]
mod tests;

use faer::MatRef;
use rayon::prelude::*;
use rug::{Integer, Rational};

use super::dual::Dual;
use crate::linalg::product::word_columns;
use crate::problem::exact::{Plain, scaled};
use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::Ball;
use fixed::Fixed;

/// Binary digits of the residual N ∂L/∂Z after the point.
const GRID: i32 = 60;
/// Residuals below 2^3 in magnitude fit in a word.
const RESIDUAL_BITS: i32 = 3;
/// Precision of enclosures.
const WIDTH: u32 = 128;

/// Integers of one word times 2^exp, row by row.
struct Words {
    rows: usize,
    cols: usize,
    exp: i32,
    m: Vec<i64>,
}

impl Words {
    fn new(x: &Dyadic) -> Option<Self> {
        let m = x.m.par_iter().map(Integer::to_i64).collect::<Option<_>>()?;
        Some(Words { rows: x.rows, cols: x.cols, exp: x.exp, m })
    }

    fn mat(&self) -> MatRef<'_, i64> {
        MatRef::from_row_major_slice(&self.m, self.rows, self.cols)
    }

    /// Bits of the largest entry.
    fn bits(&self) -> i64 {
        let largest = self.m.par_iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        64 - i64::from(largest.leading_zeros())
    }

    /// ‖·‖², exactly.
    fn norm_squared(&self) -> Rational {
        let squares = |row: &[i64]| row.iter().map(|&x| Integer::from(i128::from(x).pow(2))).sum::<Integer>();
        let row = |row: &[i64]| {
            let sum = row.iter().try_fold(0, |sum: i128, &x| sum.checked_add(i128::from(x).pow(2)));
            sum.map_or_else(|| squares(row), Integer::from)
        };
        scaled(self.m.par_chunks(self.cols.max(1)).map(row).sum(), 2 * self.exp)
    }
}

/// The point, its logits and their residual.
struct Evaluation<'a> {
    plain: &'a Plain,
    w: Words,
    h: Words,
    b: Option<Words>,
    /// Z = W H + b 1ᵀ by columns, exactly, in units of 2^z_exp.
    z: Vec<i128>,
    z_exp: i32,
    fixed: Fixed,
}

/// N ∂L/∂Z by columns in units of 2^-GRID, the Frobenius norm of its error, and L(Z).
struct Residual {
    m: Vec<i64>,
    error: f64,
    loss: Ball,
}

/// Room for the rounding of a few operations on doubles.
const UP: f64 = 1.0 + 1e-12;

/// A point with its objective and gradient.
pub(super) struct Evaluated<'a> {
    pub objective: Ball,
    pub gradient_norm: Ball,
    at: Evaluation<'a>,
    residual: Vec<i64>,
}

/// Objective and gradient; `None` where words do not do.
pub(super) fn evaluate<'a>(plain: &'a Plain, point: &ExactPoint) -> Option<Evaluated<'a>> {
    let at = Evaluation::new(plain, point)?;
    let residual = if plain.mse { at.squared() } else { at.softmax() }?;
    let objective = &residual.loss + &Ball::from_rational(&at.penalty(), WIDTH);
    Some(Evaluated { objective, gradient_norm: at.gradient_norm(&residual)?, residual: residual.m, at })
}

impl Evaluated<'_> {
    /// A verified dual by the polar repair of the residual; `None` when it is not `good` or words do not do.
    pub fn dual(&self, good: impl Fn(&Dual) -> bool) -> Option<Dual> {
        dual::best(self.at.plain, &self.at, &self.residual, good)
    }
}

impl<'a> Evaluation<'a> {
    fn new(plain: &'a Plain, point: &ExactPoint) -> Option<Self> {
        let (w, h) = (Words::new(&point.factors[0])?, Words::new(&point.h)?);
        let b = match &point.b {
            Some(b) => Some(Words::new(b)?),
            None => None,
        };
        let (mut z, _) = word_columns(w.mat(), h.mat(), None)?;
        let z_exp = w.exp + h.exp;
        if let Some(b) = &b {
            // An entry of b is below 2^63: shifted by 62 more bits it leaves room for the product's 126.
            let shift = u32::try_from(b.exp - z_exp).ok().filter(|&shift| shift <= 62)?;
            z.par_chunks_mut(plain.k).for_each(|z| z.iter_mut().zip(&b.m).for_each(|(z, &b)| *z += i128::from(b) << shift));
        }
        Some(Evaluation { plain, w, h, b, z, z_exp, fixed: Fixed::new() })
    }

    /// λ_W/2 ‖W‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖², exactly.
    fn penalty(&self) -> Rational {
        let mut total = &self.plain.lambda_w * self.w.norm_squared() + &self.plain.lambda_h * self.h.norm_squared();
        if let (Some(lambda_b), Some(b)) = (self.plain.lambda_b(), &self.b) {
            total += lambda_b * b.norm_squared();
        }
        total / 2u32
    }

    /// The residual Z − T of mse, rounded down to the grid.
    ///
    /// An entry r lies in [r̂, r̂ + u] with u a unit of the grid, so r² in r̂² ± (2 |r̂| u + u²).
    fn squared(&self) -> Option<Residual> {
        let plain = self.plain;
        /// Bits cut from squares so that sums of 2^24 of them fit.
        const CUT: u32 = 24;
        let shift = -GRID - self.z_exp;
        let column = |(i, z): (usize, &[i128])| {
            let mut r: Vec<i64> = z.iter().map(|&z| on_grid(z, shift)).collect::<Option<_>>()?;
            plain.tags[plain.label[i]].iter().for_each(|&tag| r[tag] -= 1 << GRID);
            let (mut squares, mut sizes) = (0u128, 0u128);
            for &r in &r {
                let size = u128::from(r.unsigned_abs());
                squares += (size * size) >> CUT;
                sizes += size;
            }
            Some((r, Integer::from(squares), Integer::from(sizes)))
        };
        let columns = self.z.par_chunks(plain.k).enumerate().map(column).collect::<Option<Vec<_>>>()?;
        let (mut squares, mut sizes, mut m) = (Integer::new(), Integer::new(), Vec::with_capacity(self.z.len()));
        for (r, square, size) in columns {
            m.extend(r);
            squares += square;
            sizes += size;
        }
        let entries = Integer::from(self.z.len());
        let (low, high) = (squares.clone() << CUT, (squares + &entries) << CUT);
        // Exact when Z is on the grid.
        let spread = if shift > 0 { 2u32 * sizes + &entries } else { Integer::new() };
        let half_mean = |x: Integer| Ball::from_rational(&(scaled(x, -2 * GRID) / Integer::from(2 * plain.n)), WIDTH);
        let loss = half_mean(low - &spread).hull(&half_mean(high + spread));
        let error = if shift > 0 { (self.z.len() as f64).sqrt() * grid_unit() * UP } else { 0.0 };
        Some(Residual { m, error, loss })
    }

    /// The residual m softmax(z) − t of cross-entropy and its kin.
    ///
    /// With x = z − max z, e_k = exp x_k in [l_k, h_k] and s = Σ e_k in [l, h], the probability p_k = e_k/s is taken to be l_k/h rounded
    /// down. It is below by at most p_k (h/l − 1) + (h_k − l_k)/l and two roundings of a unit; as h_k − l_k is at most 8 ulps, a unit,
    /// and l > 1 − 2^-60, these sum to less than four units: the error of a column of p has a norm below
    /// h/l − 1 + 4 √K units, and the grid's targets are off by at most a unit more.
    fn softmax(&self) -> Option<Residual> {
        let plain = self.plain;
        let mut floor = plain.target(false);
        let mut peak = plain.target(true);
        for target in [&mut floor, &mut peak] {
            *target = (target.clone() << GRID).floor();
        }
        let (floor, peak) = (floor.numer().to_i64()?, peak.numer().to_i64()?);
        let smoothed = plain.smoothing != 0;
        if plain.largest_mass() >= 1 << RESIDUAL_BITS {
            return None;
        }
        let column = |(i, z): (usize, &[i128])| {
            let tags = &plain.tags[plain.label[i]];
            let top = *z.iter().max()?;
            let (mut low, mut high) = (0u128, 0u128);
            let mut lows = Vec::with_capacity(plain.k);
            for &z in z {
                let (l, h) = self.fixed.exp(z.checked_sub(top)?, self.z_exp);
                low += u128::from(l);
                high += u128::from(h);
                lows.push(l);
            }
            // h = h' 2^more with h' in [2^63, 2^64): ⌊2^127/h'⌋ is 2^127/h' less a relative 2^-63.
            let more = 64 - high.leading_zeros();
            let inverse = ((1 << 127) / ((high >> more) + 1)).min(u128::from(u64::MAX));
            let mass = plain.mass(plain.label[i]) as i64;
            let probability = |l: u64| ((u128::from(l) * inverse) >> (127 - GRID as u32 + more)) as i64;
            let mut r: Vec<i64> = lows.into_iter().map(|l| mass * probability(l) - floor).collect();
            tags.iter().for_each(|&tag| r[tag] -= peak - floor);
            let relative = (high - low) as f64 / low as f64 * UP;
            let error = mass as f64 * (relative + 4.0 * (plain.k as f64).sqrt() * grid_unit()) + (plain.k as f64).sqrt() * grid_unit();
            // ⟨t, x⟩ in parts: at the tags and, when smoothed, everywhere.
            let sum = |x: &mut dyn Iterator<Item = i128>| x.map(|z| Integer::from(z - top)).sum::<Integer>();
            let tagged = sum(&mut tags.iter().map(|&tag| z[tag]));
            let all = if smoothed { sum(&mut z.iter().copied()) } else { Integer::new() };
            let log = |s: u128| Ball::from_integer(&Integer::from(s), WIDTH).scale(-63).ln();
            let log = log(low).hull(&log(high)) * Ball::from_integer(&Integer::from(mass), WIDTH);
            Some((r, error, log, tagged, all))
        };
        let columns = self.z.par_chunks(plain.k).enumerate().map(column).collect::<Option<Vec<_>>>()?;
        let (mut m, mut squares, mut logs) = (Vec::with_capacity(self.z.len()), 0.0, Ball::zero(WIDTH));
        let (mut tagged, mut all) = (Integer::new(), Integer::new());
        for (r, error, log, at_tags, everywhere) in columns {
            m.extend(r);
            squares += error * error;
            logs = &logs + &log;
            tagged += at_tags;
            all += everywhere;
        }
        let more = Rational::from(1) - &plain.smoothing;
        let inner = more * scaled(tagged, self.z_exp) + plain.target(false) * scaled(all, self.z_exp);
        let loss = &(&logs - &Ball::from_rational(&inner, WIDTH)) / &Ball::from_integer(&Integer::from(plain.n), WIDTH);
        Some(Residual { m, error: squares.sqrt() * (1.0 + 1e-9), loss })
    }

    /// Enclosure of ‖∇f‖.
    ///
    /// With R̂ the residual on the grid, N ∇_W = R̂ Hᵀ + N λ_W W and its kin but for ‖Δ‖ √(‖H‖² + ‖W‖² + N) in norm, Δ the residual's error.
    /// The products are exact up to what is left out. With p and q the doubles of a product and of N λ X, the roundings of p, λ (truncated), N λ, X, their product
    /// and the sum move an entry by less than 2^-53 (|p| + 5 |q| + |p + q|) <= 2^-53 (2 |p + q| + 6 |q|), and those of squares and sums of
    /// fewer than 2^22 terms each change the norm by less than 2^-30 of it.
    fn gradient_norm(&self, residual: &Residual) -> Option<Ball> {
        const EPS: f64 = 1.2e-16;
        let plain = self.plain;
        let (k, n) = (plain.k, plain.n);
        let g = MatRef::from_column_major_slice(&residual.m, k, n);
        let (mut squares, mut weights) = (0.0, 0.0);
        // ‖product · 2^(exp - GRID) + N λ X‖² and ‖N λ X‖², the product by columns.
        let mut add = |product: &[i128], exp: i32, lambda: &Rational, x: &Words| {
            let (unit, weight) = (power(exp - GRID)?, power(x.exp)? * (lambda.to_f64() * n as f64));
            let column = |(j, column): (usize, &[i128])| {
                column.iter().enumerate().fold((0.0, 0.0), |(square, size), (i, &p)| {
                    let q = x.m[i * x.cols + j] as f64 * weight;
                    let g = p as f64 * unit + q;
                    (square + g * g, size + q * q)
                })
            };
            let columns: Vec<(f64, f64)> = product.par_chunks(x.rows).enumerate().map(column).collect();
            for (square, size) in columns {
                squares += square;
                weights += size;
            }
            Some(())
        };
        // What is left out of an entry is no more than a unit of the residual times the factor's largest entry.
        let (p, off_w) = word_columns(g, self.h.mat().transpose(), Some(self.h.bits()))?;
        add(&p, self.h.exp, &plain.lambda_w, &self.w)?;
        let (p, off_h) = word_columns(self.w.mat().transpose(), g, Some(self.w.bits()))?;
        add(&p, self.w.exp, &plain.lambda_h, &self.h)?;
        let left_out = |off: i128, exp: i32, x: &Words| Some(off as f64 * power(exp - GRID)? * (x.m.len() as f64).sqrt());
        let left_out = left_out(off_w, self.h.exp, &self.w)? + left_out(off_h, self.w.exp, &self.h)?;
        if let Some(b) = &self.b {
            let sums: Vec<i128> = (0..k).map(|i| (0..n).map(|j| i128::from(residual.m[i + j * k])).sum()).collect();
            add(&sums, 0, plain.lambda_b().unwrap_or(&Rational::new()), b)?;
        }
        let bias = if self.b.is_some() { Integer::from(n) } else { Integer::new() };
        let reach = (self.h.norm_squared() + self.w.norm_squared() + bias).to_f64() * UP;
        let norm = squares.sqrt();
        let error = (residual.error * reach.sqrt() + left_out + EPS * (2.0 * norm + 6.0 * weights.sqrt()) + norm * 2f64.powi(-30)) * UP;
        if !(norm + error).is_finite() {
            return None;
        }
        let ball = |x: f64| Ball::from_f64(x, WIDTH);
        Some(&ball((norm - error).max(0.0)).hull(&ball(norm + error)) / &Ball::from_integer(&Integer::from(n), WIDTH))
    }
}

/// ⌊z 2^-shift⌋ where it is below 2^(GRID + RESIDUAL_BITS) less the largest target.
fn on_grid(z: i128, shift: i32) -> Option<i64> {
    let limit = 1i128 << (GRID + RESIDUAL_BITS - 1);
    let x = match shift {
        0.. => z >> shift.min(127),
        _ if z == 0 => 0,
        _ if z.unsigned_abs().leading_zeros() > shift.unsigned_abs() => z << -shift,
        _ => return None,
    };
    (x.abs() < limit).then_some(x as i64)
}

/// 2^-GRID.
fn grid_unit() -> f64 {
    2f64.powi(-GRID)
}

/// 2^e where it is far from the ends of the doubles.
fn power(e: i32) -> Option<f64> {
    (-300..=300).contains(&e).then(|| 2f64.powi(e))
}
