//! The objective of every model with linear or ReLU layers: value, gradient and Hessian product.

mod chain;
mod layout;
mod spheres;

pub use chain::Objective;
pub use layout::Layout;

use super::{Labels, Loss, Model, Point, Problem, SpecError, loss::*};

/// Why an objective could not be built or evaluated.
#[derive(Debug, thiserror::Error)]
pub enum ObjectiveError {
    #[error(
        "the numerical objective does not cover {what}; it covers the plain model with mse, ce and label-smoothing, the deep models \
         and the sphere model"
    )]
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

/// The class of every sample, class by class.
fn labels(problem: &Problem, layout: &Layout) -> Option<Vec<u32>> {
    if matches!(problem.labels, Labels::TagSets { .. }) || u32::try_from(layout.classes).is_err() {
        return None;
    }
    let counts = problem.class_counts()?;
    Some(counts.iter().enumerate().flat_map(|(class, &n)| std::iter::repeat_n(class as u32, n as usize)).collect())
}

fn loss(problem: &Problem, layout: &Layout) -> Result<Box<dyn LogitLoss>, ObjectiveError> {
    let unsupported = |what: &str| ObjectiveError::Unsupported { what: what.into() };
    match problem.model {
        Model::Plain { .. } | Model::DeepLinear { .. } | Model::DeepRelu { .. } | Model::Sphere { .. } => {}
        Model::MultiLabel { .. } => return Err(unsupported("the multi-label model")),
    }
    // Checked before `labels` allocates one entry per sample: the layout's sizes already passed the memory limit.
    let labels = labels(problem, layout).ok_or_else(|| unsupported("tag sets"))?;
    Ok(match &problem.loss {
        Loss::Mse => Box::new(SquaredError::new(labels, layout.classes)),
        Loss::Ce => Box::new(CrossEntropy::new(labels, layout.classes, 0.0)),
        Loss::LabelSmoothing { smoothing } => Box::new(CrossEntropy::new(labels, layout.classes, smoothing.to_f64())),
        Loss::Focal { .. } => return Err(unsupported("the focal loss")),
        Loss::PickAllLabels => return Err(unsupported("the pick-all-labels loss")),
    })
}
