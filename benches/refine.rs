//! Refinement of a solved point to many digits, and the certificate of the result.
//!
//! Method: criterion medians from the same double-precision point; solving for it is outside the clock. Before a case is timed its
//! refined point must be certified with a gap below the digits asked. Bias: cross-entropy at the weights of benches/flint/newton.py;
//! MSE is cheaper, having no exponentials.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ufm::{
    certify::{CertifyOptions, Verdict, certify},
    problem::Problem,
    scalar::Rational,
    solve::{SolveOptions, minimise, refine},
};

fn refinements(c: &mut Criterion) {
    let mut group = c.benchmark_group("refine");
    group.sample_size(10);
    for (classes, dim, per_class, digits) in [(4, 4, 1, 100), (4, 4, 1, 1000), (4, 20, 50, 100)] {
        let file = format!(
            "model = 'plain'\nloss = 'ce'\nbias = 'none'\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\n\
             lambda_w = '0.005'\nlambda_h = '0.001'\n"
        );
        let problem = Problem::from_toml(&file).expect("a valid problem");
        let start = minimise(&problem, &SolveOptions::default(), &mut |_| {}).expect("covered").point;
        let run = || refine(&problem, &start, digits, &mut |_| {}).expect("covered");
        let refined = run();
        let gap_tol = (0..digits).fold(Rational::from(1), |product, _| product / 10);
        let options = CertifyOptions { digits: digits + 10, gap_tol, ..Default::default() };
        let prove = || certify(&problem, file.as_bytes(), &refined.point, &options).expect("covered");
        assert_eq!(prove().verdict, Verdict::GlobalMinimum, "K={classes} d={dim} n={per_class}, {digits} digits");
        let size = format!("K={classes} d={dim} n={per_class}");
        group.bench_function(BenchmarkId::new(format!("point {size}"), format!("{digits} digits")), |b| b.iter(run));
        group.bench_function(BenchmarkId::new(format!("certificate {size}"), format!("{digits} digits")), |b| b.iter(prove));
    }
    group.finish();
}

criterion_group!(benches, refinements);
criterion_main!(benches);
