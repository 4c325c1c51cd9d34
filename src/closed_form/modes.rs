//! Imbalanced plain MSE without bias: the target's singular values √n_k, soft-thresholded by N μ.

use rug::{Float, Rational};

use super::{Form, Regime, Scalar, frame};
use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::{Ball, sqrt_rational};

/// f* = Σ_k [(s_k − x_k)²/(2N) + μ x_k], s_k = √n_k, x_k = (s_k − N μ)_+: a class dies when n_k <= N² μ².
pub(super) struct Imbalanced {
    counts: Vec<u64>,
    samples: u64,
    /// Whether class k is alive.
    alive: Vec<bool>,
    mu_squared: Rational,
    /// λ_W/λ_H.
    ratio: Rational,
}

impl Imbalanced {
    pub fn new(counts: &[u64], dim: u64, lambda_w: &Rational, lambda_h: &Rational) -> Self {
        let samples: u64 = counts.iter().sum();
        let mu_squared = Rational::from(lambda_w * lambda_h);
        let threshold = &mu_squared * Rational::from(samples).square();
        let mut alive: Vec<bool> = counts.iter().map(|&n| threshold < n).collect();
        // Below K dimensions the largest classes keep their modes.
        for k in by_size(counts).into_iter().skip(usize::try_from(dim).unwrap_or(usize::MAX)) {
            alive[k] = false;
        }
        Imbalanced { counts: counts.to_vec(), samples, alive, mu_squared, ratio: Rational::from(lambda_w / lambda_h) }
    }

    fn survivors(&self) -> u64 {
        self.alive.iter().filter(|&&a| a).count() as u64
    }

    /// Of each mode alive, largest first: how many singular values are larger.
    pub fn ranks(&self) -> Vec<usize> {
        let order: Vec<usize> = by_size(&self.counts).into_iter().filter(|&k| self.alive[k]).collect();
        order.iter().map(|&k| order.iter().filter(|&&j| self.counts[j] > self.counts[k]).count()).collect()
    }

    /// Keeps these of the modes alive, numbered from the largest.
    pub fn keep(&mut self, modes: &[usize]) {
        let order: Vec<usize> = by_size(&self.counts).into_iter().filter(|&k| self.alive[k]).collect();
        self.alive.fill(false);
        modes.iter().for_each(|&i| self.alive[order[i]] = true);
    }

    /// x_k = √n_k − N μ for a class alive.
    fn singular_value(&self, k: usize, prec: u32) -> Ball {
        if !self.alive[k] {
            return Ball::zero(prec);
        }
        let shift = &self.mu_squared * Rational::from(self.samples).square();
        sqrt_rational(&Rational::from(self.counts[k]), prec) - sqrt_rational(&shift, prec)
    }
}

/// Classes by size, largest first, ties in order.
pub(super) fn by_size(counts: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&k| std::cmp::Reverse(counts[k]));
    order
}

impl Form for Imbalanced {
    fn regime(&self) -> Regime {
        Regime::of(self.survivors(), self.counts.len() as u64)
    }

    fn f_star(&self, prec: u32) -> Ball {
        // Alive: (N μ)²/(2N) + μ x; dead: n_k/(2N).
        let mu = sqrt_rational(&self.mu_squared, prec);
        let mut exact = Rational::new();
        let mut value = Ball::zero(prec);
        for (k, &n) in self.counts.iter().enumerate() {
            if self.alive[k] {
                exact += &self.mu_squared * Rational::from((self.samples, 2));
                value = value + &mu * &self.singular_value(k, prec);
            } else {
                exact += Rational::from((n, 1)) / Rational::from(self.samples) / 2u32;
            }
        }
        value + Ball::from_rational(&exact, prec)
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        let values = by_size(&self.counts).into_iter().map(|k| self.singular_value(k, prec)).collect();
        vec![("surviving_classes", Scalar::Count(self.survivors())), ("singular_values", Scalar::List(values))]
    }

    fn source(&self) -> &'static str {
        "Dang et al., ICML 2023 (arXiv 2301.00437), two factors"
    }

    fn minimum_dim(&self) -> u64 {
        self.survivors().max(1)
    }

    /// Mode j on coordinate j: W_{kj} = (x/√ρ)^{1/2}, H_{ji} = (√ρ x)^{1/2}/√n_k for the samples of class k, ρ = λ_W/λ_H.
    fn minimiser(&self, (k, d, n): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let root_ratio = sqrt_rational(&self.ratio, width);
        let mut w = vec![Float::new(width); k * d];
        let mut columns = vec![Float::new(width); d * k];
        for (j, class) in by_size(&self.counts).into_iter().filter(|&c| self.alive[c]).enumerate() {
            let x = self.singular_value(class, width);
            w[class * d + j] = (&x / &root_ratio).sqrt().mid();
            columns[j * k + class] = ((&x * &root_ratio) / super::whole(self.counts[class], width)).sqrt().mid();
        }
        ExactPoint {
            factors: vec![frame::on_grid(k, d, &w, prec)],
            h: spread(&frame::on_grid(d, k, &columns, prec), &self.counts, n),
            b: None,
        }
    }
}

/// One column per sample from one per class.
pub(super) fn spread(columns: &Dyadic, counts: &[u64], n: usize) -> Dyadic {
    let row = |i: usize| {
        let classes = &columns.m[i * columns.cols..(i + 1) * columns.cols];
        classes.iter().zip(counts).flat_map(|(m, &n)| std::iter::repeat_n(m.clone(), n as usize))
    };
    Dyadic { rows: columns.rows, cols: n, exp: columns.exp, m: (0..columns.rows).flat_map(row).collect() }
}
