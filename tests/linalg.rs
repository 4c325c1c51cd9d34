//! Spectral factorizations: LAPACK-style residual ratios, and nalgebra as a second opinion.

use faer::Mat;
use ufm::linalg::{eigh, thin_svd};

/// Thresholds of LAPACK's own test suite.
const SVD_THRESHOLD: f64 = 50.0;
const EIGEN_THRESHOLD: f64 = 50.0;

fn scattered(rows: usize, cols: usize, seed: u64) -> Mat<f64> {
    let mut state = seed | 1;
    Mat::from_fn(rows, cols, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

fn orthogonality(q: &Mat<f64>) -> f64 {
    let r = q.transpose() * q - Mat::<f64>::identity(q.ncols(), q.ncols());
    r.norm_l2() / (q.nrows() as f64 * f64::EPSILON)
}

fn cases(rows: usize, cols: usize) -> Vec<Mat<f64>> {
    let general = scattered(rows, cols, (rows * 31 + cols) as u64);
    let graded = Mat::from_fn(rows, cols, |i, j| general[(i, j)] * 10f64.powi(-(i as i32 % 9)));
    let frame = Mat::from_fn(rows, cols, |i, j| f64::from(u8::from(i == j)) - 1.0 / rows as f64);
    let low_rank = scattered(rows, 1, 5) * scattered(1, cols, 6);
    vec![
        Mat::zeros(rows, cols),
        Mat::identity(rows, cols),
        &general * faer::Scale(1e150),
        &general * faer::Scale(1e-150),
        general,
        graded,
        frame,
        low_rank,
    ]
}

#[test]
fn singular_values() {
    for rows in [1, 2, 3, 5, 10, 50] {
        for cols in [1, 2, 3, 5, 10, 50] {
            for a in cases(rows, cols) {
                let (u, s, v) = thin_svd(a.as_ref()).unwrap();
                let us = Mat::from_fn(rows, s.len(), |i, j| u[(i, j)] * s[j]);
                let size = rows.max(cols) as f64;
                let residual = (us * v.transpose() - &a).norm_l2();
                let scale = s[0] * size * f64::EPSILON;
                assert!(residual <= SVD_THRESHOLD * scale, "{rows} x {cols}: {residual:e}");
                assert!(orthogonality(&u) <= SVD_THRESHOLD && orthogonality(&v) <= SVD_THRESHOLD);
                assert!(s.windows(2).all(|w| w[0] >= w[1]) && s.iter().all(|&s| s >= 0.0));
                let mut second: Vec<f64> =
                    nalgebra::DMatrix::from_fn(rows, cols, |i, j| a[(i, j)]).singular_values().iter().copied().collect();
                second.sort_by(|a, b| b.total_cmp(a));
                assert!(s.iter().zip(&second).all(|(x, y)| (x - y).abs() <= SVD_THRESHOLD * scale));
            }
        }
    }
}

#[test]
fn eigenvalues() {
    for n in [1, 2, 3, 5, 10, 50] {
        for a in cases(n, n) {
            let a = &a + a.transpose();
            let (s, u) = eigh(a.as_ref()).unwrap();
            let us = Mat::from_fn(n, n, |i, j| u[(i, j)] * s[j]);
            let scale = s.iter().fold(0.0f64, |m, x| m.max(x.abs())) * n as f64 * f64::EPSILON;
            assert!((us * u.transpose() - &a).norm_l2() <= EIGEN_THRESHOLD * scale);
            assert!(orthogonality(&u) <= EIGEN_THRESHOLD);
            let mut second: Vec<f64> = nalgebra::DMatrix::from_fn(n, n, |i, j| a[(i, j)]).symmetric_eigenvalues().iter().copied().collect();
            second.sort_by(f64::total_cmp);
            assert!(s.iter().zip(&second).all(|(x, y)| (x - y).abs() <= EIGEN_THRESHOLD * scale));
        }
    }
}

#[test]
fn not_finite_is_refused() {
    for bad in [f64::NAN, f64::INFINITY] {
        let mut a = scattered(4, 4, 2);
        a[(1, 1)] = bad;
        assert!(thin_svd(a.as_ref()).is_none() && eigh(a.as_ref()).is_none());
    }
}

#[test]
fn empty_matrices_factor() {
    let (values, vectors) = eigh(Mat::<f64>::zeros(0, 0).as_ref()).unwrap();
    assert_eq!((values.len(), vectors.shape()), (0, (0, 0)));
    let (u, s, v) = thin_svd(Mat::<f64>::zeros(3, 0).as_ref()).unwrap();
    assert_eq!((u.shape(), s.len(), v.shape()), ((3, 0), 0, (0, 0)));
}
