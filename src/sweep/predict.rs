//! Modes alive: what theory says, and what is measured at a point.

use faer::{Accum, Mat, Par, linalg::matmul::matmul};

use crate::closed_form::{ClosedForm, Regime, Scalar};
use crate::linalg::thin_svd;
use crate::problem::{Bias, Labels, Loss, Model, Point, Problem};
use crate::scalar::Rational;

/// A singular value of the logits at most this share of the largest that the targets have is a mode that is dead: dead modes of a
/// stationary point are of the order of the square of the solver's tolerance, and a mode alive is this small only within a millionth
/// of its threshold.
const ALIVE: f64 = 1e-6;
/// Bits at which scalars are told from zero.
const BITS: u32 = 256;

/// Modes of the logits that theory has alive at every minimiser, least and most; `None` where it says nothing.
///
/// With a closed form both agree, except at κ = κ_c, where each mode of a deep model is independently zero or not. Imbalanced
/// cross-entropy, and imbalanced MSE with a regularized bias, have none; but for equally large classes the differences of their logits
/// are alive exactly when `√n_k (1 − α) > N μ`: by convexity there is a minimiser that exchanging two such classes leaves as it is,
/// where those differences vanish the gradient has that singular value on them, and the collapse identity decides.
pub(super) fn theory_rank(problem: &Problem, form: Option<&ClosedForm>) -> Option<(u64, u64)> {
    let Some(form) = form else { return differences(problem) };
    let (k, d) = (problem.classes(), problem.dim);
    let both = |n: u64| Some((n, n));
    let scalars = form.scalars(BITS);
    let find = |name: &str| scalars.iter().find(|(n, _)| *n == name).map(|(_, s)| s);
    if let (Some(Scalar::Value(kappa)), Some(Scalar::Value(critical))) = (find("kappa"), find("kappa_critical"))
        && kappa.cmp_certain(critical).is_none_or(std::cmp::Ordering::is_eq)
    {
        return if problem.depth() > 2 { Some((0, k.min(d))) } else { both(0) };
    }
    if let Some(Scalar::Count(survivors)) = find("surviving_classes") {
        return both(*survivors);
    }
    if let Some(Scalar::List(values)) = find("singular_values") {
        return both(values.iter().filter(|x| x.is_positive()).count() as u64);
    }
    if form.regime() == Regime::Zero {
        return both(0);
    }
    let uncentred = matches!(problem.model, Model::DeepLinear { .. } | Model::DeepRelu { .. })
        || (problem.loss == Loss::Mse && problem.bias == Bias::None);
    let mean_alive = matches!(find("mean_scale"), Some(Scalar::Value(mean)) if mean.is_positive());
    both((k - u64::from(!uncentred && !mean_alive)).min(d))
}

/// See [`theory_rank`]: imbalanced classes without closed form.
fn differences(problem: &Problem) -> Option<(u64, u64)> {
    let Model::Plain { lambda_w, lambda_h } = &problem.model else { return None };
    let mass = match &problem.loss {
        Loss::Ce => Rational::from(1),
        Loss::LabelSmoothing { smoothing } => Rational::from(1 - smoothing),
        Loss::Mse if matches!(problem.bias, Bias::Regularized { .. }) => Rational::from(1),
        _ => return None,
    };
    // The logits of cross-entropy have mean zero over classes.
    let all = problem.classes() - u64::from(problem.loss != Loss::Mse);
    let Labels::Counts(counts) = &problem.labels else { return None };
    let mut sorted = counts.clone();
    sorted.sort_unstable();
    let groups: Vec<&[u64]> = sorted.chunk_by(|a, b| a == b).collect();
    let threshold = Rational::from(lambda_w * lambda_h) * Rational::from(problem.samples()).square();
    let alive = |n: u64| Rational::from(mass.square_ref()) * Rational::from(n) > threshold;
    let least: u64 = groups.iter().filter(|g| alive(g[0])).map(|g| g.len() as u64 - 1).sum();
    // The modes between groups are not told; too small a dimension may leave out any.
    let most = least + all - groups.iter().map(|g| g.len() as u64 - 1).sum::<u64>();
    Some((if problem.dim >= all { least } else { 0 }, most.min(problem.dim)))
}

/// What is alive at a point, in double precision.
pub(super) struct Modes {
    pub rank: u64,
    /// Classes whose logits without bias are not zero; `None` for tag sets.
    pub surviving_classes: Option<u64>,
    pub logit_norm: f64,
}

/// The modes of the logits Z of a point, bias left out, averaged over samples that share a target and weighted by √n_k: those of
/// Z itself at a collapsed point. `None` for a point of another shape.
pub(super) fn measured_modes(problem: &Problem, point: &Point) -> Option<Modes> {
    let (k, d, n) = problem.point_sizes().ok()?;
    if point.h.shape() != (d, n) {
        return None;
    }
    let relu = matches!(problem.model, Model::DeepRelu { .. });
    let mut z = point.h.clone();
    for (j, w) in point.factors.iter().enumerate() {
        if w.ncols() != z.nrows() {
            return None;
        }
        let mut next = Mat::<f64>::zeros(w.nrows(), n);
        matmul(next.as_mut(), Accum::Replace, w, &z, 1.0, Par::Seq);
        if relu && j + 1 < point.factors.len() {
            next.col_iter_mut().for_each(|c| c.iter_mut().for_each(|x| *x = x.max(0.0)));
        }
        z = next;
    }
    if z.nrows() != k {
        return None;
    }
    let groups = problem.labels.groups();
    let mut weighted = Mat::<f64>::zeros(k, groups.len());
    let mut first = 0;
    for (g, group) in groups.iter().enumerate() {
        let count = group.count as usize;
        let column = weighted.col_as_slice_mut(g);
        for sample in first..first + count {
            column.iter_mut().zip(z.col_as_slice(sample)).for_each(|(sum, x)| *sum += x);
        }
        column.iter_mut().for_each(|sum| *sum /= (count as f64).sqrt());
        first += count;
    }
    let largest = groups.iter().map(|g| g.count).max().unwrap_or(1) as f64;
    let (_, s, _) = thin_svd(weighted.as_ref())?;
    let floor = ALIVE * largest.sqrt().max(s.first().copied().unwrap_or(0.0));
    let columns = || weighted.col_iter().map(|c| c.norm_l2());
    let single = problem.class_counts().is_some();
    Some(Modes {
        rank: s.iter().filter(|&&s| s > floor).count() as u64,
        surviving_classes: single.then(|| columns().filter(|&norm| norm > floor).count() as u64),
        logit_norm: (columns().map(|norm| norm * norm).sum::<f64>() / n as f64).sqrt(),
    })
}
