//! Where a matrix comes from: exact numbers are enclosed anew at every precision, enclosures are what they are.

use std::borrow::Cow;

use faer::Mat;
use rug::Rational;

use super::{BallMatrix, Undecided};

/// A matrix that can be enclosed at a precision.
pub trait Source {
    /// Guarantee: the matrix meant is a member for every `prec`.
    fn enclose(&self, prec: u32) -> Cow<'_, BallMatrix>;

    /// Whether one matrix only is meant, to which the enclosures shrink as `prec` grows.
    fn is_exact(&self) -> bool;

    /// The matrix as rationals, when it is known exactly and they are not too long to write down.
    fn exact(&self) -> Option<Cow<'_, Mat<Rational>>>;
}

impl Source for Mat<Rational> {
    fn enclose(&self, prec: u32) -> Cow<'_, BallMatrix> {
        Cow::Owned(BallMatrix::from_rationals(self.as_ref(), prec))
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn exact(&self) -> Option<Cow<'_, Mat<Rational>>> {
        Some(Cow::Borrowed(self))
    }
}

impl Source for Mat<f64> {
    fn enclose(&self, prec: u32) -> Cow<'_, BallMatrix> {
        Cow::Owned(BallMatrix::from_f64(self.as_ref(), prec))
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn exact(&self) -> Option<Cow<'_, Mat<Rational>>> {
        let finite = self.col_iter().all(|column| column.iter().all(|x| x.is_finite()));
        finite.then(|| Cow::Owned(Mat::from_fn(self.nrows(), self.ncols(), |i, j| Rational::from_f64(self[(i, j)]).unwrap_or_default())))
    }
}

/// Exponents within ± this are written out as rationals.
const EXACT_EXPONENTS: u32 = 1 << 16;

impl Source for BallMatrix {
    fn enclose(&self, _: u32) -> Cow<'_, BallMatrix> {
        Cow::Borrowed(self)
    }

    fn is_exact(&self) -> bool {
        BallMatrix::is_exact(self)
    }

    fn exact(&self) -> Option<Cow<'_, Mat<Rational>>> {
        let short = |i, j| self.mid()[(i, j)].get_exp().is_none_or(|e: i32| e.unsigned_abs() <= EXACT_EXPONENTS);
        let all = |test: &dyn Fn(usize, usize) -> bool| (0..self.ncols()).all(|j| (0..self.nrows()).all(|i| test(i, j)));
        if !all(&|i, j| self.rad()[(i, j)].is_zero() && short(i, j)) {
            return None;
        }
        Some(Cow::Owned(Mat::from_fn(self.nrows(), self.ncols(), |i, j| self.mid()[(i, j)].to_rational().unwrap_or_default())))
    }
}

/// The enclosure of a square, symmetric matrix with finite entries; the reason when it is not one.
///
/// Two mirrored enclosures must have a common member, since the matrix meant is symmetric.
pub(super) fn symmetric(a: &impl Source, prec: u32) -> Result<Cow<'_, BallMatrix>, Undecided> {
    let enclosed = a.enclose(prec);
    let (rows, cols) = (enclosed.nrows(), enclosed.ncols());
    if rows != cols {
        return Err(Undecided::NotSquare { rows, cols });
    }
    finite(&enclosed)?;
    for col in 0..cols {
        for row in col + 1..rows {
            let (mid, rad) = (enclosed.mid(), enclosed.rad());
            let same = mid[(row, col)] == mid[(col, row)];
            if !same && rad[(row, col)].is_zero() && rad[(col, row)].is_zero()
                || !same && enclosed.at(row, col).intersect(&enclosed.at(col, row)).is_none()
            {
                return Err(Undecided::NotSymmetric { row, col });
            }
        }
    }
    Ok(enclosed)
}

/// Every entry has a finite enclosure.
pub(super) fn finite(a: &BallMatrix) -> Result<(), Undecided> {
    for col in 0..a.ncols() {
        for row in 0..a.nrows() {
            if !a.rad()[(row, col)].is_finite() {
                return Err(Undecided::NotFinite { row, col });
            }
        }
    }
    Ok(())
}
