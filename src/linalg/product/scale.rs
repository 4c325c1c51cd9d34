//! Power-of-two scaling of the operands: where a matrix of floats meets a grid of integers.

use faer::{Mat, MatRef, Par};
use rug::Float;

use super::{AsFloat, Grid, each, entry::Limbs};

/// Exponent of a zero.
const ZERO: i32 = i32::MIN;

/// Exponents of a matrix of floats, by columns: |x| in [2^(exp−1), 2^exp), and a multiple of 2^(exp − bits).
pub(super) struct Exponents {
    rows: usize,
    exp: Vec<i32>,
    bits: Vec<u32>,
    /// Rows and columns that meet a NaN or an infinity.
    pub bad_row: Vec<bool>,
    pub bad_col: Vec<bool>,
}

impl Exponents {
    pub fn new<T: AsFloat>(mat: MatRef<'_, T>) -> Self {
        let (rows, cols) = (mat.nrows(), mat.ncols());
        let (mut exp, mut bits) = (Vec::with_capacity(rows * cols), Vec::with_capacity(rows * cols));
        let (mut bad_row, mut bad_col) = (vec![false; rows], vec![false; cols]);
        for j in 0..cols {
            for i in 0..rows {
                let x = mat[(i, j)].as_float();
                let (e, b) = match x.get_exp() {
                    Some(e) => (e, significant_bits(x)),
                    None => {
                        bad_row[i] |= !x.is_zero();
                        bad_col[j] |= !x.is_zero();
                        (ZERO, 0)
                    }
                };
                exp.push(e);
                bits.push(b);
            }
        }
        Exponents { rows, exp, bits, bad_row, bad_col }
    }

    /// Exponent of entry (i, j), `None` for a zero.
    pub fn get(&self, i: usize, j: usize) -> Option<i64> {
        let e = self.exp[i + j * self.rows];
        (e != ZERO).then_some(i64::from(e))
    }

    /// Calls `f(i, j, exponent, bits)` for every nonzero entry.
    fn for_each(&self, mut f: impl FnMut(usize, usize, i64, i64)) {
        if self.rows == 0 {
            return;
        }
        for (j, (exp, bits)) in self.exp.chunks(self.rows).zip(self.bits.chunks(self.rows)).enumerate() {
            for (i, (&e, &b)) in exp.iter().zip(bits).enumerate() {
                if e != ZERO {
                    f(i, j, i64::from(e), i64::from(b));
                }
            }
        }
    }

    /// Largest |exponent|.
    pub fn extreme(&self) -> i64 {
        self.exp.iter().filter(|&&e| e != ZERO).map(|&e| i64::from(e).abs()).max().unwrap_or(0)
    }
}

/// Bits from the first to the last one bit of the significand.
fn significant_bits(x: &Float) -> u32 {
    let mut bits = 0;
    x.limbs(|limbs, _, _| {
        if let Some(lowest) = limbs.iter().position(|&l| l != 0) {
            bits = 64 * (limbs.len() - lowest) as u32 - limbs[lowest].trailing_zeros();
        }
    });
    bits
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

impl Scaling {
    /// Row and column scaling by the largest entry; the inner index is balanced too where that shrinks the scales.
    ///
    /// The error of entry (i, j) is a constant times 2^(row_i + col_j), so the scaling with the lesser sum of these is kept. To balance,
    /// with A_t, B_t the largest exponents along the inner index t relative to the unbalanced scales, inner_t = ⌊(B_t − A_t) / 2⌋
    /// gives both sides the largest exponent (A_t + B_t)/2.
    pub fn new(a: &Exponents, b: &Exponents, inner: usize) -> Self {
        let (m, n) = (a.bad_row.len(), b.bad_col.len());
        let (row, col) = maxima(a, b, &vec![0; inner]);
        let (mut top_a, mut top_b) = (vec![i64::MIN; inner], vec![i64::MIN; inner]);
        a.for_each(|i, t, e, _| top_a[t] = top_a[t].max(e - row[i]));
        b.for_each(|t, j, e, _| top_b[t] = top_b[t].max(e - col[j]));
        let balanced: Vec<i64> =
            top_a.iter().zip(&top_b).map(|(&a, &b)| if a == i64::MIN || b == i64::MIN { 0 } else { (b - a).div_euclid(2) }).collect();
        let (row_b, col_b) = maxima(a, b, &balanced);
        let total = |row: &[i64], col: &[i64]| n as i64 * row.iter().sum::<i64>() + m as i64 * col.iter().sum::<i64>();
        let (row, inner, col) = if total(&row, &col) - total(&row_b, &col_b) >= LEAST_GAIN * (m * n) as i64 {
            (row_b, balanced, col_b)
        } else {
            (row, vec![0; inner], col)
        };
        let (mut exact_a, mut exact_b) = (0, 0);
        let (mut zero_row, mut zero_col) = (vec![true; m], vec![true; n]);
        a.for_each(|i, t, e, bits| {
            zero_row[i] = false;
            exact_a = exact_a.max(row[i] - e - inner[t] + bits);
        });
        b.for_each(|t, j, e, bits| {
            zero_col[j] = false;
            exact_b = exact_b.max(col[j] - e + inner[t] + bits);
        });
        Scaling { zero_row, zero_col, row, inner, col, exact_a: exact_a as u64, exact_b: exact_b as u64 }
    }

    /// Exponent of the scale of entry (i, j).
    pub fn of(&self, i: usize, j: usize) -> i64 {
        self.row[i] + self.col[j]
    }

    /// Whether entry (i, j) meets a row or a column of zeros.
    pub fn zero(&self, i: usize, j: usize) -> bool {
        self.zero_row[i] || self.zero_col[j]
    }

    /// Lower bounds g_ij, in bits: Σ_t |a_it b_tj| >= 2^(row_i + col_j − g_ij); `None` where doubles underflow.
    ///
    /// One product of doubles truncated from |a'| and |b'|. Rounding raises a sum by a factor below (1 + 2^−52)^k and underflow by at
    /// most k 2^−1074, so a computed sum s >= 2^−960 is less than twice the exact one for k < 2^50.
    pub fn gaps<A: AsFloat, B: AsFloat>(&self, a: MatRef<'_, A>, b: MatRef<'_, B>, parallel: bool) -> Vec<Option<i64>> {
        let x = self.doubles(a, |i, t| self.inner[t] - self.row[i], parallel);
        let y = self.doubles(b, |t, j| -self.inner[t] - self.col[j], parallel);
        let mut sums = Mat::<f64>::zeros(a.nrows(), b.ncols());
        let par = if parallel { Par::rayon(0) } else { Par::Seq };
        faer::linalg::matmul::matmul(sums.as_mut(), faer::Accum::Replace, x.as_ref(), y.as_ref(), 1.0, par);
        let gap = |s: &f64| (*s >= LEAST_SUM).then(|| 1024 - (s.to_bits() >> 52) as i64);
        sums.col_iter().flat_map(|c| c.iter().map(gap).collect::<Vec<_>>()).collect()
    }

    fn doubles<T: AsFloat>(&self, mat: MatRef<'_, T>, shift: impl Fn(usize, usize) -> i64 + Sync, parallel: bool) -> Mat<f64> {
        let mut out = Mat::<f64>::zeros(mat.nrows(), mat.ncols());
        let columns: Vec<_> = out.col_iter_mut().enumerate().collect();
        each(parallel, columns, || (), |(), (j, column)| {
            for (i, out) in column.iter_mut().enumerate() {
                mat[(i, j)].as_float().limbs(|limbs, _, low| {
                    let Some(&top) = limbs.last() else { return };
                    let exp = low + 64 * limbs.len() as i64 + shift(i, j); // <= 0
                    if exp > -1000 {
                        *out = (top >> 11) as f64 * f64::from_bits(((exp - 53 + 1023) as u64) << 52);
                    }
                });
            }
        });
        out
    }
}

/// Row maxima of exp(a_it) + inner_t and column maxima of exp(b_tj) − inner_t; 0 for a row or column of zeros.
fn maxima(a: &Exponents, b: &Exponents, inner: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let (mut row, mut col) = (vec![i64::MIN; a.bad_row.len()], vec![i64::MIN; b.bad_col.len()]);
    a.for_each(|i, t, e, _| row[i] = row[i].max(e + inner[t]));
    b.for_each(|t, j, e, _| col[j] = col[j].max(e - inner[t]));
    for top in row.iter_mut().chain(&mut col) {
        if *top == i64::MIN {
            *top = 0;
        }
    }
    (row, col)
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

    fn width(&self) -> u64 {
        self.width
    }

    #[inline]
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64)) {
        let shift = self.width as i64 + self.row_sign * self.row[i] + self.col_sign * self.col[j];
        self.mat[(i, j)].as_float().limbs(|limbs, negative, low| f(limbs, negative, low + shift));
    }
}
