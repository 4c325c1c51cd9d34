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
    radius: Option<f64>,
    objective: &Objective,
    schedule: &Schedule,
    bar: &ProgressBar,
    watch: &mut dyn FnMut(&Record<'_>) -> Result<(), TrainError>,
) -> Result<Network, TrainError> {
    let mut rng = ChaCha8Rng::seed_from_u64(schedule.seed);
    let mut network = Network::random(widths, objective.bias, radius, &mut rng);
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

#[cfg(test)]
mod tests {
    use super::super::{
        compare::compare,
        data::digits,
        net::{Bias, Loss},
        record::Folder,
    };
    use super::*;
    use ufm::metrics::Container;

    const EPOCHS: usize = 1000;

    struct Outcome {
        network: Network,
        /// Training error and NC1 of every layer at each recorded epoch.
        curve: Vec<(f64, Vec<f64>)>,
        /// Value of the last layer and minimum of the model, residual of the logits.
        model: (f64, f64, f64),
    }

    fn run(loss: Loss, bias: Bias, radius: Option<f64>, threads: usize, out: Option<&std::path::Path>) -> Outcome {
        let data = digits().unwrap().balanced(12).unwrap();
        let objective = Objective { loss, bias, decay: 1e-3 };
        let schedule = Schedule { epochs: EPOCHS, batch: 20, rate: 0.03, momentum: 0.9, seed: 1 };
        let mut folder = out.map(|path| Folder::create(path).unwrap());
        let (mut curve, mut model) = (vec![], None);
        let mut watch = |r: &Record<'_>| {
            curve.push((r.error, r.layers.iter().map(|l| l.measured.get("nc1").map_or(f64::NAN, |v| v.value)).collect()));
            if let Some(folder) = &mut folder {
                folder.record(&data, r)?;
            }
            if r.epoch == EPOCHS {
                let c = compare(&data, &objective, r).unwrap();
                model = Some((c.value, c.minimum, c.residuals[0].1));
            }
            Ok(())
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let network =
            pool.install(|| train(&data, &[64, 64, 64, 64, 10], radius, &objective, &schedule, &ProgressBar::hidden(), &mut watch));
        Outcome { network: network.unwrap(), curve, model: model.unwrap() }
    }

    #[test]
    fn a_small_network_collapses() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let first = run(Loss::Mse, Bias::None, None, 1, Some(&out));
        println!("{:?} {:?}", first.curve, first.model);
        let (start, end) = (&first.curve[0], first.curve.last().unwrap());
        let fitted = first.curve.iter().find(|(error, _)| *error == 0.0).expect("the training set is learned");
        let last = end.1.len() - 1;
        assert_eq!(end.0, 0.0);
        // Past zero error NC1 of the last layer falls on, and each layer is more collapsed than the one before.
        assert!(fitted.1[last] / end.1[last] >= PAST_ZERO_ERROR && start.1[last] / end.1[last] >= IN_ALL, "{:?}", first.curve);
        assert!(end.1.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", end.1);
        // No point of the model is below its minimum, the network's last layer included.
        let (value, minimum, logits) = first.model;
        assert!(value >= minimum && logits < LOGITS, "{:?}", first.model);

        let second = run(Loss::Mse, Bias::None, None, 3, None);
        assert!(first.network == second.network && first.curve == second.curve, "threads change nothing");

        // Snapshots hold every layer, what reads it, and labels; an earlier run's folder is refused.
        let snapshot = Container::open(&out.join("epochs/epoch001000.npz")).unwrap();
        let names: Vec<&str> = snapshot.arrays().iter().map(|a| a.name()).collect();
        assert_eq!(names, ["W1", "W2", "W3", "W4", "labels", "layer0", "layer1", "layer2", "layer3"]);
        assert_eq!(snapshot.get("layer3").unwrap().shape(), [120, 64]);
        let w = snapshot.get("W4").unwrap();
        assert_eq!((w.shape(), w.to_rows().unwrap()[1]), (&[10, 64][..], first.network.weights[3][(0, 1)]));
        assert!(Folder::create(&out).is_err());
    }

    /// NC1 at the first recorded epoch without errors, and at the start, over that at the end.
    const PAST_ZERO_ERROR: f64 = 10.0;
    const IN_ALL: f64 = 100.0;
    /// Relative distance of the class means' logits from the model's.
    const LOGITS: f64 = 0.01;

    #[test]
    fn cross_entropy_and_biases() {
        let outcome = run(Loss::Ce, Bias::Regularized, None, 2, None);
        println!("{:?} {:?}", outcome.curve, outcome.model);
        let end = outcome.curve.last().unwrap();
        assert!(end.0 == 0.0 && end.1[3] < outcome.curve[0].1[3] / 2.0, "{:?}", outcome.curve);
        assert!(outcome.model.0 >= outcome.model.1 && outcome.network.biases.iter().all(|b| b.iter().any(|x| *x != 0.0)));
    }

    /// On a sphere cross-entropy collapses: no sample can leave the others behind by its length.
    #[test]
    fn cross_entropy_collapses_on_a_sphere() {
        let outcome = run(Loss::Ce, Bias::None, Some(5.0), 2, None);
        println!("{:?} {:?}", outcome.curve, outcome.model);
        let fitted = outcome.curve.iter().find(|(error, _)| *error == 0.0).expect("the training set is learned");
        let end = outcome.curve.last().unwrap();
        assert!(end.0 == 0.0 && fitted.1[3] / end.1[3] >= ON_THE_SPHERE, "{:?}", outcome.curve);
        assert!(outcome.model.0 >= outcome.model.1);
    }

    /// NC1 at the first recorded epoch without errors over that at the end.
    const ON_THE_SPHERE: f64 = 5.0;

    #[test]
    fn divergence_is_an_error() {
        let data = digits().unwrap().balanced(3).unwrap();
        let objective = Objective { loss: Loss::Mse, bias: Bias::None, decay: 1e-3 };
        let schedule = Schedule { epochs: 50, batch: 30, rate: 1e6, momentum: 0.9, seed: 1 };
        let outcome = train(&data, &[64, 16, 10], None, &objective, &schedule, &ProgressBar::hidden(), &mut |_| Ok(()));
        assert!(outcome.unwrap_err().to_string().contains("--rate"));
    }

    #[test]
    fn epochs_that_are_recorded() {
        assert_eq!(recorded(30), [0, 1, 2, 5, 10, 20, 30]);
        assert_eq!(recorded(1), [0, 1]);
        assert_eq!(recorded(10), [0, 1, 2, 5, 10]);
    }
}
