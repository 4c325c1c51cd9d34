use std::ops::Range;

use faer::{Mat, MatMut, MatRef};

use super::ObjectiveError;
use crate::problem::{Bias, Point, Problem};

/// Where the blocks of a point lie in one flat vector: W_1, ..., W_{p-1}, H, b, matrices column by column.
///
/// Solvers work on the flat vector; the objective views its blocks as matrices.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) classes: usize,
    pub(crate) dim: usize,
    pub(crate) samples: usize,
    /// Number of weight matrices, p − 1 >= 1.
    pub(crate) layers: usize,
    biased: bool,
}

impl Layout {
    pub(super) fn new(problem: &Problem) -> Result<Self, ObjectiveError> {
        let (classes, dim, samples) = problem.point_sizes()?;
        Ok(Self { classes, dim, samples, layers: problem.depth() - 1, biased: problem.bias != Bias::None })
    }

    /// As this, with as many samples as classes.
    pub(super) fn one_sample_per_class(self) -> Self {
        Self { samples: self.classes, ..self }
    }

    /// Number of variables.
    pub fn len(&self) -> usize {
        self.bias().end
    }

    /// Never: a problem has at least one feature.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// (rows, columns) of W_j, j from 0.
    pub(crate) fn factor_shape(&self, j: usize) -> (usize, usize) {
        (if j + 1 == self.layers { self.classes } else { self.dim }, self.dim)
    }

    pub(crate) fn factor(&self, j: usize) -> Range<usize> {
        let start = j * self.dim * self.dim;
        let (rows, cols) = self.factor_shape(j);
        start..start + rows * cols
    }

    pub(crate) fn features(&self) -> Range<usize> {
        let start = self.factor(self.layers - 1).end;
        start..start + self.dim * self.samples
    }

    pub(crate) fn bias(&self) -> Range<usize> {
        let start = self.features().end;
        start..start + if self.biased { self.classes } else { 0 }
    }

    pub(crate) fn factor_of<'a>(&self, x: &'a [f64], j: usize) -> MatRef<'a, f64> {
        let (rows, cols) = self.factor_shape(j);
        MatRef::from_column_major_slice(&x[self.factor(j)], rows, cols)
    }

    pub(crate) fn factor_mut<'a>(&self, x: &'a mut [f64], j: usize) -> MatMut<'a, f64> {
        let (rows, cols) = self.factor_shape(j);
        MatMut::from_column_major_slice_mut(&mut x[self.factor(j)], rows, cols)
    }

    pub(crate) fn features_of<'a>(&self, x: &'a [f64]) -> MatRef<'a, f64> {
        MatRef::from_column_major_slice(&x[self.features()], self.dim, self.samples)
    }

    pub(crate) fn features_mut<'a>(&self, x: &'a mut [f64]) -> MatMut<'a, f64> {
        MatMut::from_column_major_slice_mut(&mut x[self.features()], self.dim, self.samples)
    }

    /// The flat vector of a point.
    ///
    /// # Errors
    /// [`ObjectiveError::Shape`] when a block is missing or its shape is not the problem's.
    pub fn flatten(&self, point: &Point) -> Result<Vec<f64>, ObjectiveError> {
        let shape = |block: String, found: (usize, usize), expected: (usize, usize)| {
            if found == expected { Ok(()) } else { Err(ObjectiveError::Shape { block, found, expected }) }
        };
        shape("list of factors".into(), (point.factors.len(), 1), (self.layers, 1))?;
        for (j, w) in point.factors.iter().enumerate() {
            shape(format!("factor {}", j + 1), w.shape(), self.factor_shape(j))?;
        }
        shape("H".into(), point.h.shape(), (self.dim, self.samples))?;
        let b = point.b.as_deref().unwrap_or_default();
        shape("b".into(), (b.len(), 1), (self.bias().len(), 1))?;
        let mut x = Vec::with_capacity(self.len());
        for mat in point.factors.iter().chain([&point.h]) {
            for column in mat.col_iter() {
                x.extend(column.iter());
            }
        }
        x.extend_from_slice(b);
        Ok(x)
    }

    /// The point of a flat vector.
    pub fn point(&self, x: &[f64]) -> Point {
        let own = |m: MatRef<'_, f64>| -> Mat<f64> { m.to_owned() };
        Point {
            factors: (0..self.layers).map(|j| own(self.factor_of(x, j))).collect(),
            h: own(self.features_of(x)),
            b: self.biased.then(|| x[self.bias()].to_vec()),
        }
    }
}
