//! Balanced plain MSE with every bias mode (Tirer and Bruna 2022, Section 3; Zhou et al. 2022).

use std::cmp::Ordering;

use rug::{Float, Rational};

use super::{Form, Regime, Scalar, c_squared, frame, whole};
use crate::problem::{Bias, ExactPoint, Problem};
use crate::scalar::{Ball, sqrt_rational};

/// WH = (1−c)_+ Y (none), (1−c)_+ P Y (free), [(1−c)_+ P + (1−c/g)_+ J/K] Y (regularized), with c = K √n μ, g = λ_b/(1+λ_b).
pub(super) struct Balanced {
    k: u64,
    n: u64,
    dim: u64,
    bias: Bias,
    c_squared: Rational,
    /// √(λ_W/(n λ_H)) squared.
    ratio: Rational,
}

impl Balanced {
    pub fn new(problem: &Problem, n: u64, lambda_w: &Rational, lambda_h: &Rational) -> Self {
        let k = problem.classes();
        let ratio = Rational::from(lambda_w / lambda_h) / Rational::from(n);
        Balanced { k, n, dim: problem.dim, bias: problem.bias.clone(), c_squared: c_squared(k, n, lambda_w, lambda_h), ratio }
    }

    fn c(&self, prec: u32) -> Ball {
        sqrt_rational(&self.c_squared, prec)
    }

    fn dead(&self) -> bool {
        self.c_squared >= 1
    }

    /// g = λ_b/(1+λ_b) when it exceeds c and K dimensions leave room: the mean component is alive. It gains less than the others,
    /// (g/2K) (1 − c/g)² < (1/2K) (1 − c)², so of d < K modes it is none.
    fn mean_alive(&self) -> Option<Rational> {
        let g = self.g().filter(|_| self.dim >= self.k)?;
        (Rational::from(g.square_ref()).cmp(&self.c_squared) == Ordering::Greater).then_some(g)
    }

    fn g(&self) -> Option<Rational> {
        match &self.bias {
            Bias::Regularized { lambda_b } => Some(lambda_b / Rational::from(lambda_b + 1u32)),
            _ => None,
        }
    }

    /// Modes of the target: K without bias, K − 1 centred.
    fn modes(&self) -> u64 {
        if self.bias == Bias::None { self.k } else { self.k - 1 }
    }

    fn logit_scale(&self, prec: u32) -> Ball {
        if self.dead() { Ball::zero(prec) } else { whole(1, prec) - self.c(prec) }
    }

    fn mean_scale(&self, prec: u32) -> Ball {
        self.mean_alive().map_or_else(|| Ball::zero(prec), |g| whole(1, prec) - self.c(prec) / Ball::from_rational(&g, prec))
    }

    fn bias_value(&self, prec: u32) -> Option<Ball> {
        match &self.bias {
            Bias::None => None,
            Bias::Free => Some(Ball::from_rational(&Rational::from((1, self.k)), prec)),
            Bias::Regularized { lambda_b } => {
                let full = (Rational::from(lambda_b + 1u32) * Rational::from(self.k)).recip();
                let full = Ball::from_rational(&full, prec);
                Some(match self.mean_alive() {
                    Some(g) => full * self.c(prec) / Ball::from_rational(&g, prec),
                    None => full,
                })
            }
        }
    }

    /// φ(c) = c − c²/2 for a mode alive, 1/2 for a dead one.
    fn phi(&self, prec: u32) -> Ball {
        if self.dead() {
            return Ball::from_rational(&Rational::from((1, 2)), prec);
        }
        self.c(prec) - Ball::from_rational(&Rational::from(&self.c_squared / 2u32), prec)
    }
}

impl Form for Balanced {
    fn regime(&self) -> Regime {
        // The mean component lives only where c < g < 1.
        if self.dead() { Regime::Zero } else { Regime::of(self.modes().min(self.dim), self.modes()) }
    }

    fn f_star(&self, prec: u32) -> Ball {
        let kept = self.modes().min(self.dim);
        let lost = Rational::from((self.modes() - kept, 2 * self.k));
        let value = self.phi(prec) * Ball::from_rational(&Rational::from((kept, self.k)), prec) + Ball::from_rational(&lost, prec);
        let Some(g) = self.g() else { return value };
        let mean = match self.mean_alive() {
            Some(g) => self.c(prec) - Ball::from_rational(&(&self.c_squared / (2 * g)), prec),
            None => Ball::from_rational(&(g / 2u32), prec),
        };
        value + mean / whole(self.k, prec)
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        let mut scalars = vec![("c", Scalar::Value(self.c(prec))), ("logit_scale", Scalar::Value(self.logit_scale(prec)))];
        if self.g().is_some() {
            scalars.push(("mean_scale", Scalar::Value(self.mean_scale(prec))));
        }
        scalars.extend(self.bias_value(prec).map(|b| ("bias_value", Scalar::Value(b))));
        scalars
    }

    fn source(&self) -> &'static str {
        match self.bias {
            Bias::Regularized { .. } => "Zhou et al., ICML 2022 (arXiv 2203.01238)",
            _ => "Tirer and Bruna, ICML 2022 (arXiv 2202.08087)",
        }
    }

    fn minimum_dim(&self) -> u64 {
        if self.dead() {
            return 1;
        }
        if self.mean_alive().is_some() { self.k } else { self.modes().min(self.dim) }
    }

    fn minimiser(&self, (k, d, _): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let ratio = sqrt_rational(&self.ratio, width);
        let simplex = &self.logit_scale(width) * &ratio;
        // Without bias the frame is orthogonal: both components equal.
        let mean = if self.bias == Bias::None { simplex.clone() } else { &self.mean_scale(width) * &ratio };
        let means = frame::means(k, d, &simplex, (!mean.contains_zero()).then_some(&mean), prec);
        let bias = self.bias_value(width).map(|b| Float::with_val(width, b.mid()));
        frame::self_dual_point(k, d, self.n as usize, &means, &ratio.recip(), bias, prec)
    }
}
