//! `ufm hunt` as a person runs it.

mod cli_support;

use cli_support::*;
use ufm_check::{Outcome, check};

const RELU: &str = "model = \"deep-relu\"\nloss = \"mse\"\nclasses = 4\nper_class = 1\ndim = 6\nlambdas = [\"0.004\", \"0.004\", \"0.004\", \"0.004\", \"0.004\"]\n";

#[test]
fn a_counterexample_is_written_and_accepted() {
    let desk = Desk::new();
    desk.file("p.toml", RELU);
    let value = desk.ufm("hunt p.toml --starts 16 --json --out p.cert").json();
    assert_eq!((&value["found"], &value["trust"]), (&true.into(), &"certified".into()));
    assert!(decimal(&value["objective"]) < decimal(&value["collapsed"]));
    assert_eq!(value["ranks"].as_array().unwrap().len(), 5);
    assert_eq!(value["layers"].as_array().unwrap().len(), 5);
    assert_eq!((&value["file"], &value["point"]), (&"p.cert".into(), &"p.npz".into()));
    assert!(matches!(check(RELU.as_bytes(), &desk.read("p.cert")), Outcome::Verified(_)));
    // The point beside the certificate is the certificate's: solving from it stays below the collapsed value.
    let solved = desk.ufm("solve p.toml --start p.npz --json").json();
    assert!(decimal(&solved["numerical"]["objective"]) <= decimal(&value["objective"]) * (1.0 + 1e-12));
    assert_eq!(solved["numerical"]["layers"].as_array().unwrap().len(), 5);
    // Nothing is overwritten.
    assert!(desk.ufm("hunt p.toml --out p.cert").refusal().contains("p.cert already exists"));
    assert!(desk.ufm("hunt p.toml --out other/p.cert").refusal().contains("folder"));
    std::fs::remove_file(desk.path("p.cert")).unwrap();
    assert!(desk.ufm("hunt p.toml --out p.cert").refusal().contains("p.npz already exists"));
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let desk = Desk::new();
    desk.file("p.toml", RELU);
    for threads in [1, 3] {
        assert_eq!(desk.ufm(&format!("hunt p.toml --starts 8 --threads {threads} --out t{threads}.cert")).code, 0);
    }
    assert_eq!(desk.read("t1.cert"), desk.read("t3.cert"));
    assert_eq!(desk.read("t1.npz"), desk.read("t3.npz"));
}

#[test]
fn none_found_is_said_and_nothing_written() {
    let desk = Desk::new();
    desk.file("relu.toml", RELU.replace("[\"0.004\", \"0.004\", \"0.004\", \"0.004\", \"0.004\"]", "[\"0.004\", \"0.004\", \"0.004\"]"));
    desk.file("linear.toml", RELU.replace("deep-relu", "deep-linear"));
    for name in ["relu", "linear"] {
        let run = desk.ufm(&format!("hunt {name}.toml --starts 8 --json --out {name}.cert"));
        assert_eq!(run.code, 1);
        let value = run.json();
        assert_eq!((&value["found"], &value["trust"]), (&false.into(), &"measured".into()));
        let reason = value["reason"].as_str().unwrap();
        assert!(reason.starts_with("none found in 8 starts"), "{reason}");
        assert!(decimal(&value["objective"]) >= decimal(&value["collapsed"]) * (1.0 - 1e-13));
        assert!(!desk.path(&format!("{name}.cert")).exists() && !desk.path(&format!("{name}.npz")).exists());
    }
    let run = desk.ufm("hunt relu.toml --starts 4 --out relu.cert");
    assert!(
        run.code == 1 && run.out.contains("none found in 4 starts") && run.out.contains("does not prove that none exists"),
        "{}",
        run.out
    );
}

#[test]
fn a_time_limit_ends_the_search_and_says_so() {
    let desk = Desk::new();
    desk.file("p.toml", RELU.replace("classes = 4", "classes = 10").replace("dim = 6", "dim = 20"));
    let run = desk.ufm("hunt p.toml --starts 100000 --time-limit 0.5 --json --out p.cert");
    assert!(run.time.as_secs() < 60);
    let value = run.json();
    assert_eq!(value["cut_short"], true);
    assert!(value["starts"].as_u64().unwrap() < 100_000);
}

#[test]
fn bad_input_is_refused() {
    let desk = Desk::new();
    desk.file("p.toml", RELU);
    desk.file("narrow.toml", RELU.replace("dim = 6", "dim = 3"));
    desk.file(
        "plain.toml",
        "model = \"plain\"\nloss = \"mse\"\nbias = \"none\"\nclasses = 2\nper_class = 1\ndim = 2\nlambda_w = \"1\"\nlambda_h = \"1\"\n",
    );
    assert!(desk.ufm("hunt narrow.toml --out a.cert").refusal().contains("dim = 3"));
    assert!(desk.ufm("hunt plain.toml --out a.cert").refusal().contains("deep-relu"));
    assert!(desk.ufm("hunt p.toml --out a.npz").refusal().contains("another extension"));
    assert!(desk.ufm("hunt p.toml --starts 0 --out a.cert").refusal().contains("from 1 to 1000000"));
    assert!(desk.ufm("hunt --model deep-relu --out a.cert").code == 2);
    assert!(desk.ufm("hunt p.toml").code == 2, "--out is needed");
}
