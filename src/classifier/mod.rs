//! The least-squares classifier of given features: the ridge minimiser, for continual learning.

mod incremental;

pub use incremental::{IncrementalOptions, Initialisation, Trial, class_incremental};

use faer::{
    Mat, MatRef, Par,
    dyn_stack::{MemBuffer, MemStack},
    linalg::cholesky::llt,
};
use rug::{Integer, Rational};

use crate::linalg::vector::norm;
use crate::problem::Dyadic;

/// The ridge minimiser in double precision, and how far it can be from the exact one.
#[derive(Debug, Clone)]
pub struct LeastSquares {
    /// (K,d).
    pub w: Mat<f64>,
    /// (K,); `None` without bias.
    pub b: Option<Vec<f64>>,
    /// The objective at (w, b), in double precision.
    pub objective: f64,
    /// ‖w − W*‖_F <= this, W* the exact minimiser for the given doubles and the exact λ.
    pub error_bound: f64,
    /// ‖b − b*‖ <= this; zero without bias.
    pub bias_error_bound: f64,
}

/// The exact ridge minimiser of exact features.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactLeastSquares {
    /// (K,d), row by row.
    pub w: Vec<Vec<Rational>>,
    /// (K,); zero without bias.
    pub b: Vec<Rational>,
}

/// Why there is no classifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassifierError {
    #[error("features of {rows} samples, but {labels} labels")]
    Labels { rows: usize, labels: usize },
    #[error("label {label} of sample {sample} is not below the number of classes, {classes}")]
    Label { sample: usize, label: usize, classes: usize },
    #[error("class {0} has no sample")]
    Empty(usize),
    #[error("entry ({0}, {1}) of the features is not finite")]
    NotFinite(usize, usize),
    #[error("lambda must be positive and within the range of normal doubles")]
    Lambda,
    #[error("{tasks} tasks, but {classes} classes can arrive in 2 to {classes} tasks")]
    Tasks { tasks: usize, classes: usize },
    #[error("features without samples or without dimensions")]
    Shape,
    #[error("the normal equations are not positive definite in double precision: lambda is too small for features of this size")]
    Singular,
}

/// Steps of iterative refinement after the Cholesky solve: the first removes what forming the covariance lost, the second what the
/// first left.
const REFINEMENTS: usize = 2;

/// The minimiser of `‖W Hᵀ + b 1ᵀ − Y‖²/(2N) + λ/2 ‖W‖²`, H (N,d) with one sample per row, Y one-hot:
///
/// `W = diag(n_k/N) (M − μ 1ᵀ)ᵀ (S_T + λ I)⁻¹`, `b_k = n_k/N − (W μ)_k` with a free bias, and
/// `W = diag(n_k/N) Mᵀ (S_T + μ μᵀ + λ I)⁻¹` without, M the class means, μ the mean and S_T the covariance (1/N) of all samples.
///
/// Hypotheses: λ > 0, every class present, any class sizes. Guarantee: the error bounds hold whatever the rounding: the objective
/// (b eliminated) is λ-strongly convex, so ‖W − W*‖ <= ‖g_W − g_b μᵀ‖/λ with the gradient (g_W, g_b), whose own rounding is bounded a
/// priori. They are infinite when that bound overflows. Shapes: features (N,d), labels N numbers below `classes`.
///
/// # Errors
/// [`ClassifierError`].
///
/// Source: M. Harun and C. Kanan, 2025 (least-squares initialisation for class-incremental learning).
///
/// ```
/// use faer::mat;
/// use ufm::{classifier::least_squares, scalar::Rational};
/// // Two samples at ±1: W = ±1/2 · 1/(1 + λ), b = 1/2.
/// let fit = least_squares(mat![[1.0], [-1.0]].as_ref(), &[0, 1], 2, &Rational::from(1), true).unwrap();
/// assert!((fit.w[(0, 0)] - 0.25).abs() <= fit.error_bound);
/// assert!((fit.b.unwrap()[1] - 0.5).abs() <= fit.bias_error_bound);
/// ```
pub fn least_squares(
    features: MatRef<'_, f64>,
    labels: &[usize],
    classes: usize,
    lambda: &Rational,
    free_bias: bool,
) -> Result<LeastSquares, ClassifierError> {
    let counts = validate(features.shape(), labels, classes, lambda)?;
    let (n, d) = features.shape();
    if let Some((i, j)) = (0..d).flat_map(|j| (0..n).map(move |i| (i, j))).find(|&(i, j)| !features[(i, j)].is_finite()) {
        return Err(ClassifierError::NotFinite(i, j));
    }
    let ridge = lambda.to_f64();
    if !ridge.is_normal() {
        return Err(ClassifierError::Lambda);
    }
    let samples = n as f64;
    let mean: Vec<f64> = (0..d).map(|j| (0..n).map(|i| features[(i, j)]).sum::<f64>() / samples).collect();
    let shift = |j: usize| if free_bias { mean[j] } else { 0.0 };
    let centred = Mat::from_fn(n, d, |i, j| features[(i, j)] - shift(j));
    let mut gram = centred.transpose() * &centred;
    gram.col_iter_mut().for_each(|c| c.iter_mut().for_each(|x| *x /= samples));
    (0..d).for_each(|j| gram[(j, j)] += ridge);
    let mut wt = Mat::<f64>::zeros(d, classes);
    for j in 0..d {
        for (i, &label) in labels.iter().enumerate() {
            wt[(j, label)] += centred[(i, j)] / samples;
        }
    }
    factorise(&mut gram)?;
    substitute(&gram, &mut wt);
    let mut fit = LeastSquares { w: wt.transpose().to_owned(), b: None, objective: 0.0, error_bound: 0.0, bias_error_bound: 0.0 };
    let prior: Vec<f64> = counts.iter().map(|&c| c as f64 / samples).collect();
    for _ in 0..REFINEMENTS {
        fit.b = free_bias.then(|| bias(&fit.w, &prior, &mean));
        let mut step = gradient(features, labels, &fit, ridge, &mean).reduced.transpose().to_owned();
        substitute(&gram, &mut step);
        fit.w -= step.transpose();
    }
    fit.b = free_bias.then(|| bias(&fit.w, &prior, &mean));
    let g = gradient(features, labels, &fit, ridge, &mean);
    fit.objective = g.objective;
    fit.error_bound = finite_or_infinite(g.norm_bound / ridge * ROOM);
    if free_bias {
        fit.bias_error_bound = finite_or_infinite((g.bias_bound + fit.error_bound * g.mean_bound) * ROOM);
    }
    Ok(fit)
}

/// Covers the roundings of norms and bounds themselves, up to 10^9 entries.
const ROOM: f64 = 1.0 + 1e-6;
/// What squares that underflow may hide from a norm: sqrt(10^18 · 2^-1074) with room.
const UNDERFLOW: f64 = 1e-150;

fn finite_or_infinite(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::INFINITY }
}

fn validate((n, d): (usize, usize), labels: &[usize], classes: usize, lambda: &Rational) -> Result<Vec<usize>, ClassifierError> {
    if n == 0 || d == 0 {
        return Err(ClassifierError::Shape);
    }
    if labels.len() != n {
        return Err(ClassifierError::Labels { rows: n, labels: labels.len() });
    }
    if *lambda <= 0 {
        return Err(ClassifierError::Lambda);
    }
    let mut counts = vec![0; classes];
    for (sample, &label) in labels.iter().enumerate() {
        *counts.get_mut(label).ok_or(ClassifierError::Label { sample, label, classes })? += 1;
    }
    match counts.iter().position(|&c| c == 0) {
        Some(class) => Err(ClassifierError::Empty(class)),
        None => Ok(counts),
    }
}

/// b_k = n_k/N − (W μ)_k.
fn bias(w: &Mat<f64>, prior: &[f64], mean: &[f64]) -> Vec<f64> {
    (0..w.nrows()).map(|k| prior[k] - (0..w.ncols()).map(|j| w[(k, j)] * mean[j]).sum::<f64>()).collect()
}

fn factorise(gram: &mut Mat<f64>) -> Result<(), ClassifierError> {
    let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(gram.nrows(), Par::Seq, Default::default()));
    let stack = MemStack::new(&mut memory);
    llt::factor::cholesky_in_place(gram.as_mut(), Default::default(), Par::Seq, stack, Default::default())
        .map(|_| ())
        .map_err(|_| ClassifierError::Singular)
}

fn substitute(factor: &Mat<f64>, rhs: &mut Mat<f64>) {
    let mut memory = MemBuffer::new(llt::solve::solve_in_place_scratch::<f64>(factor.nrows(), rhs.ncols(), Par::Seq));
    llt::solve::solve_in_place(factor.as_ref(), rhs.as_mut(), Par::Seq, MemStack::new(&mut memory));
}

struct Gradient {
    objective: f64,
    /// g_W − g_b μᵀ (g_W without bias), computed.
    reduced: Mat<f64>,
    /// Bounds on the exact ‖g_W − g_b μᵀ‖, ‖g_b‖ and ‖μ‖.
    norm_bound: f64,
    bias_bound: f64,
    mean_bound: f64,
}

/// n roundings in any order: n u/(1 − n u), u = 2^-53.
fn gamma(n: usize) -> f64 {
    let nu = n as f64 * f64::EPSILON / 2.0;
    if nu < 0.5 { nu / (1.0 - nu) } else { f64::INFINITY }
}

fn frobenius(a: MatRef<'_, f64>) -> f64 {
    let columns = a.col_iter().map(|c| c.iter().map(|x| x * x).sum::<f64>());
    columns.sum::<f64>().sqrt() + UNDERFLOW
}

/// The gradient at `fit`, with a bound on its rounding: ‖fl(A B) − A B‖ <= γ_n ‖A‖ ‖B‖ for inner dimension n, whatever the order of
/// summation, plus one least subnormal for each product that may underflow.
///
/// T = W Hᵀ + b 1ᵀ − Y errs by E = γ_{d+2} (‖W‖ ‖H‖ + √N ‖b‖ + √N); g_W = T H/N + λ W by E ‖H‖/N + γ_{N+4} (‖T‖ ‖H‖/N + λ ‖W‖);
/// g_b = T 1/N by E/√N + γ_{N+1} ‖T‖/√N; μ by γ_{N+1} ‖H‖/√N, and g_b μᵀ by their products and one rounding more.
fn gradient(features: MatRef<'_, f64>, labels: &[usize], fit: &LeastSquares, ridge: f64, mean: &[f64]) -> Gradient {
    let ((n, d), k) = (features.shape(), fit.w.nrows());
    let (samples, root) = (n as f64, (n as f64).sqrt());
    let mut t = features * fit.w.transpose();
    for (i, &label) in labels.iter().enumerate() {
        t[(i, label)] -= 1.0;
    }
    if let Some(b) = &fit.b {
        for (column, b) in t.col_iter_mut().zip(b) {
            column.iter_mut().for_each(|t| *t += b);
        }
    }
    let mut reduced = t.transpose() * features;
    reduced
        .col_iter_mut()
        .zip(fit.w.col_iter())
        .for_each(|(g, w)| g.iter_mut().zip(w.iter()).for_each(|(g, w)| *g = *g / samples + ridge * w));
    let size = |x: &[f64]| norm(x, false) + UNDERFLOW;
    let (h, w, residual) = (frobenius(features), frobenius(fit.w.as_ref()), frobenius(t.as_ref()));
    let b = fit.b.as_deref().map_or(0.0, size);
    let tiny = f64::from_bits(1) * (n * (k + d) + k * d) as f64 * samples;
    let e = gamma(d + 2) * (w * h + root * b + root) + tiny;
    let mut error = e * h / samples + gamma(n + 4) * (residual * h / samples + ridge * w) + tiny * h;
    let (mut bias_bound, mean_size) = (0.0, size(mean));
    if fit.b.is_some() {
        let g: Vec<f64> = (0..k).map(|c| (0..n).map(|i| t[(i, c)]).sum::<f64>() / samples).collect();
        let g_error = e / root + gamma(n + 1) * residual / root + tiny;
        let mean_error = gamma(n + 1) * h / root + tiny;
        bias_bound = size(&g) + g_error;
        for j in 0..d {
            (0..k).for_each(|c| reduced[(c, j)] -= g[c] * mean[j]);
        }
        error += g_error * (mean_size + mean_error)
            + bias_bound * mean_error
            + gamma(2) * (bias_bound * mean_size + frobenius(reduced.as_ref()))
            + tiny;
    }
    let norm_bound = frobenius(reduced.as_ref()) + error;
    let objective = residual * residual / (2.0 * samples) + ridge / 2.0 * w * w;
    let mean_bound = mean_size + gamma(n + 1) * h / root + tiny;
    Gradient { objective, reduced, norm_bound, bias_bound, mean_bound }
}

/// As [`least_squares`], in exact rational arithmetic by the same formula; for small d (elimination on a d × d rational matrix).
///
/// # Errors
/// [`ClassifierError`].
pub fn least_squares_exact(
    features: &Dyadic,
    labels: &[usize],
    classes: usize,
    lambda: &Rational,
    free_bias: bool,
) -> Result<ExactLeastSquares, ClassifierError> {
    let (n, d) = (features.rows, features.cols);
    let counts = validate((n, d), labels, classes, lambda)?;
    let samples = Integer::from(n);
    let average = |of: &dyn Fn(usize) -> Rational| (0..n).map(of).sum::<Rational>() / &samples;
    let mean: Vec<Rational> = (0..d).map(|j| if free_bias { average(&|i| features.rational(i, j)) } else { Rational::new() }).collect();
    let centred: Vec<Vec<Rational>> = (0..n).map(|i| (0..d).map(|j| features.rational(i, j) - &mean[j]).collect()).collect();
    // (S + λ I) Wᵀ = (1/N) Σ_i (h_i − μ) y_iᵀ.
    let mut rows: Vec<Vec<Rational>> = (0..d)
        .map(|a| {
            let covariance = (0..d).map(|c| {
                average(&|i| Rational::from(&centred[i][a] * &centred[i][c])) + if a == c { lambda.clone() } else { Rational::new() }
            });
            let right = (0..classes).map(|k| average(&|i| if labels[i] == k { centred[i][a].clone() } else { Rational::new() }));
            covariance.chain(right).collect()
        })
        .collect();
    for pivot in 0..d {
        // Positive definite: no pivot of the elimination vanishes.
        let inverse = rows[pivot][pivot].clone().recip();
        let row: Vec<Rational> = rows[pivot].iter().map(|x| Rational::from(x * &inverse)).collect();
        for (_, other) in rows.iter_mut().enumerate().filter(|(index, _)| *index != pivot) {
            let factor = other[pivot].clone();
            other.iter_mut().zip(&row).for_each(|(x, p)| *x -= Rational::from(p * &factor));
        }
        rows[pivot] = row;
    }
    let w: Vec<Vec<Rational>> = (0..classes).map(|k| (0..d).map(|j| rows[j][d + k].clone()).collect()).collect();
    let prior = |k: usize| if free_bias { Rational::from((counts[k] as u64, n as u64)) } else { Rational::new() };
    let b = (0..classes).map(|k| prior(k) - w[k].iter().zip(&mean).map(|(w, m)| Rational::from(w * m)).sum::<Rational>()).collect();
    Ok(ExactLeastSquares { w, b })
}
