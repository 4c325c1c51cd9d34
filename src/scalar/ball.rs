//! Rigorous enclosures over MPFR.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Sub};

use rug::{Float, Integer, Rational, float::Round, ops::Pow};

/// A set of real numbers [lower, upper] that contains the exact value it stands for.
///
/// Guarantee: every operation encloses the exact result for every choice of operands in their sets. Each bound is one MPFR operation
/// on exact operands, rounded once, in its own direction; the rounding mode of the machine is never touched. What is undefined (a
/// NaN, the root of a negative number, a division by a set that contains zero) becomes the whole line, never a small set.
///
/// ```
/// use ufm::scalar::{Ball, Rational};
/// let third = Ball::from_rational(&Rational::from((1, 3)), 64);
/// assert!(third.contains_rational(&Rational::from((1, 3))));
/// assert_eq!((&third * &Ball::from_f64(3.0, 64)).to_decimal(15).unwrap(), "1.00000000000000");
/// ```
#[derive(Debug, Clone)]
pub struct Ball {
    // Invariant: neither is NaN, both have one precision, lower <= upper, lower < inf, upper > -inf.
    lower: Float,
    upper: Float,
    // The number this set stands for, where it is known to be this rational. It decides the digits of a tie, such as 0.15 to one
    // digit, which no width but zero can; the bounds never depend on it.
    known: Option<Box<Rational>>,
}

/// Equal as sets.
impl PartialEq for Ball {
    fn eq(&self, other: &Ball) -> bool {
        self.lower == other.lower && self.upper == other.upper
    }
}

/// Rationals beyond this many bits are no longer carried along: a decimal on a tie has few digits.
const KNOWN_BITS: u32 = 2048;

/// Bounds beyond 2^±this are not written out as rationals, which would take megabytes each.
const MAX_EXPONENT: u32 = 1 << 24;

fn to_rational(x: &Float) -> Option<Rational> {
    if x.get_exp().is_some_and(|e| e.unsigned_abs() > MAX_EXPONENT) { None } else { x.to_rational() }
}

impl Ball {
    /// The set between two bounds; the whole line when one is NaN, they are out of order, or nothing real lies between.
    fn new(lower: Float, upper: Float) -> Self {
        let real = lower <= upper && lower != f64::INFINITY && upper != f64::NEG_INFINITY;
        if real { Ball { lower, upper, known: None } } else { Ball::whole(upper.prec()) }
    }

    /// The same set, standing for a known rational that lies in it.
    fn knowing(mut self, value: &Rational) -> Self {
        let small = value.numer().significant_bits() <= KNOWN_BITS && value.denom().significant_bits() <= KNOWN_BITS;
        self.known = (small && self.is_finite() && !self.is_exact()).then(|| Box::new(value.clone()));
        self
    }

    /// The rational this set stands for, where that is known: its only member, or what [`Ball::from_rational`] was given and sums,
    /// products and quotients of such.
    pub fn known_rational(&self) -> Option<Rational> {
        match &self.known {
            Some(value) => Some((**value).clone()),
            None if self.is_exact() && self.lower.get_exp().is_none_or(|e| e.unsigned_abs() <= KNOWN_BITS) => self.lower.to_rational(),
            None => None,
        }
    }

    /// An operation on two sets, and on the rationals they stand for when one of them is known beyond its bounds.
    fn operate(a: &Ball, b: &Ball, set: impl Fn(&Ball, &Ball) -> Ball, exact: impl Fn(Rational, Rational) -> Rational) -> Ball {
        let result = set(a, b);
        if (a.known.is_none() && b.known.is_none()) || !result.is_finite() {
            return result;
        }
        match (a.known_rational(), b.known_rational()) {
            (Some(x), Some(y)) => result.knowing(&exact(x, y)),
            _ => result,
        }
    }

    fn rounded(prec: u32, value: impl Copy + Fn(Round) -> Float) -> Self {
        debug_assert_eq!(value(Round::Down).prec(), prec);
        Ball::new(value(Round::Down), value(Round::Up))
    }

    /// The same set at another precision, bounds rounded outwards.
    pub(crate) fn rounded_out(&self, prec: u32) -> Self {
        Ball::new(Float::with_val_round(prec, &self.lower, Round::Down).0, Float::with_val_round(prec, &self.upper, Round::Up).0)
    }

    /// The real line.
    pub fn whole(prec: u32) -> Self {
        Ball { lower: Float::with_val(prec, f64::NEG_INFINITY), upper: Float::with_val(prec, f64::INFINITY), known: None }
    }

    /// Zero, exactly.
    pub fn zero(prec: u32) -> Self {
        Ball { lower: Float::new(prec), upper: Float::new(prec), known: None }
    }

    /// A float, exactly; the whole line when it is not finite.
    pub fn exact(value: Float) -> Self {
        if value.is_finite() { Ball { upper: value.clone(), lower: value, known: None } } else { Ball::whole(value.prec()) }
    }

    /// The two neighbours of a rational (one, when it is representable).
    pub fn from_rational(value: &Rational, prec: u32) -> Self {
        Ball::rounded(prec, |round| Float::with_val_round(prec, value, round).0).knowing(value)
    }

    /// The two neighbours of an integer (one, when it is representable).
    pub fn from_integer(value: &Integer, prec: u32) -> Self {
        Ball::rounded(prec, |round| Float::with_val_round(prec, value, round).0)
    }

    /// A double; the whole line when it is not finite.
    pub fn from_f64(value: f64, prec: u32) -> Self {
        Ball::rounded(prec, |round| Float::with_val_round(prec, value, round).0)
    }

    /// Precision of the bounds in bits.
    pub fn prec(&self) -> u32 {
        self.lower.prec()
    }

    /// A point near the middle of the set; zero for the whole line.
    pub fn mid(&self) -> Float {
        if !self.is_finite() {
            return Float::new(self.prec());
        }
        // Halves first: the sum of two large bounds overflows.
        let half = Float::with_val(self.prec() + 1, &self.lower >> 1u32);
        half + Float::with_val(self.prec() + 1, &self.upper >> 1u32)
    }

    /// A number at most every member.
    pub fn lower(&self) -> Float {
        self.lower.clone()
    }

    /// A number at least every member.
    pub fn upper(&self) -> Float {
        self.upper.clone()
    }

    /// [`Ball::lower`] as a rational; `None` when it is infinite or beyond 2^±(2^24).
    pub fn lower_rational(&self) -> Option<Rational> {
        to_rational(&self.lower)
    }

    /// [`Ball::upper`] as a rational; `None` when it is infinite or beyond 2^±(2^24).
    pub fn upper_rational(&self) -> Option<Rational> {
        to_rational(&self.upper)
    }

    /// An upper bound on the distance of any member from [`Ball::mid`].
    pub fn rad(&self) -> Float {
        Float::with_val_round(64, &self.upper - &self.lower, Round::Up).0
    }

    /// One number only.
    pub fn is_exact(&self) -> bool {
        self.lower == self.upper
    }

    /// Both bounds are finite.
    pub fn is_finite(&self) -> bool {
        self.lower.is_finite() && self.upper.is_finite()
    }

    /// Whether the rational is a member.
    pub fn contains_rational(&self, value: &Rational) -> bool {
        self.lower <= *value && self.upper >= *value
    }

    /// Whether zero is a member.
    pub fn contains_zero(&self) -> bool {
        self.lower <= 0 && self.upper >= 0
    }

    /// Every member is positive.
    pub fn is_positive(&self) -> bool {
        self.lower > 0
    }

    /// Every member is negative.
    pub fn is_negative(&self) -> bool {
        self.upper < 0
    }

    /// The order of every pair of members, when all pairs have the same.
    pub fn cmp_certain(&self, other: &Ball) -> Option<Ordering> {
        if self.upper < other.lower {
            Some(Ordering::Less)
        } else if self.lower > other.upper {
            Some(Ordering::Greater)
        } else {
            (self.is_exact() && other.is_exact()).then_some(Ordering::Equal)
        }
    }

    /// The smallest set that contains both.
    pub fn hull(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let (a, b) = (&self.lower, &other.lower);
        let (c, d) = (&self.upper, &other.upper);
        Ball::new(Float::with_val(prec, if a <= b { a } else { b }), Float::with_val(prec, if c >= d { c } else { d }))
    }

    /// What two enclosures of one number leave: `None` when they are disjoint.
    pub fn intersect(&self, other: &Ball) -> Option<Ball> {
        let prec = self.prec().max(other.prec());
        let lower = Float::with_val(prec, if self.lower >= other.lower { &self.lower } else { &other.lower });
        let upper = Float::with_val(prec, if self.upper <= other.upper { &self.upper } else { &other.upper });
        (lower <= upper).then_some(Ball { lower, upper, known: None })
    }

    /// |x|.
    pub fn abs(&self) -> Ball {
        if self.lower >= 0 {
            self.clone()
        } else if self.upper <= 0 {
            -self
        } else {
            let magnitude = Float::with_val(self.prec(), -&self.lower);
            Ball { lower: Float::new(self.prec()), upper: if magnitude > self.upper { magnitude } else { self.upper.clone() }, known: None }
        }
    }

    /// x², never negative (unlike the product of a set with itself).
    pub fn square(&self) -> Ball {
        let x = self.abs();
        let prec = self.prec();
        let square = |x: &Float, round| Float::with_val_round(prec, x.square_ref(), round).0;
        Ball::new(square(&x.lower, Round::Down), square(&x.upper, Round::Up))
    }

    /// An increasing function, bound by bound.
    fn increasing(&self, f: impl Fn(&Float, Round) -> Float) -> Ball {
        Ball::new(f(&self.lower, Round::Down), f(&self.upper, Round::Up))
    }

    /// √x; the whole line when a member is negative.
    pub fn sqrt(&self) -> Ball {
        if self.lower < 0 {
            return Ball::whole(self.prec());
        }
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.sqrt_ref(), round).0)
    }

    /// x^{1/n}, n >= 1; the whole line when a member is negative.
    pub fn root(&self, n: u32) -> Ball {
        if self.lower < 0 || n == 0 {
            return Ball::whole(self.prec());
        }
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.root_ref(n), round).0)
    }

    /// eˣ.
    pub fn exp(&self) -> Ball {
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.exp_ref(), round).0)
    }

    /// ln x; the whole line when a member is not positive.
    pub fn ln(&self) -> Ball {
        if self.lower <= 0 {
            return Ball::whole(self.prec());
        }
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.ln_ref(), round).0)
    }

    /// ln(1 + x), without cancellation near zero; the whole line when a member is at most −1.
    pub fn ln_1p(&self) -> Ball {
        if self.lower <= -1 {
            return Ball::whole(self.prec());
        }
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.ln_1p_ref(), round).0)
    }

    /// The larger of two numbers.
    pub fn max(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let max = |a: &Float, b: &Float| Float::with_val(prec, if a >= b { a } else { b });
        Ball::new(max(&self.lower, &other.lower), max(&self.upper, &other.upper))
    }

    /// 1/x; the whole line when zero is a member.
    pub fn recip(&self) -> Ball {
        if self.contains_zero() {
            return Ball::whole(self.prec());
        }
        let recip = |x: &Float, round| Float::with_val_round(self.prec(), x.recip_ref(), round).0;
        Ball::new(recip(&self.upper, Round::Down), recip(&self.lower, Round::Up))
    }

    /// xⁿ.
    pub fn powi(&self, n: u32) -> Ball {
        let prec = self.prec();
        let power = |x: &Float, round| Float::with_val_round(prec, x.pow(n), round).0;
        let x = if n.is_multiple_of(2) { self.abs() } else { self.clone() };
        Ball::new(power(&x.lower, Round::Down), power(&x.upper, Round::Up))
    }

    /// x · 2^e.
    pub fn scale(&self, e: i32) -> Ball {
        let prec = self.prec();
        let scale = |x: &Float, round| {
            if e >= 0 {
                Float::with_val_round(prec, x << e.unsigned_abs(), round).0
            } else {
                Float::with_val_round(prec, x >> e.unsigned_abs(), round).0
            }
        };
        self.increasing(scale)
    }

    fn add(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let add = |a: &Float, b: &Float, round| Float::with_val_round(prec, a + b, round).0;
        Ball::new(add(&self.lower, &other.lower, Round::Down), add(&self.upper, &other.upper, Round::Up))
    }

    /// Bounds of the product by the signs of the factors (P: lower >= 0, N: upper <= 0, M: both signs):
    ///
    /// ```text
    ///        b: P               N               M
    /// a: P   [al bl, ah bh]     [ah bl, al bh]  [ah bl, ah bh]
    ///    N   [al bh, ah bl]     [ah bh, al bl]  [al bh, al bl]
    ///    M   [al bh, ah bh]     [ah bl, al bl]  [min(al bh, ah bl), max(al bl, ah bh)]
    /// ```
    fn mul(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let times = |a: &Float, b: &Float, round| {
            // 0 · ∞ stands for products of zero with large finite numbers: zero.
            if a.is_zero() || b.is_zero() { Float::new(prec) } else { Float::with_val_round(prec, a * b, round).0 }
        };
        let (al, ah, bl, bh) = (&self.lower, &self.upper, &other.lower, &other.upper);
        let sign = |l: &Float, h: &Float| i32::from(*l >= 0) - i32::from(*l < 0 && *h <= 0);
        let ((a, b), (c, d)) = match (sign(al, ah), sign(bl, bh)) {
            (1, 1) => ((al, bl), (ah, bh)),
            (1, -1) => ((ah, bl), (al, bh)),
            (1, _) => ((ah, bl), (ah, bh)),
            (-1, 1) => ((al, bh), (ah, bl)),
            (-1, -1) => ((ah, bh), (al, bl)),
            (-1, _) => ((al, bh), (al, bl)),
            (_, 1) => ((al, bh), (ah, bh)),
            (_, -1) => ((ah, bl), (al, bl)),
            _ => {
                let (x, y) = (times(al, bh, Round::Down), times(ah, bl, Round::Down));
                let (u, v) = (times(al, bl, Round::Up), times(ah, bh, Round::Up));
                return Ball::new(if x <= y { x } else { y }, if u >= v { u } else { v });
            }
        };
        Ball::new(times(a, b, Round::Down), times(c, d, Round::Up))
    }

    /// Bounds of the quotient: for a positive divisor each bound of `self` over the bound of the divisor that pushes it outwards.
    fn div(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        if other.contains_zero() || !other.is_finite() || !self.is_finite() {
            return Ball::whole(prec);
        }
        if other.is_negative() {
            return Ball::div(&-self, &-other);
        }
        let (bl, bh) = (&other.lower, &other.upper);
        let lower = Float::with_val_round(prec, &self.lower / if self.lower >= 0 { bh } else { bl }, Round::Down).0;
        let upper = Float::with_val_round(prec, &self.upper / if self.upper >= 0 { bl } else { bh }, Round::Up).0;
        Ball::new(lower, upper)
    }
}

impl Neg for &Ball {
    type Output = Ball;
    fn neg(self) -> Ball {
        let known = self.known.as_ref().map(|q| Box::new(Rational::from(-&**q)));
        Ball { lower: Float::with_val(self.prec(), -&self.upper), upper: Float::with_val(self.prec(), -&self.lower), known }
    }
}

impl Neg for Ball {
    type Output = Ball;
    fn neg(self) -> Ball {
        -&self
    }
}

macro_rules! operators {
    ($($trait:ident $name:ident |$a:ident, $b:ident| $body:expr;)*) => {$(
        impl $trait<&Ball> for &Ball {
            type Output = Ball;
            fn $name(self, other: &Ball) -> Ball {
                let ($a, $b) = (self, other);
                $body
            }
        }
        impl $trait<Ball> for &Ball {
            type Output = Ball;
            fn $name(self, other: Ball) -> Ball {
                $trait::$name(self, &other)
            }
        }
        impl $trait<&Ball> for Ball {
            type Output = Ball;
            fn $name(self, other: &Ball) -> Ball {
                $trait::$name(&self, other)
            }
        }
        impl $trait<Ball> for Ball {
            type Output = Ball;
            fn $name(self, other: Ball) -> Ball {
                $trait::$name(&self, &other)
            }
        }
    )*};
}

operators! {
    Add add |a, b| Ball::operate(a, b, Ball::add, |x, y| x + y);
    Sub sub |a, b| Ball::operate(a, b, |a, b| Ball::add(a, &-b), |x, y| x - y);
    Mul mul |a, b| Ball::operate(a, b, Ball::mul, |x, y| x * y);
    // A finite quotient has a divisor without zero.
    Div div |a, b| Ball::operate(a, b, Ball::div, |x, y| x / y);
}

/// √q, exact when q is the square of a number of `prec` bits.
pub fn sqrt_rational(value: &Rational, prec: u32) -> Ball {
    root_rational(value, 2, prec)
}

/// q^{1/n}, n >= 1, from numerator and denominator, whose exact roots are taken when they exist.
pub fn root_rational(value: &Rational, n: u32, prec: u32) -> Ball {
    if *value < 0 || n == 0 {
        return Ball::whole(prec);
    }
    let exact = |x: &Integer| {
        let root = x.clone().root(n);
        (root.clone().pow(n) == *x).then_some(root)
    };
    match (exact(value.numer()), exact(value.denom())) {
        (Some(p), Some(q)) => Ball::from_rational(&Rational::from((p, q)), prec),
        _ => {
            // One rounding of the quotient costs half a unit before the root shrinks it.
            let root = Ball::from_rational(value, prec + 8).root(n);
            root.rounded_out(prec)
        }
    }
}
