//! Singular values, clusters included.

use std::borrow::Cow;

use faer::Mat;
use rug::{Float, Rational, float::Round};

use super::{
    BallMatrix, Cluster, MAX_PRECISION, Source, Undecided,
    bound::{Bound, Norms},
    eigen::{eigen, widest},
    norms::nonnegative,
    rotate::in_doubles,
    size_bits,
    source::finite,
};
use crate::{
    linalg::{product::RADIUS_BITS, thin_svd},
    scalar::Ball,
};

/// AᵀA of an exact matrix, at any precision.
struct Gram(BallMatrix);

impl Source for Gram {
    fn enclose(&self, prec: u32) -> Cow<'_, BallMatrix> {
        Cow::Owned(self.0.transpose().times_at(&self.0, prec))
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn exact(&self) -> Option<Cow<'_, Mat<Rational>>> {
        None
    }
}

/// Bits of working precision beyond the accuracy asked for, besides those for the size.
const GUARD_BITS: u32 = 16;

/// All min(m, n) singular values of an m x n matrix in increasing order, in enclosures of width at most `2^−bits ‖A‖₂`.
///
/// The accuracy is relative to the norm, also for those that are zero: the eigenvalues of the Gram matrix are enclosed to as many bits
/// as the smallest root asks for, at most `2 bits + 4`, since √u − √l <= √(u − l).
///
/// # Errors
/// As for [`eigen`].
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::singular_values, scalar::Rational};
/// let ones = Mat::from_fn(4, 9, |_, _| Rational::from(1));
/// let clusters = singular_values(&ones, 100).unwrap();
/// assert_eq!(clusters.iter().map(|c| c.multiplicity).collect::<Vec<_>>(), [3, 1]);
/// assert!(clusters[1].value.contains_rational(&Rational::from(6)));
/// ```
pub fn singular_values(a: &impl Source, bits: u32) -> Result<Vec<Cluster>, Undecided> {
    let shape = a.enclose(RADIUS_BITS);
    finite(&shape)?;
    let sides = (shape.nrows(), shape.ncols());
    let mut prec = bits.saturating_add(2 * size_bits(sides.0.max(sides.1)) + GUARD_BITS);
    loop {
        if prec > MAX_PRECISION {
            return Err(Undecided::Precision { bits: prec });
        }
        let enclosed = a.enclose(prec);
        let radius = Norms::of(enclosed.rad().as_ref()).two();
        let mid = BallMatrix::from_floats(enclosed.mid().as_ref(), enclosed.prec());
        let tall = if sides.0 >= sides.1 { mid } else { mid.transpose() };
        // σ loses log₂(σ_max/σ_min) bits of what λ = σ² has.
        let most = bits.saturating_mul(2).saturating_add(4);
        let wanted = condition_bits(&tall).map_or(most, |lost| bits.saturating_add(lost + 4).min(most));
        let gram = Gram(tall);
        let mut found = roots(&eigen(&gram, wanted)?.clusters, &radius, prec);
        if !narrow(&found, bits) && wanted < most {
            found = roots(&eigen(&gram, most)?.clusters, &radius, prec);
        }
        if narrow(&found, bits) {
            return Ok(found);
        }
        if !a.is_exact() {
            return Err(Undecided::Radius);
        }
        prec = prec.saturating_mul(2);
    }
}

/// log₂(σ_max/σ_min) as doubles see it, rounded up; `None` beyond what they can.
fn condition_bits(a: &BallMatrix) -> Option<u32> {
    let (_, s, _) = thin_svd(in_doubles(a.nrows(), a.ncols(), |i, j| a.mid()[(i, j)].clone()).as_ref())?;
    let ratio = s.first()? / s.last()?;
    (ratio < 2f64.powi(30)).then(|| ratio.log2().ceil() as u32)
}

/// Square roots, widened by the radius and merged where they meet.
fn roots(eigenvalues: &[Cluster], radius: &Bound, prec: u32) -> Vec<Cluster> {
    let r = Ball::exact(Float::with_val_round(prec, radius.value(), Round::Up).0);
    let mut found: Vec<Cluster> = Vec::new();
    for cluster in eigenvalues {
        let root = nonnegative(&cluster.value).sqrt();
        let own = Cluster { value: nonnegative(&(&root - &r).hull(&(&root + &r))), multiplicity: cluster.multiplicity };
        match found.last_mut() {
            Some(last) if last.value.intersect(&own.value).is_some() => {
                last.value = last.value.hull(&own.value);
                last.multiplicity += own.multiplicity;
            }
            _ => found.push(own),
        }
    }
    found
}

fn narrow(clusters: &[Cluster], bits: u32) -> bool {
    let norm = clusters.last().map_or(Float::new(RADIUS_BITS), |c| Float::with_val_round(RADIUS_BITS, c.value.lower(), Round::Down).0);
    *widest(clusters).value() <= norm >> bits
}
