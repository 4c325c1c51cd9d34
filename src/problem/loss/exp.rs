//! The exponential of many numbers at once.
//!
//! Written as straight-line arithmetic that the compiler turns into vector code for the instruction set found at run time. No
//! fused multiply-add is used, so every machine computes the same bits.

use crate::linalg::vector::vectorised;

/// log2(e), rounded.
const LOG2_E: f64 = std::f64::consts::LOG2_E;
/// ln 2 to 32 bits: its products with the integers that occur (below 2^11) are exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
/// ln 2 − LN2_HIGH, rounded.
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// 1.5 · 2^52: adding it rounds to an integer, which then sits in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Below this e^x is subnormal or zero, and is set to zero.
const LOWEST: f64 = -708.0;
/// Above this e^x overflows.
const HIGHEST: f64 = 709.782_712_893_384;

/// Taylor coefficients 1/j! for j = 2..=13: on |r| <= (ln 2)/2 the first omitted term is below 2^-57 of the sum.
const INVERSE_FACTORIALS: [f64; 12] = [
    0.5,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `x ← e^x`, entry by entry.
///
/// Guarantee: within 2 units in the last place for -708 <= x <= 709.78; 0 below -708, ∞ above 709.78, NaN for NaN. The same
/// bits on every machine.
///
/// Method: `x = k ln 2 + r` with |r| <= (ln 2)/2 (W. J. Cody and W. Waite, *Software Manual for the Elementary Functions*, 1980),
/// a polynomial in r, and the exponent field set to k.
///
/// ```
/// let mut x = [0.0, 1.0, -800.0];
/// ufm::problem::loss::exp_in_place(&mut x);
/// assert_eq!(x[0], 1.0);
/// assert!((x[1] - std::f64::consts::E).abs() < 1e-15);
/// assert_eq!(x[2], 0.0);
/// ```
pub fn exp_in_place(x: &mut [f64]) {
    vectorised(
        #[inline(always)]
        || exp_block(x),
    );
}

/// [`exp_in_place`] for callers already inside a dispatched block.
#[inline(always)]
pub(super) fn exp_block(x: &mut [f64]) {
    for x in x.iter_mut() {
        *x = exp(*x);
    }
}

#[inline(always)]
fn exp(x: f64) -> f64 {
    // The largest k is 1024, one more than the exponent field holds: 2^k is applied as 2 · 2^(k-1).
    let shifted = x * LOG2_E + ROUNDER;
    let k = shifted - ROUNDER;
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let c = &INVERSE_FACTORIALS;
    // Estrin's scheme: short dependency chains, fixed order.
    let (r2, p01, p23) = (r * r, c[0] + c[1] * r, c[2] + c[3] * r);
    let (p45, p67) = (c[4] + c[5] * r, c[6] + c[7] * r);
    let (p89, pab) = (c[8] + c[9] * r, c[10] + c[11] * r);
    let r4 = r2 * r2;
    let (q0, q1, q2) = (p01 + p23 * r2, p45 + p67 * r2, p89 + pab * r2);
    let tail = q0 + r4 * (q1 + r4 * q2);
    let value = 1.0 + (r + r2 * tail);
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1022 << 52));
    let value = value * scale * 2.0;
    let value = if x < LOWEST { 0.0 } else { value };
    if x > HIGHEST { f64::INFINITY } else { value }
}
