//! `Ball` encloses: random expressions against exact rational arithmetic, functions against brackets. Known traps have names in tests/soundness.

use std::cmp::Ordering;

use proptest::prelude::*;
use rug::{Float, Integer, Rational, float::Round, ops::Pow};
use ufm::scalar::{Ball, decide_digits, root_rational, sqrt_rational};

/// Working precisions of the containment tests, far too low on purpose: rounding is then large and often outward.
const PRECS: std::ops::Range<u32> = 2..80;
/// Relative width to which precision is doubled before an enclosure counts as convergent.
const CONVERGED: u32 = 60;
/// Precision at which every expression of these tests must have converged.
const MAX_PREC: u32 = 1 << 13;

fn q(n: i64, d: i64) -> Rational {
    Rational::from((n, d))
}

fn ball(n: i64, d: i64, prec: u32) -> Ball {
    Ball::from_rational(&q(n, d), prec)
}

#[derive(Debug, Clone)]
enum Expr {
    Leaf(Rational),
    Add(Box<Expr>, Box<Expr>),
    Sub(Box<Expr>, Box<Expr>),
    Mul(Box<Expr>, Box<Expr>),
    Div(Box<Expr>, Box<Expr>),
    Neg(Box<Expr>),
    Abs(Box<Expr>),
    Square(Box<Expr>),
    Cube(Box<Expr>),
    Recip(Box<Expr>),
    Max(Box<Expr>, Box<Expr>),
    Min(Box<Expr>, Box<Expr>),
    MulAdd(Box<Expr>, Box<Expr>),
    Pown(Box<Expr>, i32),
    Scale(Box<Expr>, i32),
}

impl Expr {
    /// The exact value; `None` when a divisor is zero.
    fn exact(&self) -> Option<Rational> {
        Some(match self {
            Expr::Leaf(x) => x.clone(),
            Expr::Add(a, b) => a.exact()? + b.exact()?,
            Expr::Sub(a, b) => a.exact()? - b.exact()?,
            Expr::Mul(a, b) => a.exact()? * b.exact()?,
            Expr::Div(a, b) => {
                let b = b.exact()?;
                if b == 0 {
                    return None;
                }
                a.exact()? / b
            }
            Expr::Neg(a) => -a.exact()?,
            Expr::Abs(a) => a.exact()?.abs(),
            Expr::Square(a) => a.exact()?.square(),
            Expr::Cube(a) => a.exact()?.pow(3u32),
            Expr::Recip(a) => {
                let a = a.exact()?;
                if a == 0 {
                    return None;
                }
                a.recip()
            }
            Expr::Max(a, b) => a.exact()?.max(b.exact()?),
            Expr::Min(a, b) => a.exact()?.min(b.exact()?),
            Expr::MulAdd(a, b) => {
                let (a, b) = (a.exact()?, b.exact()?);
                Rational::from(&a * &b) + a
            }
            Expr::Pown(a, n) => {
                let a = a.exact()?;
                if a == 0 && *n < 0 {
                    return None;
                }
                a.pow(*n)
            }
            Expr::Scale(a, e) => {
                let a = a.exact()?;
                if *e >= 0 { a << e.unsigned_abs() } else { a >> e.unsigned_abs() }
            }
        })
    }

    fn ball(&self, prec: u32) -> Ball {
        match self {
            Expr::Leaf(x) => Ball::from_rational(x, prec),
            Expr::Add(a, b) => a.ball(prec) + b.ball(prec),
            Expr::Sub(a, b) => a.ball(prec) - b.ball(prec),
            Expr::Mul(a, b) => a.ball(prec) * b.ball(prec),
            Expr::Div(a, b) => a.ball(prec) / b.ball(prec),
            Expr::Neg(a) => -a.ball(prec),
            Expr::Abs(a) => a.ball(prec).abs(),
            Expr::Square(a) => a.ball(prec).square(),
            Expr::Cube(a) => a.ball(prec).powi(3),
            Expr::Recip(a) => a.ball(prec).recip(),
            Expr::Max(a, b) => a.ball(prec).max(&b.ball(prec)),
            Expr::Min(a, b) => a.ball(prec).min(&b.ball(prec)),
            Expr::MulAdd(a, b) => {
                let a = a.ball(prec);
                a.mul_add(&b.ball(prec), &a)
            }
            Expr::Pown(a, n) => a.ball(prec).pown(*n),
            Expr::Scale(a, e) => a.ball(prec).scale(*e),
        }
    }
}

fn rational() -> impl Strategy<Value = Rational> {
    prop_oneof![(-50i64..50, 1i64..50).prop_map(|(n, d)| q(n, d)), (any::<i64>(), 1i64..i64::MAX).prop_map(|(n, d)| q(n, d))]
}

fn expression() -> impl Strategy<Value = Expr> {
    rational().prop_map(Expr::Leaf).prop_recursive(5, 40, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        let one = || inner.clone().prop_map(Box::new);
        prop_oneof![
            pair().prop_map(|(a, b)| Expr::Add(a, b)),
            pair().prop_map(|(a, b)| Expr::Sub(a, b)),
            pair().prop_map(|(a, b)| Expr::Mul(a, b)),
            pair().prop_map(|(a, b)| Expr::Div(a, b)),
            pair().prop_map(|(a, b)| Expr::Max(a, b)),
            pair().prop_map(|(a, b)| Expr::Min(a, b)),
            pair().prop_map(|(a, b)| Expr::MulAdd(a, b)),
            (one(), -3i32..4).prop_map(|(a, n)| Expr::Pown(a, n)),
            one().prop_map(Expr::Neg),
            one().prop_map(Expr::Abs),
            one().prop_map(Expr::Square),
            one().prop_map(Expr::Cube),
            one().prop_map(Expr::Recip),
            (one(), -40i32..40).prop_map(|(a, e)| Expr::Scale(a, e)),
        ]
    })
}

/// Whether the set is narrower than 2^-CONVERGED times the value (or absolutely, for zero).
fn converged(x: &Ball, exact: &Rational) -> bool {
    let scale = if *exact == 0 { Rational::from(1) } else { exact.clone().abs() };
    match (x.lower_rational(), x.upper_rational()) {
        (Some(lower), Some(upper)) => upper - lower <= scale >> CONVERGED,
        _ => false,
    }
}

/// Directed bracket of a function at four times the precision, widened by nothing: MPFR rounds it correctly.
fn bracket(x: &Rational, prec: u32, f: impl Fn(Float, Round) -> Float) -> (Float, Float) {
    let at = |round| f(Float::with_val_round(4 * prec, x, round).0, round);
    (at(Round::Down), at(Round::Up))
}

type Function = fn(&Ball) -> Ball;

/// Functions without an exact rational value.
const FUNCTIONS: &[(&str, Function)] = &[
    ("sqrt", Ball::sqrt),
    ("root 3", |x| x.root(3)),
    ("root 4", |x| x.root(4)),
    ("exp", Ball::exp),
    ("exp_m1", Ball::exp_m1),
    ("exp2", Ball::exp2),
    ("exp10", Ball::exp10),
    ("ln", Ball::ln),
    ("ln_1p", Ball::ln_1p),
    ("log2", Ball::log2),
    ("log10", Ball::log10),
    ("sin", Ball::sin),
    ("cos", Ball::cos),
    ("tan", Ball::tan),
    ("asin", Ball::asin),
    ("acos", Ball::acos),
    ("atan", Ball::atan),
    ("sinh", Ball::sinh),
    ("cosh", Ball::cosh),
    ("tanh", Ball::tanh),
    ("asinh", Ball::asinh),
    ("acosh", Ball::acosh),
    ("atanh", Ball::atanh),
    ("x^x", |x| x.pow(x)),
    ("hypot(x, x)", |x| x.hypot(x)),
    ("atan2(x, 1 - x)", |x| x.atan2(&(ball(1, 1, x.prec()) - x))),
    ("atan2(1 - x, x)", |x| (ball(1, 1, x.prec()) - x).atan2(x)),
];

type Inverse = (&'static str, Function, Function, fn(&Rational) -> bool);

/// Functions, their inverses, and where inverse ∘ function is the identity.
const INVERSES: &[Inverse] = &[
    ("exp", Ball::exp, Ball::ln, |_| true),
    ("exp_m1", Ball::exp_m1, Ball::ln_1p, |_| true),
    ("exp2", Ball::exp2, Ball::log2, |_| true),
    ("exp10", Ball::exp10, Ball::log10, |_| true),
    ("sin", Ball::sin, Ball::asin, |x| x.clone().abs() <= q(3, 2)),
    ("cos", Ball::cos, Ball::acos, |x| *x >= q(1, 1000) && *x <= q(31, 10)),
    ("tan", Ball::tan, Ball::atan, |x| x.clone().abs() <= q(3, 2)),
    ("sinh", Ball::sinh, Ball::asinh, |_| true),
    ("cosh", Ball::cosh, Ball::acosh, |x| *x >= q(1, 1000)),
    ("tanh", Ball::tanh, Ball::atanh, |x| x.clone().abs() <= 20),
    ("square", Ball::square, Ball::sqrt, |x| *x >= 0),
    ("cube", |x| x.pown(3), |x| x.root(3), |_| true),
    ("x^(3/2)", |x| x.pow(&ball(3, 2, x.prec())), |x| x.square().root(3), |x| *x > 0),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn expressions_enclose_their_exact_value(e in expression(), prec in PRECS) {
        let Some(exact) = e.exact() else { return Ok(()) };
        prop_assert!(e.ball(prec).contains_rational(&exact), "{e:?} at {prec} bits");
        let mut prec = prec;
        loop {
            let x = e.ball(prec);
            prop_assert!(x.known_rational().is_none_or(|known| known == exact), "{e:?} at {prec} bits");
            prop_assert!(x.contains_rational(&exact), "{e:?} at {prec} bits");
            prop_assert!(x.lower() <= x.mid() && x.mid() <= x.upper() || !x.is_finite());
            if converged(&x, &exact) {
                break;
            }
            prop_assert!(prec < MAX_PREC, "{e:?} has not converged: undecided is not an answer here");
            prec *= 2;
        }
    }

    #[test]
    fn operators_enclose_every_pair_of_members(a in rational(), b in rational(), c in rational(), d in rational(), s in 0u32..=8, t in 0u32..=8, prec in PRECS) {
        let (x, y) = (Ball::from_rational(&a, prec).hull(&Ball::from_rational(&b, prec)), Ball::from_rational(&c, prec).hull(&Ball::from_rational(&d, prec)));
        // A member of each hull, between its two generators.
        let between = |a: &Rational, b: &Rational, s: u32| (a * q(s.into(), 8)) + (b * q(i64::from(8 - s), 8));
        let (u, v) = (between(&a, &b, s), between(&c, &d, t));
        prop_assert!((&x + &y).contains_rational(&Rational::from(&u + &v)));
        prop_assert!((&x - &y).contains_rational(&Rational::from(&u - &v)));
        prop_assert!((&x * &y).contains_rational(&Rational::from(&u * &v)));
        if v != 0 {
            prop_assert!((&x / &y).contains_rational(&Rational::from(&u / &v)));
            prop_assert!(y.recip().contains_rational(&v.clone().recip()));
        }
        prop_assert!(x.abs().contains_rational(&u.clone().abs()));
        prop_assert!(x.square().contains_rational(&u.clone().square()));
        prop_assert!(x.powi(4).contains_rational(&u.clone().pow(4u32)));
        prop_assert!(x.powi(5).contains_rational(&u.clone().pow(5u32)));
        prop_assert!(x.max(&y).contains_rational((&u).max(&v)));
        prop_assert!(x.min(&y).contains_rational((&u).min(&v)));
        prop_assert!(x.mul_add(&y, &x).contains_rational(&(Rational::from(&u * &v) + &u)));
        prop_assert!(x.floor().contains_rational(&u.clone().floor()) && x.ceil().contains_rational(&u.clone().ceil()));
        for n in [-3i32, -2, -1, 0, 2, 5] {
            prop_assert!((u == 0 && n < 0) || x.pown(n).contains_rational(&u.clone().pow(n)), "power {n}");
            if u > 0 {
                let power = x.pow(&Ball::from_rational(&Rational::from(n), prec));
                prop_assert!(power.contains_rational(&u.clone().pow(n)), "power {n}");
            }
        }
        let squares = Rational::from(u.square_ref()) + Rational::from(v.square_ref());
        prop_assert!(x.hypot(&y).square().contains_rational(&squares));
        prop_assert_eq!(x.contains(&y), y.hull(&x) == x);
        match x.cmp_certain(&y) {
            Some(order) => prop_assert_eq!(order, u.cmp(&v)),
            None => prop_assert!(x.intersect(&y).is_some()),
        }
    }

    #[test]
    fn roots_enclose(a in rational(), n in 1u32..9, prec in PRECS) {
        let a = a.abs();
        for root in [Ball::from_rational(&a, prec).root(n), root_rational(&a, n, prec)] {
            let (lower, upper) = (root.lower_rational().unwrap(), root.upper_rational().unwrap());
            prop_assert!(lower.clone().pow(n) <= a && a <= upper.clone().pow(n));
            prop_assert!(Rational::from(&upper - &lower) <= upper >> (prec - 2));
        }
        let root = Ball::from_rational(&a, prec).sqrt();
        prop_assert!(root.lower_rational().unwrap().square() <= a && a <= root.upper_rational().unwrap().square());
        // Exact for perfect powers.
        let power = a.clone().pow(n);
        let exact = root_rational(&power, n, 256);
        prop_assert!(exact.contains_rational(&a));
        prop_assert!(exact.is_exact() == Ball::from_rational(&a, 256).is_exact());
    }

    #[test]
    fn exp_and_ln_enclose(a in (-4000i64..4000, 1i64..300).prop_map(|(n, d)| q(n, d)), prec in PRECS) {
        let exp = Ball::from_rational(&a, prec).exp();
        let (low, high) = bracket(&a, prec, |mut x, r| { x.exp_round(r); x });
        prop_assert!(exp.lower() <= low && high <= exp.upper());
        let magnitude = a.clone().abs();
        if magnitude != 0 {
            let ln = Ball::from_rational(&magnitude, prec).ln();
            let (low, high) = bracket(&magnitude, prec, |mut x, r| { x.ln_round(r); x });
            prop_assert!(ln.lower() <= low && high <= ln.upper());
            // Inverse functions meet again.
            prop_assert!(ln.exp().contains_rational(&magnitude));
        }
        let ln = Ball::from_rational(&magnitude, prec).ln_1p();
        let (low, high) = bracket(&magnitude, prec, |mut x, r| { x.ln_1p_round(r); x });
        prop_assert!(ln.lower() <= low && high <= ln.upper());
    }

    #[test]
    fn functions_enclose_every_member_and_converge(
        a in (-4000i64..4000, 1i64..300).prop_map(|(n, d)| q(n, d)),
        b in (-400i64..400, 1i64..300).prop_map(|(n, d)| q(n, d)),
        s in 0u32..=8,
        prec in PRECS,
    ) {
        // A set of up to the width of b around members of both signs, or of nearly no width.
        for width in [b.clone(), Rational::from(&b >> 40)] {
            let end = Rational::from(&a + &width);
            let member = &a + &width * q(s.into(), 8);
            let set = Ball::from_rational(&a, prec).hull(&Ball::from_rational(&end, prec));
            for (name, f) in FUNCTIONS {
                let mut wide = prec;
                let exact = f(&Ball::from_rational(&member, 4 * prec + 200));
                prop_assert!(f(&set).contains(&exact), "{name} of {member} in [{a}, {end}] at {prec} bits");
                if !exact.is_finite() || exact.contains_zero() {
                    continue;
                }
                while f(&Ball::from_rational(&member, wide)).abs().rad() > exact.abs().lower() >> CONVERGED {
                    prop_assert!(wide < MAX_PREC, "{name} of {member} has not converged");
                    wide *= 2;
                }
            }
        }
    }

    #[test]
    fn inverse_functions_meet_at_the_exact_argument(a in (-3000i64..3000, 1i64..3000).prop_map(|(n, d)| q(n, d)), prec in 20u32..120) {
        for (name, f, inverse, within) in INVERSES {
            if !within(&a) {
                continue;
            }
            let mut wide = prec;
            loop {
                let back = inverse(&f(&Ball::from_rational(&a, wide)));
                prop_assert!(back.contains_rational(&a), "{name} at {a}, {wide} bits");
                if converged(&back, &a) {
                    break;
                }
                prop_assert!(wide < MAX_PREC, "{name} at {a} has not converged");
                wide *= 2;
            }
        }
    }

    #[test]
    fn printed_digits_of_roots_are_certain(a in rational(), digits in 1u32..60) {
        let a = a.abs();
        let Some(text) = decide_digits(digits, MAX_PREC, |prec| Ball::from_rational(&a, prec).sqrt()) else {
            // A root on a tie is rational.
            prop_assert!(root_rational(&a, 2, 4096).is_exact() || root_rational(&a, 2, 4096).known_rational().is_some());
            return Ok(());
        };
        // Half a unit of the last digit, from the number of digits and the place of the leading one.
        let shown = ufm::scalar::parse_decimal(&text).unwrap();
        let mut unit = Rational::from(1);
        while shown != 0 && Rational::from(&shown / &unit) >= 10 { unit *= 10u32; }
        while shown != 0 && shown < unit { unit /= 10u32; }
        let half = unit / Rational::from(Integer::from(Integer::u_pow_u(10, digits - 1))) / 2u32;
        prop_assert!((shown.clone() - &half).max(Rational::new()).square() <= a && a <= (shown + &half).square(), "{text} for the root of {a}");
    }

    #[test]
    fn printed_digits_are_those_of_the_exact_value(a in rational(), digits in 1u32..40) {
        if a == 0 {
            return Ok(());
        }
        // Ties too are decided: the ball knows which rational it stands for.
        let text = decide_digits(digits, MAX_PREC, |prec| Ball::from_rational(&a, prec)).unwrap();
        let shown = ufm::scalar::parse_decimal(&text).unwrap();
        // Within half a unit of the last digit, whose place the leading digit gives.
        let relative = Rational::from(&shown - &a).abs() / a.clone().abs();
        prop_assert!(relative <= Rational::from((Integer::from(1), Integer::from(Integer::u_pow_u(10, digits - 1)) * 2u32)), "{text} for {a}");
        let x = Ball::from_rational(&a, 30);
        prop_assert!(ufm::scalar::parse_decimal(&x.upper_decimal(digits)).unwrap() >= a);
        prop_assert!(ufm::scalar::parse_decimal(&x.lower_decimal(digits)).unwrap() <= a);
    }
}

#[test]
fn exact_values_stay_exact() {
    assert!(sqrt_rational(&q(9, 4), 53).is_exact());
    assert!(root_rational(&q(-8, 1), 2, 53).lower() == f64::NEG_INFINITY);
    assert_eq!(sqrt_rational(&q(1, 100), 64), ball(1, 10, 64));
    assert!(!sqrt_rational(&q(2, 1), 64).is_exact());
    assert_eq!(ball(3, 4, 8).cmp_certain(&ball(3, 4, 64)), Some(Ordering::Equal));
    assert_eq!(ball(1, 3, 8).cmp_certain(&ball(1, 3, 8)), None);
    assert_eq!(ball(1, 1, 8).intersect(&ball(2, 1, 8)), None);
}
