"""The same series printed in any dialect becomes the same silver, and every line of a corrupted file is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridlake.ingestion.zones import from_utc, to_utc
from tests.unit.ingestion_engine import HEADER, ingest

NAMES = HEADER.strip().split(";")
ZONE = ZoneInfo("America/Sao_Paulo")
START = datetime(2020, 3, 1)
DATES = {"iso": "%Y-%m-%d %H:%M:%S", "slashed": "%d/%m/%Y %H:%M"}

values = st.lists(
    st.floats(-10, 100_000, allow_nan=False).map(lambda v: round(v, 6)), min_size=3, max_size=40
)


def printed(
    numbers: list[float],
    *,
    delimiter: str,
    decimal: str,
    grouped: bool,
    quoting: int,
    date: str,
    newline: str,
) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerow(NAMES)
    for i, number in enumerate(numbers):
        text = f"{number:,.6f}" if grouped else f"{number:.6f}"
        if decimal == ",":
            text = text.translate(str.maketrans(",.", ".,"))
        stamp = (START + timedelta(hours=i // 2)).strftime(DATES[date])
        writer.writerow(["N " if i % 2 else "São Paulo e Centro", "São Paulo", stamp, text])
    return out.getvalue()


@settings(max_examples=60)
@given(
    numbers=values,
    delimiter=st.sampled_from([";", ",", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    grouped=st.booleans(),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    date=st.sampled_from(sorted(DATES)),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    packed=st.booleans(),
    title=st.booleans(),
)
def test_any_dialect_gives_the_same_silver(
    numbers: list[float],
    delimiter: str,
    decimal: str,
    grouped: bool,
    quoting: int,
    date: str,
    newline: str,
    encoding: str,
    packed: bool,
    title: bool,
) -> None:
    text = printed(
        numbers,
        delimiter=delimiter,
        decimal=decimal,
        grouped=grouped,
        quoting=quoting,
        date=date,
        newline=newline,
    )
    if title:
        text = f"Carga por subsistema{newline}{newline}{text}"
    data = text.encode(encoding)
    with tempfile.TemporaryDirectory() as folder:
        result = ingest(gzip.compress(data) if packed else data, Path(folder))
    expected = sorted(
        (
            (START + timedelta(hours=i // 2))
            .replace(tzinfo=ZONE)
            .astimezone(UTC)
            .strftime("%Y-%m-%dT%H:%MZ"),
            "N" if i % 2 else "SE",
            float(f"{number:.6f}"),
        )
        for i, number in enumerate(numbers)
    )
    assert result.report.quarantine == {}
    assert result.rows == expected


LINE_DAMAGE = st.sampled_from(
    [b";9;9", b"\0", b"\xff\xfe", b"\x80", b'"', b"#", b"\r", HEADER.encode()[:-1], b";", b"\n\n", b"1e999"]
)


@settings(max_examples=80)
@given(
    numbers=st.lists(st.integers(0, 1000), min_size=8, max_size=40),
    damage=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 60), LINE_DAMAGE), max_size=6),
)
def test_every_row_of_a_damaged_file_is_loaded_or_quarantined(
    numbers: list[int], damage: list[tuple[int, int, bytes]]
) -> None:
    lines = [f"N;Norte;{START + timedelta(hours=i)};{number}".encode() for i, number in enumerate(numbers)]
    for at, column, bytes_ in damage:
        i = at % len(lines)
        lines[i] = lines[i][:column] + bytes_ + lines[i][column:]
    with tempfile.TemporaryDirectory() as folder:
        result = ingest(HEADER.encode() + b"\n".join(lines) + b"\n", Path(folder))
    untouched = len(numbers) - len({at % len(lines) for at, _, _ in damage})
    assert result.report.rows_in == result.report.rows_loaded + result.report.rows_quarantined
    assert len(result.quarantine) == result.report.rows_quarantined
    quotes = any(b'"' in line for line in lines)
    assert quotes or result.report.rows_loaded >= untouched


@given(
    zone=st.sampled_from(
        [
            "America/Sao_Paulo",
            "Europe/Brussels",
            "Europe/London",
            "Australia/Lord_Howe",
            "Asia/Kolkata",
            "America/New_York",
        ]
    ),
    minutes=st.lists(st.integers(0, 60 * 24 * 365 * 40), min_size=1, max_size=50),
)
def test_local_times_become_utc_as_zoneinfo_says(zone: str, minutes: list[int]) -> None:
    epoch = datetime(1985, 1, 1)
    stamps = [epoch + timedelta(minutes=m) for m in minutes]
    local = np.array([int((s - datetime(1970, 1, 1)).total_seconds()) for s in stamps], np.int64)
    found = to_utc(local, zone)
    info = ZoneInfo(zone)
    for i, stamp in enumerate(stamps):
        early = stamp.replace(tzinfo=info, fold=0)
        late = stamp.replace(tzinfo=info, fold=1)
        exists = early.astimezone(UTC).astimezone(info).replace(tzinfo=None) == stamp
        twice = exists and early.utcoffset() != late.utcoffset()
        assert bool(found.nonexistent[i]) is not exists
        assert bool(found.ambiguous[i]) is twice
        if exists:
            assert found.earliest[i] == early.timestamp()
            assert found.latest[i] == late.timestamp()
    there = ~found.nonexistent
    assert (from_utc(found.earliest, zone)[there] == local[there]).all()
