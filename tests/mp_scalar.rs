//! `Mp` is correctly rounded arithmetic: against exact rationals, and IEEE 754 where a rational cannot follow.

use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Rem, RemAssign, Sub, SubAssign};

use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use num_traits::{FromPrimitive, Inv, MulAdd, Num, One, Signed, ToPrimitive, Zero};
use proptest::prelude::*;
use rug::{Float, Integer, Rational};
use ufm::scalar::{Mp, PRECISIONS, PrecisionError};

/// A number of `P` bits: `significand · 2^exponent`, of either sign.
fn number<const P: u32>() -> impl Strategy<Value = Mp<P>> {
    (prop::collection::vec(any::<u64>(), (P / 64) as usize), any::<bool>(), -200..200i32).prop_map(|(digits, negative, exponent)| {
        let significand = Integer::from_digits(&digits, rug::integer::Order::Lsf);
        let x = Mp::<P>::from(&significand) << exponent;
        assert_eq!(x.as_float().to_rational().unwrap(), Rational::from(significand) << exponent);
        if negative { -x } else { x }
    })
}

fn exact<const P: u32>(x: &Mp<P>) -> Rational {
    x.as_float().to_rational().unwrap()
}

/// Nearest to a rational, ties to even, found without MPFR's conversion of rationals: the quotient of integers with P bits.
fn nearest<const P: u32>(x: &Rational) -> Rational {
    if x.is_zero() {
        return Rational::new();
    }
    let bits = |i: &Integer| i.significant_bits() as i32;
    let mut exponent = bits(x.numer()) - bits(x.denom()) - P as i32;
    loop {
        let scaled = Rational::from(x >> exponent);
        let (fraction, mut integer) = scaled.fract_floor(Integer::new());
        let half = Rational::from((1, 2));
        if fraction > half || (fraction == half && integer.is_odd()) {
            integer += 1;
        }
        // One bit more than P, unless that is the power of two 2^P.
        if bits(&integer) > P as i32 && !integer.clone().abs().is_power_of_two() {
            exponent += 1;
            continue;
        }
        return Rational::from(integer) << exponent;
    }
}

/// The four owned and borrowed forms, and the two that assign.
macro_rules! forms {
    ($a:expr, $b:expr, $op:ident, $assign:ident) => {{
        let (a, b): (&Mp<P>, &Mp<P>) = ($a, $b);
        let (mut owned, mut borrowed) = (a.clone(), a.clone());
        owned.$assign(b.clone());
        borrowed.$assign(b);
        [a.clone().$op(b.clone()), a.clone().$op(b), a.$op(b.clone()), a.$op(b), owned, borrowed]
    }};
}

fn arithmetic<const P: u32>(a: &Mp<P>, b: &Mp<P>, c: &Mp<P>) {
    let (x, y, z) = (exact(a), exact(b), exact(c));
    let check = |forms: [Mp<P>; 6], value: Rational| {
        let rounded = nearest::<P>(&value);
        for result in forms {
            assert_eq!(result.as_float().prec(), P);
            assert_eq!(exact(&result), rounded);
        }
    };
    check(forms!(a, b, add, add_assign), Rational::from(&x + &y));
    check(forms!(a, b, sub, sub_assign), Rational::from(&x - &y));
    check(forms!(a, b, mul, mul_assign), Rational::from(&x * &y));
    if !b.is_zero() {
        check(forms!(a, b, div, div_assign), Rational::from(&x / &y));
        let truncated = Rational::from(&x / &y).trunc();
        check(forms!(a, b, rem, rem_assign), &x - Rational::from(&truncated * &y));
        assert_eq!(exact(&b.clone().inv()), nearest::<P>(&y.clone().recip()));
    }
    assert_eq!(exact(&a.clone().mul_add(b.clone(), c.clone())), nearest::<P>(&(Rational::from(&x * &y) + &z)));
    assert_eq!(exact(&-a), Rational::from(-&x));
    assert_eq!(exact(&-a.clone()), Rational::from(-&x));
    assert_eq!(exact(&a.abs()), x.clone().abs());
    assert_eq!(exact(&a.abs_sub(b)), nearest::<P>(&if x > y { Rational::from(&x - &y) } else { Rational::new() }));
    assert_eq!(a.partial_cmp(b), x.partial_cmp(&y));
    assert_eq!(a == b, x == y);
    assert_eq!(Mp::<P>::from(&x), *a);
    assert_eq!(a.to_string().parse::<Mp<P>>().unwrap(), *a, "the printed digits identify the number");
    assert_eq!([a.clone(), b.clone(), c.clone()].into_iter().sum::<Mp<P>>(), &(a + b) + c);
    assert_eq!([a.clone(), b.clone(), c.clone()].into_iter().product::<Mp<P>>(), &(a * b) * c);
    let root = faer::traits::math_utils::sqrt(&a.abs());
    // √|x| lies between the squares of the neighbours' midpoints.
    let (below, above) = midpoints(&root);
    assert!(below.square() <= x.clone().abs() && x.abs() <= above.square());
}

fn midpoints<const P: u32>(x: &Mp<P>) -> (Rational, Rational) {
    let (mut down, mut up) = (x.as_float().clone(), x.as_float().clone());
    down.next_down();
    up.next_up();
    if x.is_zero() {
        return (Rational::new(), Rational::new());
    }
    let half = |a: &Float| (a.to_rational().unwrap() + exact(x)) >> 1;
    (half(&down), half(&up))
}

/// Operands near each other, so that sums cancel; of far exponents; equal; and ties: x + half an ulp of x.
fn close<const P: u32>(a: &Mp<P>) -> Vec<Mp<P>> {
    let mut up = a.as_float().clone();
    up.next_up();
    let half_ulp = match a.as_float().get_exp() {
        Some(exponent) => Mp::<P>::from(1) << (exponent - P as i32 - 1),
        None => Mp::from(1),
    };
    vec![a.clone(), -a, Mp::from(up), half_ulp.clone(), -half_ulp, Mp::from(0), Mp::from(3)]
}

macro_rules! arithmetic_at {
    ($($name:ident $P:literal;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $name(a in number::<$P>(), b in number::<$P>(), c in number::<$P>()) {
                    arithmetic(&a, &b, &c);
                    for b in close(&a) {
                        arithmetic(&a, &b, &c);
                    }
                }
            )*
        }
    };
}
arithmetic_at! {
    rounds_as_rationals_64 64;
    rounds_as_rationals_128 128;
    rounds_as_rationals_256 256;
    rounds_as_rationals_1024 1024;
}

type M = Mp<128>;

fn m(x: f64) -> M {
    M::from(x)
}

/// What IEEE 754 says of NaN, infinities and the signs of zeros holds for `f64`, so `f64` is the reference: its results on these
/// operands are exact.
#[test]
fn special_values_follow_ieee_754() {
    let values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let same =
        |x: &M, y: f64| (x.as_float().is_nan() && y.is_nan()) || (*x == m(y) && x.as_float().is_sign_negative() == y.is_sign_negative());
    for x in values {
        for y in values {
            let (a, b) = (m(x), m(y));
            assert!(same(&(&a + &b), x + y) && same(&(a.clone() + &b), x + y) && same(&(&a + b.clone()), x + y), "{x} + {y}");
            assert!(same(&(&a - &b), x - y) && same(&(a.clone() - &b), x - y) && same(&(&a - b.clone()), x - y), "{x} - {y}");
            assert!(same(&(&a * &b), x * y) && same(&(a.clone() * &b), x * y) && same(&(&a * b.clone()), x * y), "{x} * {y}");
            assert!(same(&(&a / &b), x / y) && same(&(a.clone() / &b), x / y) && same(&(&a / b.clone()), x / y), "{x} / {y}");
            assert!(same(&(&a % &b), x % y) && same(&(a.clone() % &b), x % y) && same(&(&a % b.clone()), x % y), "{x} % {y}");
            assert_eq!(a.partial_cmp(&b), x.partial_cmp(&y));
            assert_eq!(a == b, x == y);
            assert!(same(&nalgebra::RealField::max(a.clone(), b.clone()).abs(), x.max(y).abs()));
            assert!(same(&nalgebra::RealField::copysign(a.clone(), b.clone()), x.copysign(y)) || y.is_nan());
            assert_eq!(a.relative_eq(&b, m(0.0), m(0.0)), x == y);
            assert_eq!(a.ulps_eq(&b, m(0.0), 0), x == y);
        }
        let a = m(x);
        assert!(same(&-&a, -x) && same(&-a.clone(), -x));
        assert!(same(&Signed::signum(&a), x.signum()) && same(&a.abs(), x.abs()));
        assert!(same(&faer::traits::math_utils::sqrt(&a), x.sqrt()) || x == 2.0);
        assert!(same(&faer::traits::math_utils::recip(&a), x.recip()));
        assert_eq!(faer::traits::math_utils::is_finite(&a), x.is_finite());
        assert_eq!(faer::traits::math_utils::is_nan(&a), x.is_nan());
        assert_eq!(nalgebra::ComplexField::is_finite(&a), x.is_finite());
        assert_eq!(a.is_zero(), x == 0.0);
        assert_eq!((a.is_positive(), a.is_negative()), (x > 0.0, x < 0.0));
    }
}

#[test]
fn overflows_to_infinity_and_underflows_to_zero() {
    let largest = <M as nalgebra::RealField>::max_value().unwrap();
    assert!(nalgebra::ComplexField::is_finite(&largest));
    assert_eq!(&largest + &largest, m(f64::INFINITY));
    assert_eq!(-&largest, <M as nalgebra::RealField>::min_value().unwrap());
    let tiny = <M as faer::traits::RealField>::min_positive_impl();
    let square = &tiny * &tiny;
    assert!(square > m(0.0), "faer squares its smallest number");
    assert!((&(&square * &square) * &square).is_zero());
}

#[test]
fn parses_what_it_prints_and_no_more() {
    for text in ["", " ", "x", "1e", "--1", "0x10", "1.2.3", "1 2", "1 ", "\t1"] {
        assert!(text.parse::<M>().is_err(), "{text:?}");
    }
    assert_eq!("0.1".parse::<M>().unwrap(), M::from(&Rational::from((1, 10))));
    assert_eq!("-1.5e3".parse::<M>().unwrap(), m(-1500.0));
    assert_eq!("inf".parse::<M>().unwrap(), m(f64::INFINITY));
    assert_eq!("-inf".parse::<M>().unwrap(), m(f64::NEG_INFINITY));
    assert!("nan".parse::<M>().unwrap().as_float().is_nan());
    assert_eq!("1e9999999999999999999".parse::<M>().unwrap(), m(f64::INFINITY));
    assert_eq!(M::from_str_radix("ff", 16).unwrap(), m(255.0));
    for radix in [0, 1, 37, u32::MAX] {
        assert_eq!(M::from_str_radix("1", radix).unwrap_err().to_string(), format!("radix {radix} is not between 2 and 36"));
    }
    for x in [m(0.0), m(-0.0), m(f64::INFINITY), m(f64::NEG_INFINITY), m(0.1), <M as nalgebra::RealField>::max_value().unwrap()] {
        let back: M = x.to_string().parse().unwrap();
        assert_eq!((back.as_float().is_sign_negative(), &back), (x.as_float().is_sign_negative(), &x));
    }
    assert_eq!(format!("{:.3}", m(2.0)), "2.00");
}

#[test]
fn converts_exactly_or_to_nearest() {
    let third = Rational::from((1, 3));
    let wide = Mp::<512>::from(&third);
    assert_eq!(exact(&Mp::<256>::from(wide.as_float())), nearest::<256>(&exact(&wide)));
    assert_eq!(Mp::<256>::from(wide.as_float()), Mp::<256>::from(wide.clone().into_inner()));
    assert_eq!(Mp::<512>::from(Float::with_val(24, 0.5)).as_float().prec(), 512);
    assert_eq!(Float::from(wide.clone()), wide.into_inner());
    for x in [0.1, -1e300, f64::MIN_POSITIVE, f64::from_bits(1), f64::MAX] {
        assert_eq!(Mp::<53>::from(x).to_f64(), Some(x));
    }
    assert_eq!(m(0.1f32.into()), M::from(0.1f32));
    assert_eq!(exact(&Mp::<53>::from(u64::MAX)), Rational::from(1) << 64);
    assert_eq!(M::from(i64::MIN), -(M::from(1) << 63));
    assert_eq!(M::from_i128(i128::MIN), Some(-(M::from(1) << 127)));
    assert_eq!(M::from_u128(u128::MAX).unwrap().to_u128(), Some(u128::MAX));
    assert_eq!(m(-2.9).to_i64(), Some(-2));
    assert_eq!(m(-0.9).to_u64(), Some(0));
    assert_eq!(m(-1.0).to_u64(), None);
    assert_eq!(M::from(i64::MIN).to_i64(), Some(i64::MIN));
    assert_eq!((M::from(1) << 63).to_i64(), None);
    assert_eq!((M::from(1) << 127).to_i128(), None);
    assert_eq!((-(M::from(1) << 127)).to_i128(), Some(i128::MIN));
    assert_eq!((M::from(1) << (1 << 29)).to_i128(), None);
    assert_eq!(m(f64::NAN).to_i64(), None);
    assert_eq!(m(f64::INFINITY).to_u128(), None);
    assert_eq!(<M as num_traits::NumCast>::from(u64::MAX), Some(M::from(u64::MAX)));
    assert_eq!(<M as num_traits::NumCast>::from(0.1), Some(m(0.1)));
    assert_eq!(<M as num_traits::NumCast>::from(1e300), Some(m(1e300)));
    assert_eq!((M::zero(), M::one(), M::default()), (m(0.0), m(1.0), m(0.0)));
    assert_eq!(M::epsilon(), M::from(1) >> 127);
}

/// simba's constants against MPFR at twice the precision: at most the last bit differs.
#[test]
fn constants_are_right_to_the_last_bit() {
    use nalgebra::RealField as R;
    use rug::float::Constant;
    let pi = Float::with_val(512, Constant::Pi);
    let e = Float::with_val(512, 1).exp();
    let cases: [(M, Float); 15] = [
        (R::pi(), pi.clone()),
        (R::two_pi(), pi.clone() * 2),
        (R::frac_pi_2(), pi.clone() / 2),
        (R::frac_pi_3(), pi.clone() / 3),
        (R::frac_pi_4(), pi.clone() / 4),
        (R::frac_pi_6(), pi.clone() / 6),
        (R::frac_pi_8(), pi.clone() / 8),
        (R::frac_1_pi(), pi.clone().recip()),
        (R::frac_2_pi(), pi.clone().recip() * 2),
        (R::frac_2_sqrt_pi(), pi.sqrt().recip() * 2),
        (R::e(), e.clone()),
        (R::log2_e(), e.clone().log2()),
        (R::log10_e(), e.log10()),
        (R::ln_2(), Float::with_val(512, 2).ln()),
        (R::ln_10(), Float::with_val(512, 10).ln()),
    ];
    for (constant, value) in cases {
        assert_eq!(constant, M::from(&value));
    }
}

#[test]
fn functions_of_simba_are_those_of_mpfr() {
    use nalgebra::{ComplexField as C, RealField as R};
    let (x, y) = (m(0.7), m(-0.3));
    let (fx, fy) = (x.clone().into_inner(), y.clone().into_inner());
    let cases = [
        (C::sin(x.clone()), fx.clone().sin()),
        (C::sin_cos(x.clone()).1, fx.clone().cos()),
        (C::exp(x.clone()), fx.clone().exp()),
        (C::ln(x.clone()), fx.clone().ln()),
        (C::cbrt(x.clone()), fx.clone().cbrt()),
        (C::hypot(x.clone(), y.clone()), fx.clone().hypot(&fy)),
        (C::powf(x.clone(), y.clone()), Float::with_val(128, rug::ops::Pow::pow(&fx, &fy))),
        (C::powi(x.clone(), -3), Float::with_val(128, rug::ops::Pow::pow(&fx, -3))),
        (R::atan2(x.clone(), y.clone()), fx.clone().atan2(&fy)),
        (C::log(x.clone(), m(2.0)), fx.clone().ln() / Float::with_val(128, 2).ln()),
        (C::modulus(y.clone()), fy.clone().abs()),
        (C::modulus_squared(y.clone()), fy.clone().square()),
        (C::argument(y.clone()), Float::with_val(128, rug::float::Constant::Pi)),
        (C::argument(x.clone()), Float::new(128)),
        (R::clamp(x.clone(), m(0.0), m(0.5)), Float::with_val(128, 0.5)),
        (R::clamp(y.clone(), m(0.0), m(0.5)), Float::new(128)),
        (C::fract(m(-1.25)), Float::with_val(128, -0.25)),
        (C::round(m(2.5)), Float::with_val(128, 3)),
    ];
    for (ours, mpfr) in cases {
        assert_eq!(ours, Mp::from(mpfr));
    }
    assert_eq!(C::try_sqrt(m(-1.0)), None);
    assert_eq!(C::try_sqrt(m(4.0)), Some(m(2.0)));
}

#[test]
fn approximate_comparisons_measure_what_they_say() {
    let one = m(1.0);
    let next = &one + &M::epsilon();
    assert!(one.abs_diff_eq(&next, M::epsilon()) && !one.abs_diff_eq(&next, M::epsilon() >> 1));
    let (big, far) = (m(1e30), m(1e30) * (&one + &(M::epsilon() << 3)));
    assert!(big.relative_eq(&far, m(0.0), M::epsilon() << 4) && !big.relative_eq(&far, m(0.0), M::epsilon() << 2));
    assert!(one.ulps_eq(&next, m(0.0), 1));
    assert!(!one.ulps_eq(&(&next + &M::epsilon()), m(0.0), 1));
    assert!(!m(1e-300).ulps_eq(&m(-1e-300), m(0.0), u32::MAX));
}

#[test]
fn a_runtime_precision_picks_the_smallest_type_that_holds_it() {
    let picked = |bits: u32| ufm::with_precision!(bits, P => P);
    let mut smaller = 0;
    for precision in PRECISIONS {
        assert_eq!(picked(smaller + 1), Ok(precision));
        assert_eq!(picked(precision), Ok(precision));
        smaller = precision;
    }
    assert_eq!(picked(0), Ok(PRECISIONS[0]));
    assert_eq!(picked(smaller + 1), Err(PrecisionError { bits: smaller + 1 }));
}
