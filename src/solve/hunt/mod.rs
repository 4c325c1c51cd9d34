//! The search for points of a deep model below its collapsed value.

mod starts;

use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::{Method, Solution, SolveError, SolveOptions, Start, minimise};
use crate::problem::{Model, Point, Problem};
use starts::{Starts, perturbed};

/// How to hunt.
#[derive(Debug, Clone)]
pub struct HuntOptions {
    /// Starting points tried; as many refinements of the best follow.
    pub starts: u64,
    pub seed: u64,
    /// Ends the search early, with what was found by then: the result then depends on the machine's speed.
    pub time_limit: Option<Duration>,
}

impl HuntOptions {
    /// Minimisations of a whole search: one per start, one per refinement, and the last.
    pub fn minimisations(&self) -> u64 {
        2 * self.starts + 1
    }
}

/// Reported while hunting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HuntProgress {
    /// Minimisations done, of how many.
    pub done: u64,
    pub total: u64,
    /// Least objective so far, in double precision.
    pub best: f64,
    pub seconds: f64,
}

/// What a hunt found: the lowest point, whether or not it is below the collapsed value.
#[derive(Debug, Clone)]
pub struct Hunted {
    pub solution: Solution,
    /// Starting points tried.
    pub starts: u64,
    /// Whether the time limit ended the search.
    pub cut_short: bool,
}

/// Evaluations of objective and gradient per starting point, per refinement, and for the last minimisation.
const START_BUDGET: u64 = 4_000;
const REFINE_BUDGET: u64 = 5_000;
const LAST_BUDGET: u64 = 60_000;
/// Minimisations that run side by side: fixed, so that the result does not depend on the number of threads.
const BATCH: u64 = 4;
/// Gradient norm of the minimisations; of the last one.
const TOLERANCE: f64 = 1e-7;
const LAST_TOLERANCE: f64 = 1e-12;

/// Searches for the lowest point of a deep model: many starts (around the collapsed point, Gaussian at several scales, binary codes,
/// the edge codes of complete graphs), then perturbations of the best point found, each minimised by L-BFGS.
///
/// Hypotheses: a deep model with dim >= classes. Guarantee: the same point for any number of threads, unless the time limit ends the
/// search; the solution's objective is in double precision: [`crate::certify::below`] decides what it proves.
///
/// `progress` is called after every batch of minimisations.
///
/// # Errors
/// [`SolveError::Unsupported`] for other models and dim < classes; as [`minimise`] otherwise.
///
/// ```
/// use ufm::{problem::Problem, solve::{HuntOptions, hunt}};
/// let p = Problem::from_toml("model = 'deep-relu'\nloss = 'mse'\nclasses = 4\nper_class = 1\ndim = 4\nlambdas = ['0.004','0.004','0.004','0.004','0.004']").unwrap();
/// let found = hunt(&p, &HuntOptions { starts: 16, seed: 0, time_limit: None }, &mut |_| {}).unwrap();
/// // The collapsed value is 0.03987...
/// assert!(found.solution.objective < 0.0397);
/// ```
pub fn hunt(problem: &Problem, options: &HuntOptions, progress: &mut dyn FnMut(&HuntProgress)) -> Result<Hunted, SolveError> {
    if !matches!(problem.model, Model::DeepLinear { .. } | Model::DeepRelu { .. }) {
        return Err(SolveError::Unsupported("hunt covers the models deep-linear and deep-relu".into()));
    }
    let (k, d, _) = problem.point_sizes()?;
    if d < k {
        return Err(SolveError::Unsupported(format!("the collapsed point needs dim >= classes = {k}, but dim = {d}")));
    }
    let refinements = options.starts;
    let started = Instant::now();
    let mut search = Search { problem, options, started, done: 0, total: options.minimisations(), best: None, cut_short: false, progress };
    let starts = Starts::new(problem)?;
    let mut index = 0;
    while index < options.starts && !search.cut_short {
        let batch = index..(index + BATCH).min(options.starts);
        index = batch.end;
        search.minimise_all(batch.map(|i| starts.point(options.seed, i)).collect(), START_BUDGET, TOLERANCE)?;
    }
    let tried = search.done;
    index = 0;
    while let (Some(best), true) = (&search.best, index < refinements && !search.cut_short) {
        let batch = index..(index + BATCH).min(refinements);
        index = batch.end;
        let points = batch.map(|i| perturbed(&best.point, options.seed, i)).collect();
        search.minimise_all(points, REFINE_BUDGET, TOLERANCE)?;
    }
    if let (Some(best), false) = (&search.best, search.cut_short) {
        search.minimise_all(vec![best.point.clone()], LAST_BUDGET, LAST_TOLERANCE)?;
    }
    let cut_short = search.cut_short;
    let solution = search.best.ok_or_else(|| SolveError::Unsupported("no start was minimised within the time limit".into()))?;
    Ok(Hunted { solution, starts: tried, cut_short })
}

/// The state of a hunt between batches.
struct Search<'a> {
    problem: &'a Problem,
    options: &'a HuntOptions,
    started: Instant,
    done: u64,
    total: u64,
    best: Option<Solution>,
    cut_short: bool,
    progress: &'a mut dyn FnMut(&HuntProgress),
}

impl Search<'_> {
    /// Minimises from every point, side by side; the first of the lowest results replaces the best when it is lower.
    fn minimise_all(&mut self, points: Vec<Point>, budget: u64, tol: f64) -> Result<(), SolveError> {
        let count = points.len() as u64;
        let remaining = self.options.time_limit.map(|limit| limit.saturating_sub(self.started.elapsed()));
        let run = |point: Point| {
            let start = Start::Point(point);
            let options =
                SolveOptions { method: Method::Lbfgs, start, tol, budget, time_limit: remaining, threads: Some(1), ..Default::default() };
            minimise(self.problem, &options, &mut |_| {})
        };
        let solutions: Vec<_> = points.into_par_iter().map(run).collect();
        for solution in solutions {
            let solution = Solution { seed: self.options.seed, ..solution? };
            let finite = solution.objective.is_finite();
            if finite && self.best.as_ref().is_none_or(|best| solution.objective < best.objective) {
                self.best = Some(solution);
            }
        }
        self.done += count;
        self.cut_short = self.options.time_limit.is_some_and(|limit| self.started.elapsed() >= limit);
        let best = self.best.as_ref().map_or(f64::INFINITY, |best| best.objective);
        (self.progress)(&HuntProgress { done: self.done, total: self.total, best, seconds: self.started.elapsed().as_secs_f64() });
        Ok(())
    }
}
