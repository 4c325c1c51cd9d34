"""Collapse metrics of features: ufm against numpy, the same file, in one session.

usage: metrics.py [--large] [--sigma S] [--repeats R] [--record]

Each run is a process of its own, so that its peak resident memory is its own. Values must agree before times count.
"""

import argparse
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402

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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--sigma", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-metrics")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peer:
        return peer(args.peer)
    about, cases = recording.machine(numpy=np.__version__, scipy=scipy.__version__), []
    for k, n, d in CASES + (LARGE if args.large else []):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "features.npz")
            write(path, k, n, d, args.sigma)
            mine, theirs = [], []
            for _ in range(args.repeats):
                mine.append(ours(path))
                run = subprocess.run([sys.executable, __file__, "--peer", path], capture_output=True, text=True, check=True)
                theirs.append(json.loads(run.stdout))
            for name, value in theirs[0]["values"].items():
                found = mine[0]["metrics"][name]["value"]
                assert abs(found - value) <= AGREES * max(abs(value), 1e-3), (name, found, value)
            medians = [statistics.median(r["seconds"] for r in runs) for runs in (mine, theirs)]
            row = dict(
                case=f"K={k} n={n} d={d}", mebibytes=round(k * n * d * 8 / 2**20), ufm_seconds=medians[0], numpy_seconds=medians[1],
                ufm_peak_mebibytes=max(r["peak"] for r in mine), numpy_beyond_input_mebibytes=max(r["beyond"] for r in theirs),
                runs=dict(ufm=[r["seconds"] for r in mine], numpy=[r["seconds"] for r in theirs]),
            )
            cases.append(row)
            print(f"{row['case']}: measured", flush=True)
    text = table(cases)
    if args.record:
        found = [recording.ratio(f"all metrics, {row['case']}, f64", row["ufm_seconds"], "numpy", row["numpy_seconds"]) for row in cases]
        recording.save("metrics", about, found, cases, text, sigma=args.sigma, repeats=args.repeats)
    else:
        print(text)


def table(cases):
    lines = ["| features | size | ufm | peak | numpy | beyond the input | ratio |", "|---|---|---|---|---|---|---|"]
    for row in cases:
        a, b = row["ufm_seconds"], row["numpy_seconds"]
        lines.append(
            f"| {row['case']} f64 | {row['mebibytes']} MiB | {a:.3f} s | {row['ufm_peak_mebibytes']:.0f} MiB | {b:.3f} s "
            f"| {row['numpy_beyond_input_mebibytes']:.0f} MiB | {b / a:.1f}x |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
