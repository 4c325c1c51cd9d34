//! The JSON objects of the command line; decimals are strings.

use serde_json::{Map, Value, json};

use crate::certify::{Certification, Verdict, objective};
use crate::closed_form::{ClosedForm, Scalar, Unavailable, closed_form};
use crate::metrics::LayerMetrics;
use crate::problem::{ExactPoint, Problem};
use crate::scalar::{Ball, decide_digits};

/// Significant digits of a bound whose size alone matters.
const BOUND_DIGITS: u32 = 3;
/// Precision doubles up to this many times the digits' own before a digit is called undecidable.
const PRECISION_FACTOR: u32 = 64;

/// Bits that carry `digits` significant digits with room to spare: log2(10) < 3.33.
pub fn bits(digits: u32) -> u32 {
    (f64::from(digits) * 3.33) as u32 + 32
}

/// A double for JSON: shortest decimal that reads back to it.
pub fn number(x: f64) -> String {
    format!("{x:e}")
}

/// `digits` guaranteed significant digits of what `value` encloses.
fn digits_of(digits: u32, value: impl Fn(u32) -> Ball) -> Value {
    decide_digits(digits, bits(digits) * PRECISION_FACTOR, value).map_or(Value::Null, Value::String)
}

/// The `closed_form` object, and the closed form itself.
pub fn closed_form_json(problem: &Problem, digits: u32) -> (Value, Result<ClosedForm, Unavailable>) {
    let form = closed_form(problem);
    let value = match &form {
        Err(e) => json!({ "available": false, "reason": e.to_string() }),
        Ok(form) => {
            let names: Vec<(&'static str, Scalar)> = form.scalars(bits(digits));
            let pick = |name: &str, index: usize, prec: u32| -> Ball {
                match form.scalars(prec).into_iter().find(|(n, _)| *n == name) {
                    Some((_, Scalar::Value(ball))) => ball,
                    Some((_, Scalar::List(mut list))) => list.swap_remove(index),
                    Some((_, Scalar::Keyed(mut pairs))) => pairs.swap_remove(index).1,
                    _ => Ball::whole(prec),
                }
            };
            let mut scalars = Map::new();
            for (name, scalar) in &names {
                let value = match scalar {
                    Scalar::Value(_) => digits_of(digits, |prec| pick(name, 0, prec)),
                    Scalar::List(list) => {
                        let decided = |(i, ball): (usize, &Ball)| {
                            ball.to_decimal(digits).map_or_else(|| digits_of(digits, |prec| pick(name, i, prec)), Value::String)
                        };
                        Value::Array(list.iter().enumerate().map(decided).collect())
                    }
                    Scalar::Keyed(pairs) => {
                        let decided =
                            |(i, (key, _)): (usize, &(u64, Ball))| (key.to_string(), digits_of(digits, |prec| pick(name, i, prec)));
                        Value::Object(pairs.iter().enumerate().map(decided).collect())
                    }
                    Scalar::Count(n) => json!(n),
                };
                scalars.insert((*name).to_owned(), value);
            }
            json!({
                "available": true, "regime": form.regime().name(),
                "trust": if form.conditional() { "conditional" } else { "certified" }, "source": form.source(),
                "f_star": digits_of(digits, |prec| form.f_star(prec)), "scalars": scalars,
            })
        }
    };
    (value, form)
}

/// The exact objective at a point to `digits` significant digits; `None` when it cannot be evaluated.
pub fn objective_digits(problem: &Problem, point: &ExactPoint, digits: u32) -> Option<String> {
    objective(problem, point, bits(digits))?.to_decimal(digits).or_else(|| objective(problem, point, 2 * bits(digits))?.to_decimal(digits))
}

/// The layers of a deep point, from H to the logits.
pub fn layers_json(layers: &[LayerMetrics]) -> Value {
    let optional = |x: Option<f64>| x.map_or(Value::Null, |x| Value::String(number(x)));
    let one = |l: &LayerMetrics| {
        json!({
            "name": l.name, "rank": l.rank, "factor_rank": l.factor_rank, "nc1_quotient": optional(l.nc1_quotient),
            "nc2_etf": optional(l.nc2_etf), "nc2_of": optional(l.nc2_of), "nuclear_difference": optional(l.nuclear_difference),
            "alignment": optional(l.alignment),
        })
    };
    Value::Array(layers.iter().map(one).collect())
}

/// The certified gap: an upper bound of three digits; `None` when there is none.
pub fn gap_text(c: &Certification) -> Option<String> {
    c.bounds.as_ref().map(|b| Ball::exact(b.gap.clone()).upper_decimal(BOUND_DIGITS))
}

/// The `certificate` object.
pub fn certificate_json(c: &Certification, origin: &str, digits: u32) -> Value {
    let mut value = json!({ "point": origin, "verdict": c.verdict.name() });
    if let Verdict::Undecided(reason) = &c.verdict {
        value["reason"] = json!(reason);
    }
    let up = |x: &rug::Float, digits| Ball::exact(x.clone()).upper_decimal(digits);
    if let Some(b) = &c.bounds {
        value["lower"] = json!(Ball::exact(b.lower.clone()).lower_decimal(digits));
        value["upper"] = json!(up(&b.upper, digits));
        value["gap"] = json!(gap_text(c));
        if !c.tight {
            value["tight"] = json!(false);
        }
    }
    if let Some(g) = &c.gradient_norm {
        value["gradient_norm"] = json!(g.upper_decimal(BOUND_DIGITS));
    }
    if let Some(q) = &c.curvature {
        value["curvature"] = json!(q.upper_decimal(BOUND_DIGITS));
    }
    if let Some(collapse) = c.bounds.as_ref().and_then(|b| b.collapse.as_ref()) {
        value["collapse"] = json!({
            "within_class": up(&collapse.within_class, BOUND_DIGITS),
            "self_duality": up(&collapse.self_duality, BOUND_DIGITS),
            "fit": up(&collapse.fit, BOUND_DIGITS),
        });
    }
    value["trust"] = json!("certified");
    value
}
