//! The tables of a sweep: results, the same bytes for every run, and times.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Grid, Instance, Record};
use crate::problem::RawSpec;

const COLUMNS: &str = "index,model,loss,bias,classes,per_class,class_counts,imbalance,per_tag_set,tag_sets,tag_counts,dim,lambda_w,lambda_h,lambda_b,\
                       lambdas,smoothing,focusing,temperature,seed,c,kappa,kappa_critical,regime,conditional,f_star,objective,lower,bound,gap,\
                       verdict,gradient_norm,nc1,nc2_etf,nc2_of,nc3,rank,rank_theory,agrees,surviving_classes,logit_norm,logit_scale,\
                       mean_scale,point,start,solver,iterations,status,reason";

/// One row for each instance: its fields, theory, the certified values, what was measured, the status. An empty cell: nothing to say.
/// `lower` and `gap` are certified (`bound`: by a dual certificate or the closed form), `f_star` is guaranteed to its last digit, `objective` is that of the exact point; `nc...`, `rank`,
/// `surviving_classes` and `logit_norm` are measured.
pub fn csv(grid: &Grid, records: &[Record]) -> String {
    let mut text = format!("{COLUMNS}\n");
    for record in records {
        if let Some(instance) = grid.instances.get(record.index) {
            row(&mut text, instance, record);
        }
    }
    text
}

/// Index and wall time of each instance: what differs between runs.
pub fn seconds_csv(records: &[Record]) -> String {
    let mut text = String::from("index,seconds\n");
    for record in records {
        let _ = writeln!(text, "{},{:.6}", record.index, record.seconds);
    }
    text
}

fn row(text: &mut String, instance: &Instance, record: &Record) {
    let (raw, o) = (&instance.raw, &record.outcome);
    let words = |list: Option<Vec<String>>| list.map(|l| l.join(" "));
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    let integer = |n: Option<i64>| n.map(|n| n.to_string());
    let integers = |list: &Option<Vec<i64>>| words(list.as_ref().map(|l| l.iter().map(i64::to_string).collect()));
    let classes = raw.classes.or_else(|| raw.class_counts.as_ref().map(|c| c.len() as i64));
    let imbalance = instance.step.map(|s| if s.minority.1 == 1 { s.majority.1.to_string() } else { s.ratio().to_string() });
    let tag_set = |set: &Vec<i64>| set.iter().map(i64::to_string).collect::<Vec<_>>().join("+");
    let per_tag_set = raw.per_tag_set.as_ref().map(|sets| sets.iter().map(|(m, q)| format!("{m}={q}")).collect());
    let rank_theory = o.rank_theory.map(|(least, most)| if least == most { least.to_string() } else { format!("{least}-{most}") });
    let cells = [
        Some(record.index.to_string()),
        raw.model.clone(),
        raw.loss.clone(),
        raw.bias.clone(),
        integer(classes),
        integer(raw.per_class),
        integers(&raw.class_counts),
        imbalance,
        words(per_tag_set),
        words(raw.tag_sets.as_ref().map(|sets| sets.iter().map(tag_set).collect())),
        integers(&raw.tag_counts),
        integer(raw.dim),
        raw.lambda_w.clone(),
        raw.lambda_h.clone(),
        raw.lambda_b.clone(),
        words(raw.lambdas.clone()),
        raw.smoothing.clone(),
        raw.focusing.clone(),
        raw.temperature.clone(),
        Some(instance.seed.to_string()),
        o.c.clone(),
        o.kappa.clone(),
        o.kappa_critical.clone(),
        o.regime.clone(),
        o.regime.as_ref().map(|_| o.conditional.to_string()),
        o.f_star.clone(),
        o.objective.clone(),
        o.lower.clone(),
        o.bound.clone(),
        o.gap.clone(),
        o.verdict.clone(),
        o.gradient_norm.clone(),
        o.nc1.clone(),
        o.nc2_etf.clone(),
        o.nc2_of.clone(),
        o.nc3.clone(),
        number(o.rank),
        rank_theory,
        o.agrees().map(|a| a.to_string()),
        number(o.surviving_classes),
        o.logit_norm.clone(),
        o.logit_scale.clone(),
        o.mean_scale.clone(),
        o.point.clone(),
        o.start.clone(),
        o.solver.clone(),
        number(o.iterations),
        Some(o.status.name().to_owned()),
        o.reason.clone(),
    ];
    let line: Vec<String> = cells.into_iter().map(|cell| quoted(cell.unwrap_or_default())).collect();
    let _ = writeln!(text, "{}", line.join(","));
}

/// A cell, in quotes where CSV asks for them.
fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// The fields of an instance that tell it from the others of its grid, for people: `classes 4, lambda_w 0.01, ...`.
pub(crate) fn describe(raw: &RawSpec) -> String {
    let mut parts: Vec<String> = [&raw.model, &raw.loss].into_iter().flatten().cloned().collect();
    parts.extend(raw.bias.as_ref().map(|bias| format!("bias {bias}")));
    match (&raw.class_counts, raw.classes, raw.per_class) {
        (Some(counts), ..) => parts.push(format!("class sizes {}", sizes(counts))),
        (None, Some(k), Some(n)) => parts.push(format!("K = {k}, n = {n}")),
        (None, Some(k), None) => parts.push(format!("K = {k}")),
        _ => {}
    }
    parts.extend(raw.dim.map(|d| format!("d = {d}")));
    let named = [
        ("lambda_w", &raw.lambda_w),
        ("lambda_h", &raw.lambda_h),
        ("lambda_b", &raw.lambda_b),
        ("smoothing", &raw.smoothing),
        ("focusing", &raw.focusing),
        ("temperature", &raw.temperature),
    ];
    parts.extend(named.into_iter().filter_map(|(name, value)| value.as_ref().map(|v| format!("{name} = {v}"))));
    parts.extend(raw.lambdas.as_ref().map(|l| match l.windows(2).all(|w| w[0] == w[1]) {
        true => format!("{} factors, lambda = {}", l.len(), l.first().map_or("", String::as_str)),
        false => format!("lambdas = {}", l.join(" ")),
    }));
    parts.join(", ")
}

/// Class sizes in runs: `4 x 100, 4 x 10`.
fn sizes(counts: &[i64]) -> String {
    let runs: Vec<String> = counts.chunk_by(|a, b| a == b).map(|run| format!("{} x {}", run.len(), run[0])).collect();
    if runs.len() > 6 { format!("{} ... ({} classes)", runs[..6].join(", "), counts.len()) } else { runs.join(", ") }
}

/// The results as one JSON object: version, hash of the grid, options, and for each instance its problem and outcome.
pub fn json(grid: &Grid, records: &[Record]) -> Value {
    let one = |record: &Record| {
        let instance = grid.instances.get(record.index)?;
        Some(
            json!({ "index": record.index, "problem": instance.raw, "seed": instance.seed, "agrees": record.outcome.agrees(), "result": record.outcome }),
        )
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"), "grid": grid.hash, "options": grid.options.json(),
        "instances": records.iter().filter_map(one).collect::<Vec<_>>(),
    })
}
