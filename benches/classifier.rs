//! The least-squares classifier of given features, with its error bound.
//!
//! Method: criterion medians; drawing the features is outside the clock, and the bound must be below 1e-8 before a case is timed.
//! Bias: normal features, well conditioned beside λ; a smaller λ costs digits, not time.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::Mat;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use ufm::{classifier::least_squares, scalar::Rational};

/// The bounds are 6.7e-11 at K = 10 and 2.3e-9 at K = 100.
const BOUND: f64 = 1e-8;

fn classifiers(c: &mut Criterion) {
    let mut group = c.benchmark_group("classifier");
    group.sample_size(10);
    for (classes, per_class, dim) in [(10, 50, 64), (100, 20, 512)] {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let features = Mat::from_fn(classes * per_class, dim, |_, _| StandardNormal.sample(&mut rng));
        let labels: Vec<usize> = (0..classes * per_class).map(|i| i % classes).collect();
        let lambda = Rational::from((1, 100));
        let fit = || least_squares(features.as_ref(), &labels, classes, &lambda, true).expect("covered");
        let bound = fit().error_bound;
        assert!(bound < BOUND, "K={classes}: {bound:e}");
        group.bench_function(BenchmarkId::new("least squares", format!("K={classes} n={per_class} d={dim}")), |b| b.iter(fit));
    }
    group.finish();
}

criterion_group!(benches, classifiers);
criterion_main!(benches);
