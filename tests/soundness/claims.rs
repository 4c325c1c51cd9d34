//! Traps in what is claimed: printed bounds, reference values, gaps.

use std::path::Path;

use rug::{Integer, Rational};
use serde_json::Value;
use ufm::{
    certify::{CertifyOptions, certify},
    closed_form::{Scalar, closed_form},
    problem::Problem,
    scalar::{Ball, parse_decimal},
};
use ufm_check::{Outcome, check};

/// The checker's claims are exact numbers m*2^e; the decimal beside each is a weaker claim, rounded away from it, never to nearest.
#[test]
fn trap_a_checker_that_prints_decimals() {
    let gallery = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/gallery");
    let expected = std::fs::read_to_string(gallery.join("expected.txt")).unwrap();
    let (mut bounds, mut rounded) = (0, 0);
    for line in expected.lines().filter(|l| l.ends_with(" verified")) {
        let names: Vec<&str> = line.split(' ').collect();
        let read = |name: &str| std::fs::read(gallery.join(name)).unwrap();
        let Outcome::Verified(claim) = check(&read(names[1]), &read(names[0])) else { panic!("{line}") };
        for line in claim.to_string().lines() {
            let words: Vec<&str> = line.split_whitespace().map(|w| w.trim_matches(['(', ')'])).collect();
            let relations: Vec<usize> = (0..words.len()).filter(|i| ["<=", ">="].contains(&words[*i])).collect();
            if relations.is_empty() {
                assert!(!line.contains(|c: char| c.is_ascii_digit()), "a number that is no bound: {line}");
                continue;
            }
            let [first, second] = relations[..] else { panic!("an exact bound and a decimal: {line}") };
            assert_eq!(words[first], words[second], "{line}");
            let (mantissa, exponent) = words[first + 1].split_once("*2^").unwrap_or_else(|| panic!("not exact: {line}"));
            let mantissa = Rational::from(Integer::from_str_radix(mantissa, 16).unwrap());
            let exact = mantissa << exponent.parse::<i32>().unwrap();
            let decimal = parse_decimal(words[second + 1]).unwrap();
            assert!(if words[first] == "<=" { exact <= decimal } else { exact >= decimal }, "{line}");
            bounds += 1;
            rounded += usize::from(exact != decimal);
        }
    }
    assert!(bounds > 20 && rounded > 5, "{bounds} bounds, {rounded} of them rounded");
}

/// The files of reference values and the model of each case.
fn references() -> Vec<(Value, Problem)> {
    let problem = |case: &Value| {
        let line = |(name, value): (&String, &Value)| match value {
            Value::Object(sets) => {
                let inner: Vec<String> = sets.iter().map(|(m, q)| format!("{m} = {q}")).collect();
                format!("{name} = {{ {} }}\n", inner.join(", "))
            }
            other => format!("{name} = {other}\n"),
        };
        let fields = case.as_object().unwrap().iter().filter(|(name, _)| *name != "expect");
        Problem::from_toml(&fields.map(line).collect::<String>()).unwrap()
    };
    let cases = [include_str!("../data/closed_forms.json"), include_str!("../data/edge_cases.json")]
        .map(|text| serde_json::from_str::<Value>(text).unwrap());
    cases.iter().flat_map(|file| file["cases"].as_array().unwrap().clone()).map(|case| (case.clone(), problem(&case))).collect()
}

/// Digits of the reference values that a typo may not change unseen; of 70, the last is rounded.
const GUARDED: usize = 67;
/// Half a unit of the digit after the guarded ones, relative to the leading digit.
fn half_a_unit(reference: &Rational) -> Rational {
    reference.clone().abs() / (Rational::from(Integer::from(Integer::u_pow_u(10, GUARDED as u32))) * 2u32)
}

/// Reference data copied with a typo: any other digit in any of the first 67 places is refused by the enclosure of the closed form.
#[test]
fn trap_a_typo_in_the_reference_values_is_seen() {
    let mut mutants = 0;
    for (case, problem) in references() {
        let form = closed_form(&problem).unwrap();
        let mut values = vec![("f_star", form.f_star(320))];
        values.extend(form.scalars(320).into_iter().filter_map(|(name, s)| if let Scalar::Value(x) = s { Some((name, x)) } else { None }));
        for (name, ours) in values {
            let Some(text) = case["expect"][name].as_str() else { continue };
            let reference = parse_decimal(text).unwrap();
            let slack = half_a_unit(&reference);
            let (low, high) = (ours.lower_rational().unwrap() - &slack, ours.upper_rational().unwrap() + &slack);
            assert!(low <= reference && reference <= high, "{name}: {case}");
            let significant = text.bytes().position(|b| (b'1'..=b'9').contains(&b));
            let Some(first) = significant else { continue };
            let places = text.bytes().enumerate().skip(first).filter(|(_, b)| b.is_ascii_digit()).take(GUARDED);
            for (at, digit) in places {
                for other in (b'0'..=b'9').filter(|d| *d != digit) {
                    let mut typo = text.as_bytes().to_vec();
                    typo[at] = other;
                    let typo = parse_decimal(std::str::from_utf8(&typo).unwrap()).unwrap();
                    assert!(typo < low || high < typo, "{name}, place {at}, digit {other}: {case}");
                    mutants += 1;
                }
            }
        }
    }
    assert!(mutants > 100_000, "{mutants} typos tried");
}

/// The objective along the collapsed direction as a function of its one scalar, for the models that have one, and the scalar's name.
fn scalar_objective(case: &Value, x: &Ball) -> Option<(&'static str, Ball)> {
    let prec = x.prec();
    let decimal = |name: &str| Ball::from_rational(&parse_decimal(case[name].as_str().unwrap()).unwrap(), prec);
    let whole = |n: i64| Ball::from_rational(&Rational::from(n), prec);
    let (k, n) = (whole(case["classes"].as_i64()?), whole(case["per_class"].as_i64()?));
    let fit = (x - whole(1)).square().scale(-1);
    if case["model"] == "deep-linear" {
        let lambdas: Vec<Ball> =
            case["lambdas"].as_array()?.iter().map(|l| Ball::from_rational(&parse_decimal(l.as_str().unwrap()).unwrap(), prec)).collect();
        let p = lambdas.len() as u32;
        let kappa = k * lambdas.iter().fold(n, |product, l| product * l).root(p);
        let energy = if x.is_exact() && x.contains_zero() { x.clone() } else { x.square().root(p) };
        return Some(("logit_scale", fit + whole(p.into()).scale(-1) * kappa * energy));
    }
    if case["model"] != "plain" {
        return None;
    }
    let c = &k * (n * decimal("lambda_w") * decimal("lambda_h")).sqrt();
    let others = &k - whole(1);
    if case["loss"] == "mse" {
        let share = match case["bias"].as_str()? {
            "none" => whole(1),
            "free" => &others / &k,
            _ => return None,
        };
        return Some(("logit_scale", share * (fit + c * x)));
    }
    // ln of the probabilities of the right class and of each other one.
    let right = -(&others * (-x).exp()).ln_1p();
    let wrong = &right - x;
    let penalty = &others * c / &k * x;
    let loss = match case["loss"].as_str()? {
        "ce" => -right,
        "label-smoothing" => {
            let spread = decimal("smoothing") / &k;
            -((whole(1) - &spread * &others) * right + &others * &spread * wrong)
        }
        "focal" => -((&others * wrong.exp()).pow(&decimal("focusing")) * right),
        _ => return None,
    };
    Some(("margin", loss + penalty))
}

/// Reference values by a second route, without closed forms: the value is that of the objective at the reference scalar, and the objective
/// is larger on both sides.
#[test]
fn trap_reference_values_by_direct_minimisation() {
    const PREC: u32 = 400;
    // Relative distance of the neighbours: far above the 70 digits of the data, far below any other feature of the objective.
    let (below, above) = ((Rational::from(1) << 40) - 1u32, (Rational::from(1) << 40) + 1u32);
    let mut checked = 0;
    for (case, _) in references() {
        let Some((name, _)) = scalar_objective(&case, &Ball::from_f64(1.0, PREC)) else { continue };
        let (Some(value), Some(scalar)) = (case["expect"]["f_star"].as_str(), case["expect"][name].as_str()) else { continue };
        let (value, scalar) = (parse_decimal(value).unwrap(), parse_decimal(scalar).unwrap());
        let at = |x: &Rational| scalar_objective(&case, &Ball::from_rational(x, PREC)).unwrap().1;
        let slack = half_a_unit(&value);
        let f = at(&scalar);
        assert!(
            f.lower_rational().unwrap() - &slack <= value && value <= f.upper_rational().unwrap() + &slack,
            "{case}: {}",
            f.lower_decimal(70)
        );
        let larger = |x: &Rational| at(x).lower_rational().unwrap() > Rational::from(&value + &slack);
        if scalar == 0 {
            assert!(larger(&(Rational::from(1) >> 40)), "{case}");
        } else {
            assert!(larger(&(Rational::from(&scalar * &below) >> 40)) && larger(&(Rational::from(&scalar * &above) >> 40)), "{case}");
        }
        checked += 1;
    }
    assert_eq!(checked, 64, "balanced one-scalar models");
}

/// Entropies summed naively in doubles exceed the minimum they are to bound from below, so that gaps became negative; certified ones don't.
#[test]
fn trap_negative_gaps_from_naive_entropy_sums() {
    const K: usize = 100;
    let toml = |m: u32| {
        format!(
            "model = \"plain\"\nloss = \"ce\"\nbias = \"none\"\nclasses = {K}\nper_class = 1\ndim = {K}\nlambda_w = \"{m}e-5\"\nlambda_h = \"{m}e-5\"\n"
        )
    };
    // The bound (1/N) Σ entropy(q_i) is attained at the minimum, q_i the collapsed probabilities: 1 − (K−1) c/K and c/K, c = K m 10⁻⁵.
    let naive = |m: u32| {
        let rest = f64::from(m) * 1e-5;
        let right = 1.0 - (K - 1) as f64 * rest;
        let columns = (0..K).flat_map(|j| (0..K).map(move |i| if i == j { right } else { rest }));
        columns.fold(0.0, |sum, q| sum - q * q.ln()) / K as f64
    };
    let value = |m: u32| closed_form(&Problem::from_toml(&toml(m)).unwrap()).unwrap().f_star(200);
    let unsound: Vec<u32> = (1..200).filter(|m| Ball::from_f64(naive(*m), 200).lower() > value(*m).upper()).collect();
    assert!(!unsound.is_empty(), "the trap is real: some naive lower bound exceeds the minimum");
    for &m in &unsound[..2] {
        let text = toml(m);
        let problem = Problem::from_toml(&text).unwrap();
        let point = closed_form(&problem).unwrap().minimiser(&problem, 64).unwrap();
        let bounds = certify(&problem, text.as_bytes(), &point, &CertifyOptions::default()).unwrap().bounds.unwrap();
        let (low, high) = (Ball::exact(bounds.lower.clone()), Ball::exact(bounds.upper.clone()));
        assert!(bounds.gap >= 0 && bounds.lower <= bounds.upper, "{m}: gap {}", bounds.gap);
        assert!(low.lower() <= value(m).upper() && value(m).lower() <= high.upper(), "{m}: the certified interval contains the minimum");
    }
}
