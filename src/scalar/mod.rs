//! Numbers: exact rationals, rigorous enclosures, arbitrary precision.
//!
//! What [`Ball`] promises, operation by operation: [`conformance`].

mod ball;
mod decimal;
mod digits;
mod mp;
mod real;

pub use ball::{Ball, root_rational, sqrt_rational};
pub use decimal::{DecimalError, parse_decimal};
pub use digits::decide_digits;
pub use mp::{Mp, PRECISIONS, ParseMpError, PrecisionError};
pub use real::Real;
pub use rug::{Integer, Rational};

#[doc = include_str!("CONFORMANCE.md")]
pub mod conformance {}
