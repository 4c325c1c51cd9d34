//! matrixmultiply's product, the one that ndarray uses.

use ::faer::{Mat, MatRef};

use super::{Kernel, Refusal};

/// matrixmultiply 0.3: products in single and double precision, on one thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Matrixmultiply;

macro_rules! kernel {
    ($scalar:ty, $gemm:path) => {
        impl Kernel<$scalar> for Matrixmultiply {
            fn name(&self) -> &str {
                "matrixmultiply"
            }

            fn gemm(&self, a: MatRef<'_, $scalar>, b: MatRef<'_, $scalar>) -> Result<Mat<$scalar>, Refusal> {
                assert_eq!(a.ncols(), b.nrows(), "inner dimensions agree");
                let mut c = Mat::zeros(a.nrows(), b.ncols());
                let (rows, cols) = (c.row_stride(), c.col_stride());
                // SAFETY: the pointers and strides of each matrix are its own, for the sizes given; inner dimensions agree, and
                // c is not aliased.
                unsafe {
                    $gemm(
                        a.nrows(),
                        a.ncols(),
                        b.ncols(),
                        1.0,
                        a.as_ptr(),
                        a.row_stride(),
                        a.col_stride(),
                        b.as_ptr(),
                        b.row_stride(),
                        b.col_stride(),
                        0.0,
                        c.as_ptr_mut(),
                        rows,
                        cols,
                    );
                }
                Ok(c)
            }
        }
    };
}

kernel!(f32, ::matrixmultiply::sgemm);
kernel!(f64, ::matrixmultiply::dgemm);
