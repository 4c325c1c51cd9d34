use super::{LogitLoss, exp::exp_block};
use crate::linalg::vector::vectorised;

/// `L(Z) = (1/N) Σ_i [ logsumexp(z_i) − <t_i, z_i> ]` with `t_i = (1−α) e_{y_i} + (α/K) 1`: cross-entropy for α = 0, label
/// smoothing otherwise.
pub struct CrossEntropy {
    labels: Vec<u32>,
    classes: usize,
    weight: f64,
    /// α/K.
    floor: f64,
    /// 1 − α.
    peak: f64,
}

impl CrossEntropy {
    /// `labels[i] < classes` is the class of sample i; `smoothing` α is in [0, 1].
    pub fn new(labels: Vec<u32>, classes: usize, smoothing: f64) -> Self {
        let weight = 1.0 / labels.len() as f64;
        Self { labels, classes, weight, floor: smoothing / classes as f64, peak: 1.0 - smoothing }
    }

    /// Σ_i of `logsumexp(z_i) − <t_i, z_i>`, and softmax in place of the logits.
    #[inline(always)]
    fn softmax(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        for (column, &label) in z.chunks_exact_mut(self.classes).zip(&self.labels[first..]) {
            // Shifting by the largest logit keeps exp in [0, 1]; the shift cancels in logsumexp(z) − <t, z> because t sums to 1.
            let top = maximum(column);
            for x in column.iter_mut() {
                *x -= top;
            }
            total -= self.peak * column[label as usize];
            if self.floor != 0.0 {
                total -= self.floor * sum(column);
            }
        }
        exp_block(z);
        // One logarithm for the product of many masses, each between 1 and K < 2^32.
        let mut masses = 1.0;
        for column in z.chunks_exact_mut(self.classes) {
            let mass = sum(column);
            masses *= mass;
            if masses > MASS_LIMIT {
                total += f64::ln(masses);
                masses = 1.0;
            }
            let inverse = 1.0 / mass;
            for x in column.iter_mut() {
                *x *= inverse;
            }
        }
        total + masses.ln()
    }
}

impl LogitLoss for CrossEntropy {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        vectorised(
            #[inline(always)]
            || {
                total = self.softmax(z, first);
                for (column, &label) in z.chunks_exact_mut(self.classes).zip(&self.labels[first..]) {
                    column[label as usize] -= self.peak;
                    for x in column.iter_mut() {
                        *x = (*x - self.floor) * self.weight;
                    }
                }
            },
        );
        self.weight * total
    }

    /// `(1/N) p_i ∘ (dz_i − <p_i, dz_i>)`, where `p_i = N g_i + t_i` is recovered from the gradient.
    fn curvature(&self, _z: &[f64], g: &[f64], dz: &mut [f64], first: usize) {
        let samples = self.labels.len() as f64;
        vectorised(
            #[inline(always)]
            || {
                let columns = dz.chunks_exact_mut(self.classes).zip(g.chunks_exact(self.classes));
                for ((dz, g), &label) in columns.zip(&self.labels[first..]) {
                    let label = label as usize;
                    let [gz, plain] = dot_and_sum(g, dz);
                    let mean = samples * gz + self.floor * plain + self.peak * dz[label];
                    let at_label = dz[label] - mean;
                    let floor = self.floor * self.weight;
                    for (dz, g) in dz.iter_mut().zip(g) {
                        *dz = (*g + floor) * (*dz - mean);
                    }
                    dz[label] += self.peak * self.weight * at_label;
                }
            },
        );
    }

    fn keeps_logits(&self) -> bool {
        false
    }
}

/// A product at most this large stays finite when one more mass is taken in.
pub(super) const MASS_LIMIT: f64 = 1e290;
/// Independent partial results, so that loops over a column vectorise without changing the order of summation.
const LANES: usize = 8;

#[inline(always)]
pub(super) fn maximum(x: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let mut top = lanes.iter().fold(f64::NEG_INFINITY, |m, &x| if x > m { x } else { m });
    for &x in chunks.remainder() {
        top = if x > top { x } else { top };
    }
    top
}

#[inline(always)]
pub(super) fn sum(x: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += x;
        }
    }
    let tail: f64 = chunks.remainder().iter().sum();
    if x.len() < LANES {
        return tail;
    }
    lanes.iter().sum::<f64>() + tail
}

#[inline(always)]
pub(super) fn dot_and_sum(x: &[f64], y: &[f64]) -> [f64; 2] {
    let (mut dots, mut sums) = ([0.0; LANES], [0.0; LANES]);
    let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (x, y) in (&mut xs).zip(&mut ys) {
        for lane in 0..LANES {
            dots[lane] += x[lane] * y[lane];
            sums[lane] += y[lane];
        }
    }
    let (mut dot, mut sum) = if x.len() < LANES { (0.0, 0.0) } else { (dots.iter().sum(), sums.iter().sum()) };
    for (x, y) in xs.remainder().iter().zip(ys.remainder()) {
        dot += x * y;
        sum += y;
    }
    [dot, sum]
}
