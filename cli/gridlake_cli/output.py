"""What is shown: tables and JSON on standard output, progress and messages on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

STATUS_STYLE = {
    "loaded": "green",
    "ok": "green",
    "partial": "yellow",
    "uncatalogued": "yellow",
    "superseded": "dim",
    "failed": "bold red",
    "differs": "bold red",
}
BARS = "▁▂▃▄▅▆▇█"


def out() -> Console:
    """Console of standard output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """Console of standard error."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(value: Any) -> None:
    """Write `value` to standard output as JSON and nothing else."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def message(text: str, *, style: str = "") -> None:
    """Say something that is not the result."""
    err().print(text, style=style, markup=False)


def show_error(text: str, hint: str | None) -> None:
    """Say what went wrong and what to do."""
    console = err()
    console.print("[bold red]error[/] ", end="")
    console.print(text, markup=False)
    if hint:
        console.print("[cyan]hint[/]  ", end="")
        console.print(hint, markup=False)


def styled(status: str) -> str:
    """A status in its colour, as rich markup."""
    style = STATUS_STYLE.get(status)
    return f"[{style}]{status}[/]" if style else status


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    title: str | None = None,
    numbers: Iterable[int] = (),
) -> None:
    """Print a table; the columns whose positions are in `numbers` align right."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    right = set(numbers)
    view = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for position, name in enumerate(columns):
        view.add_column(name, justify="right" if position in right else "left", overflow="fold")
    for row in rows:
        view.add_row(
            *(
                styled(cell) if isinstance(cell, str) and cell in STATUS_STYLE else escape(text(cell))
                for cell in row
            )
        )
    console = out()
    if not sys.stdout.isatty():
        # A pipe has no width: a table keeps its lines whole.
        wide = console.options.update(width=10_000)
        console.width = max(console.width, console.measure(view, options=wide).maximum)
    console.print(view)


def text(value: Any) -> str:
    """One value as a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1 else f"{value:,.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text(entry)}" for key, entry in value.items())
    return str(value)


def reasons(report: dict[str, Any]) -> str:
    """Quarantine of a report on one line: ``missing_value 3, out_of_range 1``."""
    return ", ".join(f"{entry['reason']} {entry['count']:,}" for entry in report.get("quarantine") or [])


def sparkline(values: Sequence[float | None], *, width: int = 60) -> str:
    """A line of block characters; more values than `width` are averaged, gaps stay blank."""
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [
            sum(kept) / len(kept) if (kept := [v for v in values[a:b] if v is not None]) else None
            for a, b in pairwise(edges)
        ]
    present = [v for v in values if v is not None]
    if not present:
        return ""
    low, span = min(present), (max(present) - min(present)) or 1.0
    return "".join(" " if v is None else BARS[min(7, int((v - low) / span * 8))] for v in values)
