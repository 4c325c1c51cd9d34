//! Mutation tests of the suite: textbook kernels with one fault inside the algorithm, at every place a fault can be, in every operation.
//!
//! The kernels below are sound without a fault (the suite passes them), so that what is caught is the fault and nothing else.

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::{Mat, MatRef};
use ufm::kernels::{Entry, Kernel, Operation, Options, Refusal, ThinSvd, run};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The sine of one plane rotation has the wrong sign where it is applied; in operations without rotations, one factor of a product.
    RotatedSign,
    /// One fused multiply-add is skipped.
    Dropped,
    /// Every sum is kept in single precision.
    Single,
}

/// Textbook algorithms over a multiply-add and a rotation that count themselves: the fault strikes at one count.
struct Textbook {
    fault: Fault,
    at: usize,
    steps: AtomicUsize,
    turns: AtomicUsize,
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
    fn add(&self, sum: f64, x: f64, y: f64) -> f64 {
        let struck = self.steps.fetch_add(1, Ordering::Relaxed) == self.at;
        match self.fault {
            Fault::Dropped if struck => sum,
            Fault::Single => f64::from(x.mul_add(y, sum) as f32),
            _ => x.mul_add(y, sum),
        }
    }

    /// A product inside a Cholesky or LU update; the counterpart of a rotation there.
    fn signed(&self, x: f64) -> f64 {
        let struck = self.turns.fetch_add(1, Ordering::Relaxed) == self.at;
        if self.fault == Fault::RotatedSign && struck { -x } else { x }
    }

    /// Rows p and q of a become c p + s q and c q − s p.
    fn rotate(&self, a: &mut Mat<f64>, p: usize, q: usize, c: f64, s: f64) {
        let s = self.signed(s);
        for j in 0..a.ncols() {
            let (x, y) = (a[(p, j)], a[(q, j)]);
            a[(p, j)] = self.add(c * x, s, y);
            a[(q, j)] = self.add(c * y, -s, x);
        }
    }

    fn times(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
        Mat::from_fn(a.nrows(), b.ncols(), |i, j| (0..a.ncols()).fold(0.0, |sum, k| self.add(sum, self.signed(a[(i, k)]), b[(k, j)])))
    }

    /// Cyclic one-sided Jacobi (Hestenes) on the rows of a, with the rows of v turned along.
    fn orthogonalise(&self, a: &mut Mat<f64>, v: &mut Mat<f64>) {
        let n = a.nrows();
        for _ in 0..30 {
            let mut off = 0.0f64;
            for p in 0..n {
                for q in p + 1..n {
                    let dot = |i: usize, j: usize| (0..a.ncols()).map(|t| a[(i, t)] * a[(j, t)]).sum::<f64>();
                    let (x, y, z) = (dot(p, p), dot(q, q), dot(p, q));
                    if z == 0.0 || z.abs() <= 1e-17 * (x * y).sqrt() {
                        continue;
                    }
                    off = off.max(z.abs() / (x * y).sqrt());
                    let zeta = (y - x) / (2.0 * z);
                    let t = -zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                    let c = 1.0 / t.hypot(1.0);
                    self.rotate(a, p, q, c, c * t);
                    self.rotate(v, p, q, c, c * t);
                }
            }
            if off <= 1e-15 {
                break;
            }
        }
    }
}

fn transpose(a: MatRef<'_, f64>) -> Mat<f64> {
    a.transpose().to_owned()
}

impl Kernel<f64> for Textbook {
    fn name(&self) -> &str {
        "textbook"
    }

    fn gemm(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        self.reset();
        Ok(self.times(a, b))
    }

    fn cholesky(&self, a: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        self.reset();
        let n = a.nrows();
        let mut l = Mat::<f64>::zeros(n, n);
        for j in 0..n {
            for i in j..n {
                let sum = (0..j).fold(a[(i, j)], |sum, k| self.add(sum, -self.signed(l[(i, k)]), l[(j, k)]));
                l[(i, j)] = if i == j { sum.sqrt() } else { sum / l[(j, j)] };
            }
        }
        Ok(l)
    }

    /// Givens.
    fn qr(&self, a: MatRef<'_, f64>) -> Result<(Mat<f64>, Mat<f64>), Refusal> {
        self.reset();
        let (m, n) = (a.nrows(), a.ncols());
        let (mut q, mut r) = (Mat::<f64>::identity(m, m), a.to_owned());
        for j in 0..n.min(m) {
            for i in j + 1..m {
                let (x, y) = (r[(j, j)], r[(i, j)]);
                let length = x.hypot(y);
                if y != 0.0 {
                    self.rotate(&mut r, j, i, x / length, y / length);
                    r[(i, j)] = 0.0;
                    self.rotate(&mut q, j, i, x / length, y / length);
                }
            }
        }
        let k = m.min(n);
        Ok((transpose(q.subrows(0, k)), r.subrows(0, k).to_owned()))
    }

    /// Jacobi's method for eigenvalues.
    fn eigh(&self, a: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), Refusal> {
        self.reset();
        let n = a.nrows();
        let (mut a, mut v) = (a.to_owned(), Mat::<f64>::identity(n, n));
        for _ in 0..30 {
            for p in 0..n {
                for q in p + 1..n {
                    if a[(p, q)] == 0.0 {
                        continue;
                    }
                    let theta = (a[(q, q)] - a[(p, p)]) / (2.0 * a[(p, q)]);
                    let t = -theta.signum() / (theta.abs() + theta.hypot(1.0));
                    let c = 1.0 / t.hypot(1.0);
                    self.rotate(&mut a, p, q, c, c * t);
                    let mut right = transpose(a.as_ref());
                    self.rotate(&mut right, p, q, c, c * t);
                    a = right;
                    self.rotate(&mut v, p, q, c, c * t);
                }
            }
        }
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| a[(i, i)].total_cmp(&a[(j, j)]));
        Ok((order.iter().map(|&i| a[(i, i)]).collect(), Mat::from_fn(n, n, |i, j| v[(order[j], i)])))
    }

    fn svd(&self, a: MatRef<'_, f64>) -> Result<ThinSvd<f64>, Refusal> {
        self.reset();
        let n = a.ncols();
        if a.nrows() < n {
            return Err(Refusal::NotOffered("wide".into()));
        }
        let (mut columns, mut v) = (transpose(a), Mat::<f64>::identity(n, n));
        self.orthogonalise(&mut columns, &mut v);
        let norm = |i: usize| (0..columns.ncols()).map(|t| columns[(i, t)].powi(2)).sum::<f64>().sqrt();
        let mut order: Vec<(f64, usize)> = (0..n).map(|i| (norm(i), i)).collect();
        order.sort_by(|x, y| y.0.total_cmp(&x.0));
        let u = Mat::from_fn(a.nrows(), n, |i, j| columns[(order[j].1, i)] / order[j].0);
        Ok((u, order.iter().map(|x| x.0).collect(), Mat::from_fn(n, n, |i, j| v[(order[i].1, j)])))
    }

    /// Gaussian elimination with partial pivoting.
    fn solve(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        self.reset();
        let n = a.nrows();
        let (mut a, mut x) = (a.to_owned(), b.to_owned());
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| a[(i, k)].abs().total_cmp(&a[(j, k)].abs())).unwrap_or(k);
            for j in 0..n {
                (a[(k, j)], a[(pivot, j)]) = (a[(pivot, j)], a[(k, j)]);
            }
            for j in 0..x.ncols() {
                (x[(k, j)], x[(pivot, j)]) = (x[(pivot, j)], x[(k, j)]);
            }
            for i in k + 1..n {
                let factor = a[(i, k)] / a[(k, k)];
                for j in k + 1..n {
                    a[(i, j)] = self.add(a[(i, j)], -self.signed(factor), a[(k, j)]);
                }
                for j in 0..x.ncols() {
                    x[(i, j)] = self.add(x[(i, j)], -self.signed(factor), x[(k, j)]);
                }
            }
        }
        for j in 0..x.ncols() {
            for i in (0..n).rev() {
                let sum = (i + 1..n).fold(x[(i, j)], |sum, k| self.add(sum, -self.signed(a[(i, k)]), x[(k, j)]));
                x[(i, j)] = sum / a[(i, i)];
            }
        }
        Ok(x)
    }
}

/// The plain random cases up to 10: no rare matrix is needed.
fn random(kernel: &Textbook, operation: Operation) -> Vec<Entry> {
    let options = Options { operations: vec![operation], largest: 10, timed: false };
    let entries = run::<f64>(&[kernel], &options, &|| {});
    let name = format!("{}-random-", operation.name());
    entries.into_iter().filter(|e| e.case.starts_with(&name) && e.case.bytes().last().is_some_and(|b| b.is_ascii_digit())).collect()
}

fn ten(entries: &[Entry]) -> &Entry {
    entries.iter().find(|e| e.case.ends_with("-random-10")).expect("the case of size 10")
}

#[test]
fn textbook_kernels_are_sound() {
    for operation in Operation::ALL {
        let faults: Vec<String> = random(&Textbook::new(Fault::None, 0), operation).iter().filter_map(Entry::fault).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

#[test]
fn a_fault_is_caught_in_every_operation() {
    for operation in Operation::ALL {
        for fault in [Fault::RotatedSign, Fault::Dropped, Fault::Single] {
            // Places at which the algorithms use what is struck: in Givens' QR the second sum of a rotation of R is set to zero anyway,
            // and the first sum of the first rotation of a factor adds zero.
            let places: &[usize] = if fault == Fault::Single { &[0] } else { &[0, 2, 3, 7, 21] };
            for &at in places {
                let entries = random(&Textbook::new(fault, at), operation);
                let entry = ten(&entries);
                let text = entry.fault().unwrap_or_else(|| panic!("{fault:?} at {at} is not caught: {entry:?}"));
                assert!(text.contains(&entry.case) && (text.contains("ratio") || text.contains("finite")), "{text}");
            }
        }
    }
}
