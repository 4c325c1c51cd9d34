//! Reading certificates: lines, fields and numbers in their one canonical spelling.

use num_bigint::BigInt;

use crate::dyadic::Dyadic;
use crate::int::Int;
use crate::matrix::{Mat, parallel};

/// Why a check ended without a verified claim.
#[derive(Debug)]
pub(crate) enum Fail {
    Rejected { line: usize, reason: String },
    Unsupported(String),
}

pub(crate) fn rejected<T>(line: usize, reason: impl Into<String>) -> Result<T, Fail> {
    Err(Fail::Rejected { line, reason: reason.into() })
}

pub(crate) fn require(holds: bool, line: usize, reason: &str) -> Result<(), Fail> {
    if holds { Ok(()) } else { rejected(line, reason) }
}

/// Exponents of two lie in [-100000, 100000].
const MAX_EXPONENT: i64 = 100_000;
/// Longest HEX read, in characters: longer numbers would take minutes to multiply.
const MAX_HEX: usize = 1 << 20;

/// The lines of a certificate, one after the other.
pub(crate) struct Reader<'a> {
    pub rest: &'a [u8],
    /// Number of the line read last, from 1.
    pub line: usize,
}

impl<'a> Reader<'a> {
    /// The next line, without the `\n` that must end it.
    pub fn next_line(&mut self) -> Result<&'a [u8], Fail> {
        self.line += 1;
        let Some(end) = self.rest.iter().position(|&c| c == b'\n') else {
            return self.reject("the file ends before this line does");
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(line)
    }

    /// The next line as the given words followed by one field.
    pub fn field_after(&mut self, words: &str) -> Result<&'a [u8], Fail> {
        let line = self.next_line()?;
        match line.strip_prefix(words.as_bytes()).and_then(|r| r.strip_prefix(b" ")) {
            Some(field) => Ok(field),
            None => self.reject(format!("expected `{words} ...`, found `{}`", shown(line))),
        }
    }

    /// The line `end`, and nothing after it.
    pub fn end(&mut self) -> Result<(), Fail> {
        let line = self.next_line()?;
        if line != b"end" {
            return self.reject(format!("expected `end`, found `{}`", shown(line)));
        }
        if self.rest.is_empty() { Ok(()) } else { rejected(self.line + 1, "text after `end`") }
    }

    /// The matrix section `name` of the given size; `cols = Err(most)` lets the header choose 0..=most columns.
    ///
    /// Memory follows the entries that are really there: a header promising more than the rest of the file could hold is
    /// refused. A matrix without columns has no row lines.
    pub fn matrix(&mut self, name: &str, rows: usize, cols: Result<usize, usize>) -> Result<Mat, Fail> {
        let numbers: Option<Vec<i64>> = self.field_after(name)?.split(|&c| c == b' ').map(integer).collect();
        let header = numbers.and_then(|n| <[i64; 3]>::try_from(n).ok());
        let Some([found_rows, found_cols, e]) = header.filter(|h| h[2].abs() <= MAX_EXPONENT) else {
            return self.reject("the header is not `NAME ROWS COLS EXP` with canonical numbers in range");
        };
        let found = usize::try_from(found_cols).ok();
        let cols = found.filter(|found| cols.map_or_else(|most| *found <= most, |cols| *found == cols));
        let (Some(cols), true) = (cols, found_rows == rows as i64) else {
            return self.reject(format!("`{name}` is {found_rows} x {found_cols}, which is not the problem's size"));
        };
        if rows.checked_mul(cols).and_then(|n| n.checked_mul(2)).is_none_or(|least| least > self.rest.len()) {
            return self.reject(format!("the file is too short to hold `{name}`"));
        }
        let first = self.line + 1;
        let (mut lines, mut end) = (Vec::new(), Ok(()));
        for _ in 0..if cols == 0 { 0 } else { rows } {
            match self.next_line() {
                Ok(line) => lines.push(line),
                Err(fail) => {
                    end = Err(fail);
                    break;
                }
            }
        }
        let mut m = Vec::with_capacity(lines.len() * cols);
        for (i, row) in parallel(lines.len(), 20 * cols, |i| entries(lines[i], cols)).into_iter().enumerate() {
            m.extend(row.or_else(|reason| rejected(first + i, reason))?);
        }
        end.map(|()| Mat { rows, cols, e, m })
    }

    /// The bound on the line `claim NAME RELATION DYADIC`.
    pub fn claim(&mut self, name: &str, relation: &str) -> Result<Dyadic, Fail> {
        let field = self.field_after(&format!("claim {name} {relation}"))?;
        dyadic(field).map_or_else(|| self.reject(format!("not a canonical DYADIC in range: `{}`", shown(field))), Ok)
    }

    pub fn reject<T>(&self, reason: impl Into<String>) -> Result<T, Fail> {
        rejected(self.line, reason)
    }
}

/// The `cols` numbers of a row.
fn entries(line: &[u8], cols: usize) -> Result<Vec<Int>, String> {
    let mut row = Vec::with_capacity(cols.min(line.len()));
    for field in line.split(|&c| c == b' ') {
        match hexadecimal(field) {
            Some(x) if row.len() < cols => row.push(x),
            Some(_) => return Err(format!("more than {cols} entries")),
            None => {
                return Err(format!("entry {} is not a canonical HEX of at most 2^20 digits: `{}`", row.len() + 1, shown(field)));
            }
        }
    }
    if row.len() == cols { Ok(row) } else { Err(format!("{} entries instead of {cols}", row.len())) }
}

/// Printable ASCII, at most 40 bytes of the original.
pub(crate) fn shown(text: &[u8]) -> String {
    let dots = if text.len() > 40 { "..." } else { "" };
    format!("{}{dots}", text[..text.len().min(40)].escape_ascii())
}

/// Digits without leading zeros after an optional minus sign that zero does not take.
fn canonical(field: &[u8], digit: impl Fn(u8) -> bool) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    match digits.first() {
        None => false,
        Some(b'0') => field.len() == 1,
        Some(_) => digits.iter().all(|&c| digit(c)),
    }
}

/// INT, below 10^18 in magnitude.
pub(crate) fn integer(field: &[u8]) -> Option<i64> {
    let plausible = field.len() <= 19 && canonical(field, |c| c.is_ascii_digit());
    std::str::from_utf8(field).ok().filter(|_| plausible)?.parse().ok()
}

fn exponent(field: &[u8]) -> Option<i64> {
    integer(field).filter(|e| e.abs() <= MAX_EXPONENT)
}

fn hexadecimal(field: &[u8]) -> Option<Int> {
    let plausible = field.len() <= MAX_HEX && canonical(field, |c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    if !plausible {
        return None;
    }
    let (negative, digits) = field.strip_prefix(b"-").map_or((false, field), |digits| (true, digits));
    if digits.len() > 31 {
        return BigInt::parse_bytes(field, 16).map(Int::from);
    }
    let value = |c: u8| i128::from(if c <= b'9' { c - b'0' } else { c - b'a' + 10 });
    let size = digits.iter().fold(0, |x, &c| x << 4 | value(c));
    Some(Int::Small(if negative { -size } else { size }))
}

fn dyadic(field: &[u8]) -> Option<Dyadic> {
    let star = field.iter().position(|&c| c == b'*')?;
    Some(Dyadic { m: hexadecimal(&field[..star])?.big().into_owned(), e: exponent(field[star..].strip_prefix(b"*2^")?)? })
}
