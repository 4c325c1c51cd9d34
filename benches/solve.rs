//! Objective with gradient, Hessian product, and whole solves from random starts: plain, deep, sphere and multi-label models; one
//! step of a sweep.
//!
//! Method: criterion medians on one machine, the same seeds for every run; solves go to gradient norm 1e-8 and the norm they reached
//! is asserted. Bias: λ and sizes are those of the peers' benchmark scripts; other sizes may behave otherwise.
//! K = 1000 runs only when UFM_BENCH_LARGE is set.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use faer::Mat;
use std::hint::black_box;
use ufm::{
    classifier::{IncrementalOptions, class_incremental, least_squares},
    problem::{Objective, Problem},
    scalar::Rational,
    solve::{HuntOptions, Method, SolveOptions, Start, hunt, minimise, minimise_lowest},
    sweep::{Grid, SweepStatus, solve_instance},
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

/// One solve of every other model, the lowest of as many starts as it needs; the least-squares classifier and its experiment.
fn models(c: &mut Criterion) {
    let plain = |rest: &str| {
        format!("model = 'plain'\nbias = 'free'\nclasses = 10\nper_class = 10\ndim = 16\nlambda_w = '0.005'\nlambda_h = '0.001'\n{rest}")
    };
    let files = [
        ("label smoothing K=10", plain("loss = 'label-smoothing'\nsmoothing = '0.1'")),
        ("focal K=10", plain("loss = 'focal'\nfocusing = '2'")),
        (
            "imbalanced ce K=10",
            "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclass_counts = [50, 50, 50, 50, 50, 5, 5, 5, 5, 5]\ndim = 16\nlambda_w = '0.005'\n\
             lambda_h = '0.001'"
                .into(),
        ),
        (
            "pick-all-labels K=10",
            "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = 'free'\nclasses = 10\nper_tag_set = { 1 = 10, 2 = 4 }\ndim = 16\n\
             lambda_w = '0.002'\nlambda_h = '0.001'"
                .into(),
        ),
        ("deep-linear p=4 K=10", "model = 'deep-linear'\nloss = 'mse'\nclasses = 10\nper_class = 2\ndim = 12\nlambdas = ['0.003', '0.003', '0.003', '0.003']".into()),
        ("deep-relu p=3 K=10", "model = 'deep-relu'\nloss = 'mse'\nclasses = 10\nper_class = 2\ndim = 12\nlambdas = ['0.003', '0.003', '0.003']".into()),
    ];
    let mut group = c.benchmark_group("models");
    group.sample_size(10);
    for (name, file) in files {
        let p = Problem::from_toml(&file).expect("a valid problem");
        let options = SolveOptions { method: Method::suited_to(&p), tol: 1e-8, ..Default::default() };
        group.bench_function(name, |b| {
            b.iter(|| {
                let lowest = minimise_lowest(&p, &options, &mut |_| {}, &mut |_, _| {}).expect("covered");
                assert!(lowest.solution.gradient_norm <= 1e-8);
                lowest.solution.objective
            });
        });
    }
    let labels: Vec<usize> = (0..1000).map(|i| i % 20).collect();
    let features = Mat::from_fn(1000, 32, |i, j| f64::from(u8::from(labels[i] == j)) + 0.3 * ((7 * i + 13 * j) as f64).sin());
    let lambda = Rational::from((1, 100));
    group.bench_function("classifier N=1000 d=32 K=20", |b| {
        b.iter(|| {
            let fit = least_squares(features.as_ref(), &labels, 20, &lambda, true).expect("solved");
            assert!(fit.error_bound < 1e-9);
            fit.objective
        });
    });
    let options = IncrementalOptions { tasks: 4, lambda, free_bias: true, seed: 0, converged: 1e-3, max_steps: 100_000 };
    group.bench_function("class-incremental N=1000 d=32 K=20", |b| {
        b.iter(|| class_incremental(features.as_ref(), &labels, 20, &options).expect("solved").len());
    });
    group.finish();
}

/// One instance of a grid as `ufm sweep` does it: prediction, solve, certificate, comparison.
fn sweep_steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("sweep step");
    group.sample_size(10);
    for name in ["regimes", "deep_threshold"] {
        let path = format!("{}/examples/grids/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let grid = Grid::from_toml(&std::fs::read_to_string(path).expect("an example")).expect("a grid");
        let instance = &grid.instances[grid.instances.len() / 2];
        group.bench_function(name, |b| {
            b.iter(|| {
                let outcome = solve_instance(instance, &grid.options).expect("covered");
                assert_eq!(outcome.status, SweepStatus::Holds);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, derivatives, solves, spheres, models, sweep_steps);
criterion_main!(benches);
