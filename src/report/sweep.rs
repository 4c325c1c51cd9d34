//! A sweep as a table, JSON, and a page with phase diagrams.

use serde_json::{Value, json};

use super::html::{Axis, Cell, Page, Plot, Series};
use super::table::{Table, three_digits};
use crate::sweep::{Diagram, Phase, Record, Sweep, SweepStatus, describe, diagrams};

/// Instances that a terminal or page lists; the table of results has all.
const LISTED: usize = 20;
const LISTED_ON_PAGE: usize = 200;
/// Different reasons of a status that a page lists.
const REASONS: usize = 4;
/// Points drawn in one diagram: beyond this they are thinned evenly, those that disagree kept.
const DRAWN: usize = 4_000;

fn count(sweep: &Sweep, status: SweepStatus) -> usize {
    sweep.records.iter().filter(|r| r.outcome.status == status).count()
}

fn failing(sweep: &Sweep) -> impl Iterator<Item = &Record> {
    sweep.records.iter().filter(|r| r.outcome.status != SweepStatus::Holds)
}

fn named(sweep: &Sweep, record: &Record) -> String {
    sweep.grid.instances.get(record.index).map_or_else(String::new, |i| describe(&i.raw))
}

/// Instances by status, as `180 hold, 1 undecided`.
fn statuses(sweep: &Sweep) -> String {
    let part = |status: SweepStatus| {
        let n = count(sweep, status);
        let word = match (status, n) {
            (SweepStatus::Holds, 1) => "holds",
            (SweepStatus::Holds, _) => "hold",
            (status, _) => status.name(),
        };
        (n > 0 || status == SweepStatus::Holds).then(|| format!("{n} {word}"))
    };
    SweepStatus::ALL.into_iter().filter_map(part).collect::<Vec<_>>().join(", ")
}

/// The rows of a finished sweep.
pub fn sweep_rows(table: &mut Table, sweep: &Sweep) {
    let shard = if sweep.shard.of == 1 { String::new() } else { format!(" of shard {}", sweep.shard.name()) };
    let earlier = sweep.records.len() - sweep.computed;
    let earlier = if earlier > 0 { format!(", {earlier} from the journal") } else { String::new() };
    table.row("instances", &format!("{}{shard}{earlier}", sweep.records.len()));
    table.row("status", &statuses(sweep));
    let (differ, compared) = sweep.disagreements();
    table.row("theory", &format!("{differ} of {compared} instances have other modes alive than theory says"));
    for record in failing(sweep).take(LISTED) {
        let reason = record.outcome.reason.as_deref().unwrap_or("no reason");
        table.row(&format!("  {}", record.index), &format!("{}: {}; {reason}", record.outcome.status.name(), named(sweep, record)));
    }
    let more = failing(sweep).count().saturating_sub(LISTED);
    if more > 0 {
        table.row("", &format!("... and {more} more, in the results"));
    }
    table.row("results", &sweep.csv.display().to_string());
}

/// The object of `ufm sweep --json`.
pub fn sweep_json(sweep: &Sweep) -> Value {
    let counts = SweepStatus::ALL.into_iter().map(|s| (s.name().to_owned(), json!(count(sweep, s)))).collect();
    let (differ, compared) = sweep.disagreements();
    let one = |r: &Record| {
        let instance = sweep.grid.instances.get(r.index);
        json!({
            "index": r.index, "problem": instance.map(|i| json!(i.raw)), "seed": instance.map(|i| i.seed), "status": r.outcome.status.name(),
            "reason": r.outcome.reason,
        })
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"), "grid": sweep.grid.hash, "shard": sweep.shard.name(), "instances": sweep.records.len(),
        "computed": sweep.computed, "status": Value::Object(counts), "holds": sweep.holds(),
        "theory": { "compared": compared, "disagreements": differ },
        "failing": failing(sweep).map(one).collect::<Vec<_>>(),
        "files": { "csv": sweep.csv.display().to_string(), "json": sweep.json.display().to_string(), "seconds": sweep.seconds.display().to_string() },
    })
}

/// The page: how the instances ended, the phase diagrams, and the instances that deserve a look.
pub fn sweep_page(sweep: &Sweep) -> Page {
    let (differ, compared) = sweep.disagreements();
    let shard = if sweep.shard.of == 1 { String::new() } else { format!(" of shard {}", sweep.shard.name()) };
    let lead = format!(
        "{} instances{shard}, each solved and submitted to certification: {}. In {differ} of {compared} the modes alive at the minimiser are not those of the theory.",
        sweep.records.len(),
        statuses(sweep)
    );
    let mut page = Page::new("Phases of the unconstrained features model", &lead);
    let drawings = diagrams(&sweep.grid, &sweep.records);
    let (mut heading, mut text) = ("", "");
    for diagram in &drawings {
        if diagram.heading != heading {
            page.section(&diagram.heading);
        }
        if (diagram.heading.as_str(), diagram.text.as_str()) != (heading, text) {
            page.paragraph(&diagram.text);
        }
        (heading, text) = (&diagram.heading, &diagram.text);
        page.plot(&plot(diagram));
        page.paragraph(&verdict(diagram));
    }
    if drawings.is_empty() {
        page.section("Phase diagrams");
        page.paragraph("None: these instances have no numerical minimisers to measure, or lie in no diagram.");
    }
    page.section("How the instances ended");
    let row = |status: SweepStatus| {
        let n = count(sweep, status);
        let meaning = match status {
            SweepStatus::Holds => "converged, certified a global minimum, in agreement with theory",
            SweepStatus::Undecided => "no certificate that says minimum",
            SweepStatus::Refuted => "certified not to be a minimum, or at odds with the closed form",
            SweepStatus::NotConverged => "the minimiser stopped at a limit",
            SweepStatus::Disagrees => "certified, but other modes alive than theory says",
            SweepStatus::Failed => "nothing could be computed",
        };
        let verdict = Cell::Verdict(status.name().into(), status == SweepStatus::Holds);
        let mut reasons: Vec<&str> =
            sweep.records.iter().filter(|r| r.outcome.status == status).filter_map(|r| r.outcome.reason.as_deref()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        let more = if reasons.len() > REASONS { "; ..." } else { "" };
        let reasons = reasons[..reasons.len().min(REASONS)].join("; ");
        let meaning = if reasons.is_empty() { meaning.to_owned() } else { format!("{meaning}: {reasons}{more}") };
        (n > 0).then(|| vec![verdict, Cell::Number(n.to_string()), Cell::Text(meaning)])
    };
    let rows: Vec<Vec<Cell>> = SweepStatus::ALL.into_iter().filter_map(row).collect();
    page.table("Instances by status", &["status", "instances", "meaning"], &rows);
    let failed = failing(sweep).count();
    if failed > 0 {
        page.section("Instances to look at");
        let row = |r: &Record| {
            vec![
                Cell::Number(r.index.to_string()),
                Cell::Verdict(r.outcome.status.name().into(), false),
                Cell::Text(named(sweep, r)),
                Cell::Number(r.outcome.gap.clone().unwrap_or_else(|| "-".into())),
                Cell::Text(r.outcome.reason.clone().unwrap_or_default()),
            ]
        };
        let rows: Vec<Vec<Cell>> = failing(sweep).take(LISTED_ON_PAGE).map(row).collect();
        let caption = if failed > LISTED_ON_PAGE { format!("The first {LISTED_ON_PAGE} of {failed}") } else { format!("All {failed}") };
        page.table(&caption, &["index", "status", "instance", "gap", "reason"], &rows);
    }
    page.section("Accuracy");
    let worst = |what: &str, pick: fn(&Record) -> Option<&String>| {
        let values = sweep.records.iter().filter_map(|r| pick(r)?.parse::<f64>().ok());
        let largest = values.reduce(f64::max).map(|x| format!("The largest certified {what} is {}.", three_digits(x)));
        largest.unwrap_or_else(|| format!("No {what} was certified."))
    };
    page.paragraph(&format!(
        "{} {} Bounds and values of every instance are in results.csv.",
        worst("gap to the global minimum", |r| r.outcome.gap.as_ref()),
        worst("gradient norm", |r| r.outcome.gradient_norm.as_ref())
    ));
    page
}

fn verdict(diagram: &Diagram) -> String {
    let unsettled = diagram.points.iter().filter(|p| !p.converged).count();
    let mut text = match (diagram.disagreements(), diagram.compared()) {
        (_, 0) => "Theory was not consulted for these points.".to_owned(),
        (0, compared) => format!("Measurement and theory agree at all {compared} points they were compared at."),
        (differ, compared) => {
            let which: Vec<String> =
                diagram.points.iter().filter(|p| p.agrees == Some(false)).take(LISTED).map(|p| p.index.to_string()).collect();
            let more = if differ > LISTED { ", ..." } else { "" };
            format!("Measurement and theory disagree at {differ} of {compared} points: instances {}{more}.", which.join(", "))
        }
    };
    match unsettled {
        0 => {}
        1 => text.push_str(" One minimiser did not converge."),
        _ => text.push_str(&format!(" {unsettled} minimisers did not converge.")),
    }
    text
}

fn plot(diagram: &Diagram) -> Plot {
    let step = diagram.points.len().div_ceil(DRAWN).max(1);
    let shown: Vec<_> =
        diagram.points.iter().enumerate().filter(|(i, p)| i % step == 0 || p.agrees == Some(false)).map(|(_, p)| p).collect();
    let thinned = if step > 1 { format!(" (one in {step} drawn)") } else { String::new() };
    let mut series: Vec<Series> = Phase::ALL
        .into_iter()
        .zip(&diagram.phases)
        .map(|(phase, name)| {
            let n = diagram.points.iter().filter(|p| p.measured == phase).count();
            let points = shown.iter().filter(|p| p.measured == phase).map(|p| (p.x, p.y)).collect();
            Series::points(&format!("measured: {name}, {n}{thinned}"), points)
        })
        .collect();
    series.extend(diagram.boundaries.iter().map(|(name, points)| Series::theory(name, points.clone())));
    let some = |wanted: fn(&crate::sweep::DiagramPoint) -> bool| -> Vec<(f64, f64)> {
        diagram.points.iter().filter(|p| wanted(p)).map(|p| (p.x, p.y)).collect()
    };
    let (differ, unsettled) = (some(|p| p.agrees == Some(false)), some(|p| !p.converged));
    series.push(Series::rings(&format!("theory disagrees: {}", differ.len()), differ));
    if !unsettled.is_empty() {
        series.push(Series::crosses(&format!("not converged: {}", unsettled.len()), unsettled));
    }
    let axis = |label: &str, log: bool| if log { Axis::log(label) } else { Axis::linear(label) };
    Plot {
        title: format!("{}: {}", diagram.heading, diagram.title),
        x: axis(&diagram.x, diagram.x_log),
        y: axis(&diagram.y, diagram.y_log),
        series,
    }
}
