//! From a precision known at run time to a type.

use thiserror::Error;

/// The precisions that [`with_precision!`](crate::with_precision) instantiates.
pub const PRECISIONS: [u32; 6] = [128, 256, 512, 1024, 2048, 4096];

/// More bits than the largest of [`PRECISIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{bits} bits asked for, at most 4096 available")]
pub struct PrecisionError {
    pub bits: u32,
}

/// Evaluates an expression with the constant `P` set to the smallest of [`PRECISIONS`] that has at least
/// the bits asked for.
///
/// The value is `Ok(expression)`, or `Err(PrecisionError)` above 4096 bits. The expression is compiled once for each precision.
///
/// ```
/// use ufm::scalar::Mp;
/// let third = |bits: u32| ufm::with_precision!(bits, P => (Mp::<P>::from(1.0) / Mp::<P>::from(3.0)).into_inner());
/// assert_eq!(third(200).unwrap().prec(), 256);
/// assert!(third(4097).is_err());
/// ```
#[macro_export]
macro_rules! with_precision {
    ($bits:expr, $P:ident => $body:expr) => {
        $crate::with_precision!(@among $bits, $P, $body, [128, 256, 512, 1024, 2048, 4096])
    };
    (@among $bits:expr, $P:ident, $body:expr, [$($precision:literal),*]) => {{
        let bits: u32 = $bits;
        $(
            if bits <= $precision {
                const $P: u32 = $precision;
                Ok($body)
            } else
        )* {
            Err($crate::scalar::PrecisionError { bits })
        }
    }};
}
