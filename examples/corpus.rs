//! Makes the corpus of tests/data/corpus: problems with known minima, and points whose verdicts are known.
//!
//!     cargo run --release --example corpus -- FOLDER
//!
//! Every point is a closed-form minimiser, or is made from one by operations that are the same on every machine: no solver takes part.
//! What is expected comes from the theorems alone: the minimum is the closed form's, the excess of a point its exact objective less
//! that minimum. tests/corpus.rs makes the corpus afresh, compares it byte by byte and judges every pair.

use std::path::Path;

use faer::Mat;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ufm::{
    certify::objective,
    closed_form::closed_form,
    problem::{Point, Problem, write_new},
    scalar::{Ball, Rational},
};

type Failure = Box<dyn std::error::Error>;

/// Bits of minima and exact objectives: enough to see the square of the least double.
const PRECISION: u32 = 2560;
/// Digits of the figures in the manifest.
const DIGITS: u32 = 25;
/// Digits of an excess or gap, whose bounds are outwards.
const EXCESS_DIGITS: u32 = 4;
/// What a certified gap may have beyond the true one, at 15 digits: a fiftieth, and rounding of bounds below 2.
const LOOSE: (u32, u32) = (51, 50);
const ROUNDING: f64 = 5e-15;

/// A problem by its fields, in the order of problem files.
#[derive(Clone)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    fn new(fields: &[(&'static str, &str)]) -> Self {
        Fields(fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    }

    fn with(&self, name: &'static str, value: &str) -> Self {
        let mut fields = self.clone();
        match fields.0.iter_mut().find(|(n, _)| *n == name) {
            Some(field) => field.1 = value.into(),
            None => fields.0.push((name, value.into())),
        }
        fields
    }

    fn toml(&self) -> String {
        let line = |(name, value): &(&str, String)| {
            let bare = value.parse::<u64>().is_ok() && !name.starts_with("lambda") && *name != "temperature" && *name != "smoothing";
            if bare || value.starts_with(['[', '{']) { format!("{name} = {value}\n") } else { format!("{name} = \"{value}\"\n") }
        };
        self.0.iter().map(line).collect()
    }

    fn problem(&self) -> Result<Problem, Failure> {
        Ok(Problem::from_toml(&self.toml())?)
    }

    /// The closed-form minimiser, rounded to doubles.
    fn minimiser(&self) -> Result<Point, Failure> {
        let problem = self.problem()?;
        Ok(closed_form(&problem)?.minimiser(&problem, 53)?.to_f64())
    }
}

fn plain(loss: &str, bias: &str, sizes: [&str; 3], lambdas: [&str; 2]) -> Fields {
    let [classes, per_class, dim] = sizes;
    let [lambda_w, lambda_h] = lambdas;
    Fields::new(&[
        ("model", "plain"),
        ("loss", loss),
        ("bias", bias),
        ("classes", classes),
        ("per_class", per_class),
        ("dim", dim),
        ("lambda_w", lambda_w),
        ("lambda_h", lambda_h),
    ])
}

fn counted(counts: &str, dim: &str, lambda: &str) -> Fields {
    Fields::new(&[
        ("model", "plain"),
        ("loss", "mse"),
        ("bias", "none"),
        ("class_counts", counts),
        ("dim", dim),
        ("lambda_w", lambda),
        ("lambda_h", lambda),
    ])
}

/// What `ufm certify` must say of a pair at its default tolerances (gap and gradient 1e-9).
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Global,
    Saddle,
    NotCritical,
}

impl Expect {
    fn verdict(self) -> &'static str {
        match self {
            Expect::Global => "global-minimum",
            Expect::Saddle => "strict-saddle",
            Expect::NotCritical => "not-critical",
        }
    }
}

struct Pair {
    name: String,
    fields: Fields,
    point: Point,
    expect: Expect,
    what: String,
}

/// W and H times 1 + t.
fn stretched(point: &Point, t: f64) -> Point {
    let scale = |a: &Mat<f64>| Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] * (1.0 + t));
    Point { factors: point.factors.iter().map(scale).collect(), h: scale(&point.h), b: point.b.clone() }
}

/// The first two feature dimensions turned by the angle with cosine 3/5: another minimiser.
fn turned(point: &Point) -> Point {
    let (c, s) = (0.6, 0.8);
    let mut point = point.clone();
    let w = point.factors.last().expect("a classifier").clone();
    let h = point.h.clone();
    let last = point.factors.len() - 1;
    for i in 0..w.nrows() {
        point.factors[last][(i, 0)] = c * w[(i, 0)] + s * w[(i, 1)];
        point.factors[last][(i, 1)] = c * w[(i, 1)] - s * w[(i, 0)];
    }
    for j in 0..h.ncols() {
        point.h[(0, j)] = c * h[(0, j)] + s * h[(1, j)];
        point.h[(1, j)] = c * h[(1, j)] - s * h[(0, j)];
    }
    point
}

fn zero(fields: &Fields) -> Result<Point, Failure> {
    let problem = fields.problem()?;
    let (k, d, n) = problem.point_sizes()?;
    let bias = fields.toml().contains("bias = \"free\"") || fields.toml().contains("bias = \"regularized\"");
    Ok(Point { factors: vec![Mat::zeros(k, d)], h: Mat::zeros(d, n), b: bias.then(|| vec![0.0; k]) })
}

/// f at the point less `minimum`.
fn above(minimum: &Ball, problem: &Problem, point: &Point) -> Result<Ball, Failure> {
    let exact = point.to_exact().ok_or("a point that is not finite")?;
    let value = objective(problem, &exact, PRECISION).ok_or("an objective that cannot be enclosed")?;
    Ok(&value - minimum)
}

fn minimum(problem: &Problem) -> Result<Ball, Failure> {
    Ok(closed_form(problem)?.f_star(PRECISION))
}

/// f at the point less the minimum.
fn excess(problem: &Problem, point: &Point) -> Result<Ball, Failure> {
    above(&minimum(problem)?, problem, point)
}

/// The largest stretch whose excess is at most `gap`, halving an interval of doubles.
fn stretch_to(fields: &Fields, gap: &Rational) -> Result<Point, Failure> {
    let (problem, point) = (fields.problem()?, fields.minimiser()?);
    let (mut low, mut high) = (0.0, 0.1);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        let over = excess(&problem, &stretched(&point, middle))?.upper_rational().is_none_or(|e| e > *gap);
        *(if over { &mut high } else { &mut low }) = middle;
    }
    Ok(stretched(&point, low))
}

#[derive(Default)]
struct Corpus(Vec<Pair>);

impl Corpus {
    fn add(&mut self, name: &str, fields: &Fields, point: Point, expect: Expect, what: &str) {
        self.0.push(Pair { name: name.into(), fields: fields.clone(), point, expect, what: what.into() });
    }
}

fn pairs() -> Result<Vec<Pair>, Failure> {
    let mut corpus = Corpus::default();
    let mse = plain("mse", "none", ["4", "3", "5"], ["0.005", "0.002"]);
    let mse_free = plain("mse", "free", ["4", "2", "3"], ["0.005", "0.002"]);
    let ce = plain("ce", "free", ["4", "3", "5"], ["0.005", "0.002"]);
    minimisers(&mut corpus, &mse, &mse_free, &ce)?;
    saddles(&mut corpus, &mse, &mse_free, &ce)?;
    last_digits(&mut corpus, &mse, &ce)?;
    ranks(&mut corpus, &mse, &mse_free)?;
    ties(&mut corpus)?;
    conventions(&mut corpus, &mse, &ce)?;
    Ok(corpus.0)
}

fn minimisers(corpus: &mut Corpus, mse: &Fields, mse_free: &Fields, ce: &Fields) -> Result<(), Failure> {
    let regularized = |loss| plain(loss, "regularized", ["4", "2", "5"], ["0.005", "0.002"]).with("lambda_b", "0.01");
    let multi_label = Fields::new(&[
        ("model", "multi-label"),
        ("loss", "pick-all-labels"),
        ("bias", "free"),
        ("classes", "4"),
        ("per_tag_set", "{ 1 = 3, 2 = 1 }"),
        ("dim", "4"),
        ("lambda_w", "0.005"),
        ("lambda_h", "0.002"),
    ]);
    let sphere =
        Fields::new(&[("model", "sphere"), ("loss", "ce"), ("classes", "4"), ("per_class", "2"), ("dim", "5"), ("temperature", "3")]);
    let deep = Fields::new(&[
        ("model", "deep-linear"),
        ("loss", "mse"),
        ("classes", "3"),
        ("per_class", "2"),
        ("dim", "4"),
        ("lambdas", "[\"0.005\", \"0.002\", \"0.001\"]"),
    ]);
    for (name, fields) in [
        ("mse-none", mse.clone()),
        ("mse-free-etf-at-least-dim", mse_free.clone()),
        ("mse-regularized", regularized("mse")),
        ("mse-imbalanced", counted("[7, 5, 2, 1]", "5", "0.05")),
        ("ce-none", plain("ce", "none", ["4", "3", "5"], ["0.005", "0.002"])),
        ("ce-free", ce.clone()),
        ("ce-regularized", regularized("ce")),
        ("ce-k10", plain("ce", "free", ["10", "2", "9"], ["0.002", "0.002"])),
        ("label-smoothing", plain("label-smoothing", "free", ["4", "2", "4"], ["0.005", "0.002"]).with("smoothing", "0.1")),
        ("multi-label", multi_label),
        ("sphere", sphere),
        ("deep-linear", deep),
    ] {
        let what = "closed-form minimiser, rounded to doubles";
        corpus.add(&format!("minimiser-{name}"), &fields, fields.minimiser()?, Expect::Global, what);
    }
    for (name, fields) in [("mse-none", mse), ("ce-free", ce)] {
        let what = "minimiser in another basis of the features";
        corpus.add(&format!("minimiser-turned-{name}"), fields, turned(&fields.minimiser()?), Expect::Global, what);
    }
    Ok(())
}

fn saddles(corpus: &mut Corpus, mse: &Fields, mse_free: &Fields, ce: &Fields) -> Result<(), Failure> {
    for (name, fields) in [("mse-none", mse), ("ce-free", ce)] {
        corpus.add(&format!("saddle-zero-{name}"), fields, zero(fields)?, Expect::Saddle, "zero, where c < 1");
    }
    let mut centred = zero(mse_free)?;
    centred.b = Some(vec![0.25; 4]);
    corpus.add("saddle-zero-mse-free", mse_free, centred, Expect::Saddle, "zero with the best bias 1/K");
    let mut dropped = mse.minimiser()?;
    for j in 0..dropped.h.ncols() {
        for i in 0..dropped.h.nrows() {
            if j < 3 {
                dropped.h[(i, j)] = 0.0;
            }
        }
    }
    (0..5).for_each(|j| dropped.factors[0][(0, j)] = 0.0);
    corpus.add("saddle-one-class-missing", mse, dropped, Expect::Saddle, "minimiser of three classes, the first one at zero");
    let mut close = zero(mse)?;
    close.factors[0][(0, 0)] = 1e-12;
    corpus.add("saddle-close-to-zero", mse, close, Expect::Saddle, "1e-12 from a saddle: critical within the tolerance");
    Ok(())
}

fn last_digits(corpus: &mut Corpus, mse: &Fields, ce: &Fields) -> Result<(), Failure> {
    for (name, fields) in [("mse-none", mse), ("ce-free", ce)] {
        for (label, gap, expect) in [
            ("1e-15", Rational::from((1, 1_000_000_000_000_000u64)), Expect::Global),
            ("0.9e-9", Rational::from((9, 10_000_000_000u64)), Expect::Global),
            ("1.1e-9", Rational::from((11, 10_000_000_000u64)), Expect::NotCritical),
            ("1e-6", Rational::from((1, 1_000_000)), Expect::NotCritical),
        ] {
            let what = format!("minimiser stretched until the objective is {label} above the minimum");
            corpus.add(&format!("near-{label}-{name}"), fields, stretch_to(fields, &gap)?, expect, &what);
        }
    }
    // K lambda = 3/4 and W = H = I/2: a minimiser with exact entries, f* = 15/32.
    let exact = plain("mse", "none", ["2", "1", "2"], ["0.375", "0.375"]);
    let half = Mat::from_fn(2, 2, |i, j| if i == j { 0.5 } else { 0.0 });
    let point = Point { factors: vec![half.clone()], h: half, b: None };
    corpus.add("exact-minimiser", &exact, point.clone(), Expect::Global, "entries 1/2 and 0: no rounding at all");
    let (mut entry, mut off) = (point.clone(), point);
    entry.factors[0][(0, 0)] = 0.5f64.next_up();
    corpus.add("exact-minimiser-one-ulp-off", &exact, entry, Expect::Global, "one entry of W one ulp too large");
    off.h[(0, 1)] = f64::from_bits(1);
    corpus.add("exact-minimiser-least-double-off", &exact, off, Expect::Global, "a zero of H replaced by the least positive double");
    Ok(())
}

fn ranks(corpus: &mut Corpus, mse: &Fields, mse_free: &Fields) -> Result<(), Failure> {
    for dim in ["3", "2", "1"] {
        let fields = mse.with("dim", dim);
        let what = "minimiser at d < K, which keeps the d largest modes";
        corpus.add(&format!("rank-deficient-mse-none-d{dim}"), &fields, fields.minimiser()?, Expect::Global, what);
    }
    let fields = mse_free.with("dim", "2");
    corpus.add("rank-deficient-mse-free-d2", &fields, fields.minimiser()?, Expect::Global, "minimiser at d < K - 1");
    Ok(())
}

fn ties(corpus: &mut Corpus) -> Result<(), Failure> {
    for loss in ["mse", "ce"] {
        let at = |lambda: &str| plain(loss, if loss == "mse" { "none" } else { "free" }, ["2", "1", "2"], [lambda, lambda]);
        for (name, lambda, expect, what) in [
            ("tie", "0.5", Expect::Global, "zero at c = 1: the minimum, with a flat direction"),
            ("just-below", "0.4999999", Expect::Global, "zero at c = 1 - 2e-7: a saddle whose excess is below the tolerance"),
            ("below", "0.49", Expect::Saddle, "zero at c = 0.98: a strict saddle"),
            ("above", "0.51", Expect::Global, "zero at c = 1.02: the minimum"),
        ] {
            corpus.add(&format!("threshold-{name}-{loss}"), &at(lambda), zero(&at(lambda))?, expect, what);
        }
    }
    // N = 5, lambda = 1/5: the second class has n_k = 1 = N^2 lambda_W lambda_H.
    let tie = counted("[4, 1]", "2", "0.2");
    corpus.add("minority-tie", &tie, tie.minimiser()?, Expect::Global, "n_k = N^2 lambda_W lambda_H: the minority class just vanishes");
    let below = tie.with("lambda_w", "0.19");
    let mut vanished = below.minimiser()?;
    (0..2).for_each(|i| vanished.h[(i, 4)] = 0.0);
    (0..2).for_each(|j| vanished.factors[0][(1, j)] = 0.0);
    corpus.add("minority-vanished-too-early", &below, vanished, Expect::Saddle, "the minority class at zero where it should not be");
    Ok(())
}

/// Minimisers of what another convention makes of the same numbers.
fn conventions(corpus: &mut Corpus, mse: &Fields, ce: &Fields) -> Result<(), Failure> {
    // mse and ce: K = 4, N = 12, lambda_W = 0.005, lambda_H = 0.002.
    let weights = |fields: &Fields, w: &str, h: &str| fields.with("lambda_w", w).with("lambda_h", h);
    for (name, fields) in [("mse", mse), ("ce", ce)] {
        for (label, w, h, what) in [
            ("sum-over-samples", "0.000416666666666666666666666", "0.000166666666666666666666666", "loss summed, not averaged: lambda / N"),
            ("decay-without-half", "0.01", "0.004", "lambda |W|^2 for lambda/2 |W|^2: 2 lambda"),
            ("loss-without-half", "0.0025", "0.001", "|Z - Y|^2 / N for |Z - Y|^2 / (2 N): lambda / 2"),
            ("features-per-sample", "0.005", "0.000166666666666666666666666", "lambda_H averaged over samples: lambda_H / N"),
            ("weights-swapped", "0.002", "0.005", "lambda_W and lambda_H exchanged"),
        ] {
            corpus.add(&format!("convention-{label}-{name}"), fields, weights(fields, w, h).minimiser()?, Expect::NotCritical, what);
        }
    }
    // MSELoss of K outputs is 2/K times the loss here: weight_decay times K/2.
    let entries = weights(mse, "0.01", "0.004").minimiser()?;
    corpus.add("convention-mean-over-entries-mse", mse, entries, Expect::NotCritical, "MSELoss, mean over N K entries: lambda K / 2");
    let point = mse.minimiser()?;
    let mut shuffled = point.clone();
    // Columns 0 1 2 0 1 2 ... are classes in turn, not class by class.
    shuffled.h = Mat::from_fn(5, 12, |i, j| point.h[(i, 3 * (j % 4) + j / 4)]);
    corpus.add("convention-samples-in-turn", mse, shuffled, Expect::NotCritical, "samples ordered 0 1 2 3 0 1 2 3, not class by class");
    let square = mse.with("dim", "4");
    let mut transposed = turned(&square.minimiser()?);
    transposed.factors[0] = transposed.factors[0].transpose().to_owned();
    corpus.add("convention-classifier-transposed", &square, transposed, Expect::NotCritical, "W transposed, where K = d hides it");
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes every pair and `manifest.json` into a folder, which is created; nothing is overwritten.
pub fn generate(folder: &Path) -> Result<usize, Failure> {
    std::fs::create_dir_all(folder)?;
    let mut list: Vec<Value> = vec![];
    let pairs = pairs()?;
    for pair in &pairs {
        let (toml, npz) = (folder.join(format!("{}.toml", pair.name)), folder.join(format!("{}.npz", pair.name)));
        let text = pair.fields.toml();
        write_new(&toml, |file| std::io::Write::write_all(file, text.as_bytes()))?;
        pair.point.write_npz(&npz)?;
        let problem = pair.fields.problem()?;
        let minimum = minimum(&problem)?;
        let excess = above(&minimum, &problem, &pair.point)?;
        let most = &(&excess * &Ball::from_rational(&Rational::from(LOOSE), PRECISION)) + &Ball::from_f64(ROUNDING, PRECISION);
        let bounds = |x: &Ball, digits| json!({ "lower": x.lower_decimal(digits), "upper": x.upper_decimal(digits) });
        list.push(json!({
            "name": pair.name, "what": pair.what, "verdict": pair.expect.verdict(),
            "minimum": bounds(&minimum, DIGITS), "excess": bounds(&excess, EXCESS_DIGITS),
            "gap": { "least": excess.lower_decimal(EXCESS_DIGITS), "most": most.upper_decimal(EXCESS_DIGITS) },
            "sha256": { "toml": sha256(text.as_bytes()), "npz": sha256(&std::fs::read(&npz)?) },
        }));
    }
    let manifest = json!({ "format": "ufm-corpus-1", "pairs": list });
    write_new(&folder.join("manifest.json"), |file| {
        serde_json::to_writer_pretty(&mut *file, &manifest)?;
        std::io::Write::write_all(file, b"\n")
    })?;
    Ok(pairs.len())
}

#[allow(dead_code, reason = "the test that includes this file has a main of its own")]
fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).ok_or("usage: corpus FOLDER")?;
    println!("{} pairs", generate(folder.as_ref())?);
    Ok(())
}
