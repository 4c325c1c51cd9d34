//! Values of flags: each parser says what is allowed, clap names the flag and the value.

use std::time::Duration;

use rug::Rational;

use crate::scalar::parse_decimal;

const MAX_THREADS: usize = 1024;
const MAX_DIGITS: u32 = 10_000;
/// Tolerances steer solvers in double precision: they lie well within its range.
const TOLERANCE_EXPONENT: u32 = 300;

/// A flag that is an integer between two bounds.
fn integer<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T, allowed: &str) -> Result<T, String> {
    text.parse().ok().filter(|n| *n >= least && *n <= most).ok_or_else(|| allowed.to_owned())
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    integer(text, 1, MAX_THREADS, &format!("an integer from 1 to {MAX_THREADS}"))
}

pub(super) fn digits(text: &str) -> Result<u32, String> {
    integer(text, 1, MAX_DIGITS, &format!("an integer from 1 to {MAX_DIGITS}"))
}

/// Seeds and numbers of steps.
pub(super) fn natural(text: &str) -> Result<u64, String> {
    integer(text, 0, u64::MAX, "an integer from 0 to 2^64 - 1")
}

/// Starting points of a search.
pub(super) fn starts(text: &str) -> Result<u64, String> {
    integer(text, 1, 1_000_000, "an integer from 1 to 1000000")
}

/// Sizes of a problem; their ranges are the problem's to check.
pub(super) fn size(text: &str) -> Result<i64, String> {
    integer(text, i64::MIN, i64::MAX, "an integer of at most 10^18")
}

/// A tolerance: a positive decimal, kept exactly.
pub(super) fn tolerance(text: &str) -> Result<Rational, String> {
    let refuse = || format!("a positive decimal between 1e-{TOLERANCE_EXPONENT} and 1e{TOLERANCE_EXPONENT}");
    let value = parse_decimal(text).map_err(|e| format!("{} ({e})", refuse()))?;
    let limit = Rational::from(rug::Integer::from(rug::Integer::u_pow_u(10, TOLERANCE_EXPONENT)));
    if value <= 0 || value > limit || Rational::from(&value * &limit) < 1 { Err(refuse()) } else { Ok(value) }
}

pub(super) fn learning_rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| *x > 0.0 && x.is_finite()).ok_or_else(|| "a positive number".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|x| Duration::try_from_secs_f64(x).ok());
    duration.ok_or_else(|| "a number of seconds, at least 0 and finite".to_owned())
}
