//! The first approximation: alternating ridge regressions on the squared error, solved exactly.

use faer::{
    Accum, Mat, MatMut,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{cholesky::llt, matmul::matmul},
};

use super::run::{Iterate, Run};
use crate::problem::{Objective, block_columns};

/// Regressions of W and of H, alternating. More converge slowly (by about (1 − 2c)² a sweep), fewer leave Newton's method
/// outside its fast region.
const SWEEPS: usize = 4;
/// Golden-section steps for the common scale of the logits: it needs only one or two digits.
const SCALE_STEPS: usize = 24;
/// Range of the logarithm of that scale.
const SCALE_RANGE: f64 = 6.0;

/// Replaces `at` by the result of [`SWEEPS`] sweeps on the squared error (and, for other losses, of a rescaling on the true
/// objective), when that lowers the objective.
pub(super) fn improve(run: &mut Run, at: &mut Iterate) {
    let mut x = at.x.clone();
    for _ in 0..SWEEPS {
        if regress_classifier(&run.objective, &mut x).is_none() || regress_features(&run.objective, &mut x).is_none() {
            return;
        }
    }
    if !matches!(run.problem.loss, crate::problem::Loss::Mse) {
        rescale(&mut run.objective, &mut x);
    }
    let mut better = Iterate { g: vec![0.0; x.len()], x, f: f64::NAN, norm: f64::NAN };
    run.evaluate(&mut better);
    if better.f < at.f || (better.f.is_finite() && !at.f.is_finite()) {
        *at = better;
    }
}

/// How much of the mean is explained by the bias: 1/(1 + λ_b), and 0 without bias.
pub(super) fn bias_share(objective: &Objective) -> f64 {
    if objective.layout().bias().is_empty() { 0.0 } else { 1.0 / (1.0 + objective.lambda_b()) }
}

/// Minimises the squared-error objective over (W, b) jointly, given H.
///
/// Eliminating `b = γ (ȳ − W h̄)`, γ = 1/(1 + λ_b), leaves `W (H Hᵀ/N − γ h̄ h̄ᵀ + λ_W I) = Y Hᵀ/N − γ ȳ h̄ᵀ`.
fn regress_classifier(objective: &Objective, x: &mut [f64]) -> Option<()> {
    let (layout, par) = (objective.layout(), objective.par());
    let (k, d, n) = (layout.classes, layout.dim, layout.samples as f64);
    let share = bias_share(objective);
    let h = layout.features_of(x);
    let mut sums = Mat::<f64>::zeros(d, k);
    let mut mean = vec![0.0; d];
    let mut prior = vec![0.0; k];
    for (column, &label) in x[layout.features()].chunks_exact(d).zip(objective.labels()) {
        prior[label as usize] += 1.0 / n;
        for ((s, m), h) in sums.col_as_slice_mut(label as usize).iter_mut().zip(&mut mean).zip(column) {
            *s += h / n;
            *m += h / n;
        }
    }
    let mut gram = Mat::<f64>::zeros(d, d);
    matmul(gram.as_mut(), Accum::Replace, h, h.transpose(), 1.0 / n, par);
    for j in 0..d {
        for i in 0..d {
            gram[(i, j)] -= share * mean[i] * mean[j];
        }
        gram[(j, j)] += objective.lambda(0);
    }
    for j in 0..k {
        for i in 0..d {
            sums[(i, j)] -= share * prior[j] * mean[i];
        }
    }
    solve(gram.as_mut(), sums.as_mut(), objective)?;
    let bias: Vec<f64> = (0..k).map(|j| share * (prior[j] - (0..d).map(|i| sums[(i, j)] * mean[i]).sum::<f64>())).collect();
    layout.factor_mut(x, 0).copy_from(sums.transpose());
    let target = &mut x[layout.bias()];
    target.copy_from_slice(&bias[..target.len()]);
    Some(())
}

/// Minimises the squared-error objective over H, given W and b: `(WᵀW/N + λ_H I) H = Wᵀ(Y − b 1ᵀ)/N`, in the smaller of the two
/// equivalent sizes, since `(WᵀW/N + λ I)⁻¹ Wᵀ = Wᵀ (W Wᵀ/N + λ I)⁻¹`.
fn regress_features(objective: &Objective, x: &mut [f64]) -> Option<()> {
    let (layout, par) = (objective.layout(), objective.par());
    let (k, d, n) = (layout.classes, layout.dim, layout.samples as f64);
    let w = layout.factor_of(x, 0).to_owned();
    let b = &x[layout.bias()];
    let targets = Mat::from_fn(k, k, |i, j| (f64::from(i == j) - b.get(i).copied().unwrap_or(0.0)) / n);
    let small = k.min(d);
    let mut gram = Mat::<f64>::zeros(small, small);
    let (left, right) = if k <= d { (w.as_ref(), w.transpose()) } else { (w.transpose(), w.as_ref()) };
    matmul(gram.as_mut(), Accum::Replace, left, right, 1.0 / n, par);
    for i in 0..small {
        gram[(i, i)] += objective.lambda_h();
    }
    // Samples of one class have the same right-hand side.
    let mut columns = Mat::<f64>::zeros(d, k);
    if k <= d {
        let mut rhs = targets;
        solve(gram.as_mut(), rhs.as_mut(), objective)?;
        matmul(columns.as_mut(), Accum::Replace, w.transpose(), rhs.as_ref(), 1.0, par);
    } else {
        matmul(columns.as_mut(), Accum::Replace, w.transpose(), targets.as_ref(), 1.0, par);
        solve(gram.as_mut(), columns.as_mut(), objective)?;
    }
    let features = layout.features();
    for (column, &label) in x[features].chunks_exact_mut(d).zip(objective.labels()) {
        column.copy_from_slice(columns.col_as_slice(label as usize));
    }
    Some(())
}

/// Solves `A X = B` in place for a positive definite A, which is overwritten.
fn solve(mut a: MatMut<'_, f64>, b: MatMut<'_, f64>, objective: &Objective) -> Option<()> {
    let par = objective.par();
    let (dim, columns) = (a.nrows(), b.ncols());
    let scratch = llt::factor::cholesky_in_place_scratch::<f64>(dim, par, Default::default());
    let mut memory = MemBuffer::new(scratch);
    llt::factor::cholesky_in_place(a.as_mut(), Default::default(), par, MemStack::new(&mut memory), Default::default()).ok()?;
    let scratch = llt::solve::solve_in_place_scratch::<f64>(dim, columns, par);
    let mut memory = MemBuffer::new(scratch);
    llt::solve::solve_in_place(a.as_ref(), b, par, MemStack::new(&mut memory));
    Some(())
}

/// Scales W and H by e^{t/2} and b by e^t, t by golden section on the true objective.
fn rescale(objective: &mut Objective, x: &mut [f64]) {
    let layout = objective.layout().clone();
    let (factor, features, bias) = (layout.factor(0), layout.features(), layout.bias());
    let square = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>();
    let linear = 0.5 * (objective.lambda(0) * square(&x[factor.clone()]) + objective.lambda_h() * square(&x[features.clone()]));
    let quadratic = 0.5 * objective.lambda_b() * square(&x[bias.clone()]);
    let mut z = objective.logits(x).to_vec();
    for column in z.chunks_exact_mut(layout.classes) {
        for (z, b) in column.iter_mut().zip(&x[bias.clone()]) {
            *z += b;
        }
    }
    let each = block_columns(layout.classes);
    let mut scratch = vec![0.0; each * layout.classes];
    let mut value = |t: f64| {
        let scale = t.exp();
        let mut total = scale * linear + scale * scale * quadratic;
        for (index, block) in z.chunks(each * layout.classes).enumerate() {
            total += objective.loss().value_scaled(block, scale, index * each, &mut scratch[..block.len()]);
        }
        total
    };
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (-SCALE_RANGE, SCALE_RANGE);
    let (mut p, mut q) = (high - golden * (high - low), low + golden * (high - low));
    let (mut fp, mut fq) = (value(p), value(q));
    for _ in 0..SCALE_STEPS {
        if fp < fq {
            (high, q, fq) = (q, p, fp);
            p = high - golden * (high - low);
            fp = value(p);
        } else {
            (low, p, fp) = (p, q, fq);
            q = low + golden * (high - low);
            fq = value(q);
        }
    }
    let t = 0.5 * (low + high);
    let root = (0.5 * t).exp();
    x[factor.start..features.end].iter_mut().for_each(|x| *x *= root);
    x[bias].iter_mut().for_each(|x| *x *= root * root);
}
