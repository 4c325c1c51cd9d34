//! Tables of decimals: a sample a line, an optional line of names, an optional column of labels.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use super::{
    FeatureError,
    array::{Array, Element, Kind, Storage},
};

/// Longest line accepted, in bytes.
const MAX_LINE: u64 = 1 << 26;
/// Names of a column of labels.
const LABELS: [&str; 3] = ["label", "labels", "y"];

/// Which columns of a file make up an array.
#[derive(Debug, Clone)]
pub(super) struct Table {
    header: bool,
    columns: usize,
    /// The column of labels, left out of the features.
    label: Option<usize>,
    /// The array is that column.
    is_label: bool,
}

/// Lines of a file, bounded in length, without their ends; blank ones are passed over.
struct Lines {
    reader: BufReader<File>,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|e| e.to_string())?;
        Ok(Lines { reader: BufReader::with_capacity(1 << 20, file), number: 0, line: vec![] })
    }

    fn next(&mut self) -> Result<Option<&str>, String> {
        loop {
            self.line.clear();
            let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut self.line).map_err(|e| e.to_string())?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if read as u64 == MAX_LINE {
                return Err(format!("line {} is longer than {MAX_LINE} bytes", self.number));
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                break;
            }
        }
        let text = std::str::from_utf8(&self.line).map_err(|_| format!("line {} is not text", self.number))?;
        Ok(Some(text.trim_start_matches('\u{feff}').trim()))
    }
}

fn fields(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim)
}

/// The array `features` of a file, and `labels` when a column is called so: one pass to count and check the lines.
pub(super) fn open(path: &Path) -> Result<Vec<Array>, FeatureError> {
    let refuse = |reason: String| FeatureError::File { path: path.display().to_string(), reason };
    let mut lines = Lines::open(path).map_err(refuse)?;
    let first = lines.next().map_err(refuse)?.ok_or_else(|| refuse("no lines".into()))?;
    let names: Vec<String> = fields(first).map(str::to_owned).collect();
    let header = names.iter().any(|name| name.parse::<f64>().is_err());
    let label = header.then(|| names.iter().position(|name| LABELS.contains(&name.to_lowercase().as_str()))).flatten();
    let mut rows = u64::from(!header);
    while let Some(line) = lines.next().map_err(refuse)? {
        let found = fields(line).count();
        if found != names.len() {
            return Err(refuse(format!("line {} has {found} fields, the first {}", lines.number, names.len())));
        }
        rows += 1;
    }
    let element = Element { kind: Kind::Float, bytes: 8, big_endian: false };
    let array = |name: &str, columns: usize, is_label: bool| {
        let table = Table { header, columns: names.len(), label, is_label };
        let shape = if is_label { vec![rows] } else { vec![rows, columns as u64] };
        Array { path: path.into(), name: name.into(), shape, row_major: true, element, storage: Storage::Csv(table) }
    };
    let mut arrays = vec![array("features", names.len() - usize::from(label.is_some()), false)];
    if label.is_some() {
        arrays.push(array("labels", 1, true));
    }
    Ok(arrays)
}

/// The lines of a table, from the first on.
pub(super) struct Rows<'a> {
    table: Table,
    array: &'a Array,
    lines: Lines,
}

impl Table {
    pub fn rows<'a>(&self, array: &'a Array) -> Result<Rows<'a>, FeatureError> {
        let mut lines = Lines::open(&array.path).map_err(|e| array.error(e))?;
        if self.header {
            lines.next().map_err(|e| array.error(e))?;
        }
        Ok(Rows { table: self.clone(), array, lines })
    }
}

impl Rows<'_> {
    /// The next whole lines' numbers.
    pub fn read(&mut self, out: &mut [f64]) -> Result<(), FeatureError> {
        let Table { columns, label, is_label, .. } = self.table;
        let keep = |column: usize| (label == Some(column)) == is_label;
        let width = (0..columns).filter(|&c| keep(c)).count();
        for row in out.chunks_mut(width.max(1)) {
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Err(self.array.error("truncated: it ends before its entries do".into())),
                Err(reason) => return Err(self.array.error(reason)),
            };
            let mut row = row.iter_mut();
            let mut problem = None;
            for (column, field) in fields(line).enumerate().filter(|(c, _)| keep(*c)) {
                match (row.next(), field.parse::<f64>()) {
                    (Some(x), Ok(value)) => *x = value,
                    _ => problem = problem.or(Some((column, field.chars().take(40).collect::<String>()))),
                }
            }
            if let Some((column, field)) = problem {
                return Err(self.array.error(format!("line {}, field {}: `{field}` is not a number", self.lines.number, column + 1)));
            }
        }
        Ok(())
    }
}
