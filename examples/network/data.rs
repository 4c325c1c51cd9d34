//! Images with labels: the digits that ship with this example, or the user's MNIST files.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use faer::Mat;
use ufm::metrics::{Container, FeatureError};

/// What is wrong with the data, in one line.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error(transparent)]
    Features(#[from] FeatureError),
    #[error("--per-class {asked}, but class {class} has {found} images")]
    TooFew { asked: usize, class: usize, found: usize },
    #[error("{0}")]
    Unusable(&'static str),
}

/// Images as read: a row of pixels each.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    pub pixels: Vec<f64>,
    pub dim: usize,
    pub labels: Vec<u32>,
}

/// A balanced set: n samples of each of K classes, class by class.
#[derive(Debug, Clone)]
pub struct Data {
    /// (d, N), centred: every pixel has mean zero; the root mean square of all entries is one.
    pub x: Mat<f64>,
    pub labels: Vec<u32>,
    pub classes: usize,
    pub per_class: usize,
}

/// Most pixels of an image, most images, most entries in all (4 GiB).
const MAX_PIXELS: u64 = 1 << 16;
const MAX_IMAGES: u64 = 1 << 24;
const MAX_ENTRIES: u64 = 1 << 29;
/// IDX files' first four bytes: unsigned bytes, with three dimensions or one.
const IMAGES_MAGIC: u32 = 0x0803;
const LABELS_MAGIC: u32 = 0x0801;

/// The shipped digits: lines of 64 pixels, 0 to 16, and the label.
pub fn digits() -> Result<Images, DataError> {
    comma_separated(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/network/data/digits.csv")))
}

fn comma_separated(path: &Path) -> Result<Images, DataError> {
    let refuse = |reason: String| DataError::File { path: path.into(), reason };
    let container = Container::open(path)?;
    let table = container.find("table", &["features"], |_| true)?;
    let &[_, columns] = table.shape() else { return Err(refuse("not a table".into())) };
    let dim = (columns as usize).checked_sub(1).filter(|d| *d > 0).ok_or_else(|| refuse("no pixels beside the label".into()))?;
    let (mut pixels, mut labels) = (vec![], vec![]);
    for (line, row) in table.to_rows()?.chunks(dim + 1).enumerate() {
        pixels.extend_from_slice(&row[..dim]);
        let label = row[dim];
        if label.fract() != 0.0 || !(0.0..256.0).contains(&label) {
            return Err(refuse(format!("line {}: label {label}; labels are integers from 0 to 255", line + 1)));
        }
        labels.push(label as u32);
    }
    Ok(Images { pixels, dim, labels })
}

/// MNIST or anything in its format: `train-images-idx3-ubyte` and `train-labels-idx1-ubyte` of a folder.
///
/// Guarantee: sizes are checked against the files' lengths before memory is spent.
///
/// Source of the format: Y. LeCun, C. Cortes and C. Burges, *The MNIST database of handwritten digits*.
pub fn mnist(folder: &Path) -> Result<Images, DataError> {
    let (path, sizes, bytes) = idx(folder, "images", 3, IMAGES_MAGIC)?;
    let (_, counts, labels) = idx(folder, "labels", 1, LABELS_MAGIC)?;
    if counts[0] != sizes[0] {
        return Err(DataError::File { path, reason: format!("{} images, but {} labels", sizes[0], counts[0]) });
    }
    let dim = (sizes[1] * sizes[2]) as usize;
    Ok(Images { pixels: bytes.into_iter().map(f64::from).collect(), dim, labels: labels.into_iter().map(u32::from).collect() })
}

/// The sizes and entries of one file.
fn idx(folder: &Path, what: &str, dims: usize, magic: u32) -> Result<(PathBuf, Vec<u64>, Vec<u8>), DataError> {
    let names = [format!("train-{what}-idx{dims}-ubyte"), format!("train-{what}.idx{dims}-ubyte")];
    let path = names.iter().map(|n| folder.join(n)).find(|p| p.is_file()).unwrap_or_else(|| folder.join(&names[0]));
    let refuse = |reason: String| DataError::File { path: path.clone(), reason };
    let io = |e: std::io::Error| {
        let packed = path.with_file_name(format!("{}.gz", names[0])).is_file();
        refuse(if packed { format!("{e}; unpack {}.gz first", names[0]) } else { e.to_string() })
    };
    let file = File::open(&path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut reader = BufReader::new(file);
    let mut word = || -> Result<u32, DataError> {
        let mut bytes = [0; 4];
        reader.read_exact(&mut bytes).map_err(|_| refuse("truncated: not a whole IDX header".into()))?;
        Ok(u32::from_be_bytes(bytes))
    };
    let found = word()?;
    if found != magic {
        return Err(refuse(format!("not an IDX file of {what}: it starts with {found:#010x}, not {magic:#010x}")));
    }
    let sizes = (0..dims).map(|_| word().map(u64::from)).collect::<Result<Vec<u64>, _>>()?;
    let pixels: u64 = sizes[1..].iter().fold(1, |p, &s| p.saturating_mul(s));
    let entries = sizes[0].saturating_mul(pixels);
    if entries == 0 || sizes[0] > MAX_IMAGES || pixels > MAX_PIXELS || entries > MAX_ENTRIES {
        return Err(refuse(format!(
            "sizes {sizes:?}; allowed are 1 to {MAX_IMAGES} images of 1 to {MAX_PIXELS} pixels, {MAX_ENTRIES} in all"
        )));
    }
    let there = length - 4 - 4 * dims as u64;
    if there != entries {
        return Err(refuse(format!("sizes {sizes:?} take {entries} bytes after the header, {there} are there")));
    }
    let mut bytes = vec![];
    reader.read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 != entries {
        return Err(refuse("truncated while it was read".into()));
    }
    Ok((path, sizes, bytes))
}

impl Images {
    /// The first n images of each class, class by class.
    pub fn balanced(&self, per_class: usize) -> Result<Data, DataError> {
        let classes = self.labels.iter().max().map_or(0, |&l| l as usize + 1);
        let mut members = vec![vec![]; classes];
        self.labels.iter().enumerate().for_each(|(i, &label)| members[label as usize].push(i));
        let (class, found) = members.iter().map(Vec::len).enumerate().min_by_key(|(_, n)| *n).unwrap_or((0, 0));
        if per_class > found {
            return Err(DataError::TooFew { asked: per_class, class, found });
        }
        if classes < 2 {
            return Err(DataError::Unusable("a single class; at least two are needed"));
        }
        let chosen: Vec<usize> = members.iter().flat_map(|m| &m[..per_class]).copied().collect();
        let mut x = Mat::from_fn(self.dim, chosen.len(), |j, i| self.pixels[chosen[i] * self.dim + j]);
        let n = chosen.len() as f64;
        for j in 0..self.dim {
            let mean = x.row(j).iter().sum::<f64>() / n;
            x.row_mut(j).iter_mut().for_each(|x| *x -= mean);
        }
        let scale = (x.squared_norm_l2() / (n * self.dim as f64)).sqrt();
        if !(scale > 0.0 && scale.is_finite()) {
            return Err(DataError::Unusable("all images are the same"));
        }
        for column in 0..x.ncols() {
            x.col_as_slice_mut(column).iter_mut().for_each(|x| *x /= scale);
        }
        let labels = (0..classes as u32).flat_map(|class| std::iter::repeat_n(class, per_class)).collect();
        Ok(Data { x, labels, classes, per_class })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_digits_are_the_published_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/network/data/digits.csv");
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/network/data/README.md")).unwrap();
        let digest: String =
            sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), std::fs::read(path).unwrap()))
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
        assert!(readme.contains(&digest), "{digest}");
        let digits = digits().unwrap();
        assert_eq!((digits.labels.len(), digits.dim), (1797, 64));
        assert!(digits.pixels.iter().all(|p| (0.0..=16.0).contains(p) && p.fract() == 0.0));
        let data = digits.balanced(174).unwrap();
        assert_eq!((data.classes, data.per_class, data.x.shape()), (10, 174, (64, 1740)));
        assert!((data.x.squared_norm_l2() / (64.0 * 1740.0) - 1.0).abs() < 1e-12);
        assert_eq!(digits.balanced(175).unwrap_err().to_string(), "--per-class 175, but class 8 has 174 images");
    }

    fn images(magic: u32, sizes: &[u32], bytes: usize) -> Vec<u8> {
        let header = std::iter::once(&magic).chain(sizes).flat_map(|w| w.to_be_bytes());
        header.chain((0..bytes).map(|i| (i * 37 % 251) as u8)).collect()
    }

    #[test]
    fn idx_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let labels = [&LABELS_MAGIC.to_be_bytes()[..], &4u32.to_be_bytes(), &[0, 1, 1, 0]].concat();
        assert!(mnist(folder.path()).unwrap_err().to_string().contains("train-images-idx3-ubyte"));
        write("train-images-idx3-ubyte.gz", &[0x1f, 0x8b]);
        assert!(mnist(folder.path()).unwrap_err().to_string().contains("unpack"));
        write("train-images-idx3-ubyte", &images(IMAGES_MAGIC, &[4, 2, 3], 24));
        write("train-labels-idx1-ubyte", &labels);
        let read = mnist(folder.path()).unwrap();
        assert_eq!((read.dim, &read.labels[..], read.pixels[1]), (6, &[0, 1, 1, 0][..], 37.0));
        let data = read.balanced(2).unwrap();
        assert_eq!((data.x.shape(), &data.labels[..]), ((6, 4), &[0, 0, 1, 1][..]));
        let table: [(&str, Vec<u8>, &str); 8] = [
            ("empty", vec![], "truncated"),
            ("half a header", images(IMAGES_MAGIC, &[4, 2], 0), "truncated"),
            ("labels for images", labels.clone(), "0x00000801"),
            ("short", images(IMAGES_MAGIC, &[4, 2, 3], 23), "23 are there"),
            ("long", images(IMAGES_MAGIC, &[4, 2, 3], 25), "25 are there"),
            ("no images", images(IMAGES_MAGIC, &[0, 2, 3], 0), "[0, 2, 3]"),
            ("absurd", images(IMAGES_MAGIC, &[u32::MAX, u32::MAX, u32::MAX], 9), "allowed"),
            ("another count", images(IMAGES_MAGIC, &[5, 2, 3], 30), "5 images, but 4 labels"),
        ];
        for (name, bytes, wanted) in table {
            write("train-images-idx3-ubyte", &bytes);
            let error = mnist(folder.path()).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("ubyte"), "{name}: {error}");
        }
        let gap = Images { pixels: vec![1.0, 2.0], dim: 1, labels: vec![0, 2] };
        assert!(gap.balanced(1).unwrap_err().to_string().contains("class 1 has 0"));
        let same = Images { pixels: vec![1.0; 2], dim: 1, labels: vec![0, 1] };
        assert!(same.balanced(1).unwrap_err().to_string().contains("the same"));
    }
}
