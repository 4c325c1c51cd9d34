//! What the measurement of a kernel needs of its scalar.

use num_traits::{FromPrimitive, Num};
use rug::Float;

use super::Mp;

/// A binary floating-point number.
pub trait Real: Num + FromPrimitive + Clone + Send + Sync {
    /// Bits of the significand, the leading one included: the unit roundoff is 2^-PRECISION.
    const PRECISION: u32;

    /// The number itself, at [`Real::PRECISION`] bits.
    fn to_float(&self) -> Float;
}

macro_rules! native {
    ($($t:ty)*) => {$(
        impl Real for $t {
            const PRECISION: u32 = <$t>::MANTISSA_DIGITS;

            fn to_float(&self) -> Float {
                Float::with_val(Self::PRECISION, *self)
            }
        }
    )*};
}
native! { f32 f64 }

impl<const P: u32> Real for Mp<P> {
    const PRECISION: u32 = P;

    fn to_float(&self) -> Float {
        self.as_float().clone()
    }
}
