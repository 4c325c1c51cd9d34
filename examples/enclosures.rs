//! Prints enclosures at random arguments as JSON lines, for comparison with another library (tests/oracle): `enclosures COUNT SEED`.
//!
//! A number is `[m, e]`, the hexadecimal integer m times 2^e; infinite bounds are `null`.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::{Value, json};
use ufm::{
    closed_form::closed_form,
    problem::Problem,
    scalar::{Ball, Rational},
};

type Function = fn(&Ball, &Ball) -> Ball;

const FUNCTIONS: &[(&str, Function)] = &[
    ("add", |x, y| x + y),
    ("sub", |x, y| x - y),
    ("mul", |x, y| x * y),
    ("div", |x, y| x / y),
    ("mul_add", |x, y| x.mul_add(y, x)),
    ("square", |x, _| x.square()),
    ("sqrt", |x, _| x.sqrt()),
    ("root5", |x, _| x.abs().root(5)),
    ("pown-3", |x, _| x.pown(-3)),
    ("powi7", |x, _| x.powi(7)),
    ("pow", |x, y| x.pow(y)),
    ("hypot", Ball::hypot),
    ("exp", |x, _| x.exp()),
    ("exp_m1", |x, _| x.exp_m1()),
    ("exp2", |x, _| x.exp2()),
    ("exp10", |x, _| x.exp10()),
    ("ln", |x, _| x.ln()),
    ("ln_1p", |x, _| x.ln_1p()),
    ("log2", |x, _| x.log2()),
    ("log10", |x, _| x.log10()),
    ("sin", |x, _| x.sin()),
    ("cos", |x, _| x.cos()),
    ("tan", |x, _| x.tan()),
    ("asin", |x, _| x.asin()),
    ("acos", |x, _| x.acos()),
    ("atan", |x, _| x.atan()),
    ("atan2", Ball::atan2),
    ("sinh", |x, _| x.sinh()),
    ("cosh", |x, _| x.cosh()),
    ("tanh", |x, _| x.tanh()),
    ("asinh", |x, _| x.asinh()),
    ("acosh", |x, _| x.acosh()),
    ("atanh", |x, _| x.atanh()),
];

fn dyadic(x: &rug::Float) -> Value {
    match x.to_integer_exp() {
        Some((m, e)) => json!([m.to_string_radix(16), e]),
        None => Value::Null,
    }
}

fn bounds(x: &Ball) -> Value {
    json!([dyadic(&x.lower()), dyadic(&x.upper())])
}

/// A double of either sign whose exponent is within ±`reach`.
fn double(rng: &mut ChaCha8Rng, reach: u64) -> f64 {
    let exponent = 1023 - reach + rng.next_u64() % (2 * reach + 1);
    f64::from_bits((rng.next_u64() & ((1 << 63) | ((1 << 52) - 1))) | exponent << 52)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse::<u64>().expect("COUNT SEED"));
    let (count, seed) = (arguments.next().unwrap_or(100), arguments.next().unwrap_or(0));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for i in 0..count {
        let prec = 2 + (rng.next_u64() % 300) as u32;
        // Small, moderate and extreme exponents; points, and sets around them.
        let reach = [2, 8, 60, 900][(i % 4) as usize];
        let (x, y) = (double(&mut rng, reach), double(&mut rng, 3));
        // Half of the sets have other members than the one that is printed: their upper bounds are larger by a part in 2^10 to 2^40.
        let spread = if i % 8 < 4 { 0.0 } else { f64::from_bits((1013 - rng.next_u64() % 31) << 52) };
        let bits = prec.max(53);
        let at = |x: f64| Ball::from_f64(x, bits).hull(&Ball::from_f64(x + spread * x.abs(), bits));
        for (name, f) in FUNCTIONS {
            let member = |x| dyadic(&rug::Float::with_val(53, x));
            let result = bounds(&f(&at(x), &at(y)));
            let case = json!({ "function": name, "prec": bits, "point": spread == 0.0, "x": member(x), "y": member(y), "result": result });
            println!("{case}");
        }
    }
    for _ in 0..count {
        let mut pick = |n: u64| 1 + rng.next_u64() % n;
        let (k, n, w, h, s) = (1 + pick(30), pick(20), pick(9999), pick(9999), pick(9));
        for (model, loss, extra) in [
            ("plain", "mse", String::new()),
            ("plain", "ce", String::new()),
            ("plain", "label-smoothing", format!("smoothing = \"0.0{s}\"\n")),
            ("deep-linear", "mse", String::new()),
        ] {
            let weights = match model {
                "plain" => format!("lambda_w = \"{w}e-6\"\nlambda_h = \"{h}e-6\"\n"),
                _ => format!("lambdas = [\"{w}e-6\", \"{h}e-6\", \"{s}e-3\"]\n"),
            };
            let text = format!(
                "model = \"{model}\"\nloss = \"{loss}\"\nbias = \"none\"\nclasses = {k}\nper_class = {n}\ndim = {k}\n{weights}{extra}"
            );
            let form = Problem::from_toml(&text).ok().and_then(|p| closed_form(&p).ok()).expect("a model with a closed form");
            let lambdas: Vec<String> = [w, h, 1000 * s].iter().map(|m| Rational::from((*m, 1_000_000)).to_string()).collect();
            println!(
                "{}",
                json!({ "function": format!("f_star {model} {loss}"), "k": k, "n": n, "lambdas": lambdas, "smoothing": s, "prec": 120, "result": bounds(&form.f_star(120)) })
            );
        }
    }
}
