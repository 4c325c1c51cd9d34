//! Starting points.

use std::ops::Range;

use faer::Mat;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::{SolveError, warm::bias_share};
use crate::linalg::thin_svd;
use crate::problem::{Layout, Objective};

/// Standard deviation of a random start.
const DEVIATION: f64 = 0.1;
/// Singular values below this share of the largest are rounding errors of zero (K ε with room, K up to 10^4).
const NEGLIGIBLE: f64 = 1e-11;

/// See [`super::Start::Random`].
pub(super) fn random(layout: &Layout, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut x = vec![0.0; layout.len()];
    for x in &mut x[..layout.features().end] {
        let normal: f64 = StandardNormal.sample(&mut rng);
        *x = DEVIATION * normal;
    }
    x
}

/// See [`super::Start::Spectral`].
pub(super) fn spectral(objective: &mut Objective) -> Result<Vec<f64>, SolveError> {
    let (all, modes) = unit_modes(objective)?;
    let deep = objective.layout().layers > 1;
    let mut together = all.clone();
    if deep && objective.relu() || !deep && !objective.squared() {
        scale_modes(objective, &mut together, &all, 0..modes);
    }
    if !deep {
        return Ok(together);
    }
    // Linear layers: the modes do not see each other, and some may be better dead.
    let mut x = vec![0.0; all.len()];
    (0..modes).for_each(|mode| scale_modes(objective, &mut x, &all, mode..mode + 1));
    if objective.relu() {
        // Modes of different signs do see each other there.
        let mut gradient = vec![0.0; x.len()];
        let mut value = |x: &[f64]| objective.value_gradient(x, &mut gradient);
        if value(&together) < value(&x) {
            return Ok(together);
        }
    }
    Ok(x)
}

/// The scales of the product that are tried: powers of [`SCALE_STEP`] around one, and zero.
const SCALE_POWERS: std::ops::RangeInclusive<i32> = -16..=24;
const SCALE_STEP: f64 = 1.2;
/// Steps of the golden-section search after that: the bracket shrinks to 1e-5 of itself.
const GOLDEN_STEPS: u32 = 24;
const GOLDEN: f64 = 0.618_033_988_749_894_8;

/// Sets these modes of x to those of `unit`, at the common scale of their products at which the objective is least.
fn scale_modes(objective: &mut Objective, x: &mut [f64], unit: &[f64], modes: Range<usize>) {
    let layout = objective.layout().clone();
    let (last, factors) = (layout.layers - 1, (layout.layers + 1) as f64);
    let mut gradient = vec![0.0; x.len()];
    let put = |x: &mut [f64], product: f64| {
        let t = product.powf(1.0 / factors);
        let mut put = |range: Range<usize>| {
            for (x, unit) in x[range.clone()].iter_mut().zip(&unit[range]) {
                *x = t * unit;
            }
        };
        for mode in modes.clone() {
            for j in 0..last {
                let entry = layout.factor(j).start + mode * layout.dim + mode;
                put(entry..entry + 1);
            }
            let column = layout.factor(last).start + mode * layout.classes;
            put(column..column + layout.classes);
            let features = layout.features();
            features.step_by(layout.dim).for_each(|column| put(column + mode..column + mode + 1));
        }
    };
    let mut value = |x: &mut [f64], product: f64| {
        put(x, product);
        objective.value_gradient(x, &mut gradient)
    };
    let scale = |power: f64| SCALE_STEP.powf(power);
    let zero = value(x, 0.0);
    let values: Vec<f64> = SCALE_POWERS.map(|power| value(x, scale(f64::from(power)))).collect();
    let least = (0..values.len()).min_by(|&i, &j| values[i].total_cmp(&values[j])).unwrap_or(0);
    let centre = f64::from(SCALE_POWERS.start() + least as i32);
    let (mut low, mut high) = (centre - 1.0, centre + 1.0);
    for _ in 0..GOLDEN_STEPS {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if value(x, scale(a)) <= value(x, scale(b)) { high = b } else { low = a }
    }
    let best = scale(0.5 * (low + high));
    if value(x, best) >= zero {
        value(x, 0.0);
    }
}

/// The modes at their unscaled sizes, and how many.
///
/// With `−N grad L(0) = U S Vᵀ` (its bias part projected out), the mode of singular value s is shared out as `λ_j σ_j² = const`
/// over the factors with product s, which is where the regulariser is least; hidden layers take one coordinate per mode.
fn unit_modes(objective: &Objective) -> Result<(Vec<f64>, usize), SolveError> {
    let layout = objective.layout();
    let (k, d, m) = (layout.classes, layout.dim, layout.layers);
    let targets = objective.targets();
    let (counts, c) = (&targets.counts, targets.counts.len());
    let n = layout.samples as f64;
    // One column per group: samples of a group have the same gradient at zero.
    let mut descent = Mat::<f64>::zeros(k, c);
    let mut first = 0;
    for (group, &count) in counts.iter().enumerate() {
        let column = descent.col_as_slice_mut(group);
        objective.loss().gradient(column, first);
        column.iter_mut().for_each(|g| *g *= -n);
        first += count as usize;
    }
    let share = bias_share(objective);
    let mean: Vec<f64> = (0..k).map(|i| (0..c).map(|j| descent[(i, j)] * counts[j] as f64 / n).sum()).collect();
    let weighted = Mat::from_fn(k, c, |i, j| (descent[(i, j)] - share * mean[i]) * (counts[j] as f64).sqrt());
    let (u, s, v) = thin_svd(weighted.as_ref()).ok_or_else(|| SolveError::Unsupported("no spectral start: the SVD failed".into()))?;
    let mut x = vec![0.0; layout.len()];
    let weights = (0..m).map(|j| objective.lambda(j)).chain([objective.lambda_h()]);
    let product: f64 = weights.product();
    let mut modes = 0;
    for (mode, &s_mode) in s.iter().enumerate().take(d).filter(|(_, s_mode)| **s_mode > NEGLIGIBLE * s[0]) {
        modes = mode + 1;
        let level = (s_mode * s_mode * product).powf(1.0 / (m + 1) as f64);
        let sigma = |lambda: f64| (level / lambda).sqrt();
        // Hidden activations of the deep ReLU model should be positive.
        let total: f64 = (0..c).map(|j| v[(j, mode)]).sum();
        let sign = if total < 0.0 { -1.0 } else { 1.0 };
        for j in 0..m {
            let value = sigma(objective.lambda(j));
            let mut w = layout.factor_mut(&mut x, j);
            if j + 1 < m {
                w[(mode, mode)] = value;
            } else {
                (0..k).for_each(|i| w[(i, mode)] = sign * value * u[(i, mode)]);
            }
        }
        let value = sigma(objective.lambda_h());
        let mut h = layout.features_mut(&mut x);
        for (sample, &label) in targets.labels.iter().enumerate() {
            let label = label as usize;
            h[(mode, sample)] = sign * value * v[(label, mode)] / (counts[label] as f64).sqrt();
        }
    }
    Ok((x, modes))
}
