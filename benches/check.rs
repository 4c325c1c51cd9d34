//! The independent checker on certificates of the certify benchmark.
//!
//! Method: criterion medians of `ufm_check::check` on the bytes of both files; making and reading them is outside the clock. Before
//! a certificate is timed it must be accepted, and refused once a claim is misnamed. Bias: certificates of global minima only.
//! K = 1000 runs only when UFM_BENCH_LARGE is set.

mod common;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ufm_check::{Outcome, check};

fn checks(c: &mut Criterion) {
    let mut group = c.benchmark_group("check");
    group.sample_size(10);
    for case in common::cases() {
        let (problem, certificate) = (case.file.as_bytes(), case.certificate());
        let outcome = check(problem, certificate.as_bytes());
        assert!(matches!(outcome, Outcome::Verified(_)), "{}: {outcome:?}", case.name);
        let spoilt = certificate.replacen("claim fit", "claim flt", 1);
        assert!(matches!(check(problem, spoilt.as_bytes()), Outcome::Rejected { .. }), "{}", case.name);
        group.throughput(Throughput::Bytes(certificate.len() as u64));
        group.bench_function(&case.name, |b| b.iter(|| check(problem, certificate.as_bytes())));
    }
    group.finish();
}

criterion_group!(benches, checks);
criterion_main!(benches);
