//! Bad input: exit code 2 and one line that names the field, the value and what is allowed; at once, whatever the size.

mod cli_support;

use std::time::Duration;

use cli_support::{Desk, example};

const BASE: &str =
    "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 4\nper_class = 5\ndim = 6\nlambda_w = \"0.005\"\nlambda_h = \"0.001\"\n";
const FLAGS: &str = "--model plain --loss mse --bias none --classes 4 --per-class 5 --dim 6 --lambda-w 0.005 --lambda-h 0.001";
/// Bad input is told at once, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(2);

/// The base problem with the line of `field` replaced (removed, when empty), or added.
fn with(field: &str, line: &str) -> String {
    let kept = BASE.lines().filter(|l| !l.starts_with(&format!("{field} "))).map(|l| format!("{l}\n")).collect::<String>();
    if line.is_empty() { kept } else { format!("{kept}{line}\n") }
}

fn refused(desk: &Desk, what: &str, bytes: &[u8], wanted: &[&str]) {
    desk.file("p.toml", bytes);
    for command in ["solve p.toml", "solve p.toml --method closed-form --json", "certify p.toml --out x.cert"] {
        let run = desk.ufm(command);
        let error = run.refusal();
        assert!(error.contains("p.toml"), "{what}: {error}");
        wanted.iter().for_each(|w| assert!(error.contains(w), "{what}: `{w}` in {error}"));
        assert!(run.time < PROMPT, "{what}: {:?}", run.time);
    }
}

#[test]
fn fields() {
    let desk = Desk::new();
    for field in ["model", "loss", "bias", "classes", "per_class", "dim", "lambda_w", "lambda_h"] {
        refused(&desk, "missing", with(field, "").as_bytes(), &["missing", &format!("`{field}`")]);
        refused(&desk, "a date", with(field, &format!("{field} = 2020-01-01")).as_bytes(), &[&format!("`{field}`"), "2020-01-01"]);
    }
    let table: &[(&str, &str, &[&str])] = &[
        ("unknown", "lamda_w = 1", &["unknown field `lamda_w`", "lambda_w"]),
        ("unknown", "\"odd\\u001b\\nname\" = 1", &["unknown field", "odd"]),
        ("classes", "classes = \"4\"", &["`classes`", "\"4\"", "an integer"]),
        ("classes", "classes = 4.0", &["`classes`", "4.0", "an integer"]),
        ("classes", "classes = 1", &["`classes` = 1 ", "from 2"]),
        ("classes", "classes = 0", &["`classes` = 0 ", "from 2"]),
        ("classes", "classes = -4", &["`classes` = -4 ", "from 2"]),
        ("classes", "classes = 9223372036854775807", &["`classes`", "9223372036854775807", "10^18"]),
        ("classes", "classes = 99999999999999999999", &["`classes`", "99999999999999999999", "64 bits"]),
        ("per_class", "per_class = 0", &["`per_class` = 0 ", "from 1"]),
        ("per_class", "per_class = -1", &["`per_class` = -1 ", "from 1"]),
        ("per_class", "per_class = 1000000000000000000", &["samples", "10^18"]),
        ("dim", "dim = 0", &["`dim` = 0 ", "from 1"]),
        ("dim", "dim = -3", &["`dim` = -3 ", "from 1"]),
        ("model", "model = \"plane\"", &["`model` = plane ", "deep-linear"]),
        ("model", "model = \"deep-linear\"", &["lambda_w"]),
        ("loss", "loss = \"hinge\"", &["`loss` = hinge ", "mse, ce"]),
        ("bias", "bias = \"odd\"", &["`bias` = odd ", "regularized"]),
        ("bias", "bias = \"regularized\"", &["missing field `lambda_b`"]),
        ("bias", "bias = \"regularized\"\nlambda_b = 0", &["`lambda_b` = 0 ", "positive"]),
        ("lambda_b", "lambda_b = 1", &["`lambda_b`", "regularized"]),
        ("smoothing", "smoothing = 0.1", &["`smoothing`", "label-smoothing"]),
        ("class_counts", "class_counts = [5, 5, 5, 5]", &["`class_counts`", "`per_class`"]),
        ("per_class", "class_counts = [5, 5, 5, 5]", &["`class_counts`", "`classes`"]),
        ("dim", "dim = 7\ndim = 7", &["line 9", "duplicate key", "dim"]),
        ("dim", "dim dim", &["line 8", "column 5"]),
    ];
    for (field, line, wanted) in table {
        refused(&desk, line, with(field, line).as_bytes(), wanted);
    }
    let counts = |list: &str| with("classes", "").replace("per_class = 5", &format!("class_counts = {list}"));
    for (list, wanted) in [("[]", "[]"), ("[5]", "[5]"), ("[5, 0]", "= 0 "), ("[5, -1]", "= -1 "), ("[5, \"x\"]", "\"x\""), ("5", "= 5 ")] {
        refused(&desk, list, counts(list).as_bytes(), &["`class_counts`", wanted]);
    }
}

#[test]
fn weights() {
    let desk = Desk::new();
    let values = ["0", "-1", "-0.0", "nan", "inf", "-inf", "true", "[1]", "1e999999999999", "1e400"];
    let texts = ["0", "-0.1", "NaN", "inf", "", " 1", "1e999999999999", "1e-101", "1e101", "0x1", "1,5", "1_0", "½"];
    let quoted: Vec<String> = texts.iter().map(|t| format!("\"{t}\"")).collect();
    for value in values.iter().copied().chain(quoted.iter().map(String::as_str)) {
        let shown = value.trim_matches('"');
        for field in ["lambda_w", "lambda_h"] {
            refused(&desk, value, with(field, &format!("{field} = {value}")).as_bytes(), &[&format!("`{field}`"), shown]);
        }
    }
    for text in texts {
        let flags: Vec<&str> = ["solve"].into_iter().chain(FLAGS.split(' ')).collect();
        let at = flags.iter().position(|f| *f == "--lambda-h").unwrap() + 1;
        let mut args = flags.clone();
        args[at] = text;
        let run = desk.ufm_args(&args);
        let error = run.refusal();
        assert!(error.contains("lambda_h") && error.contains("positive decimal"), "{error}");
    }
}

#[test]
fn files() {
    let desk = Desk::new();
    let deep = |open: &str, close: &str, n: usize| format!("model = {}{}\n", open.repeat(n), close.repeat(n));
    refused(&desk, "not UTF-8", b"\xff\xfe", &["UTF-8"]);
    refused(&desk, "empty", b"", &["missing field `model`"]);
    refused(&desk, "over 1 MiB", &vec![b' '; (1 << 20) + 1], &["1 MiB"]);
    refused(&desk, "endless zeros", &vec![0; 1 << 20], &["TOML"]);
    refused(&desk, "open arrays", deep("[", "", 400_000).as_bytes(), &["TOML"]);
    refused(&desk, "deep arrays", deep("[", "]", 400_000).as_bytes(), &["TOML"]);
    refused(&desk, "deep tables", deep("{a=", "}", 150_000).as_bytes(), &["TOML"]);
    refused(&desk, "deep keys", format!("{}b = 1", "a.".repeat(300_000)).as_bytes(), &["TOML"]);
    refused(&desk, "deep headers", format!("[{}b]\nx = 1", "a.".repeat(300_000)).as_bytes(), &["TOML"]);
    refused(&desk, "a million digits", format!("classes = {}", "9".repeat(1_000_000)).as_bytes(), &["`classes`", "999..."]);
    refused(&desk, "a million digits", with("lambda_w", &format!("lambda_w = \"{}\"", "9".repeat(1_000_000))).as_bytes(), &["`lambda_w`"]);
    refused(&desk, "a long name", format!("{} = 1", "x".repeat(100_000)).as_bytes(), &["unknown field", "xxx..."]);

    let folder = desk.path(".").display().to_string();
    for (path, wanted) in [(folder.as_str(), "directory"), ("nowhere.toml", "nowhere.toml"), ("/dev/null", "model")] {
        let run = desk.ufm_args(&["solve", path]);
        assert!(run.refusal().contains(wanted), "{}", run.err);
    }
    assert!(desk.ufm("solve").refusal().contains("PROBLEM.toml"));
    assert!(desk.ufm(&format!("solve {} --dim 4", example("ce"))).refusal().contains("not both"));
}

#[test]
fn sizes_beyond_memory() {
    let desk = Desk::new();
    for line in ["dim = 1000000000000000000", "per_class = 200000000000000000", "classes = 100000000000000000"] {
        let (field, value) = line.split_once(" = ").unwrap();
        desk.file("p.toml", with(field, line));
        for command in [
            "solve p.toml",
            "solve p.toml --method gd --json",
            "certify p.toml --out x.cert",
            "certify p.toml --solution x.npz --out x.cert",
        ] {
            let run = desk.ufm(command);
            let error = run.refusal();
            let product = ["samples", "dim", "classes"].iter().any(|w| error.contains(w));
            assert!(product && error.contains("memory"), "{command} with {field} = {value}: {error}");
            assert!(run.time < PROMPT);
        }
    }
}

#[test]
fn flag_values() {
    let desk = Desk::new();
    let file = example("mse_bias_none");
    let table: &[(&str, &[&str])] = &[
        ("--tol", &["0", "nan", "-1", "", "inf", "1e-301", "1e-5000", "x", "-inf"]),
        ("--gap-tol", &["0", "nan", "-1", "", "inf", "1e-5000", "x"]),
        ("--digits", &["0", "-1", "1000000000", "99999999999999999999", "x", "", "1.5"]),
        ("--threads", &["0", "-1", "99999999", "x", ""]),
        ("--seed", &["-1", "18446744073709551616", "x", ""]),
        ("--time-limit", &["nan", "inf", "-1", "1e300", "x", ""]),
        ("--lr", &["nan", "inf", "-inf", "0", "-1", "x", ""]),
        ("--steps", &["-1", "x", "1.5", ""]),
        ("--method", &["newton", ""]),
    ];
    for (flag, values) in table {
        for value in *values {
            let run = desk.ufm_args(&["solve", &file, &format!("{flag}={value}")]);
            let error = run.refusal();
            assert!(error.contains(flag) && error.contains(value), "{flag} {value}: {error}");
            let apart = desk.ufm_args(&["solve", &file, flag, value]);
            assert_eq!(apart.code, 2, "{flag} {value}: {}", apart.out);
        }
    }
    for flag in ["--classes", "--per-class", "--dim"] {
        for value in ["-1", "0", "99999999999999999999", "x", "1.5", "1000000000000000001"] {
            let flags = FLAGS.split(' ').collect::<Vec<_>>();
            let at = flags.iter().position(|f| f == &flag).unwrap() + 1;
            let mut args = [&["solve"][..], &flags].concat();
            args[at + 1] = value;
            let run = desk.ufm_args(&args);
            let error = run.refusal();
            assert!(error.contains(&flag[2..]) || error.contains(&flag[2..].replace('-', "_")), "{flag} {value}: {error}");
            assert!(error.contains(value), "{flag} {value}: {error}");
        }
    }
    assert!(desk.ufm(&format!("solve {file} --lr 1")).refusal().contains("--method gd"));
    assert!(desk.ufm(&format!("solve {file} --start nowhere.npz")).refusal().contains("nowhere.npz"));
    let tags = "--model multi-label --loss pick-all-labels --bias free --classes 4 --dim 5 --lambda-w 1 --lambda-h 1 --per-tag-set";
    for value in ["1", "x=1", "9=1", "1=0", "1=-1", "1=1,1=2", "=", "1=x"] {
        assert!(desk.ufm(&format!("solve {tags} {value}")).refusal().contains("tag"), "{value}");
    }
}

#[test]
fn usage_errors() {
    let desk = Desk::new();
    for args in ["", "frobnicate", "solve --frob", "solve a b", "verify --digits", "certify", "--threads 2"] {
        let run = desk.ufm(args);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{args}");
        assert!(!run.err.is_empty() && run.err.matches("error:").count() <= 1, "{args}: {}", run.err);
    }
    for args in ["--help", "--version", "solve --help", "help certify"] {
        let run = desk.ufm(args);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{args}");
    }
}
