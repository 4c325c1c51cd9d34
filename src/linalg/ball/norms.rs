//! Enclosures of matrix norms.

use rug::{Float, float::Round};

use super::{BallMatrix, bound::Norms, singular_values};
use crate::scalar::Ball;

/// Bits to which the operator norm is sharpened where the radii allow it.
const NORM_BITS: u32 = 64;

impl BallMatrix {
    /// max_i Σ_j |a_ij|: an enclosure of the norms of all members.
    pub fn norm_infinity(&self) -> Ball {
        let sums = (0..self.nrows()).map(|i| (0..self.ncols()).map(|j| self.at(i, j).abs()).fold(Ball::zero(self.prec()), |s, x| s + x));
        sums.fold(Ball::zero(self.prec()), |max, x| max.max(&x))
    }

    /// max_j Σ_i |a_ij|: an enclosure of the norms of all members.
    pub fn norm_one(&self) -> Ball {
        self.transpose().norm_infinity()
    }

    /// (Σ a_ij²)^½: an enclosure of the norms of all members.
    pub fn norm_frobenius(&self) -> Ball {
        self.entries().fold(Ball::zero(self.prec()), |s, x| s + x.square()).sqrt()
    }

    fn entries(&self) -> impl Iterator<Item = Ball> {
        (0..self.ncols()).flat_map(move |j| (0..self.nrows()).map(move |i| self.at(i, j)))
    }

    /// Largest singular value: an enclosure of the norms of all members.
    ///
    /// The norm of the midpoint is enclosed to about 64 bits through [`singular_values`]; where that fails, from above by the least
    /// of ‖A‖_F and (‖A‖₁ ‖A‖_∞)^½ and from below by the largest entry. The radii widen it by a bound on their own norm.
    pub fn norm_two(&self) -> Ball {
        let prec = self.prec();
        let radius = Norms::of(self.rad().as_ref()).two();
        if !radius.is_finite() {
            return nonnegative(&Ball::whole(prec));
        }
        let exact = BallMatrix::from_floats(self.mid().as_ref(), prec);
        let of_mid = match singular_values(&exact, NORM_BITS) {
            Ok(clusters) => clusters.last().map_or(Ball::zero(prec), |largest| largest.value.clone()),
            Err(_) => {
                let largest = exact.entries().fold(Ball::zero(prec), |max, x| max.max(&x.abs()));
                let upper = Float::with_val_round(prec, Norms::of(self.mid().as_ref()).two().value(), Round::Up).0;
                largest.hull(&Ball::exact(upper))
            }
        };
        let r = Ball::exact(Float::with_val_round(prec, radius.value(), Round::Up).0);
        nonnegative(&(&of_mid - &r).hull(&(&of_mid + &r)))
    }
}

/// What a set known to hold a nonnegative number leaves.
pub(super) fn nonnegative(x: &Ball) -> Ball {
    x.max(&Ball::zero(x.prec()))
}
