//! `ufm metrics`: neural collapse of features, of a network's layers, of epochs.

mod input;

use std::{io::Write, path::PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{CliError, check_output, print_json, print_text, progress, write_page};
use crate::metrics::{
    Classifier, Container, Convention, FeatureError, LayerMap, Layout, MapMetrics, Measured, Portrait, effective_depth, map_metrics,
    measure, measure_and_draw,
};
use crate::problem::write_new;
use crate::report::{self, SeriesKind, Table};
use input::{Group, as_classifier, classifier, given_labels, groups, layer_maps};

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
    /// Write a page for reading: one HTML file that needs no network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
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

/// Rows of a layer's outgoing weights shown on a terminal.
const COSINES_SHOWN: usize = 3;

/// A group's layers, measured.
struct Found {
    /// The epoch's name; empty for anything else.
    name: String,
    series: Vec<(String, Measured)>,
    portraits: Vec<Option<Portrait>>,
    /// What each layer's outgoing weights say, where they are known.
    weights: Vec<Option<MapMetrics>>,
    /// Index of the effective depth of layers.
    depth: Option<usize>,
}

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    [&args.csv, &args.report].into_iter().flatten().try_for_each(|path| check_output(path))?;
    if args.csv.is_some() && args.csv == args.report {
        return Err(CliError::Input("--csv and --report name one file; give each its own".into()));
    }
    let labels = given_labels(args)?;
    let (groups, is_series) = groups(args)?;
    let layered = is_series && (args.series == "layers" || groups.len() > 1);
    let given = Given {
        labels,
        maps: match (&args.weights, layered) {
            (Some(path), true) if groups.len() == 1 => Some(layer_maps(path, groups[0].entries.len()).map_err(CliError::input)?),
            _ => None,
        },
        classifier: match (&args.weights, layered) {
            (Some(path), false) => Some(Container::open(path).and_then(|c| classifier(&c)).map_err(CliError::input)?),
            (Some(_), true) if groups.len() > 1 => {
                return Err(CliError::Input("--weights of epochs with several layers: put W1, W2, ... into each epoch's file".into()));
            }
            _ => None,
        },
    };
    let bar = progress(Some(groups.iter().map(|g| g.entries.len() as u64 * 100).sum()));
    let mut found: Vec<Found> = vec![];
    for (index, group) in groups.iter().enumerate() {
        let draws = args.report.is_some() && index + 1 == groups.len();
        let mut one = measure_group(args, &given, group, layered, draws, &bar)?;
        one.name = if groups.len() > 1 { group.name.clone() } else { String::new() };
        found.push(one);
    }
    bar.finish_and_clear();
    let rows: Vec<(String, Measured)> = match &found[..] {
        [one] => one.series.clone(),
        all => all.iter().flat_map(|f| f.series.iter().map(|(layer, m)| (format!("{}/{layer}", f.name), m.clone()))).collect(),
    };
    if let Some(path) = &args.csv {
        write_new(path, |file| file.write_all(report::metrics_csv(&rows).as_bytes())).map_err(CliError::input)?;
    }
    let last = &found[found.len() - 1];
    if let Some(path) = &args.report {
        let kind = match (is_series, layered) {
            (false, _) => SeriesKind::Single,
            (true, true) => SeriesKind::Layers { weights: &last.weights, depth: last.depth.map(|at| (at, args.depth_tol)) },
            (true, false) => SeriesKind::Epochs,
        };
        let source = args.features.file_name().map_or_else(|| args.features.display().to_string(), |n| n.to_string_lossy().into_owned());
        let history: Vec<(&str, &[(String, Measured)])> = found.iter().map(|f| (f.name.as_str(), &f.series[..])).collect();
        write_page(path, &report::collapse_page(&source, &last.series, &last.portraits, kind, &history))?;
    }
    if args.json {
        print_json(&to_json(args, &found, is_series))?;
    } else {
        print_text(&to_text(args, &rows, last, is_series))?;
    }
    Ok(true)
}

/// What the flags give beside the features.
struct Given {
    labels: Option<Vec<u32>>,
    maps: Option<Vec<LayerMap>>,
    classifier: Option<Classifier>,
}

fn measure_group(args: &Args, given: &Given, group: &Group, layered: bool, draws: bool, bar: &ProgressBar) -> Result<Found, CliError> {
    let count = group.entries.len();
    let own = if layered && given.maps.is_none() { group.own_maps().map_err(CliError::input)? } else { None };
    let bias = if own.is_some() { group.own_bias().map_err(CliError::input)? } else { None };
    let maps = given.maps.as_ref().or(own.as_ref());
    let drawn = if draws { report::drawn_entries(count) } else { vec![] };
    let (mut series, mut portraits) = (vec![], vec![]);
    let start = bar.position();
    for (index, entry) in group.entries.iter().enumerate() {
        bar.set_message(entry.name.clone());
        let at = |done: u64, all: u64| bar.set_position(start + index as u64 * 100 + done * 100 / all.max(1));
        let labels = match &given.labels {
            Some(labels) => labels.clone(),
            None => group.labels(index).map_err(CliError::input)?,
        };
        let classes = labels.iter().max().map_or(0, |&l| u64::from(l) + 1);
        let container = group.container(index);
        let classifier = match (&given.classifier, maps) {
            (Some(classifier), _) => Some(classifier.clone()),
            (None, Some(maps)) => {
                let last = maps.get(index).filter(|m| index + 1 == count && m.rows as u64 == classes);
                last.map(|map| as_classifier(map, bias.clone()))
            }
            (None, None) if container.get("W").is_some() => Some(classifier(container).map_err(CliError::input)?),
            (None, None) => None,
        };
        let features = group.features(index, args, labels.len() as u64)?;
        if let Some(map) = maps.and_then(|maps| maps.get(index)).filter(|map| map.cols != features.dim()) {
            let shape = format!("({}, {})", map.rows, map.cols);
            let reason = format!("weights of shape {shape}, but the layer they read has dimension {}", features.dim());
            return Err(group.named(index, FeatureError::Shape(reason)));
        }
        let classifier = classifier.as_ref();
        let measured = if drawn.contains(&index) {
            measure_and_draw(&features, &labels, classifier, args.convention, &at, report::PICTURE_SIDE).map(|(m, p)| (m, Some(p)))
        } else {
            measure(&features, &labels, classifier, args.convention, &at).map(|m| (m, None))
        };
        let (measured, portrait) = measured.map_err(|e| group.named(index, e))?;
        series.push((entry.name.clone(), measured));
        portraits.push(portrait);
    }
    let depth = if layered { effective_depth(series.iter().map(|(_, m)| m), args.depth_tol) } else { None };
    let weigh = |(index, (_, m)): (usize, &(String, Measured))| map_metrics(m, maps?.get(index)?);
    let weights = series.iter().enumerate().map(weigh).collect();
    Ok(Found { name: String::new(), series, portraits, weights, depth })
}

fn to_json(args: &Args, found: &[Found], is_series: bool) -> Value {
    if !is_series {
        return report::metrics_json(&found[0].series[0].1);
    }
    let layers = |f: &Found, object: &mut Value| {
        let one = |((name, m), w): (&(String, Measured), &Option<MapMetrics>)| {
            let mut value = report::metrics_json(m);
            value["name"] = json!(name);
            if let Some(w) = w {
                value["weights"] = json!({
                    "stable_rank": w.stable_rank, "effective_rank": w.effective_rank, "principal_cosines": w.principal_cosines,
                    "error_bound": null,
                });
            }
            value
        };
        object["entries"] = f.series.iter().zip(&f.weights).map(one).collect();
        if let Some(depth) = f.depth {
            object["effective_depth"] = json!({ "layer": f.series[depth].0, "index": depth, "tolerance": args.depth_tol });
        }
    };
    let mut value = json!({ "series": args.series });
    if let [one] = found {
        layers(one, &mut value);
        return value;
    }
    let epoch = |f: &Found| {
        let mut value = json!({ "name": f.name });
        layers(f, &mut value);
        value
    };
    value["epochs"] = found.iter().map(epoch).collect();
    value
}

fn to_text(args: &Args, rows: &[(String, Measured)], last: &Found, is_series: bool) -> String {
    let mut table = Table::default();
    if !is_series {
        report::metrics_rows(&mut table, &rows[0].1);
        return table.render();
    }
    for ((name, _), w) in last.series.iter().zip(&last.weights) {
        if let Some(w) = w {
            let least: Vec<String> = w.principal_cosines.iter().rev().take(COSINES_SHOWN).map(|c| format!("{c:.6}")).collect();
            let shown = format!(
                "stable rank {:.3}, effective rank {:.3}, least cosines with the class means {} (no error bounds)",
                w.stable_rank,
                w.effective_rank,
                least.join(" ")
            );
            table.row(&format!("weights of {name}"), &shown);
        }
    }
    for (name, m) in rows {
        for warning in &m.warnings {
            table.row(&format!("warning: {name}"), warning);
        }
    }
    if let Some(depth) = last.depth {
        let of = if last.name.is_empty() { String::new() } else { format!(" of {}", last.name) };
        let shown = format!(
            "{} (layer {} of {}){of}: nearest-class-mean error within {} of the last layer's",
            last.series[depth].0,
            depth + 1,
            last.series.len(),
            args.depth_tol
        );
        table.row("effective depth", &shown);
    }
    report::series_table(rows) + &table.render()
}
