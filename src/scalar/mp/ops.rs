//! Operators in all owned and borrowed forms: each one correctly rounded MPFR operation.

use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Shl, Shr, Sub, SubAssign};

use rug::{
    Float,
    ops::{AddFrom, DivFrom, MulFrom, NegAssign, RemFrom, SubFrom},
};

use super::Mp;

// The result takes over the storage of an owned operand.
macro_rules! binary {
    ($($op:ident $method:ident $assign:ident $assign_method:ident $from:ident $from_method:ident;)*) => {$(
        impl<const P: u32> $op for Mp<P> {
            type Output = Mp<P>;
            fn $method(mut self, right: Mp<P>) -> Mp<P> {
                self.0.$assign_method(&right.0);
                self
            }
        }

        impl<const P: u32> $op<&Mp<P>> for Mp<P> {
            type Output = Mp<P>;
            fn $method(mut self, right: &Mp<P>) -> Mp<P> {
                self.0.$assign_method(&right.0);
                self
            }
        }

        impl<const P: u32> $op<Mp<P>> for &Mp<P> {
            type Output = Mp<P>;
            fn $method(self, mut right: Mp<P>) -> Mp<P> {
                right.0.$from_method(&self.0);
                right
            }
        }

        impl<const P: u32> $op<&Mp<P>> for &Mp<P> {
            type Output = Mp<P>;
            fn $method(self, right: &Mp<P>) -> Mp<P> {
                Mp(Float::with_val(P, (&self.0).$method(&right.0)))
            }
        }

        impl<const P: u32> $assign for Mp<P> {
            fn $assign_method(&mut self, right: Mp<P>) {
                self.0.$assign_method(&right.0);
            }
        }

        impl<const P: u32> $assign<&Mp<P>> for Mp<P> {
            fn $assign_method(&mut self, right: &Mp<P>) {
                self.0.$assign_method(&right.0);
            }
        }
    )*};
}

binary! {
    Add add AddAssign add_assign AddFrom add_from;
    Sub sub SubAssign sub_assign SubFrom sub_from;
    Mul mul MulAssign mul_assign MulFrom mul_from;
    Div div DivAssign div_assign DivFrom div_from;
    Rem rem RemAssign rem_assign RemFrom rem_from;
}

impl<const P: u32> Neg for Mp<P> {
    type Output = Mp<P>;
    fn neg(mut self) -> Mp<P> {
        self.0.neg_assign();
        self
    }
}

impl<const P: u32> Neg for &Mp<P> {
    type Output = Mp<P>;
    fn neg(self) -> Mp<P> {
        -self.clone()
    }
}

/// Times a power of two.
impl<const P: u32> Shl<i32> for Mp<P> {
    type Output = Mp<P>;
    fn shl(self, exponent: i32) -> Mp<P> {
        Mp(self.0 << exponent)
    }
}

/// Divided by a power of two.
impl<const P: u32> Shr<i32> for Mp<P> {
    type Output = Mp<P>;
    fn shr(self, exponent: i32) -> Mp<P> {
        Mp(self.0 >> exponent)
    }
}

/// From left to right, one rounding a term.
impl<const P: u32> Sum for Mp<P> {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Mp::nearest(0), |sum, x| sum + x)
    }
}

/// From left to right, one rounding a factor.
impl<const P: u32> Product for Mp<P> {
    fn product<I: Iterator<Item = Self>>(factors: I) -> Self {
        factors.fold(Mp::nearest(1), |product, x| product * x)
    }
}
