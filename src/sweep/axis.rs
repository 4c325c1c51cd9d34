//! The values a field of a grid takes: one, a list, or a range, each kept as an exact decimal.

use rug::{Float, Integer, Rational, ops::Pow};
use toml::Value;

use super::GridError;
use crate::problem::{decimal_text, shorten};
use crate::scalar::{Ball, parse_decimal};

/// Values of one field beyond which it is refused.
const MAX_VALUES: usize = 100_000;
/// Significant digits of the points of a range; its ends are exact.
const POINT_DIGITS: u32 = 6;
/// Digits up to which an equally spaced point is kept exactly.
const EXACT_DIGITS: usize = 12;
/// Bits at which the points of a logarithmic range are computed, the same on every machine.
const BITS: u32 = 256;

pub(super) fn invalid(field: &str, value: &impl std::fmt::Display, allowed: &str) -> GridError {
    crate::problem::SpecError::Invalid { field: field.into(), value: shorten(&value.to_string()), allowed: allowed.into() }.into()
}

/// The entries of a field: those of a list, of a range, or the value alone.
fn entries<T>(
    field: &str,
    value: &Value,
    one: impl Fn(&Value) -> Result<T, GridError>,
    range: impl Fn(&Range) -> Result<Vec<T>, GridError>,
) -> Result<Vec<T>, GridError> {
    let values = match value {
        Value::Array(list) if list.len() > MAX_VALUES => {
            return Err(invalid(field, &format!("a list of {} values", list.len()), &format!("at most {MAX_VALUES} values")));
        }
        Value::Array(list) => list.iter().map(one).collect::<Result<_, _>>()?,
        Value::Table(table) => range(&Range::read(field, table)?)?,
        single => vec![one(single)?],
    };
    if values.is_empty() {
        return Err(invalid(field, &"[]", "at least one value; leave the field out if it has none"));
    }
    Ok(values)
}

/// Strings; ranges make no sense.
pub(super) fn texts(field: &str, value: &Value) -> Result<Vec<String>, GridError> {
    let one = |v: &Value| v.as_str().map(str::to_owned).ok_or_else(|| invalid(field, v, "a string, or a list of strings"));
    entries(field, value, one, |_| Err(invalid(field, value, "a string, or a list of strings")))
}

const INTEGERS: &str =
    "an integer, a list of integers, or a range { from, to, step } or { from, to, points, scale = \"linear\" | \"log\" }";
const DECIMALS: &str =
    "a decimal (best as a string), a list of decimals, or a range { from, to, step } or { from, to, points, scale = \"linear\" | \"log\" }";

/// Integers; the points of a range are rounded to the nearest, each kept once.
pub(super) fn integers(field: &str, value: &Value) -> Result<Vec<i64>, GridError> {
    let one = |v: &Value| v.as_integer().ok_or_else(|| invalid(field, v, INTEGERS));
    let range = |r: &Range| {
        let whole = |x: &Rational| x.clone().round().numer().to_i64().ok_or_else(|| invalid(field, x, "integers of at most 64 bits"));
        if r.from.1.denom() != &1 || r.to.1.denom() != &1 {
            return Err(invalid(field, &format!("{} to {}", r.from.0, r.to.0), "a range between integers"));
        }
        let mut values = r.points()?.iter().map(|(_, x)| whole(x)).collect::<Result<Vec<_>, _>>()?;
        values.dedup();
        Ok(values)
    };
    entries(field, value, one, range)
}

/// Exact decimals, as they were written where they were.
pub(super) fn decimals(field: &str, value: &Value) -> Result<Vec<String>, GridError> {
    let one = |v: &Value| {
        let text = decimal_text(field, v).map_err(|_| invalid(field, v, DECIMALS))?;
        parse_decimal(&text).map_err(|e| invalid(field, &text, &format!("{DECIMALS} ({e})")))?;
        Ok(text)
    };
    entries(field, value, one, |r| Ok(r.points()?.into_iter().map(|(text, _)| text).collect()))
}

/// A feature dimension, possibly relative to the number of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dim {
    per_class: i64,
    plus: i64,
}

impl Dim {
    /// `K` times one number plus another; absurd values saturate and are refused with the problem.
    pub fn of(self, classes: i64) -> i64 {
        self.per_class.saturating_mul(classes).saturating_add(self.plus)
    }

    pub fn relative(self) -> bool {
        self.per_class != 0
    }

    /// `K`, `2K`, `K-1`, `K+4`.
    fn read(text: &str) -> Option<Dim> {
        let natural = |t: &str| t.parse::<u32>().ok().filter(|_| !t.starts_with('+')).map(i64::from);
        let (times, rest) = text.split_once('K')?;
        let per_class = if times.is_empty() { 1 } else { natural(times).filter(|&t| t > 0)? };
        let plus = match rest.split_at_checked(1) {
            None => 0,
            Some(("+", n)) => natural(n)?,
            Some(("-", n)) => -natural(n)?,
            _ => return None,
        };
        Some(Dim { per_class, plus })
    }
}

/// Dimensions: integers, or texts relative to K.
pub(super) fn dims(field: &str, value: &Value) -> Result<Vec<Dim>, GridError> {
    let allowed =
        "an integer, a multiple of the classes such as \"K\", \"K-1\", \"K+4\" or \"2K\", a list of these, or a range of integers";
    let one = |v: &Value| match v {
        Value::Integer(n) => Ok(Dim { per_class: 0, plus: *n }),
        Value::String(text) => Dim::read(text).ok_or_else(|| invalid(field, text, allowed)),
        other => Err(invalid(field, other, allowed)),
    };
    if value.is_table() {
        return Ok(integers(field, value)?.into_iter().map(|plus| Dim { per_class: 0, plus }).collect());
    }
    entries(field, value, one, |_| Err(invalid(field, value, allowed)))
}

/// How the points between two ends lie.
enum Spacing {
    Step(Rational),
    Linear(u32),
    Log(u32),
}

/// A range: each end as written and as a rational.
struct Range {
    field: String,
    from: (String, Rational),
    to: (String, Rational),
    spacing: Spacing,
}

const RANGE: &str = "from, to, and either step or points; with points, scale = \"linear\" or \"log\"";

impl Range {
    fn read(field: &str, table: &toml::Table) -> Result<Range, GridError> {
        if let Some(name) = table.keys().find(|k| !["from", "to", "step", "points", "scale"].contains(&k.as_str())) {
            return Err(crate::problem::SpecError::Unknown { field: shorten(&format!("{field}.{name}")), allowed: RANGE.into() }.into());
        }
        let named = |part: &str| format!("{field}.{part}");
        let decimal = |part: &str, v: &Value| -> Result<(String, Rational), GridError> {
            let text = decimal_text(&named(part), v).map_err(GridError::Spec)?;
            let value = parse_decimal(&text).map_err(|e| invalid(&named(part), &text, &format!("a decimal ({e})")))?;
            Ok((text, value))
        };
        let end = |part: &str| match table.get(part) {
            Some(v) => decimal(part, v),
            None => Err(GridError::Range { field: field.into(), what: format!("has no `{part}`; it takes {RANGE}") }),
        };
        let (from, to) = (end("from")?, end("to")?);
        if to.1 < from.1 {
            return Err(invalid(&named("to"), &to.0, &format!("at least `from`, which is {}", from.0)));
        }
        let scale = match table.get("scale").map(|v| (v.as_str(), v)) {
            None | Some((Some("linear"), _)) => false,
            Some((Some("log"), _)) => true,
            Some((_, v)) => return Err(invalid(&named("scale"), v, "\"linear\" or \"log\"")),
        };
        let spacing = match (table.get("step"), table.get("points")) {
            (Some(step), None) if !scale => {
                let (text, step) = decimal("step", step)?;
                if step <= 0 {
                    return Err(invalid(&named("step"), &text, "a positive decimal"));
                }
                Spacing::Step(step)
            }
            (None, Some(points)) => {
                let allowed = format!("an integer from 2 to {MAX_VALUES}");
                let count = points.as_integer().and_then(|n| u32::try_from(n).ok()).filter(|n| (2..=MAX_VALUES as u32).contains(n));
                let count = count.ok_or_else(|| invalid(&named("points"), points, &allowed))?;
                if scale { Spacing::Log(count) } else { Spacing::Linear(count) }
            }
            _ => return Err(GridError::Range { field: field.into(), what: format!("takes {RANGE}") }),
        };
        if matches!(spacing, Spacing::Log(_)) && from.1 <= 0 {
            return Err(invalid(&named("from"), &from.0, "a positive decimal: the range is logarithmic"));
        }
        Ok(Range { field: field.into(), from, to, spacing })
    }

    /// The points, ends exact and as written.
    fn points(&self) -> Result<Vec<(String, Rational)>, GridError> {
        let spread = Rational::from(&self.to.1 - &self.from.1);
        let inner: Vec<Rational> = match &self.spacing {
            Spacing::Step(step) => {
                let steps = Rational::from(&spread / step).floor().numer().clone();
                let steps = steps.to_usize().filter(|&n| n < MAX_VALUES).ok_or_else(|| {
                    invalid(&format!("{}.step", self.field), &self.text(step), &format!("a step that makes at most {MAX_VALUES} values"))
                })?;
                let points = (0..=steps).map(|i| &self.from.1 + Rational::from(step * Integer::from(i)));
                return Ok(points.map(|x| (self.text(&x), x)).collect());
            }
            Spacing::Linear(count) => (1..count - 1).map(|i| &self.from.1 + &spread * Rational::from((i, count - 1))).collect(),
            Spacing::Log(count) => {
                let ratio = Float::with_val(BITS, Rational::from(&self.to.1 / &self.from.1)).ln();
                let point = |i: u32| {
                    let factor = Float::with_val(BITS, &ratio * Rational::from((i, count - 1))).exp();
                    Float::with_val(BITS, factor * &self.from.1).to_rational().unwrap_or_default()
                };
                (1..count - 1).map(point).collect()
            }
        };
        let rounded = |x: &Rational| {
            let text = exact_text(x).filter(|t| t.bytes().filter(u8::is_ascii_digit).count() <= EXACT_DIGITS);
            let text = text.or_else(|| {
                let short = Ball::from_rational(x, BITS).to_decimal(POINT_DIGITS)?;
                exact_text(&parse_decimal(&short).ok()?)
            });
            let text = text.unwrap_or_else(|| "0".into());
            let value = parse_decimal(&text).unwrap_or_default();
            (text, value)
        };
        let mut points = vec![self.from.clone()];
        points.extend(inner.iter().map(rounded));
        points.push(self.to.clone());
        Ok(points)
    }

    fn text(&self, x: &Rational) -> String {
        exact_text(x).unwrap_or_else(|| x.to_string())
    }
}

/// The decimal of a rational whose denominator has no prime but 2 and 5, without trailing zeros.
pub(super) fn exact_text(x: &Rational) -> Option<String> {
    let mut places = 0u32;
    let mut rest = x.denom().clone();
    for prime in [2u32, 5] {
        let mut times = 0;
        while rest.is_divisible_u(prime) {
            rest /= prime;
            times += 1;
        }
        places = places.max(times);
    }
    if rest != 1 || places > 4_000 {
        return None;
    }
    let scaled = Rational::from(x * Integer::from(10).pow(places)).into_numer_denom().0;
    let digits = Integer::from(scaled.abs_ref()).to_string();
    let sign = if scaled < 0 { "-" } else { "" };
    let padded = format!("{digits:0>width$}", width = places as usize + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places as usize);
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// ⌊n / r⌋, exactly.
pub(super) fn divided(n: i64, ratio: &Rational) -> Option<i64> {
    (Rational::from(n) / ratio).floor().numer().to_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> Value {
        text.parse::<toml::Table>().unwrap()["x"].clone()
    }

    #[test]
    fn decimals_stay_as_written_and_ranges_are_exact() {
        let values = |text: &str| decimals("x", &field(text)).unwrap();
        assert_eq!(values("x = '0.10'"), ["0.10"]);
        assert_eq!(values("x = ['1e-3', 0.5, 2]"), ["1e-3", "0.5", "2"]);
        assert_eq!(values("x = { from = '0.1', to = '0.35', step = '0.1' }"), ["0.1", "0.2", "0.3"]);
        assert_eq!(values("x = { from = '0', to = '1', points = 5 }"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(values("x = { from = '0', to = '1', points = 4 }"), ["0", "0.333333", "0.666667", "1"]);
        assert_eq!(
            values("x = { from = '0.001', to = '1e-1', points = 5, scale = 'log' }"),
            ["0.001", "0.00316228", "0.01", "0.0316228", "1e-1"]
        );
    }

    #[test]
    fn integer_ranges_round_and_drop_repetitions() {
        let values = |text: &str| integers("x", &field(text)).unwrap();
        assert_eq!(values("x = { from = 2, to = 20, step = 6 }"), [2, 8, 14, 20]);
        assert_eq!(values("x = { from = 1, to = 4, points = 9, scale = 'log' }"), [1, 2, 3, 4]);
        assert_eq!(values("x = { from = 1, to = 100, points = 3, scale = 'log' }"), [1, 10, 100]);
    }

    #[test]
    fn dimensions_relative_to_classes() {
        let of = |text: &str| dims("dim", &field(&format!("x = {text}"))).map(|d| d.iter().map(|d| d.of(10)).collect::<Vec<_>>());
        assert_eq!(of("['K', 'K-1', '2K+3', 7]").unwrap(), [10, 9, 23, 7]);
        for bad in ["'k'", "'K+'", "'K-+1'", "'0K'", "'-1K'", "'K*2'", "''", "1.5", "[[1]]"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn floors_are_exact() {
        assert_eq!(divided(100, &Rational::from((10, 3))), Some(30));
        assert_eq!(divided(1_000_000_000_000_000_000, &Rational::from(1)), Some(1_000_000_000_000_000_000));
        assert_eq!(divided(1, &Rational::from(2)), Some(0));
    }

    #[test]
    fn refusals_name_the_field() {
        for (text, words) in [
            ("x = []", "at least one value"),
            ("x = { from = 1, to = 2 }", "either step or points"),
            ("x = { from = 1, to = 2, step = 1, points = 3 }", "either step or points"),
            ("x = { from = 1, to = 2, points = 1 }", "x.points"),
            ("x = { from = 1, to = 2, points = 100000000 }", "x.points"),
            ("x = { from = 2, to = 1, points = 3 }", "at least `from`"),
            ("x = { from = 0, to = 1, points = 3, scale = 'log' }", "logarithmic"),
            ("x = { from = 0, to = 1, points = 3, scale = 'cubic' }", "x.scale"),
            ("x = { from = 0, to = 1, step = '1e-9' }", "x.step"),
            ("x = { from = 0, to = 1, steps = 3 }", "x.steps"),
            ("x = { to = 1, points = 3 }", "no `from`"),
            ("x = 'a'", "a decimal"),
            ("x = [[1]]", "a decimal"),
            ("x = true", "a decimal"),
            ("x = nan", "a decimal"),
        ] {
            let error = decimals("x", &field(text)).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains('x'), "{text}: {error}");
        }
    }
}
