//! References of the forward errors, at 2p bits and more for a kernel of p bits.

use ::faer::{Mat, MatRef};
use rug::Float;

use super::{
    Case, Operation, Scalar,
    matrices::{Matrix, transpose},
    spectrum::{eigenvalues, singular_values},
};

/// What the results of a case are compared with.
///
/// L, Q, |R| and X come from elimination at 4p + 64 bits, C from exact products; eigenvalues and singular values are those of
/// [`spectrum`](super::spectrum) at 2p + 16 bits, whose error is beneath that of the kernel by the factor 2^−p (Weyl's theorem).
pub(super) enum Reference {
    /// C, and the largest entry of |A| |B|.
    Product(Matrix, Float),
    /// L.
    Entries(Matrix),
    /// Q and R of a matrix of full column rank, the diagonal of R positive: columns of Q and rows of R have free signs.
    Factors(Matrix, Matrix),
    /// In the order of the operation.
    Values(Vec<Float>),
    /// X, and the condition number ‖A‖₁ ‖A⁻¹‖₁.
    Solution(Matrix, Float),
    /// None is defined (R of a rank-deficient matrix), or none could be computed.
    None,
}

/// Bits for eliminations: conditions up to 2^p are squared by AᵀA.
fn elimination_bits<T: Scalar>() -> u32 {
    4 * T::PRECISION + 64
}

/// Bits for spectra: twice those of the kernel, and a few for the growth of rounding with the size.
fn spectral_bits<T: Scalar>() -> u32 {
    2 * T::PRECISION + 16
}

pub(super) fn exact<T: Scalar>(a: MatRef<'_, T>) -> Matrix {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].to_float())
}

/// A B, rounded once.
pub(super) fn product(a: &Matrix, b: &Matrix, prec: u32) -> Matrix {
    let dot = |i, j| Float::with_val(prec, Float::dot((0..a.ncols()).map(|k| (&a[(i, k)], &b[(k, j)]))));
    Mat::from_fn(a.nrows(), b.ncols(), dot)
}

pub(super) fn reference<T: Scalar>(case: &Case<T>) -> Reference {
    let a = exact(case.a.as_ref());
    let prec = elimination_bits::<T>();
    match (case.operation, &case.b) {
        (Operation::Gemm, Some(b)) => {
            let b = exact(b.as_ref());
            let moduli = |a: &Matrix| Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone().abs());
            let gauge = product(&moduli(&a), &moduli(&b), prec);
            let largest = gauge.col_iter().flat_map(|c| c.iter()).fold(Float::new(prec), |largest, x| largest.max(x));
            Reference::Product(product(&a, &b, prec), largest)
        }
        (Operation::Cholesky, _) => cholesky(&a, prec).map_or(Reference::None, Reference::Entries),
        (Operation::Qr, _) if a.nrows() >= a.ncols() => {
            let gram = product(&transpose(&a), &a, prec);
            cholesky(&gram, prec).map_or(Reference::None, |l| Reference::Factors(orthonormal(&a, &l, prec), transpose(&l)))
        }
        (Operation::Eigh, _) => eigenvalues(&a, spectral_bits::<T>()).map_or(Reference::None, Reference::Values),
        (Operation::Svd, _) => singular_values(&a, spectral_bits::<T>()).map_or(Reference::None, Reference::Values),
        (Operation::Solve, Some(b)) => solution(&a, &exact(b.as_ref()), prec),
        _ => Reference::None,
    }
}

/// L with A = L Lᵀ, column by column; `None` when a pivot is not positive beyond the rounding of AᵀA.
fn cholesky(a: &Matrix, prec: u32) -> Option<Matrix> {
    let n = a.nrows();
    let mut l = Mat::from_fn(n, n, |_, _| Float::new(prec));
    let largest = (0..n).map(|i| a[(i, i)].clone()).fold(Float::new(prec), |m, x| m.max(&x));
    // A pivot this small is a rank deficiency: it is the rounding of products, not of the kernel's p bits.
    let least = largest >> (prec - 32);
    for j in 0..n {
        for i in j..n {
            let sum = Float::with_val(prec, Float::dot((0..j).map(|k| (&l[(i, k)], &l[(j, k)]))));
            let rest = Float::with_val(prec, &a[(i, j)] - &sum);
            if i > j {
                l[(i, j)] = rest / &l[(j, j)];
            } else if rest > least {
                l[(j, j)] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(l)
}

/// Q = A L⁻ᵀ, row by row.
fn orthonormal(a: &Matrix, l: &Matrix, prec: u32) -> Matrix {
    let mut q = Mat::from_fn(a.nrows(), a.ncols(), |i, j| Float::with_val(prec, &a[(i, j)]));
    for i in 0..q.nrows() {
        for j in 0..q.ncols() {
            let sum = Float::with_val(prec, Float::dot((0..j).map(|k| (&q[(i, k)], &l[(j, k)]))));
            q[(i, j)] = Float::with_val(prec, &q[(i, j)] - &sum) / &l[(j, j)];
        }
    }
    q
}

/// Gaussian elimination with partial pivoting on (A | B | I).
fn solution(a: &Matrix, b: &Matrix, prec: u32) -> Reference {
    let (n, sides) = (a.nrows(), b.ncols());
    let mut rows: Vec<Vec<Float>> = (0..n)
        .map(|i| {
            let a_row = (0..n).map(|j| Float::with_val(prec, &a[(i, j)]));
            let b_row = (0..sides).map(|j| Float::with_val(prec, &b[(i, j)]));
            let unit = (0..n).map(|j| Float::with_val(prec, u32::from(i == j)));
            a_row.chain(b_row).chain(unit).collect()
        })
        .collect();
    for k in 0..n {
        let pivot =
            (k..n).fold(k, |best, i| if rows[i][k].cmp_abs(&rows[best][k]) == Some(std::cmp::Ordering::Greater) { i } else { best });
        if rows[pivot][k].is_zero() {
            return Reference::None;
        }
        rows.swap(k, pivot);
        let (above, below) = rows.split_at_mut(k + 1);
        let pivot_row = &above[k];
        for row in below {
            if row[k].is_zero() {
                continue;
            }
            let factor = Float::with_val(prec, &row[k] / &pivot_row[k]);
            for (x, p) in row[k..].iter_mut().zip(&pivot_row[k..]) {
                *x -= Float::with_val(prec, &factor * p);
            }
        }
    }
    // Back substitution, all columns at once.
    for k in (0..n).rev() {
        let (above, below) = rows.split_at_mut(k + 1);
        let row = &mut above[k];
        let (triangle, results) = row.split_at_mut(n);
        for (column, x) in results.iter_mut().enumerate() {
            for (j, factor) in triangle.iter().enumerate().skip(k + 1) {
                *x -= Float::with_val(prec, factor * &below[j - k - 1][n + column]);
            }
            *x /= &triangle[k];
        }
    }
    let x = Mat::from_fn(n, sides, |i, j| rows[i][n + j].clone());
    let inverse = Mat::from_fn(n, n, |i, j| rows[i][n + sides + j].clone());
    Reference::Solution(x, norm(a, prec) * norm(&inverse, prec))
}

/// 1-norm.
pub(super) fn norm(a: &Matrix, prec: u32) -> Float {
    let column = |j| (0..a.nrows()).fold(Float::new(prec), |sum, i| sum + Float::with_val(prec, a[(i, j)].abs_ref()));
    (0..a.ncols()).map(column).fold(Float::new(prec), |largest, x| largest.max(&x))
}
