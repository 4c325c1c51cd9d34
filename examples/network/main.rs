//! A network on real data, trained until it collapses, and measured layer by layer.
mod compare;
mod data;
mod net;
mod record;
mod train;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use compare::{Comparison, compare};
use data::{Data, digits, mnist};
use net::{Bias, Loss, Objective};
use record::Folder;
use train::{Record, Schedule, train};

#[derive(Parser)]
#[command(name = "network", about = "Train a ReLU network on handwritten digits far past zero error, and measure its collapse")]
struct Options {
    /// Squared error or cross-entropy
    #[arg(long, value_enum, default_value = "mse")]
    loss: Loss,
    /// Biases of all layers
    #[arg(long, value_enum, default_value = "none")]
    bias: Bias,
    /// Read train-images-idx3-ubyte and train-labels-idx1-ubyte of this folder instead of the shipped digits
    #[arg(long, value_name = "DIR")]
    mnist: Option<PathBuf>,
    /// Images of each class
    #[arg(long, value_name = "N", default_value_t = 100)]
    per_class: usize,
    /// Hidden layers
    #[arg(long, value_name = "L", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=64))]
    depth: u64,
    /// Width of each hidden layer
    #[arg(long, value_name = "D", default_value_t = 128, value_parser = clap::value_parser!(u64).range(1..=4096))]
    width: u64,
    /// Epochs
    #[arg(long, value_name = "E", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    epochs: u64,
    /// Samples of a step
    #[arg(long, value_name = "B", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    batch: u64,
    /// Largest step length
    #[arg(long, value_name = "LR", default_value_t = 0.03, value_parser = positive)]
    rate: f64,
    /// Weight decay of all matrices
    #[arg(long, value_name = "LAMBDA", default_value_t = 2e-4, value_parser = positive)]
    decay: f64,
    /// Momentum
    #[arg(long, value_name = "M", default_value_t = 0.9, value_parser = fraction)]
    momentum: f64,
    /// Seed of weights and batches
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads (default: all cores); results are the same for any number
    #[arg(long, value_name = "T")]
    threads: Option<usize>,
    /// New folder for snapshots of every layer, curves, and the last layer as a point of the model
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x: &f64| *x > 0.0 && x.is_finite()).ok_or_else(|| "a positive number".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x| (0.0..1.0).contains(x)).ok_or_else(|| "a number from 0 to below 1".to_owned())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(threads) = options.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    }
    let images = match &options.mnist {
        Some(folder) => mnist(folder)?,
        None => digits()?,
    };
    let data = images.balanced(Some(options.per_class))?;
    let mut folder = options.out.as_deref().map(Folder::create).transpose()?;
    let objective = Objective { loss: options.loss, bias: options.bias, decay: options.decay };
    let schedule = Schedule {
        epochs: options.epochs as usize,
        batch: options.batch as usize,
        rate: options.rate,
        momentum: options.momentum,
        seed: options.seed,
    };
    let mut widths = vec![options.width as usize; options.depth as usize];
    widths.insert(0, data.x.nrows());
    widths.push(data.classes);
    print_setting(options, &data, &widths);
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{bar:40} epoch {pos} of {len}, {eta} left  {msg}")?);
    let mut comparison = None;
    train(&data, &widths, &objective, &schedule, &bar, &mut |record| {
        bar.suspend(|| print_record(record));
        if let Some(folder) = &mut folder {
            folder.record(&data, record)?;
        }
        if record.epoch == schedule.epochs {
            bar.suspend(|| print_layers(record));
            comparison = Some(compare(&data, &objective, record).map_err(|e| e.to_string()));
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &folder {
        folder.finish()?;
    }
    let comparison = comparison.ok_or("no epoch was recorded")??;
    print_comparison(&comparison);
    if let Some(folder) = &folder {
        ufm::problem::write_new(&folder.file("model.toml"), |file| std::io::Write::write_all(file, comparison.toml.as_bytes()))?;
        comparison.point.write_npz(&folder.file("model.npz"))?;
    }
    Ok(())
}

fn print_setting(options: &Options, data: &Data, widths: &[usize]) {
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    let source = options.mnist.as_ref().map_or("optical digits".to_owned(), |folder| folder.display().to_string());
    println!("data       {source}: K = {} classes, n = {} images each", data.classes, data.per_class);
    println!("network    {} ReLU, biases {:?}, loss {:?}", widths.join("-"), options.bias, options.loss);
    println!(
        "training   {} epochs of batches of {}, rate {}, momentum {}, weight decay {}, seed {}\n",
        options.epochs, options.batch, options.rate, options.momentum, options.decay, options.seed
    );
    println!(
        "{:>6} {:>7} {:>8} {:>9}  {:>8} {:>8} {:>8} {:>8} {:>7}  nc1 of each layer",
        "epoch", "error", "loss", "objective", "nc1", "nc2_etf", "nc2_of", "nc3", "nc4"
    );
}

fn shown(value: Option<ufm::metrics::Bounded>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{:.1e}", v.value))
}

fn print_record(r: &Record<'_>) {
    let Some(last) = r.layers.last() else { return };
    let column = |name: &str| format!("{:>8}", shown(last.measured.get(name)));
    let nc4 = last.measured.get("nc4").map_or_else(|| "-".to_owned(), |v| format!("{:.4}", v.value));
    let depth: Vec<String> = r.layers.iter().map(|l| shown(l.measured.get("nc1"))).collect();
    println!(
        "{:>6} {:>7.4} {:>8.1e} {:>9.2e}  {} {} {} {} {nc4:>7}  {}",
        r.epoch,
        r.error,
        r.loss,
        r.objective,
        column("nc1"),
        column("nc2_etf"),
        column("nc2_of"),
        column("nc3"),
        depth.join(" ")
    );
}

fn print_layers(r: &Record<'_>) {
    println!(
        "\n{:<8} {:>4} {:>8} {:>8} {:>9} {:>11}  {:>13} {:>12}",
        "layer", "dim", "nc1", "cdnv", "ncc_error", "stable rank", "weights' rank", "overlap"
    );
    for layer in &r.layers {
        let (m, w) = (&layer.measured, layer.outgoing.as_ref());
        let rank = |v: Option<ufm::metrics::Bounded>| v.map_or_else(|| "-".to_owned(), |v| format!("{:.2}", v.value));
        let ncc = m.get("ncc_error").map_or_else(|| "-".to_owned(), |v| format!("{:.4}", v.value));
        println!(
            "{:<8} {:>4} {:>8} {:>8} {ncc:>9} {:>11}  {:>13} {:>12}",
            layer.name,
            m.dim,
            shown(m.get("nc1")),
            shown(m.get("cdnv")),
            rank(m.get("stable_rank_means")),
            w.map_or_else(|| "-".to_owned(), |w| format!("{:.2}", w.stable_rank)),
            w.map_or_else(|| "-".to_owned(), |w| format!("{:.4}", mean(&w.principal_cosines))),
        );
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn print_comparison(c: &Comparison) {
    println!("\nA network has no lambda_H. Self-duality, lambda_W |W|^2 = lambda_H |H|^2, implies one: {:.4e}", c.lambda_h);
    println!("The unconstrained features model with it, at the same K and n: c = {:.4e}, {}", c.c, c.regime.name());
    println!(
        "  objective of the last layer {:.6e}, the model's minimum {:.6e}: {:.2} % above",
        c.value,
        c.minimum,
        100.0 * (c.value / c.minimum - 1.0)
    );
    println!("  residual of the prediction, relative        as it is   centred");
    for (name, plain, centred) in &c.residuals {
        println!("    {name:<40} {plain:>8.4}  {centred:>8.4}");
    }
}
