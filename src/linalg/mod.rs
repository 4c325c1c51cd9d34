//! Dense helpers over faer.

mod spectra;

pub use spectra::{eigh, thin_svd};
