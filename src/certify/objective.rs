//! The objective at an exact point, for every model whose objective is exact or enclosed, and the exact gradient of deep models.

use rug::{Integer, Rational};

use crate::problem::exact::{Plain, rows_times_rows};
use crate::problem::exact::{State, weighted_squares};
use crate::problem::{Dyadic, ExactPoint, Loss, Model, Problem};
use crate::scalar::Ball;

/// f at an exact point, enclosed to about `bits` bits: exact then rounded once for MSE (plain, deep linear, deep ReLU), enclosed for
/// cross-entropy, its kin and the focal loss (sphere: at the radial projection). `None` for wrong shapes, and cross-entropy logits beyond
/// 2^40.
pub fn objective(problem: &Problem, point: &ExactPoint, bits: u32) -> Option<Ball> {
    if matches!(problem.loss, Loss::Focal { .. }) {
        let size = |x: &Dyadic| (x.rows, x.cols);
        super::check_sizes(problem.point_sizes().ok()?, &problem.bias, |name| match name {
            "W" => point.factors.first().map(size),
            "H" => Some(size(&point.h)),
            _ => point.b.as_ref().map(size),
        })
        .ok()?;
        return super::focal::evaluate(problem, point, bits).map(|f| f.objective);
    }
    match &problem.model {
        Model::Plain { .. } | Model::MultiLabel { .. } => {
            let plain = Plain::new(problem).ok()?;
            super::check_shapes(&plain, point).ok()?;
            Some(State::new(&plain, point, bits)?.objective())
        }
        Model::Sphere { temperature } => super::sphere::objective(problem, temperature, point, bits),
        Model::DeepLinear { .. } | Model::DeepRelu { .. } => Some(Ball::from_rational(&Deep::new(problem, point)?.objective(), bits)),
    }
}

/// ‖grad f‖ at an exact point of a deep linear model, enclosed (the gradient itself is exact); `None` for other models.
pub fn deep_gradient_norm(problem: &Problem, point: &ExactPoint, bits: u32) -> Option<Ball> {
    let point = if problem.is_deep_linear() { Deep::new(problem, point)? } else { return None };
    Some(Ball::from_rational(&point.gradient_squared(), bits).sqrt())
}

/// A deep point: layer j maps x_{j-1} to W_j x_{j-1}, x_0 = H; ReLU acts on every hidden layer but H.
struct Deep<'a> {
    lambdas: Vec<&'a Rational>,
    point: &'a ExactPoint,
    /// Inputs of W_1, ..., W_{p-1}.
    inputs: Vec<Dyadic>,
    /// Z − Y.
    residual: Dyadic,
    samples: usize,
}

fn product(a: &Dyadic, b: &Dyadic) -> Dyadic {
    rows_times_rows(a, &b.transpose())
}

impl<'a> Deep<'a> {
    fn new(problem: &'a Problem, point: &'a ExactPoint) -> Option<Self> {
        let (k, d, n) = problem.point_sizes().ok()?;
        let relu = !problem.is_deep_linear();
        let (last, hidden) = point.factors.split_last()?;
        let shapes = point.factors.len() + 1 == problem.depth()
            && hidden.iter().all(|w| (w.rows, w.cols) == (d, d))
            && (last.rows, last.cols, point.h.rows, point.h.cols) == (k, d, d, n);
        if !shapes {
            return None;
        }
        let mut inputs = vec![point.h.clone()];
        for w in hidden {
            let mut x = product(w, inputs.last()?);
            if relu {
                x.m.iter_mut().filter(|m| **m < 0).for_each(|m| *m = Integer::new());
            }
            inputs.push(x);
        }
        let mut residual = product(last, inputs.last()?);
        let exp = residual.exp.min(0);
        residual = residual.aligned(exp);
        let one = Integer::from(1) << residual.exp.unsigned_abs();
        let labels = problem.class_counts()?.into_iter().enumerate().flat_map(|(class, n)| std::iter::repeat_n(class, n as usize));
        for (i, y) in labels.enumerate() {
            residual.m[y * n + i] -= &one;
        }
        Some(Deep { lambdas: problem.lambdas(), point, inputs, residual, samples: n })
    }

    fn factors(&self) -> impl Iterator<Item = &Dyadic> {
        std::iter::once(&self.point.h).chain(&self.point.factors)
    }

    fn objective(&self) -> Rational {
        let penalty: Rational = self.factors().zip(&self.lambdas).map(|(x, lambda)| x.sum_squares() * *lambda).sum();
        (self.residual.sum_squares() / Integer::from(self.samples) + penalty) / 2u32
    }

    /// Σ over factors of ‖N grad‖² / N²; the gradient of W_j is (W_{p-1}…W_{j+1})ᵀ (Z − Y) x_{j-1}ᵀ / N + λ_j W_j.
    fn gradient_squared(&self) -> Rational {
        let mut back = self.residual.clone();
        let mut total = Rational::new();
        for (j, w) in self.point.factors.iter().enumerate().rev() {
            total += weighted_squares(rows_times_rows(&back, &self.inputs[j]), self.lambdas[j + 1], self.samples, w);
            back = product(&w.transpose(), &back);
        }
        total += weighted_squares(back, self.lambdas[0], self.samples, &self.point.h);
        total / Integer::from(self.samples).square()
    }
}
