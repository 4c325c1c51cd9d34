//! Digits with growing weights summed into limbs, for many entries in step so that every loop is one of vectors.

use super::super::vector::vectorised;

/// Entries in step: their limbs stay in the nearest caches.
pub(super) const LANES: usize = 256;

/// Terms of one weight at most, see [`Carry::add`].
pub(super) const SAME_WEIGHT: usize = 256;

/// Sums x_e = Σ_d v_de 2^(w_d), w_d not decreasing: x_e = limbs_e + pending_e 2^base, where limbs_e < 2^base.
pub(super) struct Carry {
    pending: Vec<i64>,
    base: u64,
    /// Limb l of every entry after limb l − 1 of every entry.
    limbs: Vec<u64>,
    /// Limbs of one entry.
    entry: Vec<u64>,
}

impl Carry {
    pub fn new() -> Self {
        Carry { pending: vec![], base: 0, limbs: vec![], entry: vec![] }
    }

    /// Zero for every entry.
    pub fn clear(&mut self, entries: usize) {
        self.limbs.clear();
        self.pending.clear();
        self.pending.resize(entries, 0);
        self.base = 0;
    }

    /// Adds v_e 2^weight, integers |v_e| <= 2^53.
    ///
    /// With at most `SAME_WEIGHT` additions and subtractions each of one weight, and 4 to 63 bits between weights, |pending| stays below
    /// 2 · 256 · 2^53 · 16/15 < 2^63.
    pub fn add(&mut self, values: &[f64], weight: u64) {
        self.raise(weight);
        let pending = &mut self.pending;
        vectorised(
            #[inline(always)]
            || pending.iter_mut().zip(values).for_each(|(p, &v)| *p += integer(v)),
        );
    }

    /// Subtracts v_e factor, |v_e factor| <= 2^53, of the weight last added.
    pub fn subtract(&mut self, values: &[i64], factor: i64) {
        let pending = &mut self.pending;
        vectorised(
            #[inline(always)]
            || pending.iter_mut().zip(values).for_each(|(p, &v)| *p -= v * factor),
        );
    }

    /// Moves the bits of `pending` below `weight` to the limbs.
    fn raise(&mut self, weight: u64) {
        let step = weight - self.base;
        if step > 0 {
            debug_assert!((4..64).contains(&step));
            let mask = ((1u64 << step) - 1) as i64;
            self.spread(move |p| (p & mask, 0), move |p| p >> step);
            self.base = weight;
        }
    }

    /// Puts the 128 bits `bits(pending)` (low, and all ones or zeros above) at `base`, and `rest(pending)` in its place.
    #[inline(always)]
    fn spread(&mut self, bits: impl Fn(i64) -> (i64, i64), rest: impl Fn(i64) -> i64) {
        let entries = self.pending.len();
        let (limb, offset) = ((self.base / 64) as usize, self.base % 64);
        self.limbs.resize((limb + 2) * entries, 0);
        let (low, high) = self.limbs[limb * entries..].split_at_mut(entries);
        let pending = &mut self.pending;
        vectorised(
            #[inline(always)]
            move || {
                for ((p, low), high) in pending.iter_mut().zip(&mut *low).zip(&mut *high) {
                    let (x, above) = bits(*p);
                    *low |= (x as u64) << offset;
                    *high |= x as u64 >> 1 >> (63 - offset) | (above as u64) << offset;
                    *p = rest(*p);
                }
            },
        );
    }

    /// Calls `f(limbs, negative)` for every entry in turn, x_e = ±limbs, the least limb first.
    pub fn finish(&mut self, mut f: impl FnMut(&[u64], bool)) {
        self.spread(|p| (p, p >> 63), |p| p >> 63);
        let entries = self.pending.len();
        self.entry.resize(self.limbs.len() / entries.max(1), 0);
        for (e, &sign) in self.pending.iter().enumerate() {
            // −x = !x + 1 in two's complement.
            let mut carry = sign != 0;
            for (limb, out) in self.limbs[e..].iter().step_by(entries).zip(&mut self.entry) {
                (*out, carry) = (limb ^ sign as u64).overflowing_add(u64::from(carry));
            }
            f(&self.entry, sign != 0);
        }
    }
}

/// 1.5 · 2^52: adding and taking it off rounds |v| < 2^51 to an integer, which the sum's lowest bits are.
pub(super) const SHIFT: f64 = (3u64 << 51) as f64;

/// An integer |v| <= 2^53 without the scalar instruction that converts: v = high 2^26 + low, |high| <= 2^27, |low| <= 2^25.
#[inline(always)]
fn integer(v: f64) -> i64 {
    const HALF: f64 = (1u64 << 26) as f64;
    let bits = |x: f64| x.to_bits() as i64 - SHIFT.to_bits() as i64;
    let high = v * (1.0 / HALF) + SHIFT;
    let low = v - (high - SHIFT) * HALF;
    (bits(high) << 26) + bits(low + SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rug::{Integer, integer::Order};

    /// Σ v 2^weight of values with long carries, both signs, at steps that meet and straddle limbs.
    #[test]
    fn sums_are_exact() {
        let two_53 = 2f64.powi(53);
        let values = [0.0, 1.0, -1.0, two_53, -two_53, two_53 - 1.0, 33_554_432.0, -33_554_432.0, 67_108_863.0, -123_456_789_012_345.0];
        for step in [4u64, 21, 22, 32, 40, 63] {
            for terms in 1..9usize {
                let entries = values.len() * values.len();
                let value = |d: usize, e: usize| values[(e / values.len().pow(d as u32 % 2) + d / 2) % values.len()];
                let mut carry = Carry::new();
                carry.clear(entries);
                let mut exact = vec![Integer::new(); entries];
                for d in 0..terms {
                    let column: Vec<f64> = (0..entries).map(|e| value(d, e)).collect();
                    // Weights 0, 0, step, step, ...
                    let weight = step * (d as u64 / 2);
                    carry.add(&column, weight);
                    let quotients: Vec<i64> = (0..entries).map(|e| e as i64 - 50).collect();
                    carry.subtract(&quotients, d as i64 * 1_000_003);
                    for (e, x) in exact.iter_mut().enumerate() {
                        *x += Integer::from(column[e] as i64 - quotients[e] * d as i64 * 1_000_003) << weight as u32;
                    }
                }
                let mut calls = 0;
                carry.finish(|limbs, negative| {
                    let x = Integer::from_digits(limbs, Order::Lsf);
                    assert_eq!(if negative { -x } else { x }, exact[calls], "step {step}, {terms} terms, entry {calls}");
                    calls += 1;
                });
                assert_eq!(calls, entries);
            }
        }
    }
}
