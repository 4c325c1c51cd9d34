//! Verified solution of linear systems.
//!
//! Let R be an approximate inverse and C = I − RA with κ = ‖C‖_∞ < 1: then A is regular, and x̃ + e solves Ax = b when
//! Ae = r := b − Ax̃, so e = Rr + Ce, ‖e‖_∞ <= ‖Rr‖_∞/(1 − κ) and, entry by entry,
//!
//! ```text
//! |e_i| <= |Rr|_i + (Σ_j |c_ij|) ‖Rr‖_∞/(1 − κ).
//! ```
//!
//! Adding Rr to x̃ shrinks the error by κ. R and C need only the precision that the condition number asks for, x̃ and r all of it.

use faer::Mat;
use rug::{Float, Rational};

use super::{
    BallMatrix, MAX_PRECISION, SEARCH_PRECISION, Source, Undecided,
    bound::{Bound, Norms, largest_below},
    exact::determinant_or_kernel,
    source::finite,
};

/// Why a linear system has no proved solution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// A `kernel` = 0 with `kernel` ≠ 0, exactly.
    #[error("the matrix is singular")]
    Singular { kernel: Vec<Rational> },
    #[error("the matrix has {rows} rows, the right-hand side {right}")]
    Rows { rows: usize, right: usize },
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

/// First precision of the approximate inverse.
const FIRST_PRECISION: u32 = 64;
/// κ is at most 2^−this: fewer bits a step would not be worth the step.
const CONTRACTION_BITS: i32 = 8;
/// Precision of the inverse from which on singularity is tested exactly, where that is possible.
const TEST_SINGULAR: u32 = 512;
/// Bits of working precision beyond those of the answer and of the condition.
const GUARD_BITS: u32 = 32;
/// Steps of refinement without halving the width before the precision is raised.
const PATIENCE: u32 = 2;

/// X with AX = B, A square: every column j is enclosed within `2^−bits max_i |x_ij|`.
///
/// The working precision grows until that holds. Guarantee: for every member of A and of B the solution is a member of the result.
///
/// Memory, for m columns and T threads: at most 20 n² (c/8 + 40 + T) + 8 (n² + 2 n m) (p/8 + 40) bytes and 1 + T MiB. The approximate inverse
/// has c bits, 64 or doubled until they exceed log₂ of the condition number by 8 or so; p = bits + c + 32 or doubled until the width holds. Where A
/// may be singular, c >= 512, it is tested exactly: [`definiteness`](super::definiteness()) says what that takes.
///
/// # Errors
/// A is singular (with a vector of its kernel, where A is known exactly); shapes do not fit; entries are not finite; or the radii
/// of A or B are too large, as they are when A has a singular member.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::solve, scalar::Rational};
/// let hilbert = Mat::from_fn(8, 8, |i, j| Rational::from((1, i + j + 1)));
/// let ones = Mat::from_fn(8, 1, |_, _| Rational::from(1));
/// let x = solve(&hilbert, &ones, 200).unwrap();
/// assert!(x.at(0, 0).contains_rational(&Rational::from(-8)));
/// ```
pub fn solve(a: &impl Source, b: &impl Source, bits: u32) -> Result<BallMatrix, SolveError> {
    let mut prec = FIRST_PRECISION;
    let (first, right) = (a.enclose(prec), b.enclose(prec));
    let (rows, cols) = (first.nrows(), first.ncols());
    if rows != cols {
        return Err(Undecided::NotSquare { rows, cols }.into());
    }
    if right.nrows() != rows {
        return Err(SolveError::Rows { rows, right: right.nrows() });
    }
    finite(&first)?;
    finite(&right)?;
    let mut tested = false;
    loop {
        if let Some(inverse) = approximate_inverse(a, prec) {
            match inverse {
                Inverse::Good(inverse) => return refine(a, b, bits, &inverse),
                Inverse::Wide if !a.is_exact() => return Err(Undecided::Radius.into()),
                Inverse::Wide | Inverse::Inaccurate => {}
            }
        }
        if prec >= TEST_SINGULAR && !tested {
            tested = true;
            if let Some(exact) = a.exact()
                && let Err(kernel) = determinant_or_kernel(exact.as_ref().as_ref())
            {
                return Err(SolveError::Singular { kernel });
            }
        }
        prec *= 2;
        if prec > SEARCH_PRECISION {
            return Err(if a.is_exact() { Undecided::Precision { bits: prec } } else { Undecided::Radius }.into());
        }
    }
}

/// A⁻¹, every column enclosed as by [`solve`].
///
/// # Errors
/// As for [`solve`].
pub fn inverse(a: &impl Source, bits: u32) -> Result<BallMatrix, SolveError> {
    let n = a.enclose(FIRST_PRECISION).nrows();
    solve(a, &BallMatrix::identity(n, FIRST_PRECISION), bits)
}

/// R with bounds on the rows of C.
struct Preconditioner {
    r: BallMatrix,
    row_sums: Vec<Bound>,
    kappa: Bound,
}

enum Inverse {
    Good(Preconditioner),
    /// The radii of A alone make κ too large.
    Wide,
    Inaccurate,
}

/// `None` when elimination meets a column of zeros.
fn approximate_inverse(a: &impl Source, prec: u32) -> Option<Inverse> {
    let a = a.enclose(prec);
    let n = a.nrows();
    let r = BallMatrix::from_floats(gauss_jordan(a.mid(), prec)?.as_ref(), prec);
    let c = BallMatrix::identity(n, prec).minus(&r.times_at(&a, prec));
    let magnitude = |i: usize, j: usize| Bound::of(&c.mid()[(i, j)]).plus(&Bound::of(&c.rad()[(i, j)]));
    let row_sums: Vec<Bound> = (0..n).map(|i| (0..n).map(|j| magnitude(i, j)).sum()).collect();
    let kappa = row_sums.iter().cloned().fold(Bound::zero(), Bound::max);
    if kappa <= Bound::power(-CONTRACTION_BITS) {
        return Some(Inverse::Good(Preconditioner { r, row_sums, kappa }));
    }
    let by_rounding = Norms::of(c.mid().as_ref()).infinity <= Bound::power(-CONTRACTION_BITS - 1);
    Some(if by_rounding { Inverse::Wide } else { Inverse::Inaccurate })
}

/// An approximate inverse by elimination with partial pivoting, rows weighted by their largest entry.
fn gauss_jordan(a: &Mat<Float>, prec: u32) -> Option<Mat<Float>> {
    let n = a.nrows();
    let mut rows: Vec<Vec<Float>> = (0..n).map(|i| (0..n).map(|j| Float::with_val(prec, &a[(i, j)])).collect()).collect();
    let mut weights: Vec<i32> = rows.iter().map(|row| row.iter().filter_map(Float::get_exp).max()).collect::<Option<_>>()?;
    let mut order: Vec<usize> = (0..n).collect();
    for k in 0..n {
        let weighted = |i: usize| rows[i][k].to_f64_exp();
        let pivot = (k..n).filter(|&i| !rows[i][k].is_zero()).max_by(|&i, &j| {
            let ((x, e), (y, f)) = (weighted(i), weighted(j));
            let (e, f) = (i64::from(e) - i64::from(weights[i]), i64::from(f) - i64::from(weights[j]));
            e.cmp(&f).then(x.abs().total_cmp(&y.abs())).then(j.cmp(&i))
        })?;
        rows.swap(k, pivot);
        weights.swap(k, pivot);
        order.swap(k, pivot);
        // In place: column k becomes the column of the inverse of the step.
        let reciprocal = Float::with_val(prec, rows[k][k].recip_ref());
        rows[k][k] = Float::with_val(prec, 1);
        rows[k].iter_mut().for_each(|x| *x *= &reciprocal);
        let pivot_row = std::mem::take(&mut rows[k]);
        for row in rows.iter_mut().filter(|row| !row.is_empty()) {
            let factor = std::mem::replace(&mut row[k], Float::new(prec));
            if !factor.is_zero() {
                row.iter_mut().zip(&pivot_row).for_each(|(x, p)| *x -= &factor * p);
            }
        }
        rows[k] = pivot_row;
    }
    let mut inverse = Mat::from_fn(n, n, |_, _| Float::new(prec));
    for (i, row) in rows.into_iter().enumerate() {
        for (j, x) in row.into_iter().enumerate() {
            if !x.is_finite() {
                return None;
            }
            inverse[(i, order[j])] = x;
        }
    }
    Some(inverse)
}

fn refine(a: &impl Source, b: &impl Source, bits: u32, with: &Preconditioner) -> Result<BallMatrix, SolveError> {
    let condition = with.r.prec();
    let mut prec = bits.saturating_add(condition).saturating_add(GUARD_BITS);
    let mut x: Option<Mat<Float>> = None;
    while prec <= MAX_PRECISION {
        let (a_here, b_here) = (a.enclose(prec), b.enclose(prec));
        let cols = b_here.ncols();
        let mut best = vec![Bound::infinite(); cols];
        let mut idle = 0;
        while idle < PATIENCE {
            let residual = match &x {
                None => b_here.clone().into_owned(),
                Some(x) => b_here.minus(&a_here.times_at(&BallMatrix::from_floats(x.as_ref(), prec), prec)),
            };
            // R has `condition` bits, and more are of no use in a correction.
            let z = with.r.times_at(&residual, condition + GUARD_BITS);
            let radii = error_bounds(&z, with);
            let current = x.take().unwrap_or_else(|| Mat::from_fn(a_here.nrows(), cols, |_, _| Float::new(prec)));
            let mut reached = true;
            let mut progress = false;
            for (j, best) in best.iter_mut().enumerate() {
                let width = radii.col(j).iter().map(Bound::of).fold(Bound::zero(), Bound::max);
                let allowed = largest_below(current.col(j).iter(), &width) >> bits;
                reached &= *width.value() <= allowed;
                progress |= width.clone().scaled(1) <= *best;
                *best = width.min(best.clone());
            }
            if reached {
                return Ok(BallMatrix::from_parts(current, radii, prec));
            }
            idle = if progress { 0 } else { idle + 1 };
            x = Some(Mat::from_fn(a_here.nrows(), cols, |i, j| Float::with_val(prec, &current[(i, j)] + &z.mid()[(i, j)])));
        }
        if !a.is_exact() || !b.is_exact() {
            return Err(Undecided::Radius.into());
        }
        prec = prec.saturating_mul(2);
    }
    Err(Undecided::Precision { bits: prec }.into())
}

/// Bounds on |x − x̃| from an enclosure of Rr.
fn error_bounds(z: &BallMatrix, with: &Preconditioner) -> Mat<Float> {
    let magnitude = Mat::from_fn(z.nrows(), z.ncols(), |i, j| Bound::of(&z.mid()[(i, j)]).plus(&Bound::of(&z.rad()[(i, j)])).into_value());
    let norms: Vec<Bound> = (0..z.ncols())
        .map(|j| magnitude.col(j).iter().map(Bound::of).fold(Bound::zero(), Bound::max).over_one_minus(&with.kappa))
        .collect();
    Mat::from_fn(z.nrows(), z.ncols(), |i, j| Bound::of(&magnitude[(i, j)]).plus(&with.row_sums[i].clone().times(&norms[j])).into_value())
}
