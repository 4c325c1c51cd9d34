//! Rigorous enclosures over MPFR.

mod arithmetic;
mod elementary;

use std::cmp::Ordering;

use rug::{Float, Integer, Rational, float::Round};

pub use arithmetic::{root_rational, sqrt_rational};

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

    fn rounded(prec: u32, value: impl Copy + Fn(Round) -> Float) -> Self {
        debug_assert_eq!(value(Round::Down).prec(), prec);
        Ball::new(value(Round::Down), value(Round::Up))
    }

    /// The same set at another precision, bounds rounded outwards.
    pub(crate) fn rounded_out(&self, prec: u32) -> Self {
        Ball::new(Float::with_val_round(prec, &self.lower, Round::Down).0, Float::with_val_round(prec, &self.upper, Round::Up).0)
    }

    /// The set between two bounds, either of which may be infinite; the whole line when one is NaN, they are out of order, or nothing
    /// real lies between.
    pub fn from_bounds(lower: Float, upper: Float) -> Self {
        let prec = lower.prec().max(upper.prec());
        Ball::new(Float::with_val(prec, lower), Float::with_val(prec, upper))
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

    /// A member near the middle of the set; zero when a bound is infinite.
    pub fn mid(&self) -> Float {
        let prec = self.prec() + 1;
        if !self.is_finite() {
            return Float::new(prec);
        }
        // Halves first: the sum of two large bounds overflows. Halves of the least magnitudes round to zero, out of the set.
        let middle = Float::with_val(prec, &self.lower >> 1u32) + Float::with_val(prec, &self.upper >> 1u32);
        if middle < self.lower || middle > self.upper { Float::with_val(prec, &self.lower) } else { middle }
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
        let mid = self.mid();
        let below = Float::with_val_round(64, &mid - &self.lower, Round::Up).0;
        let above = Float::with_val_round(64, &self.upper - &mid, Round::Up).0;
        if below >= above { below } else { above }
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

    /// Whether every member of the other set is a member of this one.
    pub fn contains(&self, other: &Ball) -> bool {
        self.lower <= other.lower && other.upper <= self.upper
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
}
