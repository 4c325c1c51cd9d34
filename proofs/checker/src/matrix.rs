//! Matrices of integers on a common dyadic grid, with exact products and combinations.

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use crate::dyadic::Dyadic;
use crate::int::Int;
use crate::reader::Fail;

/// The entries m_ij · 2^e, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Mat {
    pub rows: usize,
    pub cols: usize,
    pub e: i64,
    pub m: Vec<Int>,
}

/// Largest size in bits of one computed matrix: neither its shape nor exponents far apart may exhaust the memory.
const MATRIX_BITS: u128 = 4 << 32;
/// What an entry takes besides its digits.
const ENTRY_BITS: u128 = 256;
/// Digits per entry beyond which a product is left to the big integers' own multiplication.
const MAX_DIGITS: usize = 24;
/// The same where every digit is used once only.
const MAX_DIGITS_INNER: usize = 4;

pub(crate) fn room(entries: usize, bits: u64) -> Result<(), Fail> {
    if entries as u128 * (ENTRY_BITS + u128::from(bits)) <= MATRIX_BITS {
        return Ok(());
    }
    Err(Fail::Unsupported("exact sums or products that would not fit in memory: too many entries, or exponents too far apart".into()))
}

impl Mat {
    pub fn row(&self, i: usize) -> &[Int] {
        &self.m[i * self.cols..(i + 1) * self.cols]
    }

    /// Row i as numbers.
    pub fn dyadics(&self, i: usize) -> impl Iterator<Item = Dyadic> + '_ {
        self.row(i).iter().map(|m| Dyadic { m: m.big().into_owned(), e: self.e })
    }

    /// The n x k matrix whose row i is e_(columns_i).
    pub fn one_hot(columns: &[usize], cols: usize) -> Mat {
        let mut m = vec![Int::ZERO; columns.len() * cols];
        columns.iter().enumerate().for_each(|(i, &j)| m[i * cols + j] = Int::ONE);
        Mat { rows: columns.len(), cols, e: 0, m }
    }

    pub fn transpose(&self) -> Mat {
        let lines = parallel(self.cols, 10 * self.rows, |j| (0..self.rows).map(|i| self.m[i * self.cols + j].clone()).collect::<Vec<_>>());
        Mat { rows: self.cols, cols: self.rows, e: self.e, m: joined(lines) }
    }

    /// A column of K numbers becomes `rows` equal rows: the transpose of b 1ᵀ.
    pub fn repeated(&self, rows: usize) -> Result<Mat, Fail> {
        room(rows * self.m.len(), self.bits())?;
        Ok(Mat { rows, cols: self.m.len(), e: self.e, m: (0..rows).flat_map(|_| self.m.iter().cloned()).collect() })
    }

    /// The sums of the columns, as a column.
    pub fn column_sums(&self) -> Mat {
        let sum = |j: usize| (0..self.rows).map(|i| &self.m[i * self.cols + j]).sum();
        Mat { rows: self.cols, cols: 1, e: self.e, m: (0..self.cols).map(sum).collect() }
    }

    /// ||·||² (Frobenius).
    pub fn norm_squared(&self) -> Dyadic {
        self.inner(self)
    }

    /// <self, other>.
    pub fn inner(&self, other: &Mat) -> Dyadic {
        let cut = Cut::new(self, other, MAX_DIGITS_INNER);
        let rows = parallel(self.rows, 10 * self.cols, |i| cut.entry(i, i));
        Dyadic { m: rows.into_iter().sum::<Int>().big().into_owned(), e: self.e + other.e }
    }

    /// Largest bit length of an entry.
    fn bits(&self) -> u64 {
        let row = |i: usize| self.row(i).iter().map(Int::bits).max().unwrap_or(0);
        parallel(self.rows, self.cols, row).into_iter().max().unwrap_or(0)
    }

    /// Σ c · M over matrices of one shape, exactly.
    pub fn combine(terms: &[(&BigInt, &Mat)]) -> Result<Mat, Fail> {
        let e = terms.iter().map(|(_, t)| t.e).min().unwrap_or(0);
        let (rows, cols) = terms.first().map_or((0, 0), |(_, t)| (t.rows, t.cols));
        for (c, t) in terms {
            room(rows * cols, t.bits() + c.bits() + t.e.abs_diff(e))?;
        }
        let terms: Vec<(Int, &Mat)> = terms.iter().map(|(c, t)| ((*c).clone().into(), *t)).collect();
        let term = |(c, t): &(Int, &Mat), i: usize| if *c == Int::ONE { t.m[i].shifted(t.e - e) } else { (c * &t.m[i]).shifted(t.e - e) };
        let entry = |i: usize| terms.iter().map(|t| term(t, i)).reduce(|x, y| &x + &y).unwrap_or_default();
        let lines = parallel(rows, 10 * cols, |i| (i * cols..(i + 1) * cols).map(entry).collect::<Vec<_>>());
        Ok(Mat { rows, cols, e, m: joined(lines) })
    }

    /// A Bᵀ, exactly: entry (i, j) is row i of A against row j of B.
    pub fn product(&self, other: &Mat) -> Result<Mat, Fail> {
        self.entries(other, false)
    }

    /// [`Mat::product`] when A Bᵀ is known to be symmetric: half of it is computed.
    pub fn symmetric_product(&self, other: &Mat) -> Result<Mat, Fail> {
        let mut product = self.entries(other, true)?;
        let n = product.cols;
        for i in 0..product.rows {
            for j in i + 1..n {
                product.m[i * n + j] = product.m[j * n + i].clone();
            }
        }
        Ok(product)
    }

    /// A Bᵀ, zero above the diagonal if `lower`.
    fn entries(&self, other: &Mat, lower: bool) -> Result<Mat, Fail> {
        let (len, cols) = (self.cols, other.rows);
        room(self.rows * cols, self.bits() + other.bits() + spare(len))?;
        let cut = Cut::new(self, other, MAX_DIGITS);
        room(self.m.len() + other.m.len(), cut.bits())?;
        // Row i with row rows − 1 − i, so that every processor's share of a triangle is the same.
        let line = |i: usize| (0..cols).map(|j| if lower && j > i { Int::ZERO } else { cut.entry(i, j) }).collect::<Vec<_>>();
        let half = self.rows.div_ceil(2);
        let pairs =
            parallel(half, 2 * cols * len.max(1), |i| (line(i), if 2 * i + 1 < self.rows { line(self.rows - 1 - i) } else { vec![] }));
        let (mut rows, rest): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        rows.extend(rest.into_iter().rev());
        Ok(Mat { rows: self.rows, cols, e: self.e + other.e, m: joined(rows) })
    }

    /// Matrices D_p of numbers below 2^width in magnitude with m = Σ D_p 2^(width·p); digits carry the sign of m.
    fn digits(&self, width: usize, bits: u64) -> Digits {
        let count = bits.div_ceil(width as u64).max(1) as usize;
        let mask = (1u128 << width) - 1;
        let digit = |m: &Int, p: usize| {
            let size = match m {
                Int::Small(x) => x.unsigned_abs().checked_shr((width * p) as u32).unwrap_or(0) & mask,
                Int::Big(x) => ((x.abs() >> (width * p)) & BigInt::from(mask)).to_u128().unwrap_or(0),
            };
            let size = size as i64; // below 2^63 by the mask
            if m.is_negative() { -size } else { size }
        };
        let row = |p: usize, i: usize| self.row(i).iter().map(|m| digit(m, p)).collect();
        (0..count).map(|p| joined(parallel(self.rows, 2 * self.cols, |i| row(p, i)))).collect()
    }
}

/// The least s with len < 2^s.
fn spare(len: usize) -> u64 {
    u64::from(usize::BITS - len.leading_zeros())
}

/// The digits of a matrix, the least significant first, each row by row.
type Digits = Vec<Vec<i64>>;

/// Two matrices with rows of one length, cut into digits of `width` bits: A = Σ_p A_p 2^(width·p) and B alike, so that A Bᵀ is the sum of
/// the A_p B_qᵀ 2^(width·(p+q)).
///
/// The digit products run in machine integers: a sum of `len` products of digits is at most len · 2^(bits_a + bits_b) when each
/// matrix is one digit, at most len · 2^(2·width) otherwise, and len < 2^spare, so `width` keeps both at or below 2^126.
struct Cut<'a> {
    rows: (&'a Mat, &'a Mat),
    width: usize,
    /// None: more digits than are worth it.
    digits: Option<(Digits, Digits)>,
}

impl<'a> Cut<'a> {
    fn new(a: &'a Mat, b: &'a Mat, most: usize) -> Self {
        let (bits_a, bits_b, spare) = (a.bits(), b.bits(), spare(a.cols));
        let single = bits_a.max(bits_b) <= 63 && bits_a + bits_b + spare <= 126;
        let width = if single { 63 } else { ((126 - spare) / 2) as usize };
        let count = bits_a.max(bits_b).div_ceil(width as u64) as usize;
        let digits = (count <= most).then(|| (a.digits(width, bits_a), b.digits(width, bits_b)));
        Cut { rows: (a, b), width, digits }
    }

    /// Bits of the digits for each entry.
    fn bits(&self) -> u64 {
        self.digits.as_ref().map_or(1, |(a, b)| 64 * a.len().max(b.len()) as u64)
    }

    /// Row i of A against row j of B.
    fn entry(&self, i: usize, j: usize) -> Int {
        let (left, right) = self.rows;
        let Some((a, b)) = &self.digits else {
            return left.row(i).iter().zip(right.row(j)).map(|(x, y)| x * y).sum();
        };
        let len = left.cols;
        let part = |p: usize, q: usize| Int::Small(dot(&a[p][i * len..(i + 1) * len], &b[q][j * len..(j + 1) * len]));
        let pairs = (0..a.len()).flat_map(|p| (0..b.len()).map(move |q| (p, q)));
        pairs.map(|(p, q)| part(p, q).shifted((self.width * (p + q)) as i64)).sum()
    }
}

fn dot(x: &[i64], y: &[i64]) -> i128 {
    x.iter().zip(y).map(|(&p, &q)| i128::from(p) * i128::from(q)).sum()
}

/// The rows one after the other.
pub(crate) fn joined<T>(rows: Vec<Vec<T>>) -> Vec<T> {
    let mut all = Vec::with_capacity(rows.iter().map(Vec::len).sum());
    rows.into_iter().for_each(|mut row| all.append(&mut row));
    all
}

/// [f(0), ..., f(n-1)], computed on all processors when n · `work` makes it worth while; the order never varies.
pub(crate) fn parallel<T: Send>(n: usize, work: usize, f: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(n);
    if cores < 2 || n.saturating_mul(work) < 50_000 {
        return (0..n).map(f).collect();
    }
    let f = &f;
    std::thread::scope(|scope| {
        let part = |t: usize| n * t / cores..n * (t + 1) / cores;
        let parts: Vec<_> = (0..cores).map(|t| scope.spawn(move || part(t).map(f).collect::<Vec<T>>())).collect();
        parts.into_iter().flat_map(|p| p.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use num_traits::{One, Zero};

    use super::*;

    fn random(rows: usize, cols: usize, bits: u64, state: &mut u64) -> Mat {
        let mut entry = || {
            let mut x = BigInt::zero();
            while x.bits() < bits {
                *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                x = (x << 32) + (*state >> 32) + 1;
            }
            let extra = x.bits() - bits;
            if *state & (1 << 40) == 0 { x >> extra } else { -(x >> extra) }
        };
        let m = (0..rows * cols).map(|_| entry().into()).collect();
        Mat { rows, cols, e: -7, m }
    }

    /// Digit products against plain big-integer sums, at sizes on both sides of every switch; extreme digits included.
    #[test]
    fn products_are_exact() {
        let mut state = 5;
        for len in [0, 1, 3, 4, 17, 300] {
            for (p, q) in [(1, 1), (53, 58), (62, 62), (63, 63), (64, 20), (63, 59), (130, 53), (200, 500), (3000, 10)] {
                for extreme in [false, true] {
                    let (mut a, mut b) = (random(3, len, p, &mut state), random(4, len, q, &mut state));
                    if extreme {
                        a.m.iter_mut().for_each(|x| *x = BigInt::into((BigInt::one() << p) - 1));
                        b.m.iter_mut().for_each(|x| *x = BigInt::into(1 - (BigInt::one() << q)));
                    }
                    let c = a.product(&b).unwrap_or_else(|_| panic!("fits"));
                    for (i, j) in (0..3).flat_map(|i| (0..4).map(move |j| (i, j))) {
                        let exact: BigInt = a.row(i).iter().zip(b.row(j)).map(|(x, y)| &*x.big() * &*y.big()).sum();
                        assert_eq!(c.row(i)[j].big().as_ref(), &exact, "{len} {p} {q}");
                    }
                    assert_eq!((c.rows, c.cols, c.e), (3, 4, -14));
                    for a in [a, b] {
                        let full = a.product(&a).unwrap_or_else(|_| panic!("fits"));
                        assert_eq!(a.symmetric_product(&a).unwrap_or_else(|_| panic!("fits")).m, full.m);
                    }
                }
            }
        }
    }

    #[test]
    fn combinations_and_shapes() {
        let a = Mat { rows: 2, cols: 3, e: 1, m: (1..7).map(Int::from).collect() };
        let b = Mat { e: -1, ..a.clone() };
        let sum = Mat::combine(&[(&2.into(), &a), (&(-3).into(), &b)]).unwrap_or_else(|_| panic!("fits"));
        assert_eq!((sum.e, sum.m), (-1, (1..7).map(|x| Int::from(8 * x - 3 * x)).collect()));
        assert_eq!(a.transpose().m, [1, 4, 2, 5, 3, 6].map(Int::from));
        assert_eq!(a.transpose().transpose().m, a.m);
        assert_eq!(a.column_sums().m, [5, 7, 9].map(Int::from));
        assert_eq!(a.norm_squared(), Dyadic::new(91 * 4, 0));
        assert_eq!(a.inner(&b), Dyadic::new(91, 0));
    }

    #[test]
    fn sizes_that_cannot_be_held_are_refused() {
        let far = |e| Mat { rows: 1000, cols: 1000, e, m: vec![Int::ONE; 1_000_000] };
        assert!(Mat::combine(&[(&BigInt::one(), &far(100_000)), (&BigInt::one(), &far(-100_000))]).is_err());
        let tall = Mat { rows: 3000, cols: 1, e: 0, m: vec![BigInt::into(BigInt::one() << 8000); 3000] };
        assert!(tall.product(&tall).is_err());
    }

    #[test]
    fn parallel_keeps_the_order() {
        for n in [0, 1, 2, 7, 1000] {
            assert_eq!(parallel(n, 1_000_000, |i| i * i), (0..n).map(|i| i * i).collect::<Vec<_>>());
        }
    }
}
