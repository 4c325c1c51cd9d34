//! Eigenvalues and singular values in MPFR, at any precision: the references of decompositions share no code with the kernels.
//!
//! Method: a symmetric matrix is reduced to tridiagonal form by Householder reflectors; a general one to an upper bidiagonal B by
//! reflectors from both sides, and the singular values of B, with diagonal d and superdiagonal e, are the nonnegative eigenvalues of
//! the tridiagonal matrix with zero diagonal beside which d₁, e₁, d₂, e₂, ..., d_n stand (Golub and Kahan 1965). Eigenvalues of
//! tridiagonal matrices by implicit QL steps (`imtql1`; Dubrulle, Martin and Wilkinson 1968).
//!
//! Guarantee: every step is orthogonal, so by Weyl's theorem each value is off by a modest multiple of 2^−prec ‖A‖.

use ::faer::Mat;
use rug::Float;

use super::matrices::{Matrix, transpose};

/// QL steps for each eigenvalue before it counts as failed; two or three are usual, a few more at high precision.
const STEPS: usize = 60;

/// Eigenvalues of a symmetric matrix in nondecreasing order; the lower triangle is read. `None` without convergence.
pub(super) fn eigenvalues(a: &Matrix, prec: u32) -> Option<Vec<Float>> {
    let (mut d, e) = tridiagonal(a, prec);
    ql(&mut d, e, prec)?;
    d.sort_by(Float::total_cmp);
    Some(d)
}

/// The min(m, n) singular values of an m × n matrix in nonincreasing order. `None` without convergence.
pub(super) fn singular_values(a: &Matrix, prec: u32) -> Option<Vec<Float>> {
    let (d, e) = if a.nrows() < a.ncols() { bidiagonal(&transpose(a), prec) } else { bidiagonal(a, prec) };
    let k = d.len();
    let moduli = |values: Vec<Float>| Some(values.into_iter().map(Float::abs).collect());
    if e.iter().all(Float::is_zero) {
        let mut values = d;
        values.sort_by(|x, y| y.cmp_abs(x).unwrap_or(std::cmp::Ordering::Equal));
        return moduli(values);
    }
    let off = (0..2 * k).filter_map(|i| if i % 2 == 0 { d.get(i / 2) } else { e.get(i / 2) }).cloned().collect();
    let mut values = vec![Float::new(prec); 2 * k];
    ql(&mut values, off, prec)?;
    values.sort_by(|x, y| y.total_cmp(x));
    values.truncate(k);
    // The pair of a zero may come out as two tiny numbers of one sign.
    moduli(values)
}

fn dot(x: &[Float], y: &[Float], prec: u32) -> Float {
    x.iter().zip(y).fold(Float::new(prec), |mut sum, (x, y)| {
        sum += x * y;
        sum
    })
}

/// A reflector I − β v vᵀ that takes x to (α, 0, ..., 0).
struct Reflector {
    v: Vec<Float>,
    beta: Float,
    alpha: Float,
}

impl Reflector {
    /// `None` where x is such a multiple already.
    fn new(x: Vec<Float>, prec: u32) -> Option<Self> {
        if x.iter().skip(1).all(Float::is_zero) {
            return None;
        }
        let norm = dot(&x, &x, prec).sqrt();
        let alpha = if x[0].is_sign_negative() { norm } else { -norm };
        let mut v = x;
        v[0] -= &alpha;
        let beta = 2u32 / dot(&v, &v, prec);
        Some(Reflector { v, beta, alpha })
    }

    /// Applied from the left to the columns `cols`, of which v meets the rows from `row` on.
    fn apply(&self, a: &mut Matrix, row: usize, cols: std::ops::Range<usize>) {
        for j in cols {
            let column = a.col_mut(j).try_as_col_major_mut().expect("a column is contiguous").as_slice_mut();
            let column = &mut column[row..];
            let factor = dot(&self.v, column, self.beta.prec()) * &self.beta;
            for (x, v) in column.iter_mut().zip(&self.v) {
                *x -= v * &factor;
            }
        }
    }
}

/// Diagonal and off-diagonal of QᵀAQ.
fn tridiagonal(a: &Matrix, prec: u32) -> (Vec<Float>, Vec<Float>) {
    let n = a.nrows();
    let mut a: Vec<Vec<Float>> = (0..n).map(|i| (0..n).map(|j| Float::with_val(prec, &a[(i.max(j), i.min(j))])).collect()).collect();
    let mut e = vec![];
    for k in 0..n.saturating_sub(1) {
        let column: Vec<Float> = a[k + 1..].iter().map(|row| row[k].clone()).collect();
        let Some(Reflector { v, beta, alpha }) = Reflector::new(column, prec) else {
            e.push(a[k + 1][k].clone());
            continue;
        };
        e.push(alpha);
        // A − v wᵀ − w vᵀ with w = p − (β/2) (pᵀv) v, p = β A v.
        let mut w: Vec<Float> = a[k + 1..].iter().map(|row| dot(&row[k + 1..], &v, prec) * &beta).collect();
        let half = dot(&w, &v, prec) * &beta / 2u32;
        for (w, v) in w.iter_mut().zip(&v) {
            *w -= v * &half;
        }
        for (i, row) in a[k + 1..].iter_mut().enumerate() {
            for (j, x) in row[k + 1..].iter_mut().enumerate() {
                *x -= &v[i] * &w[j];
                *x -= &w[i] * &v[j];
            }
        }
    }
    ((0..n).map(|i| a[i][i].clone()).collect(), e)
}

/// Diagonal and superdiagonal of UᵀAV for m ≥ n.
fn bidiagonal(a: &Matrix, prec: u32) -> (Vec<Float>, Vec<Float>) {
    let (m, n) = (a.nrows(), a.ncols());
    let mut a = Mat::from_fn(m, n, |i, j| Float::with_val(prec, &a[(i, j)]));
    let (mut d, mut e) = (vec![], vec![]);
    for k in 0..n {
        match Reflector::new((k..m).map(|i| a[(i, k)].clone()).collect(), prec) {
            Some(reflector) => {
                reflector.apply(&mut a, k, k + 1..n);
                d.push(reflector.alpha);
            }
            None => d.push(a[(k, k)].clone()),
        }
        if k + 1 == n {
            break;
        }
        match Reflector::new((k + 1..n).map(|j| a[(k, j)].clone()).collect(), prec) {
            Some(reflector) => {
                let mut rows = Mat::from_fn(n, m - k - 1, |j, i| a[(k + 1 + i, j)].clone());
                reflector.apply(&mut rows, k + 1, 0..m - k - 1);
                for j in k + 1..n {
                    (k + 1..m).for_each(|i| std::mem::swap(&mut a[(i, j)], &mut rows[(j, i - k - 1)]));
                }
                e.push(reflector.alpha);
            }
            None => e.push(a[(k, k + 1)].clone()),
        }
    }
    (d, e)
}

/// Replaces the diagonal d of a tridiagonal matrix with off-diagonal e by its eigenvalues, in no order.
fn ql(d: &mut [Float], mut e: Vec<Float>, prec: u32) -> Option<()> {
    let n = d.len();
    let largest = d.iter().chain(&e).fold(Float::new(prec), |m, x| m.max(&Float::with_val(prec, x.abs_ref())));
    // Neglecting less than this moves an eigenvalue by less than the rounding of a step.
    let least = largest >> prec;
    e.push(Float::new(prec));
    let float = |x: u32| Float::with_val(prec, x);
    for l in 0..n {
        let mut steps = 0;
        loop {
            let m = (l..n - 1).find(|&m| e[m].cmp_abs(&least).is_some_and(|o| o.is_le())).unwrap_or(n - 1);
            if m == l {
                break;
            }
            steps += 1;
            if steps > STEPS {
                return None;
            }
            // Wilkinson's shift.
            let g = Float::with_val(prec, &d[l + 1] - &d[l]) / Float::with_val(prec, 2u32 * &e[l]);
            let root = g.clone().hypot(&float(1));
            let shifted = if g.is_sign_negative() { g - root } else { g + root };
            let mut g = Float::with_val(prec, &d[m] - &d[l]) + Float::with_val(prec, &e[l] / &shifted);
            let (mut s, mut c, mut p) = (float(1), float(1), Float::new(prec));
            let mut vanished = false;
            for i in (l..m).rev() {
                let f = Float::with_val(prec, &s * &e[i]);
                let b = Float::with_val(prec, &c * &e[i]);
                let r = f.clone().hypot(&g);
                if r.is_zero() {
                    d[i + 1] -= &p;
                    e[i + 1] = r;
                    vanished = true;
                    break;
                }
                s = Float::with_val(prec, &f / &r);
                c = Float::with_val(prec, &g / &r);
                e[i + 1] = r;
                g = Float::with_val(prec, &d[i + 1] - &p);
                let mut r = Float::with_val(prec, &d[i] - &g) * &s;
                r += Float::with_val(prec, 2u32 * &c) * &b;
                p = Float::with_val(prec, &s * &r);
                d[i + 1] = Float::with_val(prec, &g + &p);
                g = Float::with_val(prec, &c * &r) - &b;
            }
            if !vanished {
                d[l] -= &p;
                e[l] = g;
            }
            e[m] = Float::new(prec);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREC: u32 = 256;

    fn matrix(n: usize, entry: impl Fn(usize, usize) -> i32) -> Matrix {
        Mat::from_fn(n, n, |i, j| Float::with_val(PREC, entry(i, j)))
    }

    fn close(found: &[Float], expected: &[Float]) {
        assert_eq!(found.len(), expected.len());
        let limit = Float::with_val(PREC, 1) >> (PREC - 16);
        for (x, y) in found.iter().zip(expected) {
            assert!(Float::with_val(PREC, x - y).abs() < limit, "{x} is not {y}");
        }
    }

    /// 2 − 2 cos(k π/(n + 1)) of the second difference, whose singular values are the same backwards.
    #[test]
    fn the_second_difference() {
        for n in [1, 2, 3, 10, 31] {
            let a = matrix(n, |i, j| match i.abs_diff(j) {
                0 => 2,
                1 => -1,
                _ => 0,
            });
            let angle = |k: usize| Float::with_val(PREC, rug::float::Constant::Pi) * k as u32 / (n + 1) as u32;
            let mut exact: Vec<Float> = (1..=n).map(|k| 2u32 - 2u32 * angle(k).cos()).collect();
            close(&eigenvalues(&a, PREC).unwrap(), &exact);
            exact.reverse();
            close(&singular_values(&a, PREC).unwrap(), &exact);
        }
    }

    /// A full matrix with clusters: I − J/n, and its columns scaled by orthogonal ones of unequal length.
    #[test]
    fn clusters_and_zeros() {
        let n = 12;
        let a = matrix(n, |i, j| if i == j { n as i32 - 1 } else { -1 });
        let mut exact = vec![Float::with_val(PREC, n as u32); n];
        exact[0] = Float::new(PREC);
        close(&eigenvalues(&a, PREC).unwrap(), &exact);
        exact.reverse();
        close(&singular_values(&a, PREC).unwrap(), &exact);
        let zero = matrix(3, |_, _| 0);
        close(&eigenvalues(&zero, PREC).unwrap(), &vec![Float::new(PREC); 3]);
        close(&singular_values(&zero, PREC).unwrap(), &vec![Float::new(PREC); 3]);
        assert!(eigenvalues(&matrix(0, |_, _| 0), PREC).unwrap().is_empty());
    }

    /// Tall and wide: singular values are square roots of the eigenvalues of AᵀA.
    #[test]
    fn rectangular() {
        let (m, n) = (9, 4);
        let a = Mat::from_fn(m, n, |i, j| Float::with_val(PREC, (i * i + 3 * j * i + j) as u32 % 17));
        let gram = Mat::from_fn(n, n, |i, j| Float::with_val(PREC, Float::dot((0..m).map(|k| (&a[(k, i)], &a[(k, j)])))));
        let mut squares = eigenvalues(&gram, PREC).unwrap();
        squares.reverse();
        for a in [a.clone(), transpose(&a)] {
            let found: Vec<Float> = singular_values(&a, PREC).unwrap().into_iter().map(Float::square).collect();
            close(&found, &squares);
        }
    }
}
