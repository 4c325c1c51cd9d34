//! `ufm verify`: every registered theorem against its evidence.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{CliError, check_output, flags, print_json, print_text, progress};
use crate::report::{theorem_page, theorem_table};
use crate::theorem::{Coverage, Finding, Theorem, TheoremReport, formal, ledger, proof_line, registry};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Theorems to check (default: all; see --list)
    #[arg(value_name = "THEOREM")]
    theorems: Vec<String>,
    /// Significant digits of the closed-form evidence
    #[arg(long, default_value_t = 50, value_name = "D", value_parser = flags::digits, allow_negative_numbers = true)]
    digits: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write a page for reading: one HTML file that needs no network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// List the theorems with their statements and sources
    #[arg(long)]
    list: bool,
    /// Print the ledger of proofs/README.md
    #[arg(long)]
    ledger: bool,
}

/// The evidence loses ten digits to conditioning and must show something beyond a double.
const LEAST_DIGITS: u32 = 20;

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    if args.ledger {
        print_text(&ledger())?;
        return Ok(true);
    }
    let theorems = select(&args.theorems)?;
    if args.list {
        return list(&theorems, args.json).map(|()| true);
    }
    let digits = args.digits;
    if digits < LEAST_DIGITS {
        return Err(CliError::Input(format!("--digits {digits} is not allowed here: an integer from {LEAST_DIGITS} to 10000")));
    }
    args.report.iter().try_for_each(|path| check_output(path))?;
    let bar = progress(Some(theorems.iter().map(|t| t.problems.len() as u64).sum()));
    let mut reports: Vec<TheoremReport> = vec![];
    for theorem in &theorems {
        bar.set_message(theorem.id);
        reports.push(theorem.verify(digits, &mut || bar.inc(1)).map_err(CliError::Input)?);
    }
    bar.finish_and_clear();
    if let Some(path) = &args.report {
        super::write_page(path, &theorem_page(&reports, digits))?;
    }
    let holds = reports.iter().all(|r| r.finding == Finding::Proved);
    if args.json {
        let verdict = overall(&reports);
        print_json(
            &json!({ "version": env!("CARGO_PKG_VERSION"), "theorems": reports.iter().map(report_json).collect::<Vec<_>>(), "verdict": verdict }),
        )?;
    } else {
        print_text(&theorem_table(&reports, digits))?;
    }
    Ok(holds)
}

fn overall(reports: &[TheoremReport]) -> &'static str {
    let name = |wanted: &str| reports.iter().any(|r| r.finding.name() == wanted);
    if name("refuted") {
        "refuted"
    } else if name("undecided") {
        "undecided"
    } else {
        "proved"
    }
}

fn select(names: &[String]) -> Result<Vec<Theorem>, CliError> {
    let all = registry();
    let known: Vec<&str> = all.iter().map(|t| t.id).collect();
    if let Some(name) = names.iter().find(|n| !known.contains(&n.as_str())) {
        return Err(CliError::Input(format!("no theorem `{name}`; the registry has {}", known.join(", "))));
    }
    Ok(all.into_iter().filter(|t| names.is_empty() || names.iter().any(|n| n == t.id)).collect())
}

fn list(theorems: &[Theorem], as_json: bool) -> Result<(), CliError> {
    if as_json {
        let entry = |t: &Theorem| {
            json!({
                "id": t.id, "statement": t.statement, "source": t.source, "hypotheses": t.hypotheses, "conditional": t.conditional,
                "trust": t.trust.name(), "proof": proof_json(t.id), "instances": t.problems.len(), "claims": t.claims.iter().map(|c| c.name).collect::<Vec<_>>(),
            })
        };
        return print_json(&json!({ "version": env!("CARGO_PKG_VERSION"), "theorems": theorems.iter().map(entry).collect::<Vec<_>>() }));
    }
    let entry = |t: &Theorem| {
        let proof = formal(t.id).map(|f| proof_line(&f).replace('`', "")).unwrap_or_default();
        let conditional = if t.conditional { ", conditional" } else { "" };
        let trust = t.trust.name();
        format!(
            "{} [{trust}{conditional}]\n  {}\n  hypotheses: {}\n  source: {}\n  coq: {proof}\n",
            t.id, t.statement, t.hypotheses, t.source
        )
    };
    print_text(&theorems.iter().map(entry).collect::<String>())
}

/// The machine-checked side of a theorem.
fn proof_json(id: &str) -> Value {
    formal(id).map_or(Value::Null, |f| {
        let coverage = match f.coverage {
            Coverage::Statement => "statement",
            Coverage::Part => "part",
            Coverage::Unproved => "unproved",
        };
        json!({ "coverage": coverage, "lemmas": f.lemmas, "axioms": f.axioms(), "open": f.open, "certificate": f.certificate })
    })
}

fn report_json(r: &TheoremReport) -> Value {
    let claims: Vec<Value> = r
        .claims
        .iter()
        .map(|c| {
            let witness = match &c.finding {
                Finding::Proved => Value::Null,
                Finding::Refuted(text) | Finding::Undecided(text) => json!(text),
            };
            json!({
                "claim": c.claim, "instances": c.instances, "worst": c.worst_text(), "digits": c.digits(),
                "verdict": c.finding.name(), "witness": witness,
            })
        })
        .collect();
    json!({
        "id": r.id, "statement": r.statement, "source": r.source, "conditional": r.conditional, "trust": r.trust.name(),
        "proof": proof_json(r.id), "claims": claims, "verdict": r.finding.name(),
    })
}
