//! `ufm hunt`: a certified counterexample to the collapsed optimum of deep models.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{CliError, check_output, flags, print_json, print_text, problem::ProblemArgs, progress};
use crate::certify::{Below, below};
use crate::closed_form::{GraphFamily, closed_form};
use crate::metrics::layers;
use crate::problem::{ExactPoint, Model, Problem, write_new};
use crate::report::{self, Table, layers_json};
use crate::scalar::Ball;
use crate::solve::{HuntOptions, HuntProgress, Hunted, hunt};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    problem: ProblemArgs,
    /// Starting points tried; as many refinements of the best one follow
    #[arg(long, default_value_t = 96, value_name = "N", value_parser = flags::starts, allow_negative_numbers = true)]
    starts: u64,
    /// Seed of the starting points
    #[arg(long, default_value_t = 0, value_name = "S", value_parser = flags::natural, allow_negative_numbers = true)]
    seed: u64,
    /// Seconds after which the search ends with what it has: the result then depends on the machine's speed
    #[arg(long, value_name = "SECONDS", value_parser = flags::seconds, allow_hyphen_values = true)]
    time_limit: Option<Duration>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Certificate to write when a counterexample is found; its point goes beside it with extension .npz
    #[arg(long, value_name = "CERT")]
    out: PathBuf,
}

/// Significant digits of the values shown.
const DIGITS: u32 = 15;

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    let loaded = args.problem.load()?;
    if args.problem.file.is_none() {
        return Err(CliError::Input("a certificate is bound to a problem file: give a PROBLEM.toml".into()));
    }
    let npz = args.out.with_extension("npz");
    if npz == args.out {
        return Err(CliError::Input(format!("{} is where the point goes; give the certificate another extension", npz.display())));
    }
    check_output(&args.out)?;
    check_output(&npz)?;
    let problem = &loaded.problem;
    let Hunted { solution, starts, cut_short } = searched(args, problem)?;
    let exact = solution.point.to_exact().ok_or_else(|| CliError::Input("the search left the finite numbers".into()))?;
    let relu = matches!(problem.model, Model::DeepRelu { .. });
    let found = if relu { below(problem, &loaded.bytes, &exact).map_err(CliError::input)? } else { None };
    if let Some(found) = &found {
        accepted(&loaded.bytes, found)?;
        solution.point.write_npz(&npz).map_err(CliError::input)?;
        write_new(&args.out, |file| std::io::Write::write_all(file, found.text.as_bytes())).map_err(CliError::input)?;
    }
    let measured = layers(problem, &solution.point);
    let mut value = json!({
        "version": env!("CARGO_PKG_VERSION"), "problem": loaded.raw, "found": found.is_some(),
        "objective": report::objective_digits(problem, &exact, DIGITS), "collapsed": collapsed_digits(problem)?,
        "ranks": measured.iter().map(|l| l.rank).collect::<Vec<_>>(),
        "trust": if found.is_some() { "certified" } else { "measured" },
        "starts": starts, "seed": args.seed, "cut_short": cut_short, "layers": layers_json(&measured),
    });
    if let Ok(graph) = GraphFamily::new(problem) {
        value["graph_family"] = json!(graph.value(report::bits(DIGITS)).to_decimal(DIGITS));
    }
    if found.is_some() {
        value["file"] = json!(args.out.display().to_string());
        value["point"] = json!(npz.display().to_string());
    } else {
        value["reason"] = json!(reason(relu, &value, &exact, problem));
    }
    if args.json {
        print_json(&value)?;
    } else {
        print_text(&rendered(problem, &value, &args.out, &npz))?;
    }
    Ok(found.is_some())
}

/// Nothing is written that the independent checker refuses.
fn accepted(bytes: &[u8], found: &Below) -> Result<(), CliError> {
    match ufm_check::check(bytes, found.text.as_bytes()) {
        ufm_check::Outcome::Verified(_) => Ok(()),
        ufm_check::Outcome::Rejected { line, reason } => {
            Err(CliError::Input(format!("the independent checker refuses the certificate (line {line}: {reason}); nothing was written")))
        }
        ufm_check::Outcome::Unsupported(reason) => {
            Err(CliError::Input(format!("the independent checker cannot read this problem ({reason}); nothing was written")))
        }
    }
}

fn searched(args: &Args, problem: &Problem) -> Result<Hunted, CliError> {
    let options = HuntOptions { starts: args.starts, seed: args.seed, time_limit: args.time_limit };
    let bar = progress(Some(options.minimisations()));
    let mut on_progress = |p: &HuntProgress| {
        bar.set_position(p.done);
        let left = p.seconds / p.done.max(1) as f64 * (p.total - p.done) as f64;
        bar.set_message(format!("lowest {:.6}, about {left:.0} s left", p.best));
    };
    let hunted = hunt(problem, &options, &mut on_progress);
    bar.finish_and_clear();
    hunted.map_err(CliError::input)
}

fn collapsed_digits(problem: &Problem) -> Result<Option<String>, CliError> {
    let form = closed_form(problem).map_err(CliError::input)?;
    let value: Ball = form.f_star(report::bits(2 * DIGITS));
    Ok(value.to_decimal(DIGITS))
}

/// Why no counterexample is claimed.
fn reason(relu: bool, value: &Value, exact: &ExactPoint, problem: &Problem) -> String {
    let starts = &value["starts"];
    let tried = if value["cut_short"] == true { format!("{starts} starts before the time limit") } else { format!("{starts} starts") };
    if !relu {
        return format!("none found in {tried}; for deep-linear the collapsed value is the minimum, so none exists");
    }
    let prec = report::bits(2 * DIGITS);
    let excess = crate::certify::objective(problem, exact, prec)
        .zip(closed_form(problem).ok())
        .map(|(objective, form)| (&objective - &form.f_star(prec)).upper_decimal(2));
    let excess = excess.map_or_else(String::new, |x| format!("; the lowest point is above the collapsed value by at most {x}"));
    format!("none found in {tried}{excess}; this does not prove that none exists")
}

fn rendered(problem: &Problem, value: &Value, cert: &Path, npz: &Path) -> String {
    let mut table = Table::default();
    report::problem_rows(&mut table, problem);
    let text = |name: &str| value[name].as_str().unwrap_or("-").to_owned();
    let found = value["found"] == true;
    table.row("counterexample", if found { "found, certified" } else { "none" });
    table.row("  objective", &text("objective"));
    table.row("  collapsed", &text("collapsed"));
    if !value["graph_family"].is_null() {
        table.row("  graph family", &text("graph_family"));
    }
    let ranks: Vec<String> = value["ranks"].as_array().into_iter().flatten().map(Value::to_string).collect();
    table.row("  ranks by layer", &ranks.join(" "));
    if found {
        let shortened = if value["cut_short"] == true { " (ended by the time limit)" } else { "" };
        table.row("  starts", &format!("{}{shortened}", value["starts"]));
        table.row("written", &format!("{}, {}", cert.display(), npz.display()));
    } else {
        table.row("  reason", &text("reason"));
    }
    table.render()
}
