//! Phase diagrams: what was measured at each instance, with theory's boundary computed from its formula.

use std::collections::BTreeMap;

use super::{Grid, Instance, Record, Step, outcome::SweepStatus};
use crate::problem::{Bias, Labels, Loss, Model, Problem};

/// What is alive at a minimiser, as a phase diagram tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Every mode the model has room for.
    Whole,
    /// Some modes: minority collapse, or an ETF where an orthogonal frame is possible.
    Partial,
    /// None: the logits without bias are zero.
    Zero,
}

impl Phase {
    pub const ALL: [Phase; 3] = [Phase::Whole, Phase::Partial, Phase::Zero];
}

/// One instance in a diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiagramPoint {
    pub index: usize,
    pub x: f64,
    pub y: f64,
    /// Measured at the numerical minimiser.
    pub measured: Phase,
    /// Whether theory has as many modes alive; `None` where it says nothing.
    pub agrees: Option<bool>,
    pub converged: bool,
}

/// A phase diagram.
#[derive(Debug, Clone)]
pub struct Diagram {
    /// The phenomenon; consecutive diagrams may share it.
    pub heading: String,
    /// Which instances.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub text: String,
    pub x: String,
    pub y: String,
    pub x_log: bool,
    pub y_log: bool,
    /// Names of the phases, in the order of [`Phase::ALL`].
    pub phases: [String; 3],
    pub points: Vec<DiagramPoint>,
    /// Theory's boundaries, computed, not fitted: name and curve.
    pub boundaries: Vec<(String, Vec<(f64, f64)>)>,
}

impl Diagram {
    /// Points of which theory has other modes alive.
    pub fn disagreements(&self) -> usize {
        self.points.iter().filter(|p| p.agrees == Some(false)).count()
    }

    /// Points of which theory says something.
    pub fn compared(&self) -> usize {
        self.points.iter().filter(|p| p.agrees.is_some()).count()
    }
}

/// Points at which a boundary is evaluated.
const SAMPLES: usize = 200;

/// Which diagram an instance belongs to; instances of one kind share boundaries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Balanced, two factors: μ against the reciprocal of the gradient at zero.
    Threshold { problem: String, scale: Scale },
    /// Balanced MSE with a regularized bias: λ_b against c.
    Transition,
    /// Two class sizes: the weights' geometric mean against the imbalance ratio.
    Minority { problem: String, factors: usize, majority: (u64, u64), minority_classes: u64, mass: String, exact: bool },
    /// Balanced, more factors: κ against their number.
    Depth { relu: bool },
}

/// What `N / ‖N ∇L(0)‖_op` is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scale {
    Classes,
    Smoothed,
    Focal,
    Tags,
}

/// The phase diagrams of a grid's results: regimes c < 1 and c >= 1 of the balanced models with two factors, the transition between
/// simplex ETF and orthogonal frame, minority collapse, and the threshold of deep models; those for which there are numerical minimisers.
///
/// Each point is coloured by what was measured at the minimiser, the modes of its logits above 10⁻⁶ of the targets', so that a
/// disagreement with the boundary shows. The boundaries are theory's formulas:
///
/// - `c = K √n μ = 1` (label smoothing: `1 − α`; tag sets: `N μ = √(Σ q_m C(K−2, m−1))`; focal: where zero stops being a local minimum),
///   μ = √(λ_W λ_H): beyond it zero is the minimiser;
/// - `g = λ_b/(1 + λ_b) = c`: the mean component is alive below it, an ETF above;
/// - `√n_k = N μ` with p factors `N Λ^{1/p} n_k^{1/p−1} = κ_c(p)`: a class, or the difference of two equally large ones, dies beyond it;
/// - `κ = K (n Λ)^{1/p} = κ_c(p) = (1/(p−1)) ((p−2)/(p−1))^{(p−2)/p}`.
///
/// Source: Tirer and Bruna 2022; Zhou et al. 2022; Dang et al. 2023; Li et al. 2024.
pub fn diagrams(grid: &Grid, records: &[Record]) -> Vec<Diagram> {
    let mut groups: BTreeMap<Kind, Vec<(DiagramPoint, Problem)>> = BTreeMap::new();
    for record in records {
        let Some(instance) = grid.instances.get(record.index) else { continue };
        let (Some(rank), Ok(problem)) = (record.outcome.rank, instance.problem()) else { continue };
        let Some(kind) = kind(instance, &problem) else { continue };
        let Some((x, y)) = place(&kind, instance, &problem) else { continue };
        let point = DiagramPoint {
            index: record.index,
            x,
            y,
            measured: phase(&kind, &problem, rank),
            agrees: record.outcome.agrees(),
            converged: !matches!(record.outcome.status, SweepStatus::NotConverged | SweepStatus::Failed),
        };
        groups.entry(kind).or_default().push((point, problem));
    }
    groups.into_iter().map(|(kind, members)| diagram(&kind, members)).collect()
}

fn kind(instance: &Instance, problem: &Problem) -> Option<Kind> {
    let raw = &instance.raw;
    let name = |fields: &[&Option<String>]| fields.iter().filter_map(|f| f.as_deref()).collect::<Vec<_>>().join(", ");
    let deep = matches!(problem.model, Model::DeepLinear { .. } | Model::DeepRelu { .. });
    if let Some(step) = instance.step {
        // The focal loss has no theory for imbalanced classes; the sphere has no weights.
        if matches!(problem.model, Model::Sphere { .. }) || matches!(problem.loss, Loss::Focal { .. }) {
            return None;
        }
        let bias = raw.bias.as_ref().map(|b| format!("bias {b}"));
        return Some(Kind::Minority {
            problem: name(&[&raw.model, &raw.loss, &bias]),
            factors: problem.depth(),
            majority: step.majority,
            minority_classes: step.minority.0,
            mass: raw.smoothing.clone().unwrap_or_default(),
            exact: deep || (problem.loss == Loss::Mse && problem.bias == Bias::None),
        });
    }
    if deep {
        return Some(Kind::Depth { relu: matches!(problem.model, Model::DeepRelu { .. }) });
    }
    let scale = match (&problem.model, &problem.loss, &problem.labels) {
        (Model::MultiLabel { .. }, _, Labels::TagSets { .. }) => Scale::Tags,
        (Model::Plain { .. }, _, _) if problem.per_class().is_none() => return None,
        (Model::Plain { .. }, Loss::Mse, _) if matches!(problem.bias, Bias::Regularized { .. }) => return Some(Kind::Transition),
        (Model::Plain { .. }, Loss::LabelSmoothing { .. }, _) => Scale::Smoothed,
        (Model::Plain { .. }, Loss::Focal { .. }, _) => Scale::Focal,
        (Model::Plain { .. }, _, _) => Scale::Classes,
        _ => return None,
    };
    let bias = raw.bias.as_ref().map(|b| format!("bias {b}"));
    Some(Kind::Threshold { problem: name(&[&raw.model, &raw.loss, &bias]), scale })
}

/// Λ^{1/p}: the geometric mean of the weights.
fn weight(problem: &Problem) -> f64 {
    let lambdas = problem.lambdas();
    lambdas.iter().map(|l| l.to_f64().ln()).sum::<f64>().exp().powf(1.0 / lambdas.len() as f64)
}

/// κ_c(p), also between whole numbers of factors.
fn critical(p: f64) -> f64 {
    let shrink = if p > 2.0 { ((p - 2.0) / (p - 1.0)).powf((p - 2.0) / p) } else { 1.0 };
    shrink / (p - 1.0)
}

fn binomial(n: f64, k: f64) -> f64 {
    let steps = k as u32;
    (0..steps).map(|i| (n - f64::from(i)) / f64::from(i + 1)).product()
}

/// Where an instance lies; `None` where its axes are not defined.
fn place(kind: &Kind, instance: &Instance, problem: &Problem) -> Option<(f64, f64)> {
    let (k, n) = (problem.classes() as f64, problem.per_class().unwrap_or(1) as f64);
    match kind {
        Kind::Threshold { scale, .. } => {
            let x = match (scale, &problem.loss, &problem.labels) {
                (Scale::Smoothed, Loss::LabelSmoothing { smoothing }, _) => k * n.sqrt() / (1.0 - smoothing.to_f64()),
                (Scale::Focal, Loss::Focal { focusing }, _) => {
                    let gamma = focusing.to_f64();
                    k * n.sqrt() / ((1.0 - 1.0 / k).powf(gamma) * (1.0 + gamma * k.ln() / (k - 1.0)))
                }
                (Scale::Tags, _, Labels::TagSets { per_tag_set, .. }) => {
                    let sum: f64 = per_tag_set.iter().map(|&(m, q)| q as f64 * binomial(k - 2.0, m as f64 - 1.0)).sum();
                    problem.samples() as f64 / sum.sqrt()
                }
                _ => k * n.sqrt(),
            };
            x.is_finite().then(|| (x, weight(problem)))
        }
        Kind::Transition => {
            let Bias::Regularized { lambda_b } = &problem.bias else { return None };
            Some((k * n.sqrt() * weight(problem), lambda_b.to_f64()))
        }
        Kind::Minority { .. } => Some((instance.step?.ratio().to_f64(), weight(problem))),
        Kind::Depth { .. } => {
            let p = problem.depth() as f64;
            Some((p, k * n.powf(1.0 / p) * weight(problem)))
        }
    }
}

fn phase(kind: &Kind, problem: &Problem, rank: u64) -> Phase {
    let (k, d) = (problem.classes(), problem.dim);
    let centred = match kind {
        Kind::Threshold { .. } | Kind::Minority { exact: false, .. } => !(problem.loss == Loss::Mse && problem.bias == Bias::None),
        _ => false,
    };
    // With a regularized bias the mean may be alive or not: the whole is told by the differences.
    let whole = (k - u64::from(centred)).min(d);
    match rank {
        0 => Phase::Zero,
        r if r >= whole => Phase::Whole,
        _ => Phase::Partial,
    }
}

fn diagram(kind: &Kind, members: Vec<(DiagramPoint, Problem)>) -> Diagram {
    let points: Vec<DiagramPoint> = members.iter().map(|(p, _)| *p).collect();
    let phases = |names: [&str; 3]| names.map(str::to_owned);
    match kind {
        Kind::Threshold { problem, scale } => {
            let (x, at_least) = match scale {
                Scale::Classes => ("K √n", "c = K √n μ = 1"),
                Scale::Smoothed => ("K √n / (1 − α)", "c = K √n μ = 1 − α"),
                Scale::Focal => ("K √n / ((1−1/K)^γ (1 + γ log K/(K−1)))", "c at which zero stops being a local minimum"),
                Scale::Tags => ("N / √(Σ q C(K−2, m−1))", "(N μ)² = Σ q C(K−2, m−1)"),
            };
            let text =
                "Beyond the boundary regularisation wins and the minimiser is zero; below it the features collapse to the theory's frame.";
            let mut text = text.to_owned();
            if *scale == Scale::Focal {
                text += " For many classes the focal margin jumps to zero beyond this boundary: the comparison in the table is with the enclosed minimum.";
            }
            Diagram {
                heading: "Collapse or zero".into(),
                title: problem.clone(),
                text,
                x: x.into(),
                y: "μ = √(λ_W λ_H)".into(),
                x_log: true,
                y_log: true,
                phases: phases(["every mode alive", "some modes alive", "zero"]),
                boundaries: curve(&points, at_least, |x| 1.0 / x),
                points,
            }
        }
        Kind::Transition => {
            let (y_least, y_most) = range(points.iter().map(|p| p.y));
            let ys = spaced(y_least, y_most, true);
            let bend: Vec<(f64, f64)> = ys.iter().map(|y| (y / (1.0 + y), *y)).collect();
            Diagram {
                heading: "Simplex ETF or orthogonal frame".into(),
                title: "plain, mse, bias regularized".into(),
                text: "Left of the curve, where c < g = λ_b/(1+λ_b), the mean of the class means is alive and the frame turns from a simplex ETF \
                       into an orthogonal frame as λ_b grows; right of it the minimiser is an ETF, and from c = 1 on it is zero."
                    .into(),
                x: "c = K √n μ".into(),
                y: "λ_b".into(),
                x_log: false,
                y_log: true,
                phases: phases(["ETF and a mean component (rank K)", "simplex ETF (rank K − 1)", "zero"]),
                boundaries: vec![
                    ("theory: λ_b/(1+λ_b) = c".into(), bend),
                    ("theory: c = 1".into(), vec![(1.0, y_least), (1.0, y_most)]),
                ],
                points,
            }
        }
        Kind::Minority { problem, factors, majority, minority_classes, mass, exact } => {
            let (a, n, b) = (majority.0 as f64, majority.1 as f64, *minority_classes as f64);
            let p = *factors as f64;
            let kept = 1.0 - mass.parse::<f64>().unwrap_or(0.0);
            let step = |ratio: f64| (n / ratio, n * (a + b / ratio));
            let dies = |size: f64, samples: f64| kept * critical(p) * size.powf(1.0 - 1.0 / p) / samples;
            let (minority_name, majority_name) = if *exact {
                ("theory: minority classes die above", "theory: every class dies above")
            } else {
                ("theory: minority classes merge above", "theory: majority classes merge above")
            };
            let mut boundaries = vec![];
            // A single class has no difference to another of its size.
            if *exact || *minority_classes > 1 {
                boundaries.extend(curve(&points, minority_name, |t| dies(step(t).0, step(t).1)));
            }
            if *exact || majority.0 > 1 {
                boundaries.extend(curve(&points, majority_name, |t| dies(n, step(t).1)));
            }
            Diagram {
                heading: "Minority collapse".into(),
                title: format!("{problem}: {} classes of {} samples, {b} minority classes", majority.0, majority.1),
                text: "A class dies, or merges with those of its size, when its samples are too few for the weights: √n_k <= N μ with two factors. \
                       Between the boundaries the majority lives on alone."
                    .into(),
                x: "imbalance ratio, majority over minority".into(),
                y: if *factors == 2 { "μ = √(λ_W λ_H)".into() } else { format!("Λ^(1/{factors}), geometric mean of the weights") },
                x_log: true,
                y_log: true,
                phases: phases(["every mode alive", "minority collapsed", "zero"]),
                boundaries,
                points,
            }
        }
        Kind::Depth { relu } => {
            let depths = || members.iter().map(|(_, problem)| problem.depth());
            let single = depths().all(|p| Some(p) == depths().next());
            let conditional =
                if *relu { " For ReLU the boundary is that of the collapsed candidate, which need not be the minimum." } else { "" };
            let mut d = Diagram {
                heading: "Deep threshold".into(),
                title: format!("deep-{}", if *relu { "relu" } else { "linear" }),
                text: format!(
                    "Beyond κ_c zero is the minimiser, and the collapsed solution jumps there; it stays a local minimum for a while, so the lowest \
                     of several starts is what was measured.{conditional}"
                ),
                x: "factors p, H among them".into(),
                y: "κ = K (n Λ)^(1/p)".into(),
                x_log: false,
                y_log: true,
                phases: phases(["every mode alive", "some modes alive", "zero"]),
                boundaries: vec![],
                points,
            };
            if single {
                let p = depths().next().unwrap_or(2);
                for (point, (_, problem)) in d.points.iter_mut().zip(&members) {
                    point.x = problem.classes() as f64 * (problem.per_class().unwrap_or(1) as f64).powf(1.0 / p as f64);
                    point.y = weight(problem);
                }
                (d.x, d.y, d.x_log) = (format!("K n^(1/{p})"), format!("Λ^(1/{p}), geometric mean of the weights"), true);
                d.boundaries = curve(&d.points, &format!("theory: κ = κ_c({p})"), |x| critical(p as f64) / x);
            } else {
                let (least, most) = range(d.points.iter().map(|p| p.x));
                let at = |p: f64| (p, critical(p));
                d.boundaries = vec![("theory: κ_c(p)".into(), spaced(least, most, false).into_iter().map(at).collect())];
            }
            d
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)))
}

fn spaced(least: f64, most: f64, log: bool) -> Vec<f64> {
    let share = |i: usize| i as f64 / (SAMPLES - 1) as f64;
    let at = |i: usize| if log { least * (most / least).powf(share(i)) } else { least + (most - least) * share(i) };
    (0..SAMPLES).map(at).collect()
}

/// A boundary y(x) on logarithmic axes over the range of the points, cut where it leaves it; none when it never enters.
fn curve(points: &[DiagramPoint], name: &str, y: impl Fn(f64) -> f64) -> Vec<(String, Vec<(f64, f64)>)> {
    let (mut least, mut most) = range(points.iter().map(|p| p.x));
    let (low, high) = range(points.iter().map(|p| p.y));
    if least == most {
        (least, most) = (least / 1.25, most * 1.25);
    }
    let inside = |y: f64| (low / 1.25..=high * 1.25).contains(&y);
    let at: Vec<(f64, f64)> = spaced(least, most, true).into_iter().map(|x| (x, y(x))).filter(|p| inside(p.1)).collect();
    let name = if name.starts_with("theory") { name.to_owned() } else { format!("theory: {name}") };
    if at.is_empty() { vec![] } else { vec![(name, at)] }
}

impl Step {
    #[cfg(test)]
    fn of(majority: (u64, u64), minority: (u64, u64)) -> Step {
        Step { majority, minority }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closed_form::minority_threshold;
    use crate::scalar::Rational;

    #[test]
    fn boundaries_are_those_of_the_enclosed_theory() {
        // κ_c(3) = 2^(−4/3); two factors die at κ = 1.
        assert!((critical(3.0) - 2f64.powf(-4.0 / 3.0)).abs() < 1e-15);
        assert_eq!(critical(2.0), 1.0);
        // The minority boundary at the enclosed ratio is μ itself.
        let lambda = Rational::from((1, 100));
        let found = minority_threshold((2, 100), 2, &lambda, &lambda, 128).unwrap();
        let ratio = found.ratio.mid().to_f64();
        let step = Step::of((2, 100), (2, 1));
        let points = [1.0, 100.0].map(|x| DiagramPoint { index: 0, x, y: 0.01, measured: Phase::Whole, agrees: None, converged: true });
        let (a, n, b) = (step.majority.0 as f64, step.majority.1 as f64, step.minority.0 as f64);
        let at = (n / ratio).sqrt() / (n * (a + b / ratio));
        assert!((at - 0.01).abs() < 1e-12);
        assert!(!curve(&points, "b", |t| (n / t).sqrt() / (n * (a + b / t))).is_empty());
    }
}
