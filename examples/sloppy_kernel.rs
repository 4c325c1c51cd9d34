//! A kernel of one's own under test, deliberately sloppy: the suite catches it, naming the case and the ratio.
//!
//!     cargo run --release --example sloppy_kernel
//!
//! Its product adds up in single precision, and its Givens QR has one rotation with the wrong sign. It exits 1, as `ufm kernels` does.

use std::process::ExitCode;

use faer::{Mat, MatRef};
use ufm::kernels::{Kernel, Operation, Options, Refusal, Suite, run};
use ufm::report::kernel_table;

struct Sloppy;

impl Kernel<f64> for Sloppy {
    fn name(&self) -> &str {
        "sloppy"
    }

    fn gemm(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        let dot = |i, j| (0..a.ncols()).fold(0.0f32, |sum, k| (f64::from(sum) + a[(i, k)] * b[(k, j)]) as f32);
        Ok(Mat::from_fn(a.nrows(), b.ncols(), |i, j| f64::from(dot(i, j))))
    }

    fn qr(&self, a: MatRef<'_, f64>) -> Result<(Mat<f64>, Mat<f64>), Refusal> {
        let (m, n) = (a.nrows(), a.ncols());
        let (mut q, mut r) = (Mat::<f64>::identity(m, m), a.to_owned());
        let rotate = |x: &mut Mat<f64>, i: usize, j: usize, c: f64, s: f64| {
            for column in 0..x.ncols() {
                let (upper, lower) = (x[(i, column)], x[(j, column)]);
                x[(i, column)] = c * upper + s * lower;
                x[(j, column)] = c * lower - s * upper;
            }
        };
        for column in 0..n.min(m) {
            for row in column + 1..m {
                let (x, y) = (r[(column, column)], r[(row, column)]);
                let length = x.hypot(y);
                if length == 0.0 {
                    continue;
                }
                rotate(&mut r, column, row, x / length, y / length);
                r[(row, column)] = 0.0;
                // The slip: the last rotation is accumulated in the other direction.
                let sign = if row == m - 1 && column == 0 { -1.0 } else { 1.0 };
                rotate(&mut q, column, row, x / length, sign * y / length);
            }
        }
        let k = m.min(n);
        Ok((q.transpose().subcols(0, k).to_owned(), r.subrows(0, k).to_owned()))
    }
}

fn main() -> ExitCode {
    let options = Options { operations: vec![Operation::Gemm, Operation::Qr], largest: 50, timed: false };
    let entries = run::<f64>(&[&Sloppy], &options, &|| {});
    let holds = entries.iter().all(|e| e.passes());
    print!("{}", kernel_table(&Suite { entries, threads: 1, ..Suite::default() }));
    ExitCode::from(u8::from(!holds))
}
