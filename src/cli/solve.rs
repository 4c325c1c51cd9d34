//! `ufm solve`: closed form, numerical minimiser, certificate.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::{CliError, check_digits, print_json, print_text, problem::ProblemArgs, progress, refuse_existing, tolerance};
use crate::certify::{CertifyError, CertifyOptions, certify};
use crate::metrics::point_metrics;
use crate::problem::{Problem, write_new};
use crate::report::{self, Table, certificate_json, closed_form_json, number};
use crate::solve::{Method, Progress, Solution, SolveError, SolveOptions, Start, Status, minimise};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    problem: ProblemArgs,
    /// Significant digits, all guaranteed
    #[arg(long, default_value_t = 15, value_name = "D")]
    digits: u32,
    /// What to run
    #[arg(long, value_enum, default_value_t = Choice::Both)]
    method: Choice,
    /// Where the numerical minimiser starts: random, spectral or a POINT.npz
    #[arg(long, default_value = "random")]
    start: String,
    /// Seed of the random start
    #[arg(long, default_value_t = 0, value_name = "S")]
    seed: u64,
    /// Gradient norm to reach
    #[arg(long, default_value = "1e-12", value_name = "T", allow_hyphen_values = true)]
    tol: String,
    /// Certified gap that counts as a global minimum
    #[arg(long, default_value = "1e-9", value_name = "G", allow_hyphen_values = true)]
    gap_tol: String,
    /// Learning rate of --method gd
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Steps of --method gd
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Seconds the numerical minimiser may take
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    time_limit: Option<f64>,
    /// Write one CSV row per recorded step
    #[arg(long, value_name = "FILE.csv")]
    trace: Option<PathBuf>,
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

const DEFAULT_LEARNING_RATE: f64 = 0.1;
const DEFAULT_STEPS: u64 = 100_000;

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    let digits = check_digits(args.digits)?;
    let loaded = args.problem.load()?;
    let problem = &loaded.problem;
    let gap_tol = tolerance("--gap-tol", &args.gap_tol)?;
    let tol = tolerance("--tol", &args.tol)?;
    if args.method != Choice::Gd && (args.lr.is_some() || args.steps.is_some()) {
        return Err(CliError::Input("--lr and --steps belong to --method gd".into()));
    }
    args.out.iter().chain(&args.trace).try_for_each(|path| refuse_existing(path))?;

    let time_limit = args.time_limit.map(Duration::try_from_secs_f64).transpose();
    let time_limit = time_limit.map_err(|_| CliError::Input("--time-limit must be a nonnegative number of seconds".into()))?;
    let start = match args.start.as_str() {
        "random" => Start::Random,
        "spectral" => Start::Spectral,
        path => Start::Point(super::problem::read_point(path.as_ref(), problem)?),
    };

    let mut json = json!({ "version": env!("CARGO_PKG_VERSION"), "problem": loaded.raw });
    let mut table = Table::default();
    let mut holds = true;

    if matches!(args.method, Choice::Both | Choice::ClosedForm) {
        let (value, form) = closed_form_json(problem, digits);
        if args.method == Choice::ClosedForm
            && let Err(e) = &form
        {
            return Err(CliError::input(e));
        }
        report::closed_form_rows(&mut table, &value);
        json["closed_form"] = value;
        if args.method == Choice::ClosedForm
            && let (Some(path), Ok(form)) = (&args.out, form)
        {
            let point = form.minimiser(problem, report::bits(digits)).map_err(CliError::input)?;
            point.to_f64().write_npz(path).map_err(CliError::input)?;
        }
    }
    if args.method != Choice::ClosedForm {
        match numerical(args, problem, start, time_limit, &tol) {
            Ok(solution) => {
                holds &= solution.status == Status::Converged;
                let exact = solution.point.to_exact().ok_or_else(|| CliError::Input("the minimiser left the finite numbers".into()))?;
                let objective = report::objective_digits(problem, &exact, digits).unwrap_or_else(|| number(solution.objective));
                json["numerical"] = numerical_json(problem, &solution, objective);
                report::numerical_rows(&mut table, &json["numerical"]);
                let options = CertifyOptions { digits, gap_tol, tol: tol.clone() };
                match certify(problem, &loaded.bytes, &exact, &options) {
                    Ok(result) => {
                        holds &= !matches!(result.verdict, crate::certify::Verdict::Undecided(_));
                        json["certificate"] = certificate_json(&result, "numerical", digits);
                        report::certificate_rows(&mut table, &json["certificate"]);
                    }
                    Err(CertifyError::Unsupported(what)) => table.row("certificate", &format!("none for this {what}")),
                    Err(e) => return Err(CliError::input(e)),
                }
                if let Some(path) = &args.trace {
                    write_trace(path, &solution)?;
                }
                if let Some(path) = &args.out {
                    solution.point.write_npz(path).map_err(CliError::input)?;
                }
            }
            // Without a solver for this model the closed form may still stand.
            Err(SolveError::Unsupported(what)) if args.method == Choice::Both && json["closed_form"]["available"] == true => {
                table.row("numerical", &format!("no minimiser for this {what}"));
            }
            Err(e) => return Err(CliError::input(e)),
        }
    }
    if args.json {
        print_json(&json)?
    } else {
        print_text(&table.render())?
    }
    Ok(holds)
}

fn numerical(
    args: &Args,
    problem: &Problem,
    start: Start,
    time_limit: Option<Duration>,
    tol: &rug::Rational,
) -> Result<Solution, SolveError> {
    let method = match args.method {
        Choice::Gd => {
            Method::GradientDescent { learning_rate: args.lr.unwrap_or(DEFAULT_LEARNING_RATE), steps: args.steps.unwrap_or(DEFAULT_STEPS) }
        }
        Choice::Lbfgs => Method::Lbfgs,
        _ => Method::suited_to(problem),
    };
    let options =
        SolveOptions { method, start, seed: args.seed, tol: tol.to_f64(), time_limit, trace: args.trace.is_some(), ..Default::default() };
    let bar = progress(None);
    let mut on_progress = |p: &Progress| bar.set_message(format!("iteration {}: gradient norm {:.2e}", p.iteration, p.gradient_norm));
    let solution = minimise(problem, &options, &mut on_progress);
    bar.finish_and_clear();
    solution
}

fn numerical_json(problem: &Problem, s: &Solution, objective: String) -> Value {
    let m = point_metrics(problem, &s.point);
    let metrics: serde_json::Map<String, Value> = [("nc1", m.nc1), ("nc2_etf", m.nc2_etf), ("nc2_of", m.nc2_of), ("nc3", m.nc3)]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.map_or(Value::Null, |x| Value::String(number(x)))))
        .collect();
    json!({
        "objective": objective, "gradient_norm": number(s.gradient_norm), "iterations": s.iterations, "seconds": s.seconds,
        "status": s.status.name(), "seed": s.seed, "metrics": metrics,
    })
}

fn write_trace(path: &std::path::Path, solution: &Solution) -> Result<(), CliError> {
    let optional = |x: Option<f64>| x.map_or_else(String::new, number);
    write_new(path, |file| {
        use std::io::Write;
        let mut out = std::io::BufWriter::new(file);
        writeln!(out, "step,objective,gradient_norm,nc1,nc2_etf,nc2_of,nc3")?;
        for row in &solution.trace {
            let m = &row.metrics;
            let metrics = [m.nc1, m.nc2_etf, m.nc2_of, m.nc3].map(optional).join(",");
            writeln!(out, "{},{},{},{metrics}", row.step, number(row.objective), number(row.gradient_norm))?;
        }
        out.flush()
    })
    .map_err(CliError::input)
}
