"""Products of n x n matrices of p-bit entries: this project against FLINT's arb_mat, in one session.

Method: both sides multiply the same matrices (splitmix64 entries) at p bits and bound their errors. Entries sampled over the product are
compared with exact sums before timing, and corner entries of both sides must overlap. Rounds of the two programs alternate; a figure is
the median of all rounds, "least" the shortest of each side. The result of the round before is freed inside the clock on both sides.
Bias: square matrices with full-precision entries of one magnitude; python-flint's wheel brings GMP with assembler, this project's build
has none where m4 is missing.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import flint
import numpy as np
from flint import arb, arb_mat, ctx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402

PROGRAM = ROOT / "target/release/examples/product_times"


def splitmix64(seed, count):
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random(n, bits, seed):
    words = -(-bits // 64)
    stream = splitmix64(seed, n * n * (words + 1)).reshape(n * n, words + 1)
    limbs, signs = np.ascontiguousarray(stream[:, :words]).astype("<u8"), stream[:, words] & np.uint64(1)
    mask = (1 << bits) - 1

    def entry(q):
        x = int.from_bytes(limbs[q].tobytes(), "little") & mask
        return arb((-x if signs[q] else x, -bits))

    return arb_mat(n, n, [entry(q) for q in range(n * n)])


def ours(n, bits, threads, rounds):
    line = subprocess.run([PROGRAM, str(n), str(bits), str(threads), str(rounds)], check=True, capture_output=True, text=True).stdout
    return json.loads(line)


def theirs(a, b, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        c = a * b
        times.append(time.perf_counter() - start)
    return times, c


def compare(n, bits, threads, budget):
    ctx.prec, ctx.threads = bits, threads
    a, b = random(n, bits, 1), random(n, bits, 2)
    (once,), c = theirs(a, b, 1)
    rounds = max(1, min(15, int(budget / 3 / once)))
    # A product that takes far longer than its budget is done once more, not three times.
    alternations, mine, peer = (1 if once > 2 * budget else 3), [], []
    for _ in range(alternations):
        answer = ours(n, bits, threads, rounds)
        mine += answer["seconds"]
        times, c = theirs(a, b, rounds)
        peer += times
    ctx.prec = 4 * bits
    radius, power = answer["radius"]
    for q, (digits, exponent) in zip((0, n - 1), answer["corner"]):
        ball = arb((int(digits, 16), exponent), arb(radius) * arb(2) ** (power + 2))
        assert ball.overlaps(c[q, q]), (n, bits, q)
    return mine, peer


def table(rows):
    lines = ["| threads | n | bits | ufm, ms | FLINT, ms | ratio | ratio of least |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        x, y = row["ufm_seconds"], row["flint_seconds"]
        least = row["flint_least"] / row["ufm_least"]
        lines.append(f"| {row['threads']} | {row['n']} | {row['bits']} | {x * 1e3:.2f} | {y * 1e3:.2f} | {y / x:.2f} | {least:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128, 256, 512])
    parser.add_argument("--bits", type=int, nargs="+", default=[106, 256, 512, 1024, 2048])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--budget", type=float, default=3.0, help="seconds of FLINT's share of a case")
    parser.add_argument("--record", action="store_true", help="write benches/records/DATE-product")
    args = parser.parse_args()
    about, rows = recording.machine(flint=flint.__FLINT_VERSION__, numpy=np.__version__), []
    for threads in args.threads:
        for n in args.sizes:
            for bits in args.bits:
                mine, peer = compare(n, bits, threads, args.budget)
                x, y = statistics.median(mine), statistics.median(peer)
                least = dict(ufm_least=min(mine), flint_least=min(peer), rounds=len(mine))
                rows.append(dict(threads=threads, n=n, bits=bits, ufm_seconds=x, flint_seconds=y, **least))
                print(f"{threads} threads, n = {n}, {bits} bits: measured", flush=True)
    if args.record:
        found = [
            recording.ratio(f"product of balls, n = {r['n']}, {r['bits']} bits, threads {r['threads']}", r["ufm_seconds"], "FLINT", r["flint_seconds"])
            for r in rows
        ]
        note = "Medians of alternating rounds; \"ratio of least\" compares the shortest. Both sides bound their errors."
        recording.save("product", about, found, rows, table(rows), note, budget_seconds=args.budget)
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
