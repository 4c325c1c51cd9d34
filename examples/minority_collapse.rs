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

const MAJORITY: u64 = 24;

fn problem(loss: &str, minority: u64) -> Result<Problem, Box<dyn Error>> {
    let counts = [MAJORITY, MAJORITY, minority, minority];
    Ok(Problem::from_toml(&format!(
        "model = 'plain'\nloss = '{loss}'\nbias = 'none'\nclass_counts = {counts:?}\ndim = 5\nlambda_w = '0.03'\nlambda_h = '0.04'"
    ))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (lambda_w, lambda_h) = (Rational::from((3, 100)), Rational::from((4, 100)));
    let threshold = minority_threshold((2, MAJORITY), 2, &lambda_w, &lambda_h, 128).ok_or("dead at every ratio")?;
    println!("two majority classes of {MAJORITY}, two minority classes of n: they die at n <= {:.12}", threshold.size.mid().to_f64());
    println!("that is at imbalance ratio {:.12} (error below {:.0e})", threshold.ratio.mid().to_f64(), threshold.ratio.rad().to_f64());
    println!("{:>4} {:>8}  mse: modes alive   ce: certified squared distance of the minority means", "n", "ratio");
    for n in [23, 12, 8, 6, 5, 4, 3, 2, 1] {
        let scalars = closed_form(&problem("mse", n)?)?.scalars(64);
        let alive = scalars.iter().find_map(|(_, s)| if let Scalar::Count(n) = s { Some(*n) } else { None }).ok_or("no count of modes")?;
        let ce = problem("ce", n)?;
        let point = minimise(&ce, &SolveOptions::default(), &mut |_| {})?.point.to_exact().ok_or("not finite")?;
        let distance = &mean_distances(&ce, &point, &[(2, 3)], &CertifyOptions::default())?[0];
        let ratio = MAJORITY as f64 / n as f64;
        let collapsed = if *distance < 1e-9 { "collapsed" } else { "not shown to be collapsed" };
        println!("{n:>4} {ratio:>8.3}  {alive:>16}    <= {:.1e}: {collapsed}", distance.to_f64());
    }
    Ok(())
}
