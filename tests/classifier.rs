//! The least-squares classifier: exact against a direct exact solve, doubles within their bound, and the UFM's own W.

mod cli_support;

use cli_support::{Desk, doubles, keys, npy, npz};
use faer::Mat;
use proptest::prelude::*;
use rug::{Integer, Rational};
use ufm::{
    classifier::{ClassifierError, IncrementalOptions, class_incremental, least_squares, least_squares_exact},
    problem::{Dyadic, Problem},
    scalar::parse_decimal,
    solve::{SolveOptions, Status, minimise},
};

/// The minimiser from its normal equations in all unknowns of a class at once, (w, b), over the rationals:
/// `[H̃ᵀ H̃/N + λ diag(1, ..., 1, 0)] (w, b) = H̃ᵀ y/N`, H̃ = [H, 1] with a bias.
fn direct(h: &[Vec<Rational>], labels: &[usize], classes: usize, lambda: &Rational, free: bool) -> Vec<Vec<Rational>> {
    let n = Integer::from(h.len());
    let rows: Vec<Vec<Rational>> = h.iter().map(|row| row.iter().cloned().chain(free.then(|| Rational::from(1))).collect()).collect();
    let (size, d) = (rows[0].len(), h[0].len());
    let solve = |class: usize| {
        let mut a: Vec<Vec<Rational>> = (0..size)
            .map(|i| {
                let entry = |j: usize| {
                    let sum: Rational = rows.iter().map(|r| Rational::from(&r[i] * &r[j])).sum();
                    sum / &n + if i == j && i < d { lambda.clone() } else { Rational::new() }
                };
                let right: Rational = rows.iter().zip(labels).filter(|(_, y)| **y == class).map(|(r, _)| r[i].clone()).sum();
                (0..size).map(entry).chain([right / &n]).collect()
            })
            .collect();
        // Gauss with back substitution.
        for p in 0..size {
            let swap = (p..size).find(|&i| a[i][p] != 0).expect("regular");
            a.swap(p, swap);
            for i in p + 1..size {
                let factor = Rational::from(&a[i][p] / &a[p][p]);
                let (above, below) = a.split_at_mut(i);
                below[0].iter_mut().zip(&above[p]).for_each(|(x, y)| *x -= Rational::from(&factor * y));
            }
        }
        let mut x = vec![Rational::new(); size];
        for p in (0..size).rev() {
            let known: Rational = (p + 1..size).map(|j| Rational::from(&a[p][j] * &x[j])).sum();
            x[p] = (a[p][size].clone() - known) / &a[p][p];
        }
        x
    };
    (0..classes).map(solve).collect()
}

/// Features of N samples, labels of K classes, all present.
fn data() -> impl Strategy<Value = (Mat<f64>, Vec<usize>, usize)> {
    (2usize..=4, 1usize..=3, prop::collection::vec(0usize..4, 0..6), 0i32..4, any::<u64>()).prop_map(|(k, d, extra, shift, seed)| {
        use rand::{RngExt, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let labels: Vec<usize> = (0..k).chain(extra.into_iter().map(|x| x % k)).collect();
        // Means up to a thousand times the spread.
        let mean = 10f64.powi(shift) - 1.0;
        (Mat::from_fn(labels.len(), d, |_, _| mean + rng.random_range(-1.0..1.0)), labels, k)
    })
}

fn lambda() -> impl Strategy<Value = Rational> {
    (1u32..100, 0u32..5).prop_map(|(m, e)| parse_decimal(&format!("{m}e-{e}")).unwrap())
}

/// Σ (x − y)² of doubles and rationals, exactly.
fn distance_squared<'a>(x: impl Iterator<Item = f64>, y: impl Iterator<Item = &'a Rational>) -> Rational {
    x.zip(y).map(|(x, y)| (Rational::from_f64(x).unwrap() - y).square()).sum()
}

/// Benign problems: N, d below ten, means below a thousand, λ at least 1e-4: γ_10 ‖H‖² / (N λ) is below 1e-15 · 1e7 · 1e4.
const USEFUL: f64 = 1e-3;

proptest! {
    #[test]
    fn formula_is_the_direct_minimiser_and_doubles_are_within_their_bound((h, labels, k) in data(), lambda in lambda(), free: bool) {
        let exact = Dyadic::from_f64(&h).unwrap();
        let formula = least_squares_exact(&exact, &labels, k, &lambda, free).unwrap();
        let rows: Vec<Vec<Rational>> = (0..h.nrows()).map(|i| (0..h.ncols()).map(|j| exact.rational(i, j)).collect()).collect();
        let direct = direct(&rows, &labels, k, &lambda, free);
        for (class, x) in direct.iter().enumerate() {
            prop_assert_eq!(&formula.w[class][..], &x[..h.ncols()]);
            let bias = x.get(h.ncols()).cloned().unwrap_or_default();
            prop_assert_eq!(&formula.b[class], &bias);
        }
        let fit = least_squares(h.as_ref(), &labels, k, &lambda, free).unwrap();
        let entries = (0..k).flat_map(|i| (0..h.ncols()).map(move |j| (i, j))).map(|(i, j)| fit.w[(i, j)]);
        let w = distance_squared(entries, formula.w.iter().flatten());
        prop_assert!(w <= Rational::from_f64(fit.error_bound).unwrap().square(), "{w} {}", fit.error_bound);
        prop_assert!(fit.error_bound < USEFUL, "{}", fit.error_bound);
        prop_assert_eq!(fit.b.is_some(), free);
        if let Some(b) = &fit.b {
            let error = distance_squared(b.iter().copied(), formula.b.iter());
            prop_assert!(error <= Rational::from_f64(fit.bias_error_bound).unwrap().square());
        }
    }

    /// At a critical point of the UFM with λ = λ_W the classifier of its features is its own W (and b).
    #[test]
    fn at_a_critical_point_it_is_the_models_own(counts in prop::collection::vec(1u64..6, 2..5), free: bool, seed in 0u64..5) {
        let bias = if free { "free" } else { "none" };
        let file = format!("model = 'plain'\nloss = 'mse'\nbias = '{bias}'\nclass_counts = {counts:?}\ndim = 5\nlambda_w = '0.01'\nlambda_h = '0.02'");
        let problem = Problem::from_toml(&file).unwrap();
        let solution = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
        prop_assert_eq!(solution.status, Status::Converged);
        let labels: Vec<usize> = counts.iter().enumerate().flat_map(|(c, &n)| vec![c; n as usize]).collect();
        let h = solution.point.h.transpose().to_owned();
        let fit = least_squares(h.as_ref(), &labels, counts.len(), &Rational::from((1, 100)), free).unwrap();
        // Gradient norm 1e-12 over λ = 1e-2.
        prop_assert!((&fit.w - &solution.point.factors[0]).norm_l2() <= 1e-10 + fit.error_bound);
        if let (Some(b), Some(own)) = (&fit.b, &solution.point.b) {
            prop_assert!(b.iter().zip(own).all(|(x, y)| (x - y).abs() <= 1e-9));
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let h = Mat::from_fn(3, 2, |i, j| (i + j) as f64);
    let one = Rational::from(1);
    let fails = |labels: &[usize], classes, lambda: &Rational| least_squares(h.as_ref(), labels, classes, lambda, true).unwrap_err();
    assert_eq!(fails(&[0, 1], 2, &one), ClassifierError::Labels { rows: 3, labels: 2 });
    assert_eq!(fails(&[0, 1, 2], 2, &one), ClassifierError::Label { sample: 2, label: 2, classes: 2 });
    assert_eq!(fails(&[0, 0, 2], 3, &one), ClassifierError::Empty(1));
    for lambda in [Rational::new(), Rational::from(-1), Rational::from(1) >> 2000u32] {
        assert_eq!(fails(&[0, 1, 1], 2, &lambda), ClassifierError::Lambda);
    }
    let nan = Mat::from_fn(2, 1, |i, _| if i == 1 { f64::NAN } else { 0.0 });
    assert_eq!(least_squares(nan.as_ref(), &[0, 1], 2, &one, true).unwrap_err(), ClassifierError::NotFinite(1, 0));
    assert_eq!(least_squares(Mat::zeros(0, 1).as_ref(), &[], 2, &one, true).unwrap_err(), ClassifierError::Shape);
    // Beyond what doubles bound: an infinite bound, never a wrong one; or refused.
    let huge = Mat::from_fn(2, 1, |i, _| 1e200 * (i as f64 - 0.5));
    match least_squares(huge.as_ref(), &[0, 1], 2, &one, true) {
        Ok(fit) => assert_eq!(fit.error_bound, f64::INFINITY),
        Err(e) => assert_eq!(e, ClassifierError::Singular),
    }
}

fn labels(values: &[i64]) -> Vec<u8> {
    npy("<i8", false, &format!("({},)", values.len()), &values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>())
}

#[test]
fn the_command_writes_the_classifier() {
    let desk = Desk::new();
    let entry = |i: usize, _: usize| if i == 0 { 1.0 } else { -1.0 };
    desk.file("f.npz", npz(&[("features", doubles(2, 1, false, entry)), ("labels", labels(&[0, 1]))]));
    let run = desk.ufm("classifier f.npz --lambda 1 --json --out w.npz");
    let v = run.json();
    assert_eq!(run.code, 0);
    assert_eq!(
        keys(&v),
        ["version", "classes", "samples", "dim", "lambda", "bias", "objective", "error_bound", "bias_error_bound", "correct"]
    );
    assert_eq!((&v["classes"], &v["samples"], &v["correct"], &v["bias"]), (&2.into(), &2.into(), &2.into(), &"free".into()));
    // W = ±1/4, residuals of size 1/4: objective (4/16)/4 + (1/2)(2/16).
    assert_eq!(v["objective"], "1.25e-1");
    let mut written = npyz::npz::NpzArchive::open(desk.path("w.npz")).unwrap();
    let mut array = |name: &str| written.by_name(name).unwrap().unwrap().into_vec::<f64>().unwrap();
    assert_eq!((array("W"), array("b")), (vec![0.25, -0.25], vec![0.5, 0.5]));
    let table = desk.ufm("classifier f.npz --lambda 0.5 --bias none");
    assert!(table.code == 0 && table.out.contains("correct") && !table.out.contains("|b - b*|"));
    assert!(desk.ufm("classifier f.npz --lambda 1 --out w.npz").refusal().contains("already exists"));
}

#[test]
fn the_command_refuses_bad_features() {
    let desk = Desk::new();
    let features = || doubles(3, 2, true, cli_support::wavy);
    type Members = Vec<(&'static str, Vec<u8>)>;
    let cases: Vec<(&str, Members, &str)> = vec![
        ("a", vec![("features", features())], "no array `labels`"),
        ("b", vec![("labels", labels(&[0, 1, 1]))], "`labels`: shape [3], but features are a matrix"),
        ("c", vec![("features", doubles(5, 3, false, cli_support::wavy)), ("labels", labels(&[0, 1]))], "neither side has that size"),
        ("d", vec![("features", features()), ("labels", labels(&[0, -1, 1]))], "label 1 is -1"),
        ("e", vec![("features", features()), ("labels", labels(&[0, 0, 0]))], "fewer than two classes"),
        ("f", vec![("features", features()), ("labels", labels(&[0, 0, 2]))], "class 1 has no sample"),
        ("g", vec![("features", features()), ("labels", labels(&[0, i64::MAX, 2]))], "labels are integers from 0"),
        ("h", vec![("features", npy("<c16", false, "(1, 1)", &[0; 16])), ("labels", labels(&[0]))], "c16"),
        ("i", vec![("features", doubles(2, 1, false, |_, _| f64::NAN)), ("labels", labels(&[0, 1]))], "finite"),
        ("j", vec![("features", features()), ("labels", labels(&[0, 7, 1]))], "each class with a sample"),
    ];
    for (name, members, expected) in cases {
        let file = desk.file(&format!("{name}.npz"), npz(&members));
        let run = desk.ufm(&format!("classifier {file} --lambda 1"));
        assert!(run.refusal().contains(expected), "{name}: {}", run.err);
    }
    desk.file("ok.npz", npz(&[("features", features()), ("labels", labels(&[0, 1, 1]))]));
    for bad in ["0", "-1", "nan", "1e101", "x"] {
        assert_eq!(desk.ufm(&format!("classifier ok.npz --lambda {bad}")).code, 2, "{bad}");
    }
    assert_eq!(desk.ufm("classifier ok.npz").code, 2);
    assert!(desk.ufm("classifier missing.npz --lambda 1").refusal().contains("missing.npz"));
    assert_eq!(desk.ufm("classifier ok.npz --lambda 1").code, 0);
}

/// The mean squared errors of a run, by brute force: an oracle for the quadratic forms of the experiment.
#[test]
fn class_incremental_losses_are_those_of_the_samples() {
    let (n, d, classes) = (24, 3, 4);
    let h = Mat::from_fn(n, d, |i, j| (1.7 * i as f64 + 2.3 * j as f64).sin() + f64::from(u8::from(i % classes == j)));
    let labels: Vec<usize> = (0..n).map(|i| i % classes).collect();
    let lambda = Rational::from((1, 50));
    for free_bias in [true, false] {
        let options = IncrementalOptions { tasks: 2, lambda: lambda.clone(), free_bias, seed: 3, converged: 1e-6, max_steps: 1_000_000 };
        let trials = class_incremental(h.as_ref(), &labels, classes, &options).unwrap();
        assert_eq!(trials.len(), 3);
        let old: Vec<usize> = (0..n).filter(|&i| labels[i] < 2).collect();
        let rows = Mat::from_fn(old.len(), d, |i, j| h[(old[i], j)]);
        let old_labels: Vec<usize> = old.iter().map(|&i| labels[i]).collect();
        let before = least_squares(rows.as_ref(), &old_labels, 2, &lambda, free_bias).unwrap();
        let all = least_squares(h.as_ref(), &labels, classes, &lambda, free_bias).unwrap();
        // Old rows as trained, new rows by the formula.
        let score = |k: usize, i: usize| {
            let fit = if k < 2 { &before } else { &all };
            (0..d).map(|j| fit.w[(k, j)] * h[(i, j)]).sum::<f64>() + fit.b.as_ref().map_or(0.0, |b| b[k])
        };
        let square = |i: usize| (0..classes).map(|k| (score(k, i) - f64::from(u8::from(labels[i] == k))).powi(2)).sum::<f64>() / 2.0;
        let expected = (0..n).map(square).sum::<f64>() / n as f64;
        assert!((trials[0].initial_loss - expected).abs() < 1e-12, "{} {expected}", trials[0].initial_loss);
        let new: Vec<usize> = (0..n).filter(|&i| labels[i] >= 2).collect();
        let expected = new.iter().map(|&i| square(i)).sum::<f64>() / new.len() as f64;
        assert!((trials[0].initial_new_loss - expected).abs() < 1e-12);
        assert!(trials.iter().all(|t| t.steps.is_some() && t.old_classes == 2 && t.classes == 4));
        assert!(trials[0].initial_loss < trials[1].initial_loss.min(trials[2].initial_loss));
        assert!(trials[0].steps <= trials[2].steps);
    }
    let refused = |tasks| {
        let options = IncrementalOptions { tasks, lambda: lambda.clone(), free_bias: true, seed: 0, converged: 1e-3, max_steps: 9 };
        class_incremental(h.as_ref(), &labels, classes, &options).unwrap_err()
    };
    assert_eq!(refused(1), ClassifierError::Tasks { tasks: 1, classes });
    assert_eq!(refused(5), ClassifierError::Tasks { tasks: 5, classes });
}

/// CSV with its labels, labels beside, (d, N) features, and the experiment.
#[test]
fn the_command_reads_what_metrics_reads() {
    let desk = Desk::new();
    let rows: Vec<String> =
        (0..12).map(|i| format!("{},{},{}", i % 3, f64::from(i % 3) + 0.1 * f64::from(i).sin(), 0.2 * f64::from(i).cos())).collect();
    desk.file("f.csv", format!("label,x,y2\n{}\n", rows.join("\n")));
    let run = desk.ufm("classifier f.csv --lambda 0.01 --json --tasks 3");
    let v = run.json();
    assert_eq!((run.code, &v["samples"], &v["classes"], &v["dim"]), (0, &12.into(), &3.into(), &2.into()));
    let trials = v["incremental"].as_array().unwrap();
    assert_eq!(trials.len(), 6);
    assert_eq!(
        keys(&trials[0]),
        ["task", "old_classes", "classes", "initialisation", "initial_loss", "initial_new_loss", "spike", "steps"]
    );
    let names: Vec<&str> = trials[..3].iter().map(|t| t["initialisation"].as_str().unwrap()).collect();
    assert_eq!(names, ["least-squares", "class-means", "random"]);
    let shown = desk.ufm("classifier f.csv --lambda 0.01 --tasks 2");
    assert!(shown.code == 0 && shown.out.contains("least-squares") && shown.out.contains("spike"));
    assert!(desk.ufm("classifier f.csv --lambda 0.01 --tasks 4").refusal().contains("2 to 3 tasks"));
    // The same features as (d, N), labels in a file of their own.
    let entry = |j: usize, i: usize| if j == 0 { (i % 3) as f64 + 0.1 * (i as f64).sin() } else { 0.2 * (i as f64).cos() };
    desk.file("h.npz", npz(&[("features", doubles(2, 12, false, entry))]));
    desk.file("l.npy", labels(&(0..12).map(|i| i % 3).collect::<Vec<i64>>()));
    let other = desk.ufm("classifier h.npz --labels l.npy --lambda 0.01 --json").json();
    assert_eq!(other["objective"].as_str().unwrap()[..10], v["objective"].as_str().unwrap()[..10]);
}
