//! ITF1788 vectors at 53 bits. On the domain of an operation the result, rounded outwards to doubles, must be the expected interval, the
//! smallest there is; elsewhere it must contain it.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rug::{Float, float::Round};
use ufm::scalar::{Ball, Rational};

use super::{
    itl::{self, Case, Value},
    vectors,
};

const PREC: u32 = 53;
/// Bits at which a result is recomputed when the suite's interval is wider than ours.
const REFERENCE: u32 = 400;
/// Any sum of products of two doubles is exact at this precision.
const EXACT: u32 = 4400;

/// An argument: a set or an integer.
#[derive(Clone)]
pub enum Argument {
    Set(Ball),
    Integer(i32),
}

use Argument::{Integer, Set};

/// An interval operation of the suite, as `Ball` has it: `None` where the arguments are of another kind.
type Operation = fn(&[Argument]) -> Option<Ball>;
/// Whether every member of the arguments is in the domain.
type Domain = fn(&[Argument]) -> bool;

type Answer = fn(&Ball, &Ball) -> bool;

macro_rules! unary {
    ($method:ident) => {
        |a| if let [Set(x)] = a { Some(x.$method()) } else { None }
    };
}

macro_rules! binary {
    ($method:expr) => {
        |a| if let [Set(x), Set(y)] = a { Some($method(x, y)) } else { None }
    };
}

/// A domain given by the bounds of the argument number `at`.
macro_rules! bounds {
    ($at:literal, |$low:ident, $high:ident| $within:expr) => {
        |a| {
            if let Some(Set(x)) = a.get($at) {
                let ($low, $high) = (x.lower(), x.upper());
                $within
            } else {
                false
            }
        }
    };
}

const EVERYWHERE: Domain = |_| true;
const WITHOUT_ZERO: Domain = bounds!(0, |low, high| low > 0 || high < 0);
const POSITIVE: Domain = bounds!(0, |low, _high| low > 0);

/// Name in the suite, name in `Ball`, the operation and its domain.
pub const INTERVALS: &[(&str, &str, Operation, Domain)] = &[
    ("pos", "clone", unary!(clone), EVERYWHERE),
    ("neg", "neg", |a| if let [Set(x)] = a { Some(-x) } else { None }, EVERYWHERE),
    ("add", "add", binary!(|x: &Ball, y: &Ball| x + y), EVERYWHERE),
    ("sub", "sub", binary!(|x: &Ball, y: &Ball| x - y), EVERYWHERE),
    ("mul", "mul", binary!(|x: &Ball, y: &Ball| x * y), EVERYWHERE),
    ("div", "div", binary!(|x: &Ball, y: &Ball| x / y), bounds!(1, |low, high| low > 0 || high < 0)),
    ("recip", "recip", unary!(recip), WITHOUT_ZERO),
    ("sqr", "square", unary!(square), EVERYWHERE),
    ("sqrt", "sqrt", unary!(sqrt), bounds!(0, |low, _high| low >= 0)),
    ("fma", "mul_add", |a| if let [Set(x), Set(y), Set(z)] = a { Some(x.mul_add(y, z)) } else { None }, EVERYWHERE),
    (
        "pown",
        "pown",
        |a| if let [Set(x), Integer(n)] = a { Some(x.pown(*n)) } else { None },
        |a| matches!(a.get(1), Some(Integer(n)) if *n >= 0) || WITHOUT_ZERO(a),
    ),
    (
        "rootn",
        "root",
        |a| if let [Set(x), Integer(n)] = a { Some(x.root(u32::try_from(*n).ok()?)) } else { None },
        |a| matches!(a, [Set(x), Integer(n)] if *n % 2 != 0 || x.lower() >= 0),
    ),
    ("cbrt", "root", |a| if let [Set(x)] = a { Some(x.root(3)) } else { None }, EVERYWHERE),
    ("pow", "pow", binary!(Ball::pow), |a| matches!(a, [Set(x), Set(y)] if x.lower() > 0 || (x.lower() == 0 && y.lower() > 0))),
    ("hypot", "hypot", binary!(Ball::hypot), EVERYWHERE),
    ("exp", "exp", unary!(exp), EVERYWHERE),
    ("expm1", "exp_m1", unary!(exp_m1), EVERYWHERE),
    ("exp2", "exp2", unary!(exp2), EVERYWHERE),
    ("exp10", "exp10", unary!(exp10), EVERYWHERE),
    ("log", "ln", unary!(ln), POSITIVE),
    ("logp1", "ln_1p", unary!(ln_1p), bounds!(0, |low, _high| low > -1)),
    ("log2", "log2", unary!(log2), POSITIVE),
    ("log10", "log10", unary!(log10), POSITIVE),
    ("sin", "sin", unary!(sin), EVERYWHERE),
    ("cos", "cos", unary!(cos), EVERYWHERE),
    ("tan", "tan", unary!(tan), EVERYWHERE),
    ("asin", "asin", unary!(asin), bounds!(0, |low, high| low >= -1 && high <= 1)),
    ("acos", "acos", unary!(acos), bounds!(0, |low, high| low >= -1 && high <= 1)),
    ("atan", "atan", unary!(atan), EVERYWHERE),
    ("atan2", "atan2", binary!(Ball::atan2), |a| matches!(a, [Set(y), Set(x)] if !(x.contains_zero() && y.contains_zero()))),
    ("sinh", "sinh", unary!(sinh), EVERYWHERE),
    ("cosh", "cosh", unary!(cosh), EVERYWHERE),
    ("tanh", "tanh", unary!(tanh), EVERYWHERE),
    ("asinh", "asinh", unary!(asinh), EVERYWHERE),
    ("acosh", "acosh", unary!(acosh), bounds!(0, |low, _high| low >= 1)),
    ("atanh", "atanh", unary!(atanh), bounds!(0, |low, high| low > -1 && high < 1)),
    ("floor", "floor", unary!(floor), EVERYWHERE),
    ("ceil", "ceil", unary!(ceil), EVERYWHERE),
    ("abs", "abs", unary!(abs), EVERYWHERE),
    ("min", "min", binary!(Ball::min), EVERYWHERE),
    ("max", "max", binary!(Ball::max), EVERYWHERE),
    ("convexHull", "hull", binary!(Ball::hull), EVERYWHERE),
];

/// Questions about two sets (or one, given twice), as `Ball` answers them.
pub const QUESTIONS: &[(&str, &str, Answer)] = &[
    ("subset", "contains", |x, y| y.contains(x)),
    ("equal", "eq", |x, y| x == y),
    ("disjoint", "intersect", |x, y| x.intersect(y).is_none()),
    ("strictPrecedes", "cmp_certain", |x, y| x.cmp_certain(y) == Some(Ordering::Less)),
    ("isCommonInterval", "is_finite", |x, _| x.is_finite()),
    ("isSingleton", "is_exact", |x, _| x.is_exact()),
];

/// Other names of the suite that this file reads, and the methods that answer.
pub const OTHERS: &[(&str, &str)] = &[
    ("intersection", "intersect"),
    ("isMember", "contains_rational"),
    ("inf", "lower"),
    ("sup", "upper"),
    ("mid", "mid"),
    ("rad", "rad"),
    ("midRad", "rad"),
    ("mag", "abs"),
    ("mig", "abs"),
    ("b-numsToInterval", "from_bounds"),
    ("d-numsToInterval", "from_bounds"),
    ("sum_nearest", "add"),
    ("sum_abs_nearest", "abs"),
    ("sum_sqr_nearest", "square"),
    ("dot_nearest", "mul"),
];

/// What became of a case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    /// The smallest interval of doubles, or the right answer.
    Tight,
    /// Outside the domain: contains the expected interval.
    Wider,
    /// Narrower than the suite's interval, and the smallest by a computation at [`REFERENCE`] bits.
    Narrower,
    /// An empty set, a NaI or an infinite number where `Ball` has none.
    NoSuchArgument,
    Unsupported,
}

fn set(low: f64, high: f64, prec: u32) -> Ball {
    Ball::from_bounds(Float::with_val(prec, low), Float::with_val(prec, high))
}

fn outwards(x: &Ball) -> (f64, f64) {
    (x.lower().to_f64_round(Round::Down), x.upper().to_f64_round(Round::Up))
}

fn arguments(values: &[Value], prec: u32) -> Option<Vec<Argument>> {
    let argument = |v: &Value| match v {
        Value::Interval(low, high) => Some(Set(set(*low, *high, prec))),
        Value::Number(n) if n.fract() == 0.0 && n.abs() <= f64::from(i32::MAX) => Some(Integer(*n as i32)),
        _ => None,
    };
    values.iter().map(argument).collect()
}

fn interval_case(operation: Operation, domain: Domain, case: &Case) -> Result<Outcome, String> {
    let wrong = || Err("arguments or result of another kind".to_string());
    let [result] = case.results.as_slice() else { return wrong() };
    let Some(args) = arguments(&case.arguments, PREC) else { return wrong() };
    if case.operation == "rootn" && matches!(args.get(1), Some(Integer(n)) if *n <= 0) {
        return Ok(Outcome::Unsupported);
    }
    let Some(ours) = operation(&args) else { return wrong() };
    let (low, high) = outwards(&ours);
    match *result {
        Value::Empty if domain(&args) => Err(format!("expected nothing on the domain, got [{low:e}, {high:e}]")),
        Value::Empty => Ok(Outcome::Wider),
        Value::Interval(l, h) if (l, h) == (low, high) => Ok(Outcome::Tight),
        Value::Interval(l, h) if low <= l && h <= high && !domain(&args) => Ok(Outcome::Wider),
        Value::Interval(l, h) if l <= low && high <= h => {
            let smallest = arguments(&case.arguments, REFERENCE).and_then(|a| operation(&a)).map(|x| outwards(&x));
            if smallest == Some((low, high)) { Ok(Outcome::Narrower) } else { Err(format!("[{low:e}, {high:e}] is too small")) }
        }
        Value::Interval(..) => Err(format!("got [{low:e}, {high:e}]")),
        _ => wrong(),
    }
}

fn balls(values: &[Value]) -> Option<Vec<Ball>> {
    let ball = |v: &Value| if let Value::Interval(low, high) = v { Some(set(*low, *high, PREC)) } else { None };
    values.iter().map(ball).collect()
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Word(w) => w.parse().ok(),
        _ => None,
    }
}

fn expect<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Result<Outcome, String> {
    if ours == theirs { Ok(Outcome::Tight) } else { Err(format!("got {ours:?}")) }
}

fn question_case(answer: Answer, case: &Case) -> Result<Outcome, String> {
    match (balls(&case.arguments).as_deref(), case.results.as_slice()) {
        (Some([x]), [r]) if truth(r).is_some() => expect(Some(answer(x, x)), truth(r)),
        (Some([x, y]), [r]) if truth(r).is_some() => expect(Some(answer(x, y)), truth(r)),
        _ => Err("arguments or result of another kind".into()),
    }
}

/// Numbers of a set: bounds exactly; the midpoint, a member, rounded to a double within a unit of the suite's, as ours is rounded to a bit
/// more before; the radius at most that of the suite (whose midpoint is a double) and large enough to cover the set.
fn number_case(x: &Ball, case: &Case) -> Result<Outcome, String> {
    let theirs: Option<Vec<f64>> = case.results.iter().map(|v| if let Value::Number(n) = v { Some(*n) } else { None }).collect();
    let theirs = theirs.ok_or("results of another kind")?;
    let covers = |rad: f64| {
        let centred = set(-1.0, 1.0, REFERENCE) * Ball::exact(x.rad()) + Ball::exact(Float::with_val(REFERENCE, x.mid()));
        if x.rad().to_f64() <= rad && centred.contains(x) { Ok(Outcome::Tight) } else { Err(format!("radius {}", x.rad())) }
    };
    let middle = |m: f64| {
        let ours = x.mid().to_f64();
        if m.next_down() <= ours && ours <= m.next_up() && x.lower() <= x.mid() && x.mid() <= x.upper() {
            Ok(Outcome::Tight)
        } else {
            Err(format!("midpoint {ours:e}"))
        }
    };
    match (case.operation.as_str(), theirs.as_slice()) {
        ("inf", [n]) => expect(x.lower().to_f64(), *n),
        ("sup", [n]) => expect(x.upper().to_f64(), *n),
        ("mag", [n]) => expect(x.abs().upper().to_f64(), *n),
        ("mig", [n]) => expect(x.abs().lower().to_f64(), *n),
        _ if !x.is_finite() => Ok(Outcome::NoSuchArgument),
        ("mid", [n]) => middle(*n),
        ("rad", [n]) => covers(*n),
        ("midRad", [m, r]) => middle(*m).and_then(|_| covers(*r)),
        _ => Err("results of another kind".into()),
    }
}

/// Sums, exact at [`EXACT`] bits, then rounded once.
fn reduction_case(case: &Case) -> Result<Outcome, String> {
    let list = |v: &Value| match v {
        Value::List(list) => Some(list.iter().map(|x| Ball::from_f64(*x, EXACT)).collect::<Vec<_>>()),
        _ => None,
    };
    let lists: Vec<Vec<Ball>> = case.arguments.iter().map(list).collect::<Option<_>>().ok_or("not a list")?;
    let term: Vec<Ball> = match (case.operation.as_str(), lists.as_slice()) {
        ("sum_nearest", [a]) => a.clone(),
        ("sum_abs_nearest", [a]) => a.iter().map(Ball::abs).collect(),
        ("sum_sqr_nearest", [a]) => a.iter().map(Ball::square).collect(),
        ("dot_nearest", [a, b]) => a.iter().zip(b).map(|(x, y)| x * y).collect(),
        _ => return Err("arguments of another kind".into()),
    };
    let sum = term.iter().fold(Ball::zero(EXACT), |s, x| s + x);
    match case.results.as_slice() {
        [Value::Number(n)] if n.is_finite() => expect((sum.is_exact(), sum.lower().to_f64()), (true, *n)),
        // An infinite entry is the whole line, and zero times the line is zero.
        [Value::Number(_)] if case.operation == "dot_nearest" => Ok(Outcome::NoSuchArgument),
        [Value::Number(_)] => expect(sum.is_finite(), false),
        _ => Err("result of another kind".into()),
    }
}

fn run(case: &Case) -> Result<Outcome, String> {
    let name = case.operation.as_str();
    let interval = INTERVALS.iter().find(|o| o.0 == name);
    let question = QUESTIONS.iter().find(|o| o.0 == name);
    if interval.is_none() && question.is_none() && !OTHERS.iter().any(|o| o.0 == name) {
        return Ok(Outcome::Unsupported);
    }
    let none = |v: &Value| matches!(v, Value::Empty | Value::NotAnInterval);
    if case.arguments.iter().any(none) {
        return Ok(Outcome::NoSuchArgument);
    }
    if let Some((_, _, operation, domain)) = interval {
        return interval_case(*operation, *domain, case);
    }
    if let Some((_, _, answer)) = question {
        return question_case(*answer, case);
    }
    match (name, case.arguments.as_slice(), case.results.as_slice()) {
        ("intersection", _, [result]) => match (balls(&case.arguments).as_deref(), result) {
            (Some([x, y]), Value::Empty) => expect(x.intersect(y), None),
            (Some([x, y]), Value::Interval(l, h)) => expect(x.intersect(y), Some(set(*l, *h, PREC))),
            _ => Err("arguments or result of another kind".into()),
        },
        ("isMember", [Value::Number(n), Value::Interval(l, h)], [r]) => match Rational::from_f64(*n) {
            Some(q) => expect(Some(set(*l, *h, PREC).contains_rational(&q)), truth(r)),
            None => Ok(Outcome::NoSuchArgument),
        },
        ("b-numsToInterval" | "d-numsToInterval", [Value::Number(l), Value::Number(h)], [r]) => match *r {
            Value::Interval(a, b) => expect(outwards(&set(*l, *h, PREC)), (a, b)),
            Value::Empty | Value::NotAnInterval => expect(set(*l, *h, PREC), Ball::whole(PREC)).map(|_| Outcome::Wider),
            _ => Err("result of another kind".into()),
        },
        (_, [Value::List(_), ..], _) => reduction_case(case),
        (_, [Value::Interval(l, h)], _) => number_case(&set(*l, *h, PREC), case),
        _ => Err("arguments of another kind".into()),
    }
}

#[test]
fn intervals_contain_what_the_suite_expects() {
    let Some(files) = vectors("itl") else { return };
    let mut failures = Vec::new();
    let mut table: BTreeMap<String, BTreeMap<Outcome, usize>> = BTreeMap::new();
    for (file, text) in &files {
        let cases = itl::parse(text).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(!cases.is_empty(), "{file}: no cases");
        for case in cases {
            match run(&case) {
                Ok(outcome) => *table.entry(case.operation.clone()).or_default().entry(outcome).or_default() += 1,
                Err(why) => {
                    failures.push(format!("{file}:{}: {} {:?} = {:?}: {why}", case.line, case.operation, case.arguments, case.results))
                }
            }
        }
    }
    let count = |counts: &BTreeMap<Outcome, usize>, outcome| counts.get(&outcome).copied().unwrap_or(0);
    use Outcome::{Narrower, NoSuchArgument, Tight, Unsupported, Wider};
    println!("{:18} {:>7} {:>7} {:>9} {:>12} {:>12}", "operation", "tight", "wider", "narrower", "no argument", "unsupported");
    let mut total = BTreeMap::new();
    let columns = [Tight, Wider, Narrower, NoSuchArgument, Unsupported];
    let line = |name: &str, counts: &BTreeMap<Outcome, usize>| {
        let [a, b, c, d, e] = columns.map(|o| count(counts, o));
        println!("{name:18} {a:>7} {b:>7} {c:>9} {d:>12} {e:>12}");
    };
    for (name, counts) in &table {
        line(name, counts);
        counts.iter().for_each(|(outcome, n)| *total.entry(*outcome).or_default() += n);
    }
    line("total", &total);
    assert!(failures.is_empty(), "{} of the suite's cases fail:\n{}", failures.len(), failures.join("\n"));
    assert!(files.is_empty() || count(&total, Tight) > 0);
}

#[test]
fn vectors_are_read_as_written() {
    let text = r#"
        /* a comment; with { braces } */
        testcase a.b-c {
            add [-1.0, +0x1.8p1]_com [ empty ] = [,]_dac; // to the end; of the line
            sum_nearest {1.0, -infinity,
                NaN} = 2/3 signal Some;
            pown [1E-3] -2 = [nai] ;
            b-textToInterval "[ 1.0; }" = true;
            inf [1] = -inf;
            mid [0X0.0000000000003P-1022, Inf] = -1.5 0x10p-4;
        }
    "#;
    let cases = itl::parse(text).unwrap();
    let line = Value::Interval(f64::NEG_INFINITY, f64::INFINITY);
    assert_eq!(cases.iter().map(|c| c.line).collect::<Vec<_>>(), [4, 5, 7, 8, 9, 10]);
    assert_eq!((&cases[0].arguments[..], &cases[0].results[..]), (&[Value::Interval(-1.0, 3.0), Value::Empty][..], &[line][..]));
    assert!(matches!(&cases[1].arguments[..], [Value::List(l)] if l[1] == f64::NEG_INFINITY && l[2].is_nan()));
    assert_eq!(cases[1].results, [Value::Number(2.0 / 3.0)]);
    assert_eq!(cases[2].arguments, [Value::Interval(0.001, 0.001), Value::Number(-2.0)]);
    assert_eq!(cases[2].results, [Value::NotAnInterval]);
    assert_eq!(cases[3].arguments, [Value::Word("[ 1.0; }".into())]);
    assert_eq!((cases[4].operation.as_str(), &cases[4].results[..]), ("inf", &[Value::Number(f64::NEG_INFINITY)][..]));
    assert_eq!(cases[5].arguments, [Value::Interval(1.5e-323, f64::INFINITY)]);
    assert_eq!(cases[5].results, [Value::Number(-1.5), Value::Number(1.0)]);
    for bad in [
        "add [1] = [2];",
        "testcase x { add [1] [2]; }",
        "testcase x { add [2, 1] = [1]; }",
        "testcase x { add [1] = [1];",
        "testcase x { add [z] = [1]; }",
    ] {
        assert!(itl::parse(bad).is_err(), "{bad}");
    }
}

/// The judge itself: a result that is too small, too wide or of another kind is not accepted.
#[test]
fn wrong_expectations_are_refused() {
    let verdict = |text: &str| run(&itl::parse(&format!("testcase t {{ {text} }}")).unwrap()[0]);
    assert_eq!(verdict("add [1, 2] [3, 4] = [4, 6];"), Ok(Outcome::Tight));
    assert_eq!(verdict("sqrt [-1, 4] = [0, 2];"), Ok(Outcome::Wider));
    assert_eq!(verdict("add [1, 2] [3, 4] = [3, 7];"), Ok(Outcome::Narrower));
    assert_eq!(verdict("tau [1] = [1];"), Ok(Outcome::Unsupported));
    assert_eq!(verdict("exp [empty] = [empty];"), Ok(Outcome::NoSuchArgument));
    for bad in [
        "add [1, 2] [3, 4] = [5, 6];",
        "add [1, 2] [3, 4] = [4, 7] [1];",
        "add [1] 2 = [3];",
        "exp [0] = true;",
        "subset [1] [1] = 3;",
        "exp [0] = [empty];",
    ] {
        assert!(verdict(bad).is_err(), "{bad}");
    }
}
