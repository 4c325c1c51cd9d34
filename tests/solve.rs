//! What `minimise` promises: the known minima, determinism, honest statuses.

mod support;

use proptest::prelude::*;
use support::{balanced_minimum, deep, plain, scattered, soft_threshold};
use ufm::{
    metrics::point_metrics,
    problem::{Point, Problem, evaluate},
    solve::{Method, Solution, SolveError, SolveOptions, Start, Status, minimise},
};

/// Distance of a computed minimum from the closed form, relative to max(1, f): rounding of the sums and of the formula itself.
/// A gradient of 1e-12 alone leaves less than 1e-16.
const MINIMUM: f64 = 4e-15;
/// Ratio metrics of a point with gradient norm 1e-12 and smallest curvature about 1e-3.
const METRIC: f64 = 1e-8;

fn solve(problem: &Problem, options: &SolveOptions) -> Solution {
    minimise(problem, options, &mut |_| {}).unwrap()
}

fn assert_minimum(solution: &Solution, expected: f64) {
    assert_eq!(solution.status, Status::Converged, "gradient norm {:e}", solution.gradient_norm);
    assert!(solution.gradient_norm <= 1e-12);
    assert!((solution.objective - expected).abs() <= MINIMUM * expected.max(1.0), "{} against {expected}", solution.objective);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn newton_reaches_the_closed_form(
        k in 2u64..7, n in 1u64..6, extra in 0u64..4, seed in 0u64..1000,
        lambda_w in -4.0..-0.5f64, lambda_h in -4.0..-0.5f64,
        loss in prop::sample::select(vec!["mse", "ce", "label-smoothing"]),
        bias in prop::sample::select(vec!["none", "free", "regularized"]),
    ) {
        let (lw, lh) = (10f64.powf(lambda_w), 10f64.powf(lambda_h));
        let problem = plain(loss, bias, &vec![n; k as usize], k + extra, lw, lh);
        let solution = solve(&problem, &SolveOptions { seed, ..Default::default() });
        assert_minimum(&solution, balanced_minimum(loss, bias, k as f64, n as f64, lw, lh));
    }

    #[test]
    fn unbalanced_squared_error_is_soft_thresholding(
        counts in prop::collection::vec(1u64..8, 2..6), seed in 0u64..1000, lambda in -3.0..-0.5f64, free in any::<bool>(),
    ) {
        let lambda = 10f64.powf(lambda);
        let k = counts.len();
        let n: u64 = counts.iter().sum();
        let problem = plain("mse", if free { "free" } else { "none" }, &counts, k as u64 + 1, lambda, lambda);
        let share = if free { 1.0 / n as f64 } else { 0.0 };
        // Singular values of Y (I − 11ᵀ/N) are those of the K × K matrix with columns √n_k (e_k − π).
        let reduced = nalgebra::DMatrix::from_fn(k, k, |i, j| {
            (counts[j] as f64).sqrt() * (f64::from(u8::from(i == j)) - share * counts[i] as f64)
        });
        let singular = reduced.singular_values();
        let solution = solve(&problem, &SolveOptions { seed, ..Default::default() });
        assert_minimum(&solution, soft_threshold(singular.iter().copied(), n as f64, lambda));
    }
}

#[test]
fn every_method_and_start_agrees() {
    for (loss, bias) in [("mse", "none"), ("mse", "free"), ("mse", "regularized"), ("ce", "none"), ("ce", "free")] {
        let problem = plain(loss, bias, &[5; 4], 6, 0.01, 0.004);
        let expected = balanced_minimum(loss, bias, 4.0, 5.0, 0.01, 0.004);
        for method in [Method::NewtonCg, Method::Lbfgs] {
            for start in [Start::Random, Start::Spectral, Start::Point(scattered(&problem, 3, 0.5))] {
                for warm in [true, false] {
                    let options = SolveOptions { method, start: start.clone(), warm, ..Default::default() };
                    assert_minimum(&solve(&problem, &options), expected);
                }
            }
        }
    }
}

#[test]
fn methods_agree_without_a_closed_form() {
    let problem = plain("ce", "free", &[7, 5, 2, 1], 5, 0.01, 0.004);
    let newton = solve(&problem, &SolveOptions::default());
    let lbfgs = solve(&problem, &SolveOptions { method: Method::Lbfgs, seed: 5, warm: false, ..Default::default() });
    assert_minimum(&lbfgs, newton.objective);
}

#[test]
fn same_bytes_for_any_thread_count() {
    // Above the size from which several threads are used.
    for (loss, bias, method) in [("mse", "none", Method::NewtonCg), ("ce", "free", Method::NewtonCg), ("ce", "free", Method::Lbfgs)] {
        let problem = plain(loss, bias, &[6; 90], 96, 5e-4, 5e-4);
        let run = |threads| {
            let options = SolveOptions { method, threads, seed: 7, tol: 1e-7, ..Default::default() };
            let s = solve(&problem, &options);
            (s.point, s.objective.to_bits(), s.gradient_norm.to_bits(), s.iterations, s.work)
        };
        let one = run(Some(1));
        assert_eq!(one, run(Some(2)));
        assert_eq!(one, run(Some(2)));
        assert_eq!(one, run(None));
    }
}

#[test]
fn reported_figures_are_those_of_the_snapped_point() {
    let problem = plain("ce", "regularized", &[3; 3], 4, 0.01, 0.01);
    let solution = solve(&problem, &SolveOptions::default());
    let mut snapped = solution.point.clone();
    snapped.snap();
    assert_eq!(snapped, solution.point);
    let again = evaluate(&problem, &solution.point).unwrap();
    assert_eq!((again.objective, again.gradient_norm), (solution.objective, solution.gradient_norm));
}

#[test]
fn gradient_descent_decreases_and_traces() {
    let problem = plain("ce", "free", &[4; 3], 4, 0.01, 0.01);
    let method = Method::GradientDescent { learning_rate: 0.2, steps: 300 };
    let solution = solve(&problem, &SolveOptions { method, trace: true, ..Default::default() });
    assert_eq!(solution.trace.len(), 301);
    assert_eq!(solution.status, Status::Budget);
    assert!(solution.trace.windows(2).all(|w| w[1].objective < w[0].objective && w[1].step == w[0].step + 1));
    assert!(solution.trace.last().unwrap().metrics.nc1 < solution.trace[0].metrics.nc1);
    let long = Method::GradientDescent { learning_rate: 0.2, steps: 5000 };
    let rows = solve(&problem, &SolveOptions { method: long, trace: true, ..Default::default() }).trace;
    assert!(rows.len() <= 1001 && rows.last().unwrap().step == 5000);
}

#[test]
fn divergence_is_a_stall_at_a_finite_point() {
    let problem = plain("mse", "none", &[4; 3], 4, 0.01, 0.01);
    let method = Method::GradientDescent { learning_rate: 1e6, steps: 1000 };
    let solution = solve(&problem, &SolveOptions { method, ..Default::default() });
    assert_eq!(solution.status, Status::Stalled);
    assert!(solution.objective.is_finite() && solution.point.to_exact().is_some());
    let mut far = scattered(&problem, 1, 1.0);
    far.h[(0, 0)] = 1e300;
    far.factors[0][(0, 0)] = 1e300;
    for method in [Method::NewtonCg, Method::Lbfgs] {
        let options = SolveOptions { method, start: Start::Point(far.clone()), warm: false, ..Default::default() };
        assert_eq!(solve(&problem, &options).status, Status::Stalled);
    }
}

#[test]
fn limits_are_kept() {
    let problem = plain("ce", "free", &[4; 3], 4, 0.01, 0.01);
    for method in [Method::NewtonCg, Method::Lbfgs] {
        let options = SolveOptions { method, warm: false, max_iterations: 2, ..Default::default() };
        assert_eq!(solve(&problem, &options).status, Status::Budget);
        let options = SolveOptions { method, warm: false, budget: 9, ..Default::default() };
        let solution = solve(&problem, &options);
        assert_eq!(solution.status, Status::Budget);
        assert!(solution.work.gradients + 2 * solution.work.hessian_products <= 12);
        let options = SolveOptions { method, warm: false, time_limit: Some(std::time::Duration::ZERO), ..Default::default() };
        assert_eq!(solve(&problem, &options).status, Status::Budget);
    }
    let mut seen = 0;
    minimise(&problem, &SolveOptions::default(), &mut |_| seen += 1).unwrap();
    assert!(seen > 1);
}

#[test]
fn bad_requests_are_typed_errors() {
    let problem = plain("mse", "free", &[2; 3], 4, 0.01, 0.01);
    let fails = |options: SolveOptions| minimise(&problem, &options, &mut |_| {}).unwrap_err();
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let method = Method::GradientDescent { learning_rate: rate, steps: 3 };
        assert!(matches!(fails(SolveOptions { method, ..Default::default() }), SolveError::Option { option: "learning rate", .. }));
    }
    for tol in [0.0, -1e-3, f64::NAN, f64::INFINITY] {
        assert!(matches!(fails(SolveOptions { tol, ..Default::default() }), SolveError::Option { option: "tol", .. }));
    }
    assert!(matches!(fails(SolveOptions { threads: Some(0), ..Default::default() }), SolveError::Option { option: "threads", .. }));
    let good = scattered(&problem, 1, 1.0);
    let mut nan = good.clone();
    nan.b.as_mut().unwrap()[1] = f64::NAN;
    let point = |p: Point| SolveOptions { start: Start::Point(p), ..Default::default() };
    assert!(matches!(fails(point(nan)), SolveError::Option { option: "start", .. }));
    for wrong in [
        Point { b: None, ..good.clone() },
        Point { factors: vec![], ..good.clone() },
        Point { h: faer::Mat::zeros(4, 5), ..good.clone() },
        Point { factors: vec![faer::Mat::zeros(4, 3)], ..good.clone() },
    ] {
        assert!(evaluate(&problem, &wrong).is_err());
        assert!(matches!(fails(point(wrong)), SolveError::Start(_)));
    }
    let huge = plain("mse", "none", &[1_000_000_000; 2], 1_000_000, 0.1, 0.1);
    assert!(matches!(minimise(&huge, &SolveOptions::default(), &mut |_| {}), Err(SolveError::Spec(_))));
}

/// Largest root of (1 − x) x^{1/3} = κ, by Newton's iteration on t⁴ − t + κ, t = x^{1/3}, from t = 1 (p = 3).
fn extended_minimum(classes: f64, per_class: f64, lambdas: [f64; 3]) -> f64 {
    let kappa = classes * (per_class * lambdas.iter().product::<f64>()).cbrt();
    let mut t: f64 = 1.0;
    for _ in 0..60 {
        t -= (t.powi(4) - t + kappa) / (4.0 * t.powi(3) - 1.0);
    }
    let x = t.powi(3);
    (1.0 - x) * (1.0 + 2.0 * x) / 2.0
}

#[test]
fn deep_models_from_the_spectral_start() {
    let lambdas = ["0.004", "0.01", "0.006"];
    let expected = extended_minimum(4.0, 3.0, [0.004, 0.01, 0.006]);
    for model in ["deep-linear", "deep-relu"] {
        let problem = deep(model, 4, 3, 6, &lambdas);
        for method in [Method::NewtonCg, Method::Lbfgs] {
            let options = SolveOptions { method, start: Start::Spectral, ..Default::default() };
            assert_minimum(&solve(&problem, &options), expected);
        }
    }
    let random = solve(&deep("deep-linear", 4, 3, 6, &lambdas), &SolveOptions::default());
    assert_eq!(random.status, Status::Converged);
    assert!(random.objective >= expected - MINIMUM);
    let p5 = deep("deep-linear", 3, 1, 4, &["0.002"; 5]);
    let options = SolveOptions { start: Start::Spectral, ..Default::default() };
    assert_eq!(solve(&p5, &options).status, Status::Converged);
}

#[test]
fn too_few_dimensions_keep_the_leading_modes() {
    // d < K, bias none: the d largest singular values √n_k are kept and thresholded, the others are given up.
    let problem = plain("mse", "none", &[6, 4, 3, 1], 2, 0.01, 0.01);
    let n: f64 = 14.0;
    let kept = soft_threshold([6f64, 4.0].map(f64::sqrt).into_iter(), n, 0.01);
    let expected = kept + (3.0 + 1.0) / (2.0 * n);
    assert_minimum(&solve(&problem, &SolveOptions { start: Start::Spectral, ..Default::default() }), expected);
}

#[test]
fn metrics_vanish_at_collapse_and_are_absent_at_zero() {
    let etf = plain("ce", "free", &[5; 4], 6, 0.01, 0.004);
    let m = point_metrics(&etf, &solve(&etf, &SolveOptions::default()).point);
    assert!(m.nc1.unwrap() < METRIC && m.nc2_etf.unwrap() < METRIC && m.nc3.unwrap() < METRIC && m.nc2_of.unwrap() > 0.1);
    let frame = plain("mse", "none", &[5; 4], 6, 0.01, 0.004);
    let m = point_metrics(&frame, &solve(&frame, &SolveOptions::default()).point);
    assert!(m.nc1.unwrap() < METRIC && m.nc2_of.unwrap() < METRIC && m.nc3.unwrap() < METRIC);
    assert!(m.nc2_etf.unwrap() < METRIC, "centred means of an orthogonal frame are a simplex ETF");
    let zero = plain("ce", "none", &[5; 4], 6, 0.5, 0.5);
    let solution = solve(&zero, &SolveOptions::default());
    assert_minimum(&solution, 4f64.ln());
    assert_eq!(point_metrics(&zero, &solution.point), Default::default());
    let deep_problem = deep("deep-linear", 3, 2, 4, &["0.004", "0.01", "0.006"]);
    let options = SolveOptions { start: Start::Spectral, ..Default::default() };
    let m = point_metrics(&deep_problem, &solve(&deep_problem, &options).point);
    assert!(m.nc2_of.unwrap() < METRIC && m.nc3.unwrap() < METRIC);
}

#[test]
fn nc1_equals_its_definition() {
    let problem = plain("mse", "none", &[4, 2, 3], 3, 0.01, 0.01);
    let point = scattered(&problem, 11, 1.0);
    let h = nalgebra::DMatrix::from_fn(3, 9, |i, j| point.h[(i, j)]);
    let starts = [0, 4, 6, 9];
    let means =
        nalgebra::DMatrix::from_columns(&(0..3).map(|k| h.columns(starts[k], starts[k + 1] - starts[k]).column_mean()).collect::<Vec<_>>());
    let mut within = nalgebra::DMatrix::zeros(3, 3);
    for k in 0..3 {
        for i in starts[k]..starts[k + 1] {
            let d = h.column(i) - means.column(k);
            within += &d * d.transpose() / 9.0;
        }
    }
    let centre = means.column_mean();
    let centred = nalgebra::DMatrix::from_columns(&(0..3).map(|k| means.column(k) - &centre).collect::<Vec<_>>());
    let between = &centred * centred.transpose() / 3.0;
    let expected = (within * between.pseudo_inverse(1e-12).unwrap()).trace() / 3.0;
    let found = point_metrics(&problem, &point).nc1.unwrap();
    // The condition number of S_B multiplies the rounding of the direct formula.
    assert!((found - expected).abs() <= 1e-10 * expected, "{found} against {expected}");
}
