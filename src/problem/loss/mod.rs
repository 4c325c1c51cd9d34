//! Losses on blocks of logits, one per file: value, gradient and Hessian product.

mod accurate;
mod cross_entropy;
mod exp;
mod focal;
mod mse;
mod pick_all_labels;

pub(crate) use accurate::AccurateCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use exp::exp_in_place;
pub use focal::Focal;
pub use mse::SquaredError;
pub use pick_all_labels::PickAllLabels;

use crate::scalar::Ball;

/// A separable loss `L(Z) = Σ_i ℓ_i(z_i)` of the logits, the factor 1/N included in each ℓ_i.
///
/// Blocks hold whole columns, stored column by column (K entries each); `first` is the index of the first sample of the block.
/// Implementations are pure functions of their arguments, so that blocks may run in any order on any thread.
///
/// A loss of one's own is minimised by [`minimise_loss`](crate::solve::minimise_loss); with [`ConvexLoss`] besides,
/// [`loss_bounds`](crate::certify::loss_bounds) proves how far a point is from the minimum (`examples/own_loss.rs`).
pub trait LogitLoss: Send + Sync {
    /// On entry `z` holds logits, on return the gradient; the sum of ℓ_i over the block is returned.
    fn gradient(&self, z: &mut [f64], first: usize) -> f64;

    /// On entry `dz` holds a direction, on return `L''(Z) dz`; `z` holds the logits (empty unless [`LogitLoss::keeps_logits`]), `g` the
    /// gradient that [`LogitLoss::gradient`] left at Z.
    fn curvature(&self, z: &[f64], g: &[f64], dz: &mut [f64], first: usize);

    /// Whether [`LogitLoss::curvature`] needs the logits, which then take one more buffer of N K doubles.
    fn keeps_logits(&self) -> bool {
        true
    }
}

/// A convex loss with what rigorous bounds need: both functions enclose the exact value for every choice of arguments in their
/// sets, the factor 1/N included as in [`LogitLoss`].
pub trait ConvexLoss: LogitLoss {
    /// `ℓ_i(z)` for sample `i`, z of K entries.
    fn enclosure(&self, z: &[Ball], sample: usize) -> Ball;

    /// The convex conjugate `ℓ_i*(g) = sup_z <g, z> − ℓ_i(z)`, or a number above it; [`Ball::whole`] where it is (or may be) infinite.
    fn conjugate(&self, g: &[Ball], sample: usize) -> Ball;
}
