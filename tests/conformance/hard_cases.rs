//! CORE-MATH's hard-to-round inputs, `core-math-NAME.wc`: enclosures at 120 bits contain those at 400 bits, and decide the nearest double.

use rug::{Float, float::Round};
use ufm::scalar::Ball;

use super::{itl::number, vectors};

const PREC: u32 = 120;
const REFERENCE: u32 = 400;

type Function = fn(&Ball) -> Ball;
type Function2 = fn(&Ball, &Ball) -> Ball;

/// Name of the function in file names, its file (its own, or that of another function) and the enclosure.
const FUNCTIONS: &[(&str, &str, Function)] = &[
    ("exp", "exp", Ball::exp),
    ("exp", "expm1", Ball::exp),
    ("expm1", "expm1", Ball::exp_m1),
    ("exp2", "exp2", Ball::exp2),
    ("exp10", "exp10", Ball::exp10),
    ("log", "log", Ball::ln),
    ("log1p", "log1p", Ball::ln_1p),
    ("log2", "log2", Ball::log2),
    ("log10", "log10", Ball::log10),
    ("sqrt", "sqrt", Ball::sqrt),
    ("cbrt", "cbrt", |x| x.root(3)),
    ("sin", "sin", Ball::sin),
    ("cos", "cos", Ball::cos),
    ("tan", "tan", Ball::tan),
    ("asin", "asin", Ball::asin),
    ("acos", "acos", Ball::acos),
    ("atan", "atan", Ball::atan),
    ("sinh", "sinh", Ball::sinh),
    ("cosh", "cosh", Ball::cosh),
    ("tanh", "tanh", Ball::tanh),
    ("asinh", "asinh", Ball::asinh),
    ("acosh", "acosh", Ball::acosh),
    ("atanh", "atanh", Ball::atanh),
];

/// The functions of two arguments, on lines `x,y`.
const BINARY: &[(&str, Function2)] = &[("pow", Ball::pow), ("hypot", Ball::hypot)];

fn nearest(x: &Float) -> f64 {
    x.to_f64_round(Round::Nearest)
}

/// The double nearest to every member, when they agree; infinities beyond the largest.
fn decided(x: &Ball) -> Option<f64> {
    let (low, high) = (nearest(&x.lower()), nearest(&x.upper()));
    (low == high).then_some(low)
}

/// The fields of a line that are numbers; further ones name floating-point exceptions.
fn inputs(line: &str) -> Vec<f64> {
    let data = line.split('#').next().unwrap_or("");
    data.split([',', ' ', '\t']).filter(|x| !x.is_empty()).map_while(number).filter(|x| x.is_finite()).collect()
}

fn check(name: &str, file: &str, text: &str, arity: usize, f: &dyn Fn(&[Ball]) -> Ball) {
    let (mut ran, mut outside) = (0, 0);
    for line in text.lines() {
        let x = inputs(line);
        if x.len() < arity {
            let data = line.split('#').next().unwrap_or("").trim();
            let special = ["nan", "inf"].iter().any(|s| data.to_ascii_lowercase().contains(s));
            assert!(data.is_empty() || special, "{file}: cannot read {line:?}");
            continue;
        }
        let at = |prec| f(&x[..arity].iter().map(|x| Ball::from_f64(*x, prec)).collect::<Vec<_>>());
        let (ours, reference) = (at(PREC), at(REFERENCE));
        if reference == Ball::whole(REFERENCE) {
            outside += 1;
            continue;
        }
        assert!(ours.contains(&reference), "{name}({line}): {ours:?} does not contain {reference:?}");
        let double = decided(&reference);
        assert!(double.is_some() && decided(&ours) == double, "{name}({line}): the nearest double is undecided at {PREC} bits");
        ran += 1;
    }
    assert!(ran > 0, "{file}: no inputs");
    println!("{name:8} on {file:24} {ran:>6} inputs contained and decided, {outside} outside the domain");
}

#[test]
fn hard_to_round_inputs_are_decided() {
    let Some(files) = vectors("wc") else { return };
    for (file, text) in &files {
        let Some(function) = file.strip_prefix("core-math-") else { continue };
        let unary = FUNCTIONS.iter().filter(|f| f.1 == function);
        let binary = BINARY.iter().filter(|f| f.0 == function);
        let mut supported = 0;
        for (name, _, f) in unary {
            check(name, file, text, 1, &|x| f(&x[0]));
            supported += 1;
        }
        for (name, f) in binary {
            check(name, file, text, 2, &|x| f(&x[0], &x[1]));
            supported += 1;
        }
        if supported == 0 {
            println!("{function:8} unsupported: {file}");
        }
    }
}

#[test]
fn inputs_are_read_as_written() {
    assert_eq!(inputs("0x1.8p+1, ERANGE"), [3.0]);
    assert_eq!(inputs("-0x1p-1074,0x10p0 # both"), [-5e-324, 16.0]);
    assert_eq!(inputs("# a comment"), [0.0; 0]);
    assert_eq!(inputs("-0"), [0.0]);
}
