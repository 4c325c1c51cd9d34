//! What is measured: the features of files and folders, their labels, classifiers and weights.

use std::path::{Path, PathBuf};

use super::Args;
use crate::cli::{CliError, problem::read_problem};
use crate::metrics::{Array, Classifier, Container, FeatureError, Features, LayerMap, Layout, natural_order};

/// Arrays that are never features; weights `W1`, `W2`, ... and biases `b1`, ... are none either.
const NOT_FEATURES: [&str; 5] = ["W", "b", "labels", "weight", "bias"];

/// Whether a name is the prefix and a number.
fn is_numbered(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

fn is_features(array: &Array) -> bool {
    let name = array.name();
    array.shape().len() == 2 && array.is_float() && !NOT_FEATURES.contains(&name) && !is_numbered(name, "W") && !is_numbered(name, "b")
}

/// The features of one layer in one file.
pub(super) struct Entry {
    pub name: String,
    /// The array of features.
    array: String,
}

/// The layers of one file, or of a folder with a file each.
pub(super) struct Group {
    /// The file's name, where there are several.
    pub name: String,
    /// The file of each entry, or one for all.
    containers: Vec<Container>,
    pub entries: Vec<Entry>,
}

impl Group {
    pub fn container(&self, index: usize) -> &Container {
        &self.containers[index.min(self.containers.len() - 1)]
    }

    fn array(&self, index: usize) -> Result<&Array, FeatureError> {
        let name = self.entries[index].array.as_str();
        self.container(index).find("features", &[name], |_| false)
    }

    /// Labels that come with the features.
    pub fn labels(&self, index: usize) -> Result<Vec<u32>, FeatureError> {
        let container = self.container(index);
        match container.get("labels").or_else(|| container.get("y")) {
            Some(array) => array.to_labels(),
            None => Err(FeatureError::Labels(format!("{} has no array `labels`; give --labels", self.entries[index].name))),
        }
    }

    pub fn features(&self, index: usize, args: &Args, samples: u64) -> Result<Features, CliError> {
        let array = self.array(index).map_err(CliError::input)?;
        let layout = match (args.layout, array.shape()) {
            (Some(layout), _) => layout,
            // The problem of a point says which side is which.
            (None, _) if args.problem.is_some() && array.name() == "H" => Layout::DimBySamples,
            (None, &[rows, cols]) => Layout::of_shape(rows, cols, samples).map_err(|e| self.named(index, e))?,
            (None, _) => Layout::SamplesByDim,
        };
        Features::from_array(array.clone(), layout).map_err(CliError::input)
    }

    /// Messages about sizes and labels do not know the file they came from.
    pub fn named(&self, index: usize, e: FeatureError) -> CliError {
        match e {
            FeatureError::Shape(_) | FeatureError::Labels(_) => CliError::Input(format!("{}: {e}", self.entries[index].name)),
            FeatureError::File { .. } | FeatureError::Array { .. } => CliError::input(e),
        }
    }

    /// The weights `W1`, `W2`, ... that lie beside several layers, one for each.
    pub fn own_maps(&self) -> Result<Option<Vec<LayerMap>>, FeatureError> {
        let [container] = &self.containers[..] else { return Ok(None) };
        let maps: Vec<&Array> = container.arrays().iter().filter(|a| is_numbered(a.name(), "W") && a.is_float()).collect();
        if self.entries.len() < 2 || maps.is_empty() {
            return Ok(None);
        }
        if maps.len() != self.entries.len() {
            let names: Vec<&str> = maps.iter().map(|a| a.name()).collect();
            return Err(FeatureError::Shape(format!(
                "{} beside {} layers ({}): give the outgoing weights of each layer, or none",
                names.join(", "),
                self.entries.len(),
                self.entries.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", ")
            )));
        }
        maps.into_iter().map(layer_map).collect::<Result<_, _>>().map(Some)
    }

    /// The bias of the last of the weights that lie beside several layers.
    pub fn own_bias(&self) -> Result<Option<Vec<f64>>, FeatureError> {
        let arrays = self.containers[0].arrays();
        let count = arrays.iter().filter(|a| is_numbered(a.name(), "W")).count();
        let biases: Vec<&Array> = arrays.iter().filter(|a| is_numbered(a.name(), "b")).collect();
        match biases.last() {
            Some(last) if biases.len() == count => last.to_rows().map(Some),
            _ => Ok(None),
        }
    }
}

/// What is measured, in natural order; whether it is a series.
pub(super) fn groups(args: &Args) -> Result<(Vec<Group>, bool), CliError> {
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
        let groups = files.into_iter().map(|(name, file)| group(name, &file)).collect::<Result<Vec<_>, _>>()?;
        if groups.iter().all(|g| g.entries.len() == 1) {
            // A file each: one series.
            let (mut containers, mut entries) = (vec![], vec![]);
            for group in groups {
                containers.extend(group.containers);
                entries.extend(group.entries.into_iter().map(|e| Entry { name: group.name.clone(), ..e }));
            }
            return Ok((vec![Group { name: String::new(), containers, entries }], true));
        }
        if args.series != "epochs" {
            return Err(CliError::Input(format!(
                "{}: its files hold several layers each, as epochs do; say --series epochs, or give one of its files",
                path.display()
            )));
        }
        if let Some(other) = groups.iter().find(|g| !g.entries.iter().map(|e| &e.array).eq(groups[0].entries.iter().map(|e| &e.array))) {
            return Err(CliError::Input(format!("{}: {} has other layers than {}", path.display(), other.name, groups[0].name)));
        }
        return Ok((groups, true));
    }
    let group = group(path.display().to_string(), path)?;
    let is_series = group.entries.len() > 1;
    Ok((vec![group], is_series))
}

/// The features of a file: those called so, or its only ones, or layer by layer.
fn group(name: String, path: &Path) -> Result<Group, CliError> {
    let container = Container::open(path).map_err(CliError::input)?;
    if container.get("features").is_none() && container.get("H").is_none() {
        let names: Vec<String> = container.arrays().iter().filter(|a| is_features(a)).map(|a| a.name().to_owned()).collect();
        if names.len() > 1 {
            let entries = names.into_iter().map(|array| Entry { name: array.clone(), array }).collect();
            return Ok(Group { name, containers: vec![container], entries });
        }
    }
    if container.get("W").is_none() && container.get("H").is_some() && container.arrays().iter().any(|a| a.name() == "W1") {
        return Err(CliError::Input(format!("{}: a deep point; give its layers' features one by one", path.display())));
    }
    let array = container.find("features", &["features", "H"], is_features).map_err(CliError::input)?.name().to_owned();
    Ok(Group { name: name.clone(), entries: vec![Entry { name, array }], containers: vec![container] })
}

/// Labels of their own file, or of a problem.
pub(super) fn given_labels(args: &Args) -> Result<Option<Vec<u32>>, CliError> {
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

pub(super) fn classifier(container: &Container) -> Result<Classifier, FeatureError> {
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

/// Weights as a classifier, with its bias when it has one of that size.
pub(super) fn as_classifier(map: &LayerMap, bias: Option<Vec<f64>>) -> Classifier {
    let bias = bias.filter(|b| b.len() == map.rows).unwrap_or_else(|| vec![0.0; map.rows]);
    Classifier { weights: map.weights.clone(), bias }
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
pub(super) fn layer_maps(path: &Path, layers: usize) -> Result<Vec<LayerMap>, FeatureError> {
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
