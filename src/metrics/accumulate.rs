//! Class moments of features in one pass: mergeable, shifted, with error bounds.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use super::bounded::{Bounded, TINY, U, gamma};
use super::moments::Moments;
use crate::linalg::vector::{sum_squares_block, vectorised};

/// Rows whose outer products are summed before they are added to the total: keeps the depth of the sums, and so the error bound,
/// near √N of what one long sum would have.
pub(crate) const BLOCK_ROWS: usize = 1024;
/// Rows that one task centres.
const TASK_ROWS: usize = 32;
/// Edge of the tiles in which the scatter matrix is updated, and of those along its diagonal, of which half is wasted.
const TILE: usize = 128;
const DIAGONAL_TILE: usize = 64;
/// Largest dimension whose d x d scatter matrix is kept (512 MiB).
pub(crate) const MAX_SCATTER_DIM: usize = 8192;
/// Slack for the roundings inside a bound's own evaluation.
const SLACK: f64 = 1.0 + 1e-6;

/// Moments of one class about its shift c: x = h − c.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ClassMoments {
    pub count: u64,
    /// Σ‖x‖² and a bound on its error.
    pub squares: f64,
    pub squares_error: f64,
    /// Upper bound of Σ‖x‖.
    pub norms: f64,
    /// Bound on the error of Σx in norm.
    pub sum_error: f64,
    /// Upper bound of max ‖x‖.
    pub reach: f64,
}

/// A tile of the lower triangle of `Σ x xᵀ`.
#[derive(Debug, Clone)]
struct Tile {
    row: usize,
    col: usize,
    total: Mat<f64>,
    block: Mat<f64>,
}

/// Sums over the samples of each class, from which every collapse metric follows but the classifier's agreement.
///
/// With c_k the first sample seen of class k and x = h − c_k it holds `n_k`, `Σ x`, `Σ‖x‖²` for each class and the one matrix
/// `Σ x xᵀ` over all classes. The shift is a sample of its class, so an offset common to all features leaves no trace, and centring
/// later loses no more than a factor n_k: `Σ‖x‖² <= n_k (n_k/(n_k−1)) Σ‖h − h̄_k‖²`, about 2 for typical samples.
///
/// Guarantee: each sum carries a bound on its distance from the exact sum of the data given. Results depend on the sequence of
/// updates and merges alone, never on the number of threads. Memory O(Kd + d²).
///
/// Shapes: blocks are row-major, one sample a row; labels below K.
///
/// Source: T. Chan, G. Golub and R. LeVeque, *The American Statistician* 37 (1983), on shifted and merged variances.
///
/// ```
/// use ufm::metrics::Accumulator;
/// let mut left = Accumulator::new(2, 1);
/// left.update(&[1e6, 1e6 + 2.0], &[0, 0]);
/// let mut right = Accumulator::new(2, 1);
/// right.update(&[1e6 + 5.0, 1e6 + 5.0], &[1, 1]);
/// left.merge(&right);
/// let moments = left.finish().unwrap();
/// assert_eq!(moments.variance(0).value, 1.0);
/// assert_eq!(moments.variance(1).value, 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct Accumulator {
    classes: usize,
    dim: usize,
    shifts: Vec<f64>,
    sums: Vec<f64>,
    stats: Vec<ClassMoments>,
    tiles: Vec<Tile>,
    scatter_error: f64,
    /// The centred block, kept between updates.
    centred: Vec<f64>,
}

fn tiles(dim: usize) -> Vec<Tile> {
    if dim > MAX_SCATTER_DIM {
        return vec![];
    }
    // Of a square of side `side` at `corner`, those of edge `edge` on and below, or only below, the diagonal.
    let within = |corner: usize, side: usize, edge: usize, diagonal: bool| {
        let end = (corner + side).min(dim);
        let starts = move || (corner..end).step_by(edge);
        let size = move |start: usize| edge.min(end - start);
        starts().flat_map(move |col| starts().filter(move |&row| row > col || diagonal && row == col).map(move |row| (row, col))).map(
            move |(row, col)| {
                let zero = Mat::zeros(size(row), size(col));
                Tile { row, col, total: zero.clone(), block: zero }
            },
        )
    };
    let diagonal = (0..dim).step_by(TILE).flat_map(|corner| within(corner, TILE, DIAGONAL_TILE, true));
    within(0, dim, TILE, false).chain(diagonal).collect()
}

impl Tile {
    /// `block ← leftᵀ right`, this tile of it, or adds it; matrices are row-major.
    fn multiply(&mut self, left: MatRef<'_, f64>, right: MatRef<'_, f64>, accum: Accum) {
        let (rows, cols) = self.block.shape();
        let left = left.subcols(self.row, rows).transpose();
        matmul(self.block.as_mut(), accum, left, right.subcols(self.col, cols), 1.0, Par::Seq);
    }
}

impl Accumulator {
    /// Nothing seen yet, of features of dimension `dim` in `classes` classes.
    pub fn new(classes: usize, dim: usize) -> Self {
        Accumulator {
            classes,
            dim,
            shifts: vec![0.0; classes * dim],
            sums: vec![0.0; classes * dim],
            stats: vec![ClassMoments::default(); classes],
            tiles: tiles(dim),
            scatter_error: 0.0,
            centred: vec![],
        }
    }

    /// Adds samples: `rows` has one of dimension d for each label.
    ///
    /// # Panics
    /// When the lengths disagree or a label is not below K: a caller's mistake, which no file can cause.
    pub fn update(&mut self, rows: &[f64], labels: &[u32]) {
        self.update_inexact(rows, labels, 0.0);
    }

    /// [`Accumulator::update`] for rows within `row_error` (in norm) of the exact samples.
    pub(crate) fn update_inexact(&mut self, rows: &[f64], labels: &[u32], row_error: f64) {
        assert_eq!(rows.len(), labels.len() * self.dim, "one row of dimension {} a label", self.dim);
        assert!(labels.iter().all(|&label| (label as usize) < self.classes), "labels are below {}", self.classes);
        if self.dim == 0 {
            return;
        }
        for (rows, labels) in rows.chunks(BLOCK_ROWS * self.dim).zip(labels.chunks(BLOCK_ROWS)) {
            self.update_block(rows, labels, row_error);
        }
    }

    fn update_block(&mut self, rows: &[f64], labels: &[u32], row_error: f64) {
        let d = self.dim;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by_key(|&index| labels[index]);
        let mut ends = vec![0; self.classes + 1];
        labels.iter().for_each(|&label| ends[label as usize + 1] += 1);
        (0..self.classes).for_each(|class| ends[class + 1] += ends[class]);
        for (class, (stats, range)) in self.stats.iter().zip(ends.windows(2)).enumerate() {
            if let (0, [first, ..]) = (stats.count, &order[range[0]..range[1]]) {
                self.shifts[class * d..][..d].copy_from_slice(&rows[first * d..][..d]);
            }
        }
        self.centred.resize(labels.len() * d, 0.0);
        let mut squares = vec![0.0; labels.len()];
        let shifts = &self.shifts;
        let centre = |out: &mut [f64], rows: &[f64], squares: &mut [f64], labels: &[u32]| {
            vectorised(
                #[inline(always)]
                || {
                    for (((x, h), square), &label) in out.chunks_exact_mut(d).zip(rows.chunks_exact(d)).zip(squares.iter_mut()).zip(labels)
                    {
                        let shift = &shifts[label as usize * d..][..d];
                        for ((x, h), c) in x.iter_mut().zip(h).zip(shift) {
                            *x = h - c;
                        }
                        *square = sum_squares_block(x);
                    }
                },
            );
        };
        let (out, rows) = (self.centred.par_chunks_mut(TASK_ROWS * d), rows.par_chunks(TASK_ROWS * d));
        out.zip(rows)
            .zip(squares.par_chunks_mut(TASK_ROWS).zip(labels.par_chunks(TASK_ROWS)))
            .for_each(|((out, rows), (squares, labels))| centre(out, rows, squares, labels));

        let centred = &self.centred;
        let per_row = gamma(d + 4);
        let add = |(range, (sum, stats)): (&[usize], (&mut [f64], &mut ClassMoments))| {
            let members = &order[range[0]..range[1]];
            if members.is_empty() {
                return;
            }
            let (mut block, mut norms) = (0.0, 0.0);
            vectorised(
                #[inline(always)]
                || {
                    for &index in members {
                        sum.iter_mut().zip(&centred[index * d..][..d]).for_each(|(s, x)| *s += x);
                    }
                },
            );
            for &index in members {
                block += squares[index];
                let norm = (squares[index] * (1.0 + per_row) + d as f64 * TINY).sqrt() * SLACK + row_error;
                norms += norm;
                stats.reach = stats.reach.max(norm);
            }
            let n = members.len() as f64;
            norms *= SLACK;
            stats.count += members.len() as u64;
            stats.norms = (stats.norms + norms) * (1.0 + 2.0 * U);
            stats.squares += block;
            // Each of the additions rounds a sum of norm at most Σ‖x‖; the differences x round once each.
            stats.sum_error += (n * U * stats.norms + 2.0 * U * norms + n * row_error) * SLACK;
            let inexact = 2.0 * row_error * norms + n * row_error * row_error;
            let rounding = gamma(d + members.len() + 4) * block + U * stats.squares + n * d as f64 * TINY;
            stats.squares_error += (rounding + inexact) * SLACK;
        };
        ends.par_windows(2).zip(self.sums.par_chunks_mut(d).zip(self.stats.par_iter_mut())).for_each(add);

        if self.tiles.is_empty() {
            return;
        }
        let x = MatRef::from_row_major_slice(&self.centred[..labels.len() * d], labels.len(), d);
        self.tiles.par_iter_mut().for_each(|tile| {
            tile.multiply(x, x, Accum::Replace);
            tile.total += &tile.block;
        });
        // ‖Σ|x||x|ᵀ‖_F <= Σ‖x‖², for this block and for the total that the last addition rounds.
        let block: f64 = squares.iter().sum::<f64>() * SLACK;
        let total: f64 = self.stats.iter().map(|s| s.squares).sum::<f64>() * SLACK;
        let n = labels.len() as f64;
        let norms: f64 = squares.iter().map(|s| s.sqrt()).sum::<f64>() * SLACK + n * row_error;
        let inexact = 2.0 * row_error * norms + n * row_error * row_error;
        self.scatter_error += (gamma(labels.len() + 4) * block + U * total + n * d as f64 * TINY + inexact) * SLACK;
    }

    /// Adds the samples another accumulator has seen, as if its updates came after this one's, up to the bounds.
    ///
    /// # Panics
    /// When classes or dimension differ.
    pub fn merge(&mut self, other: &Accumulator) {
        assert_eq!((self.classes, self.dim), (other.classes, other.dim), "accumulators of one shape");
        let d = self.dim;
        // With e = c' − c and z = s' + (n'/2) e: Σ(x' + e)(x' + e)ᵀ = Σx'x'ᵀ + z eᵀ + e zᵀ.
        let (mut moves, mut halves) = (vec![0.0; self.classes * d], vec![0.0; self.classes * d]);
        let mut moved = 0.0;
        for class in 0..self.classes {
            let (theirs, range) = (&other.stats[class], class * d..(class + 1) * d);
            if theirs.count == 0 {
                continue;
            }
            let stats = &mut self.stats[class];
            if stats.count == 0 {
                *stats = *theirs;
                self.shifts[range.clone()].copy_from_slice(&other.shifts[range.clone()]);
                self.sums[range.clone()].copy_from_slice(&other.sums[range]);
                continue;
            }
            let n = theirs.count as f64;
            let (e, z) = (&mut moves[range.clone()], &mut halves[range.clone()]);
            let (mut ee, mut es, mut sizes) = (0.0, 0.0, 0.0);
            for (i, at) in range.clone().enumerate() {
                e[i] = other.shifts[at] - self.shifts[at];
                z[i] = other.sums[at] + 0.5 * n * e[i];
                ee += e[i] * e[i];
                es += e[i] * other.sums[at];
                sizes += other.sums[at] * other.sums[at];
            }
            let tiny = d as f64 * TINY;
            let grow = |x: f64| (x + tiny).sqrt() * SLACK;
            let (move_norm, sum_norm) = (grow(ee), grow(sizes));
            let half_norm = sum_norm + 0.5 * n * move_norm;
            let squares = theirs.squares + (2.0 * es + n * ee);
            // Sums of d products, the rounding of e and of z, and the error of their sum.
            let spread = gamma(d + 8) * (2.0 * sum_norm * move_norm + n * move_norm * move_norm) + 2.0 * theirs.sum_error * move_norm;
            stats.squares_error += (theirs.squares_error + spread + U * (stats.squares + 2.0 * squares.abs()) + 4.0 * tiny) * SLACK;
            stats.squares += squares;
            for (i, at) in range.enumerate() {
                self.sums[at] += other.sums[at] + n * e[i];
            }
            stats.count += theirs.count;
            stats.norms = (stats.norms + theirs.norms + n * move_norm) * SLACK;
            stats.reach = stats.reach.max((theirs.reach + move_norm) * SLACK);
            stats.sum_error += (theirs.sum_error + 6.0 * U * stats.norms) * SLACK;
            moved += (2.0 * gamma(2 * self.classes + 8) * half_norm + 2.0 * theirs.sum_error) * move_norm + 4.0 * tiny;
        }
        if self.tiles.is_empty() {
            return;
        }
        let shape = |rows| MatRef::from_row_major_slice(rows, self.classes, d);
        let (e, z) = (shape(&moves), shape(&halves));
        let any = moves.iter().any(|x| *x != 0.0);
        self.tiles.par_iter_mut().zip(&other.tiles).for_each(|(tile, theirs)| {
            if any {
                tile.multiply(z, e, Accum::Replace);
                tile.multiply(e, z, Accum::Add);
                tile.total += &tile.block;
            }
            tile.total += &theirs.total;
        });
        let total: f64 = self.stats.iter().map(|s| s.squares + s.squares_error).sum::<f64>() * SLACK;
        let parts: f64 = other.stats.iter().map(|s| s.squares + s.squares_error).sum::<f64>() * SLACK;
        self.scatter_error += (other.scatter_error + moved + 4.0 * U * (total + parts)) * SLACK;
    }

    /// Class means, variances and the within-class scatter; `None` when a class has no samples or there are none.
    pub fn finish(self) -> Option<Moments> {
        let d = self.dim;
        if self.classes == 0 || d == 0 || self.stats.iter().any(|s| s.count == 0) {
            return None;
        }
        let mut means = vec![0.0; self.classes * d];
        let mut scaled = self.sums.clone();
        let (mut errors, mut variances, mut reach) = (vec![], vec![], vec![]);
        let reference = self.shifts[..d].to_vec();
        // Bound on the part of the scatter that centring takes away, and on its error.
        let (mut taken, mut taken_error) = (0.0, 0.0);
        for (class, stats) in self.stats.iter().enumerate() {
            let n = stats.count as f64;
            let range = class * d..(class + 1) * d;
            let (sum, shift) = (&self.sums[range.clone()], &self.shifts[range.clone()]);
            let (mut squares, mut moved) = (0.0, 0.0);
            for (((mean, s), c), origin) in means[range.clone()].iter_mut().zip(sum).zip(shift).zip(&reference) {
                let step = c - origin;
                *mean = step + s / n;
                squares += s * s;
                moved += step * step;
            }
            let sum_norm = Bounded::new(squares, gamma(d + 2) * squares + d as f64 * TINY).sqrt().upper() * SLACK;
            let move_norm = (moved + d as f64 * TINY).sqrt() * SLACK;
            errors.push((4.0 * U * (move_norm + sum_norm / n) + stats.sum_error / n + d as f64 * TINY) * SLACK);
            let sum_square = Bounded::new(
                squares,
                (gamma(d + 2) * squares + 2.0 * sum_norm * stats.sum_error + stats.sum_error * stats.sum_error + d as f64 * TINY) * SLACK,
            );
            let total = Bounded::new(stats.squares, stats.squares_error);
            let count = Bounded::exact(n);
            variances.push(((total - sum_square / count) / count).nonnegative());
            reach.push((stats.reach + sum_norm / n + stats.sum_error / n) * SLACK);
            taken += squares / n * SLACK;
            taken_error += (2.0 * sum_norm + stats.sum_error) * stats.sum_error / n;
            let root = n.sqrt();
            scaled[range].iter_mut().for_each(|x| *x /= root);
        }
        let total: f64 = self.stats.iter().map(|s| s.squares).sum::<f64>() * SLACK;
        let scatter = (!self.tiles.is_empty()).then(|| {
            let y = MatRef::from_row_major_slice(&scaled, self.classes, d);
            let mut full = Mat::<f64>::zeros(d, d);
            let mut tiles = self.tiles;
            tiles.par_iter_mut().for_each(|tile| {
                tile.multiply(y, y, Accum::Replace);
                tile.total -= &tile.block;
            });
            for tile in &tiles {
                for j in 0..tile.total.ncols() {
                    for i in 0..tile.total.nrows() {
                        full[(tile.row + i, tile.col + j)] = tile.total[(i, j)];
                        full[(tile.col + j, tile.row + i)] = tile.total[(i, j)];
                    }
                }
            }
            full
        });
        let rounding = gamma(self.classes + 8) * taken + U * (total + taken) + (self.classes * d) as f64 * TINY;
        Some(Moments {
            dim: d,
            counts: self.stats.iter().map(|s| s.count).collect(),
            reference,
            means,
            mean_errors: errors,
            variances,
            reach,
            scatter,
            scatter_error: (self.scatter_error + rounding + taken_error) * SLACK,
        })
    }
}
