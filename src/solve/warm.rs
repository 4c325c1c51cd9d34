//! The first approximation: alternating ridge regressions on the squared error, solved exactly.

use faer::{
    Accum, Mat, MatMut,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{cholesky::llt, matmul::matmul},
};

use super::run::{Iterate, Run};
use crate::linalg::vector;
use crate::problem::Objective;

/// Regressions of W and of H, alternating. More converge slowly (by about (1 − 2c)² a sweep), fewer leave Newton's method
/// outside its fast region.
const SWEEPS: usize = 4;
/// The d × d Gram matrix may have this many times the entries of the point, or [`LEAST_LIMIT`] entries: otherwise no sweeps.
const WIDEST: usize = 8;
const LEAST_LIMIT: usize = 1 << 20;
/// Growth of the scale of the logits while its optimum is not bracketed, and how often it may grow.
const SCALE_GROWTH: f64 = 4.0;
const SCALE_EVALUATIONS: usize = 12;
/// The scale needs only a digit or two: Newton's method does the rest.
const SCALE_ACCURACY: f64 = 0.02;

/// Replaces `at` by the result of [`SWEEPS`] sweeps on the squared error (and, for other losses, of a rescaling on the true
/// objective), when that lowers the objective.
pub(super) fn improve(run: &mut Run, at: &mut Iterate) {
    let dim = run.objective.layout().dim;
    if dim.saturating_mul(dim) > (WIDEST * at.x.len()).max(LEAST_LIMIT) {
        return;
    }
    let mut x = at.x.clone();
    for _ in 0..SWEEPS {
        if regress_classifier(&run.objective, &mut x).is_none() || regress_features(&run.objective, &mut x).is_none() {
            return;
        }
    }
    if !run.objective.squared() {
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
    let targets = objective.targets();
    for (column, &label) in x[layout.features()].chunks_exact(d).zip(&targets.labels) {
        for &tag in &targets.tags[label as usize] {
            prior[tag as usize] += 1.0 / n;
            for (s, h) in sums.col_as_slice_mut(tag as usize).iter_mut().zip(column) {
                *s += h / n;
            }
        }
        for (m, h) in mean.iter_mut().zip(column) {
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
    let groups = &objective.targets().tags;
    let c = groups.len();
    let mut targets = Mat::from_fn(k, c, |i, _| -b.get(i).copied().unwrap_or(0.0) / n);
    for (j, tags) in groups.iter().enumerate() {
        for &tag in tags {
            targets[(tag as usize, j)] += 1.0 / n;
        }
    }
    let small = k.min(d);
    let mut gram = Mat::<f64>::zeros(small, small);
    let (left, right) = if k <= d { (w.as_ref(), w.transpose()) } else { (w.transpose(), w.as_ref()) };
    matmul(gram.as_mut(), Accum::Replace, left, right, 1.0 / n, par);
    for i in 0..small {
        gram[(i, i)] += objective.lambda_h();
    }
    // Samples of one group have the same right-hand side.
    let mut columns = Mat::<f64>::zeros(d, c);
    if k <= d {
        let mut rhs = targets;
        solve(gram.as_mut(), rhs.as_mut(), objective)?;
        matmul(columns.as_mut(), Accum::Replace, w.transpose(), rhs.as_ref(), 1.0, par);
    } else {
        matmul(columns.as_mut(), Accum::Replace, w.transpose(), targets.as_ref(), 1.0, par);
        solve(gram.as_mut(), columns.as_mut(), objective)?;
    }
    let features = layout.features();
    for (column, &label) in x[features].chunks_exact_mut(d).zip(&objective.targets().labels) {
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

/// Scales W and H by √s and b by s, where s minimises the true objective along this curve: it is convex in s, and the root of its
/// derivative is bracketed and found by the Illinois variant of regula falsi in log s.
fn rescale(objective: &mut Objective, x: &mut [f64]) {
    let layout = objective.layout().clone();
    let parallel = objective.parallel();
    let (factor, features, bias) = (layout.factor(0), layout.features(), layout.bias());
    let square = |x: &[f64]| vector::dot(x, x, parallel);
    let linear = 0.5 * (objective.lambda(0) * square(&x[factor.clone()]) + objective.lambda_h() * square(&x[features.clone()]));
    let quadratic = 0.5 * objective.lambda_b() * square(&x[bias.clone()]);
    let mut z = objective.logits(x).to_vec();
    if !bias.is_empty() {
        for column in z.chunks_exact_mut(layout.classes) {
            for (z, b) in column.iter_mut().zip(&x[bias.clone()]) {
                *z += b;
            }
        }
    }
    let mut gradient = vec![0.0; z.len()];
    let slope = |s: f64, gradient: &mut [f64]| {
        vector::scaled(gradient, s, &z, parallel);
        objective.loss_gradient_of(gradient);
        vector::dot(gradient, &z, parallel) + linear + 2.0 * s * quadratic
    };
    // (log s, slope) on both sides of the root; the slope increases with s.
    let (mut low, mut high) = (None, None);
    let (mut t, mut kept) = (0.0f64, 0);
    for _ in 0..SCALE_EVALUATIONS {
        let here = slope(t.exp(), &mut gradient);
        if !here.is_finite() {
            break;
        }
        let side = if here < 0.0 { -1 } else { 1 };
        if here < 0.0 {
            low = Some((t, here))
        } else {
            high = Some((t, here))
        }
        match (&mut low, &mut high) {
            (Some((a, fa)), Some((b, fb))) => {
                // An end kept twice in a row counts half, or convergence would be one-sided.
                if kept == side {
                    if side < 0 { *fb *= 0.5 } else { *fa *= 0.5 }
                }
                kept = side;
                let next = (*a * *fb - *b * *fa) / (*fb - *fa);
                let done = (next - t).abs() < SCALE_ACCURACY;
                t = next;
                if done {
                    break;
                }
            }
            (Some(_), None) => t += SCALE_GROWTH.ln(),
            _ => t -= SCALE_GROWTH.ln(),
        }
    }
    let root = (0.5 * t).exp();
    if root.is_finite() && root > 0.0 {
        x[factor.start..features.end].iter_mut().for_each(|x| *x *= root);
        x[bias].iter_mut().for_each(|x| *x *= root * root);
    }
}
