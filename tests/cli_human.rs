//! What a person reads: snapshots of help and tables.
//!
//! Snapshots are the files of `tests/snapshots`. After a change that is meant, `UFM_BLESS=1 cargo test --test cli_human` rewrites
//! them; read the difference before committing it. Measured numbers (times, norms, metrics, bounds) are masked: they may differ
//! between processors. Digits of closed forms are not.

mod cli_support;

use cli_support::{Desk, example};

/// Rows whose values are measured or depend on a measured point.
const MEASURED: [&str; 15] = [
    "objective",
    "numerical",
    "gradient norm",
    "nc1",
    "nc2_etf",
    "nc2_of",
    "nc3",
    "f* >=",
    "f <=",
    "gap <=",
    "gradient norm <=",
    "curvature <=",
    "within class <=",
    "self duality <=",
    "fit <=",
];

/// Digits of the values of measured rows become `#`, whatever their number.
fn mask(text: &str) -> String {
    let line = |line: &str| {
        let measured = MEASURED.iter().find(|name| line.trim_start().strip_prefix(*name).is_some_and(|rest| rest.starts_with("  ")));
        match measured {
            Some(name) => {
                let at = line.find(name).unwrap_or(0) + name.len();
                let value = line[at..].trim_start();
                let padding = &line[..line.len() - value.len()];
                format!("{padding}{}\n", mask_numbers(value))
            }
            None => format!("{line}\n"),
        }
    };
    text.lines().map(line).collect()
}

fn mask_numbers(value: &str) -> String {
    let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    value.split(' ').map(|word| if number(word) { "#" } else { word }).collect::<Vec<_>>().join(" ").replace("iterations,", "iteration(s),")
}

fn snapshot(name: &str, args: &str) {
    let desk = Desk::new();
    let run = desk.ufm(args);
    assert_eq!(run.err, "", "{name}: standard error is empty when piped");
    let text = mask(&run.out).replace(env!("CARGO_MANIFEST_DIR"), ".");
    let path = format!("{}/tests/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UFM_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{path} differs; UFM_BLESS=1 accepts the new text:\n{text}");
}

#[test]
fn help() {
    snapshot("help", "--help");
    snapshot("help_solve", "solve --help");
    snapshot("help_certify", "certify --help");
    snapshot("help_verify", "verify --help");
    snapshot("help_metrics", "metrics --help");
    snapshot("help_hunt", "hunt --help");
    snapshot("help_kernels", "kernels --help");
    snapshot("help_sweep", "sweep --help");
    snapshot("help_sweep_merge", "sweep merge --help");
}

#[test]
fn solve() {
    snapshot("solve_ce", &format!("solve {}", example("ce")));
    snapshot("solve_regularized_50", &format!("solve {} --digits 50", example("mse_bias_regularized")));
    snapshot("solve_imbalanced", &format!("solve {}", example("imbalanced")));
    snapshot("solve_imbalanced_ce", &format!("solve {}", example("imbalanced_ce")));
    snapshot("solve_deep", &format!("solve {}", example("extended_linear")));
    snapshot("solve_closed_form", &format!("solve {} --method closed-form --digits 30", example("mse_k1000")));
    let low = "solve --model plain --loss mse --bias none --class-counts 3,1 --dim 1 --lambda-w 0.05 --lambda-h 0.02";
    snapshot("solve_low_dimension", low);
}

#[test]
fn certify() {
    snapshot("certify", &format!("certify {} --out ce.cert", example("ce")));
}

#[test]
fn verify() {
    snapshot("verify_list", "verify --list");
}

#[test]
fn measured_numbers_are_masked_and_closed_forms_are_not() {
    let text = "  f*   0.25\n  nc1  1.2e-30\nnumerical  converged after 1 iteration, 0.1 s\n  gradient norm <=  3e-9\n";
    let masked = "  f*   0.25\n  nc1  #\nnumerical  converged after # iteration, # s\n  gradient norm <=  #\n";
    assert_eq!(mask(text), masked);
}
