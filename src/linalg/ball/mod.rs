//! Matrices of enclosures and linear algebra whose every answer is proved.
//!
//! A [`BallMatrix`] is a set of real matrices; a function on it answers for every member. Where a matrix is known exactly
//! (rationals, doubles), the functions raise the working precision until the accuracy asked for is reached, so that the only
//! obstacles left are those in the input itself, and those are named: [`Undecided`].

mod bound;
mod definite;
mod eigen;
mod exact;
mod matrix;
mod norms;
mod project;
mod rotate;
mod singular;
mod solve;
mod source;

pub use definite::{Definiteness, definiteness};
pub use eigen::{Cluster, Eigen, eigen};
pub use exact::determinant;
pub use matrix::BallMatrix;
pub use singular::singular_values;
pub use solve::{SolveError, inverse, solve};
pub use source::Source;

#[doc = include_str!("CONFORMANCE.md")]
pub mod conformance {}

/// Why a question about a matrix has no proved answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Undecided {
    #[error("entry ({row}, {col}) is not finite")]
    NotFinite { row: usize, col: usize },
    #[error("the matrix is {rows} x {cols}, not square")]
    NotSquare { rows: usize, cols: usize },
    #[error("entries ({row}, {col}) and ({col}, {row}) differ: the matrix is not symmetric")]
    NotSymmetric { row: usize, col: usize },
    /// The radii of the input do not allow the answer: other members of the set have another, or too distant a one.
    #[error("the radius of the input is too large for the answer asked for")]
    Radius,
    /// The precision at which the computation gave up.
    #[error("no answer at {bits} bits of working precision")]
    Precision { bits: u32 },
}

/// Working precisions beyond this are refused: each entry would take 128 KiB.
const MAX_PRECISION: u32 = 1 << 20;

/// Searches that grow the precision until a condition number fits end here.
const SEARCH_PRECISION: u32 = 1 << 16;

/// Bits that sums over an n x n matrix may cost: a Frobenius norm is at most n times the largest entry.
fn size_bits(n: usize) -> u32 {
    usize::BITS - n.leading_zeros()
}
