//! The certificate writer: text of proofs/FORMAT.md, version 1.

use std::fmt::Write as _;

use rayon::prelude::*;
use rug::{Float, Integer, Rational};
use sha2::{Digest, Sha256};

use super::Bounds;
use crate::problem::exact::SHARE;
use crate::problem::{Dyadic, ExactPoint};
use crate::scalar::Ball;

/// A certificate under construction: sections in the format's order.
pub(super) struct Writer {
    text: String,
}

impl Writer {
    pub fn new(problem_file: &[u8], kind: &str, precision: u32) -> Self {
        let digest = Sha256::digest(problem_file).iter().fold(String::new(), |mut s, byte| {
            let _ = write!(s, "{byte:02x}");
            s
        });
        Writer { text: format!("ufm-certificate 1\nproblem sha256 {digest}\nkind {kind}\nprecision {precision}\n") }
    }

    /// The matrices of a point or a direction, names prefixed (`""` or `"d"`).
    pub fn point(&mut self, prefix: &str, point: &ExactPoint) {
        self.matrix(&format!("{prefix}W"), &point.factors[0]);
        self.matrix(&format!("{prefix}H"), &point.h);
        if let Some(b) = &point.b {
            self.matrix(&format!("{prefix}b"), b);
        }
    }

    pub fn matrix(&mut self, name: &str, x: &Dyadic) {
        // The coarsest grid that carries the entries: equal matrices give equal text.
        let zeros = x.m.iter().filter_map(|m| m.find_one(0)).min().unwrap_or(0);
        let exp = if x.m.iter().all(|m| *m == 0) { 0 } else { x.exp + zeros as i32 };
        let _ = writeln!(self.text, "{name} {} {} {exp}", x.rows, x.cols);
        // A matrix without columns has no lines.
        let line = |row: &[Integer]| {
            let mut line = String::with_capacity(16 * row.len());
            for (j, m) in row.iter().enumerate() {
                let sign = if *m < 0 { "-" } else { "" };
                let separator = if j == 0 { "" } else { " " };
                let _ = match m.to_i64() {
                    Some(m) => write!(line, "{separator}{sign}{:x}", m.unsigned_abs().checked_shr(zeros).unwrap_or(0)),
                    None => write!(line, "{separator}{:x}", Integer::from(m >> zeros)),
                };
            }
            line.push('\n');
            line
        };
        if x.cols > 0 {
            let lines: Vec<String> = x.m.par_chunks(x.cols).with_min_len(SHARE / x.cols).map(line).collect();
            lines.iter().for_each(|line| self.text.push_str(line));
        }
    }

    pub fn claim(&mut self, name: &str, relation: &str, value: &Float) {
        let (m, exp) = dyadic(value);
        let _ = writeln!(self.text, "claim {name} {relation} {m:x}*2^{exp}");
    }

    /// The claims of kind `gap`; `duality` is the name of the second bound on collapse.
    pub fn gap_claims(&mut self, b: &Bounds, duality: &str) {
        self.claim("lower", ">=", &b.lower);
        self.claim("upper", "<=", &b.upper);
        self.claim("gap", "<=", &b.gap);
        if let Some(collapse) = &b.collapse {
            self.claim("within-class", "<=", &collapse.within_class);
            self.claim(duality, "<=", &collapse.self_duality);
            self.claim("fit", "<=", &collapse.fit);
        }
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("end\n");
        self.text
    }
}

/// A finite float as m · 2^exp with m odd or zero.
fn dyadic(value: &Float) -> (Integer, i32) {
    match value.to_integer_exp() {
        Some((m, exp)) if m != 0 => {
            let zeros = m.find_one(0).unwrap_or(0);
            (m >> zeros, exp + zeros as i32)
        }
        _ => (Integer::new(), 0),
    }
}

/// The least number of 64 significant bits or fewer that is at least `value`.
pub(super) fn round_up(value: &Rational) -> Float {
    Ball::from_rational(value, 64).upper()
}
