//! Solve, certify, check on random problems; and mutations of every field of a certificate.

use proptest::prelude::*;
use rug::{Integer, Rational};
use ufm::{
    certify::{CertifyOptions, Verdict, certify, objective},
    closed_form::closed_form,
    problem::{Dyadic, ExactPoint, Point, Problem, evaluate},
    scalar::Ball,
    solve::{SolveOptions, Status, minimise},
};
use ufm_check::{Outcome, check};

fn file(loss: &str, bias: &str, labels: &str, dim: usize, weights: (&str, &str)) -> String {
    format!(
        "model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"{}\"\nlambda_h = \"{}\"\n",
        weights.0, weights.1
    )
}

fn weight() -> impl Strategy<Value = String> {
    (1u32..=99, 2u32..=4).prop_map(|(m, e)| format!("{m}e-{e}"))
}

fn any_problem() -> impl Strategy<Value = String> {
    let bias = prop_oneof![
        Just("\"none\"".to_owned()),
        Just("\"free\"".to_owned()),
        weight().prop_map(|b| format!("\"regularized\"\nlambda_b = \"{b}\""))
    ];
    let labels = prop_oneof![
        (2usize..=5, 1usize..=4).prop_map(|(k, n)| (k, format!("classes = {k}\nper_class = {n}"))),
        prop::collection::vec(1usize..8, 2..=4).prop_map(|c| (c.len(), format!("class_counts = {c:?}"))),
    ];
    let loss = prop_oneof![
        Just("\"mse\"".to_owned()),
        Just("\"ce\"".to_owned()),
        (0u32..=10).prop_map(|a| format!("\"label-smoothing\"\nsmoothing = \"{}\"", f64::from(a) / 10.0)),
        Just("\"pick-all-labels\"".to_owned()),
    ];
    (loss, bias, labels, tag_sets(), 0usize..3, weight(), weight()).prop_map(
        |(loss, bias, (k, labels), (tag_classes, sets), extra, w, h)| {
            if !loss.contains("labels") {
                return file(loss.trim_matches('"'), &bias, &labels, k + extra, (&w, &h));
            }
            file("pick-all-labels", &bias, &sets, tag_classes + extra, (&w, &h)).replace("plain", "multi-label")
        },
    )
}

/// Classes, and tag sets of random data in which every class occurs, or balanced ones.
fn tag_sets() -> impl Strategy<Value = (usize, String)> {
    let listed = (2usize..=4, prop::collection::btree_map(1u32..16, 1usize..5, 1..6)).prop_map(|(k, mut sets)| {
        sets.retain(|set, _| *set < 1 << k);
        sets.insert((1 << k) - 1, 2);
        let tags: Vec<Vec<usize>> = sets.keys().map(|set| (0..k).filter(|t| set >> t & 1 == 1).collect()).collect();
        let counts: Vec<usize> = sets.into_values().collect();
        (k, format!("classes = {k}\ntag_sets = {tags:?}\ntag_counts = {counts:?}"))
    });
    let balanced = (2usize..=4, 1usize..4, 1usize..4)
        .prop_map(|(k, one, two)| (k, format!("classes = {k}\nper_tag_set = {{ 2 = {two}, 1 = {one} }}")));
    prop_oneof![listed, balanced]
}

/// A converged point (gradient norm 1e-12) of these problems is certified to this gap: second order in the gradient over the smallest
/// weight, and the rounding of the dual matrix at 2^-50.
const GAP: f64 = 1e-12;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn solved_points_are_certified_and_checked(file in any_problem(), seed in 0u64..4) {
        let problem = Problem::from_toml(&file).unwrap();
        let solution = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
        prop_assert_eq!(solution.status, Status::Converged, "{}", file);
        let point = solution.point.to_exact().unwrap();
        let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
        prop_assert_eq!(&result.verdict, &Verdict::GlobalMinimum, "{}", file);
        let bounds = result.bounds.unwrap();
        prop_assert!(bounds.gap < GAP, "{file}: gap {}", bounds.gap);
        if let Ok(form) = closed_form(&problem) {
            let f_star = form.f_star(128);
            prop_assert!(!(&Ball::exact(bounds.lower.clone()) - &f_star).is_positive(), "{}", file);
            prop_assert!(!(&f_star - &Ball::exact(bounds.upper.clone())).is_positive(), "{}", file);
        }
        let outcome = check(file.as_bytes(), result.text.unwrap().as_bytes());
        prop_assert!(matches!(outcome, Outcome::Verified(_)), "{file}: {outcome:?}");
        // Another problem's file: refused.
        let other = file.replace("loss", " loss");
        let stolen = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap().text.unwrap();
        prop_assert!(!matches!(check(other.as_bytes(), stolen.as_bytes()), Outcome::Verified(_)));
    }

    #[test]
    fn random_points_are_not_critical(file in any_problem(), seed in 0u64..1000) {
        let problem = Problem::from_toml(&file).unwrap();
        let point = random_point(&problem, seed);
        let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
        prop_assert_eq!(&result.verdict, &Verdict::NotCritical);
        // The bounds hold at any point.
        let bounds = result.bounds.unwrap();
        prop_assert!(bounds.lower <= bounds.upper);
        let outcome = check(file.as_bytes(), result.text.unwrap().as_bytes());
        prop_assert!(matches!(outcome, Outcome::Verified(_)), "{file}: {outcome:?}");
    }

    /// The origin is critical; below the threshold it is a strict saddle, and the witness is accepted.
    #[test]
    fn the_origin_is_a_saddle_or_the_minimum(k in 2usize..5, n in 1usize..4, extra in 0usize..2, m in 1u32..100, mse in prop::bool::ANY) {
        let weights = format!("{m}e-2");
        let file = file(if mse { "mse" } else { "ce" }, "\"none\"", &format!("classes = {k}\nper_class = {n}"), k + extra, (&weights, &weights));
        let problem = Problem::from_toml(&file).unwrap();
        let point = zero_point(&problem).to_exact().unwrap();
        let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
        // c = K √n m/100; c = 1 exactly is a minimum too.
        let c_squared = Rational::from((k * k * n) as u64) * Rational::from((m, 100)).square();
        let expected = if c_squared >= 1 { Verdict::GlobalMinimum } else { Verdict::StrictSaddle };
        prop_assert_eq!(&result.verdict, &expected, "{}", file);
        let outcome = check(file.as_bytes(), result.text.unwrap().as_bytes());
        prop_assert!(matches!(outcome, Outcome::Verified(_)), "{file}: {outcome:?}");
    }
}

fn zero_point(problem: &Problem) -> Point {
    let (k, d, n) = problem.point_sizes().unwrap();
    let b = (problem.bias != ufm::problem::Bias::None).then(|| vec![0.0; k]);
    Point { factors: vec![faer::Mat::zeros(k, d)], h: faer::Mat::zeros(d, n), b }
}

fn random_point(problem: &Problem, seed: u64) -> ExactPoint {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut point = zero_point(problem);
    let mut fill = |x: &mut f64| *x = rng.random_range(-1.0..1.0);
    for m in point.factors.iter_mut().chain([&mut point.h]) {
        m.col_iter_mut().for_each(|c| c.iter_mut().for_each(&mut fill));
    }
    point.b.iter_mut().flatten().for_each(fill);
    point.to_exact().unwrap()
}

/// A critical point between: the second class is missing although it pays, so a saddle of rank one.
#[test]
fn partial_saddles_are_found() {
    let file = file("mse", "\"none\"", "class_counts = [4, 1]", 3, ("0.01", "0.01"));
    let problem = Problem::from_toml(&file).unwrap();
    // Mode of class 1 alone: x = √4 − N μ = 1.95, W = √x e, H = √x e / √n.
    let x = (2.0f64 - 0.05).sqrt();
    let mut point = zero_point(&problem);
    point.factors[0][(0, 0)] = x;
    (0..4).for_each(|i| point.h[(0, i)] = x / 2.0);
    let result = certify(&problem, file.as_bytes(), &point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
    assert_eq!(result.verdict, Verdict::StrictSaddle);
    assert!(matches!(check(file.as_bytes(), result.text.unwrap().as_bytes()), Outcome::Verified(_)));
}

/// Naive summation of entropies once gave negative gaps at K = 100: the enclosed gap cannot be.
#[test]
fn gaps_are_never_negative_at_a_hundred_classes() {
    let file = file("ce", "\"none\"", "classes = 100\nper_class = 1", 100, ("0.005", "0.001"));
    let problem = Problem::from_toml(&file).unwrap();
    let solution = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap();
    let result = certify(&problem, file.as_bytes(), &solution.point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
    let bounds = result.bounds.unwrap();
    assert!(bounds.gap > 0 && bounds.gap < 1e-13, "{}", bounds.gap);
    assert!(matches!(check(file.as_bytes(), result.text.unwrap().as_bytes()), Outcome::Verified(_)));
}

/// Fifty digits: closed-form minimisers are certified below 1e-40.
/// What rounding may add to the gap in words, in units of the general code's and absolutely: one more bit of shrink, and the 2^-60 grid's
/// share of the objective.
const WORDS_GAP: (f64, f64) = (1.5, 1e-15);

/// Beyond 256 classes the certifier works in machine words at 15 digits, with enclosures from 16 on: both prove what they say, the words no
/// less sharply.
#[test]
fn many_classes_are_certified_in_words() {
    let labels = "classes = 260\nper_class = 1";
    let weights = ("1e-3", "2e-3");
    let smoothed = "label-smoothing\"\nsmoothing = \"0.1";
    for (loss, bias) in [("mse", "free"), ("ce", "regularized\"\nlambda_b = \"0.01"), (smoothed, "none")] {
        let text = file(loss, &format!("\"{bias}\""), labels, 270, weights);
        let problem = Problem::from_toml(&text).unwrap();
        let point = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap().point.to_exact().unwrap();
        let certified = |digits| {
            let options = CertifyOptions { digits, ..Default::default() };
            let result = certify(&problem, text.as_bytes(), &point, &options).unwrap();
            assert_eq!(result.verdict, Verdict::GlobalMinimum, "{text}");
            let Outcome::Verified(claim) = check(text.as_bytes(), result.text.as_deref().unwrap().as_bytes()) else { panic!("{text}") };
            assert!(claim.bound("gradient").is_none());
            let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
            let again = pool.install(|| certify(&problem, text.as_bytes(), &point, &options)).unwrap();
            assert!(result.text == again.text, "{text}: another certificate on three threads");
            let gradient = result.gradient_norm.unwrap();
            (result.bounds.unwrap(), result.objective.unwrap(), gradient)
        };
        let ((words, value, gradient), (long, fine, reference)) = (certified(15), certified(16));
        assert!(value.contains(&fine) && gradient.contains(&reference), "{text}: {value:?} {fine:?} {gradient:?} {reference:?}");
        assert!(words.lower <= long.upper && long.lower <= words.upper, "{text}");
        assert!(words.gap <= WORDS_GAP.0 * long.gap.to_f64() + WORDS_GAP.1 && words.gap <= GAP, "{text}: {} {}", words.gap, long.gap);
        // A point that is no minimum goes the general way.
        let mut moved = point.to_f64();
        moved.h[(0, 0)] += 1e-3;
        let moved = certify(&problem, text.as_bytes(), &moved.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
        assert_eq!(moved.verdict, Verdict::NotCritical, "{text}");
        assert!(matches!(check(text.as_bytes(), moved.text.unwrap().as_bytes()), Outcome::Verified(_)), "{text}");
    }
}

#[test]
fn closed_form_points_are_certified_to_fifty_digits() {
    for (loss, bias) in [("mse", "\"none\""), ("mse", "\"free\""), ("mse", "\"regularized\"\nlambda_b = \"0.29\""), ("ce", "\"none\"")] {
        let file = file(loss, bias, "classes = 10\nper_class = 10", 12, ("0.005", "0.001"));
        let problem = Problem::from_toml(&file).unwrap();
        let point = closed_form(&problem).unwrap().minimiser(&problem, 220).unwrap();
        let options = CertifyOptions { digits: 50, ..Default::default() };
        let result = certify(&problem, file.as_bytes(), &point, &options).unwrap();
        let limit = rug::Float::with_val(64, rug::Float::parse("1e-40").unwrap());
        assert!(result.bounds.unwrap().gap < limit, "{file}");
        assert!(matches!(check(file.as_bytes(), result.text.unwrap().as_bytes()), Outcome::Verified(_)), "{file}");
    }
}

// Mutations. A mutant may be accepted only if what it claims is true, decided here by other means.

fn hex(text: &str) -> Integer {
    Integer::from_str_radix(text, 16).unwrap()
}

fn power(m: Integer, e: i32) -> Rational {
    if e >= 0 { Rational::from(m) << e as u32 } else { Rational::from(m) >> e.unsigned_abs() }
}

fn matrix(lines: &[&str], name: &str) -> Option<Dyadic> {
    let at = lines.iter().position(|l| l.split(' ').next() == Some(name))?;
    let head: Vec<i64> = lines[at].split(' ').skip(1).map(|t| t.parse().unwrap()).collect();
    let (rows, cols) = (head[0] as usize, head[1] as usize);
    let m = lines[at + 1..at + 1 + rows].iter().flat_map(|l| l.split(' ').map(hex)).collect();
    Some(Dyadic { rows, cols, exp: head[2] as i32, m })
}

fn claim(lines: &[&str], name: &str) -> Option<Rational> {
    let line = lines.iter().find(|l| l.starts_with(&format!("claim {name} ")))?;
    let (m, e) = line.split(' ').next_back()?.split_once("*2^")?;
    Some(power(hex(m), e.parse().ok()?))
}

/// Whether everything an accepted certificate claims is true, from the closed form and the exact objective.
fn true_claims(problem: &Problem, text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let point = ExactPoint { factors: vec![matrix(&lines, "W").unwrap()], h: matrix(&lines, "H").unwrap(), b: matrix(&lines, "b") };
    let options = CertifyOptions { digits: 40, ..Default::default() };
    let exact = certify(problem, b"", &point, &options).unwrap();
    let Some(gradient) = exact.gradient_norm else {
        // Logits beyond what cross-entropy is enclosed at: doubles, whose softmax saturates there, decide with room for their rounding.
        let measured = Rational::from_f64(evaluate(problem, &point.to_f64()).unwrap().gradient_norm).unwrap();
        return lines[2] == "kind not-critical" && claim(&lines, "gradient").unwrap() <= measured * Rational::from((1_000_001, 1_000_000));
    };
    let holds = |claimed: Option<Rational>, test: &dyn Fn(&Rational) -> bool| claimed.is_none_or(|c| test(&c));
    let f_star = closed_form(problem).unwrap().f_star(200);
    let value = objective(problem, &point, 200).unwrap();
    let gap = value.lower_rational().unwrap() - f_star.upper_rational().unwrap();
    let at_least_gap = |c: &Rational| *c >= gap;
    let kind = lines[2];
    holds(claim(&lines, "lower"), &|c| *c <= f_star.upper_rational().unwrap())
        && holds(claim(&lines, "upper"), &|c| *c >= value.lower_rational().unwrap())
        && holds(claim(&lines, "gap"), &at_least_gap)
        && holds(claim(&lines, "fit"), &at_least_gap)
        && holds(claim(&lines, "within-class"), &|c| *c >= 0)
        && holds(claim(&lines, "self-duality"), &|c| *c >= 0)
        && holds(claim(&lines, "gradient"), &|c| {
            let upper = gradient.upper_rational().unwrap();
            if kind == "kind not-critical" { *c <= upper } else { *c >= gradient.lower_rational().unwrap() }
        })
        && holds(claim(&lines, "curvature"), &|c| {
            let direction =
                ExactPoint { factors: vec![matrix(&lines, "dW").unwrap()], h: matrix(&lines, "dH").unwrap(), b: matrix(&lines, "db") };
            let e = size(&direction);
            *c < 0 && c * norm_squared(&direction) * power(Integer::from(1), -2 * e) >= second_derivative(problem, &point, &direction, e)
        })
}

fn matrices(p: &ExactPoint) -> impl Iterator<Item = &Dyadic> {
    p.factors.iter().chain([&p.h]).chain(&p.b)
}

fn norm_squared(v: &ExactPoint) -> Rational {
    matrices(v).flat_map(|x| x.m.iter().map(|m| power(Integer::from(m.square_ref()), 2 * x.exp))).sum()
}

/// The exponent of two that brings a direction's largest entry to about one.
fn size(v: &ExactPoint) -> i32 {
    matrices(v).flat_map(|x| x.m.iter().map(|m| m.significant_bits() as i32 + x.exp)).max().unwrap_or(0)
}

/// A number below f''(0) along v / 2^size: the central difference of five values, which is exact for the quartics of MSE; at steps of
/// 2^-30 the remainder for cross-entropy, of the order of the fourth power of the step, is below 2^-90.
fn second_derivative(problem: &Problem, point: &ExactPoint, v: &ExactPoint, size: i32) -> Rational {
    let moved = |steps: i32| {
        let add = |x: &Dyadic, v: &Dyadic| {
            let step = v.exp - 30 - size;
            let target = x.exp.min(step);
            let shift = |m: &Integer, from: i32| Integer::from(m << (from - target) as u32);
            let m = x.m.iter().zip(&v.m).map(|(a, b)| shift(a, x.exp) + shift(b, step) * steps).collect();
            Dyadic { rows: x.rows, cols: x.cols, exp: target, m }
        };
        let p = ExactPoint {
            factors: vec![add(&point.factors[0], &v.factors[0])],
            h: add(&point.h, &v.h),
            b: point.b.as_ref().zip(v.b.as_ref()).map(|(b, v)| add(b, v)),
        };
        objective(problem, &p, 300).unwrap().mid().to_rational().unwrap()
    };
    let sum = 16 * (moved(1) + moved(-1)) - 30 * moved(0) - moved(2) - moved(-2);
    (sum << 60u32) / 12u32 - Rational::from((1, Integer::from(1) << 90u32))
}

/// Every way a token is changed.
fn mutants(token: &str) -> Vec<String> {
    let mut all = vec![String::new(), format!("{token}0"), format!("1{token}"), format!("-{token}"), format!("{token} {token}")];
    if let Some(bare) = token.strip_prefix('-') {
        all.push(bare.to_owned());
    }
    for (i, c) in token.char_indices() {
        if let Some(digit) = c.to_digit(16) {
            let next = char::from_digit((digit + 1) % 16, 16).unwrap();
            all.push(format!("{}{next}{}", &token[..i], &token[i + c.len_utf8()..]));
        }
    }
    all
}

fn mutate_all(problem: &Problem, file: &str, text: &str) -> (usize, usize) {
    let (mut rejected, mut accepted) = (0, 0);
    let lines: Vec<&str> = text.lines().collect();
    let mut try_mutant = |mutant: &str| {
        if mutant == text {
            return;
        }
        match check(file.as_bytes(), mutant.as_bytes()) {
            Outcome::Verified(_) => {
                accepted += 1;
                assert!(true_claims(problem, mutant), "accepted, but false:\n{mutant}");
            }
            _ => rejected += 1,
        }
    };
    for (at, line) in lines.iter().enumerate() {
        let with = |replacement: Option<String>| {
            let mut changed: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
            match replacement {
                Some(r) => changed[at] = r,
                None => {
                    changed.remove(at);
                }
            }
            changed.join("\n") + "\n"
        };
        try_mutant(&with(None));
        try_mutant(&with(Some(format!("{line}\n{line}"))));
        let tokens: Vec<&str> = line.split(' ').collect();
        for (t, token) in tokens.iter().enumerate() {
            for mutant in mutants(token) {
                let mut changed: Vec<&str> = tokens.clone();
                changed[t] = &mutant;
                try_mutant(&with(Some(changed.join(" "))));
            }
        }
    }
    (rejected, accepted)
}

#[test]
fn every_field_of_every_kind_is_load_bearing() {
    let smoothed = "label-smoothing\"\nsmoothing = \"0.1";
    for (loss, bias) in [
        ("mse", "\"none\""),
        ("mse", "\"free\""),
        ("ce", "\"free\""),
        ("ce", "\"regularized\"\nlambda_b = \"0.5\""),
        (smoothed, "\"free\""),
        ("pick-all-labels", "\"none\""),
    ] {
        let mut file = file(loss, bias, "classes = 2\nper_class = 2", 2, ("0.1", "0.05"));
        if loss == "pick-all-labels" {
            file = file.replace("plain", "multi-label").replace("per_class = 2", "per_tag_set = { 1 = 1, 2 = 1 }");
        }
        let problem = Problem::from_toml(&file).unwrap();
        let solved = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap().point.to_exact().unwrap();
        let origin = zero_point(&problem).to_exact().unwrap();
        for (point, wanted) in
            [(solved, Verdict::GlobalMinimum), (origin, Verdict::StrictSaddle), (random_point(&problem, 1), Verdict::NotCritical)]
        {
            let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
            // With a bias of its own to gain, MSE's origin is not critical.
            if result.verdict != wanted {
                assert_eq!((loss, bias, &wanted), ("mse", "\"free\"", &Verdict::StrictSaddle));
                continue;
            }
            let (rejected, accepted) = mutate_all(&problem, &file, &result.text.unwrap());
            // A direction's entries have slack by nature; a point's and a dual matrix's hardly any.
            let least = if wanted == Verdict::GlobalMinimum { 4 } else { 1 };
            assert!(rejected > least * accepted, "{loss} {bias} {wanted:?}: {rejected} rejected, {accepted} accepted");
        }
    }
}

/// A tolerance below what the digits can show: honest, with the reason, and settled by more digits.
#[test]
fn tolerances_beyond_the_digits_are_undecided_until_more_are_asked() {
    let file = file("mse", "\"free\"", "classes = 2\nper_class = 2", 2, ("0.1", "0.05"));
    let problem = Problem::from_toml(&file).unwrap();
    // Critical to a hundred bits: beyond what five digits see, far from eighty.
    let point = closed_form(&problem).unwrap().minimiser(&problem, 100).unwrap();
    let tiny = Rational::from((1, Integer::from(Integer::u_pow_u(10, 80))));
    let ask = |digits| {
        let options = CertifyOptions { digits, gap_tol: tiny.clone(), tol: tiny.clone() };
        certify(&problem, file.as_bytes(), &point, &options).unwrap()
    };
    let Verdict::Undecided(reason) = ask(5).verdict else { panic!("{:?}", ask(5).verdict) };
    assert!(reason.starts_with("precision"), "{reason}");
    let settled = ask(100);
    assert_eq!(settled.verdict, Verdict::NotCritical);
    assert!(matches!(check(file.as_bytes(), settled.text.unwrap().as_bytes()), Outcome::Verified(_)));
}
