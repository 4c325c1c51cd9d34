//! Problems, closed forms and a high-precision objective, written from the formulas and independent of the library's numerics.
#![allow(dead_code)]

use rug::{Float, Rational};
use ufm::problem::{Bias, Loss, Model, Point, Problem};

pub fn plain(loss: &str, bias: &str, counts: &[u64], dim: u64, lambda_w: f64, lambda_h: f64) -> Problem {
    let extra = match (loss, bias) {
        ("label-smoothing", _) => "smoothing = '0.1'\n",
        ("focal", _) => "focusing = '2.5'\n",
        _ => "",
    };
    let regularised = if bias == "regularized" { "lambda_b = '0.29'\n" } else { "" };
    Problem::from_toml(&format!(
        "model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\nclass_counts = {counts:?}\ndim = {dim}\n\
         lambda_w = '{lambda_w:e}'\nlambda_h = '{lambda_h:e}'\n{extra}{regularised}"
    ))
    .unwrap()
}

/// Multi-label data: tag sets with the samples of each.
pub fn tagged(bias: &str, classes: u64, sets: &[(&[u64], u64)], dim: u64, lambda_w: f64, lambda_h: f64) -> Problem {
    let regularised = if bias == "regularized" { "lambda_b = '0.29'\n" } else { "" };
    let (tags, counts): (Vec<&[u64]>, Vec<u64>) = sets.iter().copied().unzip();
    Problem::from_toml(&format!(
        "model = 'multi-label'\nloss = 'pick-all-labels'\nbias = '{bias}'\nclasses = {classes}\ntag_sets = {tags:?}\ntag_counts = {counts:?}\n\
         dim = {dim}\nlambda_w = '{lambda_w:e}'\nlambda_h = '{lambda_h:e}'\n{regularised}"
    ))
    .unwrap()
}

pub fn deep(model: &str, classes: u64, per_class: u64, dim: u64, lambdas: &[&str]) -> Problem {
    Problem::from_toml(&format!(
        "model = '{model}'\nloss = 'mse'\nclasses = {classes}\nper_class = {per_class}\ndim = {dim}\nlambdas = {lambdas:?}"
    ))
    .unwrap()
}

/// Minimum of the balanced plain model (c below its threshold or not), d >= K.
pub fn balanced_minimum(loss: &str, bias: &str, k: f64, n: f64, lambda_w: f64, lambda_h: f64) -> f64 {
    let c = k * (n * lambda_w * lambda_h).sqrt();
    let phi = |c: f64, g: f64| if c < g { c - c * c / (2.0 * g) } else { 0.5 * g };
    match (loss, bias) {
        ("mse", "none") => phi(c, 1.0),
        ("mse", "free") => (k - 1.0) / k * phi(c, 1.0),
        ("mse", _) => (k - 1.0) / k * phi(c, 1.0) + phi(c, 0.29 / 1.29) / k,
        ("ce", _) if c >= 1.0 => k.ln(),
        ("ce", _) => {
            let a = (k / c - (k - 1.0)).ln();
            ((k - 1.0) * (-a).exp()).ln_1p() + (k - 1.0) * (c / k) * a
        }
        _ => {
            let alpha = 0.1;
            if c + alpha >= 1.0 {
                return k.ln();
            }
            let p = (1.0 - alpha + alpha / k) - (k - 1.0) * c / k;
            -p * p.ln() - (1.0 - p) * ((1.0 - p) / (k - 1.0)).ln()
        }
    }
}

/// `Σ_i (s_i − x_i)²/(2N) + μ x_i`, `x_i = (s_i − N μ)_+`.
pub fn soft_threshold(singular: impl Iterator<Item = f64>, samples: f64, mu: f64) -> f64 {
    singular
        .map(|s| {
            let x = (s - samples * mu).max(0.0);
            (s - x).powi(2) / (2.0 * samples) + mu * x
        })
        .sum()
}

type Matrix = Vec<Vec<Float>>;

fn product(a: &Matrix, b: &Matrix, bits: u32) -> Matrix {
    let cols = b[0].len();
    a.iter()
        .map(|row| {
            (0..cols)
                .map(|j| row.iter().enumerate().fold(Float::new(bits), |sum, (t, x)| sum + Float::with_val(bits, x * &b[t][j])))
                .collect()
        })
        .collect()
}

/// f(x + s·v + t·w) at `bits` bits, from the definition.
pub fn exact_objective(problem: &Problem, x: &Point, shifts: &[(&Float, &Point)], bits: u32) -> Float {
    let real = |q: &Rational| Float::with_val(bits, q);
    let shifted = |pick: &dyn Fn(&Point) -> f64| {
        shifts.iter().fold(Float::with_val(bits, pick(x)), |sum, (t, v)| sum + Float::with_val(bits, *t * pick(v)))
    };
    let block = |rows: usize, cols: usize, pick: &dyn Fn(&Point, usize, usize) -> f64| -> Matrix {
        (0..rows).map(|i| (0..cols).map(|j| shifted(&|p: &Point| pick(p, i, j))).collect()).collect()
    };
    let square = |m: &Matrix| m.iter().flatten().fold(Float::new(bits), |sum, x| sum + Float::with_val(bits, x * x));
    let lambdas = problem.lambdas();
    let relu = matches!(problem.model, Model::DeepRelu { .. });
    let mut z = block(x.h.nrows(), x.h.ncols(), &|p, i, j| p.h[(i, j)]);
    let mut total = real(lambdas[0]) * square(&z) / 2;
    for (layer, w) in x.factors.iter().enumerate() {
        let m = block(w.nrows(), w.ncols(), &|p, i, j| p.factors[layer][(i, j)]);
        total += real(lambdas[layer + 1]) * square(&m) / 2;
        z = product(&m, &z, bits);
        if relu && layer + 1 < x.factors.len() {
            z.iter_mut().flatten().filter(|x| x.is_sign_negative()).for_each(|x| *x = Float::new(bits));
        }
    }
    let k = problem.classes() as usize;
    if let Some(b) = &x.b {
        let b: Vec<Float> = (0..b.len()).map(|i| shifted(&|p: &Point| p.b.as_ref().unwrap()[i])).collect();
        if let Bias::Regularized { lambda_b } = &problem.bias {
            total += real(lambda_b) * b.iter().fold(Float::new(bits), |sum, x| sum + Float::with_val(bits, x * x)) / 2;
        }
        for (row, b) in z.iter_mut().zip(&b) {
            row.iter_mut().for_each(|z| *z += b);
        }
    }
    let samples = x.h.ncols();
    let groups = problem.labels.groups();
    let labels = groups.iter().flat_map(|g| std::iter::repeat_n(&g.tags, g.count as usize));
    let mut loss = Float::new(bits);
    for (sample, tags) in labels.enumerate() {
        let label = tags[0];
        let column: Vec<&Float> = z.iter().map(|row| &row[sample]).collect();
        match &problem.loss {
            Loss::Mse => {
                for (i, z) in column.iter().enumerate() {
                    loss += (Float::with_val(bits, *z) - u32::from(i == label)).square() / 2;
                }
            }
            Loss::Focal { focusing } => {
                let others = (0..k).filter(|&i| i != label).map(|i| Float::with_val(bits, column[i] - column[label]).exp());
                let odds = others.fold(Float::new(bits), |sum, e| sum + e);
                let wrong = Float::with_val(bits, &odds / Float::with_val(bits, 1 + &odds));
                loss += Float::with_val(bits, wrong.ln() * focusing).exp() * odds.ln_1p();
            }
            Loss::PickAllLabels => {
                let mass = column.iter().fold(Float::new(bits), |sum, z| sum + Float::with_val(bits, *z).exp());
                loss += mass.ln() * tags.len() as u32;
                tags.iter().for_each(|&k| loss -= column[k]);
            }
            other => {
                let mass = column.iter().fold(Float::new(bits), |sum, z| sum + Float::with_val(bits, *z).exp());
                let alpha = if let Loss::LabelSmoothing { smoothing } = other { real(smoothing) } else { Float::new(bits) };
                let floor = Float::with_val(bits, &alpha / k as u32);
                let sum = column.iter().fold(Float::new(bits), |sum, z| sum + *z);
                loss += mass.ln() - floor * sum - (1 - alpha) * column[label];
            }
        }
    }
    total + loss / samples as u32
}

/// Entries that look random, from a linear congruence, in [-1, 1].
pub fn scattered(problem: &Problem, seed: u64, scale: f64) -> Point {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        scale * ((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    let (k, d, n) = problem.point_sizes().unwrap();
    let depth = problem.depth();
    let factors = (1..depth).map(|j| faer::Mat::from_fn(if j + 1 == depth { k } else { d }, d, |_, _| next())).collect();
    let h = faer::Mat::from_fn(d, n, |_, _| next());
    let b = (problem.bias != Bias::None).then(|| (0..k).map(|_| next()).collect());
    Point { factors, h, b }
}

pub fn inner(x: &Point, y: &Point) -> f64 {
    let mats = x.factors.iter().chain([&x.h]).zip(y.factors.iter().chain([&y.h]));
    let entries = mats.flat_map(|(a, b)| a.col_iter().flat_map(|c| c.iter()).zip(b.col_iter().flat_map(|c| c.iter())));
    let bias = x.b.iter().flatten().zip(y.b.iter().flatten());
    entries.chain(bias).map(|(a, b)| a * b).sum()
}

pub fn combine(x: &Point, t: f64, y: &Point) -> Point {
    Point {
        factors: x.factors.iter().zip(&y.factors).map(|(a, b)| a + b * faer::Scale(t)).collect(),
        h: &x.h + &y.h * faer::Scale(t),
        b: x.b.as_ref().map(|a| a.iter().zip(y.b.as_ref().unwrap()).map(|(a, b)| a + t * b).collect()),
    }
}
