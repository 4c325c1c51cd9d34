//! What kernels are given: the matrices of neural collapse, and classic hard ones.

use ::faer::Mat;
use sha2::{Digest, Sha256};

use super::{
    Operation, Scalar,
    matrices::{Maker, Matrix, Mode, transpose},
};

/// One problem for a kernel. A is m × n; B is there for products and linear systems.
#[derive(Debug, Clone)]
pub struct Case<T> {
    /// Operation, family and size: unique, of lower-case letters, digits and hyphens.
    pub name: String,
    pub operation: Operation,
    /// Seeds ChaCha8; derived from the name, so that no case depends on the list it stands in.
    pub seed: u64,
    pub a: Mat<T>,
    pub b: Option<Mat<T>>,
    /// Whether speed is measured here: families whose names begin with `large`.
    pub timed: bool,
}

impl<T> Case<T> {
    /// Rows and columns of A.
    pub fn shape(&self) -> (usize, usize) {
        (self.a.nrows(), self.a.ncols())
    }

    /// Columns of B.
    pub fn columns(&self) -> usize {
        self.b.as_ref().map_or(0, |b| b.ncols())
    }

    /// Largest dimension of A and B.
    pub fn size(&self) -> usize {
        self.a.nrows().max(self.a.ncols()).max(self.columns())
    }
}

/// Sizes of LAPACK's own tests (`TESTING/dtest.in`).
const SIZES: [usize; 7] = [0, 1, 2, 3, 5, 10, 50];
/// Size at which speed is measured, for native scalars and for `Mp`.
const LARGE: (usize, usize) = (200, 40);
/// Classes, feature dimension and samples of the products W H that are timed, for native scalars and for `Mp`.
const LOGITS: ((usize, usize, usize), (usize, usize, usize)) = ((100, 64, 400), (20, 16, 60));
/// Samples and dimensions of the features that are timed.
const FEATURES: ((usize, usize), (usize, usize)) = ((400, 50), (60, 20));
/// Size of the degenerate Gram matrix that is timed.
const FRAME: (usize, usize) = (100, 30);
/// Class means: simplex equiangular tight frames are centred, orthogonal frames are not.
const FRAMES: [(&str, bool); 2] = [("etf", true), ("of", false)];
/// Perturbations of exact collapse, 10^−k.
const PERTURBATIONS: [u32; 5] = [3, 6, 9, 12, 15];
/// Bits of the working precision beyond the scalar's.
const GUARD_BITS: u32 = 64;
/// Factorizations that need a numerically definite or regular matrix get condition numbers up to 2^(p − MARGIN_BITS):
/// with n = 20, n² u κ stays below 1.
const MARGIN_BITS: u32 = 12;
/// Size of the matrices with chosen spectra.
const SPECTRAL: usize = 20;
/// Classes, samples a class, feature dimension; the deep-learning shapes in small.
const CLASSES: usize = 10;
const PER_CLASS: usize = 4;
const DIM: usize = 30;

/// The cases of an operation with no dimension above `largest`, always in the same order.
///
/// Deterministic: the same bits on every machine.
pub fn cases<T: Scalar>(operation: Operation, largest: usize) -> Vec<Case<T>> {
    chosen(operation, &|_, size| size <= largest)
}

/// The cases whose name and size are wanted; the others are not made.
pub(super) fn chosen<T: Scalar>(operation: Operation, wanted: &dyn Fn(&str, usize) -> bool) -> Vec<Case<T>> {
    let mut list = List::<T> { operation, wanted, cases: vec![] };
    match operation {
        Operation::Gemm => products(&mut list),
        Operation::Cholesky => definite(&mut list),
        Operation::Qr => general(&mut list),
        Operation::Eigh => symmetric(&mut list),
        Operation::Svd => general(&mut list),
        Operation::Solve => systems(&mut list),
    }
    list.cases
}

struct List<'a, T> {
    operation: Operation,
    wanted: &'a dyn Fn(&str, usize) -> bool,
    cases: Vec<Case<T>>,
}

impl<T: Scalar> List<'_, T> {
    /// Adds a case of matrix A, and for linear systems two random right-hand sides.
    fn one(&mut self, family: &str, size: usize, make: impl FnOnce(&mut Maker) -> Matrix) {
        let with_sides = self.operation == Operation::Solve;
        self.pair(family, size, |m| {
            let a = make(m);
            let b = with_sides.then(|| m.random(a.nrows(), 2));
            (a, b)
        });
    }

    fn pair(&mut self, family: &str, size: usize, make: impl FnOnce(&mut Maker) -> (Matrix, Option<Matrix>)) {
        let name = format!("{}-{family}-{size}", self.operation.name());
        if !(self.wanted)(&name, size) {
            return;
        }
        let hash = Sha256::digest(name.as_bytes());
        let seed = hash.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte));
        let (a, b) = make(&mut Maker::new(T::PRECISION + GUARD_BITS, seed));
        let round = |a: &Matrix| Mat::from_fn(a.nrows(), a.ncols(), |i, j| T::from_float(&a[(i, j)]));
        let timed = family.starts_with("large");
        self.cases.push(Case { name, operation: self.operation, seed, a: round(&a), b: b.as_ref().map(round), timed });
    }

    /// Chosen condition numbers and modes, the root of 1/u and nearly 1/u.
    fn spectra(&mut self, make: impl Fn(&mut Maker, &[rug::Float]) -> Matrix) {
        for (bits, label) in [(T::PRECISION / 2, "half"), (T::PRECISION - MARGIN_BITS, "full")] {
            for (name, mode) in Mode::ALL {
                self.one(&format!("{name}-{label}"), SPECTRAL, |m| {
                    let d = m.spectrum(mode, SPECTRAL, bits);
                    make(m, &d)
                });
            }
        }
    }

    fn extremes(&mut self, make: impl Fn(&mut Maker) -> Matrix) {
        for (name, exponent) in [("overflow", T::EXTREME), ("underflow", -T::EXTREME)] {
            self.one(name, 10, |m| {
                let a = make(m);
                m.scaled(&a, exponent)
            });
        }
    }

    fn large(&self) -> usize {
        self.native(LARGE.0, LARGE.1)
    }

    fn native<U>(&self, native: U, multiple: U) -> U {
        if T::PRECISION <= f64::MANTISSA_DIGITS { native } else { multiple }
    }
}

fn products<T: Scalar>(list: &mut List<'_, T>) {
    for n in SIZES {
        list.pair("random", n, |m| (m.random(n, n), Some(m.random(n, n))));
    }
    for (name, rows, inner, cols) in [("column", 50, 50, 1), ("row", 1, 50, 50), ("outer", 50, 1, 50), ("inner", 1, 50, 1)] {
        list.pair(name, 50, |m| (m.random(rows, inner), Some(m.random(inner, cols))));
    }
    let samples = CLASSES * PER_CLASS;
    for k in PERTURBATIONS {
        // Logits W H of a self-dual classifier: W is the transpose of the class means.
        list.pair(&format!("logits-1e-{k}"), samples, |m| {
            let h = m.features(DIM, CLASSES, PER_CLASS, true, 10f64.powi(-(k as i32)));
            let w = Mat::from_fn(CLASSES, DIM, |i, j| h[(j, i * PER_CLASS)].clone());
            (w, Some(h))
        });
    }
    // Gram matrices HᵀH of features.
    for (name, centred) in FRAMES {
        for k in PERTURBATIONS {
            list.pair(&format!("{name}-gram-1e-{k}"), samples, |m| {
                let h = m.features(DIM, CLASSES, PER_CLASS, centred, 10f64.powi(-(k as i32)));
                (transpose(&h), Some(h))
            });
        }
    }
    // The sum over the vertices of a simplex is zero: all that is left is rounding.
    list.pair("cancellation", CLASSES, |m| (m.simplex(CLASSES, CLASSES), Some(m.ones(CLASSES, 1))));
    list.pair("graded", SPECTRAL, |m| (m.graded(SPECTRAL, T::PRECISION), Some(m.graded(SPECTRAL, T::PRECISION))));
    for (name, a, b) in [("overflow", 2, 2), ("underflow", -2, -2)] {
        list.pair(name, 10, |m| {
            let (x, y) = (m.random(10, 10), m.random(10, 10));
            (m.scaled(&x, T::EXTREME / a), Some(m.scaled(&y, T::EXTREME / b)))
        });
    }
    let n = list.large();
    list.pair("large", n, |m| (m.random(n, n), Some(m.random(n, n))));
    let (k, d, n) = list.native(LOGITS.0, LOGITS.1);
    list.pair("large-logits", n, |m| (m.random(k, d), Some(m.random(d, n))));
}

fn definite<T: Scalar>(list: &mut List<'_, T>) {
    for n in SIZES {
        list.one("random", n, |m| m.definite(n));
    }
    for n in [10, 50] {
        list.one("etf-gram", n, |m| m.simplex(n, n + 1));
    }
    for k in PERTURBATIONS {
        // ‖E‖ ≤ n, and the least eigenvalue is 1/(n + 1) or 1: definite.
        let spread = 10f64.powi(-(k as i32));
        for (name, centred) in FRAMES {
            list.one(&format!("{name}-gram-1e-{k}"), SPECTRAL, |m| {
                let frame = if centred { m.simplex(SPECTRAL, SPECTRAL + 1) } else { m.identity(SPECTRAL) };
                let e = m.symmetric(SPECTRAL);
                m.plus(&frame, spread / SPECTRAL as f64, &e)
            });
        }
    }
    // H Hᵀ + λ I, the matrix of the least-squares classifier.
    for k in [1, 4] {
        list.one(&format!("ridge-1e-{k}"), DIM, |m| ridge(m, 10f64.powi(-k)));
    }
    list.spectra(|m, d| m.with_eigenvalues(d));
    list.one("graded", SPECTRAL, |m| {
        let a = m.definite(SPECTRAL);
        m.grade(&a, T::PRECISION)
    });
    list.one("hilbert", 5, |m| m.hilbert(5));
    if T::PRECISION >= f64::MANTISSA_DIGITS {
        list.one("hilbert", 10, |m| m.hilbert(10));
    }
    list.extremes(|m| m.definite(10));
    let n = list.large();
    list.one("large", n, |m| m.definite(n));
}

fn ridge(m: &mut Maker, lambda: f64) -> Matrix {
    let h = m.features(DIM, CLASSES, PER_CLASS, true, 1e-3);
    let gram = m.gram(&transpose(&h));
    m.plus(&gram, lambda, &m.identity(DIM))
}

/// Rectangular matrices: QR and singular values.
fn general<T: Scalar>(list: &mut List<'_, T>) {
    for n in SIZES {
        list.one("random", n, |m| m.random(n, n));
    }
    for (name, rows, cols) in [("tall", 10, 3), ("wide", 3, 10), ("column", 10, 1), ("row", 1, 10)] {
        list.one(name, 10, |m| m.random(rows, cols));
    }
    list.one("tall", 50, |m| m.random(50, 20));
    list.one("wide", 50, |m| m.random(20, 50));
    list.one("zero", 3, |m| m.zero(3, 3));
    list.one("simplex", CLASSES, |m| m.simplex(CLASSES, CLASSES));
    let samples = CLASSES * PER_CLASS;
    for (name, centred) in FRAMES {
        // Exactly collapsed features have rank K − 1 or K.
        list.one(&format!("{name}-features"), samples, |m| m.features(DIM, CLASSES, PER_CLASS, centred, 0.0));
        for k in PERTURBATIONS {
            let spread = 10f64.powi(-(k as i32));
            list.one(&format!("{name}-features-1e-{k}"), samples, |m| transpose(&m.features(DIM, CLASSES, PER_CLASS, centred, spread)));
        }
    }
    list.one("classifier", samples, |m| m.random(CLASSES, samples));
    list.spectra(|m, d| m.with_singular_values(SPECTRAL, SPECTRAL, d));
    list.one("graded", SPECTRAL, |m| m.graded(SPECTRAL, T::PRECISION));
    list.one("hilbert", 10, |m| m.hilbert(10));
    list.one("kahan", 20, |m| m.kahan(20));
    list.one("wilkinson", 21, |m| m.wilkinson(21));
    list.extremes(|m| m.random(10, 10));
    let n = list.large();
    list.one("large", n, |m| m.random(n, n));
    let (n, d) = list.native(FEATURES.0, FEATURES.1);
    list.one("large-features", n, |m| m.random(n, d));
}

fn symmetric<T: Scalar>(list: &mut List<'_, T>) {
    for n in SIZES {
        list.one("random", n, |m| m.symmetric(n));
    }
    list.one("zero", 3, |m| m.zero(3, 3));
    for n in [10, 50] {
        list.one("etf-gram", n, |m| m.simplex(n, n));
    }
    let samples = CLASSES * PER_CLASS;
    for (name, centred) in FRAMES {
        // HᵀH: K − 1 (or K) equal eigenvalues, the others zero; perturbed, they are clusters.
        list.one(&format!("{name}-samples"), samples, |m| {
            let h = m.features(DIM, CLASSES, PER_CLASS, centred, 0.0);
            m.gram(&h)
        });
        for k in PERTURBATIONS {
            let spread = 10f64.powi(-(k as i32));
            list.one(&format!("{name}-samples-1e-{k}"), samples, |m| {
                let h = m.features(DIM, CLASSES, PER_CLASS, centred, spread);
                m.gram(&h)
            });
        }
    }
    list.spectra(|m, d| {
        let d = m.signed(d.to_vec());
        m.with_eigenvalues(&d)
    });
    list.one("graded", SPECTRAL, |m| m.graded(SPECTRAL, T::PRECISION));
    list.one("hilbert", 10, |m| m.hilbert(10));
    list.one("wilkinson", 21, |m| m.wilkinson(21));
    list.extremes(|m| m.symmetric(10));
    let n = list.large();
    list.one("large", n, |m| m.symmetric(n));
    let n = list.native(FRAME.0, FRAME.1);
    list.one("large-etf-gram", n, |m| m.simplex(n, n));
}

fn systems<T: Scalar>(list: &mut List<'_, T>) {
    for n in SIZES {
        list.one("random", n, |m| m.random(n, n));
    }
    for k in [1, 4] {
        list.one(&format!("ridge-1e-{k}"), DIM, |m| ridge(m, 10f64.powi(-k)));
    }
    for k in PERTURBATIONS {
        // A simplex Gram matrix is nearly singular, its zero eigenvalue lifted by the perturbation.
        let spread = 10f64.powi(-(k as i32));
        for (name, centred) in FRAMES {
            list.one(&format!("{name}-gram-1e-{k}"), CLASSES, |m| {
                let frame = if centred { m.simplex(CLASSES, CLASSES) } else { m.identity(CLASSES) };
                let e = m.random(CLASSES, CLASSES);
                m.plus(&frame, spread, &e)
            });
        }
    }
    list.spectra(|m, d| m.with_singular_values(SPECTRAL, SPECTRAL, d));
    list.one("graded", SPECTRAL, |m| m.graded(SPECTRAL, T::PRECISION - MARGIN_BITS));
    list.one("hilbert", 5, |m| m.hilbert(5));
    list.one("hilbert", 10, |m| m.hilbert(10));
    list.one("kahan", 20, |m| m.kahan(20));
    list.one("wilkinson", 21, |m| m.wilkinson(21));
    list.extremes(|m| m.random(10, 10));
    let n = list.large();
    list.one("large", n, |m| m.random(n, n));
}
