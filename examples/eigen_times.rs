//! Enclosed eigenvalues of the Gram matrix of a simplex equiangular tight frame, one JSON line per run: the project's side of
//! benches/flint/eigen.py.
//!
//!     cargo run --release --example eigen_times -- SIZE DIGITS REPEATS

use std::time::Instant;

use faer::Mat;
use rug::Float;
use ufm::{linalg::ball::eigen, scalar::Rational};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<u32> = std::env::args().skip(1).map(|x| x.parse()).collect::<Result<_, _>>()?;
    let &[size, digits, repeats] = &arguments[..] else { return Err("usage: eigen_times SIZE DIGITS REPEATS".into()) };
    // ‖A‖ = 1.
    let asked = (f64::from(digits) * std::f64::consts::LOG2_10).ceil() as u32;
    let n = size as usize;
    let gram = Mat::from_fn(n, n, |i, j| Rational::from(u32::from(i == j)) - Rational::from((1, size)));
    let expected = [(Rational::from(0), 1), (Rational::from(1), n - 1)];
    for _ in 0..repeats {
        let start = Instant::now();
        let clusters = eigen(&gram, asked)?.clusters;
        let seconds = start.elapsed().as_secs_f64();
        let right = clusters.len() == 2
            && clusters.iter().zip(&expected).all(|(c, (value, count))| c.value.contains_rational(value) && c.multiplicity == *count);
        if !right {
            return Err(format!("wrong clusters: {clusters:?}").into());
        }
        let radius = clusters.iter().map(|c| c.value.rad() / 2u32).fold(Float::new(64), |max, r| max.max(&r));
        println!("{{\"size\":{n},\"digits\":{digits},\"seconds\":{seconds:.6},\"max_radius\":{radius:.3e}}}");
    }
    Ok(())
}
