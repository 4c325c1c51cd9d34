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

/// Beyond this temperature losses on the sphere may be small against one.
const SMALL_LOSS: u32 = 4;

fn loss(problem: &Problem, layout: &Layout, targets: &Targets) -> Result<Box<dyn LogitLoss>, ObjectiveError> {
    let (labels, k) = (targets.labels.clone(), layout.classes);
    Ok(match &problem.loss {
        // Features of length one leave no regulariser: at a high temperature the whole objective is far below a double's spacing at one,
        // and the focal loss keeps the accuracy of 1 − p.
        Loss::Ce if matches!(&problem.model, Model::Sphere { temperature } if *temperature > SMALL_LOSS) => {
            Box::new(Focal::new(labels, k, 0.0))
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
