//! `ufm sweep`: the same bytes for any threads, shards and interruptions; nothing lost, nothing done twice; refusals.

mod cli_support;

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use cli_support::{Desk, keys};
use serde_json::Value;

/// 60 instances, with and without closed form, none of them instant.
const GRID: &str = "model = 'plain'\nloss = ['mse', 'ce']\nbias = ['none', 'free']\nclasses = 10\nper_class = 12\nminority = 4\n\
                    imbalance = [1, 3, 12]\ndim = 'K+2'\nlambda = { from = '0.002', to = '0.02', points = 5, scale = 'log' }\n\
                    [options]\ndigits = 40\n";
const SIZE: usize = 60;

/// A small grid that runs at once.
const SMALL: &str = "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = [2, 3]\nper_class = 1\ndim = 'K'\nlambda = ['0.1', '0.2']\n";

fn results(desk: &Desk, folder: &str) -> (String, String) {
    (desk.text(&format!("{folder}/results.csv")), desk.text(&format!("{folder}/results.json")))
}

/// How often each instance is in a journal.
fn journaled(desk: &Desk, folder: &str) -> Vec<usize> {
    let mut counts = vec![0; SIZE];
    let Ok(bytes) = std::fs::read(desk.path(&format!("{folder}/journal"))) else { return counts };
    let text = String::from_utf8_lossy(&bytes);
    for line in text.split_inclusive('\n').skip(1).filter(|l| l.ends_with('\n')) {
        let record: Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
        counts[record["index"].as_u64().unwrap() as usize] += 1;
    }
    counts
}

fn spawn(folder: &Path, args: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ufm"));
    command.args(args.split(' ')).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("ufm runs")
}

#[test]
fn any_threads_and_shards_give_the_same_bytes() {
    let desk = Desk::new();
    desk.file("g.toml", GRID);
    let run = desk.ufm("sweep g.toml --out one --threads 1 --json");
    assert_eq!(run.code, 0, "{}", run.out);
    let json = run.json();
    assert_eq!((json["instances"].as_u64(), json["computed"].as_u64()), (Some(SIZE as u64), Some(SIZE as u64)));
    assert_eq!(json["theory"]["disagreements"], 0);
    assert_eq!(keys(&json["files"]), ["csv", "json", "seconds"]);
    assert_eq!(desk.ufm("sweep g.toml --out two --threads 2").code, 0);
    let whole = results(&desk, "one");
    assert_eq!(whole, results(&desk, "two"));
    assert_eq!(whole.0.lines().count(), SIZE + 1);
    let children: Vec<Child> =
        (1..=3).map(|i| spawn(&desk.path(""), &format!("sweep g.toml --out part{i} --shard {i}/3 --threads 1"))).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let missing = desk.ufm("sweep merge part1 part3 --out whole");
    assert!(missing.refusal().contains("20 of 60 instances are missing: 1, 4, 7, 10,"), "{}", missing.err);
    assert!(!desk.path("whole").exists(), "nothing is half-merged");
    let merged = desk.ufm("sweep merge part1 part2 part3 --out whole --report whole.html --json");
    assert_eq!((merged.code, merged.json()["computed"].as_u64()), (0, Some(0)));
    assert_eq!(whole, results(&desk, "whole"));
    assert_eq!(desk.text("whole.html").matches("role=\"img\"").count(), 4);
    // A merged sweep is a sweep: it can be resumed, and merged again.
    let again = desk.ufm("sweep g.toml --out whole --resume --json");
    assert_eq!((again.code, again.json()["computed"].as_u64()), (0, Some(0)));
    // A merge that was killed half way, and in the middle of a line, does not stand in the way of the next.
    std::fs::create_dir(desk.path("again.partial")).unwrap();
    let journal = std::fs::read(desk.path("whole").join("journal")).unwrap();
    desk.file("again.partial/journal", &journal[..journal.len() / 2]);
    assert_eq!(desk.ufm("sweep merge whole part2 --out again").code, 0);
    assert!(!desk.path("again.partial").exists());
    assert_eq!(desk.text("again/results.csv"), desk.text("whole/results.csv"));
    assert_eq!(whole, results(&desk, "again"));
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_done_twice() {
    let desk = Desk::new();
    desk.file("g.toml", GRID);
    assert_eq!(desk.ufm("sweep g.toml --out calm").code, 0);
    let journal = desk.path("torn/journal");
    let length = || std::fs::metadata(&journal).map_or(0, |m| m.len());
    // A fixed sequence decides how much each process may write before it is killed; the machine decides the rest.
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut kills, mut partial) = (0, 0);
    for attempt in 0.. {
        assert!(attempt < 100, "it never gets anywhere");
        let before = journaled(&desk, "torn");
        let mut child = spawn(&desk.path(""), "sweep g.toml --out torn --resume --threads 2");
        // The first few are killed at once, before or while the journal begins.
        let target = if attempt < 3 { 0 } else { length() + 1 + random(8_000) };
        sleep(Duration::from_micros(random(12_000)));
        while length() < target && child.try_wait().unwrap().is_none() {
            sleep(Duration::from_micros(200));
        }
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        let after = journaled(&desk, "torn");
        assert!(before.iter().zip(&after).all(|(b, a)| b <= a), "a finished instance was lost");
        assert!(after.iter().all(|&n| n <= 1), "an instance was done twice");
        let done = after.iter().sum::<usize>();
        if ended.code().is_some() {
            assert_eq!(ended.code(), Some(0));
            assert_eq!(done, SIZE);
            break;
        }
        kills += 1;
        partial += usize::from(done > 0 && done < SIZE);
    }
    assert!(kills >= 5 && partial >= 3, "{kills} kills, {partial} in the midst");
    assert_eq!(results(&desk, "torn"), results(&desk, "calm"));
    assert_eq!(journaled(&desk, "torn"), vec![1; SIZE]);
}

#[test]
fn a_torn_line_is_solved_again_and_only_that() {
    let desk = Desk::new();
    desk.file("g.toml", SMALL);
    assert_eq!(desk.ufm("sweep g.toml --out s").code, 0);
    let (whole, journal) = (results(&desk, "s"), desk.read("s/journal"));
    for cut in [journal.len() - 1, journal.len() - 40, journal.len() / 2, 100, 10, 0] {
        std::fs::write(desk.path("s/journal"), &journal[..cut]).unwrap();
        let kept = journal[..cut].iter().filter(|&&b| b == b'\n').count().saturating_sub(1) as u64;
        let run = desk.ufm("sweep g.toml --out s --resume --json");
        assert_eq!((run.code, run.json()["computed"].as_u64()), (0, Some(4 - kept)), "cut at {cut}");
        assert_eq!(results(&desk, "s"), whole);
        assert_eq!(desk.read("s/journal").iter().filter(|&&b| b == b'\n').count(), 5);
    }
    let mut damaged = journal.clone();
    damaged[journal.len() / 2] ^= 1;
    std::fs::write(desk.path("s/journal"), &damaged).unwrap();
    let run = desk.ufm("sweep g.toml --out s --resume");
    assert!(run.refusal().contains("damaged at line"), "{}", run.err);
    assert_eq!(desk.read("s/journal"), damaged, "a damaged journal is left alone");
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let desk = Desk::new();
    desk.file("g.toml", GRID);
    let mut first = spawn(&desk.path(""), "sweep g.toml --out s --threads 1");
    let started = Instant::now();
    while !desk.path("s/grid.toml").exists() {
        assert!(started.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(1));
    }
    let second = desk.ufm("sweep g.toml --out s --resume");
    assert!(second.refusal().contains("another process is at work"), "{}", second.err);
    let merge = desk.ufm("sweep merge s --out m");
    assert!(merge.refusal().contains("another process is at work"), "{}", merge.err);
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock went with the process.
    assert_eq!(desk.ufm("sweep g.toml --out s --resume").code, 0);
}

#[test]
fn folders_that_belong_to_something_else() {
    let desk = Desk::new();
    desk.file("g.toml", SMALL);
    desk.file("h.toml", SMALL.replace("0.2", "0.3"));
    desk.file("same.toml", format!("# the same grid\n{}", SMALL.replace("per_class = 1", "per_class = [1]")));
    assert_eq!(desk.ufm("sweep g.toml --out s").code, 0);
    let refused = |args: &str, wanted: &str| {
        let run = desk.ufm(args);
        assert!(run.refusal().contains(wanted), "{args}: {}", run.err);
    };
    refused("sweep g.toml --out s", "--resume");
    refused("sweep h.toml --out s --resume", "its grid");
    refused("sweep g.toml --out s --resume --shard 1/2", "its shard is 1/1, not 1/2");
    assert_eq!(desk.ufm("sweep same.toml --out s --resume").code, 0, "comments do not count");
    std::fs::create_dir(desk.path("mine")).unwrap();
    desk.file("mine/notes.txt", "mine");
    refused("sweep g.toml --out mine --resume", "not empty");
    refused("sweep merge s --out mine", "not empty");
    refused("sweep merge mine --out m", "mine/grid.toml");
    refused("sweep g.toml --out no/such/folder", "no/such/folder");
    refused("sweep g.toml --out t --report mine/notes.txt", "already exists");
    assert!(!desk.path("t").exists());
    desk.file("mine/journal", "a,b\n1,2\n");
    desk.file("mine/grid.toml", SMALL);
    refused("sweep g.toml --out mine --resume", "not a journal");
    refused("sweep merge mine --out m", "not a journal");
    assert_eq!(desk.ufm("sweep h.toml --out other").code, 0);
    refused("sweep merge s other --out m", "its grid");
    std::fs::create_dir(desk.path("empty")).unwrap();
    assert_eq!(desk.ufm("sweep g.toml --out empty").code, 0, "an empty folder will do");
    // Shards whose results differ: one journal with a forged record.
    let forged = desk.text("s/journal").replace("\"rank\":2", "\"rank\":1");
    let forged: String = forged
        .lines()
        .map(|line| {
            use sha2::{Digest, Sha256};
            let text = line.split_once(' ').unwrap().1;
            let sum: String = Sha256::digest(text)[..8].iter().map(|b| format!("{b:02x}")).collect();
            format!("{sum} {text}\n")
        })
        .collect();
    std::fs::create_dir(desk.path("forged")).unwrap();
    desk.file("forged/journal", forged);
    desk.file("forged/grid.toml", SMALL);
    refused("sweep merge s forged --out m", "different results");
}

#[test]
fn grids_that_are_refused() {
    let desk = Desk::new();
    let base = "model = 'plain'\nloss = 'mse'\nbias = 'none'\nclasses = 4\nper_class = 2\ndim = 'K'\nlambda = '0.1'\n";
    let with = |line: &str| {
        let field = line.split_once(' ').unwrap().0;
        let kept: String = base.lines().filter(|l| !l.starts_with(&format!("{field} "))).map(|l| format!("{l}\n")).collect();
        kept + line + "\n"
    };
    let table: &[(&str, &[&str])] = &[
        ("clases = 3", &["unknown field `clases`", "classes"]),
        ("classes = []", &["`classes`", "at least one value"]),
        ("classes = 'four'", &["`classes`", "four", "an integer"]),
        ("classes = [2, 2.5]", &["`classes`", "2.5"]),
        ("classes = [3, 1]", &["`classes` = 1", "2 to"]),
        ("classes = { from = 2, to = 100000000, step = 1 }", &["classes.step", "at most 100000"]),
        ("classes = { from = 2, to = 9, step = 0 }", &["classes.step", "positive"]),
        ("classes = { from = 2, upto = 9 }", &["classes.upto", "from, to"]),
        ("classes = { from = 9, to = 2, points = 3 }", &["classes.to", "at least `from`"]),
        ("dim = 'k'", &["`dim`", "K+4"]),
        ("dim = 'K-4'", &["`dim` = 0"]),
        ("dim = 1000000000000", &["memory"]),
        ("lambda = ['0.1', 'x']", &["`lambda`", "x", "a decimal"]),
        ("lambda = [0.1, -1]", &["lambda_w", "-1", "positive"]),
        ("lambda = nan", &["`lambda`", "nan"]),
        ("lambda_w = '0.1'", &["`lambda` is both"]),
        ("lambda_b = '0.1'", &["`lambda_b`", "regularized", "the grid has none"]),
        ("temperature = 3", &["`temperature`", "sphere"]),
        ("depth = 3", &["`depth`", "deep"]),
        ("imbalance = 2", &["`minority`"]),
        ("loss = ['mse', 'hinge']", &["`loss` = hinge"]),
        ("model = 'plane'", &["plane"]),
        ("seed = -1", &["`seed`", "-1"]),
        ("class_counts = [[1, 2], [0, 2]]", &["class_counts"]),
        ("options = 3", &["`options`"]),
        ("options = { digit = 3 }", &["options.digit", "digits"]),
        ("options = { digits = 0 }", &["options.digits", "1 to 1000"]),
        ("options = { method = 'fast' }", &["options.method", "closed-form"]),
        ("options = { starts = [] }", &["options.starts"]),
        ("options = { gap_tol = '0' }", &["options.gap_tol"]),
        ("options = { time_limit = -1 }", &["options.time_limit"]),
        ("classes 4", &["TOML"]),
    ];
    for (line, wanted) in table {
        desk.file("g.toml", with(line));
        let run = desk.ufm("sweep g.toml --out s");
        let error = run.refusal();
        assert!(error.contains("g.toml"), "{line}: {error}");
        wanted.iter().for_each(|w| assert!(error.contains(w), "{line}: `{w}` in {error}"));
        assert!(!desk.path("s").exists(), "{line}: nothing is begun");
    }
    let many = "seed = { from = 0, to = 999, step = 1 }\ntol = 1";
    desk.file("g.toml", with(many.lines().next().unwrap()).replace("'0.1'", "{ from = 1, to = 2, points = 1000 }"));
    let run = desk.ufm("sweep g.toml --out s");
    assert!(run.refusal().contains("1000000 instances (1000 lambda x 1000 seed); at most 100000"), "{}", run.err);
    desk.file("g.toml", with("per_class = 10").replace("lambda", "minority = 1\nimbalance = [2, 11]\nlambda"));
    assert!(desk.ufm("sweep g.toml --out s").refusal().contains("`imbalance` = 11"));
    desk.file(
        "g.toml",
        "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclass_counts = [3, 1]\ndim = 2\nlambda = 1\n[options]\nmethod = 'closed-form'\n",
    );
    assert!(desk.ufm("sweep g.toml --out s").refusal().contains("has no closed form"));
    for (flags, wanted) in [
        ("", "--out"),
        ("--out s --shard 0/3", "1 <= I <= N"),
        ("--out s --shard 4/3", "1 <= I <= N"),
        ("--out s --shard 3", "1 <= I <= N"),
        ("--out s --shard -1/2", "1 <= I <= N"),
    ] {
        desk.file("g.toml", base);
        let run = desk.ufm(&format!("sweep g.toml {flags}"));
        assert_eq!(run.code, 2);
        assert!(run.err.contains(wanted), "{flags}: {}", run.err);
    }
    assert!(desk.ufm("sweep missing.toml --out s").refusal().contains("missing.toml"));
}

#[test]
fn exit_codes_and_what_is_listed() {
    let desk = Desk::new();
    desk.file("g.toml", "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclasses = 5\nper_class = 1\ndim = [2, 'K']\nlambda = '0.01'\n");
    let run = desk.ufm("sweep g.toml --out s --report s.html");
    assert_eq!(run.code, 1);
    assert_eq!(run.err, "", "quiet when piped");
    assert!(run.out.contains("1 hold") || run.out.contains("1 holds"), "{}", run.out);
    assert!(run.out.contains(
        "undecided: plain, ce, bias free, K = 5, n = 1, d = 2, lambda_w = 0.01, lambda_h = 0.01; the lower bound need not be tight"
    ));
    assert!(desk.text("s.html").contains("Instances to look at"));
    let json = desk.ufm("sweep g.toml --out s --resume --json").json();
    assert_eq!((json["computed"].as_u64(), json["failing"][0]["index"].as_u64()), (Some(0), Some(0)));
    assert_eq!((json["holds"].as_bool(), json["status"]["undecided"].as_u64()), (Some(false), Some(1)));
    // A budget that is too small: not converged, and said so.
    desk.file(
        "b.toml",
        "model = 'plain'\nloss = 'ce'\nbias = 'free'\nclass_counts = [9, 5, 2]\ndim = 4\nlambda = '0.001'\n[options]\nbudget = 3\n",
    );
    let run = desk.ufm("sweep b.toml --out b --json");
    assert_eq!((run.code, run.json()["status"]["not-converged"].as_u64()), (1, Some(1)));
}

#[test]
fn the_closed_forms_alone() {
    let desk = Desk::new();
    desk.file("g.toml", format!("{SMALL}[options]\nmethod = 'closed-form'\ndigits = 30\n"));
    let run = desk.ufm("sweep g.toml --out s --report s.html");
    assert_eq!(run.code, 0, "{}", run.out);
    let csv = desk.text("s/results.csv");
    let mut lines = csv.lines().map(|l| l.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|h| *h == name).unwrap();
    for row in lines {
        assert_eq!((row[column("point")], row[column("status")], row[column("rank")]), ("closed-form", "holds", ""));
        assert_eq!(row[column("f_star")], row[column("objective")], "thirty digits of both");
    }
    assert!(desk.text("s.html").contains("no numerical minimisers to measure"));
}

#[test]
fn deep_relu_models_say_why_they_are_undecided() {
    let desk = Desk::new();
    desk.file("g.toml", "model = 'deep-relu'\nloss = 'mse'\ndepth = [2, 3]\nclasses = 3\nper_class = 2\ndim = 'K'\nlambda = '0.05'\n");
    let run = desk.ufm("sweep g.toml --out s --report s.html");
    assert_eq!(run.code, 1, "{}", run.out);
    for text in [&run.out, &desk.text("s/results.csv"), &desk.text("s.html")] {
        assert!(text.contains("equal nuclear norms before and after the ReLU"), "{text}");
    }
    // Two factors have no ReLU between them: certified as the deep linear model they are.
    let csv = desk.text("s/results.csv");
    let settled = |row: &&str| row.contains(",holds,") && row.contains(",global-minimum,");
    assert_eq!(csv.lines().filter(settled).count(), 1, "{csv}");
}
