//! Problem files: the TOML subset they use, read to exact rationals with one common denominator.

use num_bigint::BigInt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    None,
    Free,
    Regularized,
}

/// The plain model; λ_W = w/q, λ_H = h/q, λ_b = b/q with integers w, h, b, q (b = 0 unless the bias is regularized).
#[derive(Debug)]
pub(crate) struct Problem {
    pub ce: bool,
    pub bias: Bias,
    pub classes: usize,
    pub samples: usize,
    pub dim: usize,
    sizes: Sizes,
    pub w: BigInt,
    pub h: BigInt,
    pub b: BigInt,
    pub q: BigInt,
}

#[derive(Debug)]
enum Sizes {
    Balanced(usize),
    Listed(Vec<usize>),
}

impl Problem {
    /// n_1..n_K. Called once K columns have been read, so that memory follows the certificate's real size.
    pub fn counts(&self) -> Vec<usize> {
        match &self.sizes {
            Sizes::Balanced(n) => vec![*n; self.classes],
            Sizes::Listed(counts) => counts.clone(),
        }
    }

    /// Validates a problem file as a whole.
    ///
    /// # Errors
    /// What makes the file unreadable, invalid or different from the plain model.
    pub fn parse(bytes: &[u8]) -> Result<Problem, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the problem file is not UTF-8".to_string())?;
        let file = Fields(fields(text)?);
        let choice = |name: &str, options: &[&str]| {
            let found = file.string(name)?;
            let index = options.iter().position(|o| *o == found);
            index.ok_or_else(|| format!("{name} = `{}`; this checker knows {}", found.escape_default(), options.join(", ")))
        };
        choice("model", &["plain"])?;
        let ce = choice("loss", &["mse", "ce"])? == 1;
        let bias = [Bias::None, Bias::Free, Bias::Regularized][choice("bias", &["none", "free", "regularized"])?];
        let (classes, samples, sizes) = file.sizes()?;
        let dim = file.count("dim")?;
        if (bias == Bias::Regularized) != file.get("lambda_b").is_some() {
            return Err("lambda_b goes with bias = \"regularized\" and with no other".into());
        }
        let mut weights = vec![file.decimal("lambda_w")?, file.decimal("lambda_h")?];
        if bias == Bias::Regularized {
            weights.push(file.decimal("lambda_b")?);
        }
        let ten = BigInt::from(10);
        let shift = weights.iter().map(|(_, power)| -power).max().unwrap_or(0).max(0);
        let (q, limit) = (ten.pow(shift as u32), ten.pow(100));
        let scaled: Vec<BigInt> = weights.iter().map(|(m, power)| m * ten.pow((power + shift) as u32)).collect();
        if scaled.iter().any(|x| x * &limit < q || *x > &q * &limit) {
            return Err("a weight is outside 1e-100 to 1e100".into());
        }
        let mut scaled = scaled.into_iter();
        let mut next = || scaled.next().unwrap_or_default();
        let (w, h, b) = (next(), next(), next());
        Ok(Problem { ce, bias, classes, samples, dim, sizes, w, h, b, q })
    }
}

/// A value as written: a string's content, a bare number, or a list of bare numbers.
#[derive(Debug)]
enum Value<'a> {
    Text(&'a str),
    Number(&'a str),
    List(Vec<&'a str>),
}

const KNOWN: [&str; 10] = ["model", "loss", "bias", "classes", "per_class", "class_counts", "dim", "lambda_w", "lambda_h", "lambda_b"];

/// The `key = value` lines; every other construct of TOML is refused.
fn fields(text: &str) -> Result<Vec<(&str, Value<'_>)>, String> {
    let mut found: Vec<(&str, Value<'_>)> = Vec::new();
    for (i, line) in text.split('\n').enumerate() {
        let unread = |what: &str| format!("problem file, line {}: {what}", i + 1);
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(unread("a control character"));
        }
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, rest) = line.split_once('=').ok_or_else(|| unread("not `key = value`"))?;
        let key = key.trim_end_matches([' ', '\t']);
        if !KNOWN.contains(&key) {
            return Err(unread("a key that the plain model does not have"));
        }
        if found.iter().any(|(k, _)| *k == key) {
            return Err(unread("a key given twice"));
        }
        let (value, tail) = value(rest.trim_start_matches([' ', '\t'])).ok_or_else(|| unread("a value this checker does not read"))?;
        let tail = tail.trim_start_matches([' ', '\t']);
        if !tail.is_empty() && !tail.starts_with('#') {
            return Err(unread("text after the value"));
        }
        found.push((key, value));
    }
    Ok(found)
}

/// The value at the start of `text`, and what follows it.
fn value(text: &str) -> Option<(Value<'_>, &str)> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let (content, tail) = text[1..].split_once(quote)?;
        return (quote == '\'' || !content.contains('\\')).then_some((Value::Text(content), tail));
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, tail) = inner.split_once(']')?;
        let mut items: Vec<&str> = inner.split(',').map(|item| item.trim_matches([' ', '\t'])).collect();
        if items.last() == Some(&"") {
            items.pop();
        }
        return Some((Value::List(items), tail));
    }
    let end = text.find([' ', '\t', '#']).unwrap_or(text.len());
    (end > 0).then_some((Value::Number(&text[..end]), &text[end..]))
}

struct Fields<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    fn string(&self, name: &str) -> Result<&'a str, String> {
        match self.get(name) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(format!("`{name}` must be given, as a string")),
        }
    }

    fn count(&self, name: &str) -> Result<usize, String> {
        match self.get(name) {
            Some(Value::Number(text)) => count(text).ok_or_else(|| format!("`{name}` must be an integer from 1 to 10^18")),
            _ => Err(format!("`{name}` must be given, as an integer")),
        }
    }

    /// K, N and the class sizes, from `class_counts` or from `classes` and `per_class`.
    fn sizes(&self) -> Result<(usize, usize, Sizes), String> {
        let (classes, samples, sizes) = match (self.get("class_counts"), self.get("classes"), self.get("per_class")) {
            (Some(Value::List(items)), None, None) => {
                let counts: Vec<usize> = items.iter().map(|t| count(t)).collect::<Option<_>>().ok_or("`class_counts` has a bad entry")?;
                (counts.len(), counts.iter().map(|&n| n as u128).sum(), Sizes::Listed(counts))
            }
            (None, Some(_), Some(_)) => {
                let (classes, n) = (self.count("classes")?, self.count("per_class")?);
                (classes, classes as u128 * n as u128, Sizes::Balanced(n))
            }
            _ => return Err("give `classes` and `per_class`, or a list `class_counts`".into()),
        };
        match usize::try_from(samples) {
            Ok(samples) if classes >= 2 && samples <= MAX_COUNT => Ok((classes, samples, sizes)),
            _ => Err("there must be at least two classes and at most 10^18 samples".into()),
        }
    }

    /// A weight as (m, p) with value m · 10^p.
    ///
    /// A bare TOML float denotes a binary number elsewhere; up to 15 significant digits its shortest decimal is the
    /// one written, and only those are accepted.
    fn decimal(&self, name: &str) -> Result<(BigInt, i64), String> {
        let (text, bare) = match self.get(name) {
            Some(Value::Text(text)) => (*text, false),
            Some(Value::Number(text)) => (*text, true),
            _ => return Err(format!("`{name}` must be given, as a decimal")),
        };
        let read = decimal(text).filter(|(digits, _, _)| !bare || (bare_number(text) && digits.trim_start_matches('0').len() <= 15));
        let (digits, negative, power) = read.ok_or_else(|| format!("`{name}` is not a decimal this checker reads"))?;
        let m = BigInt::parse_bytes(digits.as_bytes(), 10).filter(|_| !negative);
        Ok((m.ok_or_else(|| format!("`{name}` must be positive"))?, power))
    }
}

const MAX_COUNT: usize = 1_000_000_000_000_000_000;

fn count(text: &str) -> Option<usize> {
    let plain = text.len() <= 19 && text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|n| plain && (1..=MAX_COUNT).contains(n))
}

/// `[sign]digits[.digits][e[sign]digits]` as (all digits, negative, power of ten); at most 2000 characters and 10^±2000.
fn decimal(text: &str) -> Option<(String, bool, i64)> {
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if text.len() > 2000 || !all_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok().filter(|e: &i64| e.abs() <= 2000)?;
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = [whole, fraction].concat();
    all_digits(&digits).then_some((digits, mantissa.starts_with('-'), exponent - fraction.len() as i64))
}

/// Whether a decimal is spelled as a TOML number: no plus sign, no leading zeros, digits on both sides of the point.
fn bare_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or("");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    !text.starts_with('+') && !whole.is_empty() && !fraction.is_empty() && (whole.len() == 1 || !whole.starts_with('0'))
}
