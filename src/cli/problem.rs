//! The problem of a command: a TOML file, or flags of the same names.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{CliError, flags};
use crate::problem::{Point, PointError, Problem, RawSpec};

/// Problem files beyond this are refused unread.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A problem file, or the same fields as flags.
#[derive(clap::Args, Debug)]
pub(super) struct ProblemArgs {
    /// Problem file (TOML); or give its fields as flags
    #[arg(value_name = "PROBLEM.toml")]
    pub file: Option<PathBuf>,
    /// plain, deep-linear, deep-relu, sphere or multi-label
    #[arg(long, help_heading = "Problem fields")]
    model: Option<String>,
    /// mse, ce, label-smoothing, focal or pick-all-labels
    #[arg(long, help_heading = "Problem fields")]
    loss: Option<String>,
    /// none, free or regularized
    #[arg(long, help_heading = "Problem fields")]
    bias: Option<String>,
    /// Number of classes K
    #[arg(long, help_heading = "Problem fields", value_parser = flags::size, allow_negative_numbers = true)]
    classes: Option<i64>,
    /// Samples per class n
    #[arg(long, help_heading = "Problem fields", value_parser = flags::size, allow_negative_numbers = true)]
    per_class: Option<i64>,
    /// Samples of each class, instead of classes and per-class
    #[arg(long, help_heading = "Problem fields", value_delimiter = ',', value_parser = flags::size, allow_negative_numbers = true)]
    class_counts: Option<Vec<i64>>,
    /// Multi-label: samples of each tag set by multiplicity, as 1=3,2=2
    #[arg(long, help_heading = "Problem fields", value_delimiter = ',')]
    per_tag_set: Option<Vec<String>>,
    /// Multi-label: tag sets, classes from 0, as 0,0+2
    #[arg(long, help_heading = "Problem fields", value_delimiter = ',')]
    tag_sets: Option<Vec<String>>,
    /// Multi-label: samples of each of the tag sets
    #[arg(long, help_heading = "Problem fields", value_delimiter = ',', value_parser = flags::size, allow_negative_numbers = true)]
    tag_counts: Option<Vec<i64>>,
    /// Feature dimension d
    #[arg(long, help_heading = "Problem fields", value_parser = flags::size, allow_negative_numbers = true)]
    dim: Option<i64>,
    /// Weight of W, an exact decimal
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    lambda_w: Option<String>,
    /// Weight of H, an exact decimal
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    lambda_h: Option<String>,
    /// Weight of the bias, with bias regularized
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    lambda_b: Option<String>,
    /// Deep models: one weight per factor from H outwards
    #[arg(long, help_heading = "Problem fields", value_delimiter = ',', allow_hyphen_values = true)]
    lambdas: Option<Vec<String>>,
    /// Label smoothing in [0, 1]
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    smoothing: Option<String>,
    /// Focal loss's focusing parameter
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    focusing: Option<String>,
    /// Sphere model's temperature
    #[arg(long, help_heading = "Problem fields", allow_hyphen_values = true)]
    temperature: Option<String>,
}

/// A validated problem with its fields as written, and the file's bytes when it came from one.
pub(super) struct Loaded {
    pub problem: Problem,
    pub raw: RawSpec,
    pub bytes: Vec<u8>,
}

impl ProblemArgs {
    pub fn load(&self) -> Result<Loaded, CliError> {
        let raw = self.flags()?;
        match (&self.file, raw == RawSpec::default()) {
            (Some(path), true) => read_problem(path),
            (Some(path), false) => {
                Err(CliError::Input(format!("give either the file {} or the problem's fields as flags, not both", path.display())))
            }
            (None, true) => Err(CliError::Input("no problem: give a PROBLEM.toml, or its fields as flags (see --help)".into())),
            (None, false) => {
                let problem = raw.validate().map_err(CliError::input)?;
                Ok(Loaded { problem, raw, bytes: vec![] })
            }
        }
    }

    fn flags(&self) -> Result<RawSpec, CliError> {
        let tag_set = |text: &String| {
            let parsed = text.split_once('=').and_then(|(m, q)| Some((m.to_owned(), q.parse().ok()?)));
            parsed.ok_or_else(|| CliError::Input(format!("--per-tag-set {text} is not allowed: multiplicity=samples, as 1=3,2=2")))
        };
        let tags = |text: &String| {
            let parsed = text.split('+').map(|tag| tag.parse().ok()).collect::<Option<Vec<i64>>>();
            parsed.ok_or_else(|| CliError::Input(format!("--tag-sets {text} is not allowed: classes from 0 joined by +, as 0,0+2")))
        };
        Ok(RawSpec {
            model: self.model.clone(),
            loss: self.loss.clone(),
            bias: self.bias.clone(),
            classes: self.classes,
            per_class: self.per_class,
            class_counts: self.class_counts.clone(),
            per_tag_set: self.per_tag_set.as_ref().map(|sets| sets.iter().map(tag_set).collect()).transpose()?,
            tag_sets: self.tag_sets.as_ref().map(|sets| sets.iter().map(tags).collect()).transpose()?,
            tag_counts: self.tag_counts.clone(),
            dim: self.dim,
            lambda_w: self.lambda_w.clone(),
            lambda_h: self.lambda_h.clone(),
            lambda_b: self.lambda_b.clone(),
            lambdas: self.lambdas.clone(),
            smoothing: self.smoothing.clone(),
            focusing: self.focusing.clone(),
            temperature: self.temperature.clone(),
        })
    }
}

/// Reads and validates a problem file.
pub(super) fn read_problem(path: &Path) -> Result<Loaded, CliError> {
    let at = |e: &dyn std::fmt::Display| CliError::Input(format!("{}: {e}", path.display()));
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(|e| at(&e))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(at(&"larger than 1 MiB, which no problem file is"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| at(&"not UTF-8 text"))?;
    let raw = RawSpec::from_toml(text).map_err(|e| at(&e))?;
    let problem = raw.validate().map_err(|e| at(&e))?;
    Ok(Loaded { problem, raw, bytes })
}

/// Reads a point of this problem.
pub(super) fn read_point(path: &Path, problem: &Problem) -> Result<Point, CliError> {
    let at = |e: &dyn std::fmt::Display| CliError::Input(format!("{}: {e}", path.display()));
    problem.point_sizes().map_err(|e| at(&e))?;
    Point::read_npz(path, problem).map_err(|e| match &e {
        PointError::Array { .. } | PointError::Header(_) => at(&e),
        PointError::Io { source, .. } if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            at(&"truncated: an array ends before its entries do")
        }
        _ => CliError::input(e),
    })
}
