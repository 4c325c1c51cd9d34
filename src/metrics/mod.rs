//! Measures of neural collapse.

mod point;

pub use point::{PointMetrics, point_metrics};
