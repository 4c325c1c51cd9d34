//! Kernels under test: corrupted ones are caught in every operation, figures are reproducible, files and baselines are judged.

mod cli_support;

use std::path::Path;

use cli_support::{Desk, doubles, npy, npz};
use faer::{Mat, MatRef};
use serde_json::{Value, json};
use ufm::kernels::{
    Case, Entry, Faer, Kernel, Operation, Options, Outcome, Refusal, Suite, ThinSvd, cases, compare, emit, judge, multiples, run,
};
use ufm::report::{kernel_json, kernel_page, kernel_table};

fn untimed(operations: &[Operation], largest: usize) -> Options {
    Options { operations: operations.to_vec(), largest, timed: false }
}

fn built_in(operations: &[Operation], largest: usize) -> Vec<Entry> {
    run(&ufm::kernels::doubles(), &untimed(operations, largest), &|| {})
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// One sine of a rotation has the wrong sign.
    RotatedSign,
    /// One fused multiply-add of one sum is missing.
    DroppedTerm,
    SinglePrecision,
}

struct Corrupted(Fault);

impl Corrupted {
    fn computed<R>(
        &self,
        a: MatRef<'_, f64>,
        double: impl Fn(MatRef<'_, f64>) -> Result<R, Refusal>,
        single: impl Fn(MatRef<'_, f32>) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        if self.0 == Fault::SinglePrecision { single(narrow(a).as_ref()) } else { double(a) }
    }

    /// Rotates the first two columns by a small angle, the second one with the wrong sign.
    fn rotate(&self, q: &mut Mat<f64>) {
        if self.0 != Fault::RotatedSign || q.ncols() < 2 {
            return;
        }
        let (s, c) = 0.1f64.sin_cos();
        for i in 0..q.nrows() {
            let (x, y) = (q[(i, 0)], q[(i, 1)]);
            (q[(i, 0)], q[(i, 1)]) = (c * x + s * y, c * y + s * x);
        }
    }

    fn drops(&self) -> bool {
        self.0 == Fault::DroppedTerm
    }
}

fn narrow(a: MatRef<'_, f64>) -> Mat<f32> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] as f32)
}

fn widen(a: Mat<f32>) -> Mat<f64> {
    Mat::from_fn(a.nrows(), a.ncols(), |i, j| f64::from(a[(i, j)]))
}

fn widen_all(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

impl Kernel<f64> for Corrupted {
    fn name(&self) -> &str {
        "corrupted"
    }

    fn gemm(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        let mut c = self.computed(a, |a| Faer.gemm(a, b), |a| Faer.gemm(a, narrow(b).as_ref()).map(widen))?;
        self.rotate(&mut c);
        if self.drops() && c.nrows() > 0 && c.ncols() > 0 {
            c[(0, 0)] -= a[(0, 0)] * b[(0, 0)];
        }
        Ok(c)
    }

    fn cholesky(&self, a: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        let mut l = self.computed(a, |a| Faer.cholesky(a), |a| Faer.cholesky(a).map(widen))?;
        let n = l.nrows();
        if n > 1 {
            match self.0 {
                Fault::RotatedSign => l[(n - 1, 0)] *= -1.0,
                Fault::DroppedTerm => l[(n - 1, n - 1)] = l[(n - 1, n - 1)].hypot(l[(n - 1, 0)]),
                Fault::SinglePrecision => {}
            }
        }
        Ok(l)
    }

    fn qr(&self, a: MatRef<'_, f64>) -> Result<(Mat<f64>, Mat<f64>), Refusal> {
        let (mut q, mut r) = self.computed(a, |a| Faer.qr(a), |a| Faer.qr(a).map(|(q, r)| (widen(q), widen(r))))?;
        self.rotate(&mut q);
        if self.drops() && r.nrows() > 0 && r.ncols() > 0 {
            let last = r.ncols() - 1;
            r[(0, last)] -= q[(0, 0)] * a[(0, last)];
        }
        Ok((q, r))
    }

    fn eigh(&self, a: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), Refusal> {
        let (mut w, mut v) = self.computed(a, |a| Faer.eigh(a), |a| Faer.eigh(a).map(|(w, v)| (widen_all(w), widen(v))))?;
        self.rotate(&mut v);
        if self.drops() {
            w[0] -= v[(0, 0)] * a[(0, 0)] * v[(0, 0)];
        }
        Ok((w, v))
    }

    fn svd(&self, a: MatRef<'_, f64>) -> Result<ThinSvd<f64>, Refusal> {
        let single = |a: MatRef<'_, f32>| Faer.svd(a).map(|(u, s, v)| (widen(u), widen_all(s), widen(v)));
        let (mut u, mut s, v) = self.computed(a, |a| Faer.svd(a), single)?;
        self.rotate(&mut u);
        if self.drops() && !s.is_empty() {
            s[0] -= u[(0, 0)] * a[(0, 0)] * v[(0, 0)];
        }
        Ok((u, s, v))
    }

    fn solve(&self, a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
        let mut x = self.computed(a, |a| Faer.solve(a, b), |a| Faer.solve(a, narrow(b).as_ref()).map(widen))?;
        self.rotate(&mut x);
        let n = x.nrows();
        if self.drops() && n > 1 {
            x[(0, 0)] += a[(0, n - 1)] * x[(n - 1, 0)] / a[(0, 0)];
        }
        Ok(x)
    }
}

#[test]
fn corrupted_kernels_are_caught_in_every_operation() {
    for fault in [Fault::RotatedSign, Fault::DroppedTerm, Fault::SinglePrecision] {
        let kernel = Corrupted(fault);
        for operation in Operation::ALL {
            let entries = run::<f64>(&[&kernel], &untimed(&[operation], 10), &|| {});
            let caught: Vec<&Entry> = entries.iter().filter(|e| !e.passes()).collect();
            // The plain random case is enough: no rare matrix is needed.
            let name = format!("{}-random-10", operation.name());
            let random = caught.iter().find(|e| e.case == name).unwrap_or_else(|| panic!("{name} is not caught"));
            let text = random.fault().unwrap();
            assert!(text.contains(&name) && text.contains("ratio"), "{text}");
            assert!(caught.iter().all(|e| e.exception.is_none()), "exceptions are for built-in kernels");
        }
    }
}

/// Twice in double precision: the figures are the same to the bit.
#[test]
fn built_in_kernels_pass() {
    let mut entries = built_in(&Operation::ALL, 50);
    assert_eq!(entries, built_in(&Operation::ALL, 50));
    entries.extend(run(&ufm::kernels::singles(), &untimed(&Operation::ALL, 50), &|| {}));
    entries.extend(run(&multiples(), &untimed(&Operation::ALL, 10), &|| {}));
    let faults: Vec<String> = entries.iter().filter(|e| !e.passes()).filter_map(Entry::fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn cases_have_unique_names_and_fixed_entries() {
    let all: Vec<Case<f64>> = Operation::ALL.into_iter().flat_map(|o| cases(o, 50)).collect();
    let mut names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')));
    let wilkinson = all.iter().find(|c| c.name == "eigh-wilkinson-21").unwrap();
    assert_eq!((wilkinson.a[(0, 0)], wilkinson.a[(10, 10)], wilkinson.a[(20, 20)], wilkinson.a[(3, 4)]), (10.0, 0.0, 10.0, 1.0));
    let hilbert = all.iter().find(|c| c.name == "svd-hilbert-10").unwrap();
    assert_eq!(hilbert.a[(2, 4)], 1.0 / 7.0);
}

#[test]
fn empty_and_single() {
    for e in built_in(&Operation::ALL, 1) {
        let (m, n, _) = e.shape;
        assert!(m <= 1 && n <= 1);
        match &e.outcome {
            Outcome::Scored(score) => assert!(score.passes(), "{:?}", e),
            Outcome::NotOffered(why) => assert!((m == 0 && why.contains("empty")) || why.contains("no such operation"), "{e:?}"),
            Outcome::Failed(why) => panic!("{}: {why}", e.case),
        }
    }
}

/// Results of faer as npz bytes, in the names and shapes of the operation.
fn outputs(case: &Case<f64>) -> Vec<(&'static str, Vec<usize>, Mat<f64>)> {
    let a = case.a.as_ref();
    let b = || case.b.as_ref().unwrap().as_ref();
    let column = |x: Vec<f64>| Mat::from_fn(x.len(), 1, |i, _| x[i]);
    let matrices = match case.operation {
        Operation::Gemm => vec![Faer.gemm(a, b()).unwrap()],
        Operation::Cholesky => vec![Faer.cholesky(a).unwrap()],
        Operation::Qr => {
            let (q, r) = Faer.qr(a).unwrap();
            vec![q, r]
        }
        Operation::Eigh if a.nrows() == 0 => vec![Mat::zeros(0, 1), Mat::zeros(0, 0)],
        Operation::Eigh => {
            let (w, v) = Faer.eigh(a).unwrap();
            vec![column(w), v]
        }
        Operation::Svd => {
            // What faer is known to get wrong is done on a matrix of norm 1.
            let exponent = if case.name.contains("overflow") { -971 } else { 971 };
            let extreme = case.name.contains("flow");
            let scaled = Mat::from_fn(a.nrows(), a.ncols(), |i, j| if extreme { a[(i, j)] * f64::powi(2.0, exponent) } else { a[(i, j)] });
            let (u, s, v) = Faer.svd(scaled.as_ref()).unwrap();
            let back = if extreme { f64::powi(2.0, -exponent) } else { 1.0 };
            vec![u, column(s.into_iter().map(|x| x * back).collect()), v]
        }
        Operation::Solve => vec![Faer.solve(a, b()).unwrap()],
    };
    let names = case.operation.outputs(case.shape(), case.columns());
    names.into_iter().zip(matrices).map(|((name, shape), matrix)| (name, shape, matrix)).collect()
}

fn array(shape: &[usize], a: &Mat<f64>) -> Vec<u8> {
    match shape {
        [n] => npy("<f8", false, &format!("({n},)"), &(0..*n).flat_map(|i| a[(i, 0)].to_le_bytes()).collect::<Vec<_>>()),
        _ => doubles(a.nrows(), a.ncols(), true, |i, j| a[(i, j)]),
    }
}

fn write(folder: &Path, case: &Case<f64>) {
    let members: Vec<(&str, Vec<u8>)> = outputs(case).iter().map(|(name, shape, a)| (*name, array(shape, a))).collect();
    std::fs::write(folder.join(format!("{}.out.npz", case.name)), npz(&members)).unwrap();
}

#[test]
fn outputs_in_files_are_judged() {
    let desk = Desk::new();
    let folder = desk.path("cases");
    let count = emit(&folder, &Operation::ALL, &|| {}).unwrap();
    assert!(emit(&folder, &Operation::ALL, &|| {}).unwrap_err().to_string().contains("exists"), "nothing is overwritten");
    let all: Vec<Case<f64>> = Operation::ALL.into_iter().flat_map(|o| cases(o, usize::MAX)).collect();
    assert_eq!(all.len(), count);
    all.iter().for_each(|case| write(&folder, case));
    let entries = judge(&folder, &Operation::ALL, &|| {}).unwrap();
    assert_eq!(entries.len(), count);
    let faults: Vec<String> = entries.iter().filter_map(Entry::fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");

    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["precision"], "f64");
    let first = &manifest["cases"][0];
    assert!(folder.join(first["input_file"].as_str().unwrap()).exists());
    assert_eq!(first["outputs"][0]["name"], "C");
}

/// Each spoilt output is a fault of its case, and of that one alone.
#[test]
fn spoilt_outputs_are_caught() {
    let desk = Desk::new();
    assert_eq!(desk.ufm("kernels cholesky --emit cases").code, 0);
    assert_eq!(desk.ufm("kernels cholesky --emit cases").refusal().matches("exists").count(), 1);
    let all: Vec<Case<f64>> = cases(Operation::Cholesky, 10);
    let folder = desk.path("cases");
    // Only what the manifest lists is judged: the small cases.
    let manifest = folder.join("manifest.json");
    let mut listed: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    listed["cases"].as_array_mut().unwrap().retain(|case| all.iter().any(|c| c.name == case["case"]));
    std::fs::write(&manifest, listed.to_string()).unwrap();
    let judged = |wanted: &str| {
        let run = desk.ufm("kernels cholesky --judge cases --json");
        let value = run.json();
        let spoilt: Vec<&Value> = value["results"].as_array().unwrap().iter().filter(|r| r["passes"] == false).collect();
        assert_eq!((run.code, spoilt.len()), (1, 1), "{wanted}");
        assert_eq!(spoilt[0]["case"], "cholesky-random-5");
        assert!(spoilt[0].to_string().contains(wanted), "{wanted}: {}", spoilt[0]);
    };
    all.iter().for_each(|case| write(&folder, case));
    assert_eq!(desk.ufm("kernels cholesky --judge cases").code, 0);
    let case = all.iter().find(|c| c.name == "cholesky-random-5").unwrap();
    let path = folder.join("cholesky-random-5.out.npz");
    let l = Faer.cholesky(case.a.as_ref()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let spoil = |bytes: &[u8], wanted: &str| {
        std::fs::write(&path, bytes).unwrap();
        judged(wanted);
    };
    let changed = |entry: &dyn Fn(usize, usize) -> f64| npz(&[("L", doubles(5, 5, false, entry))]);
    spoil(&changed(&|i, j| if (i, j) == (2, 1) { f64::NAN } else { l[(i, j)] }), "finite");
    spoil(&changed(&|i, j| if (i, j) == (4, 0) { -l[(i, j)] } else { l[(i, j)] }), "residual");
    spoil(&changed(&|i, j| if (i, j) == (0, 4) { 1e-300 } else { l[(i, j)] }), "definition of L");
    spoil(&changed(&|i, j| f64::from(l[(i, j)] as f32)), "dpot01");
    spoil(&npz(&[("L", doubles(5, 4, false, |i, j| l[(i, j)]))]), "shape");
    spoil(&npz(&[("R", doubles(5, 5, false, |i, j| l[(i, j)]))]), "unknown");
    spoil(&npz(&[("L", npy("<f4", false, "(5, 5)", &[0; 100]))]), "<f8");
    spoil(&npz(&[("L", npy("<f8", false, "(5, 5)", &[0; 100]))]), "cholesky-random-5.out.npz");
    for length in [0, 30, whole.len() / 2, whole.len() - 1] {
        spoil(&whole[..length], "cholesky-random-5.out.npz");
    }
    std::fs::remove_file(&path).unwrap();
    judged("missing");
    let text = desk.ufm("kernels cholesky --judge cases").out;
    assert!(text.contains("fault: judged f64 cholesky-random-5:"), "{text}");

    for (bytes, wanted) in [
        ("{", "JSON"),
        ("{}", "format"),
        (r#"{"format": "ufm-kernels-1"}"#, "cases"),
        (r#"{"format": "ufm-kernels-1", "cases": []}"#, "no case"),
        (r#"{"format": "ufm-kernels-1", "cases": [{"case": "x"}]}"#, "no case `x`"),
        (r#"{"format": "ufm-kernels-1", "cases": [{"case": "cholesky-random-5", "sha256": "00"}]}"#, "emit the cases again"),
    ] {
        std::fs::write(&manifest, bytes).unwrap();
        let run = desk.ufm("kernels --judge cases");
        assert!(run.refusal().contains(wanted), "{wanted}: {}", run.err);
    }
    assert!(desk.ufm("kernels --judge nowhere").refusal().contains("nowhere"));
}

fn suite(entries: Vec<Entry>) -> Suite {
    Suite { entries, peaks: vec![("f64".into(), 20.0)], threads: 2 }
}

#[test]
fn baselines_show_regressions() {
    let options = Options { operations: vec![Operation::Cholesky], ..Options::default() };
    let mut suite = suite(run::<f64>(&[&Faer], &options, &|| {}));
    // A busy machine has noise of its own: the comparison is tested on figures that are given.
    for speed in suite.entries.iter_mut().filter_map(|e| e.speed.as_mut()) {
        (speed.median, speed.deviation) = (1e-3, 1e-5);
    }
    let value = Value::Object(kernel_json(&suite));
    // What was printed reads back to the same figures.
    let value: Value = serde_json::from_str(&value.to_string()).unwrap();
    assert_eq!(compare(&value, &suite.entries, 2).unwrap(), Vec::<String>::new());

    let index = suite.entries.iter().position(|e| e.case == "cholesky-random-10").unwrap();
    let timed = suite.entries.iter().position(|e| e.speed.is_some()).unwrap();
    let regressions = |change: &dyn Fn(&mut Value)| {
        let mut old = value.clone();
        change(&mut old["results"]);
        compare(&old, &suite.entries, 2)
    };
    let ratio = value["results"][index]["ratios"][0]["value"].as_str().unwrap().parse::<f64>().unwrap();
    let found = regressions(&|r| r[index]["ratios"][0]["value"] = json!(format!("{:e}", ratio.next_down()))).unwrap();
    assert!(found.len() == 1 && found[0].contains("cholesky-random-10") && found[0].contains("residual"), "{found:?}");
    assert!(regressions(&|r| r[index]["ratios"][0]["value"] = json!(format!("{:e}", ratio.next_up()))).unwrap().is_empty());
    let found = regressions(&|r| r[index]["forward_error"] = json!("1e-40")).unwrap();
    assert!(found.len() == 1 && found[0].contains("forward error"), "{found:?}");
    let median = suite.entries[timed].speed.as_ref().unwrap().median;
    let speed = |median: f64| json!({ "median": median, "deviation": 0.0 });
    let found = regressions(&|r| r[timed]["speed"] = speed(median / 1e6)).unwrap();
    assert!(found.len() == 1 && found[0].contains("cholesky-large-200") && found[0].contains("times as long"), "{found:?}");
    assert!(regressions(&|r| r[timed]["speed"] = speed(median * 2.0)).unwrap().is_empty());

    type Change<'a> = &'a dyn Fn(&mut Value);
    let refusals: [(Change, &str); 7] = [
        (&|r| *r = json!(3), "not a list"),
        (&|r| *r = json!([]), "no result for"),
        (&|r| r[index]["seed"] = json!("1"), "seed"),
        (&|r| r[index]["outcome"] = json!("fine"), "fine"),
        (&|r| r[index]["ratios"][0]["value"] = json!("NaN"), "NaN"),
        (&|r| r[index]["ratios"] = json!([]), "ratios"),
        (&|r| r[timed]["speed"]["median"] = json!(-1.0), "seconds"),
    ];
    for (change, wanted) in refusals {
        let error = regressions(change).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    assert!(compare(&value, &suite.entries, 1).unwrap_err().to_string().contains("--threads"));
}

#[test]
fn failures_are_regressions() {
    struct Broken;
    impl Kernel<f64> for Broken {
        fn name(&self) -> &str {
            "faer"
        }
        fn cholesky(&self, _: MatRef<'_, f64>) -> Result<Mat<f64>, Refusal> {
            Err(Refusal::Failed("broken".into()))
        }
    }
    let options = untimed(&[Operation::Cholesky], 3);
    let before = suite(run::<f64>(&[&Faer], &options, &|| {}));
    let after = run::<f64>(&[&Broken], &options, &|| {});
    let found = compare(&Value::Object(kernel_json(&before)), &after, 2).unwrap();
    assert!(found.len() == after.len() && found[0].contains("broken"), "{found:?}");
}

#[test]
fn the_page_and_the_table_name_what_is_wrong() {
    let entries = run::<f64>(&[&Corrupted(Fault::RotatedSign)], &untimed(&[Operation::Qr], 10), &|| {});
    let suite = suite(entries);
    let page = kernel_page(&suite).render();
    assert!(page.contains("qr-random-10") && page.contains("orthogonality") && page.contains("dqrt01"));
    assert!(kernel_table(&suite).contains("fault: corrupted f64 qr-random-10: orthogonality ratio"));
}

#[test]
fn the_command_runs_reports_and_compares() {
    let desk = Desk::new();
    let run = desk.ufm("kernels cholesky --threads 2 --json --report page.html");
    let value = run.json();
    assert_eq!((run.code, &value["holds"]), (0, &json!(true)), "{}", run.out);
    assert_eq!(value["threads"], 2);
    for precision in ["f32", "f64", "mp256"] {
        let of = |r: &&Value| r["precision"] == precision && r["speed"]["fraction_of_peak"].as_f64().is_some_and(|x| x > 0.0);
        assert_eq!(value["results"].as_array().unwrap().iter().filter(of).count(), 2, "{precision}");
    }
    assert!(desk.text("page.html").contains("accuracy against speed"));

    // A patient baseline: only the figures of accuracy decide, and they are the same to the bit.
    let mut patient = value.clone();
    for r in patient["results"].as_array_mut().unwrap() {
        if !r["speed"].is_null() {
            r["speed"]["median"] = json!(1e3);
        }
    }
    desk.file("patient.json", patient.to_string());
    let again = desk.ufm("kernels cholesky --threads 2 --baseline patient.json");
    assert_eq!(again.code, 0, "{}", again.out);
    assert!(again.out.ends_with("no regression against the baseline\n"));
    for (bytes, wanted) in [("", "JSON"), ("[]", "results"), ("{\"results\": 1}", "results")] {
        desk.file("bad.json", bytes);
        assert!(desk.ufm("kernels --baseline bad.json").refusal().contains(wanted));
    }
    assert!(desk.ufm("kernels --baseline none.json").refusal().contains("none.json"));
    assert!(desk.ufm("kernels lu").refusal().contains("gemm, cholesky, qr, eigh, svd, solve"));
}
