use super::{Layout, ObjectiveError};
use crate::problem::Problem;

/// The groups of samples that share a target, as solvers need them.
pub(crate) struct Targets {
    /// The group of each sample.
    pub labels: Vec<u32>,
    /// The tags of each group: its class, unless multi-label.
    pub tags: Vec<Vec<u32>>,
    /// The samples of each group.
    pub counts: Vec<u64>,
}

impl Targets {
    /// The layout's sizes have passed the memory limit, so that one entry per sample may be allocated.
    pub fn new(problem: &Problem, layout: &Layout) -> Result<Self, ObjectiveError> {
        let unsupported = |what: &str| Err(ObjectiveError::Unsupported { what: what.into() });
        if u32::try_from(layout.classes.max(layout.samples)).is_err() {
            return unsupported("more than 2^32 classes or samples");
        }
        let groups = problem.labels.groups();
        let labels = groups.iter().zip(0u32..).flat_map(|(group, index)| std::iter::repeat_n(index, group.count as usize));
        Ok(Targets {
            labels: labels.collect(),
            tags: groups.iter().map(|g| g.tags.iter().map(|&t| t as u32).collect()).collect(),
            counts: groups.iter().map(|g| g.count).collect(),
        })
    }
}
