//! The focal loss: every token and line of its gallery damaged, claims at their limits, hostile problem files.
//!
//! The oracle evaluates the loss in double precision and the minimum by a fine search over margins.

use sha2::{Digest, Sha256};
use ufm_check::{Dyadic, Kind, Outcome, check};

fn gallery(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../gallery/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Certificate, problem, K, n, γ, λ_W, λ_H.
type Case = (&'static str, &'static str, f64, f64, f64, f64, f64);
const CASES: [Case; 2] = [
    ("focal-collapsed.cert", "focal-collapsed.toml", 3.0, 1.0, 2.0, 0.01, 0.02),
    ("focal-biased.cert", "focal-biased.toml", 2.0, 2.0, 0.5, 0.05, 0.02),
];

/// The least cost of a margin, to about 1e-13.
fn minimum((_, _, k, n, gamma, lw, lh): Case) -> f64 {
    let kappa = (k - 1.0) * (n * lw * lh).sqrt();
    let cost = |a: f64| {
        let odds = (k - 1.0) * (-a).exp();
        (odds / (1.0 + odds)).powf(gamma) * odds.ln_1p() + kappa * a
    };
    let coarse = (0..4000).map(|i| f64::from(i) / 100.0).min_by(|a, b| cost(*a).total_cmp(&cost(*b))).unwrap();
    (-10_000..10_000).map(|i| cost((coarse + f64::from(i) * 1e-6).max(0.0))).fold(f64::INFINITY, f64::min)
}

fn float(x: &Dyadic) -> f64 {
    x.decimal(true).parse().unwrap()
}

/// Whether a certificate is verified; what is claimed must then be true of the minimum, and the bounds must fit together.
fn survives(case: Case, problem: &str, text: &str) -> bool {
    match check(problem.as_bytes(), text.as_bytes()) {
        Outcome::Verified(claim) => {
            let get = |name: &str| float(claim.bound(name).unwrap());
            assert_eq!(claim.kind, Kind::Gap, "{text}");
            let least = minimum(case);
            assert!(get("lower") <= least + 1e-12 && get("upper") >= least - 1e-12, "{text}");
            assert!(get("gap") * (1.0 + 1e-9) >= get("upper") - get("lower"), "{text}");
            if claim.bound("fit").is_some() {
                let (gap, samples) = (get("gap"), case.2 * case.3);
                assert!(get("within-class") * (1.0 + 1e-9) >= 2.0 * gap / (case.6 * samples), "{text}");
                assert!(get("self-duality") * (1.0 + 1e-9) >= 2.0 * gap / case.5 && get("fit") >= gap, "{text}");
            }
            true
        }
        Outcome::Rejected { line, reason } => {
            assert!(line >= 1 && line <= text.lines().count() + 1 && !reason.is_empty());
            false
        }
        Outcome::Unsupported(_) => false,
    }
}

fn bumped(token: &str, by: i128) -> Option<String> {
    let (number, rest) = token.split_once("*2^").map_or((token, String::new()), |(m, e)| (m, format!("*2^{e}")));
    let x = num_bigint::BigInt::parse_bytes(number.as_bytes(), 16)? + by;
    Some(format!("{}{rest}", x.to_str_radix(16)))
}

#[test]
fn every_token_and_line() {
    for case in CASES {
        let (text, problem) = (gallery(case.0), gallery(case.1));
        assert!(survives(case, &problem, &text));
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        let dual = lines.iter().position(|l| l.starts_with("R ")).unwrap();
        let ends = lines.iter().position(|l| l.starts_with("a ")).unwrap();
        for (i, line) in lines.iter().enumerate() {
            let tokens: Vec<&str> = line.split(' ').collect();
            for (j, token) in tokens.iter().enumerate() {
                let spelled = ["", "x", "-", "-0", "00", "0", "1", "-1", "1*2^0", "1*2^100001", "99999999999999999999"].map(String::from);
                let damaged = [format!("0{token}"), format!("+{token}"), format!("-{token}"), format!("{token}0"), token.to_uppercase()];
                let moved = [1, -1, 1 << 30, -(1 << 30), 1 << 90, -(1 << 90)].into_iter().filter_map(|by| bumped(token, by));
                for choice in spelled.into_iter().chain(damaged).chain(moved).filter(|c| c != token) {
                    let mut changed = tokens.clone();
                    changed[j] = &choice;
                    let line = changed.join(" ");
                    let mut mutant = lines.clone();
                    mutant[i] = &line;
                    let alive = survives(case, &problem, &joined(&mutant));
                    assert!(!alive || i >= 3, "{line}");
                    // No entry of R can change alone.
                    assert!(!alive || i <= dual || i >= ends, "{line}");
                }
            }
            let mut missing = lines.clone();
            missing.remove(i);
            assert_eq!(survives(case, &problem, &joined(&missing)), line.starts_with("claim gradient"), "line {} missing", i + 1);
            let mut twice = lines.clone();
            twice.insert(i, line);
            assert!(!survives(case, &problem, &joined(&twice)), "line {} twice", i + 1);
            assert!(!survives(case, &problem, &lines[..i].iter().map(|l| format!("{l}\n")).collect::<String>()), "cut at {i}");
        }
        // The claims of collapse go together, and can be left out.
        let kept = |l: &&&str| !["claim within-class", "claim self-duality", "claim fit"].iter().any(|c| l.starts_with(c));
        assert!(survives(case, &problem, &joined(&lines.iter().filter(kept).copied().collect::<Vec<_>>())));
    }
}

/// Every dyadic scale of R and every pair of ends on a grid around the gallery's: what is verified is true.
#[test]
fn other_duals_and_ends() {
    for case in CASES {
        let (text, problem) = (gallery(case.0), gallery(case.1));
        let k = case.2 as i64;
        let lines: Vec<&str> = text.lines().collect();
        let start = lines.iter().position(|l| l.starts_with("R ")).unwrap();
        let claims = lines.iter().position(|l| l.starts_with("claim lower")).unwrap();
        let mut verified = 0;
        for t in 0..24 {
            for a1 in 0..24i64 {
                for a2 in [a1 - 1, a1, a1 + 1, a1 + 4] {
                    let entry = |i: i64| if i % (k + 1) == 0 { format!("{:x}", t * (k - 1)) } else { format!("{t:x}") };
                    let signed = |i: i64| if i % (k + 1) == 0 && t > 0 { format!("-{}", entry(i)) } else { entry(i) };
                    let rows: Vec<String> = (0..k).map(|r| (0..k).map(|c| signed(r * k + c)).collect::<Vec<_>>().join(" ")).collect();
                    let hex = |x: i64| if x < 0 { format!("-{:x}", -x) } else { format!("{x:x}") };
                    for lower in ["1*2^-7", "1*2^-5", "1*2^-4", "9*2^-7", "1*2^-3", "13*2^-6"] {
                        let body = format!(
                            "{}\nR {k} {k} -10\n{}\na 2 1 -2\n{}\n{}\nclaim lower >= {lower}\n{}\nclaim gap <= 1*2^3\nend\n",
                            lines[..start].join("\n"),
                            rows.join("\n"),
                            hex(a1),
                            hex(a2),
                            lines[claims + 1]
                        );
                        verified += usize::from(survives(case, &problem, &body));
                    }
                }
            }
        }
        assert!(verified > 50, "{}: {verified}", case.0);
    }
}

#[test]
fn problems_outside() {
    let (text, problem) = (gallery("focal-biased.cert"), gallery("focal-biased.toml"));
    let bound = |problem: &str| {
        let hash: String = Sha256::digest(problem).iter().map(|b| format!("{b:02x}")).collect();
        let mut lines: Vec<&str> = text.lines().collect();
        let line = format!("problem sha256 {hash}");
        lines[1] = &line;
        check(problem.as_bytes(), (lines.join("\n") + "\n").as_bytes())
    };
    for (from, to) in [
        ("focusing = \"0.5\"", "focusing = \"100.5\""),
        ("focusing = \"0.5\"", "focusing = \"-1\""),
        ("focusing = \"0.5\"\n", ""),
        ("\"focal\"", "\"ce\""),
        ("focusing", "smoothing"),
        ("\"plain\"", "\"multi-label\""),
        ("\"plain\"", "\"sphere\""),
        // A bound for equal classes only.
        ("classes = 2\nper_class = 2", "class_counts = [3, 1]"),
    ] {
        let other = problem.replace(from, to);
        assert!(other != problem && matches!(bound(&other), Outcome::Unsupported(_)), "{to}: {:?}", bound(&other));
    }
    // Listed equal sizes are the same problem; another γ is another value.
    assert!(matches!(bound(&problem.replace("classes = 2\nper_class = 2", "class_counts = [2, 2]")), Outcome::Verified(_)));
    for gamma in ["0.49", "0.51", "0", "2"] {
        assert!(matches!(bound(&problem.replace("\"0.5\"", &format!("\"{gamma}\""))), Outcome::Rejected { .. }), "{gamma}");
    }
    let saddle = text.replace("kind gap", "kind strict-saddle");
    assert!(matches!(check(problem.as_bytes(), saddle.as_bytes()), Outcome::Rejected { line: 3, .. }));
}
