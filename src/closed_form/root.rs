//! Roots of increasing functions: approximated in floating point, then enclosed by two ends with certain signs.

use rug::Float;

use crate::scalar::Ball;

/// Steps of the bracketing iteration: each at least halves the bracket, and near the root squares it, so that far fewer are used.
const MAX_STEPS: usize = 400;
/// How often the upper end of a search is doubled: beyond e^(2^12) no admissible parameter leads.
const MAX_DOUBLINGS: u32 = 12;
/// Bits beyond the precision asked at which roots are approximated before they are enclosed.
pub(super) const GUARD: u32 = 32;

/// Ridders' method for an increasing `f` with f(low) < 0 < f(high): approximates the root to about `width` bits. Nothing is
/// claimed of the result; see [`enclose`].
pub(super) fn approximate(low: Float, high: Float, width: u32, f: impl Fn(&Float) -> Float) -> Float {
    let (mut low, mut high) = (Float::with_val(width, low), Float::with_val(width, high));
    let (mut f_low, mut f_high) = (f(&low), f(&high));
    let mut x = Float::with_val(width, &low + &high) / 2u32;
    for _ in 0..MAX_STEPS {
        let mid = Float::with_val(width, &low + &high) / 2u32;
        let half = Float::with_val(width, &mid - &low);
        let f_mid = f(&mid);
        let root = (Float::with_val(width, f_mid.square_ref()) - Float::with_val(width, &f_low * &f_high)).sqrt();
        let last = x;
        // The root of the exponential-times-line through the three points.
        x = if root > 0 { Float::with_val(width, &mid - half * &f_mid / root) } else { mid.clone() };
        if !(x > low && x < high) {
            // Rounded onto the end that was the last estimate: nothing more is to be had.
            let end = if x <= low { &low } else { &high };
            if *end == last {
                return last;
            }
            x.clone_from(&mid);
        }
        let f_x = f(&x);
        for (point, value) in [(&mid, &f_mid), (&x, &f_x)] {
            if *value < 0 && *point > low {
                (low, f_low) = (point.clone(), value.clone());
            } else if *value >= 0 && *point < high {
                (high, f_high) = (point.clone(), value.clone());
            }
        }
        let step = Float::with_val(width, &x - &last).abs();
        let resolution = Float::with_val(width, x.abs_ref()) >> (width - 4);
        if f_x == 0 || step <= resolution || Float::with_val(width, &high - &low) <= resolution {
            break;
        }
    }
    x
}

/// Encloses the root of an increasing function near `x`, where the root is known to be at least `floor`: widens an interval around
/// `x` until the function is certainly negative at its lower end (or that end is `floor`) and certainly positive at its upper end.
/// The whole line when no interval narrower than |x| + 1 does.
pub(super) fn enclose(x: &Float, floor: &Float, prec: u32, f: impl Fn(&Float) -> Ball) -> Ball {
    let width = x.prec().max(floor.prec());
    let size = Float::with_val(width, x.abs_ref());
    let mut distance = Float::with_val(width, &size >> (prec + GUARD / 2)).max(&(Float::with_val(width, 1) >> (2 * prec)));
    while distance <= Float::with_val(width, &size + 1u32) {
        let mut below = Float::with_val(width, x - &distance);
        let above = Float::with_val(width, x + &distance);
        if below < *floor {
            below.clone_from(floor);
        }
        if above > *floor && (below == *floor || f(&below).is_negative()) && f(&above).is_positive() {
            return Ball::exact(below).hull(&Ball::exact(above));
        }
        distance <<= 4;
    }
    Ball::whole(prec)
}

/// The first of 1, 2, 4, ... (times `sign`) that `accept` takes.
pub(super) fn search(sign: i32, width: u32, accept: impl Fn(&Float) -> bool) -> Option<Float> {
    (0..=MAX_DOUBLINGS).map(|e| Float::with_val(width, sign) << e).find(accept)
}
