//! Certificates as Coq files: a theorem about the problem, which Coq accepts by computing (proofs/theory/Certificate*.v).

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use rug::ops::DivRounding;
use rug::{Float, Integer, Rational, float::Round};

use super::{Certification, CertifyError, certifiable, check_shapes, dual, working_bits};
use crate::problem::exact::{Plain, State, scaled};
use crate::problem::{Bias, Dyadic, ExactPoint, Loss, Model, Problem};

/// Logits further apart than this have exponentials that a fixed-point file should not carry.
const LARGEST_SPREAD: u32 = 4096;

/// The certified gap as a Coq file for the theory in `proofs/theory`.
///
/// Formula: the file's theorems are, with exact numbers, `lower_bound`: f(W, H, b) >= lower for every real closed field, labelling with
/// the problem's group sizes, dimension d and point; `upper_bound`: f <= upper at the point whose features are the group means of
/// `point`'s (the point itself when they coincide within groups, and never worse up to rounding: f is convex in H); `certified_gap`: their
/// difference. Softmax losses are stated for every exponential, and for Coq's real numbers.
///
/// Hypotheses: `result` is what [`certify`](super::certify) found for this problem and point; the plain model with MSE, cross-entropy or
/// label smoothing, or the multi-label model. Guarantee: none is needed, Coq checks every number; a wrong one does not compile.
/// `None` when the result has no dual matrix; where its bounds rest on the modes the file's are weaker, those of the dual matrix. Shapes:
/// W (K,d), H (d,N), b (K,1).
///
/// # Errors
/// [`CertifyError`] for other models and losses, points of the wrong shape, and logits more than 4096 apart.
///
/// Source: weak duality (proofs/FORMAT.md, kind `gap`); exp u >= (1 + u/2^k)^(2^k).
///
/// ```
/// use ufm::{certify::{CertifyOptions, certify, rocq}, problem::{Point, Problem}};
/// let file = "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 2\nper_class = 1\ndim = 2\nlambda_w = \"1\"\nlambda_h = \"1\"\n";
/// let problem = Problem::from_toml(file).unwrap();
/// let zero = Point { factors: vec![faer::Mat::zeros(2, 2)], h: faer::Mat::zeros(2, 2), b: None }.to_exact().unwrap();
/// let result = certify(&problem, file.as_bytes(), &zero, &CertifyOptions::default()).unwrap();
/// let coq = rocq(&problem, &zero, &result, 15).unwrap().unwrap();
/// assert!(coq.contains("Theorem certified_gap"));
/// ```
pub fn rocq(problem: &Problem, point: &ExactPoint, result: &Certification, digits: u32) -> Result<Option<String>, CertifyError> {
    let plain = certifiable(problem)?;
    check_shapes(&plain, point)?;
    let Some(r) = &result.dual else { return Ok(None) };
    let bits = working_bits(digits);
    let Some(dual) = dual::verify(&plain, r, bits) else { return Ok(None) };
    let targets = Targets::new(problem, &plain);
    let averaged = averaged(&plain, point);
    let fixed = Fixed { fraction: bits + 8, squarings: bits + 8 };

    let (lower, logs) = if plain.mse {
        (dual.lower.lower(), String::new())
    } else {
        let (lower, logs) = softmax_lower(&plain, &targets, &dual.r.clone().aligned(dual_grid(&dual)), &fixed);
        (rounded(&lower, bits, Round::Down), logs)
    };
    let (upper, levels) = if plain.mse {
        let Some(state) = State::new(&plain, &averaged, bits) else { return Ok(None) };
        (state.objective().upper(), String::new())
    } else {
        let (upper, levels) = softmax_upper(&plain, &averaged, &fixed)?;
        (rounded(&upper, bits, Round::Up), levels)
    };
    let (lower, upper) = (lower.to_rational().unwrap_or_default(), upper.to_rational().unwrap_or_default());
    let gap = rounded(&Rational::from(&upper - &lower), 64, Round::Up).to_rational().unwrap_or_default();

    let mut text = String::new();
    header(&mut text, &plain, &targets);
    definitions(&mut text, &plain, &targets, &dual, &averaged);
    let _ = write!(text, "Definition lower : Q := {}.\nDefinition upper : Q := {}.\n", q(&lower), q(&upper));
    let _ = writeln!(text, "Definition gap : Q := {}.", q(&gap));
    if !plain.mse {
        let _ = writeln!(text, "Definition digits : precision := Precision {} {}.", fixed.fraction, fixed.squarings);
        let _ = write!(text, "Definition logs : seq (Z * Z * Z) := [:: {logs}].\nDefinition levels : seq Z := {levels}.\n");
    }
    theorems(&mut text, &plain, &targets);
    Ok(Some(text))
}

/// Fixed-point exponentials, as `exp_below` of CertificateSoftmax.v computes them.
struct Fixed {
    fraction: u32,
    squarings: u32,
}

impl Fixed {
    fn bits(&self) -> u32 {
        self.fraction + self.squarings
    }

    /// At most exp(u / 2^fraction) 2^bits; `None` below the domain, -2^bits.
    fn exp_below(&self, u: &Integer) -> Option<Integer> {
        let mut x = Integer::from(1) << self.bits();
        x += u;
        if x < 0 {
            return None;
        }
        for _ in 0..self.squarings {
            x.square_mut();
            x >>= self.bits();
        }
        Some(x)
    }

    /// The first of start, start + 1, start + 2, start + 4, ... that a test accepts.
    fn first(start: &Integer, accept: impl Fn(&Integer) -> bool) -> Integer {
        let mut step = Integer::new();
        loop {
            let candidate = Integer::from(start + &step);
            if accept(&candidate) {
                return candidate;
            }
            step = if step == 0 { Integer::from(1) } else { step << 1 };
        }
    }

    /// The value times 2^fraction, rounded up.
    fn ceiling(&self, value: Float) -> Integer {
        (value << self.fraction).to_integer_round(Round::Up).map_or_else(Integer::new, |(m, _)| m)
    }

    /// U with q / (mass unit) <= exp(U / 2^fraction).
    fn log_above(&self, q: &Integer, scale: &Integer) -> Integer {
        if *q == 0 {
            return Integer::new();
        }
        let start = self.ceiling(Float::with_val(self.bits() + 64, Rational::from((q.clone(), scale.clone()))).ln());
        let wanted = Integer::from(q << self.bits());
        Self::first(&start, |u| self.exp_below(u).is_some_and(|e| e * scale >= wanted))
    }
}

/// Group targets as integers over one denominator.
struct Targets {
    rows: Vec<Vec<Integer>>,
    denominator: Integer,
    kind: Kind,
}

enum Kind {
    OneHot,
    Smoothed(Rational),
    Tags,
}

impl Targets {
    fn new(problem: &Problem, plain: &Plain) -> Self {
        let (kind, denominator) = match (&problem.loss, &problem.model) {
            (Loss::LabelSmoothing { .. }, _) => {
                let s = plain.smoothing.clone();
                // The denominator that `smoothed_problem` of CertificateClaims.v has.
                let denominator = Integer::from(s.denom() * plain.k as u64);
                (Kind::Smoothed(s), denominator)
            }
            (_, Model::MultiLabel { .. }) => (Kind::Tags, Integer::from(1)),
            _ => (Kind::OneHot, Integer::from(1)),
        };
        let entry = |k: usize, g: usize| (plain.target(plain.tagged(g, k)) * &denominator).into_numer_denom().0;
        let rows = (0..plain.k).map(|k| (0..plain.counts.len()).map(|g| entry(k, g)).collect()).collect();
        Targets { rows, denominator, kind }
    }

    fn describe(&self, plain: &Plain) -> &'static str {
        match &self.kind {
            _ if plain.mse => "The plain model with mean squared error",
            Kind::OneHot => "The plain model with cross-entropy",
            Kind::Smoothed(_) => "The plain model with label smoothing",
            Kind::Tags => "The multi-label model with the pick-all-labels loss",
        }
    }
}

/// Group means of the features in place of the features: exact where those of a group coincide, otherwise rounded to a grid 2^-16 times
/// as fine.
fn averaged(plain: &Plain, point: &ExactPoint) -> ExactPoint {
    let h = &point.h;
    let (n, groups) = (plain.n, plain.counts.len());
    let starts: Vec<usize> = plain.counts.iter().scan(0, |at, &c| Some(std::mem::replace(at, *at + c as usize))).collect();
    let same = (0..h.rows).all(|t| (0..n).all(|i| h.m[t * n + i] == h.m[t * n + starts[plain.label[i]]]));
    let (shift, exp) = if same { (0, h.exp) } else { (16, h.exp - 16) };
    let mean = |t: usize, g: usize| {
        let (start, count) = (starts[g], plain.counts[g] as usize);
        let sum: Integer = h.m[t * n + start..t * n + start + count].iter().sum();
        let scaled: Integer = sum << shift;
        scaled.div_rem_round(Integer::from(count)).0
    };
    let means: Vec<Integer> = (0..h.rows).flat_map(|t| (0..groups).map(move |g| (t, g))).map(|(t, g)| mean(t, g)).collect();
    let m = (0..h.rows).flat_map(|t| (0..n).map(move |i| (t, i))).map(|(t, i)| means[t * groups + plain.label[i]].clone()).collect();
    ExactPoint { factors: point.factors.clone(), h: Dyadic { m, exp, ..*h }, b: point.b.clone() }
}

/// `softmax_lower` of CertificateSoftmax.v and its table of logarithms.
fn softmax_lower(plain: &Plain, targets: &Targets, r: &Dyadic, fixed: &Fixed) -> (Rational, String) {
    let groups = plain.counts.len();
    let unit = Integer::from(1) << r.exp.unsigned_abs();
    let scale = Integer::from(&unit * &targets.denominator);
    let mut table: BTreeMap<(u64, Integer), Integer> = BTreeMap::new();
    let mut total = Integer::new();
    for k in 0..plain.k {
        for g in 0..groups {
            let q = Integer::from(&targets.rows[k][g] * &unit) + Integer::from(&r.m[k * groups + g] * &targets.denominator);
            let mass = plain.mass(g);
            let u = table.entry((mass, q.clone())).or_insert_with(|| fixed.log_above(&q, &Integer::from(&scale * mass)));
            total += q * plain.counts[g] * &*u;
        }
    }
    let n = Integer::from(plain.n);
    let mut value = -scaled(total, -(fixed.fraction as i32)) / (Integer::from(&n * &scale));
    if let Some(lambda_b) = plain.lambda_b() {
        let row = |k: usize| (0..groups).map(|g| Integer::from(&r.m[k * groups + g] * plain.counts[g])).sum::<Integer>();
        let squares: Integer = (0..plain.k).map(|k| row(k).square()).sum();
        value -= scaled(squares, 2 * r.exp) / (Rational::from(2 * lambda_b) * n.square());
    }
    let logs = joined(table.iter().map(|((w, q), u)| format!("({w}, {}, {})", hex(q), hex(u))), ";\n  ");
    (value, logs)
}

/// `softmax_upper` of CertificateSoftmax.v and its levels, one for each group.
fn softmax_upper(plain: &Plain, point: &ExactPoint, fixed: &Fixed) -> Result<(Rational, String), CertifyError> {
    let one = Integer::from(1) << fixed.bits();
    let z = crate::problem::exact::logits(point);
    let at = |k: usize, i: usize| scaled(z.m[k * plain.n + i].clone(), z.exp);
    let width = fixed.bits() + 64;
    let (mut levels, mut total, mut start) = (vec![], Integer::new(), 0);
    for (g, &count) in plain.counts.iter().enumerate() {
        let column: Vec<Rational> = (0..plain.k).map(|k| at(k, start)).collect();
        let top = column.iter().max().cloned().unwrap_or_default();
        if column.iter().any(|z| Rational::from(&top - z) > LARGEST_SPREAD) {
            return Err(CertifyError::Unsupported("point as a Coq file (logits more than 4096 apart)"));
        }
        let sum = column.iter().fold(Float::new(width), |s, z| s + Float::with_val(width, Rational::from(z - &top)).exp());
        let first = fixed.ceiling(sum.ln() + Float::with_val(width, &top));
        let floors: Vec<Integer> = column.iter().map(|z| Rational::from(z << fixed.fraction).floor().into_numer_denom().0).collect();
        let level = Fixed::first(&first, |v| {
            let above = |floor: &Integer| {
                let below = fixed.exp_below(&(Integer::from(v - floor) - 1u32)).filter(|e| *e > 0)?;
                Some(Integer::from(one.square_ref()).div_floor(below) + 1u32)
            };
            floors.iter().map(above).sum::<Option<Integer>>().is_some_and(|s| s <= one)
        });
        total += Integer::from(&level * plain.mass(g)) * count;
        levels.push(level);
        start += count as usize;
    }
    // <t, z> over all samples, and the penalties, exactly.
    let mut inner = Rational::new();
    for (i, &g) in plain.label.iter().enumerate() {
        for k in 0..plain.k {
            inner += plain.target(plain.tagged(g, k)) * at(k, i);
        }
    }
    let mut value = (scaled(total, -(fixed.fraction as i32)) - inner) / Integer::from(plain.n);
    value += point.factors[0].sum_squares() * &plain.lambda_w / 2u32;
    value += point.h.sum_squares() * &plain.lambda_h / 2u32;
    if let (Some(lambda_b), Some(b)) = (plain.lambda_b(), &point.b) {
        value += b.sum_squares() * lambda_b / 2u32;
    }
    Ok((value, list(&levels)))
}

fn rounded(value: &Rational, bits: u32, round: Round) -> Float {
    Float::with_val_round(bits + 32, value, round).0
}

/// The one grid 2^e, e <= 0, of the dual matrix and its factor.
fn dual_grid(dual: &dual::Dual) -> i32 {
    dual.r.exp.min(dual.l.exp).min(0)
}

fn hex(m: &Integer) -> String {
    if *m < 0 { format!("-0x{:x}", Integer::from(-m)) } else { format!("0x{m:x}") }
}

fn joined(items: impl Iterator<Item = impl Display>, separator: &str) -> String {
    let mut text = String::new();
    for (i, item) in items.enumerate() {
        let _ = write!(text, "{}{item}", if i == 0 { "" } else { separator });
    }
    text
}

fn list<'a>(entries: impl IntoIterator<Item = &'a Integer>) -> String {
    format!("[:: {}]", joined(entries.into_iter().map(hex), "; ")).replace("[:: ]", "[::]")
}

fn matrix(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> Integer) -> String {
    let row = |i: usize| list(&(0..cols).map(|j| entry(i, j)).collect::<Vec<_>>());
    format!("[:: {}]", joined((0..rows).map(row), ";\n  ")).replace("[:: ]", "[::]")
}

fn q(value: &Rational) -> String {
    format!("({} # {})%binQ", hex(value.numer()), hex(value.denom()))
}

/// A parameter as the problem file has it: decimal digits.
fn parameter(value: &Rational) -> String {
    format!("({} # {})%binQ", value.numer(), value.denom())
}

fn header(text: &mut String, plain: &Plain, targets: &Targets) {
    let softmax = if plain.mse { "Mse" } else { "Exponential Softmax CrossEntropy" };
    let _ = write!(
        text,
        "(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    {}: K = {}, N = {}, d = {}.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels {softmax}.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

",
        targets.describe(plain),
        plain.k,
        plain.n,
        plain.d
    );
}

fn definitions(text: &mut String, plain: &Plain, targets: &Targets, dual: &dual::Dual, point: &ExactPoint) {
    let (k, c) = (plain.k, plain.counts.len());
    let counts = joined(plain.counts.iter(), "; ");
    let bias = match &plain.bias {
        Bias::None => "NoBiasN".to_owned(),
        Bias::Free => "FreeBiasN".to_owned(),
        Bias::Regularized { lambda_b } => format!("(RegularizedBiasN {})", parameter(lambda_b)),
    };
    let _ = write!(text, "Local Open Scope Z_scope.\nDefinition sizes : seq Z := [:: {counts}].\n");
    let _ = writeln!(text, "Definition lambda_W : Q := {}.", parameter(&plain.lambda_w));
    let _ = writeln!(text, "Definition lambda_H : Q := {}.", parameter(&plain.lambda_h));
    let model = match &targets.kind {
        Kind::OneHot => format!("onehot_problem {k}"),
        Kind::Smoothed(s) => format!("smoothed_problem {k} {}", parameter(s)),
        Kind::Tags => {
            let _ = writeln!(text, "Definition tags : seq (seq Z) := {}.", matrix(k, c, |i, j| targets.rows[i][j].clone()));
            let masses = joined((0..c).map(|g| plain.mass(g)), "; ");
            let _ = writeln!(text, "Definition masses : seq Z := [:: {masses}].");
            format!("tags_problem {k} {c}")
        }
    };
    let tags = if matches!(targets.kind, Kind::Tags) { " tags" } else { "" };
    let _ = writeln!(text, "Definition the_problem : problem :=\n  {model} sizes{tags} lambda_W lambda_H {bias}.");

    let exp = dual_grid(dual);
    let (r, l) = (dual.r.clone().aligned(exp), dual.l.clone().aligned(exp));
    let radius = (plain.radius_squared() << (2 * exp.unsigned_abs())).floor().into_numer_denom().0;
    let _ = writeln!(
        text,
        "Definition the_dual : dual := Dual {} {}\n {}\n {}.",
        hex(&(Integer::from(1) << exp.unsigned_abs())),
        hex(&radius),
        matrix(k, c, |i, j| r.m[i * c + j].clone()),
        matrix(k, l.cols, |i, j| l.m[i * l.cols + j].clone())
    );

    let (w, h) = (&point.factors[0], &point.h);
    let none = Dyadic { rows: k, cols: 1, exp: 0, m: vec![Integer::new(); k] };
    let b = point.b.as_ref().unwrap_or(&none);
    let exp = w.exp.min(h.exp).min(b.exp).min(0);
    let (w, h, b) = (w.clone().aligned(exp), h.clone().aligned(exp), b.clone().aligned(exp));
    let starts: Vec<usize> = plain.counts.iter().scan(0, |at, &c| Some(std::mem::replace(at, *at + c as usize))).collect();
    let _ = writeln!(
        text,
        "Definition the_point : point := Point {} {}\n {}\n {}\n {}.",
        plain.d,
        hex(&(Integer::from(1) << exp.unsigned_abs())),
        matrix(k, plain.d, |i, j| w.m[i * plain.d + j].clone()),
        matrix(c, plain.d, |g, t| h.m[t * plain.n + starts[g]].clone()),
        list(&b.m)
    );
}

fn theorems(text: &mut String, plain: &Plain, targets: &Targets) {
    let (k, c) = (plain.k, plain.counts.len());
    let bias = match &plain.bias {
        Bias::None => "(@NoBias R)".to_owned(),
        Bias::Free => "(@FreeBias R)".to_owned(),
        Bias::Regularized { lambda_b } => format!("(RegularizedBias (qr R {}))", parameter(lambda_b)),
    };
    let (loss, name) = match (&targets.kind, plain.mse) {
        (_, true) => ("(mse (onehot R lab))".to_owned(), "mse"),
        (Kind::OneHot, _) => ("(softmax_loss E (fun=> 1) (onehot R lab))".to_owned(), "ce"),
        (Kind::Smoothed(s), _) => (format!("(smoothed_ce E lab (qr R {}))", parameter(s)), "smoothing"),
        (Kind::Tags, _) => (format!("(softmax_loss E (group_mass masses R lab)\n      (matz R {k} {c} tags *m onehot R lab))"), "tags"),
    };
    let masses = if matches!(targets.kind, Kind::Tags) { "masses".to_owned() } else { format!("(nseq {k} 1%binZ)") };
    let (check, lower, upper, field, exponential) = if plain.mse {
        ("mse", "the_problem the_dual lower".to_owned(), "the_problem the_point upper".to_owned(), "(R : rcfType)", "")
    } else {
        (
            "softmax",
            format!("the_problem {masses} the_dual digits logs lower"),
            format!("the_problem {masses} digits the_point levels upper"),
            "(R : rcfType) (E : exponential R)",
            " E",
        )
    };
    let f = format!("ufm {loss} (qr R lambda_W) (qr R lambda_H) {bias}");
    let at = "(point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)";
    let labelled = format!("{field} (N : nat) (lab : 'I_N -> 'I_{c}) :\n  sizes_are lab sizes ->");
    let points = format!("forall d (W : 'M[R]_({k}, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_{k}),\n  bias_allowed {bias} b ->");
    let _ = write!(
        text,
        "
Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_{check}_lower {lower}.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_{check}_upper {upper}.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound {labelled}
  {points}
  qr R lower <= {f} W H b.
Proof. exact: ({name}_lower_claim{exponential} lower_checked). Qed.

Theorem upper_bound {labelled}
  {f}
      {at}
  <= qr R upper.
Proof. by move=> h; have [_] := {name}_upper_claim{upper_field} upper_checked {field_again}h. Qed.

Theorem certified_gap {labelled}
  {points}
  {f}
      {at}
  - {f} W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound{upper_at} h) (lower_bound{exponential} h W H ok).
Qed.
Print Assumptions certified_gap.
",
        upper_field = exponential,
        upper_at = if plain.mse { " R" } else { " E" },
        field_again = if plain.mse { "R " } else { "" },
    );
    if !plain.mse {
        text.push_str(
            "
(** The same over the real numbers of Coq's standard library. *)
From mathcomp Require Import Rstruct.
From UFM Require Import Reals.
Definition certified_gap_R := @certified_gap R_rcfType R_exponential.
Definition lower_bound_R := @lower_bound R_rcfType R_exponential.
Print Assumptions certified_gap_R.
",
        );
    }
}
