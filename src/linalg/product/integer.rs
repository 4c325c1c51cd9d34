//! Exact products of integer matrices.

use faer::{Mat, MatMut, MatRef};
use rayon::prelude::*;
use rug::{Integer, integer::Order, ops::NegAssign};

use super::{Grid, cost, entry::Limbs, residues, slices};

pub(super) struct Integers<'a> {
    mat: MatRef<'a, Integer>,
    width: u64,
}

impl<'a> Integers<'a> {
    pub fn new(mat: MatRef<'a, Integer>) -> Self {
        let width = mat.col_iter().flat_map(|c| c.iter().map(Integer::significant_bits)).max().unwrap_or(0);
        Integers { mat, width: u64::from(width) }
    }
}

impl Grid for Integers<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.mat.nrows(), self.mat.ncols())
    }

    #[inline]
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64)) {
        self.mat[(i, j)].limbs(f);
    }
}

/// Integers of one machine word.
struct Words<'a> {
    mat: MatRef<'a, i64>,
    width: u64,
}

impl<'a> Words<'a> {
    fn new(mat: MatRef<'a, i64>) -> Self {
        let largest = mat.col_iter().flat_map(|c| c.iter().map(|x| x.unsigned_abs())).max().unwrap_or(0);
        Words { mat, width: u64::from(64 - largest.leading_zeros()) }
    }
}

impl Grid for Words<'_> {
    fn shape(&self) -> (usize, usize) {
        (self.mat.nrows(), self.mat.ncols())
    }

    #[inline]
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64)) {
        let x = self.mat[(i, j)];
        f(&[x.unsigned_abs()], x < 0, 0);
    }
}

/// The entries of `A B` by columns, and a bound on what is left out of each, at most 2^target (nothing without a target); `None` when
/// k max|a| max|b| may reach 2^126.
///
/// # Panics
/// When the inner dimensions differ.
pub(crate) fn word_columns(a: MatRef<'_, i64>, b: MatRef<'_, i64>, target: Option<i64>) -> Option<(Vec<i128>, i128)> {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions differ");
    let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
    let (x, y) = (Words::new(a), Words::new(b));
    if x.width + y.width + u64::from(usize::BITS - k.leading_zeros()) > 126 {
        return None;
    }
    let plan = slices::Plan::new((m, k, n), x.width, y.width, target)?;
    let left_out = if plan.dropped.is_zero() { 0 } else { 1i128.checked_shl(plan.dropped.top().clamp(0, 127) as u32)? };
    let (mut out, mut units) = (vec![0; m * n], vec![(); m * n]);
    let columns = (MatMut::from_column_major_slice_mut(&mut out, m, n), MatMut::from_column_major_slice_mut(&mut units, m, n));
    plan.run(&x, &y, true, columns, |_, limbs, negative, low, (out, ())| {
        // Fewer than 127 bits: limbs beyond the second are zero.
        let limb = |at: usize| u128::from(limbs.get(at).copied().unwrap_or(0));
        let size = ((limb(0) | limb(1) << 64) << low) as i128;
        *out = if negative { -size } else { size };
    });
    Some((out, left_out))
}

/// `A B`, exactly.
///
/// Large products run through products of doubles, as in [`product`](super::product()); small ones term by term.
///
/// ```
/// use faer::Mat;
/// use rug::Integer;
/// let a = Mat::from_fn(2, 3, |i, j| Integer::from(i + j) << 200);
/// let square = ufm::linalg::product::exact_integer_product(a.as_ref(), a.transpose(), false);
/// assert_eq!(square[(0, 1)], Integer::from(0 * 1 + 1 * 2 + 2 * 3) << 400);
/// ```
///
/// # Panics
/// When the inner dimensions differ.
pub fn exact_integer_product(a: MatRef<'_, Integer>, b: MatRef<'_, Integer>, parallel: bool) -> Mat<Integer> {
    let mut entries = integer_columns(a, b, parallel).into_iter();
    let columns: Vec<Vec<_>> = (0..b.ncols()).map(|_| entries.by_ref().take(a.nrows()).map(Some).collect()).collect();
    let mut columns = columns;
    Mat::from_fn(a.nrows(), b.ncols(), |i, j| columns[j][i].take().unwrap_or_default())
}

/// Nanoseconds on one core of an exact product (m, k) (k, n) of integers of the given bits, term by term or through doubles.
pub(crate) fn integer_cost((m, k, n): (usize, usize, usize), width_a: u64, width_b: u64) -> f64 {
    let plans = [
        slices::Plan::new((m, k, n), width_a, width_b, None).map(|p| p.cost(m, n)),
        residues::Plan::new(k, width_a, width_b, None).map(|p| p.cost(m, n)),
    ];
    let schoolbook = (m * n) as f64 * cost::direct(k, width_a, width_b);
    plans.into_iter().flatten().fold(schoolbook, f64::min)
}

/// The entries of `A B`, by columns.
pub(crate) fn integer_columns(a: MatRef<'_, Integer>, b: MatRef<'_, Integer>, parallel: bool) -> Vec<Integer> {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions differ");
    let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
    let (x, y) = (Integers::new(a), Integers::new(b));
    let schoolbook = (m * n) as f64 * cost::direct(k, x.width, y.width);
    let slices = slices::Plan::new((m, k, n), x.width, y.width, None);
    let residues = residues::Plan::new(k, x.width, y.width, None);
    let by_slices = slices.as_ref().map_or(f64::INFINITY, |p| p.cost(m, n));
    let by_residues = residues.as_ref().map_or(f64::INFINITY, |p| p.cost(m, n));
    let finish = |_: (usize, usize), limbs: &[u64], negative: bool, _: i64, (x, ()): (&mut Integer, &mut ())| {
        x.assign_digits(limbs, Order::Lsf);
        if negative {
            x.neg_assign();
        }
    };
    let mut out = vec![Integer::new(); m * n];
    let units = &mut vec![(); m * n];
    let into = (MatMut::from_column_major_slice_mut(&mut out, m, n), MatMut::from_column_major_slice_mut(units, m, n));
    match (slices, residues) {
        (Some(plan), _) if by_slices <= by_residues && by_slices < schoolbook => plan.run(&x, &y, parallel, into, finish),
        (_, Some(plan)) if by_residues < schoolbook => plan.run(&x, &y, parallel, into, finish),
        _ => {
            let entry =
                |(q, out): (usize, &mut Integer)| *out = (0..k).fold(Integer::new(), |sum, t| sum + &a[(q % m, t)] * &b[(t, q / m)]);
            if parallel { out.par_iter_mut().enumerate().for_each(entry) } else { out.iter_mut().enumerate().for_each(entry) }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of words against plain sums, zeros and the largest entries that fit included.
    #[test]
    fn words_are_exact() {
        for (shape, bits) in [((1, 1, 1), (63, 62)), ((5, 7, 3), (63, 59)), ((40, 130, 70), (53, 62)), ((3, 0, 2), (1, 1))] {
            let (m, k, n) = shape;
            let entry = |t: usize, bits: u32| {
                let random = (t as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits);
                let size = if t.is_multiple_of(5) { ((1u64 << bits) - 1) as i64 } else { random as i64 };
                if t.is_multiple_of(7) {
                    0
                } else if t.is_multiple_of(3) {
                    -size
                } else {
                    size
                }
            };
            let (a, b) = (Mat::from_fn(m, k, |i, t| entry(i * k + t, bits.0)), Mat::from_fn(k, n, |t, j| entry(t + j * k, bits.1)));
            for target in [None, Some(-5), Some(20), Some(50), Some(90)] {
                let product = word_columns(a.as_ref(), b.as_ref(), target);
                let (product, left_out) = product.unwrap_or_else(|| panic!("{shape:?} fits"));
                assert!(left_out <= target.map_or(0, |t: i64| if t < 0 { 0 } else { 1 << t }));
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let exact: i128 = (0..k).map(|t| i128::from(a[(i, t)]) * i128::from(b[(t, j)])).sum();
                    assert!((product[i + j * m] - exact).abs() <= left_out, "{shape:?} {target:?}");
                }
            }
        }
        let large = Mat::from_fn(2, 2, |_, _| i64::MAX);
        assert!(word_columns(large.as_ref(), large.as_ref(), None).is_none());
    }
}
