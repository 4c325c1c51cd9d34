//! Upper bounds: nonnegative numbers rounded upwards.
//!
//! A single bound is a float of [`RADIUS_BITS`] bits with MPFR's exponent range. Sums over whole matrices run in doubles relative to
//! a power of two; a term below the range of doubles is replaced by a larger one, so the bound stays a bound.

use std::{cmp::Ordering, iter::Sum};

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rug::{
    Float,
    float::Round,
    ops::{AddAssignRound, DivAssignRound, MulAssignRound},
};

use crate::linalg::product::RADIUS_BITS;

/// A number at least as large as what it bounds: +∞ where nothing is known, never NaN.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) struct Bound(Float);

impl Bound {
    pub(super) fn zero() -> Bound {
        Bound(Float::new(RADIUS_BITS))
    }

    pub(super) fn infinite() -> Bound {
        Bound(Float::with_val(RADIUS_BITS, f64::INFINITY))
    }

    /// Of |x|; +∞ for NaN.
    pub(super) fn of(x: &Float) -> Bound {
        Bound::clean(Float::with_val_round(RADIUS_BITS, x.abs_ref(), Round::Up).0)
    }

    pub(super) fn of_f64(x: f64) -> Bound {
        Bound::of(&Float::with_val(RADIUS_BITS, x))
    }

    /// 2^e.
    pub(super) fn power(e: i32) -> Bound {
        Bound::of_f64(1.0).scaled(e)
    }

    /// A bound on the rounding error of a float that one operation, rounded to nearest, gave: a unit in the last place; for an
    /// underflow the least positive number.
    pub(super) fn rounding(x: &Float, order: Ordering) -> Bound {
        match (order, x.get_exp()) {
            (Ordering::Equal, _) => Bound::zero(),
            (_, Some(e)) => Bound::power(e.saturating_sub(x.prec() as i32)),
            _ if x.is_zero() => Bound::power(i32::MIN),
            _ => Bound::infinite(),
        }
    }

    fn clean(x: Float) -> Bound {
        if x.is_nan() { Bound::infinite() } else { Bound(x) }
    }

    pub(super) fn plus(mut self, other: &Bound) -> Bound {
        self.0.add_assign_round(&other.0, Round::Up);
        Bound::clean(self.0)
    }

    pub(super) fn times(mut self, other: &Bound) -> Bound {
        self.0.mul_assign_round(&other.0, Round::Up);
        Bound::clean(self.0)
    }

    /// self / divisor, for a divisor that is certainly positive and not rounded upwards.
    pub(super) fn over(mut self, divisor: &Float) -> Bound {
        if *divisor <= 0 || !divisor.is_finite() {
            return Bound::infinite();
        }
        self.0.div_assign_round(divisor, Round::Up);
        Bound::clean(self.0)
    }

    /// self / (1 − x); +∞ when x may reach 1.
    pub(super) fn over_one_minus(self, x: &Bound) -> Bound {
        self.over(&Float::with_val_round(RADIUS_BITS, 1 - &x.0, Round::Down).0)
    }

    pub(super) fn sqrt(mut self) -> Bound {
        self.0 = Float::with_val_round(RADIUS_BITS, self.0.sqrt_ref(), Round::Up).0;
        self
    }

    /// self · 2^e.
    pub(super) fn scaled(self, e: i32) -> Bound {
        // By reference: an owned float would be rounded to nearest by the shift itself.
        let shifted = if e >= 0 {
            Float::with_val_round(RADIUS_BITS, &self.0 << e.unsigned_abs(), Round::Up)
        } else {
            Float::with_val_round(RADIUS_BITS, &self.0 >> e.unsigned_abs(), Round::Up)
        };
        Bound::clean(shifted.0)
    }

    pub(super) fn min(self, other: Bound) -> Bound {
        if self <= other { self } else { other }
    }

    pub(super) fn max(self, other: Bound) -> Bound {
        if self >= other { self } else { other }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub(super) fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    pub(super) fn value(&self) -> &Float {
        &self.0
    }

    pub(super) fn into_value(self) -> Float {
        self.0
    }
}

impl Sum for Bound {
    fn sum<I: Iterator<Item = Bound>>(bounds: I) -> Bound {
        bounds.fold(Bound::zero(), |sum, x| sum.plus(&x))
    }
}

/// What replaces a smaller positive number: its square is a normal double, and so are sums of such.
const LEAST: f64 = f64::from_bits((1023 - 500) << 52);

/// At least |x| 2^−e, for e at least the exponent of x.
fn relative(x: &Float, e: i32) -> f64 {
    if x.is_zero() {
        return 0.0;
    }
    let (mantissa, exponent) = x.to_f64_exp_round(Round::AwayZero);
    let below = i64::from(e) - i64::from(exponent);
    if below >= 500 { LEAST } else { mantissa.abs() * f64::from_bits(((1023 - below) as u64) << 52) }
}

/// At least the sum of nonnegative terms, none of which underflowed, that `sum` stands for: `operations` roundings on the way, each below 2⁻⁵² relatively, and
/// (1 − 2⁻⁵³)^−k <= 1 + 2k 2⁻⁵³ for k < 2⁵¹.
fn inflate(sum: f64, operations: usize) -> f64 {
    if sum == 0.0 { 0.0 } else { (sum * (1.0 + (operations as f64 + 2.0) * f64::EPSILON)).next_up() }
}

/// The largest exponent among finite numbers: `None` when one is not finite, the least of all when every one is zero.
fn largest_exponent<'a>(numbers: impl IntoIterator<Item = &'a Float>) -> Option<i32> {
    numbers.into_iter().try_fold(i32::MIN, |e, x| if x.is_finite() { Some(x.get_exp().map_or(e, |f| e.max(f))) } else { None })
}

fn entries<'a>(a: MatRef<'a, Float>) -> impl Iterator<Item = &'a Float> {
    a.col_iter().flat_map(|column| column.iter())
}

/// A number at most the largest modulus among numbers `width` away from the given ones, and not negative.
pub(super) fn largest_below<'a>(near: impl Iterator<Item = &'a Float>, width: &Bound) -> Float {
    let moduli = near.map(|x| Float::with_val_round(RADIUS_BITS, x.abs_ref(), Round::Zero).0);
    let largest = moduli.fold(Float::new(RADIUS_BITS), |max, x| max.max(&x));
    Float::with_val_round(RADIUS_BITS, largest - width.value(), Round::Down).0.max(&Float::new(RADIUS_BITS))
}

/// Bounds on norms of one matrix.
#[derive(Debug, Clone)]
pub(super) struct Norms {
    /// (Σ a_ij²)^½.
    pub(super) frobenius: Bound,
    /// max_i Σ_j |a_ij|.
    pub(super) infinity: Bound,
    /// max_j Σ_i |a_ij|.
    pub(super) one: Bound,
}

impl Norms {
    pub(super) fn of(a: MatRef<'_, Float>) -> Norms {
        Norms::from_entries(a.nrows(), a.ncols(), largest_exponent(entries(a)), |i, j, e| relative(&a[(i, j)], e))
    }

    /// From `entry(i, j, e)` >= |a_ij| 2^−e, doubles at most 1.
    fn from_entries(rows: usize, cols: usize, exponent: Option<i32>, entry: impl Fn(usize, usize, i32) -> f64) -> Norms {
        let Some(e) = exponent else {
            return Norms { frobenius: Bound::infinite(), infinity: Bound::infinite(), one: Bound::infinite() };
        };
        let (mut squares, mut one) = (0.0, 0.0f64);
        let mut row_sums = vec![0.0; rows];
        for j in 0..cols {
            let mut column = 0.0;
            for (i, row) in row_sums.iter_mut().enumerate() {
                let x = entry(i, j, e);
                column += x;
                *row += x;
                squares += x * x;
            }
            one = one.max(column);
        }
        let bound = |x: f64, count: usize| Bound::of_f64(inflate(x, count)).scaled(e);
        let infinity = bound(row_sums.into_iter().fold(0.0, f64::max), cols);
        let frobenius = Bound::of_f64(inflate(squares, rows * cols + 1)).sqrt().scaled(e);
        Norms { frobenius, infinity, one: bound(one, rows) }
    }

    /// ‖A‖₂ <= min(‖A‖_F, (‖A‖₁ ‖A‖_∞)^½).
    pub(super) fn two(self) -> Bound {
        self.frobenius.min(self.one.times(&self.infinity).sqrt())
    }
}

/// Bounds on the entries of |A| |B|, from a product in doubles after the rows of A and the columns of B are scaled by powers of two.
///
/// An entry of the product that meets something infinite is +∞.
pub(super) fn product_of_magnitudes(a: MatRef<'_, Float>, b: MatRef<'_, Float>) -> Mat<Float> {
    let (m, n, k) = (a.nrows(), b.ncols(), a.ncols());
    let rows: Vec<Option<i32>> = (0..m).map(|i| largest_exponent(a.row(i).iter())).collect();
    let cols: Vec<Option<i32>> = (0..n).map(|j| largest_exponent(b.col(j).iter())).collect();
    let left = Mat::from_fn(m, k, |i, t| rows[i].map_or(0.0, |e| relative(&a[(i, t)], e)));
    let right = Mat::from_fn(k, n, |t, j| cols[j].map_or(0.0, |e| relative(&b[(t, j)], e)));
    let mut product = Mat::<f64>::zeros(m, n);
    matmul(product.as_mut(), Accum::Replace, left.as_ref(), right.as_ref(), 1.0, Par::Seq);
    Mat::from_fn(m, n, |i, j| {
        let bound = match (rows[i], cols[j]) {
            (Some(_), Some(_)) if product[(i, j)] == 0.0 => Bound::zero(),
            // No sum of exponents: each may be near the end of its range.
            (Some(e), Some(f)) => Bound::of_f64(inflate(product[(i, j)], 2 * k)).scaled(e).times(&Bound::power(f)),
            _ => Bound::infinite(),
        };
        bound.into_value()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rug::Rational;

    fn float(text: &str) -> Float {
        Float::with_val(80, Float::parse(text).unwrap())
    }

    #[test]
    fn sums_bound_the_exact_ones_at_every_magnitude() {
        let texts = ["0", "1", "-3", "0.1", "1e-170", "-1e-400", "1e300", "1e3000", "7e-2000"];
        for scale in ["1", "1e40000", "1e-40000"] {
            let a = Mat::from_fn(3, 3, |i, j| float(texts[3 * i + j]) * float(scale));
            let exact = |i: usize, j: usize| a[(i, j)].to_rational().unwrap().abs();
            let norms = Norms::of(a.as_ref());
            let rational = |x: &Bound| x.value().to_rational().unwrap();
            for i in 0..3 {
                assert!(rational(&norms.infinity) >= (0..3).map(|j| exact(i, j)).sum::<Rational>());
                assert!(rational(&norms.one) >= (0..3).map(|j| exact(j, i)).sum::<Rational>());
            }
            let squares: Rational = (0..9).map(|t| exact(t / 3, t % 3).square()).sum();
            assert!(rational(&norms.frobenius).square() >= squares);
            let product = product_of_magnitudes(a.as_ref(), a.as_ref());
            for t in 0..9 {
                let (i, j) = (t / 3, t % 3);
                let exact: Rational = (0..3).map(|t| exact(i, t) * exact(t, j)).sum();
                assert!(product[(i, j)].to_rational().unwrap() >= exact, "entry {i} {j}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_bounded_by_infinity() {
        let a = Mat::from_fn(1, 1, |_, _| Float::with_val(53, f64::NAN));
        assert!(!Norms::of(a.as_ref()).two().is_finite());
        assert!(!product_of_magnitudes(a.as_ref(), a.as_ref())[(0, 0)].is_finite());
        assert!(!Bound::infinite().times(&Bound::zero()).is_finite());
        assert!(!Bound::of_f64(1.0).over_one_minus(&Bound::of_f64(1.0)).is_finite());
    }

    #[test]
    fn underflow_is_rounded_up() {
        assert!(!Bound::power(i32::MIN).is_zero());
        assert!(!Bound::power(-1 << 29).times(&Bound::power(-1 << 29)).times(&Bound::power(-1 << 29)).is_zero());
    }
}
