"""A solver of one's own against problems whose minima are known, certified: numpy is all it needs.

    python examples/your_solver/check.py                       # needs `ufm` on the PATH, or --ufm target/release/ufm
    python examples/your_solver/check.py --mistake mean        # a wrong convention, and how it shows

Put your own solver in the place of `solve`: it gets a problem's fields and returns W (K,d), H (d,N) and b (K,) or None, with the columns
of H class by class. Exits 0 when every point is certified as the global minimum, 1 otherwise.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

CORPUS = pathlib.Path(__file__).resolve().parents[2] / "tests/data/corpus"


def read(path):
    """The fields of a problem file: `name = value`, strings, integers and lists as in JSON."""
    return {name.strip(): json.loads(value) for name, value in (line.split("=", 1) for line in path.read_text().splitlines())}


def objective(p, mistake):
    """f(x) and its gradient for x = (W, H, b) in one vector: the mean over samples, and halves."""
    counts = p.get("class_counts") or [p["per_class"]] * p["classes"]
    k, d, n = len(counts), p["dim"], sum(counts)
    labels, columns = np.repeat(np.arange(k), counts), np.arange(n)
    smoothing = float(p.get("smoothing", 0))
    targets = np.full((k, n), smoothing / k)
    targets[labels, columns] += 1 - smoothing
    lw, lh = float(p["lambda_w"]), float(p["lambda_h"])
    lb = float(p.get("lambda_b", 0))
    scale = {"none": 1, "mean": 2 / k, "sum": n, "half": 2}[mistake]

    def split(x):
        return x[: k * d].reshape(k, d), x[k * d : k * d + d * n].reshape(d, n), x[k * d + d * n :]

    def value_gradient(x):
        w, h, b = split(x)
        z = w @ h + (b[:, None] if b.size else 0)
        if p["loss"] == "mse":
            g = z - targets
            loss = (g * g).sum() / 2
        else:
            z = z - z.max(0)
            logs = z - np.log(np.exp(z).sum(0))
            g = np.exp(logs) - targets
            loss = -(targets * logs).sum()
        g, loss = scale * g / n, scale * loss / n
        value = loss + lw / 2 * (w * w).sum() + lh / 2 * (h * h).sum() + lb / 2 * (b * b).sum()
        blocks = [(g @ h.T + lw * w).ravel(), (w.T @ g + lh * h).ravel()]
        return value, np.concatenate(blocks + ([g.sum(1) + lb * b] if b.size else []))

    start = 0.1 * np.random.default_rng(0).standard_normal(k * d + d * n + (k if p["bias"] != "none" else 0))
    return value_gradient, start, split


def lbfgs(fun, x, tol=1e-10, memory=20, limit=20000):
    """Limited-memory BFGS with a backtracking search."""
    f, g = fun(x)
    pairs = []
    for _ in range(limit):
        if np.linalg.norm(g) <= tol:
            break
        q, coefficients = g.copy(), []
        for s, y in reversed(pairs):
            a = s @ q / (s @ y)
            coefficients.append(a)
            q -= a * y
        if pairs:
            s, y = pairs[-1]
            q *= s @ y / (y @ y)
        for (s, y), a in zip(pairs, reversed(coefficients)):
            q += (a - y @ q / (s @ y)) * s
        t = 1.0 if pairs else min(1.0, 1 / np.linalg.norm(g))
        while True:
            new = x - t * q
            value, gradient = fun(new)
            # The last digits of f are rounding: the gradient decides there.
            if value <= f - 1e-4 * t * (g @ q) or (value <= f + 1e-15 and np.linalg.norm(gradient) < np.linalg.norm(g)):
                break
            t /= 2
            if t < 1e-12:
                return x
        s, y = new - x, gradient - g
        if s @ y > 0:
            pairs = (pairs + [(s, y)])[-memory:]
        x, f, g = new, value, gradient
    return x


def solve(p, mistake="none"):
    fun, start, split = objective(p, mistake)
    w, h, b = split(lbfgs(fun, start))
    return w, h, b if b.size else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ufm", default=shutil.which("ufm") or "target/release/ufm", help="the program")
    parser.add_argument("--mistake", choices=["none", "mean", "sum", "half"], default="none", help="solve with a wrong convention")
    args = parser.parse_args()
    files = [path for path in sorted(CORPUS.glob("minimiser-*.toml")) if 'model = "plain"' in path.read_text()]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for path in files:
            w, h, b = solve(read(path), args.mistake)
            shutil.copy(path, folder)
            np.savez(folder / f"{path.stem}.npz", W=w, H=h, **({} if b is None else {"b": b}))
        run = subprocess.run([args.ufm, "certify", "--solution", folder, "--json"], stdout=subprocess.PIPE, text=True)
    for c in json.loads(run.stdout)["certificates"]:
        print(f"{c['name']:36} {c.get('verdict', c.get('error'))}  gap {c.get('gap', '-')}")
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
