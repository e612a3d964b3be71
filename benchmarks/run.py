"""Run every benchmark one after the other and write RESULTS.md with the facts of the machine.

Run: ``make bench`` (``make bench ARGS='--quick'`` for a look with few rows, which does not overwrite RESULTS.md).
A part that fails makes the run fail; the others are still measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ("influxdb-client", "pandas", "pyarrow", "awswrangler", "duckdb", "numpy")


@dataclass(frozen=True)
class Part:
    """One benchmark: a script that prints Markdown tables among other lines."""

    title: str
    script: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()


PARTS = (
    Part(
        "Line protocol: rows serialised per second",
        "line_protocol.py",
        quick=("--rows", "100000", "--peer-rows", "50000"),
    ),
    Part("Load into a local InfluxDB", "influx_load.py", quick=("--rows", "100000", "--peer-rows", "20000")),
    Part("Imports of the functions in a fresh interpreter", "cold_imports.py", quick=("--repeat", "1")),
    Part("CSV to silver Parquet", "csv_to_silver.py", ("--full",), ("--rows", "100000", "--repeat", "1")),
)


def main(arguments: list[str] | None = None) -> int:
    """Run the parts; the exit code is 1 when one of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rows, to see that everything runs")
    parser.add_argument("--only", choices=[part.script.removesuffix(".py") for part in PARTS])
    parser.add_argument(
        "--out", type=Path, help="file to write (default: RESULTS.md, or none with --quick or --only)"
    )
    chosen = parser.parse_args(arguments)
    out = chosen.out or (None if chosen.quick or chosen.only else HERE / "RESULTS.md")
    sections, failed = [], []
    for part in PARTS:
        if chosen.only and part.script != f"{chosen.only}.py":
            continue
        options = part.quick if chosen.quick else part.options
        code, printed, seconds = run(part, options)
        if code:
            failed.append(part.script)
        tables = tables_of(printed) or "It printed no table."
        command = " ".join(["python", f"benchmarks/{part.script}", *options])
        note = "**failed** " if code else ""
        sections.append(f"## {part.title}\n\n{note}`{command}`, {seconds:.0f} s\n\n{tables}\n")
        print(sections[-1], flush=True)
    if out:
        out.write_text("\n".join([heading(), *sections]), encoding="utf-8")
        print(f"written to {out}")
    if failed:
        print("failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


def run(part: Part, options: tuple[str, ...]) -> tuple[int, str, float]:
    """Exit code, standard output and seconds of a part."""
    sources = [str(ROOT / name) for name in ("layers/shared", "local", "samples")]
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(HERE / part.script), *options],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sources)},
    )
    return done.returncode, done.stdout, time.monotonic() - started


def tables_of(printed: str) -> str:
    """The Markdown tables in what a part printed, with a blank line between them."""
    groups = groupby(printed.splitlines(), key=lambda line: line.startswith("|"))
    return "\n\n".join("\n".join(lines) for is_table, lines in groups if is_table)


def heading() -> str:
    """What was measured where, when and with which versions."""
    versions = []
    for name in PEERS:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} absent")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT
    ).stdout.strip()
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`. Peers are measured in the same run on the same data; other work on the machine "
        "lowers all of them.\n\n"
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}\n"
        f"- {cpu()}, {os.cpu_count()} cores, {memory_gb():.0f} GB, {platform.system()} {platform.release()}, "
        f"load {os.getloadavg()[0]:.1f}\n"
        f"- Python {platform.python_version()}, {', '.join(versions)}\n"
    )


def cpu() -> str:
    """Name of the processor."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def memory_gb() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


if __name__ == "__main__":
    raise SystemExit(main())
