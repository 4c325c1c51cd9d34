use faer::{Accum, Mat, Par, linalg::matmul::matmul};

use crate::linalg::thin_svd;
use crate::problem::{Point, Problem};

/// Collapse metrics of a point, in double precision (measured, not certified); `None` where a metric is undefined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PointMetrics {
    /// `tr(S_W S_B⁺)/K`.
    pub nc1: Option<f64>,
    /// `‖G/‖G‖ − P/√(K−1)‖_F`, G the Gram matrix of the centred class means.
    pub nc2_etf: Option<f64>,
    /// `‖G/‖G‖ − I/√K‖_F`, G the Gram matrix of the uncentred class means.
    pub nc2_of: Option<f64>,
    /// `‖A/‖A‖ − P/√(K−1)‖_F`, A = W M̃.
    pub nc3: Option<f64>,
}

/// Logits of the class means this small in all are those of a point converging to zero, where every ratio is undefined: at
/// collapse they are of the order of one.
const LOGIT_FLOOR: f64 = 1e-8;
/// A smallest singular value below this multiple of `max(d, K) ε` times the largest is indistinguishable from zero.
const RANK_MARGIN: f64 = 4.0;

/// Collapse metrics of the features of a point, M̃ the class means less their mean (d × K), s_i, u_i its singular values and left
/// singular vectors, r = min(d, K−1):
///
/// `nc1 = Σ_{i<=r} Σ_samples <u_i, h − h̄_class>² / (N s_i²)`,
///
/// which is `tr(S_W S_B⁺)/K` without forming S_B. In deep models the classifier W is the product W_{p-1} ⋯ W_1.
///
/// Guarantee: finite values; all `None` at (or converging to) the zero point, for tag sets and for a point of another shape; `nc1`
/// is `None` when s_r vanishes.
///
/// Source: V. Papyan, X. Han and D. Donoho, *PNAS* 117 (2020); Z. Zhu et al., *NeurIPS* (2021).
///
/// ```
/// use ufm::{metrics::point_metrics, problem::{Point, Problem}};
/// use faer::Mat;
/// let p = Problem::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 3\nper_class = 1\ndim = 3\nlambda_w = '0.1'\nlambda_h = '0.1'").unwrap();
/// let frame = Point { factors: vec![Mat::identity(3, 3)], h: Mat::identity(3, 3), b: None };
/// let m = point_metrics(&p, &frame);
/// assert_eq!(m.nc1, Some(0.0));
/// assert!(m.nc2_of.unwrap() < 1e-15);
/// ```
pub fn point_metrics(problem: &Problem, point: &Point) -> PointMetrics {
    measure(problem, point).unwrap_or_default()
}

fn measure(problem: &Problem, point: &Point) -> Option<PointMetrics> {
    let (k, d, n) = problem.point_sizes().ok()?;
    let counts = problem.class_counts()?;
    if point.h.shape() != (d, n) {
        return None;
    }
    let mut means = Mat::<f64>::zeros(d, k);
    let mut deviations = point.h.clone();
    let mut first = 0;
    for (class, &count) in counts.iter().enumerate() {
        let samples = first..first + count as usize;
        let mean = means.col_as_slice_mut(class);
        for sample in samples.clone() {
            for (m, h) in mean.iter_mut().zip(point.h.col_as_slice(sample)) {
                *m += h / count as f64;
            }
        }
        for sample in samples.clone() {
            for (h, m) in deviations.col_as_slice_mut(sample).iter_mut().zip(mean.iter()) {
                *h -= m;
            }
        }
        first = samples.end;
    }
    let (first, rest) = point.factors.split_first()?;
    let mut classifier = first.clone();
    for w in rest {
        if w.ncols() != classifier.nrows() {
            return None;
        }
        classifier = product(w, &classifier);
    }
    if classifier.shape() != (k, d) {
        return None;
    }
    let logits = product(&classifier, &means).norm_l2();
    if !(logits > LOGIT_FLOOR && logits.is_finite()) {
        return None;
    }
    let centre: Vec<f64> = (0..d).map(|i| (0..k).map(|j| means[(i, j)]).sum::<f64>() / k as f64).collect();
    let centred = Mat::from_fn(d, k, |i, j| means[(i, j)] - centre[i]);
    let gram = |m: &Mat<f64>| product(&m.transpose().to_owned(), m);
    Some(PointMetrics {
        nc1: nc1(&centred, &deviations),
        nc2_etf: etf_distance(&gram(&centred)),
        nc2_of: distance(&gram(&means), |i, j| if i == j { 1.0 / (k as f64).sqrt() } else { 0.0 }),
        nc3: etf_distance(&product(&classifier, &centred)),
    })
}

fn product(a: &Mat<f64>, b: &Mat<f64>) -> Mat<f64> {
    let mut out = Mat::<f64>::zeros(a.nrows(), b.ncols());
    matmul(out.as_mut(), Accum::Replace, a, b, 1.0, Par::Seq);
    out
}

fn nc1(centred: &Mat<f64>, deviations: &Mat<f64>) -> Option<f64> {
    let (d, k) = centred.shape();
    let (u, s, _) = thin_svd(centred.as_ref())?;
    let rank = d.min(k - 1);
    if s[rank - 1] <= RANK_MARGIN * d.max(k) as f64 * f64::EPSILON * s[0] {
        return None;
    }
    let projected = product(&u.transpose().to_owned(), deviations);
    let mode = |i: usize| projected.row(i).iter().map(|x| (x / s[i]).powi(2)).sum::<f64>();
    finite((0..rank).map(mode).sum::<f64>() / deviations.ncols() as f64)
}

/// Distance of the normalised matrix to `P/√(K−1)`.
pub(super) fn etf_distance(a: &Mat<f64>) -> Option<f64> {
    let k = a.nrows() as f64;
    distance(a, |i, j| (f64::from(i == j) - 1.0 / k) / (k - 1.0).sqrt())
}

pub(super) fn distance(a: &Mat<f64>, target: impl Fn(usize, usize) -> f64) -> Option<f64> {
    let norm = a.norm_l2();
    let mut total = 0.0;
    for j in 0..a.ncols() {
        for i in 0..a.nrows() {
            total += (a[(i, j)] / norm - target(i, j)).powi(2);
        }
    }
    finite(total.sqrt())
}

fn finite(x: f64) -> Option<f64> {
    x.is_finite().then_some(x)
}
