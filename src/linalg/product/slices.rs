//! Products of integer matrices by digit slices.
//!
//! A = Σ_p A_p 2^(bp), B = Σ_q B_q 2^(bq) in balanced digits, |digit| <= 2^(b−1). The sum over one antidiagonal, C_s = Σ_{p+q=s} A_p B_q, is
//! one product of doubles with the slices side by side along the inner index. It is exact in any order of summation as long as
//! (pairs) k 2^(2b−2) <= 2^53, so longer antidiagonals are cut. (Ozaki, Ogita, Oishi, Rump, Numer. Algorithms 59, 2012.)
//! Antidiagonals that only touch bits below what is asked are left out.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    Grid, LEAST_PANEL,
    carry::{Carry, LANES, SAME_WEIGHT},
    cost, each,
    entry::{Bound, Digits, digit_count},
    tiles,
};

pub(super) struct Plan {
    bits: u32,
    inner: usize,
    count_a: usize,
    count_b: usize,
    /// One product of doubles each: (weight p + q, first p, pairs), weights not decreasing.
    terms: Vec<(usize, usize, usize)>,
    pub dropped: Bound,
}

/// Narrow digits would need more products than any modulus.
const DIGIT_BITS: std::ops::RangeInclusive<u32> = 4..=26;

impl Plan {
    /// The cheapest width of digits. `target`: the left out part may reach 2^target units (`None`: nothing is left out).
    pub fn new(shape: (usize, usize, usize), width_a: u64, width_b: u64, target: Option<i64>) -> Option<Self> {
        let (m, k, n) = shape;
        DIGIT_BITS
            .filter_map(|bits| {
                let most = (1u64 << 53 >> (2 * bits - 2)) / k.max(1) as u64;
                let pairs = digit_count(width_a.min(width_b), bits) as u64;
                let few = most > 0 && pairs.div_ceil(most) <= SAME_WEIGHT as u64;
                few.then(|| Plan::with_bits(k, width_a, width_b, target, bits, most as usize))
            })
            .min_by(|x, y| x.cost(m, n).total_cmp(&y.cost(m, n)))
    }

    fn with_bits(k: usize, width_a: u64, width_b: u64, target: Option<i64>, bits: u32, most: usize) -> Self {
        let (count_a, count_b) = (digit_count(width_a, bits), digit_count(width_b, bits));
        // Left out: Σ_{s<start} pairs_s k 2^(2b−2) 2^(bs) <= min(count) k 2^(2b−2) 2^(b(start−1)) / (1 − 2^−b), and 1/(1 − 2^−b) <= 16/15.
        let lost = Bound::new((count_a.min(count_b) * k) as u64 * 16 / 15 + 1, 2 * i64::from(bits) - 2);
        let start = match target {
            Some(target) if !lost.is_zero() => {
                ((target - lost.top()).div_euclid(i64::from(bits)) + 1).clamp(0, (count_a + count_b) as i64 - 2) as usize
            }
            _ => 0,
        };
        let dropped = if start == 0 { Bound::ZERO } else { lost.scaled(i64::from(bits) * (start as i64 - 1)) };
        let mut terms = vec![];
        for s in start..count_a + count_b - 1 {
            let (first, end) = (s.saturating_sub(count_b - 1), s.min(count_a - 1) + 1);
            terms.extend((first..end).step_by(most).map(|p| (s, p, most.min(end - p))));
        }
        Plan { bits, inner: k, count_a, count_b, terms, dropped }
    }

    /// Nanoseconds on one core.
    pub fn cost(&self, m: usize, n: usize) -> f64 {
        let k = self.inner;
        let products: f64 = self.terms.iter().map(|&(_, _, pairs)| cost::product(m, k * pairs, n)).sum();
        products + cost::digits(m * k, self.count_a) + cost::digits(k * n, self.count_b) + cost::sums(m * n, self.terms.len())
    }

    /// Calls `finish((i, j), limbs, negative, low, place)` for every entry ±limbs · 2^low of A B up to `dropped` and its place in `out`.
    ///
    /// B is cut once; a tile of rows of A is cut, multiplied, summed and finished by one thread in buffers that stay in its caches.
    pub fn run<R: Send, S: Send>(
        &self,
        a: &impl Grid,
        b: &impl Grid,
        parallel: bool,
        out: (MatMut<'_, R>, MatMut<'_, S>),
        finish: impl Fn((usize, usize), &[u64], bool, i64, (&mut R, &mut S)) + Sync,
    ) {
        let ((m, k), (_, n)) = (a.shape(), b.shape());
        if m * n == 0 {
            return;
        }
        let slices_b = self.cut_right(b, parallel);
        let slices_b = MatRef::from_column_major_slice(&slices_b, k * self.count_b, n);
        let strip = if m.div_ceil(STRIP) < LEAST_TILES { STRIP / 2 } else { STRIP };
        let height = (STRIP_BYTES / (8 * k * self.count_a).max(1)).clamp(1, strip).min(m);
        let parts = if parallel { (LEAST_TILES / m.div_ceil(height)).max(1) } else { 1 };
        let width = n.div_ceil(parts).max(LEAST_PANEL).min(n);
        let block = (SUMS_BYTES / (8 * height * self.terms.len())).clamp(LEAST_PANEL, width.max(LEAST_PANEL));
        let buffers = || (vec![0.0; height * k * self.count_a], vec![0.0; height * block * self.terms.len()], Carry::new());
        each(parallel, tiles(out, (height, width)), buffers, |(slices_a, sums, carry), ((top, left), (mut r, mut s))| {
            let (height, width) = (r.nrows(), r.ncols());
            let slices_a = self.cut_left(a, (top, height), slices_a);
            for start in (0..width).step_by(block) {
                let width = block.min(width - start);
                let sums = &mut sums[..height * width * self.terms.len()];
                let right = slices_b.subcols(left + start, width);
                for (sum, &(s, first, pairs)) in sums.chunks_exact_mut(height * width).zip(&self.terms) {
                    let right = right.subrows((self.count_b - 1 + first - s) * k, pairs * k);
                    let sum = MatMut::from_column_major_slice_mut(sum, height, width);
                    matmul(sum, Accum::Replace, slices_a.subcols(first * k, pairs * k), right, 1.0, Par::Seq);
                }
                let low = self.terms[0].0;
                for q in (0..height * width).step_by(LANES) {
                    let lanes = LANES.min(height * width - q);
                    carry.clear(lanes);
                    for (sum, &(s, ..)) in sums.chunks_exact(height * width).zip(&self.terms) {
                        carry.add(&sum[q..q + lanes], u64::from(self.bits) * (s - low) as u64);
                    }
                    let (mut i, mut j) = (q % height, start + q / height);
                    carry.finish(|limbs, negative| {
                        let low = i64::from(self.bits) * low as i64;
                        finish((top + i, left + j), limbs, negative, low, (&mut r[(i, j)], &mut s[(i, j)]));
                        (i, j) = if i + 1 < height { (i + 1, j) } else { (0, j + 1) };
                    });
                }
            }
        });
    }

    /// The slices of rows of A, each after the one before it.
    fn cut_left<'b>(&self, a: &impl Grid, (top, height): (usize, usize), buffer: &'b mut [f64]) -> MatRef<'b, f64> {
        let k = self.inner;
        let slices = &mut buffer[..height * k * self.count_a];
        let cut = Digits::new(self.bits, self.count_a);
        for t in 0..k {
            for i in 0..height {
                let put = |d: usize, v: f64| slices[d * k * height + t * height + i] = v;
                a.visit(top + i, t, |limbs, negative, shift| cut.cut(limbs, negative, shift, put));
            }
        }
        MatRef::from_column_major_slice(slices, height, k * self.count_a)
    }

    /// The slices of B, within a column each before the one of less weight: with those of A, an antidiagonal is contiguous.
    fn cut_right(&self, b: &impl Grid, parallel: bool) -> Vec<f64> {
        let (k, n) = b.shape();
        let mut slices = vec![0.0; k * self.count_b * n];
        let cut = Digits::new(self.bits, self.count_b);
        each(
            parallel,
            slices.chunks_mut((k * self.count_b).max(1)).enumerate().collect(),
            || (),
            |(), (j, column)| {
                for t in 0..k {
                    let put = |d: usize, v: f64| column[(self.count_b - 1 - d) * k + t] = v;
                    b.visit(t, j, |limbs, negative, shift| cut.cut(limbs, negative, shift, put));
                }
            },
        );
        slices
    }
}

/// Rows of a tile, and how many tiles there are at least for threads to share.
const STRIP: usize = 48;
const LEAST_TILES: usize = 4;
/// Bytes of the digits of a tile's rows of A, but at least one row, and of its sums, but at least [`LEAST_PANEL`] columns.
const STRIP_BYTES: usize = 16 << 20;
const SUMS_BYTES: usize = 1 << 20;
