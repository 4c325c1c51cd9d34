//! Class-incremental learning: new classes arrive in tasks, and their rows of the classifier have to begin somewhere.

use faer::{Mat, MatRef};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};
use rug::Rational;

use super::{ClassifierError, least_squares};
use crate::linalg::eigh;

/// Where the rows of new classes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initialisation {
    /// The rows of [`least_squares`] on all features seen.
    LeastSquares,
    /// The class means, scaled to the typical length of the old rows; bias zero.
    ClassMeans,
    /// Normal entries, rows of that length on average; bias zero.
    Random,
}

impl Initialisation {
    /// All, in the order they are tried.
    pub const ALL: [Initialisation; 3] = [Initialisation::LeastSquares, Initialisation::ClassMeans, Initialisation::Random];

    /// `least-squares`, `class-means` or `random`.
    pub fn name(self) -> &'static str {
        match self {
            Initialisation::LeastSquares => "least-squares",
            Initialisation::ClassMeans => "class-means",
            Initialisation::Random => "random",
        }
    }
}

/// How to run [`class_incremental`].
#[derive(Debug, Clone)]
pub struct IncrementalOptions {
    /// Groups that the classes arrive in, in the order of their labels; the first groups get one class more where they cannot be equal.
    pub tasks: usize,
    /// Ridge weight.
    pub lambda: Rational,
    pub free_bias: bool,
    /// Seed of the random rows.
    pub seed: u64,
    /// Training ends when the objective is within this share of what a zero classifier leaves above the minimum.
    pub converged: f64,
    pub max_steps: usize,
}

/// One task trained from one initialisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// From 1: task 0 has no old classes.
    pub task: usize,
    pub old_classes: usize,
    /// Old and new.
    pub classes: usize,
    pub initialisation: Initialisation,
    /// `‖W h + b − y‖²/2` averaged over all samples seen, before the first step.
    pub initial_loss: f64,
    /// The same over the new classes' samples.
    pub initial_new_loss: f64,
    /// The most that the old classes' loss rises above what the old classifier had, at the start or in training.
    pub spike: f64,
    /// Steps of gradient descent (step 1/L) to convergence; `None` when `max_steps` were not enough.
    pub steps: Option<usize>,
}

/// For each task after the first: old rows as the least-squares classifier of the classes before, new rows from each [`Initialisation`]
/// in turn, then gradient descent on `‖W Hᵀ + b 1ᵀ − Y‖²/(2N) + λ/2 ‖W‖²` over everything seen.
///
/// Hypotheses: as [`least_squares`]; features fixed (those of a frozen network). Guarantee: none beyond double precision: an experiment
/// that measures, deterministic for a seed. Cost: O(N d²) once and O(K d²) a step.
///
/// # Errors
/// [`ClassifierError`]; fewer than two tasks, or more tasks than classes.
///
/// Source: M. Harun and C. Kanan, 2025 (least-squares initialisation for class-incremental learning).
///
/// ```
/// use faer::Mat;
/// use ufm::{classifier::{IncrementalOptions, class_incremental}, scalar::Rational};
/// let features = Mat::from_fn(12, 4, |i, j| f64::from(u8::from(i / 3 == j)) + 0.1 * ((7 * i + 5 * j) as f64).sin());
/// let labels: Vec<usize> = (0..12).map(|i| i / 3).collect();
/// let options = IncrementalOptions { tasks: 2, lambda: Rational::from((1, 100)), free_bias: true, seed: 0, converged: 1e-3, max_steps: 100_000 };
/// let trials = class_incremental(features.as_ref(), &labels, 4, &options).unwrap();
/// // The formula begins below random rows.
/// assert!(trials[0].initial_loss < trials[2].initial_loss);
/// ```
pub fn class_incremental(
    features: MatRef<'_, f64>,
    labels: &[usize],
    classes: usize,
    options: &IncrementalOptions,
) -> Result<Vec<Trial>, ClassifierError> {
    super::validate(features.shape(), labels, classes, &options.lambda)?;
    let tasks = options.tasks;
    if tasks < 2 || tasks > classes {
        return Err(ClassifierError::Tasks { tasks, classes });
    }
    let seen = |task: usize| (task + 1) * (classes / tasks) + (task + 1).min(classes % tasks);
    let mut trials = vec![];
    for task in 1..tasks {
        let (old, all) = (seen(task - 1), seen(task));
        let before = Data::new(features, labels, 0..old, old);
        let trained = fit(features, labels, old, options)?;
        let old_loss = before.loss(&trained);
        let now = Data::new(features, labels, 0..all, all);
        let target = fit(features, labels, all, options)?;
        let old_samples = Data::new(features, labels, 0..old, all);
        let new_samples = Data::new(features, labels, old..all, all);
        for initialisation in Initialisation::ALL {
            let mut at = started(&trained, &target, &now, initialisation, options.seed.wrapping_add(task as u64));
            let (initial_loss, initial_new_loss) = (now.loss(&at), new_samples.loss(&at));
            let (steps, peak) = now.descend(&mut at, &target, &old_samples, options);
            let spike = peak - old_loss;
            trials.push(Trial { task, old_classes: old, classes: all, initialisation, initial_loss, initial_new_loss, spike, steps });
        }
    }
    Ok(trials)
}

/// (K, d + 1): W and, in the last column, b.
fn fit(features: MatRef<'_, f64>, labels: &[usize], classes: usize, options: &IncrementalOptions) -> Result<Mat<f64>, ClassifierError> {
    let chosen: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] < classes).collect();
    let rows = Mat::from_fn(chosen.len(), features.ncols(), |i, j| features[(chosen[i], j)]);
    let own: Vec<usize> = chosen.iter().map(|&i| labels[i]).collect();
    let fit = least_squares(rows.as_ref(), &own, classes, &options.lambda, options.free_bias)?;
    let d = features.ncols();
    let b = fit.b.unwrap_or_else(|| vec![0.0; classes]);
    Ok(Mat::from_fn(classes, d + 1, |k, j| if j < d { fit.w[(k, j)] } else { b[k] }))
}

fn started(trained: &Mat<f64>, target: &Mat<f64>, now: &Data, initialisation: Initialisation, seed: u64) -> Mat<f64> {
    let (old, d) = (trained.nrows(), trained.ncols() - 1);
    let typical = (trained.subcols(0, d).squared_norm_l2() / old as f64).sqrt();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut at = target.clone();
    at.subrows_mut(0, old).copy_from(trained);
    for k in old..at.nrows() {
        let mut row: Vec<f64> = match initialisation {
            Initialisation::LeastSquares => continue,
            // Σ h over a class is a column of C.
            Initialisation::ClassMeans => (0..d).map(|j| now.cross[(j, k)]).collect(),
            Initialisation::Random => (0..d).map(|_| StandardNormal.sample(&mut rng)).collect(),
        };
        let length = match initialisation {
            Initialisation::Random => (d as f64).sqrt(),
            _ => crate::linalg::vector::norm(&row, false),
        };
        row.iter_mut().for_each(|x| *x *= if length > 0.0 { typical / length } else { 0.0 });
        (0..d).for_each(|j| at[(k, j)] = row[j]);
        at[(k, d)] = 0.0;
    }
    at
}

/// What the squared error needs of samples x = (h, 1) of some classes: `‖V x − y‖²/2` averages to `tr(V A Vᵀ)/2 − tr(V C) + 1/2`.
struct Data {
    /// A, the mean of x xᵀ.
    second: Mat<f64>,
    /// C, the mean of x yᵀ.
    cross: Mat<f64>,
}

impl Data {
    fn new(features: MatRef<'_, f64>, labels: &[usize], of: std::ops::Range<usize>, classes: usize) -> Self {
        let d = features.ncols();
        let chosen: Vec<usize> = (0..labels.len()).filter(|&i| of.contains(&labels[i])).collect();
        let count = chosen.len() as f64;
        let x = Mat::from_fn(chosen.len(), d + 1, |i, j| if j < d { features[(chosen[i], j)] } else { 1.0 });
        let mut second = x.transpose() * &x;
        second.col_iter_mut().for_each(|c| c.iter_mut().for_each(|a| *a /= count));
        let mut cross = Mat::zeros(d + 1, classes);
        for (i, &sample) in chosen.iter().enumerate() {
            (0..=d).for_each(|j| cross[(j, labels[sample])] += x[(i, j)] / count);
        }
        Data { second, cross }
    }

    fn loss(&self, v: &Mat<f64>) -> f64 {
        self.loss_of(v, &(v * &self.second))
    }

    fn loss_of(&self, v: &Mat<f64>, product: &Mat<f64>) -> f64 {
        let mut sum = 0.5;
        for k in 0..v.nrows() {
            sum += (0..v.ncols()).map(|j| v[(k, j)] * (0.5 * product[(k, j)] - self.cross[(j, k)])).sum::<f64>();
        }
        sum
    }

    /// Gradient descent; the steps to convergence and the peak of the old samples' loss.
    fn descend(&self, at: &mut Mat<f64>, target: &Mat<f64>, old: &Data, options: &IncrementalOptions) -> (Option<usize>, f64) {
        let d = at.ncols() - 1;
        let ridge = options.lambda.to_f64();
        let penalty = |v: &Mat<f64>| 0.5 * ridge * v.subcols(0, d).squared_norm_l2();
        let minimum = self.loss(target) + penalty(target);
        // A zero classifier has loss 1/2.
        let enough = minimum + options.converged * (0.5 - minimum).max(0.0);
        let largest = eigh(self.second.as_ref()).and_then(|(values, _)| values.last().copied());
        let rate = 1.0 / (largest.unwrap_or_else(|| self.second.diagonal().column_vector().sum()) + ridge);
        let mut peak = f64::NEG_INFINITY;
        for step in 0..=options.max_steps {
            peak = peak.max(old.loss(at));
            let product = &*at * &self.second;
            if self.loss_of(at, &product) + penalty(at) <= enough {
                return (Some(step), peak);
            }
            for k in 0..at.nrows() {
                for j in 0..d {
                    at[(k, j)] -= rate * (product[(k, j)] - self.cross[(j, k)] + ridge * at[(k, j)]);
                }
                if options.free_bias {
                    at[(k, d)] -= rate * (product[(k, d)] - self.cross[(d, k)]);
                }
            }
        }
        (None, peak)
    }
}
