//! faer's kernels.

use std::fmt::Display;

use ::faer::{
    Mat, MatRef, Side,
    linalg::solvers::Solve as _,
    traits::{ComplexField, RealField},
};

use super::{Kernel, Refusal, ThinSvd};

/// faer, through the solvers of its matrices, with its global parallelism (the threads of rayon's pool).
#[derive(Debug, Clone, Copy, Default)]
pub struct Faer;

fn failed(error: impl Display) -> Refusal {
    Refusal::Failed(error.to_string())
}

impl<T: RealField + ComplexField<Real = T> + ::faer::traits::Conjugate<Canonical = T>> Kernel<T> for Faer {
    fn name(&self) -> &str {
        "faer"
    }

    fn gemm(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        Ok(a * b)
    }

    fn cholesky(&self, a: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        Ok(a.llt(Side::Lower).map_err(|e| failed(format!("{e:?}")))?.L().to_owned())
    }

    fn qr(&self, a: MatRef<'_, T>) -> Result<(Mat<T>, Mat<T>), Refusal> {
        let factors = a.qr();
        Ok((factors.compute_thin_Q(), factors.thin_R().to_owned()))
    }

    fn eigh(&self, a: MatRef<'_, T>) -> Result<(Vec<T>, Mat<T>), Refusal> {
        if a.nrows() == 0 {
            // Its workspace is computed with n − 1, which overflows.
            return Err(Refusal::NotOffered("faer 0.24 has no eigenvalues of an empty matrix".into()));
        }
        let result = a.self_adjoint_eigen(Side::Lower).map_err(|e| failed(format!("{e:?}")))?;
        Ok((result.S().column_vector().iter().cloned().collect(), result.U().to_owned()))
    }

    fn svd(&self, a: MatRef<'_, T>) -> Result<ThinSvd<T>, Refusal> {
        let result = a.thin_svd().map_err(|e| failed(format!("{e:?}")))?;
        Ok((result.U().to_owned(), result.S().column_vector().iter().cloned().collect(), result.V().transpose().to_owned()))
    }

    fn solve(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        Ok(a.partial_piv_lu().solve(b))
    }
}
