//! Distances of class means at every minimiser under cross-entropy: exactly zero, or enclosed, for any class sizes.

use ufm::certify::{CertifyOptions, MinimiserDistance, minimiser_distances};
use ufm::problem::{Point, Problem};
use ufm::solve::{Method, SolveOptions, minimise_lowest};

/// How far a minimiser in doubles (gradient norm 1e-12) may be from the minimiser that is enclosed, with room for weak curvature.
const OF_THE_POINT: f64 = 1e-9;
/// An enclosure wider than this would say nothing of distances of about one.
const WIDE: f64 = 1e-3;

fn problem(loss: &str, bias: &str, counts: &[usize], lambda: &str) -> Problem {
    let lambda_b = if bias == "regularized" { "lambda_b = '0.2'" } else { "" };
    Problem::from_toml(&format!(
        "model = 'plain'\nloss = {loss}\nbias = '{bias}'\nclass_counts = {counts:?}\ndim = {}\nlambda_w = '{lambda}'\nlambda_h = '{lambda}'\n{lambda_b}\n",
        counts.len()
    ))
    .unwrap()
}

fn minimised(problem: &Problem) -> Point {
    let options = SolveOptions { method: Method::suited_to(problem), ..Default::default() };
    minimise_lowest(problem, &options, &mut |_| {}, &mut |_, _| {}).unwrap().solution.point
}

/// ‖h̄_a − h̄_b‖² at a point, in doubles.
fn measured(counts: &[usize], h: &faer::Mat<f64>, a: usize, b: usize) -> f64 {
    let mean = |t: usize, k: usize| {
        let start: usize = counts[..k].iter().sum();
        (start..start + counts[k]).map(|i| h[(t, i)]).sum::<f64>() / counts[k] as f64
    };
    (0..h.nrows()).map(|t| (mean(t, a) - mean(t, b)).powi(2)).sum()
}

/// The proved distances of all pairs, each against the one measured at the point.
fn distances(problem: &Problem, counts: &[usize]) -> Vec<((usize, usize), MinimiserDistance)> {
    let point = minimised(problem);
    let pairs: Vec<(usize, usize)> = (0..counts.len()).flat_map(|a| (a + 1..counts.len()).map(move |b| (a, b))).collect();
    let found = minimiser_distances(problem, &point.to_exact().unwrap(), &pairs, &CertifyOptions::default()).unwrap();
    for (&(a, b), d) in pairs.iter().zip(&found) {
        let value = measured(counts, &point.h, a, b);
        let (low, high) = (d.squared.lower().to_f64(), d.squared.upper().to_f64());
        assert!(low - OF_THE_POINT <= value && value <= high + OF_THE_POINT, "{counts:?} ({a}, {b}): {value} outside [{low}, {high}]");
        assert!(high - low < WIDE, "{counts:?} ({a}, {b}): [{low}, {high}] is wide");
    }
    pairs.into_iter().zip(found).collect()
}

#[test]
fn unequal_minorities_vanish_together() {
    for (loss, bias) in [("'ce'", "none"), ("'ce'", "free"), ("'ce'", "regularized"), ("'label-smoothing'\nsmoothing = '0.05'", "none")] {
        let counts = [20, 20, 2, 1];
        for ((a, b), d) in distances(&problem(loss, bias, &counts, "0.09"), &counts) {
            // The majority stays alive: opposite features.
            assert_eq!(d.collapsed, (a, b) == (2, 3), "{loss} {bias} ({a}, {b})");
            assert!(d.collapsed || d.squared.is_positive(), "{loss} {bias} ({a}, {b})");
        }
    }
}

#[test]
fn no_collapse_is_claimed_where_there_is_none() {
    for (counts, lambda) in [([20, 20, 2, 1], "0.01"), ([12, 9, 2, 1], "0.065"), ([20, 20, 3, 2], "0.03"), ([9, 7, 5, 3], "0.02")] {
        for bias in ["none", "free", "regularized"] {
            let all = distances(&problem("'ce'", bias, &counts, lambda), &counts);
            let (_, last) = &all[5];
            assert!(!last.collapsed && last.squared.is_positive(), "{counts:?} {bias}: {:?}", last.squared.upper());
        }
    }
}

/// Equal sizes: exact on both sides of n = N² λ_W λ_H, here N = 42, n = 1.
#[test]
fn equal_minorities_collapse_at_the_threshold() {
    for (lambda, dead) in [("0.0239", true), ("0.0237", false)] {
        let counts = [20, 20, 1, 1];
        let all = distances(&problem("'ce'", "none", &counts, lambda), &counts);
        assert_eq!(all[5].1.collapsed, dead, "{lambda}");
        assert!(all[..5].iter().all(|(_, d)| !d.collapsed && d.squared.is_positive()), "{lambda}");
    }
}

#[test]
fn refusals() {
    let other = problem("'mse'", "none", &[3, 2], "0.1");
    let point = minimised(&other).to_exact().unwrap();
    assert!(minimiser_distances(&other, &point, &[(0, 1)], &CertifyOptions::default()).is_err());
    let ce = problem("'ce'", "none", &[3, 2], "0.1");
    let point = minimised(&ce).to_exact().unwrap();
    for pair in [(0, 0), (0, 2), (5, 1)] {
        let found = minimiser_distances(&ce, &point, &[pair], &CertifyOptions::default()).unwrap();
        assert!(!found[0].collapsed && !found[0].squared.is_finite());
    }
    // A poor point encloses nothing and claims nothing.
    let far = Point { factors: vec![faer::Mat::zeros(2, 2)], h: faer::Mat::zeros(2, 5), b: None }.to_exact().unwrap();
    let strong = problem("'ce'", "none", &[3, 2], "0.01");
    let found = minimiser_distances(&strong, &far, &[(0, 1)], &CertifyOptions::default()).unwrap();
    assert!(!found[0].collapsed && found[0].squared.upper() > 1);
}
