"""The generator against what it promises: real formats, exact identities, equal seeds, a true manifest."""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from gridlake_samples import SampleFile, generate, shapes


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SampleFile]:
    files = generate("demo", tmp_path_factory.mktemp("demo"))
    return {str(file.dataset): file for file in files}


def _rows(path: Path, delimiter: str = ";") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def test_equal_seeds_write_equal_bytes(tmp_path: Path) -> None:
    def digest(folder: str, seed: int) -> dict[str, str]:
        files = generate("defects", tmp_path / folder, seed=seed)
        return {
            f.path.name: hashlib.sha256(f.path.read_bytes()).hexdigest()
            for f in files
            if f.path.suffix != ".xlsx"  # a workbook holds the time of its making
        }

    first = digest("a", 1)
    assert digest("b", 1) == first
    assert digest("c", 2) != first


def test_rows_of_the_manifest_are_the_lines_of_the_file(demo: dict[str, SampleFile]) -> None:
    for file in demo.values():
        assert file.rows_in == file.path.read_bytes().count(b"\n") - 1, file.path.name
        assert file.rows_loaded == file.rows_in - sum(file.quarantined.values())


def test_sums_are_those_of_the_printed_values(demo: dict[str, SampleFile]) -> None:
    load = demo["ons_load_hourly"]
    printed = [float(row["val_cargaenergiahomwmed"] or 0) for row in _rows(load.path)]
    assert sum(printed) == pytest.approx(load.sums["load_mw"], abs=1e-3)


def test_balance_identity_holds_exactly_but_on_the_doubled_day(demo: dict[str, SampleFile]) -> None:
    file = demo["ons_energy_balance_hourly"]
    wrong = Counter[str]()
    for row in _rows(file.path):
        parts = ("val_gerhidraulica", "val_gertermica", "val_gereolica", "val_gersolar")
        residue = (
            sum(Decimal(row[name]) for name in parts)
            - Decimal(row["val_intercambio"])
            - Decimal(row["val_carga"])
        )
        if residue:
            wrong[row["din_instante"][:10]] += 1
    assert wrong == {"2024-08-15": 96}
    assert file.quarantined == {"identity_violated": 96}


def test_sin_is_the_sum_of_the_subsystems(demo: dict[str, SampleFile]) -> None:
    rows = _rows(demo["ons_energy_balance_hourly"].path)
    by_hour: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for row in rows[: 5 * 24 * 30]:
        by_hour[row["din_instante"]][row["id_subsistena"]] = Decimal(row["val_gersolar"])
    for hour in by_hour.values():
        assert hour["SIN"] == sum(hour[code] for code in ("N", "NE", "S", "SE"))


def test_prices_have_negative_values_zeros_and_absent_days(demo: dict[str, SampleFile]) -> None:
    rows = _rows(demo["ons_cmo_half_hourly"].path)
    values = [float(row["val_cmo"]) for row in rows]
    assert min(values) < 0
    assert any(row["val_cmo"] == "0E-8" for row in rows)
    assert len({row["din_instante"][:10] for row in rows}) == 366 - 2


def test_clocks_change_abroad(demo: dict[str, SampleFile]) -> None:
    stamps = Counter(row["Time (CET/CEST)"] for row in _rows(demo["entsoe_total_load"].path, ","))
    assert stamps["27.10.2024 02:00 - 27.10.2024 03:00"] == 2
    assert stamps["31.03.2024 02:00 - 31.03.2024 03:00"] == 1
    periods = Counter(row["SETTLEMENT_DATE"] for row in _rows(demo["ngeso_historic_demand"].path, ","))
    assert periods.pop("31-MAR-2024") == 46
    assert periods.pop("27-OCT-2024") == 50
    assert set(periods.values()) == {48}


def test_manifest_says_synthetic_and_repeats_the_answer(tmp_path: Path) -> None:
    files = generate("defects", tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["synthetic"] is True
    assert "SYNTHETIC" in (tmp_path / "README.txt").read_text()
    assert [entry["file"] for entry in manifest["files"]] == [file.path.name for file in files]
    assert all("__synthetic" in file.path.name for file in files)


def test_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="demo, formats, defects, large"):
        generate("nothing", tmp_path)


def test_shapes_of_day_week_and_year() -> None:
    times = shapes.local_times(2024, 60)
    load = shapes.load(times, shapes.generator(1, "x"))
    hours = shapes.hour_of_day(times)
    assert load[hours == 19].mean() > load[hours == 4].mean() + 0.1
    rest = shapes.is_rest(times)
    assert load[~rest].mean() > load[rest].mean() + 0.1
    sun = shapes.solar(times, shapes.generator(1, "y"))
    assert sun[hours == 0].max() == 0 < sun[hours == 12].min()


@pytest.mark.parametrize(
    ("day", "holiday"),
    [
        ("2024-02-12", True),
        ("2024-03-29", True),
        ("2024-05-30", True),
        ("2024-09-07", True),
        ("2024-09-06", False),
    ],
)
def test_brazilian_holidays(day: str, holiday: bool) -> None:
    assert (np.datetime64(day) in shapes.holidays([2024])) is holiday
