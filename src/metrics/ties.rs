//! Ties: comparisons closer than double precision decides, decided in exact arithmetic on the features as given.

use rayon::prelude::*;
use rug::{Integer, Rational};

use crate::linalg::vector;

/// A sample whose nearest class mean is one of several.
#[derive(Debug, Clone)]
pub(crate) struct Near {
    pub sample: u64,
    pub label: usize,
    /// The classifier's answer and whether it is certain, where there is a classifier.
    pub answer: Option<(usize, bool)>,
    /// The mean that is nearest in double precision.
    pub guess: usize,
    /// Classes of which one is nearest, in increasing order.
    pub candidates: Vec<u32>,
}

/// A decision among classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decision {
    pub class: usize,
    /// Another class does exactly as well, and comes later.
    pub tied: bool,
}

/// The first class of largest score.
fn largest(scores: impl Iterator<Item = (usize, Rational)>) -> Option<Decision> {
    let mut best: Option<(Decision, Rational)> = None;
    for (class, score) in scores {
        match &mut best {
            Some((decision, top)) if score == *top => decision.tied = true,
            Some((_, top)) if score < *top => {}
            _ => best = Some((Decision { class, tied: false }, score)),
        }
    }
    best.map(|(decision, _)| decision)
}

/// Beyond the last place of every double.
const NO_PLACE: i32 = 1024;

/// Exponent of the last place of the doubles of this magnitude.
fn last_place(x: f64) -> i32 {
    ((x.to_bits() >> 52 & 0x7ff) as i32).max(1) - 1075
}

/// `x / 2^place`, an integer when no bit of x is below `place`.
fn scaled(x: f64, place: i32) -> Integer {
    let biased = x.to_bits() >> 52 & 0x7ff;
    let hidden = if biased == 0 { 0 } else { 1 << 52 };
    let fraction = x.to_bits() & ((1 << 52) - 1) | hidden;
    let shifted = Integer::from(fraction) << (last_place(x) - place);
    if x < 0.0 { -shifted } else { shifted }
}

/// Entries over `2^place`, and that place.
fn integers(x: &[f64]) -> (Vec<Integer>, i32) {
    let place = x.iter().filter(|x| **x != 0.0).map(|&x| last_place(x)).min().unwrap_or(0);
    (x.iter().map(|&x| if x == 0.0 { Integer::new() } else { scaled(x, place) }).collect(), place)
}

fn dot(x: &[Integer], y: &[Integer]) -> Integer {
    let mut sum = Integer::new();
    for (a, b) in x.iter().zip(y).filter(|(a, _)| !a.is_zero()) {
        sum += a * b;
    }
    sum
}

/// The first of the candidates at which `<w_j, h> + b_j` is largest, exactly.
pub(crate) fn classify(h: &[f64], weights: &[f64], bias: &[f64], candidates: &[u32]) -> Option<Decision> {
    let (h, place) = integers(h);
    let score = |&class: &u32| {
        let class = class as usize;
        let (w, of_weights) = integers(&weights[class * h.len()..][..h.len()]);
        let score = Rational::from(dot(&h, &w)) << (place + of_weights);
        Some((class, score + Rational::from_f64(bias[class])?))
    };
    largest(candidates.iter().filter_map(score))
}

/// Exact sums of the samples of some classes.
#[derive(Debug)]
pub(crate) struct ExactMeans {
    dim: usize,
    /// All features added are integers over `2^place`, which the sums are multiples of.
    place: i32,
    /// Index among the sums, of each class.
    slots: Vec<Option<usize>>,
    counts: Vec<u64>,
    sums: Vec<Vec<Integer>>,
    squares: Vec<Integer>,
}

impl ExactMeans {
    /// Nothing summed yet, of the given classes out of those that have `counts` samples.
    pub fn new(dim: usize, counts: &[u64], classes: impl Iterator<Item = usize>) -> Self {
        let (mut slots, mut sums) = (vec![None; counts.len()], vec![]);
        for class in classes {
            slots[class].get_or_insert_with(|| {
                sums.push(vec![Integer::new(); dim]);
                sums.len() - 1
            });
        }
        ExactMeans { dim, place: NO_PLACE, slots, counts: counts.to_vec(), sums, squares: vec![] }
    }

    /// Adds samples, of any class.
    pub fn add(&mut self, rows: &[f64], labels: &[u32]) {
        let place = last_place(vector::smallest(rows)).min(self.place);
        let finer = (self.place - place) as u32;
        self.sums.par_iter_mut().flatten().filter(|_| finer > 0).for_each(|sum| *sum <<= finer);
        self.place = place;
        let (d, slots) = (self.dim, &self.slots);
        self.sums.par_iter_mut().enumerate().for_each(|(slot, sum)| {
            let members = rows.chunks_exact(d).zip(labels).filter(|(_, label)| slots[**label as usize] == Some(slot));
            for (x, s) in members.flat_map(|(row, _)| row.iter()).zip((0..d).cycle()).filter(|(x, _)| **x != 0.0) {
                sum[s] += scaled(*x, place);
            }
        });
    }

    /// When all samples are added.
    pub fn finish(&mut self) {
        self.squares = self.sums.par_iter().map(|sum| dot(sum, sum)).collect();
    }

    /// The first of the candidates whose mean S/n is nearest to a sample h: the largest `2<h, S>/n − ‖S‖²/n²`, exactly.
    pub fn nearest(&self, h: &[f64], candidates: &[u32]) -> Option<Decision> {
        let h: Vec<Integer> = h.iter().map(|&x| if x == 0.0 { Integer::new() } else { scaled(x, self.place) }).collect();
        let score = |&class: &u32| {
            let class = class as usize;
            let slot = self.slots[class]?;
            let n = Integer::from(self.counts[class]);
            let twice: Integer = dot(&h, &self.sums[slot]) << 1;
            let numerator = twice * &n - &self.squares[slot];
            Some((class, Rational::from((numerator, n.square()))))
        };
        largest(candidates.iter().filter_map(score))
    }
}
