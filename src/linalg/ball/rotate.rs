//! A better basis from a projection: one step of Ogita and Aishima's iteration, and rotations inside clusters.
//!
//! In the notation of the projection, X (I + R/2 + K) is orthonormal and diagonalises A up to the square of the error of X
//! (T. Ogita, K. Aishima, "Iterative refinement for symmetric eigenvalue decomposition", 2018). Where eigenvalues lie too close for
//! K, the block of T they share is diagonalised on its own, shifted and scaled so that doubles see what sets them apart (part II, 2019).
//! Nothing here is rigorous and nothing needs to be: the projection judges the result.

use faer::Mat;
use rug::Float;

use super::{project::Projection, size_bits};
use crate::linalg::{eigh, product::product};

/// Bits to which an eigendecomposition in doubles can be relied on.
pub(super) const DOUBLE_BITS: u32 = 44;
/// Least precision of a correction.
const LEAST_PRECISION: u32 = 64;
/// Bits of a correction beyond the last one that matters.
const GUARD_BITS: i32 = 16;

/// The leading 53 bits of a matrix, divided by the power of two of its largest entry.
pub(super) fn in_doubles(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> Float) -> Mat<f64> {
    let a = Mat::from_fn(rows, cols, entry);
    let largest = a.col_iter().flat_map(|c| c.iter()).filter_map(Float::get_exp).max().unwrap_or(0);
    Mat::from_fn(rows, cols, |i, j| {
        let (mantissa, exponent) = a[(i, j)].to_f64_exp();
        let below = i64::from(largest) - i64::from(exponent);
        if below > 1000 { 0.0 } else { mantissa * 2f64.powi(-below as i32) }
    })
}

/// Eigenvectors in doubles, as floats of `prec` bits; unit vectors when the iteration fails.
pub(super) fn first_basis(n: usize, prec: u32, entry: impl Fn(usize, usize) -> Float) -> Mat<Float> {
    let a = in_doubles(n, n, entry);
    let basis = eigh(a.as_ref()).map_or_else(|| Mat::identity(n, n), |(_, u)| u);
    Mat::from_fn(n, n, |i, j| Float::with_val(prec, basis[(i, j)]))
}

/// The basis after one step.
pub(super) fn improved(x: &Mat<Float>, p: &Projection) -> Mat<Float> {
    let (n, prec) = (p.len(), p.prec());
    // Half the digits of X are right already: the correction needs only as many.
    let short = prec / 2 + LEAST_PRECISION;
    let correction = Mat::from_fn(n, n, |i, j| {
        let half = Float::with_val(short, &p.defect[(i, j)]) >> 1u32;
        if i == j || p.coupling[(i, j)].is_zero() || !p.is_resolved(i, j) {
            return half;
        }
        half + Float::with_val(short, &p.coupling[(i, j)]) / Float::with_val(short, &p.values[j] - &p.values[i])
    });
    let size = correction.col_iter().flat_map(|c| c.iter()).filter_map(Float::get_exp).max().unwrap_or(i32::MIN);
    let needed = (prec as i32).saturating_add(size).saturating_add(GUARD_BITS).max(LEAST_PRECISION as i32).min(prec as i32) as u32;
    let at = |a: &Mat<Float>, bits: u32| Mat::from_fn(n, n, |i, j| Float::with_val(bits, &a[(i, j)]));
    let change = product(at(x, needed).as_ref(), at(&correction, needed).as_ref(), needed).into_floats();
    let mut x = Mat::from_fn(n, n, |i, j| Float::with_val(prec, &x[(i, j)] + &change[(i, j)]));
    for cluster in unresolved(p) {
        rotate(&mut x, p, &cluster);
    }
    x
}

/// Classes of indices linked by pairs that are not resolved and whose entry stands out of the error of T.
fn unresolved(p: &Projection) -> Vec<Vec<usize>> {
    let n = p.len();
    let mut class: Vec<usize> = (0..n).collect();
    fn root(class: &mut [usize], mut i: usize) -> usize {
        while class[i] != i {
            class[i] = class[class[i]];
            i = class[i];
        }
        i
    }
    for j in 0..n {
        for i in j + 1..n {
            if p.is_significant(i, j) && !p.is_resolved(i, j) {
                let (a, b) = (root(&mut class, i), root(&mut class, j));
                class[a.max(b)] = a.min(b);
            }
        }
    }
    let mut members = vec![Vec::new(); n];
    for i in 0..n {
        members[root(&mut class, i)].push(i);
    }
    members.retain(|m| m.len() > 1);
    members
}

/// Turns the columns of a cluster to the eigenvectors of their block of T.
fn rotate(x: &mut Mat<Float>, p: &Projection, cluster: &[usize]) {
    let (m, prec) = (cluster.len(), p.prec());
    let shift = &p.values[cluster[0]];
    let mut q = first_basis(m, prec, |i, j| {
        if i == j { Float::with_val(prec, &p.values[cluster[i]] - shift) } else { p.coupling[(cluster[i], cluster[j])].clone() }
    });
    // Newton's iteration for the nearest orthogonal matrix, Q (3I − QᵀQ)/2, doubles the digits of orthogonality.
    let mut right = DOUBLE_BITS;
    while right < prec {
        right *= 2;
        let bits = right.min(prec) + size_bits(m);
        let gram = product(q.transpose(), q.as_ref(), bits).into_floats();
        let step = Mat::from_fn(m, m, |i, j| (Float::with_val(bits, if i == j { 3 } else { 0 }) - &gram[(i, j)]) >> 1u32);
        q = product(q.as_ref(), step.as_ref(), bits).into_floats();
    }
    let columns = Mat::from_fn(x.nrows(), m, |i, j| x[(i, cluster[j])].clone());
    let turned = product(columns.as_ref(), q.as_ref(), prec).into_floats();
    for (j, &column) in cluster.iter().enumerate() {
        for i in 0..x.nrows() {
            x[(i, column)] = turned[(i, j)].clone();
        }
    }
}
