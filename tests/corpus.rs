//! The corpus of problems with known minima: made afresh it is the same, and every pair gets the verdict and gap that theory demands.

#[path = "../examples/corpus.rs"]
mod corpus;

mod cli_support;

use std::{collections::BTreeMap, path::Path};

use cli_support::{Desk, Run, decimal};
use serde_json::Value;
use sha2::{Digest, Sha256};
use ufm_check::{Kind, Outcome, check};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/corpus");

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

fn manifest() -> Vec<Value> {
    let value: Value = serde_json::from_slice(&std::fs::read(Path::new(FOLDER).join("manifest.json")).unwrap()).unwrap();
    value["pairs"].as_array().unwrap().clone()
}

#[test]
fn the_generator_makes_the_same_files() {
    let desk = Desk::new();
    let made = desk.path("corpus");
    let count = corpus::generate(&made).unwrap();
    let (ours, theirs) = (files(Path::new(FOLDER)), files(&made));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, bytes) in &ours {
        assert!(bytes == &theirs[name], "{name} drifted: cargo run --release --example corpus -- NEW FOLDER");
    }
    assert_eq!(ours.len(), 2 * count + 1);
    assert!(corpus::generate(&made).is_err(), "nothing is overwritten");
}

#[test]
fn hashes_are_those_of_the_manifest() {
    let files = files(Path::new(FOLDER));
    for pair in manifest() {
        for kind in ["toml", "npz"] {
            let name = format!("{}.{kind}", pair["name"].as_str().unwrap());
            let hash: String = Sha256::digest(&files[&name]).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(pair["sha256"][kind], hash.as_str(), "{name}");
        }
    }
}

fn certificates(run: &Run) -> BTreeMap<String, Value> {
    let value = run.json();
    let list = value["certificates"].as_array().unwrap().clone();
    list.into_iter().map(|c| (c["name"].as_str().unwrap().to_owned(), c)).collect()
}

#[test]
fn every_pair_gets_its_verdict_and_gap() {
    let desk = Desk::new();
    let run = desk.ufm_args(&["certify", "--solution", FOLDER, "--json", "--out", "certs"]);
    assert_eq!(run.code, 1, "not all are minima");
    let (found, expected) = (certificates(&run), manifest());
    assert_eq!(found.len(), expected.len());
    for pair in &expected {
        let name = pair["name"].as_str().unwrap();
        let c = &found[name];
        assert_eq!(c["verdict"], pair["verdict"], "{name}: {c}");
        assert!(c["tight"].is_null(), "{name}: every bound is attained");
        // 15 digits of a bound below 2, each rounded outwards.
        let (lower, upper) = (decimal(&c["lower"]), decimal(&c["upper"]));
        assert!(lower <= decimal(&pair["minimum"]["upper"]) && decimal(&pair["minimum"]["lower"]) <= upper, "{name}: {c}");
        let (gap, least, most) = (decimal(&c["gap"]), decimal(&pair["gap"]["least"]), decimal(&pair["gap"]["most"]));
        assert!(least <= gap && gap <= most, "{name}: gap {gap:e}, not in [{least:e}, {most:e}]");
        let problem = std::fs::read(Path::new(FOLDER).join(format!("{name}.toml"))).unwrap();
        let kind = match pair["verdict"].as_str().unwrap() {
            "strict-saddle" => Kind::StrictSaddle,
            "not-critical" => Kind::NotCritical,
            _ => Kind::Gap,
        };
        match check(&problem, &desk.read(&format!("certs/{name}.cert"))) {
            Outcome::Verified(claim) => assert_eq!(claim.kind, kind, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// More digits tell an exact minimiser, whose gap vanishes with them, from one that is off by one ulp.
#[test]
fn one_ulp_is_seen_with_enough_digits() {
    let desk = Desk::new();
    let source = Path::new(FOLDER);
    let names = ["exact-minimiser", "exact-minimiser-one-ulp-off"];
    std::fs::create_dir(desk.path("exact")).unwrap();
    for file in names.iter().flat_map(|name| [format!("{name}.toml"), format!("{name}.npz")]) {
        std::fs::copy(source.join(&file), desk.path("exact").join(&file)).unwrap();
    }
    let found = certificates(&desk.ufm("certify --solution exact --digits 60 --gap-tol 1e-60 --json"));
    let [exact, off] = names.map(|name| &found[name]);
    assert_eq!((&exact["verdict"], &off["verdict"]), (&"global-minimum".into(), &"near-minimum".into()), "{exact} {off}");
    let expected = manifest();
    let pair = expected.iter().find(|p| p["name"] == names[1]).unwrap();
    assert!(decimal(&pair["excess"]["lower"]) > 1e-33 && decimal(&off["gap"]) >= decimal(&pair["excess"]["lower"]), "{pair} {off}");
    assert!(decimal(&exact["gap"]) <= 1e-60 && decimal(&off["gap"]) <= f64::EPSILON, "{exact} {off}");
}

/// A pair that cannot be read is named and does not stop the others; a problem without a point is listed.
#[test]
fn unreadable_pairs_do_not_stop_the_others() {
    let desk = Desk::new();
    let source = Path::new(FOLDER);
    std::fs::create_dir(desk.path("runs")).unwrap();
    for name in ["a", "b", "c"] {
        std::fs::copy(source.join("minimiser-ce-free.toml"), desk.path(&format!("runs/{name}.toml"))).unwrap();
    }
    std::fs::copy(source.join("minimiser-ce-free.npz"), desk.path("runs/b.npz")).unwrap();
    desk.file("runs/a.npz", "not a point");
    let run = desk.ufm("certify --solution runs --json");
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("runs: 1 of 2 pairs"), "{}", run.err);
    let value: Value = serde_json::from_str(&run.out).unwrap();
    let list = value["certificates"].as_array().unwrap();
    assert!(list[0]["name"] == "a" && list[0]["error"].as_str().unwrap().contains("a.npz"), "{value}");
    assert!(list[1]["name"] == "b" && list[1]["verdict"] == "global-minimum", "{value}");
    assert_eq!(value["without_point"], serde_json::json!(["c"]));
    let text = desk.ufm("certify --solution runs");
    assert!(text.out.contains("a  error: ") && text.out.contains("c  no point: not judged"), "{}", text.out);
    std::fs::remove_file(desk.path("runs/a.npz")).unwrap();
    assert_eq!(desk.ufm("certify --solution runs").code, 0);
}
