//! The singular values of a target Y against a bias: the eigenvalues of Y M Yᵀ = D − c n nᵀ/N, D = diag(n), M = I − c 11ᵀ/N.
//!
//! Minimising the squared error over b leaves M: c = 0 without a bias, 1 with a free one (the rows of Y are centred), 1/(1+λ_b) with a
//! regularized one. An eigenvector with eigenvalue x, scaled to nᵀu = N, is u = c (D − x)^{-1} n, and its scale is the condition
//!
//! ```text
//! ψ(x) = c Σ_k n_k²/(n_k − x) − N = 0,
//! ```
//!
//! increasing between its poles: one root between consecutive distinct sizes, and one below the smallest (x = 0 when c = 1, with the
//! all-ones vector). A size shared by m classes is itself an eigenvalue m − 1 times, with the vectors on those classes that sum to zero;
//! when c = 0, m times.

use rug::{Float, Integer, Rational};

use super::root;
use crate::scalar::Ball;

/// The square of a singular value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The root just below size `i` of [`Spectrum::sizes`].
    Below(usize),
    /// Size `i` itself, the `j`-th of its copies.
    At(usize, u64),
}

/// The squares of the modes that are not zero for every N.
pub(crate) struct Spectrum {
    /// Distinct class sizes, ascending, with how many classes have each.
    pub sizes: Vec<(u64, u64)>,
    pub samples: u64,
    /// c.
    share: Rational,
}

impl Spectrum {
    pub fn new(counts: &[u64], share: Rational) -> Self {
        let mut sorted = counts.to_vec();
        sorted.sort_unstable();
        let sizes = sorted.chunk_by(|a, b| a == b).map(|group| (group[0], group.len() as u64)).collect();
        Spectrum { sizes, samples: counts.iter().sum(), share }
    }

    /// The modes, largest first: K, or K − 1 when c = 1.
    pub fn modes(&self) -> impl Iterator<Item = Mode> {
        let plain = u64::from(self.share != 0);
        (0..self.sizes.len()).rev().flat_map(move |i| {
            let copies = (0..self.sizes[i].1 - plain).map(move |j| Mode::At(i, j));
            let root = self.share != 0 && (i > 0 || self.share != 1);
            copies.chain(root.then_some(Mode::Below(i)))
        })
    }

    /// N − c Σ n²/N, the sum of the squares.
    pub fn trace(&self) -> Rational {
        let squares: Integer = self.sizes.iter().map(|&(n, classes)| Integer::from(n).square() * classes).sum();
        Rational::from(self.samples) - Rational::from(&self.share * squares) / self.samples
    }

    /// The square of a mode.
    pub fn square(&self, mode: Mode, prec: u32) -> Ball {
        let i = match mode {
            Mode::At(i, _) => return super::whole(self.sizes[i].0, prec),
            Mode::Below(i) => i,
        };
        let width = prec + root::GUARD;
        let (low, high) = (i.checked_sub(1).map_or(0, |below| self.sizes[below].0), self.sizes[i].0);
        let exact = |n: u64, classes: u64| &self.share * Rational::from(Integer::from(n).square() * classes);
        let weights: Vec<(u64, Float)> = self.sizes.iter().map(|&(n, m)| (n, Float::with_val(width, exact(n, m)))).collect();
        let balls: Vec<(u64, Ball)> = self.sizes.iter().map(|&(n, m)| (n, Ball::from_rational(&exact(n, m), width))).collect();
        // ψ (high − x), and times (x − low) where there is a pole below: the same sign inside, without the poles.
        let cleared = |x: &Float| {
            let right = Float::with_val(width, high - x);
            let left = if i > 0 { Float::with_val(width, x - low) } else { Float::with_val(width, 1) };
            let term = |(_, (n, weight)): (usize, &(u64, Float))| Float::with_val(width, weight / Float::with_val(width, n - x));
            let others = weights.iter().enumerate().filter(|&(j, _)| j != i && j + 1 != i);
            let rest = others.map(term).fold(-Float::with_val(width, self.samples), |sum, t| sum + t);
            let mut value = Float::with_val(width, &left * &weights[i].1);
            if i > 0 {
                value -= Float::with_val(width, &right * &weights[i - 1].1);
            }
            value + left * right * rest
        };
        let psi = |x: &Float| {
            if *x >= high {
                return super::whole(1, width);
            }
            let x = Ball::exact(Float::with_val(width, x));
            let term = |(n, weight): &(u64, Ball)| weight / &(super::whole(*n, width) - &x);
            balls.iter().map(term).fold(-super::whole(self.samples, width), |sum, t| sum + t)
        };
        let x = root::approximate(Float::with_val(width, low), Float::with_val(width, high), width, cleared);
        root::enclose(&x, &Float::with_val(width, low), prec, psi)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Roots are enclosed to the precision asked, at any c; their sum with the copies is the trace.
    #[test]
    fn modes_sum_to_the_trace() {
        for counts in [&[7u64, 4, 2, 5][..], &[3, 3, 3], &[1, 1000, 1000, 5, 5, 5, 80], &[1_000_000, 1]] {
            for share in [Rational::new(), Rational::from((1, 1_000_000)), Rational::from((10, 11)), Rational::from(1)] {
                let spectrum = Spectrum::new(counts, share.clone());
                let classes = counts.len() - usize::from(share == 1);
                assert_eq!(spectrum.modes().count(), classes);
                for prec in [64, 400, 3400] {
                    let squares: Vec<Ball> = spectrum.modes().map(|mode| spectrum.square(mode, prec)).collect();
                    let sum = squares.iter().fold(Ball::zero(prec), |sum, x| &sum + x);
                    let error = &sum - &Ball::from_rational(&spectrum.trace(), prec);
                    assert!(error.contains_zero(), "{counts:?} {share}");
                    let width = error.upper_rational().unwrap();
                    assert!(width <= Rational::from(counts.iter().sum::<u64>()) >> (prec - 8), "{counts:?} {share} {prec}");
                    assert!(squares.windows(2).all(|w| !(&w[0] - &w[1]).is_negative()));
                }
            }
        }
    }
}
