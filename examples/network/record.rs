//! What a run leaves in its folder: snapshots that `ufm metrics` reads, and the curves.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use faer::Mat;
use npyz::{WriterBuilder, npz::NpzWriter};
use ufm::problem::{PointError, write_new};

use super::{data::Data, train::Record};

/// A folder made for this run.
pub struct Folder {
    path: PathBuf,
    csv: String,
    columns: Vec<&'static str>,
}

impl Folder {
    /// # Errors
    /// When it exists: no earlier run is written over.
    pub fn create(path: &Path) -> Result<Self, PointError> {
        if path.exists() {
            return Err(PointError::Exists { path: path.display().to_string() });
        }
        let epochs = path.join("epochs");
        fs::create_dir_all(&epochs).map_err(|source| PointError::Io { path: epochs.display().to_string(), source })?;
        Ok(Folder { path: path.into(), csv: String::new(), columns: vec![] })
    }

    /// The file of that name.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// One snapshot, `epochs/epochNNNNNN.npz`: `labels` (N), `layer0`, ..., `layer{m-1}` (N, d_j), and what reads them, `W1`, ..., `Wm`
    /// (d_j, d_{j-1}) and `b1`, ..., `bm`; and a row of the curves for each layer.
    pub fn record(&mut self, data: &Data, record: &Record<'_>) -> Result<(), PointError> {
        let path = self.path.join("epochs").join(format!("epoch{:06}.npz", record.epoch));
        write_new(&path, |file| snapshot(file, data, record))?;
        if self.columns.is_empty() {
            // The last layer has every metric the others have.
            self.columns = record.layers.last().map_or_else(Vec::new, |l| l.measured.metrics.iter().map(|(name, _)| *name).collect());
            let names: String = self.columns.iter().map(|name| format!(",{name},{name}_error_bound")).collect();
            self.csv = format!("epoch,rate,error,loss,objective,layer,dim{names}\n");
        }
        for layer in &record.layers {
            let cell = |name: &&str| layer.measured.get(name).map_or_else(|| ",,".to_owned(), |v| format!(",{:e},{:e}", v.value, v.bound));
            let cells: String = self.columns.iter().map(cell).collect();
            let Record { epoch, rate, error, loss, objective, .. } = record;
            self.csv += &format!("{epoch},{rate:e},{error},{loss:e},{objective:e},{},{}{cells}\n", layer.name, layer.measured.dim);
        }
        Ok(())
    }

    /// Writes `curves.csv`.
    pub fn finish(&self) -> Result<(), PointError> {
        write_new(&self.file("curves.csv"), |file| file.write_all(self.csv.as_bytes()))
    }
}

fn snapshot(file: &mut File, data: &Data, record: &Record<'_>) -> std::io::Result<()> {
    let mut npz = NpzWriter::new(file);
    // Not the time of day: equal runs leave equal files.
    let options = || npyz::zip::write::FileOptions::default().last_modified_time(npyz::zip::DateTime::default());
    let labels: Vec<i64> = data.labels.iter().map(|&l| i64::from(l)).collect();
    let mut writer = npz.array("labels", options())?.default_dtype().shape(&[labels.len() as u64]).begin_nd()?;
    writer.extend(labels)?;
    writer.finish()?;
    let mut write = |name: String, shape: &[usize], entries: &mut dyn Iterator<Item = f64>| {
        let shape: Vec<u64> = shape.iter().map(|&s| s as u64).collect();
        let mut writer = npz.array(&name, options())?.default_dtype().shape(&shape).begin_nd()?;
        writer.extend(entries)?;
        writer.finish()
    };
    for (j, s) in record.outputs[..record.network.weights.len()].iter().enumerate() {
        // Columns of S_j, one after another, are rows of (N, d).
        write(format!("layer{j}"), &[s.ncols(), s.nrows()], &mut s.col_iter().flat_map(|c| c.iter().copied().collect::<Vec<f64>>()))?;
    }
    for (j, w) in record.network.weights.iter().enumerate() {
        write(format!("W{}", j + 1), &[w.nrows(), w.ncols()], &mut rows(w))?;
    }
    for (j, b) in record.network.biases.iter().enumerate() {
        write(format!("b{}", j + 1), &[b.len()], &mut b.iter().copied())?;
    }
    Ok(())
}

fn rows(w: &Mat<f64>) -> impl Iterator<Item = f64> {
    w.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<f64>>())
}
