//! Deep models W_(p-1) ... W_1 H: their objective at a point, exactly, and a lower bound of the collapsed value (FORMAT.md, "Deep
//! models"): for the linear model it bounds the objective at every point.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::One;

use crate::dyadic::Dyadic;
use crate::int::Int;
use crate::matrix::Mat;
use crate::problem::{Fields, Sizes, common_denominator};
use crate::reader::{Fail, Reader, require};
use crate::{Claim, Kind, claimed};

/// A deep model without bias under mse; λ_j = l_j/q with integers, j = 0 for H, then W_1, ..., W_(p-1).
pub(crate) struct Deep {
    /// Whether there is a ReLU: never with two factors.
    pub relu: bool,
    classes: usize,
    samples: usize,
    dim: usize,
    sizes: Sizes,
    l: Vec<BigInt>,
    q: BigInt,
}

/// Most factors p of a model.
const MAX_FACTORS: usize = 100;
/// Most bits of the bound's bisections together, precision · p · (number of different class sizes): they take seconds.
const MAX_WORK: usize = 1 << 16;

impl Deep {
    /// Validates a problem file as a whole, its model apart.
    ///
    /// # Errors
    /// What makes the file invalid or different from a deep model.
    pub fn parse(file: &Fields<'_>, relu: bool) -> Result<Deep, String> {
        file.without(&["lambda_w", "lambda_h", "lambda_b", "smoothing", "focusing", "temperature"])?;
        file.choice("loss", &["mse"])?;
        if file.get("bias").is_some() {
            file.choice("bias", &["none"])?;
        }
        let ((classes, samples, sizes), dim) = (file.sizes()?, file.count("dim")?);
        let (l, q) = common_denominator(&file.decimals("lambdas")?)?;
        if !(2..=MAX_FACTORS).contains(&l.len()) {
            return Err("`lambdas` must have 2 to 100 weights".into());
        }
        // Two factors have no hidden layer.
        let relu = relu && l.len() > 2;
        Ok(Deep { relu, classes, samples, dim, sizes, l, q })
    }

    /// H, W_1, ..., W_(p-1).
    fn point(&self, reader: &mut Reader<'_>) -> Result<Vec<Mat>, Fail> {
        let mut factors = vec![reader.matrix("H", self.dim, Ok(self.samples))?];
        for j in 1..self.l.len() {
            let rows = if j + 1 == self.l.len() { self.classes } else { self.dim };
            factors.push(reader.matrix(&format!("W{j}"), rows, Ok(self.dim))?);
        }
        Ok(factors)
    }

    /// Whether f <= bound: 2 N q f = q ||Z - Y||² + N Σ l_j ||F_j||² over the factors F_j. Layers are kept transposed.
    fn objective_at_most(&self, factors: &[Mat], bound: &Dyadic) -> Result<bool, Fail> {
        let mut layer = factors[0].transpose();
        for (j, w) in factors.iter().enumerate().skip(1) {
            layer = layer.product(w)?;
            if self.relu && j + 1 < factors.len() {
                layer.m.iter_mut().filter(|x| x.is_negative()).for_each(|x| *x = Int::ZERO);
            }
        }
        let classes = self.sizes.groups(self.classes);
        let labels: Vec<usize> = classes.iter().enumerate().flat_map(|(class, group)| std::iter::repeat_n(class, group.count)).collect();
        let one = BigInt::one();
        let residual = Mat::combine(&[(&one, &layer), (&-&one, &Mat::one_hot(&labels, self.classes))])?;
        let n = BigInt::from(self.samples);
        let squares = factors.iter().zip(&self.l).fold(Dyadic::default(), |sum, (f, l)| &sum + &f.norm_squared().times(l));
        let objective = &residual.norm_squared().times(&self.q) + &squares.times(&n);
        Ok(objective <= bound.times(&(2 * n * &self.q)))
    }

    /// Whether Σ_k (n_k/N) min_t ψ_k(t) >= bound is certain (FORMAT.md, C1), ψ_k(t) = (t^p - 1)²/2 + (p/2) κ_k t² and
    /// κ_k^p = N^p Λ / n_k^(p-1), with t = 0 for all but the d largest classes.
    fn collapsed_at_least(&self, w: usize, bound: &Dyadic) -> Result<bool, Fail> {
        let p = self.l.len();
        let mut groups = BTreeMap::new();
        match &self.sizes {
            Sizes::Balanced(n) => drop(groups.insert(*n, self.classes)),
            Sizes::Listed(counts) => counts.iter().for_each(|&n| *groups.entry(n).or_insert(0) += 1),
            Sizes::PerTagSet(_) | Sizes::Tagged(_) => return Err(Fail::Unsupported("tag sets in a deep model".into())),
        }
        if groups.len().saturating_mul(p * w) > MAX_WORK {
            return Err(Fail::Unsupported("a precision too high for this depth and these class sizes".into()));
        }
        let product: BigInt = self.l.iter().product();
        let numerator = BigInt::from(self.samples).pow(p as u32) * product;
        // At most d modes are alive, those of the largest classes; each of the others pays 1/2.
        let (mut total, mut room) = (Dyadic::default(), self.dim);
        for (n, classes) in groups.into_iter().rev() {
            let kept = classes.min(room);
            room -= kept;
            let denominator = self.q.pow(p as u32) * BigInt::from(n).pow(p as u32 - 1);
            let least = mode_at_least(p, &((&numerator << (p * w)) / denominator), w);
            let pays = &least.times(&kept.into()) + &Dyadic::new(classes - kept, -1);
            total = &total + &pays.times(&n.into());
        }
        Ok(total >= bound.times(&self.samples.into()))
    }
}

/// A lower bound of min over t >= 0 of (t^p - 1)²/2 + (p/2) κ t², from `power` = floor(κ^p 2^(w p)); C1 of FORMAT.md, whose
/// letters are used: numbers on the grid of 2^-w are held as integers.
fn mode_at_least(p: usize, power: &BigInt, w: usize) -> Dyadic {
    let (p32, one) = (p as u32, BigInt::one() << (w * p));
    // T^(p-2) (2^(wp) - T^p) = F(t) 2^(w(2p-2)).
    let f = |t: &BigInt| -> BigInt { t.pow(p32 - 2) * (&one - t.pow(p32)) };
    let kappa_scale = w * (2 * p - 3);
    let mut kappa = power.nth_root(p32);
    // The least a on the grid with (2p-2) a^p >= p-2: from there on F decreases.
    let (share, whole) = (BigInt::from(p - 2) * &one, BigInt::from(2 * p - 2));
    let mut a = (&share / &whole).nth_root(p32);
    if a.pow(p32) * &whole < share {
        a += 1;
    }
    let peak = f(&a);
    if peak < &kappa << kappa_scale {
        kappa = peak >> kappa_scale;
    }
    let (limit, mut b) = (&kappa << kappa_scale, BigInt::one() << w);
    while &b - &a > BigInt::one() {
        let middle: BigInt = (&a + &b) >> 1;
        let past = f(&middle) < limit;
        *(if past { &mut b } else { &mut a }) = middle;
    }
    let fit = Dyadic::new(&one - b.pow(p32), -((w * p) as i64)).square();
    let energy = Dyadic::new(kappa * &a * &a * p, -(3 * w as i64));
    let sum = &fit + &energy;
    let half = Dyadic::new(1, -1);
    let value = Dyadic { e: sum.e - 1, ..sum };
    if value < half { value } else { half }
}

/// The rest of a certificate about a deep model, from its point on: `below` for ReLU, `gap` for linear layers.
pub(crate) fn certificate(reader: &mut Reader<'_>, deep: &Deep, precision: usize) -> Result<Claim, Fail> {
    let point = deep.point(reader)?;
    let (kind, bounds) = if deep.relu {
        let (objective, collapsed) = (claimed(reader, "objective", true)?, claimed(reader, "collapsed", false)?);
        (Kind::Below, vec![objective, collapsed])
    } else {
        let lower = claimed(reader, "lower", false)?;
        (Kind::Gap, vec![lower, claimed(reader, "upper", true)?, claimed(reader, "gap", true)?])
    };
    reader.end()?;
    let (upper, lower) = if deep.relu { (&bounds[0], &bounds[1]) } else { (&bounds[1], &bounds[0]) };
    match bounds.get(2) {
        Some(gap) => {
            let covered = &upper.value - &lower.value <= gap.value;
            require(covered, gap.line, "the gap is smaller than claimed upper - claimed lower")?;
        }
        None => require(upper.value < lower.value, lower.line, "the claimed collapsed value is not above the claimed objective")?,
    }
    require(deep.collapsed_at_least(precision, &lower.value)?, lower.line, "the collapsed value is not confirmed to be at least this")?;
    require(deep.objective_at_most(&point, &upper.value)?, upper.line, "the objective is more than this")?;
    Ok(Claim { kind, bounds })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// floor(κ^p 2^(w p)) for κ = m/10^6.
    fn power(m: u64, p: u32, w: usize) -> BigInt {
        (BigInt::from(m).pow(p) << (w * p as usize)) / BigInt::from(1_000_000).pow(p)
    }

    fn float(x: &Dyadic) -> f64 {
        let shift = x.m.bits() as i64 - 60;
        let m: BigInt = crate::dyadic::shifted(&x.m, -shift);
        m.to_string().parse::<f64>().unwrap_or(f64::NAN) * 2f64.powi((x.e + shift) as i32)
    }

    /// The bound is below the function on a fine grid, touches it to the grid's accuracy, and grows with the precision.
    #[test]
    fn bounds_of_modes() {
        for p in [2usize, 3, 4, 5, 8, 20] {
            for m in [1, 700, 20_000, 150_000, 396_850, 396_851, 500_000, 999_999, 1_000_000, 3_000_000] {
                let kappa = m as f64 * 1e-6;
                let psi = |t: f64| (t.powi(p as i32) - 1.0).powi(2) / 2.0 + p as f64 / 2.0 * kappa * t * t;
                let least = (0..=40_000).map(|i| psi(i as f64 / 40_000.0)).fold(f64::INFINITY, f64::min);
                let mut last = Dyadic::default();
                for w in [32, 40, 64, 200] {
                    let bound = mode_at_least(p, &power(m, p as u32, w), w);
                    let value = float(&bound);
                    assert!(value <= least * (1.0 + 1e-12), "{p} {kappa}: {value} above {least}");
                    // The grid's step is 2.5e-5: its minimum is within p² step² of the function's.
                    let close = least - value <= (p * p) as f64 * 1e-9 + 2f64.powi(8 - w as i32);
                    assert!(close, "{p} {kappa} at {w} bits: {value} against {least}");
                    assert!(&bound + &Dyadic::new(1, -(w as i64) + 16) >= last);
                    last = bound;
                }
            }
        }
    }

    /// Two factors: κ - κ²/2, below 1 (x = 1 - κ), and never above it.
    #[test]
    fn two_factors() {
        let w = 100;
        let bound = mode_at_least(2, &power(250_000, 2, w), w);
        let exact = Dyadic::new(7, -5);
        assert!(bound <= exact && &bound + &Dyadic::new(1, -95) >= exact);
    }
}
