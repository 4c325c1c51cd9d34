//! Certificates of hand-computed optima, saddles and slopes are verified, and tight bounds are sharp.

mod common;

use common::examples::examples;
use common::*;
use num_traits::Zero;
use ufm_check::Kind;

#[test]
fn examples_are_verified_and_true() {
    for (name, case, text, minimum) in examples() {
        let claim = verified(&case, &text);
        let kind = match claim.kind {
            Kind::Gap if name.starts_with("mse modes") => "modes",
            Kind::Gap => "gap",
            Kind::StrictSaddle => "strict-saddle",
            Kind::NotCritical => "not-critical",
            Kind::Below => "below",
        };
        assert!(text.contains(&format!("kind {kind}\n")), "{name}");
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.claims.len(), claim.bounds.len(), "{name}");
        for ((written, value), bound) in parsed.claims.iter().zip(&claim.bounds) {
            assert_eq!(written, bound.name, "{name}");
            assert_eq!(&dyadic(&bound.value.to_string()).unwrap(), value, "{name}");
        }
        let tolerance = if case.loss == "ce" { q(1, 10i64.pow(12)) } else { Q::zero() };
        truth(&case, &text, &minimum, &tolerance).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

/// Any point has a gap certificate with R = 0 and lower = 0: random points against the oracle's objective and gradient, one
/// grid step either side.
#[test]
fn objective_and_gradient_are_sharp() {
    let mut noise = Noise(7);
    for round in 0..40 {
        let loss = ["mse", "ce"][round % 2];
        let bias = ["none", "free", "regularized"][round / 2 % 3];
        let case = Case::new(loss, bias, &[1 + noise.below(2), 1 + noise.below(3), 1], 1 + noise.below(3), ["0.03", "1.7", "0.29"]);
        let (k, d, n) = (case.k(), case.dim, case.n());
        let bits = if round < 20 { 20 } else { 58 };
        let e = -i64::from(bits) - 1;
        let (w, h, b) = (noise.mat(k, d, e, bits), noise.mat(d, n, e + 1, bits), noise.mat(k, 1, e, bits));
        let b = if bias == "none" { mat(k, 0, 0, &[]) } else { b };
        let point = Point { w: w.values(), h: h.values(), b: b.values() };
        let (r, l) = (mat(k, k, 5, &vec![0; k * k]), mat(k, 0, 0, &[]));
        let fine = if loss == "mse" { q(1, 1 << 58) } else { q(1, 1 << 42) };
        let f = objective(&case, &point);
        let build = |f: &Q, g: Option<&Q>| gap(&case, &w, &h, &b, &r, &l, &Q::zero(), f, g);
        verified(&case, &build(&(&f + &fine), None));
        refused_at(&case, &build(&(&f - &fine), None));
        // Bracket the root of the exact squared norm by bisection in rationals.
        let square = gradient_squared(&case, &point);
        let (mut low, mut high) = (Q::zero(), q(1000, 1));
        for _ in 0..60 {
            let middle = (&low + &high) / q(2, 1);
            if &middle * &middle <= square { low = middle } else { high = middle }
        }
        let step = if loss == "mse" { q(1, 1 << 45) } else { q(1, 1 << 36) };
        verified(&case, &build(&(&f + &fine), Some(&(&high + &step))));
        refused_at(&case, &build(&(&f + &fine), Some(&(&low - &step))));
        let slope = |bound: &Q, up| {
            let claims = [("gradient", ">=", grid(bound, 60, up))];
            certificate(&case, "not-critical", 60, &[("W", &w), ("H", &h), ("b", &b)], &claims)
        };
        verified(&case, &slope(&(&low - &step), false));
        refused_at(&case, &slope(&(&high + &step), true));
    }
}

/// At precision 60 or less the checker rounds mse's Z − T down to the grid 2^-60 and charges what that moves the gradient: a claim a hair
/// beyond the true norm is refused at every point, however the rounding falls, and one that leaves it room is verified.
#[test]
fn rounded_residuals_are_charged() {
    let mut noise = Noise(23);
    for round in 0..60 {
        let bias = ["none", "free", "regularized"][round % 3];
        let case = Case::new("mse", bias, &[1, 2, 1], 2, ["0.03", "1.7", "0.29"]);
        let (w, h) = (noise.mat(3, 2, -59, 58), noise.mat(2, 4, -58, 58));
        let b = if bias == "none" { mat(3, 0, 0, &[]) } else { noise.mat(3, 1, -59, 58) };
        let square = gradient_squared(&case, &Point { w: w.values(), h: h.values(), b: b.values() });
        let (mut low, mut high) = (Q::zero(), q(1000, 1));
        for _ in 0..110 {
            let middle = (&low + &high) / q(2, 1);
            if &middle * &middle <= square { low = middle } else { high = middle }
        }
        let (hair, room) = (pow2(-90), pow2(-54));
        let point = [("W", &w), ("H", &h), ("b", &b)];
        let precision = [60, 32][round % 2];
        let slope = |x: &Q| certificate(&case, "not-critical", precision, &point, &[("gradient", ">=", grid(x, 100, false))]);
        verified(&case, &slope(&(&low - &room)));
        refused_at(&case, &slope(&(&high + &hair)));
        // The zero dual: lower = 0, and bounds far from tight.
        let (r, l) = (mat(3, 3, 0, &[0; 9]), mat(3, 0, 0, &[]));
        let flat = |x: &Q| {
            let bound = |(name, bits)| (name, "<=", format!("1*2^{bits}"));
            let mut claims = vec![("lower", ">=", "0*2^0".to_owned())];
            claims.extend([("upper", 40), ("gap", 40), ("within-class", 60), ("self-duality", 60), ("fit", 40)].map(bound));
            claims.push(("gradient", "<=", grid(x, 100, true)));
            certificate(&case, "gap", precision, &[point[0], point[1], point[2], ("R", &r), ("L", &l)], &claims)
        };
        verified(&case, &flat(&(&high + &room)));
        refused_at(&case, &flat(&(&low - &hair)));
    }
}

#[test]
fn curvature_is_sharp() {
    let mut noise = Noise(11);
    let mut negative = 0;
    for round in 0..60 {
        let loss = ["mse", "ce"][round % 2];
        let bias = ["none", "free", "regularized"][round / 2 % 3];
        let case = Case::new(loss, bias, &[2, 1, 1], 2, ["0.001", "0.002", "0.003"]);
        let triple = |noise: &mut Noise, e: i64| {
            let b = noise.mat(3, 1, e - 9, 20);
            (noise.mat(3, 2, e, 20), noise.mat(2, 4, e, 20), if bias == "none" { mat(3, 0, 0, &[]) } else { b })
        };
        let ((w, h, b), (dw, dh, db)) = (triple(&mut noise, -24), triple(&mut noise, -20));
        let values = |w: &M, h: &M, b: &M| Point { w: w.values(), h: h.values(), b: b.values() };
        let (point, v) = (values(&w, &h, &b), values(&dw, &dh, &db));
        let exact = second_derivative(&case, &point, &v) / (squares(&v.w) + squares(&v.h) + squares(&v.b));
        let step = if loss == "mse" { q(1, 1 << 60) } else { q(1, 1 << 15) };
        let build = |c: &Q, up| {
            let claims = [("gradient", "<=", "1*2^10".to_string()), ("curvature", "<=", grid(c, 62, up))];
            certificate(&case, "strict-saddle", 80, &[("W", &w), ("H", &h), ("b", &b), ("dW", &dw), ("dH", &dh), ("db", &db)], &claims)
        };
        if exact < -q(1, 1000) {
            negative += 1;
            verified(&case, &build(&(&exact + &step), true));
        }
        refused_at(&case, &build(&(&exact - &step), false));
    }
    assert!(negative >= 10, "{negative} directions of negative curvature are too few to test anything");
}

/// The lower bound of mse against its formula in rationals, with the radius condition decided by the oracle too.
#[test]
fn dual_bound_and_radius_are_sharp() {
    let mut noise = Noise(23);
    let mut outcomes = [0, 0];
    for round in 0..60 {
        let bias = ["none", "regularized"][round % 2];
        let case = Case::new("mse", bias, &[2, 1, 3], 1, ["0.3", "0.2", "0.7"]);
        let (k, n) = (3, q(6, 1));
        let (r, l) = (noise.mat(k, k, -10, 9), noise.mat(k, 2, -10, 9));
        let (rv, lv) = (r.values(), l.values());
        let count = |c: usize| q(case.counts[c] as i64, 1);
        let mut lower = Q::zero();
        for c in 0..k {
            let column: Vec<Q> = (0..k).map(|j| rv[j * k + c].clone()).collect();
            lower -= count(c) * (squares(&column) / q(2, 1) + &column[c]) / &n;
        }
        let sums: Vec<Q> = (0..k).map(|j| (0..k).map(|c| count(c) * &rv[j * k + c]).sum()).collect();
        if bias == "regularized" {
            lower -= squares(&sums) / (q(2, 1) * case.lambda(2) * &n * &n);
        }
        let entry = |i: usize, j: usize| -> Q {
            let rdr: Q = (0..k).map(|c| count(c) * &rv[i * k + c] * &rv[j * k + c]).sum();
            let llt: Q = (0..2).map(|c| &lv[i * 2 + c] * &lv[j * 2 + c]).sum();
            let radius = if i == j { &n * &n * case.lambda(0) * case.lambda(1) } else { Q::zero() };
            radius - rdr - llt
        };
        let size = |x: Q| if x < Q::zero() { -x } else { x };
        let dominant = (0..k).all(|i| entry(i, i) >= (0..k).filter(|&j| j != i).map(|j| size(entry(i, j))).sum());
        let zeros = |r: usize, c: usize| mat(r, c, 0, &vec![0; r * c]);
        let b = if bias == "none" { mat(k, 0, 0, &[]) } else { zeros(k, 1) };
        let build = |lower: &Q| gap(&case, &zeros(k, 1), &zeros(1, 6), &b, &r, &l, lower, &q(1, 2), None);
        outcomes[usize::from(dominant)] += 1;
        if dominant {
            verified(&case, &build(&lower));
            let text = build(&(lower + q(1, 1 << 59)));
            let line = text.lines().position(|l| l.starts_with("claim lower")).unwrap() + 1;
            assert_eq!(refused_at(&case, &text), line);
        } else {
            let text = build(&lower);
            let line = text.lines().position(|l| l.starts_with("L ")).unwrap() + 1;
            assert_eq!(refused_at(&case, &text), line);
        }
    }
    assert!(outcomes.iter().all(|&n| n >= 5), "{outcomes:?}");
}

/// At 32 bits the softmax is known to about 1e-8: claims that are false by less than that must not be confirmed.
#[test]
fn low_precision_is_safe() {
    let mut noise = Noise(31);
    for round in 0..60 {
        let bias = ["none", "free", "regularized"][round % 3];
        let case = Case::new("ce", bias, &[1, 2], 2, ["0.03", "0.7", "0.29"]);
        let (w, h, b) = (noise.mat(2, 2, -20, 20), noise.mat(2, 3, -20, 20), noise.mat(2, 1, -20, 20));
        let b = if bias == "none" { mat(2, 0, 0, &[]) } else { b };
        let point = Point { w: w.values(), h: h.values(), b: b.values() };
        let norm = Q::from_float(float(&gradient_squared(&case, &point)).sqrt()).unwrap();
        let build = |relation: &'static str, bound: Q| {
            let (r, l) = (mat(2, 2, 0, &[0; 4]), mat(2, 0, 0, &[]));
            let sections = [("W", &w), ("H", &h), ("b", &b), ("R", &r), ("L", &l)];
            if relation == ">=" {
                return certificate(&case, "not-critical", 32, &sections[..3], &[("gradient", relation, grid(&bound, 60, true))]);
            }
            gap(&case, &w, &h, &b, &r, &l, &Q::zero(), &q(9, 1), Some(&bound)).replace("precision 100", "precision 32")
        };
        let (fine, coarse) = (q(1, 1 << 40), q(1, 1 << 20));
        refused_at(&case, &build("<=", &norm - &fine));
        refused_at(&case, &build(">=", &norm + &fine));
        verified(&case, &build("<=", &norm + &coarse));
        verified(&case, &build(">=", &norm - &coarse));
    }
    // A gradient of about 2^-50 is not zero, however wide the enclosure around it.
    let case = Case::new("ce", "regularized", &[1, 1], 1, ["1", "1", "1"]);
    let (w, h, b) = (mat(2, 1, 0, &[0, 0]), mat(1, 2, 0, &[0, 0]), mat(2, 1, -50, &[1, 1]));
    let (r, l) = (mat(2, 2, 0, &[0; 4]), mat(2, 0, 0, &[]));
    let text = gap(&case, &w, &h, &b, &r, &l, &Q::zero(), &q(9, 1), Some(&Q::zero())).replace("precision 100", "precision 32");
    refused_at(&case, &text);
    // At the origin, dW = dH = (1, 0) has Q = (-1 + 1/2)/2 + ... = -1/4 over ||v||² = 2: -1/8 exactly.
    let case = Case::new("ce", "none", &[1, 1], 1, ["0.125", "0.125", "1"]);
    let build = |curvature: &Q| {
        let (dw, dh) = (mat(2, 1, 0, &[1, 0]), mat(1, 2, 0, &[1, 0]));
        let claims = [("gradient", "<=", "1*2^-10".to_string()), ("curvature", "<=", grid(curvature, 60, true))];
        certificate(&case, "strict-saddle", 32, &[("W", &w), ("H", &h), ("dW", &dw), ("dH", &dh)], &claims)
    };
    for below in [30, 31, 32, 33, 40, 60] {
        refused_at(&case, &build(&(q(-1, 8) - pow2(-below))));
    }
    verified(&case, &build(&(q(-1, 8) + pow2(-20))));
}

/// The entropy bound of ce: q = (p, 1 - p) on a grid; f* = max of it, confirmed and refuted one step around the value in f64.
#[test]
fn entropy_bound_is_sharp() {
    for p in [1i64, 3, 100, 511, 512, 900, 1023] {
        let case = Case::new("ce", "none", &[1, 3], 1, ["9", "9", "1"]);
        let r = mat(2, 2, -10, &[-p, p, p, -p]);
        let x = p as f64 / 1024.0;
        let entropy = Q::from_float(-x * x.ln() - (1.0 - x) * (1.0 - x).ln()).unwrap();
        let (w, h, empty) = (mat(2, 1, 0, &[0, 0]), mat(1, 4, 0, &[0; 4]), mat(2, 0, 0, &[]));
        let build = |lower: &Q| gap(&case, &w, &h, &empty, &r, &empty, lower, &q(1, 1), None);
        verified(&case, &build(&(&entropy - q(1, 1 << 50))));
        refused_at(&case, &build(&(&entropy + q(1, 1 << 50))));
    }
}

#[test]
fn predicates_refuse_at_their_line() {
    // P2: a free bias whose weighted columns do not cancel.
    let case = Case::new("mse", "free", &[1, 2], 1, ["1", "1", "1"]);
    let zeros = |r: usize, c: usize| mat(r, c, 0, &vec![0; r * c]);
    let build = |case: &Case, r: &[i64]| {
        gap(case, &zeros(2, 1), &zeros(1, 3), &zeros(2, 1), &mat(2, 2, -2, r), &mat(2, 0, 0, &[]), &q(-9, 1), &q(9, 1), None)
    };
    let line = |text: &str| text.lines().position(|l| l.starts_with("R ")).unwrap() + 1;
    verified(&case, &build(&case, &[-2, 1, 2, -1]));
    let text = build(&case, &[-2, 2, 2, -2]);
    assert_eq!(refused_at(&case, &text), line(&text));
    // P3: columns that do not sum to zero, or q with a negative entry.
    let case = Case::new("ce", "none", &[1, 2], 1, ["1", "1", "1"]);
    verified(&case, &build(&case, &[-4, 1, 4, -1]));
    for r in [[-4, 1, 4, -2], [-5, 1, 5, -1], [1, 1, -1, -1]] {
        let text = build(&case, &r);
        assert_eq!(refused_at(&case, &text), line(&text), "{r:?}");
    }
}
