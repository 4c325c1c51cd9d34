//! Deep ReLU models where collapse is not optimal.

use rug::Float;

use super::instance::{Instance, Prediction};
use super::{Claim, Finding};
use crate::certify::{Below, below};
use crate::closed_form::GraphFamily;
use crate::problem::{ExactPoint, Problem};
use crate::solve::{HuntOptions, hunt};

/// Starts of the hunt: a few find a counterexample on this theorem's grid.
const STARTS: u64 = 16;

/// A hunt finds a point whose objective is certainly below the collapsed value.
pub(super) const COUNTEREXAMPLE: Claim = Claim {
    name: "counterexample",
    statement: "A search from 16 starts finds a point whose exactly evaluated objective is below the enclosed collapsed value; the independent checker \
                accepts the certificate.",
    check: |i| {
        let options = HuntOptions { starts: STARTS, seed: 0, time_limit: None };
        let point = hunt(&i.problem, &options, &mut |_| {}).ok().and_then(|found| found.solution.point.to_exact());
        point.map_or_else(|| (None, Finding::Undecided("budget: no point found".into())), |point| lower(i, &point))
    },
};

/// The predicted point itself is below the collapsed value.
pub(super) const PREDICTED_BELOW: Claim = Claim {
    name: "below collapse",
    statement: "The predicted point's exactly evaluated objective is below the enclosed collapsed value; the independent checker accepts the certificate.",
    check: |i| match &i.prediction {
        Some(p) => lower(i, &p.minimiser),
        None => (None, Finding::Undecided("unsupported: no prediction".into())),
    },
};

fn lower(i: &Instance, point: &ExactPoint) -> (Option<Float>, Finding) {
    match below(&i.problem, i.bytes(), point) {
        Ok(Some(Below { text, .. })) => match i.refused(&text) {
            None => (None, Finding::Proved),
            Some(reason) => (None, Finding::Undecided(reason)),
        },
        _ => (None, Finding::Undecided("budget: no point certainly below the collapsed value".into())),
    }
}

/// What the complete-graph family says.
pub(super) fn predict_graph(problem: &Problem, prec: u32) -> Option<Prediction> {
    let family = GraphFamily::new(problem).ok()?;
    Some(Prediction { f_star: family.value(prec), minimiser: family.point(problem, prec).ok()? })
}
