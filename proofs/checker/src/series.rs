//! Enclosures of exp and log in fixed point, and the cross-entropy quantities built from them.
//!
//! A real x stands on the grid of 2^-w, w = `precision`, as an integer; one unit there is an *ulp*. Every division and
//! shift below rounds down, so each computed value is a lower bound; the text derives how far below it can be.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, ToPrimitive, Zero};

use crate::dyadic::{Dyadic, shifted};
use crate::int::Int;
use crate::matrix::{Mat, parallel};
use crate::problem::Group;

/// Tables at w bits, each entry below the exact value by less than 1.02 ulp.
pub(crate) struct Fixed {
    pub w: usize,
    ln2: BigInt,
    /// exp(j/2^8) for j/2^8 <= ln 2, and exp(j/2^16) for j < 2^8.
    exp_coarse: Vec<BigInt>,
    exp_fine: Vec<BigInt>,
    /// log(1 + j/2^8) for j < 2^8.
    log: Vec<BigInt>,
    machine: Option<Machine>,
}

/// The tables again, at few enough bits for [`Fixed::exp`] and [`Fixed::log`] to run in machine integers.
struct Machine {
    ln2: i128,
    log: Vec<i128>,
    exp_coarse: Vec<i128>,
    exp_fine: Vec<i128>,
}

/// Factors are below 2.003 · 2^w, products of two below 2^123.
pub(crate) const MACHINE_BITS: usize = 60;

impl Fixed {
    /// Tables are computed with 32 more bits, v = w + 32, and rounded down.
    ///
    /// exp: one series in x = 2^-8 or 2^-16, then powers; at most v + 2 ulps of 2^-v are lost per factor, below 3 · 256 (v + 2)
    /// in all. log: log(1 + j/2^8) - log(1 + (j-1)/2^8) = 2 atanh(1/(511 + 2j)), fewer than v ulps each; j = 256 gives ln 2.
    /// Both stay under 0.02 · 2^32 ulps of 2^-v while v <= 100032.
    pub fn new(w: usize) -> Self {
        let v = w + 32;
        let one = BigInt::one() << v;
        let rounded = |table: &[BigInt]| -> Vec<BigInt> { table.iter().map(|x| x >> 32).collect() };
        let powers = |shift: usize, length: usize| {
            let (mut term, mut step, mut i) = (one.clone(), BigInt::zero(), 0u32);
            while !term.is_zero() {
                step += &term;
                i += 1;
                term = (term >> shift) / i;
            }
            let table: Vec<BigInt> = std::iter::successors(Some(one.clone()), |x| Some((x * &step) >> v)).take(length).collect();
            rounded(&table)
        };
        let (mut log, mut last) = (Vec::new(), BigInt::zero());
        for z in (513..=1023u32).step_by(2) {
            log.push(last.clone());
            let (mut term, mut odd) = (&one / z, 1u32);
            while !term.is_zero() {
                last += 2 * (&term / odd);
                term /= z * z;
                odd += 2;
            }
        }
        let (ln2, exp_coarse, exp_fine): (BigInt, _, _) = (last >> 32, powers(8, 178), powers(16, 256));
        let table = |x: &[BigInt]| x.iter().map(ToPrimitive::to_i128).collect::<Option<Vec<_>>>();
        let log = rounded(&log);
        let machine =
            || Some(Machine { ln2: ln2.to_i128()?, log: table(&log)?, exp_coarse: table(&exp_coarse)?, exp_fine: table(&exp_fine)? });
        let machine = if w <= MACHINE_BITS { machine() } else { None };
        Fixed { w, ln2, exp_coarse, exp_fine, log, machine }
    }

    /// Bounds (lo, hi), in ulps, of exp(x) for x <= 0.
    ///
    /// Let X = floor(x 2^w), LN2 the table's ln 2 (below by δ < 1.02), n the least integer with r = X + n·LN2 >= 0. Then
    /// exp x = 2^-n exp(r 2^-w) · exp((nδ + θ) 2^-w) with θ < 1. Split r = a/2^8 + b/2^16 + s, s < 2^-16:
    /// - P = A·B from the tables: below by < 1.02 (2.002 + 1.004) + 0.01 + 1 < 4.1 ulps, and P < 2.002;
    /// - U = Σ_(i<m) t_i with t_i = floor(t_(i-1) s / i), t_m = 0: each t_i, i >= 1, is below by < 1.00002 ulps, the tail after
    ///   t_m is smaller than 0.001 ulp, so U is below by < m + 1 ulps, and U < 1.00002;
    /// - P·U: below by < 4.11 + 2.003 (m + 1) + 1 ulps; the last factor adds < 2.01 (1.02 n + 1).
    ///
    /// Together < 10 + 3 (m + n) ulps, before the division by 2^n. Beyond n = w + 2, exp x is below 1 ulp.
    pub fn exp(&self, x: &Dyadic) -> (BigInt, BigInt) {
        let (w, tiny) = (self.w, (BigInt::zero(), BigInt::one()));
        if !x.is_zero() && x.magnitude() > 40 {
            return tiny;
        }
        let x = x.floor_at(w);
        let n = -x.div_floor(&self.ln2);
        let Some(halvings) = n.to_usize().filter(|&n| n <= w + 2) else {
            return tiny;
        };
        let r = x + n * &self.ln2;
        let index = (&r >> (w - 16)).to_usize().unwrap_or(0); // below 178 · 2^8, as r < ln 2
        let s = r - (BigInt::from(index) << (w - 16));
        let p = (&self.exp_coarse[index >> 8] * &self.exp_fine[index & 255]) >> w;
        let (mut term, mut u, mut m) = (BigInt::one() << w, BigInt::zero(), 0usize);
        while !term.is_zero() {
            u += &term;
            m += 1;
            term = ((term * &s) >> w) / m;
        }
        let low: BigInt = (p * u) >> w;
        let high: BigInt = (&low + 10 + 3 * (m + halvings)) >> halvings;
        (low >> halvings, high + 1)
    }

    /// [`Fixed::exp`] of m · 2^(shift - w), m <= 0, by the same steps in machine integers; `None` where they might not do.
    fn exp_machine(&self, m: i128, shift: i64) -> Option<(i128, i128)> {
        let (w, t) = (self.w, self.machine.as_ref()?);
        if m > 0 || !(-127..=0).contains(&shift) {
            return None;
        }
        // |x| <= 2^127, so n LN2 is at most that and one LN2 more: the sum lies in [0, LN2).
        let x = m >> -shift;
        let n = -x.div_euclid(t.ln2);
        if n > w as i128 + 2 {
            return Some((0, 1));
        }
        let (r, halvings) = (x + n * t.ln2, n as usize);
        let index = (r >> (w - 16)) as usize;
        let s = r - ((index as i128) << (w - 16));
        let p = (t.exp_coarse[index >> 8] * t.exp_fine[index & 255]) >> w;
        let (mut term, mut u, mut m) = (1u64 << w, 0i128, 0u64);
        while term != 0 {
            u += i128::from(term);
            m += 1;
            term = ((i128::from(term) * s) >> w) as u64 / m;
        }
        let low = (p * u) >> w;
        let high = (low + 10 + 3 * (i128::from(m) + n)) >> halvings;
        Some((low >> halvings, high + 1))
    }

    /// floor(x 2^w / y) for x >= 0, y > 0.
    fn quotient(&self, x: &Int, y: &Int) -> Int {
        let machine = || {
            let (x, y) = (u64::try_from(x.small()?).ok()?, u128::try_from(y.small()?).ok()?);
            let quotient = (u128::from(x) << self.w.min(64)) / y;
            i128::try_from(quotient).ok().filter(|_| self.w < 64).map(Int::Small)
        };
        machine().unwrap_or_else(|| ((&*x.big() << self.w) / &*y.big()).into())
    }

    /// Bounds (lo, hi), in ulps, of log(y) for y > 0.
    ///
    /// y = 2^s v with v in [1, 2), V = floor(v 2^w) (so log v loses < 1 ulp), c = 1 + j/2^8 <= v the table's point next below:
    /// log y = s ln 2 + log c + 2 atanh z, z = (v - c)/(v + c) < 2^-9. In Σ z^(2i+1)/(2i+1) the power t_i is below by < 1.01 ulps,
    /// its quotient by < 1.34 (< 1 for i = 0); with t_m = 0 the rest is < 1.02: together < 1.34 m + 1.02, doubled 2.68 m + 2.04.
    /// log c adds 1.02, s ln 2 at most 1.02 |s| (above for s < 0: two ulps per unit of s are taken off first).
    /// Together < 5 + 3 m + 2 |s| ulps.
    pub fn log(&self, y: &Dyadic) -> (BigInt, BigInt) {
        let w = self.w;
        let s = y.magnitude() - 1;
        let v = shifted(&y.m, w as i64 + y.e - s);
        let j = (&v >> (w - 8)).to_usize().unwrap_or(256) - 256; // v has w + 1 bits
        let c = BigInt::from(256 + j) << (w - 8);
        let z: BigInt = ((&v - &c) << w) / (v + c);
        let square: BigInt = (&z * &z) >> w;
        let (mut term, mut sum, mut m) = (z, BigInt::zero(), 0u32);
        while !term.is_zero() {
            sum += &term / (2 * m + 1);
            term = (term * &square) >> w;
            m += 1;
        }
        let low = s * &self.ln2 + &self.log[j] + 2 * sum + 2 * s.min(0);
        let high = &low + 5 + 3 * m + 2 * s.abs();
        (low, high)
    }

    /// [`Fixed::log`] of m · 2^e, m > 0, by the same steps in machine integers; `None` where they might not do.
    fn log_machine(&self, m: i128, e: i64) -> Option<(i128, i128)> {
        let (w, t) = (self.w, self.machine.as_ref()?);
        let length = 127 - i64::from(m.leading_zeros()); // 2^length <= m < 2^(length + 1)
        let (s, shift) = (length + e, w as i64 - length);
        let v = if shift >= 0 { m << shift } else { m >> -shift } as u64; // w + 1 <= 61 bits
        let j = (v >> (w - 8)) - 256;
        let c = (256 + j) << (w - 8);
        let z = ((u128::from(v - c) << w) / u128::from(v + c)) as u64; // < 2^(w - 9)
        let scaled = |x: u64, y: u64| ((u128::from(x) * u128::from(y)) >> w) as u64;
        let square = scaled(z, z);
        let (mut term, mut sum, mut m) = (z, 0, 0);
        while term != 0 {
            sum += term / (2 * m + 1);
            term = scaled(term, square);
            m += 1;
        }
        let s = i128::from(s);
        let low = s * t.ln2 + t.log[j as usize] + 2 * i128::from(sum) + 2 * s.min(0);
        Some((low, low + 5 + 3 * i128::from(m) + 2 * s.abs()))
    }

    /// [`Fixed::log`] in whichever integers do.
    fn logarithm(&self, m: &Int, e: i64) -> (Int, Int) {
        if let Some((low, high)) = m.small().and_then(|m| self.log_machine(m, e)) {
            return (Int::Small(low), Int::Small(high));
        }
        let (low, high) = self.log(&Dyadic { m: m.big().into_owned(), e });
        (low.into(), high.into())
    }

    fn number(&self, ulps: &Int) -> Dyadic {
        Dyadic { m: ulps.big().into_owned(), e: -(self.w as i64) }
    }

    /// The largest logit of row i, and the enclosures of exp(z - largest).
    pub fn exponentials(&self, z: &Mat, i: usize) -> (Int, Vec<(Int, Int)>) {
        let row = z.row(i);
        let top = row.iter().max().cloned().unwrap_or_default();
        let bound = |x: &Int| {
            let x = x - &top;
            if let Some((low, high)) = x.small().and_then(|x| self.exp_machine(x, z.e + self.w as i64)) {
                return (Int::Small(low), Int::Small(high));
            }
            let (low, high) = self.exp(&Dyadic { m: x.big().into_owned(), e: z.e });
            (low.into(), high.into())
        };
        let bounds = row.iter().map(bound).collect();
        (top, bounds)
    }

    /// An upper bound of Σ_i [ m_i log Σ_k exp z_ik - <t_i, z_i> ]; row i of `z` holds the logits of sample i, row i of `targets` numbers
    /// at least t_i, whose sum is m_i.
    ///
    /// m log Σ exp z_k - <t, z> = Σ t_k (top - z_k) + m log Σ exp(z_k - top), and top - z_k >= 0.
    pub fn loss_upper(&self, z: &Mat, targets: &Mat, masses: &[usize]) -> Dyadic {
        let losses = parallel(z.rows, 100 * z.cols, |i| {
            let (top, bounds) = self.exponentials(z, i);
            let sum: Int = bounds.iter().map(|(_, high)| high).sum();
            let margin: Int = targets.row(i).iter().zip(z.row(i)).filter(|(t, _)| !t.is_zero()).map(|(t, z)| t * &(&top - z)).sum();
            let margin = Dyadic { m: margin.big().into_owned(), e: targets.e + z.e };
            &margin.ceil_at(self.w).into() + &(&self.logarithm(&sum, -(self.w as i64)).1 * &masses[i].into())
        });
        self.number(&losses.into_iter().sum())
    }

    /// A lower bound of Σ_g n_g m_g entropy(q_g/m_g) = Σ_g n_g Σ_j q_gj log(m_g/q_gj); the rows q_g >= 0 sum to the masses m_g and lie
    /// between those of `low` >= 0 and `high`.
    ///
    /// With lo <= log m and hi >= log of `high`, q log(m/q) >= floor(low) · max(lo - hi, 0), since q <= m.
    pub fn entropy_lower(&self, low: &Mat, high: &Mat, groups: &[Group]) -> Dyadic {
        let entropies = parallel(low.rows, 100 * low.cols, |g| {
            let mass = match groups[g].tags.len() {
                1 => Int::ZERO,
                m => self.logarithm(&m.into(), 0).0,
            };
            let w = self.w as i64;
            let term = |(q, above): (&Int, &Int)| {
                let log = &mass - &self.logarithm(above, high.e).1;
                if log.is_negative() { Int::ZERO } else { (&q.shifted(low.e + w) * &log).shifted(-w) }
            };
            let positive = low.row(g).iter().zip(high.row(g)).filter(|(q, _)| !q.is_zero());
            &positive.map(term).sum::<Int>() * &groups[g].count.into()
        });
        self.number(&entropies.into_iter().sum())
    }

    /// P and S >= 0 with P <= softmax(row) <= P + S entrywise, row by row.
    ///
    /// lo_k / Σ hi <= p_k <= hi_k / Σ lo; the term exp 0 keeps Σ lo positive.
    pub fn softmax(&self, z: &Mat) -> (Mat, Mat) {
        let pairs = parallel(z.rows, 100 * z.cols, |i| {
            let (_, bounds) = self.exponentials(z, i);
            let (low, high): (Int, Int) = (bounds.iter().map(|b| &b.0).sum(), bounds.iter().map(|b| &b.1).sum());
            let pair = |(lo, hi): (Int, Int)| {
                let p = self.quotient(&lo, &high);
                let slack = &(&self.quotient(&hi, &low) + &Int::ONE) - &p;
                (p, slack)
            };
            bounds.into_iter().map(pair).collect::<Vec<_>>()
        });
        let (p, slack) = pairs.into_iter().flatten().unzip();
        let matrix = |m| Mat { rows: z.rows, cols: z.cols, e: -(self.w as i64), m };
        (matrix(p), matrix(slack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRECISIONS: [usize; 9] = [32, 33, 47, 60, 63, 64, 128, 333, 1500];

    /// Dyadic arguments of many sizes: m · 2^e with m pseudorandom.
    fn arguments() -> Vec<Dyadic> {
        let (mut state, mut out) = (0x9e37_79b9_7f4a_7c15u64, vec![]);
        for e in (-90..8).step_by(3) {
            for _ in 0..6 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                out.push(Dyadic::new(state >> 34, e - 30));
            }
        }
        out
    }

    fn negated(x: &Dyadic) -> Dyadic {
        x.times(&(-1).into())
    }

    /// lo <= [a, b] <= hi whenever two enclosures at different precisions speak of one real number: they must meet.
    fn meet(w: usize, (lo, hi): &(BigInt, BigInt), v: usize, (a, b): &(BigInt, BigInt)) -> bool {
        let at = |x: &BigInt, w: usize| Dyadic::new(x.clone(), -(w as i64));
        at(lo, w) <= at(b, v) && at(a, v) <= at(hi, w)
    }

    /// Digits of e^-1, e^(-1/2), log 2 and log 3 to 60 places, from published tables.
    #[test]
    fn known_constants() {
        let decimal = |digits: &str| digits.parse::<BigInt>().unwrap();
        let e1 = decimal("367879441171442321595523770161460867445811131031767834507836");
        let half = decimal("606530659712633423603799534991180453441918135487186955682892");
        let ln2 = decimal("693147180559945309417232121458176568075500134360255254120680");
        let ln3 = decimal("1098612288668109691395245236922525704647490557822749451734694");
        let ten = BigInt::from(10).pow(60);
        for w in PRECISIONS {
            let fixed = Fixed::new(w);
            let contains = |(lo, hi): (BigInt, BigInt), value: &BigInt| {
                let (below, above): (BigInt, BigInt) = ((value - 1) << w, (value + 1) << w);
                assert!(&lo * &ten <= above && &hi * &ten >= below, "{w}: {value}");
                assert!(hi - lo <= BigInt::from(40 + w), "{w}: wide");
            };
            contains(fixed.exp(&Dyadic::new(-1, 0)), &e1);
            contains(fixed.exp(&Dyadic::new(-1, -1)), &half);
            contains(fixed.log(&Dyadic::new(2, 0)), &ln2);
            contains(fixed.log(&Dyadic::new(3, 0)), &ln3);
            contains(fixed.log(&Dyadic::new(3 << 20, -20)), &ln3);
            contains(fixed.log(&Dyadic::new(1, -1)), &-&ln2);
        }
    }

    /// exp at w bits contains exp at 2w + 64 bits, which is sharper than one unit of the former; the widths stay small.
    #[test]
    fn precisions_agree() {
        for w in PRECISIONS {
            let (coarse, fine, v) = (Fixed::new(w), Fixed::new(2 * w + 64), 2 * w + 64);
            for x in arguments() {
                let (low, high) = coarse.exp(&negated(&x));
                assert!(meet(w, &(low.clone(), high.clone()), v, &fine.exp(&negated(&x))), "exp {w} {x}");
                assert!(low >= BigInt::zero() && &high - low <= BigInt::from(22 + w / 4), "exp {w} {x}");
                if !x.is_zero() {
                    let (low, high) = coarse.log(&x);
                    assert!(meet(w, &(low.clone(), high.clone()), v, &fine.log(&x)), "log {w} {x}");
                    assert!(&high - low <= BigInt::from(260 + w / 4), "log {w} {x}");
                }
            }
        }
    }

    /// Machine integers take the same steps as big ones, or none.
    #[test]
    fn machine_integers_agree() {
        let big = |(low, high): (i128, i128)| (BigInt::from(low), BigInt::from(high));
        for w in [32, 33, 47, 59, 60, 61, 64] {
            let fixed = Fixed::new(w);
            let mut compared = 0;
            for x in arguments() {
                for (shift, off) in [(0usize, 0u32), (60, 1), (90, 0)] {
                    let scaled: BigInt = &x.m << shift;
                    let (m, e) = (-(&scaled + off), x.e - shift as i64);
                    let machine = m.to_i128().and_then(|m| fixed.exp_machine(m, e + w as i64));
                    compared += usize::from(machine.is_some());
                    assert!(machine.is_none_or(|bounds| big(bounds) == fixed.exp(&Dyadic { m, e })), "{w} {x}");
                    let y = Dyadic { m: scaled + off + 1, e };
                    let machine = y.m.to_i128().and_then(|m| fixed.log_machine(m, e));
                    compared += usize::from(machine.is_some());
                    assert!(machine.is_none_or(|bounds| big(bounds) == fixed.log(&y)), "{w} {y}");
                }
            }
            for n in 0..70i64 {
                for off in [-1, 0, 1] {
                    let multiple: BigInt = &fixed.ln2 * n;
                    let m = (BigInt::from(off) - multiple).min(BigInt::zero());
                    let machine = m.to_i128().and_then(|m| fixed.exp_machine(m, 0));
                    assert!(machine.is_none_or(|bounds| big(bounds) == fixed.exp(&Dyadic { m, e: -(w as i64) })), "{w} {n}");
                }
            }
            assert_eq!(compared > 100, w <= MACHINE_BITS, "{w}: {compared}");
            assert!(fixed.exp_machine(i128::MIN, 0).is_none_or(|bounds| bounds == (0, 1)));
            assert_eq!(fixed.exp_machine(1, -200), None);
            for (x, y) in [(0u64, 1u64), (1, 3), (u64::MAX, 1), (u64::MAX, u64::MAX), (1 << 60, (1 << 62) + 1)] {
                let (x, y) = (BigInt::from(x), BigInt::from(y));
                assert_eq!(fixed.quotient(&x.clone().into(), &y.clone().into()), ((x << w) / y).into());
            }
        }
    }

    /// exp(log x) encloses x, and exp(x) exp(y) meets exp(x + y).
    #[test]
    fn functional_identities() {
        for w in PRECISIONS {
            let fixed = Fixed::new(w);
            let at = |x: &BigInt| fixed.number(&x.clone().into());
            let one = Dyadic::new(1, 0);
            let arguments = arguments();
            for x in arguments.iter().filter(|x| !x.is_zero() && **x <= one) {
                let (lo, hi) = fixed.log(x);
                let hi = hi.min(BigInt::zero());
                assert!(at(&fixed.exp(&at(&lo)).0) <= *x && at(&fixed.exp(&at(&hi)).1) >= *x, "{w} {x}");
            }
            for pair in arguments.windows(2) {
                let (x, y) = (negated(&pair[0]), negated(&pair[1]));
                let (a, b, c) = (fixed.exp(&x), fixed.exp(&y), fixed.exp(&(&x + &y)));
                assert!(at(&a.0).times(&b.0) <= at(&c.1).times(&(BigInt::one() << w)), "{w} {x} {y}");
                assert!(at(&a.1).times(&b.1) >= at(&c.0).times(&(BigInt::one() << w)), "{w} {x} {y}");
            }
        }
    }

    /// Lower bounds below upper bounds of larger arguments, next to every table boundary and multiple of ln 2.
    #[test]
    fn monotone_at_boundaries() {
        let (w, v) = (60, 200);
        let (fixed, fine) = (Fixed::new(w), Fixed::new(v));
        let step = Dyadic::new(1, -70);
        let mut points: Vec<Dyadic> = (0..2000).map(|j| Dyadic::new(-j, -8)).collect();
        points.extend((0..70).map(|n| Dyadic::new(-n * &fixed.ln2, -(w as i64))));
        for x in &points {
            for x in [x.clone(), x + &step, x - &step] {
                let x = if x > Dyadic::default() { Dyadic::default() } else { x };
                assert!(meet(w, &fixed.exp(&x), v, &fine.exp(&x)), "{x}");
                let y = &Dyadic::new(1, 0) - &x;
                assert!(meet(w, &fixed.log(&y), v, &fine.log(&y)), "{y}");
            }
        }
        assert_eq!(fixed.exp(&Dyadic::new(-1, 60)), (BigInt::zero(), BigInt::one()));
        assert_eq!(fixed.exp(&Dyadic::new(-1, 100_000)), (BigInt::zero(), BigInt::one()));
    }

    /// Coarse bounds lie outside far finer ones: losses above, entropies below, softmax around.
    #[test]
    fn quantities_are_outward() {
        let (coarse, fine) = (Fixed::new(32), Fixed::new(300));
        let tiny = Dyadic::new(1, -250);
        let mut noise = 1u64;
        for round in 0..300 {
            let mut entry = |bits: u32| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                BigInt::from(noise >> (64 - bits))
            };
            let z = Mat { rows: 2, cols: 3, e: -36 - round % 5, m: (0..6).map(|_| entry(38).into()).collect() };
            let targets = Mat { rows: 2, cols: 3, e: 0, m: [1, 0, 0, 0, 1, 1].map(Int::from).to_vec() };
            let loss = |f: &Fixed| f.loss_upper(&z, &targets, &[1, 2]);
            assert!(&loss(&coarse) + &tiny >= loss(&fine) && loss(&coarse) <= &loss(&fine) + &Dyadic::new(1, -22));
            let ((p, s), (exact, _)) = (coarse.softmax(&z), fine.softmax(&z));
            for t in 0..6 {
                let at = |a: &Mat| Dyadic { m: a.m[t].big().into_owned(), e: a.e };
                assert!(at(&p) <= &at(&exact) + &tiny && &(&at(&p) + &at(&s)) + &tiny >= at(&exact));
                assert!(at(&s) <= Dyadic::new(1, -22));
            }
            let (a, b) = (entry(40), entry(35));
            let m = [(BigInt::one() << 40) - &a, a, (BigInt::one() << 40) - &b, b].map(Int::from).to_vec();
            let q = Mat { rows: 2, cols: 2, e: -40, m };
            let groups = [1, 5].map(|count| Group { tags: vec![0], count });
            let entropy = |f: &Fixed| f.entropy_lower(&q, &q, &groups);
            assert!(entropy(&coarse) <= &entropy(&fine) + &tiny && &entropy(&coarse) + &Dyadic::new(1, -22) >= entropy(&fine));
        }
    }

    /// Every table entry is below the exact value by less than 1.02 ulp (the exact value taken from far finer tables).
    #[test]
    fn tables() {
        for w in [32, 60, 150] {
            let (coarse, fine) = (Fixed::new(w), Fixed::new(w + 200));
            let pairs = [(&coarse.exp_coarse, &fine.exp_coarse), (&coarse.exp_fine, &fine.exp_fine), (&coarse.log, &fine.log)];
            for (table, exact) in pairs {
                assert_eq!(table.len(), exact.len());
                for (x, y) in table.iter().zip(exact) {
                    let below = y - (x << 200);
                    assert!(below >= -BigInt::one() && below * 100 <= BigInt::from(102) << 200);
                }
            }
            let below: BigInt = &fine.ln2 - (&coarse.ln2 << 200);
            assert!(below >= BigInt::zero() && below * 100 <= BigInt::from(102) << 200);
        }
    }
}
