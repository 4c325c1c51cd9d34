"""numpy's kernels under test, as an example for any language.

    ufm kernels --emit cases
    python examples/judge_numpy.py cases [--sloppy]
    ufm kernels --judge cases

Needs numpy only. --sloppy works in single precision and rotates one sign: the judge names the cases and the ratios.
"""

import argparse
import json
import pathlib

import numpy as np


def compute(operation, a, b, dtype):
    a = a.astype(dtype)
    b = None if b is None else b.astype(dtype)
    if operation == "gemm":
        return {"C": a @ b}
    if operation == "cholesky":
        return {"L": np.linalg.cholesky(a)}
    if operation == "qr":
        return dict(zip(("Q", "R"), np.linalg.qr(a)))
    if operation == "eigh":
        return dict(zip(("w", "V"), np.linalg.eigh(a)))
    if operation == "svd":
        return dict(zip(("U", "s", "Vt"), np.linalg.svd(a, full_matrices=False)))
    if operation == "solve":
        return {"X": np.linalg.solve(a, b)}
    raise SystemExit(f"unknown operation {operation}")


def main():
    parser = argparse.ArgumentParser(description="Compute the cases of `ufm kernels --emit` with numpy.")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--sloppy", action="store_true", help="single precision, and one rotated sign")
    args = parser.parse_args()
    manifest = json.loads((args.folder / "manifest.json").read_text())
    for case in manifest["cases"]:
        with np.load(args.folder / case["input_file"]) as inputs:
            a, b = inputs["A"], inputs["B"] if "B" in inputs else None
        try:
            with np.errstate(all="ignore"):
                results = compute(case["operation"], a, b, np.float32 if args.sloppy else np.float64)
        except np.linalg.LinAlgError as error:
            # No output: the judge counts the case as failed.
            print(f"{case['case']}: {error}")
            continue
        results = {output["name"]: results[output["name"]].astype(np.float64) for output in case["outputs"]}
        first = results[case["outputs"][0]["name"]]
        if args.sloppy and first.size:
            first.flat[-1] *= -1
        np.savez(args.folder / case["output_file"], **results)


if __name__ == "__main__":
    main()
