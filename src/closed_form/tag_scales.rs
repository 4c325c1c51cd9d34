//! The column scales a_m of pick-all-labels collapse: Newton's method from a double-precision start, then a proof by signs.
//!
//! With D_m(a) = m e^a + K − m the conditions are a_m D_m(a_m) = K s for every m and Σ w_m (K/D_m(a_m))² = T. The left side of the
//! first increases in a_m, so a_m increases in s, and the sum decreases in s. Proof that s* > s₋: numbers u_m with
//! u_m D_m(u_m) > K s₋ lie above a_m(s₋), and if they still give a sum above T, so does s₋. Then l_m D_m(l_m) < K s₋ proves
//! a_m* > l_m. The other side is the mirror image.

use rug::{Float, Integer, Rational};

use super::whole;
use crate::scalar::Ball;

/// Precision of the doubles that start Newton's method.
const START_BITS: u32 = 48;
/// Bits beyond the precision asked for in which Newton's method and the proof work.
const GUARD: u32 = 64;
/// Steps of Newton's method: six suffice from a good start for thousands of bits, a poor start near the threshold takes more.
const MAX_STEPS: usize = 60;
/// The proof first tries to separate s from its neighbours at this many bits beyond the precision asked for, then at fewer and fewer.
const SEPARATION: u32 = 16;
/// Fewest bits at which the proof still tries; a worse start is not worth proving.
const LEAST_SEPARATION: u32 = 8;

/// A multiplicity m < K and its weight w_m > 0.
pub(super) struct Tag<'a> {
    pub m: u64,
    pub weight: &'a Integer,
}

/// Encloses every a_m, for Σ w_m > T = `threshold` > 0; `None` when Newton's method has not come close enough for the proof.
pub(super) fn scales(k: u64, tags: &[Tag], threshold: &Rational, prec: u32) -> Option<Vec<Ball>> {
    let width = prec + GUARD;
    let (mut s, mut a) = start(k, tags, threshold)?;
    // Correct bits, as the last step's size tells: Newton's method doubles them.
    let mut bits = START_BITS;
    for _ in 0..MAX_STEPS {
        let at = bits.saturating_mul(2).saturating_add(GUARD).min(width);
        let (next, scales) = newton(k, tags, threshold, &s, &a, at)?;
        let change = Float::with_val(GUARD, &next - &s) / &next;
        (s, a) = (next, scales);
        bits = change.get_exp().map_or(width, |e| e.saturating_neg().max(1).unsigned_abs().saturating_mul(2));
        if at == width && bits >= width {
            break;
        }
    }
    let mut separation = prec + SEPARATION;
    while separation >= LEAST_SEPARATION {
        if let Some(balls) = prove(k, tags, threshold, &s, &a, separation) {
            return Some(balls);
        }
        separation = separation.saturating_sub(GUARD / 4);
    }
    None
}

/// The solution to double precision by nested bisection, in logarithms: nothing overflows.
fn start(k: u64, tags: &[Tag], threshold: &Rational) -> Option<(Float, Vec<Float>)> {
    let log_k = (k as f64).ln();
    let log_d = |m: u64, a: f64| a + (m as f64 + (k - m) as f64 * (-a).exp()).ln();
    // log a in a range that holds every solution: parameters between 10^-100 and 10^100 keep a between e^-690 and e^10.
    let bisect = |f: &dyn Fn(f64) -> f64, low: f64, high: f64| {
        let (mut low, mut high) = (low, high);
        for _ in 0..100 {
            let mid = 0.5 * (low + high);
            if f(mid) < 0.0 { low = mid } else { high = mid }
        }
        0.5 * (low + high)
    };
    let scale = |m: u64, t: f64| bisect(&|y: f64| y + log_d(m, y.exp()) - t - log_k, -690.0, 10.0).exp();
    let target = threshold.to_f64();
    let excess = |t: f64| {
        let gamma_squared = |g: &Tag| g.weight.to_f64() * (2.0 * (log_k - log_d(g.m, scale(g.m, t)))).exp();
        target - tags.iter().map(gamma_squared).sum::<f64>()
    };
    let t = bisect(&excess, -690.0, 2000.0);
    let s = Float::with_val(GUARD, t).exp();
    let a = tags.iter().map(|g| Float::with_val(GUARD, scale(g.m, t))).collect();
    s.is_finite().then_some((s, a))
}

/// One Newton step for all unknowns at once, at `width` bits.
fn newton(k: u64, tags: &[Tag], threshold: &Rational, s: &Float, a: &[Float], width: u32) -> Option<(Float, Vec<Float>)> {
    let val = |x: &Float| Float::with_val(width, x);
    let ks = val(s) * k;
    // a_m moves by p_m ds + q_m; the sum then has to meet T to first order.
    let mut residual = -Float::with_val(width, threshold);
    let mut slope = Float::new(width);
    let mut moves = Vec::with_capacity(tags.len());
    for (g, a) in tags.iter().zip(a) {
        let a = val(a);
        let growth = a.clone().exp() * g.m;
        let d = Float::with_val(width, &growth + (k - g.m));
        let derivative = Float::with_val(width, &a * &growth) + &d;
        let p = Float::with_val(width, k) / &derivative;
        let q = (Float::with_val(width, &ks - Float::with_val(width, &a * &d))) / derivative;
        let gamma = Float::with_val(width, k) / &d;
        let term = gamma.square() * g.weight;
        let sensitivity = Float::with_val(width, &term * &growth) * 2u32 / d;
        residual += term;
        residual -= Float::with_val(width, &sensitivity * &q);
        slope += sensitivity * &p;
        moves.push((a, p, q));
    }
    let ds = residual / slope;
    let next = val(s) + &ds;
    let moved: Vec<Float> = moves.iter().map(|(a, p, q)| Float::with_val(width, a + Float::with_val(width, p * &ds) + q)).collect();
    if next > 0 && moved.iter().all(|a| *a > 0) {
        return (next.is_finite() && moved.iter().all(Float::is_finite)).then_some((next, moved));
    }
    // A step beyond zero, where everything is positive: halve instead.
    Some((val(s) / 2u32, moves.into_iter().map(|(a, _, _)| a / 2u32).collect()))
}

/// The enclosures, if s can be separated from s (1 ± 2^-bits).
fn prove(k: u64, tags: &[Tag], threshold: &Rational, s: &Float, a: &[Float], bits: u32) -> Option<Vec<Ball>> {
    let width = s.prec();
    let d = |m: u64, a: &Ball| whole(m, width) * a.exp() + whole(k - m, width);
    let target = Ball::from_rational(threshold, width);
    let step = Float::with_val(width, s >> bits);
    // How far a_m moves when s moves by the step.
    let moves: Vec<Float> = tags
        .iter()
        .zip(a)
        .map(|(g, a)| {
            let growth = Float::with_val(width, a.exp_ref()) * g.m;
            let derivative = Float::with_val(width, a * &growth) + growth + (k - g.m);
            Float::with_val(width, &step * k) / derivative
        })
        .collect();
    // On the side `sign`: the bounds of a_m proved there.
    let side = |sign: i32| -> Option<Vec<Float>> {
        let ks = Ball::exact(Float::with_val(width, s + Float::with_val(width, &step * sign))) * whole(k, width);
        let mut sum = Ball::zero(width);
        let mut bounds = Vec::with_capacity(tags.len());
        for ((g, a), change) in tags.iter().zip(a).zip(&moves) {
            let change = Float::with_val(width, change * sign);
            let near = Ball::exact(Float::with_val(width, a + Float::with_val(width, &change / 2u32)));
            let far = Ball::exact(Float::with_val(width, a + Float::with_val(width, &change * 2u32)));
            let d_near = d(g.m, &near);
            let (inside, outside) = (&near * &d_near - &ks, &far * &d(g.m, &far) - &ks);
            let proved =
                if sign < 0 { inside.is_positive() && outside.is_negative() } else { inside.is_negative() && outside.is_positive() };
            if !proved {
                return None;
            }
            sum = sum + (whole(k, width) / d_near).square() * Ball::from_integer(g.weight, width);
            bounds.push(far.mid());
        }
        let excess = sum - &target;
        (if sign < 0 { excess.is_positive() } else { excess.is_negative() }).then_some(bounds)
    };
    let (low, high) = (side(-1)?, side(1)?);
    Some(low.into_iter().zip(high).map(|(l, h)| Ball::exact(l).hull(&Ball::exact(h))).collect())
}
