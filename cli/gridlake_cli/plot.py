"""A series as a picture."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gridlake_cli.errors import UNUSABLE, CommandError
from gridlake_cli.query import instant

FORMATS = frozenset({".png", ".svg", ".pdf"})
MANY = 12
"""Series up to which each is named in the legend."""


def draw(answer: dict[str, Any], path: Path) -> None:
    """Draw the rows of an answer: one panel for each unit, one line for each series, time in the dataset's zone.

    Raises
    ------
    CommandError
        There is nothing to draw, or the file can't be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise CommandError(
            f"{path}: the plot is written as PNG, SVG or PDF.",
            hint=f"Name it {path.with_suffix('.png').name}",
            code="usage",
            exit_code=UNUSABLE,
        )
    panels = _panels(answer)
    if not panels:
        raise CommandError("There are no rows to plot.", hint="Choose another range.", code="no_rows")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import dates
    from matplotlib import pyplot as plt

    zone = ZoneInfo(answer.get("zone") or "UTC")
    figure, axes = plt.subplots(
        len(panels),
        1,
        figsize=(11, 1.2 + 3.6 * len(panels)),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for axis, (unit, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for name, points in lines.items():
            times, values = zip(*points, strict=True)
            axis.plot(times, values, label=name, linewidth=1.3, marker="o" if len(points) == 1 else None)
        axis.set_ylabel(unit)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        locator = dates.AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]
        if 1 < len(lines) <= MANY:
            axis.legend(frameon=False, ncols=min(len(lines), 6), loc="upper left", bbox_to_anchor=(0, -0.12))
    axes[0, 0].set_title(_title(answer), loc="left", fontsize=11)
    axes[-1, 0].set_xlabel(f"time ({zone.key})")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}.", code="not_writable") from error
    finally:
        plt.close(figure)


def _title(answer: dict[str, Any]) -> str:
    measures = [column["name"] for column in answer["columns"] if _is_value(column)]
    return f"{answer.get('dataset', '')}: {', '.join(measures)}"


def _is_value(column: dict[str, Any]) -> bool:
    return column.get("type") in {"number", "integer"}


def _panels(answer: dict[str, Any]) -> dict[str, dict[str, list[tuple[Any, float]]]]:
    """Points by unit and series; gaps stay gaps."""
    columns = answer["columns"]
    time = next((i for i, column in enumerate(columns) if column["name"] == "time"), None)
    values = [i for i, column in enumerate(columns) if _is_value(column)]
    if time is None:
        return {}
    tags = [i for i in range(len(columns)) if i != time and i not in values]
    panels: dict[str, dict[str, list[tuple[Any, float]]]] = defaultdict(lambda: defaultdict(list))
    for row in answer["rows"]:
        moment = instant(row[time])
        if moment is None:
            continue
        tag = " ".join(str(row[i]) for i in tags if row[i] is not None)
        for i in values:
            measure = columns[i]["name"] if len(values) > 1 or not tag else ""
            value = float("nan") if row[i] is None else float(row[i])
            panels[columns[i].get("unit") or ""][" ".join(filter(None, (tag, measure)))].append(
                (moment, value)
            )
    return panels
