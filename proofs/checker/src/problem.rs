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
pub(crate) enum Sizes {
    Balanced(usize),
    Listed(Vec<usize>),
}

impl Sizes {
    /// n_1..n_K. Called once K columns have been read, so that memory follows the certificate's real size.
    pub fn counts(&self, classes: usize) -> Vec<usize> {
        match self {
            Sizes::Balanced(n) => vec![*n; classes],
            Sizes::Listed(counts) => counts.clone(),
        }
    }
}

impl Problem {
    /// n_1..n_K; see [`Sizes::counts`].
    pub fn counts(&self) -> Vec<usize> {
        self.sizes.counts(self.classes)
    }

    /// Validates a problem file as a whole.
    ///
    /// # Errors
    /// What makes the file invalid or different from the plain model.
    pub fn parse(file: &Fields<'_>) -> Result<Problem, String> {
        file.without(&["lambdas"])?;
        let ce = file.choice("loss", &["mse", "ce"])? == 1;
        let bias = [Bias::None, Bias::Free, Bias::Regularized][file.choice("bias", &["none", "free", "regularized"])?];
        let (classes, samples, sizes) = file.sizes()?;
        let dim = file.count("dim")?;
        if (bias == Bias::Regularized) != file.get("lambda_b").is_some() {
            return Err("lambda_b goes with bias = \"regularized\" and with no other".into());
        }
        let mut weights = vec![file.decimal("lambda_w")?, file.decimal("lambda_h")?];
        if bias == Bias::Regularized {
            weights.push(file.decimal("lambda_b")?);
        }
        let (scaled, q) = common_denominator(&weights)?;
        let mut scaled = scaled.into_iter();
        let mut next = || scaled.next().unwrap_or_default();
        let (w, h, b) = (next(), next(), next());
        Ok(Problem { ce, bias, classes, samples, dim, sizes, w, h, b, q })
    }
}

/// Weights m · 10^p as integers over one power of ten.
pub(crate) fn common_denominator(weights: &[(BigInt, i64)]) -> Result<(Vec<BigInt>, BigInt), String> {
    let ten = BigInt::from(10);
    let shift = weights.iter().map(|(_, power)| -power).max().unwrap_or(0).max(0);
    let (q, limit) = (ten.pow(shift as u32), ten.pow(100));
    let scaled: Vec<BigInt> = weights.iter().map(|(m, power)| m * ten.pow((power + shift) as u32)).collect();
    if scaled.iter().any(|x| x * &limit < q || *x > &q * &limit) {
        return Err("a weight is outside 1e-100 to 1e100".into());
    }
    Ok((scaled, q))
}

/// A value as written: how it is spelled, and the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    Quoted,
    Bare,
    List,
}
pub(crate) type Value<'a> = (Spelling, &'a str);

const KNOWN: [&str; 11] =
    ["model", "loss", "bias", "classes", "per_class", "class_counts", "dim", "lambda_w", "lambda_h", "lambda_b", "lambdas"];
const BLANK: [char; 2] = [' ', '\t'];

/// The `key = value` lines; every other construct of TOML is refused.
pub(crate) struct Fields<'a>(Vec<(&'a str, Value<'a>)>);

impl<'a> Fields<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the problem file is not UTF-8".to_string())?;
        let mut found: Vec<(&str, Value<'_>)> = Vec::new();
        for (i, line) in text.split('\n').map(|line| line.trim_matches(BLANK)).enumerate() {
            let refuse = |what: &str| Err(format!("problem file, line {}: {what}", i + 1));
            if line.chars().any(|c| c.is_control() && c != '\t') {
                return refuse("a control character");
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, rest) = line.split_once('=').unwrap_or((line, ""));
            let key = key.trim_end_matches(BLANK);
            if !KNOWN.contains(&key) || found.iter().any(|(k, _)| *k == key) {
                return refuse("a key given twice, or one that this checker does not know");
            }
            match value(rest.trim_start_matches(BLANK)) {
                Some((value, tail)) if tail.is_empty() || tail.trim_start_matches(BLANK).starts_with('#') => found.push((key, value)),
                _ => return refuse("a value this checker does not read"),
            }
        }
        Ok(Fields(found))
    }

    /// Refuses keys of another model.
    pub fn without(&self, names: &[&str]) -> Result<(), String> {
        let foreign = names.iter().find(|name| self.get(name).is_some());
        foreign.map_or(Ok(()), |name| Err(format!("`{name}` does not belong to this model")))
    }

    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The position of a string among its options.
    pub fn choice(&self, name: &str, options: &[&str]) -> Result<usize, String> {
        let index = options.iter().position(|o| self.get(name) == Some((Spelling::Quoted, o)));
        index.ok_or_else(|| format!("`{name}` must be given; this checker knows \"{}\"", options.join("\", \"")))
    }

    pub fn count(&self, name: &str) -> Result<usize, String> {
        let count = self.get(name).filter(|(spelling, _)| *spelling == Spelling::Bare).and_then(|(_, text)| count(text));
        count.ok_or_else(|| format!("`{name}` must be given, as an integer from 1 to 10^18"))
    }

    /// K, N and the class sizes, from `class_counts` or from `classes` and `per_class`.
    pub fn sizes(&self) -> Result<(usize, usize, Sizes), String> {
        let (classes, samples, sizes) = match (self.get("class_counts"), self.get("classes"), self.get("per_class")) {
            (Some((Spelling::List, list)), None, None) => {
                let list = list.trim_end_matches(BLANK);
                let items = list.strip_suffix(',').unwrap_or(list).split(',');
                let counts: Option<Vec<usize>> = items.map(|item| count(item.trim_matches(BLANK))).collect();
                let counts = counts.ok_or("`class_counts` must be a list of integers from 1 to 10^18")?;
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
        let read = self.get(name).and_then(weight);
        read.ok_or_else(|| format!("`{name}` must be given, as a positive decimal (at most 15 significant digits without quotes)"))
    }

    /// The weights of a list, each as by [`Fields::decimal`].
    pub fn decimals(&self, name: &str) -> Result<Vec<(BigInt, i64)>, String> {
        let one = |item: &str| match value(item.trim_matches(BLANK))? {
            (value, "") => weight(value),
            _ => None,
        };
        let read = self.get(name).filter(|(spelling, _)| *spelling == Spelling::List).and_then(|(_, list)| {
            let list = list.trim_end_matches(BLANK);
            list.strip_suffix(',').unwrap_or(list).split(',').map(one).collect()
        });
        read.ok_or_else(|| format!("`{name}` must be a list of positive decimals (at most 15 significant digits without quotes)"))
    }
}

/// A number m · 10^p as (m, p); see [`Fields::decimal`].
fn weight((spelling, text): Value<'_>) -> Option<(BigInt, i64)> {
    let (digits, power) = decimal(text)?;
    let exact = bare_number(text) && digits.trim_start_matches('0').len() <= 15;
    let m = BigInt::parse_bytes(digits.as_bytes(), 10)?;
    (spelling == Spelling::Quoted || spelling == Spelling::Bare && exact).then_some((m, power))
}

/// The value at the start of `text`, and what follows it.
fn value(text: &str) -> Option<(Value<'_>, &str)> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let (content, tail) = text[1..].split_once(quote)?;
        return (quote == '\'' || !content.contains('\\')).then_some(((Spelling::Quoted, content), tail));
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (inner, tail) = inner.split_once(']')?;
        return Some(((Spelling::List, inner), tail));
    }
    let end = text.find([' ', '\t', '#']).unwrap_or(text.len());
    (end > 0).then_some(((Spelling::Bare, &text[..end]), &text[end..]))
}

const MAX_COUNT: usize = 1_000_000_000_000_000_000;

fn count(text: &str) -> Option<usize> {
    let plain = text.len() <= 19 && text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|n| plain && (1..=MAX_COUNT).contains(n))
}

/// `[+]digits[.digits][e[sign]digits]` as (all digits, power of ten); at most 2000 characters and 10^±2000.
fn decimal(text: &str) -> Option<(String, i64)> {
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    if text.len() > 2000 || !all_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)) {
        return None;
    }
    let exponent: i64 = exponent.parse().ok().filter(|e: &i64| e.abs() <= 2000)?;
    let unsigned = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = [whole, fraction].concat();
    all_digits(&digits).then_some((digits, exponent - fraction.len() as i64))
}

/// Whether a decimal is spelled as a TOML number: no plus sign, no leading zeros, digits on both sides of the point.
fn bare_number(text: &str) -> bool {
    let mantissa = text.split(['e', 'E']).next().unwrap_or("");
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    !whole.starts_with('+') && !whole.is_empty() && !fraction.is_empty() && (whole.len() == 1 || !whole.starts_with('0'))
}
