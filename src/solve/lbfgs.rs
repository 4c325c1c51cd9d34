use std::collections::VecDeque;

use super::{
    Status,
    run::{Iterate, Run},
};
use crate::linalg::vector::{add_scaled, dot, scaled};

/// Pairs of steps and gradient changes remembered.
const MEMORY: usize = 20;
/// Sufficient-decrease and curvature constants of the Wolfe conditions (those of Hager and Zhang).
const DECREASE: f64 = 0.1;
const CURVATURE: f64 = 0.9;
/// Within this share of |f| values no longer tell a decrease: acceptance then rests on slopes (Hager and Zhang's approximate
/// Wolfe conditions). Far above the rounding of f, about 1e-14, and far below any decrease that matters.
const VALUE_SLACK: f64 = 1e-11;
/// Evaluations in one line search.
const LINE_SEARCH: usize = 40;
/// Growth of the step while no bracket is known.
const EXPAND: f64 = 4.0;
/// New steps stay this share of a bracket away from its ends.
const MARGIN: f64 = 0.1;

struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    /// 1/<s, y>.
    rho: f64,
}

/// Limited-memory BFGS from `at`, which ends as the last point accepted.
pub(super) fn search(run: &mut Run, at: &mut Iterate) -> Status {
    let parallel = run.objective.parallel();
    let mut pairs: VecDeque<Pair> = VecDeque::with_capacity(MEMORY);
    let mut direction = vec![0.0; at.x.len()];
    let mut trial = Iterate { x: at.x.clone(), f: at.f, g: at.g.clone(), norm: at.norm };
    if !at.f.is_finite() || !at.norm.is_finite() {
        return Status::Stalled;
    }
    loop {
        if at.norm <= run.options.tol {
            return Status::Converged;
        }
        if run.step(at) {
            return Status::Budget;
        }
        two_loop(&pairs, &at.g, &mut direction, parallel);
        let mut slope = dot(&at.g, &direction, parallel);
        let descends = slope < 0.0 && slope.is_finite();
        if !descends {
            pairs.clear();
            scaled(&mut direction, -1.0, &at.g, parallel);
            slope = -at.norm * at.norm;
        }
        let first = if pairs.is_empty() { (1.0 / at.norm).min(1.0) } else { 1.0 };
        if !line_search(run, at, &mut trial, &direction, slope, first) {
            if run.out_of_budget() {
                return Status::Budget;
            }
            if pairs.is_empty() {
                return Status::Stalled;
            }
            // The memory may be what misleads: once more along the gradient.
            pairs.clear();
            continue;
        }
        let mut pair = if pairs.len() == MEMORY { pairs.pop_front() } else { None }.unwrap_or_else(|| {
            let zeros = || vec![0.0; at.x.len()];
            Pair { s: zeros(), y: zeros(), rho: 0.0 }
        });
        difference(&mut pair.s, &trial.x, &at.x, parallel);
        difference(&mut pair.y, &trial.g, &at.g, parallel);
        let sy = dot(&pair.s, &pair.y, parallel);
        if sy > 0.0 && (1.0 / sy).is_finite() {
            pair.rho = 1.0 / sy;
            pairs.push_back(pair);
        }
        std::mem::swap(at, &mut trial);
    }
}

fn difference(out: &mut [f64], x: &[f64], y: &[f64], parallel: bool) {
    out.copy_from_slice(x);
    add_scaled(out, -1.0, y, parallel);
}

/// `d = −B g`, B the inverse Hessian approximation of the remembered pairs.
fn two_loop(pairs: &VecDeque<Pair>, g: &[f64], d: &mut [f64], parallel: bool) {
    scaled(d, -1.0, g, parallel);
    let mut alphas = [0.0; MEMORY];
    for (pair, alpha) in pairs.iter().zip(&mut alphas).rev() {
        *alpha = pair.rho * dot(&pair.s, d, parallel);
        add_scaled(d, -*alpha, &pair.y, parallel);
    }
    if let Some(last) = pairs.back() {
        let scale = 1.0 / (last.rho * dot(&last.y, &last.y, parallel));
        d.iter_mut().for_each(|d| *d *= scale);
    }
    for (pair, alpha) in pairs.iter().zip(&alphas) {
        let beta = pair.rho * dot(&pair.y, d, parallel);
        add_scaled(d, alpha - beta, &pair.s, parallel);
    }
}

/// A step that meets the Wolfe conditions, or near the optimum the approximate ones, left in `trial`; false when none was found.
fn line_search(run: &mut Run, at: &Iterate, trial: &mut Iterate, direction: &[f64], slope: f64, first: f64) -> bool {
    let parallel = run.objective.parallel();
    let slack = VALUE_SLACK * at.f.abs();
    let mut low = (0.0, slope);
    let mut high: Option<(f64, f64)> = None;
    let mut length = first;
    for _ in 0..LINE_SEARCH {
        if run.out_of_budget() {
            return false;
        }
        trial.x.copy_from_slice(&at.x);
        add_scaled(&mut trial.x, length, direction, parallel);
        run.evaluate(trial);
        let here = dot(&trial.g, direction, parallel);
        let finite = trial.f.is_finite() && here.is_finite();
        let steep = here < CURVATURE * slope;
        let wolfe = trial.f <= at.f + DECREASE * length * slope && !steep;
        let approximate = trial.f <= at.f + slack && here <= (2.0 * DECREASE - 1.0) * slope && !steep;
        if finite && (wolfe || approximate) {
            return true;
        }
        if !finite || trial.f > at.f + slack || here >= 0.0 {
            high = Some((length, if finite { here } else { f64::NAN }));
        } else {
            low = (length, here);
        }
        length = match high {
            None => length * EXPAND,
            Some((end, end_slope)) => {
                let width = end - low.0;
                let secant = low.0 - low.1 * width / (end_slope - low.1);
                let middle = low.0 + 0.5 * width;
                let guess = if end_slope > 0.0 && secant.is_finite() { secant } else { middle };
                guess.clamp(low.0 + MARGIN * width, end - MARGIN * width)
            }
        };
    }
    false
}
