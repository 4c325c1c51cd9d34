//! The theorem registry: statement, source, hypotheses, claims and evidence of each, and what checking them found.

mod claims;
mod classifier;
mod counterexample;
mod evidence;
mod extended;
mod formal;
mod identity;
mod instance;
mod landscape;
mod ledger;
mod losses;
mod registry;
mod sphere;

pub use claims::Claim;
pub use evidence::Evidence;
pub use formal::{Coverage, Formal, axioms, formal};
pub use instance::{Instance, Prediction};
pub use ledger::{ledger, proof_line};
pub use registry::registry;

use rug::Float;

use crate::scalar::Ball;

/// A theorem with the claims that check it on a grid of problems.
pub struct Theorem {
    pub id: &'static str,
    pub statement: &'static str,
    pub source: &'static str,
    pub hypotheses: &'static str,
    /// The statement assumes something that is measured, never presumed.
    pub conditional: bool,
    /// How far the evidence below carries.
    pub trust: Trust,
    pub claims: Vec<Claim>,
    /// The default grid, as problem files.
    pub problems: Vec<String>,
    /// What the theorem predicts for a problem of its grid, at a precision in bits.
    pub predict: fn(&crate::problem::Problem, u32) -> Option<Prediction>,
}

/// The strongest evidence behind a theorem's claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The statement is proved for all sizes by Coq lemmas ([`formal()`]); the instances' numbers are certified as below.
    MachineChecked,
    /// Rigorous enclosures, and certificates that the independent checker accepts.
    Certified,
    /// Certified in part; what decides is measured in floating point.
    Measured,
}

impl Trust {
    pub fn name(self) -> &'static str {
        match self {
            Trust::MachineChecked => "machine-checked",
            Trust::Certified => "certified",
            Trust::Measured => "measured",
        }
    }
}

/// What checking a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    Proved,
    /// False, and the witness says why.
    Refuted(String),
    /// Neither could be shown.
    Undecided(String),
}

impl Finding {
    pub fn name(&self) -> &'static str {
        match self {
            Finding::Proved => "proved",
            Finding::Refuted(_) => "refuted",
            Finding::Undecided(_) => "undecided",
        }
    }

    /// Refuted over undecided over proved; the first of equals.
    fn worse(self, other: Finding) -> Finding {
        let rank = |f: &Finding| match f {
            Finding::Proved => 0,
            Finding::Undecided(_) => 1,
            Finding::Refuted(_) => 2,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// One claim over all instances.
#[derive(Debug, Clone)]
pub struct ClaimReport {
    pub claim: &'static str,
    /// What the claim says.
    pub statement: &'static str,
    pub instances: usize,
    /// The largest deviation over the instances.
    pub worst: Option<Float>,
    pub finding: Finding,
}

impl ClaimReport {
    /// The worst deviation, two digits, rounded up; "0" when it vanishes exactly.
    pub fn worst_text(&self) -> Option<String> {
        self.worst.as_ref().map(|w| Ball::exact(w.clone()).upper_decimal(2))
    }

    /// Decimal digits that hold: floor(−log10(worst)), `None` when the worst deviation is zero.
    pub fn digits(&self) -> Option<i64> {
        let worst = self.worst.as_ref()?;
        (*worst > 0).then(|| -Float::with_val(64, worst.log10_ref()).ceil().to_f64() as i64)
    }
}

/// One theorem over its grid.
#[derive(Debug, Clone)]
pub struct TheoremReport {
    pub id: &'static str,
    pub statement: &'static str,
    pub source: &'static str,
    pub hypotheses: &'static str,
    pub conditional: bool,
    pub trust: Trust,
    pub claims: Vec<ClaimReport>,
    /// The certificates that the claims relied on.
    pub evidence: Vec<Evidence>,
    pub finding: Finding,
}

impl Theorem {
    /// Checks every claim on every problem of the grid; `tick` is called after each problem.
    ///
    /// # Errors
    /// The message of the first grid problem that is not a valid problem.
    pub fn verify(&self, digits: u32, tick: &mut dyn FnMut()) -> Result<TheoremReport, String> {
        let fresh = |c: &Claim| ClaimReport { claim: c.name, statement: c.statement, instances: 0, worst: None, finding: Finding::Proved };
        let mut claims: Vec<ClaimReport> = self.claims.iter().map(fresh).collect();
        let mut evidence = vec![];
        for file in &self.problems {
            let instance = Instance::new(file, digits, self.predict)?;
            for (claim, report) in self.claims.iter().zip(&mut claims) {
                let (worst, finding) = (claim.check)(&instance);
                let finding = match finding {
                    Finding::Refuted(witness) => Finding::Refuted(format!("{}: {witness}", instance.name())),
                    Finding::Undecided(reason) => Finding::Undecided(format!("{}: {reason}", instance.name())),
                    Finding::Proved => Finding::Proved,
                };
                report.instances += 1;
                report.finding = report.finding.clone().worse(finding);
                if let Some(worst) = worst
                    && report.worst.as_ref().is_none_or(|w| worst > *w)
                {
                    report.worst = Some(worst);
                }
            }
            evidence.extend(instance.evidence());
            tick();
        }
        let finding = claims.iter().fold(Finding::Proved, |f, c| f.worse(c.finding.clone()));
        let Theorem { id, statement, source, hypotheses, conditional, trust, .. } = *self;
        Ok(TheoremReport { id, statement, source, hypotheses, conditional, trust, claims, evidence, finding })
    }
}
