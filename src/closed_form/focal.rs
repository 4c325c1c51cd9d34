//! Balanced focal loss in every bias mode (Zhou et al. 2022).
//!
//! Along Z = a P Y the objective is F(a) = FL(p(a)) + κ a with κ = (K−1) c/K and p(a) = 1/(1 + (K−1) e^{−a}), and F′ = κ − S(p),
//! S(p) = (1−p)^γ [(1−p) − γ p log p]. The sign of S′ is that of
//!
//! ```text
//! g(p) = γ² p log p / (1−p) − 1 − 2γ − γ log p,    g′ = γ² (1 − p + log p)/(1−p)² − γ/p < 0  on (0, 1):
//! ```
//!
//! S increases up to one p₀ and decreases to S(1) = 0 after it. So F has at most one local minimum with p > p₀, the root of S = κ,
//! and it competes with a = 0 alone; when 1/K >= p₀, F is convex on a >= 0 and there is nothing to compare.

use rug::{Float, Rational};

use super::{Form, Regime, Scalar, Unavailable, c_squared, frame, root, whole};
use crate::problem::{Bias, ExactPoint, Problem};
use crate::scalar::{Ball, sqrt_rational};

/// Precisions between which the regime is decided; no parameters can tie S(1/K) with κ (one is transcendental, the other algebraic).
const DECIDE_PREC: (u32, u32) = (128, 1 << 13);

pub(super) struct Focal {
    margin: Margin,
    n: u64,
    bias: Bias,
    c_squared: Rational,
    /// λ_W/(n λ_H).
    ratio: Rational,
    /// When the optimum is not zero: a number below the optimal a, from which on S decreases.
    start: Option<Float>,
    conditional: bool,
}

/// The loss as a function of the margin a, on K classes: φ(a) = FL(p(a)), its slope and its bend.
pub(crate) struct Margin {
    pub k: u64,
    pub gamma: Rational,
}

impl Margin {
    fn gamma(&self, prec: u32) -> Ball {
        Ball::from_rational(&self.gamma, prec)
    }

    /// (p, log p, (1−p)^γ) at a.
    fn parts(&self, a: &Ball) -> (Ball, Ball, Ball) {
        let prec = a.prec();
        let odds = a.exp() / whole(self.k - 1, prec);
        let p = &odds / &(whole(1, prec) + &odds);
        let log_p = -odds.recip().ln_1p();
        let power = (-(self.gamma(prec) * odds.ln_1p())).exp();
        (p, log_p, power)
    }

    /// S(p(a)); a sum of positive terms.
    pub fn slope(&self, a: &Ball) -> Ball {
        let prec = a.prec();
        let (p, log_p, power) = self.parts(a);
        let rest = (whole(1, prec) + a.exp() / whole(self.k - 1, prec)).recip();
        power * (rest - self.gamma(prec) * p * log_p)
    }

    /// g(p(a)): positive while S increases. p/(1−p) = e^a/(K−1).
    pub fn bend(&self, a: &Ball) -> Ball {
        let prec = a.prec();
        let (_, log_p, _) = self.parts(a);
        let gamma = self.gamma(prec);
        let odds = a.exp() / whole(self.k - 1, prec);
        gamma.square() * odds * &log_p - whole(1, prec) - &gamma * &(whole(2, prec) + log_p)
    }

    /// φ(a).
    pub fn loss(&self, a: &Ball) -> Ball {
        let (_, log_p, power) = self.parts(a);
        -(power * log_p)
    }

    /// Where S is largest over a >= 0, about: 0, or the root of g to about `prec` bits. `None` when the sign of g(1/K) is not certain.
    pub fn turn(&self, prec: u32) -> Option<Float> {
        let at_zero = self.bend(&Ball::zero(prec));
        if at_zero.is_negative() {
            return Some(Float::new(prec));
        }
        if !at_zero.is_positive() {
            return None;
        }
        let bent = |a: &Float| -self.bend(&Ball::exact(a.clone()));
        let end = root::search(1, prec, |a| bent(a).is_positive())?;
        Some(root::approximate(Float::new(prec), end, prec, |a| bent(a).mid()))
    }

    /// The root of S(p(a)) = exp(`log`) beyond `start`, about.
    pub fn root(&self, log: &Ball, start: &Float) -> Option<Float> {
        let (width, f) = (log.prec(), self.excess(log));
        let end = root::search(1, width, |a| a > start && f(a).is_positive())?;
        Some(root::approximate(start.clone(), end, width, |a| f(a).mid()))
    }

    /// a ↦ `log` − log S(p(a)), increasing from the turn on.
    fn excess<'a>(&'a self, log: &'a Ball) -> impl Fn(&Float) -> Ball + 'a {
        move |a| log - &self.slope(&Ball::exact(Float::with_val(log.prec().max(a.prec()), a))).ln()
    }
}

impl Focal {
    pub fn new(problem: &Problem, n: u64, lambda_w: &Rational, lambda_h: &Rational, gamma: &Rational) -> Result<Self, Unavailable> {
        let k = problem.classes();
        let ratio = Rational::from(lambda_w / lambda_h) / Rational::from(n);
        let c_squared = c_squared(k, n, lambda_w, lambda_h);
        let margin = Margin { k, gamma: gamma.clone() };
        let mut form = Focal { margin, n, bias: problem.bias.clone(), c_squared, ratio, start: None, conditional: false };
        form.start = form.decide()?;
        form.conditional = form.bias != Bias::None && !form.proved_with_bias();
        let least = form.minimum_dim();
        if problem.dim < least {
            return Err(Unavailable::Dimension { least, dim: problem.dim });
        }
        Ok(form)
    }

    fn kappa_squared(&self) -> Rational {
        let share = Rational::from((self.margin.k - 1, self.margin.k));
        Rational::from(&self.c_squared * &share) * share
    }

    fn kappa(&self, prec: u32) -> Ball {
        sqrt_rational(&self.kappa_squared(), prec)
    }

    fn objective(&self, a: &Ball) -> Ball {
        self.kappa(a.prec()) * a + self.margin.loss(a)
    }

    /// [`Focal::start`], with certainty.
    fn decide(&self) -> Result<Option<Float>, Unavailable> {
        let mut prec = DECIDE_PREC.0;
        while prec <= DECIDE_PREC.1 {
            if let Some(decided) = self.try_decide(prec) {
                return Ok(decided);
            }
            prec *= 2;
        }
        Err(Unavailable::Unsupported("focal parameters this close to the threshold"))
    }

    fn try_decide(&self, prec: u32) -> Option<Option<Float>> {
        let (kappa, zero, margin) = (self.kappa(prec), Ball::zero(prec), &self.margin);
        let turn = margin.turn(prec)?;
        if turn.is_zero() {
            let excess = margin.slope(&zero) - kappa;
            return if excess.is_positive() { Some(Some(turn)) } else { excess.is_negative().then_some(None) };
        }
        let turn = root::enclose(&turn, &Float::new(prec), prec / 2, |a| -margin.bend(&Ball::exact(a.clone())));
        if (margin.slope(&turn) - &kappa).is_negative() {
            return Some(None);
        }
        let start = turn.upper();
        if !(margin.slope(&Ball::exact(start.clone())) - kappa).is_positive() {
            return None;
        }
        let difference = self.objective(&self.solve(&start, prec)) - self.objective(&zero);
        if difference.is_negative() { Some(Some(start)) } else { difference.is_positive().then_some(None) }
    }

    /// The root of S(p(a)) = κ beyond `start`.
    fn solve(&self, start: &Float, prec: u32) -> Ball {
        let log_kappa = self.kappa(prec + root::GUARD).ln();
        let root = self.margin.root(&log_kappa, start);
        root.map_or_else(|| Ball::whole(prec), |a| root::enclose(&a, start, prec, self.margin.excess(&log_kappa)))
    }

    /// The minimising margin.
    fn minimum(&self, prec: u32) -> Ball {
        self.start.as_ref().map_or_else(|| Ball::zero(prec), |start| self.solve(start, prec))
    }

    /// min(κ, S(1/K)) <= 1, under which the proof covers a bias.
    fn proved_with_bias(&self) -> bool {
        let slope = self.margin.slope(&Ball::zero(DECIDE_PREC.0));
        self.kappa_squared() <= 1 || (whole(1, DECIDE_PREC.0) - slope).is_positive()
    }
}

impl Form for Focal {
    fn regime(&self) -> Regime {
        if self.start.is_some() { Regime::Collapsed } else { Regime::Zero }
    }

    fn f_star(&self, prec: u32) -> Ball {
        self.objective(&self.minimum(prec))
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        vec![("c", Scalar::Value(sqrt_rational(&self.c_squared, prec))), ("margin", Scalar::Value(self.minimum(prec)))]
    }

    fn source(&self) -> &'static str {
        "Zhou et al., NeurIPS 2022 (arXiv 2210.02192)"
    }

    fn conditional(&self) -> bool {
        self.conditional
    }

    fn minimum_dim(&self) -> u64 {
        if self.start.is_some() { self.margin.k - 1 } else { 1 }
    }

    fn minimiser(&self, (k, d, _): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let ratio = sqrt_rational(&self.ratio, width);
        let means = frame::means(k, d, &(&self.minimum(width) * &ratio), None, prec);
        let bias = (self.bias != Bias::None).then(|| Float::new(width));
        frame::self_dual_point(k, d, self.n as usize, &means, &ratio.recip(), bias, prec)
    }
}
