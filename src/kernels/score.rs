//! Scores: residual ratios against LAPACK's thresholds, and forward errors.

use ::faer::{Mat, MatRef};
use rug::{Float, float::Round};

use super::{
    Case, Operation, Scalar,
    matrices::Matrix,
    reference::{Reference, exact, norm},
};
use crate::linalg::residual::{self, EIGEN_THRESHOLD, LINEAR_THRESHOLD, PRODUCT_THRESHOLD, SVD_THRESHOLD};

/// A dimensionless figure that must stay below its threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// `residual`, `orthogonality`, `error` (of a solution, in units of κ u), or `form`: 0 when a result has the zeros, signs and
    /// order that its operation states, and 1/u otherwise.
    pub name: &'static str,
    pub value: f64,
    pub threshold: f64,
    /// The routine or file of Reference LAPACK's tests.
    pub source: &'static str,
}

impl Ratio {
    /// The value in units of the threshold: below 1 passes.
    pub fn share(&self) -> f64 {
        self.value / self.threshold
    }
}

/// The accuracy of one result.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    pub ratios: Vec<Ratio>,
    /// Largest entry (or value) of the error over the largest entry (or value) of the reference; for products over the largest entry
    /// of |A| |B|, for Q and R the larger of both, for spectral decompositions that of the values, whose vectors need not be unique.
    /// `None` where the result is not unique.
    pub forward_error: Option<f64>,
    /// ‖A‖₁ ‖A⁻¹‖₁ of a linear system.
    pub condition: Option<f64>,
}

impl Score {
    pub fn passes(&self) -> bool {
        self.ratios.iter().all(|r| r.value < r.threshold)
    }

    /// The ratio nearest to its threshold, or furthest above.
    pub fn worst(&self) -> Option<&Ratio> {
        self.ratios.iter().reduce(|worst, r| if r.share() > worst.share() { r } else { worst })
    }
}

/// Scores results in the order of [`Operation::outputs`]; vectors are matrices of one column.
///
/// # Errors
/// The fault, when a shape is not the one stated or an entry is not finite.
pub(super) fn score<T: Scalar>(case: &Case<T>, reference: &Reference, outputs: &[Mat<T>]) -> Result<Score, String> {
    let expected = case.operation.outputs(case.shape(), case.columns());
    if outputs.len() != expected.len() {
        return Err(format!("{} results instead of {}", outputs.len(), expected.len()));
    }
    for (output, (name, shape)) in outputs.iter().zip(&expected) {
        let wanted = (shape[0], shape.get(1).copied().unwrap_or(1));
        let found = (output.nrows(), output.ncols());
        if found != wanted {
            return Err(format!("{name} is {} x {}, not {} x {}", found.0, found.1, wanted.0, wanted.1));
        }
        if !output.col_iter().flat_map(|c| c.iter()).all(|x| x.to_float().is_finite()) {
            return Err(format!("{name} has an entry that is not finite"));
        }
    }
    let (forward_error, condition) = forward_error(reference, outputs);
    let mut ratios = ratios(case, outputs);
    if let (Reference::Solution(x, kappa), [output]) = (reference, outputs) {
        ratios.push(Ratio {
            name: "error",
            value: solution_ratio(x, kappa, output.as_ref()),
            threshold: LINEAR_THRESHOLD,
            source: "TESTING/LIN/dget04.f, dtest.in",
        });
    }
    Ok(Score { ratios, forward_error, condition })
}

fn ratios<T: Scalar>(case: &Case<T>, outputs: &[Mat<T>]) -> Vec<Ratio> {
    let a = case.a.as_ref();
    let ratio = |name, value, threshold, source| Ratio { name, value, threshold, source };
    // 1/u: nothing that has the wrong form is nearly right.
    let form = |holds: bool, threshold, source| {
        let value = if holds { 0.0 } else { (Float::with_val(53, 1) << T::PRECISION).to_f64_round(Round::Up) };
        ratio("form", value, threshold, source)
    };
    match (case.operation, outputs, &case.b) {
        (Operation::Gemm, [c], Some(b)) => {
            let value = residual::multiplication(a, b.as_ref(), c.as_ref());
            vec![ratio("residual", value, PRODUCT_THRESHOLD, "BLAS/TESTING/dblat3.f, dblat3.in")]
        }
        (Operation::Cholesky, [l], _) => vec![
            ratio("residual", residual::cholesky(a, l.as_ref()), LINEAR_THRESHOLD, "TESTING/LIN/dpot01.f, dtest.in"),
            form(triangular(l.transpose()) && (0..l.nrows()).all(|i| l[(i, i)].to_float() > 0), LINEAR_THRESHOLD, "definition of L"),
        ],
        (Operation::Qr, [q, r], _) => vec![
            ratio("residual", residual::qr(a, q.as_ref(), r.as_ref()), LINEAR_THRESHOLD, "TESTING/LIN/dqrt01.f, dtest.in"),
            ratio("orthogonality", residual::orthogonality(q.as_ref()), LINEAR_THRESHOLD, "TESTING/LIN/dqrt01.f, dtest.in"),
            form(triangular(r.as_ref()), LINEAR_THRESHOLD, "definition of R"),
        ],
        (Operation::Eigh, [w, v], _) => {
            let values: Vec<T> = column(w);
            vec![
                ratio("residual", residual::eigen(a, &values, v.as_ref()), EIGEN_THRESHOLD, "TESTING/EIG/dsyt21.f, sep.in"),
                ratio("orthogonality", residual::orthogonality(v.as_ref()), EIGEN_THRESHOLD, "TESTING/EIG/dsyt21.f, sep.in"),
                form(nondecreasing(w), EIGEN_THRESHOLD, "definition of w"),
            ]
        }
        (Operation::Svd, [u, s, v_t], _) => {
            let values: Vec<T> = column(s);
            let reversed = Mat::from_fn(s.nrows(), 1, |i, _| s[(s.nrows() - 1 - i, 0)].clone());
            let ordered = nondecreasing(&reversed) && values.last().is_none_or(|x| x.to_float() >= 0);
            vec![
                ratio("residual", residual::svd(a, u.as_ref(), &values, v_t.transpose()), SVD_THRESHOLD, "TESTING/EIG/dbdt01.f, svd.in"),
                ratio("orthogonality", residual::orthogonality(u.as_ref()), SVD_THRESHOLD, "TESTING/EIG/dort01.f, svd.in"),
                ratio("orthogonality", residual::orthogonality(v_t.transpose()), SVD_THRESHOLD, "TESTING/EIG/dort01.f, svd.in"),
                form(ordered, SVD_THRESHOLD, "TESTING/EIG/ddrvbd.f, test 4"),
            ]
        }
        (Operation::Solve, [x], Some(b)) => {
            let value = residual::solve(a, b.as_ref(), x.as_ref());
            vec![ratio("residual", value, LINEAR_THRESHOLD, "TESTING/LIN/dget02.f, dtest.in")]
        }
        // Shapes and right-hand sides were checked before.
        _ => vec![],
    }
}

fn column<T: Scalar>(a: &Mat<T>) -> Vec<T> {
    (0..a.nrows()).map(|i| a[(i, 0)].clone()).collect()
}

/// Zero below the diagonal.
fn triangular<T: Scalar>(r: MatRef<'_, T>) -> bool {
    (0..r.ncols()).all(|j| (j + 1..r.nrows()).all(|i| r[(i, j)].is_zero()))
}

fn nondecreasing<T: Scalar>(values: &Mat<T>) -> bool {
    (1..values.nrows()).all(|i| values[(i - 1, 0)].to_float() <= values[(i, 0)].to_float())
}

/// The forward error, and the condition number of a linear system.
fn forward_error<T: Scalar>(reference: &Reference, outputs: &[Mat<T>]) -> (Option<f64>, Option<f64>) {
    match (reference, outputs) {
        (Reference::Product(x, size), [y]) => (distance(x, &exact(y.as_ref()), Some(size.clone())), None),
        (Reference::Entries(x), [y]) => (distance(x, &exact(y.as_ref()), None), None),
        (Reference::Factors(x, y), [q, r]) => {
            let (q, r) = (exact(q.as_ref()), exact(r.as_ref()));
            // The signs that make the diagonal of R positive.
            let signed = |a: &Matrix, sign: &dyn Fn(usize, usize) -> usize| {
                let entry = |i, j| {
                    let k = sign(i, j);
                    if r[(k, k)].is_sign_negative() { -a[(i, j)].clone() } else { a[(i, j)].clone() }
                };
                Mat::from_fn(a.nrows(), a.ncols(), entry)
            };
            let errors = [distance(x, &signed(&q, &|_, j| j), None), distance(y, &signed(&r, &|i, _| i), None)];
            (errors.into_iter().flatten().reduce(f64::max), None)
        }
        (Reference::Values(values), [w, _] | [_, w, _]) => {
            let values = Mat::from_fn(values.len(), 1, |i, _| values[i].clone());
            (distance(&values, &exact(w.as_ref()), None), None)
        }
        (Reference::Solution(x, kappa), [y]) => (distance(x, &exact(y.as_ref()), None), Some(kappa.to_f64())),
        _ => (None, None),
    }
}

/// max |x − y| / size, rounded up; the size is max |x| unless given. An empty or exact result has no error.
fn distance(x: &Matrix, y: &Matrix, size: Option<Float>) -> Option<f64> {
    let largest = |entry: &dyn Fn(usize, usize) -> Float| {
        let entries = (0..x.ncols()).flat_map(|j| (0..x.nrows()).map(move |i| (i, j)));
        entries.map(|(i, j)| entry(i, j).abs()).reduce(|largest, x| largest.max(&x))
    };
    let prec = x.col_iter().flat_map(|c| c.iter()).map(Float::prec).max().unwrap_or(53);
    let error = largest(&|i, j| Float::with_val(prec, &x[(i, j)] - &y[(i, j)]));
    let size = size.or_else(|| largest(&|i, j| x[(i, j)].clone()));
    let (Some(error), Some(size)) = (error, size) else { return Some(0.0) };
    if error.is_zero() { Some(0.0) } else { Some((error / size).to_f64_round(Round::Up)) }
}

/// max over columns of ‖x − y‖₁ / (‖x‖₁ κ u), for κ up to 1/u; beyond that a solution has no digit to lose.
fn solution_ratio<T: Scalar>(x: &Matrix, kappa: &Float, y: MatRef<'_, T>) -> f64 {
    let prec = kappa.prec();
    let limit = Float::with_val(prec, 1) << T::PRECISION;
    let gauge = if *kappa < limit { Float::with_val(prec, kappa) } else { limit } >> T::PRECISION;
    (0..x.ncols())
        .map(|j| {
            let of = |entry: &dyn Fn(usize) -> Float| norm(&Mat::from_fn(x.nrows(), 1, |i, _| entry(i)), prec);
            let error = of(&|i| Float::with_val(prec, &x[(i, j)] - y[(i, j)].to_float()));
            let size = of(&|i| x[(i, j)].clone());
            let quotient = if error.is_zero() { 0.0 } else { (error / size / &gauge).to_f64_round(Round::Up) };
            if quotient.is_nan() { f64::INFINITY } else { quotient }
        })
        .fold(0.0, f64::max)
}
