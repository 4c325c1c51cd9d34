//! Products of high-precision matrices.

use faer::{Mat, MatRef};
use rug::Float;

use super::product::{AsFloat, product};
use crate::scalar::Mp;

impl<const P: u32> AsFloat for Mp<P> {
    fn as_float(&self) -> &Float {
        self.as_float()
    }
}

/// `A B` at `P` bits, from the product with error bounds ([`product`]).
///
/// Shapes: A is m × k, B is k × n. An entry of which that product knows nothing (it meets a NaN or an infinity) is NaN.
///
/// # Panics
/// When the inner dimensions differ.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::multiply, scalar::Mp};
/// let a = Mat::from_fn(2, 2, |i, j| Mp::<128>::from((i + j) as f64));
/// assert_eq!(multiply(a.as_ref(), a.as_ref())[(1, 1)], Mp::from(5.0));
/// ```
pub fn multiply<const P: u32>(a: MatRef<'_, Mp<P>>, b: MatRef<'_, Mp<P>>) -> Mat<Mp<P>> {
    let result = product(a, b, P);
    Mat::from_fn(a.nrows(), b.ncols(), |i, j| {
        let known = result.rad[(i, j)].is_finite();
        if known { Mp::from(&*result.mid[(i, j)].borrow()) } else { Mp::from(f64::NAN) }
    })
}
