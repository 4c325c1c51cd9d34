//! The promises of the command line for `solve` and `verify`: the JSON, the digits, the files, the exit codes.

mod cli_support;

use cli_support::{Desk, decimal, example, keys};
use serde_json::Value;

const METRICS: [&str; 4] = ["nc1", "nc2_etf", "nc2_of", "nc3"];
/// The default `--gap-tol`.
const GAP_TOL: f64 = 1e-9;
/// The default `--tol` of `solve`.
const TOL: f64 = 1e-12;

fn solve(args: &str) -> cli_support::Run {
    Desk::new().ufm(&format!("solve {args}"))
}

#[test]
fn solve_json_has_every_field() {
    let run = solve(&format!("{} --json --seed 3", example("ce")));
    assert_eq!(run.code, 0);
    let v = run.json();
    assert_eq!(keys(&v), ["version", "problem", "closed_form", "numerical", "certificate"]);
    assert_eq!(v["version"], env!("CARGO_PKG_VERSION"));
    let echo = serde_json::json!({
        "model": "plain", "loss": "ce", "bias": "free", "classes": 4, "per_class": 50, "dim": 20, "lambda_w": "0.005", "lambda_h": "0.001",
    });
    assert_eq!(v["problem"], echo);

    let form = &v["closed_form"];
    assert_eq!(form["available"], true);
    assert_eq!(form["regime"], "collapsed");
    assert_eq!(form["trust"], "certified");
    assert_eq!(form["f_star"], "0.243001601985054");
    assert_eq!(form["scalars"]["c"], "0.0632455532033676");
    assert_eq!(form["scalars"]["margin"], "4.09842876389375");

    let n = &v["numerical"];
    assert_eq!(keys(n), ["objective", "gradient_norm", "iterations", "seconds", "status", "seed", "metrics"]);
    assert_eq!(n["objective"], "0.243001601985054");
    assert!(decimal(&n["gradient_norm"]) <= TOL);
    assert!(n["iterations"].is_u64() && n["seconds"].is_f64());
    assert_eq!((&n["status"], &n["seed"]), (&"converged".into(), &3.into()));
    assert_eq!(keys(&n["metrics"]), METRICS);
    METRICS.iter().for_each(|m| assert!(decimal(&n["metrics"][m]) >= 0.0));

    let c = &v["certificate"];
    assert_eq!((&c["point"], &c["verdict"], &c["trust"]), (&"numerical".into(), &"global-minimum".into(), &"certified".into()));
    let f_star = decimal(&form["f_star"]);
    assert!(decimal(&c["lower"]) <= f_star + 1e-15 && decimal(&c["upper"]) >= f_star - 1e-15);
    assert!(decimal(&c["gap"]) <= GAP_TOL && decimal(&c["gradient_norm"]) <= TOL);
    assert_eq!(keys(&c["collapse"]), ["within_class", "self_duality", "fit"]);
    keys(&c["collapse"]).iter().for_each(|b| assert!(decimal(&c["collapse"][b]) >= 0.0));
}

#[test]
fn scalars_have_the_names_and_digits_of_the_references() {
    let data: Value = serde_json::from_str(include_str!("data/closed_forms.json")).unwrap();
    let desk = Desk::new();
    for (index, case) in data["cases"].as_array().unwrap().iter().enumerate() {
        let file = desk.file(&format!("{index}.toml"), toml_of(case));
        let digits = [1, 15, 50, 60][index % 4];
        let run = desk.ufm(&format!("solve {file} --method closed-form --json --digits {digits}"));
        let v = run.json();
        assert_eq!((run.code, keys(&v).as_slice()), (0, &["version", "problem", "closed_form"][..]));
        assert_digits(&v["closed_form"]["f_star"], &case["expect"]["f_star"], digits);
        for (name, expected) in case["expect"].as_object().unwrap().iter().filter(|(name, _)| *name != "f_star") {
            let found = &v["closed_form"]["scalars"][name];
            match expected {
                Value::Array(list) => list.iter().enumerate().for_each(|(i, e)| assert_digits(&found[i], e, digits)),
                Value::String(_) => assert_digits(found, expected, digits),
                Value::Object(map) => map.iter().for_each(|(key, e)| assert_digits(&found[key], e, digits)),
                other => assert_eq!(found, other, "{name} of case {index}"),
            }
        }
    }
}

/// The fields of a reference case as a problem file.
fn toml_of(case: &Value) -> String {
    let fields = case.as_object().unwrap().iter().filter(|(name, _)| *name != "expect");
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(sets) => {
            let sets: Vec<String> = sets.iter().map(|(m, n)| format!("{m} = {n}")).collect();
            format!("{name} = {{ {} }}\n", sets.join(", "))
        }
        value => format!("{name} = {value}\n"),
    };
    fields.map(line).collect()
}

/// `digits` significant digits of `found` are `expected`, rounded to nearest.
fn assert_digits(found: &Value, expected: &Value, digits: usize) {
    let (text, expected) = (found.as_str().unwrap_or_else(|| panic!("{found} for {expected}")), expected.as_str().unwrap());
    let significant = |s: &str| s.split('e').next().unwrap().chars().filter(char::is_ascii_digit).collect::<String>();
    if significant(expected).bytes().all(|b| b == b'0') {
        assert!(significant(text).bytes().all(|b| b == b'0'), "{text} is not zero");
        return;
    }
    assert_eq!(significant(text).trim_start_matches('0').len(), digits, "{text} has {digits} digits");
    let (a, b) = (rational(text), rational(expected));
    // Half a unit of the last digit, and the reference's own rounding at 70 digits.
    let error = rug::Rational::from(&a - &b).abs() / b.abs();
    let bound = rug::Rational::from((5, rug::Integer::from(rug::Integer::u_pow_u(10, digits as u32 - 1)) * 10u32));
    let own = rug::Rational::from((1, rug::Integer::from(rug::Integer::u_pow_u(10, 68))));
    assert!(error <= bound + own, "{text} for {expected}");
}

fn rational(text: &str) -> rug::Rational {
    ufm::scalar::parse_decimal(text).unwrap()
}

#[test]
fn a_thousand_digits_extend_fifty() {
    let f_star = |digits: u32| {
        let v = solve(&format!("{} --method closed-form --json --digits {digits}", example("ce"))).json();
        v["closed_form"]["f_star"].as_str().unwrap().to_owned()
    };
    let (short, long) = (f_star(50), f_star(1000));
    assert_eq!(long.len(), "0.".len() + 1000);
    assert_eq!(long[..50], short[..50], "all but the rounded last digits agree");
}

#[test]
fn digits_of_the_numerical_point_are_those_asked() {
    let v = solve(&format!("{} --json --digits 50", example("mse_bias_free"))).json();
    let (objective, lower) = (v["numerical"]["objective"].as_str().unwrap(), v["certificate"]["lower"].as_str().unwrap());
    let upper = v["certificate"]["upper"].as_str().unwrap();
    for text in [objective, lower, upper] {
        assert_eq!(text.trim_start_matches(['0', '.']).len(), 50, "{text}");
    }
    let unit = rug::Rational::from((1, rug::Integer::from(rug::Integer::u_pow_u(10, 50))));
    assert!(rational(lower) <= rational(objective) + &unit && rational(objective) <= rational(upper) + &unit);
    // gap: three digits, at least upper - lower.
    assert!(decimal(&v["certificate"]["gap"]) <= GAP_TOL);
}

#[test]
fn closed_forms_never_build_the_point() {
    let flags = "--model plain --loss ce --bias free --dim 128 --lambda-w 0.0005 --json";
    let instant = solve(&format!("{flags} --classes 100 --per-class 333 --lambda-h 0.0001 --method closed-form --digits 50"));
    assert_eq!(instant.code, 0);
    assert!(instant.time.as_secs_f64() < 1.0, "{:?}", instant.time);
    let huge = format!("{flags} --classes 100 --per-class 1000000000000000 --lambda-h 1e-20");
    let run = solve(&format!("{huge} --method closed-form"));
    assert_eq!((run.code, run.json()["closed_form"]["available"].as_bool()), (0, Some(true)));
    for method in ["both", "numerical", "gd"] {
        let run = solve(&format!("{huge} --method {method}"));
        let error = run.refusal();
        assert!(error.contains("100000000000000000 samples") && error.contains("memory"), "{error}");
        assert!(run.time.as_secs_f64() < 1.0);
    }
}

#[test]
fn methods_carry_what_they_promise() {
    let file = example("mse_bias_none");
    let v = solve(&format!("{file} --method numerical --json")).json();
    assert_eq!(keys(&v), ["version", "problem", "numerical", "certificate"]);
    let gd = solve(&format!("{file} --method gd --lr 2 --steps 20 --json"));
    let v = gd.json();
    assert_eq!((gd.code, &v["numerical"]["status"], &v["numerical"]["iterations"]), (1, &"budget".into(), &20.into()));
    assert_eq!(v["certificate"]["verdict"], "not-critical");
    let spectral = solve(&format!("{file} --start spectral --json")).json();
    assert_eq!(spectral["certificate"]["verdict"], "global-minimum");
}

#[test]
fn without_a_closed_form_both_carries_on() {
    let file = example("imbalanced_ce");
    let error = solve(&format!("{file} --method closed-form --json"));
    assert!(error.refusal().contains("no closed form"));
    let run = solve(&format!("{file} --json"));
    let v = run.json();
    assert_eq!((run.code, &v["closed_form"]["available"]), (0, &false.into()));
    assert!(v["closed_form"]["reason"].is_string());
    assert_eq!(v["certificate"]["verdict"], "global-minimum");
}

#[test]
fn without_a_certificate_both_carries_on() {
    let run = solve(&format!("{} --json", example("extended_relu")));
    let v = run.json();
    assert_eq!((run.code, &v["certificate"]["available"]), (0, &false.into()));
    assert!(v["certificate"]["reason"].is_string() && v["closed_form"]["available"] == true);
    assert_eq!(v["numerical"]["status"], "converged");
}

#[test]
fn the_sphere_model_has_closed_form_minimiser_and_certificate() {
    let run = solve(&format!("{} --json", example("sphere")));
    let v = run.json();
    assert_eq!(run.code, 0);
    assert_eq!(v["closed_form"]["f_star"], "0.0534904497059335");
    assert_eq!((&v["numerical"]["status"], &v["numerical"]["objective"]), (&"converged".into(), &"0.0534904497059335".into()));
    assert_eq!(v["certificate"]["verdict"], "global-minimum");
    // Below d = K - 1 no simplex fits: solved, with the closed form not available and the bound not attained.
    let flags = "--model sphere --loss ce --classes 5 --per-class 2 --dim 2 --temperature 1 --json";
    let v = solve(flags).json();
    assert_eq!((&v["closed_form"]["available"], &v["certificate"]["verdict"]), (&false.into(), &"near-minimum".into()));
    assert!(solve(&format!("{flags} --method lbfgs")).refusal().contains("sphere"));
    assert!(solve(&format!("{flags} --start spectral")).refusal().contains("sphere"));
}

#[test]
fn threads_change_nothing_but_the_seconds() {
    let run = |threads: u32| {
        let mut v = solve(&format!("{} --json --digits 30 --threads {threads}", example("ce_k100"))).json();
        v["numerical"]["seconds"] = Value::Null;
        v.to_string()
    };
    assert_eq!(run(1), run(2));
    let verify = |threads: u32| Desk::new().ufm(&format!("verify mse-simplex-etf --json --threads {threads}")).out;
    assert_eq!(verify(1), verify(2));
}

#[test]
fn out_writes_a_point_that_starts_and_certifies() {
    let desk = Desk::new();
    let file = example("mse_bias_regularized");
    for (seed, name) in [(0, "a.npz"), (1, "b.npz")] {
        assert_eq!(desk.ufm(&format!("solve {file} --seed {seed} --out {name} --json")).code, 0);
    }
    assert!(desk.read("a.npz") != desk.read("b.npz"), "seeds differ");
    assert_eq!(desk.ufm(&format!("solve {file} --out again.npz --threads 1")).code, 0);
    assert!(desk.read("a.npz") == desk.read("again.npz"), "the same seed gives the same bytes");

    let from_point = desk.ufm(&format!("solve {file} --start a.npz --json --out c.npz")).json();
    assert!(from_point["numerical"]["iterations"].as_u64().unwrap() <= 2, "it starts at the minimum");
    let certified = desk.ufm(&format!("certify {file} --solution a.npz --out a.cert --json"));
    let v = certified.json();
    assert_eq!((certified.code, &v["certificate"]["point"]), (0, &"user".into()));

    let before = desk.read("a.npz");
    for flag in ["--out", "--trace", "--report"] {
        let refused = desk.ufm(&format!("solve {file} {flag} a.npz"));
        assert!(refused.refusal().contains("a.npz already exists"));
    }
    assert!(desk.read("a.npz") == before, "nothing is overwritten");
    let closed = desk.ufm(&format!("solve {file} --method closed-form --out closed.npz"));
    assert_eq!(closed.code, 0);
    assert_eq!(desk.ufm(&format!("certify {file} --solution closed.npz --out closed.cert")).code, 0);
}

#[test]
fn outputs_that_cannot_be_written_are_refused_before_the_work() {
    let file = example("ce_k100");
    for args in [
        "--out missing/p.npz",
        "--trace missing/t.csv",
        "--out same --trace same",
        "--report missing/r.html",
        "--trace same --report same",
        "--method closed-form --trace t.csv",
    ] {
        let run = solve(&format!("{file} {args}"));
        run.refusal();
        assert!(run.time.as_secs_f64() < 1.0, "{args}");
    }
}

#[test]
fn traces_carry_metrics_and_certified_gaps() {
    let desk = Desk::new();
    let run = |flags: &str, name: &str| {
        desk.ufm(&format!("solve {flags} --trace {name}"));
        let text = desk.text(name);
        let rows: Vec<Vec<String>> = text.lines().map(|l| l.split(',').map(str::to_owned).collect()).collect();
        assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}: a whole table");
        rows
    };
    const HEADER: &str = "step,objective,gradient_norm,nc1,nc2_etf,nc2_of,nc3";
    let gd = format!("{} --method gd --lr 2 --steps 2500", example("mse_bias_none"));
    let plain = run(&gd, "plain.csv");
    assert_eq!(plain[0].join(","), HEADER);
    assert!(plain.len() <= 1002 && plain.len() > 500, "about a thousand rows: {}", plain.len());
    assert_eq!((plain[1][0].as_str(), plain.last().unwrap()[0].as_str()), ("0", "2500"));

    let certified = run(&format!("{} --digits 15", gd.replace("2500", "60")), "gaps.csv");
    assert_eq!(certified[0].join(","), format!("{HEADER},gap"));
    assert_eq!(certified.len(), 62);
    let number = |row: &[String], column: usize| row[column].parse::<f64>().unwrap();
    let f_star = 0.061_245_553_203_367_6;
    for row in &certified[1..] {
        // A certified gap bounds the distance to the minimum; three digits, rounded up.
        assert!(number(row, 7) >= (number(row, 1) - f_star) * (1.0 - 1e-12), "{row:?}");
    }
    assert!(number(certified.last().unwrap(), 7) < number(&certified[1], 7));

    let newton = run(&format!("{} --digits 20", example("ce")), "newton.csv");
    assert_eq!(newton[0].len(), 8);
    assert!(number(newton.last().unwrap(), 7) <= GAP_TOL);
    let deep = run(&format!("{} --digits 20", example("extended_relu")), "deep.csv");
    assert_eq!(deep[0].join(","), HEADER, "no gaps where no certificate covers the model");
}

/// The page of a descent at the literature's setting: objective, gradient norm and certified gap, metrics.
#[test]
fn pages_of_runs_have_their_curves() {
    let desk = Desk::new();
    desk.ufm(&format!("solve {} --method gd --lr 2 --steps 60 --digits 15 --report gd.html", example("mse_bias_none")));
    let page = desk.text("gd.html");
    for text in ["minimum in closed form", "certified gap", "gradient norm", "nc2_of", "f* &gt;="] {
        assert!(page.contains(text), "{text}");
    }
    // Sixty-one steps of eight curves, and the two ends of the minimum.
    assert_eq!(page.matches("<tr>").count(), page.matches("</tr>").count());
    assert!(page.matches("<tr>").count() > 7 * 61 + 2);

    assert_eq!(desk.ufm(&format!("solve {} --method closed-form --report closed.html", example("mse_bias_none"))).code, 0);
    let closed = desk.text("closed.html");
    assert!(closed.contains("0.06124555") && !closed.contains("<svg"));
    // No curve of a certified gap without digits, no line of a minimum where none is proved.
    desk.ufm(&format!("solve {} --report relu.html", example("extended_relu")));
    let relu = desk.text("relu.html");
    assert!(relu.contains("gradient norm") && !relu.contains("certified gap") && !relu.contains("minimum in closed form"));
}

#[test]
fn the_zero_regime_has_no_metrics() {
    let v = solve("--model plain --loss mse --bias none --classes 4 --per-class 5 --dim 6 --lambda-w 0.5 --lambda-h 0.5 --json").json();
    assert_eq!((&v["closed_form"]["regime"], &v["closed_form"]["f_star"]), (&"zero".into(), &"0.500000000000000".into()));
    METRICS.iter().for_each(|m| assert!(v["numerical"]["metrics"][m].is_null(), "{m}"));
}

#[test]
fn verify_lists_and_checks_theorems() {
    let desk = Desk::new();
    let list = desk.ufm("verify --list --json").json();
    assert_eq!(keys(&list), ["version", "theorems"]);
    let ids: Vec<&str> = list["theorems"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
    let text = desk.ufm("verify --list");
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    ids.iter().for_each(|id| assert!(text.out.contains(id), "{id}"));

    let run = desk.ufm("verify mse-orthogonal-frame --json --digits 30");
    assert_eq!(run.code, 0);
    let v = run.json();
    assert_eq!((keys(&v).as_slice(), &v["verdict"]), (&["version", "theorems", "verdict"][..], &"proved".into()));
    let [theorem] = v["theorems"].as_array().unwrap().as_slice() else { panic!("one theorem") };
    assert_eq!(keys(theorem), ["id", "statement", "source", "conditional", "trust", "proof", "claims", "verdict"]);
    assert_eq!(
        (&theorem["id"], &theorem["conditional"], &theorem["verdict"]),
        (&"mse-orthogonal-frame".into(), &false.into(), &"proved".into())
    );
    for claim in theorem["claims"].as_array().unwrap() {
        assert_eq!(keys(claim), ["claim", "instances", "worst", "digits", "verdict", "witness"]);
        assert!(claim["instances"].as_u64().unwrap() > 0 && claim["verdict"] == "proved" && claim["witness"].is_null());
    }
    let unknown = desk.ufm("verify no-such-theorem");
    let error = unknown.refusal();
    assert!(error.contains("no-such-theorem") && error.contains(ids[0]), "{error}");
    assert!(desk.ufm("verify --digits 19").refusal().contains("20"));
}

#[test]
fn every_example_solves_and_certifies() {
    let heavy = std::env::var_os("UFM_HEAVY").is_some();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(names.len() >= 13);
    for name in names.iter().filter(|n| heavy || !n.contains("k1000")) {
        let file = example(name.strip_suffix(".toml").unwrap());
        // Small random starts of four or more factors end at zero, a strict local minimum.
        let start = if name.starts_with("deep_") { "spectral" } else { "random" };
        let v = solve(&format!("{file} --start {start} --json")).json();
        assert_eq!(v["numerical"]["status"], "converged", "{name}");
        if v["closed_form"]["available"] == true {
            let (f, f_star) = (decimal(&v["numerical"]["objective"]), decimal(&v["closed_form"]["f_star"]));
            assert!((f - f_star).abs() <= 1e-9 * f_star, "{name}: {f} against {f_star}");
        }
        if v["problem"]["model"] == "plain" || v["problem"]["model"] == "deep-linear" {
            assert_eq!(v["certificate"]["verdict"], "global-minimum", "{name}");
        }
    }
}

#[test]
fn verify_writes_a_page_and_overwrites_none() {
    let desk = Desk::new();
    let run = desk.ufm("verify mse-simplex-etf --digits 30 --report page.html");
    assert_eq!(run.code, 0);
    let page = desk.text("page.html");
    assert!(page.contains("mse-simplex-etf") && page.contains("global optimality") && page.ends_with("</html>\n"));
    assert!(desk.ufm("verify mse-simplex-etf --digits 30 --report page.html").refusal().contains("already exists"));
}
