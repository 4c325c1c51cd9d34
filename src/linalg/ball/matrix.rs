//! Matrices of balls: midpoints at a runtime precision, radii of a few bits.

use std::{cmp::Ordering, ops::Neg};

use faer::{Mat, MatRef};
use rug::{Float, Rational, float::Round, ops::NegAssign};

use super::bound::{Bound, product_of_magnitudes};
use crate::{
    linalg::product::{Enclosed, RADIUS_BITS, product},
    scalar::Ball,
};

/// The set of real matrices A with |A − mid| <= rad entry by entry.
///
/// Guarantee: an operation on sets contains the exact result for every choice of members. An entry of which nothing is known (NaN,
/// an infinity, an overflow) has midpoint 0 and radius +∞. Midpoints have the precision of the matrix, radii
/// [`RADIUS_BITS`] bits and MPFR's exponents, so that a radius neither overflows nor vanishes before a midpoint does.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::BallMatrix, scalar::Rational};
/// let a = Mat::from_fn(2, 2, |i, j| Rational::from((1, i + j + 1)));
/// let square = BallMatrix::from_rationals(a.as_ref(), 128).times(&BallMatrix::from_rationals(a.as_ref(), 128));
/// // 1/2 · 1 + 1/3 · 1/2
/// assert!(square.at(1, 0).contains_rational(&Rational::from((2, 3))));
/// ```
#[derive(Debug, Clone)]
pub struct BallMatrix {
    // Invariant: midpoints finite and of `prec` bits; radii nonnegative, not NaN.
    mid: Mat<Float>,
    rad: Mat<Float>,
    prec: u32,
}

impl BallMatrix {
    /// Entry by entry, from a midpoint and a bound on its error.
    fn build(rows: usize, cols: usize, prec: u32, mut entry: impl FnMut(usize, usize) -> (Float, Bound)) -> BallMatrix {
        let mut mid = Mat::from_fn(rows, cols, |_, _| Float::new(prec));
        let mut rad = Mat::from_fn(rows, cols, |_, _| Float::new(RADIUS_BITS));
        for j in 0..cols {
            for i in 0..rows {
                let (m, r) = entry(i, j);
                debug_assert_eq!(m.prec(), prec);
                if m.is_finite() {
                    (mid[(i, j)], rad[(i, j)]) = (m, r.into_value());
                } else {
                    rad[(i, j)] = Bound::infinite().into_value();
                }
            }
        }
        BallMatrix { mid, rad, prec }
    }

    /// Finite midpoints of `prec` bits, radii of [`RADIUS_BITS`].
    pub(super) fn from_parts(mid: Mat<Float>, rad: Mat<Float>, prec: u32) -> BallMatrix {
        BallMatrix { mid, rad, prec }
    }

    fn from_enclosed(enclosed: Enclosed, prec: u32) -> BallMatrix {
        BallMatrix { rad: enclosed.radii(), mid: enclosed.into_floats(), prec }
    }

    /// Each entry rounded to nearest.
    fn rounded<T>(a: MatRef<'_, T>, prec: u32, round: impl Fn(&T) -> (Float, Ordering)) -> BallMatrix {
        BallMatrix::build(a.nrows(), a.ncols(), prec, |i, j| {
            let (m, order) = round(&a[(i, j)]);
            let r = Bound::rounding(&m, order);
            (m, r)
        })
    }

    /// The nearest matrix of `prec` bits, with radii that reach the rationals.
    pub fn from_rationals(a: MatRef<'_, Rational>, prec: u32) -> BallMatrix {
        BallMatrix::rounded(a, prec, |x| Float::with_val_round(prec, x, Round::Nearest))
    }

    /// A matrix of doubles; exact from 53 bits on.
    pub fn from_f64(a: MatRef<'_, f64>, prec: u32) -> BallMatrix {
        BallMatrix::rounded(a, prec, |x| Float::with_val_round(prec, *x, Round::Nearest))
    }

    /// A matrix of floats, rounded to `prec` bits.
    pub fn from_floats(a: MatRef<'_, Float>, prec: u32) -> BallMatrix {
        BallMatrix::rounded(a, prec, |x| Float::with_val_round(prec, x, Round::Nearest))
    }

    /// `rows` x `cols` entries, each the least ball of a midpoint of `prec` bits around the given set.
    pub fn from_balls(rows: usize, cols: usize, prec: u32, entry: impl Fn(usize, usize) -> Ball) -> BallMatrix {
        BallMatrix::build(rows, cols, prec, |i, j| around(&entry(i, j), prec))
    }

    /// The n x n identity, exactly.
    pub fn identity(n: usize, prec: u32) -> BallMatrix {
        BallMatrix::build(n, n, prec, |i, j| (Float::with_val(prec, u32::from(i == j)), Bound::zero()))
    }

    pub fn nrows(&self) -> usize {
        self.mid.nrows()
    }

    pub fn ncols(&self) -> usize {
        self.mid.ncols()
    }

    /// Bits of the midpoints.
    pub fn prec(&self) -> u32 {
        self.prec
    }

    /// The midpoints.
    pub fn mid(&self) -> &Mat<Float> {
        &self.mid
    }

    /// The radii.
    pub fn rad(&self) -> &Mat<Float> {
        &self.rad
    }

    /// Entry (i, j) as a set of numbers.
    pub fn at(&self, i: usize, j: usize) -> Ball {
        let (m, r) = (&self.mid[(i, j)], &self.rad[(i, j)]);
        let lower = Float::with_val_round(self.prec, m - r, Round::Down).0;
        let upper = Float::with_val_round(self.prec, m + r, Round::Up).0;
        Ball::exact(lower).hull(&Ball::exact(upper))
    }

    /// Aᵀ.
    pub fn transpose(&self) -> BallMatrix {
        let turn = |a: &Mat<Float>| Mat::from_fn(a.ncols(), a.nrows(), |i, j| a[(j, i)].clone());
        BallMatrix { mid: turn(&self.mid), rad: turn(&self.rad), prec: self.prec }
    }

    /// A + B, at the larger precision.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn plus(&self, other: &BallMatrix) -> BallMatrix {
        assert_eq!((self.nrows(), self.ncols()), (other.nrows(), other.ncols()), "shapes differ");
        let prec = self.prec.max(other.prec);
        BallMatrix::build(self.nrows(), self.ncols(), prec, |i, j| {
            let (sum, order) = Float::with_val_round(prec, &self.mid[(i, j)] + &other.mid[(i, j)], Round::Nearest);
            let rounding = Bound::rounding(&sum, order);
            (sum, rounding.plus(&Bound::of(&self.rad[(i, j)])).plus(&Bound::of(&other.rad[(i, j)])))
        })
    }

    /// A − B, at the larger precision.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn minus(&self, other: &BallMatrix) -> BallMatrix {
        self.plus(&-other.clone())
    }

    /// s A.
    pub fn scaled_by(&self, s: &Ball) -> BallMatrix {
        BallMatrix::from_balls(self.nrows(), self.ncols(), self.prec, |i, j| &self.at(i, j) * s)
    }

    /// A B, midpoints at the larger precision.
    ///
    /// With A = A₀ + E, B = B₀ + F, |E| <= R, |F| <= S entry by entry: |AB − A₀B₀| <= |A₀| S + R (|B₀| + S), besides the rounding
    /// of A₀B₀.
    ///
    /// # Panics
    /// When the inner dimensions differ.
    pub fn times(&self, other: &BallMatrix) -> BallMatrix {
        self.times_at(other, self.prec.max(other.prec))
    }

    /// [`BallMatrix::times`] with midpoints of `prec` bits.
    pub(super) fn times_at(&self, other: &BallMatrix, prec: u32) -> BallMatrix {
        let mut result = BallMatrix::from_enclosed(product(self.mid.as_ref(), other.mid.as_ref(), prec), prec);
        if !other.is_exact() {
            result.widen(&product_of_magnitudes(self.mid.as_ref(), other.rad.as_ref()));
        }
        if !self.is_exact() {
            let magnitude = Mat::from_fn(other.nrows(), other.ncols(), |i, j| {
                Bound::of(&other.mid[(i, j)]).plus(&Bound::of(&other.rad[(i, j)])).into_value()
            });
            result.widen(&product_of_magnitudes(self.rad.as_ref(), magnitude.as_ref()));
        }
        result
    }

    /// AᵀA.
    pub fn gram(&self) -> BallMatrix {
        self.transpose().times(self)
    }

    /// One member only.
    pub fn is_exact(&self) -> bool {
        self.rad.col_iter().all(|column| column.iter().all(Float::is_zero))
    }

    fn widen(&mut self, by: &Mat<Float>) {
        for j in 0..self.ncols() {
            for i in 0..self.nrows() {
                self.rad[(i, j)] = Bound::of(&self.rad[(i, j)]).plus(&Bound::of(&by[(i, j)])).into_value();
            }
        }
    }
}

impl Neg for BallMatrix {
    type Output = BallMatrix;

    fn neg(mut self) -> BallMatrix {
        self.mid.col_iter_mut().for_each(|column| column.iter_mut().for_each(Float::neg_assign));
        self
    }
}

/// A midpoint of `prec` bits and the larger of its distances to the two ends.
fn around(set: &Ball, prec: u32) -> (Float, Bound) {
    if !set.is_finite() {
        return (Float::new(prec), Bound::infinite());
    }
    let mid = Float::with_val(prec, set.mid());
    let to = |end: Float| Bound::of(&Float::with_val_round(RADIUS_BITS, &end - &mid, Round::AwayZero).0);
    let radius = to(set.lower()).max(to(set.upper()));
    (mid, radius)
}
