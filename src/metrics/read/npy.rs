//! Headers of npy arrays, format 1.0 to 3.0.

use std::io::Read;

use super::array::Element;

/// Longest header accepted, in bytes: numpy's own for plain arrays are 118.
const MAX_HEADER: usize = 4096;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub element: Element,
    pub row_major: bool,
    pub shape: Vec<u64>,
    /// Bytes before the entries.
    pub length: u64,
}

/// Reads magic, version, length and dictionary.
pub(super) fn read_header(reader: &mut impl Read) -> Result<Header, String> {
    let truncated = |_| "truncated: not a whole npy header".to_owned();
    let mut start = [0; 8];
    reader.read_exact(&mut start).map_err(truncated)?;
    if &start[..6] != b"\x93NUMPY" || !(1..=3).contains(&start[6]) {
        return Err("not an npy array".into());
    }
    let width = if start[6] == 1 { 2 } else { 4 };
    let mut length = [0; 4];
    reader.read_exact(&mut length[..width]).map_err(truncated)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_HEADER {
        return Err(format!("an npy header of {length} bytes; at most {MAX_HEADER} are allowed"));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(truncated)?;
    let text = String::from_utf8(text).map_err(|_| "its npy header is not text".to_owned())?;
    let mut header = parse(&text)?;
    header.length = (8 + width + length) as u64;
    Ok(header)
}

/// The dictionary `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }`.
fn parse(text: &str) -> Result<Header, String> {
    let malformed = || "its npy header is malformed".to_owned();
    let body = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(malformed)?;
    let value = |key: &str| {
        let key = format!("'{key}':");
        let mut parts = body.split(&key);
        let rest = parts.nth(1).ok_or_else(malformed)?;
        if parts.next().is_some() { Err(malformed()) } else { Ok(rest.trim_start()) }
    };
    let descr = value("descr")?;
    let descr = descr.strip_prefix('\'').and_then(|t| t.split_once('\'')).map(|(d, _)| d);
    let descr = descr.ok_or("its entries are records; a plain numeric dtype is demanded")?;
    let order = value("fortran_order")?;
    let row_major = if order.starts_with("False") {
        true
    } else if order.starts_with("True") {
        false
    } else {
        return Err(malformed());
    };
    let shape = value("shape")?.strip_prefix('(').and_then(|t| t.split_once(')')).ok_or_else(malformed)?.0;
    let sizes = shape.split(',').map(str::trim).filter(|s| !s.is_empty());
    let shape: Vec<u64> = sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| format!("shape ({shape}) is not one of sizes"))?;
    Ok(Header { element: element(descr)?, row_major, shape, length: 0 })
}

fn element(descr: &str) -> Result<Element, String> {
    let refuse = || format!("dtype '{descr}'; floating point of 2, 4 or 8 bytes, or integers, are allowed");
    let mut chars = descr.chars();
    let big_endian = match chars.next() {
        Some('>') => true,
        Some('<') => false,
        // One byte has no order; `=` would mean that of an unknown machine.
        Some('|') if descr.ends_with('1') => false,
        _ => return Err(refuse()),
    };
    let kind = chars.next().ok_or_else(refuse)?;
    let bytes = chars.as_str().parse().map_err(|_| refuse())?;
    if kind == 'b' {
        // Truth values here, brain floating point in `Element::new`.
        return Err(refuse());
    }
    Element::new(kind, bytes, big_endian).ok_or_else(refuse)
}
