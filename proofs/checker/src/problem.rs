//! Problem files: the TOML subset they use, read to exact rationals with one common denominator.

use num_bigint::BigInt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bias {
    None,
    Free,
    Regularized,
}

/// The plain or multi-label model; λ_W = w/q, λ_H = h/q, λ_b = b/q with integers w, h, b, q (b = 0 unless the bias is regularized). Or the
/// sphere model: τ = t/q.
#[derive(Debug)]
pub(crate) struct Problem {
    pub sphere: bool,
    /// Cross-entropy, label smoothing or pick-all-labels; otherwise mse.
    pub ce: bool,
    /// α = m/q of the targets (1 - α) e_y + (α/K) 1; zero unless smoothed.
    pub smoothing: (BigInt, BigInt),
    /// γ = m/q of the focal loss, where that is the loss.
    pub focusing: Option<(BigInt, BigInt)>,
    pub bias: Bias,
    pub classes: usize,
    pub samples: usize,
    pub dim: usize,
    sizes: Sizes,
    pub w: BigInt,
    pub h: BigInt,
    pub b: BigInt,
    pub t: BigInt,
    pub q: BigInt,
}

#[derive(Debug)]
pub(crate) enum Sizes {
    Balanced(usize),
    Listed(Vec<usize>),
    /// Samples of every tag set of each multiplicity, ascending.
    PerTagSet(Vec<(usize, usize)>),
    Tagged(Vec<Group>),
}

/// Samples that share a target: their tags (a class, unless multi-label) and how many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub tags: Vec<usize>,
    pub count: usize,
}

impl Sizes {
    /// The groups in the order of H's columns. Called once N columns have been read, so that memory follows the certificate's real size.
    pub fn groups(&self, classes: usize) -> Vec<Group> {
        let single = |(class, &count): (usize, &usize)| Group { tags: vec![class], count };
        match self {
            Sizes::Balanced(n) => vec![*n; classes].iter().enumerate().map(single).collect(),
            Sizes::Listed(counts) => counts.iter().enumerate().map(single).collect(),
            Sizes::Tagged(groups) => groups.clone(),
            Sizes::PerTagSet(sizes) => {
                let sets = |&(m, count): &(usize, usize)| {
                    let first: Vec<usize> = (0..m).collect();
                    let all = std::iter::successors(Some(first), |set| next_set(set, classes));
                    all.map(move |tags| Group { tags, count })
                };
                sizes.iter().flat_map(sets).collect()
            }
        }
    }
}

impl Problem {
    /// See [`Sizes::groups`].
    pub fn groups(&self) -> Vec<Group> {
        self.sizes.groups(self.classes)
    }

    /// Validates a problem file as a whole.
    ///
    /// # Errors
    /// What makes the file invalid or different from the models above.
    pub fn parse(file: &Fields<'_>) -> Result<Problem, String> {
        file.without(&["lambdas"])?;
        let model = ["plain", "multi-label", "sphere"][file.choice("model", &["plain", "multi-label", "sphere"])?];
        let (tagged, sphere) = (model == "multi-label", model == "sphere");
        let losses: &[&str] = match model {
            "multi-label" => &["pick-all-labels"],
            "sphere" => &["ce"],
            _ => &["mse", "ce", "label-smoothing", "focal"],
        };
        let loss = losses[file.choice("loss", losses)?];
        let smoothing = file.parameter("smoothing", loss == "label-smoothing", 1)?.unwrap_or((BigInt::ZERO, BigInt::from(1)));
        let focusing = file.parameter("focusing", loss == "focal", 100)?;
        let biases: &[&str] = if sphere { &["none"] } else { &["none", "free", "regularized"] };
        // The sphere model may leave its one bias out.
        let unbiased = sphere && file.get("bias").is_none();
        let bias = [Bias::None, Bias::Free, Bias::Regularized][if unbiased { 0 } else { file.choice("bias", biases)? }];
        let (classes, samples, sizes) = if tagged { file.tag_sizes()? } else { file.sizes()? };
        let dim = file.count("dim")?;
        if (bias == Bias::Regularized) != file.get("lambda_b").is_some() {
            return Err("lambda_b goes with bias = \"regularized\" and with no other".into());
        }
        let belongs = |name: &str, model: bool| file.get(name).is_none() || model;
        if !(belongs("temperature", sphere) && belongs("lambda_w", !sphere) && belongs("lambda_h", !sphere)) {
            return Err("temperature goes with model = \"sphere\", lambda_w and lambda_h with the other models".into());
        }
        let names: &[&str] = if sphere { &["temperature"] } else { &["lambda_w", "lambda_h"] };
        let mut weights = names.iter().map(|name| file.decimal(name)).collect::<Result<Vec<_>, _>>()?;
        if bias == Bias::Regularized {
            weights.push(file.decimal("lambda_b")?);
        }
        let (scaled, q) = common_denominator(&weights)?;
        let mut scaled = scaled.into_iter();
        let mut next = || scaled.next().unwrap_or_default();
        let t = if sphere { next() } else { BigInt::default() };
        let (w, h, b) = (next(), next(), next());
        Ok(Problem { sphere, ce: loss != "mse", smoothing, focusing, bias, classes, samples, dim, sizes, w, h, b, t, q })
    }
}

/// The next subset of the classes of the same size, lexicographically.
fn next_set(set: &[usize], classes: usize) -> Option<Vec<usize>> {
    let m = set.len();
    let i = (0..m).rev().find(|&i| set[i] < classes - m + i)?;
    Some(set[..i].iter().copied().chain((0..m - i).map(|j| set[i] + 1 + j)).collect())
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
    Table,
}
pub(crate) type Value<'a> = (Spelling, &'a str);

const KNOWN: [&str; 17] = [
    "model",
    "loss",
    "bias",
    "classes",
    "per_class",
    "class_counts",
    "per_tag_set",
    "tag_sets",
    "tag_counts",
    "dim",
    "lambda_w",
    "lambda_h",
    "lambda_b",
    "lambdas",
    "smoothing",
    "focusing",
    "temperature",
];
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
                return refuse("a key given twice, or one that no model of this checker has");
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
                let counts = items(list, count).ok_or("`class_counts` must be a list of integers from 1 to 10^18")?;
                (counts.len(), counts.iter().map(|&n| n as u128).sum(), Sizes::Listed(counts))
            }
            (None, Some(_), Some(_)) => {
                let (classes, n) = (self.count("classes")?, self.count("per_class")?);
                (classes, classes as u128 * n as u128, Sizes::Balanced(n))
            }
            _ => return Err("give `classes` and `per_class`, or a list `class_counts`".into()),
        };
        if ["per_tag_set", "tag_sets", "tag_counts"].iter().any(|name| self.get(name).is_some()) {
            return Err("tag sets belong to the multi-label model".into());
        }
        Self::bounded(classes, samples, sizes)
    }

    /// The same of the multi-label model, from `classes` with `per_tag_set`, or with `tag_sets` and `tag_counts`.
    fn tag_sizes(&self) -> Result<(usize, usize, Sizes), String> {
        let k = self.count("classes")?;
        let (tags, samples, sizes) = match (self.get("per_tag_set"), self.get("tag_sets"), self.get("tag_counts")) {
            (Some((Spelling::Table, table)), None, None) => {
                let pair = |(m, q): (&str, &str)| Some((count(m.trim_matches(BLANK))?, count(q.trim_matches(BLANK))?));
                let sizes: Option<Vec<(usize, usize)>> = table.split(',').map(|item| pair(item.split_once('=')?)).collect();
                let mut sizes =
                    sizes.filter(|s| s.iter().all(|&(m, _)| m <= k)).ok_or("`per_tag_set` is not { multiplicity = samples, .. }")?;
                sizes.sort_unstable();
                if sizes.windows(2).any(|w| w[0].0 == w[1].0) {
                    return Err("`per_tag_set` names a multiplicity twice".into());
                }
                let samples = sizes.iter().map(|&(m, q)| subsets(k, m).saturating_mul(q as u128));
                (k, samples.fold(0u128, u128::saturating_add), Sizes::PerTagSet(sizes))
            }
            (None, Some((Spelling::List, sets)), Some((Spelling::List, counts))) => {
                let index = |text: &str| if text == "0" { Some(0) } else { count(text) };
                let set = |text: &str| {
                    let tags = items(text.strip_prefix('[')?, index)?;
                    (tags.windows(2).all(|w| w[0] < w[1]) && tags.iter().all(|&t| t < k)).then_some(tags)
                };
                // Each set ends with its bracket; what is before the next one is a comma.
                let sets = sets.trim_matches(BLANK).strip_suffix(']').map(|sets| sets.split(']').map(|s| s.trim_start_matches(BLANK)));
                let sets = sets.and_then(|sets| {
                    let bare =
                        |(i, s): (usize, &'a str)| if i == 0 { Some(s) } else { Some(s.strip_prefix(',')?.trim_start_matches(BLANK)) };
                    sets.enumerate().map(|s| set(bare(s)?)).collect::<Option<Vec<_>>>()
                });
                let sets = sets.ok_or("`tag_sets` must be a list of lists of classes from 0, strictly ascending")?;
                let counts = items(counts, count)
                    .filter(|c| c.len() == sets.len())
                    .ok_or("`tag_counts` must be as many integers from 1 to 10^18")?;
                let mut sorted: Vec<_> = sets.iter().collect();
                sorted.sort_unstable();
                if sorted.windows(2).any(|w| w[0] == w[1]) {
                    return Err("`tag_sets` names a set twice".into());
                }
                let samples = counts.iter().map(|&n| n as u128).sum();
                let groups = sets.into_iter().zip(counts).map(|(tags, count)| Group { tags, count }).collect();
                (k, samples, Sizes::Tagged(groups))
            }
            _ => return Err("give `per_tag_set`, or `tag_sets` with `tag_counts`".into()),
        };
        if self.get("per_class").is_some() || self.get("class_counts").is_some() {
            return Err("the multi-label model has tag sets, not class sizes".into());
        }
        Self::bounded(tags, samples, sizes)
    }

    fn bounded(classes: usize, samples: u128, sizes: Sizes) -> Result<(usize, usize, Sizes), String> {
        match usize::try_from(samples) {
            Ok(samples) if classes >= 2 && samples <= MAX_COUNT => Ok((classes, samples, sizes)),
            _ => Err("there must be at least two classes and at most 10^18 samples".into()),
        }
    }

    /// A number of [0, most] as a quotient, for the loss that has it.
    fn parameter(&self, name: &str, present: bool, most: u32) -> Result<Option<(BigInt, BigInt)>, String> {
        if !present {
            return self.without(&[name]).map(|()| None);
        }
        let (m, power) = self.decimal(name)?;
        let ten = |power: i64| BigInt::from(10).pow(power.max(0) as u32);
        let (m, q) = (m * ten(power), ten(-power));
        if m > &q * most { Err(format!("`{name}` must lie in [0, {most}]")) } else { Ok(Some((m, q))) }
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
        let mut depth = 1;
        let end = inner.find(|c| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth == 0
        })?;
        return Some(((Spelling::List, &inner[..end]), &inner[end + 1..]));
    }
    if let Some(inner) = text.strip_prefix('{') {
        let (inner, tail) = inner.split_once('}')?;
        return Some(((Spelling::Table, inner), tail));
    }
    let end = text.find([' ', '\t', '#']).unwrap_or(text.len());
    (end > 0).then_some(((Spelling::Bare, &text[..end]), &text[end..]))
}

/// The items of a list, each read by `read`; a comma after the last is allowed, as in TOML.
fn items(list: &str, read: impl Fn(&str) -> Option<usize>) -> Option<Vec<usize>> {
    let list = list.trim_end_matches(BLANK);
    list.strip_suffix(',').unwrap_or(list).split(',').map(|item| read(item.trim_matches(BLANK))).collect()
}

/// C(k, m), or a number beyond 10^18 when that is: the partial products C(k, i) increase up to i = k/2.
fn subsets(k: usize, m: usize) -> u128 {
    let mut value: u128 = 1;
    for i in 0..m.min(k - m) {
        value = value * (k - i) as u128 / (i + 1) as u128;
        if value > MAX_COUNT as u128 {
            break;
        }
    }
    value
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
