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
