"""The README's table of ratios, from the newest record of each kind: nothing in it is typed.

    python3 benches/ratios.py            rewrites the lines between the markers in README.md
    python3 benches/ratios.py --check    exits 1 when they are not what the records say
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- ratios: begin (python3 benches/ratios.py) -->", "<!-- ratios: end -->"
KINDS = ["solve", "sphere", "multi-label", "metrics", "newton", "eigen", "product"]

sys.path.insert(0, str(ROOT / "benches"))
import recording  # noqa: E402


def newest():
    """The latest record of each kind, by its date."""
    found = {}
    for path in sorted(recording.RECORDS.glob("*.json")):
        record = json.loads(path.read_text())
        if record.get("kind") in KINDS:
            found[record["kind"]] = (path, record)
    return [found[kind] for kind in KINDS if kind in found]


def summarised(record):
    """The ratios of a record; those of products, of which there are many, by threads and size: the least and the largest over bits."""
    if record["kind"] != "product":
        for r in record["ratios"]:
            peer, quotient = "-", "-"
            if r["peer_seconds"]:
                peer = f"{recording.shown(r['peer_seconds'])} ({r['peer']})"
                quotient = f"{r['peer_seconds'] / r['ufm_seconds']:.1f}x"
            yield r["case"], recording.shown(r["ufm_seconds"]), peer, quotient
        return
    groups = {}
    for row in record["cases"]:
        groups.setdefault((row["threads"], row["n"]), []).append((row["flint_seconds"] / row["ufm_seconds"], row["bits"]))
    for (threads, n), ratios in groups.items():
        (least, where), (most, there) = min(ratios), max(ratios)
        bits = f"{min(b for _, b in ratios)} to {max(b for _, b in ratios)}"
        case = f"product of balls, {n} x {n}, {bits} bits, {threads} thread{'s' if threads > 1 else ''}"
        yield case, "-", "FLINT", f"{least:.1f}x ({where} bits) to {most:.1f}x ({there} bits)"


def block():
    lines = [BEGIN, "", "| measured | ufm | best peer | ratio |", "|---|---|---|---|"]
    sources = []
    for path, record in newest():
        lines += [f"| {' | '.join(row)} |" for row in summarised(record)]
        about = record["machine"]
        name = path.relative_to(ROOT).as_posix()
        sources.append(
            f"[{record['kind']}]({name}): {record['date']}, commit {about['commit']}, load {about['load_at_start']} to {about['load_at_end']}"
        )
        where = f"{about['cpu']}, {about['cores']} cores"
    if not sources:
        return f"{BEGIN}\n\nNo records yet: `benches/record` makes them and this table.\n\n{END}"
    return "\n".join([*lines, "", f"{where}; \"-\" where no peer was run or none got there. Records: {'; '.join(sources)}.", "", END])


def main():
    text = README.read_text()
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        sys.exit(f"README.md lacks the markers {BEGIN} and {END}")
    wanted = before + block() + after
    if "--check" in sys.argv[1:]:
        if wanted != text:
            sys.exit("README.md: the table of ratios is not that of benches/records: run python3 benches/ratios.py")
    elif wanted != text:
        README.write_text(wanted)


if __name__ == "__main__":
    main()
