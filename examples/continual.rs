//! Class-incremental learning: features arrive in tasks; the rows of new classes start from the least-squares formula, from class
//! means, or at random. Prints, for each, the loss before the first step, the rise of the old classes' loss, and the steps of gradient
//! descent to the new minimum. `ufm classifier FEATURES --tasks T` does the same with features of your own.
//!
//!     cargo run --release --example continual

use faer::Mat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ufm::{
    classifier::{IncrementalOptions, class_incremental},
    scalar::Rational,
};

const DIM: usize = 32;
const PER_CLASS: usize = 50;
const CLASSES: usize = 20;
const SPREAD: f64 = 0.6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Clusters around random centres.
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let centres = Mat::from_fn(CLASSES, DIM, |_, _| rng.random_range(-1.0..1.0));
    let labels: Vec<usize> = (0..CLASSES * PER_CLASS).map(|i| i / PER_CLASS).collect();
    let features = Mat::from_fn(labels.len(), DIM, |i, j| centres[(labels[i], j)] + SPREAD * rng.random_range(-1.0..1.0));
    let options =
        IncrementalOptions { tasks: 4, lambda: Rational::from((1, 100)), free_bias: true, seed: 0, converged: 1e-3, max_steps: 100_000 };
    println!("task  classes  initialisation  initial loss  on new classes   spike  steps");
    for t in class_incremental(features.as_ref(), &labels, CLASSES, &options)? {
        let steps = t.steps.map_or_else(|| "-".to_owned(), |steps| steps.to_string());
        println!(
            "{:4}  {:7}  {:14}  {:12.5}  {:14.5}  {:6.4}  {steps:>5}",
            t.task,
            t.classes,
            t.initialisation.name(),
            t.initial_loss,
            t.initial_new_loss,
            t.spike
        );
    }
    Ok(())
}
