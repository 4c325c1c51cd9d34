//! Spectral factorizations whose result does not depend on the number of threads.
//!
//! faer's eigen- and singular-value decompositions reduce in an order that depends on the threads, so both run sequentially here.

use faer::{
    Mat, MatRef, Par,
    diag::Diag,
    dyn_stack::{MemBuffer, MemStack},
    linalg::{evd, svd},
};

/// Eigenvalues in nondecreasing order and orthonormal eigenvectors (columns) of a symmetric matrix; the lower triangle is read.
/// `None` when the entries are not finite or the iteration fails.
pub fn eigh(a: MatRef<'_, f64>) -> Option<(Vec<f64>, Mat<f64>)> {
    let n = a.nrows();
    if n == 0 {
        return Some((Vec::new(), Mat::new()));
    }
    let (mut s, mut u) = (Diag::<f64>::zeros(n), Mat::<f64>::zeros(n, n));
    let compute = evd::ComputeEigenvectors::Yes;
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, compute, Par::Seq, Default::default());
    let stack = &mut MemBuffer::new(scratch);
    evd::self_adjoint_evd(a, s.as_mut(), Some(u.as_mut()), Par::Seq, MemStack::new(stack), Default::default()).ok()?;
    let values: Vec<f64> = s.column_vector().iter().copied().collect();
    values.iter().all(|x| x.is_finite()).then_some((values, u))
}

/// Thin singular value decomposition `A = U diag(s) Vᵀ`, s in nonincreasing order.
/// `None` when the entries are not finite or the iteration fails.
pub fn thin_svd(a: MatRef<'_, f64>) -> Option<(Mat<f64>, Vec<f64>, Mat<f64>)> {
    let (m, n) = (a.nrows(), a.ncols());
    let r = m.min(n);
    if r == 0 {
        return Some((Mat::zeros(m, 0), Vec::new(), Mat::zeros(n, 0)));
    }
    let (mut s, mut u, mut v) = (Diag::<f64>::zeros(r), Mat::<f64>::zeros(m, r), Mat::<f64>::zeros(n, r));
    let compute = svd::ComputeSvdVectors::Thin;
    let scratch = svd::svd_scratch::<f64>(m, n, compute, compute, Par::Seq, Default::default());
    let stack = &mut MemBuffer::new(scratch);
    svd::svd(a, s.as_mut(), Some(u.as_mut()), Some(v.as_mut()), Par::Seq, MemStack::new(stack), Default::default()).ok()?;
    let values: Vec<f64> = s.column_vector().iter().copied().collect();
    values.iter().all(|x| x.is_finite()).then_some((u, values, v))
}
