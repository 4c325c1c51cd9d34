//! `ufm certify`: what a point is, with the certificate that proves it.

use std::path::{Path, PathBuf};

use rug::Rational;
use serde_json::{Value, json};

use super::{
    CliError, check_output, flags, one_line, print_json, print_text,
    problem::{Loaded, ProblemArgs, read_point, read_problem},
    progress, refuse_existing,
};
use crate::certify::{Certification, CertifyError, CertifyOptions, Verdict, certify, rocq};
use crate::closed_form::closed_form;
use crate::problem::{ExactPoint, Problem, write_new};
use crate::report::{self, Table, certificate_json};
use crate::solve::{Method, Progress, SolveOptions, minimise_lowest, refine};

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    problem: ProblemArgs,
    /// The point to certify, or a folder of pairs NAME.toml, NAME.npz (default: the closed-form minimiser, or a numerical one)
    #[arg(long, value_name = "POINT.npz|DIR")]
    solution: Option<PathBuf>,
    /// Significant digits of the bounds
    #[arg(long, default_value_t = 15, value_name = "D", value_parser = flags::digits, allow_negative_numbers = true)]
    digits: u32,
    /// Certified gap that counts as a global minimum
    #[arg(long, default_value = "1e-9", value_name = "G", value_parser = flags::tolerance, allow_hyphen_values = true)]
    gap_tol: Rational,
    /// Certified gradient norm that counts as critical
    #[arg(long, default_value = "1e-9", value_name = "T", value_parser = flags::tolerance, allow_hyphen_values = true)]
    tol: Rational,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// What to write: a certificate for the checker, or a Coq file whose theorem is the claim (needs proofs/theory to compile)
    #[arg(long, value_enum, default_value_t = Format::Cert)]
    format: Format,
    /// Certificate to write (with --solution DIR: a folder of them, and optional)
    #[arg(long, value_name = "CERT")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Cert,
    Rocq,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Format::Cert => "cert",
            Format::Rocq => "v",
        }
    }

    /// The text of the file; `None` when there is nothing to write.
    fn text(self, problem: &Problem, point: &ExactPoint, result: &Certification, digits: u32) -> Result<Option<String>, CertifyError> {
        match self {
            Format::Cert => Ok(result.text.clone()),
            Format::Rocq => rocq(problem, point, result, digits),
        }
    }
}

/// Digits up to which the closed-form minimiser is certified on a double's grid.
const F64_DIGITS: u32 = 15;

pub(super) fn run(args: &Args) -> Result<bool, CliError> {
    let options = CertifyOptions { digits: args.digits, gap_tol: args.gap_tol.clone(), tol: args.tol.clone() };
    match &args.solution {
        Some(folder) if folder.is_dir() => run_folder(args, folder, &options),
        _ => run_one(args, &options),
    }
}

fn run_one(args: &Args, options: &CertifyOptions) -> Result<bool, CliError> {
    let loaded = args.problem.load()?;
    let Some(file) = &args.problem.file else {
        return Err(CliError::Input("a certificate is bound to a problem file: give a PROBLEM.toml".into()));
    };
    let Some(out) = &args.out else {
        return Err(CliError::Input("--out is required: the certificate to write (only a folder of solutions can do without)".into()));
    };
    check_output(out)?;
    let (origin, point) = match &args.solution {
        Some(path) => ("user", exact_point(path, &loaded.problem)?),
        None => default_point(&loaded.problem, options)?,
    };
    let bar = progress(None);
    bar.set_message("certifying");
    let refuse = |e: CertifyError| CliError::Input(format!("{}: {e}", file.display()));
    let result = certify(&loaded.problem, &loaded.bytes, &point, options).map_err(refuse)?;
    let text = args.format.text(&loaded.problem, &point, &result, options.digits).map_err(refuse)?;
    write_text(out, text.as_deref())?;
    bar.finish_and_clear();
    let certificate = certificate_json(&result, origin, options.digits);
    if args.json {
        let written = text.as_ref().map(|_| out.display().to_string());
        print_json(&json!({
            "version": env!("CARGO_PKG_VERSION"), "problem": loaded.raw, "certificate": certificate, "file": written,
        }))?;
    } else {
        let mut table = Table::default();
        report::certificate_rows(&mut table, &certificate);
        if text.is_some() {
            let weaker = args.format == Format::Rocq && result.modes;
            let note = if weaker { " (its lower bound is the dual matrix's, which is weaker at this point or dimension)" } else { "" };
            table.row("written", &format!("{}{note}", out.display()));
        } else if args.format == Format::Rocq {
            table.row("written", "nothing: no lower bound was found");
        } else {
            table.row("written", "nothing: undecided");
        }
        print_text(&table.render())?;
    }
    Ok(result.verdict == Verdict::GlobalMinimum)
}

/// Every pair NAME.toml, NAME.npz of a folder, in the order of names. A pair that cannot be read does not stop the others: it is
/// reported among them, and the run ends as one with bad input. Problems without a point are listed.
fn run_folder(args: &Args, folder: &Path, options: &CertifyOptions) -> Result<bool, CliError> {
    if args.problem.file.is_some() {
        return Err(CliError::Input("with a folder of solutions the problems come from the folder: give no PROBLEM.toml".into()));
    }
    let (pairs, alone) = pairs(folder)?;
    let file = |path: &PathBuf| path.with_extension(args.format.extension()).file_name().unwrap_or_default().to_owned();
    let certificate = |path: &PathBuf| args.out.as_ref().map(|out| out.join(file(path)));
    pairs.iter().filter_map(certificate).try_for_each(|path| refuse_existing(&path))?;
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).map_err(|e| CliError::Input(format!("{}: {e}", out.display())))?;
    }
    let (mut holds, mut unread, mut results, mut table) = (true, 0, vec![], Table::default());
    let bar = progress(Some(pairs.len() as u64));
    for path in &pairs {
        let name = stem(path);
        let outcome = certify_pair(path, args, options);
        bar.inc(1);
        let (result, text) = match outcome {
            Ok(certified) => certified,
            Err(why) => {
                unread += 1;
                let why = one_line(&why);
                table.row(&name, &format!("error: {why}"));
                results.push(json!({ "name": name, "error": why }));
                continue;
            }
        };
        if let Some(out) = certificate(path) {
            write_text(&out, text.as_deref())?;
        }
        holds &= result.verdict == Verdict::GlobalMinimum;
        let mut value = certificate_json(&result, "user", options.digits);
        table.row(&name, &format!("{} gap {}", result.verdict.name(), value["gap"].as_str().unwrap_or("-")));
        value["name"] = Value::String(name);
        results.push(value);
    }
    bar.finish_and_clear();
    alone.iter().for_each(|name| table.row(name, "no point: not judged"));
    if args.json {
        print_json(&json!({ "version": env!("CARGO_PKG_VERSION"), "certificates": results, "without_point": alone }))?;
    } else {
        print_text(&table.render())?;
    }
    match unread {
        0 => Ok(holds),
        _ => Err(CliError::Input(format!("{}: {unread} of {} pairs cannot be certified; each says why", folder.display(), pairs.len()))),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The problem files of a folder that have a point beside them, and the names of those that have none, both sorted.
fn pairs(folder: &Path) -> Result<(Vec<PathBuf>, Vec<String>), CliError> {
    let at = |e: &dyn std::fmt::Display| CliError::Input(format!("{}: {e}", folder.display()));
    let mut problems: Vec<PathBuf> = vec![];
    for entry in std::fs::read_dir(folder).map_err(|e| at(&e))? {
        let path = entry.map_err(|e| at(&e))?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            problems.push(path);
        }
    }
    problems.sort();
    let (pairs, alone): (Vec<PathBuf>, Vec<PathBuf>) = problems.into_iter().partition(|path| path.with_extension("npz").exists());
    if pairs.is_empty() {
        return Err(at(&"no pairs NAME.toml, NAME.npz"));
    }
    Ok((pairs, alone.iter().map(|path| stem(path)).collect()))
}

/// One pair's certification, and the text of its file where one is asked for.
fn certify_pair(path: &Path, args: &Args, options: &CertifyOptions) -> Result<(Certification, Option<String>), String> {
    let text = |e: CliError| e.to_string();
    let Loaded { problem, bytes, .. } = read_problem(path).map_err(text)?;
    let point = exact_point(&path.with_extension("npz"), &problem).map_err(text)?;
    let refuse = |e: CertifyError| format!("{}: {e}", path.display());
    let result = certify(&problem, &bytes, &point, options).map_err(refuse)?;
    let wanted = args.out.is_some().then(|| args.format.text(&problem, &point, &result, options.digits));
    let text = wanted.transpose().map_err(refuse)?.flatten();
    Ok((result, text))
}

/// The closed-form minimiser where the theorems give one, otherwise a numerical one.
fn default_point(problem: &Problem, options: &CertifyOptions) -> Result<(&'static str, ExactPoint), CliError> {
    if let Ok(form) = closed_form(problem) {
        let bits = if options.digits <= F64_DIGITS { 53 } else { report::bits(options.digits) };
        if let Ok(point) = form.minimiser(problem, bits) {
            return Ok(("closed-form", point));
        }
    }
    let digits = options.digits;
    let bar = progress(None);
    let options = SolveOptions { method: Method::suited_to(problem), ..Default::default() };
    let mut on_progress = |p: &Progress| bar.set_message(format!("gradient norm {:.2e}", p.gradient_norm));
    let lowest = minimise_lowest(problem, &options, &mut on_progress, &mut |_, _| {});
    bar.finish_and_clear();
    let point = lowest.map_err(CliError::input)?.solution.point;
    if digits > F64_DIGITS
        && let Ok(refined) = refine(problem, &point, digits, &mut |_| {})
    {
        return Ok(("numerical", refined.point));
    }
    point.to_exact().map(|p| ("numerical", p)).ok_or_else(|| CliError::Input("the minimiser left the finite numbers".into()))
}

fn exact_point(path: &Path, problem: &Problem) -> Result<ExactPoint, CliError> {
    let point = read_point(path, problem)?;
    point.to_exact().ok_or_else(|| CliError::Input(format!("{}: entries must be finite", path.display())))
}

fn write_text(path: &Path, text: Option<&str>) -> Result<(), CliError> {
    let Some(text) = text else { return Ok(()) };
    write_new(path, |file| std::io::Write::write_all(file, text.as_bytes())).map_err(CliError::input)
}
