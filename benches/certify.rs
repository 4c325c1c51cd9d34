//! From a point to a verdict with its certificate.
//!
//! Method: criterion medians; solving and reading the point are outside the clock. Before a case is timed its verdict must be
//! `global-minimum` and the independent checker must accept its certificate. Bias: points at their solver's best accuracy; points
//! far from critical, saddles among them, take other branches. K = 1000 runs only when UFM_BENCH_LARGE is set.

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use ufm_check::{Outcome, check};

fn certificates(c: &mut Criterion) {
    let mut group = c.benchmark_group("certify");
    group.sample_size(10);
    for case in common::cases() {
        let outcome = check(case.file.as_bytes(), case.certificate().as_bytes());
        assert!(matches!(outcome, Outcome::Verified(_)), "{}: {outcome:?}", case.name);
        group.bench_function(&case.name, |b| b.iter(|| case.certify()));
    }
    group.finish();
}

criterion_group!(benches, certificates);
criterion_main!(benches);
