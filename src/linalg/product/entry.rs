//! Entries as limbs: digits out of a number, a number out of limbs, and radii.

use rug::{
    Float, Integer,
    float::{Special, exp_max, exp_min},
};

use super::{RADIUS_BITS, enclosed::Midpoint};

/// A number `±L · 2^low` with the integer L given by 64-bit limbs, the least first.
pub(super) trait Limbs: Send + Sync {
    /// Calls `f(limbs of L, negative, low)`, with no limbs for what is zero or no number.
    fn limbs(&self, f: impl FnOnce(&[u64], bool, i64));
}

impl Limbs for Float {
    #[inline]
    fn limbs(&self, f: impl FnOnce(&[u64], bool, i64)) {
        match (self.get_significand(), self.get_exp()) {
            (Some(significand), Some(exp)) => {
                let limbs = significand.as_limbs();
                f(limbs, self.is_sign_negative(), i64::from(exp) - 64 * limbs.len() as i64);
            }
            _ => f(&[], false, 0),
        }
    }
}

impl Limbs for Integer {
    #[inline]
    fn limbs(&self, f: impl FnOnce(&[u64], bool, i64)) {
        f(self.as_limbs(), self.is_negative(), 0);
    }
}

/// The 64 bits of an integer from bit `at` up; bits outside it are zero.
#[inline]
pub(super) fn window(limbs: &[u64], at: i64) -> u64 {
    let (word, offset) = (at >> 6, (at & 63) as u32);
    // A negative word index wraps to one beyond every length.
    let limb = |w: i64| limbs.get(w as usize).copied().unwrap_or(0);
    limb(word) >> offset | limb(word + 1) << 1 << (63 - offset)
}

/// Number of balanced digits of `bits` bits for integers |x| < 2^width: one more bit than `width`, see [`Digits::cut`].
pub(super) fn digit_count(width: u64, bits: u32) -> usize {
    (width / u64::from(bits)) as usize + 1
}

/// Balanced digits of integers x = ±⌊L 2^shift⌋, |x| < 2^(bits · count − 1): x = Σ_d digit_d 2^(bits·d) with |digit_d| <= 2^(bits−1).
#[derive(Clone, Copy)]
pub(super) struct Digits {
    pub bits: u32,
    pub count: usize,
    /// Σ_d 2^(bits·d + bits − 1), where it plus any |x| is below 2^128.
    offset: Option<u128>,
}

impl Digits {
    pub fn new(bits: u32, count: usize) -> Self {
        let fits = bits as usize * count < 128;
        let offset = || (0..count).fold(0, |sum, d| sum | 1u128 << (bits as usize * (d + 1) - 1));
        Digits { bits, count, offset: fits.then(offset) }
    }

    /// Calls `put(d, digit_d)` for every d.
    #[inline]
    pub fn cut(self, limbs: &[u64], negative: bool, shift: i64, put: impl FnMut(usize, f64)) {
        match (self.offset, limbs) {
            (Some(offset), &[low, high]) => self.cut_short(u128::from(high) << 64 | u128::from(low), negative, shift, offset, put),
            (Some(offset), &[low]) => self.cut_short(u128::from(low), negative, shift, offset, put),
            _ => self.cut_long(limbs, negative, shift, put),
        }
    }

    /// With u_d the digits in [0, 2^bits) of |x| + Σ_d 2^(bits−1) 2^(bits·d), |x| = Σ_d (u_d − 2^(bits−1)) 2^(bits·d). Only the top one may be
    /// 2^bits: the sum is below 2^(bits·count − 1) + 2^(bits·count − 1) + 2^(bits·(count − 1)).
    #[inline]
    fn cut_short(self, l: u128, negative: bool, shift: i64, offset: u128, mut put: impl FnMut(usize, f64)) {
        let x = match shift {
            0..128 => l << shift,
            -127..0 => l >> -shift,
            _ => 0,
        };
        let sum = x + offset;
        let (mut low, mut high) = (sum as u64, (sum >> 64) as u64);
        let (mask, half) = ((1u64 << self.bits) - 1, 1i64 << (self.bits - 1));
        let sign = if negative { -1.0 } else { 1.0 };
        let last = self.count - 1;
        for d in 0..last {
            put(d, sign * ((low & mask) as i64 - half) as f64);
            (low, high) = (low >> self.bits | high << 1 << (63 - self.bits), high >> self.bits);
        }
        put(last, sign * (low as i64 - half) as f64);
    }

    /// The raw digit v in [0, 2^bits] (with the carry) becomes v − c 2^bits in [−2^(bits−1), 2^(bits−1)) with c = ⌊(v + 2^(bits−1)) / 2^bits⌋.
    /// The top raw digit is below 2^(bits−1), so with a carry it is at most 2^(bits−1), and passes none on.
    #[inline]
    fn cut_long(self, limbs: &[u64], negative: bool, shift: i64, mut put: impl FnMut(usize, f64)) {
        let (bits, count) = (self.bits, self.count);
        let (mask, half) = ((1u64 << bits) - 1, 1u64 << (bits - 1));
        let sign = if negative { -1.0 } else { 1.0 };
        let mut carry = 0;
        for d in 0..count {
            let raw = (window(limbs, i64::from(bits) * d as i64 - shift) & mask) + carry;
            carry = if d + 1 < count { (raw + half) >> bits } else { 0 };
            put(d, sign * (raw as i64 - (carry << bits) as i64) as f64);
        }
    }
}

/// Number of bits of the integer with these limbs.
pub(super) fn bit_length(limbs: &[u64]) -> i64 {
    limbs.iter().rposition(|&l| l != 0).map_or(0, |top| 64 * top as i64 + i64::from(64 - limbs[top].leading_zeros()))
}

/// Floating-point numbers of some precision, with the least and the largest exponent of MPFR.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub prec: u32,
    least: i64,
    pub most: i64,
}

impl Format {
    pub fn new(prec: u32) -> Self {
        Format { prec, least: exp_min().into(), most: exp_max().into() }
    }

    /// Rounds `±limbs · 2^low` to nearest, and tells e when the result is off by at most 2^e (`Some(None)`: exact).
    ///
    /// Beyond the largest exponent the answer is `None`; below the least one `mid` is zero, with the bound 2^(exponent of the value).
    #[inline]
    pub fn round(self, limbs: &[u64], negative: bool, low: i64, mid: &mut Midpoint) -> Option<Option<i64>> {
        let Format { prec, least, most } = self;
        let length = bit_length(limbs);
        if length == 0 {
            *mid = Midpoint::zero(prec);
            return Some(None);
        }
        let (mut exp, mut exact) = (low + length, true);
        let top = (length as usize - 1) / 64;
        let up = (-length & 63) as u32;
        // Limbs shifted up so that their top bit is set, from the top: a negative index wraps to one beyond every length.
        let shifted = |r: usize| {
            let limb = |r: usize| limbs.get(top.wrapping_sub(r)).copied().unwrap_or(0);
            limb(r) << up | limb(r + 1) >> 1 >> (63 - up)
        };
        mid.set(prec, |out| {
            let (count, spare) = (out.len(), 64 * out.len() as u32 - prec);
            out.iter_mut().rev().enumerate().for_each(|(r, limb)| *limb = shifted(r));
            // What is left out: `spare` bits, the limb below, and those below it.
            let below = shifted(count);
            let rest = out[0] & ((1 << spare) - 1);
            let half = if spare == 0 { below >> 63 } else { rest >> (spare - 1) };
            exact = rest == 0 && below == 0 && (top <= count || limbs[..top - count].iter().all(|&l| l == 0));
            out[0] -= rest;
            let (mut over, mut unit) = (half == 1, 1u64 << spare);
            for limb in &mut *out {
                (*limb, over) = limb.overflowing_add(if over { unit } else { 0 });
                unit = 1;
            }
            if over {
                // A carry out of an all-ones significand gives 2^prec.
                exp += 1;
                out[count - 1] = 1 << 63;
            }
            (least..=most).contains(&exp).then_some((negative, exp as i32))
        });
        match exp {
            _ if exp > most => None,
            _ if exp < least => Some(Some(exp)),
            _ => Some((!exact).then_some(low + length - i64::from(prec) - 1)),
        }
    }
}

/// An upper bound `m · 2^e` with m < 2^53; sums and products round up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    m: u64,
    e: i64,
}

impl Bound {
    pub const ZERO: Bound = Bound { m: 0, e: 0 };

    pub fn new(m: u64, e: i64) -> Self {
        let excess = i64::from((64 - m.leading_zeros()).saturating_sub(RADIUS_BITS));
        // 2^53 after rounding up is kept: one bit beyond, still exact to store.
        Bound { m: (m >> excess) + u64::from(m & ((1u64 << excess) - 1) != 0), e: e + excess }
    }

    pub fn is_zero(self) -> bool {
        self.m == 0
    }

    /// m 2^e 2^shift.
    pub fn scaled(self, shift: i64) -> Self {
        Bound { e: self.e + shift, ..self }
    }

    pub fn plus(self, other: Self) -> Self {
        let (high, low) = if self.m != 0 && (other.m == 0 || self.top() >= other.top()) { (self, other) } else { (other, self) };
        if low.m == 0 {
            return high;
        }
        // Eight guard bits keep a small summand from costing a whole unit.
        let (high, e) = (high.m << 8, high.e - 8);
        let gap = e - low.e;
        let part = if gap <= 0 {
            low.m << -gap
        } else if gap < 64 {
            (low.m >> gap) + u64::from(low.m & ((1u64 << gap) - 1) != 0)
        } else {
            1
        };
        Bound::new(high + part, e)
    }

    /// e with m 2^e <= 2^(top).
    pub fn top(self) -> i64 {
        self.e + i64::from(64 - self.m.leading_zeros())
    }

    pub fn to_float(self) -> Float {
        let mut float = Midpoint::zero(RADIUS_BITS);
        match Format::new(RADIUS_BITS).round(&[self.m], false, self.e, &mut float) {
            // (m <= 2^53 is exact.)
            Some(None) => float.into_float(),
            Some(Some(_)) => least_positive(),
            None => Float::with_val(RADIUS_BITS, Special::Infinity),
        }
    }
}

fn least_positive() -> Float {
    let mut least = Float::new(RADIUS_BITS);
    least.next_up();
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use rug::{Rational, integer::Order};

    /// Limbs with long runs of ones and zeros, where carries travel.
    fn patterns() -> Vec<Vec<u64>> {
        let words = [0, 1, u64::MAX, 1 << 63, u64::MAX << 1, 0x0123_4567_89ab_cdef, (1 << 53) - 1];
        let mut out: Vec<Vec<u64>> = vec![];
        for a in words {
            out.push(vec![a]);
            for b in words {
                out.push(vec![a, b]);
                out.extend(words.map(|c| vec![a, b, c]));
                out.push(vec![a, b, u64::MAX, u64::MAX]);
            }
        }
        out
    }

    #[test]
    fn rounding_is_nearest_at_every_precision() {
        for limbs in patterns() {
            let exact = Integer::from_digits(&limbs, Order::Lsf);
            for prec in [1, 2, 52, 53, 63, 64, 65, 106, 127, 128, 129, 191, 192, 193, 300] {
                for negative in [false, true] {
                    let mut mid = Midpoint::zero(prec);
                    let error = Format::new(prec).round(&limbs, negative, -70, &mut mid).expect("within range");
                    let mid = mid.to_float();
                    assert_eq!(mid.prec(), prec);
                    let exact = Rational::from(if negative { Integer::from(-&exact) } else { exact.clone() }) >> 70;
                    let off: Rational = mid.to_rational().expect("finite") - &exact;
                    let off = off.abs();
                    let power = |e: i64| {
                        let one = Rational::from(1);
                        if e >= 0 { one << e as u32 } else { one >> e.unsigned_abs() as u32 }
                    };
                    assert!(error.map_or(off == 0, |e| off != 0 && off <= power(e)), "{limbs:x?} {prec}");
                    let nearest = Float::with_val(prec, &exact);
                    let least: Rational = nearest.to_rational().expect("finite") - &exact;
                    assert!(off <= least.abs(), "{limbs:x?} {prec}");
                }
            }
        }
    }

    /// Σ digit 2^(bits·d) is the integer, and digits are balanced, whether or not 128 bits suffice.
    #[test]
    fn digits_make_up_the_integer() {
        for limbs in patterns() {
            let length = bit_length(&limbs);
            for bits in [2u32, 5, 21, 22, 23, 30] {
                for shift in [-200i64, -127, -100, -64, -63, -1, 0, 1, 20] {
                    let width = (length + shift).max(0) as u64;
                    if length + shift > 400 || shift > 0 && length > 90 {
                        continue;
                    }
                    let count = digit_count(width, bits);
                    let l = Integer::from_digits(&limbs, Order::Lsf);
                    let exact = if shift >= 0 { l << shift as u32 } else { l >> shift.unsigned_abs() as u32 };
                    for negative in [false, true] {
                        let (mut sum, mut calls) = (Integer::new(), 0);
                        Digits::new(bits, count).cut(&limbs, negative, shift, |d, v| {
                            assert!(v.abs() <= 2f64.powi(bits as i32 - 1) && v.fract() == 0.0);
                            sum += Integer::from(v as i64) << (bits * d as u32);
                            calls += 1;
                        });
                        assert_eq!(calls, count);
                        assert_eq!(if negative { -sum } else { sum }, exact, "{limbs:x?} {bits} {shift}");
                    }
                }
            }
        }
    }
}
