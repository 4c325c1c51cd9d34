"""What a record says of the machine it was made on."""

import os
import pathlib
import platform
import subprocess


def machine(root, *modules):
    """Processor, cores, load, commit of `root`, and the versions of Python and of the modules."""
    model = platform.processor() or "unknown"
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    commit = subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    versions = {module.__name__: module.__version__ for module in modules}
    return dict(cpu=model, cores=os.cpu_count(), load_at_start=os.getloadavg()[0], commit=commit, python=platform.python_version(), **versions)
