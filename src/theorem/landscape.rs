//! The landscape: enumerated critical points with their inertia, and gradient descent with its certified gap.

use rug::{Float, Rational};

use super::claims::{LOST_DIGITS, Outcome, class_sums, undecided, up};
use super::instance::{Instance, power_of_tenth};
use super::registry::{classes, plain, predict};
use super::{Claim, Finding, Theorem, Trust};
use crate::certify::{CertifyOptions, Verdict, certify, hessian_eigenvalues, objective};
use crate::closed_form::critical_points;
use crate::problem::Dyadic;
use crate::scalar::Ball;
use crate::solve::{Method, SolveOptions, minimise_observed};

/// Each enumerated critical point is what the formula says.
const CRITICAL: Claim = Claim {
    name: "critical points",
    statement: "At every point that keeps a subset of the modes alive: the gradient vanishes and the value is the formula's to the digits asked; the \
                Hessian's enclosed eigenvalues are negative exactly as often as the formula says.",
    check: critical,
};

/// Global minimum or strict saddle, and nothing between.
const DICHOTOMY: Claim = Claim {
    name: "dichotomy",
    statement: "Every enumerated critical point is certified: a global minimum where the formula has no negative eigenvalue, a strict saddle with an \
                enclosed direction of negative curvature elsewhere; the independent checker accepts each.",
    check: dichotomy,
};

/// Eigenvalues of flat directions (rotations) are enclosed this close to zero; negative ones of the grid are below −10^-6.
const FLAT: u32 = 9;

fn critical(i: &Instance) -> Outcome {
    let prec = super::instance::bits(i.digits);
    let limit = power_of_tenth(i.digits - LOST_DIGITS);
    let Ok(points) = critical_points(&i.problem) else { return undecided("unsupported: critical points") };
    let options = CertifyOptions { digits: i.digits, ..Default::default() };
    let mut worst = Float::new(64);
    for c in points {
        let name = format!("modes {:?}", c.modes);
        let Ok(point) = c.point(&i.problem, prec) else { return undecided("unsupported: size") };
        let (Ok(found), Some(value)) = (certify(&i.problem, b"", &point, &options), objective(&i.problem, &point, prec)) else {
            return undecided("unsupported: no certificate");
        };
        let Some(gradient) = found.gradient_norm else { return undecided("domain: gradient") };
        for deviation in [gradient, (&value - &c.value(prec)).abs()] {
            worst.max_mut(&up(&deviation));
            if deviation.lower_rational().is_some_and(|x| x > limit) {
                return (Some(worst), Finding::Refuted(format!("{name}: gradient or value off by {}", deviation.lower_decimal(3))));
            }
        }
        let Some(eigenvalues) = hessian_eigenvalues(&i.problem, &point) else { return undecided("precision: eigenvalues") };
        let negative = c.negative as usize;
        let certain = eigenvalues.iter().filter(|x| x.upper_rational().is_some_and(|x| x < -power_of_tenth(FLAT))).count();
        let rest = eigenvalues.iter().skip(negative).all(|x| x.lower_rational().is_some_and(|x| x > -power_of_tenth(FLAT)));
        if certain > negative {
            return (Some(worst), Finding::Refuted(format!("{name}: {certain} negative eigenvalues, not {negative}")));
        }
        if certain < negative || !rest {
            return (Some(worst), Finding::Undecided(format!("precision: {name}: inertia")));
        }
    }
    let small = worst.to_rational().is_some_and(|w| w <= limit);
    (Some(worst), if small { Finding::Proved } else { Finding::Undecided("precision: gradient or value".into()) })
}

fn dichotomy(i: &Instance) -> Outcome {
    let Ok(points) = critical_points(&i.problem) else { return undecided("unsupported: critical points") };
    let options = CertifyOptions { digits: i.digits, ..Default::default() };
    for c in points {
        let Ok(point) = c.point(&i.problem, super::instance::bits(i.digits)) else { return undecided("unsupported: size") };
        let Ok(found) = certify(&i.problem, i.file.as_bytes(), &point, &options) else { return undecided("unsupported: no certificate") };
        let expected = if c.negative == 0 { Verdict::GlobalMinimum } else { Verdict::StrictSaddle };
        if found.verdict != expected {
            let text = format!("modes {:?} with {} negative eigenvalues: {}", c.modes, c.negative, found.verdict.name());
            let proved = matches!(found.verdict, Verdict::GlobalMinimum | Verdict::StrictSaddle);
            return (None, if proved { Finding::Refuted(text) } else { Finding::Undecided(format!("budget: {text}")) });
        }
        if let Some(reason) = i.refusal(&found) {
            return undecided(&reason);
        }
    }
    (Some(Float::new(64)), Finding::Proved)
}

/// Steps of gradient descent, its learning rate (the literature's), and how many recorded points are certified.
const STEPS: u64 = 2_000;
const LEARNING_RATE: f64 = 0.1;
const CERTIFIED_ROWS: u64 = 5;

/// Along gradient descent the certified gap encloses the true one, and bounds the distance to collapse.
const DESCENT: Claim = Claim {
    name: "near-collapse along descent",
    statement: "Gradient descent from a random start: at recorded steps the certified bounds enclose the closed-form minimum and the step's objective, the \
                last gap is below the first, and the exact within-class variability is at most the bound 2 gap/(lambda_H N).",
    check: descent,
};

fn descent(i: &Instance) -> Outcome {
    let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
    let method = Method::GradientDescent { learning_rate: LEARNING_RATE, steps: STEPS };
    let options = SolveOptions { method, trace: true, ..Default::default() };
    let (mut points, mut seen) = (vec![], 0);
    let run = minimise_observed(&i.problem, &options, &mut |_| {}, &mut |row, point| {
        if row.step * CERTIFIED_ROWS >= seen * STEPS {
            seen += 1;
            points.push(point.clone());
        }
    });
    if run.is_err() {
        return undecided("unsupported: no minimiser");
    }
    let mut gaps: Vec<Float> = vec![];
    for point in points {
        let Some(exact) = point.to_exact() else { return undecided("domain: the iterates left the finite numbers") };
        let found = certify(&i.problem, i.file.as_bytes(), &exact, &CertifyOptions::default()).ok().and_then(|c| c.bounds);
        let (Some(b), Some(within)) = (found, within_class(i, &exact.h)) else { return undecided("precision: no bounds") };
        if (&Ball::exact(b.lower.clone()) - &p.f_star).is_positive() {
            return (Some(b.gap), Finding::Refuted("a certified lower bound above the claimed minimum".into()));
        }
        if b.collapse.as_ref().and_then(|c| c.within_class.to_rational()).is_none_or(|bound| within > bound) {
            return (Some(b.gap), Finding::Refuted("within-class variability beyond its certified bound".into()));
        }
        gaps.push(b.gap);
    }
    let (Some(first), Some(last)) = (gaps.first(), gaps.last().cloned()) else { return undecided("unsupported: no trace") };
    let shrinks = last < *first;
    (Some(last), if shrinks { Finding::Proved } else { Finding::Undecided("budget: the certified gap did not shrink".into()) })
}

/// (1/N) Σ ‖h_i − h̄‖² = (‖H‖² − Σ n_k ‖h̄_k‖²)/N, exactly.
fn within_class(i: &Instance, h: &Dyadic) -> Option<Rational> {
    let (sums, counts) = class_sums(i, h)?;
    let squares: Rational =
        sums.iter().zip(&counts).map(|(s, n)| Rational::from((s.iter().map(|x| x.clone().square()).sum::<rug::Integer>(), *n))).sum();
    let squares = if h.exp >= 0 { squares << (2 * h.exp) as u32 } else { squares >> (2 * h.exp).unsigned_abs() };
    Some((h.sum_squares() - squares) / Rational::from(i.problem.samples()))
}

pub(super) fn theorems() -> Vec<Theorem> {
    vec![
        Theorem {
            id: "strict-saddles",
            statement: "Plain MSE: critical points keep a subset of the singular modes worth keeping; those that keep the largest ones are global minima, all \
                        others are strict saddles, with as many negative eigenvalues as a formula says.",
            source: "Zhou et al., ICML 2022 (arXiv 2203.01238), landscape; Zhu et al., NeurIPS 2021 (arXiv 2105.02375), strict saddles",
            hypotheses: "plain model, mse, bias none with d >= K or free with d >= K - 1",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![CRITICAL, DICHOTOMY],
            problems: vec![
                plain("mse", "none", &classes(3, 2), 4, "0.02", "0.05"),
                plain("mse", "none", "class_counts = [5, 2, 1]", 3, "0.03", "0.02"),
                plain("mse", "free", "class_counts = [4, 2, 1]", 3, "0.03", "0.02"),
                plain("mse", "free", &classes(4, 1), 3, "0.05", "0.02"),
            ],
            predict,
        },
        Theorem {
            id: "descent-to-collapse",
            statement: "The certified gap of any point bounds its distance to collapse: within-class variability, self-duality and fit are at most fixed \
                        multiples of it, so gradient descent's curve comes with proved bounds.",
            source: "The collapse identity; settings of Tirer and Bruna, ICML 2022 (K = 4, d = 20, n = 50, rate 0.1) and Zhu et al., NeurIPS 2021",
            hypotheses: "plain model, mse or ce, any bias mode",
            conditional: false,
            trust: Trust::Certified,
            claims: vec![DESCENT],
            problems: vec![
                plain("mse", "none", &classes(4, 50), 20, "0.005", "0.001"),
                plain("ce", "free", &classes(4, 10), 20, "0.005", "0.005"),
            ],
            predict,
        },
    ]
}
