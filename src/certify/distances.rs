//! Certified distances between class means: how far two classes can be from having collapsed into one.

use faer::Mat;
use rug::{Float, Rational};

use super::{CertifyError, CertifyOptions, best_dual, certifiable, check_shapes, group_means, working_bits, writer};
use crate::linalg::eigh;
use crate::problem::exact::{Plain, State, rows_times_rows, scaled};
use crate::problem::{Dyadic, ExactPoint, Problem};
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

    /// Whether S − t w wᵀ is certainly positive definite: every pivot of an interval Cholesky factorization is positive.
    fn definite(&self, a: usize, b: usize, t: &Rational) -> bool {
        let c = self.size;
        let mut m: Vec<Ball> = (0..c * c)
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
}
