//! Verified linear algebra: spectra of frames, definiteness, linear systems. Every result is checked before it is timed.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::Mat;
use ufm::{
    linalg::ball::{BallMatrix, Definiteness, definiteness, eigen, inverse, singular_values},
    scalar::Rational,
};

/// 70 digits.
const BITS: u32 = 233;

fn simplex(k: usize) -> Mat<Rational> {
    Mat::from_fn(k, k, |i, j| Rational::from(u32::from(i == j)) - Rational::from((1, k)))
}

fn hilbert(n: usize) -> Mat<Rational> {
    Mat::from_fn(n, n, |i, j| Rational::from((1, i + j + 1)))
}

fn spectra(c: &mut Criterion) {
    let mut group = c.benchmark_group("simplex frame, 70 digits");
    group.sample_size(10);
    for k in [16, 32, 64] {
        let gram = simplex(k);
        let verify = |counts: Vec<usize>| assert_eq!(counts, [1, k - 1]);
        verify(eigen(&gram, BITS).expect("enclosed").clusters.iter().map(|c| c.multiplicity).collect());
        group.bench_function(BenchmarkId::new("eigenvalues", k), |b| b.iter(|| eigen(black_box(&gram), BITS)));
        verify(singular_values(&gram, BITS).expect("enclosed").iter().map(|c| c.multiplicity).collect());
        group.bench_function(BenchmarkId::new("singular values", k), |b| b.iter(|| singular_values(black_box(&gram), BITS)));
    }
    group.finish();
}

fn verdicts(c: &mut Criterion) {
    let mut group = c.benchmark_group("definiteness");
    group.sample_size(10);
    for n in [50, 200] {
        let a = Mat::from_fn(n, n, |i, j| if i == j { 2.0 } else { 1.0 / (1.0 + (i as f64 - j as f64).abs()).powi(2) });
        assert_eq!(definiteness(&a), Ok(Definiteness::Positive));
        group.bench_function(BenchmarkId::new("doubles", n), |b| b.iter(|| definiteness(black_box(&a))));
    }
    for n in [10, 30] {
        assert_eq!(definiteness(&hilbert(n)), Ok(Definiteness::Positive));
        group.bench_function(BenchmarkId::new("Hilbert", n), |b| b.iter(|| definiteness(black_box(&hilbert(n)))));
        assert!(matches!(definiteness(&simplex(n)), Ok(Definiteness::Semidefinite { .. })));
        group.bench_function(BenchmarkId::new("simplex frame, exactly", n), |b| b.iter(|| definiteness(black_box(&simplex(n)))));
    }
    group.finish();
}

fn systems(c: &mut Criterion) {
    let mut group = c.benchmark_group("inverse, 70 digits");
    group.sample_size(10);
    for n in [10, 30] {
        let x = inverse(&hilbert(n), BITS).expect("regular");
        let identity = x.times(&BallMatrix::from_rationals(hilbert(n).as_ref(), BITS));
        assert!((0..n).all(|i| (0..n).all(|j| identity.at(i, j).contains_rational(&Rational::from(u32::from(i == j))))));
        group.bench_function(BenchmarkId::new("Hilbert", n), |b| b.iter(|| inverse(black_box(&hilbert(n)), BITS)));
    }
    group.finish();
}

criterion_group!(benches, spectra, verdicts, systems);
criterion_main!(benches);
