//! An array of a file: where its bytes are and what they mean.

use std::{
    fs::File,
    io::{BufReader, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use npyz::zip::ZipArchive;
use rayon::prelude::*;

use super::{FeatureError, csv};

/// Type of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    /// The upper half of a 32-bit float.
    Brain,
    Signed,
    Unsigned,
}

/// Type, width and byte order of the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub kind: Kind,
    pub bytes: usize,
    pub big_endian: bool,
}

impl Element {
    /// The element of a kind letter (`f`, `i`, `u`, `b` for bfloat16) and width, when it is supported.
    pub fn new(kind: char, bytes: usize, big_endian: bool) -> Option<Self> {
        let kind = match (kind, bytes) {
            ('f', 2 | 4 | 8) => Kind::Float,
            ('b', 2) => Kind::Brain,
            ('i', 1 | 2 | 4 | 8) => Kind::Signed,
            ('u', 1 | 2 | 4 | 8) => Kind::Unsigned,
            _ => return None,
        };
        Some(Element { kind, bytes, big_endian })
    }

    /// The bytes of one entry as an integer, least byte first.
    fn bits(self, bytes: &[u8]) -> u64 {
        let fold = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, fold) } else { bytes.iter().rev().fold(0, fold) }
    }

    /// Floating-point entries as doubles.
    fn decode(self, bytes: &[u8], out: &mut [f64]) {
        match (self.bytes, self.big_endian) {
            (8, false) => {
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *x = f64::from_le_bytes(*b);
                }
            }
            (8, true) => {
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<8>().0) {
                    *x = f64::from_be_bytes(*b);
                }
            }
            (4, false) => {
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *x = f64::from(f32::from_le_bytes(*b));
                }
            }
            (4, true) => {
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                    *x = f64::from(f32::from_be_bytes(*b));
                }
            }
            (_, big_endian) => {
                for (x, b) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    let bits = if big_endian { u16::from_be_bytes(*b) } else { u16::from_le_bytes(*b) };
                    *x = if self.kind == Kind::Brain { f64::from(f32::from_bits(u32::from(bits) << 16)) } else { half(bits) };
                }
            }
        }
    }

    /// An integer entry; `None` outside i64.
    fn integer(self, bytes: &[u8]) -> Option<i64> {
        let bits = self.bits(bytes);
        match self.kind {
            Kind::Signed => {
                let shift = 64 - 8 * self.bytes as u32;
                Some((bits << shift) as i64 >> shift)
            }
            _ => i64::try_from(bits).ok(),
        }
    }
}

/// An IEEE 754 number of 16 bits: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum Storage {
    /// From `offset` of the file on, as they are.
    File { file: Arc<File>, offset: u64 },
    /// Compressed, in a member of an archive, after `skip` bytes.
    Zip { index: usize, skip: u64 },
    /// In memory.
    Memory(Arc<Vec<u8>>),
    /// Decimal text.
    Csv(csv::Table),
}

/// An array of an npy, npz, safetensors or CSV file; its entries are read when they are asked for.
#[derive(Debug, Clone)]
pub struct Array {
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) row_major: bool,
    pub(super) element: Element,
    pub(super) storage: Storage,
}

/// Entries that one task converts.
const TASK_ENTRIES: usize = 1 << 15;

/// Reads a stream of entries in order, or at any place.
pub(super) enum EntryReader<'a> {
    Random(&'a Array),
    Stream(&'a Array, Box<dyn Read + 'a>),
    Text(csv::Rows<'a>),
}

impl EntryReader<'_> {
    /// The entries from `first` on; streams ignore `first` and go on where they were.
    pub fn read(&mut self, first: u64, out: &mut [f64]) -> Result<(), FeatureError> {
        match self {
            EntryReader::Random(array) => array.read_at(first, out),
            EntryReader::Text(rows) => rows.read(out),
            EntryReader::Stream(array, stream) => {
                let size = array.element.bytes;
                let mut bytes = vec![0; TASK_ENTRIES * size];
                for part in out.chunks_mut(TASK_ENTRIES) {
                    let bytes = &mut bytes[..part.len() * size];
                    stream.read_exact(bytes).map_err(|e| array.error(io_reason(&e)))?;
                    array.element.decode(bytes, part);
                }
                Ok(())
            }
        }
    }
}

fn io_reason(e: &std::io::Error) -> String {
    if e.kind() == std::io::ErrorKind::UnexpectedEof { "truncated: it ends before its entries do".into() } else { e.to_string() }
}

impl Array {
    /// Its name in the file; the file's own for single arrays.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape, outermost size first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// Whether its entries are floating point.
    pub fn is_float(&self) -> bool {
        matches!(self.element.kind, Kind::Float | Kind::Brain)
    }

    pub(super) fn is_row_major(&self) -> bool {
        self.row_major
    }

    pub(super) fn is_random_access(&self) -> bool {
        matches!(self.storage, Storage::File { .. } | Storage::Memory(_))
    }

    /// Machine epsilon of floating-point entries.
    pub(super) fn epsilon(&self) -> Option<f64> {
        match (self.element.kind, self.element.bytes) {
            (Kind::Float, 2) => Some(2f64.powi(-10)),
            (Kind::Float, 4) => Some(f64::from(f32::EPSILON)),
            (Kind::Float, _) => Some(f64::EPSILON),
            (Kind::Brain, _) => Some(2f64.powi(-7)),
            _ => None,
        }
    }

    pub(super) fn type_name(&self) -> String {
        let kind = match self.element.kind {
            Kind::Float => "floating-point",
            Kind::Brain => "brain floating-point",
            Kind::Signed => "integer",
            Kind::Unsigned => "unsigned integer",
        };
        format!("{}-bit {kind}", 8 * self.element.bytes)
    }

    pub(super) fn error(&self, reason: String) -> FeatureError {
        FeatureError::Array { path: self.path.display().to_string(), name: self.name.clone(), reason }
    }

    /// Number of entries; shapes are checked for overflow when the array is opened.
    fn entries(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Refuses an array whose file ends before its entries do.
    pub(super) fn check_length(self, available: u64) -> Result<Self, FeatureError> {
        let entries = self.shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
        match entries.and_then(|n| n.checked_mul(self.element.bytes as u64)) {
            None => Err(self.error(format!("shape {:?} is beyond any memory", self.shape))),
            Some(bytes) if bytes > available => {
                Err(self.error(format!("truncated: shape {:?} takes {bytes} bytes, {available} are there", self.shape)))
            }
            Some(_) => Ok(self),
        }
    }

    /// Floating-point entries from `first` on, of a file or memory.
    pub(super) fn read_at(&self, first: u64, out: &mut [f64]) -> Result<(), FeatureError> {
        let size = self.element.bytes;
        match &self.storage {
            Storage::File { file, offset } => {
                let read = |buffer: &mut Vec<u8>, (index, part): (usize, &mut [f64])| {
                    let at = offset + (first + (index * TASK_ENTRIES) as u64) * size as u64;
                    buffer.resize(part.len() * size, 0);
                    file.read_exact_at(buffer, at).map_err(|e| self.error(io_reason(&e)))?;
                    self.element.decode(buffer, part);
                    Ok(())
                };
                if out.len() <= TASK_ENTRIES {
                    return read(&mut vec![], (0, out));
                }
                out.par_chunks_mut(TASK_ENTRIES).enumerate().try_for_each_init(Vec::new, read)
            }
            Storage::Memory(bytes) => {
                let range = first as usize * size..(first as usize + out.len()) * size;
                let bytes = bytes.get(range).ok_or_else(|| self.error("truncated: it ends before its entries do".into()))?;
                self.element.decode(bytes, out);
                Ok(())
            }
            Storage::Zip { .. } | Storage::Csv(_) => Err(self.error("it can only be read from its start".into())),
        }
    }

    /// Calls `body` with a reader at the first entry.
    pub(super) fn stream(&self, body: &mut dyn FnMut(&mut EntryReader<'_>) -> Result<(), FeatureError>) -> Result<(), FeatureError> {
        match &self.storage {
            Storage::File { .. } | Storage::Memory(_) => body(&mut EntryReader::Random(self)),
            Storage::Csv(table) => body(&mut EntryReader::Text(table.rows(self)?)),
            Storage::Zip { index, skip } => {
                let mut archive = open_archive(&self.path)?;
                let mut member = archive.by_index(*index).map_err(|e| self.error(e.to_string()))?;
                std::io::copy(&mut (&mut member).take(*skip), &mut std::io::sink()).map_err(|e| self.error(io_reason(&e)))?;
                body(&mut EntryReader::Stream(self, Box::new(member)))
            }
        }
    }

    /// The same array with its bytes in memory, at most `limit` of them.
    pub(super) fn inflate(&self, limit: u64) -> Result<Array, FeatureError> {
        let bytes = self.entries() * self.element.bytes as u64;
        if bytes > limit {
            return Err(self.error(format!(
                "{bytes} bytes in compressed or text form, stored coordinate by coordinate; at most {limit} are read so: save it uncompressed"
            )));
        }
        let bytes = self.bytes(bytes)?;
        let element =
            if matches!(self.storage, Storage::Csv(_)) { Element { bytes: 8, big_endian: false, ..self.element } } else { self.element };
        Ok(Array { storage: Storage::Memory(Arc::new(bytes)), element, ..self.clone() })
    }

    /// All bytes of the entries, `count` in number; memory grows only as they arrive.
    fn bytes(&self, count: u64) -> Result<Vec<u8>, FeatureError> {
        let mut out = vec![];
        match &self.storage {
            Storage::Memory(bytes) => out.extend_from_slice(bytes),
            Storage::File { file, offset } => {
                // The length was checked against the file's.
                out.resize(count as usize, 0);
                file.read_exact_at(&mut out, *offset).map_err(|e| self.error(io_reason(&e)))?;
            }
            Storage::Csv(_) => self.stream(&mut |reader| {
                let mut values = vec![0.0; self.entries() as usize];
                reader.read(0, &mut values)?;
                out = values.iter().flat_map(|x| x.to_le_bytes()).collect();
                Ok(())
            })?,
            Storage::Zip { .. } => self.stream(&mut |reader| {
                if let EntryReader::Stream(_, stream) = reader {
                    stream.take(count).read_to_end(&mut out).map_err(|e| self.error(io_reason(&e)))?;
                }
                Ok(())
            })?,
        }
        if out.len() as u64 != count {
            return Err(self.error("truncated: it ends before its entries do".into()));
        }
        Ok(out)
    }

    /// Floating-point entries, row by row, at most 2^27 of them.
    ///
    /// # Errors
    /// [`FeatureError`] for other types, larger arrays, unreadable files and entries that are not finite.
    pub fn to_rows(&self) -> Result<Vec<f64>, FeatureError> {
        if !self.is_float() {
            return Err(self.error(format!("{} entries; floating point is demanded", self.type_name())));
        }
        let array = self.inflate(1 << 30)?;
        let mut values = vec![0.0; self.entries() as usize];
        array.read_at(0, &mut values)?;
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(self.error(format!("entry {at} is {}; entries must be finite", values[at])));
        }
        if let (false, &[rows, cols]) = (self.row_major, self.shape()) {
            let (rows, cols) = (rows as usize, cols as usize);
            values = (0..rows * cols).map(|t| values[(t % cols) * rows + t / cols]).collect();
        }
        Ok(values)
    }

    /// Integer entries as labels, at most 2^28 of them.
    ///
    /// # Errors
    /// [`FeatureError`] for other types, larger arrays, unreadable files and values outside 0 to 2^32 − 2.
    pub fn to_labels(&self) -> Result<Vec<u32>, FeatureError> {
        if let Storage::Csv(_) = self.storage {
            let label = |(at, x): (usize, &f64)| {
                let whole = x.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(x);
                if whole { Ok(*x as u32) } else { Err(self.error(format!("label {at} is {x}; labels are integers from 0"))) }
            };
            return self.to_rows()?.iter().enumerate().map(label).collect();
        }
        if self.is_float() {
            return Err(self.error(format!("{} entries; labels are integers", self.type_name())));
        }
        let array = self.inflate(1 << 31)?;
        let Storage::Memory(bytes) = &array.storage else { return Err(self.error("not read".into())) };
        let label = |(at, bytes): (usize, &[u8])| {
            let value = self.element.integer(bytes);
            let in_range = value.and_then(|x| u32::try_from(x).ok()).filter(|x| *x < u32::MAX);
            in_range.ok_or_else(|| {
                let shown = value.map_or_else(|| "beyond 64 bits".to_owned(), |x| x.to_string());
                self.error(format!("label {at} is {shown}; labels are integers from 0"))
            })
        };
        bytes.chunks_exact(self.element.bytes).enumerate().map(label).collect()
    }
}

/// Opens a zip archive.
pub(super) fn open_archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, FeatureError> {
    let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
    let file = File::open(path).map_err(|e| refuse(e.to_string()))?;
    ZipArchive::new(BufReader::new(file)).map_err(|e| refuse(format!("not an npz file ({e})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_follows_the_standard() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333251953125),
            (0x7bff, 65504.0),
            (0x0001, 2f64.powi(-24)),
            (0x03ff, 6.097555160522461e-5),
            (0x0400, 6.103515625e-5),
            (0x7c00, f64::INFINITY),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x8000).is_sign_negative() && half(0x7c01).is_nan() && half(0xffff).is_nan());
        // Every finite one is the neighbour of the next by the spacing of its binade.
        for bits in 0..0x7bffu16 {
            let spacing = 2f64.powi(i32::from(bits >> 10).max(1) - 25);
            assert_eq!(half(bits + 1) - half(bits), spacing, "{bits:04x}");
        }
    }
}
