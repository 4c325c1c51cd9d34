//! Certified distances between class means: how far two classes can be from having collapsed into one.

use faer::Mat;
use rug::{Float, Rational};

use super::{CertifyError, CertifyOptions, best_dual, certifiable, check_shapes, group_means, working_bits, writer};
use crate::linalg::eigh;
use crate::problem::exact::{Plain, State, rows_times_rows, scaled};
use crate::problem::{Dyadic, ExactPoint, Loss, Problem};
use crate::scalar::Ball;

/// Bits of the interval Cholesky factorizations: the dual matrix stays 2^-50 below its radius.
const PRECISION: u32 = 256;
/// What the double-precision estimate of the constant is raised by before it is proved, and how often that is doubled.
const ROOM: f64 = 1.0 / 1024.0;
const ATTEMPTS: u32 = 12;

/// Upper bounds on ‖h̄_a − h̄_b‖² for pairs of classes (or tag sets, in the order of H's columns) at this very point, from its gap.
///
/// Formula: with the certificate's dual matrix G the gap g bounds `λ_H/2 tr(H (I − GᵀG/μ²) Hᵀ)`. With R its columns by group,
/// D = diag(n_g) and w = e_a − e_b, if `N²μ² (D − w wᵀ/κ) − D RᵀR D ⪰ 0`, then ‖h̄_a − h̄_b‖² <= κ · 2 g/λ_H. The definiteness is proved by
/// a Cholesky factorization in interval arithmetic. The bound is small exactly where the mode that separates the two classes is not
/// worth its regularisation: minority collapse. Classes that are apart get no small bound.
///
/// Hypotheses: as [`certify`](super::certify), but not the focal loss. Guarantee: bounds for the exact entries of the point; ∞ where
/// nothing could be proved.
///
/// # Errors
/// [`CertifyError`] as for [`certify`](super::certify). A pair with an index out of range gets ∞.
///
/// Source: minority collapse, Fang et al., PNAS 2021; Hong and Ling, arXiv 2309.09725.
pub fn mean_distances(
    problem: &Problem,
    point: &ExactPoint,
    pairs: &[(usize, usize)],
    options: &CertifyOptions,
) -> Result<Vec<Float>, CertifyError> {
    let plain = certifiable(problem)?;
    check_shapes(&plain, point)?;
    let infinite = || Float::with_val(64, rug::float::Special::Infinity);
    let bits = working_bits(options.digits);
    let Some(state) = State::new(&plain, point, bits) else { return Ok(pairs.iter().map(|_| infinite()).collect()) };
    let objective = state.objective();
    let (residual, units) = state.residual();
    let norm = state.gradient_norm(&residual, units);
    let means = group_means(&plain, &residual, bits);
    let Some(dual) = best_dual(&plain, &state, &means, &norm, &objective, options, bits) else {
        return Ok(pairs.iter().map(|_| infinite()).collect());
    };
    let slack = Slack::new(&plain, &dual.r);
    let gap = &objective - &dual.lower;
    let bound = |&(a, b): &(usize, usize)| {
        let kappa = slack.constant(&plain, a, b)?;
        let gap = gap.upper_rational()?.max(Rational::new());
        Some(writer::round_up(&(kappa * 2u32 * gap / &plain.lambda_h)))
    };
    Ok(pairs.iter().map(|pair| bound(pair).unwrap_or_else(infinite)).collect())
}

/// What [`minimiser_distances`] proves of two classes at every global minimiser.
#[derive(Debug, Clone)]
pub struct MinimiserDistance {
    /// Their means are one, exactly, and so are their classifier rows.
    pub collapsed: bool,
    /// ‖h̄_a − h̄_b‖², enclosed.
    pub squared: Ball,
}

/// The distances of class means at every global minimiser, from one point close to it: exactly zero where that is proved, and enclosed.
///
/// Formula: with R = Q − T the certificate's dual matrix, g its gap and R* = Q* − T the dual optimum, which is unique, strong concavity and
/// Pinsker's inequality give `|r*_kg − r_kg| <= √(N g/(2 n_g))`. Stationarity gives
/// `N λ_H ‖h̄_a − h̄_b‖² = −<r*_a − r*_b, log q*_a − log q*_b>` in every bias mode. R* commutes with permutations of classes of one size, so
/// that R* D^{1/2}/N splits: e_a − e_b with n_a = n_b is a singular pair of value √n_a |r*_aa − r*_ab|/N, and the sums over classes of each
/// size are a block T. Means and rows of a minimiser have no part in singular values below μ. Hence n_a = n_b collapse exactly when the
/// pair's value is below μ; and where ‖T‖ < μ besides, classes all of whose peers collapsed (or that have none) vanish, of whatever sizes.
/// Classes of different sizes share a mean in no other way without bias: h̄_a = h̄_b = h gives w_a = w_b, so (n_a − n_b) h = 0.
///
/// Hypotheses: the plain model with cross-entropy or label smoothing, any class sizes and bias, d >= K − 1. Guarantee: every global minimiser,
/// not the point given, which only decides how tight the enclosure is.
///
/// # Errors
/// [`CertifyError`] for other problems and points of the wrong shape. A pair with an index out of range, or no verified dual matrix: the whole
/// line.
///
/// Source: minority collapse, Fang et al., PNAS 2021; Hong and Ling, arXiv 2309.09725 (block symmetry); the derivation is this project's.
pub fn minimiser_distances(
    problem: &Problem,
    point: &ExactPoint,
    pairs: &[(usize, usize)],
    options: &CertifyOptions,
) -> Result<Vec<MinimiserDistance>, CertifyError> {
    let supported = matches!(problem.loss, Loss::Ce | Loss::LabelSmoothing { .. }) && super::tight(problem);
    let Some(counts) = problem.class_counts().filter(|_| supported) else {
        return Err(CertifyError::Unsupported("problem (distances at minimisers need cross-entropy on classes, and dim >= K - 1)"));
    };
    let result = super::certify(problem, b"", point, options)?;
    let plain = certifiable(problem)?;
    let width = working_bits(options.digits) + 64;
    let optimum = result.dual.as_ref().zip(result.bounds.as_ref()).and_then(|(r, b)| Optimum::new(&plain, &counts, r, &b.gap, width));
    let unknown = || MinimiserDistance { collapsed: false, squared: Ball::whole(width) };
    Ok(pairs.iter().map(|&(a, b)| optimum.as_ref().and_then(|o| o.distance(a, b)).unwrap_or_else(unknown)).collect())
}

/// The dual optimum, enclosed.
struct Optimum<'a> {
    plain: &'a Plain,
    counts: &'a [u64],
    /// R* and log Q*, row-major: column g belongs to class g.
    r: Vec<Ball>,
    log: Vec<Ball>,
    width: u32,
}

impl<'a> Optimum<'a> {
    fn new(plain: &'a Plain, counts: &'a [u64], r: &Dyadic, gap: &Float, width: u32) -> Option<Self> {
        let (k, gap) = (plain.k, gap.to_rational()?);
        let mut optimum = Optimum { plain, counts, r: vec![], log: vec![], width };
        for i in 0..k * k {
            let (row, column) = (i / k, i % k);
            let square = Rational::from(&gap * plain.n as u64) / (2 * counts[column]);
            let reach = Ball::from_rational(&square, width).sqrt();
            let entry = Ball::from_rational(&r.rational(row, column), width);
            let entry = (&entry - &reach).hull(&(&entry + &reach));
            let q = &entry + &Ball::from_rational(&plain.target(row == column), width);
            // Q* is a softmax: positive whatever the enclosure says.
            let q = Ball::from_bounds(q.lower().max(&Float::new(width)), q.upper());
            optimum.log.push(q.ln());
            optimum.r.push(entry);
        }
        Some(optimum)
    }

    fn at(&self, row: usize, column: usize) -> &Ball {
        &self.r[row * self.plain.k + column]
    }

    fn distance(&self, a: usize, b: usize) -> Option<MinimiserDistance> {
        let (k, zero) = (self.plain.k, Ball::zero(self.width));
        if a >= k || b >= k || a == b {
            return None;
        }
        let equal = self.counts[a] == self.counts[b];
        let collapsed = if equal { self.peers_collapse(a) } else { self.vanishes(a) && self.vanishes(b) && self.sums_vanish() };
        if collapsed {
            return Some(MinimiserDistance { collapsed, squared: zero });
        }
        let difference = |x: &[Ball], i: usize| &x[i * k + a] - &x[i * k + b];
        let inner = (0..k).fold(zero, |sum, i| &sum - &(&difference(&self.r, i) * &difference(&self.log, i)));
        let squared = &inner / &Ball::from_rational(&Rational::from(&self.plain.lambda_h * self.plain.n as u64), self.width);
        Some(MinimiserDistance { collapsed, squared })
    }

    /// Another class of the size of `a`.
    fn peer(&self, a: usize) -> Option<usize> {
        (0..self.plain.k).find(|&b| b != a && self.counts[b] == self.counts[a])
    }

    /// n_a (r*_aa − r*_ab)² < N² μ² for a peer b: all classes of this size have one mean and one row.
    fn peers_collapse(&self, a: usize) -> bool {
        let Some(b) = self.peer(a) else { return false };
        let value = (self.at(a, a) - self.at(a, b)).square() * Ball::from_integer(&self.counts[a].into(), self.width);
        (value - Ball::from_rational(&self.plain.radius_squared(), self.width)).is_negative()
    }

    /// Whether the class is its size's sum, up to a factor.
    fn vanishes(&self, a: usize) -> bool {
        self.peer(a).is_none() || self.peers_collapse(a)
    }

    /// ‖T‖ < μ: N² μ² I − N² TᵀT is positive definite, N T_{st} = √n_t Σ_{i∈s, j∈t} r*_ij / √(m_s m_t) over sizes s, t of m_s and m_t classes.
    fn sums_vanish(&self) -> bool {
        let mut sizes: Vec<u64> = self.counts.to_vec();
        sizes.sort_unstable();
        sizes.dedup();
        let members: Vec<Vec<usize>> = sizes.iter().map(|&n| (0..self.plain.k).filter(|&k| self.counts[k] == n).collect()).collect();
        let c = sizes.len();
        let entry = |i: usize| {
            let (s, t) = (&members[i / c], &members[i % c]);
            let sum =
                s.iter().flat_map(|&i| t.iter().map(move |&j| (i, j))).fold(Ball::zero(self.width), |sum, (i, j)| &sum + self.at(i, j));
            sum * Ball::from_rational(&(Rational::from(sizes[i % c]) / (s.len() * t.len()) as u64), self.width).sqrt()
        };
        let block: Vec<Ball> = (0..c * c).map(entry).collect();
        let radius = Ball::from_rational(&self.plain.radius_squared(), self.width);
        let slack = |i: usize| {
            let (a, b) = (i / c, i % c);
            let start = if a == b { radius.clone() } else { Ball::zero(self.width) };
            (0..c).fold(start, |sum, s| &sum - &(&block[s * c + a] * &block[s * c + b]))
        };
        positive_definite((0..c * c).map(slack).collect(), c)
    }
}

/// Whether a symmetric matrix is certainly positive definite: every pivot of an interval Cholesky factorization is positive.
fn positive_definite(mut m: Vec<Ball>, c: usize) -> bool {
    for j in 0..c {
        if !m[j * c + j].is_positive() {
            return false;
        }
        for i in j + 1..c {
            let factor = &m[i * c + j] / &m[j * c + j];
            for l in j + 1..=i {
                m[i * c + l] = &m[i * c + l] - &(&factor * &m[l * c + j]);
            }
        }
    }
    true
}

/// S = N²μ² D − D RᵀR D, exactly.
struct Slack {
    matrix: Vec<Rational>,
    size: usize,
    radius: Rational,
}

impl Slack {
    fn new(plain: &Plain, r: &Dyadic) -> Self {
        let c = plain.counts.len();
        let transposed = r.transpose();
        let gram = rows_times_rows(&transposed, &transposed);
        let radius = plain.radius_squared();
        let entry = |t: usize| {
            let (a, b) = (t / c, t % c);
            let weight = Rational::from(plain.counts[a]) * Rational::from(plain.counts[b]);
            let dual = -(scaled(gram.m[t].clone(), gram.exp) * weight);
            if a == b { dual + &radius * Rational::from(plain.counts[a]) } else { dual }
        };
        Slack { matrix: (0..c * c).map(entry).collect(), size: c, radius }
    }

    /// κ with S − N²μ² w wᵀ/κ positive definite: the estimate N²μ² wᵀ S⁻¹ w from doubles, raised until the proof goes through.
    fn constant(&self, plain: &Plain, a: usize, b: usize) -> Option<Rational> {
        let c = self.size;
        if a >= c || b >= c || a == b {
            return None;
        }
        // Scaled by D^(-1/2) on both sides, for the accuracy of the estimate.
        let root = |i: usize| (plain.counts[i] as f64).sqrt();
        let (values, u) = eigh(Mat::from_fn(c, c, |i, j| self.matrix[i * c + j].to_f64() / (root(i) * root(j))).as_ref())?;
        let part = |i: usize| u[(a, i)] / root(a) - u[(b, i)] / root(b);
        // Eigenvalues of modes at the radius are rounding: they count as the rounding itself.
        let floor = f64::EPSILON * c as f64 * self.radius.to_f64();
        let estimate: f64 = self.radius.to_f64() * (0..c).map(|i| part(i).powi(2) / values[i].max(floor)).sum::<f64>();
        (0..ATTEMPTS).find_map(|attempt| {
            let kappa = Rational::from_f64(estimate * (1.0 + ROOM * f64::from(1 << attempt)))?;
            (kappa > 0 && self.definite(a, b, &Rational::from(&self.radius / &kappa))).then_some(kappa)
        })
    }

    /// Whether S − t w wᵀ is certainly positive definite.
    fn definite(&self, a: usize, b: usize, t: &Rational) -> bool {
        let c = self.size;
        let m = (0..c * c)
            .map(|index| {
                let hit = |i: usize| i == a || i == b;
                let (i, j) = (index / c, index % c);
                let update = if !hit(i) || !hit(j) {
                    Rational::new()
                } else if i == j {
                    t.clone()
                } else {
                    -t.clone()
                };
                Ball::from_rational(&Rational::from(&self.matrix[index] - &update), PRECISION)
            })
            .collect();
        positive_definite(m, c)
    }
}
