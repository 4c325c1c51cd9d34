//! NC2: how far vectors are from a simplex equiangular tight frame or an orthogonal frame, through their Gram matrix in tiles.

use faer::{Accum, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, U, gamma, sum};
use super::rows::{Rows, dot};

/// Rows of a tile of a K x K matrix: the matrix itself is never stored.
pub(crate) const TILE_ROWS: usize = 64;
const SLACK: f64 = 1.0 + 1e-6;
/// Squared distances below this part of the squared norms are computed from the difference itself: the Gram matrix has lost
/// twenty bits.
const DIRECT_DISTANCE: f64 = 1e-6;

/// The Gram matrix that a frame of K vectors has, up to scale and of Frobenius norm one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// `P/√(K−1)`, P = I − 1 1ᵀ/K: a simplex equiangular tight frame.
    Simplex,
    /// `I/√K`: an orthogonal frame.
    Orthogonal,
}

impl Target {
    /// Diagonal and off-diagonal entries.
    pub fn entries(self, k: usize) -> (f64, f64) {
        let k = k as f64;
        match self {
            Target::Simplex => ((1.0 - 1.0 / k) / (k - 1.0).sqrt(), -1.0 / k / (k - 1.0).sqrt()),
            Target::Orthogonal => (1.0 / k.sqrt(), 0.0),
        }
    }

    /// `<A, T>` from the trace and the sum of all entries of A.
    pub fn inner(self, k: usize, trace: Bounded, total: Bounded) -> Bounded {
        let count = Bounded::exact(k as f64);
        match self {
            Target::Simplex => (trace - total / count) / (count - Bounded::exact(1.0)).sqrt(),
            Target::Orthogonal => trace / count.sqrt(),
        }
    }
}

/// Sums over the entries of a matrix A beside a target T of norm one: `‖A‖²` and `‖A − β T‖²`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FrameSums {
    square: f64,
    residual: f64,
}

impl FrameSums {
    pub fn plus(self, other: Self) -> Self {
        FrameSums { square: self.square + other.square, residual: self.residual + other.residual }
    }
}

/// What one target needs while the tiles of A pass by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameDistance {
    diagonal: f64,
    off: f64,
    beta: Bounded,
}

impl FrameDistance {
    /// `beta` encloses `<A, T>`.
    pub fn new(target: Target, k: usize, beta: Bounded) -> Self {
        let (diagonal, off) = target.entries(k);
        FrameDistance { diagonal: beta.value * diagonal, off: beta.value * off, beta }
    }

    /// Adds entries of one row of A off the diagonal; in symmetric matrices those right of it count `twice`.
    pub fn off_diagonal(&self, sums: &mut FrameSums, entries: &[f64], twice: bool) {
        let (mut square, mut residual) = (0.0, 0.0);
        for a in entries {
            square += a * a;
            residual += (a - self.off) * (a - self.off);
        }
        let weight = if twice { 2.0 } else { 1.0 };
        sums.square += weight * square;
        sums.residual += weight * residual;
    }

    /// Adds an entry of the diagonal of A.
    pub fn diagonal(&self, sums: &mut FrameSums, a: f64) {
        sums.square += a * a;
        sums.residual += (a - self.diagonal) * (a - self.diagonal);
    }

    /// `‖A/‖A‖ − T‖_F` of the exact matrix A, which lies within `error` (Frobenius norm) of the one summed.
    ///
    /// With β = <A, T> and R = A − βT: `‖A‖² = β² + ‖R‖²`, hence `‖A/‖A‖ − T‖² = 2(1 − β/‖A‖) = 2‖R‖²/(‖A‖(‖A‖ + β))`, which does not
    /// cancel near the target.
    pub fn finish(&self, sums: &FrameSums, k: usize, error: f64) -> Bounded {
        let depth = tile_depth(k);
        let size = sums.square.sqrt();
        let norm = Bounded::new(size, (error + depth * size) * SLACK);
        let residual = sums.residual.sqrt();
        let rounding = 8.0 * U * (size + self.beta.value.abs());
        let residual = Bounded::new(residual, (error + self.beta.bound + rounding + depth * residual) * SLACK);
        if self.beta.value > 0.0 {
            residual * (Bounded::exact(2.0) / (norm * (norm + self.beta))).sqrt()
        } else {
            (Bounded::exact(2.0) - Bounded::exact(2.0) * self.beta / norm).sqrt()
        }
    }
}

/// Roundings of a sum over a row's K terms, the rows of a tile, then the tiles.
fn tile_depth(k: usize) -> f64 {
    gamma(2 * k + TILE_ROWS + 16)
}

/// What the Gram matrix of K vectors says.
#[derive(Debug, Clone)]
pub(crate) struct Geometry {
    pub etf: Bounded,
    pub of: Bounded,
    /// Population standard deviation of the norms over their mean.
    pub equinorm: Bounded,
    /// Mean over pairs of `|cos + 1/(K−1)|`.
    pub equiangle: Bounded,
    /// Mean over pairs of `(v_i + v_j)/(2‖r_i − r_j‖²)`, when variances were given.
    pub cdnv: Option<Bounded>,
    /// Lower bounds of the distance from each vector to its nearest other.
    pub gaps: Vec<f64>,
}

#[derive(Default)]
struct TileSums {
    etf: FrameSums,
    of: FrameSums,
    angles: f64,
    cdnv: Vec<Bounded>,
    /// Lower bounds of the squared distance to the nearest other, of the tile's rows and all after them.
    gaps: Vec<f64>,
}

/// `left[i0..i1] rightᵀ[first..]`, row-major.
pub(crate) fn tile(left: &Rows, rows: std::ops::Range<usize>, right: &Rows, first: usize) -> Vec<f64> {
    let cols = right.count() - first;
    let mut out = vec![0.0; rows.len() * cols];
    let dst = faer::MatMut::from_row_major_slice_mut(&mut out, rows.len(), cols);
    let (a, b) = (left.matrix().subrows(rows.start, rows.len()), right.matrix().subrows(first, cols));
    matmul(dst, Accum::Replace, a, b.transpose(), 1.0, Par::Seq);
    out
}

/// Bound in Frobenius norm on `X Yᵀ` as computed against that of the exact rows.
pub(crate) fn product_error(x: &Rows, y: &Rows) -> f64 {
    let ((x_norm, x_error), (y_norm, y_error)) = (x.frobenius(), y.frobenius());
    (gamma(x.dim + 2) * x_norm * y_norm + x_error * y_norm + x_norm * y_error + x_error * y_error) * SLACK
}

/// Geometry of the rows; `variances` of the classes for the CDNV.
///
/// Memory: a tile of 64 x K for each thread. Entries are those of the upper triangle, in an order fixed by K alone.
pub(crate) fn geometry(rows: &Rows, variances: Option<&[Bounded]>) -> Geometry {
    let k = rows.count();
    let norms: Vec<Bounded> = (0..k).map(|i| rows.norm(i)).collect();
    let trace = sum(norms.iter().map(|n| n.square()));
    let mut total = vec![0.0; rows.dim];
    rows.data.chunks(rows.dim).for_each(|row| total.iter_mut().zip(row).for_each(|(t, x)| *t += x));
    let total_error = (gamma(k + 1) * rows.sizes.iter().sum::<f64>() + rows.errors.iter().sum::<f64>()) * SLACK;
    let total = Rows::new(total, rows.dim, vec![total_error]);
    let total = total.norm(0).square();
    let etf = FrameDistance::new(Target::Simplex, k, Target::Simplex.inner(k, trace, total));
    let of = FrameDistance::new(Target::Orthogonal, k, Target::Orthogonal.inner(k, trace, total));
    let squares: Vec<f64> = norms.iter().map(|n| n.value * n.value).collect();
    let per_entry = gamma(rows.dim + 8);
    let cosine = 1.0 / (k as f64 - 1.0);

    let starts: Vec<usize> = (0..k).step_by(TILE_ROWS).collect();
    let one = |&start: &usize| {
        let end = (start + TILE_ROWS).min(k);
        let entries = tile(rows, start..end, rows, start);
        let cols = k - start;
        let mut sums = TileSums { gaps: vec![f64::INFINITY; cols], ..TileSums::default() };
        for i in start..end {
            let skip = i - start;
            let row = &entries[skip * cols..][skip..cols];
            for (frame, into) in [(&etf, &mut sums.etf), (&of, &mut sums.of)] {
                frame.diagonal(into, row[0]);
                frame.off_diagonal(into, &row[1..], true);
            }
            let (mut angles, mut ratios) = (0.0, Bounded::exact(0.0));
            let (mut ratio_size, mut ratio_bound) = (0.0, 0.0);
            for (at, &product) in row.iter().enumerate().skip(1) {
                let j = i + at;
                angles += (product / (norms[i].value * norms[j].value) + cosine).abs();
                let scale = squares[i] + squares[j];
                let mut square = scale - 2.0 * product;
                let error = (rows.errors[i] + rows.errors[j]) * SLACK;
                // The distance of the computed rows, then that of the exact ones.
                let mut rounding = per_entry * (scale + 2.0 * rows.sizes[i] * rows.sizes[j]);
                if square < DIRECT_DISTANCE * scale {
                    square = rows.row(i).iter().zip(rows.row(j)).map(|(x, y)| (x - y) * (x - y)).sum();
                    rounding = per_entry * square;
                }
                let reach = square.max(0.0).sqrt() * error;
                let rounding = (rounding + 2.0 * (reach + rounding.sqrt() * error) + error * error) * SLACK;
                let least = square - rounding;
                sums.gaps[skip] = sums.gaps[skip].min(least);
                sums.gaps[skip + at] = sums.gaps[skip + at].min(least);
                if let Some(v) = variances {
                    let ratio = (v[i] + v[j]) / Bounded::new(2.0 * square, 2.0 * rounding);
                    ratios.value += ratio.value;
                    ratio_size += ratio.value.abs();
                    ratio_bound += ratio.bound;
                }
            }
            sums.angles += angles;
            ratios.bound = (ratio_bound + gamma(k) * (ratio_size + ratio_bound)) * SLACK;
            if variances.is_some() {
                sums.cdnv.push(ratios);
            }
        }
        sums
    };
    let parts: Vec<TileSums> = starts.par_iter().map(one).collect();
    let (mut etf_sums, mut of_sums, mut angles) = (FrameSums::default(), FrameSums::default(), 0.0);
    let mut gaps = vec![f64::INFINITY; k];
    for (part, &start) in parts.iter().zip(&starts) {
        (etf_sums, of_sums) = (etf_sums.plus(part.etf), of_sums.plus(part.of));
        angles += part.angles;
        gaps[start..].iter_mut().zip(&part.gaps).for_each(|(gap, &least)| *gap = gap.min(least));
    }
    let pairs = Bounded::exact(k as f64 * (k as f64 - 1.0) / 2.0);
    // An angle's cosine moves by at most twice the relative errors of its vectors.
    let turn: f64 = (0..k).map(|i| 2.0 * rows.errors[i] / (norms[i].value - norms[i].bound).max(0.0)).sum::<f64>() * SLACK;
    let turn = if turn.is_nan() { f64::INFINITY } else { turn };
    let angle_error = (turn * (k as f64 - 1.0) + (2.0 * per_entry + 8.0 * U) * pairs.value + tile_depth(k) * angles) * SLACK;
    let error = product_error(rows, rows);
    let cdnv = variances.map(|_| sum(parts.into_iter().flat_map(|p| p.cdnv)) / pairs);
    Geometry {
        etf: etf.finish(&etf_sums, k, error),
        of: of.finish(&of_sums, k, error),
        equinorm: equinorm(&norms),
        equiangle: Bounded::new(angles, angle_error) / pairs,
        cdnv,
        gaps: gaps.into_iter().map(|square| square.max(0.0).sqrt() * (1.0 - 4.0 * U)).collect(),
    }
}

fn equinorm(norms: &[Bounded]) -> Bounded {
    let count = Bounded::exact(norms.len() as f64);
    let mean = sum(norms.iter().copied()) / count;
    // The deviation of the computed norms, exact up to the rounding of its terms; it moves by no more than the norms' errors.
    let middle = Bounded::exact(mean.value);
    let terms: Vec<f64> = norms.iter().map(|n| n.value - middle.value).collect();
    let square = dot(&terms, &terms) / count;
    let excess = norms.iter().map(|n| n.bound * n.bound).sum::<f64>() / norms.len() as f64;
    let centre = mean.bound + 2.0 * U * mean.value.abs();
    let deviation = square.sqrt();
    let rounding = 4.0 * U * deviation.value;
    let deviation = Bounded::new(deviation.value, deviation.bound + (excess.sqrt() + centre + rounding) * SLACK);
    deviation / mean
}
