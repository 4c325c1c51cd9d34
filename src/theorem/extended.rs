//! The extended linear model's lower bound, without Schatten-norm theory (the proof route of three factors).

use rug::{Float, Rational};

use super::instance::{Instance, power_of_tenth};
use super::{Claim, Finding};
use crate::problem::Model;
use crate::scalar::{Ball, root_rational, sqrt_rational};

/// Digits lost to conditioning.
const LOST_DIGITS: u32 = 10;

/// No point of the three-factor model is below the closed form.
///
/// With B = W_2 W_1: λ_2/2 ‖W_2‖² + λ_1/2 ‖W_1‖² >= s ‖B‖_*, s = √(λ_1 λ_2), and the exact ridge minimum over H (Y Yᵀ = n I) leaves
/// f >= Σ_i φ(β_i) over the K singular values of B, φ(β) = (1/2K)/(1 + β²/τ) + s β, τ = N λ_H. With m = f*/K the inequality φ >= m,
/// cleared of its denominator, is P(β) = s β³ − m β² + s τ β + τ (1/(2K) − m) >= 0, and
///
/// P(β) = s (β − β*)² (β + r) + e_1 β + e_0,   r = 2 β* − m/s,   e_1 = s τ − s (β*² − 2 β* r),   e_0 = τ (1/(2K) − m) − s β*² r,
///
/// so r >= 0 gives φ >= m − |e_1|/(2 √τ) − |e_0|/τ. The claim encloses r and K times that loss.
pub(super) const LOWER_BOUND: Claim = Claim {
    name: "global optimality",
    statement: "No point is below the closed-form value by more than the enclosed loss: factor norms bound the nuclear norm, ridge regression \
                eliminates H, and the scalar excess over the minimum factors as s (β − β*)² (β + r), r >= 0, with enclosed remainder.",
    check,
};

fn check(i: &Instance) -> (Option<Float>, Finding) {
    let undecided = |why: &str| (None, Finding::Undecided(why.to_owned()));
    let (Model::DeepLinear { lambdas }, Some(p), Some(_)) = (&i.problem.model, &i.prediction, i.problem.per_class()) else {
        return undecided("unsupported: balanced deep linear models only");
    };
    let [lambda_h, lambda_1, lambda_2] = &lambdas[..] else { return undecided("unsupported: three factors only") };
    let prec = p.f_star.prec();
    let ball = |q: &Rational| Ball::from_rational(q, prec);
    let k = Rational::from(i.problem.classes());
    let s = sqrt_rational(&Rational::from(lambda_1 * lambda_2), prec);
    let tau_exact = lambda_h * Rational::from(i.problem.samples());
    let tau = ball(&tau_exact);
    let m = &p.f_star / &ball(&k);
    // s β* = λ_j σ_j² = (n Λ x²)^{1/3}: read off the minimiser's own factors, W_1 and W_2 diagonal.
    let beta = ball(&(p.minimiser.factors[0].rational(0, 0) * p.minimiser.factors[1].rational(0, 0)));
    let half_share = ball(&(k.clone() * 2u32).recip());
    let r = &(&beta + &beta) - &(&m / &s);
    let beta_squared = beta.square();
    let e1 = &(&s * &tau) - &(&s * &(&beta_squared - &(&(&beta + &beta) * &r)));
    let e0 = &(&tau * &(&half_share - &m)) - &(&s * &(&beta_squared * &r));
    if !r.is_positive() {
        return (None, Finding::Refuted(format!("the cubic's third root −r has r at most {}", r.upper_decimal(6))));
    }
    let two_root_tau = root_rational(&(tau_exact * 4u32), 2, prec);
    let loss = &ball(&k) * &(&(&e1.abs() / &two_root_tau) + &(&e0.abs() / &tau));
    let limit = power_of_tenth(i.digits - LOST_DIGITS);
    let finding = match (loss.upper_rational(), loss.lower_rational()) {
        (Some(high), _) if high <= limit => Finding::Proved,
        (_, Some(low)) if low > limit => {
            // The claimed value is not a minimum of the scalar problem: it misses by a certain amount.
            Finding::Refuted(format!("the scalar excess leaves a remainder of at least {}", loss.lower_decimal(6)))
        }
        _ => Finding::Undecided("precision: the remainder is not enclosed tightly enough".into()),
    };
    (Some(Float::with_val_round(64, loss.upper(), rug::float::Round::Up).0), finding)
}
