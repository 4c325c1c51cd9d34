//! Time to a gradient norm from a given start, one JSON line per run: the project's side of benches/peers.
//!
//!     cargo run --release --example time_to_tol -- PROBLEM.toml START.npz REPEATS

use std::time::Instant;

use ufm::{
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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [problem, start, repeats] = &arguments[..] else { return Err("usage: time_to_tol PROBLEM.toml START.npz REPEATS".into()) };
    let problem = Problem::from_toml(&std::fs::read_to_string(problem)?)?;
    let start = Point::read_npz(start.as_ref(), &problem)?;
    let rate = gradient_rate(&problem)?;
    let sphere = matches!(problem.model, Model::Sphere { .. });
    for (method, name) in [(Method::NewtonCg, "newton-cg"), (Method::Lbfgs, "l-bfgs")] {
        // L-BFGS and the warm start do not cover the sphere.
        if sphere && method == Method::Lbfgs {
            continue;
        }
        for warm in [true, false] {
            for tol in [1e-8, 1e-12] {
                for _ in 0..repeats.parse()? {
                    let options = SolveOptions { method, start: Start::Point(start.clone()), tol, warm, ..Default::default() };
                    let s = minimise(&problem, &options, &mut |_| {})?;
                    println!(
                        "{{\"method\":\"{name}\",\"warm\":{warm},\"tol\":{tol:e},\"seconds\":{:.6},\"gradients\":{},\"hessian_products\":{},\
                         \"gradient_norm\":{:e},\"objective\":{:.17},\"status\":\"{}\",\"gradient_gflops\":{rate:.1}}}",
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
    }
    Ok(())
}
