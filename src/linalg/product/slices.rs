//! Products of integer matrices by digit slices.
//!
//! A = Σ_p A_p 2^(bp), B = Σ_q B_q 2^(bq) in balanced digits, |digit| <= 2^(b−1). The sum over one antidiagonal, C_s = Σ_{p+q=s} A_p B_q, is
//! one product of doubles with the slices side by side along the inner index. It is exact in any order of summation as long as
//! (pairs) k 2^(2b−2) <= 2^53, so longer antidiagonals are cut. (Ozaki, Ogita, Oishi, Rump, Numer. Algorithms 59, 2012.)
//! Antidiagonals that only touch bits below what is asked are left out.

use faer::{Accum, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    CHUNK, Grid, LEAST_PANEL, PANEL_BYTES, chunks, contiguous, cost, each,
    entry::{Bound, Digits, digit_count},
    stream::Stream,
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
                (most > 0).then(|| Plan::with_bits(k, width_a, width_b, target, bits, most as usize))
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

    /// `finish(i, j, limbs, negative, low)` for every entry ±limbs · 2^low of A B up to `dropped`, by columns.
    pub fn run<R: Send>(
        &self,
        a: &impl Grid,
        b: &impl Grid,
        parallel: bool,
        finish: impl Fn(usize, usize, &[u64], bool, i64) -> R + Sync,
    ) -> Vec<Option<R>> {
        let ((m, k), (_, n)) = (a.shape(), b.shape());
        let mut out = Vec::new();
        out.resize_with(m * n, || None);
        if m * n == 0 {
            return out;
        }
        // Slice p of A follows slice p − 1, and slice q of a column of B follows slice q + 1: along an antidiagonal both are contiguous.
        let mut slices_a = vec![0.0; m * k * self.count_a];
        let cut_a = Digits::new(self.bits, self.count_a);
        let parts = chunks(MatMut::from_column_major_slice_mut(&mut slices_a, m * k, self.count_a));
        each(
            parallel,
            parts.into_iter().enumerate().collect(),
            || (),
            |(), (c, part)| {
                let height = part.nrows();
                let mut columns: Vec<&mut [f64]> = part.col_iter_mut().map(contiguous).collect();
                let mut at = (c * CHUNK % m, c * CHUNK / m);
                #[expect(clippy::needless_range_loop, reason = "the columns are those of all digits d")]
                for e in 0..height {
                    let (i, t) = at;
                    a.visit(i, t, |limbs, negative, shift| cut_a.cut(limbs, negative, shift, |d, v| columns[d][e] = v));
                    at = if i + 1 < m { (i + 1, t) } else { (0, t + 1) };
                }
            },
        );
        let slices_a = MatRef::from_column_major_slice(&slices_a, m, k * self.count_a);
        let bytes = 8 * (k * self.count_b + m * self.terms.len());
        let width = (PANEL_BYTES / bytes.max(1)).max(LEAST_PANEL);
        for (p, out) in out.chunks_mut(width * m.max(1)).enumerate() {
            self.panel(slices_a, b, p * width, parallel, out, &finish);
        }
        out
    }

    /// The columns of the product from `start` that `out` has room for.
    fn panel<R: Send>(
        &self,
        slices_a: MatRef<'_, f64>,
        b: &impl Grid,
        start: usize,
        parallel: bool,
        out: &mut [Option<R>],
        finish: &(impl Fn(usize, usize, &[u64], bool, i64) -> R + Sync),
    ) {
        let (m, k) = (slices_a.nrows(), self.inner);
        let n = out.len() / m;
        let mut slices_b = vec![0.0; k * self.count_b * n];
        let cut_b = Digits::new(self.bits, self.count_b);
        if k > 0 {
            each(
                parallel,
                slices_b.chunks_mut(k * self.count_b).enumerate().collect(),
                || (),
                |(), (j, column)| {
                    for t in 0..k {
                        b.visit(t, start + j, |limbs, negative, shift| {
                            cut_b.cut(limbs, negative, shift, |d, v| column[(self.count_b - 1 - d) * k + t] = v)
                        });
                    }
                },
            );
        }
        let slices_b = MatRef::from_column_major_slice(&slices_b, k * self.count_b, n);
        let mut sums = Mat::<f64>::zeros(m * n, self.terms.len());
        let products = sums.col_iter_mut().zip(&self.terms).rev().collect();
        each(
            parallel,
            products,
            || (),
            |(), (sum, &(s, first, pairs))| {
                let sum = contiguous(sum);
                let left = slices_a.subcols(first * k, pairs * k);
                let right = slices_b.subrows((self.count_b - 1 + first - s) * k, pairs * k);
                matmul(MatMut::from_column_major_slice_mut(sum, m, n), Accum::Replace, left, right, 1.0, Par::Seq);
            },
        );
        each(parallel, out.chunks_mut(CHUNK).enumerate().collect(), Stream::new, |stream, (c, out)| {
            for (e, out) in out.iter_mut().enumerate() {
                let q = c * CHUNK + e;
                stream.clear();
                for (d, &(s, ..)) in self.terms.iter().enumerate() {
                    stream.add(sums[(q, d)] as i64, u64::from(self.bits) * (s - self.terms[0].0) as u64);
                }
                let (limbs, negative) = stream.finish();
                *out = Some(finish(q % m, start + q / m, limbs, negative, i64::from(self.bits) * self.terms[0].0 as i64));
            }
        });
    }
}
