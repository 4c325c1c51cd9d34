//! Integers of any size that allocate nothing while they fit in 128 bits.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use crate::dyadic;

/// An integer; `Big` only beyond 128 bits, so that equal numbers are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Int {
    Small(i128),
    Big(BigInt),
}

impl Int {
    pub const ZERO: Int = Int::Small(0);
    pub const ONE: Int = Int::Small(1);

    pub fn big(&self) -> Cow<'_, BigInt> {
        match self {
            Int::Small(x) => Cow::Owned((*x).into()),
            Int::Big(x) => Cow::Borrowed(x),
        }
    }

    pub fn small(&self) -> Option<i128> {
        if let Int::Small(x) = self { Some(*x) } else { None }
    }

    pub fn is_zero(&self) -> bool {
        *self == Int::ZERO
    }

    pub fn is_negative(&self) -> bool {
        match self {
            Int::Small(x) => *x < 0,
            Int::Big(x) => x.is_negative(),
        }
    }

    pub fn abs(&self) -> Int {
        if self.is_negative() { -self } else { self.clone() }
    }

    /// Bit length of the magnitude.
    pub fn bits(&self) -> u64 {
        match self {
            Int::Small(x) => u64::from(128 - x.unsigned_abs().leading_zeros()),
            Int::Big(x) => x.bits(),
        }
    }

    /// floor(self · 2^shift).
    pub fn shifted(&self, shift: i64) -> Int {
        match self {
            Int::Small(0) => Int::ZERO,
            Int::Small(x) if shift <= 0 => Int::Small(x >> shift.unsigned_abs().min(127)),
            Int::Small(x) if self.bits() + shift as u64 <= 127 => Int::Small(x << shift),
            _ => dyadic::shifted(&self.big(), shift).into(),
        }
    }

    /// `small` where it does not overflow, `big` otherwise.
    fn either(&self, other: &Int, small: fn(i128, i128) -> Option<i128>, big: fn(&BigInt, &BigInt) -> BigInt) -> Int {
        if let (Int::Small(x), Int::Small(y)) = (self, other)
            && let Some(z) = small(*x, *y)
        {
            return Int::Small(z);
        }
        big(&self.big(), &other.big()).into()
    }
}

impl From<BigInt> for Int {
    fn from(x: BigInt) -> Int {
        x.to_i128().map_or(Int::Big(x), Int::Small)
    }
}

impl From<usize> for Int {
    fn from(x: usize) -> Int {
        Int::Small(x as i128)
    }
}

impl Default for Int {
    fn default() -> Int {
        Int::ZERO
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Int) -> Ordering {
        match (self, other) {
            (Int::Small(x), Int::Small(y)) => x.cmp(y),
            _ => self.big().cmp(&other.big()),
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Int) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Add for &Int {
    type Output = Int;
    fn add(self, other: &Int) -> Int {
        self.either(other, i128::checked_add, |x, y| x + y)
    }
}

impl Sub for &Int {
    type Output = Int;
    fn sub(self, other: &Int) -> Int {
        self.either(other, i128::checked_sub, |x, y| x - y)
    }
}

impl Mul for &Int {
    type Output = Int;
    fn mul(self, other: &Int) -> Int {
        self.either(other, i128::checked_mul, |x, y| x * y)
    }
}

impl Neg for &Int {
    type Output = Int;
    fn neg(self) -> Int {
        &Int::ZERO - self
    }
}

impl AddAssign<&Int> for Int {
    fn add_assign(&mut self, other: &Int) {
        match self {
            Int::Big(x) => {
                *x += &*other.big();
                if x.bits() <= 128 {
                    *self = std::mem::take(x).into();
                }
            }
            Int::Small(_) => *self = &*self + other,
        }
    }
}

impl<'a> Sum<&'a Int> for Int {
    fn sum<I: Iterator<Item = &'a Int>>(terms: I) -> Int {
        terms.fold(Int::ZERO, |mut sum, x| {
            sum += x;
            sum
        })
    }
}

impl Sum for Int {
    fn sum<I: Iterator<Item = Int>>(terms: I) -> Int {
        terms.fold(Int::ZERO, |mut sum, x| {
            sum += &x;
            sum
        })
    }
}

#[cfg(test)]
mod tests {
    use num_traits::Zero;

    use super::*;

    /// Every operation against big integers, on both sides of every overflow.
    #[test]
    fn agrees_with_big_integers() {
        let mut numbers = vec![BigInt::zero()];
        for bits in [1, 31, 62, 63, 64, 65, 100, 126, 127, 128, 129, 200, 400] {
            for off in [-1, 0, 1] {
                let x = (BigInt::from(1) << bits) + off;
                numbers.extend([-&x, x]);
            }
        }
        let canonical = |x: &Int, exact: BigInt| {
            assert_eq!(x.big().as_ref(), &exact);
            assert_eq!(x.small(), exact.to_i128());
            assert_eq!((x.bits(), x.is_negative(), x.is_zero()), (exact.bits(), exact.is_negative(), exact.is_zero()));
        };
        for x in &numbers {
            let a = Int::from(x.clone());
            canonical(&-&a, -x);
            canonical(&a.abs(), x.abs());
            for shift in [-500, -128, -127, -64, -1, 0, 1, 60, 64, 127, 128, 300] {
                canonical(&a.shifted(shift), dyadic::shifted(x, shift));
            }
            for y in &numbers {
                let b = Int::from(y.clone());
                canonical(&(&a + &b), x + y);
                canonical(&(&a - &b), x - y);
                canonical(&(&a * &b), x * y);
                canonical(&[&a, &b, &a].into_iter().sum(), x + y + x);
                canonical(&[a.clone(), b.clone(), -&a].into_iter().sum(), y.clone());
                assert_eq!((a.cmp(&b), a == b), (x.cmp(y), x == y));
            }
        }
    }
}
