//! The plain model in exact arithmetic: products of dyadic matrices, objective, residual and curvature at exact points.

mod arithmetic;
mod state;

pub(crate) use arithmetic::{Plain, PlainError, SHARE, difference, logits, rows_times_rows, scaled};
pub(crate) use state::{State, weighted_squares};
