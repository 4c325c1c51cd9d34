//! Enclosures of exp and log in 64-bit fixed point. An *ulp* is 2^-63.

use rug::{Float, float::Round};

/// Tables of exp(a/2^8) for a/2^8 <= ln 2 and log(1 + j/2^8) for j < 2^8, each below the exact value by less than an ulp.
pub(super) struct Fixed {
    exp: Vec<u64>,
    log: Vec<u64>,
    /// ln 2 in units of 2^-80 and 2^-63, rounded down.
    ln2_fine: i128,
    ln2: i128,
}

/// One.
pub(super) const ONE: u64 = 1 << 63;

/// Binary digits of the tables before they are rounded down.
const TABLE_BITS: u32 = 160;

impl Fixed {
    pub fn new() -> Self {
        let below = |x: Float, bits: u32| (x << bits).to_integer_round(Round::Down).and_then(|(m, _)| m.to_u128()).unwrap_or(0);
        let step = |j: u32| Float::with_val(TABLE_BITS, j) >> 8u32;
        let ln2 = |bits: u32| below(Float::with_val(TABLE_BITS, 2).ln(), bits) as i128;
        Fixed {
            exp: (0..178).map(|a| below(step(a).exp(), 63) as u64).collect(),
            log: (0..256).map(|j| below(step(j).ln_1p(), 63) as u64).collect(),
            ln2_fine: ln2(80),
            ln2: ln2(63),
        }
    }

    /// Bounds (low, high), in ulps, of exp(x) for x = m 2^e <= 0.
    ///
    /// Let X = ⌊x 2^80⌋, n with r = X + n LN2 in [0, LN2], LN2 the table's: exp x = 2^-n exp(r 2^-80 + η), 0 <= η < (n + 1) 2^-80, below
    /// 2^-73 as larger n are not used. Split r = a/2^8 + s + σ, s a multiple of 2^-64 below 2^-8, σ < 2^-64. Then exp s is
    /// h_1, h_j = 1 + s h_{j+1}/j, h_9 = 1, but for a tail below 2^-90: a step loses less than two ulps of its own and passes on less
    /// than 2^-8 of the next one's, the last step less than one; σ and η change exp s by less than 0.51 ulp. So h is below by less than
    /// 1.6 ulps, its product with the table's by less than 1 + 2 · 1.6 + 1.01 < 6.
    #[inline]
    pub fn exp(&self, m: i128, e: i32) -> (u64, u64) {
        const BEYOND: (u64, u64) = (0, 1);
        let x = match -(e + 80) {
            shift @ 0.. => m >> shift.min(127),
            _ if m == 0 => 0,
            shift if m.unsigned_abs().leading_zeros() > shift.unsigned_abs() => m << -shift,
            _ => return BEYOND,
        };
        if x < -(64 << 80) {
            return BEYOND;
        }
        let n = (-x + self.ln2_fine - 1) / self.ln2_fine;
        if n > 63 {
            return BEYOND;
        }
        let r = x + n * self.ln2_fine;
        let (a, s) = ((r >> 72) as usize, ((r & ((1 << 72) - 1)) >> 16) as u64);
        let mut h = ONE;
        for j in (1..=8).rev() {
            h = ONE + times(s, h, 64) / j;
        }
        let p = (u128::from(self.exp[a]) * u128::from(h)) >> 63;
        ((p >> n) as u64, ((p + 6) >> n) as u64 + 1)
    }

    /// An upper bound, in ulps, of log(m 2^e) for m > 0, above by less than 2^7 ulps while |e| < 2^6.
    ///
    /// y = 2^s v with v in [1, 2), c = 1 + j/2^8 <= v the table's point next below: log y = s ln 2 + log c + 2 atanh z, z = (v - c)/(v + c) < 2^-9.
    /// z, z³/3, z⁵/5 and z⁷/7 lose less than one ulp and 0.01, 0.01 and 0.01 more of those before; the tail is smaller than 2^-80. So log c and
    /// twice the sum lose less than 1 + 2 · 4.1 < 10 ulps, and s ln 2 less than s for s > 0 (a gain for s < 0).
    #[inline]
    pub fn log_upper(&self, m: u64, e: i32) -> i128 {
        let zeros = m.leading_zeros();
        let (v, s) = (m << zeros, 63 - zeros as i128 + i128::from(e));
        let c = v >> 55 << 55;
        let z = ((u128::from(v - c) << 63) / (u128::from(v) + u128::from(c))) as u64;
        let square = times(z, z, 63);
        let (third, fifth) = (times(z, square, 63), times(times(z, square, 63), square, 63));
        let series = z + third / 3 + fifth / 5 + times(fifth, square, 63) / 7;
        s * self.ln2 + i128::from(self.log[(v >> 55) as usize - 256]) + 2 * i128::from(series) + 10 + s.max(0)
    }
}

#[inline]
fn times(x: u64, y: u64, shift: u32) -> u64 {
    ((u128::from(x) * u128::from(y)) >> shift) as u64
}

#[cfg(test)]
mod tests {
    use rug::Integer;

    use super::*;

    /// Pseudorandom words.
    fn random(count: usize) -> impl Iterator<Item = u64> {
        (0..count as u64).map(|t| (t + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(t as u32).wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    #[test]
    fn exp_is_enclosed() {
        let fixed = Fixed::new();
        let check = |m: i128, e: i32| {
            let (low, high) = fixed.exp(m, e);
            let exact = (Float::with_val(300, Integer::from(m)) << e).exp() << 63;
            assert!(low <= exact && high >= exact, "{m} 2^{e}: {low} {high} {exact}");
            assert!(high - low <= 8, "{m} 2^{e}: {low} {high}");
        };
        for e in [-126, -118, -81, -80, -79, -60, -3] {
            check(0, e);
            check(-1, e);
        }
        check(-(1 << 100), -10);
        check(i128::MIN + 1, -60);
        check(i128::MIN + 1, -126);
        check(-3, 40);
        check(-1, -300);
        for (t, word) in random(20_000).enumerate() {
            // Exponents from 2^-20 to 2^7, and the neighbourhood of multiples of ln 2 and of the table's points.
            check(-i128::from(word), -84 + (t % 28) as i32);
            let near = (t as i128 % 64) * fixed.ln2_fine + ((t as i128 % 178) << 72);
            check(-near - i128::from(word >> 60), -80);
        }
    }

    #[test]
    fn log_is_bounded() {
        let fixed = Fixed::new();
        let check = |m: u64, e: i32| {
            let bound = fixed.log_upper(m, e);
            let exact = (Float::with_val(300, m).ln() + Float::with_val(300, 2).ln() * e) << 63;
            let excess: Float = Float::with_val(300, Integer::from(bound)) - exact;
            assert!((0.0..128.0).contains(&excess.to_f64()), "{m} 2^{e}: {excess}");
        };
        for e in [-63, -60, -54, -1, 0, 5] {
            check(1, e);
            check(u64::MAX, e);
            for j in 256..512 {
                check(j << 55, e);
                check((j << 55) - 1, e);
            }
            random(3000).for_each(|word| check(word >> (word % 60) | 1, e));
        }
    }
}
