//! Grids of problems, each solved and certified: resumable, shardable, the same bytes however they were run.
//!
//! A grid file has the fields of a problem file, each with one value, a list, or a range:
//!
//! ```toml
//! model = "plain"
//! loss = ["mse", "ce"]
//! bias = "none"
//! classes = [4, 8, 16]
//! per_class = { from = 1, to = 100, points = 5, scale = "log" }
//! dim = "K"                                                      # or an integer, "K-1", "K+4", "2K"
//! lambda_w = { from = "0.001", to = "0.1", points = 9, scale = "log" }
//! lambda_h = ["0.001", "0.002"]
//! seed = { from = 0, to = 4, step = 1 }
//!
//! [options]
//! digits = 15                                                    # and gap_tol, tol, method, starts, budget, time_limit
//! ```
//!
//! An instance takes one value of every field that belongs to it: `lambda_b` varies only over instances with `bias = "regularized"`,
//! `smoothing` only with that loss, and so on; equal instances are made once. The fields vary in a fixed order, the last fastest:
//! model, loss, bias, smoothing, focusing, classes, per_class, class_counts, minority, imbalance, per_tag_set, tag_sets, tag_counts, dim,
//! depth, lambda, lambdas, lambda_w, lambda_h, lambda_b, temperature, seed.
//!
//! Values stay the decimals they are written as. The ends of a range are exact; inner points are exact too where they have at most
//! 12 digits (with `step`: always), otherwise rounded to 6 significant digits, and the decimal so written is the parameter; integers are
//! rounded to the nearest, each kept once. Fields that no problem file has:
//!
//! - `lambda`: one weight for every factor (`lambda_w` and `lambda_h`; with `depth`, all of `lambdas`);
//! - `depth`: factors of a deep model, H among them;
//! - `imbalance` with `minority`: the last `minority` of the classes have ⌊per_class / imbalance⌋ samples, the others `per_class`, exactly;
//! - `seed`: of random starts.
//!
//! [`run()`] keeps a journal, one checksummed line for each finished instance, so that a run killed at any moment continues where it was;
//! [`merge`] joins shards. [`diagrams`] compares what was measured with what theory says.

mod axis;
mod diagram;
mod grid;
mod journal;
mod options;
mod outcome;
mod predict;
mod run;
mod table;

pub use diagram::{Diagram, DiagramPoint, Phase, diagrams};
pub use grid::{Grid, Instance, Step};
pub use journal::JournalError;
pub use options::{SweepMethod, SweepOptions, SweepStart};
pub use outcome::{Outcome, SweepStatus, solve_instance};
pub(crate) use run::read_grid;
pub use run::{Record, Shard, Sweep, SweepError, SweepProgress, merge, run};
pub(crate) use table::describe;
pub use table::{csv, json, seconds_csv};

use crate::problem::SpecError;

/// Why a grid was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GridError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("range `{field}` {what}")]
    Range { field: String, what: String },
    #[error("the grid has {size} instances ({factors}); at most 100000 are allowed")]
    TooMany { size: u128, factors: String },
    #[error("the instances list more than {most} class sizes in all; reduce classes or the grid")]
    Listed { most: usize },
    #[error("instance {instance}: {source}")]
    Instance { instance: String, source: SpecError },
    #[error("instance {instance} has no closed form, which options.method = \"closed-form\" asks for: {why}")]
    NoClosedForm { instance: String, why: String },
}

impl GridError {
    /// The same of one instance.
    fn of(self, instance: String) -> GridError {
        match self {
            GridError::Spec(source) => GridError::Instance { instance, source },
            other => other,
        }
    }
}
