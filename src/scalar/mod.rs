//! Numbers: exact rationals, rigorous enclosures, arbitrary precision.

mod decimal;

pub use decimal::{DecimalError, parse_decimal};
pub use rug::{Integer, Rational};
