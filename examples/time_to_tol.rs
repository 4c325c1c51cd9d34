//! Time to a tolerance of the benchmark problems, one JSON line per run.
//!
//!     cargo run --release --example time_to_tol -- [filter] [--seeds S] [--cold] [--method newton|lbfgs] [--threads T]

use std::time::Instant;

use ufm::{
    problem::{Objective, Problem},
    solve::{Method, SolveOptions, minimise},
};

/// Name, K, d, n, λ_W, λ_H, loss, bias.
type Case = (&'static str, u64, u64, u64, &'static str, &'static str, &'static str, &'static str);

const CASES: [Case; 8] = [
    ("K4d20n50-mse-none", 4, 20, 50, "0.005", "0.001", "mse", "none"),
    ("K4d20n50-mse-free", 4, 20, 50, "0.005", "0.001", "mse", "free"),
    ("K4d20n50-ce-free", 4, 20, 50, "0.005", "0.001", "ce", "free"),
    ("K100d128n10-mse-none", 100, 128, 10, "0.0005", "0.0005", "mse", "none"),
    ("K100d128n10-mse-free", 100, 128, 10, "0.0005", "0.0005", "mse", "free"),
    ("K100d128n10-ce-free", 100, 128, 10, "0.0005", "0.0005", "ce", "free"),
    ("K1000d1024n1-mse-none", 1000, 1024, 1, "0.0005", "0.0005", "mse", "none"),
    ("K1000d1024n1-ce-free", 1000, 1024, 1, "0.0005", "0.0005", "ce", "free"),
];

/// GFLOP/s of the gradient, best of a few repetitions.
fn gradient_rate(problem: &Problem, threads: Option<usize>) -> Option<f64> {
    let mut objective = Objective::new(problem, threads).ok()?;
    let len = objective.layout().len();
    let x: Vec<f64> = (0..len).map(|i| 0.1 * (i as f64).sin()).collect();
    let mut g = vec![0.0; len];
    let (k, d, n) = problem.point_sizes().ok()?;
    let flops = 6.0 * k as f64 * d as f64 * n as f64;
    let repetitions = (2e9 / flops).clamp(5.0, 1000.0) as usize;
    let best = (0..repetitions).map(|_| {
        let start = Instant::now();
        objective.value_gradient(&x, &mut g);
        start.elapsed().as_secs_f64()
    });
    Some(flops / best.fold(f64::INFINITY, f64::min) / 1e9)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let filter = arguments.first().filter(|a| !a.starts_with("--")).cloned().unwrap_or_default();
    let seeds: u64 = value("--seeds").map_or(Ok(5), |s| s.parse())?;
    let threads = value("--threads").map(|s| s.parse()).transpose()?;
    let warm = !arguments.iter().any(|a| a == "--cold");
    let method = if value("--method").is_some_and(|m| m == "lbfgs") { Method::Lbfgs } else { Method::NewtonCg };
    for (name, classes, dim, per_class, lambda_w, lambda_h, loss, bias) in CASES {
        if !name.contains(&filter) {
            continue;
        }
        let problem = Problem::from_toml(&format!(
            "model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\n\
             lambda_w = '{lambda_w}'\nlambda_h = '{lambda_h}'"
        ))?;
        let rate = gradient_rate(&problem, threads).unwrap_or(f64::NAN);
        for tol in [1e-8, 1e-12] {
            for seed in 0..seeds {
                let options = SolveOptions { method, seed, tol, warm, threads, ..Default::default() };
                let s = minimise(&problem, &options, &mut |_| {})?;
                println!(
                    "{{\"case\":\"{name}\",\"loss\":\"{loss}\",\"bias\":\"{bias}\",\"method\":\"{method:?}\",\"warm\":{warm},\"tol\":{tol:e},\
                     \"seed\":{seed},\"seconds\":{:.6},\"iterations\":{},\"gradients\":{},\"hessian_products\":{},\
                     \"gradient_norm\":{:e},\"objective\":{:.17},\"status\":\"{:?}\",\"gradient_gflops\":{rate:.1}}}",
                    s.seconds, s.iterations, s.work.gradients, s.work.hessian_products, s.gradient_norm, s.objective, s.status
                );
            }
        }
    }
    Ok(())
}
