//! Entries as limbs: digits out of a number, a number out of limbs, and radii.

use rug::{
    Float, Integer,
    float::{Special, exp_max, exp_min},
};

use super::{
    RADIUS_BITS,
    enclosed::{Midpoint, SHORT_BITS},
};

/// A number `±L · 2^low` with the integer L given by 64-bit limbs, the least first.
pub(super) trait Limbs: Send + Sync {
    /// Calls `f(limbs of L, negative, low)`; zero may call it with zero limbs or not at all.
    fn limbs(&self, f: impl FnOnce(&[u64], bool, i64));
}

impl Limbs for Float {
    #[inline]
    fn limbs(&self, f: impl FnOnce(&[u64], bool, i64)) {
        if let (Some(significand), Some(exp)) = (self.get_significand(), self.get_exp()) {
            let limbs = significand.as_limbs();
            f(limbs, self.is_sign_negative(), i64::from(exp) - 64 * limbs.len() as i64);
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
        let (mask, half) = ((1u64 << self.bits) - 1, 1i64 << (self.bits - 1));
        let sign = if negative { -1.0 } else { 1.0 };
        let last = self.count - 1;
        for d in 0..last {
            put(d, sign * (((sum >> (self.bits as usize * d)) as u64 & mask) as i64 - half) as f64);
        }
        put(last, sign * ((sum >> (self.bits as usize * last)) as i64 - half) as f64);
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

/// `±limbs · 2^low` rounded to nearest, and e when the result is off by at most 2^e (`None`: exact).
///
/// Beyond the largest exponent the answer is `None`; below the least one it is zero with the bound 2^(exponent of the value).
pub(super) fn round(limbs: &[u64], negative: bool, low: i64, prec: u32) -> Option<(Midpoint, Option<i64>)> {
    let length = bit_length(limbs);
    if length == 0 {
        return Some((Midpoint::zero(prec), None));
    }
    let bottom = length - i64::from(prec); // lowest bit kept
    let mut exp = low + length;
    let inexact = bottom > 0 && {
        let (word, offset) = ((bottom >> 6) as usize, bottom & 63);
        limbs[word] & ((1u64 << offset) - 1) != 0 || limbs[..word].iter().any(|&l| l != 0)
    };
    let carry = bottom > 0 && window(limbs, bottom - 1) & 1 == 1;
    let error = inexact.then_some(exp - i64::from(prec) - 1);
    let short = prec <= SHORT_BITS;
    let (mut significand, mut long) = (0, vec![]);
    let over = if short {
        // The upper `prec` bits of 128, and one more in the lowest of them.
        let spare = SHORT_BITS - prec;
        let kept = (u128::from(window(limbs, length - 64)) << 64 | u128::from(window(limbs, length - 128))) >> spare << spare;
        let (sum, over) = kept.overflowing_add(u128::from(carry) << spare);
        significand = sum;
        over
    } else {
        let count = (prec as usize).div_ceil(64);
        let spare = 64 * count as u32 - prec;
        let (mut carry, mut unit) = (carry, 1u64 << spare);
        long = (0..count).map(|r| window(limbs, length - 64 * (count - r) as i64)).collect();
        long[0] = long[0] >> spare << spare;
        for limb in &mut long {
            if !carry {
                break;
            }
            (*limb, carry) = limb.overflowing_add(unit);
            unit = 1;
        }
        carry
    };
    // A carry out of an all-ones significand gives 2^prec.
    exp += i64::from(over);
    if exp > i64::from(exp_max()) {
        return None;
    }
    if exp < i64::from(exp_min()) {
        return Some((Midpoint::zero(prec), Some(exp)));
    }
    const TOP: u64 = 1 << 63;
    let mid = if short {
        Midpoint::short(if over { u128::from(TOP) << 64 } else { significand }, negative, exp as i32, prec)
    } else {
        if over {
            long.last_mut().into_iter().for_each(|l| *l = TOP);
        }
        Midpoint::long(&long, negative, exp as i32, prec)
    };
    Some((mid, error))
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
        match round(&[self.m], false, self.e, RADIUS_BITS) {
            // (m <= 2^53 is exact.)
            Some((float, None)) => float.into_float(),
            Some((_, Some(_))) => least_positive(),
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
                    let (mid, error) = round(&limbs, negative, -70, prec).expect("within range");
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
