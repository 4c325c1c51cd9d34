//! Words against the general code, at sizes where both are quick.

use super::*;
use crate::certify::{dual, factor};
use crate::closed_form::closed_form;
use crate::problem::exact::{State, rows_times_rows};
use crate::problem::{Point, Problem};
use crate::solve::{SolveOptions, minimise};

/// Bits of the references.
const FINE: u32 = 400;
/// Width of the objective, relative to one or its size: MSE's residual stands on the grid 2^-60 and has norm at most √(K N), softmax's sums on
/// ulps of 2^-63 times K.
const OBJECTIVE_WIDTH: f64 = 1e-15;
/// Width of the gradient norm: absolute, from the same grids, and relative, the 2^-30 granted to sums of squares on both sides.
const GRADIENT_WIDTH: (f64, f64) = (1e-15, 1e-8);
/// What entropies in fixed point lose: one unit of 2^-55 of the logarithm in each, times a mass of at most three here, and three units of 2^-60 for
/// each smoothed target.
const LOWER_LOSS: f64 = 1e-14;
/// The gap at a minimiser to 1e-12 in the gradient, second order in it, with a shrink of 2^-44.
const GAP: f64 = 1e-12;

fn problems() -> Vec<String> {
    let labels = ["classes = 3\nper_class = 2", "class_counts = [4, 1, 2]", "classes = 2\nper_class = 1"];
    let biases = ["\"none\"", "\"free\"", "\"regularized\"\nlambda_b = \"0.02\""];
    let losses = ["\"mse\"", "\"ce\"", "\"label-smoothing\"\nsmoothing = \"0.1\""];
    let mut all = vec![];
    for (labels, bias) in labels.iter().flat_map(|l| biases.map(|b| (l, b))) {
        for (loss, weights) in losses.iter().flat_map(|l| [("3e-3", "2e-3"), ("0.08", "0.05")].map(|w| (l, w))) {
            let (w, h) = weights;
            all.push(format!(
                "model = \"plain\"\nloss = {loss}\nbias = {bias}\n{labels}\ndim = 4\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n"
            ));
        }
        let sets = "classes = 3\ntag_sets = [[0], [1, 2], [0, 1, 2], [2], [1]]\ntag_counts = [2, 3, 1, 4, 4]";
        all.push(format!(
            "model = \"multi-label\"\nloss = \"pick-all-labels\"\nbias = {bias}\n{sets}\ndim = 4\nlambda_w = \"3e-3\"\nlambda_h = \"2e-3\"\n"
        ));
    }
    all
}

/// Minimisers, and points at growing distances from them.
fn points(problem: &Problem, seed: u64) -> Vec<ExactPoint> {
    let found = minimise(problem, &SolveOptions { seed, ..Default::default() }, &mut |_| {}).unwrap().point;
    let moved = |size: f64| {
        let mut t = 0u32;
        let mut noise = move || {
            t += 1;
            size * (f64::from(t.wrapping_mul(2_654_435_769) >> 8) / f64::from(1u32 << 23) - 1.0)
        };
        let mut add = |x: &faer::Mat<f64>| faer::Mat::from_fn(x.nrows(), x.ncols(), |i, j| x[(i, j)] + noise());
        let (factors, h) = (found.factors.iter().map(&mut add).collect(), add(&found.h));
        Point { factors, h, b: found.b.clone() }.to_exact().unwrap()
    };
    [0.0, 1e-9, 1e-5, 0.1].map(moved).to_vec()
}

#[test]
fn agree_with_the_general_code() {
    let (mut proofs, mut minima) = (0, 0);
    for (at, file) in problems().iter().enumerate() {
        let problem = Problem::from_toml(file).unwrap();
        let plain = Plain::new(&problem).ok().unwrap();
        for (distance, point) in points(&problem, at as u64).iter().enumerate() {
            let Some(proof) = evaluate(&plain, point) else { continue };
            let state = State::new(&plain, point, FINE).unwrap();
            let exact = state.objective();
            assert!(proof.objective.contains(&exact), "{file} {distance}: {:?} {exact:?}", proof.objective);
            let width = (proof.objective.upper() - proof.objective.lower()).to_f64();
            assert!(width <= OBJECTIVE_WIDTH * exact.mid().to_f64().max(1.0), "{file} {distance}: {width}");
            let (residual, units) = state.residual();
            let gradient = state.gradient_norm(&residual, units);
            assert!(proof.gradient_norm.contains(&gradient), "{file} {distance}: {:?} {gradient:?}", proof.gradient_norm);
            let width = (proof.gradient_norm.upper() - proof.gradient_norm.lower()).to_f64();
            assert!(width <= GRADIENT_WIDTH.0 + GRADIENT_WIDTH.1 * gradient.upper().to_f64(), "{file} {distance}: {width}");

            let Some(Dual { r, l, lower }) = &proof.dual(|_| true) else { continue };
            proofs += 1;
            let again = dual::verify(&plain, r, 100).unwrap_or_else(|| panic!("{file} {distance}: dual"));
            assert!(lower.lower() <= again.lower.upper(), "{file} {distance}: {lower:?} {:?}", again.lower);
            assert!((again.lower.upper() - lower.lower()).to_f64() <= LOWER_LOSS, "{file} {distance}: {lower:?} {:?}", again.lower);
            let heavy = Dyadic { m: r.m.iter().enumerate().map(|(t, x)| Integer::from(x * plain.counts[t % r.cols])).collect(), ..*r };
            let radius = vec![plain.radius_squared(); plain.k];
            assert!(factor::dominant(&radius, &rows_times_rows(&heavy, r), l), "{file} {distance}: dominance");
            let gap = (proof.objective.upper() - lower.lower()).to_f64();
            assert!(gap >= 0.0);
            minima += usize::from(gap <= GAP && distance == 0);
        }
    }
    // Everywhere but where a negative entry or a mode at its threshold is left to the general code.
    assert!(proofs >= 3 * problems().len() && minima >= problems().len() * 9 / 10, "{proofs} {minima} of {}", problems().len());
}

/// Entries too large or too fine for words, logits out of range.
#[test]
fn what_does_not_fit_is_left_alone() {
    let problem = Problem::from_toml(&problems()[0]).unwrap();
    let plain = Plain::new(&problem).ok().unwrap();
    let point = points(&problem, 0).remove(0);
    let with = |entry: f64| {
        let mut h = point.h.to_f64();
        h[(0, 0)] = entry;
        ExactPoint { h: Dyadic::from_f64(&h).unwrap(), ..point.clone() }
    };
    assert!(evaluate(&plain, &with(0.1)).is_some());
    for entry in [1e300, 1e30, 4000.0, 1e-300] {
        assert!(evaluate(&plain, &with(entry)).is_none(), "{entry}");
    }
}

/// The closed form's value lies in the bounds at its own point.
#[test]
fn closed_forms_lie_within() {
    for file in problems() {
        let problem = Problem::from_toml(&file).unwrap();
        let Ok(form) = closed_form(&problem) else { continue };
        let value = form.f_star(FINE);
        let plain = Plain::new(&problem).ok().unwrap();
        let found = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap().point.to_exact().unwrap();
        let Some(proof) = evaluate(&plain, &found) else { continue };
        let Some(dual) = proof.dual(|_| true) else { continue };
        assert!(dual.lower.lower() <= value.upper() && value.lower() <= proof.objective.upper(), "{file}");
    }
}
