//! What the built-in kernels are known to get wrong: shown, and not counted as a failure of a run.

use super::Operation;

/// One documented fault of an upstream library.
struct Exception {
    kernel: &'static str,
    operation: Operation,
    /// First words of the families of cases it may show in.
    families: &'static [&'static str],
    reason: &'static str,
}

const EXCEPTIONS: [Exception; 3] = [
    Exception {
        kernel: "faer",
        operation: Operation::Svd,
        families: &["overflow", "underflow"],
        reason: "faer 0.24 does not scale a matrix near overflow or underflow before its singular value decomposition",
    },
    Exception {
        kernel: "nalgebra",
        operation: Operation::Qr,
        families: &["overflow", "underflow"],
        reason: "nalgebra 0.35 squares the entries of a column without scaling them",
    },
    // The rotation of a 2 x 2 triangle cancels to u σ₁ and is divided by σ₂: off by u κ. Which ill-conditioned matrices end on such a
    // triangle depends on their last bits.
    Exception {
        kernel: "nalgebra",
        operation: Operation::Svd,
        families: &[
            "etf-features",
            "of-features",
            "simplex",
            "one-",
            "geometric",
            "random-half",
            "random-full",
            "graded",
            "hilbert",
            "kahan",
        ],
        reason: "nalgebra 0.35 loses digits of ill-conditioned pairs of singular vectors (dimforge/nalgebra#1172)",
    },
];

/// The documented fault that explains why a built-in kernel fails a case.
pub(super) fn known(kernel: &str, operation: Operation, case: &str) -> Option<&'static str> {
    let family = case.strip_prefix(operation.name())?.strip_prefix('-')?;
    let matches = |e: &&Exception| e.kernel == kernel && e.operation == operation && e.families.iter().any(|f| family.starts_with(f));
    EXCEPTIONS.iter().find(matches).map(|e| e.reason)
}
