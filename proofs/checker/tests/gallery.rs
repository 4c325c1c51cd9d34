//! The gallery's certificates have the outcomes its manifest states, in the library and on the command line.

use std::path::Path;
use std::process::Command;

use ufm_check::{Outcome, check};

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../gallery");

/// Certificate, problem, outcome, line.
fn manifest() -> Vec<(String, String, String, Option<usize>)> {
    let text = std::fs::read_to_string(Path::new(GALLERY).join("expected.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        assert!((3..=4).contains(&words.len()), "{line}");
        (words[0].to_string(), words[1].to_string(), words[2].to_string(), words.get(3).map(|n| n.parse().unwrap()))
    };
    lines.map(entry).collect()
}

#[test]
fn library_agrees() {
    let entries = manifest();
    for (certificate, problem, expected, line) in &entries {
        let read = |name: &str| std::fs::read(Path::new(GALLERY).join(name)).unwrap();
        let outcome = check(&read(problem), &read(certificate));
        let found = match &outcome {
            Outcome::Verified(_) => ("verified", None),
            Outcome::Rejected { line, .. } => ("rejected", Some(*line)),
            Outcome::Unsupported(_) => ("unsupported", None),
        };
        assert_eq!((expected.as_str(), *line), found, "{certificate}: {outcome:?}");
    }
    // Every certificate and problem of the gallery is in the manifest; what else is there are Coq files, which `make -C proofs` checks.
    for file in std::fs::read_dir(GALLERY).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        let listed = entries.iter().any(|(c, p, ..)| *c == name || *p == name);
        let ours = name.ends_with(".cert") || name.ends_with(".toml");
        assert!(listed || !ours, "{name} is not in expected.txt");
    }
}

#[test]
fn program_agrees() {
    for (certificate, problem, expected, line) in manifest() {
        let output = Command::new(env!("CARGO_BIN_EXE_ufm-check"))
            .args([Path::new(GALLERY).join(problem), Path::new(GALLERY).join(&certificate)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (start, code) = match expected.as_str() {
            "verified" => ("VERIFIED\n".to_string(), 0),
            "rejected" => (format!("REJECTED line {}: ", line.unwrap()), 1),
            _ => ("UNSUPPORTED: ".to_string(), 2),
        };
        assert!(text.starts_with(&start), "{certificate}: {text}");
        assert_eq!(output.status.code(), Some(code), "{certificate}");
        assert!(output.stderr.is_empty(), "{certificate}");
    }
}

#[test]
fn wrong_usage() {
    let problem = Path::new(GALLERY).join("mse-zero.toml");
    let missing = Path::new(GALLERY).join("missing");
    let directory = Path::new(GALLERY);
    let runs: [&[&Path]; 6] =
        [&[], &[&problem], &[&problem, &problem, &problem], &[&missing, &missing], &[&problem, &missing], &[&problem, directory]];
    for arguments in runs {
        let output = Command::new(env!("CARGO_BIN_EXE_ufm-check")).args(arguments).output().unwrap();
        assert!(output.stdout.starts_with(b"UNSUPPORTED: "), "{arguments:?}");
        assert_eq!(output.status.code(), Some(2));
    }
}
