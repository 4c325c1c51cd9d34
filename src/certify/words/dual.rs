//! The dual matrix of a large point in machine words.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::{cholesky::llt::factor as llt, matmul::matmul, triangular_solve::solve_lower_triangular_in_place};
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;
use rug::{Integer, Rational};

use super::{Evaluation, GRID, WIDTH, Words, fixed::Fixed, power};
use crate::certify::dual::{Dual, bias_cost, lower_bound, meet_sums, polar, restore_sums, root_counts};
use crate::linalg::product::word_columns;
use crate::problem::Dyadic;
use crate::problem::exact::{Plain, scaled};
use crate::scalar::Ball;

/// Significant bits of the largest entry of R, and fraction bits at the most.
const BITS: i32 = 54;
const FINEST: i32 = 58;
/// Significant bits of the largest entry of L.
const FACTOR_BITS: i32 = 56;
/// The first shrink 1 − 2^-s tried, about what products of doubles leave of dominance; and the last.
const FIRST: i32 = 44;
const LAST: i32 = 20;
/// Steps of the polar iteration: each squares its error.
const POLAR_STEPS: usize = 2;
/// A matrix that the polar iteration moves further, relative to its norm, has singular values that are neither near the radius nor near zero.
const POLAR_MOVE: f64 = 1e-4;

/// A verified dual from the residual's group means, by the polar repair; `None` when it is not `good` or words do not do.
pub(super) fn best(plain: &Plain, at: &Evaluation<'_>, residual: &[i64], good: impl Fn(&Dual) -> bool) -> Option<Dual> {
    let root = root_counts(plain);
    let weighted = |m: &Mat<f64>| Mat::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)] * root[j]);
    let radius_squared = plain.radius_squared();
    let radius = radius_squared.to_f64().sqrt();
    let mut means = group_means(plain, residual, power(-GRID)?);
    meet_sums(plain, &mut means);
    let r = weighted(&means);
    let repaired = match near_polar(&r, radius) {
        Some(repaired) => repaired,
        None => polar(&r, &weighted(&group_means(plain, &at.z, power(at.z_exp)?)), radius)?,
    };
    let mut r = Mat::from_fn(plain.k, root.len(), |i, j| repaired[(i, j)] / root[j]);
    meet_sums(plain, &mut r);
    let mut shrink = FIRST;
    while shrink >= LAST {
        match attempt(plain, &at.fixed, &r, &radius_squared, shrink)? {
            Ok(dual) => return good(&dual).then_some(dual),
            // Enough room for what was missing, and a little.
            Err(missing) => shrink = (1.0 - (2f64.powi(1 - shrink) + 1.05 * missing).log2()).floor().min(f64::from(shrink - 1)) as i32,
        }
    }
    None
}

/// Means over each group of the columns of a matrix of K rows, times `unit`.
fn group_means<T: Copy + Into<i128> + Sync>(plain: &Plain, columns: &[T], unit: f64) -> Mat<f64> {
    let k = plain.k;
    let starts = plain.counts.iter().scan(0, |start, &n| Some(std::mem::replace(start, *start + n as usize)));
    let groups: Vec<(usize, usize)> = starts.zip(plain.counts.iter().map(|&n| n as usize)).collect();
    let mean = |&(start, count): &(usize, usize)| {
        let sum = |i: usize| columns[start * k + i..(start + count) * k].iter().step_by(k).map(|&x| x.into() as f64).sum::<f64>();
        (0..k).map(|i| sum(i) * unit / count as f64).collect::<Vec<f64>>()
    };
    let means: Vec<Vec<f64>> = groups.par_iter().map(mean).collect();
    Mat::from_fn(k, means.len(), |i, j| means[j][i])
}

/// The matrix with the singular vectors of `r`, singular values near `radius` set to it and those near zero left there.
///
/// With X = r/radius the iteration X <- (3 X − X Xᵀ X)/2 maps a singular value x to x (3 − x²)/2 <= 1. (Björck and Bowie 1971.)
fn near_polar(r: &Mat<f64>, radius: f64) -> Option<Mat<f64>> {
    let (k, c) = (r.nrows(), r.ncols());
    let start = Mat::from_fn(k, c, |i, j| r[(i, j)] / radius);
    let mut x = start.clone();
    let (mut gram, mut cube) = (Mat::zeros(k, k), Mat::zeros(k, c));
    for _ in 0..POLAR_STEPS {
        matmul(gram.as_mut(), Accum::Replace, x.as_ref(), x.transpose(), 1.0, Par::rayon(0));
        matmul(cube.as_mut(), Accum::Replace, gram.as_ref(), x.as_ref(), 1.0, Par::rayon(0));
        x = Mat::from_fn(k, c, |i, j| 1.5 * x[(i, j)] - 0.5 * cube[(i, j)]);
    }
    let moved = (&x - &start).norm_l2();
    (moved <= POLAR_MOVE * start.norm_l2()).then(|| Mat::from_fn(k, c, |i, j| x[(i, j)] * radius))
}

/// (1 − 2^-shrink) R on its grid, verified; or by how much, relative to the squared radius, dominance failed. `None` where nothing can be
/// done about it.
fn attempt(plain: &Plain, fixed: &Fixed, r: &Mat<f64>, radius_squared: &Rational, shrink: i32) -> Option<Result<Dual, f64>> {
    let (k, c) = (plain.k, plain.counts.len());
    let largest = r.norm_max();
    if !(largest > 0.0 && largest.is_finite()) {
        return None;
    }
    let exp = (largest.log2().floor() as i32 + 1 - BITS).clamp(-FINEST, 0);
    let scale = (1.0 - 2f64.powi(-shrink)) / power(exp)?;
    let m = (0..k * c).into_par_iter().map(|t| Integer::from((r[(t / c, t % c)] * scale).round() as i64)).collect();
    let r = restore_sums(plain, Dyadic { rows: k, cols: c, exp, m })?;
    let words = Words::new(&r)?;
    if !plain.mse && !nonnegative(plain, &words) {
        return None;
    }
    let heavy = words.m.par_iter().enumerate().map(|(t, &x)| x.checked_mul(i64::try_from(plain.counts[t % c]).ok()?));
    let heavy: Vec<i64> = heavy.collect::<Option<_>>()?;
    let limit = (radius_squared.clone() << (-2 * exp)).floor().numer().to_i128().filter(|&limit| limit < 1 << 124)?;
    // What is left out of the product is far below the rounding of R.
    let coarse = i64::from(limit.max(1).ilog2()) - i64::from(BITS) - i64::from(k.ilog2());
    let (gram, off) = word_columns(MatRef::from_row_major_slice(&heavy, k, c), words.mat().transpose(), Some(coarse))?;
    let l = factor(&gram, limit, k, limit as f64 * 2f64.powi(1 - shrink), exp)?;
    let (square, _) = word_columns(l.mat(), l.mat().transpose(), None)?;
    let limit_less = limit.checked_sub(off.checked_mul(k as i128)?)?;
    let excess = |(row, square): (&[i128], &[i128])| {
        let entry = |(x, y): (&i128, &i128)| x.checked_add(y.checked_mul(1 << (2 * (l.exp - exp)))?);
        let sum = row.iter().zip(square).map(entry).try_fold(0, |sum: i128, x| sum.checked_add(x?.checked_abs()?))?;
        sum.checked_sub(limit_less)
    };
    let worst = gram.par_chunks(k).zip(square.par_chunks(k)).map(excess).collect::<Option<Vec<i128>>>()?.into_iter().max()?;
    if worst > 0 {
        return Some(Err(worst as f64 / limit as f64));
    }
    let lower = if plain.mse { lower_bound(plain, &r, WIDTH) } else { entropy_bound(plain, fixed, &words, &bias_cost(plain, &r)) };
    let l = Dyadic { rows: k, cols: l.cols, exp: l.exp, m: l.m.into_par_iter().map(Integer::from).collect() };
    Some(Ok(Dual { r, l, lower }))
}

/// L with limit I − gram − L Lᵀ about margin I: a pivoted Cholesky factorization in doubles of what is left above it. As many columns as
/// there are modes well below the radius, one for cross-entropy at its collapsed minimum. Entries are multiples of 2^exp or coarser.
fn factor(gram: &[i128], limit: i128, k: usize, margin: f64, exp: i32) -> Option<Words> {
    let mut left: Vec<f64> = (0..k).map(|i| (limit - gram[i * k + i]) as f64 - margin).collect();
    let mut columns: Vec<Vec<f64>> = vec![];
    while columns.len() < k {
        let (pivot, &most) = left.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1))?;
        if most <= 16.0 * margin {
            break;
        }
        let mut column: Vec<f64> = gram[pivot * k..(pivot + 1) * k].iter().map(|&x| -x as f64).collect();
        column[pivot] = (limit - gram[pivot * k + pivot]) as f64 - margin;
        for earlier in &columns {
            column.iter_mut().zip(earlier).for_each(|(x, y)| *x -= y * earlier[pivot]);
        }
        for (x, left) in column.iter_mut().zip(&mut left) {
            *x /= most.sqrt();
            *left -= *x * *x;
        }
        left[pivot] = 0.0;
        columns.push(column);
    }
    let l = averaged(gram, limit, k, margin, &columns)?;
    // In units of 2^exp the entries are at most about √limit.
    let coarser = ((limit as f64).sqrt().log2().floor() as i32 + 1 - FACTOR_BITS).max(0);
    let unit = 2f64.powi(coarser);
    let m = (0..k).flat_map(|i| l.row(i).iter().map(|x| (x / unit).round() as i64).collect::<Vec<_>>()).collect();
    Some(Words { rows: k, cols: columns.len(), exp: exp + coarser, m })
}

/// Y S^-1/2 with Y = A C and S = Cᵀ Y for A = limit I − gram − margin I and the given columns C: A's best approximation from A C. Where A is
/// of that rank but for noise it is the factorization again, with the noise of every column of A averaged, not that of the pivots' alone.
fn averaged(gram: &[i128], limit: i128, k: usize, margin: f64, columns: &[Vec<f64>]) -> Option<Mat<f64>> {
    if columns.is_empty() {
        return Some(Mat::zeros(k, 0));
    }
    let c = Mat::from_fn(k, columns.len(), |i, j| columns[j][i]);
    let mut a = Mat::from_fn(k, k, |i, j| -gram[i + j * k] as f64);
    for i in 0..k {
        a[(i, i)] = (limit - gram[i * k + i]) as f64 - margin;
    }
    // On one thread: products with few columns round differently on several.
    let (mut y, mut s) = (Mat::zeros(k, columns.len()), Mat::zeros(columns.len(), columns.len()));
    matmul(y.as_mut(), Accum::Replace, a.as_ref(), c.as_ref(), 1.0, Par::Seq);
    matmul(s.as_mut(), Accum::Replace, c.transpose(), y.as_ref(), 1.0, Par::Seq);
    let scratch = llt::cholesky_in_place_scratch::<f64>(columns.len(), Par::Seq, Default::default());
    llt::cholesky_in_place(s.as_mut(), Default::default(), Par::Seq, MemStack::new(&mut MemBuffer::new(scratch)), Default::default())
        .ok()?;
    let mut transposed = y.transpose().to_owned();
    solve_lower_triangular_in_place(s.as_ref(), transposed.as_mut(), Par::Seq);
    Some(transposed.transpose().to_owned())
}

/// The targets' residue class on the grid 2^-GRID, rounded down as the checker does: (at a tag, elsewhere).
fn grid_targets(plain: &Plain) -> (i128, i128) {
    let target = |hit| (plain.target(hit) << GRID).floor().numer().to_i128().unwrap_or(0);
    (target(true), target(false))
}

/// q_g = t_g + r_g of group g and class i, in units of 2^-GRID.
fn probability(plain: &Plain, r: &Words, (peak, floor): (i128, i128), g: usize, i: usize) -> i128 {
    (if plain.tagged(g, i) { peak } else { floor }) + (i128::from(r.m[i * r.cols + g]) << (r.exp + GRID))
}

/// Whether every q_g >= 0.
fn nonnegative(plain: &Plain, r: &Words) -> bool {
    let targets = grid_targets(plain);
    (0..r.cols).into_par_iter().all(|g| (0..plain.k).all(|i| probability(plain, r, targets, g, i) >= 0))
}

/// A lower bound on (1/N) Σ_g n_g Σ_j −q_jg log(q_jg/m_g) − β.
///
/// Smoothed targets are below by less than a unit of the grid: where −q log q falls its slope is above −(1 + log m), m < 8.
fn entropy_bound(plain: &Plain, fixed: &Fixed, r: &Words, beta: &Rational) -> Ball {
    /// Bits cut from logarithms so that the sum over a column stays below 2^123.
    const CUT: u32 = 8;
    let targets = grid_targets(plain);
    let column = |g: usize| {
        let term = |i: usize| match u64::try_from(probability(plain, r, targets, g, i)) {
            Ok(q @ 1..) => -i128::from(q) * ((fixed.log_upper(q, -GRID) >> CUT) + 1),
            _ => 0,
        };
        Integer::from((0..plain.k).map(term).sum::<i128>())
    };
    let columns: Vec<Integer> = (0..r.cols).into_par_iter().map(column).collect();
    let sum: Integer = columns.into_iter().zip(&plain.counts).map(|(x, &n)| x * n).sum();
    let smoothed = if plain.smoothing == 0 { Integer::new() } else { Integer::from(3) * plain.k as u64 * plain.n as u64 };
    let exact = scaled(sum, CUT as i32 - GRID - 63) - scaled(smoothed, -GRID);
    let mut total = Ball::from_rational(&exact, WIDTH);
    for (g, &n) in plain.counts.iter().enumerate().filter(|&(g, _)| plain.mass(g) > 1) {
        let mass = Ball::from_integer(&Integer::from(plain.mass(g)), WIDTH);
        total = &total + &(&(&mass * &mass.ln()) * &Ball::from_integer(&Integer::from(n), WIDTH));
    }
    &(&total / &Ball::from_integer(&Integer::from(plain.n), WIDTH)) - &Ball::from_rational(beta, WIDTH)
}
