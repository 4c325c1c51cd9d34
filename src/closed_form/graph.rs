//! The complete-graph family of deep ReLU points (K = r(r−1)/2): below the collapsed value where depth and K allow it.

use rug::{Float, Integer, Rational};

use super::{Unavailable, deep, frame, whole};
use crate::problem::{Dyadic, ExactPoint, Model, Problem};
use crate::scalar::{Ball, sqrt_rational};

/// The r >= 3 with r(r−1)/2 = K.
pub(crate) fn complete_graph(classes: u64) -> Option<u64> {
    let root = Integer::from(8 * u128::from(classes) + 1).sqrt().to_u64()?;
    let r = root.div_ceil(2);
    (r >= 3 && u128::from(r) * u128::from(r - 1) == 2 * u128::from(classes)).then_some(r)
}

/// The complete-graph point of a deep ReLU model and its objective, at any precision.
///
/// Formula: B the r × K vertex–edge incidence matrix of the complete graph, L = p − 1 weight matrices. With H and W_1 the balanced
/// factors (B Bᵀ)^{−1/4} B and (B Bᵀ)^{1/4}, L − 3 identities of size r, W_{L−1} = Bᵀ − J/2 and W_L = I_K, every hidden layer is B or I and
/// the logits are I: (Bᵀ − J/2) B has 1 on the diagonal, 0 for edges that meet and −1 for the others, which ReLU removes. Scaling each factor so
/// that the λ_j ‖F_j‖² agree gives the objective
///
/// `min over y >= 0 of (y−1)²/2 + (p/2) (n Λ Π y²)^{1/p}`,  `Π = K r^{L−3} (r²(r−1)/8) ((r−1)√(r−2) + √(2r−2))²`,
///
/// where collapse has Π = K^p.
///
/// Hypotheses: deep ReLU, balanced, K = r(r−1)/2 with r >= 3, p >= 4, d >= K. Guarantee: enclosures; the value is the objective of
/// [`GraphFamily::point`] up to the rounding of its entries. Nothing says that it is a minimum: minimising from there goes lower.
///
/// Source: P. Súkeník, C. Lampert and M. Mondelli, *Neural collapse vs. low-rank bias* (2024), strongly regular graphs.
///
/// ```
/// use ufm::{closed_form::GraphFamily, problem::Problem};
/// let p = Problem::from_toml("model = 'deep-relu'\nloss = 'mse'\nclasses = 6\nper_class = 1\ndim = 6\nlambdas = ['0.004','0.004','0.004','0.004','0.004']").unwrap();
/// let value = GraphFamily::new(&p).unwrap().value(128);
/// assert!(value.lower_decimal(5).starts_with("0.05752"));
/// ```
pub struct GraphFamily {
    vertices: u64,
    per_class: u64,
    classes: u64,
    lambdas: Vec<Rational>,
}

impl GraphFamily {
    /// # Errors
    /// [`Unavailable`], saying which hypothesis fails.
    pub fn new(problem: &Problem) -> Result<Self, Unavailable> {
        let Model::DeepRelu { lambdas } = &problem.model else {
            return Err(Unavailable::Unsupported("the graph family outside deep ReLU models"));
        };
        let classes = problem.classes();
        let Some(per_class) = problem.per_class() else {
            return Err(Unavailable::Unsupported("the graph family with imbalanced classes"));
        };
        let Some(vertices) = complete_graph(classes) else {
            return Err(Unavailable::Unsupported("the graph family unless classes = r(r-1)/2 with r >= 3"));
        };
        if lambdas.len() < 4 {
            return Err(Unavailable::Unsupported("the graph family with fewer than four factors"));
        }
        if problem.dim < classes {
            return Err(Unavailable::Dimension { least: classes, dim: problem.dim });
        }
        Ok(GraphFamily { vertices, per_class, classes, lambdas: lambdas.clone() })
    }

    fn p(&self) -> u32 {
        self.lambdas.len() as u32
    }

    /// r, the number of vertices.
    pub fn vertices(&self) -> u64 {
        self.vertices
    }

    /// ‖H‖² = ‖W_1‖² = tr (B Bᵀ)^{1/2} before scaling: B Bᵀ = (r−2) I + J.
    fn root_trace(&self, prec: u32) -> Ball {
        let r = self.vertices;
        whole(r - 1, prec) * sqrt_rational(&Rational::from(r - 2), prec) + sqrt_rational(&Rational::from(2 * r - 2), prec)
    }

    /// Squared norms of H (one sample per class), W_1, ..., W_{p−1} before scaling.
    fn norms(&self, prec: u32) -> Vec<Ball> {
        let (r, k, p) = (self.vertices, self.classes, self.lambdas.len());
        let norm = |j: usize| match j {
            0 | 1 => self.root_trace(prec),
            _ if j == p - 1 => whole(k, prec),
            _ if j == p - 2 => Ball::from_rational(&(Rational::from(k) * Rational::from(r) / 4u32), prec),
            _ => whole(r, prec),
        };
        (0..p).map(norm).collect()
    }

    /// Π, the product of the squared norms; K^p at collapse.
    pub fn norm_product(&self, prec: u32) -> Ball {
        self.norms(prec).into_iter().fold(whole(1, prec), |product, norm| product * norm)
    }

    /// κ = (n Λ Π)^{1/p}.
    fn kappa(&self, prec: u32) -> Ball {
        let weights = self.lambdas.iter().fold(Rational::from(self.per_class), |product, l| product * l);
        (Ball::from_rational(&weights, prec) * self.norm_product(prec)).root(self.p())
    }

    /// The scale y of the logits at the minimum: zero unless it is certainly below the threshold.
    pub fn logit_scale(&self, prec: u32) -> Ball {
        let kappa = self.kappa(prec);
        let critical = deep::critical_kappa(self.p(), prec);
        if !(&critical - &kappa).is_positive() {
            return Ball::zero(prec);
        }
        deep::largest_t(self.p(), &self.kappa(prec + deep::ROOT_GUARD), prec).powi(self.p())
    }

    /// Enclosure of the family's least objective; at most 1/2, that of zero.
    pub fn value(&self, prec: u32) -> Ball {
        deep::mode_value(self.p(), &self.logit_scale(prec), prec)
    }

    /// The point of that objective, entries rounded to grids of about `prec` bits.
    ///
    /// # Errors
    /// [`crate::problem::SpecError::TooLarge`] when it would not fit in memory.
    pub fn point(&self, problem: &Problem, prec: u32) -> Result<ExactPoint, crate::problem::SpecError> {
        let (k, d, n) = problem.point_sizes_at(prec)?;
        let width = prec + frame::GUARD;
        let (r, p) = (self.vertices as usize, self.lambdas.len());
        let y = self.logit_scale(width);
        let norms = self.norms(width);
        // λ_j s_j² ‖F_j‖² = (n Λ Π y²)^{1/p}, n copies of H's columns.
        let product = self.lambdas.iter().fold(Rational::from(self.per_class), |product, l| product * l);
        let energy = (Ball::from_rational(&product, width) * self.norm_product(width) * y.square()).root(self.p());
        let scale = |j: usize| {
            let copies = if j == 0 { self.per_class } else { 1 };
            let weight = Ball::from_rational(&(self.lambdas[j].clone() * Rational::from(copies)), width);
            (&energy / &(&weight * &norms[j])).sqrt()
        };
        let edges: Vec<(usize, usize)> = (0..r).flat_map(|i| (0..i).map(move |j| (j, i))).collect();
        // (B Bᵀ)^e = α (I − J/r) + β J/r with α = (r−2)^e, β = (2r−2)^e: fourth roots and their inverses.
        let fourth = |x: usize| sqrt_rational(&Rational::from(x as u64), width).sqrt();
        let power = |inverse: bool| {
            let pick = |x: Ball| if inverse { x.recip() } else { x };
            let (alpha, beta) = (pick(fourth(r - 2)), pick(fourth(2 * r - 2)));
            let off = &(&beta - &alpha) / &whole(r as u64, width);
            (alpha + off.clone(), off)
        };
        let matrix = |rows: usize, cols: usize, entry: &dyn Fn(usize, usize) -> Option<Ball>| -> Dyadic {
            let value = |t: usize| entry(t / cols, t % cols).map_or_else(|| Float::new(width), |x| x.mid());
            frame::on_grid(rows, cols, &(0..rows * cols).map(value).collect::<Vec<_>>(), prec)
        };
        let (s0, (on, off)) = (scale(0), power(true));
        // Column of edge {a, b}: rows a and b of (B Bᵀ)^{-1/4} summed.
        let (incident, apart) = (&s0 * &(&on + &off), &s0 * &(&off + &off));
        let class = |sample: usize| sample / self.per_class as usize;
        let h = matrix(d, n, &|i, sample| {
            let (a, b) = edges[class(sample)];
            (i < r).then(|| if i == a || i == b { incident.clone() } else { apart.clone() })
        });
        let factors = (1..p).map(|j| {
            let s = scale(j);
            let (on, off) = power(false);
            let (diagonal, rest, half) = (&s * &on, &s * &off, s.scale(-1));
            let entry = |a: usize, b: usize| match j {
                1 => (a < r && b < r).then(|| if a == b { diagonal.clone() } else { rest.clone() }),
                _ if j == p - 1 => (a == b && b < k).then(|| s.clone()),
                _ if j == p - 2 => (a < k && b < r).then(|| if edges[a].0 == b || edges[a].1 == b { half.clone() } else { -&half }),
                _ => (a == b && b < r).then(|| s.clone()),
            };
            matrix(if j == p - 1 { k } else { d }, d, &entry)
        });
        Ok(ExactPoint { factors: factors.collect(), h, b: None })
    }
}
