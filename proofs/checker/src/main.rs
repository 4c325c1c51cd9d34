//! `ufm-check PROBLEM.toml CERT`: prints the verified claim, or why there is none.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use ufm_check::{MAX_CERTIFICATE, MAX_PROBLEM, Outcome, check};

/// The file's bytes, unless there are more than `limit`.
fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |e: io::Error| format!("{}: {e}", path.display());
    let file = File::open(path).map_err(unreadable)?;
    let (size, mut bytes) = (file.metadata().map_err(unreadable)?.len(), Vec::new());
    if size <= limit {
        file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if size.max(bytes.len() as u64) > limit { Err(format!("{} is larger than {limit} bytes", path.display())) } else { Ok(bytes) }
}

fn outcome() -> Outcome {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [problem, certificate] = arguments.as_slice() else {
        return Outcome::Unsupported("usage: ufm-check PROBLEM.toml CERT".into());
    };
    let files = read(problem.as_ref(), MAX_PROBLEM).and_then(|p| Ok((p, read(certificate.as_ref(), MAX_CERTIFICATE)?)));
    match files {
        Ok((problem, certificate)) => check(&problem, &certificate),
        Err(reason) => Outcome::Unsupported(reason),
    }
}

fn main() -> ExitCode {
    let (text, code) = match outcome() {
        Outcome::Verified(claim) => (format!("VERIFIED\n{claim}"), 0),
        Outcome::Rejected { line, reason } => (format!("REJECTED line {line}: {reason}"), 1),
        Outcome::Unsupported(reason) => (format!("UNSUPPORTED: {reason}"), 2),
    };
    // A closed pipe leaves the exit code to carry the answer.
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::from(code)
}
