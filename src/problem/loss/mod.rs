//! Losses on blocks of logits, one per file: value, gradient and Hessian product.

mod cross_entropy;
mod exp;
mod mse;

pub use cross_entropy::CrossEntropy;
pub use exp::exp_in_place;
pub use mse::SquaredError;

/// A separable loss `L(Z) = Σ_i ℓ_i(z_i)` of the logits, the factor 1/N included in each ℓ_i.
///
/// Blocks hold whole columns, stored column by column (K entries each); `first` is the index of the first sample of the block.
/// Implementations are pure functions of their arguments, so that blocks may run in any order on any thread.
pub trait LogitLoss: Send + Sync {
    /// On entry `z` holds logits, on return the gradient; the sum of ℓ_i over the block is returned.
    fn gradient(&self, z: &mut [f64], first: usize) -> f64;

    /// On entry `dz` holds a direction, on return `L''(Z) dz`; `g` is the gradient [`LogitLoss::gradient`] left at Z.
    fn curvature(&self, g: &[f64], dz: &mut [f64], first: usize);
}
