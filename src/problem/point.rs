//! Points: the variables of a problem, in f64 for the solvers and as exact dyadics for claims.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::Path,
};

use faer::Mat;
use npyz::WriterBuilder;
use rayon::prelude::*;
use rug::{Integer, Rational};

use super::{Bias, Problem};

/// A point in f64. Plain: `factors = [W]` (K,d). Deep: `factors = [W_1, ..., W_{p-1}]` from H outwards, the last (K,d).
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub factors: Vec<Mat<f64>>,
    /// Features (d,N), columns class by class.
    pub h: Mat<f64>,
    /// Bias of length K; `None` when the problem has none.
    pub b: Option<Vec<f64>>,
}

/// A matrix of exact dyadic numbers `m_ij · 2^exp`, entries row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Dyadic {
    pub rows: usize,
    pub cols: usize,
    pub exp: i32,
    pub m: Vec<Integer>,
}

/// A point with exact entries: what a certificate speaks about. Fields as in [`Point`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExactPoint {
    pub factors: Vec<Dyadic>,
    pub h: Dyadic,
    /// (K,1).
    pub b: Option<Dyadic>,
}

/// Why a point could not be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum PointError {
    #[error("{path}: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("{0}")]
    Header(String),
    #[error("array `{name}`: {reason}")]
    Array { name: String, reason: String },
    #[error("{path} already exists; choose another name or remove it first")]
    Exists { path: String },
}

impl Dyadic {
    /// The exact dyadic value of finite f64 entries, on the coarsest common grid.
    ///
    /// # Errors
    /// `None` when an entry is infinite or not a number.
    pub fn from_f64(mat: &Mat<f64>) -> Option<Self> {
        let (rows, cols) = (mat.nrows(), mat.ncols());
        let part = |t: usize| decompose(mat[(t / cols, t % cols)]);
        let large = rows * cols >= PARALLEL;
        let entries = 0..rows * cols;
        let parts: Vec<(i64, i32)> =
            if large { entries.into_par_iter().map(part).collect::<Option<_>>() } else { entries.map(part).collect::<Option<_>>() }?;
        let exp = parts.iter().filter(|p| p.0 != 0).map(|p| p.1).min().unwrap_or(0);
        let entry = |(m, e): (i64, i32)| if m == 0 { Integer::new() } else { Integer::from(m) << (e - exp) as u32 };
        let m = if large { parts.into_par_iter().map(entry).collect() } else { parts.into_iter().map(entry).collect() };
        Some(Dyadic { rows, cols, exp, m })
    }

    /// Entry (i, j) as a rational.
    pub fn rational(&self, i: usize, j: usize) -> Rational {
        let m = Rational::from(&self.m[i * self.cols + j]);
        if self.exp >= 0 { m << self.exp as u32 } else { m >> self.exp.unsigned_abs() }
    }

    /// Nearest f64 of every entry.
    pub fn to_f64(&self) -> Mat<f64> {
        // 64 bits times a power of two in this range stay normal: the integer's rounding is the only one.
        let unit = (-900..=900).contains(&self.exp).then(|| 2f64.powi(self.exp));
        Mat::from_fn(self.rows, self.cols, |i, j| match (self.m[i * self.cols + j].to_i64(), unit) {
            (Some(m), Some(unit)) => m as f64 * unit,
            _ => self.rational(i, j).to_f64(),
        })
    }
}

/// Entries of a matrix from which a second thread pays.
const PARALLEL: usize = 1 << 14;

/// `x = m · 2^e` with m odd or zero; `None` for infinities and NaN.
fn decompose(x: f64) -> Option<(i64, i32)> {
    if !x.is_finite() {
        return None;
    }
    let bits = x.to_bits();
    let (field, fraction) = ((bits >> 52 & 0x7ff) as i32, (bits & ((1 << 52) - 1)) as i64);
    let (mut m, mut e) = if field == 0 { (fraction, -1074) } else { (fraction | 1 << 52, field - 1075) };
    if m == 0 {
        return Some((0, 0));
    }
    let zeros = m.trailing_zeros();
    m >>= zeros;
    e += zeros as i32;
    Some((if x < 0.0 { -m } else { m }, e))
}

impl ExactPoint {
    /// The nearest doubles, entry by entry.
    pub fn to_f64(&self) -> Point {
        Point {
            factors: self.factors.iter().map(Dyadic::to_f64).collect(),
            h: self.h.to_f64(),
            b: self.b.as_ref().map(|b| b.to_f64().col(0).iter().copied().collect()),
        }
    }
}

impl Point {
    /// The same point with exact entries; `None` when an entry is not finite.
    pub fn to_exact(&self) -> Option<ExactPoint> {
        Some(ExactPoint {
            factors: self.factors.iter().map(Dyadic::from_f64).collect::<Option<_>>()?,
            h: Dyadic::from_f64(&self.h)?,
            b: match &self.b {
                Some(b) => Some(Dyadic::from_f64(&Mat::from_fn(b.len(), 1, |i, _| b[i]))?),
                None => None,
            },
        })
    }

    /// Rounds each array to a grid of 2^-52 times its largest entry's power of two, so that entries are integers below
    /// 2^53 times one power of two: exact in f64, and small in a certificate. Moves no entry by more than 2^-53 of the largest.
    pub fn snap(&mut self) {
        let snap = |values: &mut dyn Iterator<Item = &mut f64>, max: f64| {
            if max > 0.0 && max.is_finite() {
                let exponent = max.log2().floor() as i32 + 1;
                let grid = 2f64.powi((exponent - 53).max(-1074));
                values.for_each(|x| *x = (*x / grid).round_ties_even() * grid);
            }
        };
        for mat in self.factors.iter_mut().chain([&mut self.h]) {
            let max = mat.norm_max();
            snap(&mut mat.col_iter_mut().flat_map(|c| c.iter_mut()), max);
        }
        if let Some(b) = &mut self.b {
            let max = b.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            snap(&mut b.iter_mut(), max);
        }
    }

    /// Reads an npz point (`W`, `H`, `b`; deep: `H`, `W1`, ...) and checks every shape against the problem.
    ///
    /// # Errors
    /// [`PointError`] for unreadable files, missing or extra arrays, wrong types or shapes and non-finite entries; sizes are
    /// checked against the problem before an array is read.
    pub fn read_npz(path: &Path, problem: &Problem) -> Result<Self, PointError> {
        let (k, d, n) = problem.point_sizes().map_err(|e| array_error("H", e.to_string()))?;
        super::npz::check_headers(path).map_err(PointError::Header)?;
        let io = |source| PointError::Io { path: path.display().to_string(), source };
        let mut archive = npyz::npz::NpzArchive::new(std::io::BufReader::new(File::open(path).map_err(io)?)).map_err(io)?;
        let depth = problem.depth();
        let factor_name = |i: usize| {
            if depth == 2 && !matches!(problem.model, super::Model::DeepLinear { .. } | super::Model::DeepRelu { .. }) {
                "W".to_owned()
            } else {
                format!("W{}", i + 1)
            }
        };
        let mut names: Vec<String> = (0..depth - 1).map(factor_name).collect();
        names.push("H".into());
        let biased = problem.bias != Bias::None;
        if biased {
            names.push("b".into());
        }
        let present: Vec<String> = archive.array_names().map(str::to_owned).collect();
        for name in &present {
            let zero_bias_allowed = name == "b" && !biased;
            if !names.contains(name) && !zero_bias_allowed {
                return Err(array_error(name, format!("unknown; this problem's points have {}", names.join(", "))));
            }
        }
        let mut read = |name: &str, shape: &[usize]| read_array(&mut archive, name, shape).map_err(|e| e.into_point_error(path));
        let factors = (0..depth - 1).map(|i| read(&names[i], &[if i + 2 == depth { k } else { d }, d])).collect::<Result<_, _>>()?;
        let h = read("H", &[d, n])?;
        let b = if biased {
            let b = read("b", &[k])?;
            Some((0..k).map(|i| b[(i, 0)]).collect())
        } else {
            if present.iter().any(|p| p == "b") && read("b", &[k])?.norm_max() != 0.0 {
                return Err(array_error("b", "not zero, but the problem has bias = \"none\"".into()));
            }
            None
        };
        Ok(Point { factors, h, b })
    }

    /// Writes a classifier alone: `W` (K,d) and, when there is one, `b` (K,).
    ///
    /// # Errors
    /// As [`Point::write_npz`].
    pub fn write_classifier(path: &Path, w: &Mat<f64>, b: Option<&[f64]>) -> Result<(), PointError> {
        crate::problem::write_new(path, |file| {
            let mut npz = npyz::npz::NpzWriter::new(file);
            write_array(&mut npz, "W", &[w.nrows(), w.ncols()], w)?;
            b.map_or(Ok(()), |b| write_array(&mut npz, "b", &[b.len()], &Mat::from_fn(b.len(), 1, |i, _| b[i])))
        })
    }

    /// Writes the point as npz (npy 1.0 members, `<f8`), to a temporary file first, then renamed.
    ///
    /// # Errors
    /// [`PointError::Exists`] when the file exists, [`PointError::Io`] when it cannot be written.
    pub fn write_npz(&self, path: &Path) -> Result<(), PointError> {
        crate::problem::write_new(path, |file| {
            let mut npz = npyz::npz::NpzWriter::new(file);
            let plain = self.factors.len() == 1;
            for (i, w) in self.factors.iter().enumerate() {
                write_array(&mut npz, &if plain { "W".to_owned() } else { format!("W{}", i + 1) }, &[w.nrows(), w.ncols()], w)?;
            }
            write_array(&mut npz, "H", &[self.h.nrows(), self.h.ncols()], &self.h)?;
            if let Some(b) = &self.b {
                write_array(&mut npz, "b", &[b.len()], &Mat::from_fn(b.len(), 1, |i, _| b[i]))?;
            }
            Ok(())
        })
    }
}

/// Writes a new file through a temporary one in the same folder, then renames it: never half-written, never overwriting.
///
/// # Errors
/// [`PointError::Exists`] when the file exists, [`PointError::Io`] when it cannot be written.
pub fn write_new(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), PointError> {
    if path.exists() {
        return Err(PointError::Exists { path: path.display().to_string() });
    }
    let io = |source| PointError::Io { path: path.display().to_string(), source };
    let name = path.file_name().ok_or_else(|| io(std::io::Error::other("not a file name")))?;
    let temporary = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let result = File::create_new(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    // A hard link fails when the target exists, which a rename would replace.
    let result = result.and_then(|()| std::fs::hard_link(&temporary, path));
    let _ = std::fs::remove_file(&temporary);
    match result {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(PointError::Exists { path: path.display().to_string() }),
        other => other.map_err(io),
    }
}

fn array_error(name: &str, reason: String) -> PointError {
    PointError::Array { name: name.into(), reason }
}

pub(super) enum ReadError {
    Io(std::io::Error),
    Array(PointError),
}

impl From<std::io::Error> for ReadError {
    fn from(e: std::io::Error) -> Self {
        ReadError::Io(e)
    }
}

impl ReadError {
    pub(super) fn into_point_error(self, path: &Path) -> PointError {
        match self {
            ReadError::Io(source) => PointError::Io { path: path.display().to_string(), source },
            ReadError::Array(e) => e,
        }
    }
}

pub(super) fn read_array<R: Read + Seek>(
    archive: &mut npyz::npz::NpzArchive<R>,
    name: &str,
    shape: &[usize],
) -> Result<Mat<f64>, ReadError> {
    let refuse = |reason: String| ReadError::Array(array_error(name, reason));
    let npy = archive.by_name(name)?.ok_or_else(|| refuse(format!("missing; expected shape {shape:?}")))?;
    let found: Vec<u64> = npy.shape().to_vec();
    if found.iter().map(|&s| s as usize).ne(shape.iter().copied()) {
        return Err(refuse(format!("shape {found:?}, but the problem demands {shape:?}")));
    }
    let order = npy.order();
    let values = npy.data::<f64>().map_err(|_| refuse("not 64-bit floating point (dtype <f8)".into()))?;
    let (rows, cols) = (shape[0], shape.get(1).copied().unwrap_or(1));
    let mut mat = Mat::zeros(rows, cols);
    let mut seen = 0;
    for (index, value) in values.enumerate() {
        let value = value?;
        if !value.is_finite() {
            return Err(refuse(format!("entry {index} is {value}; entries must be finite")));
        }
        if index >= rows * cols {
            return Err(refuse("more entries than its shape says".into()));
        }
        let (i, j) = if order == npyz::Order::C { (index / cols, index % cols) } else { (index % rows, index / rows) };
        mat[(i, j)] = value;
        seen += 1;
    }
    if seen != rows * cols {
        return Err(refuse(format!("{seen} entries instead of {}", rows * cols)));
    }
    Ok(mat)
}

pub(super) fn write_array<W: Write + Seek>(
    npz: &mut npyz::npz::NpzWriter<W>,
    name: &str,
    shape: &[usize],
    mat: &Mat<f64>,
) -> std::io::Result<()> {
    let shape: Vec<u64> = shape.iter().map(|&s| s as u64).collect();
    // Not the time of day: equal points give equal files.
    let options = npyz::zip::write::FileOptions::default().last_modified_time(npyz::zip::DateTime::default());
    let mut writer = npz.array(name, options)?.default_dtype().shape(&shape).begin_nd()?;
    for i in 0..mat.nrows() {
        for j in 0..mat.ncols() {
            writer.push(&mat[(i, j)])?;
        }
    }
    writer.finish()
}
