//! Running a grid in a folder, and joining the folders of its shards.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Instant,
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Grid, GridError,
    journal::{self, Contents, FORMAT, Header, Journal, JournalError},
    outcome::{Outcome, SweepStatus, solve_instance},
    table,
};

/// The files of a sweep's folder.
const JOURNAL: &str = "journal";
const GRID: &str = "grid.toml";
const CSV: &str = "results.csv";
const SECONDS: &str = "seconds.csv";
const JSON: &str = "results.json";

/// Grid files beyond this are refused.
pub(crate) const MAX_GRID_BYTES: u64 = 16 << 20;

/// Part I of N of a grid, I from 1: the instances with index ≡ I − 1 modulo N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    pub number: usize,
    pub of: usize,
}

impl Shard {
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Whether an instance belongs to the shard.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }

    /// `I/N`.
    pub fn name(self) -> String {
        format!("{}/{}", self.number, self.of)
    }
}

/// A finished instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub index: usize,
    /// The key of [`super::Instance`].
    pub key: String,
    /// Wall time; the one thing that differs between runs.
    pub seconds: f64,
    pub outcome: Outcome,
}

/// A finished sweep, or a finished shard of one.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub grid: Grid,
    pub shard: Shard,
    /// One for each instance of the shard, by index.
    pub records: Vec<Record>,
    /// Instances solved by this run; the others were in the journal.
    pub computed: usize,
    /// The results as a table and as JSON, and the table of times.
    pub csv: PathBuf,
    pub json: PathBuf,
    pub seconds: PathBuf,
}

impl Sweep {
    /// Whether every instance holds.
    pub fn holds(&self) -> bool {
        self.records.iter().all(|r| r.outcome.status == SweepStatus::Holds)
    }

    /// Instances whose measured modes are not those of theory, and those that could be compared.
    pub fn disagreements(&self) -> (usize, usize) {
        let compared = || self.records.iter().filter_map(|r| r.outcome.agrees());
        (compared().filter(|agrees| !agrees).count(), compared().count())
    }
}

/// Reported when an instance is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepProgress {
    /// Finished, those of earlier runs among them.
    pub done: usize,
    /// Found in the journal.
    pub resumed: usize,
    pub of: usize,
}

/// Why a sweep could not be run or merged.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Journal { path: PathBuf, source: JournalError },
    #[error(transparent)]
    Grid(#[from] GridError),
    #[error("{}: {source}", path.display())]
    GridFile { path: PathBuf, source: GridError },
    #[error("{} holds a sweep already: continue it with --resume, or choose another folder", .0.display())]
    Exists(PathBuf),
    #[error("{} is not empty and holds no sweep; choose another folder", .0.display())]
    Occupied(PathBuf),
    #[error("{} belongs to another run: its {what} is {found}, not {wanted}", path.display())]
    Mismatch { path: PathBuf, what: &'static str, found: String, wanted: String },
    #[error("{}: the journal has instance {index} {why}", path.display())]
    Record { path: PathBuf, index: usize, why: &'static str },
    #[error("{missing} of {of} instances are missing: {shown}")]
    Missing { missing: usize, of: usize, shown: String },
    #[error("instance {index} has different results in {} and {}", first.display(), second.display())]
    Conflict { index: usize, first: PathBuf, second: PathBuf },
}

/// Solves every instance of a grid that the folder's journal does not have yet, in parallel over instances, then writes the tables
/// `results.csv` and `seconds.csv` there (`results.json` has the same results, `grid.toml`, a copy of the grid).
///
/// Guarantee: the same `results.csv` and `results.json` for any number of threads, interruptions and shards (after [`merge`]), unless a time limit ends a
/// run; an instance is solved again only if the process was killed before its line was written. The folder is locked while the sweep
/// runs; the lock of a killed process is gone with it.
///
/// With `resume` a sweep of the same grid, version and shard in the folder is continued, and a new one begun where there is none;
/// without it a folder that holds one is refused. `progress` is called from several threads.
///
/// # Errors
/// [`SweepError`]: a folder that belongs to something else, another process at work in it, a damaged journal, files that cannot be
/// written.
///
/// ```
/// use ufm::sweep::{Grid, Shard, run};
/// let text = "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = [2, 3]\nper_class = 1\ndim = 'K'\nlambda = ['0.1', '0.2']";
/// let folder = tempfile::tempdir().unwrap();
/// let sweep = |resume| run(Grid::from_toml(text).unwrap(), text, folder.path(), Shard::WHOLE, resume, &|_| {}).unwrap();
/// assert_eq!(sweep(false).computed, 4);
/// assert_eq!(sweep(true).computed, 0);
/// ```
pub fn run(
    grid: Grid,
    text: &str,
    folder: &Path,
    shard: Shard,
    resume: bool,
    progress: &(dyn Fn(SweepProgress) + Sync),
) -> Result<Sweep, SweepError> {
    let wanted = header(&grid, shard);
    let (mut journal, records) = open(&grid, text, folder, shard, resume, &wanted)?;
    let mut done: BTreeMap<usize, Record> = records.into_iter().map(|r| (r.index, r)).collect();
    let resumed = done.len();
    let left: Vec<usize> = (0..grid.instances.len()).filter(|&i| shard.has(i) && !done.contains_key(&i)).collect();
    let of = resumed + left.len();
    progress(SweepProgress { done: resumed, resumed, of });
    let (count, stop) = (AtomicUsize::new(resumed), AtomicBool::new(false));
    let journal_path = folder.join(JOURNAL);
    let shared = Mutex::new(&mut journal);
    let solved: Vec<Record> = left
        .par_iter()
        .with_max_len(1)
        .filter(|_| !stop.load(Ordering::Relaxed))
        .map(|&index| {
            let instance = &grid.instances[index];
            let started = Instant::now();
            let outcome = solve_instance(instance, &grid.options)?;
            let record = Record { index, key: instance.key.clone(), seconds: started.elapsed().as_secs_f64(), outcome };
            let mut journal = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            journal.append(&record).map_err(|source| {
                stop.store(true, Ordering::Relaxed);
                SweepError::Io { path: journal_path.clone(), source }
            })?;
            drop(journal);
            progress(SweepProgress { done: count.fetch_add(1, Ordering::Relaxed) + 1, resumed, of });
            Ok(record)
        })
        .collect::<Result<_, SweepError>>()?;
    let computed = solved.len();
    done.extend(solved.into_iter().map(|r| (r.index, r)));
    journal.sync().map_err(io(&journal_path))?;
    finish(grid, shard, done.into_values().collect(), computed, folder)
}

/// Joins the folders of shards, or of any runs of one grid, into a new folder that holds the whole sweep.
///
/// # Errors
/// [`SweepError`]: folders of other grids or versions, instances that are missing (and which) or whose results differ, and an output
/// folder that is not empty. OUT appears when it is whole; a killed merge leaves OUT.partial, which the next one carries on with.
pub fn merge(folders: &[PathBuf], out: &Path) -> Result<Sweep, SweepError> {
    let mut whole: Option<(Grid, String)> = None;
    let mut found: BTreeMap<usize, (Record, PathBuf)> = BTreeMap::new();
    for folder in folders {
        if whole.is_none() {
            let path = folder.join(GRID);
            let text = read_grid(&path).map_err(io(&path))?;
            let grid = Grid::from_toml(&text).map_err(|source| SweepError::GridFile { path, source })?;
            whole = Some((grid, text));
        }
        let Some((grid, _)) = &whole else { continue };
        let path = folder.join(JOURNAL);
        let contents = journal::read(&path).map_err(|source| SweepError::Journal { path: path.clone(), source })?;
        let Some(header) = &contents.header else {
            return Err(SweepError::Journal { path, source: JournalError::Foreign });
        };
        let shard = shard_of(&header.shard).ok_or_else(|| SweepError::Journal { path: path.clone(), source: JournalError::Foreign })?;
        matches(&path, header, &self::header(grid, shard))?;
        for record in checked(&path, grid, shard, contents.records)? {
            match found.get(&record.index) {
                Some((earlier, first)) if earlier.outcome != record.outcome => {
                    return Err(SweepError::Conflict { index: record.index, first: first.clone(), second: folder.clone() });
                }
                Some(_) => {}
                None => {
                    found.insert(record.index, (record, folder.clone()));
                }
            }
        }
    }
    let Some((grid, text)) = whole else {
        return Err(SweepError::Missing { missing: 0, of: 0, shown: "no folders were given".into() });
    };
    let missing: Vec<usize> = (0..grid.instances.len()).filter(|i| !found.contains_key(i)).collect();
    if !missing.is_empty() {
        return Err(SweepError::Missing { missing: missing.len(), of: grid.instances.len(), shown: intervals(&missing) });
    }
    let records: Vec<Record> = found.into_values().map(|(record, _)| record).collect();
    let wanted = header(&grid, Shard::WHOLE);
    if out.join(JOURNAL).exists() {
        return Err(SweepError::Exists(out.into()));
    }
    if out.exists() && std::fs::read_dir(out).map_err(io(out))?.next().is_some() {
        return Err(SweepError::Occupied(out.into()));
    }
    // Beside its place until it is whole; one that was killed there is carried on with.
    let partial = out.with_file_name(format!("{}.partial", out.file_name().unwrap_or_default().to_string_lossy()));
    let (mut journal, earlier) = open(&grid, &text, &partial, Shard::WHOLE, true, &wanted)?;
    let path = partial.join(JOURNAL);
    let earlier: BTreeMap<usize, Record> = earlier.into_iter().map(|record| (record.index, record)).collect();
    for record in &records {
        match earlier.get(&record.index) {
            Some(other) if other.outcome != record.outcome => {
                return Err(SweepError::Conflict { index: record.index, first: partial, second: out.into() });
            }
            Some(_) => {}
            None => journal.append(record).map_err(io(&path))?,
        }
    }
    journal.sync().map_err(io(&path))?;
    let sweep = finish(grid, Shard::WHOLE, records, 0, &partial)?;
    std::fs::rename(&partial, out).map_err(io(out))?;
    let [csv, json, seconds] = [CSV, JSON, SECONDS].map(|name| out.join(name));
    Ok(Sweep { csv, json, seconds, ..sweep })
}

fn header(grid: &Grid, shard: Shard) -> Header {
    Header {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").into(),
        grid: grid.hash.clone(),
        instances: grid.instances.len(),
        shard: shard.name(),
    }
}

fn shard_of(name: &str) -> Option<Shard> {
    let (number, of) = name.split_once('/')?;
    let shard = Shard { number: number.parse().ok()?, of: of.parse().ok()? };
    (1..=shard.of).contains(&shard.number).then_some(shard)
}

/// Whether a journal's header is the one wanted.
fn matches(path: &Path, found: &Header, wanted: &Header) -> Result<(), SweepError> {
    let pairs = [
        ("version", &found.version, &wanted.version),
        ("grid (by hash; options count)", &found.grid, &wanted.grid),
        ("shard", &found.shard, &wanted.shard),
    ];
    match pairs.into_iter().find(|(_, found, wanted)| found != wanted) {
        None if found.format == wanted.format && found.instances == wanted.instances => Ok(()),
        None => Err(SweepError::Journal { path: path.into(), source: JournalError::Foreign }),
        Some((what, found, wanted)) => Err(SweepError::Mismatch { path: path.into(), what, found: found.clone(), wanted: wanted.clone() }),
    }
}

/// Records that belong to the grid and shard, each instance once.
fn checked(path: &Path, grid: &Grid, shard: Shard, records: Vec<Record>) -> Result<Vec<Record>, SweepError> {
    let mut seen = vec![false; grid.instances.len()];
    for record in &records {
        let bad = |why| Err(SweepError::Record { path: path.into(), index: record.index, why });
        match grid.instances.get(record.index) {
            Some(instance) if instance.key == record.key && shard.has(record.index) => {}
            _ => return bad("that is not of this grid and shard"),
        }
        if std::mem::replace(&mut seen[record.index], true) {
            return bad("twice");
        }
    }
    Ok(records)
}

/// The journal of a sweep, locked, with the records it has; begun where there is none.
fn open(grid: &Grid, text: &str, folder: &Path, shard: Shard, resume: bool, wanted: &Header) -> Result<(Journal, Vec<Record>), SweepError> {
    let path = folder.join(JOURNAL);
    if !folder.exists() {
        std::fs::create_dir(folder).map_err(io(folder))?;
    } else if !path.exists() && std::fs::read_dir(folder).map_err(io(folder))?.next().is_some() {
        return Err(SweepError::Occupied(folder.into()));
    }
    let (mut journal, contents) = Journal::open(&path).map_err(|source| SweepError::Journal { path: path.clone(), source })?;
    let Contents { header, records, .. } = contents;
    match header {
        Some(_) if !resume => return Err(SweepError::Exists(folder.into())),
        Some(found) => matches(folder, &found, wanted)?,
        None => journal.begin(wanted).map_err(io(&path))?,
    }
    let records = checked(&path, grid, shard, records)?;
    let copy = folder.join(GRID);
    if !copy.exists() {
        replace(&copy, text).map_err(io(&copy))?;
    }
    Ok((journal, records))
}

fn finish(grid: Grid, shard: Shard, records: Vec<Record>, computed: usize, folder: &Path) -> Result<Sweep, SweepError> {
    let [csv, json, seconds] = [CSV, JSON, SECONDS].map(|name| folder.join(name));
    replace(&csv, &table::csv(&grid, &records)).map_err(io(&csv))?;
    replace(&json, &format!("{:#}\n", table::json(&grid, &records))).map_err(io(&json))?;
    replace(&seconds, &table::seconds_csv(&records)).map_err(io(&seconds))?;
    Ok(Sweep { grid, shard, records, computed, csv, json, seconds })
}

/// Writes a file of the locked folder beside its place, then renames it there.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_file_name(format!("{}.tmp", path.file_name().unwrap_or_default().to_string_lossy()));
    let mut file = File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// A grid file's text.
pub(crate) fn read_grid(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_GRID_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_GRID_BYTES { Err(std::io::Error::other("larger than 16 MiB, which no grid file is")) } else { Ok(text) }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> SweepError {
    let path = path.to_owned();
    move |source| SweepError::Io { path: path.clone(), source }
}

/// Intervals that an error lists.
const SHOWN: usize = 8;

/// `0-3, 7, 9-12, ...`.
fn intervals(sorted: &[usize]) -> String {
    let runs: Vec<&[usize]> = sorted.chunk_by(|a, b| a + 1 == *b).collect();
    let one = |run: &&[usize]| if run.len() == 1 { run[0].to_string() } else { format!("{}-{}", run[0], run[run.len() - 1]) };
    let mut text = runs.iter().take(SHOWN).map(one).collect::<Vec<_>>().join(", ");
    if runs.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}
