//! Critical points of plain MSE, and the imbalance at which minority classes collapse.

use rug::{Integer, Rational};

use super::{Form, Unavailable, centred::Centred, modes::Imbalanced};
use crate::problem::{Bias, ExactPoint, Loss, Model, Problem, SpecError};
use crate::scalar::Ball;

/// A critical point that keeps some of the singular modes worth keeping. See [`critical_points`].
pub struct CriticalPoint {
    /// The modes kept, as positions in the nonincreasing order of the target's singular values.
    pub modes: Vec<usize>,
    /// Negative eigenvalues of the Hessian: zero exactly at global minima.
    pub negative: u64,
    form: Box<dyn Form>,
}

/// Modes beyond which their subsets are too many to list.
const MAX_MODES: usize = 12;

/// The critical points of plain MSE (one SVD of the target; every orbit W Q, Qᵀ H has one of them as its representative).
///
/// Formula: with s_1 >= s_2 >= ... the singular values of the target (Y without bias, Y(I − 11ᵀ/N) with a free one) the critical
/// points keep a subset S, |S| <= d, of the modes alive, A = {i: s_i > Nμ}, at x_i = s_i − Nμ. With T = A \ S the Hessian has
/// `|T| (d − |S|) + #{(i,j): i ∈ S, j ∈ T, s_j > s_i}` negative eigenvalues: a mode left out pulls in every free dimension, and into the
/// dimension of each smaller mode kept, where the block `[[√ρ σ_i, −σ_j], [−σ_j, σ_i/√ρ]]`, ρ = λ_W/λ_H, σ = s/N, has determinant σ_i² − σ_j².
///
/// Hypotheses: plain model, MSE, no bias or a free one, any class sizes, at most 12 modes alive. Guarantee: each point is exactly
/// critical up to the rounding of its entries to the grid asked. Where singular values coincide critical points form continua: other
/// SVDs give others, with the same values and inertias.
///
/// # Errors
/// [`Unavailable`] for other problems and more modes.
///
/// Source: Zhou et al., ICML 2022 (arXiv 2203.01238), landscape; Dang et al., ICML 2023 (arXiv 2301.00437).
///
/// ```
/// use ufm::{closed_form::critical_points, problem::Problem};
/// let p = Problem::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclass_counts = [4, 1]\ndim = 3\nlambda_w = '0.01'\nlambda_h = '0.01'").unwrap();
/// let found: Vec<(Vec<usize>, u64)> = critical_points(&p).unwrap().into_iter().map(|c| (c.modes, c.negative)).collect();
/// assert_eq!(found, [(vec![], 6), (vec![0], 2), (vec![1], 3), (vec![0, 1], 0)]);
/// ```
pub fn critical_points(problem: &Problem) -> Result<Vec<CriticalPoint>, Unavailable> {
    let (Model::Plain { lambda_w, lambda_h }, Loss::Mse) = (&problem.model, &problem.loss) else {
        return Err(Unavailable::Unsupported("critical points of models other than plain MSE"));
    };
    problem.point_sizes()?;
    let counts = problem.class_counts().ok_or(Unavailable::Unsupported("tag sets"))?;
    let free = match problem.bias {
        Bias::None => false,
        Bias::Free => true,
        Bias::Regularized { .. } => return Err(Unavailable::Unsupported("critical points with a regularized bias")),
    };
    // With room for every mode; then with those of a subset alone.
    let room = counts.len() as u64;
    // ranks[i]: equal for equal singular values, smaller for larger ones.
    let ranks = if free {
        Centred::new(&counts, room, lambda_w, lambda_h)?.ranks()
    } else {
        Imbalanced::new(&counts, room, lambda_w, lambda_h).ranks()
    };
    if ranks.len() > MAX_MODES {
        return Err(Unavailable::Unsupported("critical points with more than 12 modes alive"));
    }
    let mut found = vec![];
    for set in 0u32..1 << ranks.len() {
        let modes: Vec<usize> = (0..ranks.len()).filter(|i| set >> i & 1 == 1).collect();
        if modes.len() as u64 > problem.dim {
            continue;
        }
        let left: Vec<usize> = (0..ranks.len()).filter(|i| set >> i & 1 == 0).collect();
        let overtaken = modes.iter().map(|&i| left.iter().filter(|&&j| ranks[j] < ranks[i]).count() as u64).sum::<u64>();
        let negative = left.len() as u64 * (problem.dim - modes.len() as u64) + overtaken;
        let form: Box<dyn Form> = if free {
            let mut form = Centred::new(&counts, room, lambda_w, lambda_h)?;
            form.keep(&modes);
            Box::new(form)
        } else {
            let mut form = Imbalanced::new(&counts, room, lambda_w, lambda_h);
            form.keep(&modes);
            Box::new(form)
        };
        found.push(CriticalPoint { modes, negative, form });
    }
    Ok(found)
}

impl CriticalPoint {
    /// Enclosure of the objective.
    pub fn value(&self, prec: u32) -> Ball {
        self.form.f_star(prec)
    }

    /// The point, entries rounded to grids of about `prec` bits.
    ///
    /// # Errors
    /// [`SpecError::TooLarge`] when it would not fit in memory.
    pub fn point(&self, problem: &Problem, prec: u32) -> Result<ExactPoint, SpecError> {
        Ok(self.form.minimiser(problem.point_sizes()?, prec))
    }
}

/// Where minority classes collapse. See [`minority_threshold`].
#[derive(Debug, Clone)]
pub struct MinorityThreshold {
    /// Samples per minority class (a real number) at or below which those classes die.
    pub size: Ball,
    /// The imbalance ratio there: samples per majority class over it.
    pub ratio: Ball,
}

/// The minority size x, and ratio, at which `√x = N μ` with N = A n + B x: plain MSE without bias, A majority classes of n samples, B
/// minority classes of x <= n.
///
/// Formula: `B²μ² x² + (2 A B n μ² − 1) x + A²n²μ² = 0`; between its roots the minority classes are alive, so sweeping x down
/// they die at the smaller root (above the larger one, A²n²/(B² x), all that many samples are too many), `x = 2 A²n²μ²/(1 − 2 A B n μ² + √(1 − 4 A B n μ²))`. The same threshold holds for the
/// differences of equally large classes under cross-entropy.
///
/// `None` when A, B or n is zero, and when minority classes are dead at every size up to n.
///
/// Source: Dang et al., ICML 2023 (arXiv 2301.00437); minority collapse: Fang et al., PNAS 2021.
///
/// ```
/// use ufm::{closed_form::minority_threshold, scalar::Rational};
/// let lambda = Rational::from((1, 100));
/// let found = minority_threshold((2, 100), 2, &lambda, &lambda, 128).unwrap();
/// assert!((found.ratio.mid().to_f64() - 22.9564).abs() < 1e-3);
/// ```
pub fn minority_threshold(
    majority: (u64, u64),
    minority_classes: u64,
    lambda_w: &Rational,
    lambda_h: &Rational,
    prec: u32,
) -> Option<MinorityThreshold> {
    let (a, n) = majority;
    if a == 0 || n == 0 || minority_classes == 0 {
        return None;
    }
    let mu_squared = Rational::from(lambda_w * lambda_h);
    let (a, b, n) = (Integer::from(a), Integer::from(minority_classes), Integer::from(n));
    let cross = Rational::from(&mu_squared * (Integer::from(&a * &b) * &n));
    let discriminant: Rational = 1 - Rational::from(4 * &cross);
    let middle: Rational = 1 - Rational::from(2 * &cross);
    let largest = Integer::from(&a * &n);
    let constant = Rational::from(&mu_squared * Integer::from(largest.square_ref()));
    if discriminant < 0 || middle <= 0 {
        return None;
    }
    let width = prec + 32;
    let ball = |x: &Rational| Ball::from_rational(x, width);
    let size = ball(&(constant * 2u32)) / (ball(&middle) + crate::scalar::sqrt_rational(&discriminant, width));
    let whole = Ball::from_integer(&n, width);
    if (&size - &whole).is_positive() {
        return None;
    }
    Some(MinorityThreshold { ratio: (&whole / &size).rounded_out(prec), size: size.rounded_out(prec) })
}
