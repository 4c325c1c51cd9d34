//! Pick-all-labels cross-entropy, balanced within each multiplicity, in every bias mode (Li et al. 2024).

use rug::{Float, Integer, Rational};

use super::tag_scales::{self, Tag};
use super::{Form, Regime, Scalar, Unavailable, frame, whole};
use crate::problem::{Bias, Dyadic, ExactPoint, Labels, Problem, next_set};
use crate::scalar::{Ball, sqrt_rational};

/// Samples whose tag sets have `m` members.
struct Group {
    m: u64,
    /// Samples of each tag set.
    q: u64,
    /// q C(K, m): samples of all of them.
    samples: u64,
    /// q C(K−2, m−1): what the group adds to each mode of the gradient.
    weight: Integer,
}

/// Columns of Z are a_m P 1_S with a_m = s γ_m, γ_m = K / (m e^{a_m} + K − m), and s > 0 solving Σ γ_m² w_m = (Nμ)²,
/// w_m = q_m C(K−2, m−1); zero when Σ w_m <= (Nμ)². A full tag set (m = K) has a zero column whatever the parameters.
pub(super) struct TagSets {
    k: u64,
    samples: u64,
    bias: Bias,
    lambda_w: Rational,
    lambda_h: Rational,
    groups: Vec<Group>,
}

impl TagSets {
    pub fn new(problem: &Problem, lambda_w: &Rational, lambda_h: &Rational) -> Result<Self, Unavailable> {
        let Labels::TagSets { classes: k, per_tag_set } = &problem.labels else {
            return Err(Unavailable::Unsupported("tag sets that are listed one by one (balanced data have `per_tag_set`)"));
        };
        let k = *k;
        let group = |&(m, q): &(u64, u64)| {
            // N <= 10^18 bounds C(K, m), hence also the steps of the product.
            let sets = (0..m.min(k - m)).fold(Integer::from(1), |c, i| c * (k - i) / (i + 1));
            let samples = Integer::from(&sets * q);
            // C(K−2, m−1) = C(K, m) m (K−m) / (K (K−1)).
            let weight = Integer::from(&samples * m) * (k - m) / (Integer::from(k) * (k - 1));
            Group { m, q, samples: samples.to_u64().unwrap_or(u64::MAX), weight }
        };
        let form = TagSets {
            k,
            samples: problem.samples(),
            bias: problem.bias.clone(),
            lambda_w: lambda_w.clone(),
            lambda_h: lambda_h.clone(),
            groups: per_tag_set.iter().map(group).collect(),
        };
        let least = form.minimum_dim();
        if problem.dim < least {
            return Err(Unavailable::Dimension { least, dim: problem.dim });
        }
        Ok(form)
    }

    /// (Nμ)².
    fn threshold(&self) -> Rational {
        Rational::from(&self.lambda_w * &self.lambda_h) * Integer::from(self.samples).square()
    }

    fn alive(&self) -> bool {
        self.groups.iter().map(|g| &g.weight).sum::<Integer>() > self.threshold()
    }

    /// m e^a + K − m.
    fn partition(&self, m: u64, a: &Ball) -> Ball {
        whole(m, a.prec()) * a.exp() + whole(self.k - m, a.prec())
    }

    /// The a_m, in the order of the multiplicities; zero for full tag sets.
    fn scales(&self, prec: u32) -> Vec<Ball> {
        if !self.alive() {
            return vec![Ball::zero(prec); self.groups.len()];
        }
        let partial = |g: &&Group| g.m < self.k;
        let tags: Vec<Tag> = self.groups.iter().filter(partial).map(|g| Tag { m: g.m, weight: &g.weight }).collect();
        let found = tag_scales::scales(self.k, &tags, &self.threshold(), prec);
        let mut found = found.unwrap_or_else(|| vec![Ball::whole(prec); tags.len()]).into_iter();
        self.groups.iter().map(|g| if g.m < self.k { found.next() } else { None }.unwrap_or_else(|| Ball::zero(prec))).collect()
    }

    /// The singular value of Z, of multiplicity K − 1: √(Σ a_m² w_m).
    fn singular_value(&self, scales: &[Ball], prec: u32) -> Ball {
        let term = |(g, a): (&Group, &Ball)| a.square() * Ball::from_integer(&g.weight, prec);
        self.groups.iter().zip(scales).map(term).fold(Ball::zero(prec), |sum, x| sum + x).sqrt()
    }
}

impl Form for TagSets {
    fn regime(&self) -> Regime {
        if self.alive() { Regime::Collapsed } else { Regime::Zero }
    }

    fn f_star(&self, prec: u32) -> Ball {
        let scales = self.scales(prec);
        let mut value = Ball::zero(prec);
        for (g, a) in self.groups.iter().zip(&scales) {
            let share = Rational::from((g.samples, self.samples)) * g.m;
            // log(m e^a + K − m) − a; a full set has a = 0 here.
            let fit = self.partition(g.m, a).ln() - a;
            value = value + Ball::from_rational(&share, prec) * fit;
        }
        let mu = sqrt_rational(&Rational::from(&self.lambda_w * &self.lambda_h), prec);
        value + mu * whole(self.k - 1, prec) * self.singular_value(&scales, prec)
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        let keyed = self.groups.iter().map(|g| g.m).zip(self.scales(prec)).collect();
        vec![("margins", Scalar::Keyed(keyed))]
    }

    fn source(&self) -> &'static str {
        "Li et al., ICML 2024 (arXiv 2310.15903)"
    }

    fn minimum_dim(&self) -> u64 {
        if self.alive() { self.k - 1 } else { 1 }
    }

    /// Samples in order of multiplicity, then of tag set (lexicographic), then of repetition. With U the Helmert basis and σ the
    /// singular value, W = r √σ U and h_S = a_m Σ_{k in S} u_k / (r √σ), r⁴ = λ_H/λ_W.
    fn minimiser(&self, (k, d, n): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let scales = self.scales(width);
        let sigma = self.singular_value(&scales, width);
        let r = Ball::from_rational(&Rational::from(&self.lambda_h / &self.lambda_w), width).root(4) * sigma.sqrt();
        let basis = if self.alive() { frame::means(k, d, &whole(1, width), None, prec) } else { vec![Float::new(width); d * k] };
        let w_scale = r.mid();
        let w: Vec<Float> = (0..k * d).map(|t| Float::with_val(width, &basis[(t % d) * k + t / d] * &w_scale)).collect();
        let mut columns = vec![Float::new(width); d * n];
        let mut column = 0;
        for (g, a) in self.groups.iter().zip(&scales) {
            let scale = if self.alive() { (a / &r).mid() } else { Float::new(width) };
            let mut set: Vec<usize> = (0..g.m as usize).collect();
            loop {
                for i in 0..d {
                    let sum = set.iter().fold(Float::new(width), |sum, &class| sum + &basis[i * k + class]);
                    let entry = sum * &scale;
                    columns[i * n + column..i * n + column + g.q as usize].fill(entry);
                }
                column += g.q as usize;
                if !next_set(&mut set, k) {
                    break;
                }
            }
        }
        let zero = Dyadic { rows: k, cols: 1, exp: 0, m: vec![Integer::new(); k] };
        ExactPoint {
            factors: vec![frame::on_grid(k, d, &w, prec)],
            h: frame::on_grid(d, n, &columns, prec),
            b: (self.bias != Bias::None).then_some(zero),
        }
    }
}
