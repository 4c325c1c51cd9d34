//! nalgebra's kernels.

use ::faer::{Mat, MatRef};
use ::nalgebra::{DMatrix, RealField};

use super::{Kernel, Refusal, ThinSvd};

/// nalgebra, with the tolerances of its own defaults. Copies into and out of its matrices are part of its time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nalgebra;

/// Iterations of an eigen- or singular value decomposition for each row or column, after which it counts as failed: LAPACK allows 30
/// QR sweeps a value (`DSTEQR`); in higher precision deflation takes a few more.
const ITERATIONS: usize = 60;

fn from_faer<T: RealField>(a: MatRef<'_, T>) -> DMatrix<T> {
    DMatrix::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone())
}

fn to_faer<T: RealField>(a: &DMatrix<T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone())
}

fn empty<R>() -> Result<R, Refusal> {
    Err(Refusal::NotOffered("nalgebra 0.35 panics on an empty matrix".into()))
}

fn not_converged() -> Refusal {
    Refusal::Failed(format!("no convergence in {ITERATIONS} iterations a row"))
}

impl<T: RealField> Kernel<T> for Nalgebra {
    fn name(&self) -> &str {
        "nalgebra"
    }

    fn gemm(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        Ok(to_faer(&(from_faer(a) * from_faer(b))))
    }

    fn cholesky(&self, a: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        let factor = from_faer(a).cholesky().ok_or_else(|| Refusal::Failed("not positive definite".into()))?;
        Ok(to_faer(&factor.l()))
    }

    fn qr(&self, a: MatRef<'_, T>) -> Result<(Mat<T>, Mat<T>), Refusal> {
        let factors = from_faer(a).qr();
        Ok((to_faer(&factors.q()), to_faer(&factors.r())))
    }

    fn eigh(&self, a: MatRef<'_, T>) -> Result<(Vec<T>, Mat<T>), Refusal> {
        if a.nrows() == 0 {
            return empty();
        }
        let result = from_faer(a).try_symmetric_eigen(T::default_epsilon(), ITERATIONS * a.nrows()).ok_or_else(not_converged)?;
        let values = result.eigenvalues.as_slice();
        let mut order: Vec<usize> = (0..values.len()).collect();
        // Unordered values are a NaN, which the score reports.
        order.sort_by(|&i, &j| values[i].partial_cmp(&values[j]).unwrap_or(std::cmp::Ordering::Equal));
        let vectors = Mat::from_fn(a.nrows(), a.nrows(), |i, j| result.eigenvectors[(i, order[j])].clone());
        Ok((order.iter().map(|&i| values[i].clone()).collect(), vectors))
    }

    fn svd(&self, a: MatRef<'_, T>) -> Result<ThinSvd<T>, Refusal> {
        if a.nrows() == 0 || a.ncols() == 0 {
            return empty();
        }
        let limit = ITERATIONS * a.nrows().max(a.ncols());
        let tolerance = T::default_epsilon() * ::nalgebra::convert(5.0);
        let result = from_faer(a).try_svd(true, true, tolerance, limit).ok_or_else(not_converged)?;
        let (Some(u), Some(v_t)) = (&result.u, &result.v_t) else { return Err(not_converged()) };
        Ok((to_faer(u), result.singular_values.iter().cloned().collect(), to_faer(v_t)))
    }

    fn solve(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        if a.nrows() == 0 {
            return empty();
        }
        let x = from_faer(a).lu().solve(&from_faer(b)).ok_or_else(|| Refusal::Failed("singular".into()))?;
        Ok(to_faer(&x))
    }
}
