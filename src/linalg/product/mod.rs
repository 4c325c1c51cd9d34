//! High-precision matrix products with error bounds.

use faer::{Mat, MatRef};
use rug::{Float, float::Round, ops::AddAssignRound};

/// A scalar that is an MPFR float.
pub trait AsFloat: Send + Sync {
    fn as_float(&self) -> &Float;
}

impl AsFloat for Float {
    fn as_float(&self) -> &Float {
        self
    }
}

/// Bits of a radius.
pub const RADIUS_BITS: u32 = 53;

/// A matrix of midpoints and one of radii (nonnegative, [`RADIUS_BITS`] bits, +∞ where nothing is known).
#[derive(Debug, Clone)]
pub struct Enclosed {
    pub mid: Mat<Float>,
    pub rad: Mat<Float>,
}

/// `A B` rounded to `prec` bits, with an entrywise bound on the distance from the exact product.
///
/// Guarantee: |mid − A B| <= rad entry by entry. An entry that meets a NaN or an infinity has midpoint 0 and radius +∞.
///
/// # Panics
/// When the inner dimensions differ.
pub fn product<A: AsFloat, B: AsFloat>(a: MatRef<'_, A>, b: MatRef<'_, B>, prec: u32) -> Enclosed {
    assert_eq!(a.ncols(), b.nrows(), "inner dimensions differ");
    let (m, n, k) = (a.nrows(), b.ncols(), a.ncols());
    let mut mid = Mat::from_fn(m, n, |_, _| Float::new(prec));
    let mut rad = Mat::from_fn(m, n, |_, _| Float::new(RADIUS_BITS));
    for j in 0..n {
        for i in 0..m {
            // Correctly rounded: mpfr_dot sums exact products.
            let pairs = (0..k).map(|t| (a[(i, t)].as_float(), b[(t, j)].as_float()));
            let (sum, order) = Float::with_val_round(prec, Float::dot(pairs), Round::Nearest);
            if !sum.is_finite() {
                rad[(i, j)] = Float::with_val(RADIUS_BITS, f64::INFINITY);
                continue;
            }
            if order != std::cmp::Ordering::Equal {
                let exponent = sum.get_exp().unwrap_or(-(1 << 29));
                rad[(i, j)].add_assign_round(Float::with_val(RADIUS_BITS, 1) << (exponent - prec as i32), Round::Up);
            }
            mid[(i, j)] = sum;
        }
    }
    Enclosed { mid, rad }
}
