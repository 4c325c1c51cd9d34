//! A file of one or more arrays.

use std::{
    cmp::Ordering,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use npyz::zip::CompressionMethod;

use super::{
    FeatureError,
    array::{Array, Storage, open_archive},
    csv, npy, safetensors,
};

/// Most members of an archive that are looked at.
const MAX_MEMBERS: usize = 4096;
/// The most that deflate shrinks anything: 258 bytes in two bits.
const DEFLATE_RATIO: u64 = 1032;

/// The arrays of an npy, npz, safetensors or CSV file, in natural order of their names.
#[derive(Debug)]
pub struct Container {
    path: PathBuf,
    arrays: Vec<Array>,
}

impl Container {
    /// Opens a file: npz and npy by their first bytes, `.safetensors` and `.csv` (or `.txt`) by their names. Headers alone are read,
    /// of CSV all lines once.
    ///
    /// # Errors
    /// [`FeatureError`] for unreadable, truncated and foreign files and types, with sizes checked before memory is spent.
    pub fn open(path: &Path) -> Result<Self, FeatureError> {
        let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
        let io = |e: std::io::Error| refuse(e.to_string());
        let mut file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(refuse("not a file".into()));
        }
        let mut start = vec![];
        (&mut file).take(6).read_to_end(&mut start).map_err(io)?;
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        let mut arrays = if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            open_npz(path, metadata.len())?
        } else if start == b"\x93NUMPY" {
            let header = npy::read_header(&mut File::open(path).map_err(io)?).map_err(refuse)?;
            let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
            let storage = Storage::File { file: Arc::new(file), offset: header.length };
            let array =
                Array { path: path.into(), name, shape: header.shape, row_major: header.row_major, element: header.element, storage };
            vec![array.check_length(metadata.len().saturating_sub(header.length))?]
        } else if extension == "safetensors" {
            if metadata.len() < 8 {
                return Err(refuse("truncated: not a whole safetensors header".into()));
            }
            safetensors::open(path, file, metadata.len())?
        } else if extension == "csv" || extension == "txt" {
            csv::open(path)?
        } else {
            return Err(refuse("not an npy, npz, safetensors or csv file".into()));
        };
        arrays.sort_by(|a, b| natural_order(a.name(), b.name()));
        Ok(Container { path: path.into(), arrays })
    }

    /// All arrays.
    pub fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    /// The array of that name.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|a| a.name() == name)
    }

    /// The array called by one of the `names`, or else the file's only one, or the only one that `fits`.
    ///
    /// # Errors
    /// When there is none, or several fit: the message lists what there is.
    pub fn find(&self, what: &str, names: &[&str], fits: impl Fn(&Array) -> bool) -> Result<&Array, FeatureError> {
        let only = if let [array] = &self.arrays[..] { Some(array) } else { None };
        if let Some(array) = names.iter().find_map(|name| self.get(name)).or(only) {
            return Ok(array);
        }
        let mut candidates = self.arrays.iter().filter(|a| fits(a));
        match (candidates.next(), candidates.next()) {
            (Some(array), None) => Ok(array),
            _ => {
                let listed: Vec<String> = self.arrays.iter().take(20).map(|a| format!("`{}` {:?}", a.name(), a.shape())).collect();
                let found = if listed.is_empty() { "no arrays".into() } else { listed.join(", ") };
                Err(FeatureError::File {
                    path: self.path.display().to_string(),
                    reason: format!("no array can be told to be the {what} (named {}); it has {found}", names.join(" or ")),
                })
            }
        }
    }
}

fn open_npz(path: &Path, length: u64) -> Result<Vec<Array>, FeatureError> {
    let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
    let mut archive = open_archive(path)?;
    if archive.len() > MAX_MEMBERS {
        return Err(refuse(format!("{} members; at most {MAX_MEMBERS} are allowed", archive.len())));
    }
    let file = Arc::new(File::open(path).map_err(|e| refuse(e.to_string()))?);
    let mut arrays = vec![];
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).map_err(|e| refuse(format!("not an npz file ({e})")))?;
        let Some(name) = member.name().strip_suffix(".npy").map(str::to_owned) else { continue };
        let bad = |reason: String| FeatureError::Array { path: path.display().to_string(), name: name.clone(), reason };
        let header = match npy::read_header(&mut member) {
            Ok(header) => header,
            Err(reason) => return Err(bad(reason)),
        };
        let (method, claimed, start) = (member.compression(), member.size(), member.data_start());
        let (storage, available) = match method {
            CompressionMethod::Stored => {
                let end = start.checked_add(claimed).filter(|end| *end <= length);
                if end.is_none() {
                    return Err(bad("truncated: its bytes reach beyond the file".into()));
                }
                (Storage::File { file: Arc::clone(&file), offset: start + header.length }, claimed)
            }
            CompressionMethod::Deflated => {
                let packed = member.compressed_size();
                if start.checked_add(packed).is_none_or(|end| end > length) || claimed / DEFLATE_RATIO > packed {
                    return Err(bad(format!("truncated: {packed} compressed bytes cannot hold the {claimed} it claims")));
                }
                (Storage::Zip { index, skip: header.length }, claimed)
            }
            other => return Err(bad(format!("compressed by {other}; numpy stores or deflates"))),
        };
        let array = Array {
            path: path.into(),
            name: name.clone(),
            shape: header.shape,
            row_major: header.row_major,
            element: header.element,
            storage,
        };
        arrays.push(array.check_length(available.saturating_sub(header.length))?);
    }
    Ok(arrays)
}

/// Order in which `layer2` comes before `layer10`: digits compare as numbers.
pub fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut x, mut y) = (a, b);
    loop {
        match (x.chars().next(), y.chars().next()) {
            (None, None) => return a.cmp(b),
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(c), Some(d)) if c.is_ascii_digit() && d.is_ascii_digit() => {
                let split = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
                let ((m, rest_x), (n, rest_y)) = (x.split_at(split(x)), y.split_at(split(y)));
                let (m, n) = (m.trim_start_matches('0'), n.trim_start_matches('0'));
                match m.len().cmp(&n.len()).then_with(|| m.cmp(n)) {
                    Ordering::Equal => (x, y) = (rest_x, rest_y),
                    other => return other,
                }
            }
            (Some(c), Some(d)) if c == d => (x, y) = (&x[c.len_utf8()..], &y[d.len_utf8()..]),
            (Some(c), Some(d)) => return c.cmp(&d),
        }
    }
}
