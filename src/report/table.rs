//! Aligned two-column tables for the terminal.

use serde_json::Value;

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

fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// The rows of a `closed_form` object.
pub fn closed_form_rows(table: &mut Table, value: &Value) {
    if value["available"] != true {
        table.row("closed form", &format!("none: {}", text(&value["reason"])));
        return;
    }
    table.row("closed form", &format!("{} regime ({})", text(&value["regime"]), text(&value["source"])));
    table.row("  f*", &text(&value["f_star"]));
    for (name, scalar) in value["scalars"].as_object().into_iter().flatten() {
        table.row(&format!("  {name}"), &text(scalar));
    }
}

/// The rows of a `numerical` object.
pub fn numerical_rows(table: &mut Table, value: &Value) {
    let seconds = value["seconds"].as_f64().unwrap_or(0.0);
    table.row("numerical", &format!("{} after {} iterations, {seconds:.3} s", text(&value["status"]), value["iterations"]));
    table.row("  objective", &text(&value["objective"]));
    table.row("  gradient norm", &text(&value["gradient_norm"]));
    for (name, metric) in value["metrics"].as_object().into_iter().flatten() {
        if !metric.is_null() {
            table.row(&format!("  {name}"), &text(metric));
        }
    }
}

/// The rows of a `certificate` object.
pub fn certificate_rows(table: &mut Table, value: &Value) {
    table.row("certificate", &format!("{} ({} point)", text(&value["verdict"]), text(&value["point"])));
    for name in ["reason", "lower", "upper", "gap", "gradient_norm", "curvature"] {
        if !value[name].is_null() {
            table.row(&format!("  {}", name.replace('_', " ")), &text(&value[name]));
        }
    }
    for (name, bound) in value["collapse"].as_object().into_iter().flatten() {
        table.row(&format!("  {} <=", name.replace('_', " ")), &text(bound));
    }
}
