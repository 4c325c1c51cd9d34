//! The product of unit spheres that rows of W and columns of H lie on: gradients, Hessian products and steps on it.

use std::ops::Range;

use super::{Layout, ObjectiveError};

/// With g the gradient of the objective at x, one multiplier `<g_j, x_j>` for each row of W and each column of H: the Riemannian
/// gradient is `g_j − <g_j, x_j> x_j`, and the Riemannian Hessian product of a tangent direction v, h being the Euclidean one,
/// `h_j − <h_j, x_j> x_j − <g_j, x_j> v_j`.
///
/// Source: P.-A. Absil, R. Mahony and R. Sepulchre, *Optimization Algorithms on Matrix Manifolds* (2008), sections 3.6 and 5.3.
pub(super) struct Spheres {
    /// At the point evaluated last, and at the one accepted last.
    trial: Vec<f64>,
    accepted: Vec<f64>,
    products: Vec<f64>,
}

impl Spheres {
    pub fn new(layout: &Layout) -> Self {
        let multipliers = || vec![0.0; layout.classes + layout.samples];
        Spheres { trial: multipliers(), accepted: multipliers(), products: multipliers() }
    }

    /// Replaces the gradient at x by its tangent part.
    pub fn project_gradient(&mut self, layout: &Layout, x: &[f64], g: &mut [f64]) {
        inner_products(layout, x, g, &mut self.trial);
        subtract(layout, &self.trial, x, g);
    }

    pub fn accept(&mut self) {
        std::mem::swap(&mut self.accepted, &mut self.trial);
    }

    /// Replaces the Euclidean Hessian product of the tangent direction v by the Riemannian one.
    pub fn project_hessian(&mut self, layout: &Layout, x: &[f64], v: &[f64], product: &mut [f64]) {
        inner_products(layout, x, product, &mut self.products);
        subtract(layout, &self.products, x, product);
        subtract(layout, &self.accepted, v, product);
    }
}

/// Turns x in one block, W or H, to the directions of `θ‖g_j‖ x_j − g_j`; g is overwritten.
///
/// # Errors
/// As [`normalise`].
pub(super) fn turn(layout: &Layout, block: Range<usize>, damping: f64, x: &mut [f64], g: &mut [f64]) -> Result<(), ObjectiveError> {
    let mut lengths = vec![0.0; layout.classes + layout.samples];
    inner_products(layout, g, g, &mut lengths);
    lengths.iter_mut().for_each(|square| *square = damping * square.sqrt());
    subtract(layout, &lengths, x, g);
    for (x, g) in x[block.clone()].iter_mut().zip(&g[block]) {
        *x = -g;
    }
    normalise(layout, x)
}

/// `v_j − <v_j, x_j> x_j` in place of v.
pub(super) fn project(layout: &Layout, x: &[f64], v: &mut [f64]) {
    let mut products = vec![0.0; layout.classes + layout.samples];
    inner_products(layout, x, v, &mut products);
    subtract(layout, &products, x, v);
}

/// `<a_j, b_j>` for each row of W, then for each column of H.
fn inner_products(layout: &Layout, a: &[f64], b: &[f64], out: &mut [f64]) {
    let (rows, columns) = out.split_at_mut(layout.classes);
    rows.fill(0.0);
    let (weights, features) = (layout.factor(0), layout.features());
    for (a, b) in a[weights.clone()].chunks_exact(layout.classes).zip(b[weights].chunks_exact(layout.classes)) {
        for (sum, (a, b)) in rows.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let pairs = a[features.clone()].chunks_exact(layout.dim).zip(b[features].chunks_exact(layout.dim));
    for (out, (a, b)) in columns.iter_mut().zip(pairs) {
        *out = crate::linalg::vector::dot(a, b, false);
    }
}

/// `y_j − c_j x_j` in place of y.
fn subtract(layout: &Layout, c: &[f64], x: &[f64], y: &mut [f64]) {
    let (rows, columns) = c.split_at(layout.classes);
    let (weights, features) = (layout.factor(0), layout.features());
    for (y, x) in y[weights.clone()].chunks_exact_mut(layout.classes).zip(x[weights].chunks_exact(layout.classes)) {
        for (y, (x, c)) in y.iter_mut().zip(x.iter().zip(rows)) {
            *y -= c * x;
        }
    }
    let pairs = y[features.clone()].chunks_exact_mut(layout.dim).zip(x[features].chunks_exact(layout.dim));
    for (c, (y, x)) in columns.iter().zip(pairs) {
        for (y, x) in y.iter_mut().zip(x) {
            *y -= c * x;
        }
    }
}

/// The retraction: every row of W and column of H divided by its length. Largest entries are brought to one first, so that no
/// square overflows.
///
/// # Errors
/// [`ObjectiveError::Direction`] for one that is zero or not finite.
pub(super) fn normalise(layout: &Layout, x: &mut [f64]) -> Result<(), ObjectiveError> {
    let k = layout.classes;
    let weights = &mut x[layout.factor(0)];
    let mut scale = vec![0.0f64; k];
    let each = |weights: &mut [f64], f: &mut dyn FnMut(usize, &mut f64)| {
        weights.chunks_exact_mut(k).for_each(|column| column.iter_mut().enumerate().for_each(|(i, x)| f(i, x)));
    };
    each(weights, &mut |i, x| scale[i] = if x.abs() <= scale[i] { scale[i] } else { x.abs() });
    let usable = |size: f64| size > 0.0 && size.is_finite();
    if let Some(row) = scale.iter().position(|&s| !usable(s)) {
        return Err(ObjectiveError::Direction { block: format!("row {} of W", row + 1) });
    }
    let mut square = vec![0.0f64; k];
    each(weights, &mut |i, x| {
        *x /= scale[i];
        square[i] += *x * *x;
    });
    square.iter_mut().for_each(|s| *s = s.sqrt());
    each(weights, &mut |i, x| *x /= square[i]);
    for (i, h) in x[layout.features()].chunks_exact_mut(layout.dim).enumerate() {
        let size = h.iter().fold(0.0f64, |m, x| if x.abs() <= m { m } else { x.abs() });
        if !usable(size) {
            return Err(ObjectiveError::Direction { block: format!("column {} of H", i + 1) });
        }
        h.iter_mut().for_each(|x| *x /= size);
        let length = crate::linalg::vector::norm(h, false);
        h.iter_mut().for_each(|x| *x /= length);
    }
    Ok(())
}
