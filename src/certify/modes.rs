//! The lower bound of plain MSE from the singular values of the target, at every d (proofs/FORMAT.md, kind `modes`).

use rug::{Integer, Rational};

use super::writer::Writer;
use crate::closed_form::{Mode, Spectrum};
use crate::problem::exact::{Plain, scaled};
use crate::problem::{Bias, Dyadic};
use crate::scalar::{Ball, sqrt_rational};

/// Upper bounds of the min(d, K) largest singular values of T M^{1/2}, a lower bound of N μ, and the lower bound they prove:
/// `f >= (1/2N) [ tr(T M Tᵀ) − Σ_i ((s_i − m)_+)² ]`.
pub(super) struct Modes {
    s: Dyadic,
    m: Dyadic,
    pub lower: Ball,
    /// The checker's fractional bits.
    pub precision: u32,
}

/// Distinct class sizes up to which the roots are computed: the work is their square.
pub(super) const MAX_SIZES: usize = 1_000;
/// Bits of the grid of s and m beyond the checker's.
const GUARD: u32 = 32;

/// Bits below one that an objective may be small before the precision grows with it.
const ROOM: i32 = 8;

/// The bound for MSE, to about `precision` bits, below its own size where it is small; `None` for other losses and beyond `most` distinct
/// class sizes.
pub(super) fn bound(plain: &Plain, objective: &Ball, precision: u32, most: usize) -> Option<Modes> {
    if !plain.mse {
        return None;
    }
    let share = match &plain.bias {
        Bias::None => Rational::new(),
        Bias::Free => Rational::from(1),
        Bias::Regularized { lambda_b } => Rational::from(lambda_b + 1u32).recip(),
    };
    let spectrum = Spectrum::new(&plain.counts, share);
    if spectrum.sizes.len() > most {
        return None;
    }
    let precision = precision + objective.mid().get_exp().map_or(0, |e| (-e - ROOM).max(0)) as u32;
    let grid = precision + GUARD;
    let floor = |x: Rational| (x << grid).floor().into_numer_denom().0;
    let column = |m: Vec<Integer>| Dyadic { rows: m.len(), cols: 1, exp: -(grid as i32), m };
    let m = floor(sqrt_rational(&plain.radius_squared(), grid + GUARD).lower_rational()?);
    // The checker rounds the square and each term of the secular sum, whose slope is at least one, down by one unit of 2^-precision.
    let slack = Rational::from(spectrum.sizes.len() + 3) >> precision;
    let root = |mode| {
        let square = spectrum.square(mode, grid).upper_rational()?;
        let square = if matches!(mode, Mode::At(..)) { square } else { square + &slack };
        Some(floor(sqrt_rational(&square, grid + GUARD).upper_rational()?) + 1u32)
    };
    let rows = plain.d.min(plain.k);
    let mut s = spectrum.modes().take(rows).map(root).collect::<Option<Vec<_>>>()?;
    // With a free bias the K-th singular value is zero.
    s.resize(rows, Integer::from(1));
    let gain: Integer = s.iter().map(|s| Integer::from(s - &m)).filter(|gain| *gain > 0).map(|gain| gain.square()).sum();
    let exact = (spectrum.trace() - scaled(gain, -2 * grid as i32)) / Rational::from(2 * plain.n as u64);
    Some(Modes { s: column(s), m: column(vec![m]), lower: Ball::from_rational(&exact, precision + 64), precision })
}

impl Modes {
    pub fn sections(&self, text: &mut Writer) {
        text.matrix("s", &self.s);
        text.matrix("m", &self.m);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::{ExactPoint, Problem};

    /// Every row is confirmed by the checker, whatever d, bias and class sizes: the last singular value of a regularized bias and the zero of
    /// a free one included. At the origin the bound is at most 1/2, and its certificate accepted.
    #[test]
    fn every_row_is_confirmed() {
        for (t, counts) in
            [&[3u64, 3, 3][..], &[1, 1], &[9, 4, 2, 1], &[5, 5, 1, 1, 1], &[1000, 1], &[7, 6, 5, 4, 3, 2, 1]].iter().enumerate()
        {
            for bias in ["\"none\"", "\"free\"", "\"regularized\"\nlambda_b = \"0.001\"", "\"regularized\"\nlambda_b = \"1000000\""] {
                for (dim, lambda) in [(1, "0.01"), (counts.len() - 1, "0.0001"), (counts.len() + t % 2, "1e-9"), (counts.len(), "5")] {
                    let file = format!(
                        "model = \"plain\"\nloss = \"mse\"\nbias = {bias}\nclass_counts = {counts:?}\ndim = {dim}\nlambda_w = \"{lambda}\"\nlambda_h = \"0.02\"\n"
                    );
                    let plain = Plain::new(&Problem::from_toml(&file).unwrap()).unwrap();
                    let zeros = |rows: usize, cols: usize| Dyadic { rows, cols, exp: 0, m: vec![Integer::new(); rows * cols] };
                    let b = (plain.bias != Bias::None).then(|| zeros(plain.k, 1));
                    let point = ExactPoint { factors: vec![zeros(plain.k, dim)], h: zeros(dim, plain.n), b };
                    let half = Ball::from_f64(0.5, 128);
                    for precision in [60, 100, 1000] {
                        let modes = bound(&plain, &half, precision, MAX_SIZES).unwrap();
                        let bounds = super::super::bounds_from(&plain, &modes.lower, &half, modes.precision).unwrap();
                        let mut text = Writer::new(file.as_bytes(), "modes", modes.precision);
                        text.point("", &point);
                        modes.sections(&mut text);
                        text.gap_claims(&bounds, "self-duality");
                        let outcome = ufm_check::check(file.as_bytes(), text.finish().as_bytes());
                        assert!(matches!(outcome, ufm_check::Outcome::Verified(_)), "{file}{precision}: {outcome:?}");
                        assert!(bounds.lower >= 0 && bounds.lower <= 0.5);
                    }
                }
            }
        }
    }
}
