//! The result of a product: midpoints whose significands are inline up to [`SHORT_BITS`], and radii.

use std::{fmt, os::raw::c_void, ptr::NonNull};

use faer::Mat;
use gmp_mpfr_sys::mpfr;
use rug::{
    Float,
    float::{BorrowFloat, Special},
};

use super::entry::Bound;

/// Bits of a radius.
pub const RADIUS_BITS: u32 = 53;

/// A matrix of midpoints and one of radii: the set of matrices A with |A − mid| <= rad entry by entry.
#[derive(Debug, Clone)]
pub struct Enclosed {
    pub mid: Mat<Midpoint>,
    pub rad: Mat<Radius>,
}

impl Enclosed {
    /// The midpoints as floats of their own.
    pub fn into_floats(self) -> Mat<Float> {
        let mut mid = self.mid;
        Mat::from_fn(mid.nrows(), mid.ncols(), |i, j| std::mem::take(&mut mid[(i, j)]).into_float())
    }

    /// The radii as floats of [`RADIUS_BITS`] bits.
    pub fn radii(&self) -> Mat<Float> {
        Mat::from_fn(self.rad.nrows(), self.rad.ncols(), |i, j| self.rad[(i, j)].to_float())
    }
}

/// An upper bound of an error: a number of [`RADIUS_BITS`] bits, or +∞ where nothing is known.
///
/// ```
/// use faer::Mat;
/// use rug::Float;
/// use ufm::linalg::product::product;
/// let one = Mat::from_fn(1, 1, |_, _| Float::with_val(80, 1));
/// assert!(product(one.as_ref(), one.as_ref(), 80).rad[(0, 0)].is_zero());
/// ```
#[derive(Clone, Copy, PartialEq)]
pub struct Radius(Option<Bound>);

impl Radius {
    pub(super) const INFINITE: Radius = Radius(None);

    pub(super) fn new(bound: Bound) -> Self {
        Radius(Some(bound))
    }

    /// Nothing is unknown.
    pub fn is_zero(self) -> bool {
        self.0.is_some_and(Bound::is_zero)
    }

    /// Something is known.
    pub fn is_finite(self) -> bool {
        self.0.is_some()
    }

    /// The number as a float, exactly, or the least positive one where it is below MPFR's range.
    pub fn to_float(self) -> Float {
        self.0.map_or_else(|| Float::with_val(RADIUS_BITS, Special::Infinity), Bound::to_float)
    }
}

impl fmt::Debug for Radius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to_float(), f)
    }
}

/// Midpoints of at most this many bits own no memory.
pub const SHORT_BITS: u32 = 256;

/// A finite binary floating-point number, read through [`Midpoint::borrow`] as an MPFR float of its precision.
///
/// ```
/// use faer::Mat;
/// use rug::Float;
/// use ufm::linalg::product::product;
/// let three = Mat::from_fn(1, 1, |_, _| Float::with_val(80, 3));
/// let nine = product(three.as_ref(), three.as_ref(), 80);
/// assert_eq!(*nine.mid[(0, 0)].borrow(), 9);
/// ```
#[derive(Clone)]
pub struct Midpoint(Significand);

#[derive(Clone)]
enum Significand {
    Short(Short),
    Long(Float),
}

/// ±(limbs / 2^(64 · count)) 2^exp with the top bit of the last limb in use set and the bits beyond `prec` zero, or zero.
#[derive(Clone, Copy)]
struct Short {
    /// As many as `prec` needs, the least first.
    limbs: [u64; SHORT_BITS as usize / 64],
    exp: i32,
    prec: u16,
    /// A kind of number to `mpfr_custom_init_set`: zero or ± regular.
    kind: i8,
}

/// Zero.
impl Default for Midpoint {
    fn default() -> Self {
        Midpoint::zero(SHORT_BITS)
    }
}

impl Midpoint {
    pub(super) fn zero(prec: u32) -> Self {
        if prec > SHORT_BITS {
            return Midpoint(Significand::Long(Float::new(prec)));
        }
        let limbs = [0; SHORT_BITS as usize / 64];
        Midpoint(Significand::Short(Short { limbs, exp: 0, prec: prec as u16, kind: mpfr::ZERO_KIND as i8 }))
    }

    /// Becomes ±limbs 2^(exp − 64 · number of limbs): `fill` writes the ⌈prec/64⌉ limbs, zero before, the least first, and tells whether the
    /// number is negative and exp, in MPFR's range; zero if it tells nothing.
    ///
    /// # Panics
    /// When the top bit of the limbs is not set or one beyond the precision is.
    pub(super) fn set(&mut self, prec: u32, fill: impl FnOnce(&mut [u64]) -> Option<(bool, i32)>) {
        let count = (prec as usize).div_ceil(64);
        let fill = |limbs: &mut [u64]| {
            let filled = fill(limbs);
            let regular = limbs[count - 1] >> 63 == 1 && limbs[0] << ((prec - 1) % 64) << 1 == 0;
            assert!(filled.is_none() || regular);
            filled
        };
        if prec > SHORT_BITS || matches!(self.0, Significand::Long(_)) {
            *self = Midpoint::zero(prec);
        }
        match &mut self.0 {
            Significand::Short(short) => {
                *short = Short { limbs: [0; SHORT_BITS as usize / 64], exp: 0, prec: prec as u16, kind: mpfr::ZERO_KIND as i8 };
                if let Some((negative, exp)) = fill(&mut short.limbs[..count]) {
                    (short.exp, short.kind) = (exp, if negative { -mpfr::REGULAR_KIND } else { mpfr::REGULAR_KIND } as i8);
                }
            }
            Significand::Long(float) => {
                // SAFETY: `Float::new(prec)` owns `count` limbs; all are written. For a regular number MPFR asks that the top bit of the
                // last is set, the low bits of the first beyond `prec` are zero and the exponent is in range ("Internals" of its manual).
                unsafe {
                    let raw = float.as_raw_mut();
                    let data = (*raw).d.as_ptr();
                    data.write_bytes(0, count);
                    if let Some((negative, exp)) = fill(std::slice::from_raw_parts_mut(data, count)) {
                        (*raw).exp = exp.into();
                        (*raw).sign = if negative { -1 } else { 1 };
                    }
                }
            }
        }
    }

    /// A finite float as it is.
    pub(super) fn from_float(float: Float) -> Self {
        debug_assert!(float.is_finite());
        Midpoint(Significand::Long(float))
    }

    /// The number as an MPFR float.
    pub fn borrow(&self) -> BorrowFloat<'_> {
        match &self.0 {
            Significand::Long(float) => {
                // SAFETY: a valid number, which the result keeps borrowed.
                unsafe { BorrowFloat::from_raw(*float.as_raw()) }
            }
            Significand::Short(short) => {
                let limbs = NonNull::from(&short.limbs);
                let mut raw = mpfr::mpfr_t { prec: 1, sign: 1, exp: 0, d: limbs.cast() };
                // SAFETY: `limbs` has room for 128 bits and outlives the result, which cannot change what it borrows; a regular number
                // has its top bit set and no bits beyond its precision.
                unsafe {
                    mpfr::custom_init_set(
                        &raw mut raw,
                        short.kind.into(),
                        short.exp.into(),
                        short.prec.into(),
                        limbs.as_ptr().cast::<c_void>(),
                    );
                    BorrowFloat::from_raw(raw)
                }
            }
        }
    }

    /// The number as an MPFR float of its own.
    pub fn to_float(&self) -> Float {
        Float::clone(&self.borrow())
    }

    /// [`Midpoint::to_float`], without a copy where the float exists.
    pub fn into_float(self) -> Float {
        match self.0 {
            Significand::Long(float) => float,
            Significand::Short(_) => self.to_float(),
        }
    }
}

impl fmt::Debug for Midpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.borrow(), f)
    }
}
