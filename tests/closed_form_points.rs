//! Closed-form minimisers of every loss, evaluated by a small evaluator written from the objectives' definitions.

use proptest::prelude::*;
use rug::{Float, Rational};
use ufm::{
    closed_form::{ClosedForm, closed_form},
    problem::{Bias, Dyadic, ExactPoint, Labels, Loss, Model, Problem},
    scalar::Ball,
};

/// Bits in which this file evaluates objectives.
const BITS: u32 = 320;
/// Bits of the minimisers' grids.
const GRID: u32 = 256;
/// At a minimiser on that grid value and minimum differ by the rounding of entries alone, below 2^-240 for the sizes here.
const ATTAINED: i32 = -240;
/// Perturbations are 2^-60; a stationary point then changes by their square, 2^-120, times curvatures and sizes below 2^20.
const STEP: i32 = -60;
const SECOND_ORDER: i32 = -100;

type Matrix = Vec<Vec<Float>>;

fn real(x: f64) -> Float {
    Float::with_val(BITS, x)
}

fn rational(x: &Rational) -> Float {
    Float::with_val(BITS, x)
}

fn matrix(m: &Dyadic) -> Matrix {
    (0..m.rows).map(|i| (0..m.cols).map(|j| rational(&m.rational(i, j))).collect()).collect()
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let entry = |row: &Vec<Float>, j: usize| row.iter().zip(b).fold(real(0.0), |sum, (x, r)| sum + Float::with_val(BITS, x * &r[j]));
    a.iter().map(|row| (0..b[0].len()).map(|j| entry(row, j)).collect()).collect()
}

fn squares(m: &Matrix) -> Float {
    m.iter().flatten().fold(real(0.0), |sum, x| sum + Float::with_val(BITS, x.square_ref()))
}

/// The tags of every sample, in the order the library documents for points.
fn tags(problem: &Problem) -> Vec<Vec<usize>> {
    match &problem.labels {
        Labels::TagSets { classes, per_tag_set } => {
            let sets = |m: u64| (0u32..1 << classes).filter(move |s| u64::from(s.count_ones()) == m);
            let members = |s: u32| (0..*classes as usize).filter(move |k| s >> k & 1 == 1).collect::<Vec<_>>();
            let mut all = Vec::new();
            for &(m, q) in per_tag_set {
                let mut of_size: Vec<Vec<usize>> = sets(m).map(members).collect();
                of_size.sort();
                all.extend(of_size.into_iter().flat_map(|set| std::iter::repeat_n(set, q as usize)));
            }
            all
        }
        _ => problem.class_counts().unwrap().iter().enumerate().flat_map(|(k, &n)| std::iter::repeat_n(vec![k], n as usize)).collect(),
    }
}

struct Variables {
    w: Matrix,
    h: Matrix,
    b: Vec<Float>,
}

impl Variables {
    fn of(point: &ExactPoint) -> Self {
        let b = point.b.as_ref().map(|b| matrix(b).into_iter().map(|mut row| row.remove(0)).collect());
        Variables { w: matrix(&point.factors[0]), h: matrix(&point.h), b: b.unwrap_or_else(|| vec![real(0.0); point.factors[0].rows]) }
    }
}

/// The objective by its definition (the sphere's constraint is not part of it).
fn objective(problem: &Problem, x: &Variables) -> Float {
    let mut z = product(&x.w, &x.h);
    if let Model::Sphere { temperature } = &problem.model {
        z.iter_mut().flatten().for_each(|z| *z *= rational(temperature));
    }
    let (k, tags) = (z.len(), tags(problem));
    let mut loss = real(0.0);
    for (i, set) in tags.iter().enumerate() {
        let logits: Vec<Float> = (0..k).map(|j| Float::with_val(BITS, &z[j][i] + &x.b[j])).collect();
        let log_sum = logits.iter().fold(real(0.0), |sum, z| sum + Float::with_val(BITS, z.exp_ref())).ln();
        let surprise = |j: usize| Float::with_val(BITS, &log_sum - &logits[j]);
        loss += match &problem.loss {
            Loss::Mse => {
                (0..k).fold(real(0.0), |sum, j| sum + Float::with_val(BITS, &logits[j] - f64::from(u8::from(j == set[0]))).square()) / 2u32
            }
            Loss::Ce => surprise(set[0]),
            Loss::LabelSmoothing { smoothing } => {
                let alpha = rational(smoothing);
                let uniform = (0..k).fold(real(0.0), |sum, j| sum + surprise(j)) / k as u32;
                surprise(set[0]) * (1u32 - alpha.clone()) + alpha * uniform
            }
            Loss::Focal { focusing } => {
                let s = surprise(set[0]);
                let rest = 1u32 - (-s.clone()).exp();
                (rest.ln() * rational(focusing)).exp() * s
            }
            Loss::PickAllLabels => set.iter().fold(real(0.0), |sum, &j| sum + surprise(j)),
        };
    }
    let mut value = loss / tags.len() as u32;
    if let Model::Plain { lambda_w, lambda_h } | Model::MultiLabel { lambda_w, lambda_h } = &problem.model {
        value += squares(&x.w) * rational(lambda_w) / 2u32 + squares(&x.h) * rational(lambda_h) / 2u32;
    }
    if let Bias::Regularized { lambda_b } = &problem.bias {
        value += x.b.iter().fold(real(0.0), |sum, b| sum + b.clone().square()) * rational(lambda_b) / 2u32;
    }
    value
}

fn small(x: &Float, exponent: i32) -> bool {
    x.is_zero() || x.get_exp().is_some_and(|e| e <= exponent)
}

/// f_star to the bits of this file.
fn minimum(form: &ClosedForm) -> Float {
    let ball: Ball = form.f_star(2 * BITS);
    assert!(ball.is_finite());
    Float::with_val(BITS, ball.mid())
}

fn noise(seed: &mut u64) -> f64 {
    // A multiplicative congruential generator is random enough to leave a subspace.
    *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
    (*seed >> 11) as f64 / (1u64 << 53) as f64 - 0.5
}

fn check(file: &str, mut seed: u64) -> Result<(), TestCaseError> {
    let problem = Problem::from_toml(file).unwrap();
    let form = closed_form(&problem).unwrap();
    let f_star = minimum(&form);
    let point = form.minimiser(&problem, GRID).unwrap();
    let x = Variables::of(&point);
    let value = objective(&problem, &x);
    let difference = Float::with_val(BITS, &value - &f_star);
    prop_assert!(small(&difference, ATTAINED), "{file}: attained {value}, claimed {f_star}");
    let sphere = matches!(problem.model, Model::Sphere { .. });
    // Stationary: a small step in any direction changes the value to second order.
    let biased = problem.bias != Bias::None;
    let mut perturb = |x: &Variables, size: f64| {
        let mut moved = |m: &Matrix| -> Matrix {
            m.iter().map(|row| row.iter().map(|x| Float::with_val(BITS, x + noise(&mut seed) * size)).collect()).collect()
        };
        let (w, h) = (moved(&x.w), moved(&x.h));
        let b = if biased { moved(&vec![x.b.clone()]).remove(0) } else { x.b.clone() };
        Variables { w, h, b }
    };
    if !sphere {
        let near = objective(&problem, &perturb(&x, 2f64.powi(STEP)));
        prop_assert!(small(&Float::with_val(BITS, &near - &value), SECOND_ORDER), "{file}: not stationary, {near} against {value}");
    }
    // Global: nothing found is lower, near or far (on the sphere in one dimension a point may come back to the minimiser itself).
    let least = Float::with_val(BITS, &f_star - (real(1.0) >> ATTAINED.unsigned_abs()));
    for size in [0.01, 0.3, 3.0] {
        let mut other = perturb(&x, size);
        if sphere {
            let normalise = |v: &mut [&mut Float]| {
                let norm = v.iter().fold(real(0.0), |sum, x| sum + Float::with_val(BITS, x.square_ref())).sqrt();
                v.iter_mut().for_each(|x| **x /= &norm);
            };
            other.w.iter_mut().for_each(|row| normalise(&mut row.iter_mut().collect::<Vec<_>>()));
            for j in 0..other.h[0].len() {
                normalise(&mut other.h.iter_mut().map(|row| &mut row[j]).collect::<Vec<_>>());
            }
        }
        prop_assert!(objective(&problem, &other) >= least, "{file}: a point lies below the minimum");
    }
    Ok(())
}

fn weight() -> impl Strategy<Value = String> {
    (1u32..=999, 0u32..=3).prop_map(|(m, e)| format!("{m}e-{}", e + 3))
}

fn bias() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\"none\"".to_owned()),
        Just("\"free\"".to_owned()),
        weight().prop_map(|b| format!("\"regularized\"\nlambda_b = \"{b}\""))
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn mse_and_cross_entropy(loss in prop_oneof![Just("mse"), Just("ce")], k in 2u64..6, n in 1u64..4, d in 0u64..3, w in weight(), h in weight(), bias in bias(), seed: u64) {
        let dim = if loss == "mse" { k + d } else { k - 1 + d };
        check(&format!("model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\nclasses = {k}\nper_class = {n}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"), seed)?;
    }

    #[test]
    fn label_smoothing(k in 2u64..6, n in 1u64..4, d in 0u64..3, w in weight(), h in weight(), bias in bias(), alpha in 1u32..=100, seed: u64) {
        let dim = k - 1 + d;
        check(&format!("model = \"plain\"\nloss = \"label-smoothing\"\nsmoothing = \"{alpha}e-2\"\nbias = {bias}\nclasses = {k}\nper_class = {n}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"), seed)?;
    }

    #[test]
    fn focal(k in 2u64..6, n in 1u64..4, d in 0u64..3, w in weight(), h in weight(), bias in bias(), gamma in 10u32..=50, seed: u64) {
        let dim = k - 1 + d;
        check(&format!("model = \"plain\"\nloss = \"focal\"\nfocusing = \"{gamma}e-1\"\nbias = {bias}\nclasses = {k}\nper_class = {n}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"), seed)?;
    }

    #[test]
    fn sphere(k in 2u64..6, n in 1u64..4, d in 0u64..3, tau in 1u32..=200, seed: u64) {
        let dim = k - 1 + d;
        check(&format!("model = \"sphere\"\nloss = \"ce\"\nclasses = {k}\nper_class = {n}\ndim = {dim}\ntemperature = \"{tau}e-1\"\n"), seed)?;
    }

    #[test]
    fn pick_all_labels(k in 2u64..5, sets in prop::collection::btree_map(1u64..5, 1u64..4, 1..4), d in 0u64..3, w in weight(), h in weight(), bias in bias(), seed: u64) {
        let sets: Vec<String> = sets.iter().filter(|(m, _)| **m <= k).map(|(m, q)| format!("{m} = {q}")).collect();
        prop_assume!(!sets.is_empty());
        let dim = k - 1 + d;
        check(&format!("model = \"multi-label\"\nloss = \"pick-all-labels\"\nbias = {bias}\nclasses = {k}\nper_tag_set = {{ {} }}\ndim = {dim}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n", sets.join(", ")), seed)?;
    }
}
