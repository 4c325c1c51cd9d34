//! Deep models: the graph family's formula against its exactly evaluated point, gap certificates of linear models, layers, hunts.

mod support;

use proptest::prelude::*;
use support::deep;
use ufm::{
    certify::{CertifyError, CertifyOptions, Verdict, below, certify, objective},
    closed_form::{GraphFamily, Unavailable, closed_form},
    metrics::layers,
    problem::{Point, Problem},
    scalar::Rational,
    solve::{HuntOptions, SolveError, hunt, minimise},
};
use ufm_check::{Outcome, check};

fn file(model: &str, labels: &str, dim: u64, lambdas: &[String]) -> String {
    format!("model = \"{model}\"\nloss = \"mse\"\n{labels}\ndim = {dim}\nlambdas = {lambdas:?}\n")
}

fn weight() -> impl Strategy<Value = String> {
    (1u32..60).prop_map(|m| format!("0.{m:04}"))
}

fn verified(file: &str, text: &str) -> bool {
    matches!(check(file.as_bytes(), text.as_bytes()), Outcome::Verified(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Formula and exact evaluation agree to the precision, alive or not; a point below the collapsed value is certified exactly then.
    #[test]
    fn graph_family_attains_its_value(r in 3u64..6, n in 1u64..3, extra in 0u64..2, lambdas in prop::collection::vec(weight(), 4..7)) {
        let k = r * (r - 1) / 2;
        let text = file("deep-relu", &format!("classes = {k}\nper_class = {n}"), k + extra, &lambdas);
        let problem = Problem::from_toml(&text).unwrap();
        let family = GraphFamily::new(&problem).unwrap();
        let point = family.point(&problem, 256).unwrap();
        let (formula, evaluated) = (family.value(256), objective(&problem, &point, 256).unwrap());
        let difference = (&formula - &evaluated).abs();
        prop_assert!(difference.upper_rational().unwrap() < Rational::from(1) >> 200u32, "{}", difference.upper_decimal(3));
        // Π against its formula in K^p: the family wins exactly when its Π is smaller (where anything is alive).
        let collapsed = closed_form(&problem).unwrap().f_star(256);
        let found = below(&problem, text.as_bytes(), &point).unwrap();
        prop_assert_eq!(found.is_some(), (&evaluated - &collapsed).is_negative());
        if let Some(found) = found {
            prop_assert!(verified(&text, &found.text));
        }
    }

    /// Closed-form minimisers of linear models, any depth, class sizes and dimension, are certified global and the checker agrees; so does
    /// the lower bound at any other point. Two factors are linear under either name.
    #[test]
    fn linear_gaps(counts in prop::collection::vec(1u64..6, 2..5), dim in 1u64..6, lambdas in prop::collection::vec(weight(), 2..7), seed in 0u64..9) {
        let name = if lambdas.len() == 2 && seed % 2 == 0 { "deep-relu" } else { "deep-linear" };
        let text = file(name, &format!("class_counts = {counts:?}"), dim, &lambdas);
        let problem = Problem::from_toml(&text).unwrap();
        let form = closed_form(&problem).unwrap();
        let options = CertifyOptions { digits: 40, ..Default::default() };
        let result = certify(&problem, text.as_bytes(), &form.minimiser(&problem, 200).unwrap(), &options).unwrap();
        prop_assert_eq!(&result.verdict, &Verdict::GlobalMinimum);
        let bounds = result.bounds.unwrap();
        prop_assert!(bounds.gap.to_f64() < 1e-38 && bounds.collapse.is_none());
        prop_assert!(verified(&text, &result.text.unwrap()));
        // Few steps of the minimiser: its point has a gap, never a negative one.
        let solved = minimise(&problem, &ufm::solve::SolveOptions { seed, budget: 40, ..Default::default() }, &mut |_| {}).unwrap();
        let result = certify(&problem, text.as_bytes(), &solved.point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
        prop_assert!(result.bounds.unwrap().gap >= 0);
        prop_assert!(verified(&text, &result.text.unwrap()));
    }
}

#[test]
fn graph_values_of_the_literature() {
    // p = 5: Π/K^p = 1.333, 0.829, 0.595, 0.462 for r = 3, 4, 5, 6.
    for (r, ratio) in [(3u64, 1.333), (4, 0.829), (5, 0.595), (6, 0.462)] {
        let k = r * (r - 1) / 2;
        let family = GraphFamily::new(&deep("deep-relu", k, 1, k, &["0.004"; 5])).unwrap();
        let found = family.norm_product(128).mid().to_f64() / (k as f64).powi(5);
        assert!((found - ratio).abs() < 5e-4, "{r}: {found}");
    }
}

#[test]
fn the_graph_family_names_what_it_lacks() {
    let refusal = |p: Problem| GraphFamily::new(&p).err().unwrap();
    assert!(matches!(refusal(deep("deep-linear", 6, 1, 6, &["0.1"; 5])), Unavailable::Unsupported(_)));
    assert!(matches!(refusal(deep("deep-relu", 5, 1, 6, &["0.1"; 5])), Unavailable::Unsupported(_)));
    assert!(matches!(refusal(deep("deep-relu", 6, 1, 6, &["0.1"; 3])), Unavailable::Unsupported(_)));
    assert_eq!(refusal(deep("deep-relu", 6, 1, 5, &["0.1"; 5])), Unavailable::Dimension { least: 6, dim: 5 });
}

/// Zero is the family's value where its weights are too heavy: 1/2, attained.
#[test]
fn a_dead_graph_family_is_zero() {
    let problem = deep("deep-relu", 6, 1, 6, &["1", "1", "1", "1", "1"]);
    let family = GraphFamily::new(&problem).unwrap();
    assert!(family.value(128).contains_rational(&Rational::from((1, 2))) && family.value(128).is_exact());
    assert!(family.point(&problem, 128).unwrap().h.m.iter().all(|m| *m == 0));
}

#[test]
fn hunts_are_deterministic_and_certified() {
    let text = file("deep-relu", "classes = 4\nper_class = 1", 4, &vec!["0.004".to_owned(); 5]);
    let problem = Problem::from_toml(&text).unwrap();
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = HuntOptions { starts: 8, seed, time_limit: None };
        pool.install(|| hunt(&problem, &options, &mut |_| {}).unwrap())
    };
    let (one, two) = (run(1, 1), run(3, 1));
    assert_eq!(one.solution.point, two.solution.point);
    assert_ne!(one.solution.point, run(2, 2).solution.point, "the seed matters");
    let exact = one.solution.point.to_exact().unwrap();
    let found = below(&problem, text.as_bytes(), &exact).unwrap().expect("eight starts are enough here");
    assert!((&found.objective - &found.collapsed).is_negative() && verified(&text, &found.text));
    // The hidden layers of a counterexample are far from orthogonal frames.
    let measured = layers(&problem, &one.solution.point);
    assert_eq!(measured.len(), 5);
    assert!(measured[1..4].iter().any(|l| l.nc2_of.unwrap() > 0.1) && measured[1].nuclear_difference.is_some());
}

#[test]
fn no_certificate_at_or_above_collapse() {
    let text = file("deep-relu", "classes = 4\nper_class = 2", 5, &vec!["0.004".to_owned(); 5]);
    let problem = Problem::from_toml(&text).unwrap();
    let collapsed = closed_form(&problem).unwrap().minimiser(&problem, 200).unwrap();
    assert!(below(&problem, text.as_bytes(), &collapsed).unwrap().is_none());
    let linear = deep("deep-linear", 4, 2, 5, &["0.004"; 5]);
    assert!(matches!(below(&linear, b"", &collapsed), Err(CertifyError::Unsupported(_))));
    let other = deep("deep-relu", 4, 2, 6, &["0.004"; 5]);
    assert!(matches!(below(&other, b"", &collapsed), Err(CertifyError::Shape { .. })));
    let hunted = hunt(&deep("deep-relu", 4, 2, 3, &["0.004"; 5]), &HuntOptions { starts: 1, seed: 0, time_limit: None }, &mut |_| {});
    assert!(matches!(hunted, Err(SolveError::Unsupported(_))));
}

/// Layers of the collapsed point: full rank, orthogonal frames, aligned, equal nuclear norms; wrong shapes and plain models have none.
#[test]
fn layers_of_collapse() {
    let problem = deep("deep-relu", 4, 3, 6, &["0.004", "0.003", "0.002", "0.004"]);
    let point: Point = closed_form(&problem).unwrap().minimiser(&problem, 100).unwrap().to_f64();
    let all = layers(&problem, &point);
    assert_eq!(all.iter().map(|l| l.name.as_str()).collect::<Vec<_>>()[2..], ["relu(W_2 relu(W_1 H))", "W_3 relu(W_2 relu(W_1 H))"]);
    for (j, l) in all.iter().enumerate() {
        assert_eq!((l.rank, l.factor_rank), (4, 4));
        assert!(l.nc1_quotient.unwrap() < 1e-25 && l.nc2_of.unwrap() < 1e-12 && l.nc2_etf.unwrap() < 1e-12, "{l:?}");
        assert_eq!(l.nuclear_difference.is_some(), j == 1 || j == 2);
        assert!(l.nuclear_difference.unwrap_or(0.0) < 1e-12);
        assert_eq!(l.alignment.is_some(), j < 3);
        assert!(l.alignment.unwrap_or(0.0) < 1e-12);
    }
    assert!(layers(&deep("deep-relu", 4, 3, 5, &["0.004"; 4]), &point).is_empty());
}
