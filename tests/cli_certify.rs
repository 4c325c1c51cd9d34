//! `ufm certify`: verdicts, points from anywhere, certificates that the independent checker accepts.

mod cli_support;

use std::time::Duration;

use cli_support::{Desk, decimal, doubles, example, keys, npy, npz, raw_npy, wavy};
use ufm_check::{Kind, Outcome, check};

/// K, d, N of the problem below.
const SIZES: (usize, usize, usize) = (3, 4, 6);
const PROBLEM: &str =
    "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 3\nper_class = 2\ndim = 4\nlambda_w = \"0.05\"\nlambda_h = \"0.02\"\n";
/// Bad input is told at once.
const PROMPT: Duration = Duration::from_secs(2);

fn desk() -> Desk {
    let desk = Desk::new();
    desk.file("p.toml", PROBLEM);
    desk
}

/// The point's npz with entries `scale * wavy`.
fn point(scale: f64, fortran: bool) -> Vec<u8> {
    let (k, d, n) = SIZES;
    let entry = |i, j| scale * wavy(i, j);
    npz(&[("W", doubles(k, d, fortran, entry)), ("H", doubles(d, n, fortran, entry))])
}

fn verified(desk: &Desk, problem: &str, certificate: &str) -> Kind {
    match check(&desk.read(problem), &desk.read(certificate)) {
        Outcome::Verified(claim) => claim.kind,
        other => panic!("{certificate}: {other:?}"),
    }
}

#[test]
fn the_default_point_is_the_closed_form_and_a_global_minimum() {
    let desk = Desk::new();
    for name in ["mse_bias_none", "mse_bias_regularized", "ce", "imbalanced"] {
        desk.file("q.toml", std::fs::read(example(name)).unwrap());
        let run = desk.ufm(&format!("certify q.toml --out {name}.cert --json"));
        let v = run.json();
        assert_eq!((run.code, keys(&v).as_slice()), (0, &["version", "problem", "certificate", "file"][..]), "{name}");
        assert_eq!(v["file"], format!("{name}.cert"));
        let c = &v["certificate"];
        assert_eq!((&c["point"], &c["verdict"], &c["trust"]), (&"closed-form".into(), &"global-minimum".into(), &"certified".into()));
        assert!(decimal(&c["gap"]) <= 1e-9 && decimal(&c["lower"]) <= decimal(&c["upper"]));
        assert_eq!(keys(&c["collapse"]), ["within_class", "self_duality", "fit"]);
        assert_eq!(verified(&desk, "q.toml", &format!("{name}.cert")), Kind::Gap);
    }
    desk.file("q.toml", std::fs::read(example("imbalanced_ce")).unwrap());
    let v = desk.ufm("certify q.toml --out numerical.cert --json").json();
    assert_eq!(v["certificate"]["point"], "numerical", "where there is no closed form");
}

#[test]
fn many_digits_make_a_tighter_certificate() {
    let desk = Desk::new();
    desk.file("q.toml", std::fs::read(example("ce")).unwrap());
    let v = desk.ufm("certify q.toml --digits 50 --out q.cert --json").json();
    assert!(decimal(&v["certificate"]["gap"]) <= 1e-45, "{}", v["certificate"]["gap"]);
    assert_eq!(verified(&desk, "q.toml", "q.cert"), Kind::Gap);
}

#[test]
fn verdicts_of_points_that_are_no_minima() {
    let desk = desk();
    desk.file("random.npz", point(1.0, false));
    // c = K sqrt(n lambda_W lambda_H) = 0.13 < 1: zero is a strict saddle.
    desk.file("zero.npz", point(0.0, false));
    for (name, verdict, kind) in [("random", "not-critical", Kind::NotCritical), ("zero", "strict-saddle", Kind::StrictSaddle)] {
        let run = desk.ufm(&format!("certify p.toml --solution {name}.npz --out {name}.cert --json"));
        let v = run.json();
        assert_eq!((run.code, &v["certificate"]["verdict"], &v["certificate"]["point"]), (1, &verdict.into(), &"user".into()));
        assert_eq!(verified(&desk, "p.toml", &format!("{name}.cert")), kind);
        let text = desk.ufm(&format!("certify p.toml --solution {name}.npz --out {name}.2.cert"));
        assert!(text.out.contains(verdict), "{}", text.out);
    }
    let v = desk.ufm("certify p.toml --solution zero.npz --out z.cert --json").json();
    assert!(decimal(&v["certificate"]["curvature"]) < 0.0 && decimal(&v["certificate"]["gradient_norm"]) <= 1e-9);
}

#[test]
fn a_gap_above_the_tolerance_at_a_critical_point_is_a_near_minimum() {
    let desk = Desk::new();
    // One dimension for two unequal classes and a regularized bias: an isolated minimum, away from both bounds.
    let counts = PROBLEM.replace("classes = 3\n", "").replace("per_class = 2", "class_counts = [3, 1]");
    desk.file("q.toml", counts.replace("dim = 4", "dim = 1").replace("\"none\"", "\"regularized\"\nlambda_b = \"0.1\""));
    assert_eq!(desk.ufm("solve q.toml --out q.npz").code, 0);
    let run = desk.ufm("certify q.toml --solution q.npz --out q.cert --json");
    let v = run.json();
    assert_eq!((run.code, &v["certificate"]["verdict"]), (1, &"near-minimum".into()));
    assert!(decimal(&v["certificate"]["gap"]) > 1e-9 && decimal(&v["certificate"]["gradient_norm"]) <= 1e-9);
    let loose = desk.ufm("certify q.toml --solution q.npz --out loose.cert --gap-tol 10");
    assert_eq!(loose.code, 0, "{}", loose.out);
}

#[test]
fn a_certificate_is_about_one_problem() {
    let desk = desk();
    assert_eq!(desk.ufm("certify p.toml --out p.cert").code, 0);
    let other = PROBLEM.replace("0.02", "0.03");
    assert!(matches!(check(other.as_bytes(), &desk.read("p.cert")), Outcome::Rejected { line: 2, .. }));
    let before = desk.read("p.cert");
    assert!(desk.ufm("certify p.toml --out p.cert").refusal().contains("already exists"));
    assert_eq!(desk.read("p.cert"), before);
    assert!(desk.ufm("certify p.toml --out none/p.cert").refusal().contains("none/p.cert"));
    let flags = "--model plain --loss mse --bias none --classes 3 --per-class 2 --dim 4 --lambda-w 0.05 --lambda-h 0.02";
    assert!(desk.ufm(&format!("certify {flags} --out q.cert")).refusal().contains("PROBLEM.toml"));
    assert_eq!(desk.ufm("certify p.toml").code, 2, "--out is required");
}

#[test]
fn folders_are_certified_pair_by_pair() {
    let desk = desk();
    std::fs::create_dir(desk.path("runs")).unwrap();
    for (name, seed) in [("a", 1), ("b", 2)] {
        desk.file(&format!("runs/{name}.toml"), PROBLEM);
        assert_eq!(desk.ufm(&format!("solve p.toml --seed {seed} --out runs/{name}.npz")).code, 0);
    }
    desk.file("runs/alone.toml", PROBLEM);
    let run = desk.ufm("certify --solution runs --out certs --json");
    let v = run.json();
    let names: Vec<&str> = v["certificates"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!((run.code, names.as_slice()), (0, &["a", "b"][..]));
    for name in names {
        assert_eq!(verified(&desk, &format!("runs/{name}.toml"), &format!("certs/{name}.cert")), Kind::Gap);
    }
    assert!(desk.ufm("certify --solution runs --out certs").refusal().contains("already exists"));
    desk.file("runs/c.toml", PROBLEM);
    desk.file("runs/c.npz", point(1.0, false));
    assert_eq!(desk.ufm("certify --solution runs --out more").code, 1, "one point is no minimum");
    std::fs::create_dir(desk.path("empty")).unwrap();
    assert!(desk.ufm("certify --solution empty --out x").refusal().contains("empty"));
    assert!(desk.ufm("certify p.toml --solution runs --out x").refusal().contains("PROBLEM.toml"));
}

#[test]
fn either_memory_order_is_the_same_point() {
    let desk = desk();
    for (name, fortran) in [("c", false), ("f", true)] {
        desk.file(&format!("{name}.npz"), point(0.3, fortran));
        assert_eq!(desk.ufm(&format!("certify p.toml --solution {name}.npz --out {name}.cert")).code, 1);
    }
    assert_eq!(desk.read("c.cert"), desk.read("f.cert"));
}

#[test]
fn models_without_certificates_are_refused() {
    let run = Desk::new().ufm(&format!("certify {} --out x.cert", example("extended_relu")));
    assert!(run.refusal().contains("no lower bound of deep ReLU models is proved"));
}

#[test]
fn points_that_are_not_points_are_refused_at_once() {
    let (k, d, n) = SIZES;
    let w = || doubles(k, d, false, wavy);
    let h = || doubles(d, n, false, wavy);
    let one = |bad: f64| doubles(k, d, false, |i, j| if (i, j) == (1, 2) { bad } else { wavy(i, j) });
    let with_w = |w: Vec<u8>| npz(&[("W", w), ("H", h())]);
    let header = |shape: &str| npy("<f8", false, shape, &[]);
    let whole = npz(&[("W", w()), ("H", h())]);
    let nested = b"{".repeat(64);
    let table: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("transposed", with_w(doubles(d, k, false, wavy)), &["`W`", "[4, 3]", "[3, 4]"]),
        ("one-dimensional", with_w(npy("<f8", false, "(12,)", &[0; 96])), &["`W`", "[12]"]),
        ("scalar", with_w(npy("<f8", false, "()", &[0; 8])), &["`W`", "[]"]),
        ("nan", with_w(one(f64::NAN)), &["`W`", "NaN", "finite"]),
        ("infinite", with_w(one(f64::NEG_INFINITY)), &["`W`", "-inf", "finite"]),
        ("missing", npz(&[("W", w())]), &["`H`", "missing"]),
        ("extra", npz(&[("W", w()), ("H", h()), ("Q", w())]), &["`Q`", "W, H"]),
        ("odd name", npz(&[("W\u{1b}[31m\n", w()), ("W", w()), ("H", h())]), &["W, H"]),
        ("single precision", with_w(npy("<f4", false, "(3, 4)", &[0; 48])), &["`W`", "<f8"]),
        ("integers", with_w(npy("<i8", false, "(3, 4)", &[0; 96])), &["`W`", "<f8"]),
        ("objects", with_w(npy("|O", false, "(3, 4)", &[])), &["`W`", "<f8"]),
        ("bias of a problem without", npz(&[("W", w()), ("H", h()), ("b", npy("<f8", false, "(3,)", &[1; 24]))]), &["`b`", "none"]),
        ("truncated archive", whole[..whole.len() - 40].to_vec(), &["npz"]),
        ("truncated start", whole[..30].to_vec(), &["npz"]),
        ("empty file", vec![], &["npz"]),
        ("text", PROBLEM.into(), &["npz"]),
        ("bare npy", w(), &["npz"]),
        ("truncated array", with_w(npy("<f8", false, "(3, 4)", &[0; 50])), &["truncated"]),
        ("no array", with_w(b"hello".to_vec()), &["`W`", "npy"]),
        ("huge shape", with_w(header("(1099511627776, 1099511627776)")), &["`W`", "1099511627776"]),
        ("shape beyond 64 bits", with_w(header("(99999999999999999999999, 4)")), &["`W`", "99999999999999999999999"]),
        ("another large shape", with_w(header("(1000, 1000)")), &["`W`", "1000", "[3, 4]"]),
        ("header of 4 GiB", with_w(raw_npy(2, u32::MAX, b"{", &[])), &["`W`", "4294967295 bytes"]),
        ("nested header", with_w(raw_npy(1, 64, &nested, &[])), &["`W`", "header"]),
        ("binary header", with_w(raw_npy(1, 64, &[0xff; 64], &[])), &["npz"]),
    ];
    let desk = desk();
    for (name, bytes, wanted) in table {
        let file = desk.file("bad.npz", bytes);
        for command in ["certify p.toml --solution bad.npz --out x.cert", "solve p.toml --start bad.npz"] {
            let run = desk.ufm(command);
            let error = run.refusal();
            assert!(error.contains(&file), "{name}: {error}");
            wanted.iter().for_each(|w| assert!(error.contains(w), "{name}: {w} in {error}"));
            assert!(run.time < PROMPT, "{name}: {:?}", run.time);
        }
        assert!(!desk.path("x.cert").exists(), "{name}");
    }
    assert!(desk.ufm("certify p.toml --solution nowhere.npz --out x.cert").refusal().contains("nowhere.npz"));
}
