//! Hostile inputs: sizes, exponents and bytes that must neither panic nor cost memory, and problem files outside the subset.

mod common;

use std::time::Instant;

use common::examples::examples;
use common::*;
use sha2::{Digest, Sha256};
use ufm_check::{MAX_CERTIFICATE, MAX_PROBLEM, Outcome, check};

fn bound_to(problem: &str, body: &str) -> String {
    let hash: String = Sha256::digest(problem).iter().map(|b| format!("{b:02x}")).collect();
    format!("ufm-certificate 1\nproblem sha256 {hash}\n{body}")
}

fn unsupported(problem: &str) -> bool {
    matches!(check(problem.as_bytes(), bound_to(problem, "kind gap\n").as_bytes()), Outcome::Unsupported(_))
}

#[test]
fn not_certificates_at_all() {
    let problem = examples()[0].1.toml();
    let long_line = vec![b'a'; 1 << 20];
    let many_lines = vec![b'\n'; 1 << 20];
    for bytes in [&b""[..], b"\n", b"\0\0\0", b"\xff\xfe\n", b"ufm-certificate", b"ufm-certificate 1", b"end\n", &long_line, &many_lines] {
        match check(problem.as_bytes(), bytes) {
            Outcome::Rejected { line: 1, reason } => assert!(!reason.is_empty() && reason.is_ascii()),
            other => panic!("{other:?}"),
        }
    }
    for version in ["0", "2", "-1", "100"] {
        assert!(matches!(check(problem.as_bytes(), format!("ufm-certificate {version}\n").as_bytes()), Outcome::Unsupported(_)));
    }
    for version in ["01", "1 ", "one", "", "99999999999999999999999"] {
        let outcome = check(problem.as_bytes(), format!("ufm-certificate {version}\n").as_bytes());
        assert!(matches!(outcome, Outcome::Rejected { line: 1, .. }), "{version}: {outcome:?}");
    }
}

#[test]
fn sizes_cost_nothing() {
    let start = Instant::now();
    let problem = |classes: &str, per: &str, dim: &str| {
        format!(
            "model = \"plain\"\nloss = \"ce\"\nbias = \"none\"\nclasses = {classes}\nper_class = {per}\ndim = {dim}\nlambda_w = 1\nlambda_h = 1\n"
        )
    };
    let huge = "1000000000000000000";
    for (classes, per, dim, header) in [
        (huge, "1", huge, format!("W {huge} {huge} 0")),
        ("2", "500000000000000000", "1", format!("W 2 1 0\n0\n0\nH 1 {huge} 0")),
        ("2", "1", huge, format!("W 2 {huge} 0")),
        ("1000000000", "1", "1", "W 1000000000 1 0".into()),
        ("2", "1", "1", "W 2 18446744073709551617 0".into()),
        ("2", "1", "1", format!("W 2 1{} 0", "0".repeat(1 << 20))),
        ("2", "1", "1", "W 2 1 0\n0\n0\nH 1 2 0\n0 0\nR 2 2 0\n0 0\n0 0\nL 2 999999999999999999 0".into()),
        ("2", "1", "1", "W 2 1 0\n0\n0\nH 1 2 0\n0 0\nR 2 2 0\n0 0\n0 0\nL 2 3 0\n0 0 0\n0 0 0".into()),
    ] {
        let problem = problem(classes, per, dim);
        let text = bound_to(&problem, &format!("kind gap\nprecision 60\n{header}\n0 0\n"));
        let lines = text.lines().count();
        match check(problem.as_bytes(), text.as_bytes()) {
            Outcome::Rejected { line, .. } => assert!(line >= 5 && line <= lines),
            other => panic!("{other:?}"),
        }
    }
    for precision in ["31", "100001", "-60", "060", "1e3", "9999999999999999999999"] {
        let problem = problem("2", "1", "1");
        let text = bound_to(&problem, &format!("kind gap\nprecision {precision}\n"));
        assert!(matches!(check(problem.as_bytes(), text.as_bytes()), Outcome::Rejected { line: 4, .. }));
    }
    assert!(start.elapsed().as_secs() < 5);
}

/// Exponents at the ends of their range, in every section: an answer within the time and memory of a test.
#[test]
fn extreme_exponents() {
    for (name, case, text, _) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        for i in 4..lines.len() {
            let words: Vec<&str> = lines[i].split(' ').collect();
            if words.len() != 4 || words[0].starts_with(|c: char| !c.is_ascii_alphabetic()) {
                continue;
            }
            for e in [100_000, -100_000] {
                let line = match words[3].split_once("*2^") {
                    Some((m, _)) => format!("{} {} {} {m}*2^{e}", words[0], words[1], words[2]),
                    None => format!("{} {} {} {e}", words[0], words[1], words[2]),
                };
                let mut mutant = lines.clone();
                mutant[i] = &line;
                let outcome = check(case.toml().as_bytes(), (mutant.join("\n") + "\n").as_bytes());
                if let Outcome::Verified(claim) = outcome {
                    assert!(claim.to_string().len() > 20, "{name}");
                }
            }
        }
    }
}

/// Two matrices whose exact sum would need 10^11 bits are refused without being added.
#[test]
fn exponents_too_far_apart() {
    let case = Case::new("mse", "free", &[1000, 1000], 1, ["1", "1", "1"]);
    let (h, r) = (mat(1, 2000, 100_000, &[1; 2000]), mat(2, 2, 0, &[0; 4]));
    let (w, b) = (mat(2, 1, 100_000, &[1, 1]), mat(2, 1, -100_000, &[1, 1]));
    let empty = mat(2, 0, 0, &[]);
    let text = gap(&case, &w, &h, &b, &r, &empty, &q(0, 1), &q(1, 1), None);
    let wide =
        text.replace("claim upper <= 1000000000000000*2^-60", "claim upper <= 1*2^100000").replace("1000000000000000*2^-60", "1*2^100000");
    let outcome = check(case.toml().as_bytes(), wide.as_bytes());
    assert!(!matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
}

/// One entry of 10^6 bits beside thousands of small ones: copies and digit tables of the product must not multiply it.
#[test]
fn one_giant_entry() {
    let case = Case::new("mse", "free", &[20_000, 20_000], 1, ["1", "1", "1"]);
    let giant = |rows: usize, cols: usize| {
        let mut a = mat(rows, cols, 0, &vec![0; rows * cols]);
        a.m[0] = num_bigint::BigInt::from(1) << 1_000_000;
        a
    };
    let (small_w, small_h, small_b) = (mat(2, 1, 0, &[0, 1]), mat(1, 40_000, 0, &[1; 40_000]), mat(2, 1, 0, &[0, 0]));
    let (r, empty) = (mat(2, 2, 0, &[0; 4]), mat(2, 0, 0, &[]));
    for (w, h, b) in [(&giant(2, 1), &small_h, &small_b), (&small_w, &giant(1, 40_000), &small_b), (&small_w, &small_h, &giant(2, 1))] {
        let text = gap(&case, w, h, b, &r, &empty, &q(0, 1), &q(1, 1), Some(&q(1, 1)));
        let outcome = check(case.toml().as_bytes(), text.as_bytes());
        assert!(!matches!(outcome, Outcome::Verified(_)), "{outcome:?}");
    }
}

/// Numbers of more than 2^20 digits are refused at once, wherever they stand.
#[test]
fn endless_numbers() {
    let (_, case, text, _) = examples().into_iter().find(|(name, ..)| *name == "mse not critical").unwrap();
    let endless = "f".repeat(20_000_000);
    for (from, to) in
        [("\n1\n1\n", format!("\n1\n{endless}\n")), (">= 1*", format!(">= {endless}*")), ("precision 64", format!("precision {endless}"))]
    {
        assert!(text.contains(from));
        let start = Instant::now();
        refused_at(&case, &text.replace(from, &to));
        assert!(start.elapsed().as_secs() < 5);
    }
}

/// A point of a few hundred kilobytes whose logits would be 10^10 numbers.
#[test]
fn more_logits_than_memory() {
    let size = 100_000;
    let case = Case::new("mse", "none", &[1; 100_000], 1, ["1", "1", "1"]);
    let (w, h) = (mat(size, 1, 0, &vec![0; size]), mat(1, size, 0, &vec![0; size]));
    let text = certificate(&case, "not-critical", 60, &[("W", &w), ("H", &h)], &[("gradient", ">=", "1*2^0".into())]);
    let outcome = check(case.toml().as_bytes(), text.as_bytes());
    assert!(matches!(outcome, Outcome::Unsupported(_)), "{outcome:?}");
}

#[test]
fn file_sizes() {
    let problem = examples()[0].1.toml();
    let large = vec![b'\n'; MAX_CERTIFICATE as usize + 1];
    assert!(matches!(check(problem.as_bytes(), &large), Outcome::Unsupported(_)));
    let mut padded = problem.into_bytes();
    padded.resize(MAX_PROBLEM as usize + 1, b'\n');
    assert!(matches!(check(&padded, b""), Outcome::Unsupported(_)));
}

#[test]
fn problem_files() {
    let plain =
        "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 2\nper_class = 1\ndim = 1\nlambda_w = \"1\"\nlambda_h = \"1\"\n";
    assert!(!unsupported(plain));
    // Other spellings of the same problem.
    for (from, to) in [
        ("lambda_w = \"1\"", "lambda_w = 1"),
        ("lambda_w = \"1\"", "lambda_w = 1.0 # comment"),
        ("lambda_w = \"1\"", "\tlambda_w\t=\t'1e0'\t"),
        ("lambda_w = \"1\"", "lambda_w=1e-3#comment = [\n# \"comment\n\n"),
        ("lambda_w = \"1\"", "lambda_w = 0.00123456789012345"),
        ("lambda_w = \"1\"", "lambda_w = \"0.12345678901234567890123\""),
        ("lambda_w = \"1\"", "lambda_w = \"+.5\""),
        ("classes = 2\nper_class = 1\n", "class_counts = [1, 1]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [ 1,1 , ] # two\n"),
    ] {
        assert!(plain.contains(from) && !unsupported(&plain.replace(from, to)), "{to}");
    }
    // What is refused.
    for (from, to) in [
        ("plain", "sphere"),
        ("mse", "focal"),
        ("mse", "label-smoothing"),
        ("\"mse\"", "\"mse\"\nsmoothing = 0.1"),
        ("\"mse\"", "\"label-smoothing\"\nsmoothing = 1.1"),
        ("\"mse\"", "\"label-smoothing\"\nsmoothing = \"-0.1\""),
        ("\"mse\"", "\"pick-all-labels\""),
        ("plain", "multi-label"),
        ("dim = 1", "dim = 1\ntag_sets = [[0], [1]]\ntag_counts = [1, 1]"),
        ("dim = 1", "dim = 1\nper_tag_set = { 1 = 1 }"),
        ("\"none\"", "\"free\"\nlambda_b = 1"),
        ("\"none\"", "\"regularized\""),
        ("\"none\"", "\"None\""),
        ("\"none\"", "\"\"\"none\"\"\""),
        ("\"none\"", "\"no\\u006ee\""),
        ("\"none\"", "none"),
        ("\"none\"", "\"none"),
        ("\"none\"", "\"none\" x"),
        ("bias = \"none\"\n", ""),
        ("bias", "Bias"),
        ("bias", "\"bias\""),
        ("bias", "[table]\nbias"),
        ("bias", "x.bias"),
        ("bias", "smoothing = \"0\"\nbias"),
        ("model = \"plain\"\n", ""),
        ("dim = 1", "dim = 0"),
        ("dim = 1", "dim = -1"),
        ("dim = 1", "dim = 01"),
        ("dim = 1", "dim = 1_0"),
        ("dim = 1", "dim = 0x10"),
        ("dim = 1", "dim = 1.0"),
        ("dim = 1", "dim = \"1\""),
        ("dim = 1", "dim = [1]"),
        ("dim = 1", "dim ="),
        ("dim = 1", "dim"),
        ("dim = 1", "dim = 1\ndim = 1"),
        ("dim = 1", "dim = 1000000000000000001"),
        ("dim = 1", "dim = 1979-05-27"),
        ("dim = 1\n", ""),
        ("classes = 2", "classes = 1"),
        ("classes = 2", "classes = 2\nclass_counts = [1, 1]"),
        ("classes = 2", "classes = 1000000000000000001"),
        ("per_class = 1", "per_class = 600000000000000000"),
        ("classes = 2\nper_class = 1\n", "class_counts = [2]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = []\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [1, 0]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [1,, 1]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [1, \"1\"]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [1,\n1]\n"),
        ("classes = 2\nper_class = 1\n", "class_counts = [1, 1.0]\n"),
        ("lambda_w = \"1\"", "lambda_w = \"0\""),
        ("lambda_w = \"1\"", "lambda_w = \"-1\""),
        ("lambda_w = \"1\"", "lambda_w = -1"),
        ("lambda_w = \"1\"", "lambda_w = nan"),
        ("lambda_w = \"1\"", "lambda_w = inf"),
        ("lambda_w = \"1\"", "lambda_w = \"1e101\""),
        ("lambda_w = \"1\"", "lambda_w = \"1e-101\""),
        ("lambda_w = \"1\"", "lambda_w = \"1e999999999999\""),
        ("lambda_w = \"1\"", "lambda_w = \"0x1\""),
        ("lambda_w = \"1\"", "lambda_w = \"1_0\""),
        ("lambda_w = \"1\"", "lambda_w = \" 1\""),
        ("lambda_w = \"1\"", "lambda_w = \"\""),
        ("lambda_w = \"1\"", "lambda_w = \".\""),
        ("lambda_w = \"1\"", "lambda_w = .5"),
        ("lambda_w = \"1\"", "lambda_w = 5."),
        ("lambda_w = \"1\"", "lambda_w = 00.5"),
        ("lambda_w = \"1\"", "lambda_w = 1e"),
        ("lambda_w = \"1\"", "lambda_w = 0.1234567890123456"),
        ("lambda_w = \"1\"", "lambda_w = true"),
        ("\n", "\r\n"),
        ("\n", "\u{0}\n"),
    ] {
        assert!(plain.contains(from) && unsupported(&plain.replace(from, to)), "{to}");
    }
    assert!(unsupported(&format!("\u{feff}{plain}")));
    assert!(matches!(check(b"\xff", b""), Outcome::Unsupported(_)));
    assert!(matches!(check(b"", b""), Outcome::Unsupported(_)));
    assert!(unsupported(&plain.replace("\"1\"", &format!("\"{}\"", "1".repeat(5000)))));
}

/// The weights are read exactly: the same number in three spellings leads to the same sharp answer.
#[test]
fn weights_are_exact() {
    let base = examples().into_iter().find(|(name, ..)| *name == "mse imbalanced").unwrap();
    for (spelling, holds) in [
        ("0.2", true),
        ("\"2e-1\"", true),
        ("'0.20000'", true),
        ("2e-1", true),
        ("\"0.2000000000000000000000000000001\"", false),
        ("\"0.1999999999999999999999999999999\"", false),
    ] {
        let problem = base.1.toml().replace("lambda_h = \"0.2\"", &format!("lambda_h = {spelling}"));
        let body: String = base.2.lines().skip(2).map(|l| format!("{l}\n")).collect();
        // Claims of zero gradient are true at exactly this weight only.
        let outcome = check(problem.as_bytes(), bound_to(&problem, &body).as_bytes());
        assert_eq!(matches!(outcome, Outcome::Verified(_)), holds, "{spelling}: {outcome:?}");
    }
}
