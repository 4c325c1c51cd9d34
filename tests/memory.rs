//! Memory taken stays below what the documentation states.

mod counting;

use counting::{alone, peak};
use faer::Mat;
use rug::{Float, Integer, integer::Order};
use ufm::{
    linalg::{
        ball::{Definiteness, definiteness, eigen, solve},
        product::{ProductOptions, SHORT_BITS, Scheme, product_with},
    },
    problem::Problem,
    scalar::Rational,
    solve::{SolveOptions, minimise, refine},
};

const MIB: usize = 1 << 20;

/// A float of `prec` bits.
fn float(prec: usize) -> usize {
    32 + 8 * prec.div_ceil(64)
}

/// Entries below one with `prec` random bits.
fn random(rows: usize, cols: usize, prec: u32, mut seed: u64) -> Mat<Float> {
    Mat::from_fn(rows, cols, |_, _| {
        let limbs: Vec<u64> = (0..prec.div_ceil(64))
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                seed ^ seed >> 29
            })
            .collect();
        Float::with_val(prec, Integer::from_digits(&limbs, Order::Lsf).keep_bits(prec)) >> prec
    })
}

/// What [`product_with`] states, of operands of `prec` bits and one magnitude.
fn product_bound((m, k, n): (usize, usize, usize), prec: usize, scheme: Scheme) -> usize {
    let (threads, fixed) = threads();
    let entry = 72 + if prec > SHORT_BITS as usize || scheme == Scheme::Direct { float(prec) } else { 0 };
    let common = (entry + 8) * m * n + 24 * (m * k + k * n);
    let needed = match scheme {
        Scheme::Direct => 0,
        Scheme::Slices => {
            let count = (prec + 16) / 20 + 1;
            let strip = (8 * count * k * m.min(48)).min(16 * MIB).max(8 * count * k);
            8 * count * k * n + threads * (strip + MIB.max(8 * 16 * 48 * 2 * count))
        }
        Scheme::Residues => {
            let h = 2 * (prec + 16) / 22 + 2;
            let rows = m.min((192 * MIB / (4 * h * k)).max(1));
            let cols = n.min((16 * MIB / (4 * h * k.max(rows))).max(16));
            (4 * h + 8 * threads) * (rows * k + k * cols + rows * cols)
        }
    };
    common + needed + fixed
}

#[test]
fn product_takes_what_it_states() {
    let alone = alone();
    for shape @ (m, k, n) in [(64, 64, 64), (200, 200, 200), (40, 3000, 40), (300, 10, 300), (1, 500, 1), (500, 2, 500)] {
        for prec in [53, 106, 256, 1024] {
            let (a, b) = (random(m, k, prec, 1), random(k, n, prec, 2));
            for scheme in [Scheme::Direct, Scheme::Slices, Scheme::Residues] {
                if scheme == Scheme::Direct && m * k * n > 1 << 20 {
                    continue;
                }
                let options = ProductOptions { scheme: Some(scheme), ..ProductOptions::new(prec) };
                let (_, taken) = peak(&alone, || product_with(a.as_ref(), b.as_ref(), &options));
                let bound = product_bound(shape, prec as usize, scheme);
                check(taken, bound, &format!("{shape:?}, {prec} bits, {scheme:?}"));
            }
        }
    }
}

fn simplex(n: usize) -> Mat<Rational> {
    Mat::from_fn(n, n, |i, j| Rational::from((if i == j { n as i64 - 1 } else { -1 }, n as i64)))
}

fn hilbert(n: usize, shift: u32) -> Mat<Rational> {
    Mat::from_fn(n, n, |i, j| Rational::from((1, i + j + 1)) + if i == j { shift } else { 0 })
}

/// AᵀA of n − 1 rows of n integers of some bits: singular, with entries of about twice as many.
fn singular(n: usize, bits: u32) -> Mat<Rational> {
    let a = random(n - 1, n, bits, 3);
    let integer = |i: usize, j: usize| Float::with_val(bits, &a[(i, j)] << bits).to_integer().unwrap();
    Mat::from_fn(n, n, |i, j| Rational::from((0..n - 1).map(|t| integer(t, i) * integer(t, j)).sum::<Integer>()))
}

/// Threads, and a MiB for the computation and for each of them.
fn threads() -> (usize, usize) {
    let threads = rayon::current_num_threads();
    (threads, (1 + threads) * MIB)
}

fn log2(n: usize) -> usize {
    (usize::BITS - n.leading_zeros()) as usize
}

fn check(taken: usize, bound: usize, what: &str) {
    println!("{what}: {:.2} of {:.2} MiB", taken as f64 / MIB as f64, bound as f64 / MIB as f64);
    assert!(taken <= bound, "{what}: {taken} bytes, {bound} stated");
}

#[test]
fn eigen_takes_what_it_states() {
    let alone = alone();
    for (n, bits) in [(16, 64), (48, 1024), (100, 128)] {
        for (name, a) in [("simplex", simplex(n)), ("Hilbert", hilbert(n, 1))] {
            let (found, taken) = peak(&alone, || eigen(&a, bits));
            let first = bits as usize + 2 * log2(n) + 16;
            let prec = first.max(found.unwrap().basis[(0, 0)].prec() as usize);
            let (threads, fixed) = threads();
            check(taken, 24 * n * n * (prec / 8 + 40 + threads) + fixed, &format!("eigen {name} {n}, {bits} bits, {prec} at work"));
        }
    }
}

#[test]
fn solve_takes_what_it_states() {
    let alone = alone();
    for (n, cols, bits, shift) in [(24, 3, 256, 0), (120, 2, 128, 1), (100, 100, 600, 1)] {
        let (a, b) = (hilbert(n, shift), Mat::from_fn(n, cols, |i, j| Rational::from((1, i + 2 * j + 1))));
        let (found, taken) = peak(&alone, || solve(&a, &b, bits));
        let prec = found.unwrap().prec() as usize;
        let condition = prec - bits as usize - 32;
        let (threads, fixed) = threads();
        let bound = 20 * n * n * (condition / 8 + 40 + threads) + 8 * (n * n + 2 * n * cols) * (prec / 8 + 40) + fixed;
        check(taken, bound, &format!("solve {n} x {cols}, {bits} bits, {prec} at work"));
    }
}

#[test]
fn definiteness_takes_what_it_states() {
    let alone = alone();
    let cases = [
        ("simplex", 100, simplex(100), 512, 7),
        ("Hilbert", 60, hilbert(60, 0), 512, 170),
        ("shifted Hilbert", 150, hilbert(150, 1), 53, 0),
        ("singular", 40, singular(40, 40), 512, 86),
    ];
    for (name, n, a, prec, entry) in cases {
        let (found, taken) = peak(&alone, || definiteness(&a));
        assert_eq!(matches!(found.unwrap(), Definiteness::Positive), name.contains("Hilbert"), "{name}");
        let minor = n * (entry + log2(n));
        let exact = if prec == 512 { 2 * n * n * (minor / 8 + 48) } else { 0 };
        check(taken, 8 * n * n * (prec / 8 + 40) + exact, &format!("definiteness {name} {n}"));
    }
}

#[test]
fn refinement_takes_what_it_states() {
    let alone = alone();
    let file = "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclasses = 4\nper_class = 50\ndim = 20\nlambda_w = '0.005'\nlambda_h = '0.001'";
    let problem = Problem::from_toml(file).unwrap();
    let start = minimise(&problem, &SolveOptions::default(), &mut |_| {}).unwrap().point;
    for digits in [100, 400] {
        let (refined, taken) = peak(&alone, || refine(&problem, &start, digits, &mut |_| {}));
        assert!(refined.unwrap().converged);
        let entries = 4 * 20 + 20 * 200 + 4;
        let bits = digits as usize * 333 / 100 + 50;
        check(taken, 12 * entries * (bits / 8 + 24), &format!("{digits} digits"));
    }
}
