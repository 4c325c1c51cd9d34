//! Small problems and certificates, and an oracle that evaluates what a certificate *means* in rationals.
//!
//! The oracle shares nothing with the checker: it knows the objective as a plain formula and obtains derivatives as exact
//! differences of the objective (mse) or in double precision (ce, compared with a tolerance).
#![allow(dead_code)]

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};
use sha2::{Digest, Sha256};
use ufm_check::{Claim, Outcome, check};

pub type Q = BigRational;

pub mod examples;

pub fn q(n: i64, d: i64) -> Q {
    Q::new(n.into(), d.into())
}

pub fn pow2(e: i64) -> Q {
    let p = Q::from(BigInt::one() << e.unsigned_abs() as usize);
    if e >= 0 { p } else { p.recip() }
}

pub fn float(x: &Q) -> f64 {
    x.to_f64().unwrap()
}

/// The decimal `text` (digits and at most one point) as a rational.
fn decimal(text: &str) -> Q {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let m: BigInt = format!("{whole}{fraction}").parse().unwrap();
    Q::new(m, BigInt::from(10).pow(fraction.len() as u32))
}

#[derive(Clone, Debug)]
pub struct Case {
    pub loss: &'static str,
    pub bias: &'static str,
    pub counts: Vec<usize>,
    pub dim: usize,
    pub weights: [&'static str; 3],
}

impl Case {
    pub fn new(loss: &'static str, bias: &'static str, counts: &[usize], dim: usize, weights: [&'static str; 3]) -> Self {
        Case { loss, bias, counts: counts.to_vec(), dim, weights }
    }

    pub fn k(&self) -> usize {
        self.counts.len()
    }

    pub fn n(&self) -> usize {
        self.counts.iter().sum()
    }

    pub fn label(&self, i: usize) -> usize {
        let mut end = 0;
        self.counts
            .iter()
            .position(|n| {
                end += n;
                i < end
            })
            .unwrap()
    }

    pub fn lambda(&self, i: usize) -> Q {
        if i == 2 && self.bias != "regularized" { Q::zero() } else { decimal(self.weights[i]) }
    }

    pub fn toml(&self) -> String {
        let [w, h, b] = self.weights;
        let regularized = if self.bias == "regularized" { format!("lambda_b = \"{b}\"\n") } else { String::new() };
        format!(
            "model = \"plain\"\nloss = \"{}\"\nbias = \"{}\"\nclass_counts = {:?}\ndim = {}\nlambda_w = \"{w}\"\nlambda_h = \"{h}\"\n{regularized}",
            self.loss, self.bias, self.counts, self.dim
        )
    }
}

/// A matrix section: integers times 2^e.
#[derive(Clone, Debug)]
pub struct M {
    pub rows: usize,
    pub cols: usize,
    pub e: i64,
    pub m: Vec<BigInt>,
}

pub fn mat(rows: usize, cols: usize, e: i64, m: &[i64]) -> M {
    assert_eq!(rows * cols, m.len());
    M { rows, cols, e, m: m.iter().map(|&x| x.into()).collect() }
}

impl M {
    pub fn text(&self, name: &str) -> String {
        let mut out = format!("{name} {} {} {}\n", self.rows, self.cols, self.e);
        for i in 0..if self.cols == 0 { 0 } else { self.rows } {
            let row: Vec<String> = self.m[i * self.cols..(i + 1) * self.cols].iter().map(|x| x.to_str_radix(16)).collect();
            out += &(row.join(" ") + "\n");
        }
        out
    }

    pub fn values(&self) -> Vec<Q> {
        self.m.iter().map(|x| Q::from(x.clone()) * pow2(self.e)).collect()
    }
}

/// Nearest number on the grid 2^-bits not below (`up`) or not above x, in the certificate's form.
pub fn grid(x: &Q, bits: i64, up: bool) -> String {
    let scaled = x * pow2(bits);
    let m = if up { scaled.ceil() } else { scaled.floor() }.to_integer();
    format!("{}*2^{}", m.to_str_radix(16), -bits)
}

pub fn certificate(case: &Case, kind: &str, precision: usize, sections: &[(&str, &M)], claims: &[(&str, &str, String)]) -> String {
    let hash: String = Sha256::digest(case.toml()).iter().map(|b| format!("{b:02x}")).collect();
    let mut out = format!("ufm-certificate 1\nproblem sha256 {hash}\nkind {kind}\nprecision {precision}\n");
    for (name, m) in sections {
        if *name != "b" && *name != "db" || case.bias != "none" {
            out += &m.text(name);
        }
    }
    for (name, relation, value) in claims {
        out += &format!("claim {name} {relation} {value}\n");
    }
    out + "end\n"
}

/// A gap certificate with the tightest corollaries on the grid 2^-60.
#[allow(clippy::too_many_arguments)]
pub fn gap(case: &Case, w: &M, h: &M, b: &M, r: &M, l: &M, lower: &Q, upper: &Q, gradient: Option<&Q>) -> String {
    certificate(case, "gap", 100, &[("W", w), ("H", h), ("b", b), ("R", r), ("L", l)], &gap_claims(case, lower, upper, gradient))
}

/// The same with the bound of kind `modes`.
pub fn modes(case: &Case, [w, h, b]: [&M; 3], s: &M, m: &M, lower: &Q, upper: &Q, gradient: Option<&Q>) -> String {
    certificate(case, "modes", 100, &[("W", w), ("H", h), ("b", b), ("s", s), ("m", m)], &gap_claims(case, lower, upper, gradient))
}

fn gap_claims(case: &Case, lower: &Q, upper: &Q, gradient: Option<&Q>) -> Vec<(&'static str, &'static str, String)> {
    let on = |x: &Q| {
        let text = grid(x, 60, true);
        let value = dyadic(text.as_str()).unwrap();
        (text, value)
    };
    let (lower_text, (upper_text, upper)) = (grid(lower, 60, false), on(upper));
    let (gap_text, g) = on(&(&upper - dyadic(&lower_text).unwrap()));
    let two = q(2, 1);
    let within = on(&(&two * &g / (case.lambda(1) * q(case.n() as i64, 1)))).0;
    let duality = on(&(&two * &g / case.lambda(0))).0;
    let mut claims = vec![
        ("lower", ">=", lower_text),
        ("upper", "<=", upper_text),
        ("gap", "<=", gap_text.clone()),
        ("within-class", "<=", within),
        ("self-duality", "<=", duality),
        ("fit", "<=", gap_text),
    ];
    claims.extend(gradient.map(|x| ("gradient", "<=", on(x).0)));
    claims
}

/// Lenient reading of HEX*2^INT.
pub fn dyadic(text: &str) -> Option<Q> {
    let (m, e) = text.split_once("*2^")?;
    Some(Q::from(BigInt::parse_bytes(m.as_bytes(), 16)?) * pow2(e.parse().ok()?))
}

/// A point (or direction) in rationals, row by row.
#[derive(Clone, Debug)]
pub struct Point {
    pub w: Vec<Q>,
    pub h: Vec<Q>,
    pub b: Vec<Q>,
}

impl Point {
    pub fn entries(&mut self) -> impl Iterator<Item = &mut Q> {
        self.w.iter_mut().chain(&mut self.h).chain(&mut self.b)
    }

    /// self + t v.
    pub fn moved(&self, v: &Point, t: &Q) -> Point {
        let add = |a: &[Q], b: &[Q]| a.iter().zip(b).map(|(x, y)| x + t * y).collect();
        Point { w: add(&self.w, &v.w), h: add(&self.h, &v.h), b: add(&self.b, &v.b) }
    }
}

pub fn squares(x: &[Q]) -> Q {
    x.iter().map(|v| v * v).sum()
}

/// Z = WH + b 1ᵀ, row by row.
pub fn logits(case: &Case, p: &Point) -> Vec<Q> {
    let (d, n) = (case.dim, case.n());
    (0..case.k() * n)
        .map(|t| {
            let (k, i) = (t / n, t % n);
            let wh: Q = (0..d).map(|j| &p.w[k * d + j] * &p.h[j * n + i]).sum();
            if case.bias == "none" { wh } else { wh + &p.b[k] }
        })
        .collect()
}

/// f at a point; the loss of ce in double precision.
pub fn objective(case: &Case, p: &Point) -> Q {
    let (z, n) = (logits(case, p), case.n());
    let mut loss = Q::zero();
    for i in 0..n {
        let y = case.label(i);
        if case.loss == "mse" {
            for k in 0..case.k() {
                let residual = &z[k * n + i] - if k == y { Q::one() } else { Q::zero() };
                loss += &residual * &residual / q(2, 1);
            }
        } else {
            let margin = |k: usize| float(&(&z[k * n + i] - &z[y * n + i]));
            let others: f64 = (0..case.k()).filter(|&k| k != y).map(|k| margin(k).exp()).sum();
            loss += Q::from_float(others.ln_1p()).unwrap();
        }
    }
    let penalty = case.lambda(0) * squares(&p.w) + case.lambda(1) * squares(&p.h) + case.lambda(2) * squares(&p.b);
    loss / q(n as i64, 1) + penalty / q(2, 1)
}

/// ||∇f||². f is quadratic in each entry under mse, so central differences of step 1 are exact.
pub fn gradient_squared(case: &Case, p: &Point) -> Q {
    if case.loss == "ce" {
        return Q::from_float(ce_gradient_squared(case, p)).unwrap();
    }
    let mut at = p.clone();
    let count = at.entries().count();
    (0..count)
        .map(|t| {
            let mut side = |step: i64| {
                *at.entries().nth(t).unwrap() += q(step, 1);
                let value = objective(case, &at);
                *at.entries().nth(t).unwrap() -= q(step, 1);
                value
            };
            let slope = (side(1) - side(-1)) / q(2, 1);
            &slope * &slope
        })
        .sum()
}

fn floats(x: &[Q]) -> Vec<f64> {
    x.iter().map(float).collect()
}

/// softmax(z) - Y, row by row, in double precision.
fn ce_slope(case: &Case, p: &Point) -> Vec<f64> {
    let (z, n, k) = (floats(&logits(case, p)), case.n(), case.k());
    let mut out = vec![0.0; k * n];
    for i in 0..n {
        let total: f64 = (0..k).map(|j| z[j * n + i].exp()).sum();
        for j in 0..k {
            out[j * n + i] = z[j * n + i].exp() / total - f64::from(j == case.label(i));
        }
    }
    out
}

fn ce_gradient_squared(case: &Case, p: &Point) -> f64 {
    let (g, n, k, d) = (ce_slope(case, p), case.n(), case.k(), case.dim);
    let (w, h, b) = (floats(&p.w), floats(&p.h), floats(&p.b));
    let [lw, lh, lb] = [0, 1, 2].map(|i| float(&case.lambda(i)));
    let mut sum = 0.0;
    for j in 0..k {
        for t in 0..d {
            sum += ((0..n).map(|i| g[j * n + i] * h[t * n + i]).sum::<f64>() / n as f64 + lw * w[j * d + t]).powi(2);
        }
        if case.bias != "none" {
            sum += ((0..n).map(|i| g[j * n + i]).sum::<f64>() / n as f64 + lb * b[j]).powi(2);
        }
    }
    for t in 0..d {
        for i in 0..n {
            sum += ((0..k).map(|j| g[j * n + i] * w[j * d + t]).sum::<f64>() / n as f64 + lh * h[t * n + i]).powi(2);
        }
    }
    sum
}

/// The second derivative of f along v. Under mse f(p + tv) is a quartic: with D(t) = f(p + tv) + f(p - tv) - 2 f(p),
/// 16 D(1) - D(2) = 12 Q. Under ce a fourth-order difference in double precision.
pub fn second_derivative(case: &Case, p: &Point, v: &Point) -> Q {
    let step = if case.loss == "mse" { q(1, 1) } else { q(1, 64) };
    let difference = |t: Q| objective(case, &p.moved(v, &t)) + objective(case, &p.moved(v, &-&t)) - q(2, 1) * objective(case, p);
    let d1 = difference(step.clone());
    let d2 = difference(&step * q(2, 1));
    (q(16, 1) * d1 - d2) / (q(12, 1) * &step * &step)
}

/// A certificate as the oracle reads it: leniently, by name.
pub struct Parsed {
    pub kind: String,
    pub sections: Vec<(String, M)>,
    pub claims: Vec<(String, Q)>,
}

pub fn parse(text: &str) -> Option<Parsed> {
    let mut lines = text.lines().peekable();
    let mut out = Parsed { kind: String::new(), sections: vec![], claims: vec![] };
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["kind", kind] => out.kind = kind.to_string(),
            ["claim", name, _, value] => out.claims.push((name.to_string(), dyadic(value)?)),
            [name @ ("W" | "H" | "b" | "R" | "L" | "s" | "m" | "dW" | "dH" | "db"), rows, cols, e] => {
                let (rows, cols): (usize, usize) = (rows.parse().ok()?, cols.parse().ok()?);
                let mut m = vec![];
                for _ in 0..if cols == 0 { 0 } else { rows } {
                    for x in lines.next()?.split(' ') {
                        m.push(BigInt::parse_bytes(x.as_bytes(), 16)?);
                    }
                }
                out.sections.push((name.to_string(), M { rows, cols, e: e.parse().ok()?, m }));
            }
            _ => {}
        }
    }
    Some(out)
}

impl Parsed {
    pub fn values(&self, name: &str) -> Vec<Q> {
        self.sections.iter().find(|(n, _)| n == name).map_or(vec![], |(_, m)| m.values())
    }

    pub fn point(&self, names: [&str; 3]) -> Point {
        let [w, h, b] = names.map(|name| self.values(name));
        Point { w, h, b }
    }

    pub fn claim(&self, name: &str) -> Option<&Q> {
        self.claims.iter().find(|(n, _)| n == name).map(|(_, x)| x)
    }
}

/// Whether the claims of a certificate are true, given an upper bound of the global minimum and a tolerance.
pub fn truth(case: &Case, text: &str, minimum: &Q, tolerance: &Q) -> Result<(), String> {
    let parsed = parse(text).ok_or("unreadable")?;
    let point = parsed.point(["W", "H", "b"]);
    let n = q(case.n() as i64, 1);
    let at_most = |name: &str, value: Q| match parsed.claim(name) {
        Some(bound) if value <= bound + tolerance => Ok(()),
        other => Err(format!("{name}: {value} against {other:?}")),
    };
    let gradient_at_most = || match parsed.claim("gradient") {
        Some(bound) if bound.is_negative() || gradient_squared(case, &point) > bound * bound + tolerance => Err("gradient".to_string()),
        _ => Ok(()),
    };
    match parsed.kind.as_str() {
        kind @ ("gap" | "modes") => {
            let lower = parsed.claim("lower").ok_or("lower")?;
            if lower > &(minimum + tolerance) {
                return Err(format!("lower {lower} above the minimum"));
            }
            at_most("upper", objective(case, &point))?;
            at_most("gap", objective(case, &point) - minimum)?;
            at_most("gap", parsed.claim("upper").ok_or("upper")? - lower)?;
            at_most("within-class", within_class(case, &point) / &n)?;
            if kind == "modes" {
                let [duality, fit] = one_mode(case, &point);
                // In double precision.
                at_most("self-duality", duality - q(1, 1_000_000_000))?;
                at_most("fit", fit - q(1, 1_000_000_000))?;
            } else {
                let r = parsed.values("R");
                at_most("self-duality", duality(case, &point, &r))?;
                at_most("fit", fit(case, &point, &r))?;
            }
            gradient_at_most()
        }
        "strict-saddle" => {
            gradient_at_most()?;
            let v = parsed.point(["dW", "dH", "db"]);
            let norm = squares(&v.w) + squares(&v.h) + squares(&v.b);
            let curvature = parsed.claim("curvature").ok_or("curvature")?;
            let second = second_derivative(case, &point, &v);
            let slack = if tolerance.is_zero() { Q::zero() } else { q(1, 100_000) };
            let holds = curvature.is_negative() && !norm.is_zero() && second <= curvature * norm + slack;
            if holds { Ok(()) } else { Err("curvature".into()) }
        }
        "not-critical" => {
            let bound = parsed.claim("gradient").ok_or("gradient")?;
            let holds = bound.is_positive() && gradient_squared(case, &point) + tolerance >= bound * bound;
            if holds { Ok(()) } else { Err("gradient".into()) }
        }
        other => Err(format!("kind {other}")),
    }
}

/// Σ_i ||h_i - hbar_(y_i)||².
fn within_class(case: &Case, p: &Point) -> Q {
    let n = case.n();
    let mut sum = Q::zero();
    for j in 0..case.dim {
        let mut start = 0;
        for &count in &case.counts {
            let row = &p.h[j * n + start..j * n + start + count];
            let mean = row.iter().sum::<Q>() / q(count as i64, 1);
            sum += row.iter().map(|x| (x - &mean) * (x - &mean)).sum::<Q>();
            start += count;
        }
    }
    sum
}

/// ||W + G Hᵀ/λ_W||².
fn duality(case: &Case, p: &Point, r: &[Q]) -> Q {
    let (k, d, n) = (case.k(), case.dim, case.n());
    let mut sum = Q::zero();
    for a in 0..k {
        for j in 0..d {
            let ght: Q = (0..n).map(|i| &r[a * k + case.label(i)] * &p.h[j * n + i]).sum();
            let entry = &p.w[a * d + j] + ght / (q(n as i64, 1) * case.lambda(0));
            sum += &entry * &entry;
        }
    }
    sum
}

/// For d = 1 and classes of equal size, none or free bias: ||W - sqrt(λ_H/λ_W) U Hᵀ||² with U the polar factor of WH, and
/// (σ - (sqrt(n) - Nμ)_+)²/(2N) with σ = ||WH M^(1/2)||.
fn one_mode(case: &Case, p: &Point) -> [Q; 2] {
    let (w, h) = (floats(&p.w), floats(&p.h));
    assert!(case.dim == 1 && case.bias != "regularized" && case.counts.iter().all(|n| *n == case.counts[0]));
    let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let [lambda_w, lambda_h] = [0, 1].map(|i| float(&case.lambda(i)));
    let n = case.n() as f64;
    // U Hᵀ = (w/|w|) |h|, zero where WH is.
    let duality = if norm(&w) * norm(&h) == 0.0 { norm(&w) } else { norm(&w) - (lambda_h / lambda_w).sqrt() * norm(&h) };
    let mean = if case.bias == "free" { h.iter().sum::<f64>() / n } else { 0.0 };
    let sigma = norm(&w) * norm(&h.iter().map(|x| x - mean).collect::<Vec<_>>());
    let kept = ((case.counts[0] as f64).sqrt() - n * (lambda_w * lambda_h).sqrt()).max(0.0);
    [duality * duality, (sigma - kept).powi(2) / (2.0 * n)].map(|x| Q::from_float(x).unwrap())
}

/// The Fenchel-Young term: ||Z - Y - N G||²/(2N), or the mean of KL(q || softmax z).
fn fit(case: &Case, p: &Point, r: &[Q]) -> Q {
    let (k, n) = (case.k(), case.n());
    if case.loss == "mse" {
        let z = logits(case, p);
        let mut sum = Q::zero();
        for i in 0..n {
            for a in 0..k {
                let y = case.label(i);
                let entry = &z[a * n + i] - if a == y { Q::one() } else { Q::zero() } - &r[a * k + y];
                sum += &entry * &entry;
            }
        }
        return sum / q(2 * n as i64, 1);
    }
    let slope = ce_slope(case, p);
    let mut sum = 0.0;
    for i in 0..n {
        for a in 0..k {
            let y = case.label(i);
            let hot = f64::from(a == y);
            let (target, soft) = (float(&r[a * k + y]) + hot, slope[a * n + i] + hot);
            sum += if target > 0.0 { target * (target / soft).ln() } else { 0.0 };
        }
    }
    Q::from_float(sum / n as f64).unwrap()
}

pub fn verified(case: &Case, text: &str) -> Claim {
    match check(case.toml().as_bytes(), text.as_bytes()) {
        Outcome::Verified(claim) => claim,
        other => panic!("{other:?}\n{text}"),
    }
}

pub fn refused_at(case: &Case, text: &str) -> usize {
    match check(case.toml().as_bytes(), text.as_bytes()) {
        Outcome::Rejected { line, .. } => line,
        other => panic!("{other:?}\n{text}"),
    }
}

/// xorshift64*: reproducible noise without a dependency.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// A matrix of integers of at most `bits` bits and sign.
    pub fn mat(&mut self, rows: usize, cols: usize, e: i64, bits: u32) -> M {
        let entry = |noise: &mut Noise| ((noise.next() as i64) >> (63 - bits)).into();
        M { rows, cols, e, m: (0..rows * cols).map(|_| entry(self)).collect() }
    }
}
