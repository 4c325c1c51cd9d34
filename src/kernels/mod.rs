//! Linear-algebra kernels under test: accuracy, speed, regression.
//!
//! A [`Kernel`] computes products, Cholesky, QR, symmetric eigen and singular value decompositions, or solves linear systems, in one
//! scalar. [`run`] gives it every [`Case`], scores what it returns ([`Score`]: residual ratios of LAPACK's tests with their thresholds,
//! and the forward error against a reference of at least twice the precision) and times it on the largest case.
//! Programs in other languages are scored alike through files: [`emit`] and [`judge`].
//!
//! Built in are [`Faer`] and [`Nalgebra`]; the cargo feature `matrixmultiply` adds that crate's product.
//!
//! ```
//! use faer::{Mat, MatRef};
//! use ufm::kernels::{Kernel, Operation, Options, Refusal, run};
//!
//! struct Textbook;
//!
//! impl Kernel<f64> for Textbook {
//!     fn name(&self) -> &str {
//!         "textbook"
//!     }
//!
//!     fn gemm(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
//!         Ok(Mat::from_fn(a.nrows(), b.ncols(), |i, j| (0..a.ncols()).map(|k| a[(i, k)] * b[(k, j)]).sum()))
//!     }
//! }
//!
//! let options = Options { operations: vec![Operation::Gemm], largest: 10, timed: false };
//! let results = run::<f64>(&[&Textbook], &options, &|| {});
//! assert!(!results.is_empty() && results.iter().all(|r| r.passes()));
//! ```

mod baseline;
mod cases;
mod exceptions;
mod faer;
mod files;
mod kernel;
mod matrices;
#[cfg(feature = "matrixmultiply")]
mod matrixmultiply;
mod nalgebra;
mod reference;
mod score;
mod spectrum;
mod speed;
mod suite;

pub use self::faer::Faer;
#[cfg(feature = "matrixmultiply")]
pub use self::matrixmultiply::Matrixmultiply;
pub use self::nalgebra::Nalgebra;
pub use baseline::{BaselineError, compare};
pub use cases::{Case, cases};
pub use files::{FilesError, emit, judge};
pub use kernel::{Kernel, Operation, Refusal, Scalar, ThinSvd};
pub use score::{Ratio, Score};
pub use speed::{Speed, product_peak};
pub use suite::{Entry, Options, Outcome, Suite, count, run};

use crate::scalar::Mp;

/// Bits of the built-in kernels in multiple precision.
pub const BITS: u32 = 256;

/// The built-in kernels in single precision.
pub fn singles() -> Vec<&'static dyn Kernel<f32>> {
    let kernels: &[&dyn Kernel<f32>] = &[
        &Faer,
        &Nalgebra,
        #[cfg(feature = "matrixmultiply")]
        &Matrixmultiply,
    ];
    kernels.to_vec()
}

/// The built-in kernels in double precision.
pub fn doubles() -> Vec<&'static dyn Kernel<f64>> {
    let kernels: &[&dyn Kernel<f64>] = &[
        &Faer,
        &Nalgebra,
        #[cfg(feature = "matrixmultiply")]
        &Matrixmultiply,
    ];
    kernels.to_vec()
}

/// The built-in kernels in multiple precision.
pub fn multiples() -> Vec<&'static dyn Kernel<Mp<BITS>>> {
    let kernels: &[&dyn Kernel<Mp<BITS>>] = &[&Faer, &Nalgebra];
    kernels.to_vec()
}
