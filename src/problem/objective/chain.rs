use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::{Layout, ObjectiveError, Targets, spheres, spheres::Spheres};
use crate::linalg::vector;
use crate::problem::{Bias, Model, Problem, loss::LogitLoss};

/// `f(x) = L(Z) + Σ_j λ_j/2 ‖W_j‖² + λ_H/2 ‖H‖² + λ_b/2 ‖b‖²` with `Z = W_{m} S_{m-1} + b 1ᵀ`, `S_0 = H`, `S_j = σ(W_j S_{j-1})`,
/// σ the identity (plain, deep linear) or ReLU (deep ReLU); every buffer is allocated once.
///
/// With `D_m = L'(Z)` and `D_{j-1} = σ' ∘ (W_jᵀ D_j)` the gradient is `D_j S_{j-1}ᵀ + λ_j W_j` in W_j, `D_0 + λ_H H` in H and
/// `D_m 1 + λ_b b` in b. Along a direction, dots denoting derivatives, `Ż_j = Ẇ_j S_{j-1} + W_j Ṡ_{j-1}`, `Ḋ_m = L''(Z)[Ż]`,
/// `Ḋ_{j-1} = σ' ∘ (Ẇ_jᵀ D_j + W_jᵀ Ḋ_j)`, and the Hessian product is `Ḋ_j S_{j-1}ᵀ + D_j Ṡ_{j-1}ᵀ + λ_j Ẇ_j`, and so on.
///
/// Sphere: `Z = τ W H` with rows of W and columns of H of length one, no regulariser; gradient and Hessian product are the
/// Riemannian ones (see `spheres`).
pub struct Objective {
    layout: Layout,
    lambdas: Vec<f64>,
    lambda_h: f64,
    lambda_b: f64,
    relu: bool,
    /// τ of the sphere model, otherwise 1: every product of a weight matrix is scaled by it.
    gain: f64,
    spheres: Option<Spheres>,
    loss: Box<dyn LogitLoss>,
    /// Whether the loss is the squared error.
    squared: bool,
    targets: Targets,
    par: Par,
    /// At the last accepted point, and at the point evaluated last.
    accepted: State,
    trial: State,
    /// Derivatives of S_1, ..., S_{m-1} and Z along a direction, then of the D_j.
    tangents: Vec<Vec<f64>>,
    partials: Vec<f64>,
    /// Gradients evaluated and Hessian products formed so far.
    pub gradients: u64,
    pub products: u64,
}

/// What a Hessian product needs from the point: `hidden[j-1] = S_j`, `errors[j-1] = D_j` for j >= 1.
struct State {
    hidden: Vec<Vec<f64>>,
    errors: Vec<Vec<f64>>,
    /// Z, bias included, where the loss asks for it; otherwise empty.
    logits: Vec<f64>,
}

/// Below this many floating-point operations in one matrix product a second thread costs more than it saves.
const PARALLEL_FLOPS: f64 = 8e6;
/// Entries of a block of logits: small enough to stay in the first two cache levels.
const BLOCK: usize = 1 << 13;

impl Objective {
    pub(super) fn build(
        problem: &Problem,
        layout: Layout,
        targets: Targets,
        loss: Box<dyn LogitLoss>,
        squared: bool,
        threads: Option<usize>,
    ) -> Self {
        let mut lambdas: Vec<f64> = problem.lambdas().iter().map(|l| l.to_f64()).collect();
        let gain = if let Model::Sphere { temperature } = &problem.model {
            lambdas = vec![0.0; 2];
            temperature.to_f64()
        } else {
            1.0
        };
        let lambda_h = lambdas.remove(0);
        let lambda_b = if let Bias::Regularized { lambda_b } = &problem.bias { lambda_b.to_f64() } else { 0.0 };
        let flops = 2.0 * layout.classes as f64 * layout.dim as f64 * layout.samples as f64;
        let par = match threads {
            Some(1) => Par::Seq,
            _ if flops < PARALLEL_FLOPS => Par::Seq,
            other => Par::rayon(other.unwrap_or(0)),
        };
        let buffers = |with_logits: bool| -> Vec<Vec<f64>> {
            let hidden = std::iter::repeat_n(layout.dim, layout.layers - 1);
            hidden.chain(with_logits.then_some(layout.classes)).map(|rows| vec![0.0; rows * layout.samples]).collect()
        };
        let kept = if loss.keeps_logits() { layout.classes * layout.samples } else { 0 };
        let state = || State { hidden: buffers(false), errors: buffers(true), logits: vec![0.0; kept] };
        let blocks = layout.samples.div_ceil(block_columns(layout.classes));
        Self {
            accepted: state(),
            trial: state(),
            tangents: buffers(true),
            partials: vec![0.0; blocks],
            relu: matches!(problem.model, Model::DeepRelu { .. }),
            gain,
            spheres: matches!(problem.model, Model::Sphere { .. }).then(|| Spheres::new(&layout)),
            layout,
            lambdas,
            lambda_h,
            lambda_b,
            loss,
            squared,
            targets,
            par,
            gradients: 0,
            products: 0,
        }
    }

    /// Where the variables lie in the flat vector.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn par(&self) -> Par {
        self.par
    }

    /// Whether long vectors are worth several threads.
    pub(crate) fn parallel(&self) -> bool {
        self.par != Par::Seq
    }

    pub(crate) fn targets(&self) -> &Targets {
        &self.targets
    }

    pub(crate) fn relu(&self) -> bool {
        self.relu
    }

    pub(crate) fn squared(&self) -> bool {
        self.squared
    }

    /// The loss gradient at the point evaluated last, sample by sample.
    pub(crate) fn errors(&self) -> &[f64] {
        &self.trial.errors[self.layout.layers - 1]
    }

    pub(crate) fn loss(&self) -> &dyn LogitLoss {
        self.loss.as_ref()
    }

    /// λ_j of the j-th factor.
    pub(crate) fn lambda(&self, j: usize) -> f64 {
        self.lambdas[j]
    }

    pub(crate) fn lambda_h(&self) -> f64 {
        self.lambda_h
    }

    pub(crate) fn lambda_b(&self) -> f64 {
        self.lambda_b
    }

    /// f(x), with its gradient in `g`. Both have [`Layout::len`] entries.
    pub fn value_gradient(&mut self, x: &[f64], g: &mut [f64]) -> f64 {
        self.gradients += 1;
        let regulariser = self.regularise(x, g);
        self.forward(x);
        let loss = self.loss_gradient(x);
        let (layout, par, m) = (&self.layout, self.par, self.layout.layers);
        if !layout.bias().is_empty() {
            let bias = &mut g[layout.bias()];
            for column in self.trial.errors[m - 1].chunks_exact(layout.classes) {
                for (g, c) in bias.iter_mut().zip(column) {
                    *g += c;
                }
            }
        }
        for j in (0..m).rev() {
            let (below, above) = self.trial.errors.split_at_mut(j);
            let d = columns(&above[0], layout.factor_shape(j).0);
            let s = if j == 0 { layout.features_of(x) } else { columns(&self.trial.hidden[j - 1], layout.dim) };
            matmul(layout.factor_mut(g, j), Accum::Add, d, s.transpose(), self.gain, par);
            let w = layout.factor_of(x, j).transpose();
            if j == 0 {
                matmul(layout.features_mut(g), Accum::Add, w, d, self.gain, par);
            } else {
                matmul(columns_mut(&mut below[j - 1], layout.dim), Accum::Replace, w, d, self.gain, par);
                if self.relu {
                    mask(&mut below[j - 1], &self.trial.hidden[j - 1]);
                }
            }
        }
        if let Some(spheres) = &mut self.spheres {
            spheres.project_gradient(&self.layout, x, g);
        }
        loss + regulariser
    }

    /// Brings variables that a step left back to where the model wants them: sphere: rows of W and columns of H to length one.
    ///
    /// # Errors
    /// [`ObjectiveError::Direction`] for a row or column that has no direction.
    pub fn retract(&self, x: &mut [f64]) -> Result<(), ObjectiveError> {
        if self.spheres.is_some() { spheres::normalise(&self.layout, x) } else { Ok(()) }
    }

    /// Removes from v what is not tangent at x (sphere; nothing for the other models).
    pub fn project(&self, x: &[f64], v: &mut [f64]) {
        if self.spheres.is_some() {
            spheres::project(&self.layout, x, v);
        }
    }

    /// One sweep of alternating steps on the sphere: the columns of H, then the rows of W, each to the direction of `θ‖g_j‖ x_j − g_j`,
    /// g the gradient in it and θ the damping. Returns the objective at the old x; `g` is scratch.
    ///
    /// # Errors
    /// [`ObjectiveError::Direction`] for a row or column that is left without direction.
    pub(crate) fn alternate(&mut self, x: &mut [f64], g: &mut [f64], damping: f64) -> Result<f64, ObjectiveError> {
        self.gradients += 2;
        self.forward(x);
        let before = self.loss_gradient(x);
        let (layout, par, gain) = (&self.layout, self.par, self.gain);
        let errors = columns(&self.trial.errors[0], layout.classes);
        matmul(layout.features_mut(g), Accum::Replace, layout.factor_of(x, 0).transpose(), errors, gain, par);
        spheres::turn(layout, layout.features(), damping, x, g)?;
        self.forward(x);
        self.loss_gradient(x);
        let layout = &self.layout;
        let errors = columns(&self.trial.errors[0], layout.classes);
        matmul(layout.factor_mut(g, 0), Accum::Replace, errors, layout.features_of(x).transpose(), gain, par);
        spheres::turn(layout, layout.factor(0), damping, x, g)?;
        Ok(before)
    }

    /// Makes the point evaluated last the one that Hessian products belong to.
    pub fn accept(&mut self) {
        std::mem::swap(&mut self.accepted, &mut self.trial);
        if let Some(spheres) = &mut self.spheres {
            spheres.accept();
        }
    }

    /// The Hessian at the accepted point x applied to v (sphere: to a tangent v).
    pub fn hessian_product(&mut self, x: &[f64], v: &[f64], out: &mut [f64]) {
        self.products += 1;
        self.regularise_product(v, out);
        let (layout, par, m) = (&self.layout, self.par, self.layout.layers);
        for j in 0..m {
            let (below, above) = self.tangents.split_at_mut(j);
            let mut z = columns_mut(&mut above[0], layout.factor_shape(j).0);
            let s = if j == 0 { layout.features_of(x) } else { columns(&self.accepted.hidden[j - 1], layout.dim) };
            let ds = if j == 0 { layout.features_of(v) } else { columns(&below[j - 1], layout.dim) };
            matmul(z.as_mut(), Accum::Replace, layout.factor_of(v, j), s, self.gain, par);
            matmul(z, Accum::Add, layout.factor_of(x, j), ds, self.gain, par);
            if self.relu && j + 1 < m {
                mask(&mut above[0], &self.accepted.hidden[j]);
            }
        }
        let db = &v[layout.bias()];
        let (loss, g, k) = (self.loss.as_ref(), &self.accepted.errors[m - 1], layout.classes);
        let columns_each = block_columns(k);
        let logits = &self.accepted.logits;
        let one = |(index, (dz, g)): (usize, (&mut [f64], &[f64]))| {
            add_bias(dz, db);
            let start = index * columns_each * k;
            let z = if logits.is_empty() { &[][..] } else { &logits[start..start + dz.len()] };
            loss.curvature(z, g, dz, index * columns_each);
        };
        let block = columns_each * k;
        let dz = &mut self.tangents[m - 1];
        if par != Par::Seq {
            dz.par_chunks_mut(block).zip(g.par_chunks(block)).enumerate().for_each(one);
        } else {
            dz.chunks_mut(block).zip(g.chunks(block)).enumerate().for_each(one);
        }
        if !db.is_empty() {
            let out = &mut out[layout.bias()];
            for column in self.tangents[m - 1].chunks_exact(k) {
                for (o, c) in out.iter_mut().zip(column) {
                    *o += c;
                }
            }
        }
        for j in (0..m).rev() {
            let (below, above) = self.tangents.split_at_mut(j);
            let rows = layout.factor_shape(j).0;
            let (dd, d) = (columns(&above[0], rows), columns(&self.accepted.errors[j], rows));
            let s = if j == 0 { layout.features_of(x) } else { columns(&self.accepted.hidden[j - 1], layout.dim) };
            let ds = if j == 0 { layout.features_of(v) } else { columns(&below[j - 1], layout.dim) };
            matmul(layout.factor_mut(out, j), Accum::Add, dd, s.transpose(), self.gain, par);
            matmul(layout.factor_mut(out, j), Accum::Add, d, ds.transpose(), self.gain, par);
            let (w, dw) = (layout.factor_of(x, j).transpose(), layout.factor_of(v, j).transpose());
            if j == 0 {
                matmul(layout.features_mut(out), Accum::Add, w, dd, self.gain, par);
                matmul(layout.features_mut(out), Accum::Add, dw, d, self.gain, par);
            } else {
                matmul(columns_mut(&mut below[j - 1], layout.dim), Accum::Replace, w, dd, self.gain, par);
                matmul(columns_mut(&mut below[j - 1], layout.dim), Accum::Add, dw, d, self.gain, par);
                if self.relu {
                    mask(&mut below[j - 1], &self.accepted.hidden[j - 1]);
                }
            }
        }
        if let Some(spheres) = &mut self.spheres {
            spheres.project_hessian(&self.layout, x, v, out);
        }
    }

    /// The logits W H without bias at x, left in a buffer of the objective.
    pub(crate) fn logits(&mut self, x: &[f64]) -> &[f64] {
        self.forward(x);
        &self.trial.errors[self.layout.layers - 1]
    }

    /// Hidden layers and logits (without bias) of x, into the trial state.
    fn forward(&mut self, x: &[f64]) {
        let (layout, m) = (&self.layout, self.layout.layers);
        for j in 0..m {
            let (below, above) = self.trial.hidden.split_at_mut(j);
            let s = if j == 0 { layout.features_of(x) } else { columns(&below[j - 1], layout.dim) };
            let target = if j + 1 == m { &mut self.trial.errors[j] } else { &mut above[0] };
            matmul(columns_mut(target, layout.factor_shape(j).0), Accum::Replace, layout.factor_of(x, j), s, self.gain, self.par);
            if self.relu && j + 1 < m {
                target.iter_mut().for_each(|z| *z = if *z > 0.0 { *z } else { 0.0 });
            }
        }
    }

    /// Replaces the logits of the trial state by the loss gradient there; returns the loss.
    fn loss_gradient(&mut self, x: &[f64]) -> f64 {
        let (layout, m) = (&self.layout, self.layout.layers);
        let (b, z) = (&x[layout.bias()], &mut self.trial.errors[m - 1]);
        if !self.trial.logits.is_empty() {
            self.trial.logits.copy_from_slice(z);
            add_bias(&mut self.trial.logits, b);
        }
        gradient_in_blocks(self.loss.as_ref(), z, b, layout.classes, &mut self.partials, self.par != Par::Seq)
    }

    /// Replaces logits (bias included) by the loss gradient at them; returns the loss.
    pub(crate) fn loss_gradient_of(&self, z: &mut [f64]) -> f64 {
        let mut partials = vec![0.0; self.partials.len()];
        gradient_in_blocks(self.loss.as_ref(), z, &[], self.layout.classes, &mut partials, self.parallel())
    }

    /// λ x in `g`, and Σ λ/2 ‖x‖².
    fn regularise(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let parallel = self.parallel();
        let mut total = 0.0;
        for (block, lambda) in self.blocks() {
            let x = &x[block.clone()];
            vector::scaled(&mut g[block], lambda, x, parallel);
            total += 0.5 * lambda * vector::dot(x, x, parallel);
        }
        total
    }

    fn regularise_product(&self, v: &[f64], out: &mut [f64]) {
        for (block, lambda) in self.blocks() {
            vector::scaled(&mut out[block.clone()], lambda, &v[block], self.parallel());
        }
    }

    fn blocks(&self) -> impl Iterator<Item = (std::ops::Range<usize>, f64)> + '_ {
        let factors = (0..self.layout.layers).map(|j| (self.layout.factor(j), self.lambdas[j]));
        factors.chain([(self.layout.features(), self.lambda_h), (self.layout.bias(), self.lambda_b)])
    }
}

/// Samples per block of logits.
fn block_columns(classes: usize) -> usize {
    (BLOCK / classes).max(1)
}

/// Adds b to every column of z, replaces z by the loss gradient there and returns the loss, summed in the order of the blocks.
fn gradient_in_blocks(loss: &dyn LogitLoss, z: &mut [f64], b: &[f64], k: usize, partials: &mut [f64], parallel: bool) -> f64 {
    let columns_each = block_columns(k);
    let one = |(index, (z, partial)): (usize, (&mut [f64], &mut f64))| {
        add_bias(z, b);
        *partial = loss.gradient(z, index * columns_each);
    };
    let block = columns_each * k;
    if parallel {
        z.par_chunks_mut(block).zip(partials.par_iter_mut()).enumerate().for_each(one);
    } else {
        z.chunks_mut(block).zip(partials.iter_mut()).enumerate().for_each(one);
    }
    partials.iter().sum()
}

fn add_bias(z: &mut [f64], b: &[f64]) {
    if b.is_empty() {
        return;
    }
    for column in z.chunks_exact_mut(b.len()) {
        for (z, b) in column.iter_mut().zip(b) {
            *z += b;
        }
    }
}

/// `x ← x ∘ [s > 0]`.
fn mask(x: &mut [f64], s: &[f64]) {
    for (x, s) in x.iter_mut().zip(s) {
        *x = if *s > 0.0 { *x } else { 0.0 };
    }
}

fn columns(x: &[f64], rows: usize) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(x, rows, x.len() / rows)
}

fn columns_mut(x: &mut [f64], rows: usize) -> MatMut<'_, f64> {
    let cols = x.len() / rows;
    MatMut::from_column_major_slice_mut(x, rows, cols)
}
