//! Exact dyadic numbers m·2^e: the only numbers the predicates are made of.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Mul, Sub};

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

/// The exact number `m · 2^e`.
///
/// Sums, products and comparisons are exact. [`fmt::Display`] writes `HEX*2^INT`, the form used in certificates.
#[derive(Debug, Clone, Default)]
pub struct Dyadic {
    pub(crate) m: BigInt,
    pub(crate) e: i64,
}

/// Significant digits of the decimals printed for people.
const DIGITS: u32 = 20;

impl Dyadic {
    /// The number `m · 2^e`.
    pub fn new(m: impl Into<BigInt>, e: i64) -> Self {
        Dyadic { m: m.into(), e }
    }

    pub(crate) fn times(&self, factor: &BigInt) -> Self {
        Dyadic { m: &self.m * factor, e: self.e }
    }

    pub(crate) fn square(&self) -> Self {
        self * self
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.m.is_negative()
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.m.is_zero()
    }

    /// The s with 2^(s-1) <= |self| < 2^s, for a number other than zero.
    pub(crate) fn magnitude(&self) -> i64 {
        i64::try_from(self.m.bits()).unwrap_or(i64::MAX / 2).saturating_add(self.e)
    }

    /// floor(self · 2^bits).
    pub(crate) fn floor_at(&self, bits: usize) -> BigInt {
        shifted(&self.m, self.e + bits as i64)
    }

    /// ceil(self · 2^bits).
    pub(crate) fn ceil_at(&self, bits: usize) -> BigInt {
        -shifted(&-&self.m, self.e + bits as i64)
    }

    /// A number u >= sqrt(self), larger by at most a factor 1 + 2^-63 (for zero, 2^-64). Needs `self >= 0`.
    ///
    /// With m·2^e = M·2^(2c), M an integer of at least 128 bits: sqrt(M) < floor(sqrt M) + 1 <= sqrt(M) (1 + 2^-63).
    pub(crate) fn sqrt_up(&self) -> Dyadic {
        let mut widen = 128u64.saturating_sub(self.m.bits()) as i64;
        widen += (self.e - widen).rem_euclid(2);
        Dyadic { m: (&self.m << widen as usize).sqrt() + 1, e: (self.e - widen) / 2 }
    }

    /// A decimal with 20 significant digits, not below (`up`) or not above the exact value.
    ///
    /// The digits are floor or ceil of |self| · 10^(19 - p); p is guessed from the bit length and corrected until the
    /// digits number 20.
    pub fn decimal(&self, up: bool) -> String {
        if self.is_zero() {
            return "0".into();
        }
        let outward = up != self.is_negative();
        let (least, ten) = (BigInt::from(10).pow(DIGITS - 1), BigInt::from(10));
        let mut power = (self.magnitude() - 1) * 30103 / 100_000;
        loop {
            let scale = i64::from(DIGITS) - 1 - power;
            let tens = ten.pow(scale.unsigned_abs() as u32);
            let (mut above, mut below) = (self.m.abs(), BigInt::one());
            *(if scale >= 0 { &mut above } else { &mut below }) *= tens;
            *(if self.e >= 0 { &mut above } else { &mut below }) <<= self.e.unsigned_abs() as usize;
            let digits = if outward { above.div_ceil(&below) } else { above.div_floor(&below) };
            if digits < least {
                power -= 1;
            } else if digits >= &least * &ten {
                power += 1;
            } else {
                let (text, sign) = (digits.to_string(), if self.is_negative() { "-" } else { "" });
                return format!("{sign}{}.{}e{power}", &text[..1], &text[1..]);
            }
        }
    }
}

/// floor(m · 2^shift): a right shift of a `BigInt` rounds towards minus infinity.
pub(crate) fn shifted(m: &BigInt, shift: i64) -> BigInt {
    if shift >= 0 { m << shift as usize } else { m >> shift.unsigned_abs() as usize }
}

impl Add for &Dyadic {
    type Output = Dyadic;
    fn add(self, other: &Dyadic) -> Dyadic {
        let e = self.e.min(other.e);
        Dyadic { m: shifted(&self.m, self.e - e) + shifted(&other.m, other.e - e), e }
    }
}

impl Sub for &Dyadic {
    type Output = Dyadic;
    fn sub(self, other: &Dyadic) -> Dyadic {
        self + &Dyadic { m: -&other.m, e: other.e }
    }
}

impl Mul for &Dyadic {
    type Output = Dyadic;
    fn mul(self, other: &Dyadic) -> Dyadic {
        Dyadic { m: &self.m * &other.m, e: self.e + other.e }
    }
}

impl PartialOrd for Dyadic {
    fn partial_cmp(&self, other: &Dyadic) -> Option<Ordering> {
        Some((self - other).m.cmp(&BigInt::zero()))
    }
}

impl PartialEq for Dyadic {
    fn eq(&self, other: &Dyadic) -> bool {
        (self - other).is_zero()
    }
}

impl fmt::Display for Dyadic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}*2^{}", self.m.to_str_radix(16), self.e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_arithmetic() {
        let (a, b) = (Dyadic::new(3, -1), Dyadic::new(-5, 2));
        assert_eq!(&a + &b, Dyadic::new(-37, -1));
        assert_eq!(&a - &b, Dyadic::new(43, -1));
        assert_eq!(&a * &b, Dyadic::new(-30, 0));
        assert!(b < a && Dyadic::new(1, 3) == Dyadic::new(8, 0) && Dyadic::new(1, -100_000) > Dyadic::default());
        assert_eq!((Dyadic::new(-3, -1).floor_at(0), Dyadic::new(-3, -1).ceil_at(0)), ((-2).into(), (-1).into()));
        assert_eq!((Dyadic::new(3, -1).floor_at(0), Dyadic::new(3, -1).ceil_at(1)), (1.into(), 3.into()));
        assert_eq!(Dyadic::new(5, -3).magnitude(), 0);
    }

    #[test]
    fn roots_round_up() {
        for (m, e) in [(1, 0), (2, 0), (1, 1), (3, -7), (1, -100_001), (0x7fff_ffff, 99_999)] {
            let (x, tight) = (Dyadic::new(m, e), Dyadic::new((1i64 << 61) + 1, -61));
            let root = x.sqrt_up();
            assert!(root.square() >= x && root.square() <= &(&x * &tight) * &tight, "{x}");
        }
        assert_eq!(Dyadic::default().sqrt_up(), Dyadic::new(1, -64));
    }

    #[test]
    fn decimals_round_outward() {
        assert_eq!(Dyadic::new(1, -1).decimal(false), "5.0000000000000000000e-1");
        assert_eq!(Dyadic::new(1, 0).decimal(true), "1.0000000000000000000e0");
        assert_eq!(Dyadic::new(1000, 0).decimal(true), "1.0000000000000000000e3");
        assert_eq!(Dyadic::new(1, -70).decimal(false), "8.4703294725430033906e-22");
        assert_eq!(Dyadic::new(1, -70).decimal(true), "8.4703294725430033907e-22");
        assert_eq!(Dyadic::new(-1, -70).decimal(false), "-8.4703294725430033907e-22");
        assert_eq!(Dyadic::new(-1, -70).decimal(true), "-8.4703294725430033906e-22");
        assert_eq!(Dyadic::new((1u128 << 100) - 1, -100).decimal(true), "1.0000000000000000000e0");
        assert_eq!(Dyadic::new((1u128 << 100) - 1, -100).decimal(false), "9.9999999999999999999e-1");
        assert_eq!(Dyadic::new(1, 100_000).decimal(false), "9.9900209301438450794e30102");
        assert_eq!(Dyadic::new(-0x1f, -4).to_string(), "-1f*2^-4");
    }
}
