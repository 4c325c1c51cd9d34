//! First and second derivatives of the loss in the logits, on grids.

use rayon::prelude::*;
use rug::{Float, Integer, Rational, float::Round};

use crate::problem::exact::{Plain, State, logits};
use crate::problem::{Dyadic, ExactPoint};

/// Logits beyond ±2^40 are not evaluated, as in [`State`].
const LOGIT_BITS: i64 = 40;
/// Bits beyond the grid for sums over classes and a dozen roundings.
const FOCAL_GUARD: u32 = 32;

/// What a Newton step knows of the loss at its point: N ∇L(Z), and what N ∇²L(Z) is made of, on one grid.
pub(super) struct Linearised {
    pub gradient: Dyadic,
    curvature: Curvature,
}

enum Curvature {
    /// N ∇²L = 1.
    Squares,
    /// Probabilities times the target masses.
    Softmax { p: Dyadic },
    /// Probabilities, and s and t of [`Column`] in two rows.
    Focal { p: Dyadic, scales: Dyadic },
}

impl Linearised {
    /// `None` where logits are too large.
    pub fn new(plain: &Plain, focusing: Option<&Rational>, point: &ExactPoint, work: u32) -> Option<Self> {
        if let Some(gamma) = focusing {
            return focal(plain, gamma, &logits(point), work);
        }
        let state = State::new(plain, point, work)?;
        let gradient = state.residual().0.rounded(-(work as i32));
        if plain.mse {
            return Some(Linearised { gradient, curvature: Curvature::Squares });
        }
        let (peak, floor) = (state.grid_target(true), state.grid_target(false));
        let mut p = gradient.clone();
        for (t, p) in p.m.iter_mut().enumerate() {
            *p += if plain.tagged(plain.label[t % plain.n], t / plain.n) { &peak } else { &floor };
        }
        Some(Linearised { gradient, curvature: Curvature::Softmax { p } })
    }

    /// z ← N ∇²L(Z)\[z\], rounded to the grid of z, from what the point is on the grid 2^coarse.
    pub fn apply(&self, plain: &Plain, z: &mut Dyadic, coarse: i32) {
        let cut = |x: &Dyadic| x.clone().rounded_below(coarse);
        match &self.curvature {
            Curvature::Squares => {}
            Curvature::Softmax { p } => softmax_product(&cut(p), plain, z),
            Curvature::Focal { p, scales } => focal_product(&cut(p), &cut(scales), plain, z),
        }
    }
}

/// Columns of z become `p ∘ (z − ⟨p, z⟩/m)`, p the probabilities times the mass m, rounded to the grid of z.
fn softmax_product(p: &Dyadic, plain: &Plain, z: &mut Dyadic) {
    let (n, shift) = (z.cols, p.exp.unsigned_abs());
    for i in 0..n {
        let mean = mean(p, z, i) / plain.mass(plain.label[i]);
        for t in (i..z.m.len()).step_by(n) {
            z.m[t] -= &mean;
            z.m[t] *= &p.m[t];
            z.m[t] >>= shift;
        }
    }
}

/// ⟨p, z⟩ of column i, rounded to the grid of z.
fn mean(p: &Dyadic, z: &Dyadic, i: usize) -> Integer {
    let column = (i..z.m.len()).step_by(z.cols);
    column.map(|t| Integer::from(&p.m[t] * &z.m[t])).sum::<Integer>() >> p.exp.unsigned_abs()
}

/// Columns of z become `s p ∘ (z − ⟨p, z⟩) − t ⟨r, z⟩ r`, r = p − e_y, rounded to the grid of z.
fn focal_product(p: &Dyadic, scales: &Dyadic, plain: &Plain, z: &mut Dyadic) {
    let (n, shift) = (z.cols, p.exp.unsigned_abs());
    for i in 0..n {
        let own = plain.tags[plain.label[i]][0] * n + i;
        let mean = mean(p, z, i);
        let (s, t) = (&scales.m[i], &scales.m[n + i]);
        let outer = (Integer::from(&mean - &z.m[own]) * t) >> scales.exp.unsigned_abs();
        for q in (i..z.m.len()).step_by(n) {
            z.m[q] -= &mean;
            z.m[q] *= s;
            z.m[q] >>= scales.exp.unsigned_abs();
            z.m[q] -= &outer;
            z.m[q] *= &p.m[q];
            z.m[q] >>= shift;
        }
        z.m[own] += outer;
    }
}

/// One sample under the focal loss u^γ log(1 + o), o = Σ_{k≠y} exp(z_k − z_y), p_y = 1/(1 + o), u = o/(1 + o):
///
/// the gradient in its logits is s (p − e_y), s = u^γ (1 + γ log(1+o)/o), and its derivative along z is
/// s p ∘ (z − ⟨p, z⟩) − t ⟨r, z⟩ r with r = p − e_y, t = p_y s'(p_y) = u^γ γ (log(1+o) − 2 − (γ−1) log(1+o)/o) / o.
struct Column {
    p: Vec<Float>,
    u: Float,
    s: Float,
    t: Float,
}

impl Column {
    fn new(plain: &Plain, gamma: &Float, z: &Dyadic, i: usize) -> Self {
        let w = gamma.prec();
        let y = plain.tags[plain.label[i]][0];
        let float = |x: u32| Float::with_val(w, x);
        let difference = |k: usize| Integer::from(&z.m[k * plain.n + i] - &z.m[y * plain.n + i]);
        let mut p: Vec<Float> = (0..plain.k).map(|k| (Float::with_val(w, difference(k)) << z.exp).exp()).collect();
        p[y] = float(0);
        let odds = p.iter().fold(float(0), |sum, e| sum + e);
        p[y] = float(1);
        let sum = Float::with_val(w, &odds + 1u32);
        p.iter_mut().for_each(|p| *p /= &sum);
        // One class alone: no loss.
        if odds.is_zero() {
            return Column { p, u: float(0), s: float(0), t: float(0) };
        }
        let log = Float::with_val(w, odds.ln_1p_ref());
        let power = ((Float::with_val(w, odds.ln_ref()) - &log) * gamma).exp();
        let share = Float::with_val(w, &log / &odds);
        let s = (Float::with_val(w, gamma * &share) + 1u32) * &power;
        let t = (log - 2u32 - Float::with_val(w, gamma - 1u32) * share) * gamma * power / &odds;
        Column { p, u: odds / sum, s, t }
    }
}

fn focal(plain: &Plain, gamma: &Rational, z: &Dyadic, work: u32) -> Option<Linearised> {
    let largest = z.m.iter().map(Integer::significant_bits).max().unwrap_or(0) as i64 + i64::from(z.exp) + 1;
    if largest > LOGIT_BITS {
        return None;
    }
    let gamma = Float::with_val(work + largest.max(0) as u32 + FOCAL_GUARD, gamma);
    let columns: Vec<Column> = (0..plain.n).into_par_iter().map(|i| Column::new(plain, &gamma, z, i)).collect();
    let grid = |rows: usize, entry: &dyn Fn(usize, &Column) -> Float| {
        let entries = (0..rows).flat_map(|row| columns.iter().map(move |column| entry(row, column)));
        let round = |x: Float| (x << work).to_integer_round(Round::Nearest).map_or_else(Integer::new, |(x, _)| x);
        Dyadic { rows, cols: plain.n, exp: -(work as i32), m: entries.map(round).collect() }
    };
    let p = grid(plain.k, &|k, column| column.p[k].clone());
    let scales = grid(2, &|row, column| if row == 0 { column.s.clone() } else { column.t.clone() });
    let mut gradient = grid(plain.k, &|k, column| Float::with_val(column.s.prec(), &column.s * &column.p[k]));
    for (i, column) in columns.iter().enumerate() {
        let own = -(Float::with_val(column.s.prec(), &column.s * &column.u) << work);
        let y = plain.tags[plain.label[i]][0];
        gradient.m[y * plain.n + i] = own.to_integer_round(Round::Nearest).map_or_else(Integer::new, |(x, _)| x);
    }
    Some(Linearised { gradient, curvature: Curvature::Focal { p, scales } })
}

#[cfg(test)]
mod tests {
    use super::{super::exact_model, *};
    use crate::problem::Problem;

    /// Bits of the grid that derivatives are asked on.
    const WORK: u32 = 256;
    /// Central differences of step 2^−STEP are off by 2^(−2 STEP) times a third derivative, and by roundings of 2^(STEP − FINE).
    const STEP: u32 = 200;
    const FINE: u32 = 800;
    /// Units of the grid that a derivative may be off by: a dozen roundings, and |z| <= 8 of Hessian products' own operand.
    const UNITS: i32 = 6;

    fn random(state: &mut u64, bound: i64) -> i64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as i64 % (2 * bound + 1) - bound
    }

    /// The point W = Z, H = 1.
    fn point(z: &Dyadic) -> ExactPoint {
        let n = z.cols;
        let one = (0..n * n).map(|t| Integer::from(u32::from(t / n == t % n))).collect();
        ExactPoint { factors: vec![z.clone()], h: Dyadic { rows: n, cols: n, exp: 0, m: one }, b: None }
    }

    fn moved(z: &Dyadic, by: impl Fn(usize) -> i64) -> Dyadic {
        let mut z = z.clone();
        z.m.iter_mut().enumerate().for_each(|(q, m)| *m += by(q));
        z
    }

    /// N L(Z), sample by sample from the definitions.
    fn loss(plain: &Plain, focusing: Option<&Rational>, z: &Dyadic) -> Float {
        let float = |x: &Rational| Float::with_val(FINE, x);
        let mut sum = Float::new(FINE);
        for i in 0..plain.n {
            let z: Vec<Float> = (0..plain.k).map(|k| float(&z.rational(k, i))).collect();
            let tags = &plain.tags[plain.label[i]];
            if plain.mse {
                let off = |k: usize| z[k].clone() - u32::from(tags.contains(&k));
                sum += (0..plain.k).map(|k| off(k).square()).fold(Float::new(FINE), |s, x| s + x) / 2u32;
                continue;
            }
            let total = z.iter().fold(Float::new(FINE), |s, z| s + Float::with_val(FINE, z.exp_ref()));
            let cross = |k: usize| Float::with_val(FINE, total.ln_ref()) - &z[k];
            if let Some(gamma) = focusing {
                let own = cross(tags[0]);
                let rest = Float::with_val(FINE, 1) - Float::with_val(FINE, -&own).exp();
                sum += (rest.ln() * float(gamma)).exp() * own;
                continue;
            }
            let smooth = Rational::from(&plain.smoothing / plain.k as u32);
            for k in 0..plain.k {
                let peak = if tags.contains(&k) { Rational::from(1 - &plain.smoothing) } else { Rational::new() };
                sum += cross(k) * float(&(peak + &smooth));
            }
        }
        sum
    }

    fn cases() -> Vec<Problem> {
        let plain = ["'mse'", "'ce'", "'label-smoothing'\nsmoothing = '0.1'", "'focal'\nfocusing = '0'", "'focal'\nfocusing = '0.5'"];
        let more = ["'focal'\nfocusing = '1'", "'focal'\nfocusing = '2.5'", "'focal'\nfocusing = '7'"];
        let weights = "dim = 5\nlambda_w = '0.01'\nlambda_h = '0.02'\nbias = 'none'\n";
        let plain = plain.iter().chain(&more).map(|loss| format!("model = 'plain'\nloss = {loss}\nclass_counts = [2, 2, 1]\n{weights}"));
        let tagged =
            "model = 'multi-label'\nloss = 'pick-all-labels'\nclasses = 4\ntag_sets = [[0], [1, 3], [0, 1, 2]]\ntag_counts = [2, 1, 2]\n";
        plain.chain([format!("{tagged}{weights}")]).map(|file| Problem::from_toml(&file).expect("a valid problem")).collect()
    }

    /// ∂(N L) and N ∇²L v against central differences of the loss, and of its gradient, at far higher precision.
    #[test]
    fn derivatives_are_limits_of_differences() {
        for (c, problem) in cases().iter().enumerate() {
            let (plain, focusing) = exact_model(problem).expect("covered");
            for bits in [1, 3, 5] {
                let mut state = 17 * c as u64 + bits;
                let (k, n) = (plain.k, plain.n);
                let z = (0..k * n).map(|_| Integer::from(random(&mut state, 1 << (bits + 10))) << (STEP - 10)).collect();
                let z = Dyadic { rows: k, cols: n, exp: -(STEP as i32), m: z };
                let v: Vec<i64> = (0..k * n).map(|_| random(&mut state, 8)).collect();
                let focusing = focusing.as_ref();
                let at = |z: &Dyadic, work: u32| Linearised::new(&plain, focusing, &point(z), work).expect("logits in range");
                let here = at(&z, WORK);
                let close = |x: &Integer, exact: Float, what: &str| {
                    let off = Float::with_val(FINE, x) - (exact << WORK);
                    assert!(off.clone().abs() <= 1 << UNITS, "{what}, case {c}, logits up to 2^{bits}: {} units off", off.to_f64());
                };
                for q in 0..k * n {
                    let [up, down] = [1, -1].map(|s| loss(&plain, focusing, &moved(&z, |t| if t == q { s } else { 0 })));
                    close(&here.gradient.m[q], (up - down) << (STEP - 1), "gradient");
                }
                let mut product = Dyadic { exp: -(WORK as i32), m: v.iter().map(|&v| Integer::from(v) << WORK).collect(), ..z.clone() };
                here.apply(&plain, &mut product, -(WORK as i32));
                let [up, down] = [1, -1].map(|s| at(&moved(&z, |t| s * v[t]), FINE).gradient);
                for q in 0..k * n {
                    let difference = Float::with_val(FINE, Integer::from(&up.m[q] - &down.m[q])) >> FINE;
                    close(&product.m[q], difference << (STEP - 1), "Hessian product");
                }
            }
        }
    }
}
