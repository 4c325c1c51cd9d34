//! The sphere model: derivatives, solver, certificates, strict saddles, and mutations of every field of its certificates.

use faer::Mat;
use proptest::prelude::*;
use rug::{Float, Integer, Rational};
use ufm::{
    certify::{Certification, CertifyOptions, Verdict, certify, objective},
    closed_form::closed_form,
    problem::{Dyadic, ExactPoint, Objective, Point, Problem, evaluate, hessian_product},
    scalar::Ball,
    solve::{Method, Solution, SolveError, SolveOptions, Start, Status, minimise, minimise_observed},
};
use ufm_check::{Outcome, check};

mod mutations;
mod solver;

fn file(labels: &str, dim: usize, temperature: &str) -> String {
    format!("model = \"sphere\"\nloss = \"ce\"\n{labels}\ndim = {dim}\ntemperature = \"{temperature}\"\n")
}

fn balanced(k: usize, n: usize) -> String {
    format!("classes = {k}\nper_class = {n}")
}

fn random_point(problem: &Problem, seed: u64) -> Point {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let (k, d, n) = problem.point_sizes().unwrap();
    let mut entry = |_: usize, _: usize| rng.random_range(-1.0..1.0);
    Point { factors: vec![Mat::from_fn(k, d, &mut entry)], h: Mat::from_fn(d, n, &mut entry), b: None }
}

fn inner(a: &Point, b: &Point) -> f64 {
    let dot = |a: &Mat<f64>, b: &Mat<f64>| (0..a.ncols()).map(|j| (0..a.nrows()).map(|i| a[(i, j)] * b[(i, j)]).sum::<f64>()).sum::<f64>();
    dot(&a.factors[0], &b.factors[0]) + dot(&a.h, &b.h)
}

fn solved(file: &str, seed: u64) -> (Problem, Solution) {
    let problem = Problem::from_toml(file).unwrap();
    let solution = minimise(&problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap();
    (problem, solution)
}

fn certified(problem: &Problem, file: &str, point: &ExactPoint) -> Certification {
    let result = certify(problem, file.as_bytes(), point, &CertifyOptions::default()).unwrap();
    if let Some(text) = &result.text {
        let outcome = check(file.as_bytes(), text.as_bytes());
        assert!(matches!(outcome, Outcome::Verified(_)), "{file}: {outcome:?}");
    }
    result
}

/// Bits of the exact objective behind differences: 80 cancel in the second one.
const BITS: u32 = 250;
/// Steps of 2^-40 leave an error of about 2^-80.
const STEP: i32 = -40;
/// Rounding of sums of a few hundred products of numbers of the order of one, and of the unit vectors.
const ROUNDING: f64 = 512.0 * f64::EPSILON;
/// A gradient over K features and one over all of them add up in different orders: while it is not small, digits are lost only to
/// cancellation between entries of size one, and what is left near a minimum is rounding of such entries.
const GRADIENT: (f64, f64) = (1e-9, 1e-15);
/// Gradient descent's objective is below this much above the minimum when its gradient norm is at the default tolerance.
const DESCENT: f64 = 1e-12;
/// A vector of few entries divided by its norm, and that norm again.
const UNIT: f64 = 4.0 * f64::EPSILON;
/// The default tolerance of the certified gap.
const CERTIFIED: f64 = 1e-9;

/// f at the radial projection of x + steps 2^-40 v, to 250 bits.
fn moved(problem: &Problem, x: &ExactPoint, v: &ExactPoint, steps: i32) -> Float {
    let add = |x: &Dyadic, v: &Dyadic| {
        let exp = x.exp.min(v.exp + STEP);
        let at = |m: &Integer, from: i32| Integer::from(m << (from - exp) as u32);
        let m = x.m.iter().zip(&v.m).map(|(a, b)| at(a, x.exp) + steps * at(b, v.exp + STEP)).collect();
        Dyadic { rows: x.rows, cols: x.cols, exp, m }
    };
    let p = ExactPoint { factors: vec![add(&x.factors[0], &v.factors[0])], h: add(&x.h, &v.h), b: None };
    objective(problem, &p, BITS).unwrap().mid()
}

/// The solver's own unit vectors for a point, and the tangent part of a direction there.
fn on_spheres(problem: &Problem, point: &Point, direction: &Point) -> (Point, Point) {
    let objective = Objective::new(problem, None).unwrap();
    let mut x = objective.layout().flatten(point).unwrap();
    let mut v = objective.layout().flatten(direction).unwrap();
    objective.retract(&mut x).unwrap();
    objective.project(&x, &mut v);
    (objective.layout().point(&x), objective.layout().point(&v))
}

/// Along w + t v, v tangent at the unit vector w, the direction's angle is atan(t |v|), without a second derivative at zero: the
/// second derivative of f is that along the geodesic, <v, Hess f v>.
#[test]
fn derivatives_are_those_of_the_projected_objective() {
    for (labels, dim, temperature, seed) in [
        (balanced(3, 2), 4, "3", 1),
        ("class_counts = [3, 1, 2, 1]".to_owned(), 2, "0.7", 5),
        (balanced(2, 3), 1, "2", 9),
        (balanced(11, 2), 12, "5.5", 13),
    ] {
        let problem = Problem::from_toml(&file(&labels, dim, temperature)).unwrap();
        let (x, v) = on_spheres(&problem, &random_point(&problem, seed), &random_point(&problem, seed + 1));
        let at = evaluate(&problem, &x).unwrap();
        let size = 1.0 + inner(&v, &v) * temperature.parse::<f64>().unwrap().powi(2);
        let (exact, direction) = (x.to_exact().unwrap(), v.to_exact().unwrap());
        let f = |steps| moved(&problem, &exact, &direction, steps);
        let (here, forth, back) = (f(0), f(1), f(-1));
        assert!((at.objective - here.to_f64()).abs() <= ROUNDING * size);
        let slope = ((Float::with_val(BITS, &forth - &back)) >> (STEP + 1)).to_f64();
        assert!((slope - inner(&at.gradient, &v)).abs() <= ROUNDING * size, "{slope} against {}", inner(&at.gradient, &v));
        let bend = (Float::with_val(BITS, &forth + &back) - 2u32 * here) >> (2 * STEP);
        let product = hessian_product(&problem, &x, &v).unwrap();
        assert!((bend.to_f64() - inner(&v, &product)).abs() <= ROUNDING * size, "{bend} against {}", inner(&v, &product));
        // Tangent: nothing is left along the unit vectors.
        let (_, tangent) = on_spheres(&problem, &x, &product);
        let along = inner(&product, &product) - inner(&tangent, &tangent);
        assert!(along.abs() <= ROUNDING * size * size);
    }
}

/// Exact in f64 already: scaling rows and columns by powers of two changes no bit of the claim.
#[test]
fn points_stand_for_their_projections() {
    let file = file(&balanced(3, 2), 4, "3");
    let problem = Problem::from_toml(&file).unwrap();
    let point = random_point(&problem, 3);
    let scaled = Point {
        factors: vec![Mat::from_fn(3, 4, |i, j| point.factors[0][(i, j)] * [1.0, 0.25, 1024.0][i])],
        h: Mat::from_fn(4, 6, |i, j| point.h[(i, j)] * (j as f64 - 30.0).exp2()),
        b: None,
    };
    let value = |p: &Point| objective(&problem, &p.to_exact().unwrap(), 100).unwrap();
    assert_eq!(value(&point), value(&scaled));
    assert_eq!(evaluate(&problem, &point).unwrap().objective, evaluate(&problem, &scaled).unwrap().objective);
    let verdict = |p: &Point| certified(&problem, &file, &p.to_exact().unwrap());
    assert_eq!(verdict(&point).gradient_norm, verdict(&scaled).gradient_norm);
    // Far apart in size: still the same projections.
    let huge = Point { factors: vec![Mat::from_fn(3, 4, |i, j| point.factors[0][(i, j)] * 2f64.powi(1000))], ..point.clone() };
    assert_eq!(value(&point), value(&huge));
    assert_eq!(evaluate(&problem, &huge).unwrap().objective, evaluate(&problem, &point).unwrap().objective);
}

#[test]
fn a_zero_row_has_no_direction() {
    let file = file(&balanced(2, 1), 2, "3");
    let problem = Problem::from_toml(&file).unwrap();
    let zero = Point { factors: vec![Mat::zeros(2, 2)], h: Mat::identity(2, 2), b: None };
    let result = certified(&problem, &file, &zero.to_exact().unwrap());
    assert!(matches!(&result.verdict, Verdict::Undecided(why) if why.starts_with("domain")), "{:?}", result.verdict);
    let start = SolveOptions { start: Start::Point(zero), ..Default::default() };
    let refused = minimise(&problem, &start, &mut |_| {}).unwrap_err();
    assert_eq!(refused.to_string(), "start: row 1 of W has no direction on the sphere: it is zero or not finite");
    for options in
        [SolveOptions { method: Method::Lbfgs, ..Default::default() }, SolveOptions { start: Start::Spectral, ..Default::default() }]
    {
        assert!(matches!(minimise(&problem, &options, &mut |_| {}), Err(SolveError::Unsupported(_))));
    }
}

/// Gaps of points at gradient norm 1e-12: second order in it over the smallest multiplier, plus the dual matrix's shrinking by
/// about 2^-45 (imbalanced) times logits of the order of the temperature.
const GAP: f64 = 1e-12;
/// The solver's default gradient norm, and the distance from a closed form that it is held to.
const TARGET: f64 = 1e-12;

fn labels() -> impl Strategy<Value = (usize, String)> {
    prop_oneof![
        (2usize..=6, 1usize..=4).prop_map(|(k, n)| (k, balanced(k, n))),
        prop::collection::vec(1usize..7, 2..=5).prop_map(|c| (c.len(), format!("class_counts = {c:?}"))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The strict-saddle property, d > K: what the solver ends at is a certified global minimum or a certified strict saddle.
    #[test]
    fn critical_points_are_global_or_strict_saddles((k, labels) in labels(), extra in 1usize..4, tau in 2u32..=60, seed in 0u64..8) {
        let file = file(&labels, k + extra, &format!("{tau}e-1"));
        let (problem, solution) = solved(&file, seed);
        prop_assert_eq!(solution.status, Status::Converged, "{}", file);
        let point = solution.point.to_exact().unwrap();
        let result = certified(&problem, &file, &point);
        prop_assert!(matches!(result.verdict, Verdict::GlobalMinimum | Verdict::StrictSaddle), "{file} {seed}: {:?}", result.verdict);
        let bounds = result.bounds.unwrap();
        if result.verdict == Verdict::GlobalMinimum {
            prop_assert!(bounds.gap < GAP, "{file} {seed}: gap {}", bounds.gap);
        }
        if let Ok(form) = closed_form(&problem) {
            let f_star = form.f_star(128);
            prop_assert!(!(&Ball::exact(bounds.lower.clone()) - &f_star).is_positive(), "{}", file);
            prop_assert!(!(&f_star - &Ball::exact(bounds.upper.clone())).is_positive(), "{}", file);
            let difference = (solution.objective - f_star.mid().to_f64()).abs();
            prop_assert!(result.verdict != Verdict::GlobalMinimum || difference <= GAP * f_star.mid().to_f64().max(1e-3), "{file}: {difference}");
        }
    }

    /// Bounds hold at any point and any dimension, d = 1 included, and the checker accepts.
    #[test]
    fn random_points_are_not_critical((k, labels) in labels(), dim in 1usize..5, tau in 1u32..=60, seed in 0u64..1000) {
        let file = file(&labels, dim, &format!("{tau}e-1"));
        let problem = Problem::from_toml(&file).unwrap();
        let point = random_point(&problem, seed);
        let result = certified(&problem, &file, &point.to_exact().unwrap());
        let bounds = result.bounds.unwrap();
        prop_assert!(bounds.lower <= bounds.upper);
        // On S^0 every point is critical.
        prop_assert!(dim == 1 || matches!(result.verdict, Verdict::NotCritical | Verdict::GlobalMinimum), "{file}: {:?}", result.verdict);
        prop_assert!(k < 2 || result.objective.unwrap().is_positive());
    }
}

/// A point with w_k and every feature of class k at the given unit vector.
fn collapsed(problem: &Problem, vectors: &[Vec<f64>]) -> Point {
    let (k, d, _) = problem.point_sizes().unwrap();
    let label: Vec<usize> = problem.class_counts().unwrap().iter().enumerate().flat_map(|(c, &n)| vec![c; n as usize]).collect();
    let at = |c: usize, j: usize| vectors[c].get(j).copied().unwrap_or(0.0);
    Point { factors: vec![Mat::from_fn(k, d, at)], h: Mat::from_fn(d, label.len(), |j, i| at(label[i], j)), b: None }
}

/// Critical by symmetry, d > K, and no minima: all vectors at one place, two antipodal groups, a cross-polytope, groups of classes at
/// the vertices of a smaller simplex; and features anywhere when all w_k coincide.
#[test]
fn symmetric_critical_points_are_strict_saddles() {
    let unit = |j: usize, sign: f64| (0..8).map(|t| if t == j { sign } else { 0.0 }).collect::<Vec<f64>>();
    let root = 0.75f64.sqrt();
    let triangle = [vec![1.0, 0.0], vec![-0.5, root], vec![-0.5, -root]];
    let mut cases: Vec<(String, usize, Vec<Vec<f64>>)> = vec![];
    for k in [2, 3, 5] {
        cases.push((balanced(k, 3), k + 1, vec![unit(0, 1.0); k]));
        cases.push((balanced(k, 1), k + 2, vec![unit(0, 1.0); k]));
    }
    cases.push(("class_counts = [5, 1, 2]".into(), 4, vec![unit(0, 1.0); 3]));
    for k in [4usize, 6] {
        cases.push((balanced(k, 2), k + 1, (0..k).map(|c| unit(0, if c < k / 2 { 1.0 } else { -1.0 })).collect()));
        cases.push((balanced(k, 2), k + 1, (0..k).map(|c| unit(c / 2, if c % 2 == 0 { 1.0 } else { -1.0 })).collect()));
    }
    // Room beside the vectors is enough: d = K and d = K − 1.
    cases.push((balanced(3, 2), 2, vec![unit(0, 1.0); 3]));
    cases.push((balanced(4, 2), 3, (0..4).map(|c| unit(c / 2, if c % 2 == 0 { 1.0 } else { -1.0 })).collect()));
    cases.push((balanced(6, 1), 6, (0..6).map(|c| unit(c / 2, if c % 2 == 0 { 1.0 } else { -1.0 })).collect()));
    cases.push((balanced(6, 2), 7, (0..6).map(|c| triangle[c % 3].clone()).collect()));
    for (labels, dim, vectors) in cases {
        for temperature in ["0.5", "3", "12"] {
            let file = file(&labels, dim, temperature);
            let problem = Problem::from_toml(&file).unwrap();
            let result = certified(&problem, &file, &collapsed(&problem, &vectors).to_exact().unwrap());
            assert_eq!(result.verdict, Verdict::StrictSaddle, "{file}");
            assert!(result.curvature.unwrap().is_negative());
        }
    }
    // All w_k at e_1, features at ±e_1 with Σ_i r_ki h_i along e_1: critical for any signs; curvature only through (dW, s dH).
    let file = file(&balanced(3, 2), 4, "3");
    let problem = Problem::from_toml(&file).unwrap();
    let mut point = collapsed(&problem, &vec![unit(0, 1.0); 3]);
    (0..6).for_each(|i| point.h[(0, i)] = if i % 2 == 0 { 1.0 } else { -1.0 });
    assert_eq!(certified(&problem, &file, &point.to_exact().unwrap()).verdict, Verdict::StrictSaddle);
}

/// d <= K: the bound holds, and what it does not decide is not called more than it is.
#[test]
fn low_dimensions_are_reported_as_they_are() {
    let mut found = std::collections::BTreeMap::new();
    for (k, dim, temperature) in [(3, 2, "3"), (4, 3, "8"), (5, 4, "15"), (6, 3, "2"), (5, 2, "1")] {
        let file = file(&balanced(k, 2), dim, temperature);
        let problem = Problem::from_toml(&file).unwrap();
        for seed in 0..6 {
            let options = SolveOptions { seed, max_iterations: 2000, ..Default::default() };
            let solution = minimise(&problem, &options, &mut |_| {}).unwrap();
            let result = certified(&problem, &file, &solution.point.to_exact().unwrap());
            let bounds = result.bounds.unwrap();
            if dim < k - 1 {
                // No simplex fits: the bound cannot be attained.
                assert!(closed_form(&problem).is_err());
                assert_ne!(result.verdict, Verdict::GlobalMinimum, "{file}");
            } else if result.verdict == Verdict::GlobalMinimum {
                let f_star = closed_form(&problem).unwrap().f_star(100).mid().to_f64();
                assert!((solution.objective - f_star).abs() <= CERTIFIED, "{file}");
            }
            assert!(bounds.lower <= bounds.upper);
            *found.entry((k, dim, result.verdict.name())).or_insert(0) += 1;
        }
    }
    assert!(found.contains_key(&(3, 2, "global-minimum")) && found.contains_key(&(5, 2, "near-minimum")), "{found:?}");
}

/// Imbalanced classes: the value of the theory's counterexample to the balanced formula, certified.
#[test]
fn imbalanced_classes_go_below_the_balanced_value() {
    let file = file("class_counts = [5, 1, 1]", 4, "3");
    let (problem, solution) = solved(&file, 0);
    let result = certified(&problem, &file, &solution.point.to_exact().unwrap());
    assert_eq!(result.verdict, Verdict::GlobalMinimum);
    let bounds = result.bounds.unwrap();
    // 0.018708 to its last digit, below 0.021975.
    assert!(bounds.lower > 0.0187075 && bounds.upper < 0.0187085, "{} {}", bounds.lower, bounds.upper);
}

#[test]
fn the_closed_form_is_certified_to_fifty_digits() {
    for (k, n, dim, temperature) in [(4, 3, 3, "3"), (10, 2, 12, "0.7"), (2, 1, 1, "20")] {
        let file = file(&balanced(k, n), dim, temperature);
        let problem = Problem::from_toml(&file).unwrap();
        let point = closed_form(&problem).unwrap().minimiser(&problem, 220).unwrap();
        let options = CertifyOptions { digits: 50, ..Default::default() };
        let result = certify(&problem, file.as_bytes(), &point, &options).unwrap();
        let bounds = result.bounds.unwrap();
        assert!(bounds.gap < 1e-45, "{file}: {}", bounds.gap);
        assert!(result.gradient_norm.unwrap().upper() < 1e-45);
        assert!(matches!(check(file.as_bytes(), result.text.unwrap().as_bytes()), Outcome::Verified(_)), "{file}");
    }
}
