//! NC4: samples on which the classifier and the nearest class mean disagree; by bounds where they decide, by products elsewhere.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, TINY, U, gamma};
use super::geometry::{TILE_ROWS, tile};
use super::moments::Moments;
use super::rows::{Rows, dot};

const SLACK: f64 = 1.0 + 1e-6;
/// Samples that one task compares with all classes.
const TASK_ROWS: usize = 64;

/// Scores `<x, v_j> + a_j` of which the largest wins, ties to the lowest class.
#[derive(Debug)]
struct Scores {
    rows: Rows,
    offsets: Vec<Bounded>,
}

/// Who wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Winner {
    class: usize,
    /// No error within the bounds changes the winner.
    certain: bool,
}

impl Scores {
    /// Scores are `products` of a vector of norm at most `size`, known up to `error`, with the rows.
    fn winner(&self, products: &[f64], size: f64, error: f64) -> Winner {
        let gamma = gamma(self.rows.dim + 6);
        let score = |j: usize| products[j] + self.offsets[j].value;
        let bound = |j: usize| {
            let rows = self.rows.sizes[j] + self.rows.errors[j];
            gamma * (size * rows + self.offsets[j].value.abs()) + size * self.rows.errors[j] + error * rows + self.offsets[j].bound
        };
        let mut best = 0;
        for j in 1..products.len() {
            if score(j) > score(best) {
                best = j;
            }
        }
        let floor = score(best) - bound(best) * SLACK;
        let certain = (0..products.len()).all(|j| j == best || score(j) + bound(j) * SLACK < floor);
        Winner { class: best, certain }
    }
}

/// The second pass over the samples.
///
/// A sample h of class k at distance δ of its mean is nearest to that mean when δ is below half the mean's distance to its nearest
/// other, and is classified as k when `δ < min_j ((w_k − w_j)·h̄_k + b_k − b_j)/‖w_k − w_j‖`. Both hold for all samples near
/// collapse, and then no product with the other classes is needed.
#[derive(Debug)]
pub(crate) struct Agreement {
    reference: Vec<f64>,
    nearest: Scores,
    classifier: Option<Scores>,
    /// Distance to its mean below which a sample of the class is decided by bounds.
    radius: Vec<f64>,
    decided: Vec<bool>,
    counts: Counts,
}

/// Numbers of samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    seen: u64,
    disagree: u64,
    disagree_open: u64,
    far: u64,
    far_open: u64,
    wrong: u64,
    wrong_open: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Counts {
            seen: self.seen + other.seen,
            disagree: self.disagree + other.disagree,
            disagree_open: self.disagree_open + other.disagree_open,
            far: self.far + other.far,
            far_open: self.far_open + other.far_open,
            wrong: self.wrong + other.wrong,
            wrong_open: self.wrong_open + other.wrong_open,
        }
    }
}

/// Fractions of all samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fractions {
    /// Classifier and nearest class mean differ.
    pub nc4: Option<Bounded>,
    /// The nearest class mean is not that of the label.
    pub ncc_error: Bounded,
    /// The classifier does not answer the label.
    pub classifier_error: Option<Bounded>,
    /// Samples on which a comparison is closer than its rounding.
    pub open: u64,
}

impl Agreement {
    /// `gaps`: lower bounds of each mean's distance to its nearest other.
    pub fn new(moments: &Moments, gaps: &[f64], classifier: Option<(&Rows, &[f64])>) -> Self {
        let means = moments.shifted_means();
        let halves = (0..means.count()).map(|j| {
            let half = means.norm(j).square() / Bounded::exact(2.0);
            Bounded { value: -half.value, bound: half.bound }
        });
        let nearest = Scores { offsets: halves.collect(), rows: means };
        let classifier = classifier.map(|(rows, bias)| {
            let offset = |j: usize| {
                let product = dot(rows.row(j), &moments.reference);
                let size = dot(&moments.reference, &moments.reference).sqrt().upper();
                Bounded::new(product.value, product.bound + rows.errors[j] * size * SLACK) + Bounded::exact(bias[j])
            };
            Scores { offsets: (0..rows.count()).map(offset).collect(), rows: rows.clone() }
        });
        let mut radius: Vec<f64> = gaps.iter().map(|gap| 0.5 * gap).collect();
        if let Some(scores) = &classifier {
            for (radius, margin) in radius.iter_mut().zip(classifier_radii(&nearest.rows, scores)) {
                *radius = radius.min(margin);
            }
        }
        let decided = radius.iter().zip(&moments.reach).map(|(radius, reach)| reach < radius).collect();
        Agreement { reference: moments.reference.clone(), nearest, classifier, radius, decided, counts: Counts::default() }
    }

    /// Whether the classes' bounds decide every sample: the features need not be read again.
    pub fn is_decided(&self) -> bool {
        self.decided.iter().all(|&d| d)
    }

    /// Compares the samples of a block; the classes decided as a whole are passed over.
    pub fn update(&mut self, rows: &[f64], labels: &[u32], row_error: f64) {
        let d = self.reference.len();
        let this = &*self;
        let parts: Vec<Counts> = rows
            .par_chunks(TASK_ROWS * d)
            .zip(labels.par_chunks(TASK_ROWS))
            .map(|(rows, labels)| this.compare(rows, labels, row_error))
            .collect();
        self.counts = parts.into_iter().fold(self.counts, Counts::plus);
    }

    fn compare(&self, rows: &[f64], labels: &[u32], row_error: f64) -> Counts {
        let d = self.reference.len();
        let mut counts = Counts { seen: labels.len() as u64, ..Counts::default() };
        let (mut open, mut classes, mut sizes) = (vec![], vec![], vec![]);
        let mut x = vec![0.0; d];
        for (row, &label) in rows.chunks(d).zip(labels) {
            let class = label as usize;
            if self.decided[class] {
                continue;
            }
            let (mut distance, mut size) = (0.0, 0.0);
            let means = &self.nearest.rows;
            for (((x, h), c), m) in x.iter_mut().zip(row).zip(&self.reference).zip(means.row(class)) {
                *x = h - c;
                distance += (*x - m) * (*x - m);
                size += *x * *x;
            }
            let grow = |square: f64| (square * (1.0 + gamma(d + 4)) + d as f64 * TINY).sqrt() * SLACK;
            let size = grow(size);
            if (grow(distance) + 4.0 * U * size + row_error + means.errors[class]) * SLACK < self.radius[class] {
                continue;
            }
            open.extend_from_slice(&x);
            classes.push(class);
            sizes.push(size);
        }
        if classes.is_empty() {
            return counts;
        }
        let products = |scores: &Scores| {
            let k = scores.rows.count();
            let mut out = vec![0.0; classes.len() * k];
            let dst = MatMut::from_row_major_slice_mut(&mut out, classes.len(), k);
            let left = MatRef::from_row_major_slice(&open, classes.len(), d);
            matmul(dst, Accum::Replace, left, scores.rows.matrix().transpose(), 1.0, Par::Seq);
            out.chunks(k)
                .zip(&sizes)
                .map(|(products, &size)| scores.winner(products, size, 2.0 * U * size + row_error))
                .collect::<Vec<Winner>>()
        };
        let nearest = products(&self.nearest);
        let answers = self.classifier.as_ref().map(products);
        for (index, (&class, near)) in classes.iter().zip(&nearest).enumerate() {
            counts.far += u64::from(near.class != class);
            counts.far_open += u64::from(!near.certain);
            if let Some(answer) = answers.as_ref().map(|a| a[index]) {
                counts.wrong += u64::from(answer.class != class);
                counts.wrong_open += u64::from(!answer.certain);
                counts.disagree += u64::from(answer.class != near.class);
                counts.disagree_open += u64::from(!(answer.certain && near.certain));
            }
        }
        counts
    }

    /// The fractions, of `samples` in all.
    pub fn finish(&self, samples: u64) -> Fractions {
        let n = samples as f64;
        let fraction = |count: u64, open: u64| {
            let value = count as f64 / n;
            if open == 0 && (count == 0 || count == samples) {
                return Bounded::exact(value);
            }
            Bounded::new(value, open as f64 / n * SLACK + U * value)
        };
        let c = &self.counts;
        let classified = self.classifier.is_some();
        Fractions {
            nc4: classified.then(|| fraction(c.disagree, c.disagree_open)),
            ncc_error: fraction(c.far, c.far_open),
            classifier_error: classified.then(|| fraction(c.wrong, c.wrong_open)),
            open: c.far_open.max(c.disagree_open),
        }
    }
}

/// `min_j` of the margin of each class mean against class j over `‖w_k − w_j‖`, rounded down; 0 when the mean itself is not decided.
fn classifier_radii(means: &Rows, scores: &Scores) -> Vec<f64> {
    let (w, k) = (&scores.rows, means.count());
    let squares: Vec<Bounded> = (0..k).map(|j| w.norm(j).square()).collect();
    let per_entry = gamma(w.dim + 6);
    let starts: Vec<usize> = (0..k).step_by(TILE_ROWS).collect();
    let one = |&start: &usize| -> Vec<f64> {
        let rows = start..(start + TILE_ROWS).min(k);
        let logits = tile(means, rows.clone(), w, 0);
        let gram = tile(w, rows.clone(), w, 0);
        let class = |at: usize| {
            let i = start + at;
            let bound = |j: usize| {
                (per_entry * (means.sizes[i] * w.sizes[j] + scores.offsets[j].value.abs())
                    + means.product_error(i, w, j)
                    + scores.offsets[j].bound)
                    * SLACK
            };
            let score = |j: usize| logits[at * k + j] + scores.offsets[j].value;
            let own = score(i) - bound(i);
            let radius = |j: usize| {
                let margin = own - score(j) - bound(j) - 4.0 * U * (own.abs() + score(j).abs());
                let spread = per_entry * (squares[i].value + squares[j].value + 2.0 * w.sizes[i] * w.sizes[j]);
                let square = squares[i].value + squares[j].value - 2.0 * gram[at * k + j] + spread;
                let errors = squares[i].bound + squares[j].bound + 2.0 * w.product_error(i, w, j);
                let distance = (square.max(0.0) + errors).sqrt() * SLACK;
                if margin > 0.0 { margin / distance / SLACK } else { 0.0 }
            };
            (0..k).filter(|&j| j != i).map(radius).fold(f64::INFINITY, f64::min)
        };
        (0..rows.len()).map(class).collect()
    };
    starts.par_iter().map(one).collect::<Vec<_>>().concat()
}
