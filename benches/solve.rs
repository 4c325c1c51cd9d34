//! Objective with gradient, Hessian product, and whole solves from random starts: plain, deep, sphere and multi-label models.
//!
//! Method: criterion medians on one machine, the same seeds for every run; solves go to gradient norm 1e-8 and the norm they reached
//! is asserted. Bias: λ and sizes are those of the peers' benchmark scripts; other sizes may behave otherwise.
//! K = 1000 runs only when UFM_BENCH_LARGE is set.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use ufm::{
    problem::{Objective, Problem},
    solve::{HuntOptions, Method, SolveOptions, Start, hunt, minimise},
};

fn problem(loss: &str, bias: &str, (classes, dim, per_class): (u64, u64, u64)) -> Problem {
    let (lambda_w, lambda_h) = if classes == 4 { ("0.005", "0.001") } else { ("0.0005", "0.0005") };
    Problem::from_toml(&format!(
        "model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\n\
         lambda_w = '{lambda_w}'\nlambda_h = '{lambda_h}'"
    ))
    .expect("a valid problem")
}

fn sizes() -> Vec<(u64, u64, u64)> {
    let mut sizes = vec![(4, 20, 50), (100, 128, 10)];
    if std::env::var_os("UFM_BENCH_LARGE").is_some() {
        sizes.push((1000, 1024, 1));
    }
    sizes
}

fn derivatives(c: &mut Criterion) {
    for size in sizes() {
        for loss in ["mse", "ce"] {
            let mut objective = Objective::new(&problem(loss, "free", size), None).expect("covered");
            let x: Vec<f64> = (0..objective.layout().len()).map(|i| 0.1 * (i as f64).sin()).collect();
            let (mut g, mut out) = (vec![0.0; x.len()], vec![0.0; x.len()]);
            let id = |what: &str| format!("{what}/{loss} K={}", size.0);
            c.bench_function(&id("gradient"), |b| b.iter(|| black_box(objective.value_gradient(&x, &mut g))));
            objective.accept();
            c.bench_function(&id("hessian product"), |b| b.iter(|| objective.hessian_product(&x, &g, &mut out)));
        }
    }
}

fn solves(c: &mut Criterion) {
    let mut group = c.benchmark_group("solve");
    group.sample_size(10);
    for size in sizes() {
        for (loss, bias) in [("mse", "none"), ("mse", "free"), ("ce", "free")] {
            let p = problem(loss, bias, size);
            for (name, method) in [("newton", Method::NewtonCg), ("lbfgs", Method::Lbfgs)] {
                let options = SolveOptions { method, tol: 1e-8, ..Default::default() };
                group.bench_function(BenchmarkId::new(name, format!("{loss} {bias} K={}", size.0)), |b| {
                    b.iter(|| {
                        let solution = minimise(&p, &options, &mut |_| {}).expect("covered");
                        assert!(solution.gradient_norm <= 1e-8);
                        solution.objective
                    });
                });
            }
        }
    }
    for (name, method) in [("newton", Method::NewtonCg), ("lbfgs", Method::Lbfgs)] {
        let p = deep("deep-linear");
        let options = SolveOptions { method, start: Start::Spectral, tol: 1e-8, ..Default::default() };
        group.bench_function(BenchmarkId::new(name, "deep-linear p=5 K=10"), |b| {
            b.iter(|| {
                let solution = minimise(&p, &options, &mut |_| {}).expect("covered");
                assert!(solution.gradient_norm <= 1e-8);
                solution.objective
            });
        });
    }
    let (p, options) = (deep("deep-relu"), HuntOptions { starts: 4, seed: 0, time_limit: None });
    group.bench_function("hunt, 4 starts/deep-relu p=5 K=10", |b| b.iter(|| hunt(&p, &options, &mut |_| {}).expect("covered").starts));
    group.finish();
}

fn deep(model: &str) -> Problem {
    let weights = "'0.002', '0.002', '0.002', '0.002', '0.002'";
    let text = format!("model = '{model}'\nloss = 'mse'\nclasses = 10\nper_class = 2\ndim = 12\nlambdas = [{weights}]");
    Problem::from_toml(&text).expect("a valid problem")
}

/// The sphere model, gradient norm on the product of spheres.
fn spheres(c: &mut Criterion) {
    let mut group = c.benchmark_group("sphere");
    group.sample_size(10);
    for (classes, dim, per_class) in sizes() {
        let file = format!(
            "model = 'sphere'\nloss = 'ce'\nclasses = {classes}\nper_class = {per_class}\ndim = {}\ntemperature = '5'",
            dim.max(classes + 1)
        );
        let p = Problem::from_toml(&file).expect("a valid problem");
        let options = SolveOptions { tol: 1e-8, ..Default::default() };
        group.bench_function(BenchmarkId::new("trust region", format!("K={classes}")), |b| {
            b.iter(|| {
                let solution = minimise(&p, &options, &mut |_| {}).expect("covered");
                assert!(solution.gradient_norm <= 1e-8);
                solution.objective
            });
        });
    }
    group.finish();
}

/// Pick-all-labels: tag sets of one and two tags, balanced within each multiplicity.
fn multi_labels(c: &mut Criterion) {
    let mut group = c.benchmark_group("multi-label");
    group.sample_size(10);
    for (classes, dim) in [(4, 20), (10, 16)] {
        let file = format!(
            "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = {classes}\nper_tag_set = {{ 1 = 3, 2 = 2 }}\n\
             dim = {dim}\nlambda_w = '0.005'\nlambda_h = '0.001'"
        );
        let p = Problem::from_toml(&file).expect("a valid problem");
        let options = SolveOptions { tol: 1e-8, ..Default::default() };
        group.bench_function(BenchmarkId::new("newton", format!("K={classes}")), |b| {
            b.iter(|| {
                let solution = minimise(&p, &options, &mut |_| {}).expect("covered");
                assert!(solution.gradient_norm <= 1e-8);
                solution.objective
            });
        });
    }
    group.finish();
}

criterion_group!(benches, derivatives, solves, spheres, multi_labels);
criterion_main!(benches);
