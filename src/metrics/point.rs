use crate::problem::{Point, Problem};

/// Collapse metrics of a point.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PointMetrics {
    pub nc1: Option<f64>,
    pub nc2_etf: Option<f64>,
    pub nc2_of: Option<f64>,
    pub nc3: Option<f64>,
}

pub fn point_metrics(_problem: &Problem, _point: &Point) -> PointMetrics {
    PointMetrics::default()
}
