//! `ufm metrics`: neural collapse of features, of a network's layers, of epochs.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{CliError, check_output, print_json, print_text, problem::read_problem, progress};
use crate::metrics::{
    Array, Classifier, Container, Convention, FeatureError, Features, LayerMap, Layout, Measured, effective_depth, map_metrics, measure,
    natural_order,
};
use crate::problem::write_new;
use crate::report::{self, Table};

#[derive(clap::Args)]
pub(super) struct Args {
    /// npz, npy, safetensors or csv file, a POINT.npz, or a folder or npz of layers or epochs
    #[arg(value_name = "FEATURES")]
    features: PathBuf,
    /// File of integer labels 0 to K - 1, one for each sample
    #[arg(long, value_name = "F")]
    labels: Option<PathBuf>,
    /// Labels of a POINT.npz: its problem's classes, class by class
    #[arg(long, value_name = "PROBLEM.toml", conflicts_with = "labels")]
    problem: Option<PathBuf>,
    /// File with the classifier W (K, d) and b (K); for layers, a folder or file with one matrix each
    #[arg(long, value_name = "F")]
    weights: Option<PathBuf>,
    /// Whose definitions nc1, nc3 and the centre follow
    #[arg(long, value_name = "NAME", default_value = "zhu", value_parser = convention)]
    convention: Convention,
    /// Shape of the features: nd for (N, d), dn for (d, N) (default: what fits the labels)
    #[arg(long, value_name = "LAYOUT", value_parser = layout)]
    layout: Option<Layout>,
    /// What the entries of a folder are: layers of one network, or epochs
    #[arg(long, value_name = "KIND", default_value = "layers", value_parser = ["layers", "epochs"])]
    series: String,
    /// Rise of the nearest-class-mean error over the last layer's that the effective depth allows
    #[arg(long, value_name = "T", default_value = "0.005", value_parser = fraction, allow_negative_numbers = true)]
    depth_tol: f64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write all values and error bounds, a row for each layer or epoch
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn convention(text: &str) -> Result<Convention, String> {
    Convention::by_name(text).ok_or_else(|| format!("one of {}", Convention::ALL.map(|(name, _)| name).join(", ")))
}

pub(super) fn layout(text: &str) -> Result<Layout, String> {
    match text {
        "nd" => Ok(Layout::SamplesByDim),
        "dn" => Ok(Layout::DimBySamples),
        _ => Err("nd for (N, d) or dn for (d, N)".into()),
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|x| (0.0..=1.0).contains(x)).ok_or_else(|| "a number from 0 to 1".to_owned())
}

/// Arrays that are never features.
const NOT_FEATURES: [&str; 5] = ["W", "b", "labels", "weight", "bias"];
/// Rows of a layer's outgoing weights shown on a terminal.
const COSINES_SHOWN: usize = 3;

fn is_features(array: &Array) -> bool {
    array.shape().len() == 2 && array.is_float() && !NOT_FEATURES.contains(&array.name())
}

/// One entry of a series: its name, features and labels.
struct Entry {
    name: String,
    container: Container,
    /// The array of features.
    array: String,
}

impl Entry {
    fn array(&self) -> Result<&Array, FeatureError> {
        let name = self.array.as_str();
        self.container.find("features", &[name], |_| false)
    }
}

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    if let Some(csv) = &args.csv {
        check_output(csv)?;
    }
    let input = |e: FeatureError| CliError::input(e);
    let labels = given_labels(args)?;
    let (entries, is_series) = entries(args)?;
    let maps = match (&args.weights, is_series) {
        (Some(path), true) if args.series == "layers" => Some(layer_maps(path, entries.len()).map_err(input)?),
        _ => None,
    };
    let shared = match (&args.weights, &maps) {
        (Some(path), None) => Some(Container::open(path).map_err(input)?),
        _ => None,
    };
    let bar = progress(Some(entries.len() as u64 * 100));
    let mut series = vec![];
    for (index, entry) in entries.iter().enumerate() {
        bar.set_message(entry.name.clone());
        let at = |done: u64, all: u64| bar.set_position(index as u64 * 100 + done * 100 / all.max(1));
        let found = match &labels {
            Some(labels) => labels.clone(),
            None => own_labels(entry).map_err(input)?,
        };
        let classes = found.iter().max().map_or(0, |&l| l as u64 + 1);
        let classifier = match (&shared, &maps) {
            (Some(container), _) => Some(classifier(container).map_err(input)?),
            (None, Some(maps)) => maps.get(index).filter(|m| index + 1 == entries.len() && m.rows as u64 == classes).map(plain_classifier),
            (None, None) if entry.container.get("W").is_some() => Some(classifier(&entry.container).map_err(input)?),
            (None, None) => None,
        };
        let features = features(args, entry, found.len() as u64)?;
        series.push((
            entry.name.clone(),
            measure(&features, &found, classifier.as_ref(), args.convention, &at).map_err(|e| named(entry, e))?,
        ));
    }
    bar.finish_and_clear();
    if let Some(path) = &args.csv {
        write_new(path, |file| file.write_all(report::metrics_csv(&series).as_bytes())).map_err(CliError::input)?;
    }
    print(args, &series, is_series, maps.as_deref())?;
    Ok(true)
}

/// Messages about sizes and labels do not know the file they came from.
fn named(entry: &Entry, e: FeatureError) -> CliError {
    match e {
        FeatureError::Shape(_) | FeatureError::Labels(_) => CliError::Input(format!("{}: {e}", entry.name)),
        FeatureError::File { .. } | FeatureError::Array { .. } => CliError::input(e),
    }
}

fn print(args: &Args, series: &[(String, Measured)], is_series: bool, maps: Option<&[LayerMap]>) -> Result<(), CliError> {
    if !is_series {
        let (_, m) = &series[0];
        if args.json {
            return print_json(&report::metrics_json(m));
        }
        let mut table = Table::default();
        report::metrics_rows(&mut table, m);
        return print_text(&table.render());
    }
    let layers: Vec<Measured> = series.iter().map(|(_, m)| m.clone()).collect();
    let depth = (args.series == "layers").then(|| effective_depth(&layers, args.depth_tol)).flatten();
    let outgoing = |index: usize| maps.and_then(|maps| map_metrics(&layers[index], maps.get(index)?));
    if args.json {
        let one = |(index, (name, m)): (usize, &(String, Measured))| {
            let mut value = report::metrics_json(m);
            value["name"] = json!(name);
            if let Some(w) = outgoing(index) {
                value["weights"] = json!({
                    "stable_rank": w.stable_rank, "effective_rank": w.effective_rank, "principal_cosines": w.principal_cosines,
                });
            }
            value
        };
        let entries: Vec<Value> = series.iter().enumerate().map(one).collect();
        let mut value = json!({ "series": args.series, "entries": entries });
        if let Some(depth) = depth {
            value["effective_depth"] = json!({ "layer": series[depth].0, "index": depth, "tolerance": args.depth_tol });
        }
        return print_json(&value);
    }
    let mut text = report::series_table(series);
    let mut table = Table::default();
    for (index, (name, m)) in series.iter().enumerate() {
        if let Some(w) = outgoing(index) {
            let least: Vec<String> = w.principal_cosines.iter().rev().take(COSINES_SHOWN).map(|c| format!("{c:.6}")).collect();
            let shown = format!(
                "stable rank {:.3}, effective rank {:.3}, least cosines with the class means {}",
                w.stable_rank,
                w.effective_rank,
                least.join(" ")
            );
            table.row(&format!("weights of {name}"), &shown);
        }
        for warning in &m.warnings {
            table.row(&format!("warning: {name}"), warning);
        }
    }
    if let Some(depth) = depth {
        let shown = format!(
            "{} (layer {} of {}): nearest-class-mean error within {} of the last layer's",
            series[depth].0,
            depth + 1,
            series.len(),
            args.depth_tol
        );
        table.row("effective depth", &shown);
    }
    text += &table.render();
    print_text(&text)
}

fn given_labels(args: &Args) -> Result<Option<Vec<u32>>, CliError> {
    if let Some(path) = &args.problem {
        let problem = read_problem(path)?.problem;
        problem.point_sizes().map_err(|e| CliError::Input(format!("{}: {e}", path.display())))?;
        let counts = problem.class_counts().ok_or_else(|| CliError::Input(format!("{}: tag sets are no classes", path.display())))?;
        return Ok(Some(counts.iter().zip(0u32..).flat_map(|(&n, class)| vec![class; n as usize]).collect()));
    }
    let Some(path) = &args.labels else { return Ok(None) };
    let container = Container::open(path).map_err(CliError::input)?;
    let vector = |a: &Array| a.shape().len() == 1 && !a.is_float() || matches!(a.shape(), [_, 1]);
    let labels = container.find("labels", &["labels", "y"], vector).and_then(Array::to_labels).map_err(CliError::input)?;
    Ok(Some(labels))
}

fn own_labels(entry: &Entry) -> Result<Vec<u32>, FeatureError> {
    match entry.container.get("labels").or_else(|| entry.container.get("y")) {
        Some(array) => array.to_labels(),
        None => Err(FeatureError::Labels(format!("{} has no array `labels`; give --labels", entry.name))),
    }
}

/// The features that are measured, in natural order; whether they are a series.
fn entries(args: &Args) -> Result<(Vec<Entry>, bool), CliError> {
    let path = &args.features;
    if path.is_dir() {
        let at = |e: std::io::Error| CliError::Input(format!("{}: {e}", path.display()));
        let mut files: Vec<(String, PathBuf)> = vec![];
        for file in std::fs::read_dir(path).map_err(at)? {
            let file = file.map_err(at)?.path();
            let extension = file.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
            if ["npz", "npy", "safetensors", "csv"].contains(&extension.as_str()) && Some(&file) != args.labels.as_ref() {
                files.push((file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default(), file));
            }
        }
        if files.is_empty() {
            return Err(CliError::Input(format!("{}: no npz, npy, safetensors or csv files in this folder", path.display())));
        }
        files.sort_by(|a, b| natural_order(&a.0, &b.0));
        let open = |(name, file): (String, PathBuf)| {
            let container = Container::open(&file).map_err(CliError::input)?;
            let array = container.find("features", &["features", "H"], is_features).map_err(CliError::input)?.name().to_owned();
            Ok(Entry { name, container, array })
        };
        return Ok((files.into_iter().map(open).collect::<Result<_, CliError>>()?, true));
    }
    let container = Container::open(path).map_err(CliError::input)?;
    if container.get("features").is_none() && container.get("H").is_none() {
        let names: Vec<String> = container.arrays().iter().filter(|a| is_features(a)).map(|a| a.name().to_owned()).collect();
        if names.len() > 1 {
            let open = |name: String| {
                let container = Container::open(path).map_err(CliError::input)?;
                Ok(Entry { array: name.clone(), name, container })
            };
            return Ok((names.into_iter().map(open).collect::<Result<_, CliError>>()?, true));
        }
    }
    if container.get("W").is_none() && container.get("H").is_some() && container.arrays().iter().any(|a| a.name() == "W1") {
        return Err(CliError::Input(format!("{}: a deep point; give its layers' features one by one", path.display())));
    }
    let array = container.find("features", &["features", "H"], is_features).map_err(CliError::input)?.name().to_owned();
    let name = path.display().to_string();
    Ok((vec![Entry { name, container, array }], false))
}

fn features(args: &Args, entry: &Entry, samples: u64) -> Result<Features, CliError> {
    let array = entry.array().map_err(CliError::input)?;
    let layout = match (args.layout, array.shape()) {
        (Some(layout), _) => layout,
        // The problem of a point says which side is which.
        (None, _) if args.problem.is_some() && array.name() == "H" => Layout::DimBySamples,
        (None, &[rows, cols]) => Layout::of_shape(rows, cols, samples).map_err(|e| named(entry, e))?,
        (None, _) => Layout::SamplesByDim,
    };
    Features::from_array(array.clone(), layout).map_err(CliError::input)
}

fn classifier(container: &Container) -> Result<Classifier, FeatureError> {
    let array = container.find("classifier", &["W", "weight"], |a| a.shape().len() == 2 && a.is_float())?;
    let map = layer_map(array)?;
    let vectors: Vec<&Array> = container.arrays().iter().filter(|a| a.shape().len() == 1 && a.is_float()).collect();
    let bias = container.get("b").or_else(|| container.get("bias")).or(if vectors.len() == 1 { vectors.first().copied() } else { None });
    let bias = match bias {
        Some(array) if array.shape() != [map.rows as u64] => {
            let reason = format!("shape {:?}, but W has {} rows", array.shape(), map.rows);
            return Err(FeatureError::Shape(format!("array `{}`: {reason}", array.name())));
        }
        Some(array) => array.to_rows()?,
        None => vec![0.0; map.rows],
    };
    Ok(Classifier { weights: map.weights, bias })
}

fn plain_classifier(map: &LayerMap) -> Classifier {
    Classifier { weights: map.weights.clone(), bias: vec![0.0; map.rows] }
}

fn layer_map(array: &Array) -> Result<LayerMap, FeatureError> {
    let &[rows, cols] = array.shape() else {
        return Err(FeatureError::Shape(format!("array `{}` of shape {:?}: weights are a matrix", array.name(), array.shape())));
    };
    if rows == 0 || cols == 0 {
        return Err(FeatureError::Shape(format!("array `{}` of shape ({rows}, {cols}) is empty", array.name())));
    }
    Ok(LayerMap { rows: rows as usize, cols: cols as usize, weights: array.to_rows()? })
}

/// The matrices of a folder (a file each) or a file, in natural order.
fn layer_maps(path: &Path, layers: usize) -> Result<Vec<LayerMap>, FeatureError> {
    let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let listed = std::fs::read_dir(path).map_err(|e| refuse(e.to_string()))?;
        files = listed.filter_map(|f| f.ok().map(|f| f.path())).filter(|f| f.is_file()).collect();
        files.sort_by(|a, b| natural_order(&a.to_string_lossy(), &b.to_string_lossy()));
    }
    let mut maps = vec![];
    for file in files {
        for array in Container::open(&file)?.arrays().iter().filter(|a| a.shape().len() == 2 && a.is_float()) {
            maps.push(layer_map(array)?);
        }
    }
    if maps.len() != layers {
        return Err(refuse(format!("{} matrices for {layers} layers; give the outgoing weights of each layer", maps.len())));
    }
    Ok(maps)
}
