//! Gradients, Hessian products and the exponential against MPFR.

mod support;

use proptest::prelude::*;
use rug::Float;
use support::{combine, deep, exact_objective, inner, plain, scattered, tagged};
use ufm::problem::{Point, Problem, evaluate, hessian_product, loss::exp_in_place};

/// Central differences with this step err by about step² = 2^-160 relative to the third derivative.
const STEP_EXPONENT: i32 = -80;
/// Enough for second differences: 160 bits cancel, 160 stay.
const BITS: u32 = 400;
/// Rounding of sums of a few hundred products of numbers of the order of one.
const ROUNDING: f64 = 64.0 * f64::EPSILON;

fn check(problem: &Problem, seed: u64) {
    let (x, v, w) = (scattered(problem, seed, 0.8), scattered(problem, seed + 1, 1.0), scattered(problem, seed + 2, 1.0));
    let t = Float::with_val(BITS, 1) << STEP_EXPONENT;
    let minus = Float::with_val(BITS, -&t);
    let f = |shifts: &[(&Float, &_)]| exact_objective(problem, &x, shifts, BITS);
    let at = evaluate(problem, &x).unwrap();
    let scale = 1.0 + inner(&v, &v).sqrt() * inner(&w, &w).sqrt();
    assert!((f(&[]) - at.objective).to_f64().abs() <= ROUNDING * scale);
    assert!((at.gradient_norm - inner(&at.gradient, &at.gradient).sqrt()).abs() <= ROUNDING * scale);
    let slope = ((f(&[(&t, &v)]) - f(&[(&minus, &v)])) / Float::with_val(BITS, 2 * &t)).to_f64();
    assert!((slope - inner(&at.gradient, &v)).abs() <= ROUNDING * scale, "{slope} against {}", inner(&at.gradient, &v));
    let (sum, difference) = (combine(&v, 1.0, &w), combine(&v, -1.0, &w));
    let even = f(&[(&t, &sum)]) + f(&[(&minus, &sum)]) - f(&[(&t, &difference)]) - f(&[(&minus, &difference)]);
    let mixed = (even / Float::with_val(BITS, 4 * t.square())).to_f64();
    let product = inner(&w, &hessian_product(problem, &x, &v).unwrap());
    assert!((mixed - product).abs() <= ROUNDING * scale, "{mixed} against {product}");
}

#[test]
fn derivatives_of_plain_models() {
    for loss in ["mse", "ce", "label-smoothing", "focal"] {
        for bias in ["none", "free", "regularized"] {
            for (seed, counts) in [(1, &[1, 1][..]), (5, &[3, 1, 2]), (9, &[2; 11])] {
                check(&plain(loss, bias, counts, 3, 0.03, 0.02), seed);
            }
        }
    }
}

#[test]
fn derivatives_of_multi_label_models() {
    for bias in ["none", "free", "regularized"] {
        check(&tagged(bias, 3, &[(&[0], 2), (&[0, 2], 1), (&[1], 1), (&[0, 1, 2], 2)], 3, 0.03, 0.02), 2);
        // Multiplicities that change within a block, and columns longer than a vector register.
        let sets: Vec<Vec<u64>> = (0..11).map(|k| (k..11).step_by(3).collect()).collect();
        let sets: Vec<(&[u64], u64)> = sets.iter().map(|set| (&set[..], 2)).collect();
        check(&tagged(bias, 11, &sets, 4, 0.01, 0.02), 6);
    }
}

/// Focusing between zero and one, and targets nearly certain or nearly impossible.
#[test]
fn derivatives_of_focal_loss_at_the_ends() {
    for focusing in ["0", "0.5", "1", "2", "7"] {
        let text = format!(
            "model = 'plain'\nloss = 'focal'\nfocusing = '{focusing}'\nbias = 'none'\nclasses = 3\nper_class = 2\ndim = 3\nlambda_w = '0.1'\nlambda_h = '0.1'"
        );
        let problem = Problem::from_toml(&text).unwrap();
        check(&problem, 12);
        for scale in [5.0, -5.0] {
            let point = |s: f64| Point {
                factors: vec![faer::Mat::from_fn(3, 3, |i, j| s * f64::from(u8::from(i == j)))],
                h: faer::Mat::from_fn(3, 6, |i, j| 5.0 * f64::from(u8::from(i == j / 2))),
                b: None,
            };
            let at = evaluate(&problem, &point(scale)).unwrap();
            let exact = exact_objective(&problem, &point(scale), &[], BITS).to_f64();
            assert!((at.objective - exact).abs() <= ROUNDING * exact, "{focusing}, {scale}: {} against {exact}", at.objective);
            let v = scattered(&problem, 4, 1.0);
            assert!(inner(&v, &hessian_product(&problem, &point(scale), &v).unwrap()).is_finite());
        }
    }
}

#[test]
fn derivatives_of_deep_models() {
    for model in ["deep-linear", "deep-relu"] {
        check(&deep(model, 3, 2, 4, &["0.01", "0.02"]), 3);
        check(&deep(model, 3, 2, 4, &["0.01", "0.02", "0.03"]), 4);
        check(&deep(model, 2, 3, 3, &["0.01", "0.02", "0.03", "0.04", "0.05"]), 7);
    }
}

/// Documented accuracy of the exponential, in units in the last place.
const EXP_ULPS: f64 = 2.0;

fn exp_error(x: f64, y: f64) -> f64 {
    let exact = Float::with_val(120, x).exp();
    let ulp = (exact.get_exp().unwrap() - 53) as f64;
    (Float::with_val(120, y) - exact).to_f64().abs() / ulp.exp2()
}

#[test]
fn exponential_is_accurate_to_two_ulps() {
    let mut x: Vec<f64> = (0..20_000).map(|i| -708.0 + i as f64 * (1417.7 / 19_999.0)).collect();
    x.extend((0..20_000).map(|i| (i as f64 - 10_000.0) * 1e-4));
    x.extend((-1020..1024).flat_map(|k| [-1e-13, 0.0, 1e-13].map(|e| (k as f64 + 0.5) * std::f64::consts::LN_2 + e)));
    x.extend([-708.0, 709.782712893383, f64::MIN_POSITIVE, -0.0, 1e-300]);
    let mut y = x.clone();
    exp_in_place(&mut y);
    let worst = x.iter().zip(&y).map(|(&x, &y)| exp_error(x, y)).fold(0.0, f64::max);
    assert!(worst <= EXP_ULPS, "{worst}");
    let mut special = [f64::NEG_INFINITY, -709.0, 710.0, f64::INFINITY, f64::NAN, 0.0];
    exp_in_place(&mut special);
    assert_eq!(special[..4], [0.0, 0.0, f64::INFINITY, f64::INFINITY]);
    assert!(special[4].is_nan() && special[5] == 1.0);
}

proptest! {
    #[test]
    fn exponential_anywhere(x in -708.0..709.78f64) {
        let mut y = [x];
        exp_in_place(&mut y);
        prop_assert!(exp_error(x, y[0]) <= EXP_ULPS);
    }
}
