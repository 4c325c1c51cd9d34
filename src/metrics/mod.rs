//! Measures of neural collapse: of points of a problem, and of features that come from files.

mod accumulate;
mod agreement;
mod bounded;
mod convention;
mod duality;
mod geometry;
mod measure;
mod moments;
mod point;
mod read;
mod rows;
mod separation;
mod variability;

pub use accumulate::Accumulator;
pub use bounded::Bounded;
pub use convention::Convention;
pub use measure::{Classifier, Measured, Metric, Progress, measure};
pub use moments::{Centre, Moments};
pub use point::{PointMetrics, point_metrics};
pub use read::{Array, Container, FeatureError, Features, Layout, natural_order};
