//! The CSV of a run: one row per recorded step.

use std::{io::Write, path::Path};

use super::CliError;
use crate::certify::{CertifyError, CertifyOptions, certify};
use crate::problem::{Point, Problem, write_new};
use crate::report::{gap_text, number};
use crate::solve::TraceRow;

/// Certified gaps of the recorded points, computed as they pass: only the text of each is kept.
pub(super) struct Gaps<'a> {
    problem: &'a Problem,
    options: CertifyOptions,
    /// `None` once it is known that no certificate covers the problem.
    rows: Option<Vec<String>>,
}

impl<'a> Gaps<'a> {
    pub fn new(problem: &'a Problem, options: CertifyOptions) -> Self {
        Gaps { problem, options, rows: Some(vec![]) }
    }

    /// An empty cell where nothing could be certified.
    pub fn record(&mut self, point: &Point) {
        let Some(rows) = &mut self.rows else { return };
        match point.to_exact().map(|exact| certify(self.problem, &[], &exact, &self.options)) {
            Some(Err(CertifyError::Unsupported(_))) => self.rows = None,
            Some(Ok(certification)) => rows.push(gap_text(&certification).unwrap_or_default()),
            _ => rows.push(String::new()),
        }
    }
}

impl Gaps<'_> {
    /// The gap of each recorded step; nothing where no certificate covers the problem.
    pub fn values(&self) -> Vec<Option<f64>> {
        self.rows.iter().flatten().map(|text| text.parse().ok()).collect()
    }
}

/// Header: step, objective, gradient_norm, the metrics, and gap when there are gaps.
pub(super) fn write(path: &Path, rows: &[TraceRow], gaps: Option<&Gaps<'_>>) -> Result<(), CliError> {
    let gaps = gaps.and_then(|gaps| gaps.rows.as_ref());
    let optional = |x: Option<f64>| x.map_or_else(String::new, number);
    write_new(path, |file| {
        let mut out = std::io::BufWriter::new(file);
        writeln!(out, "step,objective,gradient_norm,nc1,nc2_etf,nc2_of,nc3{}", if gaps.is_some() { ",gap" } else { "" })?;
        for (index, row) in rows.iter().enumerate() {
            let m = &row.metrics;
            let metrics = [m.nc1, m.nc2_etf, m.nc2_of, m.nc3].map(optional).join(",");
            write!(out, "{},{},{},{metrics}", row.step, number(row.objective), number(row.gradient_norm))?;
            match gaps {
                Some(gaps) => writeln!(out, ",{}", gaps.get(index).map_or("", String::as_str))?,
                None => writeln!(out)?,
            }
        }
        out.flush()
    })
    .map_err(CliError::input)
}
