//! A fully connected ReLU network and its regularised loss, with gradients.

use faer::{Accum, ColRef, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// What the outputs are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Loss {
    /// `‖Z − Y‖²/(2N)`.
    Mse,
    /// `(1/N) Σ CE(z_i, y_i)`.
    Ce,
}

/// Biases of all layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bias {
    /// b = 0.
    None,
    /// Without weight decay.
    Free,
    /// With the weight decay of the matrices.
    Regularized,
}

/// `S_0 = X, S_j = relu(W_j S_{j-1} + b_j 1ᵀ), Z = W_m S_{m-1} + b_m 1ᵀ`; columns are samples. With a radius R the columns of S_{m-1}
/// are scaled to norm R.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// W_1, ..., W_m.
    pub weights: Vec<Mat<f64>>,
    /// b_1, ..., b_m; empty without biases.
    pub biases: Vec<Vec<f64>>,
    /// R.
    pub radius: Option<f64>,
}

/// `f = L(Z) + λ/2 Σ_j ‖W_j‖² (+ λ/2 Σ_j ‖b_j‖², regularized biases)`.
#[derive(Debug, Clone, Copy)]
pub struct Objective {
    pub loss: Loss,
    pub bias: Bias,
    pub decay: f64,
}

/// Columns whose gradient one task computes. It is fixed, and the tasks' sums are added in order, so results do not depend on the
/// number of threads.
const CHUNK: usize = 50;

/// `L`, and what it is the gradient of: the same shape as the network.
struct Part {
    loss: f64,
    gradient: Network,
}

fn product(out: MatMut<'_, f64>, accum: Accum, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, accum, a, b, 1.0, Par::Seq);
}

impl Network {
    /// Normal weights of variance 2/(columns), biases zero: the scale at which ReLU layers keep the size of their input.
    ///
    /// Source: K. He et al., *Delving deep into rectifiers*, ICCV (2015).
    pub fn random(widths: &[usize], bias: Bias, radius: Option<f64>, rng: &mut ChaCha8Rng) -> Self {
        let mut matrix = |rows: usize, cols: usize| {
            let scale = (2.0 / cols as f64).sqrt();
            Mat::from_fn(rows, cols, |_, _| {
                let x: f64 = StandardNormal.sample(rng);
                scale * x
            })
        };
        let weights = widths.windows(2).map(|pair| matrix(pair[1], pair[0])).collect();
        let biases = if bias == Bias::None { vec![] } else { widths[1..].iter().map(|&rows| vec![0.0; rows]).collect() };
        Network { weights, biases, radius }
    }

    /// The same shape, all zero.
    pub fn zero(&self) -> Self {
        let weights = self.weights.iter().map(|w| Mat::zeros(w.nrows(), w.ncols())).collect();
        Network { weights, biases: self.biases.iter().map(|b| vec![0.0; b.len()]).collect(), ..*self }
    }

    /// S_0, ..., S_{m-1}, Z.
    pub fn layers(&self, x: MatRef<'_, f64>) -> Vec<Mat<f64>> {
        self.layers_and_norms(x).0
    }

    /// The layers, and with a radius the norms that the columns of S_{m-1} had before they were scaled.
    fn layers_and_norms(&self, x: MatRef<'_, f64>) -> (Vec<Mat<f64>>, Vec<f64>) {
        let (mut all, mut norms) = (vec![x.to_owned()], vec![]);
        for (j, w) in self.weights.iter().enumerate() {
            let mut z = Mat::zeros(w.nrows(), x.ncols());
            product(z.as_mut(), Accum::Replace, w.as_ref(), all[j].as_ref());
            for column in 0..z.ncols() {
                let column = z.col_as_slice_mut(column);
                if let Some(b) = self.biases.get(j) {
                    column.iter_mut().zip(b).for_each(|(z, b)| *z += b);
                }
                if j + 1 < self.weights.len() {
                    column.iter_mut().for_each(|z| *z = z.max(0.0));
                }
                if let (Some(radius), true) = (self.radius, j + 2 == self.weights.len()) {
                    let norm = column.iter().map(|z| z * z).sum::<f64>().sqrt();
                    norms.push(norm);
                    // A sample at which no unit is active stays at zero.
                    column.iter_mut().filter(|_| norm > 0.0).for_each(|z| *z *= radius / norm);
                }
            }
            all.push(z);
        }
        (all, norms)
    }

    /// `self += scale · other`.
    pub fn add(&mut self, scale: f64, other: &Network) {
        self.each(other, |x, y| *x += scale * y);
    }

    /// Applies `op` to every entry and its fellow.
    pub fn each(&mut self, other: &Network, op: impl Fn(&mut f64, f64)) {
        for (w, v) in self.weights.iter_mut().zip(&other.weights) {
            for column in 0..w.ncols() {
                w.col_as_slice_mut(column).iter_mut().zip(v.col_as_slice(column)).for_each(|(x, y)| op(x, *y));
            }
        }
        for (b, c) in self.biases.iter_mut().zip(&other.biases) {
            b.iter_mut().zip(c).for_each(|(x, y)| op(x, *y));
        }
    }
}

impl Loss {
    /// The loss of one sample; `z` becomes its gradient.
    fn gradient(self, z: &mut [f64], label: usize) -> f64 {
        match self {
            Loss::Mse => {
                z[label] -= 1.0;
                0.5 * z.iter().map(|z| z * z).sum::<f64>()
            }
            Loss::Ce => {
                let (largest, own) = (z.iter().copied().fold(f64::NEG_INFINITY, f64::max), z[label]);
                let sum: f64 = z.iter().map(|z| (z - largest).exp()).sum();
                z.iter_mut().for_each(|z| *z = (*z - largest).exp() / sum);
                // 1 − p of the label as a sum of the others: it does not cancel when p is near one.
                z[label] = -(0..z.len()).filter(|&k| k != label).map(|k| z[k]).sum::<f64>();
                sum.ln() + largest - own
            }
        }
    }
}

impl Objective {
    fn penalises_biases(&self) -> bool {
        self.bias == Bias::Regularized
    }

    /// The regulariser.
    pub fn penalty(&self, network: &Network) -> f64 {
        let weights: f64 = network.weights.iter().map(Mat::squared_norm_l2).sum();
        let biases: f64 = if self.penalises_biases() { network.biases.iter().flatten().map(|b| b * b).sum() } else { 0.0 };
        0.5 * self.decay * (weights + biases)
    }

    /// `L` of the logits of samples with these labels.
    pub fn loss_of(&self, logits: &Mat<f64>, labels: &[u32]) -> f64 {
        let one = |(column, &label): (ColRef<'_, f64>, &u32)| {
            let mut z: Vec<f64> = column.iter().copied().collect();
            self.loss.gradient(&mut z, label as usize)
        };
        logits.col_iter().zip(labels).map(one).sum::<f64>() / labels.len() as f64
    }

    /// f over the samples given, and its gradient.
    ///
    /// With `D_m = L'(Z)` and `D_{j-1} = σ' ∘ (W_jᵀ D_j)`: `D_j S_{j-1}ᵀ + λ W_j` in W_j, `D_j 1` (`+ λ b_j`) in b_j. Scaling to
    /// a column h of norm R, from s, takes a gradient g to `(R/‖s‖)(g − <g, h> h/R²)`.
    pub fn gradient(&self, network: &Network, x: &Mat<f64>, labels: &[u32]) -> (f64, Network) {
        let starts: Vec<usize> = (0..labels.len()).step_by(CHUNK).collect();
        let part = |&start: &usize| {
            let count = CHUNK.min(labels.len() - start);
            self.part(network, x.subcols(start, count), &labels[start..][..count], labels.len() as f64)
        };
        let parts: Vec<Part> = starts.par_iter().map(part).collect();
        let (mut loss, mut gradient) = (0.0, network.zero());
        for part in &parts {
            loss += part.loss;
            gradient.add(1.0, &part.gradient);
        }
        let mut decayed = network.clone();
        if !self.penalises_biases() {
            decayed.biases.iter_mut().flatten().for_each(|b| *b = 0.0);
        }
        gradient.add(self.decay, &decayed);
        (loss + self.penalty(network), gradient)
    }

    fn part(&self, network: &Network, x: MatRef<'_, f64>, labels: &[u32], samples: f64) -> Part {
        let (mut layers, norms) = network.layers_and_norms(x);
        let mut errors = layers.pop().unwrap_or_else(|| x.to_owned());
        let mut loss = 0.0;
        for (column, &label) in labels.iter().enumerate() {
            let z = errors.col_as_slice_mut(column);
            loss += self.loss.gradient(z, label as usize) / samples;
            z.iter_mut().for_each(|z| *z /= samples);
        }
        let mut gradient = network.zero();
        for j in (0..network.weights.len()).rev() {
            product(gradient.weights[j].as_mut(), Accum::Replace, errors.as_ref(), layers[j].transpose());
            if let Some(b) = gradient.biases.get_mut(j) {
                for column in 0..errors.ncols() {
                    b.iter_mut().zip(errors.col_as_slice(column)).for_each(|(b, d)| *b += d);
                }
            }
            if j > 0 {
                let w = &network.weights[j];
                let mut before = Mat::zeros(w.ncols(), labels.len());
                product(before.as_mut(), Accum::Replace, w.transpose(), errors.as_ref());
                for column in 0..before.ncols() {
                    let active = layers[j].col_as_slice(column);
                    // There are norms only with a radius.
                    if let (Some(radius), Some(&norm), true) = (network.radius, norms.get(column), j + 1 == network.weights.len()) {
                        let d = before.col_as_slice_mut(column);
                        let along = d.iter().zip(active).map(|(d, h)| d * h).sum::<f64>() / (radius * radius);
                        let scale = if norm > 0.0 { radius / norm } else { 0.0 };
                        d.iter_mut().zip(active).for_each(|(d, h)| *d = scale * (*d - along * h));
                    }
                    before.col_as_slice_mut(column).iter_mut().zip(active).for_each(|(d, s)| {
                        if *s <= 0.0 {
                            *d = 0.0;
                        }
                    });
                }
                errors = before;
            }
        }
        Part { loss, gradient }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rug::Float;

    const BITS: u32 = 256;
    /// Central differences of step 2^-80 at 256 bits: truncation 2^-160, rounding 2^-176, far below a double's.
    const STEP_EXPONENT: i32 = -80;
    /// Roundings a double-precision gradient entry passes through here, generously, times the unit roundoff.
    const TOLERANCE: f64 = 1e-13;

    /// The objective at 256 bits by its definition, one parameter moved by `step`.
    fn reference(o: &Objective, net: &Network, x: &Mat<f64>, labels: &[u32], moved: (usize, usize, Option<usize>), step: &Float) -> Float {
        let real = |x: f64| Float::with_val(BITS, x);
        let weight = |j: usize, r: usize, c: usize| {
            let w = real(net.weights[j][(r, c)]);
            if moved == (j, r, Some(c)) { w + step } else { w }
        };
        let bias = |j: usize, r: usize| {
            let b = real(net.biases.get(j).map_or(0.0, |b| b[r]));
            if moved == (j, r, None) { b + step } else { b }
        };
        let mut penalty = real(0.0);
        for (j, w) in net.weights.iter().enumerate() {
            for r in 0..w.nrows() {
                (0..w.ncols()).for_each(|c| penalty += weight(j, r, c).square());
                if o.bias == Bias::Regularized {
                    penalty += bias(j, r).square();
                }
            }
        }
        let mut loss = real(0.0);
        for (i, &label) in labels.iter().enumerate() {
            let mut s: Vec<Float> = x.col(i).iter().map(|x| real(*x)).collect();
            for (j, w) in net.weights.iter().enumerate() {
                let row = |r: usize| {
                    let z = s.iter().enumerate().fold(bias(j, r), |z, (c, s)| z + Float::with_val(BITS, &weight(j, r, c) * s));
                    if j + 1 < net.weights.len() && z < 0 { real(0.0) } else { z }
                };
                s = (0..w.nrows()).map(row).collect();
                if let (Some(radius), true) = (net.radius, j + 2 == net.weights.len()) {
                    let norm = s.iter().fold(real(0.0), |t, z| t + z.clone().square()).sqrt();
                    s.iter_mut().filter(|_| norm > 0).for_each(|z| *z *= Float::with_val(BITS, radius / &norm));
                }
            }
            match o.loss {
                Loss::Mse => {
                    for (k, z) in s.iter().enumerate() {
                        loss += (z - real(f64::from(u8::from(k == label as usize)))).square() / 2;
                    }
                }
                Loss::Ce => {
                    let sum = s.iter().fold(real(0.0), |t, z| t + Float::with_val(BITS, z.exp_ref()));
                    loss += sum.ln() - &s[label as usize];
                }
            }
        }
        loss / labels.len() as u32 + penalty * (0.5 * o.decay)
    }

    #[test]
    fn gradients_are_differences_of_a_256_bit_objective() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (loss, bias, radius) in [
            (Loss::Mse, Bias::None, None),
            (Loss::Mse, Bias::Regularized, None),
            (Loss::Ce, Bias::Free, None),
            (Loss::Ce, Bias::None, None),
            (Loss::Ce, Bias::Free, Some(3.0)),
            (Loss::Mse, Bias::None, Some(0.5)),
        ] {
            let widths = [4, 5, 6, 3];
            let mut net = Network::random(&widths, bias, radius, &mut rng);
            net.biases.iter_mut().flatten().for_each(|b| {
                *b = 0.1 * {
                    let x: f64 = StandardNormal.sample(&mut rng);
                    x
                }
            });
            // More samples than one task takes.
            let n = CHUNK + 3;
            let x = Mat::from_fn(4, n, |_, _| StandardNormal.sample(&mut rng));
            let labels: Vec<u32> = (0..n as u32).map(|i| i % 3).collect();
            let o = Objective { loss, bias, decay: 0.01 };
            let (value, gradient) = o.gradient(&net, &x, &labels);
            let step = Float::with_val(BITS, 1) << STEP_EXPONENT;
            let at = |moved, step: &Float| reference(&o, &net, &x, &labels, moved, step);
            let exact = at((0, 0, None), &Float::new(BITS));
            assert!((exact.to_f64() - value).abs() <= TOLERANCE * value, "{loss:?} {bias:?}: {value}");
            let check = |moved, found: f64| {
                let slope = (at(moved, &step) - at(moved, &Float::with_val(BITS, -&step))) / Float::with_val(BITS, &step * 2u32);
                let slope = slope.to_f64();
                assert!((slope - found).abs() <= TOLERANCE * value, "{loss:?} {bias:?} {moved:?}: {found} but {slope}");
                assert!(found != 0.0 || slope == 0.0);
            };
            for j in 0..3 {
                // A matrix's corner, its last entry, one between, and a bias.
                let (rows, cols) = gradient.weights[j].shape();
                for (r, c) in [(0, 0), (rows - 1, cols - 1), (rows / 2, cols / 2), (rows - 1, 0)] {
                    check((j, r, Some(c)), gradient.weights[j][(r, c)]);
                }
                if let Some(b) = gradient.biases.get(j) {
                    check((j, rows / 2, None), b[rows / 2]);
                }
            }
        }
    }

    #[test]
    fn cross_entropy_survives_large_logits() {
        let mut z = [800.0, 0.0, -800.0];
        assert_eq!(Loss::Ce.gradient(&mut z, 0), 0.0);
        let mut z = [0.0, 800.0, -800.0];
        assert_eq!(Loss::Ce.gradient(&mut z, 0), 800.0);
        assert_eq!(z, [-1.0, 1.0, 0.0]);
    }
}
