//! What the accumulators leave: class means, variances and the within-class scatter, with error bounds.

use faer::Mat;

use super::bounded::{Bounded, sum};
use super::rows::Rows;

/// Moments of labelled features; see [`Accumulator`](super::Accumulator).
#[derive(Debug, Clone)]
pub struct Moments {
    pub(crate) dim: usize,
    pub(crate) counts: Vec<u64>,
    /// A sample: the origin of `means`.
    pub(crate) reference: Vec<f64>,
    /// Class means less the reference, row by row.
    pub(crate) means: Vec<f64>,
    /// Bounds on the errors of `means` in norm.
    pub(crate) mean_errors: Vec<f64>,
    pub(crate) variances: Vec<Bounded>,
    /// Upper bounds of `max ‖h − h̄_k‖`.
    pub(crate) reach: Vec<f64>,
    /// `Σ (h − h̄)(h − h̄)ᵀ = N S_W`; `None` in dimensions whose square is out of reach.
    pub(crate) scatter: Option<Mat<f64>>,
    /// Bound on its error in Frobenius norm.
    pub(crate) scatter_error: f64,
}

/// What the class means are centred by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    /// The mean of the class means.
    Classes,
    /// The mean of all samples: classes weighted by their counts.
    Samples,
}

impl Moments {
    /// Number of classes K.
    pub fn classes(&self) -> usize {
        self.counts.len()
    }

    /// Number of samples N.
    pub fn samples(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// `v_k = (1/n_k) Σ‖h − h̄_k‖²`.
    pub fn variance(&self, class: usize) -> Bounded {
        self.variances[class]
    }

    /// `tr S_W = Σ n_k v_k / N`.
    pub fn within_trace(&self) -> Bounded {
        let terms = self.counts.iter().zip(&self.variances).map(|(&n, &v)| Bounded::exact(n as f64) * v);
        sum(terms) / Bounded::exact(self.samples() as f64)
    }

    /// Class means about the reference sample.
    pub(crate) fn shifted_means(&self) -> Rows {
        Rows::new(self.means.clone(), self.dim, self.mean_errors.clone())
    }

    /// Class means less their centre.
    pub(crate) fn centred_means(&self, centre: Centre) -> Rows {
        let weights: Vec<f64> = match centre {
            Centre::Classes => vec![1.0; self.classes()],
            Centre::Samples => self.counts.iter().map(|&n| n as f64).collect(),
        };
        let rows = self.shifted_means();
        let middle = rows.weighted_mean(&weights);
        rows.less(&middle)
    }

    /// The centre itself, about the origin of the data.
    pub(crate) fn centre(&self, centre: Centre) -> Rows {
        let weights: Vec<f64> = match centre {
            Centre::Classes => vec![1.0; self.classes()],
            Centre::Samples => self.counts.iter().map(|&n| n as f64).collect(),
        };
        self.shifted_means().weighted_mean(&weights).plus(&self.reference)
    }

    /// Class means about the origin of the data.
    pub(crate) fn plain_means(&self) -> Rows {
        self.shifted_means().plus(&self.reference)
    }
}
