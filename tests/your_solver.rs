//! The guide's script: a numpy solver passes, the same solver with a wrong convention does not.

use std::process::{Command, Output};

/// Runs the script; `None`, with a word, where python3 with numpy is missing.
fn check(mistake: &str) -> Option<Output> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/your_solver/check.py");
    let python = std::env::var("UFM_PYTHON").unwrap_or_else(|_| "python3".into());
    if !Command::new(&python).args(["-c", "import numpy"]).output().is_ok_and(|o| o.status.success()) {
        eprintln!("skipped: {python} with numpy is not here (UFM_PYTHON names another)");
        return None;
    }
    Some(Command::new(python).args([script, "--ufm", env!("CARGO_BIN_EXE_ufm"), "--mistake", mistake]).output().expect("python runs"))
}

fn verdicts(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.split_whitespace().nth(1).expect("a verdict").to_owned()).collect()
}

#[test]
fn a_right_solver_passes() {
    let Some(output) = check("none") else { return };
    let verdicts = verdicts(&output);
    assert!(output.status.success() && verdicts.len() >= 9, "{output:?}");
    assert!(verdicts.iter().all(|v| v == "global-minimum"), "{output:?}");
}

#[test]
fn wrong_conventions_are_found() {
    for mistake in ["mean", "sum", "half"] {
        let Some(output) = check(mistake) else { return };
        assert_eq!(output.status.code(), Some(1), "{mistake}: {output:?}");
        let verdicts = verdicts(&output);
        assert!(verdicts.len() >= 9 && verdicts.iter().all(|v| v == "not-critical"), "{mistake}: {output:?}");
    }
}
