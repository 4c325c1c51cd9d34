//! Power-of-two scaling of the operands: where a matrix of floats meets a grid of integers.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rug::Float;

use super::{AsFloat, Grid, chunks, each, entry::Limbs, join};

/// Exponent of a zero.
const ZERO: i32 = i32::MIN;

/// The first bits of a float: |x| = lead · 2^exp up to 2^(exp−53) below, lead in [1/2, 1), and x is a multiple of 2^(exp − bits).
#[derive(Clone, Copy)]
struct Head {
    exp: i32,
    bits: u32,
    lead: f64,
}

impl Head {
    const ZERO: Head = Head { exp: ZERO, bits: 0, lead: 0.0 };

    fn new(x: &Float) -> Self {
        let mut head = Head::ZERO;
        x.limbs(|limbs, _, low| {
            let Some(lowest) = limbs.iter().position(|&l| l != 0) else { return };
            let bits = 64 * (limbs.len() - lowest) as u32 - limbs[lowest].trailing_zeros();
            let lead = (limbs[limbs.len() - 1] >> 11) as f64 * 2f64.powi(-53);
            head = Head { exp: (low + 64 * limbs.len() as i64) as i32, bits, lead };
        });
        head
    }
}

/// Heads of the entries of a matrix of floats, by columns.
pub(super) struct Heads {
    rows: usize,
    heads: Vec<Head>,
    /// Rows and columns that meet a NaN or an infinity.
    pub bad_row: Vec<bool>,
    pub bad_col: Vec<bool>,
}

impl Heads {
    pub fn new<T: AsFloat>(mat: MatRef<'_, T>, parallel: bool) -> Self {
        let (rows, cols) = (mat.nrows(), mat.ncols());
        let mut heads = vec![Head::ZERO; rows * cols];
        let mut bad_entries = vec![vec![]; cols];
        let columns = heads.chunks_mut(rows.max(1)).zip(&mut bad_entries).enumerate().collect();
        each(
            parallel,
            columns,
            || (),
            |(), (j, (heads, bad))| {
                for (i, head) in heads.iter_mut().enumerate() {
                    let x = mat[(i, j)].as_float();
                    *head = Head::new(x);
                    if !x.is_finite() {
                        bad.push(i);
                    }
                }
            },
        );
        let (mut bad_row, mut bad_col) = (vec![false; rows], vec![false; cols]);
        for (j, bad) in bad_entries.into_iter().enumerate() {
            bad_col[j] = !bad.is_empty();
            bad.into_iter().for_each(|i| bad_row[i] = true);
        }
        Heads { rows, heads, bad_row, bad_col }
    }

    /// Exponent of entry (i, j), `None` for a zero.
    pub fn exponent(&self, i: usize, j: usize) -> Option<i64> {
        let exp = self.heads[i + j * self.rows].exp;
        (exp != ZERO).then_some(i64::from(exp))
    }

    /// Calls `f(i, j, exponent, bits)` for every nonzero entry.
    fn for_each(&self, mut f: impl FnMut(usize, usize, i64, i64)) {
        for (j, heads) in self.heads.chunks(self.rows.max(1)).enumerate() {
            for (i, head) in heads.iter().enumerate() {
                if head.exp != ZERO {
                    f(i, j, i64::from(head.exp), i64::from(head.bits));
                }
            }
        }
    }

    /// Largest |exponent|.
    pub fn extreme(&self) -> i64 {
        self.heads.iter().filter(|h| h.exp != ZERO).map(|h| i64::from(h.exp).abs()).max().unwrap_or(0)
    }

    /// |x_ij| 2^(row_i + col_j), truncated, and 0 below 2^−1000.
    fn doubles(&self, row: impl Fn(usize) -> i64, col: impl Fn(usize) -> i64) -> Mat<f64> {
        Mat::from_fn(self.rows, self.bad_col.len(), |i, j| {
            let head = self.heads[i + j * self.rows];
            let exp = i64::from(head.exp) + row(i) + col(j); // <= 0
            if exp > -1000 { head.lead * f64::from_bits(((exp + 1023) as u64) << 52) } else { 0.0 }
        })
    }
}

/// Scaling `a_it = 2^(row_i − inner_t) a'_it`, `b_tj = 2^(col_j + inner_t) b'_tj` with |a'|, |b'| < 1.
pub(super) struct Scaling {
    zero_row: Vec<bool>,
    zero_col: Vec<bool>,
    pub row: Vec<i64>,
    pub inner: Vec<i64>,
    pub col: Vec<i64>,
    /// Bits after the point that represent every a' exactly; likewise b'.
    pub exact_a: u64,
    pub exact_b: u64,
}

/// Mean bits per entry that balancing the inner index must save to be used: random operands stay unscaled.
const LEAST_GAIN: i64 = 2;

/// 2^−960.
const LEAST_SUM: f64 = f64::from_bits((1023 - 960) << 52);

/// An operand by its outer index, rows of A or columns of B, and the inner one.
struct Side<'a> {
    heads: &'a Heads,
    left: bool,
}

impl Side<'_> {
    fn outer(&self) -> usize {
        if self.left { self.heads.bad_row.len() } else { self.heads.bad_col.len() }
    }

    fn for_each(&self, mut f: impl FnMut(usize, usize, i64, i64)) {
        if self.left { self.heads.for_each(f) } else { self.heads.for_each(|t, j, e, bits| f(j, t, e, bits)) }
    }

    /// Maxima of exponent + inner_t over the inner index; 0 for a row or column of zeros.
    fn maxima(&self, inner: &[i64]) -> Vec<i64> {
        let mut outer = vec![i64::MIN; self.outer()];
        self.for_each(|i, t, e, _| outer[i] = outer[i].max(e + inner[t]));
        outer.iter_mut().filter(|top| **top == i64::MIN).for_each(|top| *top = 0);
        outer
    }

    /// Maxima of exponent − outer_i over the outer index.
    fn tops(&self, outer: &[i64], len: usize) -> Vec<i64> {
        let mut tops = vec![i64::MIN; len];
        self.for_each(|i, t, e, _| tops[t] = tops[t].max(e - outer[i]));
        tops
    }

    /// Bits after the point of every scaled entry, and which outer indices have no entry.
    fn exact(&self, outer: &[i64], inner: &[i64]) -> (u64, Vec<bool>) {
        let (mut exact, mut zero) = (0, vec![true; self.outer()]);
        self.for_each(|i, t, e, bits| {
            zero[i] = false;
            exact = exact.max(outer[i] - e - inner[t] + bits);
        });
        (exact as u64, zero)
    }
}

impl Scaling {
    /// Row and column scaling by the largest entry; the inner index is balanced too where that shrinks the scales.
    ///
    /// The error of entry (i, j) is a constant times 2^(row_i + col_j), so the scaling with the lesser sum of these is kept. To balance,
    /// with A_t, B_t the largest exponents along the inner index t relative to the unbalanced scales, inner_t = (B_t − A_t) / 2, truncated,
    /// gives both sides the largest exponent (A_t + B_t)/2.
    pub fn new(a: &Heads, b: &Heads, inner: usize, parallel: bool) -> Self {
        let (a, b) = (Side { heads: a, left: true }, Side { heads: b, left: false });
        let none = vec![0; inner];
        let unbalanced = |side: &Side<'_>| {
            let outer = side.maxima(&none);
            let tops = side.tops(&outer, inner);
            (outer, tops)
        };
        let ((row, top_a), (col, top_b)) = join(parallel, || unbalanced(&a), || unbalanced(&b));
        let half = |(&a, &b): (&i64, &i64)| if a == i64::MIN || b == i64::MIN { 0 } else { (b - a) / 2 };
        let balanced: Vec<i64> = top_a.iter().zip(&top_b).map(half).collect();
        let negated = |inner: &[i64]| inner.iter().map(|s| -s).collect::<Vec<_>>();
        let total = |row: &[i64], col: &[i64]| b.outer() as i64 * row.iter().sum::<i64>() + a.outer() as i64 * col.iter().sum::<i64>();
        let other = balanced.iter().any(|&s| s != 0).then(|| join(parallel, || a.maxima(&balanced), || b.maxima(&negated(&balanced))));
        let (row, inner, col) = match other {
            Some((row_b, col_b)) if total(&row, &col) - total(&row_b, &col_b) >= LEAST_GAIN * (a.outer() * b.outer()) as i64 => {
                (row_b, balanced, col_b)
            }
            _ => (row, none, col),
        };
        let ((exact_a, zero_row), (exact_b, zero_col)) = join(parallel, || a.exact(&row, &inner), || b.exact(&col, &negated(&inner)));
        Scaling { zero_row, zero_col, row, inner, col, exact_a, exact_b }
    }

    /// Exponent of the scale of entry (i, j).
    pub fn of(&self, i: usize, j: usize) -> i64 {
        self.row[i] + self.col[j]
    }

    /// Whether entry (i, j) meets a row or a column of zeros.
    pub fn zero(&self, i: usize, j: usize) -> bool {
        self.zero_row[i] || self.zero_col[j]
    }

    /// Lower bounds of Σ_t |a_it b_tj|.
    ///
    /// One product of doubles truncated from |a'| and |b'|. Rounding raises a sum by a factor below (1 + 2^−52)^k and underflow by at
    /// most k 2^−1074, so a computed sum s >= 2^−960 is less than twice the exact one for k < 2^50.
    pub fn gaps(&self, a: &Heads, b: &Heads, parallel: bool) -> Gaps {
        let x = || a.doubles(|i| -self.row[i], |t| self.inner[t]);
        let y = || b.doubles(|t| -self.inner[t], |j| -self.col[j]);
        let (x, y) = join(parallel, x, y);
        let mut sums = Mat::<f64>::zeros(x.nrows(), y.ncols());
        // The same blocks for any number of threads.
        let blocks = chunks(sums.as_mut(), GAP_ROWS).into_iter().enumerate().collect();
        each(
            parallel,
            blocks,
            || (),
            |(), (c, sums)| {
                let rows = x.subrows(c * GAP_ROWS, sums.nrows());
                matmul(sums, Accum::Replace, rows, y.as_ref(), 1.0, Par::Seq);
            },
        );
        Gaps(sums)
    }
}

/// Rows of a block of them.
const GAP_ROWS: usize = 64;

/// Σ_t |a'_it b'_tj| in doubles.
pub(super) struct Gaps(Mat<f64>);

impl Gaps {
    /// g, in bits: Σ_t |a_it b_tj| >= 2^(row_i + col_j − g); `None` where doubles underflow.
    pub fn of(&self, i: usize, j: usize) -> Option<i64> {
        gap(&self.0[(i, j)])
    }

    pub fn iter(&self) -> impl Iterator<Item = Option<i64>> {
        self.0.col_iter().flat_map(|c| c.iter().map(gap))
    }
}

fn gap(sum: &f64) -> Option<i64> {
    (*sum >= LEAST_SUM).then(|| 1024 - (sum.to_bits() >> 52) as i64)
}

/// The integers trunc(2^width x') of a scaled matrix x' = 2^(−outer − inner) x.
pub(super) struct Scaled<'a, T> {
    pub mat: MatRef<'a, T>,
    pub width: u64,
    pub row: &'a [i64],
    pub row_sign: i64,
    pub col: &'a [i64],
    pub col_sign: i64,
}

impl<T: AsFloat> Grid for Scaled<'_, T> {
    fn shape(&self) -> (usize, usize) {
        (self.mat.nrows(), self.mat.ncols())
    }

    #[inline]
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64)) {
        let shift = self.width as i64 + self.row_sign * self.row[i] + self.col_sign * self.col[j];
        self.mat[(i, j)].as_float().limbs(|limbs, negative, low| f(limbs, negative, low + shift));
    }
}
