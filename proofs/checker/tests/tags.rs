//! Label smoothing and pick-all-labels at hand-computed optima: verified, sharp, and refused when the problem says otherwise.

mod common;

use common::{M, grid, mat, parse, q};
use sha2::{Digest, Sha256};
use ufm_check::{Outcome, check};

fn problem(model: &str, loss: &str, labels: &str) -> String {
    format!("model = \"{model}\"\nloss = {loss}\nbias = \"none\"\n{labels}\ndim = 1\nlambda_w = \"1\"\nlambda_h = \"1\"\n")
}

/// The origin with the dual matrix -t + m/K: a minimum once weights are large, of value log K per unit of mass.
fn certificate(problem: &str, n: usize, r: &M, value: f64) -> String {
    let hash: String = Sha256::digest(problem).iter().map(|b| format!("{b:02x}")).collect();
    let k = r.rows;
    let (w, h, l) = (mat(k, 1, 0, &vec![0; k]), mat(1, n, 0, &vec![0; n]), mat(k, 0, 0, &[]));
    let value = num_rational::BigRational::from_float(value).unwrap();
    let (lower, upper) = (&value - q(1, 1 << 40), &value + q(1, 1 << 40));
    let mut out = format!("ufm-certificate 1\nproblem sha256 {hash}\nkind gap\nprecision 60\n");
    out += &[w.text("W"), h.text("H"), r.text("R"), l.text("L")].concat();
    out += &format!("claim lower >= {}\nclaim upper <= {}\n", grid(&lower, 60, false), grid(&upper, 60, true));
    for (name, exponent) in [("gap", -38), ("within-class", -36), ("self-duality", -36), ("fit", -38)] {
        out += &format!("claim {name} <= 1*2^{exponent}\n");
    }
    out + "end\n"
}

/// Outcome, and that of the same certificate with its lower or upper bound moved past the value by 2^-38.
fn verified_and_sharp(problem: &str, text: &str) {
    let outcome = check(problem.as_bytes(), text.as_bytes());
    assert!(matches!(outcome, Outcome::Verified(_)), "{problem}{text}{outcome:?}");
    for (name, relation, shift) in [("lower", ">=", q(1, 1 << 38)), ("upper", "<=", -q(1, 1 << 38))] {
        let old = parse(text).unwrap().claim(name).unwrap().clone();
        let line = |x: &common::Q| format!("claim {name} {relation} {}", grid(x, 60, false));
        let moved = text.replace(&line(&old), &line(&(&old + &shift)));
        assert_ne!(moved, text);
        assert!(matches!(check(problem.as_bytes(), moved.as_bytes()), Outcome::Rejected { .. }), "{moved}");
    }
}

#[test]
fn smoothed_origin() {
    // K = 2, alpha = 1/4: t = (7/8, 1/8), r = (-3/8, 3/8).
    let smoothed = problem("plain", "\"label-smoothing\"\nsmoothing = \"0.25\"", "class_counts = [1, 2]");
    let r = mat(2, 2, -3, &[-3, 3, 3, -3]);
    let text = certificate(&smoothed, 3, &r, 2f64.ln());
    verified_and_sharp(&smoothed, &text);
    // K = 3, alpha = 1/10: targets 14/15 and 1/30 are not dyadic; R rounds to 2^-30 and the bound stays sharp to 2^-38.
    let third = problem("plain", "\"label-smoothing\"\nsmoothing = 0.1", "classes = 3\nper_class = 1");
    let s = ((1i64 << 40) as f64 * 0.3).round() as i64;
    let r = mat(3, 3, -40, &[-2 * s, s, s, s, -2 * s, s, s, s, -2 * s]);
    verified_and_sharp(&third, &certificate(&third, 3, &r, 3f64.ln()));
    // q = t + r negative: alpha = 1/10 leaves 1/20 at the other class.
    let little = problem("plain", "\"label-smoothing\"\nsmoothing = 0.1", "classes = 2\nper_class = 1");
    let r = mat(2, 2, -3, &[1, -1, -1, 1]);
    let outcome = check(little.as_bytes(), certificate(&little, 2, &r, 2f64.ln()).as_bytes());
    assert!(matches!(&outcome, Outcome::Rejected { reason, .. } if reason.starts_with("P3")), "{outcome:?}");
}

#[test]
fn tagged_origin() {
    // Tag sets {0}, {1}, {0, 1} of K = 2: masses 1, 1, 2, r = (-1/2, 1/2), (1/2, -1/2), 0; value (2 + 1 + 2 * 2) log 2 / 5.
    let listed = "classes = 2\ntag_sets = [[0], [1], [0, 1]]\ntag_counts = [2, 1, 2]";
    let r = mat(2, 3, -1, &[-1, 1, 0, 1, -1, 0]);
    let listed = problem("multi-label", "\"pick-all-labels\"", listed);
    let value = 7.0 / 5.0 * 2f64.ln();
    verified_and_sharp(&listed, &certificate(&listed, 5, &r, value));
    // The same by multiplicity, in either order of the table.
    for table in ["{ 1 = 2, 2 = 1 }", "{2=1,1=2}"] {
        let balanced = problem("multi-label", "\"pick-all-labels\"", &format!("classes = 2\nper_tag_set = {table}"));
        verified_and_sharp(&balanced, &certificate(&balanced, 5, &r, 6.0 / 5.0 * 2f64.ln()));
    }
    // All three-element and two-element sets of four classes, lexicographically: r = -t + m/4.
    let four = problem("multi-label", "\"pick-all-labels\"", "classes = 4\nper_tag_set = { 3 = 1, 2 = 1 }");
    let sets = [[0, 1, 4], [0, 2, 4], [0, 3, 4], [1, 2, 4], [1, 3, 4], [2, 3, 4], [0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]];
    let entry = |k: usize, set: &[usize; 3]| set.iter().filter(|&&t| t < 4).count() as i64 - if set.contains(&k) { 4 } else { 0 };
    let entries: Vec<i64> = (0..4).flat_map(|k| sets.iter().map(move |set| entry(k, set))).collect();
    verified_and_sharp(&four, &certificate(&four, 10, &mat(4, 10, -2, &entries), 2.4 * 4f64.ln()));
}

#[test]
fn tag_sets_that_are_refused() {
    let base = "classes = 2\ntag_sets = [[0], [1], [0, 1]]\ntag_counts = [2, 1, 2]";
    for labels in [
        "classes = 2\ntag_sets = [[0], [1], [1, 0]]\ntag_counts = [2, 1, 2]",
        "classes = 2\ntag_sets = [[0], [1], [0, 2]]\ntag_counts = [2, 1, 2]",
        "classes = 2\ntag_sets = [[0], [1], [1]]\ntag_counts = [2, 1, 2]",
        "classes = 2\ntag_sets = [[0], [1], []]\ntag_counts = [2, 1, 2]",
        "classes = 2\ntag_sets = [[0], [1]]\ntag_counts = [2, 1, 2]",
        "classes = 2\ntag_sets = [[0], [1], [0, 1]]\ntag_counts = [2, 0, 3]",
        "classes = 2\ntag_sets = [0, 1]\ntag_counts = [2, 1]",
        "classes = 2\ntag_sets = [[[0]], [1]]\ntag_counts = [2, 1]",
        "classes = 2\ntag_sets = [[0][1]]\ntag_counts = [2, 1]",
        "classes = 2\ntag_sets = [[0], [1], [0, 1]]",
        "classes = 2\nper_tag_set = { 3 = 1 }",
        "classes = 2\nper_tag_set = { 1 = 1, 1 = 2 }",
        "classes = 2\nper_tag_set = { 1 = 1, }",
        "classes = 2\nper_tag_set = { }",
        "classes = 2\nper_tag_set = [1, 1]",
        "classes = 100000\nper_tag_set = { 50000 = 1 }",
        "classes = 2\nper_class = 1\nper_tag_set = { 1 = 1 }",
        "classes = 1\nper_tag_set = { 1 = 1 }",
    ] {
        let refused = problem("multi-label", "\"pick-all-labels\"", labels);
        assert!(matches!(check(refused.as_bytes(), b"ufm-certificate 1\n"), Outcome::Unsupported(_)), "{labels}");
    }
    let good = problem("multi-label", "\"pick-all-labels\"", base);
    assert!(!matches!(check(good.as_bytes(), b"ufm-certificate 1\n"), Outcome::Unsupported(_)));
}
