//! Focal loss: objective and gradient enclosed at exact points, and for balanced classes the contrastive lower bound (proofs/FORMAT.md,
//! "The focal loss").

use rug::{Integer, Rational};

use super::{Bounds, Certification, CertifyError, CertifyOptions, Collapse, Verdict, Writer, check_sizes, widened, working_bits, writer};
use crate::closed_form::Margin;
use crate::problem::exact::{logits, scaled};
use crate::problem::{Bias, Dyadic, ExactPoint, Loss, Model, Problem};
use crate::scalar::{Ball, sqrt_rational};

/// f and N ∂L/∂Z at a point, enclosed.
pub(super) struct Focal {
    pub objective: Ball,
    pub gradient_norm: Ball,
    /// The largest −log p of a sample.
    largest: Ball,
    /// Whether no target's logit is below the mean of its sample's logits.
    ahead: bool,
}

/// Enclosures at about `bits` bits; `None` for other problems and wrong shapes.
///
/// With o = Σ_{k≠y} exp(z_k − z_y): p = 1/(1+o), u = 1 − p = o/(1+o), −log p = log(1+o), the loss is u^γ log(1+o), and
/// N ∂L/∂z = s (π − e_y), s = u^γ (1 + γ p log(1+o)/u) = u^γ (1 + γ log(1+o)/o).
pub(super) fn evaluate(problem: &Problem, point: &ExactPoint, bits: u32) -> Option<Focal> {
    let (Model::Plain { lambda_w, lambda_h }, Loss::Focal { focusing }) = (&problem.model, &problem.loss) else { return None };
    let (k, d, n) = problem.point_sizes().ok()?;
    let width = bits + 80;
    let ball = |q: &Rational| Ball::from_rational(q, width);
    let z = logits(point);
    let gamma = ball(focusing);
    let one = ball(&Rational::from(1));
    let groups = problem.labels.groups();
    let labels = groups.iter().flat_map(|g| std::iter::repeat_n(g.tags[0], g.count as usize));
    let mut loss = Ball::zero(width);
    let mut residual = vec![Ball::zero(width); k * n];
    let (mut largest, mut ahead) = (Ball::zero(width), true);
    for (i, y) in labels.enumerate() {
        let margin = |c: usize| ball(&scaled(Integer::from(&z.m[c * n + i] - &z.m[y * n + i]), z.exp));
        let e: Vec<Ball> = (0..k).map(|c| if c == y { Ball::zero(width) } else { margin(c).exp() }).collect();
        let odds = e.iter().fold(Ball::zero(width), |sum, e| &sum + e);
        let log = odds.ln_1p();
        largest = largest.max(&log);
        ahead &= Integer::from(&z.m[y * n + i] * k as u64) >= (0..k).map(|c| &z.m[c * n + i]).sum::<Integer>();
        let power = (&gamma * &(&odds.ln() - &log)).exp();
        loss = &loss + &(&power * &log);
        let slope = &power * &(&one + &(&gamma * &(&log / &odds)));
        let p = (&one + &odds).recip();
        for (c, e) in e.iter().enumerate() {
            let entry = if c == y { -(&odds * &p) } else { e * &p };
            residual[c * n + i] = &slope * &entry;
        }
    }
    let count = ball(&Rational::from(n as u64));
    let (w, h) = (&point.factors[0], &point.h);
    let mut penalty = w.sum_squares() * lambda_w + h.sum_squares() * lambda_h;
    let entry = |x: &Dyadic, i: usize, j: usize| ball(&x.rational(i, j));
    let mut square = Ball::zero(width);
    let mut add = |sum: Ball, x: Ball, lambda: &Ball| square = &square + &(&(&sum / &count) + &(lambda * &x)).square();
    let dot = |terms: &mut dyn Iterator<Item = Ball>| terms.fold(Ball::zero(width), |sum, x| &sum + &x);
    for a in 0..k {
        for t in 0..d {
            add(dot(&mut (0..n).map(|i| &residual[a * n + i] * &entry(h, t, i))), entry(w, a, t), &ball(lambda_w));
        }
    }
    for t in 0..d {
        for i in 0..n {
            add(dot(&mut (0..k).map(|a| &residual[a * n + i] * &entry(w, a, t))), entry(h, t, i), &ball(lambda_h));
        }
    }
    if let Some(b) = &point.b {
        let lambda_b = if let Bias::Regularized { lambda_b } = &problem.bias { lambda_b.clone() } else { Rational::new() };
        penalty += b.sum_squares() * &lambda_b;
        for a in 0..k {
            add(dot(&mut (0..n).map(|i| residual[a * n + i].clone())), entry(b, a, 0), &ball(&lambda_b));
        }
    }
    let objective = &(&loss / &count) + &ball(&(penalty / 2u32));
    Some(Focal { objective, gradient_norm: square.sqrt(), largest, ahead })
}

/// Bits between the grid of a certificate's numbers and what is made of them; the checker's rounding stays below 2^ROUNDING units.
const GUARD: u32 = 56;
const ROUNDING: u32 = 40;

/// The dual matrix R = −t (K I − J) and the ends of the margin's bracket, with the bound they prove on f over all points at every d.
struct Contrastive {
    r: Dyadic,
    ends: [Rational; 2],
    lower: Ball,
    /// Whether the bound on a sample holds at negative margins too.
    everywhere: bool,
    /// Whether the theory attains the bound: not where a bias held the slope back at 1.
    tight: bool,
}

/// A number on the grid of 2^-bits, rounded down.
fn floor(x: &Rational, bits: u32) -> Rational {
    (x.clone() << bits).floor() >> bits
}

fn power_of_two(exp: i32) -> Rational {
    scaled(Integer::from(1), exp)
}

/// `given`: a dual matrix of one's own in place of the best.
fn contrastive(problem: &Problem, precision: u32, given: Option<&Dyadic>) -> Option<Contrastive> {
    let (Model::Plain { lambda_w, lambda_h }, Loss::Focal { focusing }) = (&problem.model, &problem.loss) else { return None };
    let (k, n, biased) = (problem.classes(), problem.per_class()?, problem.bias != Bias::None);
    let (width, error, one) = (precision + 64, power_of_two(ROUNDING as i32 - precision as i32), Rational::from(1));
    let margin = Margin { k, gamma: focusing.clone() };
    let at = |a: &Rational| Ball::from_rational(a, width);
    // The largest slope (K−1) t of a dual matrix inside the ball, lowered to one whose bound holds at every margin where there is one.
    let others = Rational::from(k - 1);
    let kappa_squared = Rational::from(lambda_w * lambda_h) * Rational::from(n);
    let at_zero = margin.slope(&Ball::zero(width));
    let flat = at_zero.lower_rational()? - Rational::from(2 * &error);
    let mut slope = &others * sqrt_rational(&kappa_squared, width).lower_rational()?;
    let tight = !biased || slope <= 1 || flat < 1;
    if biased {
        slope = slope.min(one.clone());
    }
    if biased || at_zero.upper_rational()? <= 1 {
        slope = slope.min(flat);
    }
    let (t, r) = match given {
        Some(r) => (multiple(r, k as usize)?, r.clone()),
        None => {
            let t = floor(&(slope / &others), precision);
            (t.clone(), dual(&t, k as usize, precision))
        }
    };
    let slope = Rational::from(&t * &others);
    if t <= 0 || Rational::from(t.square_ref()) > kappa_squared || (biased && slope > 1) {
        return None;
    }
    let turn = margin.turn(width)?;
    let highest = margin.slope(&Ball::exact(turn.clone()));
    let centre = if highest.lower_rational()? > slope { margin.root(&at(&slope).ln(), &turn)? } else { turn };
    let centre = centre.to_rational()?;
    let falling = |a: &Rational| margin.slope(&at(a)).lower_rational().is_some_and(|s| s >= Rational::from(&slope + &error));
    let before = |a: &Rational| *a == 0 || margin.bend(&at(a)).lower_rational().is_some_and(|g| g > 0 && clear(&margin, a, &g, &error));
    let beyond = |a: &Rational| {
        let slow = margin.slope(&at(a)).upper_rational().is_some_and(|s| s <= Rational::from(&slope - &error));
        slow && margin.bend(&at(a)).upper_rational().is_some_and(|g| g < 0 && clear(&margin, a, &g, &error))
    };
    let mut distance = Rational::from(&error << 4u32);
    let (ends, everywhere) = loop {
        if distance > Rational::from(&centre + 1u32) {
            return None;
        }
        let ends = [Rational::from(&centre - &distance), Rational::from(&centre + &distance)]
            .map(|end| floor(&end, precision).max(Rational::new()));
        let everywhere = slope <= 1 && falling(&ends[0]);
        if (everywhere || (!biased && (falling(&ends[0]) || before(&ends[0])))) && beyond(&ends[1]) {
            break (ends, everywhere);
        }
        distance <<= 2;
    };
    let between = &margin.loss(&at(&ends[1])) + &at(&Rational::from(&slope * &ends[0]));
    let lower = &between.min(&margin.loss(&Ball::zero(width))) - &at(&error);
    Some(Contrastive { r, ends, lower, everywhere, tight })
}

/// Whether the sign of g at a is beyond the checker's rounding of o g.
fn clear(margin: &Margin, a: &Rational, g: &Rational, error: &Rational) -> bool {
    let odds = (-Ball::from_rational(a, 64)).exp() * Ball::from_integer(&Integer::from(margin.k - 1), 64);
    odds.lower_rational().is_some_and(|odds| odds * g.clone().abs() >= *error)
}

/// t of a matrix −t (K I − J).
fn multiple(r: &Dyadic, k: usize) -> Option<Rational> {
    if (r.rows, r.cols) != (k, k) {
        return None;
    }
    let t = r.rational(0, 1);
    let diagonal = -Rational::from(&t * (k as u64 - 1));
    let matches = (0..k * k).all(|i| r.rational(i / k, i % k) == if i % (k + 1) == 0 { &diagonal } else { &t }.clone());
    matches.then_some(t)
}

/// The matrix −t (K I − J) on the grid of 2^-bits.
fn dual(t: &Rational, k: usize, bits: u32) -> Dyadic {
    let t = Rational::from(t << bits).into_numer_denom().0;
    let diagonal = -Integer::from(&t * (k as u64 - 1));
    Dyadic { rows: k, cols: k, exp: -(bits as i32), m: (0..k * k).map(|i| if i % (k + 1) == 0 { &diagonal } else { &t }.clone()).collect() }
}

/// Rounded down or up to about `precision` bits.
fn outward(x: &Rational, precision: u32) -> Ball {
    Ball::from_rational(x, precision + 64)
}

/// [`super::certify_with`] for the focal loss.
pub(super) fn certify(
    problem: &Problem,
    problem_file: &[u8],
    point: &ExactPoint,
    options: &CertifyOptions,
    given: Option<&Dyadic>,
) -> Result<Certification, CertifyError> {
    let size = |x: &Dyadic| (x.rows, x.cols);
    check_sizes(problem.point_sizes()?, &problem.bias, |name| match name {
        "W" => point.factors.first().map(size),
        "H" => Some(size(&point.h)),
        _ => point.b.as_ref().map(size),
    })?;
    let bits = working_bits(options.digits);
    let precision = bits + GUARD;
    let found = evaluate(problem, point, bits).ok_or(CertifyError::Unsupported("model (the focal loss belongs to the plain model)"))?;
    let proof = contrastive(problem, precision, given);
    let bounds = proof.as_ref().and_then(|proof| bounds(problem, &found, proof, precision));
    let gap = bounds.as_ref().and_then(|b| b.gap.to_rational());
    let least = widened(&found.gradient_norm.lower(), precision, false);
    let mut result = Certification {
        verdict: Verdict::Undecided(String::new()),
        objective: Some(found.objective),
        gradient_norm: Some(found.gradient_norm.clone()),
        bounds,
        curvature: None,
        tight: super::tight(problem) && proof.as_ref().is_none_or(|proof| proof.tight),
        modes: false,
        dual: proof.as_ref().map(|proof| proof.r.clone()),
        text: None,
    };
    let mut text;
    if gap.as_ref().is_some_and(|gap| *gap <= options.gap_tol) {
        result.verdict = Verdict::GlobalMinimum;
    } else if found.gradient_norm.lower_rational().is_some_and(|g| g > options.tol) && least > 0 {
        result.verdict = Verdict::NotCritical;
        text = Writer::new(problem_file, "not-critical", precision);
        text.point("", point);
        text.claim("gradient", ">=", &least);
        result.text = Some(text.finish());
        return Ok(result);
    } else if found.gradient_norm.upper_rational().is_none_or(|g| g > options.tol) {
        let reason = "precision: the gradient norm cannot be told from --tol at this precision; ask for more --digits";
        result.verdict = Verdict::Undecided(reason.into());
        return Ok(result);
    } else if gap.is_some() {
        result.verdict = Verdict::NearMinimum;
    }
    let (Some(b), Some(proof)) = (&result.bounds, proof) else {
        let reason = match problem.per_class() {
            None => "unsupported: the focal loss has a lower bound for balanced classes only",
            Some(_) => "precision: the contrastive lower bound could not be enclosed",
        };
        result.verdict = Verdict::Undecided(reason.into());
        return Ok(result);
    };
    text = Writer::new(problem_file, "gap", precision);
    text.point("", point);
    text.matrix("R", &proof.r);
    let m = proof.ends.map(|a| (a << precision).into_numer_denom().0).to_vec();
    text.matrix("a", &Dyadic { rows: 2, cols: 1, exp: -(precision as i32), m });
    text.gap_claims(b, "self-duality");
    text.claim("gradient", "<=", &widened(&found.gradient_norm.upper(), precision, true));
    result.text = Some(text.finish());
    Ok(result)
}

fn bounds(problem: &Problem, found: &Focal, proof: &Contrastive, precision: u32) -> Option<Bounds> {
    let Model::Plain { lambda_w, lambda_h } = &problem.model else { return None };
    let error = power_of_two(ROUNDING as i32 - precision as i32) * (found.largest.upper_rational()? + 1u32);
    let lower = outward(&proof.lower.lower_rational()?, precision).lower();
    let upper = outward(&(found.objective.upper_rational()? + error), precision).upper();
    let gap = writer::round_up(&(upper.to_rational()? - lower.to_rational()?));
    let collapse = (proof.everywhere || found.ahead).then(|| Collapse::of_gap([lambda_w, lambda_h], problem.samples(), &gap)).flatten();
    Some(Bounds { lower, upper, gap, collapse })
}
