"""Collapse metrics of features: ufm against numpy, the same file, in one session.

usage: metrics.py [--large] [--sigma S] [--repeats R] [--record [STEM]]

Each run is a process of its own, so that its peak resident memory is its own. Values must agree before times count.
"""

import argparse
import datetime
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import scipy.linalg

from machine import machine

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/ufm"
# K, n, d
CASES = [(100, 500, 512), (1000, 500, 512)]
LARGE = [(10000, 20, 512)]
AGREES = 1e-8


def write(path, k, n, d, sigma):
    rng = np.random.default_rng(0)
    means = rng.standard_normal((k, d)) / d**0.5
    labels = np.repeat(np.arange(k), n)
    features = rng.standard_normal((k * n, d))
    features *= sigma / d**0.5
    for c in range(k):
        features[c * n : (c + 1) * n] += means[c] + 3.0 / d**0.5
    np.savez(path, features=features, labels=labels, W=means, b=np.zeros(k))


def peer(path):
    """The straightforward script; reading is outside its clock."""
    with np.load(path) as file:
        x, y, w, b = (file[name] for name in ("features", "labels", "W", "b"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    k, samples = w.shape[0], len(y)
    counts = np.bincount(y, minlength=k)
    order = np.argsort(y, kind="stable")
    means = np.add.reduceat(x[order], np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=0) / counts[:, None]
    centred = means - means.mean(0)
    deviations = x - means[y]
    within = deviations.T @ deviations / samples
    between = centred.T @ centred / k
    nc1 = float(np.trace(within @ scipy.linalg.pinvh(between)) / k)
    variance = np.bincount(y, weights=(deviations * deviations).sum(1), minlength=k) / counts
    gram = means @ means.T
    square = np.diag(gram)
    distance = square[:, None] + square[None] - 2 * gram
    upper = np.triu_indices(k, 1)
    cdnv = float((((variance[:, None] + variance[None]) / 2)[upper] / distance[upper]).mean())
    gram = centred @ centred.T
    gram /= np.linalg.norm(gram)
    etf = float(np.linalg.norm(gram - (np.eye(k) - 1 / k) / np.sqrt(k - 1)))
    differ = 0
    for i in range(0, samples, 8192):
        block = x[i : i + 8192]
        answer = (block @ w.T + b).argmax(1)
        nearest = (square - 2 * block @ means.T).argmin(1)
        differ += int((answer != nearest).sum())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = dict(nc1=nc1, cdnv=cdnv, nc2_etf=etf, nc4=differ / samples)
    print(json.dumps(dict(seconds=seconds, peak=peak, beyond=peak - before, values=values)))


def watch(pid, peak):
    """Peak resident memory of a process while it lives: what wait4 reports includes the parent's, from before exec."""
    try:
        while True:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
            if not lines:
                return
            peak[0] = max(peak[0], int(lines[0].split()[1]) / 1024)
            time.sleep(0.005)
    except OSError:
        return


def ours(path):
    peak = [0.0]
    start = time.perf_counter()
    process = subprocess.Popen([PROGRAM, "metrics", path, "--json"], stdout=subprocess.PIPE)
    watcher = threading.Thread(target=watch, args=(process.pid, peak))
    watcher.start()
    out = process.stdout.read()
    seconds = time.perf_counter() - start
    watcher.join()
    if process.wait():
        raise SystemExit("ufm failed")
    return dict(seconds=seconds, peak=peak[0], metrics=json.loads(out)["metrics"])


HEADER = """| K | n | d | features, MiB | ufm, s | peak, MiB | numpy, s | beyond the input, MiB | ratio |
|---|---|---|---|---|---|---|---|---|"""


def row(case):
    k, n, d = case["case"]
    return (
        f"| {k} | {n} | {d} | {case['input']:.0f} | {case['ufm_seconds']:.3f} | {case['ufm_peak']:.0f} | {case['numpy_seconds']:.3f} |"
        f" {case['numpy_beyond']:.0f} | {case['numpy_seconds'] / case['ufm_seconds']:.1f} |"
    )


def compare(case, sigma, repeats):
    k, n, d = case
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "features.npz")
        write(path, k, n, d, sigma)
        mine, theirs = [], []
        for _ in range(repeats):
            mine.append(ours(path))
            run = subprocess.run([sys.executable, __file__, "--peer", path], capture_output=True, text=True, check=True)
            theirs.append(json.loads(run.stdout))
    for name, value in theirs[0]["values"].items():
        found = mine[0]["metrics"][name]["value"]
        assert abs(found - value) <= AGREES * max(abs(value), 1e-3), (name, found, value)
    ufm, numpy = ([r["seconds"] for r in runs] for runs in (mine, theirs))
    return dict(
        case=case, sigma=sigma, input=k * n * d * 8 / 2**20, ufm_seconds=statistics.median(ufm), numpy_seconds=statistics.median(numpy),
        ufm_peak=max(r["peak"] for r in mine), numpy_beyond=max(r["beyond"] for r in theirs), ufm_all=ufm, numpy_all=numpy,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true", help="K = 10000 too")
    parser.add_argument("--sigma", type=float, default=0.1, help="noise within classes")
    parser.add_argument("--repeats", type=int, default=3)
    stem = f"{datetime.date.today()}-metrics"
    parser.add_argument("--record", nargs="?", const=stem, metavar="STEM", help=f"write benches/records/STEM.json and .md [{stem}]")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer)
    about = machine(ROOT, np, scipy)
    record = ROOT / "benches/records" / args.record if args.record else None
    files = [record.parent / f"{record.name}{end}" for end in (".json", ".md")] if record else []
    for file in files:
        if file.exists():
            raise SystemExit(f"{file} exists; name another stem")
    print(HEADER, flush=True)
    cases = []
    for case in CASES + (LARGE if args.large else []):
        cases.append(compare(case, args.sigma, args.repeats))
        print(row(cases[-1]), flush=True)
    if record:
        files[0].write_text(json.dumps(dict(machine=about, cases=cases), indent=1) + "\n")
        note = (
            f"{about['cpu']}, {about['cores']} cores, load {about['load_at_start']:.2f} at the start; commit {about['commit']}, numpy"
            f" {about['numpy']}. Features f64, within-class noise {args.sigma}; medians of {args.repeats}.\n\n"
        )
        files[1].write_text("# Collapse metrics: ufm and numpy\n\n" + note + HEADER + "\n" + "".join(row(c) + "\n" for c in cases))


if __name__ == "__main__":
    main()
