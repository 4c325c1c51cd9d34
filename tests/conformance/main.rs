//! Conformance of `Ball` with third-party vectors: interval arithmetic (ITF1788) and hard-to-round cases (CORE-MATH), read from the
//! folder named by the environment variable UFM_CONFORMANCE; without it those tests say that they are skipped.

mod hard_cases;
mod intervals;
mod itl;
mod page;

use std::{io::Write, path::PathBuf};

/// The files of the folder with the extension, in order of name; `None` (and a line that says so) without a folder.
fn vectors(extension: &str) -> Option<Vec<(String, String)>> {
    let Some(folder) = std::env::var_os("UFM_CONFORMANCE") else {
        // Past the capture of test output: a skipped test shall not look like one that ran.
        let line = format!("skipped: UFM_CONFORMANCE names no folder of third-party vectors (.{extension})\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
        return None;
    };
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", PathBuf::from(&folder).display()));
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    Some(files.iter().map(|p| (name(p), std::fs::read_to_string(p).unwrap())).collect())
}
