//! Linear algebra at 400 bits, by textbook methods.

use rug::{Float, ops::Pow};

pub const BITS: u32 = 400;
/// A row whose rest after projection has less than this share of its square lies in the span: far above the rounding of 400 bits, and far
/// below what data in doubles leave.
const DEPENDENT: f64 = 1e-90;

pub type Matrix = Vec<Vec<Float>>;

pub fn real(x: f64) -> Float {
    Float::with_val(BITS, x)
}

pub fn dot(x: &[Float], y: &[Float]) -> Float {
    x.iter().zip(y).fold(real(0.0), |s, (a, b)| s + Float::with_val(BITS, a * b))
}

pub fn square(m: &Matrix) -> Float {
    m.iter().fold(real(0.0), |s, row| s + dot(row, row))
}

/// X Yᵀ.
pub fn outer(x: &Matrix, y: &Matrix) -> Matrix {
    x.iter().map(|a| y.iter().map(|b| dot(a, b)).collect()).collect()
}

pub fn transpose(m: &Matrix) -> Matrix {
    (0..m[0].len()).map(|j| m.iter().map(|row| row[j].clone()).collect()).collect()
}

pub fn less(x: &[Float], y: &[Float]) -> Vec<Float> {
    x.iter().zip(y).map(|(a, b)| Float::with_val(BITS, a - b)).collect()
}

pub fn inverse(a: Matrix) -> Matrix {
    try_inverse(a).expect("a matrix of full rank")
}

/// `None` at a pivot that vanishes.
pub fn try_inverse(mut a: Matrix) -> Option<Matrix> {
    let n = a.len();
    for (i, row) in a.iter_mut().enumerate() {
        row.extend((0..n).map(|j| real(f64::from(u8::from(i == j)))));
    }
    for c in 0..n {
        let p = (c..n).max_by(|&i, &j| a[i][c].cmp_abs(&a[j][c]).unwrap()).unwrap();
        a.swap(c, p);
        let pivot = a[c].clone();
        if !pivot[c].is_normal() {
            return None;
        }
        for (i, row) in a.iter_mut().enumerate() {
            if i != c {
                let f = Float::with_val(BITS, &row[c] / &pivot[c]);
                for j in c..2 * n {
                    row[j] -= Float::with_val(BITS, &f * &pivot[j]);
                }
            } else {
                for x in row.iter_mut().rev() {
                    *x /= &pivot[c];
                }
            }
        }
    }
    Some(a.into_iter().map(|row| row[n..].to_vec()).collect())
}

/// Eigenvalues of a symmetric matrix, largest first, and its eigenvectors as rows: cyclic Jacobi rotations.
pub fn jacobi(mut a: Matrix) -> (Vec<Float>, Matrix) {
    let n = a.len();
    let mut v: Matrix = (0..n).map(|i| (0..n).map(|j| real(f64::from(u8::from(i == j)))).collect()).collect();
    for _ in 0..40 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].is_zero() {
                    continue;
                }
                let theta: Float = Float::with_val(BITS, &a[q][q] - &a[p][p]) / (2.0 * a[p][q].clone());
                let sign = if theta < 0 { -1.0 } else { 1.0 };
                let t: Float = sign / (theta.clone().abs() + (theta.square() + 1.0f64).sqrt());
                let c = 1.0 / (t.clone().square() + 1.0f64).sqrt();
                let s = Float::with_val(BITS, &t * &c);
                for m in [&mut a, &mut v] {
                    let (upper, lower) = m.split_at_mut(q);
                    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
                        let (old_x, old_y) = (x.clone(), y.clone());
                        *x = Float::with_val(BITS, &c * &old_x) - Float::with_val(BITS, &s * &old_y);
                        *y = Float::with_val(BITS, &s * &old_x) + Float::with_val(BITS, &c * &old_y);
                    }
                }
                for row in &mut a {
                    let (x, y) = (row[p].clone(), row[q].clone());
                    row[p] = Float::with_val(BITS, &c * &x) - Float::with_val(BITS, &s * &y);
                    row[q] = Float::with_val(BITS, &s * &x) + Float::with_val(BITS, &c * &y);
                }
            }
        }
        let scale = square(&a);
        let off = (0..n).fold(real(0.0), |t, i| (0..n).filter(|&j| j != i).fold(t, |t, j| t + a[i][j].clone().square()));
        if off <= scale * real(2.0).pow(-2 * (BITS as i32 - 20)) {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].partial_cmp(&a[i][i]).unwrap());
    (order.iter().map(|&i| a[i][i].clone()).collect(), order.iter().map(|&i| v[i].clone()).collect())
}

/// The rows' span, orthonormal, by Gram and Schmidt (twice); rows within the span of earlier ones are passed over.
pub fn orthonormal(rows: &Matrix) -> Matrix {
    let mut basis: Matrix = vec![];
    for row in rows {
        let (size, mut rest) = (dot(row, row), row.clone());
        for _ in 0..2 {
            for b in &basis {
                let product = dot(b, &rest);
                rest.iter_mut().zip(b).for_each(|(x, b)| *x -= Float::with_val(BITS, &product * b));
            }
        }
        if dot(&rest, &rest) > size * real(DEPENDENT) {
            unit(&mut rest);
            basis.push(rest);
        }
    }
    basis
}

pub fn first_least(values: &[Float]) -> usize {
    (0..values.len()).fold(0, |best, j| if values[j] < values[best] { j } else { best })
}

pub fn unit(row: &mut [Float]) {
    let norm = dot(row, row).sqrt();
    row.iter_mut().for_each(|x| *x /= &norm);
}
