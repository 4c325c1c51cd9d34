//! Focal loss, balanced classes: objective and gradient enclosed at exact points, and the contrastive lower bound.

use rug::{Integer, Rational};

use super::{Bounds, Certification, CertifyError, CertifyOptions, Verdict, check_sizes, working_bits};
use crate::closed_form::closed_form;
use crate::problem::exact::{logits, scaled};
use crate::problem::{Bias, Dyadic, ExactPoint, Loss, Model, Problem};
use crate::scalar::Ball;

/// f and N ∂L/∂Z at a point, enclosed.
pub(super) struct Focal {
    pub objective: Ball,
    pub gradient_norm: Ball,
}

/// Enclosures at about `bits` bits; `None` for other problems and wrong shapes.
///
/// With o = Σ_{k≠y} exp(z_k − z_y): p = 1/(1+o), u = 1 − p = o/(1+o), −log p = log(1+o), the loss is u^γ log(1+o), and
/// N ∂L/∂z = s (π − e_y), s = u^γ (1 + γ p log(1+o)/u) = u^γ (1 + γ log(1+o)/o).
pub(super) fn evaluate(problem: &Problem, point: &ExactPoint, bits: u32) -> Option<Focal> {
    let (Model::Plain { lambda_w, lambda_h }, Loss::Focal { focusing }) = (&problem.model, &problem.loss) else { return None };
    let (k, d, n) = problem.point_sizes().ok()?;
    let width = bits + 80;
    let ball = |q: &Rational| Ball::from_rational(q, width);
    let z = logits(point);
    let gamma = ball(focusing);
    let one = ball(&Rational::from(1));
    let groups = problem.labels.groups();
    let labels = groups.iter().flat_map(|g| std::iter::repeat_n(g.tags[0], g.count as usize));
    let mut loss = Ball::zero(width);
    let mut residual = vec![Ball::zero(width); k * n];
    for (i, y) in labels.enumerate() {
        let margin = |c: usize| ball(&scaled(Integer::from(&z.m[c * n + i] - &z.m[y * n + i]), z.exp));
        let e: Vec<Ball> = (0..k).map(|c| if c == y { Ball::zero(width) } else { margin(c).exp() }).collect();
        let odds = e.iter().fold(Ball::zero(width), |sum, e| &sum + e);
        let log = odds.ln_1p();
        let power = (&gamma * &(&odds.ln() - &log)).exp();
        loss = &loss + &(&power * &log);
        let slope = &power * &(&one + &(&gamma * &(&log / &odds)));
        let p = (&one + &odds).recip();
        for (c, e) in e.iter().enumerate() {
            let entry = if c == y { -(&odds * &p) } else { e * &p };
            residual[c * n + i] = &slope * &entry;
        }
    }
    let count = ball(&Rational::from(n as u64));
    let (w, h) = (&point.factors[0], &point.h);
    let mut penalty = w.sum_squares() * lambda_w + h.sum_squares() * lambda_h;
    let entry = |x: &Dyadic, i: usize, j: usize| ball(&x.rational(i, j));
    let mut square = Ball::zero(width);
    let mut add = |sum: Ball, x: Ball, lambda: &Ball| square = &square + &(&(&sum / &count) + &(lambda * &x)).square();
    let dot = |terms: &mut dyn Iterator<Item = Ball>| terms.fold(Ball::zero(width), |sum, x| &sum + &x);
    for a in 0..k {
        for t in 0..d {
            add(dot(&mut (0..n).map(|i| &residual[a * n + i] * &entry(h, t, i))), entry(w, a, t), &ball(lambda_w));
        }
    }
    for t in 0..d {
        for i in 0..n {
            add(dot(&mut (0..k).map(|a| &residual[a * n + i] * &entry(w, a, t))), entry(h, t, i), &ball(lambda_h));
        }
    }
    if let Some(b) = &point.b {
        let lambda_b = if let Bias::Regularized { lambda_b } = &problem.bias { lambda_b.clone() } else { Rational::new() };
        penalty += b.sum_squares() * &lambda_b;
        for a in 0..k {
            add(dot(&mut (0..n).map(|i| residual[a * n + i].clone())), entry(b, a, 0), &ball(&lambda_b));
        }
    }
    Some(Focal { objective: &(&loss / &count) + &ball(&(penalty / 2u32)), gradient_norm: square.sqrt() })
}

/// The contrastive lower bound on f over all points, at every d, with whether it is proved.
///
/// Each sample pays at least min_a F(a), F(a) = FL(p(a)) + κ |a|, because −Σ_i s_i P e_{y_i} e_iᵀ/√n, |s_i| = 1, has operator norm at
/// most 1 (no bias; with one, where min(κ, S(1/K)) <= 1). The minimum of F is what the closed form encloses; the bound needs no d.
pub(super) fn lower_bound(problem: &Problem, prec: u32) -> Option<(Ball, bool)> {
    let roomy = Problem { dim: problem.dim.max(problem.classes()), ..problem.clone() };
    let form = closed_form(&roomy).ok()?;
    Some((form.f_star(prec), !form.conditional()))
}

/// [`super::certify`] for the focal loss: no text, as the checker does not cover it.
pub(super) fn certify(problem: &Problem, point: &ExactPoint, options: &CertifyOptions) -> Result<Certification, CertifyError> {
    let size = |x: &Dyadic| (x.rows, x.cols);
    check_sizes(problem.point_sizes()?, &problem.bias, |name| match name {
        "W" => point.factors.first().map(size),
        "H" => Some(size(&point.h)),
        _ => point.b.as_ref().map(size),
    })?;
    let bits = working_bits(options.digits);
    let found = evaluate(problem, point, bits).ok_or(CertifyError::Unsupported("model (the focal loss belongs to the plain model)"))?;
    let bound = lower_bound(problem, bits);
    let conditional = bound.as_ref().is_some_and(|(_, proved)| !proved);
    let proved = bound.filter(|(_, proved)| *proved).map(|(lower, _)| lower.lower());
    let bounds = proved.filter(|lower| lower.is_finite() && found.objective.is_finite()).map(|lower| {
        let upper = found.objective.upper();
        let gap = (&Ball::exact(upper.clone()) - &Ball::exact(lower.clone())).upper();
        // The contrastive argument bounds the value alone.
        Bounds { lower, upper, gap, collapse: None }
    });
    let gap = bounds.as_ref().and_then(|b| b.gap.to_rational());
    let verdict = if gap.as_ref().is_some_and(|gap| *gap <= options.gap_tol) {
        Verdict::GlobalMinimum
    } else if found.gradient_norm.lower_rational().is_some_and(|g| g > options.tol) {
        Verdict::NotCritical
    } else if gap.is_some() && found.gradient_norm.upper_rational().is_some_and(|g| g <= options.tol) {
        Verdict::NearMinimum
    } else if conditional {
        Verdict::Undecided("conditional: with this bias the contrastive lower bound is not proved at these parameters".into())
    } else {
        Verdict::Undecided("unsupported: the focal loss has a lower bound for balanced classes only".into())
    };
    Ok(Certification {
        verdict,
        objective: Some(found.objective),
        gradient_norm: Some(found.gradient_norm),
        bounds,
        curvature: None,
        tight: super::tight(problem),
        dual: None,
        text: None,
    })
}
