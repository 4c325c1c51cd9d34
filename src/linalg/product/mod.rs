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

mod carry;
mod cost;
mod direct;
mod enclosed;
mod entry;
mod integer;
mod primes;
mod residues;
mod scale;
mod slices;

use std::sync::{Mutex, PoisonError};

use faer::{Mat, MatMut, MatRef};
use rug::Float;

use direct::Direct;
use entry::{Bound, Format};
use scale::{Gaps, Heads, Scaled, Scaling};

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
/// Memory, with T threads at work: the result, 72 bytes an entry and prec/8 + 40 more beyond [`SHORT_BITS`] or where computed one by one; 8
/// more bytes an entry of the result and 24 an entry of the operands; what the scheme needs; 1 MiB, and 1 MiB a thread. Modulo h primes, h near
/// 2 (prec + 10)/23: 4 h bytes an entry of r rows of A, of c columns of B and of their product, and each thread has 8 bytes an entry of them;
/// 4 h k r is at most 192 MiB and 4 h max(k, r) c at most 16 MiB, but r >= 1 and c >= 16. By digit slices of 22 bits or so: a double for every
/// digit of B, and a thread has one for every digit of 48 rows of A, at most 16 MiB but one row at least, and 16 columns of sums at least.
/// Each thread's first product of doubles in faer reserves address space of twice the largest cache, and touches what it packs.
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
    let terms = a.nrows() as f64 * a.ncols() as f64 * b.ncols() as f64;
    let parallel = options.parallel && terms * f64::from(options.prec) >= LEAST_SHARED;
    let mut mid = Mat::from_fn(a.nrows(), b.ncols(), |_, _| Midpoint::default());
    let mut rad = Mat::from_fn(a.nrows(), b.ncols(), |_, _| Radius::INFINITE);
    // Into the pool once: every step started from outside wakes a thread of it and waits for it. What is returned is allocated before that: the
    // heaps of other threads than the first give memory back to the system sooner.
    join(parallel, || enclose(a, b, &ProductOptions { parallel, ..*options }, (mid.as_mut(), rad.as_mut())), || ());
    Enclosed { mid, rad }
}

/// Writes the product to `out`.
fn enclose<A: AsFloat, B: AsFloat>(
    a: MatRef<'_, A>,
    b: MatRef<'_, B>,
    options: &ProductOptions,
    out: (MatMut<'_, Midpoint>, MatMut<'_, Radius>),
) {
    let ProductOptions { prec, scheme, parallel, accuracy } = *options;
    let (m, k, n) = (a.nrows(), a.ncols(), b.ncols());
    let (ea, eb) = join(parallel, || Heads::new(a, parallel), || Heads::new(b, parallel));
    let scaling = Scaling::new(&ea, &eb, k, parallel);
    let direct = Direct::new(a, b, (&ea, &eb), prec);
    let gaps = match (accuracy, scheme) {
        (_, Some(Scheme::Direct)) | (Accuracy::Normwise, _) => None,
        _ => Some(scaling.gaps(&ea, &eb, parallel)),
    };
    let plan = choose(&scaling, (m, k, n), prec, scheme, gaps.as_ref());

    let format = Format::new(prec);
    let bounded = |(mid, rad): (&mut Midpoint, &mut Radius), bound: Option<Bound>| match bound {
        Some(bound) if bound.top() <= format.most => *rad = Radius::new(bound),
        _ => (*mid, *rad) = (Midpoint::zero(prec), Radius::INFINITE),
    };
    let unknown = |i: usize, j: usize| ea.bad_row[i] || eb.bad_col[j];
    let one_by_one = |i: usize, j: usize, (mid, rad): (&mut Midpoint, &mut Radius)| {
        let entry = if unknown(i, j) { None } else { direct.entry(i, j) };
        let bound = entry.map(|(sum, bound)| {
            *mid = sum;
            bound
        });
        bounded((mid, rad), bound);
    };
    match plan {
        Plan::Direct => each(
            parallel,
            tiles(out, (DIRECT, 1)),
            || (),
            |(), ((top, left), (mut mid, mut rad))| {
                for i in 0..mid.nrows() {
                    one_by_one(top + i, left, (&mut mid[(i, 0)], &mut rad[(i, 0)]));
                }
            },
        ),
        Plan::Grid { width_a, width_b, guard, kind } => {
            let one =
                |width: u64, exact: u64, k: u64, exponent: u64| if width < exact { Bound::new(k, exponent as i64) } else { Bound::ZERO };
            let bound = one(width_a, scaling.exact_a, k as u64, width_b).plus(one(width_b, scaling.exact_b, k as u64, width_a));
            let x = Scaled { mat: a, width: width_a, row: &scaling.row, row_sign: -1, col: &scaling.inner, col_sign: 1 };
            let y = Scaled { mat: b, width: width_b, row: &scaling.inner, row_sign: -1, col: &scaling.col, col_sign: -1 };
            let dropped = match &kind {
                Kind::Slices(plan) => plan.dropped,
                Kind::Residues(plan) => plan.dropped,
            };
            let bound = bound.plus(dropped);
            let finish = |(i, j): (usize, usize), limbs: &[u64], negative, low: i64, (mid, rad): (&mut Midpoint, &mut Radius)| {
                if unknown(i, j) {
                    return bounded((mid, rad), None);
                }
                if !bound.is_zero() {
                    if scaling.zero(i, j) {
                        *mid = Midpoint::zero(prec);
                        return bounded((mid, rad), Some(Bound::ZERO));
                    }
                    if gaps.as_ref().is_some_and(|gaps| gaps.of(i, j).is_none_or(|gap| gap > guard)) {
                        return one_by_one(i, j, (mid, rad));
                    }
                }
                let unit = scaling.of(i, j) - (width_a + width_b) as i64;
                let lost = format.round(limbs, negative, low + unit, mid);
                let bound = bound.scaled(unit);
                bounded((mid, rad), lost.map(|lost| lost.map_or(bound, |e| bound.plus(Bound::new(1, e)))));
            };
            match kind {
                Kind::Slices(plan) => plan.run(&x, &y, parallel, out, finish),
                Kind::Residues(plan) => plan.run(&x, &y, parallel, out, finish),
            }
        }
    }
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
fn choose(scaling: &Scaling, shape @ (m, k, n): (usize, usize, usize), prec: u32, scheme: Option<Scheme>, gaps: Option<&Gaps>) -> Plan {
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
fn guards(gaps: Option<&Gaps>, log_k: i64) -> Vec<(i64, usize)> {
    let Some(gaps) = gaps else {
        // 2^−prec k 2^(row + col).
        return vec![(1 - log_k, 0)];
    };
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for gap in gaps.iter().flatten() {
        (least, most) = (least.min(gap), most.max(gap));
    }
    if least > most {
        return vec![(0, gaps.iter().count())];
    }
    let steps = (0..).map(|s| most - GUARD_STEP * s).take_while(|&g| g >= least);
    steps.map(|guard| (guard, gaps.iter().filter(|gap| gap.is_none_or(|gap| gap > guard)).count())).collect()
}

/// A matrix of integers.
trait Grid: Sync {
    fn shape(&self) -> (usize, usize);
    /// Calls `f(limbs, negative, shift)` for entry ±⌊limbs · 2^shift⌋.
    fn visit(&self, i: usize, j: usize, f: impl FnOnce(&[u64], bool, i64));
}

/// Entries of a tile that are computed one by one.
const DIRECT: usize = 16;
/// Bytes of the residues of a panel of columns of B, and of those of the product.
const PANEL_BYTES: usize = 16 << 20;
/// Columns of a panel at the least: fewer waste the packing of A.
const LEAST_PANEL: usize = 16;
/// Bytes of the residues of a block of rows of A.
const ROWS_BYTES: usize = 192 << 20;

/// Parts of each worker in what is left to do.
const SHARES: usize = 4;

/// Calls `f` on every item, with a state of `init` for each thread that takes one.
fn each<T: Send, S>(parallel: bool, items: Vec<T>, init: impl Fn() -> S + Sync, f: impl Fn(&mut S, T) + Sync) {
    let workers = if parallel { rayon::current_num_threads().min(items.len()) } else { 1 };
    if workers <= 1 {
        let mut state = init();
        return items.into_iter().for_each(|item| f(&mut state, item));
    }
    let queue = Mutex::new(items.into_iter());
    // A share of what is left, so that taking costs little and the end is even.
    let next = || {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let share = queue.len().div_ceil(SHARES * workers);
        queue.by_ref().take(share).collect::<Vec<_>>()
    };
    let work = |_: &rayon::Scope<'_>| {
        let mut items = next();
        if items.is_empty() {
            return;
        }
        let mut state = init();
        while !items.is_empty() {
            items.into_iter().for_each(|item| f(&mut state, item));
            items = next();
        }
    };
    rayon::scope(|scope| {
        (1..workers).for_each(|_| scope.spawn(work));
        work(scope);
    });
}

/// Both results, on two threads if `parallel`.
fn join<X: Send, Y: Send>(parallel: bool, x: impl FnOnce() -> X + Send, y: impl FnOnce() -> Y + Send) -> (X, Y) {
    if parallel { rayon::join(x, y) } else { (x(), y()) }
}

/// Tiles of two matrices of one shape, by rows of tiles, each with its first row and column.
#[allow(clippy::type_complexity)]
fn tiles<'a, R, S>(
    (first, second): (MatMut<'a, R>, MatMut<'a, S>),
    (height, width): (usize, usize),
) -> Vec<((usize, usize), (MatMut<'a, R>, MatMut<'a, S>))> {
    fn cut<T>(mat: MatMut<'_, T>, (height, width): (usize, usize)) -> impl Iterator<Item = MatMut<'_, T>> {
        chunks(mat, height).into_iter().flat_map(move |strip| chunks(strip.transpose_mut(), width)).map(MatMut::transpose_mut)
    }
    let (rows, cols) = (first.nrows(), first.ncols());
    let corners = (0..rows).step_by(height).flat_map(|top| (0..cols).step_by(width).map(move |left| (top, left)));
    corners.zip(cut(first, (height, width)).zip(cut(second, (height, width)))).collect()
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
