//! Ball matrices against exact rationals. Precision is raised until an answer is as narrow as asked: "undecided" fails a test.

mod definite;
mod page;
mod sets;
mod spectra;
mod systems;

use faer::Mat;
use rug::{Integer, Rational, ops::Pow};
use ufm::{
    linalg::ball::{BallMatrix, Cluster},
    scalar::Ball,
};

type Exact = Mat<Rational>;

fn q(n: i64, d: i64) -> Rational {
    Rational::from((n, d))
}

fn power(base: u32, e: i32) -> Rational {
    Rational::from(Integer::from(Integer::u_pow_u(base, e.unsigned_abs()))).pow(e.signum())
}

/// Integers in [−bound, bound] that look random.
fn scattered(rows: usize, cols: usize, seed: u64, bound: i64) -> Exact {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Mat::from_fn(rows, cols, |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Rational::from((state >> 33) as i64 % (2 * bound + 1) - bound)
    })
}

fn times(a: &Exact, b: &Exact) -> Exact {
    Mat::from_fn(a.nrows(), b.ncols(), |i, j| (0..a.ncols()).map(|t| Rational::from(&a[(i, t)] * &b[(t, j)])).sum())
}

fn transposed(a: &Exact) -> Exact {
    Mat::from_fn(a.ncols(), a.nrows(), |i, j| a[(j, i)].clone())
}

fn hilbert(n: usize) -> Exact {
    Mat::from_fn(n, n, |i, j| Rational::from((1, i + j + 1)))
}

/// I − J/K.
fn simplex(k: usize) -> Exact {
    Mat::from_fn(k, k, |i, j| Rational::from(u32::from(i == j)) - Rational::from((1, k)))
}

/// The exact inverse by elimination, independent of the library.
fn inverted(a: &Exact) -> Exact {
    let n = a.nrows();
    let mut rows: Vec<Vec<Rational>> = (0..n)
        .map(|i| (0..2 * n).map(|j| if j < n { a[(i, j)].clone() } else { Rational::from(u32::from(j - n == i)) }).collect())
        .collect();
    for k in 0..n {
        let pivot = (k..n).find(|&i| rows[i][k] != 0).expect("regular");
        rows.swap(k, pivot);
        let scale = rows[k][k].clone();
        rows[k].iter_mut().for_each(|x| *x /= &scale);
        let pivot_row = rows[k].clone();
        for row in rows.iter_mut().enumerate().filter_map(|(i, row)| (i != k).then_some(row)) {
            let factor = row[k].clone();
            row.iter_mut().zip(&pivot_row).for_each(|(x, p)| *x -= Rational::from(&factor * p));
        }
    }
    Mat::from_fn(n, n, |i, j| rows[i][n + j].clone())
}

/// A rational orthogonal matrix: Cayley's (I − S)(I + S)⁻¹ of an antisymmetric S.
fn cayley(n: usize, seed: u64) -> Exact {
    let s = scattered(n, n, seed, 3);
    let part = |sign: i32| {
        Mat::from_fn(n, n, |i, j| {
            let entry = if i < j { s[(i, j)].clone() } else { -s[(j, i)].clone() };
            if i == j { Rational::from(1) } else { entry * Rational::from((sign, 4)) }
        })
    };
    times(&part(-1), &inverted(&part(1)))
}

/// Q D Qᵀ.
fn with_spectrum(values: &[Rational], seed: u64) -> Exact {
    let q = cayley(values.len(), seed);
    let scaled = Mat::from_fn(values.len(), values.len(), |i, j| Rational::from(&q[(i, j)] * &values[j]));
    times(&scaled, &transposed(&q))
}

fn assert_contains(balls: &BallMatrix, exact: &Exact, what: &str) {
    assert_eq!((balls.nrows(), balls.ncols()), (exact.nrows(), exact.ncols()), "{what}");
    for j in 0..exact.ncols() {
        for i in 0..exact.nrows() {
            assert!(balls.at(i, j).contains_rational(&exact[(i, j)]), "{what}: entry ({i}, {j})");
        }
    }
}

fn width(x: &Ball) -> Rational {
    x.upper_rational().expect("finite") - x.lower_rational().expect("finite")
}

fn largest_width(a: &BallMatrix) -> Rational {
    let widths = (0..a.ncols()).flat_map(|j| (0..a.nrows()).map(move |i| width(&a.at(i, j))));
    widths.fold(Rational::new(), |max, w| if w > max { w } else { max })
}

/// Every eigenvalue lies in its place, and each cluster is as narrow as was asked.
fn assert_spectrum(clusters: &[Cluster], expected: &[Rational], bits: u32, what: &str) {
    let mut expected = expected.to_vec();
    expected.sort();
    let norm = expected.iter().map(|x| x.clone().abs()).max().unwrap_or_default();
    assert_eq!(clusters.iter().map(|c| c.multiplicity).sum::<usize>(), expected.len(), "{what}");
    let mut rest = expected.iter();
    for cluster in clusters {
        for value in rest.by_ref().take(cluster.multiplicity) {
            assert!(cluster.value.contains_rational(value), "{what}: {value} not in its place");
        }
        assert!(width(&cluster.value) <= norm.clone() * power(2, -(bits as i32)), "{what}: too wide");
    }
}

fn multiplicities(clusters: &[Cluster]) -> Vec<usize> {
    clusters.iter().map(|c| c.multiplicity).collect()
}
