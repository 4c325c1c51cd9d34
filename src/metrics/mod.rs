//! Measures of neural collapse.

mod layers;
mod point;

pub use layers::{LayerMetrics, RANK_TOLERANCE, layers};
pub use point::{PointMetrics, point_metrics};
