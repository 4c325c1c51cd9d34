//! Values and minimisers of the theorems.
//!
//! Method: criterion medians of a value's certain decimal digits, from the validated problem on, and of an explicit minimiser.
//! Before a value is timed, the exact objective at the explicit minimiser must agree with it in all but the last few digits.
//! Bias: the sizes of K and n hardly matter to a value, only the digits and the loss do.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ufm::{
    certify::objective,
    closed_form::closed_form,
    problem::Problem,
    report,
    scalar::{Rational, decide_digits},
};

/// Digits that rounding the minimiser to its grid may cost the objective.
const DIGITS_LOST: u32 = 4;
/// A precision never reached: the digits are decided at the first attempt or the second.
const PRECISION: u32 = 1 << 16;

fn problem(model: &str) -> Problem {
    Problem::from_toml(&format!("{model}\nclasses = 10\nper_class = 10\ndim = 10")).expect("a valid problem")
}

fn problems() -> [(&'static str, Problem); 3] {
    let plain = |loss, bias| problem(&format!("model = 'plain'\nloss = '{loss}'\nbias = '{bias}'\nlambda_w = '0.005'\nlambda_h = '0.001'"));
    let deep = "model = 'deep-linear'\nloss = 'mse'\nbias = 'none'\nlambdas = ['0.0005', '0.0005', '0.0005']";
    [("mse", plain("mse", "none")), ("ce", plain("ce", "free")), ("deep p=3", problem(deep))]
}

fn value(problem: &Problem, digits: u32) -> String {
    let form = closed_form(problem).expect("a closed form");
    decide_digits(digits, PRECISION, |prec| form.f_star(prec)).expect("decided")
}

fn verify(name: &str, problem: &Problem, digits: u32) {
    let bits = report::bits(digits);
    let form = closed_form(problem).expect("a closed form");
    let there = objective(problem, &form.minimiser(problem, bits).expect("fits in memory"), bits).expect("enclosed");
    let value = form.f_star(bits);
    let off = (&there - &value).abs().upper_rational().expect("finite");
    let scale = value.lower_rational().expect("finite");
    assert!(scale > 0, "{name}: the minimum is {scale}");
    let allowed = (DIGITS_LOST..digits).fold(scale, |product, _| product / Rational::from(10));
    assert!(off <= allowed, "{name}: objective at the minimiser and minimum differ at {digits} digits");
}

fn values(c: &mut Criterion) {
    let mut group = c.benchmark_group("value");
    for (name, problem) in problems() {
        for digits in [50, 1000] {
            verify(name, &problem, digits);
            group.bench_function(BenchmarkId::new(name, format!("{digits} digits")), |b| b.iter(|| value(&problem, digits)));
        }
    }
    group.finish();
}

fn minimisers(c: &mut Criterion) {
    let mut group = c.benchmark_group("minimiser");
    group.sample_size(20);
    for (name, problem) in problems() {
        let form = closed_form(&problem).expect("a closed form");
        for digits in [50, 1000] {
            verify(name, &problem, digits);
            let bits = report::bits(digits);
            let id = BenchmarkId::new(format!("{name} K=10 n=10"), format!("{digits} digits"));
            group.bench_function(id, |b| b.iter(|| form.minimiser(&problem, bits).expect("fits in memory")));
        }
    }
    group.finish();
}

criterion_group!(benches, values, minimisers);
criterion_main!(benches);
