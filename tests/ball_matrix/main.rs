//! Ball matrices against exact rationals. Precision is raised until an answer is as narrow as asked: "undecided" fails a test.

use faer::Mat;
use rug::{Float, Integer, Rational, ops::Pow};
use ufm::{
    linalg::ball::{
        BallMatrix, Cluster, Definiteness, SolveError, Source, Undecided, definiteness, determinant, eigen, inverse, singular_values, solve,
    },
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
fn simplex_frames_have_one_zero_and_a_cluster_of_ones() {
    for k in 2..=20 {
        for bits in [30, 233] {
            let clusters = eigen(&simplex(k), bits).unwrap_or_else(|e| panic!("K = {k}: {e}")).clusters;
            let expected: Vec<Rational> = (0..k).map(|i| Rational::from(u32::from(i > 0))).collect();
            assert_eq!(multiplicities(&clusters), [1, k - 1], "K = {k}");
            assert_spectrum(&clusters, &expected, bits, &format!("K = {k}"));
        }
    }
}

#[test]
fn basis_of_a_cluster_spans_its_invariant_subspace() {
    let k = 12;
    let found = eigen(&simplex(k), 233).unwrap();
    let constant = Float::with_val(300, 1) / Float::with_val(300, k as u32).sqrt();
    for i in 0..k {
        let off = Float::with_val(300, found.basis[(i, 0)].abs_ref()) - &constant;
        assert!(off.abs() < Float::with_val(300, 1) >> 100, "row {i}");
    }
}

#[test]
fn orthogonal_frames_keep_one_cluster_when_scaled() {
    for n in [1, 2, 7, 16] {
        let frame = cayley(n, 5 + n as u64);
        let scale = q(3, 7);
        let gram = times(&transposed(&frame), &frame);
        let scaled = Mat::from_fn(n, n, |i, j| Rational::from(&gram[(i, j)] * &scale));
        let clusters = eigen(&scaled, 200).unwrap().clusters;
        assert_eq!(multiplicities(&clusters), [n]);
        assert_spectrum(&clusters, &vec![scale.clone(); n], 200, "orthogonal frame");
        let singular = singular_values(&frame, 200).unwrap();
        assert_eq!(multiplicities(&singular), [n]);
        assert_spectrum(&singular, &vec![q(1, 1); n], 200, "singular values of an orthogonal frame");
    }
}

#[test]
fn perturbed_clusters_are_told_apart_when_the_bits_allow() {
    let n = 9;
    for e in [3, 8, 15, 16, 17, 22, 30] {
        // 0, a cluster of four around 1 that the perturbation splits into 1, 1, 1 + 10^−e, 1 + 2·10^−e, and 2 four times.
        let small = power(10, -e);
        let mut values = vec![q(0, 1), q(1, 1), q(1, 1), q(1, 1) + &small, q(1, 1) + &small * q(2, 1)];
        values.extend(vec![q(2, 1); 4]);
        let a = with_spectrum(&values, 40 + e as u64);
        assert_eq!(a.nrows(), n);
        let clusters = eigen(&a, 233).unwrap().clusters;
        assert_eq!(multiplicities(&clusters), [1, 2, 1, 1, 4], "10^-{e}");
        assert_spectrum(&clusters, &values, 233, &format!("10^-{e}"));
        // Too few bits to tell: one cluster, still every value in its place.
        let clusters = eigen(&a, 20).unwrap().clusters;
        assert_spectrum(&clusters, &values, 20, &format!("10^-{e} at 20 bits"));
    }
}

/// Gram matrices of simplex and orthogonal frames moved by a matrix of rank one, at sizes up to 100.
#[test]
fn perturbed_frames_of_many_classes() {
    for k in [2, 10, 100] {
        // u = (1, −1, 0, …): u ⟂ 1, ‖u‖² = 2, so I − J/K + (e/2) u uᵀ has 0, 1 (K − 2 times) and 1 + e.
        let rank_one = |i: usize, j: usize| if i < 2 && j < 2 { q(if i == j { 1 } else { -1 }, 2) } else { q(0, 1) };
        for e in [3, 6, 9, 12, 15] {
            let small = power(10, -e);
            let moved =
                |frame: &Exact, sign: i32| Mat::from_fn(k, k, |i, j| &frame[(i, j)] + rank_one(i, j) * &small * Rational::from(sign));
            let identity = Mat::from_fn(k, k, |i, j| q(i64::from(i == j), 1));
            let ones = |count: usize| vec![q(1, 1); count];
            let mut expected = vec![q(0, 1), q(1, 1) + &small];
            expected.extend(ones(k - 2));
            let found = eigen(&moved(&simplex(k), 1), 128).unwrap().clusters;
            assert_spectrum(&found, &expected, 128, &format!("simplex, K = {k}, 10^-{e}"));
            assert_eq!(found.len(), if k == 2 { 2 } else { 3 }, "K = {k}, 10^-{e}");
            let mut expected = vec![q(1, 1) - &small];
            expected.extend(ones(k - 1));
            let below = moved(&identity, -1);
            let found = eigen(&below, 128).unwrap().clusters;
            assert_spectrum(&found, &expected, 128, &format!("orthogonal, K = {k}, 10^-{e}"));
            assert_eq!(multiplicities(&found), [1, k - 1]);
            assert_eq!(definiteness(&below), Ok(Definiteness::Positive));
            // The simplex stays singular, along 1.
            if k <= 10 {
                let Ok(Definiteness::Semidefinite { kernel }) = definiteness(&moved(&simplex(k), 1)) else { panic!("K = {k}, 10^-{e}") };
                assert!(kernel[0] != 0 && kernel.iter().all(|x| *x == kernel[0]));
            }
        }
    }
}

#[test]
fn nested_clusters_converge() {
    let steps = [0, 10, 10, 20, 40, 40, 60, 60];
    let values: Vec<Rational> = steps.iter().map(|&e| q(1, 1) + if e == 0 { q(0, 1) } else { power(10, -e) }).collect();
    let clusters = eigen(&with_spectrum(&values, 77), 300).unwrap().clusters;
    assert_spectrum(&clusters, &values, 300, "nested");
    assert_eq!(multiplicities(&clusters), [1, 2, 2, 1, 2]);
}

#[test]
fn known_spectra_with_repeated_values_and_huge_scales() {
    for n in [1, 2, 3, 5, 10, 15] {
        for scale in [power(2, -4000), q(1, 1), power(2, 4000)] {
            let values: Vec<Rational> = (0..n).map(|i| q((i as i64 * 7) % 5 - 2, 1 + (i as i64 % 3)) * &scale).collect();
            let a = with_spectrum(&values, n as u64);
            for bits in [53, 400] {
                assert_spectrum(&eigen(&a, bits).unwrap().clusters, &values, bits, &format!("n = {n}"));
            }
        }
    }
}

#[test]
fn wilkinson_pairs_are_separated() {
    // W21+: the two largest eigenvalues differ by about 10^−14, and the traces of the powers are integers.
    let a = Mat::from_fn(21, 21, |i, j| match i.abs_diff(j) {
        0 => q((i as i64 - 10).abs(), 1),
        1 => q(1, 1),
        _ => q(0, 1),
    });
    let clusters = eigen(&a, 200).unwrap().clusters;
    assert_eq!(multiplicities(&clusters), vec![1; 21]);
    let (x, y) = (&clusters[19].value, &clusters[20].value);
    let gap = (y - x).to_decimal(5).expect("separated");
    assert!(gap.starts_with("7.") && gap.ends_with("e-14"), "{gap}");
    assert!(x.to_decimal(16).unwrap().starts_with("10.746194182903"));
    for exponent in 1..=3u32 {
        let sum = clusters.iter().fold(Ball::zero(300), |s, c| s + c.value.powi(exponent));
        let mut power = a.clone();
        (1..exponent).for_each(|_| power = times(&power, &a));
        assert!(sum.contains_rational(&(0..21).map(|i| power[(i, i)].clone()).sum()));
    }
    // 2^−10 ‖A‖ is far above that: the pair is one cluster.
    let pair = eigen(&a, 10).unwrap().clusters;
    assert_eq!(pair.last().unwrap().multiplicity, 2);
}

#[test]
fn hilbert_matrices_have_their_tiny_eigenvalues() {
    for n in [5, 12, 20] {
        let a = hilbert(n);
        // det is the product of the eigenvalues.
        let clusters = eigen(&a, 400).unwrap().clusters;
        assert_eq!(multiplicities(&clusters), vec![1; n]);
        let product = clusters.iter().fold(Ball::from_f64(1.0, 600), |p, c| p * &c.value);
        let det = determinant(&a).unwrap();
        assert!(product.contains_rational(&det), "n = {n}");
        assert!(width(&product) < det * power(2, -200), "n = {n}");
        assert!(matches!(definiteness(&a), Ok(Definiteness::Positive)));
    }
}

#[test]
fn singular_values_reach_full_accuracy_at_zero() {
    for (m, n) in [(1, 1), (6, 4), (4, 6), (9, 9)] {
        let k = m.min(n);
        for zeros in 0..=k / 2 {
            let values: Vec<Rational> = (0..k).map(|i| if i < zeros { q(0, 1) } else { q(1 + (i as i64 % 2), 3) }).collect();
            let (u, v) = (cayley(m, 3), cayley(n, 8));
            let middle = Mat::from_fn(m, n, |i, j| if i == j { values[i].clone() } else { q(0, 1) });
            let a = times(&times(&u, &middle), &transposed(&v));
            for bits in [40, 233] {
                assert_spectrum(&singular_values(&a, bits).unwrap(), &values, bits, &format!("{m} x {n}, {zeros} zeros"));
            }
        }
    }
    // The features' own frame: σ = 0 once, 1 otherwise.
    let clusters = singular_values(&simplex(20), 233).unwrap();
    assert_eq!(multiplicities(&clusters), [1, 19]);
}

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

fn assert_negative(a: &Exact, verdict: &Definiteness) {
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
fn random_spectra_at_few_bits() {
    for seed in 0..120u64 {
        let n = 1 + (seed % 7) as usize;
        let choice = scattered(n, 2, seed, 40);
        let values: Vec<Rational> = (0..n)
            .map(|i| Rational::from(&choice[(i, 0)] / 20).floor() + choice[(i, 1)].clone() * power(10, -(2 * (seed % 9) as i32)))
            .collect();
        let a = with_spectrum(&values, seed);
        for bits in [0, 1, 7, 24, 61] {
            assert_spectrum(&eigen(&a, bits).unwrap().clusters, &values, bits, &format!("seed {seed}, {bits} bits"));
            let moduli: Vec<Rational> = values.iter().map(|x| x.clone().abs()).collect();
            assert_spectrum(&singular_values(&a, bits).unwrap(), &moduli, bits, &format!("seed {seed}, {bits} bits"));
        }
        let verdict = definiteness(&a).unwrap();
        let least = values.iter().min().unwrap();
        assert_eq!(verdict == Definiteness::Positive, *least > 0, "seed {seed}");
        assert_eq!(matches!(verdict, Definiteness::Semidefinite { .. }), *least == 0, "seed {seed}");
        if *least < 0 {
            assert_negative(&a, &verdict);
        }
    }
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
