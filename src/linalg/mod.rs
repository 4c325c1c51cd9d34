//! Dense helpers over faer.

pub mod ball;
pub mod product;
mod spectra;
pub(crate) mod vector;

pub use spectra::{eigh, thin_svd};
