"""Tables that nobody described: the drafted contract, accepted unread, loads every row under its own names."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gridlake.contracts.draft import to_yaml
from gridlake.contracts.validation import validate
from tests.integration.ingestion.support import Result, ingest

TIMES = [datetime(2016, 7, 1) + timedelta(hours=h) for h in range(60)]


def accept(content: str, folder: Path, filename: str) -> Result:
    """Uncatalogued first, then under its own draft as `gridlake ingest --accept-draft` does."""
    first = ingest(content, folder, filename)
    assert first.report.kind == "uncatalogued"
    assert first.report.draft is not None
    contract, problems = validate(to_yaml(first.report.draft), filename="draft.yaml")
    assert not [p for p in problems if p.severity == "error"]
    second = ingest(content, folder, filename, [contract])
    assert second.report.rows_loaded == first.report.rows_loaded == first.report.rows_in
    return second


def rows(pattern: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """60 lines; ``{t}`` is the stamp, ``{i}`` the number of the line."""
    return "".join(pattern.format(t=t.strftime(form), i=i, n=i % 3) + "\n" for i, t in enumerate(TIMES))


SERIES = {
    "ETTh1.csv": ("date,HUFL,OT\n" + rows("{t},5.82,30.53{i}"), ["hufl", "ot"]),
    "prophet.csv": ("ds,y\n" + rows("{t},{i}"), ["y"]),
    "geração.csv": ("Data;Geração (MWh)\n" + rows("{t};1.234,5{i}", "%d/%m/%Y %H:%M"), ["geracao_mwh"]),
    "PJME.csv": ("Datetime,PJME_MW\n" + rows("{t},3{i}"), ["pjme_mw"]),
    "american.csv": ("Date,Close\n" + rows("{t},{i}.5", "%m/%d/%Y %I:%M:%S %p"), ["close"]),
    "offsets.csv": ("time,v\n" + rows("{t}Z,{i}", "%Y-%m-%dT%H:%M:%S.123"), ["v"]),
    "household.txt": ("Date;Time;Power\n" + rows("{t};4.2{i}", "%d/%m/%Y;%H:%M:%S"), ["power"]),
    "hours.csv": ("date,hour,load\n" + rows("{t},{i}.5", "%Y-%m-%d,%H"), ["load"]),
    "duplicates.csv": ("time,value,Value,value\n" + rows("{t},{i},2,3"), ["value", "value_2", "value_3"]),
    "unnamed.csv": (",time,value\n" + rows("{i},{t},{i}.5"), ["column_1", "value"]),
    "wide.csv": (
        "timestamp," + ",".join(f"MT_{i:03d}" for i in range(200)) + "\n" + rows("{t}" + ",1.5" * 200),
        [f"mt_{i:03d}" for i in range(200)],
    ),
}


@pytest.mark.parametrize("filename", SERIES)
def test_a_table_with_a_time_becomes_a_series_of_every_row(filename: str, tmp_path: Path) -> None:
    content, fields = SERIES[filename]
    result = accept(content, tmp_path, filename)
    assert result.silver is not None
    assert result.match.contract is not None
    assert sorted(c.name for c in result.match.contract.fields) == sorted(fields)
    assert [t[:19] for (t,) in result.values("time")] == [t.isoformat() for t in TIMES]


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1000), ("us", 1_000_000), ("ns", 10**9)])
def test_counts_since_1970_are_times_where_the_column_says_so(unit: str, factor: int, tmp_path: Path) -> None:
    counts = [int((t - datetime(1970, 1, 1)).total_seconds()) * factor for t in TIMES]
    body = "".join(f"{count},{i}.5\n" for i, count in enumerate(counts))
    result = accept("timestamp,value\n" + body, tmp_path, f"epoch_{unit}.csv")
    assert [t[:19] for (t,) in result.values("time")] == [t.isoformat() for t in TIMES]
    other = ingest("meter,value\n" + body, tmp_path, "meters.csv")
    assert other.report.draft is not None
    assert other.report.draft["schema"][0]["customProperties"][0]["value"]["kind"] == "reference"


def test_hours_from_1_to_24_end_their_hour(tmp_path: Path) -> None:
    body = "".join(f"{t:%Y-%m-%d},{t.hour + 1},{i}.5\n" for i, t in enumerate(TIMES))
    result = accept("date,hour,load\n" + body, tmp_path, "hours.csv")
    assert [t[:19] for (t,) in result.values("time")] == [t.isoformat() for t in TIMES]


def test_identifiers_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    result = accept("time,meter,value\n" + rows("{t},00{n},{i}.5"), tmp_path, "meters.csv")
    assert {m for (m,) in result.values("meter")} == {"000", "001", "002"}


def test_a_number_that_tells_rows_apart_is_a_tag(tmp_path: Path) -> None:
    body = "".join(f"{TIMES[i // 4]},{i % 4},{i}.5\n" for i in range(60))
    assert {s for (s,) in accept("time,sensor,value\n" + body, tmp_path, "x.csv").values("sensor")} == set(
        "0123"
    )


def test_rows_that_nothing_tells_apart_are_numbered(tmp_path: Path) -> None:
    body = "".join(f"{TIMES[i // 2]},{i}\n" for i in range(60))
    result = accept("time,value\n" + body, tmp_path, "x.csv")
    assert {o for (o,) in result.values("occurrence")} == {"1", "2"}


def test_years_by_country(tmp_path: Path) -> None:
    body = "".join(f"C{c},{1960 + y},{y}.5\n" for c in range(4) for y in range(60))
    result = accept("country,year,gdp\n" + body, tmp_path, "gdp.csv")
    assert result.values("time", "country")[0] == ("1960-01-01T00:00:00+00:00", "C0")


def test_a_table_without_time_is_a_register(tmp_path: Path) -> None:
    body = "".join(f"{i:04d},P{i},{i}.5\n" for i in range(30))
    result = accept("code,name,capacity\n" + body, tmp_path, "plants.csv")
    assert (result.report.kind, result.report.rows_loaded) == ("reference", 30)
