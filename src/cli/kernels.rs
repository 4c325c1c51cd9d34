//! `ufm kernels`: accuracy and speed of linear-algebra kernels.

use std::{fs::File, io::Read, path::PathBuf};

use serde_json::{Value, json};

use super::{CliError, check_output, print_json, print_text, progress, write_page};
use crate::kernels::{BITS, Faer, Operation, Options, Suite, compare, count, doubles, emit, judge, multiples, product_peak, run, singles};
use crate::report::{kernel_json, kernel_page, kernel_table};
use crate::scalar::Mp;

#[derive(clap::Args)]
pub(super) struct Args {
    /// Operations to test: gemm, cholesky, qr, eigh, svd, solve (default: all)
    #[arg(value_name = "OPERATION", value_parser = operation)]
    operations: Vec<Operation>,
    /// Compare with an earlier run (its --json): accuracy exactly, speed within noise
    #[arg(long, value_name = "FILE", conflicts_with_all = ["emit", "judge"])]
    baseline: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write a page for reading: one HTML file that needs no network
    #[arg(long, value_name = "FILE.html", conflicts_with = "emit")]
    report: Option<PathBuf>,
    /// Write the inputs of every case for a kernel in another language, with a manifest
    #[arg(long, value_name = "DIR", conflicts_with = "judge")]
    emit: Option<PathBuf>,
    /// Score the outputs that such a kernel wrote beside them
    #[arg(long, value_name = "DIR")]
    judge: Option<PathBuf>,
}

/// Largest baseline read, in bytes: those written here have about 1 MB.
const MAX_BASELINE: u64 = 64 << 20;

fn operation(text: &str) -> Result<Operation, String> {
    Operation::named(text).ok_or_else(|| format!("one of {}", Operation::ALL.map(Operation::name).join(", ")))
}

pub(super) fn run_command(args: &Args) -> Result<bool, CliError> {
    let mut operations = if args.operations.is_empty() { Operation::ALL.to_vec() } else { args.operations.clone() };
    operations.sort_unstable();
    operations.dedup();
    args.report.iter().try_for_each(|path| check_output(path))?;
    if let Some(folder) = &args.emit {
        let bar = progress(None);
        let cases = emit(folder, &operations, &|| bar.inc(1)).map_err(CliError::input)?;
        bar.finish_and_clear();
        if args.json {
            print_json(&json!({ "version": env!("CARGO_PKG_VERSION"), "folder": folder.display().to_string(), "cases": cases }))?;
        } else {
            print_text(&format!("{cases} cases in {}\n", folder.display()))?;
        }
        return Ok(true);
    }
    let baseline = args.baseline.as_ref().map(read_baseline).transpose()?;
    let suite = match &args.judge {
        Some(folder) => {
            let bar = progress(None);
            let entries = judge(folder, &operations, &|| bar.inc(1)).map_err(CliError::input)?;
            bar.finish_and_clear();
            Suite { entries, peaks: vec![], threads: rayon::current_num_threads() }
        }
        None => built_in(operations),
    };
    let regressions = match (&args.baseline, &baseline) {
        (Some(path), Some(value)) => {
            compare(value, &suite.entries, suite.threads).map(Some).map_err(|e| CliError::Input(format!("{}: {e}", path.display())))?
        }
        _ => None,
    };
    if let Some(path) = &args.report {
        write_page(path, &kernel_page(&suite))?;
    }
    let holds = suite.entries.iter().all(|e| e.passes()) && regressions.as_ref().is_none_or(Vec::is_empty);
    if args.json {
        let mut value = kernel_json(&suite);
        if let Some(regressions) = regressions {
            value.insert("regressions".into(), json!(regressions));
        }
        value.insert("holds".into(), json!(holds));
        print_json(&Value::Object(value))?;
    } else {
        let mut text = kernel_table(&suite);
        for regression in regressions.iter().flatten() {
            text.push_str(&format!("regression: {regression}\n"));
        }
        if regressions.is_some_and(|r| r.is_empty()) {
            text.push_str("no regression against the baseline\n");
        }
        print_text(&text)?;
    }
    Ok(holds)
}

/// The built-in kernels in single, double and multiple precision.
fn built_in(operations: Vec<Operation>) -> Suite {
    let options = Options { operations, ..Options::default() };
    let (singles, doubles, multiples) = (singles(), doubles(), multiples());
    let native = count::<f32>(singles.len(), &options) + count::<f64>(doubles.len(), &options);
    let steps = native + count::<Mp<BITS>>(multiples.len(), &options);
    let bar = progress(Some(steps as u64));
    let step = || bar.inc(1);
    let peaks = [
        ("f32".to_owned(), product_peak::<f32>(&Faer)),
        ("f64".to_owned(), product_peak::<f64>(&Faer)),
        (format!("mp{BITS}"), product_peak::<Mp<BITS>>(&Faer)),
    ];
    bar.set_message("f32");
    let mut entries = run(&singles, &options, &step);
    bar.set_message("f64");
    entries.extend(run(&doubles, &options, &step));
    bar.set_message(format!("mp{BITS}"));
    entries.extend(run(&multiples, &options, &step));
    bar.finish_and_clear();
    let peaks = peaks.into_iter().filter_map(|(precision, peak)| {
        // A product of the suite may have met a quieter machine.
        let products = entries.iter().filter(|e| e.operation == Operation::Gemm && e.precision == precision);
        let rates = products.filter_map(|e| Some(e.speed.as_ref()?.gflops));
        Some((precision.clone(), rates.fold(peak?, f64::max)))
    });
    let peaks = peaks.collect();
    Suite { entries, peaks, threads: rayon::current_num_threads() }
}

fn read_baseline(path: &PathBuf) -> Result<Value, CliError> {
    let refuse = |why: String| CliError::Input(format!("{}: {why}", path.display()));
    let file = File::open(path).map_err(|e| refuse(e.to_string()))?;
    let mut text = vec![];
    file.take(MAX_BASELINE + 1).read_to_end(&mut text).map_err(|e| refuse(e.to_string()))?;
    if text.len() as u64 > MAX_BASELINE {
        return Err(refuse(format!("more than {MAX_BASELINE} bytes: not a result of `ufm kernels --json`")));
    }
    let value: Value = serde_json::from_slice(&text).map_err(|e| refuse(format!("not JSON ({e})")))?;
    if !value["results"].is_array() {
        return Err(refuse("not a result of `ufm kernels --json`: `results` is not a list".into()));
    }
    Ok(value)
}
