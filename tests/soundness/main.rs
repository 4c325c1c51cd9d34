//! Soundness regressions: one test for each known way in which a claim silently becomes too strong. Here enclosures and their digits; in
//! claims.rs what is said with them.

mod claims;

use std::path::Path;

use rug::{Float, Rational};
use ufm::scalar::{Ball, parse_decimal, root_rational};

/// Working precisions, far too low on purpose: rounding is then large and often outward.
const PRECS: std::ops::Range<u32> = 2..80;

fn q(n: i64, d: i64) -> Rational {
    Rational::from((n, d))
}

fn ball(n: i64, d: i64, prec: u32) -> Ball {
    Ball::from_rational(&q(n, d), prec)
}

/// Every file below a folder with the extension.
fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .flat_map(|p| match p.is_dir() {
            true => files(&p, extension),
            false if p.extension().is_some_and(|e| e == extension) => vec![p],
            false => Vec::new(),
        })
        .collect()
}

/// The compiler may move arithmetic across a change of the rounding mode, and a library called in between may expect the default one: no
/// source changes it, nor MPFR's range of exponents or default rounding, which are as global to a thread.
#[test]
fn trap_no_rounding_mode_is_ever_changed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: Vec<_> = ["src", "proofs/checker/src"].iter().flat_map(|f| files(&root.join(f), "rs")).collect();
    assert!(sources.len() > 50, "the scan sees the sources");
    let changes =
        ["fesetround", "fesetenv", "setcsr", "SET_ROUNDING_MODE", "asm!", "set_emin", "set_emax", "set_default_rounding", "subnormalize"];
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        for change in changes {
            assert!(!text.contains(change), "{}: {change}", path.display());
        }
    }
}

/// A tenth is not representable, so its square must have width although both factors look like points.
#[test]
fn trap_zero_width_product_of_tenths() {
    for prec in PRECS {
        let product = ball(1, 10, prec) * ball(1, 10, prec);
        assert!(product.contains_rational(&q(1, 100)) && !product.is_exact(), "{prec}");
    }
    // The doubles nearest to a tenth are points; their product is still not the product of tenths, and is rounded outwards.
    let tenth = Rational::from_f64(0.1).unwrap();
    let product = Ball::from_f64(0.1, 53) * Ball::from_f64(0.1, 53);
    assert!(product.contains_rational(&tenth.square()) && !product.is_exact());
}

#[test]
fn trap_nan_becomes_the_whole_line() {
    let whole =
        |x: Ball| !x.is_finite() && x.contains_zero() && x.contains_rational(&q(-1_000_000, 1)) && x.contains_rational(&q(1_000_000, 1));
    let one = ball(1, 1, 53);
    let zero = Ball::zero(53);
    assert!(whole(Ball::from_f64(f64::NAN, 53)));
    assert!(whole(Ball::from_f64(f64::INFINITY, 53)));
    assert!(whole(Ball::exact(Float::with_val(53, f64::NAN))));
    assert!(whole(&one / &zero) && whole(zero.recip()) && whole(&zero / &zero));
    assert!(
        whole((-&one).sqrt())
            && whole((-&one).ln())
            && whole(zero.ln())
            && whole((-&one).ln_1p())
            && whole((-&one).root(4))
            && whole(one.root(0))
    );
    let infinite = Ball::whole(53);
    for x in [&infinite - &infinite, &infinite * &infinite, &infinite / &infinite, infinite.sqrt(), infinite.ln(), &infinite + &one] {
        assert!(whole(x));
    }
    assert!(Ball::whole(53).upper_rational().is_none() && Ball::whole(53).to_decimal(3).is_none());
}

/// Rounding to a wide format and then to a narrow one can land inside: each bound is rounded once.
#[test]
fn trap_double_rounding() {
    // 1 + 2^-10 + 2^-200 at 10 bits: rounding first to 64 bits drops the tail and makes the upper bound look exact.
    let x = Rational::from(1) + (Rational::from(1) >> 10) + (Rational::from(1) >> 200);
    let narrow = Ball::from_rational(&x, 11);
    assert!(narrow.contains_rational(&x) && !narrow.is_exact());
    // The operands' precision differs: the sum is rounded from the exact operands.
    let sum = Ball::from_rational(&(Rational::from(1) >> 200), 8) + Ball::from_f64(1.0, 8);
    assert!(sum.contains_rational(&(Rational::from(1) + (Rational::from(1) >> 200))) && !sum.is_exact());
    let root = root_rational(&x, 2, 11);
    assert!(root.lower_rational().unwrap().square() <= x && x <= root.upper_rational().unwrap().square());
}

/// Products that leave MPFR's range of exponents: no bound may become zero or infinity on the wrong side.
#[test]
fn trap_underflow_and_overflow() {
    let half_range = 1i32 << 29;
    let tiny = ball(1, 1, 64).scale(-half_range - (half_range - 2));
    let square = &tiny * &tiny;
    assert!(square.lower() >= 0 && square.upper() > 0 && !square.is_exact());
    assert_eq!((-&tiny * &tiny).cmp_certain(&Ball::zero(64)), None, "a negative product may not be called zero");
    assert!((-&tiny * &tiny).lower() < 0);
    assert!(tiny.scale(-100).upper() > 0);
    let huge = ball(1, 1, 64).scale(half_range).scale(half_range - 2);
    for x in [&huge * &huge, huge.square(), huge.powi(3), huge.exp(), huge.scale(100), &huge / &tiny] {
        assert!(!x.is_finite() && x.upper() == f64::INFINITY && x.lower() >= 0);
    }
    assert!((-&huge).exp().upper() > 0);
    assert!(huge.hull(&-&huge).mid() == 0, "the middle does not overflow");
    assert!((&huge + &huge).mid().is_finite());
    assert!(huge.upper_rational().is_none(), "no gigabyte rationals");
}

/// The radius is an upper bound: mid ± rad covers both bounds exactly.
#[test]
fn trap_radius_rounds_up() {
    for (n, d) in [(1, 3), (-22, 7), (1, 1_000_003), (i64::MAX - 1, 3)] {
        for prec in PRECS {
            let x = ball(n, d, prec).hull(&ball(n + 1, d + 1, prec));
            let (mid, rad) = (x.mid().to_rational().unwrap(), x.rad().to_rational().unwrap());
            assert!(Rational::from(&mid - &rad) <= x.lower_rational().unwrap());
            assert!(mid + rad >= x.upper_rational().unwrap());
        }
    }
}

/// A reordering across a change of rounding mode cannot happen: there is none, so that threads and interleaving change nothing.
#[test]
fn trap_rounding_mode() {
    let work = || (1..200i64).fold(Ball::zero(40), |sum, k| sum + ball(1, k, 40).sqrt() * ball(-k, 7, 40).exp());
    let alone = work();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(work)).collect();
    for t in threads {
        assert_eq!(t.join().unwrap(), alone);
    }
}

/// Products that no float can hold exactly: fused, repeated or inverted, their bounds stay on the right side of zero and of the range.
#[test]
fn trap_least_and_largest_magnitudes() {
    let edge = (1i32 << 30) - 1;
    let least = ball(1, 1, 64).scale(-edge).scale(-1);
    assert!(least.is_exact() && least.lower() > 0 && least.scale(-1).lower() == 0 && least.scale(-1).upper() > 0);
    let one = ball(1, 1, 64);
    let zero = Ball::zero(64);
    for tiny in [&least * &least, least.square(), least.powi(3), least.pown(3), least.mul_add(&least, &zero), least.hypot(&least).square()]
    {
        assert!(tiny.lower() == 0 && tiny.upper() > 0, "{tiny:?}");
    }
    let inside = |x: &Ball, value: &Float| x.lower() < *value && *value < x.upper();
    for (around, x) in [
        (1, least.exp()),
        (1, (-&least).exp()),
        (1, least.cos()),
        (1, least.cosh()),
        (1, least.exp2()),
        (1, least.mul_add(&least, &one)),
        (1, (-&least).mul_add(&least, &one)),
        (1, &one + &least),
        (1, &one - &least),
        (1, one.hypot(&least)),
        (1, one.scale(1).pow(&least)),
    ] {
        let value = Float::with_val(64, around);
        assert!(x.lower() <= value && value <= x.upper() && !x.is_exact() && !inside(&x, &value), "{x:?}");
    }
    // Odd functions near zero: x itself is a bound, never the only member.
    for x in [
        least.sin(),
        least.tan(),
        least.exp_m1(),
        least.ln_1p(),
        least.sinh(),
        least.tanh(),
        least.atan(),
        least.asinh(),
        least.asin(),
        least.atanh(),
    ] {
        assert!(!x.is_exact() && x.lower() >= 0 && (x.lower() == least.lower() || x.upper() == least.upper()), "{x:?}");
    }
    let largest = one.scale(edge - 1);
    assert!(largest.is_exact() && largest.scale(1).upper() == f64::INFINITY);
    for huge in [
        &largest * &largest,
        largest.recip().pown(-2),
        largest.exp(),
        largest.cosh(),
        largest.sinh(),
        largest.exp_m1(),
        largest.pow(&ball(2, 1, 64)),
    ] {
        assert!(huge.upper() == f64::INFINITY && huge.lower() > 0 && huge.lower().is_finite(), "{huge:?}");
    }
    assert!((-&largest).exp_m1().contains(&ball(-1, 1, 64)) && !(-&largest).exp_m1().is_exact());
    assert!((-&largest).tanh().contains(&ball(-1, 1, 64)) && !(-&largest).tanh().is_exact());
}

/// Half of the least magnitude rounds to zero: the middle of that point was no member, with radius zero.
#[test]
fn trap_the_middle_is_a_member() {
    let edge = (1i32 << 30) - 1;
    let least = ball(1, 1, 8).scale(-edge).scale(-1);
    let wider = least.hull(&least.mul_add(&ball(2, 1, 8), &Ball::zero(8)));
    for x in [&least, &-&least, &wider, &-&wider, &least.hull(&-&least), &least.hull(&ball(1, 1, 8))] {
        let (mid, rad) = (x.mid(), x.rad());
        assert!(x.lower() <= mid && mid <= x.upper(), "{x:?}");
        let around = Ball::exact(mid) + Ball::from_bounds(-rad.clone(), rad);
        assert!(around.contains(x), "{x:?}");
    }
    let half = Ball::from_bounds(Float::with_val(8, 1), Float::with_val(8, f64::INFINITY));
    assert!(half.mid() == 0 && half.rad() == f64::INFINITY);
}

/// A NaN or reversed bound widens to the line; it never becomes a radius, and no operation lets it out again.
#[test]
fn trap_nan_bounds() {
    let float = |x: f64| Float::with_val(20, x);
    let bad = [(f64::NAN, 1.0), (1.0, f64::NAN), (2.0, 1.0), (f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY)];
    for (low, high) in bad {
        let x = Ball::from_bounds(float(low), float(high));
        assert_eq!(x, Ball::whole(20));
        assert!(x.rad() == f64::INFINITY && x.mid() == 0 && x.contains(&x));
    }
    // Every pair of bounds from the corners of the format, through every operation: no NaN, and bounds in order.
    let corners = [f64::NEG_INFINITY, -f64::MAX, -1.0, -5e-324, -0.0, 0.0, 5e-324, 0.5, 1.0, 2.0, f64::MAX, f64::INFINITY];
    let sets: Vec<Ball> = corners
        .iter()
        .flat_map(|a| corners.iter().filter(move |b| a <= *b).map(move |b| Ball::from_bounds(float(*a), float(*b))))
        .collect();
    for x in &sets {
        let unary = [
            x.sqrt(),
            x.root(3),
            x.root(4),
            x.exp(),
            x.exp_m1(),
            x.exp2(),
            x.exp10(),
            x.ln(),
            x.ln_1p(),
            x.log2(),
            x.log10(),
            x.sin(),
            x.cos(),
            x.tan(),
            x.asin(),
            x.acos(),
            x.atan(),
            x.sinh(),
            x.cosh(),
            x.tanh(),
            x.asinh(),
            x.acosh(),
            x.atanh(),
            x.floor(),
            x.ceil(),
            x.abs(),
            x.square(),
            x.recip(),
            x.powi(3),
            x.powi(0),
            x.pown(-2),
            x.pown(-3),
            x.scale(7),
            -x,
        ];
        let binary = sets
            .iter()
            .flat_map(|y| [x + y, x - y, x * y, x / y, x.min(y), x.max(y), x.hull(y), x.pow(y), x.hypot(y), x.atan2(y), x.mul_add(y, x)]);
        for z in unary.into_iter().chain(binary) {
            assert!(z.lower() <= z.upper() && z.lower() < f64::INFINITY && z.upper() > f64::NEG_INFINITY, "{x:?}: {z:?}");
        }
    }
}

/// Sums of members of two sets that share a corner: operations on half-lines contain what finite members give.
#[test]
fn trap_infinite_bounds_times_zero() {
    let half = |low: f64, high: f64| Ball::from_bounds(Float::with_val(53, low), Float::with_val(53, high));
    let (zero, line, up) = (Ball::zero(53), Ball::whole(53), half(0.0, f64::INFINITY));
    assert_eq!(&zero * &line, zero);
    assert_eq!(&up * &half(-1.0, 1.0), line);
    assert_eq!(zero.mul_add(&line, &ball(3, 1, 53)), ball(3, 1, 53));
    assert_eq!(ball(1, 1, 53) / half(1.0, f64::INFINITY), half(0.0, 1.0));
    assert_eq!(&up / half(1.0, f64::INFINITY), up);
    assert_eq!(ball(1, 1, 53) / &up, line, "a divisor that touches zero");
    assert_eq!(half(1.0, f64::INFINITY).pow(&half(f64::NEG_INFINITY, 0.0)), half(0.0, 1.0));
    assert_eq!(half(0.0, 1.0).pow(&half(0.0, 1.0)), line, "0^0");
}

/// −0 is a bound like 0: it may not turn a pole or a domain around.
#[test]
fn trap_negative_zero() {
    let set = |low: f64, high: f64| Ball::from_bounds(Float::with_val(53, low), Float::with_val(53, high));
    for zero in [-0.0, 0.0] {
        let (left, right) = (set(-1.0, zero), set(zero, 1.0));
        for x in [&left, &right] {
            for undefined in [x.recip(), ball(1, 1, 53) / x, x.ln(), x.log2(), x.pown(-1), x.pow(&ball(-1, 1, 53))] {
                assert_eq!(undefined, Ball::whole(53));
            }
        }
        assert_eq!((right.sqrt(), right.root(4), right.pow(&ball(3, 1, 53))), (right.clone(), right.clone(), right.clone()));
        assert_eq!(right.cos().upper(), 1);
        // The positive side of the cut, and the quarter turns.
        let pi = ball(-1, 1, 53).acos();
        assert_eq!((set(zero, zero).atan2(&ball(-1, 1, 53)), ball(1, 1, 53).atan2(&set(zero, zero))), (pi.clone(), pi.scale(-1)));
        assert_eq!(set(-1.0, zero).atan2(&ball(-1, 1, 53)).lower(), -pi.upper());
        assert!(set(zero, zero).is_exact() && set(zero, zero).contains_zero());
        assert_eq!(set(zero, zero).to_decimal(3).as_deref(), Some("0"));
    }
}

/// sin, cos and tan turn where no bound shows it; at huge arguments they must not pretend to know the phase.
#[test]
fn trap_extrema_between_the_bounds() {
    let set = |low: f64, high: f64| Ball::from_bounds(Float::with_val(53, low), Float::with_val(53, high));
    for turn in -40i32..=40 {
        // Two neighbours around an extremum of sine, a pole of tan, and π/2 away from one of cosine.
        let point = std::f64::consts::FRAC_PI_2 * f64::from(turn);
        let around = set(point.next_down().next_down(), point.next_up().next_up());
        let odd = turn.rem_euclid(2) == 1;
        let (extremum, other) = if odd { (around.sin(), around.cos()) } else { (around.cos(), around.sin()) };
        assert!(extremum.upper() == 1 || extremum.lower() == -1, "{turn}");
        assert!(other.contains_zero(), "{turn}");
        assert_eq!(around.tan() == Ball::whole(53), odd, "{turn}");
    }
    let wide = ball(22, 1, 30).scale(70000);
    assert_eq!(wide.sin(), set(-1.0, 1.0));
    assert_eq!(wide.tan(), Ball::whole(30));
    // 10^22 radians, a classic of argument reduction: sin = −0.8522008497671888017…
    let classic = Ball::from_f64(1e22, 80).sin();
    assert_eq!(classic.to_decimal(19).as_deref(), Some("-0.8522008497671888018"));
}

/// Subnormal doubles are floats like any others here: nothing is flushed to zero, and nothing rounds to them.
#[test]
fn trap_subnormal_inputs() {
    let least = f64::from_bits(1);
    let x = Ball::from_f64(least, 53);
    assert!(x.is_exact() && x.lower_rational() == Rational::from_f64(least));
    assert!((&x / &ball(2, 1, 53)).is_exact() && (&x * &x).is_exact());
    assert!(x.exp().lower() == 1 && x.exp().upper() > 1);
    assert_eq!(x.to_decimal(3).as_deref(), Some("4.94e-324"));
}

/// Digits of magnitudes beyond what is written out: bounds stay bounds, and digits are refused.
#[test]
fn trap_huge_exponents_in_print() {
    let huge = ball(3, 1, 53).scale(1 << 29);
    let tiny = huge.recip();
    for x in [&huge, &-&huge, &tiny, &-&tiny] {
        assert_eq!(x.to_decimal(5), None);
    }
    assert_eq!((huge.upper_decimal(3).as_str(), (-&huge).lower_decimal(3).as_str()), ("inf", "-inf"));
    assert_eq!((tiny.lower_decimal(3).as_str(), (-&tiny).upper_decimal(3).as_str()), ("0", "0"));
    assert_eq!((tiny.upper_decimal(3).as_str(), (-&tiny).lower_decimal(3).as_str()), ("1.05e-1204120", "-1.05e-1204120"));
    assert_eq!((huge.lower_decimal(3).as_str(), (-&huge).upper_decimal(3).as_str()), ("4.80e1204119", "-4.80e1204119"));
    assert_eq!(Ball::whole(8).lower_decimal(2), "-inf");
}

/// A printed bound is on its side of the exact one, for every sign, digit count and carry.
#[test]
fn trap_printed_bounds_round_outwards() {
    for (n, d) in [(1, 3), (-1, 3), (2, 3), (99_999, 100_000), (-99_999, 100_000), (5, 1), (-1, 1_000_000_007), (i64::MAX, 7), (1, 8)] {
        for digits in 1..25 {
            let x = ball(n, d, 60);
            let (low, high) = (parse_decimal(&x.lower_decimal(digits)).unwrap(), parse_decimal(&x.upper_decimal(digits)).unwrap());
            assert!(low <= x.lower_rational().unwrap() && x.upper_rational().unwrap() <= high, "{n}/{d} to {digits}");
        }
    }
}

/// Roots of rationals whose numerator and denominator round: never inwards.
#[test]
fn trap_root_of_a_rational() {
    for prec in PRECS {
        for (n, d, k) in [(2, 1, 2), (8, 27, 3), (10, 27, 3), (1_000_003, 3, 5), (1, i64::MAX, 7), (i64::MAX, 2, 2), (0, 1, 3)] {
            let root = root_rational(&q(n, d), k, prec);
            let power = |x: Rational| (1..k).fold(x.clone(), |p, _| p * &x);
            assert!(power(root.lower_rational().unwrap()) <= q(n, d) && q(n, d) <= power(root.upper_rational().unwrap()));
            assert!(root.lower() >= 0);
        }
    }
    assert_eq!(root_rational(&q(-8, 27), 3, 53), Ball::whole(53), "no real root is guessed");
}
