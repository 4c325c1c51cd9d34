//! What is asked of every instance of a grid.

use std::time::Duration;

use rug::Rational;
use serde_json::{Value as Json, json};
use toml::{Table, Value};

use super::{GridError, axis::invalid};
use crate::certify::CertifyOptions;
use crate::problem::{Model, Problem, SpecError, decimal_text, shorten};
use crate::scalar::parse_decimal;
use crate::solve::{Method, SolveOptions, Start};

/// The table `[options]` of a grid file.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepOptions {
    /// Significant digits of values and bounds, all guaranteed; beyond 15 the numerical minimiser is refined to as many.
    pub digits: u32,
    /// Certified gap that counts as a global minimum, as written.
    pub gap_tol: String,
    /// Gradient norm at which the minimiser stops, and at which a certified point counts as critical, as written.
    pub tol: String,
    pub method: SweepMethod,
    /// Where the minimiser starts; the lowest of the points found is kept, the first of equals. Empty, the default: as
    /// [`minimise_lowest`](crate::solve::minimise_lowest) decides, and `ufm solve` with it.
    pub starts: Vec<SweepStart>,
    /// Most work of one run, in evaluations of objective and gradient: the same on every machine.
    pub budget: u64,
    /// Seconds one run may take. A run that it ends may differ between machines, and so may the table.
    pub time_limit: Option<f64>,
}

/// What is run on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepMethod {
    /// The closed form where there is one, and the numerical minimiser, which is certified.
    Both,
    /// The closed form's minimiser, certified.
    ClosedForm,
    /// The numerical minimiser, certified.
    Numerical,
}

/// A starting point of the minimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepStart {
    Random,
    Spectral,
}

impl Default for SweepOptions {
    fn default() -> Self {
        SweepOptions {
            digits: 15,
            gap_tol: "1e-9".into(),
            tol: "1e-12".into(),
            method: SweepMethod::Both,
            starts: vec![],
            budget: SolveOptions::default().budget,
            time_limit: None,
        }
    }
}

const NAMES: &str = "digits, gap_tol, tol, method, starts, budget, time_limit";
const MAX_DIGITS: i64 = 1_000;
/// Tolerances steer solvers in double precision: they lie well within its range.
const TOLERANCE: &str = "a positive decimal between 1e-300 and 1e300";

impl SweepStart {
    pub fn name(self) -> &'static str {
        match self {
            SweepStart::Random => "random",
            SweepStart::Spectral => "spectral",
        }
    }
}

impl SweepMethod {
    pub fn name(self) -> &'static str {
        match self {
            SweepMethod::Both => "both",
            SweepMethod::ClosedForm => "closed-form",
            SweepMethod::Numerical => "numerical",
        }
    }
}

impl SweepOptions {
    pub(super) fn from_toml(table: &Table) -> Result<SweepOptions, GridError> {
        let mut options = SweepOptions::default();
        for (name, value) in table {
            let field = format!("options.{name}");
            let integer = |least: i64, most: i64| {
                let allowed = format!("an integer from {least} to {most}");
                value.as_integer().filter(|n| (least..=most).contains(n)).ok_or_else(|| invalid(&field, value, &allowed))
            };
            match name.as_str() {
                "digits" => options.digits = integer(1, MAX_DIGITS)? as u32,
                "budget" => options.budget = integer(1, i64::MAX)? as u64,
                "gap_tol" => options.gap_tol = tolerance(&field, value)?,
                "tol" => options.tol = tolerance(&field, value)?,
                "method" => {
                    options.method = match value.as_str() {
                        Some("both") => SweepMethod::Both,
                        Some("closed-form") => SweepMethod::ClosedForm,
                        Some("numerical") => SweepMethod::Numerical,
                        _ => return Err(invalid(&field, value, "\"both\", \"closed-form\" or \"numerical\"")),
                    }
                }
                "starts" => options.starts = starts(&field, value)?,
                "time_limit" => {
                    let seconds = value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
                    let allowed = seconds.filter(|&s| s > 0.0 && Duration::try_from_secs_f64(s).is_ok());
                    options.time_limit = Some(allowed.ok_or_else(|| invalid(&field, value, "a positive number of seconds"))?);
                }
                _ => return Err(SpecError::Unknown { field: shorten(&field), allowed: NAMES.into() }.into()),
            }
        }
        Ok(options)
    }

    /// Whether a numerical minimiser runs.
    pub fn numerical(&self) -> bool {
        self.method != SweepMethod::ClosedForm
    }

    /// Refuses options that a model cannot follow.
    pub(super) fn check(&self, problem: &Problem) -> Result<(), GridError> {
        if self.numerical() && matches!(problem.model, Model::Sphere { .. }) && self.starts.contains(&SweepStart::Spectral) {
            return Err(SpecError::Conflict("options.starts: the sphere model has no spectral start".into()).into());
        }
        Ok(())
    }

    pub(super) fn certify_options(&self) -> CertifyOptions {
        let tol = parse_decimal(&self.tol).unwrap_or_default();
        // A certified norm may exceed the measured one by rounding; `ufm certify` calls a point critical at 1e-9.
        let critical = CertifyOptions::default().tol.max(tol);
        CertifyOptions { digits: self.digits, gap_tol: parse_decimal(&self.gap_tol).unwrap_or_default(), tol: critical }
    }

    /// The run of one start of a problem, on one thread.
    pub(super) fn solve_options(&self, problem: &Problem, start: SweepStart, seed: u64) -> SolveOptions {
        SolveOptions {
            method: Method::suited_to(problem),
            start: match start {
                SweepStart::Random => Start::Random,
                SweepStart::Spectral => Start::Spectral,
            },
            seed,
            tol: parse_decimal(&self.tol).unwrap_or_default().to_f64(),
            budget: self.budget,
            time_limit: self.time_limit.and_then(|s| Duration::try_from_secs_f64(s).ok()),
            threads: Some(1),
            ..Default::default()
        }
    }

    pub(super) fn json(&self) -> Json {
        json!({
            "digits": self.digits, "gap_tol": self.gap_tol, "tol": self.tol, "method": self.method.name(),
            "starts": self.starts.iter().map(|s| s.name()).collect::<Vec<_>>(), "budget": self.budget, "time_limit": self.time_limit,
        })
    }
}

fn tolerance(field: &str, value: &Value) -> Result<String, GridError> {
    let text = decimal_text(field, value).map_err(|_| invalid(field, value, TOLERANCE))?;
    let parsed = parse_decimal(&text).map_err(|_| invalid(field, &text, TOLERANCE))?;
    let limit = Rational::from(rug::Integer::from(rug::Integer::u_pow_u(10, 300)));
    if parsed <= 0 || parsed > limit || Rational::from(&parsed * &limit) < 1 {
        return Err(invalid(field, &text, TOLERANCE));
    }
    Ok(text)
}

fn starts(field: &str, value: &Value) -> Result<Vec<SweepStart>, GridError> {
    let allowed = "a list of \"random\" and \"spectral\", each once";
    let list = value.as_array().ok_or_else(|| invalid(field, value, allowed))?;
    let mut starts = vec![];
    for entry in list {
        let start = match entry.as_str() {
            Some("random") => SweepStart::Random,
            Some("spectral") => SweepStart::Spectral,
            _ => return Err(invalid(field, value, allowed)),
        };
        if starts.contains(&start) {
            return Err(invalid(field, value, allowed));
        }
        starts.push(start);
    }
    if starts.is_empty() { Err(invalid(field, value, allowed)) } else { Ok(starts) }
}
