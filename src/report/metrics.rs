//! Metrics of features as tables, JSON and CSV.

use serde_json::{Map, Value, json};

use super::table::{Table, three_digits};
use crate::metrics::{Bounded, Measured};

/// Names of metrics that are also known with the suffix of what they measure.
const ALIASES: [(&str, &str); 2] = [("nc2_etf", "nc2_etf_means"), ("nc2_of", "nc2_of_means")];
/// Metrics shown for each layer or epoch on a terminal; the others are in JSON and CSV.
const SHOWN: [&str; 8] = ["nc1", "cdnv", "nc2_etf", "nc3", "nc4", "ncc_error", "stable_rank_means", "effective_rank_means"];

/// The object of `ufm metrics --json`; an undefined metric has null for its value and bound.
pub fn metrics_json(m: &Measured) -> Value {
    let mut metrics = Map::new();
    for (name, value) in &m.metrics {
        let entry = json!({ "value": value.map(|v| v.value), "error_bound": value.map(|v| v.bound) });
        if let Some((_, alias)) = ALIASES.iter().find(|(bare, _)| bare == name) {
            metrics.insert((*alias).into(), entry.clone());
        }
        metrics.insert((*name).into(), entry);
    }
    json!({
        "classes": m.classes,
        "samples": m.samples,
        "dim": m.dim,
        "convention": m.convention.name(),
        "warnings": m.warnings,
        "metrics": metrics,
    })
}

/// The significant digits that an error bound leaves, at most 16, and the bound.
pub(super) fn digits_shown(value: Bounded) -> (String, String) {
    if value.bound == 0.0 {
        return (value.value.to_string(), "exact".into());
    }
    let digits = (value.value.abs() / value.bound).log10().floor().clamp(1.0, 16.0) as usize;
    let shown = if value.value == 0.0 { "0".to_owned() } else { format!("{:.*e}", digits - 1, value.value) };
    (shown, format!("{:.0e}", value.bound))
}

fn bounded(value: Bounded) -> String {
    let (shown, bound) = digits_shown(value);
    if value.bound == 0.0 { format!("{shown}  exact") } else { format!("{shown}  within {bound}") }
}

/// The rows of one set of features.
pub fn metrics_rows(table: &mut Table, m: &Measured) {
    table.row("features", &format!("{} samples of dimension {} in {} classes", m.samples, m.dim, m.classes));
    table.row("convention", m.convention.name());
    for (name, value) in &m.metrics {
        table.row(name, &value.map_or_else(|| "undefined".to_owned(), bounded));
    }
    for warning in &m.warnings {
        table.row("warning", warning);
    }
}

/// A line for each layer or epoch, columns aligned.
pub fn series_table(series: &[(String, Measured)]) -> String {
    let columns: Vec<&str> = SHOWN.into_iter().filter(|name| series.iter().any(|(_, m)| m.get(name).is_some())).collect();
    let mut lines = vec![[vec!["name".to_owned(), "dim".to_owned()], columns.iter().map(|c| (*c).to_owned()).collect()].concat()];
    for (name, m) in series {
        let cell = |column: &&str| m.get(column).map_or_else(|| "-".to_owned(), |v| three_digits(v.value));
        lines.push([vec![name.clone(), m.dim.to_string()], columns.iter().map(cell).collect()].concat());
    }
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len() + 2).map(width).collect();
    let render = |line: &Vec<String>| {
        let first = format!("{:w$}", line[0], w = widths[0]);
        let rest: String = line[1..].iter().zip(&widths[1..]).map(|(cell, w)| format!("  {cell:>w$}")).collect();
        format!("{first}{rest}\n")
    };
    lines.iter().map(render).collect()
}

/// Curves: a row for each layer or epoch, value and error bound of each metric; undefined ones are empty.
pub fn metrics_csv(series: &[(String, Measured)]) -> String {
    let mut names: Vec<&str> = vec![];
    for (name, _) in series.iter().flat_map(|(_, m)| &m.metrics) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let header: String = names.iter().map(|name| format!(",{name},{name}_error_bound")).collect();
    let mut out = format!("name,classes,samples,dim{header}\n");
    for (name, m) in series {
        let quoted = if name.contains([',', '"', '\n']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name.clone() };
        let cell = |name: &&str| m.get(name).map_or_else(|| ",,".to_owned(), |v| format!(",{:e},{:e}", v.value, v.bound));
        let cells: String = names.iter().map(cell).collect();
        out += &format!("{quoted},{},{},{}{cells}\n", m.classes, m.samples, m.dim);
    }
    out
}
