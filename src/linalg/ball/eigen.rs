//! Eigenvalues of symmetric matrices, clusters included.

use faer::Mat;
use rug::{Float, float::Round};

use super::{
    BallMatrix, MAX_PRECISION, Source, Undecided,
    bound::{Bound, Norms, largest_below},
    project::project,
    rotate::{DOUBLE_BITS, first_basis, improved},
    size_bits,
    source::symmetric,
};
use crate::{linalg::product::RADIUS_BITS, scalar::Ball};

/// Neighbouring eigenvalues (or singular values) whose enclosures overlap.
///
/// Guarantee: exactly `multiplicity` of them, counted with multiplicity, lie in `value`, and no other one does.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    pub value: Ball,
    pub multiplicity: usize,
}

/// Eigenvalues of a symmetric matrix, and a basis.
#[derive(Debug, Clone)]
pub struct Eigen {
    /// In increasing order, disjoint; the multiplicities sum to n.
    pub clusters: Vec<Cluster>,
    /// Orthonormal columns in the same order, those of a cluster nearly spanning its invariant subspace. An approximation that is good
    /// to about half the bits of the eigenvalues divided by the distance to the next cluster; not part of what is proved.
    pub basis: Mat<Float>,
}

/// Steps without progress before the precision is raised.
const PATIENCE: u32 = 4;
/// Times the first working precision at which the search ends.
const LARGEST_RAISE: u32 = 16;
/// Bits of working precision beyond the accuracy asked for, besides those for the size.
const GUARD_BITS: u32 = 16;

/// All n eigenvalues of a symmetric matrix, in enclosures of width at most `2^−bits ‖A‖₂`.
///
/// The accuracy is relative to the norm: an eigenvalue that is zero, or small beside the largest, is enclosed to an absolute accuracy.
/// Nothing is assumed about the distance between eigenvalues. Equal ones, as the Gram matrices of simplex equiangular
/// tight frames and of orthogonal frames have them, share one cluster; nearly equal ones share it until `bits` tells them apart.
///
/// Method: a basis from doubles, refined with exact products; Weyl's theorem with a bound that is quadratic in the error of the basis.
/// The working precision is raised until the width holds.
///
/// Memory: at most 24 n² (p/8 + 40 + T) bytes and 1 + T MiB, with T threads, at a working precision of p bits: at first
/// p = bits + 2 log₂ n + 18 or less, 16 times that at most, doubled from step to step.
///
/// # Errors
/// The entries are not finite, not square, or cannot be symmetric; the radii of the input exceed the width asked for; or no working
/// precision up to 16 times the first one suffices.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::eigen, scalar::Rational};
/// // I − J/4: eigenvalues 0 and 1, 1, 1.
/// let gram = Mat::from_fn(4, 4, |i, j| Rational::from((if i == j { 3 } else { -1 }, 4)));
/// let clusters = eigen(&gram, 200).unwrap().clusters;
/// assert_eq!(clusters.iter().map(|c| c.multiplicity).collect::<Vec<_>>(), [1, 3]);
/// assert!(clusters[0].value.contains_zero());
/// assert!(clusters[1].value.contains_rational(&Rational::from(1)));
/// ```
pub fn eigen(a: &impl Source, bits: u32) -> Result<Eigen, Undecided> {
    let n = symmetric(a, RADIUS_BITS)?.nrows();
    let size = size_bits(n);
    let first = bits.saturating_add(2 * size + GUARD_BITS);
    let mut prec = first;
    let mut basis: Option<Mat<Float>> = None;
    loop {
        if prec > MAX_PRECISION.min(first.saturating_mul(LARGEST_RAISE)) {
            return Err(Undecided::Precision { bits: prec });
        }
        let enclosed = symmetric(a, prec)?;
        let (mid, radius) = midpoint(&enclosed);
        let mut x = basis.take().unwrap_or_else(|| start(&mid, bits, size));
        let mut best = Bound::infinite();
        let mut idle = 0;
        while idle < PATIENCE {
            let p = project(&mid, &x, prec);
            let distance = p.distance();
            let (clusters, order) = clusters(&p.values, &distance.clone().plus(&radius), prec);
            let width = widest(&clusters);
            let allowed = largest_below(p.values.iter(), &distance.clone().plus(&radius)) >> bits;
            if *width.value() <= allowed {
                let basis = Mat::from_fn(n, n, |i, j| x[(i, order[j])].clone());
                return Ok(Eigen { clusters, basis });
            }
            if distance <= radius && radius.clone().scaled(2) > Bound::of(&allowed) && !a.is_exact() {
                return Err(Undecided::Radius);
            }
            idle = if distance.clone().scaled(1) <= best { 0 } else { idle + 1 };
            best = best.min(distance);
            x = improved(&x, &p);
        }
        basis = Some(x);
        prec = prec.saturating_mul(2);
    }
}

/// A symmetric matrix and a bound on the operator norm of its distance from any symmetric member.
fn midpoint(a: &BallMatrix) -> (Mat<Float>, Bound) {
    let n = a.nrows();
    let lower = |m: &Mat<Float>| Mat::from_fn(n, n, |i, j| m[(i.max(j), i.min(j))].clone());
    (lower(a.mid()), Norms::of(lower(a.rad()).as_ref()).two())
}

/// A basis refined from doubles, each step at the precision it can reach, until its error squared is below 2^−bits.
fn start(a: &Mat<Float>, bits: u32, size: u32) -> Mat<Float> {
    let n = a.nrows();
    let mut targets = Vec::new();
    let mut accuracy = (bits + 2 * size + GUARD_BITS / 2) / 2;
    while accuracy > DOUBLE_BITS {
        targets.push(accuracy);
        accuracy = (accuracy + size) / 2 + 2;
    }
    let mut x = first_basis(n, RADIUS_BITS, |i, j| a[(i, j)].clone());
    for accuracy in targets.into_iter().rev() {
        let prec = accuracy + size + GUARD_BITS / 2;
        let rounded = Mat::from_fn(n, n, |i, j| Float::with_val(prec, &a[(i, j)]));
        x = improved(&x, &project(&rounded, &x, prec));
    }
    x
}

/// Intervals around the values, merged where they overlap, and the order that sorts the values.
fn clusters(values: &[Float], distance: &Bound, prec: u32) -> (Vec<Cluster>, Vec<usize>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut found: Vec<Cluster> = Vec::new();
    for &i in &order {
        let lower = Float::with_val_round(prec, &values[i] - distance.value(), Round::Down).0;
        let upper = Float::with_val_round(prec, &values[i] + distance.value(), Round::Up).0;
        let own = Ball::exact(lower).hull(&Ball::exact(upper));
        match found.last_mut() {
            Some(last) if last.value.intersect(&own).is_some() => {
                last.value = last.value.hull(&own);
                last.multiplicity += 1;
            }
            _ => found.push(Cluster { value: own, multiplicity: 1 }),
        }
    }
    (found, order)
}

/// The largest width.
pub(super) fn widest(clusters: &[Cluster]) -> Bound {
    let width = |x: &Ball| Bound::of(&Float::with_val_round(RADIUS_BITS, &x.upper() - &x.lower(), Round::Up).0);
    clusters.iter().map(|c| width(&c.value)).fold(Bound::zero(), Bound::max)
}
