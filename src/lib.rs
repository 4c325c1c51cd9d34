//! Unconstrained features models of deep neural collapse: solved, certified, verified.
//!
//! Each line may use the lines above it, never below.

pub mod certify;
pub mod closed_form;
pub mod linalg;
pub mod metrics;
pub mod problem;
pub mod scalar;
pub mod solve;
