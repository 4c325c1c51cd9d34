//! Balanced cross-entropy, with or without label smoothing, in every bias mode (Zhu et al. 2021; Zhou et al. 2022).

use rug::{Float, Rational};

use super::{Form, Regime, Scalar, Unavailable, c_squared, frame, whole};
use crate::problem::{Bias, ExactPoint, Problem};
use crate::scalar::{Ball, sqrt_rational};

/// Z = a P Y, b = 0, with p = (1 − α + α/K) − (K−1) c/K the target's probability, a = log(p (K−1)/(1−p)); zero when c + α >= 1.
pub(super) struct Entropy {
    k: u64,
    n: u64,
    bias: Bias,
    c_squared: Rational,
    smoothing: Rational,
    /// λ_W/(n λ_H).
    ratio: Rational,
}

impl Entropy {
    pub fn new(problem: &Problem, n: u64, lambda_w: &Rational, lambda_h: &Rational, smoothing: &Rational) -> Result<Self, Unavailable> {
        let k = problem.classes();
        let ratio = Rational::from(lambda_w / lambda_h) / Rational::from(n);
        let c_squared = c_squared(k, n, lambda_w, lambda_h);
        let form = Entropy { k, n, bias: problem.bias.clone(), c_squared, smoothing: smoothing.clone(), ratio };
        let least = form.minimum_dim();
        if problem.dim < least {
            return Err(Unavailable::Dimension { least, dim: problem.dim });
        }
        Ok(form)
    }

    fn c(&self, prec: u32) -> Ball {
        sqrt_rational(&self.c_squared, prec)
    }

    /// c >= 1 − α, both sides nonnegative.
    fn dead(&self) -> bool {
        self.c_squared >= Rational::from(1 - &self.smoothing).square()
    }

    /// (K−1)/K.
    fn share(&self) -> Rational {
        Rational::from((self.k - 1, self.k))
    }

    /// The target's own weight 1 − α + α/K.
    fn weight(&self) -> Rational {
        Rational::from(1 - &self.smoothing) + (&self.smoothing / Rational::from(self.k))
    }

    fn probability(&self, prec: u32) -> Ball {
        Ball::from_rational(&self.weight(), prec) - Ball::from_rational(&self.share(), prec) * self.c(prec)
    }

    fn margin(&self, prec: u32) -> Ball {
        if self.dead() {
            return Ball::zero(prec);
        }
        let p = self.probability(prec);
        let rest = (whole(1, prec) - &p) / whole(self.k - 1, prec);
        (p / rest).ln()
    }
}

impl Form for Entropy {
    fn regime(&self) -> Regime {
        if self.dead() { Regime::Zero } else { Regime::Collapsed }
    }

    fn f_star(&self, prec: u32) -> Ball {
        if self.dead() {
            return whole(self.k, prec).ln();
        }
        let p = self.probability(prec);
        let share = Ball::from_rational(&self.share(), prec);
        let mut value = share * self.c(prec) * self.margin(prec) - Ball::from_rational(&self.weight(), prec) * p.ln();
        if self.smoothing != 0 {
            let rest = (whole(1, prec) - p) / whole(self.k - 1, prec);
            value = value - Ball::from_rational(&(&self.smoothing * self.share()), prec) * rest.ln();
        }
        value
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        vec![("c", Scalar::Value(self.c(prec))), ("margin", Scalar::Value(self.margin(prec)))]
    }

    fn source(&self) -> &'static str {
        if self.smoothing == 0 {
            "Zhu et al., NeurIPS 2021 (arXiv 2105.02375); Zhou et al., NeurIPS 2022 (arXiv 2210.02192)"
        } else {
            "Zhou et al., NeurIPS 2022 (arXiv 2210.02192)"
        }
    }

    fn minimum_dim(&self) -> u64 {
        if self.dead() { 1 } else { self.k - 1 }
    }

    fn minimiser(&self, (k, d, _): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let ratio = sqrt_rational(&self.ratio, width);
        let means = frame::means(k, d, &(&self.margin(width) * &ratio), None, prec);
        let bias = (self.bias != Bias::None).then(|| Float::new(width));
        frame::self_dual_point(k, d, self.n as usize, &means, &ratio.recip(), bias, prec)
    }
}
