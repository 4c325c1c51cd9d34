//! faer's scalar traits.

use faer::traits::{
    ComplexField, RealField, SimdCapabilities,
    pulp::{Scalar, Simd},
};
use num_traits::{One, Zero};
use rug::float::Special;

use super::Mp;

/// faer scales by squares of these, so they leave room below MPFR's exponent bound 2^30.
const LARGEST_EXPONENT: i32 = 1 << 28;

impl<const P: u32> RealField for Mp<P> {
    fn epsilon_impl() -> Self {
        Mp::epsilon()
    }

    fn nbits_impl() -> usize {
        P as usize
    }

    fn min_positive_impl() -> Self {
        Mp::power_of_two(-LARGEST_EXPONENT)
    }

    fn max_positive_impl() -> Self {
        Mp::power_of_two(LARGEST_EXPONENT)
    }

    fn sqrt_min_positive_impl() -> Self {
        Mp::power_of_two(-LARGEST_EXPONENT / 2)
    }

    fn sqrt_max_positive_impl() -> Self {
        Mp::power_of_two(LARGEST_EXPONENT / 2)
    }
}

// `SimdCapabilities::None` keeps faer away from all of these.
macro_rules! no_simd {
    ($(fn $name:ident($($t:ty),*) -> $result:ty;)*) => {$(
        fn $name<S: Simd>(_: &Self::SimdCtx<S>, $(_: $t),*) -> $result {
            unreachable!("Mp has no SIMD form")
        }
    )*};
}

impl<const P: u32> ComplexField for Mp<P> {
    const IS_REAL: bool = true;
    const SIMD_CAPABILITIES: SimdCapabilities = SimdCapabilities::None;

    type Arch = Scalar;
    type Index = usize;
    type Real = Self;
    type Unit = Self;
    type SimdCtx<S: Simd> = S;
    type SimdIndex<S: Simd> = ();
    type SimdMask<S: Simd> = ();
    type SimdMemMask<S: Simd> = ();
    type SimdVec<S: Simd> = ();

    fn zero_impl() -> Self {
        Mp::zero()
    }

    fn one_impl() -> Self {
        Mp::one()
    }

    fn nan_impl() -> Self {
        Mp::nearest(Special::Nan)
    }

    fn infinity_impl() -> Self {
        Mp::nearest(Special::Infinity)
    }

    fn from_real_impl(real: &Self) -> Self {
        real.clone()
    }

    fn from_f64_impl(real: f64) -> Self {
        Mp::nearest(real)
    }

    fn real_part_impl(value: &Self) -> Self {
        value.clone()
    }

    fn imag_part_impl(_: &Self) -> Self {
        Mp::zero()
    }

    fn copy_impl(value: &Self) -> Self {
        value.clone()
    }

    fn conj_impl(value: &Self) -> Self {
        value.clone()
    }

    fn recip_impl(value: &Self) -> Self {
        Mp::nearest(value.0.recip_ref())
    }

    fn sqrt_impl(value: &Self) -> Self {
        Mp::nearest(value.0.sqrt_ref())
    }

    fn abs_impl(value: &Self) -> Self {
        Mp::nearest(value.0.abs_ref())
    }

    fn abs1_impl(value: &Self) -> Self {
        Mp::nearest(value.0.abs_ref())
    }

    fn abs2_impl(value: &Self) -> Self {
        Mp::nearest(value.0.square_ref())
    }

    fn mul_real_impl(left: &Self, right: &Self) -> Self {
        left * right
    }

    fn mul_pow2_impl(left: &Self, right: &Self) -> Self {
        left * right
    }

    fn is_finite_impl(value: &Self) -> bool {
        value.0.is_finite()
    }

    fn simd_ctx<S: Simd>(simd: S) -> S {
        simd
    }

    fn ctx_from_simd<S: Simd>(simd: &S) -> S {
        *simd
    }

    unsafe fn simd_mask_load_raw<S: Simd>(_: &S, _: (), _: *const ()) {
        unreachable!("Mp has no SIMD form")
    }

    unsafe fn simd_mask_store_raw<S: Simd>(_: &S, _: (), _: *mut (), _: ()) {
        unreachable!("Mp has no SIMD form")
    }

    no_simd! {
        fn simd_mask_between(usize, usize) -> ();
        fn simd_mem_mask_between(usize, usize) -> ();
        fn simd_splat(&Self) -> ();
        fn simd_splat_real(&Self) -> ();
        fn simd_add((), ()) -> ();
        fn simd_sub((), ()) -> ();
        fn simd_neg(()) -> ();
        fn simd_conj(()) -> ();
        fn simd_abs1(()) -> ();
        fn simd_abs_max(()) -> ();
        fn simd_mul_real((), ()) -> ();
        fn simd_mul_pow2((), ()) -> ();
        fn simd_mul((), ()) -> ();
        fn simd_conj_mul((), ()) -> ();
        fn simd_mul_add((), (), ()) -> ();
        fn simd_conj_mul_add((), (), ()) -> ();
        fn simd_abs2(()) -> ();
        fn simd_abs2_add((), ()) -> ();
        fn simd_reduce_sum(()) -> Self;
        fn simd_reduce_max(()) -> Self;
        fn simd_equal((), ()) -> ();
        fn simd_less_than((), ()) -> ();
        fn simd_less_than_or_equal((), ()) -> ();
        fn simd_greater_than((), ()) -> ();
        fn simd_greater_than_or_equal((), ()) -> ();
        fn simd_select((), (), ()) -> ();
        fn simd_index_select((), (), ()) -> ();
        fn simd_index_splat(usize) -> ();
        fn simd_index_add((), ()) -> ();
        fn simd_index_less_than((), ()) -> ();
        fn simd_and_mask((), ()) -> ();
        fn simd_or_mask((), ()) -> ();
        fn simd_not_mask(()) -> ();
        fn simd_first_true_mask(()) -> usize;
    }
}
