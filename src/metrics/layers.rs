//! Intermediate collapse: what a network's layers say together.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};

use super::measure::Measured;
use crate::linalg::thin_svd;

/// A matrix W (rows, cols) that maps one layer's features to the next, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerMap {
    /// Rows: the dimension of the next layer, K for the classifier.
    pub rows: usize,
    /// Columns: the dimension of this layer.
    pub cols: usize,
    /// Entries, row by row.
    pub weights: Vec<f64>,
}

/// What a layer's outgoing weights say beside its class means; in double precision, without error bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct MapMetrics {
    /// `‖W‖_F²/‖W‖²`.
    pub stable_rank: f64,
    /// `exp(−Σ p_i ln p_i)`, `p_i = s_i/Σ s`.
    pub effective_rank: f64,
    /// Cosines of the principal angles between the span of the centred class means (dimension r = min(d, K−1)) and the span of the
    /// r leading right singular vectors of W, largest first; fewer when W has fewer rows. All are one when the weights read exactly
    /// what the class means span.
    pub principal_cosines: Vec<f64>,
}

/// Ranks of the weights, and principal angles with the class means of the layer that feeds them.
///
/// `None` when the columns are not the layer's dimension or a decomposition fails.
///
/// Source: A. Rangamani et al., *ICML* (2023); Å. Björck and G. Golub, *Math. Comp.* 27 (1973).
pub fn map_metrics(layer: &Measured, map: &LayerMap) -> Option<MapMetrics> {
    if map.cols != layer.dim || map.weights.len() != map.rows * map.cols || map.weights.is_empty() {
        return None;
    }
    let w = faer::MatRef::from_row_major_slice(&map.weights, map.rows, map.cols);
    let (_, s, v) = thin_svd(w)?;
    let total: f64 = s.iter().sum();
    if total == 0.0 {
        return None;
    }
    let entropy: f64 = s.iter().map(|x| x / total).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    let means = &layer.mean_directions.as_ref()?.u;
    let top = v.subcols(0, means.ncols().min(v.ncols()));
    let mut overlap = Mat::<f64>::zeros(means.ncols(), top.ncols());
    matmul(overlap.as_mut(), Accum::Replace, means.transpose(), top, 1.0, Par::Seq);
    let (_, cosines, _) = thin_svd(overlap.as_ref())?;
    Some(MapMetrics {
        stable_rank: s.iter().map(|x| (x / s[0]).powi(2)).sum(),
        effective_rank: entropy.exp(),
        principal_cosines: cosines.into_iter().map(|c| c.min(1.0)).collect(),
    })
}

/// The first layer (from 0) whose nearest-class-mean error is within `tolerance` of the last layer's: from there on the network only
/// refines what a nearest-class-mean rule already knows. `None` for no layers, or one without that metric.
///
/// Source: T. Galanti, L. Galanti and I. Ben-Shaul, *On the implicit bias towards minimal depth of deep neural networks* (2022).
pub fn effective_depth<'a>(layers: impl IntoIterator<Item = &'a Measured>, tolerance: f64) -> Option<usize> {
    let errors: Vec<f64> = layers.into_iter().map(|m| m.get("ncc_error").map(|e| e.value)).collect::<Option<_>>()?;
    let last = *errors.last()?;
    errors.iter().position(|e| *e <= last + tolerance)
}
