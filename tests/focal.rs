//! Certificates of the focal loss: random problems solved, certified and checked; the gap follows the digits.

use proptest::prelude::*;
use ufm::certify::{Certification, CertifyOptions, Verdict, certify, certify_with};
use ufm::closed_form::{Regime, closed_form};
use ufm::problem::{Dyadic, Point, Problem};
use ufm::scalar::{Ball, Integer, Rational};
use ufm::solve::{Method, SolveOptions, minimise_lowest};
use ufm_check::{Kind, Outcome, check};

fn file(focusing: &str, bias: &str, classes: u32, per_class: u32, dim: u32, lambda_w: &str, lambda_h: &str) -> String {
    let lambda_b = if bias == "regularized" { "lambda_b = \"0.3\"\n" } else { "" };
    format!(
        "model = \"plain\"\nloss = \"focal\"\nfocusing = \"{focusing}\"\nbias = \"{bias}\"\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\nlambda_w = \"{lambda_w}\"\nlambda_h = \"{lambda_h}\"\n{lambda_b}"
    )
}

fn options(digits: u32) -> CertifyOptions {
    CertifyOptions { digits, ..Default::default() }
}

fn below(x: &rug::Float, digits: u32) -> bool {
    x.to_rational().unwrap() <= Rational::from((Integer::from(1), Integer::from(Integer::u_pow_u(10, digits))))
}

/// The checker's view of a certificate: what it verified.
fn verified(file: &str, c: &Certification) -> ufm_check::Claim {
    let text = c.text.as_ref().unwrap_or_else(|| panic!("{file}: {:?}", c.verdict));
    match check(file.as_bytes(), text.as_bytes()) {
        Outcome::Verified(claim) => claim,
        other => panic!("{file}: {other:?}\n{text}"),
    }
}

/// The closed-form minimiser certified at several digits: accepted, the gap below 10^-digits, the closed form's value inside.
fn closed(file: &str, digits: &[u32]) {
    let problem = Problem::from_toml(file).unwrap();
    let form = closed_form(&problem).unwrap();
    assert!(!form.conditional(), "{file}");
    for &digits in digits {
        let bits = digits * 10 / 3 + 80;
        let c = certify(&problem, file.as_bytes(), &form.minimiser(&problem, bits).unwrap(), &options(digits)).unwrap();
        let b = c.bounds.as_ref().unwrap_or_else(|| panic!("{file}: {:?}", c.verdict));
        assert!(c.verdict == Verdict::GlobalMinimum && below(&b.gap, digits), "{file}: {digits} {}", b.gap);
        assert_eq!(verified(file, &c).kind, Kind::Gap);
        assert!(c.tight && b.collapse.is_some(), "{file}");
        let value = form.f_star(bits + 64);
        let inside = Ball::from_bounds(b.lower.clone(), b.upper.clone());
        assert!(inside.contains(&value), "{file}");
    }
}

#[test]
fn closed_forms_are_certified_to_the_digits() {
    for (focusing, bias, k, n, dim, lw, lh) in [
        ("2", "none", 4, 50, 6, "0.005", "0.001"),
        ("0", "none", 3, 2, 4, "0.01", "0.02"),
        ("0.5", "free", 3, 2, 4, "0.01", "0.02"),
        ("0.01", "none", 2, 3, 2, "0.1", "0.05"),
        ("3", "free", 3, 2, 2, "0.02", "0.01"),
        ("1.5", "regularized", 5, 2, 5, "0.01", "0.01"),
        ("100", "none", 3, 1, 3, "0.001", "0.001"),
        // Zero: beyond the threshold, with and without a bias.
        ("2", "none", 3, 1, 3, "0.6", "0.6"),
        ("2", "free", 3, 2, 3, "0.6", "0.6"),
        // S(1/K) > 1: both sides of the jump of the margin, and a cost without any other local minimum.
        ("2", "none", 100, 1, 99, "0.01115", "0.01115"),
        ("2", "none", 100, 1, 99, "0.01116", "0.01116"),
        ("1", "none", 50, 1, 49, "0.02128", "0.02128"),
        ("1", "none", 50, 1, 49, "0.02129", "0.02129"),
        ("1", "none", 50, 1, 49, "0.5", "0.5"),
        ("1", "free", 50, 1, 49, "0.01", "0.01"),
    ] {
        let digits: &[u32] = if k < 50 { &[15, 40, 120] } else { &[15, 40] };
        closed(&file(focusing, bias, k, n, dim, lw, lh), digits);
    }
}

fn minimised(problem: &Problem, seed: u64) -> Point {
    let options = SolveOptions { method: Method::suited_to(problem), seed, ..Default::default() };
    minimise_lowest(problem, &options, &mut |_| {}, &mut |_, _| {}).unwrap().solution.point
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Solved numerically from random starts, certified, checked: the gap is that of a double.
    #[test]
    fn random_problems(
        focusing in 0u32..400, bias in 0usize..3, k in 2u32..7, n in 1u32..5, room in 0u32..3,
        lw in 1u32..300, lh in 1u32..300, seed in 0u64..1000,
    ) {
        let decimal = |x: u32, scale: u32| format!("{}", f64::from(x) / f64::from(scale));
        let file = file(
            &decimal(focusing, 100), ["none", "free", "regularized"][bias], k, n, k - 1 + room, &decimal(lw, 5000), &decimal(lh, 5000),
        );
        let problem = Problem::from_toml(&file).unwrap();
        let point = minimised(&problem, seed).to_exact().unwrap();
        let c = certify(&problem, file.as_bytes(), &point, &options(15)).unwrap();
        prop_assert_eq!(&c.verdict, &Verdict::GlobalMinimum, "{}", file);
        let gap = &c.bounds.as_ref().unwrap().gap;
        prop_assert!(below(gap, 12), "{file}: {gap}");
        prop_assert_eq!(verified(&file, &c).kind, Kind::Gap);
        let collapsed = closed_form(&problem).unwrap().regime() == Regime::Collapsed;
        prop_assert!(c.bounds.unwrap().collapse.is_some() || !collapsed, "{file}");
    }
}

/// Behind the mean the bound says nothing of collapse unless it holds at negative margins: S(1/K) > 1 for K = 50.
#[test]
fn negative_margins_leave_the_value_alone() {
    let file = file("1", "none", 50, 1, 50, "0.5", "0.5");
    let problem = Problem::from_toml(&file).unwrap();
    for (entry, kept) in [(1e-12, true), (-1e-12, false)] {
        let eye = |x: f64| faer::Mat::from_fn(50, 50, |i, j| if i == j { x } else { 0.0 });
        let point = Point { factors: vec![eye(1.0 / 1024.0 / 1024.0)], h: eye(entry), b: None }.to_exact().unwrap();
        let c = certify(&problem, file.as_bytes(), &point, &options(15)).unwrap();
        assert_eq!((c.verdict.clone(), c.bounds.as_ref().unwrap().collapse.is_some()), (Verdict::GlobalMinimum, kept));
        assert_eq!(verified(&file, &c).bound("within-class").is_some(), kept);
        // Claims of collapse are refused where the margins do not allow them.
        if !kept {
            let claims = "claim within-class <= 1*2^9\nclaim self-duality <= 1*2^9\nclaim fit <= 1*2^9\nclaim gradient";
            let text = c.text.unwrap().replace("claim gradient", claims);
            let Outcome::Rejected { reason, .. } = check(file.as_bytes(), text.as_bytes()) else { panic!("collapse claimed") };
            assert!(reason.starts_with("D6"), "{reason}");
        }
    }
}

/// With a bias and min(κ, S(1/K)) > 1 the slope 1 bounds what theory leaves open: a certificate with a gap, said not to be tight.
#[test]
fn conditional_biases_get_a_bound_that_is_not_tight() {
    for bias in ["free", "regularized"] {
        let file = file("1", bias, 50, 1, 50, "0.0213", "0.0213");
        let problem = Problem::from_toml(&file).unwrap();
        let form = closed_form(&problem).unwrap();
        assert!(form.conditional());
        let c = certify(&problem, file.as_bytes(), &form.minimiser(&problem, 80).unwrap(), &options(15)).unwrap();
        let b = c.bounds.as_ref().unwrap();
        assert!(c.verdict == Verdict::NearMinimum && !c.tight && !below(&b.gap, 5) && below(&b.gap, 1), "{:?} {}", c.verdict, b.gap);
        assert!((&form.f_star(128) - &Ball::exact(b.lower.clone())).is_positive());
        verified(&file, &c);
    }
}

#[test]
fn other_verdicts() {
    // Far from critical, balanced or not.
    let balanced = file("2", "free", 3, 2, 4, "0.01", "0.02");
    let listed = balanced.replace("classes = 3\nper_class = 2", "class_counts = [3, 2, 1]");
    for file in [&balanced, &listed] {
        let problem = Problem::from_toml(file).unwrap();
        let matrix = |r, c| faer::Mat::from_fn(r, c, |i, j| (i as f64 - 1.3 * j as f64).sin());
        let point = Point { factors: vec![matrix(3, 4)], h: matrix(4, 6), b: Some(vec![0.1, -0.3, 0.7]) }.to_exact().unwrap();
        let c = certify(&problem, file.as_bytes(), &point, &options(15)).unwrap();
        assert_eq!(c.verdict, Verdict::NotCritical);
        assert_eq!(verified(file, &c).kind, Kind::NotCritical);
    }
    // No bound for classes of different sizes; equal sizes may be listed.
    let problem = Problem::from_toml(&listed).unwrap();
    let c = certify(&problem, listed.as_bytes(), &minimised(&problem, 0).to_exact().unwrap(), &options(15)).unwrap();
    assert!(matches!(&c.verdict, Verdict::Undecided(why) if why.contains("balanced")) && c.text.is_none());
    closed(&balanced.replace("classes = 3\nper_class = 2", "class_counts = [2, 2, 2]"), &[15]);
    // Below K − 1 dimensions the bound holds and is not attained.
    let flat = file("2", "none", 5, 2, 2, "0.005", "0.005");
    let problem = Problem::from_toml(&flat).unwrap();
    let c = certify(&problem, flat.as_bytes(), &minimised(&problem, 0).to_exact().unwrap(), &options(15)).unwrap();
    assert!(c.verdict == Verdict::NearMinimum && !c.tight);
    verified(&flat, &c);
}

/// A dual matrix of one's own: a multiple of I − J/K inside the ball proves its bound, any other matrix nothing.
#[test]
fn given_dual_matrices() {
    let file = file("2", "none", 3, 1, 2, "0.01", "0.02");
    let problem = Problem::from_toml(&file).unwrap();
    let point = closed_form(&problem).unwrap().minimiser(&problem, 80).unwrap();
    // μ = sqrt(2)/100: the largest t is 0.01414.
    let r = |t: i32, diagonal: i32| Dyadic {
        rows: 3,
        cols: 3,
        exp: -16,
        m: (0..9).map(|i| Integer::from(if i % 4 == 0 { diagonal } else { t })).collect(),
    };
    let of = |r: &Dyadic| certify_with(&problem, file.as_bytes(), &point, &options(15), Some(r)).unwrap();
    let good = of(&r(900, -1800));
    assert!(good.verdict == Verdict::NearMinimum && below(&good.bounds.as_ref().unwrap().gap, 2));
    verified(&file, &good);
    for bad in [r(927, -1854), r(900, -1801), r(-900, 1800), r(0, 0), r(900, -1799)] {
        let c = of(&bad);
        assert!(c.bounds.is_none() && matches!(c.verdict, Verdict::Undecided(_)), "{:?}", bad.m);
    }
}
