//! npz files: a first look, before their headers reach a parser (their length and alphabet are bounded), and named arrays.

use std::{fs::File, io::Read, path::Path};

use faer::Mat;
use npyz::zip::{ZipArchive, result::ZipError};

use super::point::{PointError, read_array, write_array, write_new};

/// Longest header accepted, in bytes: numpy's own for plain arrays are 118.
const MAX_HEADER: usize = 4096;
/// Deepest nesting of brackets: the dictionary and the tuple of the shape.
const MAX_NESTING: u32 = 2;

/// Most entries of an array: 2^48 doubles are beyond any machine.
const MAX_ENTRIES: u64 = 1 << 48;

/// Refuses archives that are not npz files and npy headers that no plain array has.
pub(crate) fn check_headers(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let not_npz = |e: ZipError| format!("not an npz file ({e})");
    let mut archive = ZipArchive::new(std::io::BufReader::new(file)).map_err(not_npz)?;
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(not_npz)?;
        let Some(name) = member.name().strip_suffix(".npy").map(str::to_owned) else { continue };
        check_header(&mut member).map_err(|why| format!("array `{name}`: {why}"))?;
    }
    Ok(())
}

/// Magic, version, length and text of one header: npy format 1.0 to 3.0.
fn check_header(member: &mut impl Read) -> Result<(), String> {
    let truncated = |_| "truncated: not a whole npy header".to_owned();
    let mut start = [0; 8];
    member.read_exact(&mut start).map_err(truncated)?;
    if &start[..6] != b"\x93NUMPY" || !(1..=3).contains(&start[6]) {
        return Err("not an npy array".into());
    }
    let mut length = [0; 4];
    let width = if start[6] == 1 { 2 } else { 4 };
    member.read_exact(&mut length[..width]).map_err(truncated)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err(format!("an npy header of {length} bytes; at most {MAX_HEADER} are allowed"));
    }
    let mut text = vec![0; length];
    member.read_exact(&mut text).map_err(truncated)?;
    let mut depth = 0u32;
    for &byte in &text {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err("its npy header is not that of a plain array; give dtype <f8".into());
        }
    }
    check_shape(&String::from_utf8_lossy(&text))
}

/// Refuses shapes whose number of entries the parser could not hold; malformed ones are left to it.
fn check_shape(header: &str) -> Result<(), String> {
    let shape = header.split_once("shape").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')')).map_or("", |(shape, _)| shape);
    let mut sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let entries = sizes.try_fold(1u64, |product, size| product.checked_mul(size.parse().unwrap_or(u64::MAX)));
    match entries {
        Some(entries) if entries <= MAX_ENTRIES => Ok(()),
        _ => Err(format!("shape ({shape}) is beyond any memory")),
    }
}

/// Reads arrays of given names and shapes, and checks that there are no others. A shape of one number is a vector's, read as a column.
pub(crate) fn read_arrays(path: &Path, wanted: &[(&str, Vec<usize>)]) -> Result<Vec<Mat<f64>>, PointError> {
    check_headers(path).map_err(PointError::Header)?;
    let io = |source| PointError::Io { path: path.display().to_string(), source };
    let mut archive = npyz::npz::NpzArchive::new(std::io::BufReader::new(File::open(path).map_err(io)?)).map_err(io)?;
    if let Some(name) = archive.array_names().find(|name| !wanted.iter().any(|(w, _)| w == name)) {
        let known: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
        return Err(PointError::Array { name: name.into(), reason: format!("unknown; expected {}", known.join(", ")) });
    }
    wanted.iter().map(|(name, shape)| read_array(&mut archive, name, shape).map_err(|e| e.into_point_error(path))).collect()
}

/// Writes matrices as a new npz file.
pub(crate) fn write_arrays(path: &Path, arrays: &[(&str, &Mat<f64>)]) -> Result<(), PointError> {
    write_new(path, |file| {
        let mut npz = npyz::npz::NpzWriter::new(file);
        arrays.iter().try_for_each(|(name, a)| write_array(&mut npz, name, &[a.nrows(), a.ncols()], a))
    })
}
