//! num-traits. Its `Float` and `Real` ask for `Copy`, which an allocated number cannot be.

use num_traits::{FromPrimitive, Inv, MulAdd, Num, NumCast, One, Signed, ToPrimitive, Zero};
use rug::{Float, float::Round};

use super::{Mp, ParseMpError};

impl<const P: u32> Zero for Mp<P> {
    fn zero() -> Self {
        Mp::nearest(0)
    }

    fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl<const P: u32> One for Mp<P> {
    fn one() -> Self {
        Mp::nearest(1)
    }
}

impl<const P: u32> Num for Mp<P> {
    type FromStrRadixErr = ParseMpError;

    /// Rounded to nearest.
    fn from_str_radix(text: &str, radix: u32) -> Result<Self, ParseMpError> {
        Mp::parse_radix(text, radix)
    }
}

impl<const P: u32> Signed for Mp<P> {
    fn abs(&self) -> Self {
        Mp(self.0.clone().abs())
    }

    fn abs_sub(&self, other: &Self) -> Self {
        Mp(self.0.clone().positive_diff(&other.0))
    }

    /// ±1 by the sign, also of a zero; NaN for a NaN.
    fn signum(&self) -> Self {
        Mp(self.0.clone().signum())
    }

    fn is_positive(&self) -> bool {
        self.0 > 0
    }

    fn is_negative(&self) -> bool {
        self.0 < 0
    }
}

impl<const P: u32> FromPrimitive for Mp<P> {
    fn from_i64(value: i64) -> Option<Self> {
        Some(Mp::nearest(value))
    }

    fn from_u64(value: u64) -> Option<Self> {
        Some(Mp::nearest(value))
    }

    fn from_i128(value: i128) -> Option<Self> {
        Some(Mp::nearest(value))
    }

    fn from_u128(value: u128) -> Option<Self> {
        Some(Mp::nearest(value))
    }

    fn from_f32(value: f32) -> Option<Self> {
        Some(Mp::nearest(value))
    }

    fn from_f64(value: f64) -> Option<Self> {
        Some(Mp::nearest(value))
    }
}

/// Integers by truncation, as for `f64`; the doubles are rounded to nearest.
impl<const P: u32> ToPrimitive for Mp<P> {
    fn to_i64(&self) -> Option<i64> {
        self.to_i128()?.try_into().ok()
    }

    fn to_u64(&self) -> Option<u64> {
        self.to_u128()?.try_into().ok()
    }

    fn to_i128(&self) -> Option<i128> {
        // The integer of a large exponent would fill the memory.
        self.within_bits(128)?.to_integer_round(Round::Zero)?.0.to_i128()
    }

    fn to_u128(&self) -> Option<u128> {
        self.within_bits(128)?.to_integer_round(Round::Zero)?.0.to_u128()
    }

    fn to_f32(&self) -> Option<f32> {
        Some(self.0.to_f32())
    }

    fn to_f64(&self) -> Option<f64> {
        Some(self.0.to_f64())
    }
}

impl<const P: u32> Mp<P> {
    fn within_bits(&self, bits: i32) -> Option<&Float> {
        (self.0.is_finite() && self.0.get_exp().is_none_or(|e| e <= bits)).then_some(&self.0)
    }
}

impl<const P: u32> NumCast for Mp<P> {
    /// Through 128-bit integers where the number is one, else through `f64`.
    fn from<T: ToPrimitive>(value: T) -> Option<Self> {
        let float = value.to_f64()?;
        if float.fract() == 0.0 {
            if let Some(integer) = value.to_i128() {
                return Some(Mp::nearest(integer));
            }
            if let Some(integer) = value.to_u128() {
                return Some(Mp::nearest(integer));
            }
        }
        Some(Mp::nearest(float))
    }
}

impl<const P: u32> Inv for Mp<P> {
    type Output = Self;

    fn inv(self) -> Self {
        Mp(self.0.recip())
    }
}

/// One rounding.
impl<const P: u32> MulAdd for Mp<P> {
    type Output = Self;

    fn mul_add(self, factor: Self, term: Self) -> Self {
        Mp(self.0.mul_add(&factor.0, &term.0))
    }
}
