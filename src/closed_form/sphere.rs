//! Cross-entropy with normalised features and classifiers, balanced (Yaras et al. 2022).

use rug::Rational;

use super::{Form, Regime, Scalar, Unavailable, frame, whole};
use crate::problem::{ExactPoint, Problem};
use crate::scalar::Ball;

/// h_{k,i} = w_k, a simplex ETF of unit vectors: f* = log(1 + (K−1) e^{−τK/(K−1)}).
pub(super) struct Sphere {
    k: u64,
    n: u64,
    temperature: Rational,
}

impl Sphere {
    pub fn new(problem: &Problem, n: u64, temperature: &Rational) -> Result<Self, Unavailable> {
        let form = Sphere { k: problem.classes(), n, temperature: temperature.clone() };
        let least = form.minimum_dim();
        if problem.dim < least {
            return Err(Unavailable::Dimension { least, dim: problem.dim });
        }
        Ok(form)
    }

    /// K/(K−1).
    fn share(&self) -> Rational {
        Rational::from((self.k, self.k - 1))
    }

    fn margin(&self, prec: u32) -> Ball {
        Ball::from_rational(&(&self.temperature * self.share()), prec)
    }
}

impl Form for Sphere {
    fn regime(&self) -> Regime {
        Regime::Collapsed
    }

    fn f_star(&self, prec: u32) -> Ball {
        (whole(self.k - 1, prec) * (-self.margin(prec)).exp()).ln_1p()
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        vec![("margin", Scalar::Value(self.margin(prec)))]
    }

    fn source(&self) -> &'static str {
        "Yaras et al., NeurIPS 2022 (arXiv 2209.09211)"
    }

    fn minimum_dim(&self) -> u64 {
        self.k - 1
    }

    /// Columns are unit vectors up to the rounding of their entries.
    fn minimiser(&self, (k, d, _): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let means = frame::means(k, d, &Ball::from_rational(&self.share(), width), None, prec);
        frame::self_dual_point(k, d, self.n as usize, &means, &whole(1, width), None, prec)
    }
}
