//! Mini-batch gradient descent with momentum and weight decay, watched epoch by epoch.

use faer::Mat;
use indicatif::ProgressBar;
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use ufm::{
    metrics::{Classifier, Convention, FeatureError, Features, LayerMap, MapMetrics, Measured, map_metrics, measure},
    problem::PointError,
};

use super::data::Data;
use super::net::{Network, Objective};

/// How to train.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub epochs: usize,
    /// Samples of a step.
    pub batch: usize,
    /// Largest step length: reached after [`WARM_UP`] epochs, then `lr (1 + cos(π t))/2`, t the part of training done.
    pub rate: f64,
    pub momentum: f64,
    pub seed: u64,
}

/// Epochs over which the step length rises linearly.
const WARM_UP: f64 = 10.0;

/// Why training stopped early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("the objective is not finite after epoch {epoch}; give a smaller --rate")]
    Diverged { epoch: usize },
    #[error(transparent)]
    Features(#[from] FeatureError),
    #[error(transparent)]
    Output(#[from] PointError),
}

/// One hidden layer's features beside the weights that read them.
pub struct Layer {
    /// `layer0` (the images), `layer1`, ...
    pub name: String,
    pub measured: Measured,
    pub outgoing: Option<MapMetrics>,
}

/// The network at the end of an epoch.
pub struct Record<'a> {
    pub epoch: usize,
    pub rate: f64,
    /// Fraction of the training set that is misclassified.
    pub error: f64,
    pub loss: f64,
    /// `loss + λ/2 Σ‖W_j‖²` and so on.
    pub objective: f64,
    pub network: &'a Network,
    /// S_0, ..., S_{m-1}, Z.
    pub outputs: Vec<Mat<f64>>,
    pub layers: Vec<Layer>,
}

/// 0, 1, 2, 5, 10, 20, 50, ... and the last.
pub fn recorded(epochs: usize) -> Vec<usize> {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10usize.saturating_pow(power)));
    std::iter::once(0).chain(steps.take_while(|&e| e < epochs)).chain((epochs > 0).then_some(epochs)).collect()
}

fn rate(schedule: &Schedule, epoch: f64) -> f64 {
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * epoch / schedule.epochs as f64).cos());
    schedule.rate * (epoch / WARM_UP).min(1.0) * cosine
}

/// Trains a network from a random start and hands every recorded epoch to `watch`.
///
/// The velocity is `V ← m V + ∇f`, the step `−lr V`; ∇f is that of the batch's loss and the whole regulariser (coupled weight
/// decay), so that training descends the objective recorded. Every draw comes from ChaCha8 and the seed.
pub fn train(
    data: &Data,
    widths: &[usize],
    objective: &Objective,
    schedule: &Schedule,
    bar: &ProgressBar,
    watch: &mut dyn FnMut(&Record<'_>) -> Result<(), TrainError>,
) -> Result<Network, TrainError> {
    let mut rng = ChaCha8Rng::seed_from_u64(schedule.seed);
    let mut network = Network::random(widths, objective.bias, &mut rng);
    let mut velocity = network.zero();
    let mut order: Vec<usize> = (0..data.labels.len()).collect();
    let steps = order.len().div_ceil(schedule.batch);
    let wanted = recorded(schedule.epochs);
    let mut step_length = 0.0;
    bar.set_length(schedule.epochs as u64);
    for epoch in 0..=schedule.epochs {
        if wanted.contains(&epoch) {
            watch(&record(data, objective, &network, epoch, step_length)?)?;
        }
        if epoch == schedule.epochs {
            break;
        }
        order.shuffle(&mut rng);
        let mut total = 0.0;
        for (step, chosen) in order.chunks(schedule.batch).enumerate() {
            let mut x = Mat::zeros(data.x.nrows(), chosen.len());
            for (column, &sample) in chosen.iter().enumerate() {
                x.col_as_slice_mut(column).copy_from_slice(data.x.col_as_slice(sample));
            }
            let labels: Vec<u32> = chosen.iter().map(|&sample| data.labels[sample]).collect();
            let (value, gradient) = objective.gradient(&network, &x, &labels);
            total += value;
            velocity.each(&gradient, |v, g| *v = schedule.momentum * *v + g);
            step_length = rate(schedule, epoch as f64 + (step + 1) as f64 / steps as f64);
            network.add(-step_length, &velocity);
        }
        if !total.is_finite() {
            return Err(TrainError::Diverged { epoch: epoch + 1 });
        }
        bar.inc(1);
    }
    Ok(network)
}

fn record<'a>(data: &Data, objective: &Objective, network: &'a Network, epoch: usize, rate: f64) -> Result<Record<'a>, TrainError> {
    let outputs = network.layers(data.x.as_ref());
    let hidden = &outputs[..outputs.len() - 1];
    let logits = &outputs[hidden.len()];
    let loss = objective.loss_of(logits, &data.labels);
    let wrong = |(column, &label): (usize, &u32)| {
        let z = logits.col_as_slice(column);
        let best = (0..z.len()).fold(0, |best, k| if z[k] > z[best] { k } else { best });
        best != label as usize
    };
    let errors = data.labels.iter().enumerate().filter(|&(column, label)| wrong((column, label))).count();
    let layers = hidden.iter().enumerate().map(|(j, s)| layer(data, network, j, s)).collect::<Result<_, _>>()?;
    let objective = loss + objective.penalty(network);
    if !objective.is_finite() {
        return Err(TrainError::Diverged { epoch });
    }
    Ok(Record { epoch, rate, error: errors as f64 / data.labels.len() as f64, loss, objective, network, outputs, layers })
}

/// The metrics of S_j, and of W_{j+1} beside them.
fn layer(data: &Data, network: &Network, j: usize, s: &Mat<f64>) -> Result<Layer, FeatureError> {
    let w = &network.weights[j];
    let weights: Vec<f64> = w.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<f64>>()).collect();
    // Columns of S_j one after another are the rows that are measured.
    let rows = s.col_iter().flat_map(|column| column.iter().copied().collect::<Vec<f64>>()).collect();
    let features = Features::from_rows(rows, s.nrows())?;
    let classifier = (j + 1 == network.weights.len())
        .then(|| Classifier { weights: weights.clone(), bias: network.biases.get(j).cloned().unwrap_or_else(|| vec![0.0; w.nrows()]) });
    let measured = measure(&features, &data.labels, classifier.as_ref(), Convention::Zhu, &|_, _| ())?;
    let outgoing = map_metrics(&measured, &LayerMap { rows: w.nrows(), cols: w.ncols(), weights });
    Ok(Layer { name: format!("layer{j}"), measured, outgoing })
}
