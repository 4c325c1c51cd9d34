"""Normalised features: time to a gradient norm on the product of spheres, ufm against torch and scipy, one start, one session.

usage: sphere.py [--cap SECONDS] [--only NAME] [--record]

The peers minimise over free matrices that the objective normalises (F(W, H) = f(W/|W|, H/|H|), rows and columns), the usual script
for this model, by L-BFGS; their Riemannian gradient norm is |row| times the Euclidean one of F, taken at each evaluation. Every result
is verified before its time counts: the objective must be the closed form's to 1e-10.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import scipy
import scipy.optimize

try:
    import torch
except ImportError:
    torch = None

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402

PROGRAM = ROOT / "target/release/examples/time_to_tol"
TOLERANCES = (1e-8, 1e-12)
VALUE_AGREES = 1e-10

# name: K, d, n, temperature, smallest tolerance the peers are run to, repeats
CASES = {
    "K4": (4, 20, 50, 3.0, 1e-12, 5),
    "K10": (10, 16, 20, 5.0, 1e-12, 5),
    "K100": (100, 128, 10, 10.0, 1e-8, 3),
}


class Reached(Exception):
    """The smallest tolerance asked for is reached, or the cap is."""


class Clock:
    def __init__(self, cap, least):
        self.cap, self.least, self.hits, self.best = cap, least, {}, math.inf
        self.began = time.perf_counter()

    def see(self, value, norm):
        elapsed = time.perf_counter() - self.began
        self.best = min(self.best, norm)
        for tol in TOLERANCES:
            if norm <= tol and tol not in self.hits:
                self.hits[tol] = (elapsed, value)
        if elapsed > self.cap or norm <= self.least:
            raise Reached


class Problem:
    def __init__(self, k, d, n, tau, least):
        self.k, self.d, self.n, self.tau, self.least, self.samples = k, d, n, tau, least, k * n
        self.labels = np.repeat(np.arange(k), n)
        rng = np.random.default_rng(0)
        self.w = rng.standard_normal((k, d))
        self.h = rng.standard_normal((d, k * n))
        self.w /= np.linalg.norm(self.w, axis=1, keepdims=True)
        self.h /= np.linalg.norm(self.h, axis=0, keepdims=True)

    def minimum(self):
        return math.log1p((self.k - 1) * math.exp(-self.tau * self.k / (self.k - 1)))

    def value_gradient(self, x):
        """F, its gradient, and the Riemannian gradient norm at the normalised point."""
        split = self.k * self.d
        w, h = x[:split].reshape(self.k, self.d), x[split:].reshape(self.d, self.samples)
        nw, nh = np.linalg.norm(w, axis=1, keepdims=True), np.linalg.norm(h, axis=0, keepdims=True)
        w, h = w / nw, h / nh
        z = self.tau * (w @ h)
        columns = np.arange(self.samples)
        z -= z.max(0)
        target = z[self.labels, columns].copy()
        np.exp(z, out=z)
        total = z.sum(0)
        value = (np.log(total) - target).mean()
        g = z / total
        g[self.labels, columns] -= 1
        g *= self.tau / self.samples
        gw, gh = g @ h.T, w.T @ g
        gw -= (gw * w).sum(1, keepdims=True) * w
        gh -= (gh * h).sum(0, keepdims=True) * h
        norm = math.sqrt((gw * gw).sum() + (gh * gh).sum())
        return value, np.concatenate([(gw / nw).ravel(), (gh / nh).ravel()]), norm


def run_scipy(problem, cap):
    clock = Clock(cap, problem.least)

    def objective(x):
        value, gradient, norm = problem.value_gradient(x)
        clock.see(value, norm)
        return value, gradient

    start = np.concatenate([problem.w.ravel(), problem.h.ravel()])
    options = dict(maxcor=20, ftol=0, gtol=0, maxiter=10**7, maxfun=10**7, maxls=50)
    try:
        scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    except Reached:
        pass
    return clock


def run_torch(problem, cap):
    w, h = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (problem.w, problem.h))
    labels = torch.tensor(problem.labels)
    optimiser = torch.optim.LBFGS(
        [w, h], max_iter=20, max_eval=10**6, history_size=20, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )
    clock = Clock(cap, problem.least)

    def closure():
        optimiser.zero_grad()
        z = problem.tau * torch.nn.functional.normalize(w, dim=1) @ torch.nn.functional.normalize(h, dim=0)
        loss = torch.nn.functional.cross_entropy(z.T, labels)
        loss.backward()
        with torch.no_grad():
            norm = math.sqrt(float(((w.grad * w.norm(dim=1, keepdim=True)) ** 2).sum() + ((h.grad * h.norm(dim=0, keepdim=True)) ** 2).sum()))
        clock.see(float(loss.detach()), norm)
        return loss

    stalled, last = 0, math.inf
    try:
        while stalled < 10:
            optimiser.step(closure)
            stalled = 0 if clock.best < 0.999 * last else stalled + 1
            last = clock.best
    except Reached:
        pass
    return clock


def run_ufm(problem, folder):
    np.savez(folder / "start.npz", W=problem.w, H=problem.h)
    (folder / "problem.toml").write_text(
        f'model = "sphere"\nloss = "ce"\nclasses = {problem.k}\nper_class = {problem.n}\ndim = {problem.d}\ntemperature = "{problem.tau}"\n'
    )
    command = [PROGRAM, folder / "problem.toml", folder / "start.npz", "1", "newton-cg,newton-cg-cold"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def measure(name, case, cap):
    *sizes, repeats = case
    problem, times, best = Problem(*sizes), {}, {}

    def add(method, tol, seconds, value):
        if abs(value - problem.minimum()) <= VALUE_AGREES:
            times.setdefault(method, {}).setdefault(tol, []).append(seconds)

    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for run in run_ufm(problem, pathlib.Path(folder)):
                method = "ufm" if run["warm"] else "ufm cold"
                if run["gradient_norm"] <= run["tol"]:
                    add(method, run["tol"], run["seconds"], run["objective"])
                best[method] = min(best.get(method, math.inf), run["gradient_norm"])
        peers = [("scipy L-BFGS-B", run_scipy)] + ([("torch L-BFGS", run_torch)] if torch else [])
        for method, run in peers:
            clock = run(problem, cap)
            best[method] = min(best.get(method, math.inf), clock.best)
            for tol, (seconds, value) in clock.hits.items():
                add(method, tol, seconds, value)
    medians = {m: {f"{t:g}": statistics.median(s) for t, s in tols.items()} for m, tols in times.items()}
    print(f"{name}: measured", flush=True)
    return dict(case=f"{name} (d={sizes[1]}, n={sizes[2]}, tau={sizes[3]:g})", medians=medians, smallest_gradient_norm=best, repeats=repeats)


def fastest(row):
    times = ((t["1e-08"], m) for m, t in row["medians"].items() if not m.startswith("ufm") and "1e-08" in t)
    return min(times, default=(None, "none"))


def table(rows):
    shown = recording.shown
    lines = ["| case | ufm to 1e-8 | best peer to 1e-8 | ratio | ufm to 1e-12 | cold to 1e-8 | smallest gradient norm of a peer |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        mine, cold, (peer, who) = row["medians"].get("ufm", {}), row["medians"].get("ufm cold", {}), fastest(row)
        ratio = f"{peer / mine['1e-08']:.1f}x" if peer and "1e-08" in mine else "-"
        least = min(v for m, v in row["smallest_gradient_norm"].items() if not m.startswith("ufm"))
        lines.append(f"| {row['case']} | {shown(mine.get('1e-08'))} | {shown(peer)} ({who}) | {ratio} | {shown(mine.get('1e-12'))} | {shown(cold.get('1e-08'))} | {least:.1e} |")
    return "\n".join(lines) + "\n"


def ratios(kind, rows):
    measured = [(row, row["medians"].get("ufm", {}).get("1e-08"), fastest(row)) for row in rows]
    return [recording.ratio(f"{kind} to 1e-8, {row['case']}", mine, who, peer) for row, mine, (peer, who) in measured if mine]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cap", type=float, default=60, help="seconds a peer may take per run")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-sphere")
    options = parser.parse_args()
    versions = dict(numpy=np.__version__, scipy=scipy.__version__) | (dict(torch=torch.__version__) if torch else {})
    about = recording.machine(**versions)
    rows = [measure(name, case, options.cap) for name, case in CASES.items() if options.only in name]
    if options.record:
        recording.save("sphere", about, ratios("sphere", rows), rows, table(rows), cap_seconds=options.cap)
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
