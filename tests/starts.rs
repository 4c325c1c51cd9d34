//! Several starts: the global minimum where one start may end at a local one, and refinement where a mode's curvature vanishes.

mod cli_support;

use cli_support::Desk;
use proptest::prelude::*;
use ufm::{
    closed_form::{Scalar, closed_form},
    problem::Problem,
    solve::{Lowest, Method, SolveOptions, Start, Status, minimise, minimise_lowest, refine},
};

/// What a converged solver may be above the minimum, relative: the square of a gradient norm of 1e-12 over the least curvature vanishes
/// beside it, and the rest is rounding of an objective that the closed form gives to all digits.
const EXCESS: f64 = 1e-12;
/// Nearer to the threshold at which the minimiser vanishes, its curvature does too.
const THRESHOLD: f64 = 1e-3;
/// The last step of a trace and the point returned after it: the starts' ends differ by far more.
const SAME_END: f64 = 1e-9;

fn lowest(problem: &Problem, seed: u64) -> Lowest {
    let options = SolveOptions { seed, method: Method::suited_to(problem), ..Default::default() };
    minimise_lowest(problem, &options, &mut |_| {}, &mut |_, _| {}).unwrap()
}

/// Relative distance of a value from the closed form's.
fn excess(problem: &Problem, objective: f64) -> f64 {
    let minimum = closed_form(problem).unwrap().f_star(128).mid().to_f64();
    (objective - minimum).abs() / minimum
}

fn deep(labels: &str, dim: u64, lambdas: &[f64]) -> Problem {
    let weights: Vec<String> = lambdas.iter().map(|l| format!("{l:.12}")).collect();
    Problem::from_toml(&format!("model = 'deep-linear'\nloss = 'mse'\n{labels}\ndim = {dim}\nlambdas = {weights:?}")).unwrap()
}

/// A share of the critical κ, as the common weight of p factors: κ = K (n λ^p)^{1/p}.
fn weight_at(share: f64, p: i32, k: f64, n: f64) -> f64 {
    let q = f64::from(p);
    let critical = ((q - 2.0) / (q - 1.0)).powf((q - 2.0) / q) / (q - 1.0);
    share * critical / k / n.powf(1.0 / q)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Deep linear models, alive and dead, balanced and not, whatever the random start.
    #[test]
    fn deep_linear_is_solved_globally(p in 3i32..7, k in 2u64..5, n in 1u64..4, share in 0.02f64..1.3, skew in 0.3f64..3.0, seed in 0u64..1000) {
        prop_assume!((share - 1.0).abs() > THRESHOLD);
        let common = weight_at(share, p, k as f64, n as f64);
        let mut weights = vec![common; p as usize];
        weights[0] *= skew;
        weights[1] /= skew;
        let problem = deep(&format!("classes = {k}\nper_class = {n}"), k + 1, &weights);
        let found = lowest(&problem, seed);
        prop_assert_eq!(found.solution.status, Status::Converged);
        prop_assert!(excess(&problem, found.solution.objective) <= EXCESS);
        prop_assert_eq!(found.attempts.len(), 2);
    }

    #[test]
    fn imbalanced_deep_linear_is_solved_globally(counts in prop::collection::vec(1u64..30, 2..5), p in 3i32..6, level in 0.1f64..1.2, seed in 0u64..1000) {
        let n: u64 = counts.iter().sum();
        let middle = counts[0] as f64;
        let q = f64::from(p);
        let critical = ((q - 2.0) / (q - 1.0)).powf((q - 2.0) / q) / (q - 1.0);
        // κ of the first class is this share of the critical one.
        let common = level * critical / n as f64 * middle.powf(1.0 - 1.0 / q);
        let problem = deep(&format!("class_counts = {counts:?}"), counts.len() as u64, &vec![common; p as usize]);
        let ratio = |c: u64| level * (middle / c as f64).powf(1.0 - 1.0 / q);
        prop_assume!(counts.iter().all(|&c| (ratio(c) - 1.0).abs() > THRESHOLD));
        prop_assert!(excess(&problem, lowest(&problem, seed).solution.objective) <= EXCESS);
    }
}

/// Minority classes may be better dead while the majority is alive: one common scale of all modes would miss the collapsed value.
#[test]
fn imbalanced_deep_relu_reaches_the_collapsed_value() {
    for (counts, weight, factors, alive) in [
        ([40u64, 40, 4, 3, 1], "0.005", 3, 4),
        ([40, 40, 4, 3, 1], "0.01", 4, 2),
        ([20, 19, 18, 2, 2], "0.01", 4, 3),
        ([20, 19, 18, 2, 2], "0.002", 3, 5),
    ] {
        let text = format!("model = 'deep-relu'\nloss = 'mse'\nclass_counts = {counts:?}\ndim = 6\nlambdas = {:?}", vec![weight; factors]);
        let problem = Problem::from_toml(&text).unwrap();
        let found = lowest(&problem, 0);
        assert!(excess(&problem, found.solution.objective) <= EXCESS, "{counts:?}, {weight}");
        let scalars = closed_form(&problem).unwrap().scalars(64);
        assert!(scalars.iter().any(|(name, value)| *name == "surviving_classes" && matches!(value, Scalar::Count(n) if *n == alive)));
    }
}

/// K = 100, γ = 2: the margin jumps from 2.37 to 0 at c = 1.1157, and zero is a local minimum before that.
#[test]
fn focal_margins_that_jump() {
    for (lambda, alive) in [("0.011", true), ("0.0113", false)] {
        let text = format!(
            "model = 'plain'\nloss = 'focal'\nbias = 'none'\nclasses = 100\nper_class = 1\ndim = 100\nlambda_w = '{lambda}'\nlambda_h = '{lambda}'\nfocusing = '2'"
        );
        let problem = Problem::from_toml(&text).unwrap();
        let found = lowest(&problem, 0);
        assert!(excess(&problem, found.solution.objective) <= EXCESS, "{lambda}");
        let size = found.solution.point.factors[0].norm_l2();
        assert_eq!(size > 1.0, alive, "{lambda}: {size}");
        if alive {
            assert_eq!(found.attempts[found.chosen].start, "spectral");
            assert!(found.attempts[0].objective > found.solution.objective * 1.005);
        }
    }
}

#[test]
fn spheres_at_any_temperature_and_in_the_smallest_dimension() {
    for (k, n, d, temperature) in
        [(3u64, 30u64, 4u64, "17.5"), (3, 2, 4, "100"), (10, 2, 10, "40"), (4, 2, 3, "10"), (5, 1, 4, "1"), (2, 3, 1, "2")]
    {
        let text = format!("model = 'sphere'\nloss = 'ce'\nclasses = {k}\nper_class = {n}\ndim = {d}\ntemperature = '{temperature}'");
        let problem = Problem::from_toml(&text).unwrap();
        for seed in 0..5 {
            let found = lowest(&problem, seed);
            let excess = excess(&problem, found.solution.objective);
            assert!(excess <= EXCESS, "K = {k}, d = {d}, temperature {temperature}, seed {seed}: {excess:e}, {:?}", found.attempts);
        }
    }
}

/// At a threshold the objective is quartic in a mode, where Newton's method only crawls: the mode is exactly zero there.
#[test]
fn ties_are_refined() {
    let plain = |loss: &str, bias: &str, labels: &str, lambda: &str| {
        format!("model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\n{labels}\ndim = 5\nlambda_w = '{lambda}'\nlambda_h = '{lambda}'")
    };
    let balanced = "classes = 4\nper_class = 4";
    let cases = [
        // c = 4 · 2 · 0.125 = 1.
        plain("mse", "none", balanced, "0.125"),
        plain("mse", "free", balanced, "0.125"),
        plain("ce", "free", balanced, "0.125"),
        // c = 1/2 with half of the target smoothed away; the corrections of b are exact, which once overflowed.
        format!("{}\nsmoothing = '0.5'", plain("label-smoothing", "free", balanced, "0.0625")),
        // N μ = 2 = √4.
        plain("mse", "none", "class_counts = [9, 4, 4, 3]", "0.1"),
    ];
    for text in cases {
        let problem = Problem::from_toml(&text).unwrap();
        for seed in 0..3 {
            let start = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
            assert_eq!(start.status, Status::Converged);
            let refined = refine(&problem, &start.point, 70, &mut |_| {}).unwrap();
            assert!(refined.converged, "{text}");
            let value = ufm::certify::objective(&problem, &refined.point, 512).unwrap();
            let minimum = closed_form(&problem).unwrap().f_star(512);
            let off = (&value - &minimum).abs().upper_rational().unwrap();
            assert!(off < ufm::scalar::Rational::from(1) >> 230u32, "{text}: {}", off.to_f64());
        }
    }
}

/// A start that was asked for is the only one.
#[test]
fn one_start_when_asked() {
    let problem = deep("classes = 3\nper_class = 1", 3, &[0.002; 4]);
    let options = SolveOptions { start: Start::Spectral, ..Default::default() };
    let found = minimise_lowest(&problem, &options, &mut |_| {}, &mut |_, _| {}).unwrap();
    assert_eq!((found.attempts.len(), found.attempts[0].start), (1, "spectral"));
    let descent = SolveOptions { method: Method::GradientDescent { learning_rate: 0.1, steps: 5 }, ..Default::default() };
    assert_eq!(minimise_lowest(&problem, &descent, &mut |_| {}, &mut |_, _| {}).unwrap().attempts.len(), 1);
}

#[test]
fn the_command_tells_the_starts() {
    let desk = Desk::new();
    let file = "model = \"deep-linear\"\nloss = \"mse\"\nclasses = 3\nper_class = 2\ndim = 4\nlambdas = [\"0.002\", \"0.003\", \"0.002\", \"0.002\"]\n";
    desk.file("p.toml", file);
    let run = desk.ufm("solve p.toml --json --trace t.csv");
    let v = run.json();
    assert_eq!((run.code, &v["certificate"]["verdict"]), (0, &"global-minimum".into()));
    assert_eq!(v["numerical"]["start"], "spectral");
    let starts: Vec<&str> = v["numerical"]["starts"].as_array().unwrap().iter().map(|s| s["start"].as_str().unwrap()).collect();
    assert_eq!(starts, ["random", "spectral"]);
    // The trace is that of the start chosen: its last objective is the one reported.
    let trace = std::fs::read_to_string(desk.path("t.csv")).unwrap();
    let last: f64 = trace.lines().last().unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!((last - v["numerical"]["objective"].as_str().unwrap().parse::<f64>().unwrap()).abs() < SAME_END);
    let one = desk.ufm("solve p.toml --json --start random").json();
    assert!(one["numerical"]["starts"].is_null());
    assert_eq!(one["certificate"]["verdict"], "near-minimum");
    assert!(desk.ufm("solve p.toml").out.contains("the lowest of 2"));
}

/// Equal class sizes have the scalars of both theorems when they were listed one by one.
#[test]
fn listed_equal_sizes() {
    for (text, list) in [
        (
            "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclass_counts = [4, 4, 4]\ndim = 3\nlambda_w = '0.05'\nlambda_h = '0.05'",
            [1.4, 1.4, 1.4],
        ),
        (
            "model = 'plain'\nloss = 'mse'\nbias = 'free'\nclass_counts = [4, 4, 4]\ndim = 3\nlambda_w = '0.05'\nlambda_h = '0.05'",
            [1.4, 1.4, 0.0],
        ),
        ("model = 'deep-linear'\nloss = 'mse'\nclass_counts = [4, 4, 4]\ndim = 3\nlambdas = ['0.05', '0.05']", [1.4, 1.4, 1.4]),
    ] {
        let problem = Problem::from_toml(text).unwrap();
        let scalars = closed_form(&problem).unwrap().scalars(128);
        assert!(scalars.iter().any(|(name, _)| *name == "logit_scale"));
        let found = scalars.iter().find(|(name, _)| *name == "singular_values").unwrap();
        let Scalar::List(values) = &found.1 else { panic!("a list") };
        assert_eq!(values.len(), 3);
        for (value, expected) in values.iter().zip(list) {
            assert!((value.mid().to_f64() - expected).abs() < f64::EPSILON, "{text}");
        }
    }
}
