use super::LogitLoss;
use crate::linalg::vector::vectorised;

/// `L(Z) = ‖Z − Y‖_F² / (2N)` with one-hot targets Y.
pub struct SquaredError {
    labels: Vec<u32>,
    classes: usize,
    weight: f64,
}

impl SquaredError {
    /// `labels[i] < classes` is the class of sample i.
    pub fn new(labels: Vec<u32>, classes: usize) -> Self {
        let weight = 1.0 / labels.len() as f64;
        Self { labels, classes, weight }
    }
}

impl LogitLoss for SquaredError {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        vectorised(
            #[inline(always)]
            || {
                for (column, &label) in z.chunks_exact_mut(self.classes).zip(&self.labels[first..]) {
                    column[label as usize] -= 1.0;
                }
                total = crate::linalg::vector::sum_squares_block(z);
                for x in z.iter_mut() {
                    *x *= self.weight;
                }
            },
        );
        0.5 * self.weight * total
    }

    fn curvature(&self, _z: &[f64], _g: &[f64], dz: &mut [f64], _first: usize) {
        vectorised(
            #[inline(always)]
            || {
                for x in dz.iter_mut() {
                    *x *= self.weight;
                }
            },
        );
    }

    fn keeps_logits(&self) -> bool {
        false
    }
}
