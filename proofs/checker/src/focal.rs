//! The focal loss u^γ log(1/p), u = 1 - p: at logits, as a function of the margin, and the kind `gap` (FORMAT.md, "The focal loss").
//!
//! Pairs (lo, hi) enclose a real number in ulps, as in `series`.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

use crate::dyadic::Dyadic;
use crate::int::Int;
use crate::matrix::{Mat, parallel};
use crate::predicates::Instance;
use crate::problem::Bias;
use crate::reader::{Fail, Reader, rejected, require};
use crate::series::Fixed;
use crate::{Claim, Kind, claimed};

type Pair = (BigInt, BigInt);

/// The loss with γ = m/q.
pub(crate) struct Focal {
    fixed: Fixed,
    m: BigInt,
    q: BigInt,
}

/// What the loss at one sample's logits is made of.
struct Sample {
    /// exp(z_k - max z), their sum, and the sum without the target.
    exponentials: Vec<Pair>,
    sum: Pair,
    others: Pair,
    /// log(1/p).
    log: Pair,
    /// u^γ.
    power: Pair,
}

/// The loss at one margin a >= 0, with o = (K-1) exp(-a) = u/p.
struct Margin {
    odds: Pair,
    /// log(1 + o) = log(1/p).
    log: Pair,
    /// u^γ.
    power: Pair,
}

/// Which side of zero a function certainly is on, if any.
#[derive(PartialEq)]
enum Sign {
    NotPositive,
    NotNegative,
    Unknown,
}

impl Focal {
    pub fn new(precision: usize, (m, q): &(BigInt, BigInt)) -> Self {
        Focal { fixed: Fixed::new(precision), m: m.clone(), q: q.clone() }
    }

    /// x 2^-w, both ways.
    fn scaled(&self, x: &Pair, y: &Pair) -> Pair {
        let w = self.fixed.w;
        ((&x.0 * &y.0) >> w, -((-&x.1 * &y.1) >> w))
    }

    /// γ x.
    fn gamma(&self, x: &Pair) -> Pair {
        ((&x.0 * &self.m).div_floor(&self.q), (&x.1 * &self.m).div_ceil(&self.q))
    }

    fn one(&self) -> BigInt {
        BigInt::one() << self.fixed.w
    }

    /// u^γ = exp(γ log u) from log u <= 0, whose lower bound may be missing: then zero bounds the power.
    fn power(&self, low: Option<BigInt>, high: BigInt) -> Pair {
        if self.m.is_zero() {
            return (self.one(), self.one());
        }
        let exp = |x: BigInt| self.fixed.exp(&self.number(x));
        let high = high.min(BigInt::zero());
        let (low, high) = (low.map(|low| self.gamma(&(low.min(BigInt::zero()), BigInt::zero())).0), self.gamma(&(BigInt::zero(), high)).1);
        (low.map_or(BigInt::zero(), |low| exp(low).0), exp(high).1.min(self.one()))
    }

    fn number(&self, ulps: BigInt) -> Dyadic {
        Dyadic { m: ulps, e: -(self.fixed.w as i64) }
    }

    /// floor(x 2^w / y) for x >= 0, y > 0.
    fn quotient(&self, x: &BigInt, y: &BigInt) -> BigInt {
        (x << self.fixed.w) / y
    }

    fn log(&self, x: &BigInt) -> Pair {
        self.fixed.log(&self.number(x.clone()))
    }

    /// The sample with logits in row i of `z` and class `label`.
    ///
    /// log(1/p) = log Σ e_k + (max z - z_y) and log u = log Σ_{k≠y} e_k - log Σ e_k, e_k = exp(z_k - max z); one e_k is 1.
    fn sample(&self, z: &Mat, i: usize, label: usize) -> Sample {
        let (top, exponentials) = self.fixed.exponentials(z, i);
        let exponentials: Vec<Pair> =
            exponentials.into_iter().map(|(low, high)| (low.big().into_owned(), high.big().into_owned())).collect();
        let total = |skip: Option<usize>| {
            let kept = || exponentials.iter().enumerate().filter(|&(k, _)| Some(k) != skip).map(|(_, e)| e);
            (kept().map(|e| &e.0).sum::<BigInt>(), kept().map(|e| &e.1).sum::<BigInt>())
        };
        let (sum, others) = (total(None), total(Some(label)));
        let log_sum = (self.log(&sum.0).0, self.log(&sum.1).1);
        let margin = Dyadic { m: &*top.big() - &*z.row(i)[label].big(), e: z.e };
        let log = ((&log_sum.0 + margin.floor_at(self.fixed.w)).max(BigInt::zero()), &log_sum.1 + margin.ceil_at(self.fixed.w));
        let low = others.0.is_positive().then(|| self.log(&others.0).0 - &log_sum.1);
        let power = self.power(low, self.log(&others.1).1 - &log_sum.0);
        Sample { exponentials, sum, others, log, power }
    }

    /// An upper bound of Σ_i u_i^γ log(1/p_i); row i of `z` holds the logits of sample i.
    pub fn loss_upper(&self, z: &Mat, labels: &[usize]) -> Dyadic {
        let losses = parallel(z.rows, 100 * z.cols, |i| {
            let at = self.sample(z, i, labels[i]);
            self.scaled(&at.power, &at.log).1
        });
        self.number(losses.into_iter().sum())
    }

    /// A and S with A <= N ∂L/∂Z <= A + S, row i belonging to sample i: s (π - e_y), π the softmax, u = 1 - p,
    /// s = u^γ (1 + γ p log(1/p)/u).
    ///
    /// p log(1/p)/u lies in [0, 1], and p/u = e_y/Σ_{k≠y} e_k.
    pub fn slope(&self, z: &Mat, labels: &[usize]) -> (Mat, Mat) {
        let one = self.one();
        let pairs = parallel(z.rows, 100 * z.cols, |i| {
            let Sample { exponentials, sum, others, log, power } = self.sample(z, i, labels[i]);
            // At most 1 by itself.
            let quotient = |x: &Pair, y: &Pair| -> Pair {
                let high: BigInt = if y.0.is_positive() { self.quotient(&x.1, &y.0) + 1 } else { one.clone() };
                (self.quotient(&x.0, &y.1), high.min(one.clone()))
            };
            let product = self.scaled(&log, &exponentials[labels[i]]);
            let share = self.gamma(&quotient(&product, &others));
            let s = self.scaled(&power, &(&one + share.0, &one + share.1));
            let entry = |(k, e): (usize, &Pair)| {
                let (low, high) = self.scaled(&s, &quotient(if k == labels[i] { &others } else { e }, &sum));
                let slack = &high - &low;
                (if k == labels[i] { -high } else { low }, slack)
            };
            exponentials.iter().enumerate().map(entry).collect::<Vec<_>>()
        });
        let (low, slack) = pairs.into_iter().flatten().unzip();
        let matrix =
            |m: Vec<BigInt>| Mat { rows: z.rows, cols: z.cols, e: -(self.fixed.w as i64), m: m.into_iter().map(Int::from).collect() };
        (matrix(low), matrix(slack))
    }

    /// log u = log(K-1) - a - log(1 + o).
    fn margin(&self, classes: usize, a: &Dyadic) -> Margin {
        let w = self.fixed.w;
        let others = BigInt::from(classes - 1);
        let (low, high) = self.fixed.exp(&a.times(&(-BigInt::one())));
        let odds = (low * &others, high * &others);
        let log = (self.log(&(self.one() + &odds.0)).0.max(BigInt::zero()), self.log(&(self.one() + &odds.1)).1);
        let count = self.fixed.log(&Dyadic::new(others, 0));
        let power = self.power(Some(count.0 - a.ceil_at(w) - &log.1), count.1 - a.floor_at(w) - &log.0);
        Margin { odds, log, power }
    }

    /// φ = u^γ log(1/p).
    fn loss_lower(&self, at: &Margin) -> Dyadic {
        self.number(self.scaled(&at.power, &at.log).0)
    }

    /// S = -φ′ = u^γ (u + γ p log(1/p)) = u^γ (o + γ log(1 + o))/(1 + o) against a number.
    fn slope_against(&self, at: &Margin, t: &Dyadic) -> Sign {
        let share = self.gamma(&at.log);
        let top = self.scaled(&at.power, &(&at.odds.0 + share.0, &at.odds.1 + share.1));
        let low = self.quotient(&top.0, &(self.one() + &at.odds.1));
        let high = self.quotient(&top.1, &(self.one() + &at.odds.0)) + 1;
        if self.number(high) <= *t {
            Sign::NotPositive
        } else if self.number(low) >= *t {
            Sign::NotNegative
        } else {
            Sign::Unknown
        }
    }

    /// g = γ log(1/p) - 1 - 2γ - γ² log(1/p)/o, whose sign S′ has: q² o g = o (m q log(1/p) - q² - 2 m q) - m² log(1/p).
    fn bend(&self, at: &Margin) -> Sign {
        let (m, q, w) = (&self.m, &self.q, self.fixed.w);
        let bracket = |log: &BigInt| -> BigInt { m * q * log - ((q * q + 2 * m * q) << w) };
        let (low, high) = (bracket(&at.log.0), bracket(&at.log.1));
        let square = m * m;
        if !high.is_positive() || &at.odds.1 * high <= (&square * &at.log.0) << w {
            Sign::NotPositive
        } else if !low.is_negative() && &at.odds.0 * low >= (square * &at.log.1) << w {
            Sign::NotNegative
        } else {
            Sign::Unknown
        }
    }
}

/// The rest of a certificate of kind `gap`, from the dual matrix on.
pub(crate) fn gap(reader: &mut Reader<'_>, instance: &Instance<'_>, focal: &Focal) -> Result<Claim, Fail> {
    let (p, k) = (instance.problem, instance.problem.classes);
    let Some(n) = instance.balanced() else {
        return Err(Fail::Unsupported("a lower bound of the focal loss for classes of different sizes".into()));
    };
    let dual_line = reader.line + 1;
    let r = reader.matrix("R", k, Ok(k))?;
    let ends_line = reader.line + 1;
    let ends = reader.matrix("a", 2, Ok(1))?;
    let mut bounds = vec![claimed(reader, "lower", false)?];
    for name in ["upper", "gap"] {
        bounds.push(claimed(reader, name, true)?);
    }
    let collapse = reader.rest.starts_with(b"claim within-class");
    if collapse {
        for name in ["within-class", "self-duality", "fit"] {
            bounds.push(claimed(reader, name, true)?);
        }
    }
    crate::gap_end(reader, instance, &mut bounds)?;

    // D1: R = -t (K I - J), so that every entry but the diagonal is t.
    let t = &*r.m[1].big();
    let diagonal = -(t * (k - 1));
    let matches = r.m.iter().enumerate().all(|(i, x)| &*x.big() == if i % (k + 1) == 0 { &diagonal } else { t });
    require(matches && !t.is_negative(), dual_line, "D1: R is not -t (K I - J) with t >= 0")?;
    // D2: k = (K-1) t is at most κ = (K-1) sqrt(n λ_W λ_H).
    let slope = Dyadic { m: t * (k - 1), e: r.e };
    let t = Dyadic { m: t * &p.q, e: r.e };
    let limit = Dyadic::new(BigInt::from(n) * &p.w * &p.h, 0);
    require(t.square() <= limit, dual_line, "D2: the slope (K-1) t is more than kappa")?;
    let [a1, a2] = [0, 1].map(|i| Dyadic { m: ends.m[i].big().into_owned(), e: ends.e });
    require(!a1.is_negative() && a1 <= a2, ends_line, "D3: not 0 <= a1 <= a2")?;
    let (first, second) = (focal.margin(k, &a1), focal.margin(k, &a2));
    let beyond = focal.bend(&second) == Sign::NotPositive && focal.slope_against(&second, &slope) == Sign::NotPositive;
    require(beyond, ends_line, "D4: the margin's cost is not confirmed to be convex and nondecreasing at a2")?;
    let falling = focal.slope_against(&first, &slope) == Sign::NotNegative;
    let everywhere = falling && slope <= Dyadic::new(1, 0);
    require(
        everywhere || p.bias == Bias::None,
        ends_line,
        "D5: with a bias the slope must be at most 1 and the cost not increasing at a1",
    )?;
    let before = falling || a1.is_zero() || focal.bend(&first) == Sign::NotNegative;
    require(before, ends_line, "D5: the margin's cost is not confirmed to be concave or nonincreasing at a1")?;
    let lower = &bounds[0];
    let between = &focal.loss_lower(&second) + &(&slope * &a1);
    let at_zero = focal.loss_lower(&focal.margin(k, &Dyadic::default()));
    require(between >= lower.value && at_zero >= lower.value, lower.line, "the margins do not give this lower bound")?;
    if collapse && !everywhere && !instance.margins_nonnegative()? {
        return rejected(bounds[3].line, "D6: a margin is negative at this point, where the bound proves nothing about collapse");
    }
    crate::gap_confirmed(instance, &bounds)?;
    Ok(Claim { kind: Kind::Gap, bounds })
}
