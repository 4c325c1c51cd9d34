//! Arithmetic and roots: each bound is one correctly rounded operation on exact operands.

use std::ops::{Add, Div, Mul, Neg, Sub};

use rug::{Float, Integer, Rational, float::Round, ops::Pow};

use super::Ball;

impl Ball {
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

    /// x^{1/n}, n >= 1, negative for negative x and odd n; the whole line when n is even and a member is negative.
    pub fn root(&self, n: u32) -> Ball {
        if n == 0 || (n.is_multiple_of(2) && self.lower < 0) {
            return Ball::whole(self.prec());
        }
        self.increasing(|x, round| Float::with_val_round(self.prec(), x.root_ref(n), round).0)
    }

    /// The larger of two numbers.
    pub fn max(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let max = |a: &Float, b: &Float| Float::with_val(prec, if a >= b { a } else { b });
        Ball::new(max(&self.lower, &other.lower), max(&self.upper, &other.upper))
    }

    /// The smaller of two numbers.
    pub fn min(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let min = |a: &Float, b: &Float| Float::with_val(prec, if a <= b { a } else { b });
        Ball::new(min(&self.lower, &other.lower), min(&self.upper, &other.upper))
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

    /// xⁿ for any integer n; the whole line when n is negative and zero is a member.
    pub fn pown(&self, n: i32) -> Ball {
        if n >= 0 {
            return self.powi(n.unsigned_abs());
        }
        if self.contains_zero() {
            return Ball::whole(self.prec());
        }
        // Decreasing in |x|; for odd n decreasing on either side of zero.
        let x = if n % 2 == 0 { self.abs() } else { self.clone() };
        let power = |x: &Float, round| Float::with_val_round(self.prec(), x.pow(n), round).0;
        Ball::new(power(&x.upper, Round::Down), power(&x.lower, Round::Up))
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
    ///
    /// `lower` and `upper` round one such product (to which they may add a number) downwards and upwards.
    fn product(&self, other: &Ball, lower: impl Fn(&Float, &Float) -> Float, upper: impl Fn(&Float, &Float) -> Float) -> Ball {
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
                let (x, y, u, v) = (lower(al, bh), lower(ah, bl), upper(al, bl), upper(ah, bh));
                return Ball::new(if x <= y { x } else { y }, if u >= v { u } else { v });
            }
        };
        Ball::new(lower(a, b), upper(c, d))
    }

    fn mul(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        let times = |a: &Float, b: &Float, round| {
            // 0 · ∞ stands for products of zero with large finite numbers: zero.
            if a.is_zero() || b.is_zero() { Float::new(prec) } else { Float::with_val_round(prec, a * b, round).0 }
        };
        self.product(other, |a, b| times(a, b, Round::Down), |a, b| times(a, b, Round::Up))
    }

    /// x y + z, each bound rounded once.
    pub fn mul_add(&self, y: &Ball, z: &Ball) -> Ball {
        let prec = self.prec().max(y.prec()).max(z.prec());
        let fused = |a: &Float, b: &Float, c: &Float, round| {
            if a.is_zero() || b.is_zero() {
                Float::with_val_round(prec, c, round).0
            } else {
                Float::with_val_round(prec, a.mul_add_ref(b, c), round).0
            }
        };
        self.product(y, |a, b| fused(a, b, &z.lower, Round::Down), |a, b| fused(a, b, &z.upper, Round::Up))
    }

    /// Bounds of the quotient: for a positive divisor each bound of `self` over the bound of the divisor that pushes it outwards. An infinite
    /// bound is divided by a finite one only.
    fn div(&self, other: &Ball) -> Ball {
        let prec = self.prec().max(other.prec());
        if other.contains_zero() {
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
