//! Eigenvalues and singular values, clusters included.

use super::{
    Exact, assert_spectrum, cayley, definite::assert_negative, hilbert, multiplicities, power, q, scattered, simplex, times, transposed,
    width, with_spectrum,
};
use faer::Mat;
use rug::{Float, Rational};
use ufm::linalg::ball::{Definiteness, definiteness, determinant, eigen, singular_values};
use ufm::scalar::Ball;

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
