//! Kind `modes`: the lower bound of mse from the singular values of the target (FORMAT.md, "Kind `modes`").

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{One, Signed, Zero};

use crate::dyadic::Dyadic;
use crate::predicates::Instance;
use crate::problem::{Bias, Problem};
use crate::reader::{Fail, Reader, require};
use crate::{Bound, Claim, Kind, claimed, gap_confirmed, gap_end};

/// Most bits of the divisions together, precision · rows of `s` · (number of different class sizes): they take seconds.
const MAX_WORK: usize = 1 << 28;

/// T M Tᵀ = diag(n) - c n nᵀ/N, M = I - c 1 1ᵀ/N: its eigenvalues are the squares of the modes.
struct Spectrum {
    /// Different class sizes, with how many classes have each.
    sizes: BTreeMap<usize, usize>,
    samples: BigInt,
    /// c = share/whole.
    share: BigInt,
    whole: BigInt,
}

impl Spectrum {
    fn new(instance: &Instance<'_>) -> Spectrum {
        let Problem { bias, q, b, samples, .. } = instance.problem;
        let (share, whole) = match bias {
            Bias::None => (BigInt::zero(), BigInt::one()),
            Bias::Free => (BigInt::one(), BigInt::one()),
            Bias::Regularized => (q.clone(), q + b),
        };
        let mut sizes = BTreeMap::new();
        instance.groups.iter().for_each(|group| *sizes.entry(group.count).or_insert(0) += 1);
        Spectrum { sizes, samples: (*samples).into(), share, whole }
    }

    /// Whether it is certain that at most `i` eigenvalues exceed x = X 2^-w (M2): with p class sizes above x and none at it they are p - 1
    /// when c Σ n²/(n - x) >= N, otherwise p.
    fn at_most_above(&self, i: usize, x: &BigInt, w: usize) -> bool {
        let distance = |n: &usize| (BigInt::from(*n) << w) - x;
        let larger: usize = self.sizes.iter().filter(|(n, _)| distance(n).is_positive()).map(|(_, classes)| classes).sum();
        if larger != i + 1 || self.sizes.keys().any(|n| distance(n).is_zero()) {
            return larger <= i;
        }
        let term = |(n, classes): (&usize, &usize)| ((BigInt::from(*n).pow(2) * *classes) << (2 * w)).div_floor(&distance(n));
        let sum: BigInt = self.sizes.iter().map(term).sum();
        sum * &self.share >= (&self.samples * &self.whole) << w
    }

    /// The trace of diag(n) - c n nᵀ/N times N and the denominator of c.
    fn trace(&self) -> BigInt {
        let squares: BigInt = self.sizes.iter().map(|(n, classes)| BigInt::from(*n).pow(2) * *classes).sum();
        self.samples.pow(2) * &self.whole - squares * &self.share
    }
}

/// The rest of a certificate of kind `modes`, from the point on.
pub(crate) fn gap(reader: &mut Reader<'_>, instance: &Instance<'_>) -> Result<Claim, Fail> {
    let p = instance.problem;
    let rows = p.dim.min(p.classes);
    let first = reader.line + 2;
    let s = reader.matrix("s", rows, Ok(1))?;
    let m = reader.matrix("m", 1, Ok(1))?;
    let threshold_line = reader.line;
    let mut bounds = vec![claimed(reader, "lower", false)?];
    for name in ["upper", "gap", "within-class", "self-duality", "fit"] {
        bounds.push(claimed(reader, name, true)?);
    }
    gap_end(reader, instance, &mut bounds)?;
    let m = m.dyadics(0).next().unwrap_or_default();
    let limit = Dyadic::new(&p.w * &p.h * BigInt::from(p.samples).pow(2), 0);
    require(!m.is_negative() && m.square().times(&p.q.pow(2)) <= limit, threshold_line, "M1: m is negative or more than N mu")?;
    let (spectrum, w) = (Spectrum::new(instance), instance.precision);
    if spectrum.sizes.len().saturating_mul(rows).saturating_mul(w) > MAX_WORK {
        return Err(Fail::Unsupported("a precision too high for these class sizes".into()));
    }
    let mut gain = Dyadic::default();
    for i in 0..rows {
        let s = s.dyadics(i).next().unwrap_or_default();
        let holds = !s.is_negative() && spectrum.at_most_above(i, &s.square().floor_at(w), w);
        require(holds, first + i, "M2: not confirmed to be at least this singular value of the target")?;
        let kept = &s - &m;
        gain = if kept.is_negative() { gain } else { &gain + &kept.square() };
    }
    lower_confirmed(&spectrum, &gain, &bounds[0])?;
    gap_confirmed(instance, &bounds)?;
    Ok(Claim { kind: Kind::Gap, bounds })
}

/// 2 N lower <= trace - gain, times N and the denominator of c.
fn lower_confirmed(spectrum: &Spectrum, gain: &Dyadic, lower: &Bound) -> Result<(), Fail> {
    let scale = &spectrum.samples * &spectrum.whole;
    let most = &Dyadic::new(spectrum.trace(), 0) - &gain.times(&scale);
    let holds = lower.value.times(&(2 * scale * &spectrum.samples)) <= most;
    require(holds, lower.line, "the singular values do not give this lower bound")
}
