//! Dense helpers over faer.

mod mp;
pub mod product;
pub mod residual;
mod spectra;
pub(crate) mod vector;

pub use mp::multiply;
pub use spectra::{eigh, thin_svd};
