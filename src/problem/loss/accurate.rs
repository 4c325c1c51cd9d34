use super::{
    LogitLoss,
    cross_entropy::{dot_and_sum, maximum, sum},
    exp::exp_block,
};
use crate::linalg::vector::vectorised;

/// `L(Z) = Σ_i w_{y_i} [logsumexp(z_i) − z_{y_i i}]`: cross-entropy with a weight for each class, accurate relative to itself however small.
///
/// With `u = 1 − p_y`, computed as a sum of the other classes' probabilities, a sample's loss is `−log(1 − u)` and its gradient
/// `w (p_k)_{k≠y}` and `−w u`.
pub(crate) struct AccurateCrossEntropy {
    labels: Vec<u32>,
    /// One for each class.
    weights: Vec<f64>,
}

/// Columns whose exponentials are taken at once.
const COLUMNS: usize = 32;

impl AccurateCrossEntropy {
    /// `labels[i]` is the class of sample i, an index of `weights`.
    pub fn new(labels: Vec<u32>, weights: Vec<f64>) -> Self {
        Self { labels, weights }
    }
}

impl LogitLoss for AccurateCrossEntropy {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let classes = self.weights.len();
        let mut total = 0.0;
        vectorised(
            #[inline(always)]
            || {
                for (chunk, labels) in z.chunks_mut(COLUMNS * classes).zip(self.labels[first..].chunks(COLUMNS)) {
                    let mut shifted = [0.0; COLUMNS];
                    for ((column, &y), own) in chunk.chunks_exact_mut(classes).zip(labels).zip(&mut shifted) {
                        let top = maximum(column);
                        for x in column.iter_mut() {
                            *x -= top;
                        }
                        *own = column[y as usize];
                    }
                    exp_block(chunk);
                    let mut part = 0.0;
                    for ((column, &y), log_own) in chunk.chunks_exact_mut(classes).zip(labels).zip(shifted) {
                        let y = y as usize;
                        let own = std::mem::replace(&mut column[y], 0.0);
                        let others = sum(column);
                        let mass = own + others;
                        // The largest term is 1, so mass >= 1: one of the two forms is accurate wherever p_y lies.
                        part += self.weights[y] * if others < own { (others / own).ln_1p() } else { mass.ln() - log_own };
                        let scale = self.weights[y] / mass;
                        for x in column.iter_mut() {
                            *x *= scale;
                        }
                        column[y] = -others * scale;
                    }
                    total += part;
                }
            },
        );
        total
    }

    /// `w p_k (e_k − m)` for k ≠ y and `−w p_y m`, where `e = dz − dz_y 1`, `m = <p, e>`.
    fn curvature(&self, _z: &[f64], g: &[f64], dz: &mut [f64], first: usize) {
        let classes = self.weights.len();
        vectorised(
            #[inline(always)]
            || {
                let columns = dz.chunks_exact_mut(classes).zip(g.chunks_exact(classes));
                for ((dz, g), &y) in columns.zip(&self.labels[first..]) {
                    let y = y as usize;
                    let at_label = dz[y];
                    for dz in dz.iter_mut() {
                        *dz -= at_label;
                    }
                    let weight = self.weights[y];
                    let [weighted, _] = dot_and_sum(g, dz);
                    let mean = weighted / weight;
                    for (dz, g) in dz.iter_mut().zip(g) {
                        *dz = *g * (*dz - mean);
                    }
                    dz[y] = -(1.0 + g[y] / weight) * weighted;
                }
            },
        );
    }

    fn keeps_logits(&self) -> bool {
        false
    }
}
