"""Records: dated JSON with the machine's description, the table as Markdown beside it, and the ratios that the README shows.

A record is benches/records/DATE-KIND.json:

    { "kind", "date", "machine": { cpu, cores, load_at_start, load_at_end, commit, ... }, "options": { ... },
      "ratios": [ { "case", "ufm_seconds", "peer", "peer_seconds" } ], "cases": [ everything that was measured ] }
"""

import datetime
import json
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORDS = ROOT / "benches/records"


def cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def git(*arguments):
    run = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True)
    return run.stdout.strip() if run.returncode == 0 else ""


def machine(**versions):
    """What a reader needs to judge a figure; `versions` are those of the peers."""
    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benches", ":!README.md") else ""
    about = dict(
        cpu=cpu(),
        cores=os.cpu_count(),
        load_at_start=round(os.getloadavg()[0], 2),
        commit=git("rev-parse", "--short", "HEAD") + changed,
        python=platform.python_version(),
    )
    try:
        import threadpoolctl

        blas = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
        about["blas"] = sorted({" ".join(str(info.get(key) or "") for key in ("internal_api", "version", "architecture")) for info in blas})
    except ImportError:
        pass
    return about | versions


def ratio(case, ufm_seconds, peer, peer_seconds):
    return dict(case=case, ufm_seconds=ufm_seconds, peer=peer, peer_seconds=peer_seconds)


def shown(seconds):
    """A time for reading, three digits."""
    if seconds is None:
        return "-"
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} µs"


def save(kind, about, ratios, cases, table, note="", **options):
    """Writes both files of a record; one of the same kind and day is replaced."""
    about = about | dict(load_at_end=round(os.getloadavg()[0], 2))
    date = datetime.date.today().isoformat()
    record = dict(kind=kind, date=date, machine=about, options=options, ratios=ratios, cases=cases)
    RECORDS.mkdir(exist_ok=True)
    stem = RECORDS / f"{date}-{kind}"
    versions = ", ".join(f"{name} {value}" for name, value in about.items() if name in ("python", "numpy", "scipy", "torch", "flint", "mpmath"))
    head = (
        f"{about['cpu']}, {about['cores']} cores, load {about['load_at_start']} at the start and {about['load_at_end']} at the end; "
        f"commit {about['commit']}; {versions}.\n"
    )
    texts = {".json": json.dumps(record, indent=1, ensure_ascii=False) + "\n", ".md": f"{head}\n{table}" + (f"\n{note}\n" if note else "")}
    for suffix, text in texts.items():
        path = stem.with_name(stem.name + suffix)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text)
        temporary.replace(path)
    print(f"\n{table}\nrecorded in {stem.relative_to(ROOT)}.json", flush=True)
