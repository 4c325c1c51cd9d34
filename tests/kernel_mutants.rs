//! Mutation tests of the suite: textbook kernels with one fault inside the algorithm, at every place a fault can be, in every operation.
//!
//! The kernels below are sound without a fault (the suite passes them), so that what is caught is the fault and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::{Mat, MatRef};
use nalgebra::RealField;
use ufm::kernels::{BITS, Entry, Kernel, Operation, Options, Refusal, Scalar, ThinSvd, run};
use ufm::scalar::Mp;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The sine of one plane rotation has the wrong sign where it is applied; in operations without rotations, one factor of a product.
    RotatedSign,
    /// One fused multiply-add is skipped.
    Dropped,
    /// Every sum is kept in single precision, or in double where the scalar has more.
    Single,
}

/// The scalars of the textbook: `lower` rounds to the precision beneath.
trait Number: Scalar + RealField {
    fn lower(self) -> Self;
}

impl Number for f64 {
    fn lower(self) -> Self {
        f64::from(self as f32)
    }
}

impl Number for Mp<BITS> {
    fn lower(self) -> Self {
        Mp::from(self.as_float().to_f64())
    }
}

/// Textbook algorithms over a multiply-add and a rotation that count themselves: the fault strikes at one count.
struct Textbook {
    fault: Fault,
    at: usize,
    steps: AtomicUsize,
    turns: AtomicUsize,
}

fn number<T: Number>(x: f64) -> T {
    nalgebra::convert(x)
}

/// 2^−bits.
fn power<T: Number>(bits: u32) -> T {
    (0..bits).fold(T::one(), |x: T, _| x * number(0.5))
}

/// A NaN, as from the cases near overflow, is the score's to find.
fn larger<T: Number>(x: &T, y: &T) -> std::cmp::Ordering {
    x.partial_cmp(y).unwrap_or(std::cmp::Ordering::Equal)
}

fn sign<T: Number>(x: &T) -> T {
    if *x < T::zero() { -T::one() } else { T::one() }
}

/// (c, s) of the rotation that makes the entry z beside x and y vanish.
fn jacobi<T: Number>(x: T, y: T, z: T) -> (T, T) {
    let zeta = (y - x) / (z * number(2.0));
    let t = -sign(&zeta) / (zeta.clone().abs() + (zeta.clone() * zeta + T::one()).sqrt());
    let c = T::one() / (t.clone() * t.clone() + T::one()).sqrt();
    (c.clone(), c * t)
}

impl Textbook {
    fn new(fault: Fault, at: usize) -> Self {
        Textbook { fault, at, steps: AtomicUsize::new(0), turns: AtomicUsize::new(0) }
    }

    fn reset(&self) {
        self.steps.store(0, Ordering::Relaxed);
        self.turns.store(0, Ordering::Relaxed);
    }

    /// sum + x y.
    fn add<T: Number>(&self, sum: T, x: T, y: T) -> T {
        let struck = self.steps.fetch_add(1, Ordering::Relaxed) == self.at;
        match self.fault {
            Fault::Dropped if struck => sum,
            Fault::Single => (sum + x * y).lower(),
            _ => sum + x * y,
        }
    }

    /// A product inside a Cholesky or LU update; the counterpart of a rotation there.
    fn signed<T: Number>(&self, x: T) -> T {
        let struck = self.turns.fetch_add(1, Ordering::Relaxed) == self.at;
        if self.fault == Fault::RotatedSign && struck { -x } else { x }
    }

    /// Rows p and q of a become c p + s q and c q − s p.
    fn rotate<T: Number>(&self, a: &mut Mat<T>, p: usize, q: usize, (c, s): (T, T)) {
        let s = self.signed(s);
        for j in 0..a.ncols() {
            let (x, y) = (a[(p, j)].clone(), a[(q, j)].clone());
            a[(p, j)] = self.add(c.clone() * x.clone(), s.clone(), y.clone());
            a[(q, j)] = self.add(c.clone() * y, -s.clone(), x);
        }
    }

    fn times<T: Number>(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Mat<T> {
        let dot = |i, j| (0..a.ncols()).fold(T::zero(), |sum, k| self.add(sum, self.signed(a[(i, k)].clone()), b[(k, j)].clone()));
        Mat::from_fn(a.nrows(), b.ncols(), dot)
    }

    /// Cyclic one-sided Jacobi (Hestenes) on the rows of a, with the rows of v turned along.
    fn orthogonalise<T: Number>(&self, a: &mut Mat<T>, v: &mut Mat<T>) {
        let n = a.nrows();
        // Less is rounding of the products, or of the last rotations.
        let (least, last) = (power::<T>(T::PRECISION + 3), power::<T>(T::PRECISION - 3));
        for _ in 0..30 {
            let mut off = T::zero();
            for p in 0..n {
                for q in p + 1..n {
                    let dot = |i: usize, j: usize| (0..a.ncols()).fold(T::zero(), |sum, t| sum + a[(i, t)].clone() * a[(j, t)].clone());
                    let (x, y, z) = (dot(p, p), dot(q, q), dot(p, q));
                    let size = (x.clone() * y.clone()).sqrt();
                    if z.clone().abs() <= least.clone() * size.clone() {
                        continue;
                    }
                    off = off.max(z.clone().abs() / size);
                    let turn = jacobi(x, y, z);
                    self.rotate(a, p, q, turn.clone());
                    self.rotate(v, p, q, turn);
                }
            }
            if off <= last {
                break;
            }
        }
    }
}

fn transpose<T: Number>(a: MatRef<'_, T>) -> Mat<T> {
    copy(a.transpose())
}

fn copy<T: Number>(a: MatRef<'_, T>) -> Mat<T> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)].clone())
}

fn identity<T: Number>(n: usize) -> Mat<T> {
    Mat::from_fn(n, n, |i, j| if i == j { T::one() } else { T::zero() })
}

impl<T: Number> Kernel<T> for Textbook {
    fn name(&self) -> &str {
        "textbook"
    }

    fn gemm(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        self.reset();
        Ok(self.times(a, b))
    }

    fn cholesky(&self, a: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        self.reset();
        let n = a.nrows();
        let mut l = Mat::from_fn(n, n, |_, _| T::zero());
        for j in 0..n {
            for i in j..n {
                let sum = (0..j).fold(a[(i, j)].clone(), |sum, k| self.add(sum, -self.signed(l[(i, k)].clone()), l[(j, k)].clone()));
                l[(i, j)] = if i == j { sum.sqrt() } else { sum / l[(j, j)].clone() };
            }
        }
        Ok(l)
    }

    /// Givens.
    fn qr(&self, a: MatRef<'_, T>) -> Result<(Mat<T>, Mat<T>), Refusal> {
        self.reset();
        let (m, n) = (a.nrows(), a.ncols());
        let (mut q, mut r) = (identity(m), copy(a));
        for j in 0..n.min(m) {
            for i in j + 1..m {
                let (x, y) = (r[(j, j)].clone(), r[(i, j)].clone());
                let length = (x.clone() * x.clone() + y.clone() * y.clone()).sqrt();
                if y != T::zero() {
                    let turn = (x / length.clone(), y / length);
                    self.rotate(&mut r, j, i, turn.clone());
                    r[(i, j)] = T::zero();
                    self.rotate(&mut q, j, i, turn);
                }
            }
        }
        let k = m.min(n);
        Ok((transpose(q.subrows(0, k)), copy(r.subrows(0, k))))
    }

    /// Jacobi's method for eigenvalues.
    fn eigh(&self, a: MatRef<'_, T>) -> Result<(Vec<T>, Mat<T>), Refusal> {
        self.reset();
        let n = a.nrows();
        let (mut a, mut v) = (copy(a), identity(n));
        for _ in 0..30 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[(p, q)] == T::zero() {
                        continue;
                    }
                    let turn = jacobi(a[(p, p)].clone(), a[(q, q)].clone(), a[(p, q)].clone());
                    self.rotate(&mut a, p, q, turn.clone());
                    let mut right = transpose(a.as_ref());
                    self.rotate(&mut right, p, q, turn.clone());
                    a = right;
                    self.rotate(&mut v, p, q, turn);
                }
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| larger(&a[(i, i)], &a[(j, j)]));
        Ok((order.iter().map(|&i| a[(i, i)].clone()).collect(), Mat::from_fn(n, n, |i, j| v[(order[j], i)].clone())))
    }

    fn svd(&self, a: MatRef<'_, T>) -> Result<ThinSvd<T>, Refusal> {
        self.reset();
        let n = a.ncols();
        if a.nrows() < n {
            return Err(Refusal::NotOffered("wide".into()));
        }
        let (mut columns, mut v) = (transpose(a), identity(n));
        self.orthogonalise(&mut columns, &mut v);
        let norm = |i: usize| (0..columns.ncols()).fold(T::zero(), |sum, t| sum + columns[(i, t)].clone() * columns[(i, t)].clone()).sqrt();
        let mut order: Vec<(T, usize)> = (0..n).map(|i| (norm(i), i)).collect();
        order.sort_by(|x, y| larger(&y.0, &x.0));
        let u = Mat::from_fn(a.nrows(), n, |i, j| columns[(order[j].1, i)].clone() / order[j].0.clone());
        let v = Mat::from_fn(n, n, |i, j| v[(order[i].1, j)].clone());
        Ok((u, order.into_iter().map(|x| x.0).collect(), v))
    }

    /// Gaussian elimination with partial pivoting.
    fn solve(&self, a: MatRef<'_, T>, b: MatRef<'_, T>) -> Result<Mat<T>, Refusal> {
        self.reset();
        let n = a.nrows();
        let (mut a, mut x) = (copy(a), copy(b));
        let swap = |m: &mut Mat<T>, i: usize, j: usize| {
            (0..m.ncols()).for_each(|k| (m[(i, k)], m[(j, k)]) = (m[(j, k)].clone(), m[(i, k)].clone()));
        };
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| larger(&a[(i, k)].clone().abs(), &a[(j, k)].clone().abs())).unwrap_or(k);
            swap(&mut a, k, pivot);
            swap(&mut x, k, pivot);
            for i in k + 1..n {
                let factor = a[(i, k)].clone() / a[(k, k)].clone();
                for j in k + 1..n {
                    a[(i, j)] = self.add(a[(i, j)].clone(), -self.signed(factor.clone()), a[(k, j)].clone());
                }
                for j in 0..x.ncols() {
                    x[(i, j)] = self.add(x[(i, j)].clone(), -self.signed(factor.clone()), x[(k, j)].clone());
                }
            }
        }
        for j in 0..x.ncols() {
            for i in (0..n).rev() {
                let known = (i + 1..n).fold(x[(i, j)].clone(), |sum, k| self.add(sum, -self.signed(a[(i, k)].clone()), x[(k, j)].clone()));
                x[(i, j)] = known / a[(i, i)].clone();
            }
        }
        Ok(x)
    }
}

/// The plain random cases up to 10: no rare matrix is needed.
fn random<T: Number>(kernel: &Textbook, operation: Operation) -> Vec<Entry> {
    let options = Options { operations: vec![operation], largest: 10, timed: false };
    let entries = run::<T>(&[kernel], &options, &|| {});
    let name = format!("{}-random-", operation.name());
    entries.into_iter().filter(|e| e.case.starts_with(&name) && e.case.bytes().last().is_some_and(|b| b.is_ascii_digit())).collect()
}

fn ten(entries: &[Entry]) -> &Entry {
    entries.iter().find(|e| e.case.ends_with("-random-10")).expect("the case of size 10")
}

fn sound<T: Number>() {
    for operation in Operation::ALL {
        let faults: Vec<String> = random::<T>(&Textbook::new(Fault::None, 0), operation).iter().filter_map(Entry::fault).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn textbook_kernels_are_sound() {
    sound::<f64>();
    sound::<Mp<BITS>>();
}

fn caught<T: Number>() {
    for operation in Operation::ALL {
        for fault in [Fault::RotatedSign, Fault::Dropped, Fault::Single] {
            // Places at which the algorithms use what is struck: in Givens' QR the second sum of a rotation of R is set to zero anyway,
            // and the first sum of the first rotation of a factor adds zero.
            let places: &[usize] = if fault == Fault::Single { &[0] } else { &[0, 2, 3, 7, 21] };
            for &at in places {
                let entries = random::<T>(&Textbook::new(fault, at), operation);
                let entry = ten(&entries);
                let text = entry.fault().unwrap_or_else(|| panic!("{fault:?} at {at} is not caught: {entry:?}"));
                assert!(text.contains(&entry.case) && (text.contains("ratio") || text.contains("finite")), "{text}");
            }
        }
    }
}

#[test]
fn a_fault_is_caught_in_every_operation() {
    caught::<f64>();
    caught::<Mp<BITS>>();
}
