//! Products of integer matrices modulo primes, put together by the Chinese remainder theorem.
//!
//! Symmetric residues |r| <= (m + 3)/2 of A and B modulo primes m_1, ..., m_h are products of their digits with tables of powers; one
//! product of doubles per prime gives C mod m_i. With M = Π m_i, c_i = C (M/m_i)^(−1) mod m_i (the inverse is in B's table) and 4|C| <= M:
//!
//!   C = Σ_i c_i (M/m_i) − q M,   q = round(Σ_i c_i / m_i),
//!
//! where the first sum is one more product of doubles, with the digits of M/m_i. (Ozaki, Uchino, Imamura, arXiv:2504.08009, 2025.) Digits
//! below what is asked are left out there.
//!
//! Every product of doubles is exact in any order of summation: the absolute values of its terms sum to at most 2^53.

use faer::{Accum, ColMut, ColRef, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};
use rug::{Assign, Integer};

use super::super::vector::vectorised;
use super::{
    Grid, LEAST_PANEL, PANEL_BYTES, ROWS_BYTES,
    carry::{Carry, LANES, SHIFT},
    chunks, cost, each,
    entry::{Bound, Digits, bit_length, digit_count, window},
    primes, tiles,
};

/// Reduced values are at most this before a reduction: see [`reduce`].
pub(super) const REDUCIBLE: u64 = (1 << 53) - (1 << 28);
/// Inner indices in one product of doubles before its result is reduced.
pub(super) const INNER: usize = 2048;
/// Moduli stay below this: residues |r| <= (m + 3)/2 <= 2^24 are exact in single precision.
pub(super) const LARGEST: u64 = (1 << 25) - 4;

pub(super) struct Plan {
    inner: usize,
    primes: &'static [u32],
    /// log2 M, rounded up.
    log_m: u64,
    digits_a: Digits,
    digits_b: Digits,
    /// Bits of the digits of M/m_i, and the weight of the lowest one kept.
    bits: u32,
    cut: u64,
    pub dropped: Bound,
}

/// The widest digits that keep count · 2^(bits−1) · m/2 <= `REDUCIBLE`.
fn widest_digits(width: u64, largest: u64) -> Digits {
    let count = |bits: u32| digit_count(width, bits);
    let fits = |bits: u32| (count(bits) as u64).checked_mul(largest << (bits - 2)).is_some_and(|sum| sum <= REDUCIBLE);
    let bits = (2..=30).rev().find(|&b| fits(b)).unwrap_or(2);
    Digits::new(bits, count(bits))
}

impl Plan {
    /// `target`: the left out part may reach 2^target units (`None`: nothing is left out). No plan when the table of primes is too short.
    pub fn new(k: usize, width_a: u64, width_b: u64, target: Option<i64>) -> Option<Self> {
        // 4 |C| <= 4 k 2^(width_a + width_b) <= M.
        let log_k = u64::from(usize::BITS - k.leading_zeros());
        let table = primes::below_bound(k.clamp(1, INNER));
        let h = table.least_count(width_a + width_b + log_k + 2)?;
        let primes = &table.primes[..h];
        // Σ_i |c_i| 2^bits <= h (m + 3)/2 · 2^bits <= 2^53.
        let most = h as u64 * (table.largest / 2 + 2);
        let bits = (most.leading_zeros() - 11).min(40);
        // Left out of each M/m_i and of M is less than 2^cut: (Σ |c_i| + |q|) 2^cut, |q| <= h.
        let lost = Bound::new(most + h as u64, 0);
        let cut = target.map_or(0, |target| (target - lost.top()).max(0) as u64);
        let dropped = if cut == 0 { Bound::ZERO } else { lost.scaled(cut as i64) };
        let digits = |width| widest_digits(width, table.largest);
        let (digits_a, digits_b) = (digits(width_a), digits(width_b));
        Some(Plan { inner: k, primes, log_m: table.bits[h - 1] as u64 + 2, digits_a, digits_b, bits, cut, dropped })
    }

    /// Digits kept of M and of every M/m_i.
    fn kept(&self) -> usize {
        (self.log_m.saturating_sub(self.cut)).div_ceil(u64::from(self.bits)) as usize
    }

    /// Nanoseconds on one core.
    pub fn cost(&self, m: usize, n: usize) -> f64 {
        let (k, h) = (self.inner, self.primes.len());
        let operand =
            |entries: usize, d: Digits| cost::digits(entries, d.count) + cost::product(entries, d.count, h) + cost::passes(entries * h);
        operand(m * k, self.digits_a)
            + operand(k * n, self.digits_b)
            + h as f64 * cost::product(m, k, n)
            + cost::passes(m * n * h)
            + cost::product(m * n, h, self.kept() + 1)
            + cost::sums(m * n, self.kept())
            + cost::tables(h, self.digits_a.count + self.digits_b.count + self.kept())
    }

    /// Calls `finish((i, j), limbs, negative, low, place)` for every entry ±limbs · 2^low of A B up to `dropped` and its place in `out`.
    pub fn run<R: Send, S: Send>(
        &self,
        a: &impl Grid,
        b: &impl Grid,
        parallel: bool,
        out: (MatMut<'_, R>, MatMut<'_, S>),
        finish: impl Fn((usize, usize), &[u64], bool, i64, (&mut R, &mut S)) + Sync,
    ) {
        self.run_within((ROWS_BYTES, PANEL_BYTES), a, b, parallel, out, finish);
    }

    /// [`Plan::run`] with so many bytes for the residues of rows of A, and of a panel of B and of the product.
    fn run_within<R: Send, S: Send>(
        &self,
        (rows_bytes, panel_bytes): (usize, usize),
        a: &impl Grid,
        b: &impl Grid,
        parallel: bool,
        (mut first, mut second): (MatMut<'_, R>, MatMut<'_, S>),
        finish: impl Fn((usize, usize), &[u64], bool, i64, (&mut R, &mut S)) + Sync,
    ) {
        let ((m, k), (_, n)) = (a.shape(), b.shape());
        let h = self.primes.len();
        if m * n == 0 {
            return;
        }
        let tables = Tables::new(self);
        let even = |total: usize, most: usize| total.div_ceil(total.div_ceil(most.clamp(1, total)));
        let height = even(m, rows_bytes / (4 * k * h).max(1));
        let width = even(n, (panel_bytes / (4 * height.max(k) * h)).max(LEAST_PANEL));
        let (mut rows, mut cols, mut sums) = (vec![0.0; height * k * h], vec![0.0; k * width * h], vec![0.0; height * width * h]);
        for top in (0..m).step_by(height) {
            let height = height.min(m - top);
            let block = Block { grid: a, rows: (top, height), cols: (0, k) };
            let rows = self.residues(&block, self.digits_a, &tables.powers_a, parallel, &mut rows);
            for left in (0..n).step_by(width) {
                let width = width.min(n - left);
                let block = Block { grid: b, rows: (0, k), cols: (left, width) };
                let cols = self.residues(&block, self.digits_b, &tables.powers_b, parallel, &mut cols);
                let sums = self.products(rows, cols, (height, width), parallel, &mut sums);
                let first = first.as_mut().submatrix_mut(top, left, height, width);
                let second = second.as_mut().submatrix_mut(top, left, height, width);
                self.put_together(sums, &tables, parallel, (first, second), |(i, j), limbs, negative, into| {
                    finish((top + i, left + j), limbs, negative, self.cut as i64, into)
                });
            }
        }
    }

    /// Residues of a block: a column per prime, the block by columns.
    fn residues<'b, G: Grid>(
        &self,
        block: &Block<'_, G>,
        digits: Digits,
        powers: &Mat<f64>,
        parallel: bool,
        out: &'b mut [f32],
    ) -> MatRef<'b, f32> {
        let (count, h) = (digits.count, self.primes.len());
        let ((top, height), (left, width)) = (block.rows, block.cols);
        let out = &mut out[..height * width * h];
        each(
            parallel,
            chunks(MatMut::from_column_major_slice_mut(out, height * width, h), LANES).into_iter().enumerate().collect(),
            || (vec![0.0; LANES * count], vec![0.0; LANES * h]),
            |(cut, wide), (c, out)| {
                let lanes = out.nrows();
                let cut = &mut cut[..lanes * count];
                for (e, entry) in cut.chunks_exact_mut(count).enumerate() {
                    let q = c * LANES + e;
                    block.grid.visit(top + q % height, left + q / height, |limbs, negative, shift| {
                        digits.cut(limbs, negative, shift, |d, v| entry[d] = v)
                    });
                }
                let digits = MatRef::from_column_major_slice(cut, count, lanes).transpose();
                let wide = &mut wide[..lanes * h];
                matmul(MatMut::from_column_major_slice_mut(wide, lanes, h), Accum::Replace, digits, powers, 1.0, Par::Seq);
                for ((wide, column), &m) in wide.chunks_exact_mut(lanes.max(1)).zip(out.col_iter_mut()).zip(self.primes) {
                    reduce(wide, m);
                    narrow(wide, column);
                }
            },
        );
        MatRef::from_column_major_slice(out, height * width, h)
    }

    /// c_i for every entry of a block of the product: a column per prime, the block by columns.
    fn products<'b>(
        &self,
        rows: MatRef<'_, f32>,
        cols: MatRef<'_, f32>,
        (m, n): (usize, usize),
        parallel: bool,
        out: &'b mut [f32],
    ) -> MatRef<'b, f32> {
        let (k, h) = (self.inner, self.primes.len());
        let out = &mut out[..m * n * h];
        let columns = MatMut::from_column_major_slice_mut(out, m * n, h)
            .col_iter_mut()
            .zip(rows.col_iter().zip(cols.col_iter()))
            .zip(self.primes)
            .collect();
        each(
            parallel,
            columns,
            || (vec![0.0; m * k], vec![0.0; k * n], vec![0.0; m * n]),
            |(a, b, c), ((out, (rows, cols)), &prime)| {
                widen(rows, a);
                widen(cols, b);
                let (a, b) = (MatRef::from_column_major_slice(a, m, k), MatRef::from_column_major_slice(b, k, n));
                c.fill(0.0);
                for t in (0..k).step_by(INNER) {
                    let inner = INNER.min(k - t);
                    let (a, b) = (a.subcols(t, inner), b.subrows(t, inner));
                    matmul(MatMut::from_column_major_slice_mut(c, m, n), Accum::Add, a, b, 1.0, Par::Seq);
                    reduce(c, prime);
                }
                narrow(c, out);
            },
        );
        MatRef::from_column_major_slice(out, m * n, h)
    }

    /// Calls `finish((i, j), limbs, negative, place)` with Σ_i c_i (M/m_i) − q M for every entry of c.
    fn put_together<R: Send, S: Send>(
        &self,
        c: MatRef<'_, f32>,
        tables: &Tables,
        parallel: bool,
        out: (MatMut<'_, R>, MatMut<'_, S>),
        finish: impl Fn((usize, usize), &[u64], bool, (&mut R, &mut S)) + Sync,
    ) {
        let (h, kept, m) = (self.primes.len(), tables.product.len(), out.0.nrows());
        // Tiles are parts of a column or whole columns: contiguous in c.
        let height = m.min(LANES);
        let width = if height == m { LANES / m } else { 1 };
        each(
            parallel,
            tiles(out, (height, width)),
            || (vec![0.0; LANES * h], vec![0.0; LANES * (kept + 1)], vec![0; LANES], Carry::new()),
            |(wide, sums, quotients, carry), ((top, left), (mut first, mut second))| {
                let (height, lanes) = (first.nrows(), first.nrows() * first.ncols());
                let (wide, sums, quotients) = (&mut wide[..lanes * h], &mut sums[..lanes * (kept + 1)], &mut quotients[..lanes]);
                for (c, wide) in c.subrows(top + left * m, lanes).col_iter().zip(wide.chunks_exact_mut(lanes)) {
                    widen(c, wide);
                }
                let wide = MatRef::from_column_major_slice(wide, lanes, h);
                let all = MatMut::from_column_major_slice_mut(sums, lanes, kept + 1);
                matmul(all, Accum::Replace, wide, tables.cofactors.as_ref(), 1.0, Par::Seq);
                let (sums, fractions) = sums.split_at(lanes * kept);
                // |Σ c_i/m_i − (an integer)| = |C|/M <= 1/4, and the computed sum is off by less than h² 2^−53.
                quotients.iter_mut().zip(fractions).for_each(|(q, &x)| *q = ((x + SHIFT) - SHIFT) as i64);
                carry.clear(lanes);
                for (d, (sum, &digit)) in sums.chunks_exact(lanes).zip(&tables.product).enumerate() {
                    carry.add(sum, u64::from(self.bits) * d as u64);
                    carry.subtract(quotients, digit);
                }
                let (mut i, mut j) = (0, 0);
                carry.finish(|limbs, negative| {
                    finish((top + i, left + j), limbs, negative, (&mut first[(i, j)], &mut second[(i, j)]));
                    (i, j) = if i + 1 < height { (i + 1, j) } else { (0, j + 1) };
                });
            },
        );
    }
}

/// Rows and columns of a grid, each as (first, count).
struct Block<'a, G> {
    grid: &'a G,
    rows: (usize, usize),
    cols: (usize, usize),
}

fn widen(column: ColRef<'_, f32>, out: &mut [f64]) {
    let column = column.try_as_col_major().expect("columns are contiguous").as_slice();
    vectorised(
        #[inline(always)]
        || out.iter_mut().zip(column).for_each(|(out, &v)| *out = f64::from(v)),
    );
}

fn narrow(values: &[f64], column: ColMut<'_, f32>) {
    let column = column.try_as_col_major_mut().expect("columns are contiguous").as_slice_mut();
    vectorised(
        #[inline(always)]
        || column.iter_mut().zip(values).for_each(|(out, &v)| *out = v as f32),
    );
}

/// v ← v − q m with q the integer next to fl(v fl(1/m)), for integers |v| <= `REDUCIBLE` and odd 8 < m < 2^27.
///
/// The computed quotient is within |v/m| 2^−52 <= 2/m (and a term of second order) of v/m, so |v/m − q| <= 1/2 + 2.01/m and
/// |v − q m| <= (m + 3)/2, being an integer. |q m| <= |v| + (m + 3)/2 <= 2^53, so the product and the difference are exact. |v/m| < 2^51.
fn reduce(values: &mut [f64], m: u32) {
    let (m, inverse) = (f64::from(m), 1.0 / f64::from(m));
    vectorised(
        #[inline(always)]
        || {
            for v in &mut *values {
                let q = (*v * inverse + SHIFT) - SHIFT;
                *v -= q * m;
            }
        },
    );
}

/// Constants of one product.
struct Tables {
    /// 2^(bits·d) mod m_i, and the same times (M/m_i)^(−1): symmetric, a row per digit and a column per prime.
    powers_a: Mat<f64>,
    powers_b: Mat<f64>,
    /// Digits of M/m_i from bit `cut` up, a column per digit, and a last column 1/m_i.
    cofactors: Mat<f64>,
    /// Digits of M from bit `cut` up.
    product: Vec<i64>,
}

impl Tables {
    fn new(plan: &Plan) -> Self {
        let primes = plan.primes;
        let product = primes.iter().fold(Integer::from(1), |product, &m| product * m);
        let kept = plan.kept();
        let mut cofactors = Mat::zeros(primes.len(), kept + 1);
        let mut inverses = Vec::with_capacity(primes.len());
        let mut cofactor = Integer::new();
        let digit =
            |x: &Integer, d: usize| window(x.as_limbs(), (plan.cut + u64::from(plan.bits) * d as u64) as i64) & ((1 << plan.bits) - 1);
        for (i, &m) in primes.iter().enumerate() {
            cofactor.assign(product.div_exact_u_ref(m));
            for d in 0..kept {
                cofactors[(i, d)] = digit(&cofactor, d) as f64;
            }
            cofactors[(i, kept)] = 1.0 / f64::from(m);
            inverses.push(inverse(u64::from(cofactor.mod_u(m)), u64::from(m)));
        }
        debug_assert!(bit_length(product.as_limbs()) as u64 <= plan.log_m);
        let product = (0..kept).map(|d| digit(&product, d) as i64).collect();
        let powers = |digits: Digits, start: &dyn Fn(usize) -> u64| {
            let mut table = Mat::zeros(digits.count, primes.len());
            for (i, &m) in primes.iter().enumerate() {
                let m = u64::from(m);
                let step = (1u64 << digits.bits) % m;
                let mut power = start(i);
                for d in 0..digits.count {
                    table[(d, i)] = if power > m / 2 { power as f64 - m as f64 } else { power as f64 };
                    power = power * step % m;
                }
            }
            table
        };
        let (powers_a, powers_b) = (powers(plan.digits_a, &|_| 1), powers(plan.digits_b, &|i| inverses[i]));
        Tables { powers_a, powers_b, cofactors, product }
    }
}

/// x^(−1) mod m by Euclid's algorithm; x and m are coprime.
fn inverse(x: u64, m: u64) -> u64 {
    let (mut r, mut s) = ((m as i64, (x % m) as i64), (0i64, 1i64));
    while r.1 != 0 {
        let q = r.0 / r.1;
        r = (r.1, r.0 - q * r.1);
        s = (s.1, s.0 - q * s.1);
    }
    s.0.rem_euclid(m as i64) as u64
}

#[cfg(test)]
mod tests {
    use super::{super::integer::Integers, *};

    /// One block or many, rows and columns that do not fill the last, and no inner index at all.
    #[test]
    fn blocks_of_any_size_make_up_the_product() {
        for (m, k, n) in [(1, 1, 1), (70, 9, 50), (300, 3, 33), (5, 0, 4), (37, 40, 1)] {
            let entry = |i: usize, j: usize| {
                (Integer::from(i * 31 + j * 17 + 1) << (60 + (i + j) % 90)) * if (i + j).is_multiple_of(3) { -1 } else { 1 }
            };
            let (a, b) = (Mat::from_fn(m, k, entry), Mat::from_fn(k, n, entry));
            let exact = |i: usize, j: usize| (0..k).map(|t| Integer::from(&a[(i, t)] * &b[(t, j)])).sum::<Integer>();
            let (x, y) = (Integers::new(a.as_ref()), Integers::new(b.as_ref()));
            let plan = Plan::new(k, 170, 170, None).expect("primes enough");
            for bytes in [(1, 1), (20_000, 40_000), (ROWS_BYTES, PANEL_BYTES)] {
                let (mut product, mut units) = (Mat::from_fn(m, n, |_, _| Integer::from(7)), Mat::from_fn(m, n, |_, _| 0u8));
                plan.run_within(bytes, &x, &y, true, (product.as_mut(), units.as_mut()), |_, limbs, negative, low, (x, _)| {
                    assert_eq!(low, 0);
                    x.assign_digits(limbs, rug::integer::Order::Lsf);
                    *x *= if negative { -1 } else { 1 };
                });
                assert!((0..m).all(|i| (0..n).all(|j| product[(i, j)] == exact(i, j))), "{m} x {k} x {n}, {bytes:?} bytes");
            }
        }
    }
}
