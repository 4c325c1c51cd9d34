//! Time to a gradient norm from a given start, one JSON line per run: the project's side of benches/peers.
//!
//!     cargo run --release --example time_to_tol -- PROBLEM.toml START.npz REPEATS [RUN,...]
//!
//! For START.npz the word `random`: the default start of `ufm solve`.
//! Runs: newton-cg, newton-cg-cold, l-bfgs, l-bfgs-cold (without the warm phase); all of them by default. The rates of the gradient and
//! of a large product, the machine's peak, are measured in the same process.

use std::time::Instant;

use ufm::{
    kernels::{Faer, product_peak},
    problem::{Model, Objective, Point, Problem},
    solve::{Method, SolveOptions, Start, minimise},
};

/// Rate of the gradient in GFLOP/s (three products of 2 K d N operations), best of a few repetitions.
fn gradient_rate(problem: &Problem) -> Result<f64, Box<dyn std::error::Error>> {
    let mut objective = Objective::new(problem, None)?;
    let len = objective.layout().len();
    let x: Vec<f64> = (0..len).map(|i| 0.1 * (i as f64).sin()).collect();
    let mut g = vec![0.0; len];
    let (k, d, n) = problem.point_sizes()?;
    let operations = 6.0 * k as f64 * d as f64 * n as f64;
    let repetitions = (2e9 / operations).clamp(5.0, 1000.0) as usize;
    let best = (0..repetitions).map(|_| {
        let start = Instant::now();
        objective.value_gradient(&x, &mut g);
        start.elapsed().as_secs_f64()
    });
    Ok(operations / best.fold(f64::INFINITY, f64::min) / 1e9)
}

const RUNS: [(&str, Method, bool); 4] = [
    ("newton-cg", Method::NewtonCg, true),
    ("newton-cg-cold", Method::NewtonCg, false),
    ("l-bfgs", Method::Lbfgs, true),
    ("l-bfgs-cold", Method::Lbfgs, false),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [problem, start, repeats, chosen @ ..] = &arguments[..] else {
        return Err("usage: time_to_tol PROBLEM.toml START.npz REPEATS [RUN,...]".into());
    };
    let problem = Problem::from_toml(&std::fs::read_to_string(problem)?)?;
    let start = if start == "random" { Start::Random } else { Start::Point(Point::read_npz(start.as_ref(), &problem)?) };
    let (rate, peak) = (gradient_rate(&problem)?, product_peak::<f64>(&Faer).ok_or("no product")?);
    let sphere = matches!(problem.model, Model::Sphere { .. });
    for (name, method, warm) in RUNS {
        if !chosen.first().is_none_or(|list| list.split(',').any(|run| run == name)) {
            continue;
        }
        // L-BFGS does not cover the sphere.
        if sphere && method == Method::Lbfgs {
            continue;
        }
        for tol in [1e-8, 1e-12] {
            for _ in 0..repeats.parse()? {
                let options = SolveOptions { method, start: start.clone(), tol, warm, ..Default::default() };
                let s = minimise(&problem, &options, &mut |_| {})?;
                let method = name.trim_end_matches("-cold");
                println!(
                    "{{\"method\":\"{method}\",\"warm\":{warm},\"tol\":{tol:e},\"seconds\":{:.6},\"gradients\":{},\"hessian_products\":{},\
                     \"gradient_norm\":{:e},\"objective\":{:.17},\"status\":\"{}\",\"gradient_gflops\":{rate:.1},\"product_peak_gflops\":{peak:.1}}}",
                    s.seconds,
                    s.work.gradients,
                    s.work.hessian_products,
                    s.gradient_norm,
                    s.objective,
                    s.status.name()
                );
            }
        }
    }
    Ok(())
}
