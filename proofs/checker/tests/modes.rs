//! Kind `modes`: singular values of targets with several class sizes against a dense eigenvalue computation, sharp on every side.

mod common;

use common::examples::examples;
use common::*;
use ufm_check::{Kind, Outcome, check};

/// How far from a squared singular value a claim is made: Jacobi's eigenvalues of matrices of size up to 60 and norm below 100 err by less than 1e-12.
const FINE: f64 = 1e-9;
/// How far from the bound: moving singular values by what FINE moves them changes it less, √FINE at a value of zero included.
const COARSE: f64 = 1e-5;
/// Squares below this are the zero of a free bias, which cannot be claimed lower.
const ZERO: f64 = 1e-6;

/// Eigenvalues of diag(n) - c n nᵀ/N, descending, by Jacobi rotations in double precision.
fn eigenvalues(counts: &[usize], c: f64) -> Vec<f64> {
    let (k, total) = (counts.len(), counts.iter().sum::<usize>() as f64);
    let n = |i: usize| counts[i] as f64;
    let mut a: Vec<Vec<f64>> =
        (0..k).map(|i| (0..k).map(|j| if i == j { n(i) } else { 0.0 } - c * n(i) * n(j) / total).collect()).collect();
    for _ in 0..60 {
        for i in 0..k {
            for j in i + 1..k {
                let angle = 0.5 * (2.0 * a[i][j]).atan2(a[j][j] - a[i][i]);
                let (sin, cos) = angle.sin_cos();
                for row in a.iter_mut() {
                    (row[i], row[j]) = (cos * row[i] - sin * row[j], sin * row[i] + cos * row[j]);
                }
                let (head, tail) = a.split_at_mut(j);
                for (x, y) in head[i].iter_mut().zip(&mut tail[0]) {
                    (*x, *y) = (cos * *x - sin * *y, sin * *x + cos * *y);
                }
            }
        }
    }
    let mut values: Vec<f64> = (0..k).map(|i| a[i][i]).collect();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}

/// A column on the grid of 2^-40.
fn column(values: &[f64]) -> M {
    mat(values.len(), 1, -40, &values.iter().map(|x| (x * 2f64.powi(40)).round() as i64).collect::<Vec<_>>())
}

/// A certificate at the origin (b = 0, f = 1/2).
fn at_origin(case: &Case, s: &[f64], m: f64, lower: f64) -> String {
    let zeros = |r: usize, c: usize| mat(r, c, 0, &vec![0; r * c]);
    let point = [&zeros(case.k(), case.dim), &zeros(case.dim, case.n()), &zeros(case.k(), 1)];
    modes(case, point, &column(s), &column(&[m]), &Q::from_float(lower).unwrap(), &q(1, 2), None)
}

/// Random class sizes, weights, biases and dimensions: what is short of the truth by 1e-9 is verified, what is beyond it by 1e-9 is
/// refused at its own line.
#[test]
fn singular_values_are_sharp() {
    let mut noise = Noise(5);
    let (mut roots, mut copies) = (0, 0);
    for round in 0..300 {
        let k = 2 + noise.below(5);
        let largest = [1, 2, 4, 30][round % 4];
        let counts: Vec<usize> = (0..k).map(|_| 1 + noise.below(largest)).collect();
        let dim = 1 + noise.below(k + 1);
        let (bias, c) = [("none", 0.0), ("free", 1.0), ("regularized", 1.0 / 1.29)][round / 4 % 3];
        let weight = ["0.001", "0.01", "0.07", "0.5"][noise.below(4)];
        let case = Case::new("mse", bias, &counts, dim, [weight, "0.013", "0.29"]);
        let n = case.n() as f64;
        let squares = eigenvalues(&counts, c);
        let s: Vec<f64> = squares.iter().take(dim).map(|x| x.max(0.0).sqrt()).collect();
        let m = n * (float(&case.lambda(0)) * float(&case.lambda(1))).sqrt();
        let bound = (squares.iter().sum::<f64>() - s.iter().map(|s| (s - m).max(0.0).powi(2)).sum::<f64>()) / (2.0 * n);
        let off = |by: f64| s.iter().map(|s| (s * s + by).max(0.0).sqrt()).collect::<Vec<_>>();
        let (fine, coarse) = (FINE, COARSE);
        let text = at_origin(&case, &off(fine), m - fine, bound - coarse);
        assert_eq!(verified(&case, &text).kind, Kind::Gap, "{counts:?} {bias}");
        // W, H and b come first.
        let first = 4 + 1 + k + 1 + dim + if bias == "none" { 0 } else { 1 + k } + 1;
        for i in 0..s.len() {
            if squares[i] < ZERO {
                continue;
            }
            let mut low = off(fine);
            low[i] = (squares[i] - fine).sqrt();
            assert_eq!(refused_at(&case, &at_origin(&case, &low, m - fine, bound - coarse)), first + 1 + i, "{counts:?} {bias} {i}");
            low[i] = -low[i];
            assert_eq!(refused_at(&case, &at_origin(&case, &low, m - fine, bound - coarse)), first + 1 + i);
            let copy = counts.iter().any(|&n| (n as f64 - squares[i]).abs() < FINE);
            *(if copy { &mut copies } else { &mut roots }) += 1;
        }
        let m_line = first + s.len() + 2;
        assert_eq!(refused_at(&case, &at_origin(&case, &off(fine), m + fine, bound - coarse)), m_line);
        assert_eq!(refused_at(&case, &at_origin(&case, &off(fine), -m, bound - coarse)), m_line);
        assert_eq!(refused_at(&case, &at_origin(&case, &off(fine), m - fine, bound + coarse)), m_line + 1);
    }
    assert!(roots > 100 && copies > 100, "{roots} {copies}");
}

/// The kind belongs to plain mse.
#[test]
fn other_losses_have_no_modes() {
    for (name, case, text, _) in examples() {
        let other = text.replace("kind gap", "kind modes");
        assert!(text == other || refused_at(&case, &other) >= 3, "{name}");
        if text.contains("kind modes") {
            let ce = Case { loss: "ce", ..case };
            let head = certificate(&ce, "modes", 100, &[], &[]).replace("end\n", "");
            let moved = head + text.split_once("precision 100\n").unwrap().1;
            assert_eq!(refused_at(&ce, &moved), 3, "{name}");
        }
    }
}

/// Sizes and precisions that would cost memory or time.
#[test]
fn hostile() {
    let start = std::time::Instant::now();
    let (_, case, text, _) = examples().into_iter().find(|(name, ..)| *name == "mse modes").unwrap();
    let changed = |from: &str, to: &str| {
        assert!(text.contains(from));
        text.replacen(from, to, 1)
    };
    let long = format!("m 1 1 0\n{}", "f".repeat(1 << 20));
    let deep = format!("s 1 1 -100000\n{}", "f".repeat(1 << 18));
    for (from, to, line) in [
        ("s 1 1 0", "s 2 1 0", 10),
        ("s 1 1 0", "s 1 1000000000000 0", 10),
        ("s 1 1 0", "s 0 1 0", 10),
        ("s 1 1 0", "s 1 1 100001", 10),
        ("s 1 1 0\n2", "s 1 0 0", 10),
        ("m 1 1 0", "m 1 2 0", 12),
        ("m 1 1 0\n1", &long, 13),
        ("m 1 1 0", "m 1 1 100000", 13),
        ("s 1 1 0", "s 1 1 100000", 14),
        ("s 1 1 0\n2", &deep, 14),
        ("s 1 1 0", "s 1 1 -100000", 11),
    ] {
        assert_eq!(refused_at(&case, &changed(from, to)), line, "{from} {}", &to[..to.len().min(30)]);
    }
    verified(&case, &changed("precision 100", "precision 100000"));
    // Different sizes, a free bias and a precision at which their roots would take minutes.
    let counts: Vec<usize> = (1..=60).collect();
    let case = Case::new("mse", "free", &counts, 60, ["0.01", "0.01", "1"]);
    let s: Vec<f64> = eigenvalues(&counts, 1.0).iter().map(|x| (x + ZERO).max(0.0).sqrt()).collect();
    let text = at_origin(&case, &s, 0.0, -1e-3).replace("precision 100", "precision 100000");
    assert!(matches!(check(case.toml().as_bytes(), text.as_bytes()), Outcome::Unsupported(_)));
    verified(&case, &text.replace("precision 100000", "precision 74000"));
    assert!(start.elapsed().as_secs() < 20);
}
