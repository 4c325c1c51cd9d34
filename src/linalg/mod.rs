//! Dense helpers over faer.

pub mod ball;
mod mp;
pub mod product;
pub mod residual;
mod spectra;
pub(crate) mod vector;

pub use mp::multiply;
pub use spectra::{eigh, thin_svd};
