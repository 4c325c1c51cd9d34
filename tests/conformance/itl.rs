//! Reader of interval test vectors in the ITL format: `testcase NAME { operation argument… = result… [signal WORD]; … }`.

use rug::{Float, Integer, Rational};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Bounds of a non-empty set of reals, infinite ones included.
    Interval(f64, f64),
    Empty,
    NotAnInterval,
    Number(f64),
    List(Vec<f64>),
    /// Truth values, decorations, states of `overlap` and quoted texts.
    Word(String),
}

#[derive(Debug, Clone)]
pub struct Case {
    pub line: usize,
    pub operation: String,
    pub arguments: Vec<Value>,
    pub results: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Value(Value),
    /// A name or a number: `inf` is both.
    Word(String),
    Symbol(char),
}

/// All cases of a file.
///
/// # Errors
/// Line and reason where the text is not of the format.
pub fn parse(text: &str) -> Result<Vec<Case>, String> {
    let tokens = tokens(text)?;
    let mut cases = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some((head, body)) = rest.split_first() {
        let name = body.first();
        if head.1 != Token::Word("testcase".into()) || !matches!(name, Some((_, Token::Word(_)))) {
            return Err(format!("line {}: expected `testcase NAME`", head.0));
        }
        if !matches!(body.get(1), Some((_, Token::Symbol('{')))) {
            return Err(format!("line {}: expected an opening brace", head.0));
        }
        rest = &body[2..];
        loop {
            match rest.first() {
                None => return Err("the last test case is not closed".into()),
                Some((_, Token::Symbol('}'))) => break,
                Some(_) => {}
            }
            let end = rest.iter().position(|(_, t)| *t == Token::Symbol(';')).ok_or("the last statement is not closed")?;
            cases.push(statement(&rest[..end])?);
            rest = &rest[end + 1..];
        }
        rest = &rest[1..];
    }
    Ok(cases)
}

fn statement(tokens: &[(usize, Token)]) -> Result<Case, String> {
    let line = tokens.first().map_or(0, |t| t.0);
    let fail = || format!("line {line}: not of the form `operation arguments = results`");
    let mut sides = tokens.split(|(_, t)| *t == Token::Symbol('='));
    let (Some(left), Some(right), None) = (sides.next(), sides.next(), sides.next()) else { return Err(fail()) };
    let Some(((_, Token::Word(operation)), left)) = left.split_first() else { return Err(fail()) };
    let values = |side: &[(usize, Token)]| -> Result<Vec<Value>, String> {
        let value = |t: &(usize, Token)| match &t.1 {
            Token::Value(v) => Ok(v.clone()),
            Token::Word(w) => Ok(number(w).map_or_else(|| Value::Word(w.clone()), Value::Number)),
            Token::Symbol(_) => Err(fail()),
        };
        side.iter().map(value).collect()
    };
    let (arguments, mut results) = (values(left)?, values(right)?);
    if let Some(at) = results.iter().position(|v| *v == Value::Word("signal".into())) {
        results.truncate(at);
    }
    let operation = operation.clone();
    if arguments.is_empty() || results.is_empty() { Err(fail()) } else { Ok(Case { line, operation, arguments, results }) }
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let is_word = |c: char| c.is_alphanumeric() || "_.+-/?".contains(c);
    while let Some(c) = rest.chars().next() {
        let line = 1 + text[..text.len() - rest.len()].matches('\n').count();
        let fail = |what: &str| format!("line {line}: {what}");
        let upto = |open: usize, close: &str| rest[open..].find(close).map(|i| i + open).ok_or_else(|| fail("not closed"));
        let (token, length) = if c.is_whitespace() {
            (None, c.len_utf8())
        } else if rest.starts_with("//") {
            (None, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (None, upto(2, "*/")? + 2)
        } else if c == '"' {
            let end = upto(1, "\"")?;
            (Some(Token::Value(Value::Word(rest[1..end].into()))), end + 1)
        } else if c == '[' {
            let end = upto(1, "]")?;
            let decoration: usize = rest[end + 1..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').map(char::len_utf8).sum();
            (Some(Token::Value(interval(&rest[1..end]).ok_or_else(|| fail("not an interval"))?)), end + 1 + decoration)
        } else if c == '{' && !tokens.is_empty() && !opens_a_test_case(&tokens) {
            let end = upto(1, "}")?;
            let list: Option<Vec<f64>> = rest[1..end].split(',').map(|x| number(x.trim())).collect();
            (Some(Token::Value(Value::List(list.ok_or_else(|| fail("not a list of numbers"))?))), end + 1)
        } else if "{}=;".contains(c) {
            (Some(Token::Symbol(c)), 1)
        } else if is_word(c) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            (Some(Token::Word(rest[..end].into())), end)
        } else {
            return Err(fail("unexpected character"));
        };
        tokens.extend(token.map(|t| (line, t)));
        rest = &rest[length..];
    }
    Ok(tokens)
}

fn opens_a_test_case(tokens: &[(usize, Token)]) -> bool {
    let word = Token::Word("testcase".into());
    tokens.len() >= 2 && tokens[tokens.len() - 2].1 == word
}

fn interval(text: &str) -> Option<Value> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "" | "empty" => return Some(Value::Empty),
        "entire" => return Some(Value::Interval(f64::NEG_INFINITY, f64::INFINITY)),
        "nai" => return Some(Value::NotAnInterval),
        _ => {}
    }
    let (low, high) = text.split_once(',').unwrap_or((text, text));
    let bound = |text: &str, missing: f64| if text.trim().is_empty() { Some(missing) } else { number(text.trim()) };
    let (low, high) = (bound(low, f64::NEG_INFINITY)?, bound(high, f64::INFINITY)?);
    (low <= high).then_some(Value::Interval(low, high))
}

/// The double nearest to a decimal, a hexadecimal float, a fraction, or an infinity; NaN.
pub fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    let (sign, magnitude) = match lower.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, lower.strip_prefix('+').unwrap_or(&lower)),
    };
    let value = match magnitude {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ if !magnitude.starts_with(|c: char| c.is_ascii_digit() || c == '.') => return None,
        _ => match (magnitude.split_once('/'), magnitude.strip_prefix("0x")) {
            (Some((p, q)), _) => {
                let (p, q): (Integer, Integer) = (p.parse().ok()?, q.parse().ok()?);
                if q == 0 {
                    return None;
                }
                Float::with_val(53, Rational::from((p, q))).to_f64()
            }
            (None, Some(hex)) => hexadecimal(hex)?,
            (None, None) => magnitude.parse().ok()?,
        },
    };
    Some(sign * value)
}

fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = Integer::from_str_radix(&[whole, fraction].concat(), 16).ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    let exact = Float::with_val(digits.significant_bits().max(1), &digits);
    Some((exact << (exponent - 4 * fraction.len() as i32)).to_f64())
}
