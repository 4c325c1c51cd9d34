//! Measures of neural collapse: of points of a problem, and of features that come from files.

mod accumulate;
mod agreement;
mod bounded;
mod catalogue;
mod convention;
mod deep;
mod duality;
mod geometry;
mod layers;
mod measure;
mod moments;
mod point;
mod portrait;
mod read;
mod rows;
mod separation;
mod ties;
mod variability;

pub use accumulate::Accumulator;
pub use bounded::Bounded;
pub use catalogue::formula;
pub use convention::Convention;
pub use deep::{LayerMetrics, RANK_TOLERANCE, layers};
pub use layers::{LayerMap, MapMetrics, effective_depth, map_metrics};
pub use measure::{Classifier, Measured, Metric, Progress, measure, measure_and_draw};
pub use moments::{Centre, Moments};
pub use point::{PointMetrics, point_metrics};
pub use portrait::{Picture, Portrait};
pub use read::{Array, BlockVisitor, Container, FeatureError, Features, Layout, natural_order};
