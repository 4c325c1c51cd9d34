//! Speed: medians of repeats, with their noise.

use std::time::{Duration, Instant};

use ::faer::Mat;

use super::{Case, Kernel, Operation, Scalar, suite::compute};

/// Fewest and most repeats, and the time spent on one measurement between them.
const REPEATS: std::ops::RangeInclusive<usize> = 5..=100;
const BUDGET: Duration = Duration::from_millis(300);
/// Sizes of the product whose rate is the machine's peak, for native scalars and for `Mp`.
const PEAK_SIZE: (usize, usize) = (768, 40);

/// Times of one kernel on one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Speed {
    /// Median of the repeats, in seconds.
    pub median: f64,
    /// Median absolute deviation from the median, in seconds.
    pub deviation: f64,
    pub repeats: usize,
    /// Operations by [`Operation::flops`], in 10⁹ a second.
    pub gflops: f64,
}

/// Runs once to warm up, then repeats.
fn seconds(mut run: impl FnMut()) -> Vec<f64> {
    run();
    let start = Instant::now();
    let mut times = vec![];
    while times.len() < *REPEATS.start() || (times.len() < *REPEATS.end() && start.elapsed() < BUDGET) {
        let begin = Instant::now();
        run();
        times.push(begin.elapsed().as_secs_f64());
    }
    times
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

pub(super) fn measure<T: Scalar>(kernel: &dyn Kernel<T>, case: &Case<T>) -> Speed {
    let times = seconds(|| {
        std::hint::black_box(compute(kernel, case).is_ok());
    });
    let middle = median(times.clone());
    let deviation = median(times.iter().map(|t| (t - middle).abs()).collect());
    let flops = case.operation.flops(case.shape(), case.columns());
    Speed { median: middle, deviation, repeats: times.len(), gflops: flops / middle / 1e9 }
}

/// The best rate of a kernel's product of large square matrices, in 10⁹ operations a second: what the machine was seen to do.
/// `None` when the kernel has no product.
pub fn product_peak<T: Scalar>(kernel: &dyn Kernel<T>) -> Option<f64> {
    let n = if T::PRECISION <= f64::MANTISSA_DIGITS { PEAK_SIZE.0 } else { PEAK_SIZE.1 };
    let third = T::one() / T::from_u32(3)?;
    let a = Mat::from_fn(n, n, |_, _| third.clone());
    kernel.gemm(a.as_ref(), a.as_ref()).ok()?;
    let times = seconds(|| {
        std::hint::black_box(kernel.gemm(a.as_ref(), a.as_ref()).is_ok());
    });
    let best = times.into_iter().fold(f64::INFINITY, f64::min);
    Some(Operation::Gemm.flops((n, n), n) / best / 1e9)
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
