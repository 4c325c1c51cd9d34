//! Exact decimals: `"0.005"` is the rational 1/200 at every precision.

use rug::{Integer, Rational, ops::Pow};

/// Longest decimal accepted, in characters.
const MAX_CHARS: usize = 2_000;
/// Largest power of ten accepted after `e`, in magnitude.
const MAX_EXPONENT: i64 = 2_000;

/// Why a text is not an exact decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// Not of the form `[-]digits[.digits][e[-]digits]`.
    #[error("not a decimal number")]
    Syntax,
    /// More than 2000 characters, or an exponent beyond 10^2000.
    #[error("beyond 2000 digits or 10^±2000")]
    Size,
}

/// The rational written by a decimal such as `0.005`, `1e-3` or `-2.5E4`, exactly.
///
/// # Errors
/// [`DecimalError`] when the text is not a decimal (`nan` and `inf` included) or is absurdly large; nothing of
/// the size of the number is allocated before that is known.
///
/// ```
/// use ufm::scalar::{parse_decimal, Rational};
/// assert_eq!(parse_decimal("0.005").unwrap(), Rational::from((1, 200)));
/// assert!(parse_decimal("nan").is_err());
/// assert!(parse_decimal("1e999999999999").is_err());
/// ```
pub fn parse_decimal(text: &str) -> Result<Rational, DecimalError> {
    if text.len() > MAX_CHARS {
        return Err(DecimalError::Size);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, parse_exponent(e)?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.as_bytes().first() {
        Some(b'-') => (true, &mantissa[1..]),
        Some(b'+') => (false, &mantissa[1..]),
        _ => (false, mantissa),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    let mut value = Integer::from_str_radix(&digits, 10).map_err(|_| DecimalError::Syntax)?;
    if negative {
        value = -value;
    }
    let power = exponent - fraction.len() as i64;
    let scale = Integer::from(10).pow(power.unsigned_abs() as u32);
    Ok(if power >= 0 { Rational::from(value * scale) } else { Rational::from((value, scale)) })
}

fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(DecimalError::Syntax);
    }
    match text.parse::<i64>() {
        Ok(e) if e.abs() <= MAX_EXPONENT => Ok(e),
        _ => Err(DecimalError::Size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly() {
        assert_eq!(parse_decimal("1.300").unwrap(), Rational::from((13, 10)));
        assert_eq!(parse_decimal("-2.5E2").unwrap(), Rational::from(-250));
        assert_eq!(parse_decimal(".5e-1").unwrap(), Rational::from((1, 20)));
    }

    #[test]
    fn refuses() {
        for bad in ["", ".", "-", "1e", "nan", "inf", "0x1", "1_000", "1.2.3", "--1", " 1", "1e1.5"] {
            assert_eq!(parse_decimal(bad), Err(DecimalError::Syntax), "{bad:?}");
        }
        assert_eq!(parse_decimal("1e999999999999"), Err(DecimalError::Size));
        assert_eq!(parse_decimal(&"1".repeat(3000)), Err(DecimalError::Size));
    }
}
