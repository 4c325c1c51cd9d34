//! The page of `ufm solve --report`: what was found and proved, and the curves of the run.

use super::html::{Axis, Cell, Page, Plot, Series};
use super::table::Table;
use crate::metrics::PointMetrics;
use crate::solve::TraceRow;

/// The metrics of a recorded point.
type Pick = fn(&PointMetrics) -> Option<f64>;
const METRICS: [(&str, Pick); 4] = [("nc1", |m| m.nc1), ("nc2_etf", |m| m.nc2_etf), ("nc2_of", |m| m.nc2_of), ("nc3", |m| m.nc3)];

/// The page: `summary` has the rows that the terminal shows, the problem first, `trace` the recorded steps, `gaps` their certified gaps (`None` where there
/// is none; empty without certificates), `minimum` the closed form's value.
pub fn solve_page(summary: &Table, trace: &[TraceRow], gaps: &[Option<f64>], minimum: Option<f64>) -> Page {
    let mut page = Page::new("Solution of an unconstrained features model", summary.rows().next().map_or("", |(_, problem)| problem));
    page.section("Solution");
    let rows: Vec<Vec<Cell>> =
        summary.rows().skip(1).map(|(name, value)| vec![Cell::Text(name.into()), Cell::Text(value.into())]).collect();
    page.table("What was found and proved", &["what", "value"], &rows);
    if trace.len() < 2 {
        return page;
    }
    page.section("Curves");
    page.paragraph(
        "One point for each recorded step of the run that led to the solution. Values of exactly zero have no place on logarithmic axes.",
    );
    let curve = |name: &str, value: &dyn Fn(usize, &TraceRow) -> Option<f64>| {
        let points = trace.iter().enumerate().filter_map(|(i, row)| value(i, row).map(|y| (row.step as f64, y))).collect();
        Series::line(name, points)
    };
    let mut plot = |title: &str, y: Axis, series: Vec<Series>| {
        let series: Vec<Series> = series.into_iter().filter(|s| !s.points.is_empty()).collect();
        if !series.is_empty() {
            page.plot(&Plot { title: title.into(), x: Axis::linear("step"), y, series });
        }
    };
    let mut objective = vec![curve("objective", &|_, row| Some(row.objective))];
    if let (Some(minimum), Some(last)) = (minimum, trace.last()) {
        objective.push(Series::theory("minimum in closed form", vec![(trace[0].step as f64, minimum), (last.step as f64, minimum)]));
    }
    plot("Objective", Axis::log("objective"), objective);
    let mut optimality = vec![curve("gradient norm", &|_, row| Some(row.gradient_norm))];
    if !gaps.is_empty() {
        optimality.push(curve("certified gap", &|i, _| gaps.get(i).copied().flatten()));
    }
    plot("Optimality", Axis::log("gradient norm, gap"), optimality);
    plot("Collapse", Axis::log("metric"), METRICS.iter().map(|(name, pick)| curve(name, &|_, row| pick(&row.metrics))).collect());
    page
}
