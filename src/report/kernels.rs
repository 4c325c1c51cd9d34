//! Kernels under test: table, JSON, page.

use serde_json::{Map, Value, json};

use super::html::{Axis, Cell, Page, Plot, Series};
use crate::kernels::{Entry, Operation, Outcome, Ratio, Suite};

/// The entries of one kernel, precision and operation, summed up.
struct Summary<'a> {
    kernel: &'a str,
    precision: &'a str,
    operation: Operation,
    cases: usize,
    faults: usize,
    exceptions: usize,
    /// Nearest to its threshold, documented exceptions aside.
    worst: Option<(&'a Ratio, &'a str)>,
    forward: Option<f64>,
    timed: Vec<&'a Entry>,
}

fn summaries(entries: &[Entry]) -> Vec<Summary<'_>> {
    let mut list: Vec<Summary<'_>> = vec![];
    for e in entries {
        let found = list.iter().position(|s| s.kernel == e.kernel && s.precision == e.precision && s.operation == e.operation);
        let index = found.unwrap_or_else(|| {
            list.push(Summary {
                kernel: &e.kernel,
                precision: &e.precision,
                operation: e.operation,
                cases: 0,
                faults: 0,
                exceptions: 0,
                worst: None,
                forward: None,
                timed: vec![],
            });
            list.len() - 1
        });
        let s = &mut list[index];
        s.faults += usize::from(!e.passes());
        s.exceptions += usize::from(e.exception.is_some());
        if e.speed.is_some() {
            // The table shows the first, a square random matrix.
            s.timed.push(e);
        }
        let Outcome::Scored(score) = &e.outcome else { continue };
        s.cases += 1;
        if e.exception.is_some() {
            continue;
        }
        if let Some(r) = score.worst()
            && s.worst.is_none_or(|(worst, _)| r.share() > worst.share())
        {
            s.worst = Some((r, &e.case));
        }
        s.forward = [s.forward, score.forward_error].into_iter().flatten().reduce(f64::max);
    }
    // A kernel without an operation has no row.
    list.retain(|s| s.cases + s.faults + s.exceptions > 0);
    list
}

fn figure(x: f64) -> String {
    if x == 0.0 {
        "0".into()
    } else if (0.01..1000.0).contains(&x) {
        format!("{x:.2}")
    } else {
        format!("{x:.1e}")
    }
}

fn optional(x: Option<f64>) -> String {
    x.map_or_else(|| "-".into(), figure)
}

/// Rate over the product peak of that precision.
fn fraction(suite: &Suite, e: &Entry) -> Option<f64> {
    let (_, peak) = suite.peaks.iter().find(|(precision, _)| *precision == e.precision)?;
    Some(e.speed.as_ref()?.gflops / peak)
}

const HEADERS: [&str; 11] =
    ["kernel", "precision", "operation", "cases", "worst ratio", "below", "case", "forward error", "GFLOP/s", "of peak", "noise"];

fn row(suite: &Suite, s: &Summary<'_>) -> [String; 11] {
    let timed = s.timed.first();
    let speed = timed.and_then(|e| e.speed.as_ref());
    let percent = |x: f64| format!("{:.1}%", 100.0 * x);
    [
        s.kernel.into(),
        s.precision.into(),
        s.operation.name().into(),
        s.cases.to_string(),
        optional(s.worst.map(|(r, _)| r.value)),
        optional(s.worst.map(|(r, _)| r.threshold)),
        s.worst.map_or("-", |(_, case)| case).into(),
        optional(s.forward),
        optional(speed.map(|v| v.gflops)),
        timed.and_then(|e| fraction(suite, e)).map_or_else(|| "-".into(), percent),
        speed.map_or_else(|| "-".into(), |v| percent(v.deviation / v.median)),
    ]
}

/// Each ratio of an operation with its threshold and source.
fn sources(suite: &Suite, operation: Operation) -> Vec<String> {
    let mut list: Vec<String> = vec![];
    for e in suite.entries.iter().filter(|e| e.operation == operation) {
        let Outcome::Scored(score) = &e.outcome else { continue };
        for r in &score.ratios {
            let text = format!("{} {} ({})", r.name, r.threshold, r.source);
            if !list.contains(&text) {
                list.push(text);
            }
        }
    }
    list
}

/// One aligned line for each kernel, precision and operation, then thresholds with their sources, documented exceptions and faults, each naming its case and ratio.
pub fn kernel_table(suite: &Suite) -> String {
    let mut rows = vec![HEADERS.map(str::to_owned)];
    rows.extend(summaries(&suite.entries).iter().map(|s| row(suite, s)));
    let widths: Vec<usize> = (0..HEADERS.len()).map(|i| rows.iter().map(|r| r[i].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(i, (cell, &width))| match i {
            0..=2 | 6 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    for e in &suite.entries {
        if let (Some(fault), Some(reason)) = (e.fault(), e.exception) {
            text.push_str(&format!("known: {fault}; {reason}\n"));
        }
    }
    for fault in suite.entries.iter().filter(|e| !e.passes()).filter_map(Entry::fault) {
        text.push_str(&format!("fault: {fault}\n"));
    }
    for operation in Operation::ALL {
        let sources = sources(suite, operation);
        if !sources.is_empty() {
            text.push_str(&format!("thresholds of {}: {}\n", operation.name(), sources.join("; ")));
        }
    }
    let (faults, known) = (suite.entries.iter().filter(|e| !e.passes()).count(), suite.exceptions());
    text.push_str(&format!("{} results, {faults} faults, {known} known exceptions; {} threads\n", suite.entries.len(), suite.threads));
    text
}

/// The shortest decimal that reads back to the same double; `inf` for an infinity.
fn decimal(x: f64) -> Value {
    Value::String(format!("{x:e}"))
}

/// The `results` and what belongs to them; every decimal a string that reads back exactly.
pub fn kernel_json(suite: &Suite) -> Map<String, Value> {
    let entry = |e: &Entry| {
        let mut value = json!({
            "kernel": e.kernel, "precision": e.precision, "operation": e.operation.name(), "case": e.case, "seed": e.seed.to_string(),
            "shape": { "rows": e.shape.0, "cols": e.shape.1, "sides": e.shape.2 },
        });
        match &e.outcome {
            Outcome::Scored(score) => {
                let ratio = |r: &Ratio| json!({ "name": r.name, "value": decimal(r.value), "threshold": r.threshold, "source": r.source });
                value["outcome"] = json!("scored");
                value["ratios"] = score.ratios.iter().map(ratio).collect();
                value["forward_error"] = json!(score.forward_error.map(decimal));
                if let Some(condition) = score.condition {
                    value["condition"] = decimal(condition);
                }
            }
            Outcome::NotOffered(why) | Outcome::Failed(why) => {
                value["outcome"] = json!(if matches!(e.outcome, Outcome::Failed(_)) { "failed" } else { "not-offered" });
                value["reason"] = json!(why);
            }
        }
        value["passes"] = json!(e.passes());
        if let Some(reason) = e.exception {
            value["exception"] = json!(reason);
        }
        if let Some(s) = &e.speed {
            value["speed"] = json!({
                "median": s.median, "deviation": s.deviation, "repeats": s.repeats, "gflops": s.gflops,
                "fraction_of_peak": fraction(suite, e),
            });
        }
        value
    };
    let mut object = Map::new();
    object.insert("version".into(), json!(env!("CARGO_PKG_VERSION")));
    object.insert("threads".into(), json!(suite.threads));
    object.insert("product_peak_gflops".into(), Value::Object(suite.peaks.iter().map(|(p, peak)| (p.clone(), json!(peak))).collect()));
    object.insert("results".into(), suite.entries.iter().map(entry).collect());
    object
}

/// A line for each kernel and precision: operations with faults, and how many results there are.
fn totals(summaries: &[Summary<'_>]) -> Vec<Vec<Cell>> {
    let mut pairs: Vec<(&str, &str)> = vec![];
    for s in summaries {
        if !pairs.contains(&(s.kernel, s.precision)) {
            pairs.push((s.kernel, s.precision));
        }
    }
    let line = |&(kernel, precision): &(&str, &str)| {
        let mine: Vec<&Summary<'_>> = summaries.iter().filter(|s| s.kernel == kernel && s.precision == precision).collect();
        let faulty: Vec<String> =
            mine.iter().filter(|s| s.faults > 0).map(|s| format!("{}: {} faults", s.operation.name(), s.faults)).collect();
        let known: usize = mine.iter().map(|s| s.exceptions).sum();
        let verdict = match (faulty.is_empty(), known) {
            (true, 0) => "below every threshold".to_owned(),
            (true, _) => format!("below every threshold but for {known} known exceptions"),
            (false, _) => faulty.join(", "),
        };
        let results: usize = mine.iter().map(|s| s.cases).sum();
        vec![
            Cell::Text(kernel.into()),
            Cell::Text(precision.into()),
            Cell::Verdict(verdict, faulty.is_empty()),
            Cell::Number(results.to_string()),
        ]
    };
    pairs.iter().map(line).collect()
}

/// The page: verdicts, then for each operation a table, accuracy against speed and accuracy against size.
pub fn kernel_page(suite: &Suite) -> Page {
    let faults = suite.entries.iter().filter(|e| !e.passes()).count();
    let lead = format!(
        "{} results on {} threads: {faults} break a threshold, {} are known exceptions. A ratio divides a residual by what rounding may \
         cause; below its threshold, that of LAPACK's own tests, a kernel is backward stable on that case.",
        suite.entries.len(),
        suite.threads,
        suite.exceptions()
    );
    let mut page = Page::new("Linear-algebra kernels: accuracy and speed", &lead);
    let summaries = summaries(&suite.entries);
    page.section("Summary");
    page.table("Verdict of each kernel on each operation", &["kernel", "precision", "verdict", "results"], &totals(&summaries));
    page.paragraph(
        "The forward error is relative, against a reference of at least twice the precision; the condition of a case bounds what a stable \
         kernel can do about it. Speed is the median of repeats on the large cases, the table shows the square one; noise is the median \
         absolute deviation over the median; the peak is the best rate of a large product seen in this run.",
    );
    for operation in Operation::ALL {
        let of_operation = || summaries.iter().filter(move |s| s.operation == operation);
        if of_operation().next().is_none() {
            continue;
        }
        page.section(operation.name());
        let columns = [0, 1, 4, 5, 6, 7, 8, 9, 10];
        let headers: Vec<&str> = columns.iter().map(|&i| HEADERS[i]).collect();
        let cells = |s: &Summary<'_>| {
            let row = row(suite, s);
            let cell = |&i: &usize| if matches!(i, 0 | 1 | 6) { Cell::Text(row[i].clone()) } else { Cell::Number(row[i].clone()) };
            columns.iter().map(cell).collect()
        };
        let title = format!("{}: worst ratio with its threshold, forward error and speed", operation.name());
        page.table(&title, &headers, &of_operation().map(cells).collect::<Vec<_>>());
        page.paragraph(&format!("Thresholds: {}.", sources(suite, operation).join("; ")));
        let label = |kernel: &str, precision: &str| format!("{kernel} {precision}");
        let speeds: Vec<Series> = of_operation()
            .filter(|s| !s.timed.is_empty())
            .map(|s| {
                let point = |e: &&Entry| match (&e.speed, &e.outcome) {
                    (Some(speed), Outcome::Scored(score)) => Some((speed.gflops, score.worst()?.share())),
                    _ => None,
                };
                Series::points(&label(s.kernel, s.precision), s.timed.iter().filter_map(point).collect())
            })
            .collect();
        if !speeds.is_empty() {
            let title = format!("{}: accuracy against speed", operation.name());
            page.plot(&Plot { title, x: Axis::log("GFLOP/s"), y: Axis::log("worst ratio / threshold"), series: speeds });
        }
        let sizes = of_operation().map(|s| {
            let mine = suite.entries.iter().filter(|e| e.operation == operation && e.kernel == s.kernel && e.precision == s.precision);
            let points = mine.filter_map(|e| match &e.outcome {
                Outcome::Scored(score) => Some((e.shape.0.max(e.shape.1) as f64, score.worst()?.share())),
                _ => None,
            });
            Series::points(&label(s.kernel, s.precision), points.collect())
        });
        let title = format!("{}: every case by size", operation.name());
        page.plot(&Plot { title, x: Axis::log("largest dimension"), y: Axis::log("worst ratio / threshold"), series: sizes.collect() });
        let faulty: Vec<Vec<Cell>> = suite
            .entries
            .iter()
            .filter(|e| e.operation == operation)
            .filter_map(|e| {
                let text = e.fault()?;
                let verdict = Cell::Verdict(if e.passes() { "known" } else { "fault" }.into(), e.passes());
                Some(vec![verdict, Cell::Text(text), Cell::Text(e.exception.unwrap_or("").into())])
            })
            .collect();
        if !faulty.is_empty() {
            page.table("Cases above a threshold", &["", "case and ratio", "reason"], &faulty);
        }
    }
    page
}
