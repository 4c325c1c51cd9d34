//! Entries as limbs: digits out of a number, a number out of limbs, and radii.

use rug::{
    Float, Integer,
    float::{exp_max, exp_min},
};

use super::RADIUS_BITS;

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

/// Number of balanced digits of `bits` bits for integers |x| < 2^width: one more bit than `width`, see [`digits`].
pub(super) fn digit_count(width: u64, bits: u32) -> usize {
    (width / u64::from(bits)) as usize + 1
}

/// Balanced digits of x = ±⌊L 2^shift⌋, |x| < 2^(bits · count − 1): x = Σ_d digit_d 2^(bits·d) with |digit_d| <= 2^(bits−1).
///
/// The raw digit v in [0, 2^bits] (with the carry) becomes v − c 2^bits in [−2^(bits−1), 2^(bits−1)) with c = ⌊(v + 2^(bits−1)) / 2^bits⌋.
/// The top raw digit is below 2^(bits−1), so with a carry it is at most 2^(bits−1), and passes none on.
#[inline]
pub(super) fn digits(limbs: &[u64], negative: bool, shift: i64, bits: u32, count: usize, mut put: impl FnMut(usize, f64)) {
    let (mask, half) = ((1u64 << bits) - 1, 1u64 << (bits - 1));
    let sign = if negative { -1.0 } else { 1.0 };
    let mut carry = 0;
    for d in 0..count {
        let raw = (window(limbs, i64::from(bits) * d as i64 - shift) & mask) + carry;
        carry = if d + 1 < count { (raw + half) >> bits } else { 0 };
        put(d, sign * (raw as i64 - (carry << bits) as i64) as f64);
    }
}

/// Number of bits of the integer with these limbs.
pub(super) fn bit_length(limbs: &[u64]) -> i64 {
    limbs.iter().rposition(|&l| l != 0).map_or(0, |top| 64 * top as i64 + i64::from(64 - limbs[top].leading_zeros()))
}

/// `±limbs · 2^low` rounded to nearest, and e when the result is off by at most 2^e (`None`: exact).
///
/// Beyond the largest exponent the answer is `None`; below the least one it is zero with the bound 2^(exponent of the value).
pub(super) fn round(limbs: &[u64], negative: bool, low: i64, prec: u32) -> Option<(Float, Option<i64>)> {
    let mut float = Float::new(prec);
    let length = bit_length(limbs);
    if length == 0 {
        return Some((float, None));
    }
    let count = (prec as usize).div_ceil(64);
    let spare = 64 * count as u32 - prec;
    let bottom = length - i64::from(prec); // lowest bit kept
    let mut exp = low + length;
    let inexact = bottom > 0 && {
        let (word, offset) = ((bottom >> 6) as usize, bottom & 63);
        limbs[word] & ((1u64 << offset) - 1) != 0 || limbs[..word].iter().any(|&l| l != 0)
    };
    let mut carry = bottom > 0 && window(limbs, bottom - 1) & 1 == 1;
    let error = inexact.then_some(exp - i64::from(prec) - 1);
    let limb = |r: usize| {
        let limb = window(limbs, length - 64 * (count - r) as i64);
        if r == 0 { limb >> spare << spare } else { limb }
    };
    // A carry out of an all-ones significand gives 2^prec.
    let full = carry && limb(0) | ((1u64 << spare) - 1) == u64::MAX && (1..count).all(|r| limb(r) == u64::MAX);
    exp += i64::from(full);
    if exp > i64::from(exp_max()) {
        return None;
    }
    if exp < i64::from(exp_min()) {
        return Some((float, Some(exp)));
    }
    let mut unit = 1u64 << spare;
    // SAFETY: `Float::new(prec)` owns ⌈prec/64⌉ limbs. All are written: the top bit of the last is set, the `spare` low bits of the
    // first are zero and the exponent is in range, which is what MPFR asks of a regular number ("Internals" of its manual).
    unsafe {
        let raw = float.as_raw_mut();
        let data = (*raw).d.as_ptr();
        for r in 0..count {
            let value = if full {
                if r + 1 == count { 1 << 63 } else { 0 }
            } else if carry {
                let (sum, over) = limb(r).overflowing_add(unit);
                (carry, unit) = (over, 1);
                sum
            } else {
                limb(r)
            };
            data.add(r).write(value);
        }
        (*raw).exp = exp as _;
        (*raw).sign = if negative { -1 } else { 1 };
    }
    Some((float, error))
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
        if self.m == 0 {
            return Float::new(RADIUS_BITS);
        }
        match round(&[self.m], false, self.e, RADIUS_BITS) {
            Some((float, None)) => float,
            // Underflow: the least positive number. (m <= 2^53 is exact.)
            Some((_, Some(_))) => least_positive(),
            None => infinite(),
        }
    }
}

fn least_positive() -> Float {
    let mut least = Float::new(RADIUS_BITS);
    least.next_up();
    least
}

pub(super) fn infinite() -> Float {
    Float::with_val(RADIUS_BITS, f64::INFINITY)
}
