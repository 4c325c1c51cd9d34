//! `ufm classifier`: the least-squares classifier of a user's features.

use std::path::PathBuf;

use clap::ValueEnum;
use faer::Mat;
use rug::Rational;
use serde_json::{Value, json};

use super::{CliError, check_output, flags, metrics::layout, print_json, print_text};
use crate::classifier::{IncrementalOptions, Trial, class_incremental, least_squares};
use crate::metrics::{Array, Container, FeatureError, Features, Layout};
use crate::problem::Point;
use crate::report::{Table, number};
use crate::scalar::parse_decimal;

#[derive(clap::Args)]
pub(super) struct Args {
    /// npz, npy, safetensors or csv file with `features` (N,d) and, without --labels, `labels` (N,), labels from 0
    #[arg(value_name = "FEATURES")]
    features: PathBuf,
    /// File of integer labels 0 to K - 1, one for each sample
    #[arg(long, value_name = "F")]
    labels: Option<PathBuf>,
    /// Shape of the features: nd for (N, d), dn for (d, N) (default: what fits the labels)
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,
    /// Ridge weight, an exact decimal
    #[arg(long, value_name = "L", value_parser = weight, allow_hyphen_values = true)]
    lambda: Rational,
    /// Whether the classifier has a bias
    #[arg(long, value_enum, default_value_t = BiasChoice::Free)]
    bias: BiasChoice,
    /// Also run a class-incremental experiment: the classes arrive in T tasks, and the rows of new ones start from the formula, from
    /// class means and at random
    #[arg(long, value_name = "T", value_parser = flags::natural, allow_negative_numbers = true)]
    tasks: Option<u64>,
    /// Seed of the random rows
    #[arg(long, default_value_t = 0, value_name = "S", value_parser = flags::natural, allow_negative_numbers = true)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the classifier: W (K,d) and, with a bias, b (K,)
    #[arg(long, value_name = "W.npz")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BiasChoice {
    None,
    Free,
}

fn weight(text: &str) -> Result<Rational, String> {
    let allowed = || "a positive decimal between 1e-100 and 1e100".to_owned();
    let value = parse_decimal(text).map_err(|e| format!("{} ({e})", allowed()))?;
    let size = value.to_f64();
    if (1e-100..=1e100).contains(&size) { Ok(value) } else { Err(allowed()) }
}

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    let at = |e: &dyn std::fmt::Display| CliError::Input(format!("{}: {e}", args.features.display()));
    args.out.iter().try_for_each(|path| check_output(path))?;
    let (features, labels, classes) = read(args)?;
    let free = args.bias == BiasChoice::Free;
    let fit = least_squares(features.as_ref(), &labels, classes, &args.lambda, free).map_err(|e| at(&e))?;
    let correct = (0..labels.len()).filter(|&i| predicted(&features, &fit.w, fit.b.as_deref(), i) == labels[i]).count();
    let (n, d) = features.shape();
    let trials = match args.tasks {
        Some(tasks) => {
            let options = IncrementalOptions {
                tasks: usize::try_from(tasks).unwrap_or(usize::MAX),
                lambda: args.lambda.clone(),
                free_bias: free,
                seed: args.seed,
                converged: CONVERGED,
                max_steps: MAX_STEPS,
            };
            Some(class_incremental(features.as_ref(), &labels, classes, &options).map_err(|e| at(&e))?)
        }
        None => None,
    };
    if let Some(path) = &args.out {
        Point::write_classifier(path, &fit.w, fit.b.as_deref()).map_err(CliError::input)?;
    }
    let (bound, bias_bound) = (number(fit.error_bound), number(fit.bias_error_bound));
    if args.json {
        let mut value = json!({
            "version": env!("CARGO_PKG_VERSION"), "classes": classes, "samples": n, "dim": d, "lambda": args.lambda.to_f64().to_string(),
            "bias": if free { "free" } else { "none" }, "objective": number(fit.objective), "error_bound": bound,
            "bias_error_bound": bias_bound, "correct": correct,
        });
        if let Some(trials) = &trials {
            value["incremental"] = trials.iter().map(trial_json).collect();
        }
        print_json(&value)?;
        return Ok(true);
    }
    let mut table = Table::default();
    table.row("features", &format!("{n} samples, {classes} classes, dimension {d}"));
    table.row("objective", &number(fit.objective));
    table.row("correct", &format!("{correct} of {n}"));
    table.row("|W - W*| <=", &format!("{:.2e}", fit.error_bound));
    if free {
        table.row("|b - b*| <=", &format!("{:.2e}", fit.bias_error_bound));
    }
    print_text(&table.render())?;
    if let Some(trials) = &trials {
        print_text(&trials_table(trials))?;
    }
    Ok(true)
}

/// Training has converged when it is within this share of what a zero classifier leaves above the minimum.
const CONVERGED: f64 = 1e-3;
const MAX_STEPS: usize = 1_000_000;

fn trial_json(t: &Trial) -> Value {
    json!({
        "task": t.task, "old_classes": t.old_classes, "classes": t.classes, "initialisation": t.initialisation.name(),
        "initial_loss": number(t.initial_loss), "initial_new_loss": number(t.initial_new_loss), "spike": number(t.spike), "steps": t.steps,
    })
}

fn trials_table(trials: &[Trial]) -> String {
    let mut text = "task  classes  new rows       initial loss  on new classes     spike    steps\n".to_owned();
    for t in trials {
        let steps = t.steps.map_or_else(|| "-".to_owned(), |steps| steps.to_string());
        text += &format!(
            "{:4}  {:7}  {:13}  {:12.6}  {:14.6}  {:8.5}  {steps:>7}\n",
            t.task,
            t.classes,
            t.initialisation.name(),
            t.initial_loss,
            t.initial_new_loss,
            t.spike
        );
    }
    text
}

fn predicted(features: &Mat<f64>, w: &Mat<f64>, b: Option<&[f64]>, i: usize) -> usize {
    let score = |k: usize| (0..w.ncols()).map(|j| w[(k, j)] * features[(i, j)]).sum::<f64>() + b.map_or(0.0, |b| b[k]);
    (0..w.nrows()).fold((0, f64::NEG_INFINITY), |best, k| if score(k) > best.1 { (k, score(k)) } else { best }).0
}

/// Rows read at a time.
const BLOCK: usize = 4096;

/// Features (a sample a row), labels and the number of classes.
fn read(args: &Args) -> Result<(Mat<f64>, Vec<usize>, usize), CliError> {
    let refuse = |reason: String| CliError::Input(format!("{}: {reason}", args.features.display()));
    let container = Container::open(&args.features).map_err(CliError::input)?;
    let labels = match &args.labels {
        Some(path) => {
            let vector = |a: &Array| a.shape().len() == 1 && !a.is_float() || matches!(a.shape(), [_, 1]);
            let own = Container::open(path).map_err(CliError::input)?;
            own.find("labels", &["labels", "y"], vector).and_then(Array::to_labels).map_err(CliError::input)?
        }
        None => match container.get("labels").or_else(|| container.get("y")) {
            Some(array) => array.to_labels().map_err(CliError::input)?,
            None => return Err(refuse("no array `labels`; give --labels".into())),
        },
    };
    let matrix = |a: &Array| a.shape().len() == 2 && a.is_float() && a.name() != "W";
    let array = container.find("features", &["features", "H"], matrix).map_err(CliError::input)?;
    let layout = match (args.layout, array.shape()) {
        (None, &[rows, cols]) => Layout::of_shape(rows, cols, labels.len() as u64).map_err(|e| refuse(e.to_string()))?,
        (layout, _) => layout.unwrap_or(Layout::SamplesByDim),
    };
    let source = Features::from_array(array.clone(), layout).map_err(CliError::input)?;
    let (n, d) = (source.samples(), source.dim());
    if n != labels.len() as u64 {
        return Err(refuse(format!("features of {n} samples, but {} labels", labels.len())));
    }
    let classes = labels.iter().max().map_or(0, |&m| m as usize + 1);
    if classes < 2 {
        return Err(refuse("array `labels`: fewer than two classes".into()));
    }
    if classes > labels.len() {
        return Err(refuse(format!(
            "array `labels`: class {} with {n} samples; labels are 0 to K - 1, each class with a sample",
            classes - 1
        )));
    }
    // The sizes are those of a file that was checked, but its entries may be a single byte repeated.
    let need = n.saturating_mul(d as u64).saturating_mul(8);
    if need > MAX_BYTES {
        return Err(refuse(format!("features of {n} x {d} take {} GiB as doubles; at most {} are allowed", need >> 30, MAX_BYTES >> 30)));
    }
    let mut features = Mat::zeros(n as usize, d);
    let mut copy = |block: &mut [f64], first: u64| -> Result<(), FeatureError> {
        for (i, row) in block.chunks_exact(d).enumerate() {
            row.iter().enumerate().for_each(|(j, &x)| features[(first as usize + i, j)] = x);
        }
        Ok(())
    };
    source.for_each_block(BLOCK, &mut copy).map_err(CliError::input)?;
    Ok((features, labels.into_iter().map(|l| l as usize).collect(), classes))
}

/// The fit holds features, centred features and their residuals in memory.
const MAX_BYTES: u64 = 1 << 31;
