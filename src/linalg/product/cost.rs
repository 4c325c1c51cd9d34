//! Nanoseconds on one core, by which schemes are chosen: constants of one machine (benches/records), so that a choice, and with it
//! every byte of a result, depends on shapes, exponents and precisions alone.

/// A product of doubles (m, k) (k, n).
pub(super) fn product(m: usize, k: usize, n: usize) -> f64 {
    400.0 + (m * k * n) as f64 / 55.0
}

/// Digits of the entries of a matrix.
pub(super) fn digits(entries: usize, count: usize) -> f64 {
    entries as f64 * (12.0 + 1.5 * count as f64)
}

/// Digits summed and rounded to the entries of the result.
pub(super) fn sums(entries: usize, count: usize) -> f64 {
    entries as f64 * (60.0 + 2.0 * count as f64)
}

/// Writing, reducing and reading residues, in memory that is new to the process.
pub(super) fn passes(values: usize) -> f64 {
    1.5 * values as f64
}

/// Tables of h moduli with `count` digits in all.
pub(super) fn tables(h: usize, count: usize) -> f64 {
    2000.0 + (h * count) as f64 * 3.0
}

/// One entry by MPFR: k products of significands of x and y bits.
pub(super) fn direct(k: usize, x: u64, y: u64) -> f64 {
    let limbs = |bits: u64| bits.div_ceil(64) as f64;
    150.0 + k as f64 * (50.0 + 1.5 * limbs(x) * limbs(y))
}
