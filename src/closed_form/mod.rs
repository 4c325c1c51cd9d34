//! The theorems' minimisers, at any precision: value, scalars, and an explicit point.
//!
//! Regimes are decided exactly, by comparing rationals; values and scalars are enclosures and never build anything of the size
//! of the features.

mod centred;
mod deep;
mod entropy;
mod focal;
mod frame;
mod graph;
mod landscape;
mod modes;
mod mse;
mod root;
mod spectrum;
mod sphere;
mod tag_scales;
mod tags;

pub(crate) use deep::collapsed_value;
pub(crate) use focal::Margin;
pub use graph::GraphFamily;
pub(crate) use graph::complete_graph;
pub use landscape::{CriticalPoint, MinorityThreshold, critical_points, minority_threshold};
pub(crate) use spectrum::{Mode, Spectrum};

use crate::problem::{Bias, ExactPoint, Labels, Loss, Model, Problem, SpecError};
use crate::scalar::{Ball, Rational};

/// Which theorem's minimum it is: all modes alive, none, or some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regime {
    /// Every mode is alive: the features collapse to the theorem's frame.
    Collapsed,
    /// The origin is the minimiser: regularisation wins.
    Zero,
    /// Some modes are alive (minority collapse, or a dimension below the number of modes).
    Partial,
}

impl Regime {
    /// `collapsed`, `zero` or `partial`.
    pub fn name(self) -> &'static str {
        match self {
            Regime::Collapsed => "collapsed",
            Regime::Zero => "zero",
            Regime::Partial => "partial",
        }
    }

    /// From the number of modes alive among all.
    fn of(alive: u64, all: u64) -> Self {
        match alive {
            0 => Regime::Zero,
            n if n == all => Regime::Collapsed,
            _ => Regime::Partial,
        }
    }
}

/// A scalar of a closed form.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Value(Ball),
    List(Vec<Ball>),
    /// One value per multiplicity.
    Keyed(Vec<(u64, Ball)>),
    Count(u64),
}

/// Why a problem has no closed form here.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unavailable {
    #[error("no closed form for {0}")]
    Unsupported(&'static str),
    #[error("the closed form needs dim >= {least}, but dim = {dim}")]
    Dimension { least: u64, dim: u64 },
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// What one theorem says of one problem.
trait Form: Send + Sync {
    fn regime(&self) -> Regime;
    fn f_star(&self, prec: u32) -> Ball;
    fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)>;
    fn source(&self) -> &'static str;
    fn minimum_dim(&self) -> u64;
    fn conditional(&self) -> bool {
        false
    }
    /// Factors, features and bias for sizes (K, d, N), on grids of `prec` bits.
    fn minimiser(&self, sizes: (usize, usize, usize), prec: u32) -> ExactPoint;
}

/// A problem's closed form. See [`closed_form`].
pub struct ClosedForm {
    form: Box<dyn Form>,
    /// The same minimum in the scalars of imbalanced classes, for equal class sizes that were given one by one.
    listed: Option<Box<dyn Form>>,
}

impl ClosedForm {
    pub fn regime(&self) -> Regime {
        self.form.regime()
    }

    /// Enclosure of the global minimum, at working precision `prec` bits.
    pub fn f_star(&self, prec: u32) -> Ball {
        self.form.f_star(prec)
    }

    /// Enclosures of the theorem's scalars: `c` = K √n μ, `logit_scale` (WH = logit_scale · P Y or Y), `mean_scale` (its component
    /// along the all-ones direction), `bias_value`, `margin` (target logit minus the others), `kappa`, `kappa_critical`,
    /// `surviving_classes`, `singular_values` (of WH, nonincreasing), `margins` (tags' logits minus the others, by multiplicity).
    pub fn scalars(&self, prec: u32) -> Vec<(&'static str, Scalar)> {
        let listed = self.listed.iter().flat_map(|form| form.scalars(prec));
        self.form.scalars(prec).into_iter().chain(listed).collect()
    }

    /// The theorem's source.
    pub fn source(&self) -> &'static str {
        self.form.source()
    }

    /// Whether the theorem assumes something that must be measured.
    pub fn conditional(&self) -> bool {
        self.form.conditional()
    }

    /// The smallest feature dimension at which the value is attained.
    pub fn minimum_dim(&self) -> u64 {
        self.form.minimum_dim()
    }

    /// A global minimiser, entries rounded to grids of about `prec` bits: in the coordinates of the Helmert basis for a simplex ETF
    /// (so that d = K − 1 suffices), diagonal for orthogonal frames.
    ///
    /// # Errors
    /// [`SpecError::TooLarge`] when the point would not fit in memory.
    pub fn minimiser(&self, problem: &Problem, prec: u32) -> Result<ExactPoint, SpecError> {
        Ok(self.form.minimiser(problem.point_sizes()?, prec))
    }
}

/// The closed-form global minimum of a problem, where a theorem gives one.
///
/// Hypotheses: plain MSE (balanced: every bias mode; any class sizes without or with a free bias), plain cross-entropy and label smoothing
/// (balanced, every bias mode), focal (balanced, every bias mode; conditional where the proof does not
/// cover a bias), the sphere model (balanced), multi-label (balanced within each multiplicity, every bias mode), deep linear (any depth and class sizes), deep ReLU (conditional: the collapsed candidate). The
/// dimension must allow the minimiser; MSE is exact for every d, plain or deep linear: the d largest modes are kept.
///
/// # Errors
/// [`Unavailable`], saying which hypothesis fails.
///
/// Source: Tirer and Bruna 2022; Zhou et al. 2022; Zhu et al. 2021; Dang et al. 2023; Yaras et al. 2022; Li et al. 2024.
///
/// ```
/// use ufm::{closed_form::closed_form, problem::Problem};
/// let p = Problem::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 4\nper_class = 4\ndim = 4\nlambda_w = '0.01'\nlambda_h = '0.01'").unwrap();
/// // c = K sqrt(n) mu = 0.08, f* = c - c^2/2.
/// assert_eq!(closed_form(&p).unwrap().f_star(128).to_decimal(20).unwrap(), "0.076800000000000000000");
/// ```
pub fn closed_form(problem: &Problem) -> Result<ClosedForm, Unavailable> {
    let balanced = problem.per_class();
    let form: Box<dyn Form> = match (&problem.model, &problem.loss) {
        (Model::Plain { lambda_w, lambda_h }, loss) => match (loss, balanced) {
            (Loss::Mse, Some(n)) => Box::new(mse::Balanced::new(problem, n, lambda_w, lambda_h)),
            (Loss::Mse, None) => match (&problem.labels, &problem.bias) {
                (Labels::Counts(counts), Bias::None) => Box::new(modes::Imbalanced::new(counts, problem.dim, lambda_w, lambda_h)),
                (Labels::Counts(counts), Bias::Free) => Box::new(centred::Centred::new(counts, problem.dim, lambda_w, lambda_h)?),
                _ => return Err(Unavailable::Unsupported("imbalanced classes with a regularized bias")),
            },
            (Loss::Ce, Some(n)) => Box::new(entropy::Entropy::new(problem, n, lambda_w, lambda_h, &Rational::new())?),
            (Loss::LabelSmoothing { smoothing }, Some(n)) => Box::new(entropy::Entropy::new(problem, n, lambda_w, lambda_h, smoothing)?),
            (Loss::Ce | Loss::LabelSmoothing { .. }, None) => return Err(Unavailable::Unsupported("imbalanced cross-entropy")),
            // Without focusing the focal loss is cross-entropy.
            (Loss::Focal { focusing }, Some(n)) if *focusing == 0 => {
                Box::new(entropy::Entropy::new(problem, n, lambda_w, lambda_h, focusing)?)
            }
            (Loss::Focal { focusing }, Some(n)) => Box::new(focal::Focal::new(problem, n, lambda_w, lambda_h, focusing)?),
            (Loss::Focal { .. }, None) => return Err(Unavailable::Unsupported("imbalanced focal loss")),
            (Loss::PickAllLabels, _) => return Err(Unavailable::Unsupported("pick-all-labels in the plain model")),
        },
        (Model::DeepLinear { lambdas }, _) => Box::new(deep::Deep::unchecked(problem, lambdas, false)),
        (Model::DeepRelu { lambdas }, _) => Box::new(deep::Deep::new(problem, lambdas)?),
        (Model::Sphere { temperature }, _) => match balanced {
            Some(n) => Box::new(sphere::Sphere::new(problem, n, temperature)?),
            None => return Err(Unavailable::Unsupported("imbalanced classes on the sphere")),
        },
        (Model::MultiLabel { lambda_w, lambda_h }, _) => Box::new(tags::TagSets::new(problem, lambda_w, lambda_h)?),
    };
    Ok(ClosedForm { form, listed: balanced.and_then(|_| listed(problem)) })
}

/// See [`ClosedForm::listed`].
fn listed(problem: &Problem) -> Option<Box<dyn Form>> {
    let Labels::Counts(counts) = &problem.labels else { return None };
    Some(match (&problem.model, &problem.loss, &problem.bias) {
        (Model::Plain { lambda_w, lambda_h }, Loss::Mse, Bias::None) => {
            Box::new(modes::Imbalanced::new(counts, problem.dim, lambda_w, lambda_h))
        }
        (Model::Plain { lambda_w, lambda_h }, Loss::Mse, Bias::Free) => {
            Box::new(centred::Centred::new(counts, problem.dim, lambda_w, lambda_h).ok()?)
        }
        (Model::DeepLinear { lambdas }, ..) => Box::new(deep::Deep::listed(problem, lambdas, false)),
        (Model::DeepRelu { lambdas }, ..) => Box::new(deep::Deep::listed(problem, lambdas, true)),
        _ => return None,
    })
}

/// A whole number, exactly (to precision).
fn whole(n: u64, prec: u32) -> Ball {
    Ball::from_rational(&Rational::from(n), prec)
}

/// √x·y of the balanced theorems: c² = K² n λ_W λ_H, an exact rational.
fn c_squared(k: u64, n: u64, lambda_w: &Rational, lambda_h: &Rational) -> Rational {
    Rational::from(lambda_w * lambda_h) * Rational::from(n) * Rational::from(k) * Rational::from(k)
}
