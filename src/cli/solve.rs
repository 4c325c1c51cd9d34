//! `ufm solve`: closed form, numerical minimiser, certificate.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::ValueEnum;
use rug::Rational;
use serde_json::{Value, json};

use super::{
    CliError, check_output, flags, print_json, print_text,
    problem::{Loaded, ProblemArgs, read_point},
    progress,
    trace::Gaps,
    write_page,
};
use crate::certify::{CertifyError, CertifyOptions, Verdict, certify};
use crate::metrics::{layers, point_metrics};
use crate::problem::{Point, Problem};
use crate::report::{self, Table, certificate_json, closed_form_json, number, solve_page};
use crate::solve::{
    Attempt, Lowest, Method, Progress, Refined, Solution, SolveError, SolveOptions, Start, Status, TraceRow, minimise_from,
    minimise_lowest, refine,
};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    problem: ProblemArgs,
    /// Significant digits, all guaranteed [default: 15]; beyond 15 the numerical point is refined to as many; when given, a trace
    /// carries certified gaps
    #[arg(long, value_name = "D", value_parser = flags::digits, allow_negative_numbers = true)]
    digits: Option<u32>,
    /// What to run
    #[arg(long, value_enum, default_value_t = Choice::Both)]
    method: Choice,
    /// Where the numerical minimiser starts: random, spectral or a POINT.npz [default: random; models with local minima are solved from
    /// spectral and other starts too, and the lowest result counts]
    #[arg(long)]
    start: Option<String>,
    /// Seed of the random start
    #[arg(long, default_value_t = 0, value_name = "S", value_parser = flags::natural, allow_negative_numbers = true)]
    seed: u64,
    /// Gradient norm to reach
    #[arg(long, default_value = "1e-12", value_name = "T", value_parser = flags::tolerance, allow_hyphen_values = true)]
    tol: Rational,
    /// Certified gap that counts as a global minimum
    #[arg(long, default_value = "1e-9", value_name = "G", value_parser = flags::tolerance, allow_hyphen_values = true)]
    gap_tol: Rational,
    /// Learning rate of --method gd [default: 0.1]
    #[arg(long, value_name = "R", value_parser = flags::learning_rate, allow_hyphen_values = true)]
    lr: Option<f64>,
    /// Steps of --method gd [default: 100000]
    #[arg(long, value_name = "N", value_parser = flags::natural, allow_negative_numbers = true)]
    steps: Option<u64>,
    /// Seconds the numerical minimiser may take
    #[arg(long, value_name = "SECONDS", value_parser = flags::seconds, allow_hyphen_values = true)]
    time_limit: Option<Duration>,
    /// Write one CSV row per recorded step
    #[arg(long, value_name = "FILE.csv")]
    trace: Option<PathBuf>,
    /// Write a page with the solution and the curves of the recorded steps; with --digits, certified gaps too
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the point found
    #[arg(long, value_name = "POINT.npz")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Both,
    ClosedForm,
    Numerical,
    Lbfgs,
    Gd,
}

/// Digits of a report when none are asked for.
const DEFAULT_DIGITS: u32 = 15;
const DEFAULT_LEARNING_RATE: f64 = 0.1;
const DEFAULT_STEPS: u64 = 100_000;

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    check_flags(args)?;
    let loaded = args.problem.load()?;
    args.out.iter().chain(&args.trace).chain(&args.report).try_for_each(|path| check_output(path))?;
    let mut report = Report {
        json: json!({ "version": env!("CARGO_PKG_VERSION"), "problem": loaded.raw }),
        table: Table::default(),
        curves: None,
        holds: true,
    };
    report::problem_rows(&mut report.table, &loaded.problem);
    if matches!(args.method, Choice::Both | Choice::ClosedForm) {
        closed_form(args, &loaded.problem, &mut report)?;
    }
    if args.method != Choice::ClosedForm {
        numerical(args, &loaded, &mut report)?;
    }
    if let Some(path) = &args.report {
        let (trace, gaps) = report.curves.take().unwrap_or_default();
        let (form, _) = closed_form_json(&loaded.problem, DEFAULT_DIGITS);
        let minimum = form["f_star"].as_str().filter(|_| form["trust"] == "certified").and_then(|text| text.parse().ok());
        write_page(path, &solve_page(&report.table, &trace, &gaps, minimum))?;
    }
    if args.json {
        print_json(&report.json)?;
    } else {
        print_text(&report.table.render())?;
    }
    Ok(report.holds)
}

/// What the command will print, and whether everything asked for held.
struct Report {
    json: Value,
    table: Table,
    /// The recorded steps and their certified gaps.
    curves: Option<(Vec<TraceRow>, Vec<Option<f64>>)>,
    holds: bool,
}

impl Args {
    fn digits(&self) -> u32 {
        self.digits.unwrap_or(DEFAULT_DIGITS)
    }

    fn traced(&self) -> bool {
        self.trace.is_some() || self.report.is_some()
    }

    fn certify_options(&self) -> CertifyOptions {
        CertifyOptions { digits: self.digits(), gap_tol: self.gap_tol.clone(), tol: self.tol.clone() }
    }
}

/// Flags that contradict each other.
fn check_flags(args: &Args) -> Result<(), CliError> {
    let refuse = |text: &str| Err(CliError::Input(text.into()));
    if args.method != Choice::Gd && (args.lr.is_some() || args.steps.is_some()) {
        return refuse("--lr and --steps belong to --method gd");
    }
    if args.method == Choice::ClosedForm && (args.trace.is_some() || args.start.is_some()) {
        return refuse("--trace and --start belong to a numerical method, not to --method closed-form");
    }
    for (a, b, names) in [
        (&args.out, &args.trace, "--out and --trace"),
        (&args.out, &args.report, "--out and --report"),
        (&args.trace, &args.report, "--trace and --report"),
    ] {
        if a.is_some() && a == b {
            return refuse(&format!("{names} name the same file; give two names"));
        }
    }
    Ok(())
}

fn closed_form(args: &Args, problem: &Problem, report: &mut Report) -> Result<(), CliError> {
    let (value, form) = closed_form_json(problem, args.digits());
    if args.method == Choice::ClosedForm {
        let form = form.map_err(CliError::input)?;
        if let Some(path) = &args.out {
            let point = form.minimiser(problem, report::bits(args.digits())).map_err(CliError::input)?;
            point.to_f64().write_npz(path).map_err(CliError::input)?;
        }
    }
    report::closed_form_rows(&mut report.table, &value);
    report.json["closed_form"] = value;
    Ok(())
}

fn numerical(args: &Args, loaded: &Loaded, report: &mut Report) -> Result<(), CliError> {
    let problem = &loaded.problem;
    // With --digits given, a trace carries certified gaps too.
    let mut gaps = args.digits.filter(|_| args.traced()).map(|_| Gaps::new(problem, args.certify_options()));
    let options = minimiser_options(args, problem)?;
    let lowest = match minimised(args, problem, &options, &mut gaps) {
        Ok(lowest) => lowest,
        // Without a solver for this model the closed form may still stand.
        Err(SolveError::Unsupported(what)) if args.method == Choice::Both && report.json["closed_form"]["available"] == true => {
            if args.out.is_some() || args.trace.is_some() {
                return Err(CliError::Input(format!("nothing to write to --out or --trace: {what}")));
            }
            report.json["numerical"] = json!({ "available": false, "reason": what });
            report::numerical_rows(&mut report.table, &report.json["numerical"]);
            return Ok(());
        }
        Err(e) => return Err(CliError::input(e)),
    };
    let solution = lowest.solution;
    report.holds &= solution.status == Status::Converged;
    let refined = refined(args, problem, &solution)?;
    report.holds &= refined.as_ref().is_none_or(|(r, _)| r.converged);
    let exact = match &refined {
        Some((refined, _)) => refined.point.clone(),
        None => solution.point.to_exact().ok_or_else(|| CliError::Input("the minimiser left the finite numbers".into()))?,
    };
    let objective = report::objective_digits(problem, &exact, args.digits()).unwrap_or_else(|| number(solution.objective));
    report.json["numerical"] = numerical_json(problem, &solution, objective);
    if lowest.attempts.len() > 1 {
        report.json["numerical"]["start"] = json!(lowest.attempts[lowest.chosen].start);
        report.json["numerical"]["starts"] = lowest.attempts.iter().map(attempt_json).collect();
    }
    if let Some((refined, seconds)) = &refined {
        report.json["numerical"]["refinement"] = refinement_json(refined);
        report.json["numerical"]["seconds"] = json!(solution.seconds + seconds);
    }
    report::numerical_rows(&mut report.table, &report.json["numerical"]);
    let bar = progress(None);
    bar.set_message("certifying");
    report.json["certificate"] = match certify(problem, &loaded.bytes, &exact, &args.certify_options()) {
        Ok(result) => {
            report.holds &= !matches!(result.verdict, Verdict::Undecided(_));
            certificate_json(&result, "numerical", args.digits())
        }
        Err(e @ CertifyError::Unsupported(_)) => json!({ "available": false, "reason": e.to_string() }),
        Err(e) => return Err(CliError::input(e)),
    };
    bar.finish_and_clear();
    report::certificate_rows(&mut report.table, &report.json["certificate"]);
    if let Some(path) = &args.trace {
        super::trace::write(path, &solution.trace, gaps.as_ref())?;
    }
    report.curves = Some((solution.trace, gaps.map(|gaps| gaps.values()).unwrap_or_default()));
    if let Some(path) = &args.out {
        refined.map_or(solution.point, |(r, _)| r.point.to_f64()).write_npz(path).map_err(CliError::input)?;
    }
    Ok(())
}

/// The minimiser refined to the digits asked, when they are more than a double has, and the seconds that took.
fn refined(args: &Args, problem: &Problem, solution: &Solution) -> Result<Option<(Refined, f64)>, CliError> {
    if args.digits() <= DEFAULT_DIGITS || args.method == Choice::Gd || solution.status != Status::Converged {
        return Ok(None);
    }
    let started = Instant::now();
    let bar = progress(None);
    let mut on_progress = |digits: u32| bar.set_message(format!("refined to {digits} digits"));
    let result = refine(problem, &solution.point, args.digits(), &mut on_progress);
    bar.finish_and_clear();
    match result {
        Ok(refined) => Ok(Some((refined, started.elapsed().as_secs_f64()))),
        // The deep models: their points stay doubles.
        Err(SolveError::Unsupported(_)) => Ok(None),
        Err(e) => Err(CliError::input(e)),
    }
}

fn refinement_json(refined: &Refined) -> Value {
    json!({
        "status": if refined.converged { "converged" } else { "stalled" }, "digits": refined.digits(),
        "steps": refined.steps, "corrections": refined.corrections,
    })
}

fn minimiser_options(args: &Args, problem: &Problem) -> Result<SolveOptions, CliError> {
    let method = match args.method {
        Choice::Gd => {
            Method::GradientDescent { learning_rate: args.lr.unwrap_or(DEFAULT_LEARNING_RATE), steps: args.steps.unwrap_or(DEFAULT_STEPS) }
        }
        Choice::Lbfgs => Method::Lbfgs,
        _ => Method::suited_to(problem),
    };
    let start = match args.start.as_deref() {
        None | Some("random") => Start::Random,
        Some("spectral") => Start::Spectral,
        Some(path) => Start::Point(read_point(Path::new(path), problem)?),
    };
    let (seed, tol, trace) = (args.seed, args.tol.to_f64(), args.traced());
    Ok(SolveOptions { method, start, seed, tol, time_limit: args.time_limit, trace, ..Default::default() })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({ "start": attempt.start, "seed": attempt.seed, "objective": number(attempt.objective), "status": attempt.status.name() })
}

/// From the start asked for, or from as many as the model needs.
fn minimised(args: &Args, problem: &Problem, options: &SolveOptions, gaps: &mut Option<Gaps<'_>>) -> Result<Lowest, SolveError> {
    let bar = progress(None);
    let mut on_progress = |p: &Progress| bar.set_message(format!("iteration {}: gradient norm {:.2e}", p.iteration, p.gradient_norm));
    let mut observe = |_: &TraceRow, point: &Point| {
        if let Some(gaps) = gaps {
            gaps.record(point);
        }
    };
    let lowest = if args.start.is_none() {
        minimise_lowest(problem, options, &mut on_progress, &mut observe)
    } else {
        minimise_from(problem, options, &mut on_progress, &mut observe)
    };
    bar.finish_and_clear();
    lowest
}

fn numerical_json(problem: &Problem, s: &Solution, objective: String) -> Value {
    let m = point_metrics(problem, &s.point);
    let metrics: serde_json::Map<String, Value> = [("nc1", m.nc1), ("nc2_etf", m.nc2_etf), ("nc2_of", m.nc2_of), ("nc3", m.nc3)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, |x| Value::String(number(x)))))
        .collect();
    let mut value = json!({
        "objective": objective, "gradient_norm": number(s.gradient_norm), "iterations": s.iterations, "seconds": s.seconds,
        "status": s.status.name(), "seed": s.seed, "metrics": metrics,
    });
    let layers = layers(problem, &s.point);
    if !layers.is_empty() {
        value["layers"] = report::layers_json(&layers);
    }
    value
}
