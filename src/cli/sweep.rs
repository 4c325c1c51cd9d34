//! `ufm sweep`: a grid of problems, solved and certified; `ufm sweep merge`: shards joined.

use std::{io::IsTerminal, path::PathBuf};

use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, check_output, print_json, print_text};
use crate::report::{Table, sweep_json, sweep_page, sweep_rows};
use crate::sweep::{Grid, Shard, Sweep, SweepError, SweepProgress, merge, read_grid, run};

const GRID_HELP: &str = "\
In a grid file every field of a problem file takes one value, a list, or a range { from, to, step } or
{ from, to, points, scale = \"linear\" | \"log\" }. More fields: lambda (all weights), depth (deep models), imbalance with
minority (the last classes have per_class / imbalance samples, rounded down), seed; dim also as \"K\", \"K-1\", \"2K\".
[options]: digits, gap_tol, tol, method, starts, budget, time_limit. The folder examples/grids has four grids.";

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = GRID_HELP)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Grid file (TOML): the fields of a problem file, each with one value, a list or a range
    #[arg(value_name = "GRID.toml", required = true)]
    grid: Option<PathBuf>,
    /// Folder of the journal and the results
    #[arg(long, value_name = "DIR", required = true)]
    out: Option<PathBuf>,
    /// Solve only part I of N, I from 1
    #[arg(long, value_name = "I/N", value_parser = shard, allow_hyphen_values = true)]
    shard: Option<Shard>,
    /// Continue the sweep in DIR after an interruption (or begin it)
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Join the folders of shards into one
    Merge(MergeArgs),
}

#[derive(clap::Args)]
struct MergeArgs {
    /// Folders of the shards
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// New folder of the whole sweep
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Output {
    /// Write a page for reading, with phase diagrams: one HTML file that needs no network
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const MAX_SHARDS: usize = 100_000;

fn shard(text: &str) -> Result<Shard, String> {
    let parsed = text.split_once('/').and_then(|(i, n)| Some(Shard { number: i.parse().ok()?, of: n.parse().ok()? }));
    let allowed = |s: &Shard| (1..=MAX_SHARDS).contains(&s.of) && (1..=s.of).contains(&s.number);
    parsed.filter(allowed).ok_or_else(|| format!("I/N with 1 <= I <= N <= {MAX_SHARDS}, as 2/8"))
}

pub(super) fn run_command(args: &Args) -> Result<bool, CliError> {
    if let Some(Command::Merge(args)) = &args.command {
        args.output.report.iter().try_for_each(|path| check_output(path))?;
        let sweep = merge(&args.folders, &args.out).map_err(|e| input(&e))?;
        return finish(&sweep, &args.output);
    }
    let (Some(path), Some(out)) = (&args.grid, &args.out) else {
        return Err(CliError::Input("give a GRID.toml and --out DIR".into()));
    };
    args.output.report.iter().try_for_each(|path| check_output(path))?;
    let at = |e: &dyn std::fmt::Display| CliError::Input(format!("{}: {e}", path.display()));
    let text = read_grid(path).map_err(|e| at(&e))?;
    let grid = Grid::from_toml(&text).map_err(|e| at(&e))?;
    let bar = bar();
    let progress = |p: SweepProgress| {
        bar.set_length(p.of as u64);
        if p.done == p.resumed {
            bar.set_position(p.done as u64);
            // Time left is judged by what this run solves.
            bar.reset_eta();
        } else {
            bar.inc(1);
        }
    };
    let sweep = run(grid, &text, out, args.shard.unwrap_or(Shard::WHOLE), args.resume, &progress).map_err(|e| input(&e));
    bar.finish_and_clear();
    finish(&sweep?, &args.output)
}

fn finish(sweep: &Sweep, output: &Output) -> Result<bool, CliError> {
    if let Some(path) = &output.report {
        super::write_page(path, &sweep_page(sweep))?;
    }
    if output.json {
        print_json(&sweep_json(sweep))?;
    } else {
        let mut table = Table::default();
        sweep_rows(&mut table, sweep);
        if let Some(path) = &output.report {
            table.row("report", &path.display().to_string());
        }
        print_text(&table.render())?;
    }
    Ok(sweep.holds())
}

fn input(error: &SweepError) -> CliError {
    CliError::Input(error.to_string())
}

/// Instances done and time left, on a terminal.
fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len}, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
