//! A network on real data, trained far past zero error until it collapses, and measured layer by layer.
//!
//! A fully connected ReLU network on 8 x 8 images of digits (or on the user's MNIST, `--mnist DIR`), the same number n of each class,
//! by mini-batch gradient descent with momentum and weight decay, on `L(Z) + λ/2 Σ‖W_j‖²`. Every recorded epoch has NC1 to NC4 of the
//! last hidden layer and NC1 of every layer before it; the end has the collapse of each layer and the distance from the unconstrained
//! features model with the same K and n.
//!
//! ```text
//! cargo run --release --example network -- --out DIR        DIR/epochs/epochNNNNNN.npz, DIR/curves.csv, DIR/model.{toml,npz}
//! ufm metrics DIR/epochs/epoch003000.npz                    its layers
//! ufm certify DIR/model.toml --solution DIR/model.npz --out DIR/cert    how far the last layer provably is from the model's minimum
//! ```
//!
//! # What comes out
//! MSE, all defaults:
//!
//! ```text
//! data       optical digits: K = 10 classes, n = 100 images each
//! network    64-128-128-128-128-10 ReLU, biases None, loss Mse
//! training   3000 epochs of batches of 50, rate 0.03, momentum 0.9, weight decay 0.0002, seed 0
//!
//!  epoch   error     loss objective       nc1  nc2_etf   nc2_of      nc3     nc4  nc1 of each layer
//!      0  0.8720    1.1e1    1.14e1     1.5e0   6.4e-1    1.1e0    1.3e0  0.8730  8.9e-1 6.7e-1 8.3e-1 1.1e0 1.5e0
//!      1  0.8190   8.1e-1   9.13e-1     1.8e0   7.2e-1    1.1e0    1.1e0  0.8240  8.9e-1 6.7e-1 8.9e-1 1.2e0 1.8e0
//!      2  0.4900   3.7e-1   4.74e-1     1.7e0   8.3e-1    1.1e0   7.1e-1  0.5140  8.9e-1 6.7e-1 9.9e-1 1.3e0 1.7e0
//!      5  0.0440   1.3e-1   2.29e-1    4.2e-1   6.7e-1   9.8e-1   2.1e-1  0.0540  8.9e-1 6.3e-1 7.2e-1 5.7e-1 4.2e-1
//!     10  0.0020   3.8e-2   1.40e-1    1.4e-1   5.6e-1   8.9e-1   5.0e-2  0.0050  8.9e-1 5.8e-1 4.9e-1 2.8e-1 1.4e-1
//!     20  0.0000   1.3e-2   1.12e-1    7.5e-2   5.4e-1   8.3e-1   2.5e-2  0.0030  8.9e-1 5.6e-1 4.2e-1 2.1e-1 7.5e-2
//!     50  0.0000   3.5e-3   9.57e-2    4.5e-2   5.2e-1   7.8e-1   1.1e-2  0.0010  8.9e-1 5.4e-1 3.9e-1 1.7e-1 4.5e-2
//!    100  0.0000   1.4e-3   8.37e-2    3.1e-2   5.0e-1   7.4e-1   6.4e-3  0.0000  8.9e-1 5.3e-1 3.7e-1 1.5e-1 3.1e-2
//!    200  0.0000   6.0e-4   6.66e-2    1.7e-2   4.5e-1   6.8e-1   3.0e-3  0.0000  8.9e-1 5.2e-1 3.4e-1 1.3e-1 1.7e-2
//!    500  0.0000   2.7e-4   3.61e-2    3.7e-3   3.4e-1   5.1e-1   2.6e-3  0.0000  8.9e-1 4.8e-1 2.7e-1 7.6e-2 3.7e-3
//!   1000  0.0000   1.8e-4   1.68e-2    6.7e-4   2.4e-1   3.6e-1   1.3e-3  0.0000  8.9e-1 4.3e-1 1.9e-1 4.1e-2 6.7e-4
//!   2000  0.0000   1.5e-4   8.97e-3    3.4e-4   2.0e-1   2.8e-1   4.1e-4  0.0000  8.9e-1 3.9e-1 1.5e-1 3.0e-2 3.4e-4
//!   3000  0.0000   1.5e-4   8.32e-3    3.3e-4   1.9e-1   2.7e-1   3.5e-4  0.0000  8.9e-1 3.9e-1 1.4e-1 2.9e-2 3.3e-4
//!
//! layer     dim      nc1     cdnv ncc_error stable rank  weights' rank      overlap
//! layer0     64   8.9e-1   6.8e-1    0.0970        3.77          15.82       0.6757
//! layer1    128   3.9e-1   4.9e-1    0.0390        3.61          14.85       0.6376
//! layer2    128   1.4e-1   1.6e-1    0.0000        3.65          10.08       0.8087
//! layer3    128   2.9e-2   2.6e-2    0.0000        4.46           9.86       0.9498
//! layer4    128   3.3e-4   9.9e-4    0.0000        6.48           7.57       0.9573
//!
//! A network has no lambda_H. Self-duality, lambda_W |W|^2 = lambda_H |H|^2, implies one: 2.2041e-6
//! The unconstrained features model with it, at the same K and n: c = 2.0996e-3, collapsed
//!   objective of the last layer 2.365788e-3, the model's minimum 2.097374e-3: 12.80 % above
//!   residual of the prediction, relative        as it is   centred
//!     logits of the class means                  0.0005    0.0005
//!     W W'                                       0.2378    0.2158
//!     Hbar' Hbar                                 0.3004    0.1931
//! ```
//!
//! At the first record without errors NC1 of the last layer is 7.5e-2; it falls on to 3.3e-4, long after nothing is left to learn, and
//! from epoch 10 on each layer is more collapsed than the one before. The class means approach the orthogonal frame that the model
//! predicts without biases (`nc2_of`), less closely than its logits.
//!
//! With cross-entropy a sample's pull fades exponentially with its margin, and easy samples stay beyond the others, unless no sample
//! can differ by its length: with the last hidden layer's features on a sphere NC1 falls from 2.8e-2 at the first record without errors
//! to 9.0e-5. `--loss ce --radius 5 --decay 2e-3 --per-class 50 --epochs 800`:
//!
//! ```text
//! data       optical digits: K = 10 classes, n = 50 images each
//! network    64-128-128-128-128-10 ReLU, features of norm 5, biases None, loss Ce
//! training   800 epochs of batches of 50, rate 0.03, momentum 0.9, weight decay 0.002, seed 0
//!
//!  epoch   error     loss objective       nc1  nc2_etf   nc2_of      nc3     nc4  nc1 of each layer
//!      0  0.8680    2.4e0    3.49e0     1.1e0   6.3e-1    1.1e0    1.3e0  0.8580  7.2e-1 5.4e-1 6.2e-1 8.7e-1 1.1e0
//!      1  0.7760    2.2e0    3.29e0     1.1e0   6.4e-1    1.1e0    1.1e0  0.7640  7.2e-1 5.4e-1 6.2e-1 8.6e-1 1.1e0
//!      2  0.3360    1.7e0    2.72e0    9.2e-1   7.0e-1    1.1e0   7.7e-1  0.3040  7.2e-1 5.3e-1 6.2e-1 8.0e-1 9.2e-1
//!      5  0.0300   3.6e-1    1.40e0    2.3e-1   5.7e-1   8.7e-1   5.2e-1  0.0180  7.2e-1 4.9e-1 4.5e-1 3.6e-1 2.3e-1
//!     10  0.0020   3.8e-2    1.04e0    5.6e-2   3.3e-1   6.2e-1   3.4e-1  0.0000  7.2e-1 4.4e-1 3.0e-1 1.8e-1 5.6e-2
//!     20  0.0000   1.2e-2   9.11e-1    2.8e-2   2.5e-1   5.1e-1   2.7e-1  0.0000  7.2e-1 4.2e-1 2.6e-1 1.5e-1 2.8e-2
//!     50  0.0000   6.9e-3   6.43e-1    1.4e-2   1.8e-1   4.2e-1   2.0e-1  0.0000  7.2e-1 4.1e-1 2.3e-1 1.2e-1 1.4e-2
//!    100  0.0000   6.1e-3   3.69e-1    6.3e-3   1.5e-1   3.5e-1   1.4e-1  0.0000  7.2e-1 3.9e-1 2.0e-1 1.0e-1 6.3e-3
//!    200  0.0000   5.9e-3   1.41e-1    1.7e-3   1.1e-1   2.6e-1   9.0e-2  0.0000  7.2e-1 3.6e-1 1.7e-1 7.9e-2 1.7e-3
//!    500  0.0000   5.6e-3   4.00e-2    1.4e-4   8.0e-2   1.6e-1   5.1e-2  0.0000  7.2e-1 3.4e-1 1.3e-1 6.1e-2 1.4e-4
//!    800  0.0000   5.6e-3   3.55e-2    9.0e-5   7.5e-2   1.5e-1   4.7e-2  0.0000  7.2e-1 3.3e-1 1.3e-1 6.0e-2 9.0e-5
//!
//! layer     dim      nc1     cdnv ncc_error stable rank  weights' rank      overlap
//! layer0     64   7.2e-1   5.5e-1    0.0700        3.78          22.88       0.3940
//! layer1    128   3.3e-1   4.1e-1    0.0440        3.72          31.45       0.4178
//! layer2    128   1.3e-1   1.6e-1    0.0080        3.69          30.91       0.4702
//! layer3    128   6.0e-2   5.6e-2    0.0020        4.02          29.58       0.5039
//! layer4    128   9.0e-5   1.1e-3    0.0000        7.99           8.75       0.9893
//!
//! A network has no lambda_H. Self-duality, lambda_W |W|^2 = lambda_H |H|^2, implies one: 3.3674e-6
//! The unconstrained features model with it, at the same K and n: c = 5.8029e-3, collapsed
//!   objective of the last layer 4.769805e-2, the model's minimum 4.412801e-2: 8.09 % above
//!   residual of the prediction, relative        as it is   centred
//!     logits of the class means                  0.0502    0.0469
//!     W W'                                       0.0850    0.0842
//!     Hbar' Hbar                                 0.4608    0.0984
//! ```
//!
//! Without the sphere cross-entropy collapses far less on this data. NC1 falls from 0.98 at the start and 6.9e-2 at the first record
//! without errors to 3.4e-2, then rises a little while the weights shrink; nc3 falls on from 0.57 to 0.33.
//! `--loss ce --per-class 20 --depth 5 --batch 20 --epochs 2500`:
//!
//! ```text
//! data       optical digits: K = 10 classes, n = 20 images each
//! network    64-128-128-128-128-128-10 ReLU, biases None, loss Ce
//! training   2500 epochs of batches of 20, rate 0.03, momentum 0.9, weight decay 0.0002, seed 0
//!
//!  epoch   error     loss objective       nc1  nc2_etf   nc2_of      nc3     nc4  nc1 of each layer
//!      0  0.8650    2.6e0    2.78e0    9.8e-1   7.4e-1    1.1e0    1.3e0  0.8900  4.7e-1 3.1e-1 3.9e-1 5.5e-1 7.4e-1 9.8e-1
//!      1  0.5350    1.8e0    1.88e0    8.8e-1   6.9e-1    1.1e0   9.2e-1  0.5550  4.7e-1 3.1e-1 3.9e-1 5.5e-1 7.6e-1 8.8e-1
//!      2  0.0800   5.3e-1   6.62e-1    5.7e-1   7.2e-1    1.1e0   6.5e-1  0.0950  4.7e-1 3.0e-1 3.6e-1 4.5e-1 5.4e-1 5.7e-1
//!      5  0.0050   2.2e-2   1.53e-1    1.7e-1   6.7e-1    1.0e0   5.8e-1  0.0000  4.7e-1 2.7e-1 2.4e-1 2.1e-1 1.8e-1 1.7e-1
//!     10  0.0100   2.5e-2   1.57e-1    1.2e-1   6.7e-1   9.8e-1   5.7e-1  0.0150  4.7e-1 2.5e-1 2.0e-1 1.5e-1 1.4e-1 1.2e-1
//!     20  0.0100   5.7e-2   1.93e-1    1.0e-1   7.4e-1   9.5e-1   6.6e-1  0.0250  4.7e-1 2.0e-1 1.4e-1 1.2e-1 1.1e-1 1.0e-1
//!     50  0.0000   7.5e-5   1.33e-1    6.9e-2   5.8e-1   8.0e-1   5.7e-1  0.0050  4.7e-1 2.0e-1 1.2e-1 9.2e-2 7.7e-2 6.9e-2
//!    100  0.0000   7.8e-5   1.25e-1    6.4e-2   5.6e-1   7.9e-1   5.5e-1  0.0000  4.7e-1 1.9e-1 1.2e-1 8.9e-2 7.3e-2 6.4e-2
//!    200  0.0000   1.1e-4   1.12e-1    5.5e-2   5.4e-1   7.9e-1   5.2e-1  0.0000  4.7e-1 1.9e-1 1.1e-1 8.3e-2 6.6e-2 5.5e-2
//!    500  0.0000   1.7e-4   8.06e-2    3.7e-2   5.0e-1   8.2e-1   4.2e-1  0.0000  4.7e-1 1.8e-1 1.0e-1 6.9e-2 5.0e-2 3.7e-2
//!   1000  0.0000   2.3e-4   5.25e-2    3.4e-2   4.9e-1   8.8e-1   3.6e-1  0.0000  4.7e-1 1.6e-1 8.8e-2 6.1e-2 4.6e-2 3.4e-2
//!   2000  0.0000   2.7e-4   3.68e-2    3.8e-2   4.9e-1   9.1e-1   3.3e-1  0.0000  4.7e-1 1.5e-1 8.0e-2 6.0e-2 4.8e-2 3.8e-2
//!   2500  0.0000   2.7e-4   3.63e-2    3.8e-2   4.9e-1   9.1e-1   3.3e-1  0.0000  4.7e-1 1.4e-1 8.0e-2 6.0e-2 4.8e-2 3.8e-2
//!
//! layer     dim      nc1     cdnv ncc_error stable rank  weights' rank      overlap
//! layer0     64   4.7e-1   3.7e-1    0.0200        3.82          18.18       0.6824
//! layer1    128   1.4e-1   1.9e-1    0.0150        3.85          23.83       0.7358
//! layer2    128   8.0e-2   7.4e-2    0.0000        3.73          21.55       0.7477
//! layer3    128   6.0e-2   4.3e-2    0.0000        3.58          22.20       0.7815
//! layer4    128   4.8e-2   3.3e-2    0.0000        3.81          23.68       0.7986
//! layer5    128   3.8e-2   2.7e-2    0.0000        4.41           6.70       0.9045
//!
//! A network has no lambda_H. Self-duality, lambda_W |W|^2 = lambda_H |H|^2, implies one: 6.2045e-8
//! The unconstrained features model with it, at the same K and n: c = 1.5754e-4, collapsed
//!   objective of the last layer 3.085510e-3, the model's minimum 1.709678e-3: 80.47 % above
//!   residual of the prediction, relative        as it is   centred
//!     logits of the class means                  0.4101    0.3866
//!     W W'                                       0.8490    0.8273
//!     Hbar' Hbar                                 2.6950    0.4890
//! ```
//!
//! The model's features are free, a network's are not: they pass a ReLU, so class means centred at the origin, which the model
//! predicts for cross-entropy, are out of reach (`centred` compares P A P, P = I − 1 1ᵀ/K), and the layers before have to make them.
//! How far the objective is above the model's minimum is the price; no point can be below it.
//!
//! Depth and strong decay can collapse the class means to fewer dimensions than K − 1: `--loss ce --per-class 20 --depth 6 --epochs 6000
//! --rate 0.05 --decay 5e-4` ends with NC1 rising, from 3.0e-2 at epoch 500 to 9.3e-2, while the CDNV ends at 2.6e-2 and the class means'
//! stable rank at 2.9: the low-rank bias of deep models (Súkeník, Lampert and Mondelli, 2024).

mod compare;
mod data;
mod net;
mod record;
mod train;

use std::{error::Error, io::Write, path::PathBuf, process::ExitCode};

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
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    per_class: u64,
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
    /// Scale the features of the last hidden layer to this norm
    #[arg(long, value_name = "R", value_parser = positive)]
    radius: Option<f64>,
    /// Momentum
    #[arg(long, value_name = "M", default_value_t = 0.9, value_parser = fraction)]
    momentum: f64,
    /// Seed of weights and batches
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads (default: all cores); results are the same for any number
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
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
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    let images = match &options.mnist {
        Some(folder) => mnist(folder)?,
        None => digits()?,
    };
    let data = images.balanced(usize::try_from(options.per_class).unwrap_or(usize::MAX))?;
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
    train(&data, &widths, options.radius, &objective, &schedule, &bar, &mut |record| {
        bar.suspend(|| print_record(record));
        if let Some(folder) = &mut folder {
            folder.record(&data, record)?;
        }
        if record.epoch == schedule.epochs {
            bar.suspend(|| print_layers(record));
            comparison = Some(compare(&data, &objective, record));
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &folder {
        folder.finish()?;
    }
    match comparison.ok_or("the last epoch was not recorded")? {
        Ok(comparison) => {
            print_comparison(&comparison);
            if let Some(folder) = &folder {
                ufm::problem::write_new(&folder.file("model.toml"), |file| file.write_all(comparison.toml.as_bytes()))?;
                comparison.point.write_npz(&folder.file("model.npz"))?;
            }
        }
        // A classifier of zeros, or fewer dimensions than the closed form has modes.
        Err(why) => println!("\nNo comparison with the unconstrained features model: {why}"),
    }
    Ok(())
}

fn print_setting(options: &Options, data: &Data, widths: &[usize]) {
    let widths: Vec<String> = widths.iter().map(ToString::to_string).collect();
    let source = options.mnist.as_ref().map_or("optical digits".to_owned(), |folder| folder.display().to_string());
    println!("data       {source}: K = {} classes, n = {} images each", data.classes, data.per_class);
    let sphere = options.radius.map_or(String::new(), |r| format!(", features of norm {r}"));
    println!("network    {} ReLU{sphere}, biases {:?}, loss {:?}", widths.join("-"), options.bias, options.loss);
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
