"""Enclosed eigenvalues of the Gram matrix I - J/K of a simplex equiangular tight frame: ufm against python-flint, one thread each.

    python3 -m venv target/flint-venv && target/flint-venv/bin/pip install python-flint mpmath
    cargo build --release --example eigen_times
    target/flint-venv/bin/python benches/flint/eigen.py [--digits 70] [--bits 256] [--repeats 7] [SIZE ...]

Both receive the exact rational matrix and return enclosures of all eigenvalues with multiplicities: ufm as wide as the digits ask
for, flint (acb_mat.eig(multiple=True), which calls Arb's van der Hoeven-Mourrain enclosure of clusters) as wide as its working
precision gives. mpmath's eigsy, not rigorous, is timed once. Each result is checked against the known spectrum before
its time counts. Runs alternate; the first run in a process is not counted; medians are compared.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402

THREADS = dict(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1")


def flint_run(size, bits):
    import flint

    flint.ctx.prec = bits
    start = time.perf_counter()
    third = flint.arb(1) / size
    gram = flint.acb_mat(flint.arb_mat(size, size, [(1 if i == j else 0) - third for i in range(size) for j in range(size)]))
    values = gram.eig(multiple=True)
    seconds = time.perf_counter() - start
    zeros = sum(1 for z in values if z.real.contains(0))
    ones = sum(1 for z in values if z.real.contains(1))
    if (zeros, ones, len(values)) != (1, size - 1, size):
        raise SystemExit(f"flint: wrong spectrum for {size}")
    return dict(seconds=seconds, max_radius=max(float(z.real.rad()) for z in values))


def mpmath_run(size, bits):
    import mpmath

    mpmath.mp.prec = bits
    start = time.perf_counter()
    values = mpmath.eigsy(mpmath.eye(size) - mpmath.ones(size) / size, eigvals_only=True)
    seconds = time.perf_counter() - start
    if max(abs(v - (1 if i else 0)) for i, v in enumerate(sorted(values))) > mpmath.mpf(2) ** (16 - bits):
        raise SystemExit(f"mpmath: wrong spectrum for {size}")
    return dict(seconds=seconds)


def ufm_run(size, digits):
    program = ROOT / "target/release/examples/eigen_times"
    lines = subprocess.run(
        [program, str(size), str(digits), "2"], check=True, capture_output=True, text=True, env=os.environ | THREADS
    ).stdout
    last = json.loads(lines.splitlines()[-1])
    return dict(seconds=last["seconds"], max_radius=last["max_radius"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[10, 32, 64])
    parser.add_argument("--digits", type=int, default=70)
    parser.add_argument("--bits", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-eigen")
    args = parser.parse_args()
    os.environ.update(THREADS)
    import flint
    import mpmath

    about, rows = recording.machine(flint=flint.__FLINT_VERSION__, mpmath=mpmath.__version__), []
    for size in args.sizes:
        runs = {"ufm": [], "flint": []}
        flint_run(size, args.bits)
        for _ in range(args.repeats):
            runs["ufm"].append(ufm_run(size, args.digits))
            runs["flint"].append(flint_run(size, args.bits))
        runs["mpmath"] = [mpmath_run(size, args.bits)]
        row = dict(size=size)
        for name, rs in runs.items():
            row[f"{name}_seconds"] = statistics.median(r["seconds"] for r in rs)
            row[f"{name}_max_radius"] = max((r["max_radius"] for r in rs if "max_radius" in r), default=None)
        rows.append(row)
        print(f"{size} x {size}: measured", flush=True)
    if args.record:
        what = f"eigenvalues of an ETF Gram matrix, {args.digits} digits"
        found = [recording.ratio(f"{what}, n = {r['size']}", r["ufm_seconds"], "FLINT", r["flint_seconds"]) for r in rows]
        recording.save("eigen", about, found, rows, table(rows), digits=args.digits, bits=args.bits, repeats=args.repeats)
    else:
        print(table(rows))


def table(rows):
    shown = recording.shown
    lines = ["| n | ufm | largest radius | FLINT | largest radius | mpmath, not rigorous | FLINT / ufm |", "|---|---|---|---|---|---|---|"]
    for r in rows:
        ratio = r["flint_seconds"] / r["ufm_seconds"]
        lines.append(
            f"| {r['size']} | {shown(r['ufm_seconds'])} | {r['ufm_max_radius']:.1e} | {shown(r['flint_seconds'])} | {r['flint_max_radius']:.1e} "
            f"| {shown(r['mpmath_seconds'])} | {ratio:.1f}x |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
