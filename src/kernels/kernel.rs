//! What a kernel is.

use ::faer::{Mat, MatRef};
use rug::Float;

use crate::scalar::{Mp, Real};

/// A scalar the suite has cases for.
pub trait Scalar: Real {
    /// Cases near overflow have entries near 2^EXTREME, those near underflow near 2^−EXTREME.
    ///
    /// For native scalars 2^−EXTREME is the least normal number divided by 4u (`TESTING/LIN/dlatb4.f`); an `Mp` has no such limits,
    /// and its EXTREME is far beyond the exponents of a double.
    const EXTREME: i32;

    /// `f32`, `f64`, `mp256`, ...
    fn name() -> String;

    /// Rounded to nearest.
    fn from_float(value: &Float) -> Self;
}

impl Scalar for f32 {
    const EXTREME: i32 = 104;

    fn name() -> String {
        "f32".into()
    }

    fn from_float(value: &Float) -> Self {
        value.to_f32()
    }
}

impl Scalar for f64 {
    const EXTREME: i32 = 971;

    fn name() -> String {
        "f64".into()
    }

    fn from_float(value: &Float) -> Self {
        value.to_f64()
    }
}

impl<const P: u32> Scalar for Mp<P> {
    const EXTREME: i32 = 100_000;

    fn name() -> String {
        format!("mp{P}")
    }

    fn from_float(value: &Float) -> Self {
        Mp::from(value)
    }
}

/// What a kernel computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// C = A B.
    Gemm,
    /// A = L Lᵀ, L lower triangular with positive diagonal.
    Cholesky,
    /// A = Q R, thin: Q is m × k, R is k × n and upper triangular, k = min(m, n).
    Qr,
    /// A = V diag(w) Vᵀ, w nondecreasing.
    Eigh,
    /// A = U diag(s) Vᵀ, thin, s nonnegative and nonincreasing.
    Svd,
    /// A X = B.
    Solve,
}

impl Operation {
    pub const ALL: [Operation; 6] =
        [Operation::Gemm, Operation::Cholesky, Operation::Qr, Operation::Eigh, Operation::Svd, Operation::Solve];

    pub fn name(self) -> &'static str {
        match self {
            Operation::Gemm => "gemm",
            Operation::Cholesky => "cholesky",
            Operation::Qr => "qr",
            Operation::Eigh => "eigh",
            Operation::Svd => "svd",
            Operation::Solve => "solve",
        }
    }

    /// The operation of that [`name`](Operation::name).
    pub fn named(name: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|o| o.name() == name)
    }

    /// Names and shapes of the results for an m × n matrix A and a B of `columns` columns; a shape of one number is a vector's.
    pub fn outputs(self, (m, n): (usize, usize), columns: usize) -> Vec<(&'static str, Vec<usize>)> {
        let k = m.min(n);
        match self {
            Operation::Gemm => vec![("C", vec![m, columns])],
            Operation::Cholesky => vec![("L", vec![n, n])],
            Operation::Qr => vec![("Q", vec![m, k]), ("R", vec![k, n])],
            Operation::Eigh => vec![("w", vec![n]), ("V", vec![n, n])],
            Operation::Svd => vec![("U", vec![m, k]), ("s", vec![k]), ("Vt", vec![k, n])],
            Operation::Solve => vec![("X", vec![n, columns])],
        }
    }

    /// The count of additions and multiplications by which rates are stated, whatever an algorithm spends.
    ///
    /// Source: product 2mnk, Cholesky n³/3, QR twice 2mn² − 2n³/3 (factor, then thin Q), solve 2n³/3 + 2n² for each right-hand side
    /// (LAPACK Working Note 41); eigenvalues and vectors 9n³, thin singular value decomposition 14mn² + 8n³, m ≥ n (Golub and Van
    /// Loan, Matrix Computations, sections 8.3 and 8.6).
    pub fn flops(self, (m, n): (usize, usize), columns: usize) -> f64 {
        let (long, short) = (m.max(n) as f64, m.min(n) as f64);
        let (m, n, columns) = (m as f64, n as f64, columns as f64);
        match self {
            Operation::Gemm => 2.0 * m * n * columns,
            Operation::Cholesky => n.powi(3) / 3.0,
            Operation::Qr => 2.0 * (2.0 * long * short.powi(2) - 2.0 * short.powi(3) / 3.0),
            Operation::Eigh => 9.0 * n.powi(3),
            Operation::Svd => 14.0 * long * short.powi(2) + 8.0 * short.powi(3),
            Operation::Solve => 2.0 * n.powi(3) / 3.0 + 2.0 * n.powi(2) * columns,
        }
    }
}

/// Why a kernel returned nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The kernel does not claim to compute this; no fault.
    #[error("not offered: {0}")]
    NotOffered(String),
    /// It does, and could not: a fault.
    #[error("failed: {0}")]
    Failed(String),
}

/// U, s and Vᵀ of A = U diag(s) Vᵀ.
pub type ThinSvd<T> = (Mat<T>, Vec<T>, Mat<T>);

/// A linear-algebra kernel in the scalar T. Operations that are not overridden are not offered.
///
/// Every operation sees A in full (symmetric matrices have both triangles) and returns what [`Operation`] states, in the shapes of
/// [`Operation::outputs`]. Kernels that report an error are scored as failed; a panic is not caught.
pub trait Kernel<T>: Sync {
    fn name(&self) -> &str;

    /// C = A B.
    fn gemm(&self, _a: MatRef<'_, T>, _b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        not_offered()
    }

    /// L of a positive definite A; zero above the diagonal.
    fn cholesky(&self, _a: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        not_offered()
    }

    /// Thin (Q, R); R is zero below the diagonal.
    fn qr(&self, _a: MatRef<'_, T>) -> Result<(Mat<T>, Mat<T>), Refusal> {
        not_offered()
    }

    /// (w, V) of a symmetric A.
    fn eigh(&self, _a: MatRef<'_, T>) -> Result<(Vec<T>, Mat<T>), Refusal> {
        not_offered()
    }

    /// Thin (U, s, Vᵀ).
    fn svd(&self, _a: MatRef<'_, T>) -> Result<ThinSvd<T>, Refusal> {
        not_offered()
    }

    /// X of a square, regular A.
    fn solve(&self, _a: MatRef<'_, T>, _b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        not_offered()
    }
}

fn not_offered<R>() -> Result<R, Refusal> {
    Err(Refusal::NotOffered("this kernel has no such operation".into()))
}
