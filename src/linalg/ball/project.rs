//! A symmetric matrix seen from a nearly orthonormal basis, with a bound on how far its eigenvalues are from the diagonal.
//!
//! Let A be symmetric, X square, R = I − XᵀX with ‖R‖ = r < 1, S = XᵀAX. Then Y = X (I − R)^{-½} is orthogonal and
//!
//! ```text
//! T = YᵀAY = (I − R)^{-½} S (I − R)^{-½} = S + (RS + SR)/2 + rest,   ‖rest‖ <= 3/2 r² ‖S‖   for r <= 1/4,
//! ```
//!
//! because (I − R)^{-½} = I + R/2 + H with ‖H‖ <= 3/8 r²/(1 − r) <= r²/2, and rest = RSR/4 + HS + SH + (HSR + RSH)/2 + HSH. With D₀ the
//! diagonal of S, (RS + SR)/2 has entries R_ij (s_ii + s_jj)/2 up to r ‖S − D₀‖. So T is known up to the square of the error of X.
//!
//! Split T = D + W + F, D = diag(d), F the entries whose pair (i, j) is resolved, W the others. Let K_ij = F_ij/(d_j − d_i),
//! antisymmetric, so that DK − KD = −F, and write `[X, K]` for XK − KX. The function f(t) = e^{−tK} T e^{tK} has
//! f' = e^{−tK} `[T, K]` e^{tK} and ‖f''‖ = ‖`[[T, K], K]`‖, where `[T, K]` = −F + `[W + F, K]`. By Taylor's theorem, with w, f, k
//! the norms of W, F, K,
//!
//! ```text
//! ‖e^{−K} T e^K − D‖ <= w + 2k(w + f) + k (f + 2k(w + f)),
//! ```
//!
//! and e^K is orthogonal. By Weyl's theorem each eigenvalue of A, in sorted order, is that close to the d_i in the same place. No
//! eigenvalue needs to be apart from the others: a pair is resolved when that helps, and multiplicities count themselves.

use faer::Mat;
use rug::{Float, float::Round, ops::NegAssign};

use super::{
    bound::{Bound, Norms},
    size_bits,
};
use crate::linalg::product::{Enclosed, RADIUS_BITS, product};

/// T from the product with a basis: d, the other entries, R, and a bound on the error of T.
pub(super) struct Projection {
    /// d_i.
    pub(super) values: Vec<Float>,
    /// T without its diagonal, symmetric.
    pub(super) coupling: Mat<Float>,
    /// R, symmetric.
    pub(super) defect: Mat<Float>,
    /// A bound on the norm of what T is known up to.
    error: Bound,
    /// Pairs closer than this are not resolved.
    least_gap: Float,
    prec: u32,
}

/// A pair is resolved when |t_ij| <= 2^−this |d_i − d_j| and |d_i − d_j|² is at least the error of T times its norm: then K_ij is known
/// to half the digits of T. Closer pairs would bring noise into K, which is large where the difference of two d is noise too.
const RESOLVED_BITS: u32 = 8;
/// Each entry of T takes five roundings, each below 2^−prec relative to |S_ij| + |R_ij| |d|.
const ROUNDING_BITS: i32 = 3;

/// Computes T at `prec` bits from a symmetric `a`, for the basis in the columns of `x`.
pub(super) fn project(a: &Mat<Float>, x: &Mat<Float>, prec: u32) -> Projection {
    let n = a.nrows();
    let parts = |product: Enclosed| (product.radii(), product.into_floats());
    let (image_error, image) = parts(product(a.as_ref(), x.as_ref(), prec));
    let (gram_error, gram) = parts(product(x.transpose(), x.as_ref(), prec));
    let (quotient_error, quotient) = parts(product(x.transpose(), image.as_ref(), prec));

    // Exact while 1/2 <= g_ii <= 2; otherwise r > 1/4 and nothing is claimed.
    let defect = Mat::from_fn(n, n, |i, j| {
        let mut entry = gram[(i.max(j), i.min(j))].clone();
        entry.neg_assign();
        if i == j { entry + 1 } else { entry }
    });
    let s = |i, j| (Float::with_val(prec, &quotient[(i, j)] + &quotient[(j, i)])) >> 1u32;
    let diagonal: Vec<&Float> = (0..n).map(|i| &quotient[(i, i)]).collect();
    let mut coupling = Mat::from_fn(n, n, |_, _| Float::new(prec));
    let mut values = Vec::with_capacity(n);
    for j in 0..n {
        values.push(Float::with_val(prec, diagonal[j] + Float::with_val(prec, &defect[(j, j)] * diagonal[j])));
        for i in j + 1..n {
            let mean = Float::with_val(prec, diagonal[i] + diagonal[j]) >> 1u32;
            let entry = s(i, j) + mean * &defect[(i, j)];
            coupling[(j, i)] = entry.clone();
            coupling[(i, j)] = entry;
        }
    }

    let off_diagonal = Mat::from_fn(n, n, |i, j| if i == j { Float::new(prec) } else { s(i, j) });
    let off = Norms::of(off_diagonal.as_ref());
    let largest = diagonal.iter().map(|d| Bound::of(d)).fold(Bound::zero(), Bound::max);
    // Twice: the lower triangle stands for both.
    let gram_error = Norms::of(gram_error.as_ref()).frobenius.scaled(1);
    let defect_norms = Norms::of(defect.as_ref());
    let r = defect_norms.clone().two().plus(&gram_error);
    let error = if r <= Bound::power(-2) {
        let rounded = |e: i32, x: Bound| x.scaled(ROUNDING_BITS - e);
        let root = size_bits(n).div_ceil(2) as i32;
        // ‖X‖ <= (1 + r)^½ <= 2.
        let product_error = Norms::of(quotient_error.as_ref()).frobenius.plus(&Norms::of(image_error.as_ref()).frobenius.scaled(1));
        let magnitude = largest.clone().scaled(root).plus(&off.frobenius).plus(&defect_norms.frobenius.times(&largest));
        let off = off.two();
        let square = r.clone().times(&r).times(&Bound::of_f64(1.5)).times(&largest.clone().plus(&off));
        let underflow = Bound::power(i32::MIN).scaled(2 * size_bits(n) as i32 + 8).times(&largest.clone().plus(&Bound::of_f64(1.0)));
        product_error
            .over_one_minus(&r)
            .plus(&off.times(&r))
            .plus(&square)
            .plus(&gram_error.times(&largest))
            .plus(&rounded(prec as i32, magnitude.clone()))
            .plus(&if magnitude.is_zero() { Bound::zero() } else { underflow })
    } else {
        Bound::infinite()
    };
    let least_gap = error.clone().times(&largest).sqrt().into_value();
    Projection { values, coupling, defect, error, least_gap, prec }
}

impl Projection {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn prec(&self) -> u32 {
        self.prec
    }

    /// |d_i − d_j|, rounded downwards.
    fn gap(&self, i: usize, j: usize) -> Float {
        let (a, b) = if self.values[i] >= self.values[j] { (i, j) } else { (j, i) };
        Float::with_val_round(RADIUS_BITS, &self.values[a] - &self.values[b], Round::Down).0
    }

    /// Whether the pair belongs to F.
    pub(super) fn is_resolved(&self, i: usize, j: usize) -> bool {
        let gap = self.gap(i, j);
        let t = Float::with_val_round(RADIUS_BITS, &self.coupling[(i, j)], Round::AwayZero).0;
        gap >= self.least_gap && t.abs() <= gap >> RESOLVED_BITS
    }

    /// Whether the entry of the pair stands out of the error of T.
    pub(super) fn is_significant(&self, i: usize, j: usize) -> bool {
        Bound::of(&self.coupling[(i, j)]) > self.error
    }

    /// A bound on the distance of every eigenvalue of A, in sorted order, from the d_i in sorted order.
    pub(super) fn distance(&self) -> Bound {
        let n = self.len();
        let zeros = || Mat::from_fn(n, n, |_, _| Float::new(RADIUS_BITS));
        let (mut resolved, mut rest, mut generator) = (zeros(), zeros(), zeros());
        for j in 0..n {
            for i in j + 1..n {
                let t = Bound::of(&self.coupling[(i, j)]);
                if t.is_zero() {
                    continue;
                }
                let target = if self.is_resolved(i, j) {
                    let k = t.clone().over(&self.gap(i, j)).into_value();
                    generator[(j, i)] = k.clone();
                    generator[(i, j)] = k;
                    &mut resolved
                } else {
                    &mut rest
                };
                let t = t.into_value();
                target[(j, i)] = t.clone();
                target[(i, j)] = t;
            }
        }
        let [w, f, k] = [rest, resolved, generator].map(|m| Norms::of(m.as_ref()).two());
        // 2k(w + f)
        let bracket = w.clone().plus(&f).times(&k).scaled(1);
        let second = f.plus(&bracket).times(&k);
        self.error.clone().plus(&w).plus(&bracket).plus(&second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rug::Rational;

    const PREC: u32 = 300;
    const N: usize = 8;

    /// I − 2vvᵀ/vᵀv, v = (1, 2, ..., n), exactly.
    fn reflection(i: usize, j: usize) -> Rational {
        let square: usize = (1..=N).map(|x| x * x).sum();
        Rational::from(u32::from(i == j)) - Rational::from((2 * (i + 1) * (j + 1), square))
    }

    fn noise(i: usize, j: usize, seed: usize) -> f64 {
        (((i * 31 + j * 17 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0
    }

    #[test]
    fn distance_holds_for_any_basis_and_is_quadratic_in_its_error() {
        let spectra: [[i64; N]; 3] = [[0, 1, 1, 1, 1, 1, 1, 1], [-3, -3, -1, 0, 0, 2, 5, 5], [1, 2, 3, 4, 5, 6, 7, 8]];
        for (seed, spectrum) in spectra.iter().enumerate() {
            let a = Mat::from_fn(N, N, |i, j| {
                let entry: Rational = (0..N).map(|t| reflection(i, t) * reflection(t, j) * spectrum[t]).sum();
                Float::with_val(PREC, entry)
            });
            for bits in [0, 1, 2, 3, 4, 6, 10, 20, 40, 100, 400] {
                let x = Mat::from_fn(N, N, |i, j| {
                    Float::with_val(PREC, reflection(i, j)) + (Float::with_val(PREC, noise(i, j, seed)) >> (bits as u32))
                });
                let p = project(&a, &x, PREC);
                if bits >= 6 {
                    let distance = p.distance();
                    let sharp = Bound::power((12 - 2 * bits).max(12 - PREC as i32));
                    assert!(distance <= sharp, "2^-{bits}: {distance:?}");
                }
                contains(&p, spectrum, &format!("2^-{bits}"));
            }
        }
    }
    fn contains(p: &Projection, exact: &[i64], what: &str) {
        let mut values = p.values.clone();
        values.sort_by(Float::total_cmp);
        // The inputs are rounded: n² 2^−300 times the norm at most.
        let allowed = p.distance().plus(&Bound::power(10 - PREC as i32));
        for (value, exact) in values.iter().zip(exact) {
            assert!(Bound::of(&Float::with_val(2 * PREC, value - *exact)) <= allowed, "{what}: {value} is not {exact}");
        }
    }

    fn float(x: f64) -> Float {
        Float::with_val(PREC, x)
    }

    #[test]
    fn defect_alone_is_paid_for() {
        // T = (1 + δ)²/(1 + δ)², computed to first order in R: off by R².
        for bits in [4, 10, 50, 100] {
            let a = Mat::from_fn(3, 3, |i, j| float(f64::from(u8::from(i == j))));
            let x = Mat::from_fn(3, 3, |i, j| if i == j { float(1.0) + (float(1.0) >> bits) } else { float(0.0) });
            contains(&project(&a, &x, PREC), &[1, 1, 1], &format!("2^-{bits}"));
        }
    }

    #[test]
    fn rotation_alone_is_paid_for() {
        // An orthogonal basis turned by an angle φ: the diagonal is off by sin²φ, of the order of k f.
        for bits in [1, 5, 9, 12, 50, 100] {
            let t: Float = float(1.0) >> bits;
            let norm = float(1.0) + t.clone().square();
            let (c, s) = ((float(1.0) - t.clone().square()) / &norm, float(2.0) * t / &norm);
            let x = Mat::from_fn(2, 2, |i, j| match (i, j) {
                (0, 1) => -s.clone(),
                (1, 0) => s.clone(),
                _ => c.clone(),
            });
            let a = Mat::from_fn(2, 2, |i, j| float(f64::from(u8::from(i == 1 && j == 1))));
            contains(&project(&a, &x, PREC), &[0, 1], &format!("2^-{bits}"));
        }
    }
}
