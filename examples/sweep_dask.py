"""A grid across machines with Dask: one task for each shard, then a merge. Needs `dask.distributed`, and OUT on a shared disk.

    python examples/sweep_dask.py GRID.toml OUT [SHARDS] [SCHEDULER]

Without a SCHEDULER address, or without Dask, the shards run on this machine. Tasks may be killed and run again: a shard continues where
it was.
"""

import glob
import pathlib
import subprocess
import sys


def solve(grid, out, number, shards):
    """One shard on one thread; 0 every instance holds, 1 some do not (the table says which)."""
    command = ["ufm", "sweep", grid, "--out", f"{out}/shard-{number}", "--shard", f"{number}/{shards}", "--resume", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.returncode


def main(grid, out, shards=8, scheduler=None):
    shards = int(shards)
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    numbers = range(1, shards + 1)
    try:
        from dask.distributed import Client

        with Client(scheduler) as client:
            codes = client.gather(client.map(lambda number: solve(grid, out, number, shards), numbers, pure=False))
    except ImportError:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor() as pool:
            codes = list(pool.map(lambda number: solve(grid, out, number, shards), numbers))
    merge = ["ufm", "sweep", "merge", *sorted(glob.glob(f"{out}/shard-*")), "--out", f"{out}/whole", "--report", f"{out}/whole.html"]
    return max(*codes, subprocess.run(merge).returncode)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
