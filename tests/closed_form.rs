//! Closed forms against reference values, and against the objective they claim to minimise.

use proptest::prelude::*;
use serde_json::Value;
use ufm::{
    certify::{deep_gradient_norm, objective},
    closed_form::{ClosedForm, Regime, Scalar, closed_form},
    problem::Problem,
    scalar::{Ball, Rational, decide_digits, parse_decimal},
};

/// The files carry 70 significant digits, the last of them rounded.
const REFERENCE_DIGITS: u32 = 68;

fn problem(case: &Value) -> Problem {
    let fields = case.as_object().unwrap().iter().filter(|(name, _)| *name != "expect");
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(sets) => {
            let inner: Vec<String> = sets.iter().map(|(m, q)| format!("{m} = {q}")).collect();
            format!("{name} = {{ {} }}\n", inner.join(", "))
        }
        other => format!("{name} = {other}\n"),
    };
    Problem::from_toml(&fields.map(line).collect::<String>()).unwrap()
}

fn assert_digits(name: &str, ours: impl Fn(u32) -> Ball, reference: &str) {
    let text = decide_digits(70, 4096, ours).unwrap_or_else(|| panic!("{name}: digits undecided"));
    let (ours, reference) = (parse_decimal(&text).unwrap(), parse_decimal(reference).unwrap());
    let allowed = Rational::from(reference.abs_ref()) / Rational::from(rug::Integer::from(rug::Integer::u_pow_u(10, REFERENCE_DIGITS)));
    assert!(Rational::from(&ours - &reference).abs() <= allowed, "{name}: {text} against {reference}");
}

fn scalar(form: &ClosedForm, name: &str, prec: u32) -> Scalar {
    let found = form.scalars(prec).into_iter().find(|(n, _)| *n == name);
    found.unwrap_or_else(|| panic!("no scalar {name}")).1
}

fn check_file(text: &str) -> (usize, usize) {
    let file: Value = serde_json::from_str(text).unwrap();
    let (mut supported, mut unsupported) = (0, 0);
    for case in file["cases"].as_array().unwrap() {
        let Ok(form) = closed_form(&problem(case)) else {
            unsupported += 1;
            continue;
        };
        supported += 1;
        for (name, expected) in case["expect"].as_object().unwrap() {
            match expected {
                Value::String(text) if name == "f_star" => assert_digits(name, |prec| form.f_star(prec), text),
                Value::String(text) => {
                    let value = |prec| match scalar(&form, name, prec) {
                        Scalar::Value(ball) => ball,
                        other => panic!("{name}: {other:?}"),
                    };
                    assert_digits(name, value, text);
                }
                Value::Number(n) => assert_eq!(scalar(&form, name, 64), Scalar::Count(n.as_u64().unwrap()), "{case}"),
                Value::Array(list) => {
                    for (i, text) in list.iter().enumerate() {
                        let value = |prec| match scalar(&form, name, prec) {
                            Scalar::List(balls) => balls[i].clone(),
                            other => panic!("{name}: {other:?}"),
                        };
                        assert_digits(name, value, text.as_str().unwrap());
                    }
                }
                Value::Object(map) => {
                    let Scalar::Keyed(pairs) = scalar(&form, name, 64) else { panic!("{case}") };
                    assert_eq!(pairs.iter().map(|(m, _)| m.to_string()).collect::<Vec<_>>(), map.keys().cloned().collect::<Vec<_>>());
                    for (i, text) in map.values().enumerate() {
                        let value = |prec| match scalar(&form, name, prec) {
                            Scalar::Keyed(pairs) => pairs[i].1.clone(),
                            other => panic!("{name}: {other:?}"),
                        };
                        assert_digits(name, value, text.as_str().unwrap());
                    }
                }
                other => panic!("{name}: {other}"),
            }
        }
        let zero_margins = case["expect"]["margins"].as_object().is_some_and(|m| m.values().all(|x| x == "0.0"));
        let all_zero = zero_margins || ["logit_scale", "margin"].iter().any(|n| case["expect"][*n] == "0.0");
        assert_eq!(all_zero, form.regime() == Regime::Zero, "{case}");
    }
    (supported, unsupported)
}

#[test]
fn reference_values_to_68_digits() {
    // The counts keep any case from dropping out.
    assert_eq!(check_file(include_str!("data/closed_forms.json")), (60, 0));
    assert_eq!(check_file(include_str!("data/edge_cases.json")), (37, 0));
}

/// The working precision of the minimisers below.
const PREC: u32 = 256;
/// Rounding the minimiser's entries to 2^-PREC leaves gradients and value differences of this size, with room for sizes and weights.
const LEFT_OVER: u32 = 200;

fn small(x: &Ball) -> bool {
    x.abs().upper() < rug::Float::with_val(64, 1) >> LEFT_OVER
}

fn weight() -> impl Strategy<Value = String> {
    (1u32..=999, 0u32..=3).prop_map(|(m, e)| format!("{m}e-{}", e + 3))
}

fn labels() -> impl Strategy<Value = (u64, String)> {
    (2u64..=6, 1u64..=5).prop_map(|(k, n)| (k, format!("classes = {k}\nper_class = {n}")))
}

fn check_attained(file: &str) -> Result<(), TestCaseError> {
    let p = Problem::from_toml(file).unwrap();
    let form = closed_form(&p).unwrap();
    let minimiser = form.minimiser(&p, PREC).unwrap();
    let value = objective(&p, &minimiser, PREC).unwrap();
    prop_assert!(small(&(&value - &form.f_star(PREC))), "{file}: value {:?} against {:?}", value, form.f_star(PREC));
    let gradient = match deep_gradient_norm(&p, &minimiser, PREC) {
        Some(g) => g,
        None => {
            let options = ufm::certify::CertifyOptions { digits: 70, ..Default::default() };
            ufm::certify::certify(&p, file.as_bytes(), &minimiser, &options).unwrap().gradient_norm.unwrap()
        }
    };
    prop_assert!(small(&gradient), "{file}: gradient {}", gradient.upper_decimal(3));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn plain_minimisers_attain_the_value((k, labels) in labels(), extra in 0u64..4, w in weight(), h in weight(), b in weight(), mode in 0usize..6) {
        let (loss, bias, dim) = [
            ("mse", "\"none\"".to_owned(), k),
            ("mse", "\"free\"".to_owned(), k - 1),
            ("mse", format!("\"regularized\"\nlambda_b = \"{b}\""), k),
            ("ce", "\"none\"".to_owned(), k - 1),
            ("ce", "\"free\"".to_owned(), k - 1),
            ("ce", format!("\"regularized\"\nlambda_b = \"{b}\""), k - 1),
        ][mode].clone();
        let dim = dim + extra;
        check_attained(&format!("model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"))?;
    }

    #[test]
    fn imbalanced_minimisers_attain_the_value(counts in prop::collection::vec(1u64..12, 2..6), dim in 1u64..7, w in weight(), h in weight()) {
        check_attained(&format!("model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclass_counts = {counts:?}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"))?;
    }

    #[test]
    fn deep_minimisers_attain_the_value(counts in prop::collection::vec(1u64..6, 2..5), extra in 0usize..3, lambdas in prop::collection::vec(weight(), 2..6)) {
        let dim = counts.len() + extra;
        check_attained(&format!("model = \"deep-linear\"\nloss = \"mse\"\nclass_counts = {counts:?}\ndim = {dim}\nlambdas = {lambdas:?}\n"))?;
    }
}

/// The scalar problem of one deep mode, min over x of (x−1)²/2 + (p/2) κ x^{2/p}, on a grid: nothing is below the closed form.
#[test]
fn deep_values_against_a_grid_of_the_scalar_problem() {
    for (p, lambdas) in
        [(2, "\"0.02\", \"0.03\""), (3, "\"0.02\", \"0.03\", \"0.01\""), (5, "\"0.02\", \"0.03\", \"0.01\", \"0.02\", \"0.02\"")]
    {
        let file = format!("model = \"deep-linear\"\nloss = \"mse\"\nclasses = 3\nper_class = 2\ndim = 3\nlambdas = [{lambdas}]\n");
        let form = closed_form(&Problem::from_toml(&file).unwrap()).unwrap();
        let Scalar::Value(kappa) = scalar(&form, "kappa", 64) else { panic!() };
        let kappa = kappa.mid().to_f64();
        let value = |x: f64| (x - 1.0).powi(2) / 2.0 + f64::from(p) / 2.0 * kappa * x.powf(2.0 / f64::from(p));
        let best = (0..=1_000_000).map(|i| value(f64::from(i) * 1e-6)).fold(f64::INFINITY, f64::min);
        let f_star = form.f_star(64).mid().to_f64();
        // The grid misses the minimum by at most (1e-6)²/8 times the second derivative, below 4; rounding by a few ulp.
        assert!(best >= f_star - 1e-14 && best <= f_star + 1e-11, "p = {p}: grid {best}, closed form {f_star}");
    }
}

#[test]
fn absurd_sizes_are_instant() {
    let file = "model = \"plain\"\nloss = \"ce\"\nbias = \"free\"\nclasses = 1000000\nper_class = 1000000000\ndim = 1000000\nlambda_w = \"1e-20\"\nlambda_h = \"1e-20\"\n";
    let p = Problem::from_toml(file).unwrap();
    let form = closed_form(&p).unwrap();
    assert!(decide_digits(50, 8192, |prec| form.f_star(prec)).is_some());
    assert!(form.minimiser(&p, 64).is_err());
}

/// Digits asked for where nothing but the digits is hard.
const MANY_DIGITS: u32 = 1000;

#[test]
fn pick_all_labels_far_from_and_near_the_threshold() {
    let form = |tags: &str, classes: u64, w: &str, h: &str| {
        let file = format!(
            "model = \"multi-label\"\nloss = \"pick-all-labels\"\nbias = \"free\"\nclasses = {classes}\ndim = {classes}\nper_tag_set = {{ {tags} }}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"
        );
        closed_form(&Problem::from_toml(&file).unwrap()).unwrap()
    };
    let margin = |form: &ClosedForm, prec, i: usize| match scalar(form, "margins", prec) {
        Scalar::Keyed(pairs) => pairs[i].1.clone(),
        other => panic!("{other:?}"),
    };
    // Σ w = 3 and (Nμ)² = 3 (1 − 10^-18), 3 or 3 (1 + 10^-18): alive, and zero from the threshold on.
    let near = form("1 = 1, 2 = 1", 4, "0.03", "0.999999999999999999");
    assert_eq!(near.regime(), Regime::Collapsed);
    // To first order 3 − 2s (1/4 + 2·2/4) = (Nμ)² and a_m = s: s = 1.2·10^-18.
    assert_eq!(decide_digits(15, 4096, |prec| margin(&near, prec, 0)).unwrap(), "1.20000000000000e-18");
    assert_eq!(form("1 = 1, 2 = 1", 4, "0.03", "1").regime(), Regime::Zero);
    assert_eq!(form("1 = 1, 2 = 1", 4, "0.03", "1.000000000000000001").regime(), Regime::Zero);
    // Single labels are cross-entropy: a = log(K/c − (K−1)).
    for (classes, w, h) in [(4, "0.03", "0.05"), (1000, "1e-5", "1e-6"), (1_000_000_000, "1e-40", "1e-60"), (3, "1e-100", "1e-100")] {
        let tags = form("1 = 5", classes, w, h);
        let file = format!(
            "model = \"plain\"\nloss = \"ce\"\nbias = \"free\"\nclasses = {classes}\nper_class = 5\ndim = {classes}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"
        );
        let ce = closed_form(&Problem::from_toml(&file).unwrap()).unwrap();
        let text = decide_digits(60, 8192, |prec| ce.f_star(prec)).unwrap();
        assert_eq!(decide_digits(60, 8192, |prec| tags.f_star(prec)).unwrap(), text);
        assert!(tags.f_star(1024).intersect(&ce.f_star(1024)).is_some());
    }
    // Full tag sets only: nothing to learn.
    let full = form("3 = 2", 3, "0.01", "0.01");
    assert_eq!(full.regime(), Regime::Zero);
    let many = form("1 = 2, 2 = 1, 3 = 3, 4 = 2, 5 = 1", 5, "0.002", "0.003");
    assert!(decide_digits(MANY_DIGITS, 8 * MANY_DIGITS, |prec| many.f_star(prec)).is_some());
}

#[test]
fn focal_regimes() {
    let form = |classes: u64, gamma: &str, bias: &str, w: &str| {
        let file = format!(
            "model = \"plain\"\nloss = \"focal\"\nbias = \"{bias}\"\nclasses = {classes}\nper_class = 1\ndim = {classes}\nlambda_w = \"{w}\"\nlambda_h = \"{w}\"\nfocusing = \"{gamma}\"\n"
        );
        closed_form(&Problem::from_toml(&file).unwrap())
    };
    // c = K λ. Between the jump (1.1157) and the fold, zero wins although a local minimum remains.
    assert_eq!(form(100, "2", "none", "0.01115").unwrap().regime(), Regime::Collapsed);
    assert_eq!(form(100, "2", "none", "0.01116").unwrap().regime(), Regime::Zero);
    assert_eq!(form(50, "1", "none", "0.02128").unwrap().regime(), Regime::Collapsed);
    assert_eq!(form(50, "1", "none", "0.02129").unwrap().regime(), Regime::Zero);
    // Beyond what the proof with a bias covers the answer says so.
    assert!(!form(100, "2", "none", "0.011").unwrap().conditional());
    assert!(form(100, "2", "free", "0.011").unwrap().conditional());
    assert!(!form(100, "2", "free", "0.01").unwrap().conditional());
    // No focusing is too small for it: S turns at most once for each.
    for bias in ["none", "free"] {
        let sharp = form(4, "0.5", bias, "0.01").unwrap();
        assert!(!sharp.conditional() && sharp.regime() == Regime::Collapsed);
    }
    // Focusing 0 is cross-entropy.
    assert_eq!(form(4, "0", "none", "0.01").unwrap().f_star(256), form_of_ce(4, "0.01").f_star(256));
    let many = form(30, "2.5", "none", "0.001").unwrap();
    assert!(decide_digits(MANY_DIGITS, 8 * MANY_DIGITS, |prec| many.f_star(prec)).is_some());
}

fn form_of_ce(classes: u64, w: &str) -> ClosedForm {
    let file = format!(
        "model = \"plain\"\nloss = \"ce\"\nbias = \"none\"\nclasses = {classes}\nper_class = 1\ndim = {classes}\nlambda_w = \"{w}\"\nlambda_h = \"{w}\"\n"
    );
    closed_form(&Problem::from_toml(&file).unwrap()).unwrap()
}

/// Just below the critical κ the larger root nearly meets a smaller one, and both lie within the square root of the distance.
#[test]
fn deep_values_next_to_the_critical_kappa() {
    // K³ n λ₁ λ₂ λ₃ = 1/16 exactly at λ₁ = 1/128 for K = 2, n = 1, λ₂ = λ₃ = 1; then x = 1/2, f* = 1/2.
    let value = |first: &str| {
        let file = format!(
            "model = \"deep-linear\"\nloss = \"mse\"\nclasses = 2\nper_class = 1\ndim = 2\nlambdas = [\"{first}\", \"1\", \"1\"]\n"
        );
        let form = closed_form(&Problem::from_toml(&file).unwrap()).unwrap();
        let text = decide_digits(50, 4096, |prec| match scalar(&form, "logit_scale", prec) {
            Scalar::Value(x) => x,
            other => panic!("{other:?}"),
        });
        (form.regime(), text.unwrap(), decide_digits(50, 4096, |prec| form.f_star(prec)).unwrap())
    };
    let nines = |n: usize| format!("0.0078124{}", "9".repeat(n));
    for n in [10, 40, 90, 150] {
        let (regime, x, f) = value(&nines(n));
        assert_eq!(regime, Regime::Collapsed);
        let (x, f) = (parse_decimal(&x).unwrap(), parse_decimal(&f).unwrap());
        let half = Rational::from((1, 2));
        // x − 1/2 is of the order of the square root of the distance; f* <= 1/2, the value at zero.
        assert!(x >= half && Rational::from(&x - &half) < Rational::from((1, 10_000)) && f <= half, "{n}: {x} {f}");
    }
    assert_eq!(value("0.0078125").1, format!("0.5{}", "0".repeat(49)));
    assert_eq!(value(&format!("0.0078125{}1", "0".repeat(90))).0, Regime::Zero);
}
