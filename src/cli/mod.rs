//! The command line, one file per command. Exit codes: 0 every claim asked for holds, 1 a claim is refuted or undecided or a
//! solver did not converge, 2 bad usage or bad input.

mod certify;
mod classifier;
mod flags;
mod hunt;
mod kernels;
mod metrics;
mod problem;
mod solve;
mod sweep;
mod trace;
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
    #[arg(long, global = true, value_name = "T", value_parser = flags::threads, allow_negative_numbers = true)]
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
    /// Measure neural collapse of features, layer by layer, with error bounds
    Metrics(metrics::Args),
    /// Least-squares classifier of features (continual learning)
    Classifier(classifier::Args),
    /// Search for a certified counterexample to the collapsed optimum of a deep model
    Hunt(hunt::Args),
    /// Solve and certify a grid of problems: resumable, in shards, with phase diagrams
    Sweep(sweep::Args),
    /// Accuracy and speed of linear-algebra kernels, built-in or your own: their last bits may depend on --threads
    Kernels(kernels::Args),
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

/// Longest error printed, in characters; the middle of a longer one is left out.
const MAX_ERROR_CHARS: usize = 600;

/// Parses the arguments, runs the command, reports an error once.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    let outcome = set_threads(cli.threads).and_then(|()| match cli.command {
        Command::Verify(args) => verify::run(&args),
        Command::Solve(args) => solve::run(&args),
        Command::Certify(args) => certify::run(&args),
        Command::Metrics(args) => metrics::run(&args),
        Command::Classifier(args) => classifier::run(&args),
        Command::Hunt(args) => hunt::run(&args),
        Command::Sweep(args) => sweep::run_command(&args),
        Command::Kernels(args) => kernels::run_command(&args),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(CliError::Output(e)) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(1),
        Err(e) => fail(&format!("error: {e}")),
    }
}

/// One line on standard error, exit code 2.
fn fail(message: &str) -> ExitCode {
    // A closed standard error leaves the exit code to tell.
    let _ = writeln!(std::io::stderr(), "{}", one_line(message));
    ExitCode::from(2)
}

/// Help and version as clap prints them, a bad value as one line, other usage errors with clap's hints.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) {
        let text = error.render().to_string();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
        return fail(&lines.collect::<Vec<_>>().join(" "));
    }
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// The message without line breaks or control characters, which names from files may carry.
fn one_line(message: &str) -> String {
    let line: String = message.trim().chars().flat_map(|c| if c.is_control() { c.escape_debug().collect() } else { vec![c] }).collect();
    let count = line.chars().count();
    if count <= MAX_ERROR_CHARS {
        return line;
    }
    let half = MAX_ERROR_CHARS / 2;
    line.chars().take(half).chain(" ... ".chars()).chain(line.chars().skip(count - half)).collect()
}

fn set_threads(threads: Option<usize>) -> Result<(), CliError> {
    if let Some(threads) = threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().map_err(CliError::input)?;
    }
    Ok(())
}

/// Nothing a user made is overwritten.
fn refuse_existing(path: &std::path::Path) -> Result<(), CliError> {
    if path.symlink_metadata().is_ok() {
        return Err(CliError::Input(format!("{} already exists; choose another name or remove it first", path.display())));
    }
    Ok(())
}

/// Refuses, before any work, a file that cannot be written.
fn check_output(path: &std::path::Path) -> Result<(), CliError> {
    refuse_existing(path)?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if folder.is_some_and(|p| !p.is_dir()) {
        return Err(CliError::Input(format!("{} cannot be written: its folder does not exist", path.display())));
    }
    Ok(())
}

/// Writes a page, never over a file that exists.
fn write_page(path: &std::path::Path, page: &crate::report::html::Page) -> Result<(), CliError> {
    crate::problem::write_new(path, |file| file.write_all(page.render().as_bytes())).map_err(CliError::input)
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
