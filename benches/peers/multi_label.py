"""Pick-all-labels: time to a gradient norm over all variables, ufm against torch and scipy, one start, one session.

usage: multi_label.py [--cap SECONDS] [--only NAME] [--record]

Data are balanced within each multiplicity; weights, features and the free bias are variables, every feature its own. The peers are the
usual scripts for this model: L-BFGS on the regularised objective, analytic gradient in numpy for scipy, autograd for torch. Every
result is verified before its time counts: the objective must be the closed form's, solved here by bisection, to 1e-10.
"""

import argparse
import itertools
import json
import math
import pathlib
import statistics
import subprocess
import tempfile

import numpy as np
import scipy
import scipy.optimize

from sphere import PROGRAM, TOLERANCES, VALUE_AGREES, Clock, Reached, ratios, recording, table, torch

# name: K, d, samples of each tag set by multiplicity, lambda_W, lambda_H, repeats
CASES = {
    "K4": (4, 20, {1: 30, 2: 20}, 0.005, 0.001, 3),
    "K10": (10, 16, {1: 10, 2: 4}, 0.002, 0.001, 3),
    "K30": (30, 40, {1: 10, 2: 2}, 0.0005, 0.0005, 1),
}


class Problem:
    def __init__(self, k, d, per_tag_set, lambda_w, lambda_h):
        self.k, self.d, self.per_tag_set, self.lambda_w, self.lambda_h = k, d, per_tag_set, lambda_w, lambda_h
        sets = [s for m, q in sorted(per_tag_set.items()) for s in itertools.combinations(range(k), m) for _ in range(q)]
        self.samples = len(sets)
        self.tags = np.zeros((k, self.samples))
        for column, members in enumerate(sets):
            self.tags[list(members), column] = 1
        self.mass = self.tags.sum(0)
        rng = np.random.default_rng(0)
        self.w = 0.1 * rng.standard_normal((k, d))
        self.h = 0.1 * rng.standard_normal((d, self.samples))
        self.b = np.zeros(k)

    def minimum(self):
        """a_m solves a (m e^a + K - m) = K s; s is where the dual matrix reaches the norm mu."""
        k, n, mu = self.k, self.samples, math.sqrt(self.lambda_w * self.lambda_h)
        weight = {m: q * math.comb(k - 2, m - 1) for m, q in self.per_tag_set.items() if m < k}

        def bisect(f, low, high):
            for _ in range(200):
                mid = 0.5 * (low + high)
                low, high = (mid, high) if f(mid) < 0 else (low, mid)
            return 0.5 * (low + high)

        def scale(m, s):
            return bisect(lambda a: a * (m * math.exp(a) + k - m) - k * s, 0, 100)

        def excess(s):
            return (n * mu) ** 2 - sum((k / (m * math.exp(scale(m, s)) + k - m)) ** 2 * w for m, w in weight.items())

        s = bisect(excess, 0, 1e9)
        a = {m: scale(m, s) for m in weight}
        fit = sum(q * math.comb(k, m) * m * (math.log(m * math.exp(a[m]) + k - m) - a[m]) for m, q in self.per_tag_set.items() if m < k)
        full = self.per_tag_set.get(k, 0) * k * math.log(k)
        return (fit + full) / n + mu * (k - 1) * math.sqrt(sum(a[m] ** 2 * w for m, w in weight.items()))

    def value_gradient(self, x):
        k, d, n = self.k, self.d, self.samples
        w, h, b = x[: k * d].reshape(k, d), x[k * d : k * d + d * n].reshape(d, n), x[k * d + d * n :]
        z = w @ h + b[:, None]
        top = z.max(0)
        e = np.exp(z - top)
        total = e.sum(0)
        value = ((np.log(total) + top) * self.mass).sum() - (self.tags * z).sum()
        g = (e / total * self.mass - self.tags) / n
        value = value / n + 0.5 * self.lambda_w * (w * w).sum() + 0.5 * self.lambda_h * (h * h).sum()
        return value, np.concatenate([(g @ h.T + self.lambda_w * w).ravel(), (w.T @ g + self.lambda_h * h).ravel(), g.sum(1)])


def run_scipy(problem, cap):
    clock = Clock(cap, max(TOLERANCES))

    def objective(x):
        value, gradient = problem.value_gradient(x)
        clock.see(value, float(np.linalg.norm(gradient)))
        return value, gradient

    start = np.concatenate([problem.w.ravel(), problem.h.ravel(), problem.b])
    options = dict(maxcor=20, ftol=0, gtol=0, maxiter=10**7, maxfun=10**7, maxls=50)
    try:
        scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    except Reached:
        pass
    return clock


def run_torch(problem, cap):
    w, h, b = (torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in (problem.w, problem.h, problem.b))
    tags, mass = torch.tensor(problem.tags), torch.tensor(problem.mass)
    optimiser = torch.optim.LBFGS(
        [w, h, b], max_iter=20, max_eval=10**6, history_size=20, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )
    clock = Clock(cap, max(TOLERANCES))

    def closure():
        optimiser.zero_grad()
        z = w @ h + b[:, None]
        fit = (torch.logsumexp(z, 0) * mass).sum() - (tags * z).sum()
        loss = fit / problem.samples + 0.5 * problem.lambda_w * (w * w).sum() + 0.5 * problem.lambda_h * (h * h).sum()
        loss.backward()
        with torch.no_grad():
            norm = math.sqrt(sum(float((v.grad**2).sum()) for v in (w, h, b)))
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
    np.savez(folder / "start.npz", W=problem.w, H=problem.h, b=problem.b)
    sets = ", ".join(f"{m} = {q}" for m, q in problem.per_tag_set.items())
    (folder / "problem.toml").write_text(
        f'model = "multi-label"\nloss = "pick-all-labels"\nbias = "free"\nclasses = {problem.k}\ndim = {problem.d}\n'
        f'per_tag_set = {{ {sets} }}\nlambda_w = "{problem.lambda_w}"\nlambda_h = "{problem.lambda_h}"\n'
    )
    command = [PROGRAM, folder / "problem.toml", folder / "start.npz", "1", "newton-cg"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def measure(name, case, cap):
    *sizes, repeats = case
    problem, times, best = Problem(*sizes), {}, {}
    minimum = problem.minimum()

    def add(method, tol, seconds, value):
        if abs(value - minimum) <= VALUE_AGREES:
            times.setdefault(method, {}).setdefault(tol, []).append(seconds)

    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for run in run_ufm(problem, pathlib.Path(folder)):
                if run["warm"] and run["gradient_norm"] <= run["tol"]:
                    add("ufm", run["tol"], run["seconds"], run["objective"])
                best["ufm"] = min(best.get("ufm", math.inf), run["gradient_norm"])
        peers = [("scipy L-BFGS-B", run_scipy)] + ([("torch L-BFGS", run_torch)] if torch else [])
        for method, run in peers:
            clock = run(problem, cap)
            best[method] = min(best.get(method, math.inf), clock.best)
            for tol, (seconds, value) in clock.hits.items():
                add(method, tol, seconds, value)
    medians = {m: {f"{t:g}": statistics.median(s) for t, s in tols.items()} for m, tols in times.items()}
    print(f"{name}: measured", flush=True)
    about = f"{name} (d={problem.d}, samples of a tag set by multiplicity {problem.per_tag_set}, N={problem.samples})"
    return dict(case=about, medians=medians, smallest_gradient_norm=best, repeats=repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cap", type=float, default=60, help="seconds a peer may take per run")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-multi-label")
    options = parser.parse_args()
    versions = dict(numpy=np.__version__, scipy=scipy.__version__) | (dict(torch=torch.__version__) if torch else {})
    about = recording.machine(**versions)
    rows = [measure(name, case, options.cap) for name, case in CASES.items() if options.only in name]
    if options.record:
        recording.save("multi-label", about, ratios("multi-label", rows), rows, table(rows), cap_seconds=options.cap)
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
