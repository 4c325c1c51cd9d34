//! The certificates behind a theorem's claims, in a few figures each.

use super::Instance;
use crate::certify::Certification;
use crate::scalar::Ball;

/// A certificate that a claim relied on, summed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The problem in a few words.
    pub problem: String,
    /// Which point was certified.
    pub point: String,
    /// What the point was proved to be.
    pub verdict: &'static str,
    /// Certified lower bound of the global minimum, rounded down.
    pub lower: Option<String>,
    /// Upper bound of the point's gap to the global minimum, rounded up.
    pub gap: Option<String>,
    /// Bytes of the certificate that the independent checker reads; `None` without one.
    pub bytes: Option<usize>,
}

/// Digits of a lower bound that are shown.
const LOWER_DIGITS: u32 = 12;
const GAP_DIGITS: u32 = 3;

impl Evidence {
    fn new(problem: &str, point: String, c: &Certification) -> Self {
        let exact = |x: &rug::Float| Ball::exact(x.clone());
        Evidence {
            problem: problem.into(),
            point,
            verdict: c.verdict.name(),
            lower: c.bounds.as_ref().map(|b| exact(&b.lower).lower_decimal(LOWER_DIGITS)),
            gap: c.bounds.as_ref().map(|b| exact(&b.gap).upper_decimal(GAP_DIGITS)),
            bytes: c.text.as_ref().map(String::len),
        }
    }
}

impl Instance {
    /// Summaries of the certificates that the claims checked so far asked for.
    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let name = self.name();
        let predicted = self.predicted_so_far().map(|c| Evidence::new(&name, "closed form".into(), c));
        let numerical = self.numerical_so_far().iter().enumerate().filter_map(|(run, n)| {
            let point = format!("numerical, run {}{}", run + 1, if n.refined { ", refined" } else { "" });
            Some(Evidence::new(&name, point, n.certification.as_ref()?))
        });
        predicted.into_iter().chain(numerical).collect()
    }
}
