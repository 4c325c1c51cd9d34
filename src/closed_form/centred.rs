//! Imbalanced plain MSE with a free bias: the centred target's singular values, soft-thresholded by N μ.
//!
//! A free bias removes the mean of every row: the target is Y_c = Y (I − 11ᵀ/N), its singular values those of [`super::spectrum`] with
//! c = 1. Since n²/(n − x) = n + x n/(n − x), ψ(x) = x φ(x) there, with φ(x) = Σ_k n_k/(n_k − x).

use rug::{Float, Integer, Rational};

use super::spectrum::{Mode, Spectrum};
use super::{Form, Regime, Scalar, Unavailable, frame, modes::spread};
use crate::problem::ExactPoint;
use crate::scalar::{Ball, sqrt_rational};

/// Distinct class sizes up to which the roots are computed: the work is their square.
const MAX_SIZES: usize = 1_000;

/// f* = Σ over modes alive of N μ²/2 + μ (s − N μ), plus Σ s²/(2N) over the others; alive when s² > (N μ)², exactly.
pub(super) struct Centred {
    counts: Vec<u64>,
    spectrum: Spectrum,
    /// Modes alive and kept, largest first.
    alive: Vec<Mode>,
    mu_squared: Rational,
    /// λ_W/λ_H.
    ratio: Rational,
}

impl Centred {
    pub fn new(counts: &[u64], dim: u64, lambda_w: &Rational, lambda_h: &Rational) -> Result<Self, Unavailable> {
        let spectrum = Spectrum::new(counts, Rational::from(1));
        if spectrum.sizes.len() > MAX_SIZES {
            return Err(Unavailable::Unsupported("a free bias with more than 1000 distinct class sizes"));
        }
        let mu_squared = Rational::from(lambda_w * lambda_h);
        let mut form = Centred { counts: counts.to_vec(), spectrum, alive: vec![], mu_squared, ratio: Rational::from(lambda_w / lambda_h) };
        // Below the number of modes alive the largest are kept.
        let kept = usize::try_from(dim).unwrap_or(usize::MAX);
        form.alive = form.spectrum.modes().filter(|&mode| form.exceeds_threshold(mode)).take(kept).collect();
        Ok(form)
    }

    /// (N μ)².
    fn threshold(&self) -> Rational {
        &self.mu_squared * Rational::from(Integer::from(self.spectrum.samples).square())
    }

    /// Of each mode alive, largest first: how many singular values are larger.
    pub fn ranks(&self) -> Vec<usize> {
        let same = |a: &Mode, b: &Mode| matches!((a, b), (Mode::At(i, _), Mode::At(j, _)) if i == j);
        (0..self.alive.len()).map(|i| self.alive[..i].iter().filter(|&mode| !same(mode, &self.alive[i])).count()).collect()
    }

    /// Keeps these of the modes alive, numbered from the largest.
    pub fn keep(&mut self, modes: &[usize]) {
        self.alive = modes.iter().map(|&i| self.alive[i]).collect();
    }

    /// Whether s² > (N μ)², by the sign of φ at the threshold.
    fn exceeds_threshold(&self, mode: Mode) -> bool {
        let (threshold, sizes) = (self.threshold(), &self.spectrum.sizes);
        match mode {
            Mode::At(i, _) => threshold < sizes[i].0,
            Mode::Below(i) if i > 0 && threshold <= sizes[i - 1].0 => true,
            Mode::Below(i) if threshold >= sizes[i].0 => false,
            Mode::Below(_) => {
                let term = |&(n, m): &(u64, u64)| Rational::from(n) * Rational::from(m) / (Rational::from(n) - &threshold);
                sizes.iter().map(term).sum::<Rational>() < 0
            }
        }
    }

    /// s − N μ for a mode alive.
    fn value(&self, mode: Mode, prec: u32) -> Ball {
        self.spectrum.square(mode, prec).sqrt() - sqrt_rational(&self.threshold(), prec)
    }

    /// The unit left singular vector, one entry per class.
    fn vector(&self, mode: Mode, width: u32) -> Vec<Float> {
        let mut v: Vec<Float> = match mode {
            Mode::Below(_) => {
                let x = self.spectrum.square(mode, width + super::root::GUARD).mid();
                self.counts.iter().map(|&n| Float::with_val(width, n) / Float::with_val(width, n - &x)).collect()
            }
            // Helmert's vectors on the classes of this size: j + 1 ones, then −(j + 1).
            Mode::At(i, j) => {
                let mut seen = 0;
                let entry = |&n: &u64| {
                    if n != self.spectrum.sizes[i].0 {
                        return Float::new(width);
                    }
                    seen += 1;
                    match (seen - 1u64).cmp(&(j + 1)) {
                        std::cmp::Ordering::Less => Float::with_val(width, 1),
                        std::cmp::Ordering::Equal => -Float::with_val(width, j + 1),
                        std::cmp::Ordering::Greater => Float::new(width),
                    }
                };
                self.counts.iter().map(entry).collect()
            }
        };
        let norm = v.iter().fold(Float::new(width), |sum, x| sum + Float::with_val(width, x.square_ref())).sqrt();
        v.iter_mut().for_each(|x| *x /= &norm);
        v
    }
}

impl Form for Centred {
    fn regime(&self) -> Regime {
        Regime::of(self.alive.len() as u64, self.counts.len() as u64 - 1)
    }

    fn f_star(&self, prec: u32) -> Ball {
        // Modes not kept cost their squares: the trace less the squares kept.
        let n = Rational::from(self.spectrum.samples);
        let mut exact = self.spectrum.trace() / &n / 2u32;
        exact += Rational::from(&self.mu_squared * &n) / 2u32 * Rational::from(self.alive.len() as u64);
        let mu = sqrt_rational(&self.mu_squared, prec);
        let twice = Ball::from_rational(&(n * 2u32), prec);
        let shift = sqrt_rational(&self.threshold(), prec);
        let change = |mode: &Mode| {
            let square = self.spectrum.square(*mode, prec);
            &mu * &(square.sqrt() - &shift) - square / &twice
        };
        self.alive.iter().map(change).fold(Ball::from_rational(&exact, prec), |sum, x| sum + x)
    }

    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        let mut values: Vec<Ball> = self.alive.iter().map(|&mode| self.value(mode, prec)).collect();
        values.resize(self.counts.len(), Ball::zero(prec));
        vec![("singular_values", Scalar::List(values))]
    }

    fn source(&self) -> &'static str {
        "Tirer and Bruna, ICML 2022 (arXiv 2202.08087) for balanced classes; Dang et al., ICML 2023 (arXiv 2301.00437), two factors"
    }

    fn minimum_dim(&self) -> u64 {
        (self.alive.len() as u64).max(1)
    }

    /// Mode j on coordinate j: W_{kj} = √(x/√ρ) v_k, H_{ji} = √(x √ρ) (v_k − v̄)/s for the samples of class k, ρ = λ_W/λ_H, where
    /// v̄ is the mean of v over samples; then H 1 = 0 and b_k = n_k/N.
    fn minimiser(&self, (k, d, n): (usize, usize, usize), prec: u32) -> ExactPoint {
        let width = prec + frame::GUARD;
        let root_ratio = sqrt_rational(&self.ratio, width);
        let mut w = vec![Float::new(width); k * d];
        let mut columns = vec![Float::new(width); d * k];
        for (j, &mode) in self.alive.iter().enumerate() {
            let (x, s) = (self.value(mode, width), self.spectrum.square(mode, width).sqrt().mid());
            let (w_scale, h_scale) = ((&x / &root_ratio).sqrt().mid(), (&x * &root_ratio).sqrt().mid() / s);
            let v = self.vector(mode, width);
            let mean = v.iter().zip(&self.counts).fold(Float::new(width), |sum, (v, n)| sum + Float::with_val(width, v * n))
                / self.spectrum.samples;
            for (class, v) in v.iter().enumerate() {
                w[class * d + j] = Float::with_val(width, v * &w_scale);
                columns[j * k + class] = Float::with_val(width, v - &mean) * &h_scale;
            }
        }
        let bias: Vec<Float> = self.counts.iter().map(|&c| Float::with_val(width, c) / self.spectrum.samples).collect();
        ExactPoint {
            factors: vec![frame::on_grid(k, d, &w, prec)],
            h: spread(&frame::on_grid(d, k, &columns, prec), &self.counts, n),
            b: Some(frame::on_grid(k, 1, &bias, prec)),
        }
    }
}
