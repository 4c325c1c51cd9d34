use std::time::Duration;

use crate::metrics::PointMetrics;
use crate::problem::{Model, ObjectiveError, Point, Problem, SpecError};

/// Which minimiser.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Method {
    /// Steihaug's trust-region Newton-CG method.
    #[default]
    NewtonCg,
    /// Limited-memory BFGS with a line search that can accept on slopes alone, near the optimum where values no longer tell.
    Lbfgs,
    /// `steps` steps of plain gradient descent.
    GradientDescent { learning_rate: f64, steps: u64 },
}

/// Where a minimiser starts.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Start {
    /// Weights and features independent N(0, 0.1²) (sphere: then divided by their lengths), bias zero: ChaCha8 seeded by [`SolveOptions::seed`], the matrices
    /// W_1, ..., W_{p-1}, H in this order, each column by column.
    #[default]
    Random,
    /// Balanced factors of the leading singular modes of the steepest descent direction of the loss at zero logits; deep models and
    /// losses other than the squared error: at the scale where the objective is least, in deep models for each mode on its own, zero
    /// included (deep ReLU: or at one scale of all, if that is lower).
    Spectral,
    /// This point; its bias must be present exactly when the problem has one.
    Point(Point),
}

/// How to solve.
#[derive(Debug, Clone, PartialEq)]
pub struct SolveOptions {
    pub method: Method,
    pub start: Start,
    pub seed: u64,
    /// Euclidean norm of the gradient at which a point counts as stationary. Gradient descent ignores it.
    pub tol: f64,
    /// Most outer iterations (gradient descent has its own count).
    pub max_iterations: u64,
    /// Most work, in evaluations of objective and gradient; a Hessian product counts as two.
    pub budget: u64,
    pub time_limit: Option<Duration>,
    /// `None`: all threads of the pool. The result does not depend on it.
    pub threads: Option<usize>,
    /// Begin with exact alternating ridge regressions (plain and multi-label models) or with one feature for each class (sphere, unless
    /// the start is critical already); ignored by the deep models and by gradient descent.
    pub warm: bool,
    /// Record a trace.
    pub trace: bool,
}

impl Default for SolveOptions {
    fn default() -> Self {
        Self {
            method: Method::NewtonCg,
            start: Start::Random,
            seed: 0,
            tol: 1e-12,
            max_iterations: 100_000,
            budget: 1_000_000,
            time_limit: None,
            threads: None,
            warm: true,
            trace: false,
        }
    }
}

impl Method {
    /// The method that suits a model: Newton-CG, but L-BFGS for deep ReLU, whose kinks mislead second-order models.
    pub fn suited_to(problem: &Problem) -> Self {
        if matches!(problem.model, Model::DeepRelu { .. }) { Method::Lbfgs } else { Method::NewtonCg }
    }
}

impl SolveOptions {
    pub(super) fn validate(&self) -> Result<(), SolveError> {
        let invalid = |option, value: String, allowed| Err(SolveError::Option { option, value, allowed });
        if !(self.tol > 0.0 && self.tol.is_finite()) {
            return invalid("tol", self.tol.to_string(), "a positive number");
        }
        if self.threads == Some(0) {
            return invalid("threads", "0".into(), "at least 1");
        }
        if let Method::GradientDescent { learning_rate, .. } = self.method
            && !(learning_rate > 0.0 && learning_rate.is_finite())
        {
            return invalid("learning rate", learning_rate.to_string(), "a positive number");
        }
        if let Start::Point(point) = &self.start {
            let entries = point.factors.iter().chain([&point.h]).flat_map(|m| m.col_iter().flat_map(|c| c.iter()));
            if entries.chain(point.b.iter().flatten()).any(|x| !x.is_finite()) {
                return invalid("start", "a point with an entry that is not finite".into(), "finite entries");
            }
        }
        Ok(())
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The gradient norm of the returned point is at most the tolerance. Nothing is said about saddles.
    Converged,
    /// Out of iterations, work or time.
    Budget,
    /// No further progress in double precision, or the iterates left the finite numbers.
    Stalled,
}

impl Status {
    /// `converged`, `budget` or `stalled`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Converged => "converged",
            Status::Budget => "budget",
            Status::Stalled => "stalled",
        }
    }
}

/// Reported while solving.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    pub iteration: u64,
    pub objective: f64,
    pub gradient_norm: f64,
    pub seconds: f64,
}

/// One recorded step.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceRow {
    pub step: u64,
    pub objective: f64,
    pub gradient_norm: f64,
    pub metrics: PointMetrics,
}

/// What a run cost; evaluations with one feature for each class count like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Evaluations of objective and gradient.
    pub gradients: u64,
    pub hessian_products: u64,
}

/// The point a minimiser returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Snapped to its 53-bit grid (see [`Point::snap`]).
    pub point: Point,
    /// Objective and gradient norm of the snapped point, in double precision.
    pub objective: f64,
    pub gradient_norm: f64,
    pub iterations: u64,
    pub work: Work,
    pub seconds: f64,
    pub status: Status,
    pub seed: u64,
    /// Empty unless [`SolveOptions::trace`] asks for it.
    pub trace: Vec<TraceRow>,
}

/// Why nothing was solved.
#[derive(Debug, thiserror::Error)]
pub enum SolveError {
    #[error("{0}")]
    Unsupported(String),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("start: {0}")]
    Start(ObjectiveError),
    #[error("{option} = {value} is not allowed; give {allowed}")]
    Option { option: &'static str, value: String, allowed: &'static str },
}

impl From<ObjectiveError> for SolveError {
    fn from(error: ObjectiveError) -> Self {
        match error {
            ObjectiveError::Spec(e) => SolveError::Spec(e),
            e @ ObjectiveError::Unsupported { .. } => SolveError::Unsupported(e.to_string()),
            e @ (ObjectiveError::Shape { .. } | ObjectiveError::Direction { .. }) => SolveError::Start(e),
        }
    }
}
