//! Numerical minimisers over every variable: each entry of H is free.
//!
//! They are untrusted: what they return becomes a claim only through a certificate.

mod collapse;
mod gradient_descent;
mod hunt;
mod lbfgs;
mod newton;
mod options;
mod refine;
mod run;
mod several;
mod start;
mod warm;

pub use hunt::{HuntOptions, HuntProgress, Hunted, hunt};
pub use options::{Method, Progress, Solution, SolveError, SolveOptions, Start, Status, TraceRow, Work};
pub use refine::{Refined, refine};
pub use run::{minimise, minimise_loss, minimise_observed};
pub(crate) use several::minimise_from;
pub use several::{Attempt, Lowest, minimise_lowest};
