//! Residual ratios of matrix kernels, after LAPACK's test suite.
//!
//! A ratio divides a residual by what rounding alone may cause: it has no unit, does not grow with the precision, and a backward
//! stable kernel keeps it below the threshold of LAPACK's own tests. Norms are 1-norms, and u = 2^-p is the unit roundoff of a scalar
//! of p bits. That is LAPACK's `DLAMCH('Epsilon')`; where its tests divide by `DLAMCH('Precision')` = 2u, these are twice as strict.
//!
//! Guarantee: every product is summed exactly and rounded to 2p + 64 bits, so the ratio shows the kernel and not its measurement. It
//! is 0 for an empty matrix, and +∞ where an operand is not finite or a residual remains although its gauge is zero.
//!
//! Source: `TESTING/LIN`, `TESTING/EIG` and `BLAS/TESTING` of Reference LAPACK; the routine is named at each function.
//!
//! ```
//! use faer::{Side, mat};
//! use ufm::linalg::residual;
//! let a = mat![[4.0, 1.0], [1.0, 3.0]];
//! let factor = a.llt(Side::Lower).unwrap();
//! assert!(residual::cholesky(a.as_ref(), factor.L()) < residual::LINEAR_THRESHOLD);
//! ```

use faer::{Mat, MatRef};
use rug::{Float, float::Round};

use crate::scalar::Real;

/// Bound of [`cholesky`], [`qr`], [`solve`], and [`orthogonality`] of a Q from QR (`TESTING/dtest.in`).
pub const LINEAR_THRESHOLD: f64 = 30.0;
/// Bound of [`eigen`], and [`orthogonality`] of eigenvectors (`TESTING/sep.in`).
pub const EIGEN_THRESHOLD: f64 = 60.0;
/// Bound of [`svd`], and [`orthogonality`] of singular vectors (`TESTING/svd.in`; some releases have 50).
pub const SVD_THRESHOLD: f64 = 35.0;
/// Bound of [`multiplication`] (`BLAS/TESTING/dblat3.in`).
pub const PRODUCT_THRESHOLD: f64 = 16.0;

/// A matrix at the precision of the measurement.
struct Exact {
    entries: Mat<Float>,
    prec: u32,
}

impl Exact {
    fn new<T: Real>(a: MatRef<'_, T>) -> Self {
        let entries = Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].to_float());
        Exact { entries, prec: 2 * T::PRECISION + 64 }
    }

    fn map(&self, f: impl Fn(usize, usize, &Float) -> Float) -> Exact {
        let entries = Mat::from_fn(self.entries.nrows(), self.entries.ncols(), |i, j| f(i, j, &self.entries[(i, j)]));
        Exact { entries, prec: self.prec }
    }

    fn transpose(&self) -> Exact {
        Exact { entries: Mat::from_fn(self.entries.ncols(), self.entries.nrows(), |i, j| self.entries[(j, i)].clone()), prec: self.prec }
    }

    fn abs(&self) -> Exact {
        self.map(|_, _, x| x.clone().abs())
    }

    /// The columns times the values of a diagonal: exact, a product of two p-bit numbers.
    fn scale_columns<T: Real>(&self, values: &[T]) -> Exact {
        assert_eq!(self.entries.ncols(), values.len(), "one value for each column");
        let values: Vec<Float> = values.iter().map(Real::to_float).collect();
        self.map(|_, j, x| Float::with_val(self.prec, x * &values[j]))
    }

    /// Rounded once: MPFR sums the exact products.
    fn times(&self, b: &Exact) -> Exact {
        let (a, b) = (&self.entries, &b.entries);
        assert_eq!(a.ncols(), b.nrows(), "inner dimensions differ");
        let dot = |i, j| Float::with_val(self.prec, Float::dot((0..a.ncols()).map(|k| (&a[(i, k)], &b[(k, j)]))));
        Exact { entries: Mat::from_fn(a.nrows(), b.ncols(), dot), prec: self.prec }
    }

    fn minus(&self, b: &Exact) -> Exact {
        let shape = |x: &Exact| (x.entries.nrows(), x.entries.ncols());
        assert_eq!(shape(self), shape(b), "shapes differ");
        self.map(|i, j, x| Float::with_val(self.prec, x - &b.entries[(i, j)]))
    }

    fn column(&self, j: usize) -> Exact {
        Exact { entries: Mat::from_fn(self.entries.nrows(), 1, |i, _| self.entries[(i, j)].clone()), prec: self.prec }
    }

    fn norm(&self) -> Float {
        let moduli = self.abs().entries;
        let column = |j| (0..moduli.nrows()).fold(Float::new(self.prec), |sum, i| sum + &moduli[(i, j)]);
        // A NaN stays: MPFR's own maximum would drop it.
        (0..moduli.ncols()).map(column).fold(Float::new(self.prec), |max, x| if max.is_nan() || x <= max { max } else { x })
    }
}

/// residual / (size · gauge · u), rounded up.
fn ratio<T: Real>(residual: &Float, size: usize, gauge: &Float) -> f64 {
    if residual.is_zero() {
        return 0.0;
    }
    let quotient = (Float::with_val(residual.prec(), residual / gauge) / size as u64) << T::PRECISION;
    let quotient = quotient.to_f64_round(Round::Up);
    if quotient.is_nan() { f64::INFINITY } else { quotient }
}

/// ‖A − L Lᵀ‖ / (n ‖A‖ u) of a Cholesky factor (`DPOT01`).
///
/// Shapes: A and L are n × n; both are read in full.
///
/// # Panics
/// When the shapes differ.
pub fn cholesky<T: Real>(a: MatRef<'_, T>, l: MatRef<'_, T>) -> f64 {
    let (a, l) = (Exact::new(a), Exact::new(l));
    ratio::<T>(&a.minus(&l.times(&l.transpose())).norm(), a.entries.nrows(), &a.norm())
}

/// ‖A − Q R‖ / (max(m, n) ‖A‖ u) of a QR factorization (`DQRT01`, which has QᵀA − R).
///
/// Shapes: A is m × n, Q is m × k, R is k × n.
///
/// # Panics
/// When the shapes do not fit.
pub fn qr<T: Real>(a: MatRef<'_, T>, q: MatRef<'_, T>, r: MatRef<'_, T>) -> f64 {
    let size = a.nrows().max(a.ncols());
    let a = Exact::new(a);
    ratio::<T>(&a.minus(&Exact::new(q).times(&Exact::new(r))).norm(), size, &a.norm())
}

/// max ‖b − A x‖ / (‖A‖ ‖x‖ u) over the columns x of a solution and b of the right-hand sides (`DGET02`).
///
/// Shapes: A is n × n, B and X are n × k.
///
/// # Panics
/// When the shapes do not fit.
pub fn solve<T: Real>(a: MatRef<'_, T>, b: MatRef<'_, T>, x: MatRef<'_, T>) -> f64 {
    let (a, x) = (Exact::new(a), Exact::new(x));
    let residual = Exact::new(b).minus(&a.times(&x));
    let norm = a.norm();
    let column = |j| ratio::<T>(&residual.column(j).norm(), 1, &Float::with_val(a.prec, &norm * x.column(j).norm()));
    (0..x.entries.ncols()).map(column).fold(0.0, f64::max)
}

/// ‖I − QᵀQ‖ / (m u) of columns that should be orthonormal (`DORT01`).
///
/// Shape: Q is m × k.
pub fn orthogonality<T: Real>(q: MatRef<'_, T>) -> f64 {
    let size = q.nrows();
    let q = Exact::new(q);
    let residual = q.transpose().times(&q).map(|i, j, x| if i == j { Float::with_val(q.prec, x - 1) } else { x.clone() });
    ratio::<T>(&residual.norm(), size, &Float::with_val(q.prec, 1))
}

/// ‖A − U diag(λ) Uᵀ‖ / (n ‖A‖ u) of a symmetric eigendecomposition (`DSYT21`).
///
/// Shapes: A and U are n × n, λ has n values; A is read in full.
///
/// # Panics
/// When the shapes do not fit.
pub fn eigen<T: Real>(a: MatRef<'_, T>, values: &[T], vectors: MatRef<'_, T>) -> f64 {
    svd(a, vectors, values, vectors)
}

/// ‖A − U diag(σ) Vᵀ‖ / (max(m, n) ‖A‖ u) of a singular value decomposition (`DBDT01`).
///
/// Shapes: A is m × n, U is m × k, V is n × k, σ has k values.
///
/// # Panics
/// When the shapes do not fit.
pub fn svd<T: Real>(a: MatRef<'_, T>, u: MatRef<'_, T>, values: &[T], v: MatRef<'_, T>) -> f64 {
    let size = a.nrows().max(a.ncols());
    let a = Exact::new(a);
    let product = Exact::new(u).scale_columns(values).times(&Exact::new(v).transpose());
    ratio::<T>(&a.minus(&product).norm(), size, &a.norm())
}

/// max |C − A B| / (|A| |B| u), entry by entry, of a matrix product (`DMMCH`).
///
/// Shapes: A is m × k, B is k × n, C is m × n.
///
/// # Panics
/// When the shapes do not fit.
pub fn multiplication<T: Real>(a: MatRef<'_, T>, b: MatRef<'_, T>, c: MatRef<'_, T>) -> f64 {
    let (a, b) = (Exact::new(a), Exact::new(b));
    let difference = Exact::new(c).minus(&a.times(&b)).abs();
    let gauge = a.abs().times(&b.abs());
    let mut largest = 0.0f64;
    for j in 0..gauge.entries.ncols() {
        for i in 0..gauge.entries.nrows() {
            largest = largest.max(ratio::<T>(&difference.entries[(i, j)], 1, &gauge.entries[(i, j)]));
        }
    }
    largest
}
