//! `ufm classifier`: the least-squares classifier of a user's features.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use faer::Mat;
use npyz::{DType, Deserialize, NpyFile, npz::NpzArchive};
use rug::Rational;
use serde_json::json;

use super::{CliError, check_output, print_json, print_text};
use crate::classifier::least_squares;
use crate::problem::{Point, npz::check_headers};
use crate::report::{Table, number};
use crate::scalar::parse_decimal;

#[derive(clap::Args)]
pub(super) struct Args {
    /// npz file with `features` (N,d) and `labels` (N,), labels from 0
    #[arg(value_name = "FEATURES")]
    features: PathBuf,
    /// Ridge weight, an exact decimal
    #[arg(long, value_name = "L", value_parser = weight, allow_hyphen_values = true)]
    lambda: Rational,
    /// Whether the classifier has a bias
    #[arg(long, value_enum, default_value_t = BiasChoice::Free)]
    bias: BiasChoice,
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
    let (features, labels, classes) = read(&args.features).map_err(|e| at(&e))?;
    let free = args.bias == BiasChoice::Free;
    let fit = least_squares(features.as_ref(), &labels, classes, &args.lambda, free).map_err(|e| at(&e))?;
    let correct = (0..labels.len()).filter(|&i| predicted(&features, &fit.w, fit.b.as_deref(), i) == labels[i]).count();
    let (n, d) = features.shape();
    if let Some(path) = &args.out {
        Point::write_classifier(path, &fit.w, fit.b.as_deref()).map_err(CliError::input)?;
    }
    let (bound, bias_bound) = (number(fit.error_bound), number(fit.bias_error_bound));
    if args.json {
        print_json(&json!({
            "version": env!("CARGO_PKG_VERSION"), "classes": classes, "samples": n, "dim": d, "lambda": args.lambda.to_f64().to_string(),
            "bias": if free { "free" } else { "none" }, "objective": number(fit.objective), "error_bound": bound,
            "bias_error_bound": bias_bound, "correct": correct,
        }))?;
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
    Ok(true)
}

fn predicted(features: &Mat<f64>, w: &Mat<f64>, b: Option<&[f64]>, i: usize) -> usize {
    let score = |k: usize| (0..w.ncols()).map(|j| w[(k, j)] * features[(i, j)]).sum::<f64>() + b.map_or(0.0, |b| b[k]);
    (0..w.nrows()).fold((0, f64::NEG_INFINITY), |best, k| if score(k) > best.1 { (k, score(k)) } else { best }).0
}

type Archive = NpzArchive<BufReader<File>>;

/// Features, labels and the number of classes.
fn read(path: &Path) -> Result<(Mat<f64>, Vec<usize>, usize), String> {
    check_headers(path)?;
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut archive = NpzArchive::new(BufReader::new(file)).map_err(|e| e.to_string())?;
    let (shape, order, values) = numbers(&mut archive, "features")?;
    let &[n, d] = shape.as_slice() else { return Err(format!("array `features`: shape {shape:?}, but (N, d) is needed")) };
    let at = |i: usize, j: usize| if order == npyz::Order::C { i * d + j } else { j * n + i };
    let features = Mat::from_fn(n, d, |i, j| values[at(i, j)]);
    let (shape, _, values) = numbers(&mut archive, "labels")?;
    if shape != [n] {
        return Err(format!("array `labels`: shape {shape:?}, but [{n}] is needed, one label for each row of `features`"));
    }
    let label = |(i, &x): (usize, &f64)| {
        // Classes without samples are refused: labels below the number of samples.
        let allowed = x >= 0.0 && x < n as f64 && x.fract() == 0.0;
        if allowed {
            Ok(x as usize)
        } else {
            Err(format!("array `labels`: entry {i} is {x}; labels are 0 to K - 1, each class with a sample"))
        }
    };
    let labels = values.iter().enumerate().map(label).collect::<Result<Vec<usize>, _>>()?;
    let classes = labels.iter().max().map_or(0, |m| m + 1);
    if classes < 2 {
        return Err("array `labels`: fewer than two classes".into());
    }
    Ok((features, labels, classes))
}

/// An array of doubles, floats or integers as doubles.
fn numbers(archive: &mut Archive, name: &str) -> Result<(Vec<usize>, npyz::Order, Vec<f64>), String> {
    let at = |e: &dyn std::fmt::Display| format!("array `{name}`: {e}");
    let npy = archive.by_name(name).map_err(|e| at(&e))?.ok_or_else(|| at(&"missing"))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&s| s as usize).collect();
    let order = npy.order();
    let kind = match npy.dtype() {
        DType::Plain(kind) => kind.to_string(),
        other => return Err(at(&format!("dtype {}", other.descr()))),
    };
    let values = match kind.trim_start_matches(['<', '|', '=']) {
        "f8" => collect::<f64, _>(npy, |x| x),
        "f4" => collect::<f32, _>(npy, f64::from),
        "i8" => collect::<i64, _>(npy, |x| x as f64),
        "i4" => collect::<i32, _>(npy, f64::from),
        "u1" => collect::<u8, _>(npy, f64::from),
        _ => return Err(at(&format!("dtype {kind}; give <f8 or <f4 (labels: also <i8, <i4 or |u1)"))),
    };
    let values = values.map_err(|e| at(&e))?;
    if shape.iter().product::<usize>() != values.len() { Err(at(&"truncated")) } else { Ok((shape, order, values)) }
}

fn collect<T: Deserialize, R: Read>(npy: NpyFile<R>, to: impl Fn(T) -> f64) -> Result<Vec<f64>, String> {
    let values = npy.data::<T>().map_err(|e| e.to_string())?;
    values.map(|x| x.map(&to).map_err(|_| "truncated: the array ends before its entries do".to_owned())).collect()
}
