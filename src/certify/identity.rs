//! The terms of the collapse identity at any point of the plain or multi-label model.

use rug::{Integer, Rational};

use crate::problem::exact::State;
use crate::problem::exact::{difference, rows_times_rows, scaled};
use crate::problem::{ExactPoint, Problem};
use crate::scalar::Ball;

/// f at a point and the four terms of the collapse identity there.
pub struct IdentityTerms {
    pub objective: Ball,
    /// Fit, self-duality, within-class variability, bias: f − f* is their sum.
    pub terms: [(&'static str, Ball); 4],
}

/// The collapse identity's terms at `point`, with G the gradient of the loss at `minimiser`:
///
/// `L(Z) − L(Z*) − ⟨G, Z − Z*⟩`, `λ_W/2 ‖W + G Hᵀ/λ_W‖²`, `λ_H/2 (‖H‖² − ‖G Hᵀ‖²/μ²)`, `λ_b/2 ‖b − b*‖²`.
///
/// Hypotheses: plain model, MSE, cross-entropy or label smoothing, or the multi-label model. Guarantee: enclosures of the terms for the exact entries of both points. `None`
/// for other models, wrong shapes, and logits beyond 2^40.
pub fn identity_terms(problem: &Problem, minimiser: &ExactPoint, point: &ExactPoint, bits: u32) -> Option<IdentityTerms> {
    let plain = super::certifiable(problem).ok()?;
    super::check_shapes(&plain, minimiser).ok()?;
    super::check_shapes(&plain, point).ok()?;
    let (at_minimum, here) = (State::new(&plain, minimiser, bits)?, State::new(&plain, point, bits)?);
    let width = here.width();
    let ball = |q: &Rational| Ball::from_rational(q, width);
    let (r, units) = at_minimum.residual();
    let n = ball(&Rational::from(plain.n as u64));
    // Entries of N·G are within `unit` of R's.
    let unit = &Ball::from_f64(units, width) * &ball(&scaled(Integer::from(1), r.exp));
    let around = |value: Rational, weight: Rational| {
        let (value, error) = (ball(&value), &unit * &ball(&weight));
        &(&value - &error).hull(&(&value + &error)) / &n
    };

    let exp = here.z.exp.min(at_minimum.z.exp);
    let (z, z_star) = (here.z.clone().aligned(exp), at_minimum.z.clone().aligned(exp));
    let (mut inner, mut size) = (Integer::new(), Integer::new());
    for (g, (a, b)) in r.m.iter().zip(z.m.iter().zip(&z_star.m)) {
        let step = Integer::from(a - b);
        inner += Integer::from(g * &step);
        size += step.abs();
    }
    let fit = &(&here.loss() - &at_minimum.loss()) - &around(scaled(inner, r.exp + exp), scaled(size, exp));

    let (w, h) = (&point.factors[0], &point.h);
    let rh = rows_times_rows(&r, h);
    let (mut duality, mut projected) = (Ball::zero(width), Ball::zero(width));
    let lambda_w = ball(&plain.lambda_w);
    for j in 0..plain.d {
        let weight: Integer = h.m[j * plain.n..(j + 1) * plain.n].iter().map(|m| m.clone().abs()).sum();
        for k in 0..plain.k {
            let gh = around(rh.rational(k, j), scaled(weight.clone(), h.exp));
            duality = &duality + &(&ball(&w.rational(k, j)) + &(&gh / &lambda_w)).square();
            projected = &projected + &gh.square();
        }
    }
    let half = |x: Ball| x.scale(-1);
    let self_duality = half(&lambda_w * &duality);
    let mu_squared = ball(&Rational::from(&plain.lambda_w * &plain.lambda_h));
    let within = half(&ball(&plain.lambda_h) * &(&ball(&h.sum_squares()) - &(&projected / &mu_squared)));
    let bias = match (plain.lambda_b(), &point.b, &minimiser.b) {
        (Some(lambda_b), Some(b), Some(b_star)) => half(&ball(lambda_b) * &ball(&difference(b, b_star).sum_squares())),
        _ => Ball::zero(width),
    };
    let terms = [("fit", fit), ("self-duality", self_duality), ("within-class", within), ("bias", bias)];
    Some(IdentityTerms { objective: here.objective(), terms })
}
