//! Exact elimination over the rationals, without fractions (E. Bareiss, 1968): what no precision can decide.
//!
//! After step k every entry that is left is a minor of order k + 2 of the integer matrix, so the division by the pivot before is
//! exact and numbers grow no further than determinants do.

use faer::{Mat, MatRef};
use rug::{Integer, Rational};

use super::Definiteness;

/// Σ x_i a_ij x_j.
pub(super) fn quadratic_form(a: MatRef<'_, Rational>, x: &[Rational]) -> Rational {
    let mut sum = Rational::new();
    for (j, y) in x.iter().enumerate().filter(|(_, y)| !y.is_zero()) {
        let column: Rational = x.iter().enumerate().map(|(i, x)| Rational::from(&a[(i, j)] * x)).sum();
        sum += column * y;
    }
    sum
}

/// The entries times a common denominator, and that.
fn integers<'a>(entries: impl Iterator<Item = &'a Rational>) -> (Vec<Integer>, Integer) {
    let entries: Vec<&Rational> = entries.collect();
    let common = entries.iter().fold(Integer::from(1), |lcm, q| lcm.lcm(q.denom()));
    (entries.iter().map(|q| q.numer() * Integer::from(&common / q.denom())).collect(), common)
}

/// One step of elimination below and right of pivot k: (m_kk m_ij − m_ik m_kj) / previous pivot.
fn eliminate(m: &mut [Vec<Integer>], k: usize, previous: &Integer) {
    let (done, left) = m.split_at_mut(k + 1);
    let pivot_row = &done[k];
    for row in left {
        let factor = std::mem::take(&mut row[k]);
        for j in k + 1..row.len() {
            row[j] *= &pivot_row[k];
            row[j] -= &factor * &pivot_row[j];
            row[j].div_exact_mut(previous);
        }
    }
}

/// Completes `x`, given from index k on, so that the first k rows of the eliminated matrix annihilate it.
fn substitute_back(m: &[Vec<Integer>], k: usize, x: &mut [Rational]) {
    for row in (0..k).rev() {
        let sum: Rational = (row + 1..x.len()).filter(|&j| !x[j].is_zero()).map(|j| Rational::from(&x[j] * &m[row][j])).sum();
        x[row] = -sum / &m[row][row];
    }
}

/// Definiteness of a symmetric matrix, decided; O(n³) operations on integers as long as the determinant.
///
/// Symmetric elimination with positive pivots leaves a positive multiple of the Schur complement C. A negative diagonal entry of C, or
/// a zero one with a nonzero neighbour when no positive pivot is left, gives y with yᵀCy < 0; x = (−A₁₁⁻¹A₁₂y, y) has xᵀAx = yᵀCy.
pub(super) fn decide(a: MatRef<'_, Rational>) -> Definiteness {
    let n = a.nrows();
    let (entries, _) = integers(a.row_iter().flat_map(|row| row.iter()));
    let mut m: Vec<Vec<Integer>> = entries.chunks(n.max(1)).map(<[Integer]>::to_vec).collect();
    let mut order: Vec<usize> = (0..n).collect();
    let mut previous = Integer::from(1);
    for k in 0..n {
        let vector = |m: &[Vec<Integer>], parts: &[(usize, i32)]| {
            let mut x = vec![Rational::new(); n];
            parts.iter().for_each(|&(i, value)| x[i] = Rational::from(value));
            substitute_back(m, k, &mut x);
            let mut original = vec![Rational::new(); n];
            order.iter().zip(x).for_each(|(&i, value)| original[i] = value);
            original
        };
        if let Some(i) = (k..n).find(|&i| m[i][i] < 0) {
            return Definiteness::Negative { witness: vector(&m, &[(i, 1)]) };
        }
        let Some(pivot) = (k..n).find(|&i| m[i][i] > 0) else {
            let coupled = (k..n).flat_map(|i| (k..i).map(move |j| (i, j))).find(|&(i, j)| m[i][j] != 0);
            return match coupled {
                Some((i, j)) => Definiteness::Negative { witness: vector(&m, &[(i, 1), (j, if m[i][j] > 0 { -1 } else { 1 })]) },
                None => Definiteness::Semidefinite { kernel: vector(&m, &[(k, 1)]) },
            };
        };
        m.swap(k, pivot);
        m.iter_mut().for_each(|row| row.swap(k, pivot));
        order.swap(k, pivot);
        eliminate(&mut m, k, &previous);
        previous.clone_from(&m[k][k]);
    }
    Definiteness::Positive
}

/// The determinant of a square matrix or, when it is zero, a nonzero vector of the kernel.
pub(super) fn determinant_or_kernel(a: MatRef<'_, Rational>) -> Result<Rational, Vec<Rational>> {
    let n = a.nrows();
    let mut denominator = Integer::from(1);
    let mut m: Vec<Vec<Integer>> = (0..n)
        .map(|i| {
            let (row, common) = integers(a.row(i).iter());
            denominator *= common;
            row
        })
        .collect();
    let mut previous = Integer::from(1);
    for k in 0..n {
        let Some(pivot) = (k..n).find(|&i| m[i][k] != 0) else {
            let mut x = vec![Rational::new(); n];
            x[k] = Rational::from(1);
            substitute_back(&m, k, &mut x);
            return Err(x);
        };
        if pivot != k {
            m.swap(k, pivot);
            m[k].iter_mut().for_each(|x| *x = Integer::from(-&*x));
        }
        eliminate(&mut m, k, &previous);
        previous.clone_from(&m[k][k]);
    }
    Ok(Rational::from((previous, denominator)))
}

/// The determinant of a square matrix of rationals, exactly; 1 for the empty matrix, `None` when it is not square.
///
/// ```
/// use faer::Mat;
/// use ufm::{linalg::ball::determinant, scalar::Rational};
/// let hilbert = Mat::from_fn(3, 3, |i, j| Rational::from((1, i + j + 1)));
/// assert_eq!(determinant(&hilbert), Some(Rational::from((1, 2160))));
/// ```
pub fn determinant(a: &Mat<Rational>) -> Option<Rational> {
    (a.nrows() == a.ncols()).then(|| determinant_or_kernel(a.as_ref()).unwrap_or_default())
}
