//! NC1: within-class variability beside the class means' spectrum.

use faer::{Accum, Mat, MatRef, Par, linalg::matmul::matmul};
use rug::Float;

use super::bounded::{Bounded, TINY, U, gamma, sum};
use super::moments::Moments;
use super::rows::Rows;
use crate::linalg::thin_svd;

const SLACK: f64 = 1.0 + 1e-6;
/// Products are summed in pieces of this depth where their rounding enters a bound.
const PIECE: usize = 32;
/// Beyond this distance from orthonormal a singular value decomposition has failed.
const ORTHONORMAL: f64 = 1e-3;

/// Rank-r part `B = U diag(s) Vᵀ` of a singular value decomposition of rows (as columns), verified after the fact.
#[derive(Debug, Clone)]
pub(crate) struct Spectrum {
    pub u: Mat<f64>,
    pub values: Vec<f64>,
    /// Bounds of `‖UᵀU − I‖_F` and `‖VᵀV − I‖_F`.
    pub eta_u: f64,
    pub eta_v: f64,
    /// Bound of `‖A − B‖_F`, A the exact matrix.
    pub error: f64,
}

impl Spectrum {
    /// The leading `rank` singular triples of the rows taken as columns; `None` when the decomposition fails.
    pub fn new(rows: &Rows, rank: usize) -> Option<Self> {
        let m = rows.matrix().transpose();
        let (u, s, v) = thin_svd(m)?;
        let (u, v) = (u.subcols(0, rank).to_owned(), v.subcols(0, rank).to_owned());
        let values = s[..rank].to_vec();
        let (eta_u, eta_v) = (defect(&u), defect(&v));
        if !(eta_u < ORTHONORMAL && eta_v < ORTHONORMAL) {
            return None;
        }
        let (_, data_error) = rows.frobenius();
        let error = (data_error + residual(m, &u, &values, &v)) * SLACK;
        error.is_finite().then_some(Spectrum { u, values, eta_u, eta_v, error })
    }

    /// Singular values of the exact matrix.
    ///
    /// With U = Ũ H, Ũ orthonormal and ‖H − I‖ <= η_u (H² = UᵀU), those of B are within s_1 (η_u + η_v + η_u η_v) of s, and by Weyl
    /// those of A within ‖A − B‖ of B's.
    pub fn singular_values(&self) -> Vec<Bounded> {
        let first = self.values.first().copied().unwrap_or(0.0);
        let spread = (first * (self.eta_u + self.eta_v + self.eta_u * self.eta_v) + self.error) * SLACK;
        self.values.iter().map(|&s| Bounded::new(s, spread)).collect()
    }
}

/// Bound of `‖QᵀQ − I‖_F`, the products over at most 32 rows at a time.
fn defect(q: &Mat<f64>) -> f64 {
    let r = q.ncols();
    let (mut total, mut part) = (Mat::<f64>::zeros(r, r), Mat::<f64>::zeros(r, r));
    let mut pieces = 0.0;
    for first in (0..q.nrows()).step_by(PIECE) {
        let rows = q.subrows(first, PIECE.min(q.nrows() - first));
        matmul(part.as_mut(), Accum::Replace, rows.transpose(), rows, 1.0, Par::Seq);
        total += &part;
        pieces += 1.0;
    }
    // ‖|Q|ᵀ|Q|‖_F <= ‖Q‖_F²; every addition rounds a part of QᵀQ, of norm at most that of the whole.
    let square = total.diagonal().column_vector().iter().sum::<f64>() * SLACK + TINY;
    let sums = total.norm_l2() * SLACK;
    let mut distance = total;
    for i in 0..r {
        distance[(i, i)] -= 1.0;
    }
    (distance.norm_l2() + gamma(PIECE + 4) * square + (pieces + 2.0) * U * sums) * SLACK
}

/// Bound of `‖M − U diag(s) Vᵀ‖_F`, the products over at most 32 triples at a time.
fn residual(m: MatRef<'_, f64>, u: &Mat<f64>, s: &[f64], v: &Mat<f64>) -> f64 {
    let mut rest = m.to_owned();
    let mut part = Mat::<f64>::zeros(m.nrows(), m.ncols());
    let mut rounding = 0.0;
    for first in (0..s.len()).step_by(PIECE) {
        let count = PIECE.min(s.len() - first);
        let scaled = Mat::from_fn(m.nrows(), count, |i, j| u[(i, first + j)] * s[first + j]);
        matmul(part.as_mut(), Accum::Replace, &scaled, v.subcols(first, count).transpose(), 1.0, Par::Seq);
        rest -= &part;
        // ‖|U| diag(s) |V|ᵀ‖_F <= Σ s_i ‖u_i‖ ‖v_i‖, the norms within ORTHONORMAL of one.
        let weight: f64 = s[first..first + count].iter().sum::<f64>() * (1.0 + 3.0 * ORTHONORMAL);
        rounding += gamma(PIECE + 4) * weight + U * rest.norm_l2() * SLACK;
    }
    (rest.norm_l2() + rounding) * SLACK
}

/// `tr(S_W S_B⁺)/K` with S_B = M̃ M̃ᵀ/K: `Σ_{i<=r} u_iᵀ S_W u_i / s_i²`, from the r = min(d, K−1) leading singular triples of M̃ and
/// without forming S_B. `Err` says why it is undefined.
///
/// Error: y = ‖B⁺ S^½‖_F is √ of the sum up to the orthonormality of U and V; from B to the exact M̃, of rank at most r and at
/// distance e, `A⁺ − B⁺ = A⁺(B − A)B⁺ + A⁺(I − BB⁺) − (I − A⁺A)B⁺` gives
/// `|‖A⁺S^½‖ − ‖B⁺S^½‖| <= e (y/σ_A + ‖(I − BB⁺)S^½‖/σ_A² + y/σ_B)`, σ the r-th singular values, `σ_A >= σ_B − e`.
///
/// Source: P.-Å. Wedin, *BIT* 13 (1973).
pub(crate) fn nc1(moments: &Moments, spectrum: &Spectrum) -> Result<Bounded, String> {
    let Some(scatter) = &moments.scatter else {
        return Err(format!("it needs the d x d scatter matrix, kept up to d = {}", super::accumulate::MAX_SCATTER_DIM));
    };
    let (d, r) = (moments.dim, spectrum.values.len());
    let least = spectrum.values[r - 1];
    let sigma_b = least * (1.0 - spectrum.eta_u) * (1.0 - spectrum.eta_v) / SLACK;
    let sigma_a = (sigma_b - spectrum.error) / SLACK;
    if sigma_a.is_nan() || sigma_a <= 0.0 {
        return Err(format!(
            "the smallest of the class means' {r} singular values, {least:.1e}, cannot be told from zero (within {:.1e})",
            spectrum.error
        ));
    }
    let n = Bounded::exact(moments.samples() as f64);
    let mut image = Mat::<f64>::zeros(d, r);
    matmul(image.as_mut(), Accum::Replace, scatter, &spectrum.u, 1.0, Par::Seq);
    let (mut total, mut inverse, mut fourth) = (0.0, 0.0, 0.0);
    for (i, s) in spectrum.values.iter().enumerate() {
        let energy: f64 = spectrum.u.col(i).iter().zip(image.col(i).iter()).map(|(u, z)| u * z).sum();
        total += energy.max(0.0) / s / s;
        inverse += 1.0 / s / s;
        fourth += 1.0 / s / s / s / s;
    }
    let size = scatter.norm_l2() * SLACK;
    let unit = 1.0 + spectrum.eta_u;
    // The scatter's error, the rounding of uᵀSu (clipping at zero moves it towards the exact value), that of the sum.
    let rounding = moments.scatter_error * unit * fourth.sqrt() + gamma(2 * d + 8) * size * unit * inverse + gamma(r + 8) * total;
    let p = (Bounded::new(total, rounding * SLACK) / n).sqrt();
    let spread = moments.within_trace().sqrt().upper().max(0.0);
    let near = 2.1 * spectrum.eta_u * spread / least + 1.1 * spectrum.eta_v * (p.upper() + 2.1 * spectrum.eta_u * spread / least);
    let y = Bounded::new(p.value, (p.bound + near) * SLACK);
    let outside = if r < d { spread } else { 0.0 };
    let reach = y.upper();
    let change = spectrum.error * (reach / sigma_a + outside / sigma_a / sigma_a + reach / sigma_b) * SLACK;
    let value = total / moments.samples() as f64;
    let square = Bounded::new(y.value, y.bound + change).square();
    Ok(Bounded::new(value, square.bound + (square.value - value).abs() * SLACK))
}

/// `s_1/s_r` of the class means: what relative errors of the data become in NC1.
pub(crate) fn condition(spectrum: &Spectrum) -> Bounded {
    let values = spectrum.singular_values();
    values[0] / values[values.len() - 1]
}

/// Stable rank `‖A‖_F²/‖A‖²`.
pub(crate) fn stable_rank(rows: &Rows, spectrum: &Spectrum) -> Bounded {
    rows.square() / spectrum.singular_values()[0].square()
}

/// Effective rank `exp(−Σ p_i ln p_i)`, `p_i = s_i/Σ s`.
///
/// Source: O. Roy and M. Vetterli, *EUSIPCO* (2007).
pub(crate) fn effective_rank(spectrum: &Spectrum) -> Bounded {
    let values = spectrum.singular_values();
    let total = sum(values.iter().copied());
    let entropy = sum(values.iter().map(|&s| plogp(s / total)));
    // |e^a − e^b| <= e^max(a, b) |a − b|.
    let exp = |x: f64| Float::with_val(64, x).exp().to_f64() * (1.0 + 4.0 * U);
    let value = exp(entropy.value);
    Bounded::new(value, exp(entropy.upper()) * entropy.bound * SLACK + 8.0 * U * value)
}

/// `−p ln p`; `|η(p) − η(q)| <= η(|p − q|)` while `|p − q| <= 1/2`, η increasing below 1/e.
fn plogp(p: Bounded) -> Bounded {
    let eta = |x: f64| if x > 0.0 { -x * Float::with_val(64, x).ln().to_f64() } else { 0.0 };
    let p = p.nonnegative();
    let spread = if p.bound <= 0.25 { eta(p.bound) * SLACK } else { f64::INFINITY };
    let value = eta(p.value);
    Bounded::new(value, spread + 4.0 * U * value.abs())
}
