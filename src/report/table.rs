//! Aligned two-column tables for the terminal.

use serde_json::Value;

use super::number;
use crate::problem::{Bias, Labels, Loss, Model, Problem};

/// Rows of a name and a value, rendered with the values aligned.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<(String, String)>,
}

impl Table {
    /// Adds a row; an empty name continues the row above.
    pub fn row(&mut self, name: &str, value: &str) {
        self.rows.push((name.into(), value.into()));
    }

    /// Name and value of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The table as text, one line per row.
    ///
    /// ```
    /// let mut table = ufm::report::Table::default();
    /// table.row("gap", "3.1e-14");
    /// table.row("verdict", "global-minimum");
    /// assert_eq!(table.render(), "gap      3.1e-14\nverdict  global-minimum\n");
    /// ```
    pub fn render(&self) -> String {
        let width = self.rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        self.rows.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned() + "\n").collect()
    }
}

/// Entries of a list that are shown; programs read the rest in JSON.
const LIST_SHOWN: usize = 8;

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(items) if items.len() > LIST_SHOWN => {
            let shown: Vec<String> = items.iter().take(LIST_SHOWN).map(text).collect();
            format!("{} ... ({} values)", shown.join(" "), items.len())
        }
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        Value::Null => "undecided".into(),
        other => other.to_string(),
    }
}

/// A measured number.
fn measured(value: &Value) -> String {
    value.as_str().and_then(|s| s.parse::<f64>().ok()).map_or_else(|| text(value), three_digits)
}

/// Three significant digits, plain between a thousandth and a hundred thousand.
pub(super) fn three_digits(x: f64) -> String {
    let size = x.abs();
    if size == 0.0 {
        "0".into()
    } else if (1e-3..1e5).contains(&size) {
        let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
        format!("{x:.decimals$}")
    } else {
        format!("{x:.2e}")
    }
}

/// The rows that say which problem this is.
pub fn problem_rows(table: &mut Table, problem: &Problem) {
    let model = match &problem.model {
        Model::Plain { .. } => "plain",
        Model::DeepLinear { .. } => "deep-linear",
        Model::DeepRelu { .. } => "deep-relu",
        Model::Sphere { .. } => "sphere",
        Model::MultiLabel { .. } => "multi-label",
    };
    let loss = match &problem.loss {
        Loss::Mse => "mse",
        Loss::Ce => "ce",
        Loss::LabelSmoothing { .. } => "label-smoothing",
        Loss::Focal { .. } => "focal",
        Loss::PickAllLabels => "pick-all-labels",
    };
    let bias = match &problem.bias {
        Bias::None => "no bias",
        Bias::Free => "free bias",
        Bias::Regularized { .. } => "regularized bias",
    };
    let balance = match &problem.labels {
        Labels::Balanced { per_class: 1, .. } => "1 sample each".to_owned(),
        Labels::Balanced { per_class, .. } => format!("{per_class} samples each"),
        _ => format!("{} samples in all", problem.samples()),
    };
    table.row("problem", &format!("{model}, {loss}, {bias}: {} classes, {balance}, dimension {}", problem.classes(), problem.dim));
}

/// The rows of a `closed_form` object.
pub fn closed_form_rows(table: &mut Table, value: &Value) {
    if value["available"] != true {
        table.row("closed form", &format!("none: {}", text(&value["reason"])));
        return;
    }
    table.row("closed form", &format!("{} regime, {}", text(&value["regime"]), text(&value["trust"])));
    table.row("  source", &text(&value["source"]));
    table.row("  f*", &text(&value["f_star"]));
    for (name, scalar) in value["scalars"].as_object().into_iter().flatten() {
        table.row(&format!("  {}", name.replace('_', " ")), &text(scalar));
    }
}

/// The rows of a `numerical` object.
pub fn numerical_rows(table: &mut Table, value: &Value) {
    if value["available"] == false {
        table.row("numerical", &format!("none: {}", text(&value["reason"])));
        return;
    }
    let seconds = value["seconds"].as_f64().unwrap_or(0.0);
    let plural = if value["iterations"] == 1 { "" } else { "s" };
    table.row("numerical", &format!("{} after {} iteration{plural}, {seconds:.3} s", text(&value["status"]), value["iterations"]));
    if let Some(starts) = value["starts"].as_array() {
        let objective = |start: &Value| text(&start["objective"]).parse::<f64>().unwrap_or(f64::NAN);
        let highest = starts.iter().map(objective).fold(f64::NEG_INFINITY, f64::max);
        let shown = number(highest);
        table.row(
            "  start",
            &format!("{}, the lowest of {}; the highest ended at {}", text(&value["start"]), starts.len(), measured(&Value::String(shown))),
        );
    }
    if let Some(refinement) = value["refinement"].as_object() {
        let [status, digits, steps] = ["status", "digits", "steps"].map(|name| text(&refinement[name]));
        let plural = if steps == "1" { "" } else { "s" };
        let shown = format!("{status}, {digits} digits after {steps} Newton step{plural}");
        table.row("  refinement", &shown);
    }
    table.row("  objective", &text(&value["objective"]));
    table.row("  gradient norm", &measured(&value["gradient_norm"]));
    for (name, metric) in value["metrics"].as_object().into_iter().flatten() {
        if !metric.is_null() {
            table.row(&format!("  {name}"), &measured(metric));
        }
    }
}

/// The rows of a `certificate` object.
pub fn certificate_rows(table: &mut Table, value: &Value) {
    if value["available"] == false {
        table.row("certificate", &format!("none: {}", text(&value["reason"])));
        return;
    }
    table.row("certificate", &format!("{}, {} point", text(&value["verdict"]), text(&value["point"])));
    for (name, shown) in [
        ("reason", "reason"),
        ("lower", "f* >="),
        ("upper", "f <="),
        ("gap", "gap <="),
        ("gradient_norm", "gradient norm <="),
        ("curvature", "curvature <="),
    ] {
        if !value[name].is_null() {
            table.row(&format!("  {shown}"), &text(&value[name]));
        }
    }
    if value["tight"] == false {
        table.row("  bound", "holds, but need not be tight: the dimension is too small for the theory, or its proof leaves out this bias");
    }
    for (name, bound) in value["collapse"].as_object().into_iter().flatten() {
        table.row(&format!("  {} <=", name.replace('_', " ")), &text(bound));
    }
}
