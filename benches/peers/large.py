"""What certifying and checking cost beside solving, and where the solver's time goes.

Method: whole processes. `solve` is the solver's own clock (JSON field numerical.seconds), `certify` a run of `ufm certify --solution` from
reading the point to the written certificate, `check` a run of `ufm-check`. Each runs a few times; medians of wall time, least processor
time and peak memory are printed. Start-up: twenty runs. The profile is of the solver alone (`time_to_tol`), needs Linux perf and
is left out without it: the share of samples inside products of doubles, and the gradient's rate beside that of a large product. Every command is stopped after --limit seconds. Only Python's standard library is used.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UFM, CHECK = ROOT / "target/release/ufm", ROOT / "target/release/ufm-check"
SOLVER = ROOT / "target/release/examples/time_to_tol"
# Names of the thread pool's waiting, of system calls and of the kernel's scheduling.
WAITING = ("spindle::barrier", "spindle::worker_loop", "rayon_core::registry", "crossbeam", "syscall", "[k]")


def run(command, limit):
    """Wall seconds, processor seconds, peak MiB and output of one process."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        child = subprocess.Popen([str(c) for c in command], stdout=out)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.perf_counter() - start > limit:
                child.kill()
                os.wait4(child.pid, 0)
                raise SystemExit(f"stopped after {limit} s: {command}")
            time.sleep(0.0005)
        wall = time.perf_counter() - start
        assert os.waitstatus_to_exitcode(status) == 0, command
        out.seek(0)
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out.read().decode()


def row(name, runs, seconds=None):
    wall = seconds or [r[0] for r in runs]
    cpu, memory = min(r[1] for r in runs), max(r[2] for r in runs)
    print(f"| {name} | {statistics.median(wall):.3f} | {min(wall):.3f} | {cpu:.3f} | {memory:.0f} |", flush=True)
    return statistics.median(wall)


def profile(problem, limit):
    """Where the solver's own time goes: samples of a process that solves and does nothing else, three times to 1e-8 and to 1e-12."""
    if not shutil.which("perf"):
        return
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        recorded = ["perf", "record", "-q", "-F", "500", "-o", data, SOLVER, problem, "random", "3", "newton-cg"]
        runs = [json.loads(line) for line in run(recorded, limit)[3].splitlines()]
        report = ["perf", "report", "-i", data, "--no-children", "--stdio", "--percent-limit", "0", "--sort", "symbol"]
        text = subprocess.run(report, capture_output=True, text=True, check=False).stdout
    shares = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) >= 3 and parts[0].endswith("%") and not line.startswith("#"):
            shares.append((float(parts[0][:-1]), " ".join(p for p in parts[1:] if p not in ("-", "[.]"))))
    products = sum(share for share, name in shares if "gemm" in name)
    waiting = sum(share for share, name in shares if any(word in name for word in WAITING))
    rate, peak = runs[0]["gradient_gflops"], runs[0]["product_peak_gflops"]
    print(f"{products:.0f} % of the solver in products of doubles, {waiting:.0f} % in threads that wait for each other or the system;")
    print(f"gradient {rate} GFLOP/s, {100 * rate / peak:.0f} % of the product peak {peak} GFLOP/s. Then")
    for share, name in [s for s in shares if "gemm" not in s[1] and not any(word in s[1] for word in WAITING)][:6]:
        print(f"- {share:.1f} % {name[:100]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=["ce_k100", "ce_k1000", "mse_k1000"], help="names of examples/*.toml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300, help="seconds one command may take")
    args = parser.parse_args()
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.2f} at the start\n")
    print("| what | median s | least s | processor s | peak MiB |\n|---|---|---|---|---|")
    for name, command in (("start-up, --version", ["--version"]), ("start-up, a closed form", ["solve", ROOT / "examples/mse_bias_none.toml"])):
        row(name, [run([UFM, *command], args.limit) for _ in range(20)])
    for case in args.cases:
        problem = ROOT / f"examples/{case}.toml"
        with tempfile.TemporaryDirectory() as folder:
            point, certificate = f"{folder}/point.npz", f"{folder}/point.cert"
            solve = [UFM, "solve", problem, "--method", "numerical", "--json"]
            solves = [run([*solve, "--out", f"{folder}/{r}.npz"], args.limit) for r in range(args.rounds)]
            os.rename(f"{folder}/0.npz", point)
            solving = row(f"{case}: solve", solves, [json.loads(r[3])["numerical"]["seconds"] for r in solves])
            certify = [UFM, "certify", problem, "--solution", point, "--out"]
            certifying = row(f"{case}: certify", [run([*certify, f"{folder}/{r}.cert"], args.limit) for r in range(args.rounds)])
            os.rename(f"{folder}/0.cert", certificate)
            checking = row(f"{case}: check", [run([CHECK, problem, certificate], args.limit) for _ in range(args.rounds)])
            print(f"| {case}: (certify + check) / solve | {(certifying + checking) / solving:.2f} | | | |", flush=True)
    for case in args.cases:
        print(f"\n{case}")
        profile(ROOT / f"examples/{case}.toml", args.limit)
    print(f"\nLoad at the end: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
