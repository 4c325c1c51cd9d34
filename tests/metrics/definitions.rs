//! The definitions, written out.

use rug::Float;
use ufm::metrics::{Classifier, Convention, Features, Measured, measure};

use crate::linear::{
    BITS, Matrix, dot, first_least, inverse, jacobi, less, orthonormal, outer, real, square, transpose, try_inverse, unit,
};

/// Labelled data, with a classifier when one is drawn.
#[derive(Debug, Clone)]
pub struct Data {
    pub rows: Vec<f64>,
    pub labels: Vec<u32>,
    pub dim: usize,
    pub classifier: Option<Classifier>,
}

impl Data {
    pub fn measure(&self, convention: Convention) -> Measured {
        let features = Features::from_rows(self.rows.clone(), self.dim).unwrap();
        measure(&features, &self.labels, self.classifier.as_ref(), convention, &|_, _| ()).unwrap()
    }
}

/// All quantities of the definitions.
pub struct Exact {
    pub k: usize,
    pub d: usize,
    pub labels: Vec<u32>,
    pub h: Matrix,
    pub counts: Vec<f64>,
    /// Weights of the class means in the centre.
    pub weights: Vec<f64>,
    pub means: Matrix,
    pub centre: Vec<Float>,
    pub centred: Matrix,
    pub deviations: Matrix,
}

impl Exact {
    pub fn new(data: &Data, by_samples: bool, normalized: bool) -> Self {
        let d = data.dim;
        let k = *data.labels.iter().max().unwrap() as usize + 1;
        let mut h: Matrix = data.rows.chunks(d).map(|row| row.iter().map(|&x| real(x)).collect()).collect();
        if normalized {
            h.iter_mut().for_each(|row| unit(row));
        }
        let mut counts = vec![0.0; k];
        let mut means: Matrix = vec![vec![real(0.0); d]; k];
        for (row, &label) in h.iter().zip(&data.labels) {
            counts[label as usize] += 1.0;
            means[label as usize].iter_mut().zip(row).for_each(|(m, x)| *m += x);
        }
        means.iter_mut().zip(&counts).for_each(|(m, n)| m.iter_mut().for_each(|x| *x /= n));
        let weights = if by_samples { counts.clone() } else { vec![1.0; k] };
        let (mut centre, mut total) = (vec![real(0.0); d], 0.0);
        for (m, &weight) in means.iter().zip(&weights) {
            total += weight;
            centre.iter_mut().zip(m).for_each(|(c, x)| *c += Float::with_val(BITS, x * weight));
        }
        centre.iter_mut().for_each(|c| *c /= total);
        let centred = means.iter().map(|m| less(m, &centre)).collect();
        let deviations = h.iter().zip(&data.labels).map(|(row, &label)| less(row, &means[label as usize])).collect();
        Exact { k, d, labels: data.labels.clone(), h, counts, weights, means, centre, centred, deviations }
    }

    /// `tr(S_W S_B⁺)/K` for class means in general position.
    pub fn nc1(&self) -> Float {
        let n = self.h.len() as f64;
        if self.k > self.d {
            // S_B⁺ is the inverse of Σ m mᵀ/K.
            let columns = transpose(&self.centred);
            let inverse = inverse(outer(&columns, &columns));
            let scatter = {
                let c = transpose(&self.deviations);
                outer(&c, &c)
            };
            return inverse.iter().zip(&scatter).fold(real(0.0), |s, (a, b)| s + dot(a, b)) / n;
        }
        // ‖M̃⁺D‖² = tr(G⁺ G⁺ Z), Z = M̃ᵀ D Dᵀ M̃; G⁺ M̃ᵀ = (G + w wᵀ)⁻¹ M̃ᵀ as M̃ w = 0, w the weights of the centre.
        let mut gram = outer(&self.centred, &self.centred);
        let scale = gram[0][0].clone();
        for (row, a) in gram.iter_mut().zip(&self.weights) {
            row.iter_mut().zip(&self.weights).for_each(|(x, b)| *x += Float::with_val(BITS, &scale * (a * b)));
        }
        let inverse = inverse(gram);
        let projected = outer(&self.centred, &self.deviations);
        let image = outer(&inverse, &transpose(&projected));
        square(&image) / n
    }

    pub fn within(&self) -> Float {
        square(&self.deviations) / self.h.len() as f64
    }

    pub fn variances(&self) -> Vec<Float> {
        let mut v = vec![real(0.0); self.k];
        self.deviations.iter().zip(&self.labels).for_each(|(row, &l)| v[l as usize] += dot(row, row));
        v.iter_mut().zip(&self.counts).for_each(|(v, n)| *v /= n);
        v
    }

    pub fn cdnv(&self) -> Float {
        let v = self.variances();
        let (mut total, mut pairs) = (real(0.0), 0.0);
        for i in 0..self.k {
            for j in i + 1..self.k {
                let gap = less(&self.means[i], &self.means[j]);
                total += Float::with_val(BITS, &v[i] + &v[j]) / (2.0 * dot(&gap, &gap));
                pairs += 1.0;
            }
        }
        total / pairs
    }

    pub fn nearest(&self, x: &[Float]) -> usize {
        let distances: Vec<Float> = self
            .means
            .iter()
            .map(|m| {
                let g = less(x, m);
                dot(&g, &g)
            })
            .collect();
        first_least(&distances)
    }
}

impl Exact {
    /// The r = min(d, K−1) leading singular values of the centred class means.
    pub fn singular_values(&self) -> Vec<Float> {
        let (values, _) = jacobi(outer(&self.centred, &self.centred));
        let r = self.d.min(self.k - 1);
        values.into_iter().take(r).map(|x| if x < 0 { real(0.0) } else { x.sqrt() }).collect()
    }

    /// Mean cosine of the principal angles between the span of the centred means and W's leading right singular space.
    pub fn overlap(&self, w: &Matrix) -> Float {
        let r = self.d.min(self.k - 1);
        let (_, vectors) = jacobi(outer(&transpose(w), &transpose(w)));
        let (means, top) = (orthonormal(&self.centred), vectors[..r].to_vec());
        assert_eq!(means.len(), r);
        let product = outer(&means, &top);
        let (squares, _) = jacobi(outer(&product, &product));
        squares.into_iter().fold(real(0.0), |t, x| t + if x < 0 { real(0.0) } else { x.sqrt() }) / r as f64
    }
}

/// `min_k dist(v_k, conv{v_j})` of the rows' directions: the nearest point lies inside a face whose vertices are affinely independent.
pub fn one_vs_rest(rows: &Matrix) -> Float {
    let mut v = rows.clone();
    v.iter_mut().for_each(|row| unit(row));
    let mut least = real(f64::INFINITY);
    for (k, point) in v.iter().enumerate() {
        let others: Vec<&Vec<Float>> = v.iter().enumerate().filter(|(j, _)| *j != k).map(|(_, row)| row).collect();
        for face in 1..1u32 << others.len() {
            let vertices: Vec<&Vec<Float>> = others.iter().enumerate().filter(|(j, _)| face >> j & 1 == 1).map(|(_, row)| *row).collect();
            let edges: Matrix = vertices[1..].iter().map(|row| less(row, vertices[0])).collect();
            let mut foot = vertices[0].clone();
            let mut inside = true;
            if !edges.is_empty() {
                let target = less(point, vertices[0]);
                // Vertices in general position only: those of the nearest point's face are.
                let Some(gram) = try_inverse(outer(&edges, &edges)) else { continue };
                let products: Vec<Float> = edges.iter().map(|e| dot(e, &target)).collect();
                let weights: Vec<Float> = gram.iter().map(|row| dot(row, &products)).collect();
                let total = weights.iter().fold(real(0.0), |t, x| t + x);
                inside = weights.iter().all(|x| *x >= 0.0) && total <= 1.0;
                for (weight, edge) in weights.iter().zip(&edges) {
                    foot.iter_mut().zip(edge).for_each(|(f, e)| *f += Float::with_val(BITS, weight * e));
                }
            }
            let gap = less(point, &foot);
            let distance = dot(&gap, &gap).sqrt();
            if inside && distance < least {
                least = distance;
            }
        }
    }
    least
}

pub fn frame_distance(a: &Matrix, simplex: bool) -> Float {
    let k = a.len() as f64;
    let norm = square(a).sqrt();
    let mut total = real(0.0);
    for (i, row) in a.iter().enumerate() {
        for (j, x) in row.iter().enumerate() {
            let same = f64::from(u8::from(i == j));
            let target = if simplex { (real(same) - real(1.0) / k) / real(k - 1.0).sqrt() } else { real(same) / real(k).sqrt() };
            let gap = Float::with_val(BITS, x / &norm) - target;
            total += gap.square();
        }
    }
    total.sqrt()
}

pub fn equinorm(rows: &Matrix) -> Float {
    let norms: Vec<Float> = rows.iter().map(|r| dot(r, r).sqrt()).collect();
    let k = norms.len() as f64;
    let mean = norms.iter().fold(real(0.0), |s, x| s + x) / k;
    let variance = norms.iter().fold(real(0.0), |s, x| s + Float::with_val(BITS, x - &mean).square()) / k;
    variance.sqrt() / mean
}

pub fn equiangle(rows: &Matrix) -> Float {
    let k = rows.len();
    let (mut total, mut pairs) = (real(0.0), 0.0);
    for i in 0..k {
        for j in i + 1..k {
            let cosine = dot(&rows[i], &rows[j]) / (dot(&rows[i], &rows[i]) * dot(&rows[j], &rows[j])).sqrt();
            total += (cosine + real(1.0) / (k as f64 - 1.0)).abs();
            pairs += 1.0;
        }
    }
    total / pairs
}

pub fn alignment(w: &Matrix, m: &Matrix) -> Float {
    let (a, b) = (square(w).sqrt(), square(m).sqrt());
    let gap = |(x, y): (&Vec<Float>, &Vec<Float>)| -> Vec<Float> {
        x.iter().zip(y).map(|(x, y)| Float::with_val(BITS, x / &a) - Float::with_val(BITS, y / &b)).collect()
    };
    square(&w.iter().zip(m).map(gap).collect())
}
