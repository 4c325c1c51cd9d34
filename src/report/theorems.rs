//! The theorem table of `ufm verify`.

use std::fmt::Write as _;

use super::html::{Axis, Cell, Page, Plot, Series};
use crate::theorem::{ClaimReport, Evidence, Finding, TheoremReport};

/// One block per theorem, one aligned line per claim: instances, worst deviation, digits, verdict.
pub fn theorem_table(reports: &[TheoremReport], digits: u32) -> String {
    let width = reports.iter().flat_map(|r| &r.claims).map(|c| c.claim.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for r in reports {
        let conditional = if r.conditional { ", conditional" } else { "" };
        let _ = writeln!(text, "{}: {} ({}{conditional})", r.id, r.finding.name(), r.trust.name());
        for c in &r.claims {
            let plural = if c.instances == 1 { "instance " } else { "instances" };
            let digits = match (c.digits(), &c.worst) {
                (Some(d), _) => format!("{d:2} digits"),
                (None, Some(_)) => "exact    ".into(),
                (None, None) => "-        ".into(),
            };
            let _ =
                writeln!(text, "  {:width$}  {:2} {plural}  worst {:>7}  {digits}  {}", c.claim, c.instances, worst(c), c.finding.name());
            if let Finding::Refuted(why) | Finding::Undecided(why) = &c.finding {
                let _ = writeln!(text, "  {:width$}  {why}", "");
            }
        }
    }
    let proved = reports.iter().filter(|r| r.finding == Finding::Proved).count();
    let _ = writeln!(text, "{proved} of {} theorems hold on their grids; closed forms to {digits} digits", reports.len());
    text
}

fn worst(c: &ClaimReport) -> String {
    c.worst_text().unwrap_or_else(|| "-".into())
}

/// The page of `ufm verify --report`: the theorem table, then each theorem with its claims and evidence.
pub fn theorem_page(reports: &[TheoremReport], digits: u32) -> Page {
    let proved = reports.iter().filter(|r| r.finding == Finding::Proved).count();
    let lead =
        format!("{proved} of {} theorems hold on their grids of problems; closed forms were compared to {digits} digits.", reports.len());
    let mut page = Page::new("Theorems of neural collapse against their evidence", &lead);
    page.section("Theorems");
    let verdict = |finding: &Finding| Cell::Verdict(finding.name().into(), *finding == Finding::Proved);
    let text = |value: &str| Cell::Text(value.into());
    let rows: Vec<Vec<Cell>> = reports
        .iter()
        .map(|r| {
            let conditional = if r.conditional { "yes" } else { "no" };
            let counts = [r.claims.len(), r.evidence.len()].map(|n| Cell::Number(n.to_string()));
            [vec![Cell::Section(r.id.into()), verdict(&r.finding), text(r.trust.name()), text(conditional)], counts.into()].concat()
        })
        .collect();
    page.table("Verdict and trust of each theorem", &["theorem", "verdict", "trust", "conditional", "claims", "certificates"], &rows);
    page.paragraph(
        "machine-checked: Coq lemmas prove the statement for all sizes, the instances' numbers are certified. certified: rigorous enclosures, and certificates that the independent checker accepted in this run. measured: what decides is \
         measured in floating point. A conditional theorem assumes something that is measured, never presumed.",
    );
    let mut series: Vec<Series> = vec![];
    for (i, r) in reports.iter().enumerate() {
        for c in &r.claims {
            let Some(worst) = c.worst.as_ref().filter(|w| **w > 0) else { continue };
            let point = ((i + 1) as f64, worst.to_f64());
            match series.iter_mut().find(|s| s.name == c.claim) {
                Some(s) => s.points.push(point),
                None => series.push(Series::points(c.claim, vec![point])),
            }
        }
    }
    if !series.is_empty() {
        let title = "Worst deviation of each claim (those that hold exactly are not shown)".into();
        let names = reports.iter().map(|r| r.id.to_owned()).collect();
        page.plot(&Plot { title, x: Axis::named("", names), y: Axis::log("deviation"), series });
    }
    for r in reports {
        page.section(r.id);
        page.paragraph(r.statement);
        page.paragraph(&format!("Hypotheses: {}.", r.hypotheses.trim_end_matches('.')));
        page.paragraph(&format!("Source: {}.", r.source.trim_end_matches('.')));
        let rows: Vec<Vec<Cell>> = r
            .claims
            .iter()
            .map(|c| {
                let held = c.digits().map_or_else(|| "exact".into(), |d| d.to_string());
                let why = match &c.finding {
                    Finding::Proved => String::new(),
                    Finding::Refuted(why) | Finding::Undecided(why) => why.clone(),
                };
                vec![
                    text(c.claim),
                    text(c.statement),
                    Cell::Number(c.instances.to_string()),
                    Cell::Number(worst(c)),
                    Cell::Number(if c.worst.is_some() { held } else { "-".into() }),
                    verdict(&c.finding),
                    Cell::Text(why),
                ]
            })
            .collect();
        page.table("Claims and evidence", &["claim", "what it says", "instances", "worst", "digits", "verdict", "witness"], &rows);
        certificates(&mut page, r);
    }
    page
}

/// The certificates that a theorem's claims relied on.
fn certificates(page: &mut Page, r: &TheoremReport) {
    if r.evidence.is_empty() {
        return;
    }
    let optional = |value: Option<String>| Cell::Number(value.unwrap_or_else(|| "-".into()));
    let row = |e: &Evidence| {
        let figures = [e.lower.clone(), e.gap.clone(), e.bytes.map(|b| b.to_string())].map(optional);
        [vec![Cell::Text(e.problem.clone()), Cell::Text(e.point.clone()), Cell::Text(e.verdict.into())], figures.into()].concat()
    };
    let headers = ["problem", "point", "verdict", "minimum at least", "gap at most", "bytes"];
    page.table("Certificates", &headers, &r.evidence.iter().map(row).collect::<Vec<_>>());
}
