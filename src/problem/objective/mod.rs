//! The objective of every model with linear or ReLU layers: value, gradient and Hessian product.

mod chain;
mod layout;
mod spheres;
mod targets;

pub use chain::Objective;
pub use layout::Layout;
pub(crate) use targets::Targets;

use super::{Loss, Model, Point, Problem, SpecError, loss::*};

/// Why an objective could not be built or evaluated.
#[derive(Debug, thiserror::Error)]
pub enum ObjectiveError {
    #[error("the numerical objective does not cover {what}; it covers the plain, multi-label, sphere and deep models")]
    Unsupported { what: String },
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("{block} of the point is {} x {}, but this problem's is {} x {}", found.0, found.1, expected.0, expected.1)]
    Shape { block: String, found: (usize, usize), expected: (usize, usize) },
    #[error("{block} has no direction on the sphere: it is zero or not finite")]
    Direction { block: String },
}

impl Objective {
    /// `threads`: `None` for all that the thread pool has.
    ///
    /// # Errors
    /// [`ObjectiveError::Unsupported`], or [`ObjectiveError::Spec`] when a point does not fit in memory.
    pub fn new(problem: &Problem, threads: Option<usize>) -> Result<Self, ObjectiveError> {
        let layout = Layout::new(problem)?;
        let targets = Targets::new(problem, &layout)?;
        let loss = loss(problem, &layout, &targets)?;
        Ok(Self::build(problem, layout, targets, loss, problem.loss == Loss::Mse, threads))
    }

    /// The plain or multi-label model with a loss of one's own: labels, sizes, bias and weights are the problem's, its loss is ignored.
    ///
    /// # Errors
    /// As [`Objective::new`].
    pub fn with_loss(problem: &Problem, loss: Box<dyn LogitLoss>, threads: Option<usize>) -> Result<Self, ObjectiveError> {
        if matches!(problem.model, Model::Sphere { .. }) {
            return Err(ObjectiveError::Unsupported { what: "the sphere model with another loss than its own".into() });
        }
        let layout = Layout::new(problem)?;
        let targets = Targets::new(problem, &layout)?;
        Ok(Self::build(problem, layout, targets, loss, false, threads))
    }

    /// The sphere model with one feature for each class, weighted by the class's samples: the objective at points whose features are
    /// equal within classes.
    ///
    /// # Errors
    /// As [`Objective::new`].
    pub(crate) fn collapsed(problem: &Problem, threads: Option<usize>) -> Result<Self, ObjectiveError> {
        let layout = Layout::new(problem)?;
        let targets = Targets::new(problem, &layout)?;
        let weights = targets.counts.iter().map(|&count| count as f64 / layout.samples as f64).collect();
        let labels: Vec<u32> = (0..layout.classes as u32).collect();
        let loss = Box::new(AccurateCrossEntropy::new(labels.clone(), weights));
        let (layout, targets) = (layout.one_sample_per_class(), Targets { labels, ..targets });
        Ok(Self::build(problem, layout, targets, loss, false, threads))
    }
}

/// The objective at a point.
#[derive(Debug, Clone)]
pub struct Evaluation {
    pub objective: f64,
    /// Euclidean norm of the gradient over all variables.
    pub gradient_norm: f64,
    pub gradient: Point,
}

/// Value and gradient of the objective in double precision; sphere: at the point's radial projection, the gradient tangent there.
///
/// Guarantee: the same bits for any number of threads. Shapes: those of [`Point`] for this problem.
///
/// # Errors
/// [`ObjectiveError`] for models and losses without a numerical objective and for points of the wrong shape.
///
/// ```
/// use ufm::problem::{Problem, Point, evaluate};
/// use faer::Mat;
/// let p = Problem::from_toml("model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 2\nper_class = 1\ndim = 2\nlambda_w = '0.1'\nlambda_h = '0.1'").unwrap();
/// let zero = Point { factors: vec![Mat::zeros(2, 2)], h: Mat::zeros(2, 2), b: None };
/// let at_zero = evaluate(&p, &zero).unwrap();
/// assert_eq!(at_zero.objective, 0.5);
/// assert_eq!(at_zero.gradient_norm, 0.0);
/// ```
pub fn evaluate(problem: &Problem, point: &Point) -> Result<Evaluation, ObjectiveError> {
    let mut objective = Objective::new(problem, None)?;
    let mut x = objective.layout().flatten(point)?;
    objective.retract(&mut x)?;
    let mut gradient = vec![0.0; x.len()];
    let value = objective.value_gradient(&x, &mut gradient);
    let gradient_norm = crate::linalg::vector::norm(&gradient, false);
    Ok(Evaluation { objective: value, gradient_norm, gradient: objective.layout().point(&gradient) })
}

/// The Hessian of the objective at `point` applied to `direction`; for deep ReLU the Hessian of the smooth piece the point is in,
/// for the sphere the Riemannian Hessian at the radial projections, applied to the direction's tangent part.
///
/// # Errors
/// As [`evaluate`].
pub fn hessian_product(problem: &Problem, point: &Point, direction: &Point) -> Result<Point, ObjectiveError> {
    let mut objective = Objective::new(problem, None)?;
    let mut x = objective.layout().flatten(point)?;
    let mut v = objective.layout().flatten(direction)?;
    objective.retract(&mut x)?;
    objective.project(&x, &mut v);
    let mut out = vec![0.0; x.len()];
    objective.value_gradient(&x, &mut out);
    objective.accept();
    objective.hessian_product(&x, &v, &mut out);
    Ok(objective.layout().point(&out))
}

fn loss(problem: &Problem, layout: &Layout, targets: &Targets) -> Result<Box<dyn LogitLoss>, ObjectiveError> {
    let (labels, k) = (targets.labels.clone(), layout.classes);
    Ok(match &problem.loss {
        // Features of length one leave no regulariser: at a high temperature the whole objective is far below a double's spacing at one.
        Loss::Ce if matches!(problem.model, Model::Sphere { .. }) => {
            Box::new(AccurateCrossEntropy::new(labels, vec![1.0 / layout.samples as f64; k]))
        }
        Loss::Mse => Box::new(SquaredError::new(labels, k)),
        Loss::Ce => Box::new(CrossEntropy::new(labels, k, 0.0)),
        Loss::LabelSmoothing { smoothing } => Box::new(CrossEntropy::new(labels, k, smoothing.to_f64())),
        // Without focusing it is cross-entropy, which needs no logits kept.
        Loss::Focal { focusing } if *focusing == 0 => Box::new(CrossEntropy::new(labels, k, 0.0)),
        Loss::Focal { focusing } => Box::new(Focal::new(labels, k, focusing.to_f64())),
        Loss::PickAllLabels => Box::new(PickAllLabels::new(labels, targets.tags.clone(), k)),
    })
}
