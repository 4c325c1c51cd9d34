//! Positive definiteness, decided or with a witness.

use super::{Exact, hilbert, power, q, scattered, simplex, times, transposed, with_spectrum};
use faer::Mat;
use rug::Rational;
use ufm::linalg::ball::{BallMatrix, Definiteness, Undecided, definiteness, eigen, singular_values};
use ufm::scalar::Ball;

#[test]
fn exact_limits_are_decided() {
    for k in [1, 2, 5, 20] {
        let Ok(Definiteness::Semidefinite { kernel }) = definiteness(&simplex(k)) else { panic!("K = {k}") };
        assert!(kernel[0] != 0 && kernel.iter().all(|x| *x == kernel[0]));
        for e in [3, 40, 400] {
            let moved = |sign: i32| {
                Mat::from_fn(k, k, |i, j| simplex(k)[(i, j)].clone() + if i == j { power(10, -e) * Rational::from(sign) } else { q(0, 1) })
            };
            assert_eq!(definiteness(&moved(1)), Ok(Definiteness::Positive), "K = {k}, 10^-{e}");
            assert_negative(&moved(-1), &definiteness(&moved(-1)).unwrap());
        }
    }
}

pub fn assert_negative(a: &Exact, verdict: &Definiteness) {
    let Definiteness::Negative { witness } = verdict else { panic!("{verdict:?}") };
    let x = Mat::from_fn(a.nrows(), 1, |i, _| witness[i].clone());
    assert!(times(&times(&transposed(&x), a), &x)[(0, 0)] < 0);
}

#[test]
fn indefinite_matrices_come_with_a_witness() {
    let saddle = Mat::from_fn(2, 2, |i, j| q(i64::from(i != j), 1));
    assert_negative(&saddle, &definiteness(&saddle).unwrap());
    for n in [2, 3, 10, 20] {
        for scale in [power(2, -3000), q(1, 1), power(2, 3000)] {
            let values: Vec<Rational> = (0..n).map(|i| if i == 0 { -power(10, -9) } else { q(i as i64, 1) } * &scale).collect();
            let a = with_spectrum(&values, 11);
            assert_negative(&a, &definiteness(&a).unwrap());
            let doubled: Vec<Rational> = values.iter().map(|x| x.clone().abs()).collect();
            assert_eq!(definiteness(&with_spectrum(&doubled, 11)), Ok(Definiteness::Positive));
        }
        // Rank one less than full after exact elimination.
        let half = scattered(n, n - 1, 4, 9);
        let gram = times(&half, &transposed(&half));
        let Ok(Definiteness::Semidefinite { kernel }) = definiteness(&gram) else { panic!("n = {n}") };
        let kernel = Mat::from_fn(n, 1, |i, _| kernel[i].clone());
        assert!((0..n).any(|i| kernel[(i, 0)] != 0));
        assert!((0..n).all(|i| times(&gram, &kernel)[(i, 0)] == 0));
    }
}

#[test]
fn doubles_and_balls_are_judged_as_sets() {
    let n = 30;
    let base = scattered(n, n, 21, 8);
    let gram = times(&base, &transposed(&base));
    let doubles = Mat::from_fn(n, n, |i, j| gram[(i, j)].to_f64() + if i == j { 1.0 } else { 0.0 });
    assert_eq!(definiteness(&doubles), Ok(Definiteness::Positive));
    let around = |r: &Rational| {
        BallMatrix::from_balls(4, 4, 100, |i, j| {
            let x = hilbert(4)[(i, j)].clone();
            Ball::from_rational(&(x.clone() - r), 100).hull(&Ball::from_rational(&(x + r), 100))
        })
    };
    // λ_min of the Hilbert matrix of order 4 is 9.67e-5.
    assert_eq!(definiteness(&around(&q(1, 100_000))), Ok(Definiteness::Positive));
    assert_eq!(definiteness(&around(&q(1, 100))), Err(Undecided::Radius));
    assert!(matches!(definiteness(&-around(&q(1, 100))), Ok(Definiteness::Negative { .. })));
    // Eigenvalues of every member.
    let clusters = eigen(&around(&q(1, 1_000_000)), 12).unwrap().clusters;
    assert!(clusters[0].value.contains_rational(&q(9_670_230_402, 100_000_000_000_000)));
    assert_eq!(eigen(&around(&q(1, 1_000_000)), 60).unwrap_err(), Undecided::Radius);
    assert_eq!(singular_values(&around(&q(1, 1_000_000)), 60).unwrap_err(), Undecided::Radius);
}
