//! Gradients, Hessian products and the exponential against MPFR.

mod support;

use proptest::prelude::*;
use rug::Float;
use support::{combine, deep, exact_objective, inner, plain, scattered};
use ufm::problem::{Problem, evaluate, hessian_product, loss::exp_in_place};

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
    for loss in ["mse", "ce", "label-smoothing"] {
        for bias in ["none", "free", "regularized"] {
            for (seed, counts) in [(1, &[1, 1][..]), (5, &[3, 1, 2]), (9, &[2; 11])] {
                check(&plain(loss, bias, counts, 3, 0.03, 0.02), seed);
            }
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
