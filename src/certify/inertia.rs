//! Eigenvalues of the Hessian of plain MSE at an exact point, enclosed.

use faer::Mat;
use rug::{Integer, Rational};

use crate::linalg::eigh;
use crate::problem::exact::{Plain, logits};
use crate::problem::{Bias, Dyadic, ExactPoint, Problem};
use crate::scalar::Ball;

/// Variables up to which the dense Hessian is formed.
const MAX_VARIABLES: usize = 2_000;
/// Relative room for the rounding of the error bounds themselves: sums of at most 2000² numbers, each within 2^-53.
const ROUNDING: f64 = 1.0 + 1e-8;

/// Enclosures of the eigenvalues of ∇²f at `point`, ascending, for plain MSE; `None` for other problems, wrong shapes, more than 2000
/// variables, and eigenvectors that are not nearly orthonormal.
///
/// Method: the Hessian A is exact in rationals and rounded entrywise; V, Λ are its eigenvectors and eigenvalues in double precision. With
/// η >= ‖VᵀV − I‖ and ε >= ‖VᵀAV − Λ‖ (Frobenius norms, a-priori bounds on every rounding, valid for any order of summation), Weyl's and
/// Ostrowski's theorems give `λ_i ∈ [Λ_i − ε, Λ_i + ε] / [1 − η, 1 + η]`.
///
/// Source: N. Higham, *Accuracy and Stability of Numerical Algorithms* (2002), section 3; R. Horn and C. Johnson, *Matrix Analysis*, 4.5.9.
///
/// ```
/// use ufm::{certify::hessian_eigenvalues, problem::{Point, Problem}};
/// let p = Problem::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 2\nper_class = 1\ndim = 1\nlambda_w = '0.1'\nlambda_h = '0.1'").unwrap();
/// let zero = Point { factors: vec![faer::Mat::zeros(2, 1)], h: faer::Mat::zeros(1, 2), b: None }.to_exact().unwrap();
/// // Two modes of size 1/2 against weights 1/10: eigenvalues 0.1 ± 0.5.
/// let eigenvalues = hessian_eigenvalues(&p, &zero).unwrap();
/// assert_eq!(eigenvalues.iter().filter(|x| x.is_negative()).count(), 2);
/// ```
pub fn hessian_eigenvalues(problem: &Problem, point: &ExactPoint) -> Option<Vec<Ball>> {
    let plain = super::certifiable(problem).ok().filter(|p| p.mse)?;
    super::check_shapes(&plain, point).ok()?;
    let (k, d, n) = (plain.k, plain.d, plain.n);
    let size = k * d + d * n + if plain.bias == Bias::None { 0 } else { k };
    if size > MAX_VARIABLES {
        return None;
    }
    let a = hessian(&plain, point, size);
    let (values, v) = eigh(a.as_ref())?;
    // γ_m = m u/(1 − m u), with every m here at most size + 2.
    let unit = (size as f64 + 2.0) * f64::EPSILON;
    let av = &a * &v;
    let mut b = v.transpose() * &av;
    let mut gram = v.transpose() * &v;
    for i in 0..size {
        b[(i, i)] -= values[i];
        gram[(i, i)] -= 1.0;
    }
    let (na, nv) = (a.norm_l2(), v.norm_l2());
    let eta = (gram.norm_l2() + unit * nv * nv) * ROUNDING;
    // Rounding of A V, of Vᵀ(A V), of A's entries, and of the subtraction.
    let epsilon = (b.norm_l2() + unit * nv * (na * nv + av.norm_l2()) + f64::EPSILON * na * nv * nv) * ROUNDING;
    if !(eta < 0.5 && epsilon.is_finite()) {
        return None;
    }
    let prec = 64;
    let scale = Ball::from_f64(1.0 - eta, prec).hull(&Ball::from_f64(1.0 + eta, prec));
    let around = |x: f64| {
        let (x, e) = (Ball::from_f64(x, prec), Ball::from_f64(epsilon, prec));
        &(&x - &e).hull(&(&x + &e)) / &scale
    };
    Some(values.into_iter().map(around).collect())
}

/// Variables in the order W (row by row), H (row by row), b. With Z = WH + b 1ᵀ and R = Z − Y the blocks of N ∇²f are, at (k,a), (k',a'):
/// `δ_kk' (H Hᵀ)_aa' + N λ_W δ`, at (a,i), (a',i'): `δ_ii' (WᵀW)_aa' + N λ_H δ`, at (k,a), (a',i): `W_ka' H_ai + δ_aa' R_ki`, at (k,a), k':
/// `δ_kk' (H 1)_a`, at (a,i), k: `W_ka`, at (k), (k'): `N (1 + λ_b) δ`.
fn hessian(plain: &Plain, point: &ExactPoint, size: usize) -> Mat<f64> {
    let (k, d, n) = (plain.k, plain.d, plain.n);
    let (w, h) = (&point.factors[0], &point.h);
    let z = logits(point);
    let entry = |x: &Dyadic, i: usize, j: usize| x.rational(i, j);
    let count = Rational::from(n as u64);
    let rounded = |x: Rational| Ball::from_rational(&(x / Integer::from(n)), 53).mid().to_f64();
    let mut a = Mat::<f64>::zeros(size, size);
    let mut set = |i: usize, j: usize, x: Rational| {
        let x = rounded(x);
        a[(i, j)] = x;
        a[(j, i)] = x;
    };
    let at_w = |c: usize, t: usize| c * d + t;
    let at_h = |t: usize, i: usize| k * d + t * n + i;
    let at_b = |c: usize| k * d + d * n + c;
    for s in 0..d {
        for t in 0..d {
            let diagonal = |lambda: &Rational| if s == t { Rational::from(lambda * &count) } else { Rational::new() };
            let hh: Rational = (0..n).map(|i| entry(h, s, i) * entry(h, t, i)).sum();
            let hh = hh + diagonal(&plain.lambda_w);
            (0..k).for_each(|c| set(at_w(c, s), at_w(c, t), hh.clone()));
            let ww: Rational = (0..k).map(|c| entry(w, c, s) * entry(w, c, t)).sum();
            let ww = ww + diagonal(&plain.lambda_h);
            (0..n).for_each(|i| set(at_h(s, i), at_h(t, i), ww.clone()));
            for c in 0..k {
                for i in 0..n {
                    let mut x = entry(w, c, t) * entry(h, s, i);
                    if s == t {
                        x += entry(&z, c, i) - Rational::from(u64::from(plain.tagged(plain.label[i], c)));
                    }
                    set(at_w(c, s), at_h(t, i), x);
                }
            }
        }
    }
    if plain.bias != Bias::None {
        let diagonal = Rational::from(1) + plain.lambda_b().cloned().unwrap_or_default();
        for c in 0..k {
            set(at_b(c), at_b(c), Rational::from(&diagonal * &count));
            for t in 0..d {
                set(at_w(c, t), at_b(c), (0..n).map(|i| entry(h, t, i)).sum());
                (0..n).for_each(|i| set(at_h(t, i), at_b(c), entry(w, c, t)));
            }
        }
    }
    a
}
