//! What is minimised: the problem, its labels and parameters, and points of it.

pub(crate) mod exact;
mod labels;
pub mod loss;
pub(crate) mod npz;
mod objective;
mod point;
mod spec;

pub(crate) use labels::next_set;
pub use labels::{Group, Labels};
pub use objective::{Evaluation, Layout, Objective, ObjectiveError, evaluate, hessian_product};
pub use point::{Dyadic, ExactPoint, Point, PointError, write_new};
pub use spec::{RawSpec, SpecError};
pub(crate) use spec::{decimal_text, shorten, syntax};

use crate::scalar::Rational;

/// A problem with exact parameters, validated: every field is in the range its documentation states.
///
/// The objective of each model is in the crate's theory: for the plain model
///
/// `f(W,H,b) = L(WH + b 1ᵀ) + λ_W/2 ‖W‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖²`.
///
/// ```
/// use ufm::problem::Problem;
/// let p = Problem::from_toml(r#"
///     model = "plain"
///     loss = "mse"
///     bias = "none"
///     classes = 4
///     per_class = 50
///     dim = 20
///     lambda_w = "0.005"
///     lambda_h = "0.001"
/// "#).unwrap();
/// assert_eq!(p.samples(), 200);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub model: Model,
    pub loss: Loss,
    pub bias: Bias,
    pub labels: Labels,
    /// Feature dimension d >= 1 (for deep models the width of every hidden layer too).
    pub dim: u64,
}

/// The model, with the parameters that belong to it alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// `W H + b 1ᵀ`, weights λ_W, λ_H > 0.
    Plain { lambda_w: Rational, lambda_h: Rational },
    /// `W_{p-1} ⋯ W_1 H`, one λ per factor from H outwards (H, W_1, ..., W_{p-1}), p >= 2.
    DeepLinear { lambdas: Vec<Rational> },
    /// `W_{p-1} relu(W_{p-2} ⋯ relu(W_1 H))`; no ReLU acts on H itself.
    DeepRelu { lambdas: Vec<Rational> },
    /// Rows of W and columns of H on unit spheres, logits scaled by the temperature.
    Sphere { temperature: Rational },
    /// Plain model with tag sets instead of single labels.
    MultiLabel { lambda_w: Rational, lambda_h: Rational },
}

/// The loss; parameters are exact.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// `‖Z − Y‖² / (2N)`.
    Mse,
    /// `(1/N) Σ_i CE(z_i, y_i)`.
    Ce,
    /// Cross-entropy against `(1−α) e_y + (α/K) 1`, α in [0, 1].
    LabelSmoothing { smoothing: Rational },
    /// Focal loss with focusing γ >= 0.
    Focal { focusing: Rational },
    /// Pick-all-labels cross-entropy.
    PickAllLabels,
}

/// How the bias enters.
#[derive(Debug, Clone, PartialEq)]
pub enum Bias {
    /// b = 0.
    None,
    /// b free, λ_b = 0.
    Free,
    /// λ_b > 0.
    Regularized { lambda_b: Rational },
}

impl Problem {
    /// The weights, from H outwards: (λ_H, λ_W) for plain and multi-label, `lambdas` for deep, none for sphere.
    pub fn lambdas(&self) -> Vec<&Rational> {
        match &self.model {
            Model::Plain { lambda_w, lambda_h } | Model::MultiLabel { lambda_w, lambda_h } => vec![lambda_h, lambda_w],
            Model::DeepLinear { lambdas } | Model::DeepRelu { lambdas } => lambdas.iter().collect(),
            Model::Sphere { .. } => vec![],
        }
    }

    /// Whether the model is a deep linear one: by name, or because two factors have no hidden layer for a ReLU.
    pub(crate) fn is_deep_linear(&self) -> bool {
        matches!(self.model, Model::DeepLinear { .. }) || (matches!(self.model, Model::DeepRelu { .. }) && self.depth() == 2)
    }

    /// Number of factors p (2 for plain, sphere, multi-label).
    pub fn depth(&self) -> usize {
        match &self.model {
            Model::DeepLinear { lambdas } | Model::DeepRelu { lambdas } => lambdas.len(),
            _ => 2,
        }
    }

    /// (K, d, N) as sizes of a point, when a point of this problem fits in this machine's memory.
    ///
    /// # Errors
    /// [`SpecError::TooLarge`] otherwise, before anything of that size is allocated.
    pub fn point_sizes(&self) -> Result<(usize, usize, usize), SpecError> {
        spec::point_sizes(self, size_of::<f64>() as u64)
    }

    /// As [`Problem::point_sizes`], entries of `bits` bits each.
    ///
    /// # Errors
    /// As [`Problem::point_sizes`].
    pub fn point_sizes_at(&self, bits: u32) -> Result<(usize, usize, usize), SpecError> {
        // A GMP integer: its header, its limbs, and the allocator's own.
        spec::point_sizes(self, u64::from(bits.div_ceil(64)) * 8 + 40)
    }
}
