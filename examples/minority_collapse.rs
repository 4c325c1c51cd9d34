//! Minority collapse along a sweep of the imbalance ratio: where MSE's minority classes die, located and enclosed, and certified
//! distances between minority class means under cross-entropy.

use std::error::Error;

use ufm::{
    certify::{CertifyOptions, mean_distances},
    closed_form::{Scalar, closed_form, minority_threshold},
    problem::Problem,
    scalar::Rational,
    solve::{SolveOptions, minimise},
};

/// Majority classes, samples of each, minority classes, dimension, λ_W and λ_H in hundred-thousandths, sizes of the minority classes.
struct Setting(u64, u64, u64, u64, (u32, u32), &'static [u64]);

const SETTINGS: [Setting; 2] = [
    Setting(2, 24, 2, 5, (3_000, 4_000), &[23, 12, 8, 6, 5, 4, 3, 2, 1]),
    // Ten classes, five of them small, as in Fang et al.
    Setting(5, 50, 5, 10, (600, 600), &[50, 25, 10, 5, 4, 3, 2, 1]),
];
const UNIT: u32 = 100_000;

fn problem(loss: &str, setting: &Setting, minority: u64) -> Result<Problem, Box<dyn Error>> {
    let Setting(a, n, b, dim, (w, h), _) = *setting;
    let counts: Vec<u64> = std::iter::repeat_n(n, a as usize).chain(std::iter::repeat_n(minority, b as usize)).collect();
    let decimal = |x: u32| format!("{:.5}", f64::from(x) / f64::from(UNIT));
    Ok(Problem::from_toml(&format!(
        "model = 'plain'\nloss = '{loss}'\nbias = 'none'\nclass_counts = {counts:?}\ndim = {dim}\nlambda_w = '{}'\nlambda_h = '{}'",
        decimal(w),
        decimal(h)
    ))?)
}

fn sweep(setting: &Setting) -> Result<(), Box<dyn Error>> {
    let Setting(a, n, b, _, (w, h), sizes) = *setting;
    let (lambda_w, lambda_h) = (Rational::from((w, UNIT)), Rational::from((h, UNIT)));
    let threshold = minority_threshold((a, n), b, &lambda_w, &lambda_h, 128).ok_or("dead at every ratio")?;
    println!("{a} majority classes of {n}, {b} minority classes of x: they die at x <= {:.12}", threshold.size.mid().to_f64());
    println!("that is at imbalance ratio {:.12} (error below {:.0e})", threshold.ratio.mid().to_f64(), threshold.ratio.rad().to_f64());
    println!("{:>4} {:>8}  mse: modes alive   ce: largest certified squared distance of two minority means", "x", "ratio");
    for &size in sizes {
        let form = closed_form(&problem("mse", setting, size)?)?;
        let count = |(_, s): (&str, Scalar)| if let Scalar::Count(n) = s { Some(n) } else { None };
        let alive = form.scalars(64).into_iter().find_map(count).ok_or("no count of modes")?;
        let ce = problem("ce", setting, size)?;
        let point = minimise(&ce, &SolveOptions::default(), &mut |_| {})?.point.to_exact().ok_or("not finite")?;
        let first = a as usize;
        let pairs: Vec<(usize, usize)> = (first..first + b as usize).flat_map(|i| (first..i).map(move |j| (j, i))).collect();
        let distances = mean_distances(&ce, &point, &pairs, &CertifyOptions::default())?;
        let distance = distances.iter().map(|d| d.to_f64()).fold(0.0, f64::max);
        let collapsed = if distance < 1e-9 { "collapsed" } else { "not shown to be collapsed" };
        println!("{size:>4} {:>8.3}  {alive:>16}    <= {distance:.1e}: {collapsed}", n as f64 / size as f64);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    SETTINGS.iter().try_for_each(sweep)
}
