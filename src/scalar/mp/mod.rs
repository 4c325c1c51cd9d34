//! One MPFR scalar for faer and nalgebra.

mod faer;
mod nalgebra;
mod num;
mod ops;
mod precision;

use std::fmt;
use std::str::FromStr;

use rug::{Float, Integer, Rational, float::ParseFloatError};
use thiserror::Error;

pub use precision::{PRECISIONS, PrecisionError};

/// A binary floating-point number with a significand of `P` bits and MPFR's exponent range.
///
/// Every operation rounds its exact result once, to nearest with ties to even; the machine's rounding mode plays no part. NaN,
/// infinities and signed zeros follow IEEE 754. There are no subnormal numbers: the smallest positive number is about
/// 2^-(2^30), and the result of an operation below half of it is zero.
///
/// Every `f32` and `f64` is a number of this type: `P` is from 53 to 2^24, which the compiler checks.
///
/// The type is a scalar of faer ([`RealField`](::faer::traits::RealField)) and of nalgebra
/// ([`RealField`](::nalgebra::RealField)), so their decompositions run at any precision.
///
/// ```
/// use faer::{Mat, Side};
/// use ufm::{linalg::residual, scalar::Mp};
/// let two = Mp::<256>::from(2.0);
/// let root = faer::traits::math_utils::sqrt(&two);
/// assert!(format!("{root:.45}").starts_with("1.4142135623730950488016887242096980785696718"));
///
/// let one = Mp::<256>::from(1.0);
/// let gram = Mat::from_fn(2, 2, |i, j| if i == j { two.clone() } else { one.clone() });
/// let factor = gram.llt(Side::Lower).unwrap();
/// assert!(residual::cholesky(gram.as_ref(), factor.L()) < residual::LINEAR_THRESHOLD);
/// ```
#[derive(Clone, PartialEq, PartialOrd)]
#[repr(transparent)]
pub struct Mp<const P: u32>(
    // Invariant: its precision is P.
    Float,
);

impl<const P: u32> Mp<P> {
    // Below 53 bits a conversion from f64, which faer and nalgebra take for exact, would round; up to 2^24 bits no exponent that is
    // formed with P leaves MPFR's range.
    const VALID: () = assert!(P >= f64::MANTISSA_DIGITS && P <= 1 << 24, "Mp<P> has from 53 to 2^24 bits");

    /// Rounds to nearest what MPFR can round: the value of a number or of an incomplete computation.
    fn nearest<T>(value: T) -> Self
    where
        Float: rug::Assign<T> + rug::ops::AssignRound<T, Round = rug::float::Round, Ordering = std::cmp::Ordering>,
    {
        let () = Self::VALID;
        Mp(Float::with_val(P, value))
    }

    /// 2^exponent, for |exponent| < 2^30.
    fn power_of_two(exponent: i32) -> Self {
        Mp::nearest(1) << exponent
    }

    /// The distance from 1 to the next number, 2^(1−P): twice the unit roundoff.
    pub fn epsilon() -> Self {
        Mp::power_of_two(1 - P as i32)
    }

    /// The number as an MPFR float of precision `P`.
    pub fn as_float(&self) -> &Float {
        &self.0
    }

    /// The number as an MPFR float of precision `P`.
    pub fn into_inner(self) -> Float {
        self.0
    }
}

impl<const P: u32> fmt::Display for Mp<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<const P: u32> fmt::Debug for Mp<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<const P: u32> Default for Mp<P> {
    fn default() -> Self {
        Mp::nearest(0)
    }
}

macro_rules! from_exact {
    ($($t:ty)*) => {$(
        /// Exact.
        impl<const P: u32> From<$t> for Mp<P> {
            fn from(value: $t) -> Self {
                Mp::nearest(value)
            }
        }
    )*};
}
from_exact! { f32 f64 i32 u32 }

macro_rules! from_rounded {
    ($($t:ty)*) => {$(
        /// Rounded to nearest.
        impl<const P: u32> From<$t> for Mp<P> {
            fn from(value: $t) -> Self {
                Mp::nearest(value)
            }
        }
    )*};
}
from_rounded! { i64 u64 &Integer &Rational &Float }

/// Rounded to nearest.
impl<const P: u32> From<Float> for Mp<P> {
    fn from(mut value: Float) -> Self {
        let () = Self::VALID;
        value.set_prec(P);
        Mp(value)
    }
}

impl<const P: u32> From<Mp<P>> for Float {
    fn from(value: Mp<P>) -> Self {
        value.0
    }
}

/// A text that is not a number.
#[derive(Debug, Error)]
pub enum ParseMpError {
    #[error("{0}")]
    Number(#[from] ParseFloatError),
    #[error("radix {0} is not between 2 and 36")]
    Radix(u32),
    #[error("a number is written without spaces")]
    Space,
}

impl<const P: u32> Mp<P> {
    fn parse_radix(text: &str, radix: u32) -> Result<Self, ParseMpError> {
        if !(2..=36).contains(&radix) {
            return Err(ParseMpError::Radix(radix));
        }
        // MPFR's reader would skip them, and take "1 2" for 12.
        if text.contains(char::is_whitespace) {
            return Err(ParseMpError::Space);
        }
        Ok(Mp::nearest(Float::parse_radix(text, radix as i32)?))
    }
}

/// Decimal digits, rounded to nearest; also `inf` and `nan`.
impl<const P: u32> FromStr for Mp<P> {
    type Err = ParseMpError;

    fn from_str(text: &str) -> Result<Self, ParseMpError> {
        Mp::parse_radix(text, 10)
    }
}
