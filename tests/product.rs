//! High-precision products against exact rationals, for every scheme.

use faer::{Mat, MatRef};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rug::{Float, Integer, Rational, integer::Order};
use ufm::linalg::product::{Accuracy, Enclosed, ProductOptions, RADIUS_BITS, Scheme, exact_integer_product, product, product_with};

const SCHEMES: [Option<Scheme>; 4] = [None, Some(Scheme::Direct), Some(Scheme::Slices), Some(Scheme::Residues)];

fn options(prec: u32, scheme: Option<Scheme>) -> ProductOptions {
    ProductOptions { scheme, ..ProductOptions::new(prec) }
}

/// A signed integer of at most `bits` bits.
fn integer(bits: u32, rng: &mut ChaCha8Rng) -> Integer {
    let limbs: Vec<u64> = (0..bits.div_ceil(64)).map(|_| rng.next_u64()).collect();
    let x = Integer::from_digits(&limbs, Order::Lsf).keep_bits(bits);
    if rng.next_u64() & 1 == 1 { -x } else { x }
}

/// Entries of mixed precisions up to `bits`, exponents within ±spread, some zero.
fn random(rows: usize, cols: usize, bits: u32, spread: i32, rng: &mut ChaCha8Rng) -> Mat<Float> {
    Mat::from_fn(rows, cols, |_, _| {
        let prec = if rng.random_range(0..3) == 0 { rng.random_range(1..=bits) } else { bits };
        let x = integer(prec, rng);
        let x = if rng.random_range(0..12) == 0 { Integer::new() } else { x };
        let shift = rng.random_range(-spread..=spread);
        (Float::with_val(prec, x) >> prec) << shift
    })
}

fn rational(x: &Float) -> Rational {
    x.to_rational().expect("finite")
}

/// |A B| and |A| |B|, exactly, entry (i, j).
fn exact(a: MatRef<'_, Float>, b: MatRef<'_, Float>, i: usize, j: usize) -> (Rational, Rational) {
    let terms = (0..a.ncols()).map(|t| rational(&a[(i, t)]) * rational(&b[(t, j)]));
    terms.fold(Default::default(), |(sum, abs), x| {
        let size = x.clone().abs();
        (sum + x, abs + size)
    })
}

/// Containment, and with componentwise accuracy the radius promised: 2^(2−prec) |A| |B|.
fn check(a: MatRef<'_, Float>, b: MatRef<'_, Float>, c: &Enclosed, options: &ProductOptions) {
    assert_eq!((c.mid.nrows(), c.mid.ncols()), (a.nrows(), b.ncols()));
    for j in 0..b.ncols() {
        for i in 0..a.nrows() {
            let (sum, abs) = exact(a, b, i, j);
            let (mid, rad) = (&c.mid[(i, j)].to_float(), &c.rad[(i, j)].to_float());
            assert_eq!((mid.prec(), rad.prec()), (options.prec, RADIUS_BITS));
            let rad = rational(rad);
            assert!((rational(mid) - sum).abs() <= rad, "({i}, {j}) {options:?}");
            if options.accuracy == Accuracy::Componentwise {
                assert!(rad <= (abs << 2) >> options.prec, "radius of ({i}, {j}) {options:?}");
            }
        }
    }
}

fn assert_same(x: &Enclosed, y: &Enclosed) {
    for j in 0..x.mid.ncols() {
        for i in 0..x.mid.nrows() {
            assert_eq!(x.mid[(i, j)].borrow().as_ord(), y.mid[(i, j)].borrow().as_ord());
            assert_eq!(x.rad[(i, j)], y.rad[(i, j)]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn contains_the_exact_product(
        shape in (0usize..9, 0usize..12, 0usize..9),
        bits in (1u32..400, 1u32..400),
        prec in 1u32..600,
        spread in prop_oneof![Just(0), 0..40, 0..3000],
        normwise: bool,
        seed: u64,
    ) {
        let (m, k, n) = shape;
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (a, b) = (random(m, k, bits.0, spread, rng), random(k, n, bits.1, spread, rng));
        for scheme in SCHEMES {
            let accuracy = if normwise { Accuracy::Normwise } else { Accuracy::Componentwise };
            let options = ProductOptions { accuracy, ..options(prec, scheme) };
            check(a.as_ref(), b.as_ref(), &product_with(a.as_ref(), b.as_ref(), &options), &options);
        }
    }

    #[test]
    fn integer_product_is_exact(shape in (0usize..9, 0usize..40, 0usize..9), bits in (1u32..900, 1u32..900), seed: u64) {
        let (m, k, n) = shape;
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let a = Mat::from_fn(m, k, |_, _| integer(bits.0, rng));
        let b = Mat::from_fn(k, n, |_, _| integer(bits.1, rng));
        check_integers(a.as_ref(), b.as_ref());
    }

    /// rad <= 2^(2−prec) k rowmax colmax + 2^−prec |mid|; columns and rows start with a one, so that nothing is gained by balancing.
    #[test]
    fn normwise_radii(k in 1usize..40, prec in 2u32..300, seed: u64) {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let (a, b) = (random(3, k, 200, 0, rng), random(k, 3, 200, 0, rng));
        let a = Mat::from_fn(3, k, |i, t| if i == 0 { Float::with_val(9, 0.75) } else { a[(i, t)].clone() });
        let b = Mat::from_fn(k, 3, |t, j| if j == 0 { Float::with_val(9, 0.75) } else { b[(t, j)].clone() });
        let largest = |x: &mut dyn Iterator<Item = &Float>| x.map(|x| rational(x).abs()).max().unwrap_or_default();
        for scheme in [Scheme::Slices, Scheme::Residues] {
            let options = ProductOptions { accuracy: Accuracy::Normwise, ..options(prec, Some(scheme)) };
            let c = product_with(a.as_ref(), b.as_ref(), &options);
            for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
                let scale = largest(&mut a.row(i).iter()) * largest(&mut b.col(j).iter()) * Integer::from(4 * k);
                let bound = (scale + rational(&c.mid[(i, j)].borrow()).abs()) >> prec;
                prop_assert!(rational(&c.rad[(i, j)].to_float()) <= bound, "({i}, {j}) {scheme:?}");
            }
        }
    }
}

fn check_integers(a: MatRef<'_, Integer>, b: MatRef<'_, Integer>) {
    let c = exact_integer_product(a, b, true);
    assert_eq!((c.nrows(), c.ncols()), (a.nrows(), b.ncols()));
    for j in 0..b.ncols() {
        for i in 0..a.nrows() {
            let expected: Integer = (0..a.ncols()).map(|t| Integer::from(&a[(i, t)] * &b[(t, j)])).sum();
            assert_eq!(c[(i, j)], expected);
        }
    }
}

/// Sizes at which machine products are the cheaper way, and blocks and panels are ragged.
#[test]
fn large_integer_products() {
    let rng = &mut ChaCha8Rng::seed_from_u64(7);
    for (m, k, n, bits) in [(70, 65, 50, (300, 53)), (64, 64, 64, (53, 53)), (33, 200, 40, (2000, 1)), (1, 3000, 5, (64, 900))] {
        let a = Mat::from_fn(m, k, |_, _| integer(bits.0, rng));
        let b = Mat::from_fn(k, n, |_, _| integer(bits.1, rng));
        check_integers(a.as_ref(), b.as_ref());
    }
}

/// All ones: every digit and every partial sum is at its bound, and the inner dimension straddles the changes of digit width and moduli.
#[test]
fn largest_entries() {
    for bits in [24, 53, 106, 191, 512] {
        for k in [1, 2, 3, 127, 128, 129, 2047, 2048, 2049, 5000] {
            let ones: Integer = (Integer::from(1) << bits) - 1;
            let (a, b) = (Mat::from_fn(2, k, |_, _| ones.clone()), Mat::from_fn(k, 2, |_, _| ones.clone()));
            let (x, y) =
                (Mat::from_fn(2, k, |_, _| Float::with_val(bits, &ones)), Mat::from_fn(k, 2, |_, _| -Float::with_val(bits, &ones)));
            let expected = ones.clone().square() * Integer::from(k);
            assert_eq!(exact_integer_product(a.as_ref(), b.as_ref(), false)[(1, 0)], expected);
            for scheme in [Scheme::Slices, Scheme::Residues] {
                for prec in [bits, 2 * bits + 14] {
                    let c = product_with(x.as_ref(), y.as_ref(), &options(prec, Some(scheme)));
                    let error = rational(&c.mid[(1, 1)].borrow()) + &expected;
                    assert!(error.abs() <= rational(&c.rad[(1, 1)].to_float()), "{bits} {k} {scheme:?} {prec}");
                    if prec > bits {
                        assert!(c.rad[(1, 1)].is_zero());
                    }
                }
            }
        }
    }
}

/// Σ x_t y_t with the leading 150 bits cancelled: the radius stays small against Σ |x_t y_t|, and the midpoint has the rest.
#[test]
fn cancellation() {
    let rng = &mut ChaCha8Rng::seed_from_u64(3);
    let (half, b) = (random(20, 20, 200, 0, rng), random(20, 20, 200, 0, rng));
    let a = Mat::from_fn(20, 40, |i, t| half[(i, t % 20)].clone());
    let b = Mat::from_fn(40, 20, |t, j| {
        let x = Float::with_val(400, &b[(t % 20, j)]);
        if t < 20 { x } else { -x * (Float::with_val(400, 1) + (Float::with_val(400, 1) >> 150)) }
    });
    for scheme in SCHEMES {
        let options = options(200, scheme);
        check(a.as_ref(), b.as_ref(), &product_with(a.as_ref(), b.as_ref(), &options), &options);
    }
}

/// Rows, columns and inner indices scaled by wide powers of two: balanced scaling leaves little to compute one by one.
#[test]
fn wide_scalings() {
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let (mut a, mut b) = (random(12, 16, 128, 1, rng), random(16, 12, 128, 1, rng));
    for i in 0..12 {
        for t in 0..16 {
            a[(i, t)] <<= 700 * t as i32 - 300 * i as i32;
            b[(t, i)] <<= 200 * i as i32 - 650 * t as i32;
        }
    }
    for scheme in SCHEMES {
        let options = options(128, scheme);
        check(a.as_ref(), b.as_ref(), &product_with(a.as_ref(), b.as_ref(), &options), &options);
    }
}

#[test]
fn transposes_and_submatrices() {
    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let a = random(9, 14, 150, 3, rng);
    let (x, y) = (a.as_ref().submatrix(1, 2, 7, 11), a.as_ref().submatrix(2, 3, 5, 11));
    for scheme in SCHEMES {
        let options = options(160, scheme);
        check(x, y.transpose(), &product_with(x, y.transpose(), &options), &options);
        check(x.transpose(), x, &product_with(x.transpose(), x, &options), &options);
        let reversed = x.reverse_rows_and_cols();
        check(reversed, y.transpose(), &product_with(reversed, y.transpose(), &options), &options);
    }
}

#[test]
fn empty_shapes() {
    for (m, k, n) in [(0, 0, 0), (0, 3, 2), (2, 3, 0), (2, 0, 3), (0, 500, 500), (500, 500, 0), (300, 0, 300)] {
        let (a, b) = (Mat::from_fn(m, k, |_, _| Float::with_val(9, 1)), Mat::from_fn(k, n, |_, _| Float::with_val(9, 1)));
        for scheme in SCHEMES {
            let c = product_with(a.as_ref(), b.as_ref(), &options(30, scheme));
            assert_eq!((c.mid.nrows(), c.mid.ncols(), c.rad.nrows(), c.rad.ncols()), (m, n, m, n));
            assert!(c.mid.col_iter().all(|col| col.iter().all(|x| x.borrow().is_zero())));
            assert!(c.rad.col_iter().all(|col| col.iter().all(|r| r.is_zero())));
        }
        let zero = |rows, cols| Mat::from_fn(rows, cols, |_, _| Integer::from(1));
        let c = exact_integer_product(zero(m, k).as_ref(), zero(k, n).as_ref(), true);
        assert!(c.col_iter().all(|col| col.iter().all(|x| *x == 0)));
    }
}

/// NaN and infinities spoil the entries that meet them and no other; zero rows and columns are exact.
#[test]
fn special_values() {
    let rng = &mut ChaCha8Rng::seed_from_u64(13);
    let (mut a, mut b) = (random(6, 5, 90, 0, rng), random(5, 6, 90, 0, rng));
    a[(1, 2)] = Float::with_val(53, f64::NAN);
    a[(2, 0)] = Float::with_val(53, f64::NEG_INFINITY);
    b[(4, 3)] = Float::with_val(53, f64::INFINITY);
    for t in 0..5 {
        a[(4, t)] = -Float::new(70);
        b[(t, 5)] = Float::new(70);
    }
    for scheme in SCHEMES {
        for accuracy in [Accuracy::Componentwise, Accuracy::Normwise] {
            let c = product_with(a.as_ref(), b.as_ref(), &ProductOptions { accuracy, ..options(60, scheme) });
            for (i, j) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
                let (mid, rad) = (&c.mid[(i, j)].to_float(), &c.rad[(i, j)].to_float());
                if i == 1 || i == 2 || j == 3 {
                    assert!(mid.is_zero() && rad.is_infinite() && rad.is_sign_positive());
                } else if i == 4 || j == 5 {
                    assert!(mid.is_zero() && rad.is_zero());
                } else {
                    assert!((rational(mid) - exact(a.as_ref(), b.as_ref(), i, j).0).abs() <= rational(rad));
                }
            }
        }
    }
}

/// Exponents near ±2^30, where products leave MPFR's range and differences leave 32 bits.
#[test]
fn extreme_exponents() {
    let (high, low) = (rug::float::exp_max() - 2, rug::float::exp_min() + 2);
    let power = |e: i32| Float::with_val(80, 3) << (e - 2);
    let a = Mat::from_fn(2, 3, |i, t| power([[high, low, high - 5], [low, low, low]][i][t]));
    let b = Mat::from_fn(3, 4, |t, j| power([[low, high, 1, low], [high, high, -40, low], [low, low, 2, low]][t][j]));
    for scheme in SCHEMES {
        for accuracy in [Accuracy::Componentwise, Accuracy::Normwise] {
            let c = product_with(a.as_ref(), b.as_ref(), &ProductOptions { accuracy, ..options(70, scheme) });
            // Both factors scaled back to moderate exponents by exact shifts.
            let entry = |i: usize, j: usize, shift: i32| {
                let scaled = |x: &Float| x.clone() >> shift;
                (scaled(&c.mid[(i, j)].borrow()), c.rad[(i, j)].to_float() >> shift)
            };
            // (0, 0): 9/16 (2^(high+low) (1 + 1) + 2^(high−5+low)) in all: near 1.
            let (mid, rad) = entry(0, 0, high + low);
            let expected = Rational::from((9, 16)) * (Rational::from(2) + Rational::from((1, 32)));
            if accuracy == Accuracy::Componentwise || scheme == Some(Scheme::Direct) {
                assert!((rational(&mid) - expected).abs() <= rational(&rad), "{scheme:?} {accuracy:?}");
                assert!(rad < 1e-18);
            } else {
                // The normwise radius is near 2^(2 high − 70).
                assert!(rad.is_infinite() || (rational(&mid) - expected).abs() <= rational(&rad));
            }
            // (0, 1): overflows.
            assert!(c.mid[(0, 1)].borrow().is_zero() && !c.rad[(0, 1)].is_finite());
            // (0, 2): 9/16 (2^(high+1) + 2^(low−40) + 2^(high−3)) overflows by a bit or is near the top.
            let (mid, rad) = entry(0, 2, high);
            let expected = Rational::from((9, 16)) * (Rational::from(2) + Rational::from((1, 8)));
            assert!(!c.rad[(0, 2)].is_finite() || (rational(&mid) - expected).abs() <= rational(&rad));
            // (1, 3): 27/16 2^(2 low) underflows: less than every positive number.
            let least = c.rad[(1, 3)].to_float();
            assert!(c.mid[(1, 3)].borrow().is_zero() && !c.rad[(1, 3)].is_zero() && !least.is_zero() && least.is_sign_positive());
        }
    }
}

/// Shapes that tiles, panels and threads divide unevenly: sampled entries.
#[test]
fn ragged_tiles() {
    let rng = &mut ChaCha8Rng::seed_from_u64(23);
    for (m, k, n) in [(1, 9000, 1), (700, 31, 5), (5, 31, 700), (257, 129, 67), (49, 2100, 17), (300, 1, 300)] {
        let (a, b) = (random(m, k, 120, 2, rng), random(k, n, 120, 2, rng));
        for scheme in [Scheme::Slices, Scheme::Residues] {
            let shared = product_with(a.as_ref(), b.as_ref(), &options(120, Some(scheme)));
            let alone = product_with(a.as_ref(), b.as_ref(), &ProductOptions { parallel: false, ..options(120, Some(scheme)) });
            assert_same(&shared, &alone);
            for (i, j) in (0..20).map(|t| (t * 37 % m, t * 11 % n)).chain([(m - 1, n - 1)]) {
                let (sum, abs) = exact(a.as_ref(), b.as_ref(), i, j);
                let rad = rational(&shared.rad[(i, j)].to_float());
                assert!((rational(&shared.mid[(i, j)].borrow()) - sum).abs() <= rad && rad <= (abs << 2) >> 120, "{m} {k} {n} {i} {j}");
            }
        }
    }
}

#[test]
fn same_bytes_for_any_thread_count() {
    let rng = &mut ChaCha8Rng::seed_from_u64(17);
    let (a, b) = (random(40, 37, 300, 20, rng), random(37, 45, 300, 20, rng));
    for scheme in SCHEMES {
        let sequential = product_with(a.as_ref(), b.as_ref(), &ProductOptions { parallel: false, ..options(256, scheme) });
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let parallel = pool.install(|| product_with(a.as_ref(), b.as_ref(), &options(256, scheme)));
            assert_same(&sequential, &parallel);
        }
    }
}

/// An operand of few bits: the product is exact once the precision holds it.
#[test]
fn few_bits_are_exact() {
    let rng = &mut ChaCha8Rng::seed_from_u64(19);
    let a = Mat::from_fn(20, 20, |_, _| Float::with_val(500, integer(30, rng)));
    let b = Mat::from_fn(20, 20, |_, _| Float::with_val(500, integer(53, rng)));
    for scheme in [Scheme::Slices, Scheme::Residues] {
        let c = product_with(a.as_ref(), b.as_ref(), &options(500, Some(scheme)));
        assert!(c.rad.col_iter().all(|col| col.iter().all(|r| r.is_zero())));
        check(a.as_ref(), b.as_ref(), &c, &options(500, Some(scheme)));
    }
}

#[test]
#[should_panic(expected = "inner dimensions differ")]
fn inner_dimensions_must_agree() {
    let a = Mat::from_fn(2, 3, |_, _| Float::with_val(9, 1));
    product(a.as_ref(), a.as_ref(), 9);
}
