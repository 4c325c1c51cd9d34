//! The ledger of proofs/README.md, generated from the registry so that it cannot drift.

use std::fmt::Write as _;

use super::registry;

/// The ledger as Markdown: theorem x claims x evidence x trust.
pub fn ledger() -> String {
    let mut text = String::from(
        "# Ledger: theorem, evidence, trust\n\n\
         Generated from the registry (`ufm verify --ledger`); a test compares this file with it.\n\n\
         - `certified`: rigorous enclosures and certificates that the independent checker (`proofs/checker`) accepts.\n\
         - `measured`: certified in part; what decides is measured in floating point.\n\
         - `machine-checked`: accepted by a proof assistant. None yet.\n\n\
         | theorem | claims | instances | trust | conditional |\n|---|---|---|---|---|\n",
    );
    let theorems = registry();
    for t in &theorems {
        let claims: Vec<&str> = t.claims.iter().map(|c| c.name).collect();
        let conditional = if t.conditional { "yes" } else { "no" };
        let _ = writeln!(text, "| `{}` | {} | {} | {} | {conditional} |", t.id, claims.join(", "), t.problems.len(), t.trust.name());
    }
    for t in &theorems {
        let _ = write!(text, "\n## {}\n\n{}\n\nHypotheses: {}.\nSource: {}.\n\n", t.id, t.statement, t.hypotheses, t.source);
        for c in &t.claims {
            let _ = writeln!(text, "- {}: {}", c.name, c.statement);
        }
    }
    text
}
