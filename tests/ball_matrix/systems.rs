//! Linear systems, singular and badly scaled ones included.

use super::{assert_contains, hilbert, inverted, power, q, scattered, simplex, times, width};
use faer::Mat;
use ufm::linalg::ball::{BallMatrix, SolveError, Undecided, inverse, solve};
use ufm::scalar::Ball;

#[test]
fn solutions_of_hilbert_systems_contain_the_exact_ones() {
    for n in [1, 2, 6, 12, 20] {
        let a = hilbert(n);
        let exact = inverted(&a);
        for bits in [30, 300] {
            let x = inverse(&a, bits).unwrap();
            assert_contains(&x, &exact, &format!("n = {n}"));
            for j in 0..n {
                let largest = (0..n).map(|i| exact[(i, j)].clone().abs()).max().unwrap();
                // A radius of 2^−bits on both sides, and the rounding of the two ends.
                assert!((0..n).all(|i| width(&x.at(i, j)) <= largest.clone() * power(2, 2 - bits as i32)), "n = {n}, {bits} bits");
            }
        }
        let b = scattered(n, 3, 2, 50);
        assert_contains(&solve(&a, &b, 128).unwrap(), &times(&exact, &b), "right-hand sides");
    }
}

#[test]
fn badly_scaled_systems_are_solved() {
    let n = 8;
    let base = scattered(n, n, 99, 6);
    let a = Mat::from_fn(n, n, |i, j| base[(i, j)].clone() * power(2, 300 * (i as i32 - 4) - 170 * (j as i32 - 3)));
    let b = scattered(n, 2, 5, 9);
    assert_contains(&solve(&a, &b, 100).unwrap(), &times(&inverted(&a), &b), "scaled");
}

#[test]
fn singular_systems_are_refused_with_a_kernel_vector() {
    for k in [1, 2, 9] {
        let Err(SolveError::Singular { kernel }) = inverse(&simplex(k), 64) else { panic!("K = {k}") };
        assert!(kernel[0] != 0 && kernel.iter().all(|x| *x == kernel[0]));
    }
    let a = simplex(3);
    let wide = BallMatrix::from_balls(3, 3, 64, |i, j| {
        Ball::from_rational(&a[(i, j)], 64).hull(&Ball::from_rational(&(a[(i, j)].clone() + q(1, 9)), 64))
    });
    assert_eq!(inverse(&wide, 20).unwrap_err(), SolveError::Undecided(Undecided::Radius));
    let b = Mat::from_fn(2, 1, |_, _| q(1, 1));
    assert_eq!(solve(&a, &b, 20).unwrap_err(), SolveError::Rows { rows: 3, right: 2 });
}

#[test]
fn solutions_of_sets_contain_the_solutions_of_members() {
    let a = hilbert(3);
    let r = power(10, -6);
    let set = BallMatrix::from_balls(3, 3, 80, |i, j| {
        Ball::from_rational(&(a[(i, j)].clone() - &r), 80).hull(&Ball::from_rational(&(a[(i, j)].clone() + &r), 80))
    });
    let b = BallMatrix::from_rationals(scattered(3, 1, 1, 5).as_ref(), 80);
    let x = solve(&set, &b, 5).unwrap();
    for signs in 0..512 {
        let member = Mat::from_fn(3, 3, |i, j| if signs >> (3 * i + j) & 1 == 1 { a[(i, j)].clone() + &r } else { a[(i, j)].clone() - &r });
        assert_contains(&x, &times(&inverted(&member), &scattered(3, 1, 1, 5)), "member");
    }
    assert_eq!(solve(&set, &b, 40).unwrap_err(), SolveError::Undecided(Undecided::Radius));
}
