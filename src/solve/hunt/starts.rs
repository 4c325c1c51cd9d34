//! Starting points of a hunt and perturbations of points found.

use faer::Mat;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::SolveError;
use crate::problem::{Point, Problem};

/// Starting points for one problem. Factor j has the size that regularisation gives a unit mode: λ_j σ_j² = (n Λ)^{1/p}.
pub(super) struct Starts {
    classes: usize,
    dim: usize,
    /// n_1, ..., n_K.
    counts: Vec<u64>,
    /// σ_j of W_1, ..., W_{p-1}; of H for a class of one sample.
    weights: Vec<f64>,
    features: f64,
}

/// Noise of the starts around the collapsed point, of the codes, and sizes of the Gaussian starts, as shares of σ.
const COLLAPSED_NOISE: [f64; 4] = [1.0, 0.7, 1.4, 2.0];
const COLLAPSED_SHARE: [f64; 4] = [0.3, 0.5, 0.8, 1.0];
const CODE_NOISE: [f64; 4] = [0.02, 0.1, 0.2, 0.3];
const GAUSSIAN_SIZE: [f64; 4] = [1.0, 0.7, 1.4, 2.0];
/// Longest code tried, in bits.
const MAX_CODE: usize = 12;
/// Weight of a code's own bits in its detecting neuron, and minus that of the others.
const CONTRAST: f64 = 0.6;
/// Sizes of perturbations, as shares of the root mean square of a point's entries.
const PERTURBATION: [f64; 4] = [0.1, 0.2, 0.4, 0.8];
/// Streams of random numbers below belong to starts, from here on to perturbations.
const PERTURBATION_STREAM: u64 = 1 << 40;

fn stream(seed: u64, index: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    move || StandardNormal.sample(&mut rng)
}

impl Starts {
    pub fn new(problem: &Problem) -> Result<Self, SolveError> {
        let (classes, dim, samples) = problem.point_sizes()?;
        let counts = problem.class_counts().ok_or_else(|| SolveError::Unsupported("tag sets".into()))?;
        let lambdas: Vec<f64> = problem.lambdas().iter().map(|l| l.to_f64()).collect();
        let p = lambdas.len() as f64;
        // Through logarithms: a product of a hundred weights may underflow.
        let mean_log = lambdas.iter().map(|l| l.ln()).sum::<f64>() / p;
        let energy = (mean_log + (samples as f64 / classes as f64).ln() / p).exp();
        let size = |l: &f64| (energy / l).sqrt();
        Ok(Starts { classes, dim, counts, weights: lambdas[1..].iter().map(size).collect(), features: size(&lambdas[0]) })
    }

    /// The start of that index. Of every eight, three are edge codes of a complete graph (K = r(r-1)/2; other K: binary codes), three
    /// binary codes, one is near the collapsed point and one Gaussian.
    pub fn point(&self, seed: u64, index: u64) -> Point {
        let mut normal = stream(seed, index);
        let round = (index / 8) as usize;
        let pick = |choices: [f64; 4]| choices[round % 4];
        let deep = self.weights.len() >= 2;
        match index % 8 {
            0 | 2 | 4 if deep => match edge_codes(self.classes) {
                Some(codes) => self.coded(&codes, pick(CODE_NOISE), &mut normal),
                None => self.coded(&binary_codes(self.classes, round + index as usize / 2, &mut normal), pick(CODE_NOISE), &mut normal),
            },
            1 | 3 | 5 if deep => {
                let codes = binary_codes(self.classes, round + index as usize / 2, &mut normal);
                self.coded(&codes, pick(CODE_NOISE), &mut normal)
            }
            6 => {
                let mut point = self.gaussian(pick(COLLAPSED_NOISE), &mut normal);
                let identity: Vec<Vec<usize>> = (0..self.classes).map(|k| vec![k]).collect();
                self.add_code(&mut point, &identity, self.classes, pick(COLLAPSED_SHARE));
                let hidden = self.weights.len() - 1;
                for (j, w) in point.factors.iter_mut().enumerate() {
                    (0..if j < hidden { self.dim } else { self.classes })
                        .for_each(|i| w[(i, i)] += pick(COLLAPSED_SHARE) * self.weights[j]);
                }
                point
            }
            _ => self.gaussian(pick(GAUSSIAN_SIZE), &mut normal),
        }
    }

    /// Independent normal entries: W_j of deviation `size` σ_j/√d.
    fn gaussian(&self, size: f64, normal: &mut impl FnMut() -> f64) -> Point {
        let (k, d) = (self.classes, self.dim);
        let scale = size / (d as f64).sqrt();
        let last = self.weights.len() - 1;
        let matrix = |rows: usize, cols: usize, deviation: f64, normal: &mut dyn FnMut() -> f64| {
            let mut m = Mat::zeros(rows, cols);
            m.col_iter_mut().flat_map(|c| c.iter_mut()).for_each(|x| *x = deviation * normal());
            m
        };
        let factors = self.weights.iter().enumerate().map(|(j, s)| matrix(if j == last { k } else { d }, d, scale * s, normal)).collect();
        let mut h = matrix(d, self.counts.iter().sum::<u64>() as usize, scale * self.features, normal);
        self.columns(|class, sample| {
            let root = (self.counts[class] as f64).sqrt();
            h.col_mut(sample).iter_mut().for_each(|x| *x /= root);
        });
        Point { factors, h, b: None }
    }

    fn columns(&self, mut visit: impl FnMut(usize, usize)) {
        let mut sample = 0;
        for (class, &n) in self.counts.iter().enumerate() {
            (0..n).for_each(|i| visit(class, sample + i as usize));
            sample += n as usize;
        }
    }

    /// Features of class k: its code in the first `bits` coordinates.
    fn add_code(&self, point: &mut Point, codes: &[Vec<usize>], bits: usize, share: f64) {
        let ones: usize = codes.iter().map(Vec::len).sum();
        let size = share * self.features * (codes.len() as f64 / ones.max(1) as f64).sqrt();
        self.columns(|class, sample| {
            let value = size / (self.counts[class] as f64).sqrt();
            codes[class].iter().filter(|&&bit| bit < bits).for_each(|&bit| point.h[(bit, sample)] += value);
        });
    }

    /// Low-rank layers: codes carried through identities of their length, one neuron per class that detects its code, W_{p-1} = I.
    fn coded(&self, codes: &[Vec<usize>], noise: f64, normal: &mut impl FnMut() -> f64) -> Point {
        let mut point = self.gaussian(noise, normal);
        let bits = codes.iter().flatten().max().map_or(1, |bit| bit + 1);
        self.add_code(&mut point, codes, bits, 1.0);
        let detector = self.weights.len() - 2;
        for (j, w) in point.factors.iter_mut().enumerate() {
            let size = self.weights[j];
            match j {
                _ if j < detector => (0..bits).for_each(|i| w[(i, i)] += size),
                _ if j == detector => {
                    for (class, code) in codes.iter().enumerate() {
                        (0..bits).for_each(|bit| w[(class, bit)] += size * if code.contains(&bit) { CONTRAST } else { -CONTRAST });
                    }
                }
                _ => (0..self.classes).for_each(|i| w[(i, i)] += size),
            }
        }
        point
    }
}

/// The edges of the complete graph on r vertices, when K = r(r-1)/2 for an r >= 3.
fn edge_codes(classes: usize) -> Option<Vec<Vec<usize>>> {
    let r = crate::closed_form::complete_graph(classes as u64)? as usize;
    Some((0..r).flat_map(|i| (0..i).map(move |j| vec![j, i])).collect())
}

/// K distinct nonempty subsets of r elements, r among the three least possible (and at most K).
fn binary_codes(classes: usize, round: usize, normal: &mut impl FnMut() -> f64) -> Vec<Vec<usize>> {
    let least = (usize::BITS - classes.leading_zeros()) as usize;
    let bits = (least + round % 3).min(classes).min(MAX_CODE.max(least));
    // A random order: by random keys, drawn for as many candidates as a code of MAX_CODE bits has.
    let candidates = (1usize << bits.min(MAX_CODE)) - 1;
    let mut order: Vec<(f64, usize)> = (1..=candidates.max(classes)).map(|code| (normal(), code)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().take(classes).map(|(_, code)| (0..bits).filter(|bit| code >> bit & 1 == 1).collect()).collect()
}

/// The point with noise added: to all entries, to one factor, or with one hidden unit redrawn, in turn.
pub(super) fn perturbed(point: &Point, seed: u64, index: u64) -> Point {
    let mut normal = stream(seed, PERTURBATION_STREAM + index);
    let mut point = point.clone();
    let hidden = point.factors.len() - 1;
    let (share, kind, round) = (PERTURBATION[index as usize % 4], index / 4 % 3, index as usize / 12);
    let entries: usize = point.factors.iter().chain([&point.h]).map(|m| m.nrows() * m.ncols()).sum();
    let squares: f64 = point.factors.iter().chain([&point.h]).map(|m| m.squared_norm_l2()).sum();
    let deviation = share * (squares / entries as f64).sqrt();
    let mut add = |m: &mut Mat<f64>, deviation: f64| m.col_iter_mut().flat_map(|c| c.iter_mut()).for_each(|x| *x += deviation * normal());
    match kind {
        1 => match round % (hidden + 2) {
            0 => add(&mut point.h, 2.0 * deviation),
            j => add(&mut point.factors[j - 1], 2.0 * deviation),
        },
        2 if hidden > 0 => {
            // Unit u of hidden layer j: row u of W_j, column u of W_{j+1}.
            let (j, d) = (round % hidden, point.h.nrows());
            let unit = (round / hidden + index as usize) % d;
            (0..d).for_each(|c| point.factors[j][(unit, c)] = 2.0 * deviation * normal());
            (0..point.factors[j + 1].nrows()).for_each(|r| point.factors[j + 1][(r, unit)] = 2.0 * deviation * normal());
        }
        _ => point.factors.iter_mut().chain([&mut point.h]).for_each(|m| add(m, deviation)),
    }
    point
}
