//! The collapse identity itself, evaluated at points that minimise nothing.

use rug::{Float, Integer};

use super::instance::{Instance, power_of_tenth};
use super::registry::predict;
use super::{Claim, Finding, Theorem, Trust};
use crate::certify::identity_terms;
use crate::problem::{Dyadic, ExactPoint, Problem};
use crate::scalar::Ball;

const CLAIM: Claim = Claim {
    name: "identity",
    statement: "At random exact points f − f* equals the sum of the four terms (fit, self-duality, within-class, bias), enclosed to the digits asked, \
                and no term is negative; with the closed form's f* and the exact gradient at its minimiser.",
    check,
};

/// Random points per problem.
const POINTS: u64 = 3;
/// Digits lost to conditioning at points of size one.
const LOST_DIGITS: u32 = 10;

fn check(i: &Instance) -> (Option<Float>, Finding) {
    let Some(p) = &i.prediction else { return (None, Finding::Undecided("unsupported: no closed form".into())) };
    let limit = power_of_tenth(i.digits - LOST_DIGITS);
    let mut worst = Float::new(64);
    for seed in 0..POINTS {
        let point = random_point(&i.problem, &p.minimiser, seed);
        let Some(terms) = identity_terms(&i.problem, &p.minimiser, &point, p.f_star.prec()) else {
            return (None, Finding::Undecided("domain: the identity's terms".into()));
        };
        let sum = terms.terms.iter().fold(Ball::zero(p.f_star.prec()), |s, (_, t)| &s + t);
        let difference = (&(&terms.objective - &p.f_star) - &sum).abs();
        let Some(high) = difference.upper_rational() else { return (None, Finding::Undecided("precision".into())) };
        worst.max_mut(&Float::with_val_round(64, &high, rug::float::Round::Up).0);
        if difference.lower_rational().is_some_and(|low| low > limit) {
            return (Some(worst), Finding::Refuted(format!("point {seed}: the sides differ by at least {}", difference.lower_decimal(6))));
        }
        // A term of size zero may be enclosed from below by the rounding alone.
        let negative = terms.terms.iter().find(|(_, t)| t.upper_rational().is_some_and(|t| t < -limit.clone()));
        if let Some((name, t)) = negative {
            return (Some(worst), Finding::Refuted(format!("point {seed}: the {name} term is {}", t.upper_decimal(6))));
        }
        if high > limit {
            return (Some(worst), Finding::Undecided("precision: the sides are not enclosed tightly enough".into()));
        }
    }
    (Some(worst), Finding::Proved)
}

/// A point of the minimiser's shape with entries k/16, |k| <= 16: exact, dense, far from critical.
fn random_point(problem: &Problem, like: &ExactPoint, seed: u64) -> ExactPoint {
    // Knuth's 64-bit linear congruential generator: nothing depends on its quality.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ problem.samples();
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Integer::from((state >> 33) % 33) - 16
    };
    let mut matrix = |x: &Dyadic| Dyadic { rows: x.rows, cols: x.cols, exp: -4, m: (0..x.m.len()).map(|_| next()).collect() };
    ExactPoint { factors: like.factors.iter().map(&mut matrix).collect(), h: matrix(&like.h), b: like.b.as_ref().map(&mut matrix) }
}

pub(super) fn theorem() -> Theorem {
    let file = |loss: &str, bias: &str, dim: u32| {
        format!(
            "model = \"plain\"\nloss = \"{loss}\"\nbias = {bias}\nclasses = 4\nper_class = 3\ndim = {dim}\nlambda_w = \"0.02\"\nlambda_h = \"0.01\"\n"
        )
    };
    Theorem {
        id: "collapse-identity",
        statement: "For a convex loss with subgradient G at the minimiser, ||G||_op <= mu: f - f* is the sum of four nonnegative terms, the fit, \
                    self-duality, within-class variability and bias, at every point; minimisers are exactly their common zeros.",
        source: "The identity behind Zhu et al. 2021, Zhou et al. 2022 and Tirer and Bruna 2022; proofs/FORMAT.md derives it",
        hypotheses: "plain model, mse, ce or label-smoothing, any bias mode",
        conditional: false,
        trust: Trust::Certified,
        claims: vec![CLAIM],
        problems: vec![
            file("mse", "\"none\"", 5),
            file("mse", "\"free\"", 3),
            file("mse", "\"regularized\"\nlambda_b = \"0.3\"", 4),
            file("ce", "\"none\"", 3),
            file("ce", "\"free\"", 5),
            file("ce", "\"regularized\"\nlambda_b = \"0.3\"", 5),
            file("label-smoothing\"\nsmoothing = \"0.1", "\"free\"", 4),
        ],
        predict,
    }
}
