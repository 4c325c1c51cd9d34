//! Mutations of certificates. A mutant may be accepted only if what it claims is true, decided here by other means.

use super::*;

fn hex(text: &str) -> Integer {
    Integer::from_str_radix(text, 16).unwrap()
}

fn power(m: Integer, e: i32) -> Rational {
    if e >= 0 { Rational::from(m) << e as u32 } else { Rational::from(m) >> e.unsigned_abs() }
}

fn matrix(lines: &[&str], name: &str) -> Option<Dyadic> {
    let at = lines.iter().position(|l| l.split(' ').next() == Some(name) && l.split(' ').count() == 4)?;
    let head: Vec<i64> = lines[at].split(' ').skip(1).map(|t| t.parse().unwrap()).collect();
    let (rows, cols) = (head[0] as usize, head[1] as usize);
    let m = lines[at + 1..at + 1 + if cols == 0 { 0 } else { rows }].iter().flat_map(|l| l.split(' ').map(hex)).collect();
    Some(Dyadic { rows, cols, exp: head[2] as i32, m })
}

fn claim(lines: &[&str], name: &str) -> Option<Rational> {
    let line = lines.iter().find(|l| l.starts_with(&format!("claim {name} ")))?;
    let (m, e) = line.split(' ').next_back()?.split_once("*2^")?;
    Some(power(hex(m), e.parse().ok()?))
}

/// Mean over samples of ‖h_i − target_{y_i}‖² at the unit features, in doubles.
fn mean_distance(problem: &Problem, h: &Mat<f64>, target: impl Fn(usize) -> Vec<f64>) -> f64 {
    let counts = problem.class_counts().unwrap();
    let label: Vec<usize> = counts.iter().enumerate().flat_map(|(c, &n)| vec![c; n as usize]).collect();
    let of = |i: usize| target(label[i]).iter().enumerate().map(|(j, t)| (h[(j, i)] - t).powi(2)).sum::<f64>();
    (0..label.len()).map(of).sum::<f64>() / label.len() as f64
}

/// Doubles decide what 1e-9 more or less does not change.
const DOUBLE: f64 = 1e-9;

/// Whether everything an accepted certificate claims is true.
fn true_claims(problem: &Problem, tau: f64, text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let point = ExactPoint { factors: vec![matrix(&lines, "W").unwrap()], h: matrix(&lines, "H").unwrap(), b: None };
    let exact = certify(problem, b"", &point, &CertifyOptions { digits: 40, ..Default::default() }).unwrap();
    let gradient = exact.gradient_norm.unwrap();
    let holds = |name: &str, test: &dyn Fn(&Rational) -> bool| claim(&lines, name).is_none_or(|c| test(&c));
    let value = exact.objective.unwrap();
    let f_star = closed_form(problem).unwrap().f_star(200);
    let gap = value.lower_rational().unwrap() - f_star.upper_rational().unwrap();
    let (units, _) = on_spheres(problem, &point.to_f64(), &point.to_f64());
    let (k, d, _) = problem.point_sizes().unwrap();
    let counts = problem.class_counts().unwrap();
    let within = || {
        let mut start = 0;
        let mut means = vec![vec![0.0; d]; k];
        for (c, &n) in counts.iter().enumerate() {
            for i in start..start + n as usize {
                (0..d).for_each(|j| means[c][j] += units.h[(j, i)] / n as f64);
            }
            start += n as usize;
        }
        mean_distance(problem, &units.h, |c| means[c].clone())
    };
    let alignment = || {
        let (r, c) = (matrix(&lines, "R").unwrap().to_f64(), matrix(&lines, "c").unwrap().to_f64());
        let dual = |y: usize| {
            let scale = -tau * c[(y, 0)] / counts[y] as f64;
            (0..d).map(|j| scale * (0..k).map(|i| units.factors[0][(i, j)] * r[(i, y)]).sum::<f64>()).collect()
        };
        mean_distance(problem, &units.h, dual)
    };
    let critical = lines[2] == "kind not-critical";
    holds("lower", &|c| *c <= f_star.upper_rational().unwrap())
        && holds("upper", &|c| *c >= value.lower_rational().unwrap())
        && holds("gap", &|c| *c >= gap)
        && holds("fit", &|c| *c >= 0)
        && holds("within-class", &|c| c.to_f64() >= within() - DOUBLE)
        && holds("alignment", &|c| c.to_f64() >= alignment() - DOUBLE)
        && holds("gradient", &|c| {
            if critical { *c <= gradient.upper_rational().unwrap() } else { *c >= gradient.lower_rational().unwrap() }
        })
        && holds("curvature", &|c| {
            let direction = ExactPoint { factors: vec![matrix(&lines, "dW").unwrap()], h: matrix(&lines, "dH").unwrap(), b: None };
            // Entries may be far from one: scaled, then compared per unit of squared length.
            let largest = |x: &Dyadic| x.m.iter().map(|m| m.significant_bits() as i32).max().unwrap_or(0) + x.exp;
            let shift = largest(&direction.factors[0]).max(largest(&direction.h));
            let scaled = |x: &Dyadic| Dyadic { exp: x.exp - shift, ..x.clone() }.to_f64();
            let v = Point { factors: vec![scaled(&direction.factors[0])], h: scaled(&direction.h), b: None };
            let second = inner(&v, &hessian_product(problem, &point.to_f64(), &v).unwrap()) / inner(&v, &v);
            *c < 0 && second <= c.to_f64() + DOUBLE
        })
}

/// Every way a token is changed.
fn mutants(token: &str) -> Vec<String> {
    let mut all = vec![String::new(), format!("{token}0"), format!("1{token}"), format!("-{token}"), format!("{token} {token}")];
    all.extend(token.strip_prefix('-').map(str::to_owned));
    for (i, c) in token.char_indices() {
        if let Some(digit) = c.to_digit(16) {
            let next = char::from_digit((digit + 1) % 16, 16).unwrap();
            all.push(format!("{}{next}{}", &token[..i], &token[i + c.len_utf8()..]));
        }
    }
    all
}

fn mutate_all(problem: &Problem, tau: f64, file: &str, text: &str) -> (usize, usize) {
    let (mut rejected, mut accepted) = (0, 0);
    let lines: Vec<&str> = text.lines().collect();
    let mut attempt = |mutant: String| {
        if mutant == text {
            return;
        }
        match check(file.as_bytes(), mutant.as_bytes()) {
            Outcome::Verified(_) => {
                accepted += 1;
                assert!(true_claims(problem, tau, &mutant), "accepted, but false:\n{mutant}");
            }
            _ => rejected += 1,
        }
    };
    for (at, line) in lines.iter().enumerate() {
        let with = |replacement: &[&str]| {
            let mut changed = lines.clone();
            changed.splice(at..at + 1, replacement.iter().copied());
            changed.join("\n") + "\n"
        };
        attempt(with(&[]));
        attempt(with(&[line, line]));
        let tokens: Vec<&str> = line.split(' ').collect();
        for (t, token) in tokens.iter().enumerate() {
            for mutant in mutants(token) {
                let mut changed: Vec<&str> = tokens.clone();
                changed[t] = &mutant;
                attempt(with(&[&changed.join(" ")]));
            }
        }
    }
    (rejected, accepted)
}

#[test]
fn every_field_of_every_kind_is_load_bearing() {
    let file = file(&balanced(2, 2), 2, "1.5");
    let (problem, solution) = solved(&file, 0);
    let minimum = solution.point.to_exact().unwrap();
    let saddle = collapsed(&problem, &[vec![1.0], vec![1.0]]).to_exact().unwrap();
    let random = random_point(&problem, 1).to_exact().unwrap();
    for (point, wanted) in [(minimum, Verdict::GlobalMinimum), (saddle, Verdict::StrictSaddle), (random, Verdict::NotCritical)] {
        let result = certified(&problem, &file, &point);
        assert_eq!(result.verdict, wanted);
        let (rejected, accepted) = mutate_all(&problem, 1.5, &file, &result.text.unwrap());
        // Entries of points, directions and factors have slack by nature.
        assert!(rejected > accepted / 2 && rejected > 100, "{wanted:?}: {rejected} rejected, {accepted} accepted");
    }
}

/// The certificate is bound to its problem, temperature and all.
#[test]
fn another_temperature_is_another_problem() {
    let file = file(&balanced(2, 2), 2, "1.5");
    let (problem, solution) = solved(&file, 0);
    let text = certified(&problem, &file, &solution.point.to_exact().unwrap()).text.unwrap();
    for other in [file.replace("1.5", "1.6"), file.replace("sphere", "plain"), file.replace("temperature", "lambda_w")] {
        assert!(!matches!(check(other.as_bytes(), text.as_bytes()), Outcome::Verified(_)), "{other}");
    }
    // Unknown to this model, or in the wrong one: refused as problems.
    for bad in [format!("{file}lambda_w = \"1\"\n"), file.replace("\"ce\"", "\"mse\""), format!("{file}bias = \"free\"\n")] {
        assert!(matches!(check(bad.as_bytes(), text.as_bytes()), Outcome::Unsupported(_)), "{bad}");
    }
}
