//! Grid files: the fields of a problem file, each with one value, a list or a range.

use std::collections::HashSet;

use serde_json::json;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{
    GridError,
    axis::{self, Dim, invalid},
    options::SweepOptions,
};
use crate::closed_form::closed_form;
use crate::problem::{Problem, RawSpec, SpecError, shorten, syntax};
use crate::scalar::{Rational, parse_decimal};

/// Instances of one grid.
pub(super) const MAX_INSTANCES: u128 = 100_000;
/// Class sizes listed by all instances together.
const MAX_LISTED: usize = 10_000_000;
const MAX_DEPTH: i64 = 100;

/// A grid of problems with what is asked of each. See [the module](super) for the file's fields.
///
/// Guarantee: the instances and their order depend on the meaning of the file alone, not on the order or spelling of its lines.
#[derive(Debug, Clone)]
pub struct Grid {
    pub options: SweepOptions,
    pub instances: Vec<Instance>,
    /// SHA-256 over the keys of the instances in order: equal for grids that ask the same of the same problems.
    pub hash: String,
}

/// One problem of a grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Position in the grid, from 0.
    pub index: usize,
    /// The problem's fields, as a problem file would write them.
    pub raw: RawSpec,
    pub seed: u64,
    /// Two class sizes, when the instance has them or came from `imbalance`.
    pub step: Option<Step>,
    /// A hash of the fields, the seed, the options and the program's version.
    pub key: String,
}

/// Majority classes of one size, then minority classes of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Classes and samples of each.
    pub majority: (u64, u64),
    pub minority: (u64, u64),
}

/// The fields of a grid, in the order in which they vary: the last fastest.
const FIELDS: [&str; 23] = [
    "model",
    "loss",
    "bias",
    "smoothing",
    "focusing",
    "classes",
    "per_class",
    "class_counts",
    "minority",
    "imbalance",
    "per_tag_set",
    "tag_sets",
    "tag_counts",
    "dim",
    "depth",
    "lambda",
    "lambdas",
    "lambda_w",
    "lambda_h",
    "lambda_b",
    "temperature",
    "seed",
    "options",
];

/// One value of a field.
#[derive(Debug, Clone)]
enum Entry {
    Text(String),
    Integer(i64),
    Dim(Dim),
    /// A whole field as a problem file writes it.
    Field(Box<RawSpec>),
}

struct Axis {
    field: &'static str,
    entries: Vec<Entry>,
    /// Whether an instance has taken a value of it.
    used: bool,
}

/// The fields of an instance while it is put together.
#[derive(Clone, Default)]
struct Draft {
    raw: RawSpec,
    dim: Option<Dim>,
    depth: Option<i64>,
    lambda: Option<String>,
    minority: Option<i64>,
    imbalance: Option<String>,
    seed: u64,
}

impl Grid {
    /// Reads a grid file and makes its instances; nothing is solved.
    ///
    /// # Errors
    /// [`GridError`], naming the field, its value and what is allowed: unknown and mistyped fields, empty lists, absurd ranges, more than
    /// 100000 instances, fields that belong to no instance, and instances whose fields make no problem.
    pub fn from_toml(text: &str) -> Result<Grid, GridError> {
        let table: Table = text.parse().map_err(|e: toml::de::Error| syntax(text, &e))?;
        if let Some(name) = table.keys().find(|k| !FIELDS.contains(&k.as_str())) {
            return Err(SpecError::Unknown { field: shorten(name), allowed: FIELDS.join(", ") }.into());
        }
        let options = match table.get("options") {
            Some(Value::Table(options)) => SweepOptions::from_toml(options)?,
            Some(other) => return Err(invalid("options", other, "a table [options]")),
            None => SweepOptions::default(),
        };
        let mut axes = vec![];
        for field in FIELDS.into_iter().filter(|f| *f != "options") {
            if let Some(value) = table.get(field) {
                axes.push(Axis { field, entries: entries(field, value)?, used: false });
            }
        }
        let size = axes.iter().fold(1u128, |n, axis| n.saturating_mul(axis.entries.len() as u128));
        if size > MAX_INSTANCES {
            let factors = axes.iter().filter(|a| a.entries.len() > 1).map(|a| format!("{} {}", a.entries.len(), a.field));
            return Err(GridError::TooMany { size, factors: factors.collect::<Vec<_>>().join(" x ") });
        }
        let mut expansion = Expansion { options: &options, instances: vec![], seen: HashSet::new(), listed: 0 };
        expansion.expand(&mut axes, 0, &Draft::default())?;
        if let Some(axis) = axes.iter().find(|a| !a.used) {
            return Err(SpecError::Conflict(format!("`{}` belongs to {}, and the grid has none", axis.field, owner(axis.field))).into());
        }
        let instances = expansion.instances;
        let mut hash = Sha256::new();
        instances.iter().for_each(|i| hash.update(&i.key));
        Ok(Grid { options, instances, hash: hex(&hash.finalize()) })
    }
}

impl Instance {
    /// The validated problem; it was validated when the grid was read.
    ///
    /// # Errors
    /// None for an instance of a [`Grid`]; [`SpecError`] when its fields were changed since.
    pub fn problem(&self) -> Result<Problem, SpecError> {
        self.raw.validate()
    }
}

fn entries(field: &'static str, value: &Value) -> Result<Vec<Entry>, GridError> {
    Ok(match field {
        "model" | "loss" | "bias" => axis::texts(field, value)?.into_iter().map(Entry::Text).collect(),
        "classes" | "per_class" | "minority" | "depth" | "seed" => axis::integers(field, value)?.into_iter().map(Entry::Integer).collect(),
        "dim" => axis::dims(field, value)?.into_iter().map(Entry::Dim).collect(),
        // Fields that are lists or tables in a problem file: a list of them is a list of values.
        "class_counts" | "lambdas" | "per_tag_set" | "tag_sets" | "tag_counts" => {
            let nested = |v: &Value| match (field, v) {
                ("per_tag_set", Value::Array(_)) => true,
                ("class_counts" | "lambdas", Value::Array(list)) => list.first().is_none_or(Value::is_array),
                _ => false,
            };
            let values = match value {
                Value::Array(list) if nested(value) => list.clone(),
                one => vec![one.clone()],
            };
            if values.is_empty() {
                return Err(invalid(field, &"[]", "at least one value; leave the field out if it has none"));
            }
            let one = |v: Value| Ok(Entry::Field(Box::new(RawSpec::from_table(&Table::from_iter([(field.to_owned(), v)]))?)));
            values.into_iter().map(one).collect::<Result<_, GridError>>()?
        }
        _ => axis::decimals(field, value)?.into_iter().map(Entry::Text).collect(),
    })
}

/// Whether an instance with the fields drafted so far takes a value of this one.
fn applies(field: &str, draft: &Draft) -> bool {
    let is = |value: &Option<String>, names: &[&str]| value.as_deref().is_some_and(|v| names.contains(&v));
    let model = |names: &[&str]| is(&draft.raw.model, names);
    match field {
        "bias" | "lambda_w" | "lambda_h" => model(&["plain", "multi-label"]),
        "lambda_b" => is(&draft.raw.bias, &["regularized"]),
        "lambdas" | "depth" => model(&["deep-linear", "deep-relu"]),
        "lambda" => !model(&["sphere"]),
        "temperature" => model(&["sphere"]),
        "smoothing" => is(&draft.raw.loss, &["label-smoothing"]),
        "focusing" => is(&draft.raw.loss, &["focal"]),
        "per_tag_set" | "tag_sets" | "tag_counts" => model(&["multi-label"]),
        "per_class" | "class_counts" | "imbalance" | "minority" => !model(&["multi-label"]),
        _ => true,
    }
}

/// What a field that applies to some instances only belongs to.
fn owner(field: &str) -> &'static str {
    match field {
        "bias" | "lambda_w" | "lambda_h" => "the plain and multi-label models",
        "lambda_b" => "bias = \"regularized\"",
        "lambdas" | "depth" => "the deep models",
        "lambda" => "the models with weights",
        "temperature" => "the sphere model",
        "smoothing" => "loss = \"label-smoothing\"",
        "focusing" => "loss = \"focal\"",
        "per_tag_set" | "tag_sets" | "tag_counts" => "the multi-label model",
        _ => "the models with one label for each sample",
    }
}

struct Expansion<'a> {
    options: &'a SweepOptions,
    instances: Vec<Instance>,
    seen: HashSet<String>,
    listed: usize,
}

impl Expansion<'_> {
    fn expand(&mut self, axes: &mut [Axis], at: usize, draft: &Draft) -> Result<(), GridError> {
        if at == axes.len() {
            return self.add(draft);
        }
        let field = axes[at].field;
        if !applies(field, draft) {
            return self.expand(axes, at + 1, draft);
        }
        axes[at].used = true;
        for i in 0..axes[at].entries.len() {
            let mut next = draft.clone();
            next.set(field, &axes[at].entries[i])?;
            self.expand(axes, at + 1, &next)?;
        }
        Ok(())
    }

    fn add(&mut self, draft: &Draft) -> Result<(), GridError> {
        let describe = || shorten_long(&json!(draft.raw).to_string());
        let (raw, step) = draft.finish().map_err(|e| e.of(describe()))?;
        self.listed += raw.class_counts.as_ref().map_or(0, Vec::len);
        if self.listed > MAX_LISTED {
            return Err(GridError::Listed { most: MAX_LISTED });
        }
        let of_instance = |e: SpecError| GridError::Instance { instance: shorten_long(&json!(raw).to_string()), source: e };
        let problem = raw.validate().map_err(of_instance)?;
        problem.point_sizes().map_err(of_instance)?;
        self.options.check(&problem)?;
        if !self.options.numerical()
            && let Err(e) = closed_form(&problem)
        {
            return Err(GridError::NoClosedForm { instance: shorten_long(&json!(raw).to_string()), why: e.to_string() });
        }
        let identity = json!({
            "version": env!("CARGO_PKG_VERSION"), "problem": raw, "seed": draft.seed, "options": self.options.json(),
        });
        let key = hex(&Sha256::digest(identity.to_string())[..16]);
        if self.seen.insert(key.clone()) {
            self.instances.push(Instance { index: self.instances.len(), raw, seed: draft.seed, step, key });
        }
        Ok(())
    }
}

impl Draft {
    fn set(&mut self, field: &str, entry: &Entry) -> Result<(), GridError> {
        match (field, entry) {
            ("model", Entry::Text(t)) => self.raw.model = Some(t.clone()),
            ("loss", Entry::Text(t)) => self.raw.loss = Some(t.clone()),
            ("bias", Entry::Text(t)) => self.raw.bias = Some(t.clone()),
            ("smoothing", Entry::Text(t)) => self.raw.smoothing = Some(t.clone()),
            ("focusing", Entry::Text(t)) => self.raw.focusing = Some(t.clone()),
            ("temperature", Entry::Text(t)) => self.raw.temperature = Some(t.clone()),
            ("lambda_w", Entry::Text(t)) => self.raw.lambda_w = Some(t.clone()),
            ("lambda_h", Entry::Text(t)) => self.raw.lambda_h = Some(t.clone()),
            ("lambda_b", Entry::Text(t)) => self.raw.lambda_b = Some(t.clone()),
            ("lambda", Entry::Text(t)) => self.lambda = Some(t.clone()),
            ("imbalance", Entry::Text(t)) => self.imbalance = Some(t.clone()),
            ("classes", Entry::Integer(n)) => self.raw.classes = Some(*n),
            ("per_class", Entry::Integer(n)) => self.raw.per_class = Some(*n),
            ("minority", Entry::Integer(n)) => self.minority = Some(*n),
            ("depth", Entry::Integer(n)) => self.depth = Some(*n),
            ("dim", Entry::Dim(d)) => self.dim = Some(*d),
            ("seed", Entry::Integer(n)) => {
                self.seed = u64::try_from(*n).map_err(|_| invalid("seed", n, "integers from 0 to 2^63 - 1"))?;
            }
            ("class_counts", Entry::Field(f)) => self.raw.class_counts.clone_from(&f.class_counts),
            ("lambdas", Entry::Field(f)) => self.raw.lambdas.clone_from(&f.lambdas),
            ("per_tag_set", Entry::Field(f)) => self.raw.per_tag_set.clone_from(&f.per_tag_set),
            ("tag_sets", Entry::Field(f)) => self.raw.tag_sets.clone_from(&f.tag_sets),
            ("tag_counts", Entry::Field(f)) => self.raw.tag_counts.clone_from(&f.tag_counts),
            // Each field's entries are of its kind.
            _ => {}
        }
        Ok(())
    }

    /// The fields of the problem file that the grid's own fields stand for.
    fn finish(&self) -> Result<(RawSpec, Option<Step>), GridError> {
        let mut raw = self.raw.clone();
        let conflict = |text: &str| Err(SpecError::Conflict(text.into()).into());
        let deep = raw.model.as_deref().is_some_and(|m| m.starts_with("deep"));
        match (&self.lambda, self.depth) {
            (Some(lambda), Some(depth)) if deep => {
                if raw.lambdas.is_some() {
                    return conflict("give either `lambdas`, or `depth` and `lambda`, not both");
                }
                if !(2..=MAX_DEPTH).contains(&depth) {
                    return Err(invalid("depth", &depth, &format!("2 to {MAX_DEPTH} factors, H among them")));
                }
                raw.lambdas = Some(vec![lambda.clone(); depth as usize]);
            }
            (Some(_), None) if deep => return conflict("`lambda` is every factor's weight: a deep model needs `depth` with it"),
            (None, Some(_)) if deep => return conflict("`depth` needs `lambda`, the weight of every factor"),
            (Some(lambda), _) => {
                if raw.lambda_w.is_some() || raw.lambda_h.is_some() {
                    return conflict("`lambda` is both `lambda_w` and `lambda_h`: give it or them");
                }
                raw.lambda_w = Some(lambda.clone());
                raw.lambda_h = Some(lambda.clone());
            }
            _ => {}
        }
        let mut step = self.imbalanced(&mut raw)?;
        if let (None, Some(counts)) = (step, &raw.class_counts) {
            step = two_sizes(counts);
        }
        let classes = raw.classes.or_else(|| raw.class_counts.as_ref().and_then(|c| i64::try_from(c.len()).ok()));
        raw.dim = match (self.dim, classes) {
            (Some(dim), _) if !dim.relative() => Some(dim.of(0)),
            (Some(dim), Some(classes)) => Some(dim.of(classes)),
            _ => None,
        };
        Ok((raw, step))
    }

    /// `classes` classes, the last `minority` of them with ⌊per_class / imbalance⌋ samples, the others with `per_class`.
    fn imbalanced(&self, raw: &mut RawSpec) -> Result<Option<Step>, GridError> {
        let conflict = |text: &str| Err(SpecError::Conflict(text.into()).into());
        let (ratio, minority) = match (&self.imbalance, self.minority) {
            (None, None) => return Ok(None),
            (Some(ratio), Some(minority)) => (ratio, minority),
            (Some(_), None) => return conflict("`imbalance` needs `minority`, the number of minority classes"),
            (None, Some(_)) => return conflict("`minority` needs `imbalance`, samples of a majority class over those of a minority class"),
        };
        let (Some(classes), Some(per_class), None) = (raw.classes, raw.per_class, &raw.class_counts) else {
            return conflict("`imbalance` needs `classes` and `per_class`, the samples of a majority class, and no `class_counts`");
        };
        if !(2..=1_000_000).contains(&classes) {
            return Err(invalid("classes", &classes, "an integer from 2 to 10^6 with `imbalance`"));
        }
        if !(1..classes).contains(&minority) {
            return Err(invalid("minority", &minority, &format!("an integer from 1 to {}, one less than `classes`", classes - 1)));
        }
        let value = parse_decimal(ratio).unwrap_or_default();
        let samples = if value >= 1 { axis::divided(per_class, &value).filter(|&n| n >= 1) } else { None };
        let Some(samples) = samples else {
            let allowed = format!("a decimal from 1 to `per_class` = {per_class}, so that a minority class has a sample");
            return Err(invalid("imbalance", ratio, &allowed));
        };
        let majority = classes - minority;
        let counts = std::iter::repeat_n(per_class, majority as usize).chain(std::iter::repeat_n(samples, minority as usize)).collect();
        (raw.classes, raw.per_class, raw.class_counts) = (None, None, Some(counts));
        Ok(Some(Step { majority: (majority as u64, per_class as u64), minority: (minority as u64, samples as u64) }))
    }
}

/// The two sizes of classes that have exactly two.
fn two_sizes(counts: &[i64]) -> Option<Step> {
    let (least, most) = (*counts.iter().min()?, *counts.iter().max()?);
    let of = |size: i64| counts.iter().filter(|&&c| c == size).count();
    let (small, large) = (of(least), of(most));
    (least > 0 && least < most && small + large == counts.len())
        .then_some(Step { majority: (large as u64, most as u64), minority: (small as u64, least as u64) })
}

impl Step {
    /// Samples of a majority class over those of a minority class, exactly.
    pub fn ratio(&self) -> Rational {
        Rational::from((self.majority.1, self.minority.1))
    }

    /// Samples in all.
    pub fn samples(&self) -> u64 {
        self.majority.0 * self.majority.1 + self.minority.0 * self.minority.1
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Characters of an instance's fields that an error shows.
const SHOWN_CHARS: usize = 200;

fn shorten_long(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    if shown.len() < text.len() { shown + "..." } else { shown }
}
