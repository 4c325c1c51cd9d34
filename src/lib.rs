//! Unconstrained features models of deep neural collapse: solved, certified, verified.
//!
//! Each line may use the lines above it, never below.

pub mod scalar;

pub mod linalg;

pub mod problem;

pub mod metrics;

pub mod closed_form;

pub mod classifier;

pub mod solve;

pub mod certify;

pub mod theorem;

pub mod sweep;

pub mod kernels;

pub mod report;

pub mod cli;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;
