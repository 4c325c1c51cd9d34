//! The ledger of proofs/README.md, generated from the registry so that it cannot drift.

use std::fmt::Write as _;

use super::{Coverage, Formal, formal, registry};

/// The ledger as Markdown: theorem x {Coq lemmas, axioms, tests, certificate kind, trust}, then each theorem with its claims.
pub fn ledger() -> String {
    let mut text = String::from(
        "# Ledger: theorem, evidence, trust\n\n\
         Generated from the registry and from the gate's output, theory/assumptions.txt (`ufm verify --ledger`); a test compares this file\n\
         with it, and every lemma named here with the gate's list.\n\n\
         - `machine-checked`: Coq lemmas prove the statement for all sizes that its hypotheses allow. What is computed on the instances is\n  \
           certified: lemmas say nothing about the numbers of this program, certificates do.\n\
         - `certified`: rigorous enclosures and certificates that the independent checker (`proofs/checker`) accepts.\n\
         - `measured`: certified in part; what decides is measured in floating point.\n\n\
         A certificate with a Coq file is one that `ufm certify --format rocq` turns into a theorem. Axioms are those of Coq's own real\n\
         numbers, of lemmas whose names end in `_R` alone; all others are closed under the global context. Beside the tests named,\n\
         `tests/theorems.rs` checks every theorem's claims on its grid of instances.\n\n\
         | theorem | Coq lemmas | axioms | tests | certificate | trust | conditional |\n|---|---|---|---|---|---|---|\n",
    );
    let theorems = registry();
    for t in &theorems {
        let Some(f) = formal(t.id) else { continue };
        let conditional = if t.conditional { "yes" } else { "no" };
        let tests: Vec<String> = f.tests.iter().map(|t| format!("`{t}`")).collect();
        let axioms = match (f.lemmas.is_empty(), f.axioms().is_empty()) {
            (true, _) => "-",
            (_, true) => "none",
            _ => "the reals' (`_R` only)",
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {axioms} | {} | {} | {} | {conditional} |",
            t.id,
            summary(&f),
            tests.join(", "),
            f.certificate,
            t.trust.name()
        );
    }
    for t in &theorems {
        let _ = write!(text, "\n## {}\n\n{}\n\nHypotheses: {}.\nSource: {}.\n", t.id, t.statement, t.hypotheses, t.source);
        if let Some(f) = formal(t.id) {
            let _ = writeln!(text, "Coq: {}", proof_line(&f));
        }
        text.push('\n');
        for c in &t.claims {
            let _ = writeln!(text, "- {}: {}", c.name, c.statement);
        }
    }
    text
}

fn summary(f: &Formal) -> String {
    match f.coverage {
        Coverage::Statement => format!("{}", f.lemmas.len()),
        Coverage::Part => format!("{}, in part", f.lemmas.len()),
        Coverage::Unproved => "unproved".into(),
    }
}

/// One line on the machine-checked side of a theorem: its lemmas and what they leave open, or why there are none.
pub fn proof_line(f: &Formal) -> String {
    let lemmas: Vec<String> = f.lemmas.iter().map(|l| format!("`{l}`")).collect();
    match f.coverage {
        Coverage::Unproved => format!("unproved: {}.", f.open),
        Coverage::Part => format!("{}; open: {}.", lemmas.join(", "), f.open),
        Coverage::Statement if f.open.is_empty() => format!("{}.", lemmas.join(", ")),
        Coverage::Statement => format!("{} ({}).", lemmas.join(", "), f.open),
    }
}
