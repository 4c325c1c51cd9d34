//! `ufm metrics`: files of every kind, their layouts, and hostile ones refused with one line.

mod cli_support;

use std::time::Duration;

use cli_support::{Desk, doubles, keys, npy, npz, raw_npy};
use proptest::prelude::*;
use serde_json::Value;

/// Three classes of four samples in dimension five.
const K: usize = 3;
const N: usize = 12;
const D: usize = 5;
/// Bad input is told at once, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(5);

fn feature(i: usize, j: usize) -> f64 {
    let class = i % K;
    f64::from(u8::from(class == j)) + 0.125 * ((1 + i * 7 + j * 3) as f64).sin()
}

fn weight(i: usize, j: usize) -> f64 {
    f64::from(u8::from(i == j))
}

fn label_bytes() -> Vec<u8> {
    npy("<i8", false, &format!("({N},)"), &(0..N).flat_map(|i| ((i % K) as i64).to_le_bytes()).collect::<Vec<u8>>())
}

fn bias_bytes() -> Vec<u8> {
    npy("<f8", false, &format!("({K},)"), &[0; 8 * K])
}

fn whole() -> Vec<u8> {
    npz(&[("features", doubles(N, D, false, feature)), ("labels", label_bytes()), ("W", doubles(K, D, false, weight)), ("b", bias_bytes())])
}

fn value(json: &Value, name: &str) -> f64 {
    json["metrics"][name]["value"].as_f64().unwrap_or_else(|| panic!("{name} in {json}"))
}

#[test]
fn json_as_the_contract_says() {
    let desk = Desk::new();
    desk.file("f.npz", whole());
    let json = desk.ufm("metrics f.npz --json").json();
    assert_eq!(keys(&json), ["classes", "samples", "dim", "convention", "warnings", "metrics"]);
    assert_eq!((json["classes"].as_u64(), json["samples"].as_u64(), json["dim"].as_u64()), (Some(3), Some(12), Some(5)));
    assert_eq!(json["convention"], "zhu");
    for name in [
        "nc1",
        "nc1_quotient",
        "cdnv",
        "nc2_etf",
        "nc2_etf_means",
        "nc2_etf_w",
        "nc2_of",
        "nc2_of_means",
        "nc2_of_w",
        "equinorm_means",
        "equinorm_w",
        "equiangle_means",
        "equiangle_w",
        "nc3",
        "nc3_align",
        "nc3_align_uncentred",
        "bias_alignment",
        "nc4",
    ] {
        let metric = &json["metrics"][name];
        assert_eq!(keys(metric), ["value", "error_bound"], "{name}");
        assert!(metric["value"].as_f64().unwrap() >= 0.0 && metric["error_bound"].as_f64().unwrap() < 1e-12, "{name}: {metric}");
    }
    assert_eq!(json["metrics"]["nc2_etf"], json["metrics"]["nc2_etf_means"]);
    desk.file("plain.npz", npz(&[("features", doubles(N, D, false, feature)), ("labels", label_bytes())]));
    let without = desk.ufm("metrics plain.npz --json").json();
    assert!(keys(&without["metrics"]).iter().all(|name| !name.ends_with("_w") && !name.starts_with("nc3") && *name != "nc4"));
    assert_eq!(without["metrics"]["nc1"], json["metrics"]["nc1"]);
}

#[test]
fn every_format_gives_the_same_numbers() {
    let desk = Desk::new();
    desk.file("f.npz", whole());
    let wanted = desk.ufm("metrics f.npz --json").json();
    desk.file("labels.npy", label_bytes());
    desk.file("w.npz", npz(&[("W", doubles(K, D, true, weight)), ("b", bias_bytes())]));
    desk.file("c.npy", doubles(N, D, false, feature));
    desk.file("fortran.npy", doubles(N, D, true, feature));
    desk.file("transposed.npy", doubles(D, N, false, |j, i| feature(i, j)));
    let big: Vec<u8> = (0..N * D).flat_map(|t| feature(t / D, t % D).to_be_bytes()).collect();
    desk.file("big.npy", npy(">f8", false, &format!("({N}, {D})"), &big));
    desk.file("point.npz", npz(&[("H", doubles(D, N, false, |j, i| feature(i, j)))]));
    let little: Vec<u8> = (0..N * D).flat_map(|t| feature(t / D, t % D).to_le_bytes()).collect();
    let header =
        format!("{{\"layer\":{{\"dtype\":\"F64\",\"shape\":[{N},{D}],\"data_offsets\":[0,{}]}},\"__metadata__\":{{}}}}", little.len());
    desk.file("s.safetensors", [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &little].concat());
    let line = |i: usize| (0..D).map(|j| format!("{:e}", feature(i, j))).collect::<Vec<_>>().join(", ");
    desk.file("t.csv", (0..N).map(|i| line(i) + "\n").collect::<String>());
    for name in ["c.npy", "fortran.npy", "transposed.npy", "big.npy", "point.npz", "s.safetensors", "t.csv"] {
        let found = desk.ufm(&format!("metrics {name} --labels labels.npy --weights w.npz --json")).json();
        assert_eq!(found["metrics"], wanted["metrics"], "{name}");
    }
    let named = (0..N).map(|i| format!("{}, {}\n", line(i), i % K)).collect::<String>();
    desk.file("named.csv", format!("a,b,c,d,e,label\n{named}"));
    assert_eq!(desk.ufm("metrics named.csv --weights w.npz --json").json()["metrics"], wanted["metrics"]);
    desk.file("labels.csv", (0..N).map(|i| format!("{}\n", i % K)).collect::<String>());
    assert_eq!(desk.ufm("metrics t.csv --labels labels.csv --weights w.npz --json").json()["metrics"], wanted["metrics"]);
    assert_eq!(desk.ufm("metrics f.npz --json --threads 1").out, desk.ufm("metrics f.npz --json --threads 3").out);
}

#[test]
fn single_precision_is_read_exactly() {
    let desk = Desk::new();
    let rounded = |i: usize, j: usize| f64::from(feature(i, j) as f32);
    let bytes: Vec<u8> = (0..N * D).flat_map(|t| (feature(t / D, t % D) as f32).to_le_bytes()).collect();
    desk.file("single.npz", npz(&[("features", npy("<f4", false, &format!("({N}, {D})"), &bytes)), ("labels", label_bytes())]));
    desk.file("double.npz", npz(&[("features", doubles(N, D, false, rounded)), ("labels", label_bytes())]));
    assert_eq!(desk.ufm("metrics single.npz --json").out, desk.ufm("metrics double.npz --json").out);
}

#[test]
fn half_precision_is_read_exactly() {
    let desk = Desk::new();
    // Sixteenths between -4 and 4: exact in every format.
    let rounded = |i: usize, j: usize| (16.0 * feature(i, j)).round() / 16.0;
    let half = |x: f64| -> u16 {
        let sign = if x < 0.0 { 0x8000 } else { 0 };
        let exponent = x.abs().log2().floor();
        if x == 0.0 { sign } else { sign | ((exponent as i32 + 15) as u16) << 10 | ((x.abs() / exponent.exp2() - 1.0) * 1024.0) as u16 }
    };
    let bytes = |bits: &dyn Fn(f64) -> u16, little: bool| -> Vec<u8> {
        let entry = |t: usize| bits(rounded(t / D, t % D));
        (0..N * D).flat_map(|t| if little { entry(t).to_le_bytes() } else { entry(t).to_be_bytes() }).collect()
    };
    let brain = |x: f64| ((x as f32).to_bits() >> 16) as u16;
    let tensors = |dtype: &str, data: Vec<u8>| {
        let header = format!("{{\"layer\":{{\"dtype\":\"{dtype}\",\"shape\":[{N},{D}],\"data_offsets\":[0,{}]}}}}", data.len());
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
    };
    desk.file("labels.npy", label_bytes());
    desk.file("double.npy", doubles(N, D, false, rounded));
    desk.file("half.npy", npy("<f2", false, &format!("({N}, {D})"), &bytes(&half, true)));
    desk.file("big.npy", npy(">f2", false, &format!("({N}, {D})"), &bytes(&half, false)));
    desk.file("half.safetensors", tensors("F16", bytes(&half, true)));
    desk.file("brain.safetensors", tensors("BF16", bytes(&brain, true)));
    let wanted = desk.ufm("metrics double.npy --labels labels.npy --json").json();
    for name in ["half.npy", "big.npy", "half.safetensors", "brain.safetensors"] {
        assert_eq!(desk.ufm(&format!("metrics {name} --labels labels.npy --json")).json()["metrics"], wanted["metrics"], "{name}");
    }
}

#[test]
fn integer_labels_of_every_width() {
    let desk = Desk::new();
    desk.file("f.npy", doubles(N, D, false, feature));
    desk.file("labels.npy", label_bytes());
    let wanted = desk.ufm("metrics f.npy --labels labels.npy --json").out;
    for width in [1usize, 2, 4, 8] {
        for (kind, big) in [("i", false), ("u", false), ("i", true), ("u", true)] {
            let order = match (width, big) {
                (1, _) => "|",
                (_, true) => ">",
                _ => "<",
            };
            let entry = |i: usize| -> Vec<u8> {
                let bytes = ((i % K) as u64).to_le_bytes()[..width].to_vec();
                if big { bytes.into_iter().rev().collect() } else { bytes }
            };
            let descr = format!("{order}{kind}{width}");
            desk.file("l.npy", npy(&descr, false, &format!("({N},)"), &(0..N).flat_map(entry).collect::<Vec<u8>>()));
            assert_eq!(desk.ufm("metrics f.npy --labels l.npy --json").out, wanted, "{descr}");
        }
    }
}

/// A page that needs nothing beside itself.
fn assert_page(text: &str, wanted: &[&str]) {
    assert!(text.starts_with("<!DOCTYPE html>") && text.ends_with("</html>\n"));
    for forbidden in ["<script", "http:", "https:", "<img", "<link", "@import", "url(", "NaN\""] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
    for part in wanted {
        assert!(text.contains(part), "{part} in the page");
    }
    assert_eq!(text.matches("role=\"img\"").count(), text.matches("<desc").count(), "every drawing is told in words");
}

#[test]
fn a_page_of_one_set_of_features() {
    let desk = Desk::new();
    desk.file("f.npz", whole());
    let plain = desk.ufm("metrics f.npz").out;
    assert_eq!(desk.ufm("metrics f.npz --report page.html").out, plain, "the page changes nothing else");
    let page = desk.text("page.html");
    let metrics = desk.ufm("metrics f.npz --json").json();
    let names = keys(&metrics["metrics"]).into_iter().filter(|name| !name.starts_with("nc2") || !name.ends_with("_means"));
    let rows: Vec<String> = names.map(|name| format!("<th scope=\"row\">{name}</th>")).collect();
    assert_page(&page, &rows.iter().map(String::as_str).collect::<Vec<_>>());
    assert_page(
        &page,
        &["Gram matrix of the centred class means", "Gram matrix of the classifier", "target I/", "within classes", "tr S_W/tr S_B"],
    );
    assert!(desk.ufm("metrics f.npz --report page.html").refusal().contains("already exists"));
    assert!(desk.ufm("metrics f.npz --report none/page.html").refusal().contains("none/page.html"));
    assert!(desk.ufm("metrics f.npz --report a --csv a").refusal().contains("--csv and --report"));
    assert_eq!(desk.text("page.html"), page);
    desk.ufm("metrics f.npz --report again.html --threads 3");
    assert_eq!(desk.text("again.html"), page, "same bytes for any number of threads");
    desk.file("plain.npz", npz(&[("features", doubles(N, D, false, feature)), ("labels", label_bytes())]));
    desk.ufm("metrics plain.npz --report plain.html");
    assert!(!desk.text("plain.html").contains("classifier's rows"), "no classifier, no pictures of it");
}

/// Snapshots of a network: layers and the weights that read them in one file, a file each epoch.
#[test]
fn layers_over_epochs() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("run")).unwrap();
    let snapshot = |epoch: usize, layers: usize| {
        let noise = |layer: usize| 4.0 / (1.0 + (epoch * layer) as f64);
        let entry = move |layer: usize| move |i: usize, j: usize| weight(i % K, j) + noise(layer) * (feature(i, j) - weight(i % K, j));
        let mut members: Vec<(String, Vec<u8>)> = vec![("labels".into(), label_bytes())];
        for layer in 0..layers {
            members.push((format!("layer{layer}"), doubles(N, D, false, entry(layer))));
            let rows = if layer + 1 == layers { K } else { D };
            members.push((format!("W{}", layer + 1), doubles(rows, D, false, weight)));
            members.push((format!("b{}", layer + 1), npy("<f8", false, &format!("({rows},)"), &vec![0; 8 * rows])));
        }
        npz(&members.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect::<Vec<_>>())
    };
    for epoch in [0, 1, 10, 100] {
        desk.file(&format!("run/epoch{epoch:04}.npz"), snapshot(epoch, 3));
    }
    let layers = desk.ufm("metrics run/epoch0100.npz --json --report layers.html").json();
    assert_eq!(
        layers["entries"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["layer0", "layer1", "layer2"]
    );
    assert_eq!(value(&layers["entries"][2], "nc4"), 0.0);
    assert!(layers["entries"][0]["metrics"]["nc4"].is_null() && layers["entries"][0]["weights"]["stable_rank"].is_number());
    assert_page(&desk.text("layers.html"), &["layer by layer", "effective depth", "Class means in the next weights", "from first to last"]);
    let run = desk.ufm("metrics run --series epochs --json --csv curves.csv --report run.html");
    let epochs = run.json();
    let names: Vec<&str> = epochs["epochs"].as_array().unwrap().iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["epoch0000", "epoch0001", "epoch0010", "epoch0100"]);
    assert_eq!(epochs["epochs"][3]["entries"], layers["entries"]);
    assert_eq!(epochs["epochs"][3]["effective_depth"], layers["effective_depth"]);
    let csv = desk.text("curves.csv");
    assert!(csv.lines().count() == 13 && csv.lines().nth(6).unwrap().starts_with("epoch0001/layer2,3,12,5,"), "{csv}");
    assert_page(
        &desk.text("run.html"),
        &["over training", "epoch + 1", "Layers at the last epoch", "Over training, from epoch0000 to epoch0100, at layer2: nc1 from"],
    );
    assert!(desk.ufm("metrics run --series epochs").out.contains("epoch0010/layer1"));
    assert!(desk.ufm("metrics run").refusal().contains("--series epochs"));
    let labels = ("labels", label_bytes());
    let layer = |name| (name, doubles(N, D, false, feature));
    desk.file("short.npz", npz(&[labels, layer("layer0"), layer("layer1"), ("W1", doubles(D, D, false, weight))]));
    assert!(desk.ufm("metrics short.npz").refusal().contains("W1 beside 2 layers (layer0, layer1)"));
    desk.file("run/epoch0200.npz", snapshot(200, 2));
    assert!(desk.ufm("metrics run --series epochs").refusal().contains("epoch0200 has other layers"));
}

#[test]
fn points_take_labels_from_their_problem() {
    let desk = Desk::new();
    let toml =
        "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 3\nper_class = 4\ndim = 12\nlambda_w = '0.005'\nlambda_h = '0.001'\n";
    desk.file("p.toml", toml);
    assert_eq!(desk.ufm("solve p.toml --out x.npz --json").code, 0);
    let json = desk.ufm("metrics x.npz --problem p.toml --json").json();
    assert!(value(&json, "nc1") < 1e-12 && value(&json, "nc2_of") < 1e-6 && value(&json, "nc4") == 0.0);
}

#[test]
fn a_square_is_refused_unless_told() {
    let desk = Desk::new();
    desk.file("square.npy", doubles(N, N, false, feature));
    desk.file("labels.npy", label_bytes());
    let error = desk.ufm("metrics square.npy --labels labels.npy");
    assert!(error.refusal().contains("--layout"), "{}", error.err);
    let (nd, dn) = (
        desk.ufm("metrics square.npy --labels labels.npy --layout nd --json"),
        desk.ufm("metrics square.npy --labels labels.npy --layout dn --json"),
    );
    assert_ne!(nd.json()["metrics"]["nc1_quotient"], dn.json()["metrics"]["nc1_quotient"]);
}

#[test]
fn layers_and_epochs() {
    let desk = Desk::new();
    let folder = |name: &str| std::fs::create_dir(desk.path(name)).unwrap();
    folder("layers");
    desk.file("labels.npy", label_bytes());
    for (layer, noise) in [(1, 8.0), (2, 1.0), (10, 0.1)] {
        let entry = |i: usize, j: usize| weight(i % K, j) + noise * (feature(i, j) - weight(i % K, j));
        desk.file(&format!("layers/layer{layer}.npy"), doubles(N, D, false, entry));
    }
    folder("maps");
    desk.file("maps/w1.npy", doubles(D, D, false, weight));
    desk.file("maps/w2.npy", doubles(D, D, false, weight));
    // P, whose top right-singular space is that of vectors of mean zero.
    let centred = |i: usize, j: usize| if j < K { weight(i, j) - 1.0 / K as f64 } else { 0.0 };
    desk.file("maps/w10.npy", doubles(K, D, false, centred));
    let json = desk.ufm("metrics layers --labels labels.npy --weights maps --json --csv curves.csv").json();
    let entries = json["entries"].as_array().unwrap();
    let names: Vec<&str> = entries.iter().map(|e| e["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["layer1", "layer2", "layer10"], "natural order");
    assert!(value(&entries[0], "nc1") > value(&entries[1], "nc1") && value(&entries[1], "nc1") > value(&entries[2], "nc1"));
    assert_eq!(json["effective_depth"]["layer"], "layer2");
    assert_eq!(value(&entries[2], "nc4"), 0.0);
    assert!(entries[0]["metrics"]["nc4"].is_null(), "only the last map is a classifier");
    let cosines = entries[2]["weights"]["principal_cosines"].as_array().unwrap();
    assert!(cosines.len() == 2 && cosines.iter().all(|c| c.as_f64().unwrap() > 0.99));
    folder("unfit");
    desk.file("unfit/w1.npy", doubles(D, D, false, weight));
    desk.file("unfit/w2.npy", doubles(D, D + 1, false, weight));
    desk.file("unfit/w10.npy", doubles(K, D, false, centred));
    let refused = desk.ufm("metrics layers --labels labels.npy --weights unfit");
    assert!(refused.refusal().contains("layer2: weights of shape (5, 6), but the layer they read has dimension 5"), "{}", refused.err);
    let csv = desk.text("curves.csv");
    assert_eq!(csv.lines().count(), 4);
    assert!(csv.starts_with("name,classes,samples,dim,nc1,nc1_error_bound,") && csv.lines().nth(1).unwrap().starts_with("layer1,3,12,5,"));
    let text = desk.ufm("metrics layers --labels labels.npy");
    assert!(text.out.contains("effective depth") && text.out.lines().count() >= 5, "{}", text.out);
    let epochs = desk.ufm("metrics layers --labels labels.npy --series epochs --json").json();
    assert!(epochs["effective_depth"].is_null());
    let members: Vec<(String, Vec<u8>)> = (1..4).map(|l| (format!("h{l}"), doubles(N, D, false, feature))).collect();
    let members: Vec<(&str, Vec<u8>)> = members.iter().map(|(n, b)| (n.as_str(), b.clone())).chain([("labels", label_bytes())]).collect();
    desk.file("all.npz", npz(&members));
    assert_eq!(desk.ufm("metrics all.npz --json").json()["entries"].as_array().unwrap().len(), 3);
}

#[test]
fn hostile_files() {
    let desk = Desk::new();
    desk.file("labels.npy", label_bytes());
    let good = doubles(N, D, false, feature);
    let with = |bad: (usize, f64)| doubles(N, D, false, |i, j| if i * D + j == bad.0 { bad.1 } else { feature(i, j) });
    let labels = |values: &[i64]| {
        npy("<i8", false, &format!("({},)", values.len()), &values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
    };
    let pair = |labels: Vec<u8>| npz(&[("features", good.clone()), ("labels", labels)]);
    let safetensors = |length: u64, header: &str| [&length.to_le_bytes()[..], header.as_bytes()].concat();
    let mut claims = npz(&[("features", npy("<f8", false, "(12, 5000000000)", &[0; 64])), ("labels", label_bytes())]);
    let table: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty.npy", vec![], &["not an npy"]),
        ("short.npy", good[..good.len() - 1].to_vec(), &["truncated"]),
        ("head.npy", good[..40].to_vec(), &["truncated"]),
        ("quad.npy", npy("<f16", false, "(12, 5)", &[0; 960]), &["<f16"]),
        ("truth.npy", npy("|b1", false, "(12, 5)", &[0; 60]), &["|b1"]),
        ("brain.npy", npy("<b2", false, "(12, 5)", &[0; 120]), &["<b2"]),
        ("complex.npy", npy("<c16", false, "(12, 5)", &[0; 960]), &["<c16"]),
        ("object.npy", npy("|O", false, "(12, 5)", &[0; 480]), &["|O"]),
        ("ints.npy", npy("<i8", false, "(12, 5)", &[0; 480]), &["integer"]),
        ("cube.npy", npy("<f8", false, "(12, 5, 1)", &[0; 480]), &["features"]),
        ("none.npy", npy("<f8", false, "(12, 0)", &[]), &["no features"]),
        ("huge.npy", npy("<f8", false, "(12, 99999999999999999)", &[0; 480]), &["truncated"]),
        ("wrap.npy", npy("<f8", false, "(9999999999999, 99999999999999999)", &[0; 480]), &["beyond any memory"]),
        ("negative.npy", npy("<f8", false, "(12, -5)", &[0; 480]), &["-5"]),
        ("header.npy", raw_npy(2, u32::MAX, b"{}", &[]), &["4294967295"]),
        ("dict.npy", raw_npy(1, 2, b"{}", &[]), &["malformed"]),
        ("other.npy", doubles(N + 1, D, false, feature), &["12 labels"]),
        ("nan.npy", with((7, f64::NAN)), &["sample 1, coordinate 2", "NaN"]),
        ("inf.npy", with((59, f64::NEG_INFINITY)), &["sample 11, coordinate 4", "-inf"]),
        ("large.npy", with((0, 1e300)), &["1.0e300", "rescale"]),
        ("minus.npz", pair(labels(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, -1])), &["label 11 is -1"]),
        ("gap.npz", pair(labels(&[0, 1, 3, 0, 1, 3, 0, 1, 3, 0, 1, 3])), &["class 2 has no samples"]),
        ("far.npz", pair(labels(&[0, 1, 4000000000, 0, 1, 2, 0, 1, 2, 0, 1, 2])), &["has no samples"]),
        ("vast.npz", pair(labels(&[0, 1, i64::MAX, 0, 1, 2, 0, 1, 2, 0, 1, 2])), &["9223372036854775807"]),
        ("one.npz", pair(labels(&[0; 12])), &["single class"]),
        ("few.npz", pair(labels(&[0, 1, 2])), &["3 labels"]),
        ("real.npz", pair(npy("<f8", false, "(12,)", &[0; 96])), &["labels are integers"]),
        ("bare.npz", npz(&[("features", good.clone())]), &["labels"]),
        (
            "w.npz",
            npz(&[("features", good.clone()), ("labels", label_bytes()), ("W", doubles(4, D, false, weight))]),
            &["W of shape (4, 5)", "(3, 5)"],
        ),
        ("cut.npz", whole()[..200].to_vec(), &["npz"]),
        ("claims.npz", std::mem::take(&mut claims), &["truncated"]),
        ("noise.bin", vec![7; 99], &["not an npy, npz, safetensors or csv"]),
        ("long.safetensors", safetensors(u64::MAX, "{}"), &["18446744073709551615"]),
        ("tiny.safetensors", vec![1, 2, 3], &["truncated"]),
        ("text.safetensors", safetensors(3, "{{{"), &["malformed"]),
        (
            "twice.safetensors",
            safetensors(
                112,
                "{\"h\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},\"h\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}}",
            ),
            &["twice"],
        ),
        ("list.safetensors", safetensors(2, "[]"), &["malformed"]),
        ("out.safetensors", safetensors(59, "{\"h\":{\"dtype\":\"F64\",\"shape\":[12,5],\"data_offsets\":[0,480]}}"), &["truncated"]),
        ("word.csv", b"1,2\n3,x\n".repeat(6), &["line 2, field 2: `x`"]),
        ("ragged.csv", b"1,2\n3\n".to_vec(), &["line 2 has 1 fields"]),
        ("blank.csv", b"\n\n".to_vec(), &["no lines"]),
    ];
    for (name, bytes, wanted) in table {
        desk.file(name, bytes);
        let run = desk.ufm(&format!("metrics {name}{}", if name.ends_with("npz") { "" } else { " --labels labels.npy" }));
        assert_eq!(run.code, 2, "{name}: {}{}", run.out, run.err);
        let error = run.refusal();
        wanted.iter().for_each(|w| assert!(error.contains(w), "{name}: `{w}` in {error}"));
        assert!(run.time < PROMPT, "{name}: {:?}", run.time);
    }
    assert!(desk.ufm("metrics missing.npy").refusal().contains("missing.npy"));
    assert!(desk.ufm("metrics nan.npy --convention odd").refusal().contains("papyan"));
    std::fs::create_dir(desk.path("empty")).unwrap();
    assert!(desk.ufm("metrics empty").refusal().contains("no npz"));
}

/// A deflated archive, as numpy.savez_compressed writes.
fn deflated(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use npyz::zip::{CompressionMethod, ZipWriter, write::FileOptions};
    use std::io::Write;
    let mut zip = ZipWriter::new(std::io::Cursor::new(vec![]));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), FileOptions::default().compression_method(CompressionMethod::Deflated)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn compressed_archives() {
    let desk = Desk::new();
    desk.file("f.npz", whole());
    let wanted = desk.ufm("metrics f.npz --json").out;
    let members = |features: Vec<u8>| {
        deflated(&[("features", features), ("labels", label_bytes()), ("W", doubles(K, D, false, weight)), ("b", bias_bytes())])
    };
    for (name, features) in [("rows.npz", doubles(N, D, false, feature)), ("columns.npz", doubles(N, D, true, feature))] {
        let file = members(features);
        desk.file(name, &file);
        assert_eq!(desk.ufm(&format!("metrics {name} --json")).out, wanted, "{name}");
        desk.file("cut.npz", &file[..file.len() / 2]);
        assert!(desk.ufm("metrics cut.npz").refusal().contains("cut.npz"));
    }
    // A claim of far more entries than the member inflates to.
    let header = npy("<f8", false, "(12, 5000000000)", &[]);
    desk.file("claim.npz", deflated(&[("features", header), ("labels", label_bytes())]));
    let run = desk.ufm("metrics claim.npz");
    assert!(run.refusal().contains("truncated") && run.time < PROMPT, "{}", run.err);
    // The same with a directory that lies about the size: the stream ends early, no memory is spent on the claim.
    let mut lie = deflated(&[("features", npy("<f8", false, "(12, 5000000)", &[0; 480])), ("labels", label_bytes())]);
    let true_size = npy("<f8", false, "(12, 5000000)", &[0; 480]).len() as u32;
    let claim = 500_000_000u32.to_le_bytes();
    for at in 0..lie.len() - 4 {
        if lie[at..at + 4] == true_size.to_le_bytes() {
            lie[at..at + 4].copy_from_slice(&claim);
        }
    }
    desk.file("lie.npz", lie);
    let run = desk.ufm("metrics lie.npz");
    assert!(run.refusal().contains("lie.npz") && run.time < PROMPT, "{}", run.err);
}

#[test]
fn one_sample_each() {
    let desk = Desk::new();
    desk.file("f.npy", doubles(3, D, false, feature));
    desk.file("l.csv", "0\n1\n2\n");
    let json = desk.ufm("metrics f.npy --labels l.csv --json").json();
    assert_eq!(value(&json, "nc1"), 0.0);
    assert!(json["warnings"][0].as_str().unwrap().contains("single sample"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    /// Bytes of valid files changed, cut or grown: never a panic, never much memory (a claim beyond the file is refused).
    #[test]
    fn mutated_files_never_panic(kind in 0usize..4, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), cut in any::<prop::sample::Index>(), cuts in any::<bool>()) {
        use ufm::metrics::{Container, Convention, Features, Layout, measure};
        let little: Vec<u8> = (0..N * D).flat_map(|t| feature(t / D, t % D).to_le_bytes()).collect();
        let header = format!("{{\"features\":{{\"dtype\":\"F64\",\"shape\":[{N},{D}],\"data_offsets\":[0,{}]}}}}", little.len());
        let (name, mut bytes) = match kind {
            0 => ("f.npz", whole()),
            1 => ("f.npy", doubles(N, D, false, feature)),
            2 => ("f.safetensors", [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &little].concat()),
            _ => ("f.csv", (0..N).map(|i| format!("{},{},{}\n", feature(i, 0), feature(i, 1), i)).collect::<String>().into_bytes()),
        };
        // Headers are where damage matters: half of the edits fall there.
        for (at, byte) in &edits {
            let span = if byte % 2 == 0 { bytes.len() } else { bytes.len().min(200) };
            let at = at.index(span);
            bytes[at] = *byte;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let desk = Desk::new();
        desk.file(name, &bytes);
        let Ok(container) = Container::open(&desk.path(name)) else { return Ok(()) };
        let labels: Vec<u32> = (0..N as u32).map(|i| i % K as u32).collect();
        for array in container.arrays() {
            let _ = array.to_labels();
            let _ = array.to_rows();
            for layout in [Layout::SamplesByDim, Layout::DimBySamples] {
                if let Ok(features) = Features::from_array(array.clone(), layout) {
                    let _ = measure(&features, &labels, None, Convention::Zhu, &|_, _| ());
                }
            }
        }
    }
}
