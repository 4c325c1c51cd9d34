//! Elementary functions: monotone pieces, each bound one correctly rounded MPFR operation.

use rug::{
    Float, Integer,
    float::{Constant, Round},
    ops::Pow,
};

use super::Ball;

/// Arguments of sin, cos and tan beyond ±2^this are not reduced modulo π: that takes as many bits of π.
const MAX_ANGLE_EXPONENT: u32 = 1 << 16;

/// Functions that increase on an interval, and the sets on which every member is in their domain.
macro_rules! increasing {
    ($($(#[$doc:meta])* $name:ident = $float:ident $(on |$x:ident| $domain:expr)?;)*) => {
        impl Ball {$(
            $(#[$doc])*
            pub fn $name(&self) -> Ball {
                $(
                    let $x = self;
                    let inside = $domain;
                    if !inside {
                        return Ball::whole(self.prec());
                    }
                )?
                self.increasing(|x, round| Float::with_val_round(self.prec(), x.$float(), round).0)
            }
        )*}
    };
}

increasing! {
    /// √x; the whole line when a member is negative.
    sqrt = sqrt_ref on |x| x.lower >= 0;
    /// eˣ.
    exp = exp_ref;
    /// eˣ − 1, without cancellation near zero.
    exp_m1 = exp_m1_ref;
    /// 2ˣ.
    exp2 = exp2_ref;
    /// 10ˣ.
    exp10 = exp10_ref;
    /// ln x; the whole line when a member is not positive.
    ln = ln_ref on |x| x.lower > 0;
    /// ln(1 + x), without cancellation near zero; the whole line when a member is at most −1.
    ln_1p = ln_1p_ref on |x| x.lower > -1;
    /// log₂ x; the whole line when a member is not positive.
    log2 = log2_ref on |x| x.lower > 0;
    /// log₁₀ x; the whole line when a member is not positive.
    log10 = log10_ref on |x| x.lower > 0;
    /// sinh x.
    sinh = sinh_ref;
    /// tanh x.
    tanh = tanh_ref;
    /// The inverse of sinh.
    asinh = asinh_ref;
    /// The inverse of cosh on x >= 1; the whole line when a member is less than 1.
    acosh = acosh_ref on |x| x.lower >= 1;
    /// The inverse of tanh; the whole line when a member is outside (−1, 1).
    atanh = atanh_ref on |x| x.lower > -1 && x.upper < 1;
    /// The angle in [−π/2, π/2] whose sine is x; the whole line when a member is outside [−1, 1].
    asin = asin_ref on |x| x.lower >= -1 && x.upper <= 1;
    /// The angle in (−π/2, π/2) whose tangent is x.
    atan = atan_ref;
    /// The largest integer at most x.
    floor = floor_ref;
    /// The least integer at least x.
    ceil = ceil_ref;
}

/// ⌊x/π + 1/2⌋ for `half`, else ⌊x/π⌋; `None` when |x| is beyond 2^[`MAX_ANGLE_EXPONENT`] or not separated from a multiple of π/2 by
/// four times as many bits as x occupies.
fn half_turns(x: &Float, half: bool) -> Option<Integer> {
    // |x| < 1 < π/2.
    if *x > -1 && *x < 1 {
        return Some(Integer::from(if half || *x >= 0 { 0 } else { -1 }));
    }
    let exponent = x.get_exp().filter(|e| e.unsigned_abs() <= MAX_ANGLE_EXPONENT)?;
    let occupied = x.prec() + exponent.unsigned_abs() + 32;
    (0..3).find_map(|doubling| {
        let prec = occupied << doubling;
        let pi = Ball::rounded(prec, |round| Float::with_val_round(prec, Constant::Pi, round).0);
        let turns = Ball::exact(x.clone()) / pi;
        let turns = if half { turns + Ball::from_f64(0.5, prec) } else { turns }.floor();
        if turns.is_exact() { turns.lower.to_integer() } else { None }
    })
}

impl Ball {
    /// An increasing function, bound by bound.
    pub(super) fn increasing(&self, f: impl Fn(&Float, Round) -> Float) -> Ball {
        Ball::new(f(&self.lower, Round::Down), f(&self.upper, Round::Up))
    }

    /// cosh x.
    pub fn cosh(&self) -> Ball {
        self.abs().increasing(|x, round| Float::with_val_round(self.prec(), x.cosh_ref(), round).0)
    }

    /// The angle in [0, π] whose cosine is x; the whole line when a member is outside [−1, 1].
    pub fn acos(&self) -> Ball {
        if self.lower < -1 || self.upper > 1 {
            return Ball::whole(self.prec());
        }
        let acos = |x: &Float, round| Float::with_val_round(self.prec(), x.acos_ref(), round).0;
        Ball::new(acos(&self.upper, Round::Down), acos(&self.lower, Round::Up))
    }

    /// A function between −1 and 1 with extrema at points c_j in increasing order, of which those with j even are maxima if `even`,
    /// minima otherwise. Given are the largest j with c_j <= lower and with c_j <= upper.
    fn wave(&self, turns: Option<(Integer, Integer)>, even: bool, f: impl Fn(&Float, Round) -> Float) -> Ball {
        let prec = self.prec();
        let (maximum, minimum) = match turns {
            // No extremum lies between the bounds, one does, or both kinds do.
            Some((first, last)) if first == last => (false, false),
            Some((first, last)) if Integer::from(&first + 1u32) == last => (last.is_even() == even, last.is_even() != even),
            _ => (true, true),
        };
        let least = |a: Float, b: Float| if a <= b { a } else { b };
        let largest = |a: Float, b: Float| if a >= b { a } else { b };
        Ball::new(
            if minimum { Float::with_val(prec, -1) } else { least(f(&self.lower, Round::Down), f(&self.upper, Round::Down)) },
            if maximum { Float::with_val(prec, 1) } else { largest(f(&self.lower, Round::Up), f(&self.upper, Round::Up)) },
        )
    }

    fn turns(&self, half: bool) -> Option<(Integer, Integer)> {
        half_turns(&self.lower, half).zip(half_turns(&self.upper, half))
    }

    /// sin x; [−1, 1] when a bound is beyond ±2^65536.
    pub fn sin(&self) -> Ball {
        // Extrema (j − 1/2)π, maxima for odd j.
        self.wave(self.turns(true), false, |x, round| Float::with_val_round(self.prec(), x.sin_ref(), round).0)
    }

    /// cos x; [−1, 1] when a bound is beyond ±2^65536.
    pub fn cos(&self) -> Ball {
        // Extrema jπ, maxima for even j.
        self.wave(self.turns(false), true, |x, round| Float::with_val_round(self.prec(), x.cos_ref(), round).0)
    }

    /// tan x; the whole line when a pole may lie between the bounds, or a bound is beyond ±2^65536.
    pub fn tan(&self) -> Ball {
        match self.turns(true) {
            Some((first, last)) if first == last => self.increasing(|x, round| Float::with_val_round(self.prec(), x.tan_ref(), round).0),
            _ => Ball::whole(self.prec()),
        }
    }

    /// x^y for x > 0, and 0^y = 0 for y > 0; the whole line when a pair of members is outside that domain.
    ///
    /// x^y = exp(y ln x) is monotone in x for every y and in y for every x: both bounds are attained at bounds of x and y.
    pub fn pow(&self, y: &Ball) -> Ball {
        let prec = self.prec().max(y.prec());
        if self.lower < 0 || (self.lower == 0 && y.lower <= 0) {
            return Ball::whole(prec);
        }
        self.corners(y, |x, y, round| Float::with_val_round(prec, x.pow(y), round).0)
    }

    /// The least value at a pair of bounds, rounded downwards, to the largest, rounded upwards.
    fn corners(&self, other: &Ball, f: impl Fn(&Float, &Float, Round) -> Float) -> Ball {
        let (a, b) = (self, other);
        let at =
            |round| [(&a.lower, &b.lower), (&a.lower, &b.upper), (&a.upper, &b.lower), (&a.upper, &b.upper)].map(|(a, b)| f(a, b, round));
        let [lower, ls @ ..] = at(Round::Down);
        let [upper, us @ ..] = at(Round::Up);
        Ball::new(
            ls.into_iter().fold(lower, |a, b| if b < a { b } else { a }),
            us.into_iter().fold(upper, |a, b| if b > a { b } else { a }),
        )
    }

    /// √(x² + y²), without overflow in between.
    pub fn hypot(&self, y: &Ball) -> Ball {
        let prec = self.prec().max(y.prec());
        let (a, b) = (self.abs(), y.abs());
        let hypot = |a: &Float, b: &Float, round| Float::with_val_round(prec, a.hypot_ref(b), round).0;
        Ball::new(hypot(&a.lower, &b.lower, Round::Down), hypot(&a.upper, &b.upper, Round::Up))
    }

    /// The angle in (−π, π] of the point (x, y), y first; [−π, π] when the points lie on both sides of the negative x axis, the whole line
    /// when the origin is among them.
    ///
    /// On a rectangle that neither contains the origin nor crosses that axis the angle is between its values at the corners.
    pub fn atan2(&self, x: &Ball) -> Ball {
        let (y, prec) = (self, self.prec().max(x.prec()));
        if x.contains_zero() && y.contains_zero() {
            return Ball::whole(prec);
        }
        if x.lower < 0 && y.lower < 0 && y.upper >= 0 {
            let pi = Float::with_val_round(prec, Constant::Pi, Round::Up).0;
            return Ball::new(Float::with_val(prec, -&pi), pi);
        }
        // The angle of (x, −0), x < 0, would be −π.
        let unsigned = |y: &Float| if y.is_zero() { Float::new(prec) } else { y.clone() };
        y.corners(x, |y, x, round| Float::with_val_round(prec, unsigned(y).atan2_ref(x), round).0)
    }
}
