//! The trained network beside the unconstrained features model of the same K and n.

use faer::Mat;
use ufm::{
    closed_form::{Regime, closed_form},
    problem::{Point, Problem},
};

use super::{
    data::Data,
    net::{Bias, Loss, Objective},
    train::Record,
};

/// Bits of the closed form's scalars and point, which are then rounded to doubles.
const BITS: u32 = 128;

/// What the model predicts, and how far the network is from it.
pub struct Comparison {
    /// The model's problem file.
    pub toml: String,
    /// The network's classifier and last hidden features as a point of that problem.
    pub point: Point,
    pub lambda_h: f64,
    /// Whether λ_H is what self-duality implies, not a weight that training had.
    pub implied: bool,
    /// `c = K √(n λ_W λ_H)`: the model collapses while c < 1.
    pub c: f64,
    pub regime: Regime,
    /// The model's objective at the network's point, and its global minimum.
    pub value: f64,
    pub minimum: f64,
    /// Name, `‖A − A*‖/‖A*‖`, and the same of P A P: of the network's K x K matrices A and the model's A*.
    pub residuals: Vec<(&'static str, f64, f64)>,
}

/// The model whose λ_W is the network's weight decay and whose λ_H is ν/N with feature decay ν, else implied by self-duality.
///
/// At a minimiser of the model `λ_W ‖W‖² = λ_H ‖H‖²`. A network has no λ_H: its features are penalised through the weights that make
/// them. The λ_H that its last layer would have were it a minimiser is `λ_W ‖W‖²/‖H‖²`, W and H the classifier and the last hidden
/// features. With it the model has no free parameter left, and how far the network is from its prediction is a measurement.
///
/// Source: Z. Zhu et al., *NeurIPS* (2021); T. Tirer and J. Bruna, *ICML* (2022).
pub fn compare(data: &Data, objective: &Objective, record: &Record<'_>) -> Result<Comparison, Box<dyn std::error::Error>> {
    let last = record.network.weights.len() - 1;
    let (w, h) = (&record.network.weights[last], &record.outputs[last]);
    let implied = objective.decay * w.squared_norm_l2() / h.squared_norm_l2();
    let lambda_h = objective.feature_decay.map_or(implied, |nu| nu / data.labels.len() as f64);
    let (loss, bias) = match (objective.loss, objective.bias) {
        (Loss::Mse, Bias::None) => ("mse", "none"),
        (Loss::Mse, Bias::Free) => ("mse", "free"),
        (Loss::Mse, Bias::Regularized) => ("mse", "regularized"),
        (Loss::Ce, Bias::None) => ("ce", "none"),
        (Loss::Ce, Bias::Free) => ("ce", "free"),
        (Loss::Ce, Bias::Regularized) => ("ce", "regularized"),
    };
    let (k, n, d) = (data.classes, data.per_class, w.ncols());
    let mut toml = format!(
        "model = \"plain\"\nloss = \"{loss}\"\nbias = \"{bias}\"\nclasses = {k}\nper_class = {n}\ndim = {d}\nlambda_w = \"{:e}\"\nlambda_h = \"{lambda_h:e}\"\n",
        objective.decay
    );
    if objective.bias == Bias::Regularized {
        toml += &format!("lambda_b = \"{:e}\"\n", objective.decay);
    }
    let problem = Problem::from_toml(&toml)?;
    let model = closed_form(&problem)?;
    let best = model.minimiser(&problem, BITS)?.to_f64();
    let b = record.network.biases.get(last).cloned();
    let point = Point { factors: vec![w.clone()], h: h.clone(), b };
    let squares = |b: &Option<Vec<f64>>| b.iter().flatten().map(|b| b * b).sum::<f64>();
    let biases = if objective.bias == Bias::Regularized { objective.decay * squares(&point.b) } else { 0.0 };
    let value = record.loss + 0.5 * (objective.decay * w.squared_norm_l2() + lambda_h * h.squared_norm_l2() + biases);
    let (found, wanted) = (gauge_free(&point, data), gauge_free(&best, data));
    let residuals =
        NAMES.iter().zip(found.iter().zip(&wanted)).map(|(name, (a, b))| (*name, distance(a, b), distance(&centred(a), &centred(b))));
    Ok(Comparison {
        lambda_h,
        implied: objective.feature_decay.is_none(),
        c: k as f64 * (n as f64 * objective.decay * lambda_h).sqrt(),
        regime: model.regime(),
        value,
        minimum: model.f_star(BITS).mid().to_f64(),
        residuals: residuals.collect(),
        toml,
        point,
    })
}

/// What is compared: no rotation of feature space changes it.
const NAMES: [&str; 3] = ["logits of the class means", "W W'", "Hbar' Hbar"];

fn gauge_free(point: &Point, data: &Data) -> [Mat<f64>; 3] {
    let means = Mat::from_fn(point.h.nrows(), data.classes, |i, class| {
        let samples = class * data.per_class..(class + 1) * data.per_class;
        samples.map(|sample| point.h[(i, sample)]).sum::<f64>() / data.per_class as f64
    });
    let w = &point.factors[0];
    let mut logits = w * &means;
    if let Some(b) = &point.b {
        (0..data.classes).for_each(|column| logits.col_as_slice_mut(column).iter_mut().zip(b).for_each(|(z, b)| *z += b));
    }
    [logits, w * w.transpose(), means.transpose() * &means]
}

/// P A P, P = I − 1 1ᵀ/K.
fn centred(a: &Mat<f64>) -> Mat<f64> {
    let k = a.nrows() as f64;
    let rows: Vec<f64> = a.row_iter().map(|r| r.iter().sum::<f64>() / k).collect();
    let cols: Vec<f64> = a.col_iter().map(|c| c.iter().sum::<f64>() / k).collect();
    let all = rows.iter().sum::<f64>() / k;
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] - rows[i] - cols[j] + all)
}

fn distance(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (a - b).norm_l2() / b.norm_l2()
}
