//! Times of refinement and certification: `cargo run --release --example refine_times -- PROBLEM.toml DIGITS REPEATS`.
//!
//! Prints one JSON line: medians in seconds, the certified gap, and the estimated accuracy.

use std::time::Instant;

use ufm::certify::{CertifyOptions, certify};
use ufm::problem::Problem;
use ufm::solve::{SolveOptions, minimise, refine};

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (file, digits, repeats) = (args.next().ok_or("PROBLEM.toml")?, args.next().ok_or("DIGITS")?, args.next().ok_or("REPEATS")?);
    let (digits, repeats): (u32, usize) = (digits.parse()?, repeats.parse()?);
    let text = std::fs::read_to_string(file)?;
    let problem = Problem::from_toml(&text)?;
    let start = minimise(&problem, &SolveOptions::default(), &mut |_| {})?;
    let (mut refining, mut certifying) = (vec![], vec![]);
    let mut last = None;
    for _ in 0..repeats.max(1) {
        let began = Instant::now();
        let refined = refine(&problem, &start.point, digits, &mut |_| {})?;
        refining.push(began.elapsed().as_secs_f64());
        let began = Instant::now();
        let result = certify(&problem, text.as_bytes(), &refined.point, &CertifyOptions { digits, ..Default::default() })?;
        certifying.push(began.elapsed().as_secs_f64());
        last = Some((refined, result));
    }
    let (refined, result) = last.ok_or("no run")?;
    let gap = ufm::report::gap_text(&result).unwrap_or_default();
    println!(
        "{{\"digits\":{digits},\"refine\":{:.6},\"certify\":{:.6},\"gap\":\"{gap}\",\"verdict\":\"{}\",\"converged\":{},\"bits\":{},\"steps\":{},\"corrections\":{}}}",
        median(refining),
        median(certifying),
        result.verdict.name(),
        refined.converged,
        refined.bits,
        refined.steps,
        refined.corrections
    );
    Ok(())
}
