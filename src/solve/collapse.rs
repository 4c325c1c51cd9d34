//! The sphere model's first approximation: one feature for each class.
//!
//! Given W, the features of a class all face the same problem on one sphere, so giving each of them the best one's place never raises
//! the objective, and what is left has K features. Nothing is lost: at a point with equal features within classes the Hessian's quadratic
//! form is, for a direction of W, least when the features of a class move alike, so it is nonnegative on the whole tangent space exactly
//! when it is on these directions.

use super::{
    newton,
    run::{Iterate, Run},
};
use crate::linalg::vector;
use crate::problem::{Layout, Objective};

/// Sweeps of alternating steps, at most.
const SWEEPS: usize = 32;
/// A sweep that changes the objective by at most this share of it is the last.
const SETTLED: f64 = 1e-7;

/// Replaces `at` by a minimiser over the points whose features are equal within classes, when that lowers the objective.
pub(super) fn improve(run: &mut Run, at: &mut Iterate) {
    // A start that is critical already is left as it is: it may be a saddle that is looked for.
    if !at.f.is_finite() || at.norm <= run.tolerance(at) {
        return;
    }
    let Ok(objective) = Objective::collapsed(run.problem, run.options.threads) else { return };
    let x = best_features(&run.objective, objective.layout(), &at.x);
    let mut collapsed = Iterate { g: vec![0.0; x.len()], x, f: f64::NAN, norm: f64::NAN };
    run.exchange(objective);
    sweep(&mut run.objective, &mut collapsed.x);
    run.evaluate(&mut collapsed);
    newton::search(run, &mut collapsed);
    run.restore();
    let x = spread(&run.objective, &collapsed.x);
    let mut better = Iterate { g: vec![0.0; x.len()], x, f: f64::NAN, norm: f64::NAN };
    run.evaluate(&mut better);
    if better.f < at.f {
        *at = better;
    }
}

/// Alternating steps: each vector to the direction of the negative gradient in it, as at a minimum, damped from the first sweep on that
/// does not lower the objective. They converge linearly, in a few sweeps where probabilities are small, and hand over to Newton's method.
fn sweep(objective: &mut Objective, x: &mut Vec<f64>) {
    let (mut g, mut before) = (vec![0.0; x.len()], x.clone());
    // The lowest point and its objective; whether x is that point once more, to be swept with more damping.
    let (mut best, mut lowest, mut again) = (x.clone(), f64::INFINITY, false);
    let mut damping = 0.0;
    for _ in 0..SWEEPS {
        before.copy_from_slice(x);
        let Ok(f) = objective.alternate(x, &mut g, damping) else { break };
        if std::mem::take(&mut again) {
            continue;
        }
        let settled = (lowest - f).abs() <= SETTLED * f;
        if f < lowest {
            std::mem::swap(&mut best, &mut before);
            lowest = f;
        } else {
            x.copy_from_slice(&best);
            (damping, again) = ((2.0f64 * damping).max(1.0), true);
        }
        if settled {
            break;
        }
    }
    *x = best;
}

/// W, and of each class the feature with the least loss: that whose own class's probability is closest to one.
fn best_features(objective: &Objective, collapsed: &Layout, x: &[f64]) -> Vec<f64> {
    let (layout, labels) = (objective.layout(), &objective.targets().labels);
    let mut best = vec![(f64::NEG_INFINITY, 0); layout.classes];
    for (sample, (error, &label)) in objective.errors().chunks_exact(layout.classes).zip(labels).enumerate() {
        let label = label as usize;
        if error[label] > best[label].0 {
            best[label] = (error[label], sample);
        }
    }
    let mut out = vec![0.0; collapsed.len()];
    out[..layout.features().start].copy_from_slice(&x[..layout.features().start]);
    let h = &x[layout.features()];
    for (column, (_, sample)) in out[collapsed.features()].chunks_exact_mut(layout.dim).zip(best) {
        column.copy_from_slice(&h[sample * layout.dim..][..layout.dim]);
    }
    out
}

/// W, and for each sample its class's feature.
pub(super) fn spread(objective: &Objective, collapsed: &[f64]) -> Vec<f64> {
    let layout = objective.layout();
    let (w, h) = collapsed.split_at(layout.features().start);
    let mut out = Vec::with_capacity(layout.len());
    out.extend_from_slice(w);
    for &label in &objective.targets().labels {
        out.extend_from_slice(&h[label as usize * layout.dim..][..layout.dim]);
    }
    out
}

/// The norm of the whole problem's gradient: each of a class's n features has an n-th of its feature's gradient.
pub(super) fn whole_norm(objective: &Objective, collapsed: &[f64]) -> f64 {
    let (layout, counts) = (objective.layout(), &objective.targets().counts);
    let (w, h) = collapsed.split_at(layout.features().start);
    let square = |x: &[f64]| vector::dot(x, x, false);
    let features: f64 = h.chunks_exact(layout.dim).zip(counts).map(|(g, &n)| square(g) / n as f64).sum();
    (square(w) + features).sqrt()
}
