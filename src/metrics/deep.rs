//! Collapse inside a deep model: measures of each of its layers at a point.

use faer::Mat;

use super::point::{distance, etf_distance};
use crate::linalg::thin_svd;
use crate::problem::{Model, Point, Problem};

/// Measures of one hidden layer of a deep model, in double precision (measured, not certified); `None` where undefined.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerMetrics {
    /// `H`, `W_1 H` or `relu(W_1 H)`, `relu(W_2 relu(W_1 H))`, ..., the logits last.
    pub name: String,
    /// Singular values of the output above [`RANK_TOLERANCE`] times the largest.
    pub rank: usize,
    /// Those of the factor that made it: H itself, W_1, ...
    pub factor_rank: usize,
    /// `tr S_W / tr S_B` of the output: within-class over between-class variability.
    pub nc1_quotient: Option<f64>,
    /// `‖G/‖G‖ − P/√(K−1)‖_F`, G the Gram matrix of the output's centred class means.
    pub nc2_etf: Option<f64>,
    /// `‖G/‖G‖ − I/√K‖_F`, G the Gram matrix of the output's class means.
    pub nc2_of: Option<f64>,
    /// `|‖Z‖_* − ‖relu Z‖_*| / ‖Z‖_*` of the layer's pre-activation Z; ReLU layers only.
    pub nuclear_difference: Option<f64>,
    /// `‖A/‖A‖ − B/‖B‖‖_F` of A = W_{j+1}ᵀ W_{j+1} and B = S Sᵀ, S this layer's output (K-dimensional for the last weight): zero when the
    /// next factor is aligned with it. Absent for the logits.
    pub alignment: Option<f64>,
}

/// Singular values at most this share of the largest count as zero: far above rounding (1e-15 K), far below the smallest mode that a
/// minimiser keeps alive.
pub const RANK_TOLERANCE: f64 = 1e-6;

/// The layers of a deep point, from H to the logits; empty for other models, tag sets and points of another shape.
///
/// S_0 = H, S_j = W_j S_{j-1} (through a ReLU in every hidden layer of a deep ReLU model), S_{p-1} the logits.
///
/// Source: P. Súkeník, M. Mondelli and C. Lampert, *NeurIPS* (2023), deep neural collapse; T. Tirer and J. Bruna, *ICML* (2022).
///
/// ```
/// use ufm::{metrics::layers, problem::{Point, Problem}};
/// use faer::Mat;
/// let p = Problem::from_toml("model = 'deep-relu'\nloss = 'mse'\nclasses = 3\nper_class = 1\ndim = 3\nlambdas = ['0.1', '0.1', '0.1']").unwrap();
/// let frame = Point { factors: vec![Mat::identity(3, 3), Mat::identity(3, 3)], h: Mat::identity(3, 3), b: None };
/// let all = layers(&p, &frame);
/// assert_eq!(all.iter().map(|l| l.rank).collect::<Vec<_>>(), [3, 3, 3]);
/// assert_eq!(all[1].nuclear_difference, Some(0.0));
/// ```
pub fn layers(problem: &Problem, point: &Point) -> Vec<LayerMetrics> {
    measure(problem, point).unwrap_or_default()
}

fn measure(problem: &Problem, point: &Point) -> Option<Vec<LayerMetrics>> {
    let relu = match problem.model {
        Model::DeepLinear { .. } => false,
        Model::DeepRelu { .. } => true,
        _ => return None,
    };
    let (k, d, n) = problem.point_sizes().ok()?;
    let counts = problem.class_counts()?;
    let last = point.factors.len().checked_sub(1)?;
    let shapes = point.factors.iter().enumerate().all(|(j, w)| w.shape() == (if j == last { k } else { d }, d));
    if !shapes || last + 2 != problem.depth() || point.h.shape() != (d, n) {
        return None;
    }
    let mut all = vec![layer("H".into(), &point.h, &point.h, None, point.factors.first(), &counts)];
    let (mut output, mut name) = (point.h.clone(), String::from("H"));
    for (j, w) in point.factors.iter().enumerate() {
        let z = w * &output;
        let active = relu && j < last;
        let next = if active { Mat::from_fn(z.nrows(), z.ncols(), |r, c| z[(r, c)].max(0.0)) } else { z.clone() };
        name = if active { format!("relu(W_{} {name})", j + 1) } else { format!("W_{} {name}", j + 1) };
        all.push(layer(name.clone(), &next, w, active.then_some(&z), point.factors.get(j + 1), &counts));
        output = next;
    }
    Some(all)
}

fn layer(
    name: String,
    output: &Mat<f64>,
    factor: &Mat<f64>,
    before: Option<&Mat<f64>>,
    next: Option<&Mat<f64>>,
    counts: &[u64],
) -> LayerMetrics {
    let means = class_means(output, counts);
    let (rows, k) = means.shape();
    let centre: Vec<f64> = (0..rows).map(|i| means.row(i).iter().sum::<f64>() / k as f64).collect();
    let centred = Mat::from_fn(rows, k, |i, j| means[(i, j)] - centre[i]);
    let nuclear = |z: &Mat<f64>| singular_values(z).iter().sum::<f64>();
    let difference = before.map(|z| (nuclear(z) - nuclear(output)).abs() / nuclear(z)).filter(|x| x.is_finite());
    let between = centred.squared_norm_l2() / k as f64;
    let mut first = 0;
    let mut within = 0.0;
    for (class, &count) in counts.iter().enumerate() {
        for sample in first..first + count as usize {
            within += output.col(sample).iter().zip(means.col(class).iter()).map(|(x, m)| (x - m).powi(2)).sum::<f64>();
        }
        first += count as usize;
    }
    let quotient = within / output.ncols() as f64 / between;
    LayerMetrics {
        name,
        rank: rank(output),
        factor_rank: rank(factor),
        nc1_quotient: quotient.is_finite().then_some(quotient),
        nc2_etf: etf_distance(&(centred.transpose() * &centred)),
        nc2_of: distance(&(means.transpose() * &means), |i, j| if i == j { 1.0 / (k as f64).sqrt() } else { 0.0 }),
        nuclear_difference: difference,
        alignment: next.and_then(|w| alignment(w, output)),
    }
}

fn class_means(x: &Mat<f64>, counts: &[u64]) -> Mat<f64> {
    let mut means = Mat::zeros(x.nrows(), counts.len());
    let mut first = 0;
    for (class, &count) in counts.iter().enumerate() {
        for sample in first..first + count as usize {
            for i in 0..x.nrows() {
                means[(i, class)] += x[(i, sample)] / count as f64;
            }
        }
        first += count as usize;
    }
    means
}

fn singular_values(x: &Mat<f64>) -> Vec<f64> {
    thin_svd(x.as_ref()).map_or_else(Vec::new, |(_, s, _)| s)
}

fn rank(x: &Mat<f64>) -> usize {
    let s = singular_values(x);
    let largest = s.first().copied().unwrap_or(0.0);
    s.iter().filter(|&&s| s > RANK_TOLERANCE * largest).count()
}

fn alignment(w: &Mat<f64>, s: &Mat<f64>) -> Option<f64> {
    let (a, b) = (w.transpose() * w, s * s.transpose());
    let (na, nb) = (a.norm_l2(), b.norm_l2());
    let distance = (0..a.ncols()).flat_map(|j| (0..a.nrows()).map(move |i| (i, j)));
    let total = distance.map(|(i, j)| (a[(i, j)] / na - b[(i, j)] / nb).powi(2)).sum::<f64>().sqrt();
    total.is_finite().then_some(total)
}
