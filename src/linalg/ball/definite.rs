//! Verified positive definiteness.
//!
//! S. M. Rump, "Verification of positive definiteness" (2006): if Cholesky's algorithm in floating point, with unit roundoff u, runs to
//! completion on a symmetric B, then LLᵀ = B + E with |E| <= γ/(1 − γ) (b_ii b_jj)^½ entry by entry, so ‖E‖ <= γ/(1 − γ) tr B and
//! λ_min(B) >= −‖E‖. Applied to B = A − cI with c above that bound and above the norm of everything else that is unknown, it proves
//! that A is positive definite. γ = γ_{n+2} = (n + 2)u/(1 − (n + 2)u). No rounding mode is switched: the bound holds for every
//! order of summation.

use std::cmp::Ordering;

use faer::Mat;
use rug::{Float, Rational, float::Round};

use super::{
    BallMatrix, SEARCH_PRECISION, Source, Undecided,
    bound::{Bound, Norms},
    exact::{decide, quadratic_form},
    source::symmetric,
};
use crate::{
    linalg::{product::RADIUS_BITS, vector::add_scaled},
    scalar::Ball,
};

/// What is proved of a symmetric matrix, or of all members of a set of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Definiteness {
    /// xᵀAx > 0 for every x ≠ 0.
    Positive,
    /// xᵀAx >= 0 for every x, and A `kernel` = 0 with `kernel` ≠ 0. Decided for exact matrices only.
    Semidefinite { kernel: Vec<Rational> },
    /// xᵀAx < 0 for x = `witness`.
    Negative { witness: Vec<Rational> },
}

/// Working precisions before exact arithmetic, where that is possible.
const BEFORE_EXACT: u32 = 512;
/// First precision after doubles.
const FIRST_PRECISION: u32 = 128;

/// Whether a symmetric matrix is positive definite.
///
/// Doubles first, then growing precision. A matrix known exactly is decided in any case, by exact elimination when it is
/// singular or too close to that; of an enclosure, all members must agree.
///
/// Memory: at most 8 n² (p/8 + 40) bytes at a working precision of p bits: 53, then 128 and doubled, to 512 for a matrix known exactly and
/// 2^16 for others; and for exact elimination 2 n² (s/8 + 48) bytes, integers of s <= n (b + log₂ n + 1) bits where the entries over a
/// common denominator have b.
///
/// # Errors
/// The entries are not finite, not square, or cannot be symmetric; or the radii are too large: the set contains, or by the norm of the
/// radii may contain, matrices of both kinds.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::{Definiteness, definiteness}, scalar::Rational};
/// let hilbert = Mat::from_fn(12, 12, |i, j| Rational::from((1, i + j + 1)));
/// assert_eq!(definiteness(&hilbert), Ok(Definiteness::Positive));
/// let frame = Mat::from_fn(3, 3, |i, j| Rational::from((if i == j { 2 } else { -1 }, 3)));
/// assert!(matches!(definiteness(&frame), Ok(Definiteness::Semidefinite { kernel }) if kernel[0] == kernel[1]));
/// ```
pub fn definiteness(a: &impl Source) -> Result<Definiteness, Undecided> {
    let mut prec = RADIUS_BITS;
    loop {
        let enclosed = symmetric(a, prec)?;
        let (attempt, by_radius) = if prec == RADIUS_BITS { (in_doubles(&enclosed), false) } else { at_precision(&enclosed, prec) };
        match attempt {
            Attempt::Positive => return Ok(Definiteness::Positive),
            Attempt::Witness(x) if is_negative(&enclosed, &x) => return Ok(Definiteness::Negative { witness: x }),
            Attempt::Witness(_) | Attempt::Open => {}
        }
        if by_radius && !a.is_exact() {
            return Err(Undecided::Radius);
        }
        if prec >= BEFORE_EXACT
            && let Some(exact) = a.exact()
        {
            return Ok(decide(exact.as_ref().as_ref()));
        }
        prec = prec.saturating_mul(2).max(FIRST_PRECISION);
        if prec > SEARCH_PRECISION {
            return Err(Undecided::Precision { bits: prec });
        }
    }
}

enum Attempt {
    Positive,
    /// A vector that may have xᵀAx < 0.
    Witness(Vec<Rational>),
    Open,
}

/// Exponents e_i that bring the diagonal of 2^(−e_i − e_j) a_ij to [1/4, 1); an index whose diagonal entry is not positive.
///
/// Scaling keeps definiteness, and makes the trace that the error is measured by as small as a diagonal can.
fn scaling(a: &BallMatrix) -> Result<Vec<i32>, usize> {
    (0..a.nrows())
        .map(|i| match a.mid()[(i, i)].get_exp() {
            Some(e) if a.mid()[(i, i)] > 0 => Ok(e.div_euclid(2) + e.rem_euclid(2)),
            _ => Err(i),
        })
        .collect()
}

/// x 2^e at `prec` bits, and whether that is exact.
fn shifted(x: &Float, e: i32, prec: u32) -> (Float, Ordering) {
    if e >= 0 {
        Float::with_val_round(prec, x << e.unsigned_abs(), Round::Nearest)
    } else {
        Float::with_val_round(prec, x >> e.unsigned_abs(), Round::Nearest)
    }
}

/// The scaled midpoints at `prec` bits, and bounds on the norms of the scaled radii and of the rounding.
fn scaled(a: &BallMatrix, e: &[i32], prec: u32) -> (Mat<Float>, Bound, Bound) {
    let n = e.len();
    let mut mid = Mat::from_fn(n, n, |_, _| Float::new(prec));
    let [mut radius, mut rounding] = [(), ()].map(|()| Mat::from_fn(n, n, |_, _| Float::new(RADIUS_BITS)));
    let mirrored = |m: &mut Mat<Float>, i: usize, j: usize, x: Float| {
        m[(j, i)].clone_from(&x);
        m[(i, j)] = x;
    };
    for j in 0..n {
        for i in j..n {
            // One shift at a time: their sum may leave the range of exponents.
            let (once, first) = shifted(&a.mid()[(i, j)], -e[i], prec);
            let (twice, second) = shifted(&once, -e[j], prec);
            if (first, second) != (Ordering::Equal, Ordering::Equal) {
                let error = Bound::rounding(&once, first).scaled(-e[j]).plus(&Bound::rounding(&twice, second));
                mirrored(&mut rounding, i, j, error.into_value());
            }
            mirrored(&mut mid, i, j, twice);
            if !a.rad()[(i, j)].is_zero() {
                mirrored(&mut radius, i, j, Bound::of(&a.rad()[(i, j)]).scaled(-e[i]).scaled(-e[j]).into_value());
            }
        }
    }
    let [radius, rounding] = [radius, rounding].map(|m| Norms::of(m.as_ref()).two());
    (mid, radius, rounding)
}

fn unit(n: usize, i: usize) -> Vec<Rational> {
    (0..n).map(|j| Rational::from(u32::from(i == j))).collect()
}

/// Largest exponent of a scaled entry that doubles are used for: beyond it a minor of order two is negative anyway.
const LARGEST_ENTRY: i32 = 100;
/// A bound on all underflow: fewer than n² 2⁻¹⁰⁷⁴ per entry, entries at most 2^LARGEST_ENTRY.
const UNDERFLOW: f64 = f64::from_bits((1023 - 800) << 52);

fn in_doubles(a: &BallMatrix) -> Attempt {
    let n = a.nrows();
    let e = match scaling(a) {
        Ok(e) => e,
        Err(i) => return Attempt::Witness(unit(n, i)),
    };
    let (mid, radius, rounding) = scaled(a, &e, RADIUS_BITS);
    let error = radius.plus(&rounding).value().to_f64_round(Round::Up);
    if !error.is_finite() || mid.col_iter().flat_map(|c| c.iter()).filter_map(Float::get_exp).any(|e| e > LARGEST_ENTRY) {
        return Attempt::Open;
    }
    let columns = |shift: f64| -> Vec<Vec<f64>> {
        // Exact: the scaled midpoints have as many bits as doubles, and what is below their range is within UNDERFLOW.
        let diagonal = |i, x: f64, j| if i == j { (x - shift).next_down() } else { x };
        (0..n).map(|j| (0..n).map(|i| diagonal(i, mid[(i, j)].to_f64(), j)).collect()).collect()
    };
    let gamma = (n as f64 + 2.0) * f64::EPSILON / 2.0;
    // The trace is at most n. Twice: for γ/(1 − γ) and the roundings of these lines, since γ < 1/8.
    let shift = (2.0 * gamma * n as f64 + error + UNDERFLOW) * (1.0 + 4.0 * f64::EPSILON);
    if gamma < 0.125 && factorise(&mut columns(shift)).is_ok() {
        return Attempt::Positive;
    }
    let mut l = columns(0.0);
    match factorise(&mut l) {
        Ok(()) => Attempt::Open,
        Err(k) => {
            // Lᵀy = −l_k, so that (y, 1) gives the pivot that was not positive.
            let mut x = vec![0.0; n];
            x[k] = 1.0;
            for j in (0..k).rev() {
                let sum: f64 = (j + 1..=k).map(|i| l[j][i] * x[i]).sum();
                x[j] = -sum / l[j][j];
            }
            witness(&e, x.iter().map(|x| Float::with_val(RADIUS_BITS, *x)).collect())
        }
    }
}

/// Cholesky's factor in the lower triangle, column by column; the first index whose pivot is not positive.
fn factorise(columns: &mut [Vec<f64>]) -> Result<(), usize> {
    for j in 0..columns.len() {
        let (done, left) = columns.split_at_mut(j);
        let column = &mut left[0][j..];
        for l in done.iter() {
            add_scaled(column, -l[j], &l[j..], false);
        }
        // Not `<= 0`: a NaN is no pivot.
        if !(column[0] > 0.0 && column[0].is_finite()) {
            return Err(j);
        }
        column[0] = column[0].sqrt();
        let (pivot, rest) = column.split_at_mut(1);
        rest.iter_mut().for_each(|x| *x /= pivot[0]);
    }
    Ok(())
}

/// Radii that outweigh the rounding by this many bits are what more precision would not change.
const OUTWEIGHED_BITS: i32 = 8;

/// The outcome at `prec` bits, and whether the radii are what a failure is due to.
fn at_precision(a: &BallMatrix, prec: u32) -> (Attempt, bool) {
    let n = a.nrows();
    let e = match scaling(a) {
        Ok(e) => e,
        Err(i) => return (Attempt::Witness(unit(n, i)), true),
    };
    let (mid, radius, rounding) = scaled(a, &e, prec);
    // Twice γ tr B, the trace being at most n; underflow stays below the power that is added.
    let rounding = rounding.plus(&Bound::of_f64((n as f64 + 2.0) * n as f64).scaled(1 - prec as i32)).plus(&Bound::power(-(1 << 28)));
    let shift = radius.clone().plus(&rounding);
    let by_radius = radius > rounding.scaled(OUTWEIGHED_BITS);
    let with_shift = Mat::from_fn(n, n, |i, j| {
        if i == j { Float::with_val_round(prec, &mid[(i, i)] - shift.value(), Round::Down).0 } else { mid[(i, j)].clone() }
    });
    if shift.is_finite() && factorise_floats(&with_shift, prec).is_ok() {
        return (Attempt::Positive, by_radius);
    }
    let attempt = match factorise_floats(&mid, prec) {
        Ok(_) => Attempt::Open,
        Err(rows) => {
            let k = rows.len() - 1;
            let mut x = vec![Float::new(prec); n];
            x[k] = Float::with_val(prec, 1);
            for j in (0..k).rev() {
                let sum = without_products(&Float::new(prec), (j + 1..=k).map(|i| (&rows[i][j], &x[i])), prec);
                x[j] = sum / &rows[j][j];
            }
            witness(&e, x)
        }
    };
    (attempt, by_radius)
}

/// x − Σ y z, rounded once for each product.
fn without_products<'a>(x: &Float, products: impl Iterator<Item = (&'a Float, &'a Float)>, prec: u32) -> Float {
    products.fold(Float::with_val(prec, x), |sum, (y, z)| sum - y * z)
}

/// Rows of Cholesky's factor; on failure those before the pivot that is not positive, and its own without the pivot.
fn factorise_floats(a: &Mat<Float>, prec: u32) -> Result<Vec<Vec<Float>>, Vec<Vec<Float>>> {
    let n = a.nrows();
    let mut rows: Vec<Vec<Float>> = Vec::with_capacity(n);
    for i in 0..n {
        let mut row: Vec<Float> = Vec::with_capacity(i + 1);
        for (j, other) in rows.iter().enumerate() {
            row.push(without_products(&a[(i, j)], row.iter().zip(other), prec) / &other[j]);
        }
        let pivot = without_products(&a[(i, i)], row.iter().zip(&row), prec);
        let positive = pivot > 0 && pivot.is_finite();
        if positive {
            row.push(pivot.sqrt());
        }
        rows.push(row);
        if !positive {
            return Err(rows);
        }
    }
    Ok(rows)
}

/// Exponents that a witness may have: it is written out as rationals.
const WITNESS_EXPONENTS: u32 = 1 << 12;

/// The vector in the scale of A, its largest entry near one, small ones dropped.
fn witness(e: &[i32], x: Vec<Float>) -> Attempt {
    let scaled: Vec<Float> = x.iter().zip(e).map(|(x, &e)| shifted(x, -e, x.prec()).0).collect();
    let Some(largest) = scaled.iter().filter_map(Float::get_exp).max() else { return Attempt::Open };
    if scaled.iter().any(|x| !x.is_finite()) {
        return Attempt::Open;
    }
    let entry = |x: &Float| {
        let x = shifted(x, -largest, x.prec()).0;
        if x.get_exp().is_some_and(|e| e.unsigned_abs() > WITNESS_EXPONENTS) {
            Rational::new()
        } else {
            x.to_rational().unwrap_or_default()
        }
    };
    Attempt::Witness(scaled.iter().map(entry).collect())
}

/// Whether xᵀAx < 0 for every member.
fn is_negative(a: &BallMatrix, x: &[Rational]) -> bool {
    if let Some(exact) = a.exact() {
        return quadratic_form(exact.as_ref().as_ref(), x) < 0;
    }
    let prec = a.prec() + RADIUS_BITS;
    let x: Vec<Ball> = x.iter().map(|x| Ball::from_rational(x, prec)).collect();
    let mut sum = Ball::zero(prec);
    for j in 0..x.len() {
        for i in 0..x.len() {
            sum = sum + &x[i] * &x[j] * a.at(i.max(j), i.min(j));
        }
    }
    sum.is_negative()
}
