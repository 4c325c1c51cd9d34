//! Long vectors: sums, products and updates whose results do not depend on the number of threads.
//!
//! Reductions split at places fixed by the length alone and combine the parts in order; inside a part a fixed number of lanes
//! is summed in order. No fused multiply-add is used, so every machine computes the same bits.

use rayon::prelude::*;

struct Vectorised<F>(F);

impl<R, F: FnMut() -> R> pulp::WithSimd for Vectorised<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Runs `body`, a closure marked `#[inline(always)]`, compiled for the widest instruction set found at run time.
///
/// Through `FnMut` and not `FnOnce`: the latter calls closures through a shim that is compiled for the least instruction set.
pub(crate) fn vectorised<R>(body: impl FnMut() -> R) -> R {
    pulp::Arch::new().dispatch(Vectorised(body))
}

/// Lanes of a reduction: two registers of the widest instruction set, and enough to hide the latency of an addition.
const LANES: usize = 32;
/// A vector is cut into at most this many parts.
const PARTS: usize = 256;
/// Shortest part: below it starting another thread costs more than it saves.
const LEAST_PART: usize = 1 << 14;

fn part_length(len: usize) -> usize {
    len.div_ceil(PARTS).next_multiple_of(LANES).max(LEAST_PART)
}

#[inline(always)]
fn reduce(x: &[f64], y: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (x, y) in (&mut xs).zip(&mut ys) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    for (lane, (x, y)) in lanes.iter_mut().zip(xs.remainder().iter().zip(ys.remainder())) {
        *lane += x * y;
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
    }
    lanes[0]
}

/// Σ x_i², for callers inside a dispatched block.
#[inline(always)]
pub(crate) fn sum_squares_block(x: &[f64]) -> f64 {
    reduce(x, x)
}

/// `max |x_i|`, and a NaN or an infinity when there is one; 0 for no entries.
pub(crate) fn largest(x: &[f64]) -> f64 {
    // As integers, magnitudes are in the order of the numbers, then infinity, then NaNs.
    let one = |x: &[f64]| {
        vectorised(
            #[inline(always)]
            || x.iter().fold(0, |most, x| (x.to_bits() & (u64::MAX >> 1)).max(most)),
        )
    };
    f64::from_bits(x.par_chunks(LEAST_PART).map(one).reduce(|| 0, u64::max))
}

/// `min |x_i|` over the nonzero entries; a NaN when there are none.
pub(crate) fn smallest(x: &[f64]) -> f64 {
    let one = |x: &[f64]| {
        vectorised(
            #[inline(always)]
            // Zero, less one, is the largest.
            || x.iter().fold(u64::MAX, |least, x| (x.to_bits() & (u64::MAX >> 1)).wrapping_sub(1).min(least)),
        )
    };
    let least = x.par_chunks(LEAST_PART).map(one).reduce(|| u64::MAX, u64::min);
    f64::from_bits(least.saturating_add(1))
}

/// `<x, y>`; the lengths agree.
pub(crate) fn dot(x: &[f64], y: &[f64], parallel: bool) -> f64 {
    let part = part_length(x.len());
    if x.len() <= part {
        return vectorised(
            #[inline(always)]
            || reduce(x, y),
        );
    }
    let mut sums = [0.0; PARTS];
    let one = |(sum, (x, y)): (&mut f64, (&[f64], &[f64]))| {
        *sum = vectorised(
            #[inline(always)]
            || reduce(x, y),
        )
    };
    if parallel {
        sums.par_iter_mut().zip(x.par_chunks(part).zip(y.par_chunks(part))).for_each(one);
    } else {
        sums.iter_mut().zip(x.chunks(part).zip(y.chunks(part))).for_each(one);
    }
    sums.iter().sum()
}

/// Euclidean norm.
pub(crate) fn norm(x: &[f64], parallel: bool) -> f64 {
    dot(x, x, parallel).sqrt()
}

/// `y ← op(x, y)` entry by entry.
pub(crate) fn zip_with(y: &mut [f64], x: &[f64], parallel: bool, op: impl Fn(f64, f64) -> f64 + Sync) {
    let part = part_length(y.len());
    let one = |(y, x): (&mut [f64], &[f64])| {
        vectorised(
            #[inline(always)]
            || {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = op(*x, *y);
                }
            },
        );
    };
    if parallel && y.len() > part {
        y.par_chunks_mut(part).zip(x.par_chunks(part)).for_each(one);
    } else {
        one((y, x));
    }
}

/// `y ← y + a x`.
pub(crate) fn add_scaled(y: &mut [f64], a: f64, x: &[f64], parallel: bool) {
    zip_with(y, x, parallel, |x, y| y + a * x);
}

/// `y ← a x`.
pub(crate) fn scaled(y: &mut [f64], a: f64, x: &[f64], parallel: bool) {
    zip_with(y, x, parallel, |x, _| a * x);
}
