//! Reading problems: TOML files and command-line flags become one [`RawSpec`], which is validated as a whole.

use super::{Bias, Labels, Loss, Model, Problem};
use crate::scalar::{Rational, parse_decimal};

/// Why a problem was refused: one clear message, naming the field, its value and what is allowed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpecError {
    #[error("missing field `{field}`: {allowed}")]
    Missing { field: &'static str, allowed: String },
    #[error("unknown field `{field}`; allowed: {allowed}")]
    Unknown { field: String, allowed: String },
    #[error("field `{field}` = {value} is not allowed: {allowed}")]
    Invalid { field: String, value: String, allowed: String },
    #[error("fields contradict each other: {0}")]
    Conflict(String),
    #[error("the problem is not valid TOML: {0}")]
    Syntax(String),
    #[error(
        "a point of {classes} classes, {samples} samples and dim {dim} needs {need_gib} GiB with the work on it, more than the \
         {have_gib} GiB of memory; reduce classes, samples, dim or digits"
    )]
    TooLarge { classes: u64, samples: u64, dim: u64, need_gib: u64, have_gib: u64 },
}

/// The fields of a problem as written, before validation. `None`: not written. Serialises to the fields that are.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct RawSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_class: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_counts: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_tag_set: Option<Vec<(String, i64)>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_sets: Option<Vec<Vec<i64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag_counts: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dim: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_w: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_h: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_b: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambdas: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoothing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focusing: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<String>,
}

const FIELDS: &str = "model, loss, bias, classes, per_class, class_counts, per_tag_set, tag_sets, tag_counts, dim, lambda_w, \
                      lambda_h, lambda_b, lambdas, smoothing, focusing, temperature";

/// Sample counts beyond this are refused: N must be exact in the arithmetic of every part of the program.
const MAX_COUNT: i64 = 1_000_000_000_000_000_000;
const MAX_DEPTH: usize = 100;

impl RawSpec {
    /// Reads the fields of a TOML file, types checked, values not yet.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| syntax(text, &e))?;
        Self::from_table(&table)
    }

    /// [`RawSpec::from_toml`] of a table that was read.
    pub(crate) fn from_table(table: &toml::Table) -> Result<Self, SpecError> {
        let mut raw = RawSpec::default();
        for (name, value) in table {
            match name.as_str() {
                "model" => raw.model = Some(string(name, value)?),
                "loss" => raw.loss = Some(string(name, value)?),
                "bias" => raw.bias = Some(string(name, value)?),
                "classes" => raw.classes = Some(integer(name, value)?),
                "per_class" => raw.per_class = Some(integer(name, value)?),
                "dim" => raw.dim = Some(integer(name, value)?),
                "class_counts" => raw.class_counts = Some(integers(name, value)?),
                "tag_counts" => raw.tag_counts = Some(integers(name, value)?),
                "tag_sets" => raw.tag_sets = Some(array(name, value)?.iter().map(|set| integers(name, set)).collect::<Result<_, _>>()?),
                "per_tag_set" => {
                    let sets = value.as_table().ok_or_else(|| invalid(name, value, "a table of multiplicity = samples"))?;
                    raw.per_tag_set = Some(sets.iter().map(|(m, v)| Ok((m.clone(), integer(name, v)?))).collect::<Result<_, _>>()?);
                }
                "lambda_w" => raw.lambda_w = Some(decimal_text(name, value)?),
                "lambda_h" => raw.lambda_h = Some(decimal_text(name, value)?),
                "lambda_b" => raw.lambda_b = Some(decimal_text(name, value)?),
                "lambdas" => raw.lambdas = Some(array(name, value)?.iter().map(|v| decimal_text(name, v)).collect::<Result<_, _>>()?),
                "smoothing" => raw.smoothing = Some(decimal_text(name, value)?),
                "focusing" => raw.focusing = Some(decimal_text(name, value)?),
                "temperature" => raw.temperature = Some(decimal_text(name, value)?),
                _ => return Err(SpecError::Unknown { field: shorten(name), allowed: FIELDS.into() }),
            }
        }
        Ok(raw)
    }

    /// Validates the fields as a whole.
    ///
    /// # Errors
    /// The first thing wrong, as a [`SpecError`]; nothing of the problem's size is allocated.
    pub fn validate(&self) -> Result<Problem, SpecError> {
        let model_name = required("model", &self.model, "one of plain, deep-linear, deep-relu, sphere, multi-label")?.as_str();
        let loss_name = required("loss", &self.loss, "one of mse, ce, label-smoothing, focal, pick-all-labels")?.as_str();
        let plain_like = matches!(model_name, "plain" | "multi-label");
        let deep = matches!(model_name, "deep-linear" | "deep-relu");
        if !plain_like && !deep && model_name != "sphere" {
            return Err(invalid("model", &model_name, "one of plain, deep-linear, deep-relu, sphere, multi-label"));
        }
        let allowed_losses: &[&str] = match model_name {
            "plain" => &["mse", "ce", "label-smoothing", "focal"],
            "sphere" => &["ce"],
            "multi-label" => &["pick-all-labels"],
            _ => &["mse"],
        };
        if !allowed_losses.contains(&loss_name) {
            return Err(invalid("loss", &loss_name, &format!("model {model_name} takes {}", allowed_losses.join(", "))));
        }
        let belongs = |field: &'static str, present: bool, holds: bool, to: &str| match (present, holds) {
            (true, false) => {
                Err(SpecError::Conflict(format!("`{field}` belongs to {to}, not to model {model_name} with loss {loss_name}")))
            }
            _ => Ok(()),
        };
        belongs("lambda_w", self.lambda_w.is_some(), plain_like, "the plain and multi-label models")?;
        belongs("lambda_h", self.lambda_h.is_some(), plain_like, "the plain and multi-label models")?;
        belongs("lambdas", self.lambdas.is_some(), deep, "the deep models")?;
        belongs("temperature", self.temperature.is_some(), model_name == "sphere", "the sphere model")?;
        let tags =
            [("per_tag_set", self.per_tag_set.is_some()), ("tag_sets", self.tag_sets.is_some()), ("tag_counts", self.tag_counts.is_some())];
        tags.iter().try_for_each(|&(field, present)| belongs(field, present, model_name == "multi-label", "the multi-label model"))?;
        belongs("smoothing", self.smoothing.is_some(), loss_name == "label-smoothing", "loss label-smoothing")?;
        belongs("focusing", self.focusing.is_some(), loss_name == "focal", "loss focal")?;

        let bias = self.bias(plain_like)?;
        let labels = self.labels(model_name == "multi-label")?;
        if let (Bias::Free, Labels::Tagged { classes, sets }) = (&bias, &labels) {
            let present: std::collections::HashSet<u64> = sets.iter().flat_map(|(tags, _)| tags).copied().collect();
            if let Some(absent) = (0..*classes).find(|k| !present.contains(k)) {
                let text = format!(
                    "with bias = \"free\" every class must occur in `tag_sets`, or no minimum is attained: class {absent} does not"
                );
                return Err(SpecError::Conflict(text));
            }
        }
        let dim = count("dim", *required("dim", &self.dim, "the feature dimension, an integer of at least 1")?, 1)?;
        let loss = match loss_name {
            "mse" => Loss::Mse,
            "ce" => Loss::Ce,
            "label-smoothing" => {
                let text = required("smoothing", &self.smoothing, "a decimal in [0, 1]")?;
                let smoothing = parameter("smoothing", text, "a decimal in [0, 1]")?;
                if !(0..=1).contains(&smoothing) {
                    return Err(invalid("smoothing", text, "a decimal in [0, 1]"));
                }
                Loss::LabelSmoothing { smoothing }
            }
            "focal" => {
                let allowed = "a decimal in [0, 100]";
                let text = required("focusing", &self.focusing, allowed)?;
                let focusing = parameter("focusing", text, allowed)?;
                if !(0..=100).contains(&focusing) {
                    return Err(invalid("focusing", text, allowed));
                }
                Loss::Focal { focusing }
            }
            _ => Loss::PickAllLabels,
        };
        let lambda = |field: &'static str, text: &Option<String>| weight(field, required(field, text, WEIGHT)?);
        let model = match model_name {
            "plain" => Model::Plain { lambda_w: lambda("lambda_w", &self.lambda_w)?, lambda_h: lambda("lambda_h", &self.lambda_h)? },
            "multi-label" => {
                Model::MultiLabel { lambda_w: lambda("lambda_w", &self.lambda_w)?, lambda_h: lambda("lambda_h", &self.lambda_h)? }
            }
            "sphere" => Model::Sphere { temperature: weight("temperature", required("temperature", &self.temperature, WEIGHT)?)? },
            _ => {
                let texts = required("lambdas", &self.lambdas, "one weight per factor, from H outwards: [H, W_1, W_2, ...]")?;
                if !(2..=MAX_DEPTH).contains(&texts.len()) {
                    return Err(invalid(
                        "lambdas",
                        &format!("[{}]", texts.join(", ")),
                        "2 to 100 weights, from H outwards: [H, W_1, W_2, ...]",
                    ));
                }
                let lambdas = texts.iter().map(|t| weight("lambdas", t)).collect::<Result<_, _>>()?;
                if model_name == "deep-linear" { Model::DeepLinear { lambdas } } else { Model::DeepRelu { lambdas } }
            }
        };
        Ok(Problem { model, loss, bias, labels, dim })
    }

    fn bias(&self, plain_like: bool) -> Result<Bias, SpecError> {
        let name = match (&self.bias, plain_like) {
            (Some(name), _) => name.as_str(),
            (None, false) => "none",
            (None, true) => return Err(SpecError::Missing { field: "bias", allowed: "one of none, free, regularized".into() }),
        };
        if !plain_like && matches!(name, "free" | "regularized") {
            return Err(SpecError::Conflict(format!(
                "bias = \"{name}\" belongs to the plain and multi-label models; this model has bias = \"none\""
            )));
        }
        match (name, &self.lambda_b) {
            ("none", None) => Ok(Bias::None),
            ("free", None) => Ok(Bias::Free),
            ("regularized", Some(text)) => Ok(Bias::Regularized { lambda_b: weight("lambda_b", text)? }),
            ("regularized", None) => {
                Err(SpecError::Missing { field: "lambda_b", allowed: "bias = \"regularized\" needs its weight, a positive decimal".into() })
            }
            ("none" | "free", Some(_)) => {
                Err(SpecError::Conflict(format!("`lambda_b` needs bias = \"regularized\", but bias = \"{name}\"")))
            }
            _ => Err(invalid("bias", &name, "one of none, free, regularized")),
        }
    }

    fn labels(&self, multi_label: bool) -> Result<Labels, SpecError> {
        let classes = self.classes.map(|c| count("classes", c, 2)).transpose()?;
        if multi_label {
            if self.per_class.is_some() || self.class_counts.is_some() {
                return Err(SpecError::Conflict("the multi-label model takes `per_tag_set`, not `per_class` or `class_counts`".into()));
            }
            let classes = classes.ok_or(SpecError::Missing { field: "classes", allowed: "an integer of at least 2".into() })?;
            if self.tag_sets.is_none() && self.tag_counts.is_none() {
                return self.per_tag_set(classes);
            }
            if self.per_tag_set.is_some() {
                return Err(SpecError::Conflict("give either `per_tag_set` or `tag_sets` and `tag_counts`, not both".into()));
            }
            return self.listed_tag_sets(classes);
        }
        if let Some(counts) = &self.class_counts {
            if self.per_class.is_some() || classes.is_some() {
                return Err(SpecError::Conflict("give either `class_counts` or `classes` and `per_class`, not both".into()));
            }
            if counts.len() < 2 {
                return Err(invalid("class_counts", &format!("{counts:?}"), "the samples of at least two classes"));
            }
            let counts = counts.iter().map(|&n| count("class_counts", n, 1)).collect::<Result<Vec<_>, _>>()?;
            total(counts.iter().map(|&n| n as u128).sum())?;
            return Ok(Labels::Counts(counts));
        }
        let classes =
            classes.ok_or(SpecError::Missing { field: "classes", allowed: "an integer of at least 2 (or give `class_counts`)".into() })?;
        let per_class = *required("per_class", &self.per_class, "samples per class, an integer of at least 1 (or give `class_counts`)")?;
        let per_class = count("per_class", per_class, 1)?;
        total(classes as u128 * per_class as u128)?;
        Ok(Labels::Balanced { classes, per_class })
    }

    /// `tag_sets` with `tag_counts`: distinct sets of classes from 0, strictly ascending.
    fn listed_tag_sets(&self, classes: u64) -> Result<Labels, SpecError> {
        let allowed = "a list of tag sets, classes from 0 in ascending order, e.g. [[0], [0, 2]], with as many `tag_counts`";
        let sets = required("tag_sets", &self.tag_sets, allowed)?;
        let counts = required("tag_counts", &self.tag_counts, "the samples of each of the `tag_sets`")?;
        if sets.len() != counts.len() || sets.is_empty() {
            return Err(SpecError::Conflict(format!("{} `tag_sets` with {} `tag_counts`: {allowed}", sets.len(), counts.len())));
        }
        let counts = counts.iter().map(|&n| count("tag_counts", n, 1)).collect::<Result<Vec<_>, _>>()?;
        total(counts.iter().map(|&n| n as u128).sum())?;
        let tags = |set: &Vec<i64>| -> Result<Vec<u64>, SpecError> {
            let ascending = !set.is_empty() && set.windows(2).all(|w| w[0] < w[1]);
            let classes = || set.iter().map(|&t| u64::try_from(t).ok().filter(|&t| t < classes)).collect::<Option<Vec<u64>>>();
            classes().filter(|_| ascending).ok_or_else(|| invalid("tag_sets", &format!("{set:?}"), allowed))
        };
        let sets = sets.iter().map(tags).collect::<Result<Vec<_>, _>>()?;
        let mut distinct = std::collections::HashSet::new();
        if let Some(twice) = sets.iter().find(|set| !distinct.insert(*set)) {
            return Err(SpecError::Conflict(format!("`tag_sets` names {} twice", shorten(&format!("{twice:?}")))));
        }
        Ok(Labels::Tagged { classes, sets: sets.into_iter().zip(counts).collect() })
    }

    fn per_tag_set(&self, classes: u64) -> Result<Labels, SpecError> {
        let allowed = "multiplicity = samples of each tag set, e.g. { 1 = 3, 2 = 2 }";
        let sets = required("per_tag_set", &self.per_tag_set, allowed)?;
        let mut per_tag_set = Vec::new();
        let mut samples: u128 = 0;
        for (key, q) in sets {
            let m = key.parse::<u64>().ok().filter(|m| (1..=classes).contains(m) && key == &m.to_string());
            let m = m.ok_or_else(|| invalid("per_tag_set", key, "multiplicities from 1 to the number of classes"))?;
            let q = count("per_tag_set", *q, 1)?;
            samples = samples.saturating_add((binomial(classes, m).unwrap_or(u64::MAX) as u128).saturating_mul(q as u128));
            per_tag_set.push((m, q));
        }
        if per_tag_set.is_empty() {
            return Err(invalid("per_tag_set", &"empty", allowed));
        }
        total(samples)?;
        per_tag_set.sort_unstable();
        if per_tag_set.windows(2).any(|w| w[0].0 == w[1].0) {
            return Err(SpecError::Conflict("`per_tag_set` names a multiplicity twice".into()));
        }
        Ok(Labels::TagSets { classes, per_tag_set })
    }
}

impl Problem {
    /// Reads and validates a problem file.
    ///
    /// # Errors
    /// [`SpecError`], naming the field, its value and what is allowed.
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        RawSpec::from_toml(text)?.validate()
    }
}

const WEIGHT: &str = "a positive decimal between 1e-100 and 1e100";

fn weight(field: &str, text: &str) -> Result<Rational, SpecError> {
    let value = parameter(field, text, WEIGHT)?;
    let limit = Rational::from(rug::Integer::from(rug::Integer::u_pow_u(10, 100)));
    if value <= 0 || value > limit || value.clone() * limit < 1 {
        return Err(invalid(field, &text, WEIGHT));
    }
    Ok(value)
}

fn parameter(field: &str, text: &str, allowed: &str) -> Result<Rational, SpecError> {
    parse_decimal(text).map_err(|e| invalid(field, &text, &format!("{allowed} ({e})")))
}

fn count(field: &str, value: i64, least: i64) -> Result<u64, SpecError> {
    if (least..=MAX_COUNT).contains(&value) {
        return Ok(value as u64);
    }
    Err(invalid(field, &value, &format!("an integer from {least} to 10^18")))
}

fn total(samples: u128) -> Result<(), SpecError> {
    if samples > MAX_COUNT as u128 {
        return Err(SpecError::Conflict(format!("{samples} samples in all; at most 10^18 are allowed")));
    }
    Ok(())
}

fn required<'a, T>(field: &'static str, value: &'a Option<T>, allowed: &str) -> Result<&'a T, SpecError> {
    value.as_ref().ok_or_else(|| SpecError::Missing { field, allowed: allowed.into() })
}

fn invalid(field: &str, value: &dyn std::fmt::Display, allowed: &str) -> SpecError {
    SpecError::Invalid { field: field.into(), value: shorten(&value.to_string()), allowed: allowed.into() }
}

/// Characters of a value that an error shows.
const SHOWN_CHARS: usize = 60;

/// A value as an error shows it: of bounded length, control characters escaped, quoted when nothing else shows where it ends.
pub(crate) fn shorten(text: &str) -> String {
    let mut shown: String =
        text.chars().take(SHOWN_CHARS).flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push_str("...");
    }
    if shown.is_empty() || shown.trim() != shown { format!("\"{shown}\"") } else { shown }
}

/// Where and why a text is not TOML; a number that TOML cannot hold is reported as its field's value.
pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> SpecError {
    let message = shorten(error.message());
    let Some(span) = error.span() else { return SpecError::Syntax(message) };
    let (before, token) = (text.get(..span.start).unwrap_or(""), text.get(span).unwrap_or(""));
    let start = before.rfind('\n').map_or(0, |i| i + 1);
    let number = token.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    let field = before[start..].split_once('=').map_or("", |(name, _)| name.trim());
    if number && FIELDS.split(", ").any(|f| f == field) {
        return invalid(field, &token, "a number that TOML can hold: integers have 64 bits; write other numbers as decimal strings");
    }
    let (line, column) = (before.matches('\n').count() + 1, before[start..].chars().count() + 1);
    let at = token.trim();
    let at = if at.is_empty() { String::new() } else { format!(" at `{}`", shorten(at)) };
    SpecError::Syntax(format!("line {line}, column {column}: {message}{at}"))
}

fn string(field: &str, value: &toml::Value) -> Result<String, SpecError> {
    value.as_str().map(str::to_owned).ok_or_else(|| invalid(field, value, "a string"))
}

fn integer(field: &str, value: &toml::Value) -> Result<i64, SpecError> {
    value.as_integer().ok_or_else(|| invalid(field, value, "an integer"))
}

fn integers(field: &str, value: &toml::Value) -> Result<Vec<i64>, SpecError> {
    array(field, value)?.iter().map(|v| integer(field, v)).collect()
}

fn array<'a>(field: &str, value: &'a toml::Value) -> Result<&'a Vec<toml::Value>, SpecError> {
    value.as_array().ok_or_else(|| invalid(field, value, "an array"))
}

/// A decimal string as it stands; a TOML float as its shortest decimal; a TOML integer.
pub(crate) fn decimal_text(field: &str, value: &toml::Value) -> Result<String, SpecError> {
    match value {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Float(x) if x.is_finite() => Ok(format!("{x:?}")),
        toml::Value::Integer(i) => Ok(i.to_string()),
        _ => Err(invalid(field, value, "a finite decimal, as a string or a number")),
    }
}

/// C(n, k), or `None` beyond `u64`.
pub(super) fn binomial(n: u64, k: u64) -> Option<u64> {
    let k = k.min(n.checked_sub(k)?);
    let mut value: u128 = 1;
    for i in 0..k {
        value = value * (n - i) as u128 / (i + 1) as u128;
        if value > u64::MAX as u128 {
            return None;
        }
    }
    Some(value as u64)
}

/// Vectors of the size of the point that a solver keeps at once (point, gradient, directions, products).
const WORKING_COPIES: u128 = 12;

/// (K, d, N), when [`WORKING_COPIES`] of a point with entries of `entry_bytes` fit in memory.
pub(super) fn point_sizes(problem: &Problem, entry_bytes: u64) -> Result<(usize, usize, usize), SpecError> {
    let (k, d, n) = (problem.classes() as u128, problem.dim as u128, problem.samples() as u128);
    let hidden = problem.depth() as u128 - 2;
    let entries = k * d + d * n + hidden * d.saturating_mul(d) + 2 * k * n;
    let need = entries.saturating_mul(u128::from(entry_bytes) * WORKING_COPIES);
    let have = memory_limit() as u128;
    if need > have {
        let gib = |bytes: u128| u64::try_from(bytes.div_ceil(1 << 30)).unwrap_or(u64::MAX);
        return Err(SpecError::TooLarge {
            classes: problem.classes(),
            samples: problem.samples(),
            dim: problem.dim,
            need_gib: gib(need),
            have_gib: have as u64 >> 30,
        });
    }
    Ok((k as usize, d as usize, n as usize))
}

/// Physical memory in bytes where the system tells it, otherwise 8 GiB.
fn memory_limit() -> u64 {
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|l| l.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    total.map_or(8 << 30, |kib| kib * 1024)
}
