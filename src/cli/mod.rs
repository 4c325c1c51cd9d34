//! The command line, one file per command. Exit codes: 0 every claim asked for holds, 1 a claim is refuted or undecided or a
//! solver did not converge, 2 bad usage or bad input.

mod certify;
mod problem;
mod solve;
mod verify;

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

/// Solve, certify and verify unconstrained features models of neural collapse.
#[derive(Parser)]
#[command(name = "ufm", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Number of threads (default: all cores); output is the same for any number
    #[arg(long, global = true, value_name = "T")]
    threads: Option<usize>,
}

#[derive(Subcommand)]
enum Command {
    /// Check every registered theorem against its evidence
    Verify(verify::Args),
    /// Solve a problem: closed form, numerical minimiser, certificate
    Solve(solve::Args),
    /// Say what a point is, and write the certificate that proves it
    Certify(certify::Args),
}

/// What ends a command early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Bad usage or bad input: one clear message, exit code 2.
    #[error("{0}")]
    Input(String),
    /// Standard output is gone (a closed pipe): stop quietly.
    #[error("cannot write the result: {0}")]
    Output(#[from] std::io::Error),
}

impl CliError {
    fn input(error: impl std::fmt::Display) -> Self {
        CliError::Input(error.to_string())
    }
}

/// Largest number of threads accepted.
const MAX_THREADS: usize = 1024;
/// Largest number of digits accepted.
const MAX_DIGITS: u32 = 10_000;

/// Parses the arguments, runs the command, reports an error once.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = set_threads(cli.threads).and_then(|()| match cli.command {
        Command::Verify(args) => verify::run(&args),
        Command::Solve(args) => solve::run(&args),
        Command::Certify(args) => certify::run(&args),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(CliError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(1),
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}

fn set_threads(threads: Option<usize>) -> Result<(), CliError> {
    if let Some(threads) = threads {
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(CliError::Input(format!("--threads {threads} is not allowed: an integer from 1 to {MAX_THREADS}")));
        }
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(CliError::input)?;
    }
    Ok(())
}

fn check_digits(digits: u32) -> Result<u32, CliError> {
    if (1..=MAX_DIGITS).contains(&digits) {
        return Ok(digits);
    }
    Err(CliError::Input(format!("--digits {digits} is not allowed: an integer from 1 to {MAX_DIGITS}")))
}

/// Nothing a user made is overwritten.
fn refuse_existing(path: &std::path::Path) -> Result<(), CliError> {
    if path.exists() {
        return Err(CliError::Input(format!("{} already exists; choose another name or remove it first", path.display())));
    }
    Ok(())
}

/// A tolerance flag: a positive decimal.
fn tolerance(flag: &str, text: &str) -> Result<rug::Rational, CliError> {
    let refuse = |why: String| CliError::Input(format!("{flag} {text} is not allowed: a positive decimal{why}"));
    let value = crate::scalar::parse_decimal(text).map_err(|e| refuse(format!(" ({e})")))?;
    if value > 0 { Ok(value) } else { Err(refuse(String::new())) }
}

/// A bar or spinner on standard error, shown only on a terminal.
fn progress(length: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(n) => (ProgressBar::new(n), "{bar:30} {pos}/{len} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed} {msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Prints one JSON object on standard output and nothing else.
fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

fn print_text(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(())
}
