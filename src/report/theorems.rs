//! The theorem table of `ufm verify`.

use std::fmt::Write as _;

use crate::theorem::{ClaimReport, Finding, TheoremReport};

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
