//! One problem of a theorem's grid with its evidence, computed once and only when a claim asks.

use std::cell::OnceCell;

use rug::Rational;

use crate::certify::{Certification, CertifyOptions, certify};
use crate::problem::{ExactPoint, Problem};
use crate::scalar::Ball;
use crate::solve::{Method, Solution, SolveOptions, Start, minimise, refine};

/// What a theorem says of one problem.
pub struct Prediction {
    /// The global minimum.
    pub f_star: Ball,
    /// A point that attains it, on a grid as fine as the precision asked.
    pub minimiser: ExactPoint,
}

/// A problem and the evidence about it.
pub struct Instance {
    pub problem: Problem,
    pub digits: u32,
    pub prediction: Option<Prediction>,
    pub(super) file: String,
    predicted: OnceCell<Option<Certification>>,
    numerical: OnceCell<Vec<Numerical>>,
}

/// A numerical minimiser, its exact entries, and what they prove.
pub struct Numerical {
    pub solution: Solution,
    /// Refined to the digits asked, where that is possible.
    pub exact: ExactPoint,
    pub refined: bool,
    pub certification: Option<Certification>,
}

/// Digits of certifications of a double's point.
const F64_DIGITS: u32 = 15;
/// Random starts tried for each problem.
const SEEDS: u64 = 2;
/// From this many factors on the spectral start is tried too.
const SPECTRAL_DEPTH: usize = 4;

impl Instance {
    pub(super) fn new(file: &str, digits: u32, predict: fn(&Problem, u32) -> Option<Prediction>) -> Result<Self, String> {
        let problem = Problem::from_toml(file).map_err(|e| e.to_string())?;
        let prediction = predict(&problem, bits(digits));
        Ok(Instance { problem, digits, prediction, file: file.into(), predicted: OnceCell::new(), numerical: OnceCell::new() })
    }

    /// The problem in a few words, for witnesses.
    pub fn name(&self) -> String {
        self.file.lines().filter(|l| !l.is_empty()).map(|l| l.replace(' ', "")).collect::<Vec<_>>().join(" ")
    }

    /// Certification of the predicted minimiser at the digits asked; `None` when the model has no certificate or no prediction.
    pub fn predicted(&self) -> Option<&Certification> {
        let compute = || {
            let options = CertifyOptions { digits: self.digits, ..Default::default() };
            certify(&self.problem, self.file.as_bytes(), &self.prediction.as_ref()?.minimiser, &options).ok()
        };
        self.predicted.get_or_init(compute).as_ref()
    }

    /// Numerical minimisers from random starts, with what their exact entries prove.
    pub fn numerical(&self) -> &[Numerical] {
        self.numerical.get_or_init(|| {
            let run = |(start, seed)| {
                let method = Method::suited_to(&self.problem);
                let options = SolveOptions { method, start, seed, ..Default::default() };
                let solution = minimise(&self.problem, &options, &mut |_| {}).ok()?;
                let refined = refine(&self.problem, &solution.point, self.digits, &mut |_| {}).ok().filter(|r| r.converged);
                let options = CertifyOptions { digits: if refined.is_some() { self.digits } else { F64_DIGITS }, ..Default::default() };
                let (exact, refined) = match refined {
                    Some(refined) => (refined.point, true),
                    None => (solution.point.to_exact()?, false),
                };
                let certification = certify(&self.problem, self.file.as_bytes(), &exact, &options).ok();
                Some(Numerical { solution, exact, refined, certification })
            };
            let random = (0..SEEDS).map(|seed| (Start::Random, seed));
            // Small random starts of deep models end at zero, a strict local minimum for p >= 3.
            let spectral = (self.problem.depth() >= SPECTRAL_DEPTH).then_some((Start::Spectral, 0));
            random.chain(spectral).filter_map(run).collect()
        })
    }

    /// The certification of the predicted minimiser, if a claim has asked for it.
    pub(super) fn predicted_so_far(&self) -> Option<&Certification> {
        self.predicted.get()?.as_ref()
    }

    /// The numerical minimisers, if a claim has asked for them.
    pub(super) fn numerical_so_far(&self) -> &[Numerical] {
        self.numerical.get().map_or(&[], Vec::as_slice)
    }

    /// What a point of this problem is, to a double's accuracy.
    pub fn certify(&self, point: &ExactPoint) -> Option<Certification> {
        certify(&self.problem, self.file.as_bytes(), point, &CertifyOptions::default()).ok()
    }

    /// The independent checker's refusal of a certificate, if it refuses.
    pub fn refusal(&self, certification: &Certification) -> Option<String> {
        self.refused(certification.text.as_ref()?)
    }

    /// The problem file's bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.file.as_bytes()
    }

    /// The independent checker's refusal of a certificate's text, if it refuses.
    pub(super) fn refused(&self, text: &str) -> Option<String> {
        match ufm_check::check(self.file.as_bytes(), text.as_bytes()) {
            ufm_check::Outcome::Verified(_) => None,
            ufm_check::Outcome::Rejected { line, reason } => Some(format!("checker: line {line}: {reason}")),
            ufm_check::Outcome::Unsupported(reason) => Some(format!("checker: {reason}")),
        }
    }
}

/// Bits of the predictions: the digits, and 10 digits of room for conditioning. log2(10) < 3.33.
pub(super) fn bits(digits: u32) -> u32 {
    (f64::from(digits + 10) * 3.33) as u32 + 32
}

/// 10^-digits.
pub(super) fn power_of_tenth(digits: u32) -> Rational {
    Rational::from((rug::Integer::from(1), rug::Integer::from(rug::Integer::u_pow_u(10, digits))))
}
