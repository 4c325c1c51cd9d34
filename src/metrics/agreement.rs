//! NC4: samples on which the classifier and the nearest class mean disagree; by bounds where they decide, by products elsewhere, in
//! exact arithmetic where those are too close.

use std::{collections::HashMap, sync::OnceLock};

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, TINY, U, gamma};
use super::geometry::{TILE_ROWS, tile};
use super::moments::Moments;
use super::rows::{Rows, dot};
use super::ties::{Decision, ExactMeans, Near, classify};

const SLACK: f64 = 1.0 + 1e-6;
/// Samples that one task compares with all classes.
const TASK_ROWS: usize = 64;
/// Products of integers that are spent on near-ties, and candidates that are remembered: both far beyond what data in general
/// position need.
const MAX_EXACT_PRODUCTS: usize = 1 << 30;
const MAX_CANDIDATES: usize = 1 << 22;
/// Entries of class means that are held exactly, about 64 bytes each.
const MAX_EXACT_ENTRIES: usize = 1 << 20;

/// Scores `<x, v_j> + a_j` of which the largest wins, ties to the lowest class.
#[derive(Debug)]
struct Scores {
    rows: Rows,
    offsets: Vec<Bounded>,
}

/// Who wins in double precision.
#[derive(Debug, Clone)]
struct Winner {
    class: usize,
    /// The classes that errors within the bounds let win, in increasing order; empty when there is but one.
    rivals: Vec<u32>,
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
        let reaches = |&j: &usize| {
            let beaten = score(j) + bound(j) * SLACK < floor;
            j == best || !beaten
        };
        let several = (0..products.len()).filter(reaches).nth(1).is_some();
        let rivals = if several { (0..products.len()).filter(reaches).map(|j| j as u32).collect() } else { vec![] };
        Winner { class: best, rivals }
    }
}

/// A classifier's scores, and the numbers that they are made of.
#[derive(Debug)]
struct Answers {
    scores: Scores,
    bias: Vec<f64>,
    /// The first class of the same weights and bias, of each class: found when there is a near-tie.
    first: OnceLock<Vec<u32>>,
}

impl Answers {
    /// The first of the rivals with the largest score at a sample, exactly.
    fn settle(&self, row: &[f64], rivals: &[u32]) -> Option<Decision> {
        let (weights, d) = (&self.scores.rows.data, row.len());
        let first = self.first.get_or_init(|| {
            let mut seen: HashMap<Vec<u64>, u32> = HashMap::new();
            let key = |(w, b): (&[f64], &f64)| w.iter().chain([b]).map(|x| x.to_bits()).collect::<Vec<u64>>();
            let keys = weights.chunks_exact(d).zip(&self.bias).map(key);
            keys.zip(0..).map(|(key, class)| *seen.entry(key).or_insert(class)).collect()
        });
        let mut distinct: Vec<u32> = rivals.iter().map(|&j| first[j as usize]).collect();
        distinct.sort_unstable();
        distinct.dedup();
        if let [class] = distinct[..] {
            return Some(Decision { class: class as usize, tied: true });
        }
        let decision = classify(row, weights, &self.bias, &distinct)?;
        Some(Decision { tied: decision.tied || distinct.len() < rivals.len(), ..decision })
    }
}

/// The passes over the samples after the first: one where bounds do not decide all classes, two more where there are near-ties.
///
/// A sample h of class k at distance δ of its mean is nearest to that mean when δ is below half the mean's distance to its nearest
/// other, and is classified as k when `δ < min_j ((w_k − w_j)·h̄_k + b_k − b_j)/‖w_k − w_j‖`. Both hold for all samples near
/// collapse, and then no product with the other classes is needed. Where the products are closer than their rounding, the classes
/// that may win are compared exactly: the samples are rationals, and so are their means.
#[derive(Debug)]
pub(crate) struct Agreement {
    reference: Vec<f64>,
    nearest: Scores,
    classifier: Option<Answers>,
    /// Distance to its mean below which a sample of the class is decided by bounds.
    radius: Vec<f64>,
    decided: Vec<bool>,
    counts: Counts,
    /// Samples whose nearest mean is to be found exactly, in order, and the number of their candidates.
    near: Vec<Near>,
    candidates: usize,
}

/// Numbers of samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    disagree: u64,
    disagree_open: u64,
    far: u64,
    far_open: u64,
    wrong: u64,
    wrong_open: u64,
    tied: u64,
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Counts {
            disagree: self.disagree + other.disagree,
            disagree_open: self.disagree_open + other.disagree_open,
            far: self.far + other.far,
            far_open: self.far_open + other.far_open,
            wrong: self.wrong + other.wrong,
            wrong_open: self.wrong_open + other.wrong_open,
            tied: self.tied + other.tied,
        }
    }

    /// Of one sample: the nearest mean and the classifier's answer, each with whether it is certain.
    fn of(label: usize, nearest: (usize, bool), answer: Option<(usize, bool)>) -> Self {
        let one = |condition: bool| u64::from(condition);
        let mut counts = Counts { far: one(nearest.0 != label), far_open: one(!nearest.1), ..Counts::default() };
        if let Some((class, certain)) = answer {
            counts.wrong = one(class != label);
            counts.wrong_open = one(!certain);
            counts.disagree = one(class != nearest.0);
            counts.disagree_open = one(!(certain && nearest.1));
        }
        counts
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
    /// Samples on which a comparison is closer than its rounding, and was not made exactly.
    pub open: u64,
    /// Comparisons that end in an exact tie: of a sample with the means, with the scores.
    pub tied: u64,
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
            let scores = Scores { offsets: (0..rows.count()).map(offset).collect(), rows: rows.clone() };
            Answers { scores, bias: bias.to_vec(), first: OnceLock::new() }
        });
        let mut radius: Vec<f64> = gaps.iter().map(|gap| 0.5 * gap).collect();
        if let Some(answers) = &classifier {
            for (radius, margin) in radius.iter_mut().zip(classifier_radii(&nearest.rows, &answers.scores)) {
                *radius = radius.min(margin);
            }
        }
        let decided = radius.iter().zip(&moments.reach).map(|(radius, reach)| reach < radius).collect();
        let reference = moments.reference.clone();
        let counts = Counts::default();
        Agreement { reference, nearest, classifier, radius, decided, counts, near: vec![], candidates: 0 }
    }

    /// Whether the classes' bounds decide every sample: the features need not be read again.
    pub fn is_decided(&self) -> bool {
        self.decided.iter().all(|&d| d)
    }

    /// The classes whose samples need more than their class's bounds.
    pub fn open_classes(&self) -> Vec<bool> {
        self.decided.iter().map(|&d| !d).collect()
    }

    /// Compares the samples of a block, of which `first` is the first one's index; the classes decided as a whole are passed over.
    /// Rows are within `row_error` (in norm) of the samples; near-ties are left to [`Agreement::settle`] where that is zero.
    pub fn update(&mut self, rows: &[f64], labels: &[u32], first: u64, row_error: f64) {
        let d = self.reference.len();
        let this = &*self;
        let parts: Vec<(Counts, Vec<Near>)> = rows
            .par_chunks(TASK_ROWS * d)
            .zip(labels.par_chunks(TASK_ROWS))
            .enumerate()
            .map(|(part, (rows, labels))| this.compare(rows, labels, first + (part * TASK_ROWS) as u64, row_error))
            .collect();
        for (counts, near) in parts {
            self.counts = self.counts.plus(counts);
            for near in near {
                self.candidates += near.candidates.len();
                let exact = row_error == 0.0 && self.candidates <= MAX_CANDIDATES.min(MAX_EXACT_PRODUCTS / d);
                match exact {
                    true => self.near.push(near),
                    false => self.counts = self.counts.plus(Counts::of(near.label, (near.guess, false), near.answer)),
                }
            }
        }
    }

    fn compare(&self, rows: &[f64], labels: &[u32], first: u64, row_error: f64) -> (Counts, Vec<Near>) {
        let d = self.reference.len();
        let (mut counts, mut ties) = (Counts::default(), vec![]);
        let (mut open, mut samples, mut sizes) = (vec![], vec![], vec![]);
        let mut x = vec![0.0; d];
        for (index, (row, &label)) in rows.chunks(d).zip(labels).enumerate() {
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
            samples.push((index, class));
            sizes.push(size);
        }
        if samples.is_empty() {
            return (counts, ties);
        }
        let products = |scores: &Scores| {
            let k = scores.rows.count();
            let mut out = vec![0.0; samples.len() * k];
            let dst = MatMut::from_row_major_slice_mut(&mut out, samples.len(), k);
            let left = MatRef::from_row_major_slice(&open, samples.len(), d);
            matmul(dst, Accum::Replace, left, scores.rows.matrix().transpose(), 1.0, Par::Seq);
            out.chunks(k)
                .zip(&sizes)
                .map(|(products, &size)| scores.winner(products, size, 2.0 * U * size + row_error))
                .collect::<Vec<Winner>>()
        };
        let nearest = products(&self.nearest);
        let winners = self.classifier.as_ref().map(|a| (a, products(&a.scores)));
        for (at, (&(index, label), near)) in samples.iter().zip(nearest).enumerate() {
            let answer = winners.as_ref().map(|(answers, winners)| {
                let Winner { class, rivals } = &winners[at];
                match (rivals.is_empty(), row_error == 0.0) {
                    (true, _) => (*class, true),
                    (false, true) => answers.settle(&rows[index * d..][..d], rivals).map_or((*class, false), |decision| {
                        counts.tied += u64::from(decision.tied);
                        (decision.class, true)
                    }),
                    (false, false) => (*class, false),
                }
            });
            if near.rivals.is_empty() {
                counts = counts.plus(Counts::of(label, (near.class, true), answer));
            } else {
                ties.push(Near { sample: first + index as u64, label, answer, guess: near.class, candidates: near.rivals });
            }
        }
        (counts, ties)
    }

    /// Accumulators of the means that near-ties need, to be given all samples once more; `None` when there are no near-ties.
    pub fn exact_means(&mut self, moments: &Moments) -> Option<ExactMeans> {
        let d = self.reference.len();
        let mut wanted = vec![false; moments.counts.len()];
        let mut room = MAX_EXACT_ENTRIES / d;
        for near in std::mem::take(&mut self.near) {
            let more = near.candidates.iter().filter(|&&j| !wanted[j as usize]).count();
            if more <= room {
                room -= more;
                near.candidates.iter().for_each(|&j| wanted[j as usize] = true);
                self.near.push(near);
            } else {
                self.counts = self.counts.plus(Counts::of(near.label, (near.guess, false), near.answer));
            }
        }
        let classes = (0..wanted.len()).filter(|&j| wanted[j]);
        (!self.near.is_empty()).then(|| ExactMeans::new(d, &moments.counts, classes))
    }

    /// Decides the near-ties of a block.
    pub fn settle(&mut self, exact: &ExactMeans, rows: &[f64], first: u64) {
        let d = self.reference.len();
        let end = first + (rows.len() / d) as u64;
        let from = self.near.partition_point(|near| near.sample < first);
        let to = self.near.partition_point(|near| near.sample < end);
        let decide = |near: &Near| {
            let row = &rows[(near.sample - first) as usize * d..][..d];
            match exact.nearest(row, &near.candidates) {
                Some(decision) => {
                    let counts = Counts::of(near.label, (decision.class, true), near.answer);
                    Counts { tied: u64::from(decision.tied), ..counts }
                }
                None => Counts::of(near.label, (near.guess, false), near.answer),
            }
        };
        let parts: Vec<Counts> = self.near[from..to].par_iter().map(decide).collect();
        self.counts = parts.into_iter().fold(self.counts, Counts::plus);
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
            tied: c.tied,
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
