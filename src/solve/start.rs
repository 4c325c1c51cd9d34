//! Starting points.

use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::SolveError;
use crate::problem::{Layout, Objective, Problem};

/// Standard deviation of a random start.
const DEVIATION: f64 = 0.1;

/// See [`super::Start::Random`].
pub(super) fn random(layout: &Layout, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = vec![0.0; layout.len()];
    for x in &mut x[..layout.features().end] {
        let normal: f64 = StandardNormal.sample(&mut rng);
        *x = DEVIATION * normal;
    }
    x
}

/// See [`super::Start::Spectral`].
pub(super) fn spectral(_problem: &Problem, objective: &Objective) -> Result<Vec<f64>, SolveError> {
    Ok(random(objective.layout(), 0))
}
