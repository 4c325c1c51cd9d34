//! The suite: every kernel on every case, scored, then timed.

use ::faer::Mat;
use rayon::prelude::*;

use super::{
    Case, Kernel, Operation, Refusal, Scalar, Score, Speed, cases,
    exceptions::known,
    reference::{Reference, reference},
    score::score,
    speed,
};

/// Which cases run.
#[derive(Debug, Clone)]
pub struct Options {
    pub operations: Vec<Operation>,
    /// Cases with a larger dimension are left out.
    pub largest: usize,
    /// Whether the largest case of each operation is timed.
    pub timed: bool,
}

impl Default for Options {
    /// Everything.
    fn default() -> Self {
        Options { operations: Operation::ALL.to_vec(), largest: usize::MAX, timed: true }
    }
}

/// What came of one kernel on one case.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Scored(Score),
    /// With the reason; no fault.
    NotOffered(String),
    /// No result, one of the wrong shape, or one that is not finite.
    Failed(String),
}

/// A line of the results.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub kernel: String,
    /// [`Scalar::name`].
    pub precision: String,
    pub operation: Operation,
    pub case: String,
    pub seed: u64,
    /// Rows and columns of A, columns of B.
    pub shape: (usize, usize, usize),
    pub outcome: Outcome,
    /// Why a built-in kernel is known to fail here, when it does.
    pub exception: Option<&'static str>,
    pub speed: Option<Speed>,
}

impl Entry {
    pub(super) fn new<T: Scalar>(kernel: &str, case: &Case<T>, outcome: Outcome) -> Self {
        let (m, n) = case.shape();
        let mut entry = Entry {
            kernel: kernel.into(),
            precision: T::name(),
            operation: case.operation,
            case: case.name.clone(),
            seed: case.seed,
            shape: (m, n, case.columns()),
            outcome,
            exception: None,
            speed: None,
        };
        if !entry.below_thresholds() {
            entry.exception = known(kernel, case.operation, &case.name);
        }
        entry
    }

    /// Whether every ratio is below its threshold; what is not offered breaks none.
    pub fn below_thresholds(&self) -> bool {
        match &self.outcome {
            Outcome::Scored(score) => score.passes(),
            Outcome::NotOffered(_) => true,
            Outcome::Failed(_) => false,
        }
    }

    /// [`Entry::below_thresholds`], or a documented fault of a built-in kernel.
    pub fn passes(&self) -> bool {
        self.below_thresholds() || self.exception.is_some()
    }

    /// What is wrong, naming case and ratio; `None` when nothing is.
    pub fn fault(&self) -> Option<String> {
        if self.below_thresholds() {
            return None;
        }
        let what = match &self.outcome {
            Outcome::Scored(score) => score
                .worst()
                .map_or_else(String::new, |r| format!("{} ratio {:.3e} is not below {} ({})", r.name, r.value, r.threshold, r.source)),
            Outcome::NotOffered(why) | Outcome::Failed(why) => why.clone(),
        };
        Some(format!("{} {} {}: {what}", self.kernel, self.precision, self.case))
    }
}

/// A run, as tables and pages show it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Suite {
    pub entries: Vec<Entry>,
    /// Precision and [`product_peak`](super::product_peak), where measured.
    pub peaks: Vec<(String, f64)>,
    pub threads: usize,
}

impl Suite {
    /// Number of documented exceptions.
    pub fn exceptions(&self) -> usize {
        self.entries.iter().filter(|e| e.exception.is_some()).count()
    }
}

/// Runs a kernel on a case: results in the order of [`Operation::outputs`], vectors as matrices of one column.
pub(super) fn compute<T: Scalar>(kernel: &dyn Kernel<T>, case: &Case<T>) -> Result<Vec<Mat<T>>, Refusal> {
    let a = case.a.as_ref();
    let column = |values: Vec<T>| Mat::from_fn(values.len(), 1, |i, _| values[i].clone());
    let b = || case.b.as_ref().map(|b| b.as_ref()).ok_or_else(|| Refusal::Failed("the case has no right-hand side".into()));
    Ok(match case.operation {
        Operation::Gemm => vec![kernel.gemm(a, b()?)?],
        Operation::Cholesky => vec![kernel.cholesky(a)?],
        Operation::Qr => {
            let (q, r) = kernel.qr(a)?;
            vec![q, r]
        }
        Operation::Eigh => {
            let (values, vectors) = kernel.eigh(a)?;
            vec![column(values), vectors]
        }
        Operation::Svd => {
            let (u, values, v_t) = kernel.svd(a)?;
            vec![u, column(values), v_t]
        }
        Operation::Solve => vec![kernel.solve(a, b()?)?],
    })
}

pub(super) fn outcome<T: Scalar>(case: &Case<T>, reference: &Reference, result: Result<Vec<Mat<T>>, Refusal>) -> Outcome {
    match result.map(|outputs| score(case, reference, &outputs)) {
        Ok(Ok(score)) => Outcome::Scored(score),
        Ok(Err(fault)) => Outcome::Failed(fault),
        Err(Refusal::Failed(why)) => Outcome::Failed(why),
        Err(Refusal::NotOffered(why)) => Outcome::NotOffered(why),
    }
}

/// Steps that [`run`] reports for these options.
pub fn count<T: Scalar>(kernels: usize, options: &Options) -> usize {
    options.operations.iter().map(|&o| cases::<T>(o, options.largest).len()).sum::<usize>() * kernels
}

/// Every kernel on every case, by operation, case and kernel; `step` is called once for each result.
///
/// Kernels run one after another on the calling thread, so that a case sees the machine alone; scoring runs in parallel. The figures
/// of accuracy do not depend on it: they are the same to the bit when a kernel returns the same bits.
pub fn run<T: Scalar>(kernels: &[&dyn Kernel<T>], options: &Options, step: &(dyn Fn() + Sync)) -> Vec<Entry> {
    let mut entries = vec![];
    for &operation in &options.operations {
        let cases = cases::<T>(operation, options.largest);
        let results: Vec<Vec<_>> = cases.iter().map(|case| kernels.iter().map(|kernel| compute(*kernel, case)).collect()).collect();
        let scored: Vec<Vec<Entry>> = cases
            .par_iter()
            .zip(results)
            // The dearest case is the last: it should not wait for the others.
            .rev()
            .with_max_len(1)
            .map(|(case, results)| {
                let reference = reference(case);
                let entry = |(kernel, result): (&&dyn Kernel<T>, _)| {
                    step();
                    Entry::new(kernel.name(), case, outcome(case, &reference, result))
                };
                kernels.iter().zip(results).map(entry).collect()
            })
            .collect();
        for (case, mut row) in cases.iter().zip(scored.into_iter().rev()) {
            for (kernel, entry) in kernels.iter().zip(&mut row) {
                // A wrong result has no speed.
                if options.timed && case.timed && matches!(&entry.outcome, Outcome::Scored(score) if score.passes()) {
                    entry.speed = Some(speed::measure(*kernel, case));
                }
            }
            entries.extend(row);
        }
    }
    entries
}
