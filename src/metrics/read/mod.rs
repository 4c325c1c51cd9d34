//! Features, labels and classifiers from files: npy, npz, safetensors and CSV, in blocks.

mod array;
mod container;
mod csv;
mod npy;
mod safetensors;

pub use array::Array;
pub use container::{Container, natural_order};

use rayon::prelude::*;

use crate::linalg::vector::largest;

/// Why features, labels or weights cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// An array of a file is not what it must be.
    #[error("{path}: array `{name}`: {reason}")]
    Array { path: String, name: String, reason: String },
    /// Sizes disagree.
    #[error("{0}")]
    Shape(String),
    /// Labels that name no classes.
    #[error("labels: {0}")]
    Labels(String),
}

/// How a matrix of features is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// (N, d): a sample a row.
    SamplesByDim,
    /// (d, N): a sample a column.
    DimBySamples,
}

impl Layout {
    /// The layout in which a matrix of this shape has `samples` samples.
    ///
    /// # Errors
    /// When neither side, or both, have that size.
    pub fn of_shape(rows: u64, cols: u64, samples: u64) -> Result<Self, FeatureError> {
        match (rows == samples, cols == samples) {
            (true, false) => Ok(Layout::SamplesByDim),
            (false, true) => Ok(Layout::DimBySamples),
            (true, true) => Err(FeatureError::Shape(format!(
                "features of shape ({rows}, {cols}) with {samples} labels fit both (N, d) and (d, N); say which with --layout nd or --layout dn"
            ))),
            (false, false) => {
                Err(FeatureError::Shape(format!("features of shape ({rows}, {cols}), but {samples} labels: neither side has that size")))
            }
        }
    }
}

/// Labelled features' matrix, in memory or in a file that is read in blocks.
///
/// Guarantee: no more memory than a block, whatever the file's size, except for compressed arrays stored by columns.
#[derive(Debug)]
pub struct Features {
    samples: u64,
    dim: usize,
    epsilon: f64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Vec<f64>),
    /// Samples one after another.
    Rows(Array),
    /// Coordinates one after another, in a file or in memory.
    Columns(Array),
}

/// What is done with a block: its rows, and the index of its first sample.
pub type BlockVisitor<'a> = dyn FnMut(&mut [f64], u64) -> Result<(), FeatureError> + 'a;

/// Fills a block, from a first sample on.
type Load<'a> = dyn FnMut(u64, &mut [f64]) -> Result<(), FeatureError> + 'a;

/// Most bytes of a compressed array that must be held in memory.
const MAX_INFLATED: u64 = 1 << 30;

impl Features {
    /// Features in memory, row by row.
    ///
    /// # Errors
    /// [`FeatureError::Shape`] when the length is no multiple of a positive `dim`, or an entry is not finite.
    pub fn from_rows(rows: Vec<f64>, dim: usize) -> Result<Self, FeatureError> {
        if dim == 0 || !rows.len().is_multiple_of(dim) {
            return Err(FeatureError::Shape(format!("{} entries are no rows of dimension {dim}", rows.len())));
        }
        if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
            return Err(FeatureError::Shape(format!("entry {at} is {}; entries must be finite", rows[at])));
        }
        Ok(Features { samples: (rows.len() / dim) as u64, dim, epsilon: f64::EPSILON, source: Source::Memory(rows) })
    }

    /// Features of a matrix in a file.
    ///
    /// # Errors
    /// [`FeatureError`] for arrays that are not matrices of floating point, and empty ones.
    pub fn from_array(array: Array, layout: Layout) -> Result<Self, FeatureError> {
        let &[rows, cols] = array.shape() else {
            return Err(array.error(format!("shape {:?}, but features are a matrix", array.shape())));
        };
        let Some(epsilon) = array.epsilon() else {
            return Err(array.error(format!("{} entries; features are floating point", array.type_name())));
        };
        let (samples, dim) = if layout == Layout::SamplesByDim { (rows, cols) } else { (cols, rows) };
        if samples == 0 || dim == 0 {
            return Err(array.error(format!("shape ({rows}, {cols}) holds no features")));
        }
        let Some(dim) = usize::try_from(dim).ok().filter(|d| *d <= 1 << 28) else {
            return Err(array.error(format!("dimension {dim} is beyond any memory")));
        };
        let by_rows = array.is_row_major() == (layout == Layout::SamplesByDim);
        let source = if by_rows {
            Source::Rows(array)
        } else {
            Source::Columns(if array.is_random_access() { array } else { array.inflate(MAX_INFLATED)? })
        };
        Ok(Features { samples, dim, epsilon, source })
    }

    /// Number of samples N.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Dimension d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Machine epsilon of the features' own type.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Reads all samples in order, `rows` at a time (the last block may be shorter).
    ///
    /// # Errors
    /// [`FeatureError`] of reading, and of entries that are not finite, with their place; the first error of `visit`.
    pub fn for_each_block(&self, rows: usize, visit: &mut BlockVisitor<'_>) -> Result<(), FeatureError> {
        self.for_each_wanted(rows, &|_, _| true, visit)
    }

    /// [`Features::for_each_block`] of those blocks that are `wanted`, told by their first sample and their number of them.
    pub(super) fn for_each_wanted(
        &self,
        rows: usize,
        wanted: &dyn Fn(u64, usize) -> bool,
        visit: &mut BlockVisitor<'_>,
    ) -> Result<(), FeatureError> {
        let d = self.dim;
        let rows = rows.clamp(1, usize::try_from(self.samples).unwrap_or(usize::MAX).max(1));
        let mut buffer = vec![0.0; rows * d];
        let counts = |done: u64| ((self.samples - done).min(rows as u64)) as usize;
        // Blocks of a stream must be read to be passed over.
        let streams = matches!(&self.source, Source::Rows(array) if !array.is_random_access());
        let mut each = |load: &mut Load<'_>| {
            let mut done = 0;
            while done < self.samples {
                let count = counts(done);
                let is_wanted = wanted(done, count);
                if is_wanted || streams {
                    let block = &mut buffer[..count * d];
                    load(done, block)?;
                    if is_wanted {
                        visit(block, done)?;
                    }
                }
                done += count as u64;
            }
            Ok(())
        };
        match &self.source {
            Source::Memory(all) => each(&mut |first, block| {
                block.copy_from_slice(&all[first as usize * d..][..block.len()]);
                Ok(())
            }),
            Source::Rows(array) => array.stream(&mut |reader| {
                each(&mut |first, block| {
                    reader.read(first * d as u64, block)?;
                    check_finite(array, block, |at| (first + (at / d) as u64, (at % d) as u64))
                })
            }),
            Source::Columns(array) => {
                let mut columns = vec![0.0; rows * d];
                each(&mut |first, block| {
                    let count = block.len() / d;
                    let columns = &mut columns[..count * d];
                    let read = |(j, column): (usize, &mut [f64])| {
                        array.read_at(j as u64 * self.samples + first, column)?;
                        check_finite(array, column, |at| (first + at as u64, j as u64))
                    };
                    columns.par_chunks_mut(count).enumerate().try_for_each(read)?;
                    block.par_chunks_mut(d).enumerate().for_each(|(i, row)| {
                        row.iter_mut().enumerate().for_each(|(j, x)| *x = columns[j * count + i]);
                    });
                    Ok(())
                })
            }
        }
    }
}

fn check_finite(array: &Array, values: &[f64], place: impl Fn(usize) -> (u64, u64)) -> Result<(), FeatureError> {
    if largest(values).is_finite() {
        return Ok(());
    }
    let at = values.iter().position(|x| !x.is_finite()).unwrap_or(0);
    let (sample, coordinate) = place(at);
    Err(array.error(format!("sample {sample}, coordinate {coordinate} is {}; entries must be finite", values[at])))
}
