//! Dense helpers over faer.

mod spectra;
pub(crate) mod vector;

pub use spectra::{eigh, thin_svd};
