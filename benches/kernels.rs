//! `ufm kernels` at work: making the cases, computing them, and the whole scored suite of an operation.
//!
//! Method: criterion medians in double precision, cases up to 50; every kernel's result must be below its thresholds before it is timed.
//! Bias: rates of the kernels themselves are what `ufm kernels` reports, on larger matrices; here scoring in MPFR takes the time.

use criterion::{Criterion, criterion_group, criterion_main};
use ufm::kernels::{Faer, Kernel, Nalgebra, Operation, Options, cases, run};

const LARGEST: usize = 50;

fn suites(c: &mut Criterion) {
    let mut group = c.benchmark_group("kernels");
    group.sample_size(10);
    for operation in Operation::ALL {
        let kernels: [&dyn Kernel<f64>; 2] = [&Faer, &Nalgebra];
        let options = Options { operations: vec![operation], largest: LARGEST, timed: false };
        let suite = || run(&kernels, &options, &|| {});
        assert!(suite().iter().all(|entry| entry.passes()), "{}", operation.name());
        group.bench_function(format!("cases {}", operation.name()), |b| b.iter(|| cases::<f64>(operation, LARGEST)));
        group.bench_function(format!("scored {}", operation.name()), |b| b.iter(suite));
    }
    group.finish();
}

criterion_group!(benches, suites);
criterion_main!(benches);
