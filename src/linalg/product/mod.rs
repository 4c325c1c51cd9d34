//! High-precision matrix products with error bounds, through products of doubles that are exact.
//!
//! A B is scaled by powers of two to integers A' B' + E (`scale::Scaling`): with a_it = 2^(r_i − s_t − x)(A'_it + δ_it) and
//! b_tj = 2^(c_j + s_t − y)(B'_tj + ε_tj), |A'| < 2^x, |B'| < 2^y, |δ|, |ε| < 1 (zero where x or y bits represent the operand),
//!
//! (A B)_ij = 2^(r_i + c_j − x − y) (Σ_t A'_it B'_tj + e_ij),   |e_ij| <= k (2^y [δ ≠ 0] + 2^x [ε ≠ 0]).
//!
//! A' B' is computed exactly, or up to a bound on digits left out, by digit slices or modulo primes.
//!
//! [`Accuracy::Componentwise`] with g bits of guard takes x, y >= prec + g + ⌈log2 k⌉ + 2, so that |e_ij| and what is left out are together
//! at most 2^(x + y − prec − g). That is 2^−prec Σ_t |a_it b_tj| for every entry with Σ_t |a_it b_tj| >= 2^(r_i + c_j − g); the others are
//! computed one by one, and g is chosen so that all this is cheapest.

mod cost;
mod direct;
mod enclosed;
mod entry;
mod integer;
mod residues;
mod scale;
mod slices;
mod stream;

use faer::{ColMut, Mat, MatMut, MatRef};
use rayon::prelude::*;
use rug::Float;

use direct::Direct;
use entry::{Bound, round};
use scale::{Heads, Scaled, Scaling};

pub use enclosed::{Enclosed, Midpoint, RADIUS_BITS, Radius, SHORT_BITS};
pub use integer::exact_integer_product;
pub(crate) use integer::{integer_columns, integer_cost, word_columns};

/// A scalar that is an MPFR float.
pub trait AsFloat: Send + Sync {
    fn as_float(&self) -> &Float;
}

impl AsFloat for Float {
    fn as_float(&self) -> &Float {
        self
    }
}

/// How entries of a product are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// One by one with MPFR, correctly rounded.
    Direct,
    /// Digit slices: small products and moderate precision.
    Slices,
    /// Modulo primes.
    Residues,
}

/// What radii are small against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accuracy {
    /// rad_ij <= 2^(2−prec) Σ_t |a_it b_tj|.
    Componentwise,
    /// rad_ij <= 2^(2−prec) k max_t |a_it 2^(s_t)| max_t |b_tj 2^(−s_t)| + 2^−prec |mid_ij|; s = 0 unless balancing the inner index by s pays.
    Normwise,
}

/// Terms times bits of the smallest product that is shared between threads: at 32 x 32 x 32 and 106 bits two threads took 2.5 times as long
/// as one, at 1024 bits as long (benches/records/2026-11-27-engine.md).
const LEAST_SHARED: f64 = 4e7;

/// How to form a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProductOptions {
    /// Bits of the midpoints, at least 1.
    pub prec: u32,
    /// `None`: the cheapest by a fixed table. [`Scheme::Residues`] gives way to [`Scheme::Direct`] where its table of primes is too short
    /// (20 000 bits or so).
    pub scheme: Option<Scheme>,
    /// Threads of the rayon pool, where the product is large enough to pay for them; the result is the same.
    pub parallel: bool,
    pub accuracy: Accuracy,
}

impl ProductOptions {
    /// Componentwise, parallel, cheapest scheme.
    pub fn new(prec: u32) -> Self {
        ProductOptions { prec, scheme: None, parallel: true, accuracy: Accuracy::Componentwise }
    }
}

/// `A B` rounded to `prec` bits, with an entrywise bound on the distance from the exact product.
///
/// Guarantee: |mid − A B| <= rad entry by entry, and rad <= 2^(2−prec) |A| |B|. An entry that meets a NaN or an infinity, or is beyond the
/// largest exponent (as its radius may be), has midpoint 0 and radius +∞. An entry below the least exponent has midpoint 0. The result depends on
/// shapes and entries alone, not on the number of threads.
///
/// Shapes: (m, k) (k, n), any of them 0, any strides; entries of any precision, mixed. The cost follows the bits the operands
/// have, or `prec` where that is less.
///
/// Memory besides operands, result and three doubles an entry: modulo h primes, 384 MiB for rows of A and 64 MiB for columns of B and of
/// the product, but at least one row (8 k h bytes) and 16 columns; h is near 2 (prec + 10) / 23. With digit slices of 22 bits or so, one
/// double for every digit of B, and 17 MiB a thread, but at least one row of A (a double for every digit) and 16 columns of the product.
///
/// ```
/// use faer::Mat;
/// use rug::Float;
/// use ufm::linalg::product::product;
/// let third = Mat::from_fn(2, 2, |_, _| Float::with_val(200, 1) / 3);
/// let square = product(third.as_ref(), third.as_ref(), 100);
/// let error = Float::with_val(300, &*square.mid[(0, 0)].borrow() - Float::with_val(300, 2) / 9);
/// assert!(error.abs() <= square.rad[(0, 0)].to_float());
/// ```
///
/// # Panics
/// When the inner dimensions differ or `prec` is 0.
pub fn product<A: AsFloat, B: AsFloat>(a: MatRef<'_, A>, b: MatRef<'_, B>, prec: u32) -> Enclosed {
    product_with(a, b, &ProductOptions::new(prec))
}

/// [`product`] with a scheme, threads and accuracy of choice.
///
/// # Panics
/// When the inner dimensions differ or the precision is 0.
pub fn product_with<A: AsFloat, B: AsFloat>(a: MatRef<'_, A>, b: MatRef<'_, B>, options: &ProductOptions) -> Enclosed {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions differ");
    let ProductOptions { prec, scheme, parallel, accuracy } = *options;
    let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
    let parallel = parallel && m as f64 * k as f64 * n as f64 * f64::from(prec) >= LEAST_SHARED;
    let (ea, eb) = (Heads::new(a, parallel), Heads::new(b, parallel));
    let scaling = Scaling::new(&ea, &eb, k, parallel);
    let direct = Direct::new(a, b, (&ea, &eb), prec);
    let gaps = match (accuracy, scheme) {
        (_, Some(Scheme::Direct)) | (Accuracy::Normwise, _) => None,
        _ => Some(scaling.gaps(&ea, &eb, parallel)),
    };
    let plan = choose(&scaling, (m, k, n), prec, scheme, gaps.as_deref());

    let enclose = |entry: Option<(Midpoint, Bound)>| match entry {
        Some((mid, bound)) if bound.top() <= i64::from(rug::float::exp_max()) => (mid, Radius::new(bound)),
        _ => (Midpoint::zero(prec), Radius::INFINITE),
    };
    let unknown = |i: usize, j: usize| ea.bad_row[i] || eb.bad_col[j];
    let one_by_one = |i: usize, j: usize| enclose(if unknown(i, j) { None } else { direct.entry(i, j) });
    let from_limbs = |i: usize, j: usize, limbs: &[u64], negative, low: i64, bound: Bound, guard: i64, unit: i64| {
        let unit = scaling.of(i, j) - unit;
        if unknown(i, j) {
            return enclose(None);
        }
        if !bound.is_zero() {
            if scaling.zero(i, j) {
                return enclose(Some((Midpoint::zero(prec), Bound::ZERO)));
            }
            if gaps.as_ref().is_some_and(|gaps| gaps[i + j * m].is_none_or(|gap| gap > guard)) {
                return one_by_one(i, j);
            }
        }
        enclose(round(limbs, negative, low + unit, prec).map(|(mid, lost)| {
            let bound = bound.scaled(unit);
            (mid, lost.map_or(bound, |e| bound.plus(Bound::new(1, e))))
        }))
    };
    let mut entries: Vec<Option<(Midpoint, Radius)>> = match plan {
        Plan::Direct => {
            let mut out: Vec<_> = (0..m * n).map(|_| None).collect();
            each(
                parallel,
                out.chunks_mut(16).enumerate().collect(),
                || (),
                |(), (c, out)| {
                    for (e, out) in out.iter_mut().enumerate() {
                        let q = 16 * c + e;
                        *out = Some(one_by_one(q % m, q / m));
                    }
                },
            );
            out
        }
        Plan::Grid { width_a, width_b, guard, kind } => {
            let one =
                |width: u64, exact: u64, k: u64, exponent: u64| if width < exact { Bound::new(k, exponent as i64) } else { Bound::ZERO };
            let bound = one(width_a, scaling.exact_a, k as u64, width_b).plus(one(width_b, scaling.exact_b, k as u64, width_a));
            let x = Scaled { mat: a, width: width_a, row: &scaling.row, row_sign: -1, col: &scaling.inner, col_sign: 1 };
            let y = Scaled { mat: b, width: width_b, row: &scaling.inner, row_sign: -1, col: &scaling.col, col_sign: -1 };
            let unit = (width_a + width_b) as i64;
            match kind {
                Kind::Slices(plan) => {
                    let bound = bound.plus(plan.dropped);
                    let (mut mid, mut rad) =
                        join(parallel, || Mat::from_fn(m, n, |_, _| Midpoint::default()), || Mat::from_fn(m, n, |_, _| Radius::INFINITE));
                    plan.run(&x, &y, parallel, (mid.as_mut(), rad.as_mut()), |i, j, limbs, negative, low| {
                        from_limbs(i, j, limbs, negative, low, bound, guard, unit)
                    });
                    return Enclosed { mid, rad };
                }
                Kind::Residues(plan) => {
                    let bound = bound.plus(plan.dropped);
                    plan.run(&x, &y, parallel, |i, j, limbs, negative, low| from_limbs(i, j, limbs, negative, low, bound, guard, unit))
                }
            }
        }
    };
    let computed = "every entry is computed";
    let rad = Mat::from_fn(m, n, |i, j| entries[i + j * m].as_ref().expect(computed).1);
    let mid = Mat::from_fn(m, n, |i, j| entries[i + j * m].take().expect(computed).0);
    Enclosed { mid, rad }
}

enum Kind {
    Slices(slices::Plan),
    Residues(residues::Plan),
}

enum Plan {
    Direct,
    Grid { width_a: u64, width_b: u64, guard: i64, kind: Kind },
}

/// The cheapest plan, or the cheapest of `scheme`. `gaps`: componentwise accuracy, see [`Scaling::gaps`].
fn choose(
    scaling: &Scaling,
    shape @ (m, k, n): (usize, usize, usize),
    prec: u32,
    scheme: Option<Scheme>,
    gaps: Option<&[Option<i64>]>,
) -> Plan {
    let single = cost::direct(k, scaling.exact_a, scaling.exact_b);
    let direct = match scheme {
        None | Some(Scheme::Direct) => (m * n) as f64 * single,
        _ => f64::INFINITY,
    };
    let mut best = (direct, Plan::Direct);
    if scheme == Some(Scheme::Direct) || m * n == 0 {
        return best.1;
    }
    let log_k = k.max(1).next_power_of_two().ilog2() as i64;
    for (guard, others) in guards(gaps, log_k) {
        let asked = (i64::from(prec) + guard + log_k + 2).max(1) as u64;
        let (width_a, width_b) = (scaling.exact_a.min(asked), scaling.exact_b.min(asked));
        let target = Some((width_a + width_b) as i64 - i64::from(prec) - guard - 1);
        let others = others as f64 * single;
        let mut consider = |cost: f64, kind: Kind| {
            if cost + others < best.0 {
                best = (cost + others, Plan::Grid { width_a, width_b, guard, kind });
            }
        };
        if scheme != Some(Scheme::Residues)
            && let Some(plan) = slices::Plan::new(shape, width_a, width_b, target)
        {
            consider(plan.cost(m, n), Kind::Slices(plan));
        }
        if scheme != Some(Scheme::Slices)
            && let Some(plan) = residues::Plan::new(k, width_a, width_b, target)
        {
            consider(plan.cost(m, n), Kind::Residues(plan));
        }
    }
    best.1
}

/// Steps of the guard bits that are tried.
const GUARD_STEP: i64 = 32;

/// Guard bits to try, each with the number of entries that need more.
fn guards(gaps: Option<&[Option<i64>]>, log_k: i64) -> Vec<(i64, usize)> {
    let Some(gaps) = gaps else {
        // 2^−prec k 2^(row + col).
        return vec![(1 - log_k, 0)];
    };
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for &gap in gaps.iter().flatten() {
        (least, most) = (least.min(gap), most.max(gap));
    }
    if least > most {
        return vec![(0, gaps.len())];
    }
    let steps = (0..).map(|s| most - GUARD_STEP * s).take_while(|&g| g >= least);
    steps.map(|guard| (guard, gaps.iter().filter(|gap| gap.is_none_or(|gap| gap > guard)).count())).collect()
}

/// A matrix of integers.
trait Grid: Sync {
    fn shape(&self) -> (usize, usize);
    /// Calls `f(limbs, negative, shift)` for entry ±⌊limbs · 2^shift⌋, or not at all for zero.
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64));
}

/// Entries handled at a time, so that their digits stay in the nearest caches.
const CHUNK: usize = 256;
/// Bytes of a panel of columns of B and of the product.
const PANEL_BYTES: usize = 64 << 20;
/// Columns of a panel at the least: fewer waste the packing of A.
const LEAST_PANEL: usize = 16;
/// Bytes of the residues of a block of rows of A.
const ROWS_BYTES: usize = 384 << 20;

/// Calls `f` on every item, with a state of `init` per thread.
fn each<T: Send, S>(parallel: bool, items: Vec<T>, init: impl Fn() -> S + Sync + Send, f: impl Fn(&mut S, T) + Sync + Send) {
    if parallel && items.len() > 1 {
        items.into_par_iter().for_each_init(init, f);
    } else {
        let mut state = init();
        items.into_iter().for_each(|item| f(&mut state, item));
    }
}

/// Both results, on two threads if `parallel`.
fn join<X: Send, Y: Send>(parallel: bool, x: impl FnOnce() -> X + Send, y: impl FnOnce() -> Y + Send) -> (X, Y) {
    if parallel { rayon::join(x, y) } else { (x(), y()) }
}

fn contiguous(column: ColMut<'_, f64>) -> &mut [f64] {
    column.try_as_col_major_mut().expect("columns are contiguous").as_slice_mut()
}

/// Blocks of `height` rows.
fn chunks<T>(mut mat: MatMut<'_, T>, height: usize) -> Vec<MatMut<'_, T>> {
    let mut out = vec![];
    while mat.nrows() > height {
        let (head, tail) = mat.split_at_row_mut(height);
        out.push(head);
        mat = tail;
    }
    out.push(mat);
    out
}
