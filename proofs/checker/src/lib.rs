//! An independent checker of `ufm` certificates: exact integers only, no code shared with the solver.
//!
//! The predicates are stated in `proofs/FORMAT.md`. [`check`] evaluates them on the problem file and the certificate and
//! trusts nothing else.

mod deep;
mod dyadic;
mod focal;
mod int;
mod matrix;
mod modes;
mod predicates;
mod problem;
mod reader;
mod series;
mod sphere;

use std::fmt;

use num_bigint::BigInt;
use sha2::{Digest, Sha256};

use deep::Deep;
pub use dyadic::Dyadic;
use predicates::{Instance, Triple};
use problem::{Bias, Fields, Problem};
use reader::{Fail, Reader, require};
use sphere::Sphere;

/// Largest certificate read, in bytes.
pub const MAX_CERTIFICATE: u64 = 256 << 20;
/// Largest problem file read, in bytes.
pub const MAX_PROBLEM: u64 = 1 << 20;

/// What [`check`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The claim holds.
    Verified(Claim),
    /// The certificate is malformed, or one of its predicates could not be confirmed.
    Rejected { line: usize, reason: String },
    /// The problem or the version is not one this checker knows.
    Unsupported(String),
}

/// The kinds of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The point's objective is within a known distance of the global minimum.
    Gap,
    /// The gradient is small, and the objective curves downwards along some direction.
    StrictSaddle,
    /// The gradient is not zero.
    NotCritical,
    /// The point's objective is below that of every collapsed point.
    Below,
}

/// A verified bound: the quantity `name` of FORMAT.md is at most (`at_most`) or at least `value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub name: &'static str,
    pub at_most: bool,
    pub value: Dyadic,
    line: usize,
}

/// A verified claim about one point (W, H, b) of one problem: its kind, and bounds in the certificate's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub kind: Kind,
    pub bounds: Vec<Bound>,
}

impl Claim {
    /// The bound of that name.
    pub fn bound(&self, name: &str) -> Option<&Dyadic> {
        self.bounds.iter().find(|b| b.name == name).map(|b| &b.value)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.kind {
            Kind::Gap => "the point is a global minimum up to the gap:",
            Kind::StrictSaddle => "the point is critical up to its gradient, and the objective curves downwards there:",
            Kind::NotCritical => "the point is not critical:",
            Kind::Below => "the point is below every collapsed point:",
        })?;
        self.bounds.iter().try_for_each(|Bound { name, at_most, value, .. }| {
            let (sign, what) = (if *at_most { "<=" } else { ">=" }, words(name));
            write!(out, "\n  {what} {sign} {value}  ({sign} {})", value.decimal(*at_most))
        })
    }
}

/// What the quantity called `name` is.
fn words(name: &str) -> &'static str {
    match name {
        "lower" => "objective at every point",
        "upper" | "objective" => "objective at this point",
        "collapsed" => "objective at every collapsed point",
        "gap" => "distance of that objective from the global minimum",
        "within-class" => "within-class variability, (1/N) sum of ||h_i - mean of its class or tag set||^2,",
        "self-duality" => "self-duality, ||W + G H^T/lambda_W||^2,",
        "alignment" => "mean squared distance of features from their classes' duals, (1/N) sum of ||h_i + (tau/b) W^T r||^2,",
        "fit" => "fit, the term of the loss in the bound of this kind,",
        "gradient" => "norm of the gradient at this point",
        _ => "second derivative along the unit direction",
    }
}

/// Checks a certificate against its problem file, both given as the files' bytes.
///
/// Formula: the predicates of `proofs/FORMAT.md`, for f(W, H, b) = L(WH + b 1ᵀ) + λ_W/2 ||W||² + λ_H/2 ||H||² + λ_b/2 ||b||².
///
/// Hypotheses: none on the inputs; any bytes will do. The problem is the plain model with loss `mse`, `ce`, `label-smoothing` or
/// `focal`, the multi-label model with loss `pick-all-labels`, the sphere model, or a deep model.
///
/// Guarantee: [`Outcome::Verified`] means that the claim holds for the real numbers the two files denote. Matrices, mse and all
/// comparisons are exact; exp and log are enclosed, with every rounding error on the side that makes claims harder.
///
/// Errors: [`Outcome::Rejected`] names the first line that is malformed, or the line of the predicate that could not be
/// confirmed; [`Outcome::Unsupported`] says what this checker does not know. It does not panic.
///
/// ```
/// use ufm_check::{Dyadic, Outcome, check};
/// let gallery = concat!(env!("CARGO_MANIFEST_DIR"), "/../gallery");
/// let problem = std::fs::read(format!("{gallery}/mse-zero.toml"))?;
/// let certificate = std::fs::read(format!("{gallery}/mse-zero.cert"))?;
/// let Outcome::Verified(claim) = check(&problem, &certificate) else { panic!("a valid certificate") };
/// assert_eq!(claim.bound("lower"), Some(&Dyadic::new(1, -1)));
/// assert!(matches!(check(&problem, &certificate[1..]), Outcome::Rejected { line: 1, .. }));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check(problem: &[u8], certificate: &[u8]) -> Outcome {
    match run(problem, certificate) {
        Ok(claim) => Outcome::Verified(claim),
        Err(Fail::Rejected { line, reason }) => Outcome::Rejected { line, reason },
        Err(Fail::Unsupported(reason)) => Outcome::Unsupported(reason),
    }
}

fn run(bytes: &[u8], certificate: &[u8]) -> Result<Claim, Fail> {
    if bytes.len() as u64 > MAX_PROBLEM || certificate.len() as u64 > MAX_CERTIFICATE {
        return Err(Fail::Unsupported("a file beyond the size limit (problem 1 MB, certificate 256 MB)".into()));
    }
    let file = Fields::read(bytes).map_err(Fail::Unsupported)?;
    let models = ["deep-linear", "deep-relu", "plain", "multi-label", "sphere"];
    let model = match file.choice("model", &models).map_err(Fail::Unsupported)? {
        deep @ (0 | 1) => Model::Deep(Deep::parse(&file, deep == 1).map_err(Fail::Unsupported)?),
        _ => Model::Plain(Box::new(Problem::parse(&file).map_err(Fail::Unsupported)?)),
    };
    let mut reader = Reader { rest: certificate, line: 0 };
    let version = reader.field_after("ufm-certificate")?;
    match reader::integer(version) {
        Some(1) => {}
        Some(other) => return Err(Fail::Unsupported(format!("version {other} of the format; this checker knows version 1"))),
        None => return reader.reject("the version is not a canonical INT"),
    }
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if reader.field_after("problem sha256")? != digest.as_bytes() {
        return reader.reject(format!("the certificate is not about this problem, whose sha256 is {digest}"));
    }
    let kind = reader.field_after("kind")?;
    let kinds = match &model {
        Model::Plain(problem) if problem.focusing.is_some() => &[&b"gap"[..], b"not-critical"][..],
        Model::Plain(problem) if !problem.ce => &[&b"gap"[..], b"modes", b"strict-saddle", b"not-critical"],
        Model::Plain(_) => &[&b"gap"[..], b"strict-saddle", b"not-critical"],
        Model::Deep(deep) => &[if deep.relu { &b"below"[..] } else { b"gap" }],
    };
    require(kinds.contains(&kind), reader.line, "unknown kind of certificate for this model")?;
    let precision = reader::integer(reader.field_after("precision")?).unwrap_or(0);
    require((32..=100_000).contains(&precision), reader.line, "precision is an integer from 32 to 100000")?;
    match &model {
        Model::Plain(problem) => plain(&mut reader, problem, kind, precision as usize),
        Model::Deep(problem) => deep::certificate(&mut reader, problem, precision as usize),
    }
}

enum Model {
    /// Plain, multi-label or sphere.
    Plain(Box<Problem>),
    Deep(Deep),
}

fn plain(reader: &mut Reader<'_>, problem: &Problem, kind: &[u8], precision: usize) -> Result<Claim, Fail> {
    let lines = [reader.line, reader.line + 1, reader.line + 2 + problem.classes];
    let point = triple(reader, problem, ["W", "H", "b"])?;
    if problem.sphere {
        let sphere = Sphere::new(problem, &point, precision, lines)?;
        return match kind {
            b"gap" => sphere::gap(reader, &sphere),
            b"strict-saddle" => sphere::strict_saddle(reader, &sphere),
            _ => sphere::not_critical(reader, &sphere),
        };
    }
    let instance = Instance::new(problem, &point, precision);
    match (kind, &instance.focal) {
        (b"gap", Some(focal)) => focal::gap(reader, &instance, focal),
        (b"gap", None) => gap(reader, &instance),
        (b"modes", _) => modes::gap(reader, &instance),
        (b"strict-saddle", _) => strict_saddle(reader, &instance),
        _ => not_critical(reader, &instance),
    }
}

/// The three sections of a point or a direction; the bias is there unless the problem has none.
fn triple(reader: &mut Reader<'_>, problem: &Problem, [w, h, b]: [&str; 3]) -> Result<Triple, Fail> {
    Ok(Triple {
        w: reader.matrix(w, problem.classes, Ok(problem.dim))?,
        h: reader.matrix(h, problem.dim, Ok(problem.samples))?,
        b: if problem.bias == Bias::None { None } else { Some(reader.matrix(b, problem.classes, Ok(1))?) },
    })
}

fn gap(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<Claim, Fail> {
    let classes = instance.problem.classes;
    let dual_line = reader.line + 1;
    let rt = reader.matrix("R", classes, Ok(instance.groups.len()))?.transpose();
    let factor_line = reader.line + 1;
    let factor = reader.matrix("L", classes, Err(classes))?;
    let mut bounds = vec![claimed(reader, "lower", false)?];
    for name in ["upper", "gap", "within-class", "self-duality", "fit"] {
        bounds.push(claimed(reader, name, true)?);
    }
    gap_end(reader, instance, &mut bounds)?;
    let lower = &bounds[0];
    require(instance.lower_at_least(&rt, dual_line, &lower.value)?, lower.line, "the dual matrix does not give this lower bound")?;
    instance.radius(&rt, &factor, factor_line)?;
    gap_confirmed(instance, &bounds)?;
    Ok(Claim { kind: Kind::Gap, bounds })
}

/// The optional claim, the end, and what the claims `lower`, `upper`, `gap` and, where given, `within-class`, `self-duality` and `fit`
/// say of each other.
fn gap_end(reader: &mut Reader<'_>, instance: &Instance<'_>, bounds: &mut Vec<Bound>) -> Result<(), Fail> {
    if reader.rest.starts_with(b"claim gradient") {
        bounds.push(claimed(reader, "gradient", true)?);
    }
    reader.end()?;
    let [lower, upper, gap, rest @ ..] = bounds.as_slice() else {
        return reader.reject("a claim is missing");
    };
    let (p, g) = (instance.problem, &gap.value);
    let twice = g.times(&(2 * &p.q));
    require(&upper.value - &lower.value <= *g, gap.line, "the gap is smaller than claimed upper - claimed lower")?;
    if let [within, duality, fit, ..] = rest {
        let samples = BigInt::from(p.samples);
        require(twice <= within.value.times(&(&p.h * samples)), within.line, "within-class is smaller than 2 gap / (lambda_H N)")?;
        require(twice <= duality.value.times(&p.w), duality.line, "self-duality is smaller than 2 gap / lambda_W")?;
        require(*g <= fit.value, fit.line, "fit is smaller than the gap")?;
    }
    Ok(())
}

/// The claims about the point itself: `upper`, and `gradient` where given.
fn gap_confirmed(instance: &Instance<'_>, bounds: &[Bound]) -> Result<(), Fail> {
    let named = |name: &str| bounds.iter().find(|bound| bound.name == name);
    if let Some(upper) = named("upper") {
        require(instance.objective_at_most(&upper.value)?, upper.line, "the objective is not confirmed to be at most this")?;
    }
    named("gradient").map_or(Ok(()), |bound| small_gradient(instance, bound))
}

fn strict_saddle(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<Claim, Fail> {
    let line = reader.line + 1;
    let direction = triple(reader, instance.problem, ["dW", "dH", "db"])?;
    let (gradient, curvature) = (claimed(reader, "gradient", true)?, claimed(reader, "curvature", true)?);
    reader.end()?;
    require(curvature.value.is_negative(), curvature.line, "the curvature must be negative")?;
    require(!direction.is_zero(), line, "the direction is zero")?;
    small_gradient(instance, &gradient)?;
    let curved = instance.curvature_at_most(&direction, &curvature.value)?;
    require(curved, curvature.line, "the curvature is not confirmed to be at most this")?;
    Ok(Claim { kind: Kind::StrictSaddle, bounds: vec![gradient, curvature] })
}

fn not_critical(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<Claim, Fail> {
    let gradient = claimed(reader, "gradient", false)?;
    reader.end()?;
    require(!gradient.value.is_negative() && !gradient.value.is_zero(), gradient.line, "the gradient must be positive")?;
    require(instance.gradient_at_least(&gradient.value)?, gradient.line, "the gradient is not confirmed to be at least this")?;
    Ok(Claim { kind: Kind::NotCritical, bounds: vec![gradient] })
}

fn small_gradient(instance: &Instance<'_>, bound: &Bound) -> Result<(), Fail> {
    require(instance.gradient_at_most(&bound.value)?, bound.line, "the gradient is not confirmed to be at most this")
}

fn claimed(reader: &mut Reader<'_>, name: &'static str, at_most: bool) -> Result<Bound, Fail> {
    let value = reader.claim(name, if at_most { "<=" } else { ">=" })?;
    Ok(Bound { name, at_most, value, line: reader.line })
}
