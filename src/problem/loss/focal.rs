use super::{LogitLoss, cross_entropy::maximum, exp_in_place};

/// `L(Z) = −(1/N) Σ_i (1 − p_i)^γ log p_i`, p_i the softmax probability of sample i's class, γ >= 0. Not convex in the logits.
///
/// With π the softmax of a column, u = 1 − p and `s(p) = u^γ − γ p u^{γ−1} log p >= 0` the gradient is `s(p) (π − e_y)`, and
/// `L''[dz] = s(p) π∘(dz − <π, dz>) − p s'(p) <r, dz> r`, r = π − e_y.
pub struct Focal {
    labels: Vec<u32>,
    classes: usize,
    weight: f64,
    gamma: f64,
}

/// What a column's loss and derivatives are made of.
struct Parts {
    p: f64,
    log_p: f64,
    /// 1 − p, without cancellation.
    u: f64,
    /// log(p)/(1 − p), which tends to −1 as p tends to 1.
    quotient: f64,
}

impl Focal {
    /// `labels[i] < classes` is the class of sample i; `focusing` γ >= 0.
    pub fn new(labels: Vec<u32>, classes: usize, focusing: f64) -> Self {
        let weight = 1.0 / labels.len() as f64;
        Self { labels, classes, weight, gamma: focusing }
    }

    /// Softmax in place of a column of logits.
    fn softmax(&self, column: &mut [f64], label: usize) -> Parts {
        let top = maximum(column);
        column.iter_mut().for_each(|x| *x -= top);
        let shifted = column[label];
        exp_in_place(column);
        let own = column[label];
        let others: f64 = column.iter().enumerate().map(|(k, e)| if k == label { 0.0 } else { *e }).sum();
        let mass = own + others;
        // The largest term is 1, so mass >= 1: one of the two forms is accurate wherever p lies.
        let log_p = if others < own { -(others / own).ln_1p() } else { shifted - mass.ln() };
        column.iter_mut().for_each(|x| *x /= mass);
        let u = others / mass;
        Parts { p: own / mass, log_p, u, quotient: if u > 0.0 { log_p / u } else { -1.0 } }
    }

    /// s(p).
    fn slope(&self, at: &Parts) -> f64 {
        at.u.powf(self.gamma) * (1.0 - self.gamma * at.p * at.quotient)
    }

    /// `s'(p) = u^{γ−1} [γ (γ−1) p log(p)/u − γ (2 + log p)]`; zero at u = 0, where it meets r = 0 only.
    fn bend(&self, at: &Parts) -> f64 {
        let gamma = self.gamma;
        if at.u == 0.0 { 0.0 } else { at.u.powf(gamma - 1.0) * gamma * ((gamma - 1.0) * at.p * at.quotient - 2.0 - at.log_p) }
    }
}

impl LogitLoss for Focal {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        for (column, &label) in z.chunks_exact_mut(self.classes).zip(&self.labels[first..]) {
            let label = label as usize;
            let at = self.softmax(column, label);
            total -= at.u.powf(self.gamma) * at.log_p;
            let scale = self.weight * self.slope(&at);
            column[label] = -at.u;
            column.iter_mut().for_each(|x| *x *= scale);
        }
        self.weight * total
    }

    fn curvature(&self, z: &[f64], _g: &[f64], dz: &mut [f64], first: usize) {
        let mut pi = vec![0.0; self.classes];
        let columns = dz.chunks_exact_mut(self.classes).zip(z.chunks_exact(self.classes));
        for ((dz, z), &label) in columns.zip(&self.labels[first..]) {
            let label = label as usize;
            pi.copy_from_slice(z);
            let at = self.softmax(&mut pi, label);
            let mean: f64 = pi.iter().zip(dz.iter()).map(|(p, d)| p * d).sum();
            let outer = -at.p * self.bend(&at) * (mean - dz[label]);
            let slope = self.slope(&at);
            for (k, (d, p)) in dz.iter_mut().zip(&pi).enumerate() {
                let r = if k == label { -at.u } else { *p };
                *d = self.weight * (slope * p * (*d - mean) + outer * r);
            }
        }
    }
}
