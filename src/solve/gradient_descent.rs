use super::{
    Status,
    run::{Iterate, Run},
};
use crate::linalg::vector::add_scaled;

/// A trace holds at most about this many rows, evenly spaced, first and last step included.
const TRACE_ROWS: u64 = 1000;

/// `x ← x − η grad f(x)` (sphere: then back to length one), `steps` times. Iterates that leave the finite numbers end the run at the last finite one.
pub(super) fn search(run: &mut Run, at: &mut Iterate, learning_rate: f64, steps: u64) -> Status {
    let parallel = run.objective.parallel();
    let every = steps.div_ceil(TRACE_ROWS).max(1);
    let mut next = Iterate { x: at.x.clone(), f: at.f, g: at.g.clone(), norm: at.norm };
    let first = run.iterations;
    loop {
        let step = run.iterations - first;
        run.report(at);
        if run.options.trace && (step.is_multiple_of(every) || step == steps) {
            run.record(at);
        }
        if step == steps {
            return Status::Budget;
        }
        if run.out_of_budget() {
            return Status::Budget;
        }
        next.x.copy_from_slice(&at.x);
        add_scaled(&mut next.x, -learning_rate, &at.g, parallel);
        run.evaluate_retracted(&mut next);
        if !(next.f.is_finite() && next.norm.is_finite()) {
            return Status::Stalled;
        }
        std::mem::swap(at, &mut next);
        run.iterations += 1;
    }
}
