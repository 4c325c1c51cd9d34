"""A cross-entropy minimiser to many digits: `ufm` (refined and certified) against Newton's method in python-flint and mpmath.

Peers run the textbook method: Newton's equation with a rank-one term per generator of the orbit (W Q^T, Q H) to fix the gauge, all
steps at the final precision or (python-flint) at doubling precision, until the largest gradient entry is below 10^-digits. Every
method starts from the same double-precision point. What `ufm` does more, the certificate, is inside its time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import flint
import mpmath
import numpy as np
from flint import arb, arb_mat

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402


def problem_file(folder, k, n, d):
    path = folder / f"ce-{k}-{n}-{d}.toml"
    path.write_text(
        f'model = "plain"\nloss = "ce"\nbias = "none"\nclasses = {k}\nper_class = {n}\ndim = {d}\nlambda_w = "0.005"\nlambda_h = "0.001"\n'
    )
    return path


def entries(m):
    return arb_mat(m.nrows(), m.ncols(), [x.mid() for x in m.entries()])


def flint_newton(w0, h0, digits, doubling):
    """K = n-per-class-1 problems: W (K,d), H (d,K)."""
    k, d = w0.shape
    n = h0.shape[1]
    flint.ctx.dps = digits + 20
    w = arb_mat(k, d, [float(x) for x in w0.ravel()])
    h = arb_mat(d, n, [float(x) for x in h0.ravel()])
    target, accuracy = arb(10) ** (-digits), 12
    for step in range(30):
        # The accuracy at hand says how many digits the next step can use.
        flint.ctx.dps = min(digits, 2 * accuracy + 10) + 20 if doubling else digits + 20
        lw, lh, over = arb("0.005").mid(), arb("0.001").mid(), arb(1) / n
        z = w * h
        p = arb_mat(k, n)
        for j in range(n):
            e = [z[i, j].exp() for i in range(k)]
            s = sum(e, arb(0))
            for i in range(k):
                p[i, j] = e[i] / s
        labels = arb_mat(k, n, [1 if i == j * k // n else 0 for i in range(k) for j in range(n)])
        g = (p - labels) * over
        gw, gh = g * h.transpose() + w * lw, w.transpose() * g + h * lh
        gradient = gw.entries() + gh.entries()
        size = max((x.abs_upper() for x in gradient), key=lambda x: float(x.log()) if x > 0 else -1e9)
        if flint.ctx.dps == digits + 20 and size < target:
            return step
        m = k * d
        jac = arb_mat(k * n, m + d * n)
        for i in range(k):
            for j in range(n):
                for t in range(d):
                    jac[i * n + j, i * d + t] = h[t, j]
                    jac[i * n + j, m + t * n + j] = w[i, t]
        middle = arb_mat(k * n, k * n)
        for j in range(n):
            for a in range(k):
                for b in range(k):
                    middle[a * n + j, b * n + j] = ((p[a, j] if a == b else 0) - p[a, j] * p[b, j]) * over
        hessian = jac.transpose() * middle * jac
        for i in range(k):
            for t in range(d):
                for j in range(n):
                    hessian[i * d + t, m + t * n + j] += g[i, j]
                    hessian[m + t * n + j, i * d + t] += g[i, j]
        for i in range(m):
            hessian[i, i] += lw
        for i in range(d * n):
            hessian[m + i, m + i] += lh
        pairs = [(a, b) for a in range(d) for b in range(a)]
        gauge = arb_mat(len(pairs), m + d * n)
        for row, (a, b) in enumerate(pairs):
            for i in range(k):
                gauge[row, i * d + b] += w[i, a]
                gauge[row, i * d + a] -= w[i, b]
            for j in range(n):
                gauge[row, m + a * n + j] -= h[b, j]
                gauge[row, m + b * n + j] += h[a, j]
        system = entries(hessian + gauge.transpose() * gauge)
        right = entries(arb_mat(m + d * n, 1, [-x for x in gradient]))
        step_vector = system.solve(right, algorithm="approx").entries()
        w = entries(w + arb_mat(k, d, step_vector[:m]))
        h = entries(h + arb_mat(d, n, step_vector[m:]))
        accuracy = min(2 * accuracy, digits)
    raise RuntimeError("python-flint did not converge")


def mpmath_newton(w0, h0, digits):
    k, d = w0.shape
    n = h0.shape[1]
    mpmath.mp.dps = digits + 20
    w, h = mpmath.matrix(w0.tolist()), mpmath.matrix(h0.tolist())
    lw, lh = mpmath.mpf("0.005"), mpmath.mpf("0.001")
    m = k * d
    for step in range(30):
        z = w * h
        p = mpmath.matrix(k, n)
        for j in range(n):
            e = [mpmath.exp(z[i, j]) for i in range(k)]
            s = sum(e)
            for i in range(k):
                p[i, j] = e[i] / s
        g = p.copy()
        for j in range(n):
            g[j * k // n, j] -= 1
        g /= n
        gw, gh = g * h.T + w * lw, w.T * g + h * lh
        gradient = [gw[i, t] for i in range(k) for t in range(d)] + [gh[t, j] for t in range(d) for j in range(n)]
        if max(abs(x) for x in gradient) < mpmath.mpf(10) ** (-digits):
            return step
        jac = mpmath.zeros(k * n, m + d * n)
        for i in range(k):
            for j in range(n):
                for t in range(d):
                    jac[i * n + j, i * d + t] = h[t, j]
                    jac[i * n + j, m + t * n + j] = w[i, t]
        middle = mpmath.zeros(k * n, k * n)
        for j in range(n):
            for a in range(k):
                for b in range(k):
                    middle[a * n + j, b * n + j] = ((p[a, j] if a == b else 0) - p[a, j] * p[b, j]) / n
        hessian = jac.T * middle * jac
        for i in range(k):
            for t in range(d):
                for j in range(n):
                    hessian[i * d + t, m + t * n + j] += g[i, j]
                    hessian[m + t * n + j, i * d + t] += g[i, j]
        for i in range(m):
            hessian[i, i] += lw
        for i in range(d * n):
            hessian[m + i, m + i] += lh
        for a in range(d):
            for b in range(a):
                v = [mpmath.mpf(0)] * (m + d * n)
                for i in range(k):
                    v[i * d + b] += w[i, a]
                    v[i * d + a] -= w[i, b]
                for j in range(n):
                    v[m + a * n + j] -= h[b, j]
                    v[m + b * n + j] += h[a, j]
                for x in range(len(v)):
                    if v[x] != 0:
                        for y in range(len(v)):
                            hessian[x, y] += v[x] * v[y]
        step_vector = mpmath.lu_solve(hessian, mpmath.matrix([-x for x in gradient]))
        for i in range(k):
            for t in range(d):
                w[i, t] += step_vector[i * d + t]
        for t in range(d):
            for j in range(n):
                h[t, j] += step_vector[m + t * n + j]
    raise RuntimeError("mpmath did not converge")


def timed(run, repeats):
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def ours(path, digits, repeats):
    command = [ROOT / "target/release/examples/refine_times", path, str(digits), str(repeats)]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    if result["verdict"] != "global-minimum" or not result["converged"]:
        sys.exit(f"not certified: {result}")
    exponent = int(result["gap"].split("e-")[1])
    if exponent < digits:
        sys.exit(f"gap {result['gap']} at {digits} digits")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-mpmath", action="store_true")
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-newton")
    args = parser.parse_args()
    folder = ROOT / "target/flint-points"
    folder.mkdir(parents=True, exist_ok=True)
    about, rows = recording.machine(flint=flint.__FLINT_VERSION__, mpmath=mpmath.__version__, numpy=np.__version__), []
    for k, n, d, repeats in [(4, 1, 4, args.repeats), (4, 50, 20, 3)]:
        path = problem_file(folder, k, n, d)
        point = folder / f"{path.stem}.npz"
        point.unlink(missing_ok=True)
        subprocess.run([ROOT / "target/release/ufm", "solve", path, "--method", "numerical", "--out", point], check=True, stdout=subprocess.DEVNULL)
        arrays = np.load(point)
        w, h = arrays["W"], arrays["H"]
        for digits in (100, 1000):
            mine = ours(path, digits, repeats)
            row = dict(case=f"K={k} d={d} n={n}", digits=digits, refine=mine["refine"], certify=mine["certify"], gap=mine["gap"])
            # n = 50 has 4,080 variables: the dense Newton matrix of the peers alone would take minutes and gigabytes.
            if n == 1:
                row["flint"] = timed(lambda: flint_newton(w, h, digits, False), repeats)
                row["flint_doubling"] = timed(lambda: flint_newton(w, h, digits, True), repeats)
                if not args.no_mpmath:
                    row["mpmath"] = timed(lambda: mpmath_newton(w, h, digits), 1)
            rows.append(row)
            print(f"{row['case']}, {digits} digits: measured", flush=True)
    if args.record:
        what = "minimiser of {case} CE to {digits} digits"
        found = [recording.ratio(what.format(**r), r["refine"] + r["certify"], *best(r)) for r in rows]
        recording.save("newton", about, found, rows, table(rows), repeats=args.repeats)
    else:
        print(table(rows))


def best(row):
    """The faster of FLINT's two methods."""
    times = [row[name] for name in ("flint", "flint_doubling") if name in row]
    return ("FLINT", min(times)) if times else ("none", None)


def table(rows):
    shown = recording.shown
    lines = [
        "| problem | digits | ufm refine + certify | certified gap | python-flint | python-flint, doubling | mpmath | flint (better) / ufm |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        _, peer = best(r)
        ratio = f"{peer / (r['refine'] + r['certify']):.1f}x" if peer else "-"
        times = " | ".join(shown(r.get(name)) for name in ("flint", "flint_doubling", "mpmath"))
        lines.append(f"| {r['case']} | {r['digits']} | {shown(r['refine'])} + {shown(r['certify'])} | {r['gap']} | {times} | {ratio} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
