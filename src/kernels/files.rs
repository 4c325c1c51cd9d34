//! Kernels in any language: inputs written as files, outputs judged.
//!
//! A folder holds `manifest.json` and for each case `CASE.npz` with the arrays `A` and, for products and linear systems, `B`. A program
//! writes `CASE.out.npz` with the arrays that [`Operation::outputs`] names, all `<f8`, in C or Fortran order. Cases are generated
//! afresh for judging: nothing in the folder but the outputs takes part in a score.

use std::path::Path;

use ::faer::Mat;
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    Case, Entry, Operation, Outcome,
    cases::{cases, chosen},
    reference::reference,
    suite::outcome,
};
use crate::problem::{PointError, npz, write_new};

/// The format of the manifest.
const FORMAT: &str = "ufm-kernels-1";
const MANIFEST: &str = "manifest.json";
/// Largest manifest read, in bytes: those written here have about 100 kB.
const MAX_MANIFEST: u64 = 16 << 20;
/// What the kernel is called in the results of [`judge`].
const JUDGED: &str = "judged";

/// Why a folder of cases cannot be written or judged.
#[derive(Debug, Error)]
pub enum FilesError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error(transparent)]
    Write(#[from] PointError),
    #[error("{path}: {reason}")]
    Manifest { path: String, reason: String },
}

/// SHA-256 of the shapes and entries of the inputs.
fn digest(case: &Case<f64>) -> String {
    let mut hash = Sha256::new();
    for a in std::iter::once(&case.a).chain(&case.b) {
        hash.update((a.nrows() as u64).to_le_bytes());
        hash.update((a.ncols() as u64).to_le_bytes());
        a.col_iter().flat_map(|c| c.iter()).for_each(|x| hash.update(x.to_le_bytes()));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the cases of some operations (f64) with their manifest into a folder, which is created; nothing is overwritten. The manifest
/// comes last: a folder without one is incomplete.
///
/// # Errors
/// A file exists or cannot be written.
pub fn emit(folder: &Path, operations: &[Operation], step: &dyn Fn()) -> Result<usize, FilesError> {
    let io = |source| FilesError::Io { path: folder.display().to_string(), source };
    std::fs::create_dir_all(folder).map_err(io)?;
    let manifest = folder.join(MANIFEST);
    if manifest.symlink_metadata().is_ok() {
        return Err(PointError::Exists { path: manifest.display().to_string() }.into());
    }
    let mut list = vec![];
    for case in operations.iter().flat_map(|&o| cases::<f64>(o, usize::MAX)) {
        let arrays: Vec<(&str, &Mat<f64>)> = std::iter::once(("A", &case.a)).chain(case.b.iter().map(|b| ("B", b))).collect();
        npz::write_arrays(&folder.join(format!("{}.npz", case.name)), &arrays)?;
        let inputs: Vec<Value> = arrays.iter().map(|(name, a)| json!({ "name": name, "shape": [a.nrows(), a.ncols()] })).collect();
        let outputs = case.operation.outputs(case.shape(), case.columns());
        let outputs: Vec<Value> = outputs.iter().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect();
        list.push(json!({
            "case": case.name, "operation": case.operation.name(), "seed": case.seed.to_string(),
            "input_file": format!("{}.npz", case.name), "inputs": inputs,
            "output_file": format!("{}.out.npz", case.name), "outputs": outputs, "sha256": digest(&case),
        }));
        step();
    }
    let count = list.len();
    let text = json!({ "format": FORMAT, "version": env!("CARGO_PKG_VERSION"), "precision": "f64", "cases": list });
    write_new(&manifest, |file| serde_json::to_writer_pretty(file, &text).map_err(std::io::Error::from))?;
    Ok(count)
}

/// Scores the outputs beside a manifest, as [`run`](super::run) scores a kernel: a missing or malformed output has failed. Only the
/// cases of the operations given are judged.
///
/// # Errors
/// The manifest cannot be read, is not one of this version's cases, or has none of these operations.
pub fn judge(folder: &Path, operations: &[Operation], step: &(dyn Fn() + Sync)) -> Result<Vec<Entry>, FilesError> {
    let path = folder.join(MANIFEST);
    let refuse = |reason: String| FilesError::Manifest { path: path.display().to_string(), reason };
    let io = |source| FilesError::Io { path: path.display().to_string(), source };
    let length = std::fs::metadata(&path).map_err(io)?.len();
    if length > MAX_MANIFEST {
        return Err(refuse(format!("{length} bytes; a manifest has at most {MAX_MANIFEST}")));
    }
    let text = std::fs::read(&path).map_err(io)?;
    let manifest: Value = serde_json::from_slice(&text).map_err(|e| refuse(format!("not JSON ({e})")))?;
    if manifest["format"] != FORMAT {
        return Err(refuse(format!("format is {}, not \"{FORMAT}\"", manifest["format"])));
    }
    let listed = manifest["cases"].as_array().ok_or_else(|| refuse("`cases` is not a list".into()))?;
    let others = |name: &str| Operation::ALL.iter().any(|o| !operations.contains(o) && name.starts_with(&format!("{}-", o.name())));
    let mut names: Vec<&str> = vec![];
    for item in listed {
        let name = item["case"].as_str().ok_or_else(|| refuse("a case has no name".into()))?;
        if names.contains(&name) {
            return Err(refuse(format!("case `{name}` stands twice")));
        }
        names.push(name);
    }
    let cases: Vec<Case<f64>> = operations.iter().flat_map(|&o| chosen(o, &|name, _| names.contains(&name))).collect();
    for (item, name) in listed.iter().zip(names).filter(|(_, name)| !others(name)) {
        let case = cases.iter().find(|c| c.name == name).ok_or_else(|| refuse(format!("no case `{name}`")))?;
        if item["sha256"].as_str() != Some(digest(case).as_str()) {
            return Err(refuse(format!("case `{name}` is not the one this version has; emit the cases again")));
        }
    }
    if cases.is_empty() {
        return Err(refuse("no case to judge".into()));
    }
    let judged = |case: &Case<f64>| {
        let result = read_outputs(folder, case);
        let outcome = match result {
            Ok(outputs) => outcome(case, &reference(case), Ok(outputs)),
            Err(why) => Outcome::Failed(why),
        };
        step();
        Entry::new(JUDGED, case, outcome)
    };
    Ok(cases.par_iter().map(judged).collect())
}

fn read_outputs(folder: &Path, case: &Case<f64>) -> Result<Vec<Mat<f64>>, String> {
    let name = format!("{}.out.npz", case.name);
    let path = folder.join(&name);
    if !path.exists() {
        return Err(format!("{name} is missing"));
    }
    npz::read_arrays(&path, &case.operation.outputs(case.shape(), case.columns())).map_err(|e| format!("{name}: {e}"))
}
