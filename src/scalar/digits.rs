//! Decimal digits of enclosures: only those that are certain, or bounds rounded outwards.

use rug::{Float, Integer, Rational};

use super::Ball;

/// Powers of two beyond this are not written out.
const MAX_EXPONENT: i32 = 4_000_000;
/// Decimal exponents from here up to the number of digits are written plainly, others with an `e`.
const LEAST_PLAIN: i64 = -7;

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Down,
    Up,
    /// Ties away from zero.
    Nearest,
}

/// A decimal `±m · 10^exponent`, m of a fixed number of digits (or zero).
#[derive(Clone, PartialEq)]
struct Decimal {
    mantissa: Integer,
    exponent: i64,
}

fn ten_to(n: u64) -> Integer {
    Integer::from(Integer::u_pow_u(10, n as u32))
}

fn round(value: &Rational, direction: Direction) -> Integer {
    match direction {
        Direction::Down => value.clone().floor().into_numer_denom().0,
        Direction::Up => value.clone().ceil().into_numer_denom().0,
        Direction::Nearest => value.clone().round().into_numer_denom().0,
    }
}

/// `digits` significant digits of a float, rounded exactly; `None` beyond [`MAX_EXPONENT`] and for infinities.
fn decimal(value: &Float, digits: u32, direction: Direction) -> Option<Decimal> {
    if value.is_zero() {
        return Some(Decimal { mantissa: Integer::new(), exponent: 0 });
    }
    let binary = value.get_exp()?;
    if binary.abs() > MAX_EXPONENT || digits == 0 {
        return None;
    }
    Some(decimal_of(&value.to_rational()?, binary, digits, direction))
}

/// The e with 2^(e−1) <= |x| < 2^e (0 for zero).
fn binary_exponent(x: &Rational) -> i32 {
    let (numerator, denominator) = (x.numer().clone().abs(), x.denom());
    if numerator == 0 {
        return 0;
    }
    let e = numerator.significant_bits() as i32 - denominator.significant_bits() as i32;
    let reaches = if e >= 0 { numerator >= denominator.clone() << e.unsigned_abs() } else { numerator << e.unsigned_abs() >= *denominator };
    if reaches { e + 1 } else { e }
}

/// The decimal of a rational x with 2^(binary−1) <= |x| < 2^binary.
fn decimal_of(exact: &Rational, binary: i32, digits: u32, direction: Direction) -> Decimal {
    // The decimal exponent to within one; the loop settles it.
    let mut exponent = (f64::from(binary) * std::f64::consts::LOG10_2).floor() as i64 - i64::from(digits);
    let limit = ten_to(u64::from(digits));
    loop {
        let power = ten_to(exponent.unsigned_abs());
        let scaled = if exponent >= 0 { Rational::from(exact / &power) } else { Rational::from(exact * &power) };
        let mantissa = round(&scaled, direction);
        if mantissa.clone().abs() < limit {
            return Decimal { mantissa, exponent };
        }
        exponent += 1;
    }
}

/// A number whose exponent is within ±[`MAX_EXPONENT`] on that side of x, x itself where possible; x where there is none.
fn within_exponents(x: Float, direction: Direction) -> Float {
    let outwards = if direction == Direction::Up { x > 0 } else { x < 0 };
    let sign = if x < 0 { -1 } else { 1 };
    let power = |e: i32| Float::with_val(2, sign) << e;
    match x.get_exp() {
        Some(e) if e < -MAX_EXPONENT => {
            if outwards {
                power(-MAX_EXPONENT)
            } else {
                Float::new(2)
            }
        }
        Some(e) if e > MAX_EXPONENT && !outwards => power(MAX_EXPONENT - 1),
        _ => x,
    }
}

impl Decimal {
    /// The same number with as many digits as asked (a carry leaves one too few, an estimate too high none).
    fn text(&self) -> String {
        if self.mantissa == 0 {
            return "0".into();
        }
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.clone().abs().to_string();
        let count = digits.len() as i64;
        // Value: d.ddd × 10^leading.
        let leading = self.exponent + count - 1;
        if leading < LEAST_PLAIN || leading >= count {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return format!("{sign}{first}{point}{rest}e{leading}");
        }
        if leading < 0 {
            return format!("{sign}0.{}{digits}", "0".repeat((-leading - 1) as usize));
        }
        let whole = leading as usize + 1;
        if whole == digits.len() {
            return format!("{sign}{digits}");
        }
        format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
    }
}

impl Ball {
    /// `digits` significant digits that every member rounds to, or those of the rational the set is known to stand for (ties away from
    /// zero); `None` when members differ in them.
    ///
    /// ```
    /// use ufm::scalar::{Ball, Rational};
    /// let x = Ball::from_rational(&Rational::from(2), 64).sqrt();
    /// assert_eq!(x.to_decimal(6).as_deref(), Some("1.41421"));
    /// assert_eq!(x.to_decimal(60), None);
    /// ```
    pub fn to_decimal(&self, digits: u32) -> Option<String> {
        if let Some(value) = self.known_rational().filter(|_| digits > 0) {
            return Some(decimal_of(&value, binary_exponent(&value), digits, Direction::Nearest).text());
        }
        if !self.is_exact() && self.contains_zero() {
            return None;
        }
        let low = decimal(&self.lower(), digits, Direction::Nearest)?;
        let high = decimal(&self.upper(), digits, Direction::Nearest)?;
        (low == high).then(|| low.text())
    }

    /// A decimal of `digits` significant digits at least every member, as close as that allows for magnitudes within 2^±4000000;
    /// `inf` when there is none.
    pub fn upper_decimal(&self, digits: u32) -> String {
        decimal(&within_exponents(self.upper(), Direction::Up), digits, Direction::Up).map_or_else(|| "inf".into(), |d| d.text())
    }

    /// A decimal of `digits` significant digits at most every member, as close as that allows for magnitudes within 2^±4000000; `-inf`
    /// when there is none.
    pub fn lower_decimal(&self, digits: u32) -> String {
        decimal(&within_exponents(self.lower(), Direction::Down), digits, Direction::Down).map_or_else(|| "-inf".into(), |d| d.text())
    }
}

/// `digits` certain significant digits of the number that `value` encloses at each precision: doubles the precision until they are
/// decided, up to `max_prec`; `None` when they never are (the number lies on a tie, or is zero, and is not known to be rational).
pub fn decide_digits(digits: u32, max_prec: u32, value: impl Fn(u32) -> Ball) -> Option<String> {
    // log2(10) < 3.33; a few bits make the first attempt succeed nearly always.
    let mut prec = ((f64::from(digits) * 3.33) as u32).saturating_add(32).min(max_prec);
    loop {
        if let Some(text) = value(prec).to_decimal(digits) {
            return Some(text);
        }
        if prec >= max_prec {
            return None;
        }
        prec = prec.saturating_mul(2).min(max_prec);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_every_magnitude() {
        let text = |x: f64, digits| Ball::from_f64(x, 53).to_decimal(digits).unwrap();
        assert_eq!(text(0.0, 5), "0");
        assert_eq!(text(1.0, 3), "1.00");
        assert_eq!(text(-0.25, 2), "-0.25");
        assert_eq!(text(999.96, 4), "1000");
        assert_eq!(text(123456.0, 6), "123456");
        assert_eq!(text(2f64.powi(-40), 3), "9.09e-13");
        assert_eq!(text(1e30, 2), "1.0e30");
        assert_eq!(text(0.0009996, 3), "0.00100");
    }

    #[test]
    fn bounds_are_rounded_outwards() {
        let x = Ball::from_rational(&Rational::from((-2, 3)), 64);
        assert_eq!(x.upper_decimal(3), "-0.666");
        assert_eq!(x.lower_decimal(3), "-0.667");
        assert_eq!(Ball::whole(64).upper_decimal(3), "inf");
    }

    #[test]
    fn ties_are_decided_by_the_rational_behind_them() {
        let q = |n: i64, d: i64| move |prec| Ball::from_rational(&Rational::from((n, d)), prec);
        assert_eq!(decide_digits(1, 256, q(3, 20)).as_deref(), Some("0.2"));
        assert_eq!(decide_digits(1, 256, q(-1, 4)).as_deref(), Some("-0.3"));
        // c − c²/2 at c = 1/20 is 0.04875.
        assert_eq!(
            decide_digits(3, 256, |prec| q(1, 20)(prec) - q(1, 20)(prec) * q(1, 20)(prec) / q(2, 1)(prec)).as_deref(),
            Some("0.0488")
        );
        assert_eq!(decide_digits(3, 256, |prec| q(1, 3)(prec) - q(1, 3)(prec)).as_deref(), Some("0"));
        for (n, d, e) in [(1, 1, 1), (3, 4, 0), (1, 2, 0), (-5, 1, 3), (1, 3, -1), (1023, 1024, 0), (1, 1024, -9), (0, 1, 0)] {
            assert_eq!(binary_exponent(&Rational::from((n, d))), e, "{n}/{d}");
        }
    }

    #[test]
    fn undecided_digits_are_not_printed() {
        let tie = Ball::from_rational(&Rational::from((1, 2)), 64).hull(&Ball::from_rational(&Rational::from((51, 100)), 64));
        assert_eq!(tie.to_decimal(2), None);
        assert_eq!(decide_digits(5, 256, |prec| Ball::from_rational(&Rational::from((1, 3)), prec).sqrt()).as_deref(), Some("0.57735"));
    }
}
