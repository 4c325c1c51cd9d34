//! Every line and token of valid certificates is damaged in many ways; what is still verified must be true.
//!
//! The oracle in `common` decides truth from the meaning of the claims (global minimum known in closed form), not from the
//! predicates.

mod common;

use common::examples::examples;
use common::*;
use num_traits::Zero;
use ufm_check::{Outcome, check};

/// Verified or not; a verified mutant must be true and must be reprinted as written.
fn survives(name: &str, case: &Case, text: &str, minimum: &Q) -> bool {
    match check(case.toml().as_bytes(), text.as_bytes()) {
        Outcome::Verified(claim) => {
            let tolerance = if case.loss == "ce" { q(1, 10i64.pow(12)) } else { Q::zero() };
            truth(case, text, minimum, &tolerance).unwrap_or_else(|e| panic!("{name}: verified although {e}\n{text}"));
            for bound in &claim.bounds {
                assert_eq!(parse(text).unwrap().claim(bound.name), dyadic(&bound.value.to_string()).as_ref(), "{name}\n{text}");
            }
            true
        }
        Outcome::Rejected { line, reason } => {
            assert!(line >= 1 && line <= text.lines().count() + 1 && !reason.is_empty(), "{name}: line {line}: {reason}\n{text}");
            false
        }
        Outcome::Unsupported(_) => false,
    }
}

/// Other spellings of one token: damaged numbers, signs, cases, separators.
fn token_mutants(token: &str) -> Vec<String> {
    let mut out = vec![
        String::new(),
        format!("{token} {token}"),
        format!(" {token}"),
        format!("{token} "),
        format!("0{token}"),
        format!("+{token}"),
        format!("{token}0"),
        format!("{token}\r"),
        format!("{token}\t"),
        format!("{token}\0"),
        format!("{token}\u{e9}"),
        "x".into(),
        "-".into(),
        "-0".into(),
        "00".into(),
        "1e9".into(),
        "99999999999999999999999".into(),
        "-99999999999999999999999".into(),
        token.to_uppercase(),
        token.strip_prefix('-').map_or(format!("-{token}"), str::to_string),
    ];
    if let Some((m, e)) = token.split_once("*2^") {
        out.extend(numbers(m, 16).into_iter().map(|m| format!("{m}*2^{e}")));
        out.extend(numbers(e, 10).into_iter().map(|e| format!("{m}*2^{e}")));
        out.extend([format!("{m}*2^"), format!("*2^{e}"), format!("{m}*3^{e}"), format!("{m}*2^{e}*2^{e}"), m.into(), e.into()]);
        out.extend([format!("{m}*2^100001"), format!("{m}*2^100000"), format!("{m}*2^-100000"), format!("{m}*2^-100001")]);
    }
    out.extend(numbers(token, 16));
    out.extend(numbers(token, 10));
    out.retain(|t| t != token);
    out
}

/// Neighbours of a number.
fn numbers(token: &str, radix: u32) -> Vec<String> {
    let Ok(x) = i128::from_str_radix(token, radix) else { return vec![] };
    let text = |x: i128| if radix == 16 { num_bigint::BigInt::from(x).to_str_radix(16) } else { x.to_string() };
    [x + 1, x - 1, -x, 2 * x, x / 2, x + 1000, x - 1000, 0, 1].into_iter().map(text).collect()
}

#[test]
fn every_token() {
    for (name, case, text, minimum) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        let (mut alive, mut all) = (vec![], 0);
        for (i, line) in lines.iter().enumerate() {
            let tokens: Vec<&str> = line.split(' ').collect();
            for (j, token) in tokens.iter().enumerate() {
                let mut choices = token_mutants(token);
                let mut dropped = tokens.clone();
                dropped.remove(j);
                choices.push("\u{1}".into());
                for choice in choices {
                    let mut changed: Vec<&str> = tokens.clone();
                    changed[j] = &choice;
                    let line = if choice == "\u{1}" { dropped.join(" ") } else { changed.join(" ") };
                    let mut mutant: Vec<&str> = lines.clone();
                    mutant[i] = &line;
                    all += 1;
                    if survives(name, &case, &(mutant.join("\n") + "\n"), &minimum) {
                        alive.push((i, line.clone()));
                    }
                }
            }
        }
        assert!(all > 700, "{name}: only {all} mutants");
        // Hash, version and kind never survive a change; claims and numbers may when they stay true.
        for (i, line) in &alive {
            assert!(*i >= 3, "{name}: {line}");
            assert!(!line.contains(['\r', '\t', '\0', '+', 'x']) && !line.contains("  ") && !line.ends_with(' '), "{name}: {line:?}");
        }
        println!("{name}: {} of {all} survive", alive.len());
    }
}

/// With no slack at all, moving any entry of the point or the dual matrix is noticed, as is strengthening any claim.
#[test]
fn tight_certificates_have_no_room() {
    let tight = |name: &str| ["mse collapsed", "mse free"].contains(&name) || name.starts_with("mse modes");
    for (name, case, text, minimum) in examples().into_iter().filter(|(name, ..)| tight(name)) {
        let lines: Vec<&str> = text.lines().collect();
        let first_claim = lines.iter().position(|l| l.starts_with("claim")).unwrap();
        for i in 4..first_claim {
            for (j, token) in lines[i].split(' ').enumerate() {
                if lines[i].starts_with(|c: char| c.is_ascii_alphabetic()) && c_header(lines[i]) {
                    continue;
                }
                let x = i64::from_str_radix(token, 16).unwrap();
                for y in [x + 1, x - 1] {
                    let mut tokens: Vec<String> = lines[i].split(' ').map(str::to_string).collect();
                    tokens[j] = num_bigint::BigInt::from(y).to_str_radix(16);
                    let line = tokens.join(" ");
                    let mut mutant = lines.clone();
                    mutant[i] = &line;
                    assert!(!survives(name, &case, &(mutant.join("\n") + "\n"), &minimum), "{name}: line {}: {line}", i + 1);
                }
            }
        }
        for i in first_claim..lines.len() - 1 {
            let (words, value) = lines[i].rsplit_once(' ').unwrap();
            let stronger = if words.ends_with(">=") { pow2(-60) } else { -pow2(-60) };
            let line = format!("{words} {}", grid(&(dyadic(value).unwrap() + stronger), 60, true));
            let mut mutant = lines.clone();
            mutant[i] = &line;
            assert_eq!(refused_at(&case, &(mutant.join("\n") + "\n")), i + 1, "{line}");
        }
    }
}

fn c_header(line: &str) -> bool {
    ["W ", "H ", "b ", "R ", "L ", "s ", "m "].iter().any(|name| line.starts_with(name) && line.split(' ').count() == 4)
}

#[test]
fn every_line() {
    for (name, case, text, minimum) in examples() {
        let lines: Vec<&str> = text.lines().collect();
        let joined = |lines: &[&str]| lines.join("\n") + "\n";
        for i in 0..lines.len() {
            assert!(!survives(name, &case, &lines[..i].iter().map(|l| format!("{l}\n")).collect::<String>(), &minimum), "cut at {i}");
            assert!(!survives(name, &case, &lines[..=i].join("\n"), &minimum), "cut before the end of line {i}");
            for extra in ["", " ", "#", "end", "claim lower >= 0*2^0"] {
                let mut mutant = lines.clone();
                mutant.insert(i, extra);
                assert!(!survives(name, &case, &joined(&mutant), &minimum), "{name}: {extra:?} before line {}", i + 1);
            }
            let mut mutant = lines.clone();
            mutant.insert(i, lines[i]);
            assert!(!survives(name, &case, &joined(&mutant), &minimum), "{name}: line {} twice", i + 1);
            let mut mutant = lines.clone();
            mutant.remove(i);
            let optional = lines[i].starts_with("claim gradient") && (text.contains("kind gap") || text.contains("kind modes"));
            assert_eq!(survives(name, &case, &joined(&mutant), &minimum), optional, "{name}: line {} missing", i + 1);
            for j in 0..i {
                let mut mutant = lines.clone();
                mutant.swap(i, j);
                let same_matrix = !lines[i].contains("claim") && !lines[j].contains("claim") && i > 4 && j > 4;
                assert!(!survives(name, &case, &joined(&mutant), &minimum) || same_matrix, "{name}: lines {i} and {j} swapped");
            }
        }
        assert!(!survives(name, &case, &format!("{text}\n"), &minimum) && !survives(name, &case, &format!("{text}end\n"), &minimum));
        assert!(!survives(name, &case, &text.replace('\n', "\r\n"), &minimum), "{name}: CRLF");
        assert!(!survives(name, &case, &format!("\u{feff}{text}"), &minimum), "{name}: byte order mark");
    }
}

#[test]
fn sections_exchanged() {
    for (name, case, text, minimum) in examples() {
        let mut sections: Vec<String> = vec![];
        for line in text.lines() {
            let starts = line.starts_with(|c: char| c.is_ascii_alphabetic()) && (c_header(line) || line.contains("  ") || line.len() > 8);
            if starts
                || line == "end"
                || line.starts_with("dW ")
                || line.starts_with("dH ")
                || line.starts_with("db ")
                || sections.is_empty()
            {
                sections.push(String::new());
            }
            *sections.last_mut().unwrap() += &format!("{line}\n");
        }
        assert_eq!(sections.concat(), text);
        for i in 0..sections.len() {
            for j in 0..i {
                let mut mutant = sections.clone();
                mutant.swap(i, j);
                assert!(mutant[i] == mutant[j] || !survives(name, &case, &mutant.concat(), &minimum), "{name}: sections {i}, {j}");
            }
        }
    }
}

/// Random bytes changed, removed or doubled, in the certificate and in the problem file.
#[test]
fn random_bytes() {
    let mut noise = Noise(99);
    let examples = examples();
    for round in 0..20_000 {
        let (name, case, text, minimum) = &examples[round % examples.len()];
        let mut bytes = text.clone().into_bytes();
        for _ in 0..1 + noise.below(3) {
            let at = noise.below(bytes.len());
            match noise.below(4) {
                0 => bytes[at] = noise.next() as u8,
                1 => bytes[at] = b"0123456789abcdef -\n*^"[noise.below(21)],
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) => drop(survives(name, case, text, minimum)),
            Err(_) => assert!(!matches!(check(case.toml().as_bytes(), &bytes), Outcome::Verified(_))),
        }
        let mut problem = case.toml().into_bytes();
        let at = noise.below(problem.len());
        let old = std::mem::replace(&mut problem[at], noise.next() as u8);
        let outcome = check(&problem, text.as_bytes());
        assert!(problem[at] == old || !matches!(outcome, Outcome::Verified(_)));
    }
}
