//! Doubles that carry a bound on their error, and the a-priori bounds of floating-point sums.

use std::ops::{Add, Div, Mul, Sub};

/// Unit roundoff: `fl(x) = x (1 + δ)`, `|δ| <= U`.
pub(crate) const U: f64 = f64::EPSILON / 2.0;
/// Absolute error of an operation whose result underflows.
pub(crate) const TINY: f64 = f64::from_bits(1);
/// The bound of an operation takes at most ten roundings itself.
const ROUND_UP: f64 = 1.0 + 16.0 * U;

/// `γ_n = n u / (1 − n u)`: relative error of a sum of nonnegative terms, or of an inner product relative to `Σ|x_i y_i|`, when no
/// term passes through more than n roundings, in any order, with or without fused operations.
///
/// Source: N. Higham, *Accuracy and Stability of Numerical Algorithms*, lemma 3.1.
pub(crate) fn gamma(n: usize) -> f64 {
    let x = n as f64 * U;
    if x < 0.5 { x / (1.0 - x) * ROUND_UP } else { f64::INFINITY }
}

/// A double and a bound on its distance from the exact value it stands for.
///
/// Guarantee: every operation returns a bound that covers its own rounding, underflow included. A quotient whose divisor may be
/// zero, and whatever overflows, is not a number.
///
/// ```
/// use ufm::metrics::Bounded;
/// let third = Bounded::exact(1.0) / Bounded::exact(3.0);
/// let one = third + third + third;
/// assert!((one.value - 1.0).abs() <= one.bound && one.bound < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    /// The computed value.
    pub value: f64,
    /// `|value − exact| <= bound`.
    pub bound: f64,
}

impl Bounded {
    /// A value that is exact as it stands.
    pub const fn exact(value: f64) -> Self {
        Bounded { value, bound: 0.0 }
    }

    /// A value within `bound` of the exact one.
    pub fn new(value: f64, bound: f64) -> Self {
        Bounded { value, bound: bound * ROUND_UP + TINY }
    }

    /// The square root; the exact value is known to be nonnegative.
    ///
    /// `|√a − √b| = |a − b| / (√a + √b)`, at most `|a − b| / √a` and at most `√|a − b|`.
    pub fn sqrt(self) -> Self {
        let root = self.value.max(0.0).sqrt();
        let spread = (self.bound / root).min(self.bound.sqrt());
        let spread = if spread.is_nan() { self.bound.sqrt() } else { spread };
        Self::new(if self.value.is_nan() { f64::NAN } else { root }, spread + U * root)
    }

    /// The square.
    pub fn square(self) -> Self {
        self * self
    }

    /// The value moved to the nonnegative numbers, where the exact one is known to lie.
    pub fn nonnegative(self) -> Self {
        if self.value < 0.0 { Bounded { value: 0.0, ..self } } else { self }
    }

    /// Whether value and bound are numbers.
    pub fn is_finite(self) -> bool {
        self.value.is_finite() && self.bound.is_finite()
    }

    /// A number that the exact value does not exceed.
    pub fn upper(self) -> f64 {
        let sum = self.value + self.bound;
        sum + (sum.abs() * 2.0 * U + TINY)
    }

    /// A number that does not exceed the exact value.
    pub fn lower(self) -> f64 {
        let difference = self.value - self.bound;
        difference - (difference.abs() * 2.0 * U + TINY)
    }
}

impl Add for Bounded {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let value = self.value + other.value;
        Self::new(value, self.bound + other.bound + U * value.abs())
    }
}

impl Sub for Bounded {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + Bounded { value: -other.value, ..other }
    }
}

impl Mul for Bounded {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let value = self.value * other.value;
        let spread = self.value.abs() * other.bound + other.value.abs() * self.bound + self.bound * other.bound;
        Self::new(value, spread + U * value.abs() + 4.0 * TINY)
    }
}

impl Div for Bounded {
    type Output = Self;
    /// `|a/b − â/b̂| <= (|a − â| + |â/b̂| |b − b̂|) / |b|`.
    fn div(self, other: Self) -> Self {
        let least = (other.value.abs() - other.bound) * (1.0 - 4.0 * U);
        if least.is_nan() || least <= 0.0 {
            return Bounded { value: f64::NAN, bound: f64::INFINITY };
        }
        let value = self.value / other.value;
        let quotient = value.abs() * (1.0 + 2.0 * U) + TINY;
        // What underflows in the numerator is magnified by a small divisor.
        Self::new(value, (self.bound + quotient * other.bound + 2.0 * TINY) / least + U * quotient + TINY)
    }
}

/// A sum over many terms: the bound of the additions is that of their number, the terms' bounds add.
pub(crate) fn sum(terms: impl IntoIterator<Item = Bounded>) -> Bounded {
    let (mut value, mut size, mut bound, mut count) = (0.0, 0.0, 0.0, 0);
    for term in terms {
        value += term.value;
        size += term.value.abs();
        bound += term.bound;
        count += 1;
    }
    let slack = gamma(count + 2);
    Bounded::new(value, (bound + slack * size) * (1.0 + slack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rug::Rational;

    fn holds(b: Bounded, exact: &Rational) -> bool {
        if !b.is_finite() {
            return true;
        }
        let distance = (Rational::from_f64(b.value).unwrap() - exact).abs();
        distance <= Rational::from_f64(b.bound).unwrap()
    }

    /// A double of any size with a bound, and a rational within it.
    fn operand() -> impl Strategy<Value = (Bounded, Rational)> {
        (proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO, -60i32..3, -8i32..=8).prop_map(
            |(value, exponent, eighths)| {
                let bound = (value.abs() * 2f64.powi(exponent)).min(f64::MAX);
                let exact = Rational::from_f64(value).unwrap() + Rational::from_f64(bound).unwrap() * Rational::from((eighths, 8));
                (Bounded { value, bound }, exact)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn operations_contain_the_exact_result((a, x) in operand(), (b, y) in operand()) {
            prop_assert!(holds(a + b, &Rational::from(&x + &y)));
            prop_assert!(holds(a - b, &Rational::from(&x - &y)));
            prop_assert!(holds(a * b, &Rational::from(&x * &y)));
            if y != 0 {
                prop_assert!(holds(a / b, &Rational::from(&x / &y)));
            }
            prop_assert!(holds(sum([a, b, a]), &(Rational::from(&x + &y) + &x)));
            let root = a.sqrt();
            if x >= 0 && root.is_finite() {
                // value − bound <= √x <= value + bound, compared as squares.
                let (value, bound) = (Rational::from_f64(root.value).unwrap(), Rational::from_f64(root.bound).unwrap());
                let (low, high) = (Rational::from(&value - &bound), Rational::from(&value + &bound));
                prop_assert!(low < 0 || Rational::from(&low * &low) <= x);
                prop_assert!(Rational::from(&high * &high) >= x);
            }
        }
    }

    #[test]
    fn a_divisor_that_may_vanish_gives_no_number() {
        assert!(!(Bounded::exact(1.0) / Bounded::new(1e-3, 1e-3)).is_finite());
        assert!(!(Bounded::exact(1.0) / Bounded::exact(0.0)).is_finite());
    }
}
