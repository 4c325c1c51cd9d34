//! Deep models: kinds `below` and `gap`, every token and line damaged, hostile inputs.
//!
//! The oracle evaluates the objective in rationals; the collapsed values are known in closed form or to double precision.

mod common;

use common::*;
use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use sha2::{Digest, Sha256};
use ufm_check::{Kind, Outcome, check};

struct Deep {
    relu: bool,
    counts: Vec<usize>,
    dim: usize,
    lambdas: Vec<&'static str>,
}

impl Deep {
    /// The gallery's own file for its models.
    fn toml(&self) -> String {
        if self.relu && self.dim == 4 {
            return gallery("deep-below.toml");
        }
        let model = if self.relu { "deep-relu" } else { "deep-linear" };
        let lambdas = format!("{:?}", self.lambdas);
        format!("model = \"{model}\"\nloss = \"mse\"\nclass_counts = {:?}\ndim = {}\nlambdas = {lambdas}\n", self.counts, self.dim)
    }

    /// Whether certificates are of kind `below`.
    fn below(&self) -> bool {
        self.relu && self.lambdas.len() > 2
    }

    /// f in rationals; factors H, W_1, ... row by row.
    fn objective(&self, factors: &[M]) -> Q {
        let n: usize = self.counts.iter().sum();
        let mut layer = factors[0].values();
        for (j, w) in factors.iter().enumerate().skip(1) {
            let (values, cols) = (w.values(), w.cols);
            let entry = |t: usize| (0..cols).map(|c| &values[t / n * cols + c] * &layer[c * n + t % n]).sum::<Q>();
            let next: Vec<Q> = (0..w.rows * n).map(entry).collect();
            layer = next.into_iter().map(|x| if self.relu && j + 1 < factors.len() && x.is_negative() { Q::zero() } else { x }).collect();
        }
        let labels: Vec<usize> = self.counts.iter().enumerate().flat_map(|(k, &n)| vec![k; n]).collect();
        let residual = |t: usize| &layer[t] - if labels[t % n] == t / n { q(1, 1) } else { q(0, 1) };
        let loss: Q = (0..layer.len()).map(|t| residual(t) * residual(t)).sum();
        let decimal = |text: &str| {
            let (whole, fraction) = text.split_once('.').unwrap();
            Q::new(format!("{whole}{fraction}").parse().unwrap(), BigInt::from(10).pow(fraction.len() as u32))
        };
        let penalty: Q = factors.iter().zip(&self.lambdas).map(|(f, l)| squares(&f.values()) * decimal(l)).sum();
        (loss / q(n as i64, 1) + penalty) / q(2, 1)
    }
}

fn gallery(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../gallery/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// min over t of (t^p - 1)²/2 + (p/2) kappa t² in double precision, by the fixed point x = 1 - kappa x^(2/p - 1).
fn collapsed(p: f64, kappa: f64) -> Q {
    let x = (0..200).fold(1.0, |x: f64, _| 1.0 - kappa * x.powf(2.0 / p - 1.0));
    Q::from_float((1.0 - x) * (1.0 + (p - 1.0) * x) / 2.0).unwrap()
}

/// A counterexample to collapse: K = 4, p = 5, on a coarse grid.
fn below() -> (Deep, String, Q) {
    let case = Deep { relu: true, counts: vec![1; 4], dim: 4, lambdas: vec!["0.004"; 5] };
    (case, gallery("deep-below.cert"), collapsed(5.0, 4.0 * 0.004))
}

/// The collapsed point of two linear factors: kappa = 2/4, x = 1 - kappa, both factors near sqrt(1/2) I; c* = kappa - kappa²/2.
fn gap() -> (Deep, String, Q) {
    let case = Deep { relu: false, counts: vec![1, 1], dim: 2, lambdas: vec!["0.25", "0.25"] };
    (case, gallery("deep-gap.cert"), q(3, 8))
}

/// One dimension for classes of 4 and 1: the larger keeps its mode, kappa = 1/2 and x = 1/2, the other pays n/(2N); c* = 3/10 + 1/10.
/// Two factors have no ReLU, whatever the model's name.
fn narrow(relu: bool) -> (Deep, String, Q) {
    let case = Deep { relu, counts: vec![4, 1], dim: 1, lambdas: vec!["0.2", "0.2"] };
    let hash: String = Sha256::digest(case.toml()).iter().map(|b| format!("{b:02x}")).collect();
    let (lower, upper) = (grid(&(q(2, 5) - q(1, 1 << 50)), 60, false), grid(&q(2, 5), 60, true));
    let gap = grid(&(dyadic(&upper).unwrap() - dyadic(&lower).unwrap()), 60, true);
    let claims = format!("claim lower >= {lower}\nclaim upper <= {upper}\nclaim gap <= {gap}\n");
    let point = "H 1 5 -1\n1 1 1 1 0\nW1 2 1 0\n1\n0\n";
    (case, format!("ufm-certificate 1\nproblem sha256 {hash}\nkind gap\nprecision 64\n{point}{claims}end\n"), q(2, 5))
}

type Claims = std::collections::HashMap<String, Q>;

/// The factors and claims of a text.
fn factors(text: &str) -> (Vec<M>, Claims) {
    let (mut factors, mut claims) = (vec![], Claims::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "claim" {
            claims.insert(words[1].to_string(), dyadic(words[3]).unwrap());
        } else if words[0] == "H" || words[0].starts_with('W') {
            let (rows, cols): (usize, usize) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            let entries = (0..rows).flat_map(|_| lines.next().unwrap().split(' '));
            let m = entries.map(|x| BigInt::parse_bytes(x.as_bytes(), 16).unwrap()).collect();
            factors.push(M { rows, cols, e: words[3].parse().unwrap(), m });
        }
    }
    (factors, claims)
}

/// True as a statement about the point written in the text: the claims' meaning, from the known collapsed value.
fn truth(case: &Deep, text: &str, collapsed: &Q) -> bool {
    let (factors, claims) = factors(text);
    let (value, collapsed) = (case.objective(&factors), collapsed + q(1, 10i64.pow(14)));
    match claims.get("objective") {
        Some(objective) => value <= *objective && claims["collapsed"] <= collapsed && *objective < claims["collapsed"],
        None => claims["lower"] <= collapsed && value <= claims["upper"] && &claims["upper"] - &claims["lower"] <= claims["gap"],
    }
}

fn survives(case: &Deep, text: &str, collapsed: &Q) -> bool {
    match check(case.toml().as_bytes(), text.as_bytes()) {
        Outcome::Verified(_) => {
            assert!(truth(case, text, collapsed), "verified although false\n{text}");
            true
        }
        Outcome::Rejected { line, reason } => {
            assert!(line >= 1 && line <= text.lines().count() + 1 && !reason.is_empty());
            false
        }
        Outcome::Unsupported(_) => false,
    }
}

fn examples() -> [(Deep, String, Q); 4] {
    [below(), gap(), narrow(false), narrow(true)]
}

#[test]
fn verified_and_true() {
    for (case, text, collapsed) in examples() {
        let Outcome::Verified(claim) = check(case.toml().as_bytes(), text.as_bytes()) else {
            panic!("{:?}\n{text}", check(case.toml().as_bytes(), text.as_bytes()));
        };
        assert_eq!(claim.kind, if case.below() { Kind::Below } else { Kind::Gap });
        assert!(truth(&case, &text, &collapsed) && claim.to_string().contains("objective at this point"));
    }
}

/// Claims beyond the truth by the oracle's accuracy are refused at their own lines; short of it by as much they stand.
#[test]
fn claims_are_sharp() {
    let fine = q(1, 10i64.pow(13));
    for (case, text, collapsed) in examples() {
        let value = case.objective(&factors(&text).0);
        let names = if case.below() { ["objective", "collapsed"] } else { ["upper", "lower"] };
        for (name, truth, up) in [(names[0], &value, true), (names[1], &collapsed, false)] {
            let (i, line) = text.lines().enumerate().find(|(_, l)| l.starts_with(&format!("claim {name} "))).unwrap();
            for sign in [1, -1] {
                let claim = truth + &fine * q(if up { sign } else { -sign }, 1);
                let changed = format!("{} {}", line.rsplit_once(' ').unwrap().0, grid(&claim, 62, up));
                // A wide gap, so that the bound itself decides.
                let wide = text.lines().map(|l| match l {
                    _ if l == line => &changed,
                    _ if l.starts_with("claim gap") => "claim gap <= 1*2^0",
                    _ => l,
                });
                let mutant = wide.collect::<Vec<_>>().join("\n") + "\n";
                match check(case.toml().as_bytes(), mutant.as_bytes()) {
                    Outcome::Verified(_) => assert_eq!(sign, 1, "{changed}"),
                    Outcome::Rejected { line, .. } => assert_eq!((line, sign), (i + 1, -1), "{changed}"),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn every_token_and_line() {
    for (case, text, collapsed) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        for (i, line) in lines.iter().enumerate() {
            let tokens: Vec<&str> = line.split(' ').collect();
            for (j, token) in tokens.iter().enumerate() {
                let mut choices: Vec<String> =
                    ["", "x", "-", "-0", "00", "1", "2", "-1", "7fff*2^-15", "1*2^100001", "99999999999999999999"].map(String::from).into();
                choices.extend([
                    format!("0{token}"),
                    format!("+{token}"),
                    format!("-{token}"),
                    format!("{token}0"),
                    format!("{token}\r"),
                    token.to_uppercase(),
                ]);
                if let Ok(x) = i64::from_str_radix(token, 16) {
                    choices.extend(
                        [x.wrapping_add(1), x.wrapping_sub(1), x.wrapping_mul(2), x.wrapping_add(1000)]
                            .map(|x| BigInt::from(x).to_str_radix(16)),
                    );
                }
                for choice in choices.iter().filter(|c| c != token) {
                    let mut changed = tokens.clone();
                    changed[j] = choice;
                    let line = changed.join(" ");
                    let mut mutant = lines.clone();
                    mutant[i] = &line;
                    let alive = survives(&case, &(mutant.join("\n") + "\n"), &collapsed);
                    assert!(!alive || i >= 3, "{line}");
                }
            }
            let joined = |lines: &[&str]| lines.join("\n") + "\n";
            let mut mutant = lines.clone();
            mutant.remove(i);
            assert!(!survives(&case, &joined(&mutant), &collapsed), "line {} missing", i + 1);
            let mut mutant = lines.clone();
            mutant.insert(i, line);
            assert!(!survives(&case, &joined(&mutant), &collapsed), "line {} twice", i + 1);
            assert!(!survives(&case, &lines[..i].iter().map(|l| format!("{l}\n")).collect::<String>(), &collapsed), "cut at {i}");
        }
    }
}

#[test]
fn kinds_belong_to_models() {
    for (case, text, _) in examples() {
        let right = if case.below() { "below" } else { "gap" };
        for kind in ["gap", "below", "strict-saddle", "not-critical", "Below"].into_iter().filter(|kind| *kind != right) {
            let other = text.replace(&format!("kind {right}"), &format!("kind {kind}"));
            assert!(matches!(check(case.toml().as_bytes(), other.as_bytes()), Outcome::Rejected { line: 3, .. }), "{kind}");
        }
    }
}

/// Sizes that would cost memory or time, and problem files that are not deep models.
#[test]
fn hostile() {
    let start = std::time::Instant::now();
    let (case, text, _) = below();
    let precise = text.replace("precision 64", "precision 100000");
    assert!(matches!(check(case.toml().as_bytes(), precise.as_bytes()), Outcome::Unsupported(_)));
    let list = "[\"0.004\", \"0.004\", \"0.004\", \"0.004\", \"0.004\"]";
    let long = format!("[{}]", vec!["1"; 101].join(","));
    for (from, to) in [
        ("dim = 4", "dim = 4\nlambda_w = \"1\""),
        ("dim = 4", "dim = 4\nbias = \"free\""),
        ("\"mse\"", "\"ce\""),
        ("deep-relu", "plain"),
        (list, "[]"),
        (list, "[\"0.1\"]"),
        (list, "\"0.1\""),
        (list, "[\"0.1\", \"-1\", \"0.1\"]"),
        (list, "[\"0.1\", \"0.0\", \"0.1\"]"),
        (list, "[\"0.1\",, \"0.1\"]"),
        (list, "[\"0.1\" \"1\"]"),
        (list, "[[\"0.1\", \"1\"]]"),
        (list, &long),
    ] {
        let toml = case.toml().replace(from, to);
        assert_ne!(toml, case.toml());
        assert!(matches!(check(toml.as_bytes(), text.as_bytes()), Outcome::Unsupported(_)), "{to}");
    }
    // A hundred factors and sizes that no file holds.
    let huge = Deep { relu: true, counts: vec![500_000_000_000_000_000, 1], dim: 1_000_000_000, lambdas: vec!["1"; 100] };
    let hash: String = Sha256::digest(huge.toml()).iter().map(|b| format!("{b:02x}")).collect();
    let text = format!("ufm-certificate 1\nproblem sha256 {hash}\nkind below\nprecision 64\nH 1000000000 500000000000000001 0\n0\n");
    assert!(matches!(check(huge.toml().as_bytes(), text.as_bytes()), Outcome::Rejected { line: 5, .. }));
    assert!(start.elapsed().as_secs() < 10);
}
