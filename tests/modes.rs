//! The bound from the target's singular values: tight for plain MSE at every dimension, sound at every point, accepted by the checker.

mod support;

use faer::{Mat, Scale};
use proptest::prelude::*;
use support::{combine, scattered};
use ufm::{
    certify::{Bounds, CertifyOptions, Verdict, certify},
    closed_form::closed_form,
    linalg::thin_svd,
    problem::{Bias, ExactPoint, Point, Problem},
    scalar::{Ball, Rational},
    solve::{SolveOptions, Status, minimise, refine},
};
use ufm_check::{Outcome, check};

fn file(bias: &str, labels: &str, dim: usize, [w, h]: [&str; 2]) -> String {
    format!("model = \"plain\"\nloss = \"mse\"\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n")
}

fn weight() -> impl Strategy<Value = String> {
    (1u32..=99, 2u32..=5).prop_map(|(m, e)| format!("{m}e-{e}"))
}

/// Any bias, class sizes and dimension from 1 to K + 1.
fn any_problem() -> impl Strategy<Value = String> {
    let regularized = |b: String| format!("\"regularized\"\nlambda_b = \"{b}\"");
    let bias = prop_oneof![Just("\"none\"".to_owned()), Just("\"free\"".to_owned()), weight().prop_map(regularized)];
    let labels = prop_oneof![
        (2usize..=6, 1usize..=4).prop_map(|(k, n)| (k, format!("classes = {k}\nper_class = {n}"))),
        prop::collection::vec(1usize..20, 2..=6).prop_map(|c| (c.len(), format!("class_counts = {c:?}"))),
    ];
    (bias, labels, 0usize..7, weight(), weight())
        .prop_map(|(bias, (k, labels), dim, w, h)| file(&bias, &labels, 1 + dim % (k + 1), [&w, &h]))
}

/// The verdict and the bounds at a point, after the checker has accepted the certificate.
fn certified(file: &str, point: &ExactPoint, digits: u32) -> (Verdict, Bounds, String) {
    let problem = Problem::from_toml(file).unwrap();
    let result = certify(&problem, file.as_bytes(), point, &CertifyOptions { digits, ..Default::default() }).unwrap();
    let text = result.text.unwrap();
    let outcome = check(file.as_bytes(), text.as_bytes());
    assert!(matches!(outcome, Outcome::Verified(_)), "{file}: {outcome:?}");
    (result.verdict, result.bounds.unwrap(), text)
}

fn above(x: &rug::Float, y: &Ball) -> bool {
    (&Ball::exact(x.clone()) - y).is_positive()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// At closed-form minimisers the certified gap is below the digits asked and the bounds are on their sides of the value; away from
    /// them the lower bound still is.
    #[test]
    fn minimisers_are_certified_at_every_dimension(file in any_problem(), seed in 0u64..1000) {
        let problem = Problem::from_toml(&file).unwrap();
        let off = scattered(&problem, seed, 0.5).to_exact().unwrap();
        let (_, elsewhere, _) = certified(&file, &off, 40);
        let Ok(form) = closed_form(&problem) else {
            // A regularized bias with classes of different sizes: below every point's objective.
            let solution = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
            let (_, bounds, _) = certified(&file, &solution.point.to_exact().unwrap(), 15);
            prop_assert!(elsewhere.lower <= bounds.upper && bounds.lower <= bounds.upper);
            return Ok(());
        };
        let f_star = form.f_star(400);
        let (verdict, bounds, _) = certified(&file, &form.minimiser(&problem, 200).unwrap(), 40);
        prop_assert_eq!(&verdict, &Verdict::GlobalMinimum, "{}", file);
        prop_assert!(bounds.gap.to_f64() < 1e-40, "{file}: {}", bounds.gap);
        prop_assert!(!above(&bounds.lower, &f_star) && !above(&elsewhere.lower, &f_star), "{}", file);
        prop_assert!(above(&bounds.upper, &(&f_star - &Ball::from_f64(1e-60, 128))), "{}", file);
    }

    /// What minimisation from a random start finds at d < K is a global minimum or shown to have a gap; the value of the minimum is the
    /// closed form's, which knows nothing of the minimiser.
    #[test]
    fn solved_points_are_global_minima(file in any_problem(), seed in 0u64..4) {
        let problem = Problem::from_toml(&file).unwrap();
        let solution = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
        prop_assert_eq!(solution.status, Status::Converged, "{}", file);
        let point = solution.point.to_exact().unwrap();
        let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
        if result.tight {
            prop_assert_eq!(&result.verdict, &Verdict::GlobalMinimum, "{}", file);
        }
        prop_assert!(matches!(check(file.as_bytes(), result.text.unwrap().as_bytes()), Outcome::Verified(_)));
    }
}

/// tr S_W, ‖W − √(λ_H/λ_W) U Hᵀ‖² with U the polar factor of WH, and Σ (x_i − (σ_i − N μ)_+)²/(2N) over the singular values x of WH S and
/// σ of T S, S = (I − c 11ᵀ/N)^{1/2}; in double precision.
fn consequences(problem: &Problem, point: &Point) -> [f64; 3] {
    let (w, h) = (&point.factors[0], &point.h);
    let (k, d, n) = (w.nrows(), h.nrows(), h.ncols());
    let counts = problem.class_counts().unwrap();
    let labels: Vec<usize> = counts.iter().enumerate().flat_map(|(c, &n)| vec![c; n as usize]).collect();
    let average = Mat::from_fn(n, n, |i, j| if labels[i] == labels[j] { 1.0 / counts[labels[i]] as f64 } else { 0.0 });
    let within = (h - h * average).squared_norm_l2() / n as f64;
    let [lambda_h, lambda_w] = [0, 1].map(|i| problem.lambdas()[i].to_f64());
    let x = w * h;
    let (u, _, v) = thin_svd(x.as_ref()).unwrap();
    // The rank of WH is at most d: further singular vectors belong to rounding.
    let kept = d.min(k);
    let polar = u.subcols(0, kept) * v.subcols(0, kept).transpose();
    let duality = (w - Scale((lambda_h / lambda_w).sqrt()) * polar * h.transpose()).squared_norm_l2();
    let c = match &problem.bias {
        Bias::None => 0.0,
        Bias::Free => 1.0,
        Bias::Regularized { lambda_b } => 1.0 / (1.0 + lambda_b.to_f64()),
    };
    let root = Mat::from_fn(n, n, |i, j| f64::from(i == j) - (1.0 - (1.0f64 - c).sqrt()) / n as f64);
    let targets = Mat::from_fn(k, n, |i, j| f64::from(labels[j] == i));
    let singular = |a: &Mat<f64>| thin_svd((a * &root).as_ref()).unwrap().1;
    let threshold = n as f64 * (lambda_h * lambda_w).sqrt();
    let pairs = singular(&x).into_iter().zip(singular(&targets)).take(kept);
    let fit = pairs.map(|(x, s)| (x - (s - threshold).max(0.0)).powi(2)).sum::<f64>() / (2.0 * n as f64);
    [within, duality, fit]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What a gap implies holds, near a minimum and far from it.
    #[test]
    fn collapse_follows_from_the_gap(file in any_problem(), seed in 0u64..1000, size in -4i32..1) {
        let problem = Problem::from_toml(&file).unwrap();
        let mut point = scattered(&problem, seed, 10f64.powi(size));
        if let Ok(form) = closed_form(&problem) {
            point = combine(&form.minimiser(&problem, 53).unwrap().to_f64(), 1.0, &point);
        }
        let result = certify(&problem, file.as_bytes(), &point.to_exact().unwrap(), &CertifyOptions::default()).unwrap();
        let collapse = result.bounds.unwrap().collapse.unwrap();
        let claimed = [&collapse.within_class, &collapse.self_duality, &collapse.fit].map(|x| x.to_f64());
        let found = consequences(&problem, &point);
        // A dual matrix says something else of self-duality and fit.
        let own = if result.modes { 3 } else { 1 };
        for (found, claimed) in found.iter().zip(claimed).take(own) {
            prop_assert!(*found <= claimed * (1.0 + 1e-9) + 1e-13, "{file}: {found} above {claimed}");
        }
    }
}

/// Refined points at d < K: gaps below the digits asked, none, free and regularized bias, equal and different class sizes.
#[test]
fn refined_points_are_certified_to_their_digits() {
    let (equal, different) = ("classes = 5\nper_class = 2", "class_counts = [7, 4, 2, 5]");
    let regularized = "\"regularized\"\nlambda_b = \"0.1\"";
    for (bias, labels) in [("\"none\"", equal), ("\"none\"", different), ("\"free\"", equal), ("\"free\"", different), (regularized, equal)]
    {
        for digits in [100, 1000] {
            let file = file(bias, labels, 2, ["0.01", "0.01"]);
            let problem = Problem::from_toml(&file).unwrap();
            let start = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap().point;
            let refined = refine(&problem, &start, digits, &mut |_| {}).unwrap();
            assert!(refined.converged);
            let (verdict, bounds, text) = certified(&file, &refined.point, digits);
            let limit = Rational::from((1, rug::Integer::from(rug::Integer::u_pow_u(10, digits))));
            assert!(verdict == Verdict::GlobalMinimum && bounds.gap.to_rational().unwrap() <= limit, "{file}: {}", bounds.gap);
            assert!(text.contains("kind modes") && bounds.collapse.is_some());
        }
    }
}

/// A critical point that keeps the wrong modes: its gap is what they lack, and a direction of negative curvature is found.
#[test]
fn wrong_modes_are_saddles() {
    let file = file("\"none\"", "class_counts = [9, 4, 1]", 1, ["0.02", "0.02"]);
    // Of class sizes 9, 4, 1 and N mu = 0.28 the second mode alone: x = 2 - 0.28, on one coordinate.
    let x = (1.72f64).sqrt();
    let w = Mat::from_fn(3, 1, |i, _| if i == 1 { x } else { 0.0 });
    let h = Mat::from_fn(1, 14, |_, j| if (9..13).contains(&j) { x / 2.0 } else { 0.0 });
    let point = Point { factors: vec![w], h, b: None }.to_exact().unwrap();
    let (verdict, bounds, text) = certified(&file, &point, 15);
    assert!(verdict == Verdict::StrictSaddle && text.contains("kind strict-saddle"));
    // ((3 - 0.28)^2 - 1.72^2) / 28.
    let gap = (2.72f64.powi(2) - 1.72f64.powi(2)) / 28.0;
    assert!((bounds.gap.to_f64() - gap).abs() < 1e-12, "{}", bounds.gap);
}

/// Two equal modes may be kept in any mixture: minima all the same.
#[test]
fn turned_minimisers_are_certified() {
    let file = file("\"none\"", "classes = 3\nper_class = 4", 1, ["0.05", "0.05"]);
    // N mu = 0.6, x = 1.4 along (3, 4, 0)/5.
    let x = 1.4f64.sqrt();
    let u = [0.6, 0.8, 0.0];
    let w = Mat::from_fn(3, 1, |i, _| x * u[i]);
    let h = Mat::from_fn(1, 12, |_, j| x * u[j / 4] / 2.0);
    let point = Point { factors: vec![w], h, b: None }.to_exact().unwrap();
    let (verdict, bounds, _) = certified(&file, &point, 15);
    assert!(verdict == Verdict::GlobalMinimum && bounds.gap.to_f64() < 1e-30, "{}", bounds.gap);
}
