//! Exact arithmetic on points of the plain model: integers times a power of two, in machine words where they fit.

use faer::MatRef;
use rayon::prelude::*;
use rug::{Integer, Rational};

use crate::linalg::product::{integer_columns, integer_cost};
use crate::problem::{Bias, Dyadic, ExactPoint, Loss, Model, Problem, SpecError};

/// The plain or multi-label model with exact parameters and materialised labels. A group is the samples of one target: a class, or a
/// tag set.
pub(crate) struct Plain {
    pub k: usize,
    pub d: usize,
    pub n: usize,
    /// Samples of each group.
    pub counts: Vec<u64>,
    /// The tags of each group, ascending: its class, unless multi-label.
    pub tags: Vec<Vec<usize>>,
    /// The group of each sample.
    pub label: Vec<usize>,
    pub lambda_w: Rational,
    pub lambda_h: Rational,
    pub bias: Bias,
    pub mse: bool,
    /// Smoothing α of the targets `(1−α) e_y + (α/K) 1` of cross-entropy; zero for MSE.
    pub smoothing: Rational,
}

/// Why a problem is not one of [`Plain`].
#[derive(Debug)]
pub(crate) enum PlainError {
    Model,
    Loss,
    Spec(SpecError),
}

impl Plain {
    /// MSE, cross-entropy and label smoothing of the plain model, pick-all-labels of the multi-label model.
    pub fn new(problem: &Problem) -> Result<Self, PlainError> {
        let (mse, smoothing) = match &problem.loss {
            Loss::Mse => (true, Rational::new()),
            Loss::Ce | Loss::PickAllLabels => (false, Rational::new()),
            Loss::LabelSmoothing { smoothing } => (false, smoothing.clone()),
            Loss::Focal { .. } => return Err(PlainError::Loss),
        };
        Plain::with(problem, mse, smoothing)
    }

    /// Cross-entropy of the same labels, weights and bias, whatever the loss is.
    pub fn hard(problem: &Problem) -> Result<Self, PlainError> {
        Plain::with(problem, false, Rational::new())
    }

    fn with(problem: &Problem, mse: bool, smoothing: Rational) -> Result<Self, PlainError> {
        let (Model::Plain { lambda_w, lambda_h } | Model::MultiLabel { lambda_w, lambda_h }) = &problem.model else {
            return Err(PlainError::Model);
        };
        let (k, d, n) = problem.point_sizes().map_err(PlainError::Spec)?;
        let groups = problem.labels.groups();
        let counts: Vec<u64> = groups.iter().map(|g| g.count).collect();
        let label = counts.iter().enumerate().flat_map(|(group, &n)| std::iter::repeat_n(group, n as usize)).collect();
        Ok(Plain {
            k,
            d,
            n,
            counts,
            tags: groups.into_iter().map(|g| g.tags).collect(),
            label,
            lambda_w: lambda_w.clone(),
            lambda_h: lambda_h.clone(),
            bias: problem.bias.clone(),
            mse,
            smoothing,
        })
    }

    /// Cross-entropy without regulariser: the sphere model's logits are a plain model's, its constraint is kept elsewhere.
    ///
    /// # Errors
    /// [`PlainError::Spec`] when a point does not fit in memory.
    pub fn unregularized(problem: &Problem) -> Result<Self, PlainError> {
        let (k, d, n) = problem.point_sizes().map_err(PlainError::Spec)?;
        let counts = problem.class_counts().ok_or(PlainError::Model)?;
        let label = counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class, n as usize)).collect();
        let tags = (0..k).map(|class| vec![class]).collect();
        let zero = Rational::new;
        Ok(Plain { k, d, n, counts, tags, label, lambda_w: zero(), lambda_h: zero(), bias: Bias::None, mse: false, smoothing: zero() })
    }

    pub fn lambda_b(&self) -> Option<&Rational> {
        match &self.bias {
            Bias::Regularized { lambda_b } => Some(lambda_b),
            _ => None,
        }
    }

    /// Whether a group has a tag.
    pub fn tagged(&self, group: usize, class: usize) -> bool {
        self.tags[group].contains(&class)
    }

    /// Total target mass of a group: its number of tags.
    pub fn mass(&self, group: usize) -> u64 {
        self.tags[group].len() as u64
    }

    /// The largest total target mass.
    pub fn largest_mass(&self) -> u64 {
        self.tags.iter().map(|t| t.len() as u64).max().unwrap_or(1)
    }

    /// A target at one of a sample's tags (`hit`) or at another class: one and zero, or smoothed.
    pub fn target(&self, hit: bool) -> Rational {
        let floor = Rational::from(&self.smoothing / Integer::from(self.k));
        if hit { (Rational::from(1) - &self.smoothing) + floor } else { floor }
    }

    /// N² λ_W λ_H = (N μ)².
    pub fn radius_squared(&self) -> Rational {
        Rational::from(&self.lambda_w * &self.lambda_h) * Integer::from(self.n).square()
    }
}

/// m · 2^e as a rational.
pub(crate) fn scaled(m: Integer, e: i32) -> Rational {
    if e >= 0 { Rational::from(m) << e as u32 } else { Rational::from(m) >> e.unsigned_abs() }
}

impl Dyadic {
    pub(crate) fn transpose(&self) -> Dyadic {
        let m = (0..self.cols).flat_map(|j| (0..self.rows).map(move |i| (i, j))).map(|(i, j)| self.m[i * self.cols + j].clone());
        Dyadic { rows: self.cols, cols: self.rows, exp: self.exp, m: m.collect() }
    }

    /// The same numbers with exponent `exp <= self.exp`.
    pub(crate) fn aligned(mut self, exp: i32) -> Dyadic {
        let shift = (self.exp - exp) as u32;
        if shift > 0 {
            self.m.par_iter_mut().with_min_len(SHARE).for_each(|x| *x <<= shift);
        }
        self.exp = exp;
        self
    }

    /// Nearest integers on the grid 2^exp; an entry moves by at most half a unit (not at all when `exp <= self.exp`).
    pub(crate) fn rounded(self, exp: i32) -> Dyadic {
        if exp <= self.exp {
            return self.aligned(exp);
        }
        let shift = (exp - self.exp) as u32;
        let half = Integer::from(1) << (shift - 1);
        let m = self.m.into_par_iter().with_min_len(SHARE).map(|x| (x + &half) >> shift).collect();
        Dyadic { exp, m, ..self }
    }

    /// The same numbers on the grid 2^exp or a coarser one of their own.
    pub(crate) fn rounded_below(self, exp: i32) -> Dyadic {
        if exp <= self.exp { self } else { self.rounded(exp) }
    }

    /// Σ m².
    pub(crate) fn sum_squares(&self) -> Rational {
        let part = |m: &[Integer]| m.iter().fold(Integer::new(), |sum, x| sum + x.square_ref());
        let total: Integer = self.m.par_chunks(CHUNK).map(part).sum();
        scaled(total, 2 * self.exp)
    }

    fn small(&self) -> Option<(Vec<i64>, u64)> {
        let small: Vec<i64> = self.m.iter().map(|x| x.to_i64()).collect::<Option<_>>()?;
        let max = small.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        Some((small, max))
    }
}

/// Entries of a matrix for one thread at the least: with fewer, waking another takes longer than the work.
pub(crate) const SHARE: usize = 1 << 11;

/// Entries summed by one thread at a time.
pub(super) const CHUNK: usize = 1 << 14;

/// Entries of products from which a second thread pays.
const PARALLEL: usize = 1 << 11;

/// Nanoseconds on one core of a term of a product in 128-bit integers.
const TERM: f64 = 0.8;

/// `A Bᵀ`, exactly: rows of A against rows of B. Machine integers where the bound len · max|a| · max|b| < 2^127 allows and that is
/// cheaper, otherwise as [`exact_integer_product`](crate::linalg::product::exact_integer_product).
pub(crate) fn rows_times_rows(a: &Dyadic, b: &Dyadic) -> Dyadic {
    let len = a.cols;
    debug_assert_eq!(len, b.cols);
    if let (Some((x, mx)), Some((y, my))) = (a.small(), b.small()) {
        let fits = (mx as u128 * my as u128).checked_mul(len.max(1) as u128).is_some_and(|bound| bound < 1 << 127);
        let bits = |max: u64| u64::from(64 - max.leading_zeros());
        let machine = (a.rows * b.rows * len) as f64 * TERM;
        if fits && machine <= integer_cost((b.rows, len, a.rows), bits(mx), bits(my)) {
            return entrywise(a, b, |i, j| Integer::from(dot(&x[i * len..(i + 1) * len], &y[j * len..(j + 1) * len])));
        }
    }
    // The columns of B Aᵀ are the rows of A Bᵀ.
    let (x, y) = (MatRef::from_row_major_slice(&b.m, b.rows, len), MatRef::from_row_major_slice(&a.m, a.rows, len));
    let m = integer_columns(x, y.transpose(), a.rows * b.rows * len >= PARALLEL);
    Dyadic { rows: a.rows, cols: b.rows, exp: a.exp + b.exp, m }
}

fn dot(x: &[i64], y: &[i64]) -> i128 {
    x.iter().zip(y).map(|(&p, &q)| p as i128 * q as i128).sum()
}

/// The matrix of `entry(i, j)` over rows i of A and j of B, with the exponent of their product.
fn entrywise(a: &Dyadic, b: &Dyadic, entry: impl Fn(usize, usize) -> Integer + Sync) -> Dyadic {
    let (rows, cols) = (a.rows, b.rows);
    let row = |i: usize| {
        let entry = &entry;
        (0..cols).map(move |j| entry(i, j))
    };
    let m = if rows * cols * a.cols < PARALLEL {
        (0..rows).flat_map(row).collect()
    } else {
        (0..rows).into_par_iter().flat_map_iter(row).collect()
    };
    Dyadic { rows, cols, exp: a.exp + b.exp, m }
}

/// Sum of dyadic matrices of one shape, exactly.
fn sum(terms: Vec<Dyadic>) -> Dyadic {
    let exp = terms.iter().map(|t| t.exp).min().unwrap_or(0);
    let mut terms = terms.into_iter().map(|t| t.aligned(exp));
    let mut total = terms.next().expect("at least one term");
    for term in terms {
        total.m.iter_mut().zip(term.m).for_each(|(x, y)| *x += y);
    }
    total
}

/// a − b of one shape, exactly.
pub(crate) fn difference(a: &Dyadic, b: &Dyadic) -> Dyadic {
    let exp = a.exp.min(b.exp);
    let mut a = a.clone().aligned(exp);
    let b = b.clone().aligned(exp);
    a.m.iter_mut().zip(b.m).for_each(|(x, y)| *x -= y);
    a
}

/// b 1ᵀ for a column b.
fn spread(b: &Dyadic, n: usize) -> Dyadic {
    let m = b.m.iter().flat_map(|x| std::iter::repeat_n(x.clone(), n)).collect();
    Dyadic { rows: b.rows, cols: n, exp: b.exp, m }
}

/// `dW H + W dH + db 1ᵀ` and, with the point itself in both places, the logits (see [`logits`]).
pub(crate) fn directional_logits(point: &ExactPoint, v: &ExactPoint) -> Dyadic {
    let mut terms = vec![rows_times_rows(&v.factors[0], &point.h.transpose()), rows_times_rows(&point.factors[0], &v.h.transpose())];
    terms.extend(v.b.as_ref().map(|b| spread(b, point.h.cols)));
    sum(terms)
}

/// The logits Z = W H + b 1ᵀ, exactly.
pub(crate) fn logits(point: &ExactPoint) -> Dyadic {
    let mut terms = vec![rows_times_rows(&point.factors[0], &point.h.transpose())];
    terms.extend(point.b.as_ref().map(|b| spread(b, point.h.cols)));
    sum(terms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products against plain sums, at sizes on both sides of every switch.
    #[test]
    fn products_are_exact_at_every_size() {
        for (bits_a, bits_b) in [(1, 1), (53, 53), (63, 63), (64, 64), (100, 60), (120, 170), (400, 53), (2000, 2000)] {
            let entries = |bits: u32, count: usize| -> Vec<Integer> {
                let entry = |i: usize| ((Integer::from(1) << bits) - 1 - 3 * i as u32) * if i.is_multiple_of(3) { -1 } else { 1 };
                (0..count).map(entry).collect()
            };
            let (a, b) =
                (Dyadic { rows: 2, cols: 5, exp: 3, m: entries(bits_a, 10) }, Dyadic { rows: 3, cols: 5, exp: -9, m: entries(bits_b, 15) });
            let product = rows_times_rows(&a, &b);
            assert_eq!((product.rows, product.cols, product.exp), (2, 3, -6));
            for (i, j) in (0..2).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let exact: Integer = (0..5).map(|t| Integer::from(&a.m[i * 5 + t] * &b.m[j * 5 + t])).sum();
                assert_eq!(product.m[i * 3 + j], exact, "{bits_a} {bits_b}");
            }
        }
    }

    /// Machine-sized entries of a matrix large enough to go through products of doubles.
    #[test]
    fn large_products_are_exact() {
        const N: usize = 220;
        let entry = |t: usize, seed: u64| Integer::from((t as u64 + 1).wrapping_mul(seed | 1) as i64 >> 10);
        let matrix = |seed: u64| Dyadic { rows: N, cols: N, exp: -54, m: (0..N * N).map(|t| entry(t, seed)).collect() };
        let (a, b) = (matrix(0x9e37_79b9_7f4a_7c15), matrix(0xbf58_476d_1ce4_e5b9));
        assert!((N * N * N) as f64 * TERM > integer_cost((N, N, N), 53, 53));
        let product = rows_times_rows(&a, &b);
        for (i, j) in (0..N).map(|t| (t, (17 * t + 5) % N)) {
            let exact: Integer = (0..N).map(|t| Integer::from(&a.m[i * N + t] * &b.m[j * N + t])).sum();
            assert_eq!(product.m[i * N + j], exact);
        }
    }
}
