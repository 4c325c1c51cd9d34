//! Class-incremental learning: features arrive in tasks; the rows of new classes start from the least-squares formula, from class
//! means, or at random. Prints, for each, the loss before the first step, the rise of the old classes' loss, and the steps of gradient
//! descent to the new minimum.
//!
//!     cargo run --release --example continual

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ufm::{classifier::least_squares, scalar::Rational};

const DIM: usize = 32;
const PER_CLASS: usize = 50;
const CLASSES_PER_TASK: usize = 5;
const TASKS: usize = 4;
const SPREAD: f64 = 0.6;
const LAMBDA: (u32, u32) = (1, 100);
/// Converged: the objective is within this share of the gap that a zero classifier leaves.
const CONVERGED: f64 = 1e-3;
const MAX_STEPS: usize = 100_000;

/// W and b of a classifier.
type Classifier = (Mat<f64>, Vec<f64>);

struct Data {
    h: Mat<f64>,
    labels: Vec<usize>,
}

/// Clusters around random centres, seen up to and including a task.
fn data(tasks: usize) -> Data {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let classes = tasks * CLASSES_PER_TASK;
    let labels: Vec<usize> = (0..classes * PER_CLASS).map(|i| i / PER_CLASS).collect();
    let mut rows = Vec::with_capacity(labels.len());
    for _ in 0..classes {
        let centre: Vec<f64> = (0..DIM).map(|_| rng.random_range(-1.0..1.0)).collect();
        for _ in 0..PER_CLASS {
            rows.push(centre.iter().map(|c| c + SPREAD * rng.random_range(-1.0..1.0)).collect::<Vec<f64>>());
        }
    }
    Data { h: Mat::from_fn(rows.len(), DIM, |i, j| rows[i][j]), labels }
}

/// ‖W h + b − y‖²/2, averaged over the samples of classes from..to.
fn loss(data: &Data, (w, b): &Classifier, from: usize, to: usize) -> f64 {
    let z = &data.h * w.transpose();
    let chosen: Vec<usize> = (0..data.labels.len()).filter(|&i| (from..to).contains(&data.labels[i])).collect();
    let square = |i: usize| (0..b.len()).map(|k| (z[(i, k)] + b[k] - f64::from(data.labels[i] == k)).powi(2)).sum::<f64>();
    chosen.iter().map(|&i| square(i)).sum::<f64>() / (2 * chosen.len()) as f64
}

fn objective(data: &Data, at: &Classifier, ridge: f64) -> f64 {
    loss(data, at, 0, at.1.len()) + ridge / 2.0 * at.0.squared_norm_l2()
}

/// Steps of gradient descent with step 1/L until the objective is close to its minimum.
fn steps(data: &Data, mut at: Classifier, ridge: f64, minimum: f64, scale: f64) -> usize {
    let n = data.labels.len() as f64;
    let rate = 1.0 / (data.h.squared_norm_l2() / n + 1.0 + ridge);
    for step in 0..MAX_STEPS {
        if objective(data, &at, ridge) - minimum <= CONVERGED * scale {
            return step;
        }
        let mut t = &data.h * at.0.transpose();
        for (i, &label) in data.labels.iter().enumerate() {
            (0..at.1.len()).for_each(|k| t[(i, k)] += at.1[k] - f64::from(label == k));
        }
        let g = t.transpose() * &data.h;
        at.0 = Mat::from_fn(at.0.nrows(), DIM, |k, j| at.0[(k, j)] - rate * (g[(k, j)] / n + ridge * at.0[(k, j)]));
        (0..at.1.len()).for_each(|k| at.1[k] -= rate * t.col(k).iter().sum::<f64>() / n);
    }
    MAX_STEPS
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lambda = Rational::from(LAMBDA);
    let ridge = lambda.to_f64();
    println!("task  initialisation  initial loss  rise of old classes' loss  steps");
    for task in 2..=TASKS {
        let (old, all) = ((task - 1) * CLASSES_PER_TASK, task * CLASSES_PER_TASK);
        let (before, now) = (data(task - 1), data(task));
        let trained = least_squares(before.h.as_ref(), &before.labels, old, &lambda, true)?;
        let trained: Classifier = (trained.w, trained.b.unwrap_or_default());
        let target = least_squares(now.h.as_ref(), &now.labels, all, &lambda, true)?;
        let old_loss = loss(&before, &trained, 0, old);
        let zero = (Mat::zeros(all, DIM), vec![0.0; all]);
        let scale = objective(&now, &zero, ridge) - target.objective;
        let formula: Classifier = (target.w, target.b.unwrap_or_default());
        let mean = |k: usize, j: usize| {
            let members = (0..now.labels.len()).filter(|&i| now.labels[i] == k);
            members.map(|i| now.h[(i, j)]).sum::<f64>() / PER_CLASS as f64
        };
        let typical = (trained.0.squared_norm_l2() / old as f64).sqrt();
        let mut rng = ChaCha8Rng::seed_from_u64(task as u64);
        let random = Mat::from_fn(all, DIM, |_, _| 3f64.sqrt() * rng.random_range(-1.0..1.0) * typical / (DIM as f64).sqrt());
        // Class means scaled to the size of the trained rows.
        let means = Mat::from_fn(all, DIM, mean);
        let size = |k: usize| typical / means.row(k).norm_l2();
        let scaled = Mat::from_fn(all, DIM, |k, j| size(k) * means[(k, j)]);
        let starts: [(&str, Classifier); 3] =
            [("least squares", formula), ("class means", (scaled, vec![0.0; all])), ("random", (random, vec![0.0; all]))];
        for (name, (rows, biases)) in starts {
            let w = Mat::from_fn(all, DIM, |k, j| if k < old { trained.0[(k, j)] } else { rows[(k, j)] });
            let b = (0..all).map(|k| if k < old { trained.1[k] } else { biases[k] }).collect();
            let start: Classifier = (w, b);
            let (initial, rise) = (loss(&now, &start, 0, all), loss(&now, &start, 0, old) - old_loss);
            let steps = steps(&now, start, ridge, target.objective, scale);
            println!("{task:4}  {name:14}  {initial:12.5}  {rise:25.5}  {steps:5}");
        }
    }
    Ok(())
}
