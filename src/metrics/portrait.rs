//! What a page draws of one set of features: matrices beside their targets, and spectra.

use faer::Mat;
use rayon::prelude::*;

use super::geometry::{Target, tile};
use super::moments::Moments;
use super::rows::Rows;
use super::variability::Spectrum;
use crate::linalg::{eigh, thin_svd};

/// Largest dimension in which the within-class covariance is decomposed.
const MAX_SPECTRUM_DIM: usize = 2048;

/// A K x K matrix scaled to Frobenius norm one, in means of blocks where K is large.
#[derive(Debug, Clone)]
pub struct Picture {
    /// What it is, in the notation of [`measure`](super::measure()).
    pub name: &'static str,
    /// Means of blocks: entry (a, b) over the classes of group a and group b; groups are runs of classes.
    pub matrix: Mat<f64>,
    /// The matrices it should be at collapse, named, in the same blocks.
    pub targets: Vec<(&'static str, Mat<f64>)>,
}

/// Pictures and spectra of one set of features; in double precision, without error bounds.
///
/// Memory: pictures have at most the side asked for, whatever K; the K x K matrices are never stored.
#[derive(Debug, Clone)]
pub struct Portrait {
    /// Number of classes K, the side of each picture's matrix before it was put in blocks.
    pub classes: usize,
    /// Gram matrices of M̃, of M, of the rows of W, then W M̃; those that vanish are left out.
    pub pictures: Vec<Picture>,
    /// `s_i/√K`, s_i the r = min(d, K−1) leading singular values of M̃: the standard deviations between classes along their axes.
    pub between: Vec<f64>,
    /// Square roots of the eigenvalues of S_W above their error bound, largest first: the standard deviations within classes.
    /// `None` in more than 2048 dimensions.
    pub within: Option<Vec<f64>>,
    /// Singular values of W; empty without a classifier.
    pub classifier: Vec<f64>,
}

const SIMPLEX: (&str, Target) = ("P/\u{221a}(K\u{2212}1)", Target::Simplex);
const ORTHOGONAL: (&str, Target) = ("I/\u{221a}K", Target::Orthogonal);

impl Portrait {
    /// `side`: the most cells along a side of a picture.
    pub(super) fn new(
        moments: &Moments,
        centred: &Rows,
        plain: &Rows,
        classifier: Option<&Rows>,
        spectrum: Option<&Spectrum>,
        side: usize,
    ) -> Self {
        let k = moments.classes();
        let bounds = bounds(k, side.max(1));
        let draw = |name, left: &Rows, right: &Rows, targets: &[(&'static str, Target)]| {
            let matrix = blocks(left, right, &bounds)?;
            let targets = targets.iter().map(|&(name, target)| (name, target_blocks(target, k, &bounds))).collect();
            Some(Picture { name, matrix, targets })
        };
        let mut pictures =
            vec![draw("M\u{303}\u{1d40}M\u{303}", centred, centred, &[SIMPLEX]), draw("M\u{1d40}M", plain, plain, &[ORTHOGONAL])];
        if let Some(w) = classifier {
            pictures.push(draw("WW\u{1d40}", w, w, &[SIMPLEX, ORTHOGONAL]));
            pictures.push(draw("WM\u{303}", w, centred, &[SIMPLEX]));
        }
        let root = (k as f64).sqrt();
        Portrait {
            classes: k,
            pictures: pictures.into_iter().flatten().collect(),
            between: spectrum.map_or_else(Vec::new, |s| s.values.iter().map(|s| s / root).collect()),
            within: within(moments),
            classifier: classifier.and_then(|w| thin_svd(w.matrix())).map_or_else(Vec::new, |(_, s, _)| s),
        }
    }
}

/// Ends of the groups of classes.
fn bounds(k: usize, side: usize) -> Vec<usize> {
    let parts = k.min(side);
    (0..=parts).map(|i| i * k / parts).collect()
}

/// Means of the blocks of `left rightᵀ` over its Frobenius norm; `None` when that is zero or no number.
fn blocks(left: &Rows, right: &Rows, bounds: &[usize]) -> Option<Mat<f64>> {
    let k = right.count();
    let groups: Vec<(usize, usize)> = bounds.windows(2).map(|w| (w[0], w[1])).collect();
    let one = |&(start, end): &(usize, usize)| {
        let (mut sums, mut square) = (vec![0.0; groups.len()], 0.0);
        for row in tile(left, start..end, right, 0).chunks(k) {
            square += row.iter().map(|x| x * x).sum::<f64>();
            for (sum, &(from, to)) in sums.iter_mut().zip(&groups) {
                *sum += row[from..to].iter().sum::<f64>();
            }
        }
        (sums, square)
    };
    let parts: Vec<(Vec<f64>, f64)> = groups.par_iter().map(one).collect();
    let norm = parts.iter().map(|(_, square)| square).sum::<f64>().sqrt();
    let size = |i: usize| (groups[i].1 - groups[i].0) as f64;
    (norm > 0.0 && norm.is_finite()).then(|| Mat::from_fn(groups.len(), groups.len(), |i, j| parts[i].0[j] / (size(i) * size(j)) / norm))
}

fn target_blocks(target: Target, k: usize, bounds: &[usize]) -> Mat<f64> {
    let (diagonal, off) = target.entries(k);
    let size = |i: usize| (bounds[i + 1] - bounds[i]) as f64;
    let groups = bounds.len() - 1;
    Mat::from_fn(groups, groups, |i, j| if i == j { (diagonal + (size(i) - 1.0) * off) / size(i) } else { off })
}

fn within(moments: &Moments) -> Option<Vec<f64>> {
    let scatter = moments.scatter.as_ref().filter(|_| moments.dim <= MAX_SPECTRUM_DIM)?;
    let (values, _) = eigh(scatter.as_ref())?;
    // By Weyl an eigenvalue is known up to the error of the matrix.
    let n = moments.samples() as f64;
    Some(values.iter().rev().filter(|&&v| v > moments.scatter_error).map(|v| (v / n).sqrt()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_means_of_the_whole_matrix() {
        let (k, d) = (7, 3);
        let rows = Rows::exact((0..k * d).map(|t| ((t * t + 3 * t) % 11) as f64 - 4.0).collect(), d);
        let whole = blocks(&rows, &rows, &bounds(k, 10)).unwrap();
        assert!((whole.norm_l2() - 1.0).abs() < 1e-14);
        let cut = bounds(k, 3);
        assert_eq!(cut, [0, 2, 4, 7]);
        let parts = blocks(&rows, &rows, &cut).unwrap();
        for target in [Target::Simplex, Target::Orthogonal] {
            let (full, small) = (target_blocks(target, k, &bounds(k, k)), target_blocks(target, k, &cut));
            assert!((full.norm_l2() - 1.0).abs() < 1e-14);
            for (big, small) in [(&whole, &parts), (&full, &small)] {
                for (i, j) in [(0, 0), (0, 2), (2, 1), (2, 2)] {
                    let block = big.submatrix(cut[i], cut[j], cut[i + 1] - cut[i], cut[j + 1] - cut[j]);
                    let mean = block.sum() / (block.nrows() * block.ncols()) as f64;
                    assert!((mean - small[(i, j)]).abs() < 1e-15, "{i} {j}");
                }
            }
        }
        assert!(blocks(&Rows::exact(vec![0.0; 6], 3), &rows, &[0, 2]).is_none());
    }
}
