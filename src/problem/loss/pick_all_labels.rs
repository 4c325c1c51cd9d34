use super::{
    LogitLoss,
    cross_entropy::{MASS_LIMIT, dot_and_sum, maximum, sum},
    exp::exp_block,
};
use crate::linalg::vector::vectorised;

/// `L(Z) = (1/N) Σ_i [ m_i logsumexp(z_i) − Σ_{k∈S_i} z_ki ]` with tag sets S_i of m_i members.
pub struct PickAllLabels {
    /// The group of each sample, and the tags of each group.
    labels: Vec<u32>,
    tags: Vec<Vec<u32>>,
    classes: usize,
    weight: f64,
}

impl PickAllLabels {
    /// `tags[labels[i]]` is the tag set of sample i: classes below `classes`, strictly ascending.
    pub fn new(labels: Vec<u32>, tags: Vec<Vec<u32>>, classes: usize) -> Self {
        let weight = 1.0 / labels.len() as f64;
        Self { labels, tags, classes, weight }
    }

    fn tags(&self, sample: usize) -> &[u32] {
        &self.tags[self.labels[sample] as usize]
    }
}

impl LogitLoss for PickAllLabels {
    fn gradient(&self, z: &mut [f64], first: usize) -> f64 {
        let mut total = 0.0;
        vectorised(
            #[inline(always)]
            || {
                for (i, column) in z.chunks_exact_mut(self.classes).enumerate() {
                    // The shift by the largest logit cancels: m logsumexp(z) − Σ z_k has m terms of it on both sides.
                    let top = maximum(column);
                    for x in column.iter_mut() {
                        *x -= top;
                    }
                    for &k in self.tags(first + i) {
                        total -= column[k as usize];
                    }
                }
                exp_block(z);
                // One logarithm for the product of the masses of samples with equally many tags.
                let (mut masses, mut multiplicity) = (1.0, 0.0);
                for (i, column) in z.chunks_exact_mut(self.classes).enumerate() {
                    let tags = self.tags(first + i);
                    let m = tags.len() as f64;
                    if masses > MASS_LIMIT || m != multiplicity {
                        total += multiplicity * f64::ln(masses);
                        (masses, multiplicity) = (1.0, m);
                    }
                    let mass = sum(column);
                    masses *= mass;
                    let scale = m * self.weight / mass;
                    for x in column.iter_mut() {
                        *x *= scale;
                    }
                    for &k in tags {
                        column[k as usize] -= self.weight;
                    }
                }
                total += multiplicity * f64::ln(masses);
            },
        );
        self.weight * total
    }

    /// `(m/N) p ∘ (dz − <p, dz>)`, where `(m/N) p = g + 1_S/N` is recovered from the gradient.
    fn curvature(&self, _z: &[f64], g: &[f64], dz: &mut [f64], first: usize) {
        let samples = self.labels.len() as f64;
        vectorised(
            #[inline(always)]
            || {
                let columns = dz.chunks_exact_mut(self.classes).zip(g.chunks_exact(self.classes));
                for (i, (dz, g)) in columns.enumerate() {
                    let tags = self.tags(first + i);
                    let [gz, _] = dot_and_sum(g, dz);
                    let tagged: f64 = tags.iter().map(|&k| dz[k as usize]).sum();
                    let mean = (samples * gz + tagged) / tags.len() as f64;
                    // Between tags (m/N) p is g itself.
                    let mut start = 0;
                    for end in tags.iter().map(|&k| k as usize).chain([self.classes]) {
                        for (x, g) in dz[start..end].iter_mut().zip(&g[start..end]) {
                            *x = *g * (*x - mean);
                        }
                        if end < self.classes {
                            dz[end] = (g[end] + self.weight) * (dz[end] - mean);
                        }
                        start = end + 1;
                    }
                }
            },
        );
    }

    fn keeps_logits(&self) -> bool {
        false
    }
}
