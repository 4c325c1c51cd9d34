//! Operations on sets of matrices, and what every question has in common: shapes, threads, refusals.

use super::{
    assert_contains, assert_spectrum, hilbert, largest_width, multiplicities, power, q, simplex, times, transposed, width, with_spectrum,
};
use faer::Mat;
use rug::{Float, Rational};
use ufm::linalg::ball::{
    BallMatrix, Definiteness, SolveError, Source, Undecided, definiteness, determinant, eigen, inverse, singular_values,
};
use ufm::scalar::Ball;

#[test]
fn operations_contain_exact_results_and_converge() {
    for (rows, inner, cols) in [(0, 0, 0), (1, 1, 1), (3, 0, 2), (2, 5, 3), (8, 8, 8)] {
        let a = Mat::from_fn(rows, inner, |i, j| q(7 * i as i64 - 3 * j as i64 + 1, 3 + (i * j) as i64));
        let b = Mat::from_fn(inner, cols, |i, j| q(2 * j as i64 - 5 * i as i64 - 1, 7 + (i + j) as i64));
        let sum = Mat::from_fn(rows, inner, |i, j| &a[(i, j)] * q(4, 3));
        let zero = Mat::from_fn(rows, inner, |_, _| Rational::new());
        let target = power(10, -60);
        let mut prec = 16;
        loop {
            let (x, y) = (BallMatrix::from_rationals(a.as_ref(), prec), BallMatrix::from_rationals(b.as_ref(), prec));
            let third = Ball::from_rational(&q(1, 3), prec);
            let results = [
                (x.times(&y), times(&a, &b)),
                (x.plus(&x.scaled_by(&third)), sum.clone()),
                (x.minus(&x), zero.clone()),
                (x.gram(), times(&transposed(&a), &a)),
                (x.transpose(), transposed(&a)),
                (BallMatrix::from_balls(rows, inner, prec / 2, |i, j| x.at(i, j)), a.clone()),
            ];
            results.iter().enumerate().for_each(|(t, (r, e))| assert_contains(r, e, &format!("operation {t} at {prec} bits")));
            if results.iter().all(|(r, _)| largest_width(r) <= target) {
                break;
            }
            prec *= 2;
            assert!(prec <= 1024, "no convergence");
        }
    }
}

#[test]
fn products_of_wide_sets_contain_the_products_of_their_ends() {
    let a = Mat::from_fn(2, 2, |i, j| q(1 + i as i64 - 2 * j as i64, 2));
    let r = q(1, 10);
    let wide = |sign: i32| Mat::from_fn(2, 2, |i, j| &a[(i, j)] + Rational::from(sign) * &r);
    let balls = BallMatrix::from_balls(2, 2, 64, |i, j| {
        Ball::from_rational(&wide(-1)[(i, j)], 64).hull(&Ball::from_rational(&wide(1)[(i, j)], 64))
    });
    let square = balls.times(&balls);
    for s in [-1, 1] {
        for t in [-1, 1] {
            assert_contains(&square, &times(&wide(s), &wide(t)), "corner");
        }
    }
    assert!(largest_width(&square) < q(2, 1));
}

#[test]
fn norms_enclose_and_converge() {
    // Columns 3, 4 and 4, 3: norms 7, 7, √50; singular values 7 and 1.
    let a = Mat::from_fn(2, 2, |i, j| q(if i == j { 3 } else { -4 }, 1));
    let balls = BallMatrix::from_rationals(a.as_ref(), 128);
    for (norm, square) in [(balls.norm_infinity(), 49), (balls.norm_one(), 49), (balls.norm_frobenius(), 50), (balls.norm_two(), 49)] {
        assert!(norm.square().contains_rational(&q(square, 1)));
        assert!(width(&norm) <= power(2, -55));
    }
    let row = Mat::from_fn(1, 3, |_, j| q(j as i64 + 1, 1));
    let row = BallMatrix::from_rationals(row.as_ref(), 64);
    assert!(row.norm_infinity().contains_rational(&q(6, 1)) && row.norm_one().contains_rational(&q(3, 1)));
    // A radius widens the operator norm by its own norm at most.
    let around = BallMatrix::from_balls(2, 2, 64, |i, j| {
        Ball::from_rational(&(a[(i, j)].clone() - q(1, 8)), 64).hull(&Ball::from_rational(&(a[(i, j)].clone() + q(1, 8)), 64))
    });
    assert!(width(&around.norm_two()) < q(3, 5) && around.norm_two().contains_rational(&q(7, 1)));
    let none = BallMatrix::from_f64(Mat::<f64>::zeros(0, 0).as_ref(), 53);
    assert!(none.norm_two().contains_zero() && none.norm_frobenius().contains_zero());
    assert!(!BallMatrix::from_f64(Mat::full(1, 1, f64::NAN).as_ref(), 53).norm_two().is_finite());
}

#[test]
fn determinants_are_exact() {
    assert_eq!(determinant(&Mat::from_fn(0, 0, |_, _| q(0, 1))), Some(q(1, 1)));
    assert_eq!(determinant(&Mat::from_fn(2, 3, |_, _| q(0, 1))), None);
    assert_eq!(determinant(&simplex(6)), Some(q(0, 1)));
    // Antidiagonal: the sign of the permutation.
    assert_eq!(determinant(&Mat::from_fn(3, 3, |i, j| q(i64::from(i + j == 2) * (i as i64 + 1), 2))), Some(q(-6, 8)));
    let values: Vec<Rational> = (1..8).map(|i| q(i, 3)).collect();
    assert_eq!(determinant(&with_spectrum(&values, 6)), Some(values.iter().product()));
}

#[test]
fn empty_and_scalar_matrices() {
    let none = Mat::from_fn(0, 0, |_, _| q(0, 1));
    assert!(eigen(&none, 100).unwrap().clusters.is_empty());
    assert!(singular_values(&none, 100).unwrap().is_empty());
    assert!(singular_values(&Mat::from_fn(3, 0, |_, _| q(0, 1)), 100).unwrap().is_empty());
    assert_eq!(definiteness(&none), Ok(Definiteness::Positive));
    assert_eq!(inverse(&none, 100).unwrap().nrows(), 0);
    for value in [q(-1, 3), q(0, 1), q(5, 7)] {
        let one = Mat::from_fn(1, 1, |_, _| value.clone());
        assert_spectrum(&eigen(&one, 100).unwrap().clusters, std::slice::from_ref(&value), 100, "1 x 1");
        assert_spectrum(&singular_values(&one, 100).unwrap(), &[value.clone().abs()], 100, "1 x 1");
        let verdict = definiteness(&one).unwrap();
        assert_eq!(verdict == Definiteness::Positive, value > 0);
        assert_eq!(matches!(verdict, Definiteness::Semidefinite { .. }), value == 0);
    }
    let zero = Mat::from_fn(4, 4, |_, _| q(0, 1));
    assert_eq!(multiplicities(&eigen(&zero, 100).unwrap().clusters), [4]);
    assert_eq!(multiplicities(&singular_values(&zero, 100).unwrap()), [4]);
}

#[test]
fn what_is_not_a_symmetric_finite_matrix_is_refused() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let a = Mat::from_fn(3, 3, |i, j| if i == 1 && j == 1 { bad } else { 1.0 });
        let reason = Undecided::NotFinite { row: 1, col: 1 };
        assert!(a.exact().is_none());
        assert_eq!(eigen(&a, 50).unwrap_err(), reason);
        assert_eq!(singular_values(&a, 50).unwrap_err(), reason);
        assert_eq!(definiteness(&a).unwrap_err(), reason);
        assert_eq!(inverse(&BallMatrix::from_f64(a.as_ref(), 53), 50).unwrap_err(), SolveError::Undecided(reason));
    }
    let wide = Mat::from_fn(2, 3, |_, _| 1.0);
    assert_eq!(eigen(&wide, 50).unwrap_err(), Undecided::NotSquare { rows: 2, cols: 3 });
    assert_eq!(definiteness(&wide).unwrap_err(), Undecided::NotSquare { rows: 2, cols: 3 });
    let skew = Mat::from_fn(2, 2, |i, j| i as f64 - j as f64);
    assert_eq!(eigen(&skew, 50).unwrap_err(), Undecided::NotSymmetric { row: 1, col: 0 });
    assert_eq!(definiteness(&skew).unwrap_err(), Undecided::NotSymmetric { row: 1, col: 0 });
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let a = with_spectrum(&[q(1, 1), q(1, 1), q(1, 3), q(0, 1), q(2, 1)], 3);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (eigen(&a, 200).unwrap().clusters, singular_values(&a, 200).unwrap()))
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn extreme_exponents_are_answered() {
    let two = |e: i32| if e >= 0 { Float::with_val(64, 1) << e.unsigned_abs() } else { Float::with_val(64, 1) >> e.unsigned_abs() };
    let diagonal = |e: i32, sign: i32| {
        let entries = [[two(e), Float::new(64)], [Float::new(64), two(-e) * sign]];
        BallMatrix::from_floats(Mat::from_fn(2, 2, |i, j| entries[i][j].clone()).as_ref(), 64)
    };
    // Near the end of the range of exponents, and where squares are still in it.
    let (end, far) = (1 << 29, 1 << 27);
    assert_eq!(definiteness(&diagonal(end, 1)), Ok(Definiteness::Positive));
    assert_eq!(definiteness(&diagonal(end, -1)), Ok(Definiteness::Negative { witness: vec![q(0, 1), q(1, 1)] }));
    let holds = |x: &Ball, e: i32| x.lower() <= two(e) && x.upper() >= two(e);
    let clusters = eigen(&diagonal(far, 1), 100).unwrap().clusters;
    assert_eq!(multiplicities(&clusters), [1, 1]);
    assert!(holds(&clusters[0].value, -far) && holds(&clusters[1].value, far));
    let x = inverse(&diagonal(far, 1), 100).unwrap();
    assert!(holds(&x.at(0, 0), -far) && holds(&x.at(1, 1), far));
    // What overflows is unknown, not wrong.
    let beyond = diagonal(end, 1).scaled_by(&Ball::exact(two(end)));
    assert!(!beyond.at(0, 0).is_finite() && holds(&beyond.at(1, 1), 0));
    // A radius beyond the range of doubles.
    let wide = BallMatrix::from_balls(1, 1, 64, |_, _| Ball::exact(two(-far)).hull(&Ball::exact(two(far))));
    assert!(holds(&wide.times(&wide).at(0, 0), 2 * far) && holds(&wide.times(&wide).at(0, 0), -2 * far));
    assert_eq!(definiteness(&wide), Err(Undecided::Radius));
}

#[test]
fn unbounded_requests_are_refused() {
    let a = hilbert(3);
    assert!(matches!(eigen(&a, u32::MAX), Err(Undecided::Precision { .. })));
    assert!(matches!(singular_values(&a, u32::MAX), Err(Undecided::Precision { .. })));
    assert!(matches!(inverse(&a, u32::MAX), Err(SolveError::Undecided(Undecided::Precision { .. }))));
}
