//! Entries one by one: MPFR's sum of exact products, correctly rounded.

use faer::MatRef;
use rug::{Float, float::Round};

use super::{
    AsFloat, Midpoint,
    entry::{Bound, Format, Limbs},
    scale::Heads,
};

/// Operands and their heads.
pub(super) struct Direct<'a, A, B> {
    a: MatRef<'a, A>,
    b: MatRef<'a, B>,
    heads: (&'a Heads, &'a Heads),
    prec: u32,
    /// No product of two entries leaves the range of exponents.
    tame: bool,
}

/// Products this many bits below the largest are bounded and not summed, and exponents below it are tame.
const FAR: i64 = 1 << 28;

impl<'a, A: AsFloat, B: AsFloat> Direct<'a, A, B> {
    pub fn new(a: MatRef<'a, A>, b: MatRef<'a, B>, heads: (&'a Heads, &'a Heads), prec: u32) -> Self {
        let tame = heads.0.extreme() < FAR && heads.1.extreme() < FAR;
        Direct { a, b, heads, prec, tame }
    }

    /// Entry (i, j), which meets neither a NaN nor an infinity, and its bound; `None` beyond the largest exponent.
    pub fn entry(&self, i: usize, j: usize) -> Option<(Midpoint, Bound)> {
        let (ea, eb) = self.heads;
        let exponent = |t: usize| Some(ea.exponent(i, t)? + eb.exponent(t, j)?);
        let terms = (0..self.a.ncols()).filter_map(|t| Some((t, exponent(t)?)));
        if self.tame {
            let pairs = terms.map(|(t, _)| (self.a[(i, t)].as_float(), self.b[(t, j)].as_float()));
            let (sum, bound) = self.sum(pairs);
            return Some((Midpoint::from_float(sum), bound));
        }
        // mpfr_dot is not for products out of range: take 2^top out, and bound the products below 2^(top − FAR).
        let Some(top) = terms.clone().map(|(_, e)| e).max() else {
            return Some((Midpoint::zero(self.prec), Bound::ZERO));
        };
        let (mut near, mut far) = (vec![], 0);
        for (t, e) in terms {
            if e > top - FAR {
                let (x, y) = (self.a[(i, t)].as_float(), self.b[(t, j)].as_float());
                let unit = |x: &Float| x.get_exp().map(|e| x.clone() >> e);
                near.extend(unit(x).zip(unit(y).map(|y| y >> (top - e) as i32)));
            } else {
                far += 1;
            }
        }
        let (sum, bound) = self.sum(near.iter().map(|(x, y)| (x, y)));
        let (mut mid, mut placed) = (Midpoint::zero(self.prec), None);
        sum.limbs(|limbs, negative, low| placed = Format::new(self.prec).round(limbs, negative, low + top, &mut mid));
        let lost = placed?.map_or(Bound::ZERO, |e| Bound::new(1, e));
        Some((mid, bound.plus(Bound::new(far, -FAR)).scaled(top).plus(lost)))
    }

    fn sum<'b>(&self, pairs: impl Iterator<Item = (&'b Float, &'b Float)>) -> (Float, Bound) {
        let (sum, order) = Float::with_val_round(self.prec, Float::dot(pairs), Round::Nearest);
        let bound = match sum.get_exp() {
            Some(e) if order.is_ne() => Bound::new(1, i64::from(e) - i64::from(self.prec) - 1),
            _ => Bound::ZERO,
        };
        (sum, bound)
    }
}
