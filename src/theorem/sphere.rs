//! The landscape of the sphere model: critical points that symmetry gives, each certified to be a strict saddle.

use faer::Mat;

use super::claims::{Claim, Outcome, undecided};
use super::{Finding, Instance};
use crate::certify::Verdict;
use crate::problem::{Point, Problem};

/// Critical points with all vectors at one place and, for an even number of classes, two antipodal groups and (K >= 4) antipodal pairs
/// along the axes, are strict saddles.
pub(super) const STRICT_SADDLES: Claim = Claim {
    name: "strict saddles",
    statement: "Critical points that symmetry gives (all vectors at one place; two antipodal groups and antipodal pairs along the axes for even K) \
                have certified negative curvature; the checker accepts.",
    check,
};

fn check(i: &Instance) -> Outcome {
    let points = symmetric(&i.problem);
    if points.is_empty() {
        return undecided("unsupported: no room for symmetric critical points in this dimension");
    }
    for (name, point) in points {
        let Some(exact) = point.to_exact() else { return undecided("domain: not finite") };
        let Some(found) = i.certify(&exact) else { return undecided("unsupported: no certificate") };
        if let Some(reason) = i.refusal(&found) {
            return undecided(&reason);
        }
        match found.verdict {
            Verdict::StrictSaddle => {}
            Verdict::GlobalMinimum => return (None, Finding::Refuted(format!("{name}: a global minimum"))),
            other => return (None, Finding::Undecided(format!("precision: {name}: {}", other.name()))),
        }
    }
    (None, Finding::Proved)
}

/// Each class's direction as (axis, sign), where there is room beside the axes in use. The theorem asks for d > K, these points need less.
fn symmetric(problem: &Problem) -> Vec<(&'static str, Point)> {
    let Ok((k, d, _)) = problem.point_sizes() else { return vec![] };
    let Some(counts) = problem.class_counts() else { return vec![] };
    let sign = |positive: bool| if positive { 1.0 } else { -1.0 };
    let mut directions: Vec<(&'static str, Vec<(usize, f64)>)> = vec![("one place", vec![(0, 1.0); k])];
    if k % 2 == 0 && k >= 4 {
        directions.push(("two groups", (0..k).map(|c| (0, sign(c < k / 2))).collect()));
        directions.push(("axes", (0..k).map(|c| (c / 2, sign(c % 2 == 0))).collect()));
    }
    let label: Vec<usize> = counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n as usize)).collect();
    let point = |vectors: Vec<(usize, f64)>| {
        let entry = |class: usize, j: usize| if vectors[class].0 == j { vectors[class].1 } else { 0.0 };
        Point { factors: vec![Mat::from_fn(k, d, entry)], h: Mat::from_fn(d, label.len(), |j, i| entry(label[i], j)), b: None }
    };
    let room = |vectors: &[(usize, f64)]| vectors.iter().all(|&(axis, _)| axis + 1 < d);
    directions.into_iter().filter(|(_, vectors)| room(vectors)).map(|(name, vectors)| (name, point(vectors))).collect()
}
