//! The least-squares classifier (continual learning): the formula is the ridge minimiser, and at a critical point the model's own W.

use rug::{Float, Integer, Rational};

use super::claims::{Claim, F64_STRUCTURE, LOST_DIGITS, Outcome, bounded, undecided};
use super::instance::power_of_tenth;
use super::{Finding, Instance};
use crate::classifier::{ExactLeastSquares, least_squares, least_squares_exact};
use crate::problem::{Bias, Dyadic, Model};
use crate::scalar::Ball;

fn labels(i: &Instance) -> Option<(Vec<usize>, usize)> {
    let counts = i.problem.class_counts()?;
    Some((counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n as usize)).collect(), counts.len()))
}

fn lambda(i: &Instance) -> Option<&Rational> {
    if let Model::Plain { lambda_w, .. } = &i.problem.model { Some(lambda_w) } else { None }
}

/// The exact classifier of features given as columns.
fn exact(i: &Instance, h: &Dyadic) -> Option<ExactLeastSquares> {
    let (labels, classes) = labels(i)?;
    least_squares_exact(&h.transpose(), &labels, classes, lambda(i)?, i.problem.bias == Bias::Free).ok()
}

/// The formula solves the normal equations, in rationals.
pub(super) const RIDGE: Claim = Claim {
    name: "ridge minimiser",
    statement: "For features in general position (multiples of 1/64), the gradient of the ridge objective at the formula's W and b is exactly zero, \
                in rational arithmetic.",
    check: |i| {
        let Some((k, d, n)) = i.problem.point_sizes().ok() else { return undecided("domain: sizes") };
        // No structure: the residues of a linear congruential sequence.
        let entry = |t: usize| Integer::from((t * t * 37 + t * 101 + 11) % 127) - 40;
        let h = Dyadic { rows: d, cols: n, exp: -6, m: (0..d * n).map(entry).collect() };
        let (Some(fit), Some((labels, _)), Some(lambda)) = (exact(i, &h), labels(i), lambda(i)) else {
            return undecided("unsupported: no classifier");
        };
        let free = i.problem.bias == Bias::Free;
        for class in 0..k {
            let residual = |s: usize| {
                let score: Rational = (0..d).map(|j| &fit.w[class][j] * h.rational(j, s)).sum();
                score + &fit.b[class] - u32::from(labels[s] == class)
            };
            let residuals: Vec<Rational> = (0..n).map(residual).collect();
            let slope = |j: usize| {
                let sum: Rational = residuals.iter().enumerate().map(|(s, r)| r * h.rational(j, s)).sum();
                sum / Integer::from(n) + Rational::from(lambda * &fit.w[class][j])
            };
            let stationary = (0..d).all(|j| slope(j) == 0) && (!free || residuals.iter().sum::<Rational>() == 0);
            if !stationary {
                return (None, Finding::Refuted(format!("class {class}: the gradient is not zero")));
            }
        }
        (Some(Float::new(64)), Finding::Proved)
    },
};

/// At the closed-form minimiser the classifier is the model's own.
pub(super) const OWN: Claim = Claim {
    name: "the model's own classifier",
    statement: "The exact ridge minimiser of the closed-form minimiser's features, lambda = lambda_W, is the minimiser's W to the digits asked.",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let (w, prec) = (&p.minimiser.factors[0], p.f_star.prec());
        let Some(fit) = exact(i, &p.minimiser.h) else { return undecided("unsupported: no classifier") };
        let squares =
            fit.w.iter().enumerate().flat_map(|(k, row)| row.iter().enumerate().map(move |(j, x)| (x - w.rational(k, j)).square()));
        let distance = Ball::from_rational(&squares.sum(), prec).sqrt();
        bounded(&distance, &power_of_tenth(i.digits - LOST_DIGITS), "the distance of the classifiers")
    },
};

/// The same at numerical critical points, in doubles.
pub(super) const OWN_MEASURED: Claim = Claim {
    name: "numerical critical points",
    statement: "At numerical critical points from random starts the classifier in double precision is the point's own W, relative to its size.",
    check: |i| measured(i).unwrap_or_else(|| undecided("unsupported: no minimiser")),
};

fn measured(i: &Instance) -> Option<Outcome> {
    let (labels, classes) = labels(i)?;
    let mut worst = None;
    for n in i.numerical() {
        let h = n.solution.point.h.transpose().to_owned();
        let fit = least_squares(h.as_ref(), &labels, classes, lambda(i)?, i.problem.bias == Bias::Free).ok()?;
        let own = &n.solution.point.factors[0];
        let distance = (&fit.w - own).norm_l2() / own.norm_l2().max(1.0);
        worst = Some(worst.map_or(distance, |w: f64| w.max(distance)));
    }
    let worst = worst?;
    let finding = if worst <= F64_STRUCTURE { Finding::Proved } else { Finding::Refuted(format!("W differs by {worst:.2e}")) };
    Some((Some(Float::with_val(64, worst)), finding))
}
