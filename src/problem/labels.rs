//! Which samples have which labels, and the groups of samples that share a target.

use super::{Problem, spec};

/// Which samples have which labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// `classes` >= 2 classes of `per_class` >= 1 samples each.
    Balanced { classes: u64, per_class: u64 },
    /// n_k >= 1 samples in class k, at least two classes.
    Counts(Vec<u64>),
    /// Multi-label: for each multiplicity m (1 <= m <= classes) the number of samples of every m-tag set, ascending in m.
    TagSets { classes: u64, per_tag_set: Vec<(u64, u64)> },
    /// Multi-label, any data: distinct tag sets (classes from 0, strictly ascending) with the number of samples of each.
    Tagged { classes: u64, sets: Vec<(Vec<u64>, u64)> },
}

/// Samples that share a target: `count` columns of H in a row, whose tags are `tags` (one class unless multi-label).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub tags: Vec<usize>,
    pub count: u64,
}

impl Labels {
    /// The groups in the order of H's columns: classes in order; tag sets by multiplicity, then lexicographically; listed tag sets as
    /// listed. Callers bound N first (see [`Problem::point_sizes`]): a problem may name more groups than fit in memory.
    pub fn groups(&self) -> Vec<Group> {
        let single = |(class, count): (usize, u64)| Group { tags: vec![class], count };
        match self {
            Labels::Balanced { classes, per_class } => (0..*classes as usize).map(|k| single((k, *per_class))).collect(),
            Labels::Counts(counts) => counts.iter().copied().enumerate().map(single).collect(),
            Labels::TagSets { classes, per_tag_set } => {
                let mut groups = vec![];
                for &(m, count) in per_tag_set {
                    let mut tags: Vec<usize> = (0..m as usize).collect();
                    loop {
                        groups.push(Group { tags: tags.clone(), count });
                        if !next_set(&mut tags, *classes as usize) {
                            break;
                        }
                    }
                }
                groups
            }
            Labels::Tagged { sets, .. } => {
                let group = |(tags, count): &(Vec<u64>, u64)| Group { tags: tags.iter().map(|&t| t as usize).collect(), count: *count };
                sets.iter().map(group).collect()
            }
        }
    }
}

impl Problem {
    /// Number of classes K.
    pub fn classes(&self) -> u64 {
        match &self.labels {
            Labels::Balanced { classes, .. } | Labels::TagSets { classes, .. } | Labels::Tagged { classes, .. } => *classes,
            Labels::Counts(counts) => counts.len() as u64,
        }
    }

    /// Number of samples N (at most 2^63, checked when the problem was read).
    pub fn samples(&self) -> u64 {
        match &self.labels {
            Labels::Balanced { classes, per_class } => classes * per_class,
            Labels::Counts(counts) => counts.iter().sum(),
            Labels::TagSets { classes, per_tag_set } => {
                per_tag_set.iter().map(|&(m, q)| spec::binomial(*classes, m).unwrap_or(u64::MAX).saturating_mul(q)).sum()
            }
            Labels::Tagged { sets, .. } => sets.iter().map(|(_, count)| count).sum(),
        }
    }

    /// The common class size n when all classes have one, whether it was written `per_class` or `class_counts`.
    pub fn per_class(&self) -> Option<u64> {
        match &self.labels {
            Labels::Balanced { per_class, .. } => Some(*per_class),
            Labels::Counts(counts) if counts.windows(2).all(|w| w[0] == w[1]) => counts.first().copied(),
            _ => None,
        }
    }

    /// The class sizes n_1..n_K, one entry per class; `None` for tag sets. Callers bound K first
    /// (see [`Problem::point_sizes`]): a balanced problem may name more classes than fit in memory.
    pub fn class_counts(&self) -> Option<Vec<u64>> {
        match &self.labels {
            Labels::Balanced { classes, per_class } => Some(vec![*per_class; *classes as usize]),
            Labels::Counts(counts) => Some(counts.clone()),
            Labels::TagSets { .. } | Labels::Tagged { .. } => None,
        }
    }
}

/// The next subset of {0, ..., k−1} of the same size in lexicographic order; false after the last.
pub(crate) fn next_set(set: &mut [usize], k: usize) -> bool {
    let m = set.len();
    let Some(i) = (0..m).rev().find(|&i| set[i] < k - m + i) else { return false };
    set[i] += 1;
    for j in i + 1..m {
        set[j] = set[j - 1] + 1;
    }
    true
}
