"""Small hand-made files for the end-to-end tests: each says on its face what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

HEADER = "id_subsistema;nom_subsistema;din_instante;val_cargaenergiahomwmed"
NAMES = {"N": "NORTE", "NE": "NORDESTE", "S": "SUL", "SE": "SUDESTE"}


def hourly_load(
    path: Path,
    *,
    start: str = "2024-03-01",
    hours: int = 24,
    subsystems: Iterable[str] = ("N", "NE", "S", "SE"),
    base: float = 1000.0,
    replace: Mapping[tuple[str, int], str] | None = None,
    drop: Iterable[tuple[str, int]] = (),
    extra: Iterable[str] = (),
) -> Path:
    """Write an ONS hourly load file.

    The value of subsystem number s (from 0) at hour h is ``base + 100 s + h``; `replace` gives other text for
    (subsystem, hour), `drop` leaves those rows out, `extra` lines follow the last row as they are.
    """
    first = datetime.fromisoformat(start)
    dropped, lines = set(drop), [HEADER]
    for hour in range(hours):
        for number, code in enumerate(subsystems):
            if (code, hour) in dropped:
                continue
            text = (replace or {}).get((code, hour), f"{base + 100 * number + hour:.3f}")
            lines.append(f"{code};{NAMES[code]};{first + timedelta(hours=hour):%Y-%m-%d %H:%M:%S};{text}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, *extra]) + "\n", encoding="utf-8")
    return path
