//! The claims theorems share, each checked on one instance: the deviation found and what it proves.

use rug::{Float, Integer, Rational};

use super::Finding;
use super::instance::{Instance, power_of_tenth};
use crate::certify::{Verdict, deep_gradient_norm, objective};
use crate::linalg::thin_svd;
use crate::problem::{Dyadic, ExactPoint, Model, Point};
use crate::scalar::Ball;

/// A named claim and its check: the deviation (an upper bound where the claim is certified) and the finding.
pub struct Claim {
    pub name: &'static str,
    /// The claim in words, and how it is checked.
    pub statement: &'static str,
    pub check: fn(&Instance) -> Outcome,
}

pub(super) type Outcome = (Option<Float>, Finding);

/// Digits that closed-form evidence may lose to conditioning: values, gaps and gradients must vanish to D − 10 digits.
pub(super) const LOST_DIGITS: u32 = 10;
/// A certified gap at f64 level: gradient norm 1e-12 leaves less (second order in it, plus rounding of the dual at 2^-50).
const F64_GAP_DIGITS: u32 = 12;
/// Structure of an f64 minimiser: gradient norm 1e-12 over the smallest curvature of the grid's problems (1e-4), with room.
pub(super) const F64_STRUCTURE: f64 = 1e-6;
/// A start counts as having attained the value within this relative distance; other local minima are farther by orders of magnitude.
const ATTAINED: f64 = 1e-12;

pub(super) fn undecided(why: &str) -> Outcome {
    (None, Finding::Undecided(why.into()))
}

fn up(ball: &Ball) -> Float {
    Float::with_val_round(64, ball.upper(), rug::float::Round::Up).0
}

/// Proved when the enclosed deviation is at most the limit, refuted when certainly above.
pub(super) fn bounded(deviation: &Ball, limit: &Rational, what: &str) -> Outcome {
    let deviation = deviation.abs();
    let finding = match (deviation.upper_rational(), deviation.lower_rational()) {
        (Some(high), _) if high <= *limit => Finding::Proved,
        (_, Some(low)) if low > *limit => Finding::Refuted(format!("{what} is at least {}", deviation.lower_decimal(6))),
        _ => Finding::Undecided(format!("precision: {what} not enclosed tightly enough")),
    };
    (Some(up(&deviation)), finding)
}

/// The predicted value is the objective at the predicted minimiser.
pub(super) const VALUE: Claim = Claim {
    name: "value",
    statement: "The closed-form value is the objective at the closed-form minimiser (exact entries, enclosed difference).",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let Some(value) = objective(&i.problem, &p.minimiser, p.f_star.prec()) else { return undecided("domain: objective") };
        let difference = &value - &p.f_star;
        bounded(&difference, &power_of_tenth(i.digits - LOST_DIGITS), "the objective at the claimed minimiser minus the claimed value")
    },
};

/// No point is lower than the predicted value: by certificate.
pub(super) const OPTIMALITY: Claim = Claim {
    name: "global optimality",
    statement: "The closed-form minimiser is within the certified gap of the minimum over all points; the independent checker accepts the certificate.",
    check: |i| {
        let Some(c) = i.predicted() else { return undecided("unsupported: no certificate") };
        let Some(b) = &c.bounds else { return undecided("precision: no bounds") };
        if let Some(reason) = i.refusal(c) {
            return undecided(&reason);
        }
        let f_star = i.prediction.as_ref().map(|p| p.f_star.clone()).unwrap_or_else(|| Ball::whole(64));
        let finding = match b.gap.to_rational() {
            Some(gap) if gap <= power_of_tenth(i.digits - LOST_DIGITS) => Finding::Proved,
            // The gap is wide: a lower value than the claimed one, or a lower bound above it, refutes.
            _ => refuted_by_search(i, &f_star).unwrap_or_else(|| Finding::Undecided(format!("precision: gap {}", up_decimal(&b.gap)))),
        };
        (Some(b.gap.clone()), finding)
    },
};

fn up_decimal(x: &Float) -> String {
    Ball::exact(x.clone()).upper_decimal(3)
}

/// A point whose certified objective is below the claimed minimum, or a certified lower bound above it.
fn refuted_by_search(i: &Instance, f_star: &Ball) -> Option<Finding> {
    for n in i.numerical() {
        let b = n.certification.as_ref()?.bounds.as_ref()?;
        let (upper, lower) = (Ball::exact(b.upper.clone()), Ball::exact(b.lower.clone()));
        if (&upper - f_star).is_negative() {
            let witness = format!(
                "seed {}: a point of value at most {} lies below {}",
                n.solution.seed,
                upper.upper_decimal(12),
                f_star.lower_decimal(12)
            );
            return Some(Finding::Refuted(witness));
        }
        if (&lower - f_star).is_positive() {
            let witness = format!("no point is below {}, but the claimed minimum is {}", lower.lower_decimal(12), f_star.upper_decimal(12));
            return Some(Finding::Refuted(witness));
        }
    }
    None
}

/// The predicted minimiser is a critical point.
pub(super) const STATIONARITY: Claim = Claim {
    name: "stationarity",
    statement: "The gradient norm at the closed-form minimiser, enclosed, vanishes to the digits asked.",
    check: |i| {
        let limit = power_of_tenth(i.digits - LOST_DIGITS);
        let what = "the gradient norm at the claimed minimiser";
        if let Some(c) = i.predicted() {
            return c.gradient_norm.as_ref().map_or_else(|| undecided("domain: gradient"), |g| bounded(g, &limit, what));
        }
        let norm = i.prediction.as_ref().and_then(|p| deep_gradient_norm(&i.problem, &p.minimiser, p.f_star.prec()));
        norm.map_or_else(|| undecided("unsupported: no gradient"), |g| bounded(&g, &limit, what))
    },
};

/// Numerical minimisers from random starts, nothing assumed collapsed, are certified global minima of the predicted value.
pub(super) const NUMERICAL: Claim = Claim {
    name: "numerical minimiser",
    statement: "Free-feature minimisation from random starts ends at points certified global (gap), whose bounds contain the closed-form value; the checker accepts.",
    check: |i| {
        let mut worst = Float::new(64);
        for n in i.numerical() {
            let Some(b) = n.certification.as_ref().and_then(|c| c.bounds.as_ref()) else { return undecided("precision: no bounds") };
            if let Some(reason) = n.certification.as_ref().and_then(|c| i.refusal(c)) {
                return undecided(&reason);
            }
            worst.max_mut(&b.gap);
            if n.certification.as_ref().is_some_and(|c| c.verdict != Verdict::GlobalMinimum) {
                return (
                    Some(worst),
                    Finding::Undecided(format!("budget: seed {} ended with gap {}", n.solution.seed, up_decimal(&b.gap))),
                );
            }
        }
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        if let Some(refuted) = refuted_by_search(i, &p.f_star) {
            return (Some(worst), refuted);
        }
        if i.numerical().is_empty() {
            return undecided("unsupported: no minimiser");
        }
        let small = worst.to_rational().is_some_and(|w| w <= power_of_tenth(F64_GAP_DIGITS));
        let gap = up_decimal(&worst);
        (Some(worst), if small { Finding::Proved } else { Finding::Undecided(format!("budget: gap {gap}")) })
    },
};

/// Numerical minimisers of deep models: exactly evaluated, none is below the predicted value, and the best attains it.
pub(super) const NOT_BELOW: Claim = Claim {
    name: "numerical minimiser",
    statement: "Objectives of numerical minimisers, evaluated exactly, are not below the closed-form value, and the best comes within 1e-12 of it (starts that end at the origin's local minimum are allowed).",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let mut best: Option<Ball> = None;
        for n in i.numerical() {
            let Some(value) = objective(&i.problem, &n.exact, p.f_star.prec()) else { return undecided("domain: objective") };
            let excess = &value - &p.f_star;
            if excess.is_negative() {
                let witness = format!(
                    "seed {}: a point of value {} lies below {}",
                    n.solution.seed,
                    value.upper_decimal(12),
                    p.f_star.lower_decimal(12)
                );
                return (Some(up(&excess.abs())), Finding::Refuted(witness));
            }
            if best.as_ref().is_none_or(|b| excess.mid() < b.mid()) {
                best = Some(excess);
            }
        }
        let Some(best) = best else { return undecided("unsupported: no minimiser") };
        let near = best.upper_rational().is_some_and(|x| x <= power_of_tenth(F64_GAP_DIGITS));
        let reason = || Finding::Undecided(format!("budget: no start came closer than {}", best.upper_decimal(3)));
        (Some(up(&best)), if near { Finding::Proved } else { reason() })
    },
};

/// Exact class means of the features (times their counts), and Σ ‖h_i − h̄‖² exactly.
fn class_sums(i: &Instance, h: &Dyadic) -> Option<(Vec<Vec<Integer>>, Vec<u64>)> {
    let counts = i.problem.class_counts()?;
    let mut start = 0;
    let mut sums = vec![];
    for &n in &counts {
        let end = start + n as usize;
        sums.push((0..h.rows).map(|r| h.m[r * h.cols + start..r * h.cols + end].iter().sum()).collect());
        start = end;
    }
    Some((sums, counts))
}

/// Gram matrix of the class means, exactly.
fn gram(i: &Instance, h: &Dyadic) -> Option<Vec<Vec<Rational>>> {
    let (sums, counts) = class_sums(i, h)?;
    let entry = |a: usize, b: usize| {
        let inner: Integer = sums[a].iter().zip(&sums[b]).map(|(x, y)| Integer::from(x * y)).sum();
        let value = Rational::from((inner, Integer::from(counts[a]) * Integer::from(counts[b])));
        if h.exp >= 0 { value << (2 * h.exp) as u32 } else { value >> (2 * h.exp).unsigned_abs() }
    };
    Some((0..sums.len()).map(|a| (0..sums.len()).map(|b| entry(a, b)).collect()).collect())
}

/// Largest deviation of the class means' Gram matrix from one of the form `diagonal · I + off · (J − I)` with `off = ratio · diagonal`.
fn frame_deviation(i: &Instance, point: &ExactPoint, ratio: impl Fn(usize) -> Rational) -> Option<Float> {
    let g = gram(i, &point.h)?;
    let k = g.len();
    let off = &g[0][0] * ratio(k);
    let mut worst = Rational::new();
    for (a, row) in g.iter().enumerate() {
        for (b, x) in row.iter().enumerate() {
            let target = if a == b { &g[0][0] } else { &off };
            let deviation = Rational::from(x - target).abs();
            if deviation > worst {
                worst = deviation;
            }
        }
    }
    Some(up(&Ball::from_rational(&worst, 64)))
}

fn frame_claim(i: &Instance, ratio: fn(usize) -> Rational, what: &str) -> Outcome {
    let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
    let Some(deviation) = frame_deviation(i, &p.minimiser, ratio) else { return undecided("unsupported: labels") };
    bounded(&Ball::exact(deviation), &power_of_tenth(i.digits - LOST_DIGITS), what)
}

/// The minimiser's class means form a simplex ETF.
pub(super) const SIMPLEX: Claim = Claim {
    name: "simplex ETF",
    statement: "The Gram matrix of the minimiser's class means, exact, is a multiple of I − J/K to the digits asked.",
    check: |i| frame_claim(i, |k| Rational::from((-1, k as i64 - 1)), "the class means' distance from a simplex ETF"),
};

/// The minimiser's class means form an orthogonal frame.
pub(super) const ORTHOGONAL: Claim = Claim {
    name: "orthogonal frame",
    statement: "The Gram matrix of the minimiser's class means, exact, is a multiple of I to the digits asked.",
    check: |i| frame_claim(i, |_| Rational::new(), "the class means' distance from an orthogonal frame"),
};

/// A numerical minimiser has the predicted structure: within-class variability, Gram matrices, self-duality.
pub(super) const STRUCTURE: Claim = Claim {
    name: "structure",
    statement: "At every numerical minimiser, relative to the prediction's size: within-class deviations vanish, the class means' Gram matrix is the closed form's, W and the class means are aligned (W Wᵀ is the closed form's).",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let reference = p.minimiser.to_f64();
        let mut worst = 0.0f64;
        for n in i.numerical() {
            worst = worst.max(structure_deviation(i, &n.solution.point, &reference));
        }
        let finding = if i.numerical().is_empty() {
            Finding::Undecided("unsupported: no minimiser".into())
        } else if worst <= F64_STRUCTURE {
            Finding::Proved
        } else if worst.is_finite() {
            Finding::Refuted(format!("a minimiser deviates from the predicted structure by {worst:.2e}"))
        } else {
            Finding::Undecided("domain: no finite structure".into())
        };
        (Some(Float::with_val(64, worst)), finding)
    },
};

/// Deep minimisers that attain the value have orthogonal frames in their layers.
pub(super) const LAYERS: Claim = Claim {
    name: "layers",
    statement: "At every numerical minimiser that attains the value, the Gram matrices of its layers' outputs are the closed form's: H and W_1 H for \
                the linear model, relu(W_1 H) for the ReLU model (whose H may differ); relative Frobenius distance.",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let value = p.f_star.mid().to_f64();
        let relu = matches!(i.problem.model, Model::DeepRelu { .. });
        let reference = layers(&p.minimiser.to_f64(), relu);
        let attained: Vec<_> = i.numerical().iter().filter(|n| n.solution.objective - value <= ATTAINED * value).collect();
        let worst = attained.iter().flat_map(|n| {
            let found = layers(&n.solution.point, relu);
            reference.iter().zip(found).map(|(r, x)| gram_distance(&x, r)).collect::<Vec<_>>()
        });
        let worst = worst.fold(0.0, f64::max);
        let finding = if attained.is_empty() {
            Finding::Undecided("budget: no start attained the value".into())
        } else if worst <= F64_STRUCTURE {
            Finding::Proved
        } else {
            Finding::Refuted(format!("a minimiser's layer deviates from an orthogonal frame by {worst:.2e}"))
        };
        (Some(Float::with_val(64, worst)), finding)
    },
};

/// Layer outputs whose structure the theorem fixes.
fn layers(point: &Point, relu: bool) -> Vec<faer::Mat<f64>> {
    let hidden = &point.factors[..point.factors.len() - 1];
    let mut outputs = vec![point.h.clone()];
    for w in hidden {
        let x = w * &outputs[outputs.len() - 1];
        outputs.push(if relu { faer::Mat::from_fn(x.nrows(), x.ncols(), |a, b| x[(a, b)].max(0.0)) } else { x });
    }
    if relu { outputs.split_off(outputs.len() - 1) } else { outputs }
}

/// Relative Frobenius distance of Gram matrices (absolute below size one).
fn gram_distance(x: &faer::Mat<f64>, reference: &faer::Mat<f64>) -> f64 {
    let target = reference.transpose() * reference;
    (x.transpose() * x - &target).norm_l2() / target.norm_l2().max(1.0)
}

/// max over H, HᵀH and W Wᵀ of relative Frobenius distances (absolute where the prediction is zero).
fn structure_deviation(i: &Instance, point: &Point, reference: &Point) -> f64 {
    let scale = reference.h.norm_l2().powi(2).max(1.0);
    let Some(counts) = i.problem.class_counts() else { return f64::NAN };
    let mut within = 0.0;
    let mut start = 0;
    for n in counts {
        let block = point.h.subcols(start, n as usize);
        let d = point.h.nrows();
        for r in 0..d {
            let mean = (0..n as usize).map(|c| block[(r, c)]).sum::<f64>() / n as f64;
            within += (0..n as usize).map(|c| (block[(r, c)] - mean).powi(2)).sum::<f64>();
        }
        start += n as usize;
    }
    let features = gram_distance(&point.h, &reference.h);
    let (Some(w), Some(v)) = (point.factors.last(), reference.factors.last()) else { return f64::NAN };
    let classifier = gram_distance(&w.transpose().to_owned(), &v.transpose().to_owned());
    (within / scale).sqrt().max(features).max(classifier)
}

/// ReLU models: the nuclear norm equality the theorem assumes, measured at the numerical minimisers that attain the value.
pub(super) const NUCLEAR: Claim = Claim {
    name: "nuclear norms (assumption, measured)",
    statement: "‖W_1 H‖_* = ‖relu(W_1 H)‖_*, which the theorem assumes, at the closed-form point; its relative difference at numerical minimisers is reported, not required.",
    check: |i| {
        let Some(p) = &i.prediction else { return undecided("unsupported: no closed form") };
        let nuclear = |point: &Point| {
            let x = &point.factors[0] * &point.h;
            let relu = faer::Mat::from_fn(x.nrows(), x.ncols(), |a, b| x[(a, b)].max(0.0));
            let norm = |m: &faer::Mat<f64>| thin_svd(m.as_ref()).map(|(_, s, _)| s.iter().sum::<f64>());
            Some((norm(&x)? - norm(&relu)?).abs() / norm(&x)?.max(f64::MIN_POSITIVE))
        };
        let Some(at_prediction) = nuclear(&p.minimiser.to_f64()) else { return undecided("domain: singular values") };
        let measured = i.numerical().iter().filter_map(|n| nuclear(&n.solution.point)).fold(at_prediction, f64::max);
        // A dozen roundings of K singular values.
        let holds = at_prediction <= 1024.0 * f64::EPSILON;
        let finding = if holds { Finding::Proved } else { Finding::Refuted(format!("differs by {at_prediction:.2e}")) };
        (Some(Float::with_val(64, measured)), finding)
    },
};
