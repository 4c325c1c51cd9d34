//! Vectors stored as rows (class means, classifier rows), each with a bound on its error in norm.

use faer::MatRef;

use super::bounded::{Bounded, TINY, U, gamma, sum};

const SLACK: f64 = 1.0 + 1e-6;

/// K vectors of dimension d, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub data: Vec<f64>,
    pub dim: usize,
    /// Bound on each row's distance from the exact one.
    pub errors: Vec<f64>,
    /// Upper bound on each computed row's norm.
    pub sizes: Vec<f64>,
}

/// `Σ x_i y_i` of exact vectors.
pub(crate) fn dot(x: &[f64], y: &[f64]) -> Bounded {
    let (mut value, mut size) = (0.0, 0.0);
    for (a, b) in x.iter().zip(y) {
        value += a * b;
        size += (a * b).abs();
    }
    Bounded::new(value, gamma(x.len() + 2) * size * SLACK + 2.0 * x.len() as f64 * TINY)
}

impl Rows {
    pub fn new(data: Vec<f64>, dim: usize, errors: Vec<f64>) -> Self {
        let sizes = data.chunks(dim).map(|row| dot(row, row).sqrt().upper()).collect();
        Rows { data, dim, errors, sizes }
    }

    /// Rows known exactly.
    pub fn exact(data: Vec<f64>, dim: usize) -> Self {
        let errors = vec![0.0; data.len() / dim];
        Self::new(data, dim, errors)
    }

    pub fn count(&self) -> usize {
        self.errors.len()
    }

    pub fn row(&self, index: usize) -> &[f64] {
        &self.data[index * self.dim..][..self.dim]
    }

    /// One row by itself.
    pub fn only(&self, index: usize) -> Rows {
        Rows::new(self.row(index).to_vec(), self.dim, vec![self.errors[index]])
    }

    pub fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.data, self.count(), self.dim)
    }

    /// `‖r_i‖`.
    pub fn norm(&self, index: usize) -> Bounded {
        let computed = dot(self.row(index), self.row(index)).sqrt();
        Bounded::new(computed.value, computed.bound + self.errors[index])
    }

    /// `<r_i, s_j>`.
    pub fn product(&self, index: usize, other: &Rows, at: usize) -> Bounded {
        let computed = dot(self.row(index), other.row(at));
        Bounded::new(computed.value, computed.bound + self.product_error(index, other, at))
    }

    /// Error of an inner product that comes from the errors of its factors.
    pub fn product_error(&self, index: usize, other: &Rows, at: usize) -> f64 {
        let (e, f) = (self.errors[index], other.errors[at]);
        (e * other.sizes[at] + self.sizes[index] * f + e * f) * SLACK
    }

    /// `‖R‖_F²`.
    pub fn square(&self) -> Bounded {
        sum((0..self.count()).map(|i| self.norm(i).square()))
    }

    /// Upper bounds of `‖R‖_F` as computed, and of the error in Frobenius norm.
    pub fn frobenius(&self) -> (f64, f64) {
        let root = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt() * SLACK + TINY;
        (root(&self.sizes), root(&self.errors))
    }

    /// `Σ w_k r_k / Σ w_k` as a single row; the weights and their sum are exact.
    pub fn weighted_mean(&self, weights: &[f64]) -> Rows {
        let total: f64 = weights.iter().sum();
        let mut mean = vec![0.0; self.dim];
        let (mut size, mut error) = (0.0, 0.0);
        for (index, &weight) in weights.iter().enumerate() {
            mean.iter_mut().zip(self.row(index)).for_each(|(m, x)| *m += weight * x);
            size += weight * self.sizes[index];
            error += weight * self.errors[index];
        }
        mean.iter_mut().for_each(|m| *m /= total);
        let bound = ((gamma(weights.len() + 4) * size + error) / total + self.dim as f64 * 2.0 * TINY) * SLACK;
        Rows::new(mean, self.dim, vec![bound])
    }

    /// Every row less the one row of `middle`.
    pub fn less(&self, middle: &Rows) -> Rows {
        self.shifted(|x, m| x - m, middle.row(0), middle.errors[0])
    }

    /// Every row plus an exact vector.
    pub fn plus(&self, vector: &[f64]) -> Rows {
        self.shifted(|x, m| x + m, vector, 0.0)
    }

    fn shifted(&self, op: impl Fn(f64, f64) -> f64, vector: &[f64], error: f64) -> Rows {
        let data = self.data.chunks(self.dim).flat_map(|row| row.iter().zip(vector).map(|(&x, &m)| op(x, m))).collect();
        let mut rows = Rows::new(data, self.dim, self.errors.clone());
        for (bound, size) in rows.errors.iter_mut().zip(&rows.sizes) {
            *bound = (*bound + error + U * size) * SLACK;
        }
        rows
    }
}
