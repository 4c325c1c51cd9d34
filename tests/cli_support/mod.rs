//! Runs the built `ufm` and writes npz files byte by byte, independently of the library.
#![allow(dead_code)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// What one run of the program did.
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
    pub time: Duration,
}

impl Run {
    /// Standard output as one JSON object and nothing else; nothing on standard error.
    pub fn json(&self) -> Value {
        assert_eq!(self.err, "", "standard error is empty when piped");
        let value: Value = serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("not one JSON object: {e}\n{}", self.out));
        assert!(value.is_object());
        value
    }

    /// The one error line of a refused input.
    pub fn refusal(&self) -> &str {
        assert_eq!(self.code, 2, "{}{}", self.out, self.err);
        assert_eq!(self.out, "", "nothing on standard output");
        let line = self.err.strip_suffix('\n').expect("a whole line");
        assert!(line.starts_with("error: ") && !line.contains('\n') && line.len() < 1000, "one error line, not: {}", self.err);
        assert!(!line.contains("panicked") && !line.chars().any(char::is_control), "{line}");
        line
    }
}

/// Runs `ufm` in a folder, with standard input closed.
pub fn ufm_in(folder: &Path, args: &[&str]) -> Run {
    let start = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ufm"));
    let output = command.args(args).current_dir(folder).stdin(Stdio::null()).output().expect("ufm runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8 output");
    let code = output.status.code().expect("no signal ends ufm");
    Run { code, out: text(output.stdout), err: text(output.stderr), time: start.elapsed() }
}

/// A temporary folder to work in.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        Desk(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        name.to_owned()
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// Runs `ufm` here; arguments are separated by spaces.
    pub fn ufm(&self, args: &str) -> Run {
        ufm_in(self.0.path(), &args.split(' ').filter(|a| !a.is_empty()).collect::<Vec<_>>())
    }

    pub fn ufm_args(&self, args: &[&str]) -> Run {
        ufm_in(self.0.path(), args)
    }
}

/// The repository's example problem of that name.
pub fn example(name: &str) -> String {
    format!("{}/examples/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// A decimal string of a JSON object.
pub fn decimal(value: &Value) -> f64 {
    let text = value.as_str().unwrap_or_else(|| panic!("decimals are strings, not {value}"));
    text.parse().unwrap_or_else(|_| panic!("not a decimal: {text}"))
}

pub fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// One npy array: header of format 1.0, then the bytes.
pub fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    raw_npy(1, header.len() as u32, header.as_bytes(), data)
}

/// An npy array with a header of any length, claimed or real.
pub fn raw_npy(version: u8, length: u32, header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = length.to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length[..] };
    [b"\x93NUMPY", &[version, 0][..], length, header, data].concat()
}

/// A matrix of doubles, row by row, or column by column when `fortran`.
pub fn doubles(rows: usize, cols: usize, fortran: bool, entry: impl Fn(usize, usize) -> f64) -> Vec<u8> {
    let at = |t: usize| if fortran { (t % rows, t / rows) } else { (t / cols, t % cols) };
    let data: Vec<u8> = (0..rows * cols).map(at).flat_map(|(i, j)| entry(i, j).to_le_bytes()).collect();
    npy("<f8", fortran, &format!("({rows}, {cols})"), &data)
}

/// A zip archive of stored members, as numpy.savez writes.
pub fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (vec![], vec![]);
    for (name, data) in members {
        let name = format!("{name}.npy");
        let (crc, size, offset) = (crc32(data), data.len() as u32, file.len() as u32);
        let mut common = vec![];
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]);
        for field in [crc, size, size] {
            common.extend(field.to_le_bytes());
        }
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (count, size, offset) = ((members.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes(), file.len() as u32);
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].concat());
    file.extend(size);
    file.extend(offset.to_le_bytes());
    file.extend([0, 0]);
    file
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xEDB8_8320 } else { c >> 1 }))
}

/// A deterministic matrix that is critical for no problem.
pub fn wavy(i: usize, j: usize) -> f64 {
    (1.0 + i as f64 * 1.7 + j as f64 * 0.9).sin()
}
