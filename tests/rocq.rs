//! Certificates as Coq files: the gallery does not drift, and where Coq and the compiled theory are present, right files compile without
//! axioms and wrong ones do not. UFM_ROCQ=1 demands them (`make -C proofs` first); otherwise their absence is said and skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use rug::Integer;
use ufm::{
    certify::{CertifyOptions, certify, rocq},
    closed_form::closed_form,
    problem::{ExactPoint, Problem},
};

const DIGITS: u32 = 15;

fn plain(loss: &str, bias: &str, labels: &str, dim: u32) -> String {
    format!("model = \"plain\"\nloss = {loss}\nbias = {bias}\n{labels}\ndim = {dim}\nlambda_w = \"0.02\"\nlambda_h = \"0.01\"\n")
}

/// The gallery: name and problem.
fn gallery() -> Vec<(&'static str, String)> {
    let balanced = "classes = 3\nper_class = 2";
    vec![
        ("mse_none", plain("\"mse\"", "\"none\"", balanced, 3)),
        ("mse_free", plain("\"mse\"", "\"free\"", balanced, 2)),
        ("mse_regularized", plain("\"mse\"", "\"regularized\"\nlambda_b = \"0.3\"", balanced, 3)),
        ("mse_imbalanced", plain("\"mse\"", "\"none\"", "class_counts = [4, 2, 1]", 3)),
        ("mse_ten_classes", plain("\"mse\"", "\"free\"", "classes = 10\nper_class = 5", 12)),
        ("ce_none", plain("\"ce\"", "\"none\"", balanced, 2)),
        ("ce_free", plain("\"ce\"", "\"free\"", balanced, 3)),
        ("ce_regularized", plain("\"ce\"", "\"regularized\"\nlambda_b = \"0.1\"", balanced, 2)),
        ("ce_ten_classes", plain("\"ce\"", "\"free\"", "classes = 10\nper_class = 5", 12)),
        ("label_smoothing", plain("\"label-smoothing\"\nsmoothing = \"0.1\"", "\"free\"", balanced, 3)),
        (
            "pick_all_labels",
            "model = \"multi-label\"\nloss = \"pick-all-labels\"\nbias = \"free\"\nclasses = 3\nper_tag_set = { 1 = 2, 2 = 1 }\n\
             dim = 4\nlambda_w = \"0.02\"\nlambda_h = \"0.01\"\n"
                .to_owned(),
        ),
    ]
}

fn coq_file(file: &str, point: Option<ExactPoint>) -> String {
    let problem = Problem::from_toml(file).unwrap();
    let point = point.unwrap_or_else(|| closed_form(&problem).unwrap().minimiser(&problem, 53).unwrap());
    let result = certify(&problem, file.as_bytes(), &point, &CertifyOptions::default()).unwrap();
    rocq(&problem, &point, &result, DIGITS).unwrap().unwrap()
}

/// UFM_BLESS=1 rewrites the files.
#[test]
fn the_gallery_does_not_drift() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/gallery");
    for (name, file) in gallery() {
        let path = folder.join(name).with_extension("v");
        let text = coq_file(&file, None);
        if std::env::var_os("UFM_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(&path).is_ok_and(|t| t == text), "{}: run with UFM_BLESS=1", path.display());
    }
}

/// The compiled theory; `None` (and a line that says so) where it or Coq is missing and nobody asked for it.
fn theory() -> Option<PathBuf> {
    let theory = Path::new(env!("CARGO_MANIFEST_DIR")).join("proofs/theory");
    let present = theory.join("CertificateClaims.vo").exists() && Command::new("coqc").arg("--version").output().is_ok();
    assert!(
        present || std::env::var_os("UFM_ROCQ").is_none(),
        "UFM_ROCQ is set, but coqc or proofs/theory/*.vo is missing: make -C proofs"
    );
    if !present {
        println!("skipped: coqc or the compiled theory is missing (make -C proofs)");
    }
    present.then_some(theory)
}

/// Whether Coq accepts a file, and what it prints.
fn compile(theory: &Path, name: &str, text: &str) -> (bool, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rocq");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name).with_extension("v");
    std::fs::write(&path, text).unwrap();
    let out = Command::new("coqc").arg("-Q").arg(theory).arg("UFM").args(["-w", "none"]).arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    (out.status.success(), text)
}

/// Features that differ within a class: the file speaks of the class means.
#[test]
fn a_point_that_is_not_collapsed_compiles() {
    let Some(theory) = theory() else { return };
    for (name, file) in gallery().into_iter().filter(|(name, _)| ["mse_imbalanced", "ce_free"].contains(name)) {
        let problem = Problem::from_toml(&file).unwrap();
        let mut point = closed_form(&problem).unwrap().minimiser(&problem, 53).unwrap();
        let step = point.h.m[0].clone() >> 12u32;
        point.h.m[0] += step;
        let (accepted, text) = compile(&theory, &format!("moved_{name}"), &coq_file(&file, Some(point)));
        assert!(accepted && text.contains("Closed under the global context"), "{name}: {text}");
    }
}

/// The first number of a definition, in hexadecimal, replaced by another of the same sign.
fn with_first_number(text: &str, definition: &str, change: impl Fn(Integer) -> Integer) -> String {
    let start = text.find(&format!("Definition {definition} :")).unwrap();
    let digits = start + text[start..].find("0x").unwrap() + 2;
    let end = digits + text[digits..].find(|c: char| !c.is_ascii_hexdigit()).unwrap();
    let number = Integer::from_str_radix(&text[digits..end], 16).unwrap();
    format!("{}{:x}{}", &text[..digits], change(number), &text[end..])
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    let out = text.replacen(from, to, 1);
    assert_ne!(out, text, "{from}");
    out
}

#[test]
fn wrong_files_do_not_compile() {
    let Some(theory) = theory() else { return };
    let file = |name: &str| coq_file(&gallery().into_iter().find(|(n, _)| *n == name).unwrap().1, None);
    let (mse, ce) = (file("mse_free"), file("ce_free"));
    let (accepted, text) = compile(&theory, "right_mse", &mse);
    assert!(accepted && text.contains("Closed under the global context"), "{text}");
    let (accepted, text) = compile(&theory, "right_ce", &ce);
    assert!(accepted && text.contains("Closed under the global context"), "{text}");

    let wrong = [
        // A larger lower bound, a smaller upper one, a smaller gap.
        ("lower", with_first_number(&mse, "lower", |n| n.clone() + (n >> 40u32) + 1u32)),
        ("upper", with_first_number(&mse, "upper", |n| n.clone() - (n >> 40u32) - 1u32)),
        ("gap", with_first_number(&mse, "gap", |n| n / 2u32)),
        // An entry of the dual matrix, the radius that bounds its norm, other weights, other sizes.
        ("dual", replaced(&mse, "0x", "0x1")),
        ("weight", replaced(&mse, "lambda_W : Q := (1 # 50)", "lambda_W : Q := (1 # 51)")),
        ("sizes", replaced(&mse, "[:: 2; 2; 2]", "[:: 2; 2; 3]")),
        ("bias", replaced(&mse, "FreeBiasN", "NoBiasN")),
        ("ce_lower", with_first_number(&ce, "lower", |n| n.clone() + (n >> 40u32) + 1u32)),
        ("ce_upper", with_first_number(&ce, "upper", |n| n.clone() - (n >> 40u32) - 1u32)),
        ("ce_weight", replaced(&ce, "lambda_H : Q := (1 # 100)", "lambda_H : Q := (1 # 101)")),
        ("ce_digits", replaced(&ce, "Precision 84 84", "Precision 84 20")),
        ("ce_statement", replaced(&ce, "qr R lower <=", "qr R upper <=")),
    ];
    for (name, text) in wrong {
        let (accepted, said) = compile(&theory, &format!("wrong_{name}"), &text);
        assert!(!accepted, "{name} was accepted");
        assert!(said.contains("Error"), "{name}: {said}");
    }
}
