use super::{
    Status,
    run::{Iterate, Run},
};
use crate::linalg::vector::{add_scaled, dot, norm, scaled};

/// Share of the gradient norm to which the Newton equation is solved, at most; near the optimum its square root takes over.
const FORCING: f64 = 0.1;
/// Predicted decreases below this share of |f| drown in the rounding of f: the gradient norm decides instead.
const VALUE_NOISE: f64 = 1e-13;
/// The final Newton equation need not be solved far below the tolerance.
const LAST_RESIDUAL: f64 = 0.1;
/// Agreement of actual and predicted decrease: below the first the region shrinks, above the second it may grow.
const SHRINK: f64 = 0.25;
const GROW: f64 = 0.75;
/// Least agreement for a step to be taken.
const ACCEPT: f64 = 1e-4;
/// The search gives up when the region is this small against the point, or after this many steps that neither lower the
/// objective beyond its rounding nor halve the gradient norm: enough to leave the neighbourhood of a nearly flat saddle.
const SMALLEST_RADIUS: f64 = 1e-15;
const FRUITLESS: u32 = 40;

/// Buffers of the conjugate-gradient method.
struct Workspace {
    step: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    product: Vec<f64>,
}

/// Trust-region Newton-CG from `at`, which ends as the best point found.
///
/// Each step minimises the quadratic model `g·s + s·Hs/2` over the ball of radius Δ by conjugate gradients, stopping early at the
/// boundary and along directions of negative curvature.
pub(super) fn search(run: &mut Run, at: &mut Iterate) -> Status {
    if at.norm <= run.tolerance(at) {
        return Status::Converged;
    }
    let len = at.x.len();
    let parallel = run.objective.parallel();
    let zeros = || vec![0.0; len];
    let mut work = Workspace { step: zeros(), residual: zeros(), direction: zeros(), product: zeros() };
    let mut trial = Iterate { x: zeros(), f: f64::NAN, g: zeros(), norm: f64::NAN };
    if !at.f.is_finite() || !at.norm.is_finite() {
        return Status::Stalled;
    }
    // The state behind Hessian products must be that of `at`.
    run.evaluate(at);
    run.objective.accept();
    let mut radius = norm(&at.x, parallel).max(1.0);
    let (mut fruitless, mut tighten, mut lowest) = (0, 1.0, f64::INFINITY);
    loop {
        if at.norm <= run.tolerance(at) {
            return Status::Converged;
        }
        if run.step(at) {
            return Status::Budget;
        }
        let target = (FORCING.min(at.norm.sqrt()) * tighten * at.norm).max(LAST_RESIDUAL * run.tolerance(at));
        let Some((length, predicted)) = steihaug(run, at, &mut work, radius, target) else {
            return if run.out_of_budget() { Status::Budget } else { Status::Stalled };
        };
        trial.x.copy_from_slice(&at.x);
        add_scaled(&mut trial.x, 1.0, &work.step, parallel);
        run.evaluate_retracted(&mut trial);
        let finite = trial.f.is_finite() && trial.norm.is_finite();
        let noisy = predicted <= VALUE_NOISE * at.f.abs();
        // −∫ grad f · ds along the step by the trapezoidal rule resolves decreases far below the rounding of f.
        let slopes = || -0.5 * (dot(&at.g, &work.step, parallel) + dot(&trial.g, &work.step, parallel));
        let ratio = match (finite, noisy) {
            (false, _) => f64::NEG_INFINITY,
            (true, false) => (at.f - trial.f) / predicted,
            (true, true) => slopes() / predicted,
        };
        let taken = ratio > ACCEPT || (noisy && finite && trial.norm < at.norm);
        if ratio < SHRINK {
            // A negative ratio is often rounding alone once the gradient itself is tiny: a step that lowers it keeps its region.
            if !taken || !noisy {
                radius = SHRINK * length;
            }
        } else if ratio > GROW && length > 0.99 * radius {
            radius *= 2.0;
        }
        if taken && (!noisy || trial.norm < 0.5 * lowest) {
            (fruitless, tighten) = (0, 1.0);
        } else if noisy {
            // Rounding limits the accuracy of the step: solve the equation more exactly before giving up.
            fruitless += 1;
            tighten *= 0.1;
        }
        if finite && taken {
            lowest = lowest.min(trial.norm);
        }
        if taken {
            std::mem::swap(at, &mut trial);
            run.objective.accept();
        }
        if fruitless >= FRUITLESS || radius < SMALLEST_RADIUS * (1.0 + norm(&at.x, parallel)) {
            return if at.norm <= run.options.tol { Status::Converged } else { Status::Stalled };
        }
    }
}

/// A step in `work.step` that solves `H s = −g` to the residual `target` inside the ball, its length and the predicted decrease.
/// `None` when out of budget or when the arithmetic left the finite numbers.
fn steihaug(run: &mut Run, at: &Iterate, work: &mut Workspace, radius: f64, target: f64) -> Option<(f64, f64)> {
    let parallel = run.objective.parallel();
    let Workspace { step, residual, direction, product } = work;
    step.fill(0.0);
    residual.copy_from_slice(&at.g);
    scaled(direction, -1.0, residual, parallel);
    let mut square = dot(residual, residual, parallel);
    // Lengths by recurrence: |s|², s·d, |d|².
    let (mut ss, mut sd, mut dd) = (0.0, 0.0, square);
    let limit = 2 * step.len() as u64 + 10;
    for _ in 0..limit {
        if run.out_of_budget() {
            return None;
        }
        run.objective.hessian_product(&at.x, direction, product);
        let curvature = dot(direction, product, parallel);
        if !curvature.is_finite() {
            return None;
        }
        let alpha = square / curvature;
        let outside = ss + alpha * (2.0 * sd + alpha * dd) >= radius * radius;
        if curvature <= 0.0 || outside {
            let root = (sd * sd + dd * (radius * radius - ss)).max(0.0).sqrt();
            let tau = if sd > 0.0 { (radius * radius - ss) / (sd + root) } else { (root - sd) / dd };
            add_scaled(step, tau, direction, parallel);
            add_scaled(residual, tau, product, parallel);
            return Some((radius, predicted(at, step, residual, parallel)));
        }
        add_scaled(step, alpha, direction, parallel);
        add_scaled(residual, alpha, product, parallel);
        ss += alpha * (2.0 * sd + alpha * dd);
        let next = dot(residual, residual, parallel);
        if next.sqrt() <= target {
            break;
        }
        let beta = next / square;
        square = next;
        sd = beta * (sd + alpha * dd);
        dd = next + beta * beta * dd;
        let negated = |r: f64, d: f64| beta * d - r;
        crate::linalg::vector::zip_with(direction, residual, parallel, negated);
    }
    Some((ss.sqrt(), predicted(at, step, residual, parallel)))
}

/// `−(g·s + s·Hs/2)`, from the residual `r = g + H s`.
fn predicted(at: &Iterate, step: &[f64], residual: &[f64], parallel: bool) -> f64 {
    -0.5 * (dot(&at.g, step, parallel) + dot(residual, step, parallel))
}
