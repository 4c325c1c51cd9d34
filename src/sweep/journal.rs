//! The journal of a sweep: a header, then one line for each finished instance, appended and never rewritten.
//!
//! A line is the first 16 hexadecimal digits of the SHA-256 of its JSON text, a space, that text, and a newline. A process that is killed
//! while it writes leaves at most a torn last line, which is dropped: its instance is solved again. Lines of a killed process are in the
//! system's hands; against a loss of power the file is synchronised at most once a second, and at the end.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{grid::hex, run::Record};

/// Why a journal cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("another process is at work on this sweep")]
    Locked,
    #[error("the journal is damaged at line {line}, which is not its last; remove the folder to start again")]
    Damaged { line: usize },
    #[error("not a journal of this program's sweeps")]
    Foreign,
    #[error("the journal is larger than 4 GiB")]
    TooLarge,
}

/// The first line: what the journal belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The format of the lines.
    pub format: u32,
    pub version: String,
    pub grid: String,
    pub instances: usize,
    pub shard: String,
}

pub(super) const FORMAT: u32 = 1;
const CHECKSUM_CHARS: usize = 16;
const MAX_BYTES: u64 = 4 << 30;
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// An open journal, locked against other processes until it is dropped or the process ends.
pub(super) struct Journal {
    file: File,
    synced: Instant,
}

/// What a journal holds: its header when that was written whole, and its records.
pub(super) struct Contents {
    pub header: Option<Header>,
    pub records: Vec<Record>,
    /// Bytes up to the end of the last whole line.
    length: usize,
}

impl Journal {
    /// Opens or creates a journal, locks it and drops a torn last line.
    pub fn open(path: &Path) -> Result<(Journal, Contents), JournalError> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => JournalError::Locked,
            TryLockError::Error(e) => JournalError::Io(e),
        })?;
        let bytes = read_all(&mut file)?;
        let contents = parse(&bytes)?;
        if contents.length < bytes.len() {
            file.set_len(contents.length as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok((Journal { file, synced: Instant::now() }, contents))
    }

    pub fn begin(&mut self, header: &Header) -> std::io::Result<()> {
        self.file.write_all(&line(header))?;
        self.sync()
    }

    /// Appends a finished instance by a single write.
    pub fn append(&mut self, record: &Record) -> std::io::Result<()> {
        self.file.write_all(&line(record))?;
        if self.synced.elapsed() >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    pub fn sync(&mut self) -> std::io::Result<()> {
        self.synced = Instant::now();
        self.file.sync_data()
    }
}

/// Reads a journal without changing it; refused while another process writes it.
pub(super) fn read(path: &Path) -> Result<Contents, JournalError> {
    let mut file = File::open(path)?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Err(JournalError::Locked),
        Err(TryLockError::Error(e)) => return Err(JournalError::Io(e)),
        Ok(()) => {}
    }
    parse(&read_all(&mut file)?)
}

fn read_all(file: &mut File) -> Result<Vec<u8>, JournalError> {
    if file.metadata()?.len() > MAX_BYTES {
        return Err(JournalError::TooLarge);
    }
    let mut bytes = vec![];
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..CHECKSUM_CHARS / 2])
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and options: nothing that JSON cannot write.
    let text = serde_json::to_string(value).unwrap_or_default();
    format!("{} {text}\n", checksum(&text)).into_bytes()
}

fn read_line<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (sum, text) = line.split_at_checked(CHECKSUM_CHARS)?;
    let text = text.strip_prefix(' ')?;
    (sum == checksum(text)).then(|| serde_json::from_str(text).ok())?
}

/// Header and records of the whole lines; a last line that is not whole is left out.
fn parse(bytes: &[u8]) -> Result<Contents, JournalError> {
    let mut contents = Contents { header: None, records: vec![], length: 0 };
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
    for (i, line) in lines.iter().enumerate() {
        let read = if i == 0 {
            contents.header = read_line(line);
            contents.header.is_some()
        } else {
            read_line(line).map(|record| contents.records.push(record)).is_some()
        };
        match (read, i + 1 == lines.len()) {
            (true, _) => contents.length += line.len(),
            // A torn header has no newline: anything else is some other file.
            (false, true) if i > 0 || !line.ends_with(b"\n") => break,
            (false, _) if i == 0 => return Err(JournalError::Foreign),
            (false, _) => return Err(JournalError::Damaged { line: i + 1 }),
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Outcome;
    use super::*;

    fn journal() -> Vec<u8> {
        let header = Header { format: FORMAT, version: "0".into(), grid: "g".into(), instances: 3, shard: "1/1".into() };
        let record = |index| Record { index, key: format!("k{index}"), seconds: 0.5, outcome: Outcome::default() };
        [line(&header), line(&record(0)), line(&record(1)), line(&record(2))].concat()
    }

    #[test]
    fn a_journal_cut_at_any_byte_keeps_its_whole_lines() {
        let whole = journal();
        for cut in 0..=whole.len() {
            let lines = whole[..cut].iter().filter(|&&b| b == b'\n').count();
            let contents = parse(&whole[..cut]).unwrap();
            assert_eq!(contents.header.is_some(), lines > 0);
            assert_eq!(contents.records.len(), lines.saturating_sub(1));
            assert_eq!(contents.length, whole[..cut].iter().rposition(|&b| b == b'\n').map_or(0, |p| p + 1));
        }
    }

    #[test]
    fn any_changed_byte_of_a_whole_line_is_seen() {
        let whole = journal();
        let starts: Vec<usize> = (0..whole.len()).filter(|&i| i == 0 || whole[i - 1] == b'\n').collect();
        for at in starts[1]..starts[2] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(matches!(parse(&bytes), Err(JournalError::Damaged { line: 2 })), "byte {at}");
        }
        for at in starts[3]..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(parse(&bytes).unwrap().records.len(), 2, "byte {at}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(parse(b"name,value\n1,2\n"), Err(JournalError::Foreign)));
        assert!(matches!(parse(b"name,value\n"), Err(JournalError::Foreign)));
    }
}
