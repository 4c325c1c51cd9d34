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
