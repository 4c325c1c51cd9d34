//! nalgebra's scalar traits (simba) and approx's comparisons.

use std::cmp::Ordering;

use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use num_traits::{One, Signed, Zero};
use rug::{
    Float,
    float::{Constant, Special},
    ops::Pow,
};
use simba::{
    scalar::{ComplexField, Field, RealField, SubsetOf},
    simd::SimdValue,
};

use super::Mp;

impl<const P: u32> Field for Mp<P> {}

impl<const P: u32> SimdValue for Mp<P> {
    const LANES: usize = 1;
    type Element = Self;
    type SimdBool = bool;

    fn splat(value: Self) -> Self {
        value
    }

    fn extract(&self, lane: usize) -> Self {
        assert_eq!(lane, 0, "Mp has one lane");
        self.clone()
    }

    unsafe fn extract_unchecked(&self, _: usize) -> Self {
        self.clone()
    }

    fn replace(&mut self, lane: usize, value: Self) {
        assert_eq!(lane, 0, "Mp has one lane");
        *self = value;
    }

    unsafe fn replace_unchecked(&mut self, _: usize, value: Self) {
        *self = value;
    }

    fn select(self, condition: bool, other: Self) -> Self {
        if condition { self } else { other }
    }
}

impl<const P: u32> SubsetOf<Mp<P>> for Mp<P> {
    fn to_superset(&self) -> Mp<P> {
        self.clone()
    }

    fn from_superset_unchecked(element: &Mp<P>) -> Self {
        element.clone()
    }

    fn is_in_subset(_: &Mp<P>) -> bool {
        true
    }
}

// As between f32 and f64, simba takes both types for the reals: every number is in the subset, and the way back rounds.
macro_rules! subset {
    ($($t:ty: $to:ident;)*) => {$(
        impl<const P: u32> SubsetOf<Mp<P>> for $t {
            fn to_superset(&self) -> Mp<P> {
                Mp::nearest(*self)
            }

            fn from_superset_unchecked(element: &Mp<P>) -> Self {
                element.0.$to()
            }

            fn is_in_subset(_: &Mp<P>) -> bool {
                true
            }
        }
    )*};
}
subset! { f32: to_f32; f64: to_f64; }

impl<const P: u32> AbsDiffEq for Mp<P> {
    type Epsilon = Self;

    fn default_epsilon() -> Self {
        Mp::epsilon()
    }

    fn abs_diff_eq(&self, other: &Self, epsilon: Self) -> bool {
        self == other || Signed::abs(&(self - other)) <= epsilon
    }
}

impl<const P: u32> Mp<P> {
    /// max(|self|, |other|).
    fn larger_modulus(&self, other: &Self) -> Self {
        Signed::abs(if self.0.cmp_abs(&other.0) == Some(Ordering::Greater) { self } else { other })
    }
}

impl<const P: u32> RelativeEq for Mp<P> {
    fn default_max_relative() -> Self {
        Mp::epsilon()
    }

    fn relative_eq(&self, other: &Self, epsilon: Self, max_relative: Self) -> bool {
        if self.abs_diff_eq(other, epsilon) {
            return true;
        }
        // A finite number is not close to an infinity.
        self.0.is_finite() && other.0.is_finite() && Signed::abs(&(self - other)) <= self.larger_modulus(other) * max_relative
    }
}

impl<const P: u32> UlpsEq for Mp<P> {
    fn default_max_ulps() -> u32 {
        4
    }

    /// Within `max_ulps` of 2^(e − P), where 2^(e − 1) <= max(|self|, |other|) < 2^e, and of one sign.
    fn ulps_eq(&self, other: &Self, epsilon: Self, max_ulps: u32) -> bool {
        if self.abs_diff_eq(other, epsilon) {
            return true;
        }
        let Some(exponent) = self.larger_modulus(other).0.get_exp() else { return false };
        self.0.is_sign_negative() == other.0.is_sign_negative()
            && Signed::abs(&(self - other)) <= Mp::from(max_ulps) << (exponent - P as i32)
    }
}

macro_rules! unary {
    ($($name:ident)*) => {$(
        fn $name(self) -> Self {
            Mp(self.0.$name())
        }
    )*};
}

/// The number line: conjugation is the identity.
impl<const P: u32> ComplexField for Mp<P> {
    type RealField = Self;

    fn from_real(real: Self) -> Self {
        real
    }

    fn real(self) -> Self {
        self
    }

    fn imaginary(self) -> Self {
        Mp::zero()
    }

    fn modulus(self) -> Self {
        Mp(self.0.abs())
    }

    fn modulus_squared(self) -> Self {
        Mp(self.0.square())
    }

    /// 0 from zero on, π below; NaN for a NaN.
    fn argument(self) -> Self {
        if self.0.is_nan() {
            self
        } else if self.0 >= 0 {
            Mp::zero()
        } else {
            Mp::pi()
        }
    }

    fn norm1(self) -> Self {
        Mp(self.0.abs())
    }

    fn scale(self, factor: Self) -> Self {
        self * factor
    }

    fn unscale(self, factor: Self) -> Self {
        self / factor
    }

    unary! { floor ceil round trunc fract abs recip sqrt cbrt }
    unary! { exp exp2 exp_m1 ln ln_1p log2 log10 }
    unary! { sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh }

    fn mul_add(self, factor: Self, term: Self) -> Self {
        Mp(self.0.mul_add(&factor.0, &term.0))
    }

    fn hypot(self, other: Self) -> Self {
        Mp(self.0.hypot(&other.0))
    }

    fn conjugate(self) -> Self {
        self
    }

    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = self.0.sin_cos(Float::new(P));
        (Mp(sin), Mp(cos))
    }

    /// ln(self) / ln(base), three roundings.
    fn log(self, base: Self) -> Self {
        self.ln() / base.ln()
    }

    fn powi(self, exponent: i32) -> Self {
        Mp(self.0.pow(exponent))
    }

    fn powf(self, exponent: Self) -> Self {
        Mp(self.0.pow(&exponent.0))
    }

    fn powc(self, exponent: Self) -> Self {
        self.powf(exponent)
    }

    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    fn try_sqrt(self) -> Option<Self> {
        (self.0 >= 0).then(|| self.sqrt())
    }
}

impl<const P: u32> Mp<P> {
    /// A constant computed with 64 bits to spare, so that at most its last rounding shows.
    fn constant(value: impl Fn(u32) -> Float) -> Self {
        Mp::nearest(&value(P + 64))
    }
}

fn pi(prec: u32) -> Float {
    Float::with_val(prec, Constant::Pi)
}

impl<const P: u32> RealField for Mp<P> {
    fn is_sign_positive(&self) -> bool {
        self.0.is_sign_positive()
    }

    fn is_sign_negative(&self) -> bool {
        self.0.is_sign_negative()
    }

    fn copysign(self, sign: Self) -> Self {
        Mp(self.0.copysign(&sign.0))
    }

    fn max(self, other: Self) -> Self {
        Mp(self.0.max(&other.0))
    }

    fn min(self, other: Self) -> Self {
        Mp(self.0.min(&other.0))
    }

    fn clamp(self, min: Self, max: Self) -> Self {
        if self < min {
            min
        } else if self > max {
            max
        } else {
            self
        }
    }

    fn atan2(self, other: Self) -> Self {
        Mp(self.0.atan2(&other.0))
    }

    /// The least finite number, as simba has it for `f64`.
    fn min_value() -> Option<Self> {
        Self::max_value().map(|x| -x)
    }

    fn max_value() -> Option<Self> {
        let mut largest = Mp::nearest(Special::Infinity);
        largest.0.next_down();
        Some(largest)
    }

    fn pi() -> Self {
        Mp::nearest(Constant::Pi)
    }

    fn two_pi() -> Self {
        Self::pi() << 1
    }

    fn frac_pi_2() -> Self {
        Self::pi() >> 1
    }

    fn frac_pi_3() -> Self {
        Self::constant(|prec| pi(prec) / 3)
    }

    fn frac_pi_4() -> Self {
        Self::pi() >> 2
    }

    fn frac_pi_6() -> Self {
        Self::frac_pi_3() >> 1
    }

    fn frac_pi_8() -> Self {
        Self::pi() >> 3
    }

    fn frac_1_pi() -> Self {
        Self::constant(|prec| pi(prec).recip())
    }

    fn frac_2_pi() -> Self {
        Self::frac_1_pi() << 1
    }

    fn frac_2_sqrt_pi() -> Self {
        Self::constant(|prec| pi(prec).sqrt().recip() * 2)
    }

    fn e() -> Self {
        Self::one().exp()
    }

    fn log2_e() -> Self {
        Self::constant(|prec| Float::with_val(prec, Constant::Log2).recip())
    }

    fn log10_e() -> Self {
        Self::constant(|prec| Float::with_val(prec, 10).ln().recip())
    }

    fn ln_2() -> Self {
        Mp::nearest(Constant::Log2)
    }

    fn ln_10() -> Self {
        Mp::from(10).ln()
    }
}
