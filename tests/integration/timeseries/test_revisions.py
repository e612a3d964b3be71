"""A revised, shrunk or removed source against a real InfluxDB, and the reconciliation that must find it right."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from gridlake.contracts.model import Contract
from gridlake.timeseries import replacement
from gridlake.timeseries.checkpoint import FileCheckpoint
from gridlake.timeseries.handler import InfluxDBHandler
from gridlake.timeseries.loader import load_partitions
from gridlake.timeseries.partitions import PartitionRef
from gridlake.timeseries.reconciliation import verify, verify_months
from gridlake.timeseries.replacement import ReplacementReport, reconcile_source
from tests.integration.timeseries.conftest import Silver
from tests.integration.timeseries.support import hours


class House:
    """Loads and revises sources as the workflow does."""

    def __init__(self, contract: Contract, handler: InfluxDBHandler, folder: Path) -> None:
        self.contract, self.handler, self.folder = contract, handler, folder
        self.runs = 0

    def checkpoint(self) -> FileCheckpoint:
        self.runs += 1
        return FileCheckpoint(self.folder / f"checkpoint-{self.runs}.json")

    def publish(
        self, current: list[PartitionRef], previous: list[PartitionRef], others: list[PartitionRef]
    ) -> ReplacementReport:
        load_partitions(current, self.contract, self.handler, self.checkpoint(), lambda: 900.0)
        return reconcile_source(
            self.contract,
            self.handler,
            self.checkpoint(),
            lambda: 900.0,
            previous=previous,
            current=current,
            others=others,
        )


@pytest.fixture
def house(contract: Contract, handler: InfluxDBHandler, tmp_path: Path) -> House:
    return House(contract, handler, tmp_path)


def test_vanished_rows_and_nulls_follow_the_revision(house: House, silver: Silver) -> None:
    old = [silver(hours(100), version=1)]
    house.publish(old, [], [])
    rows = [r for i, r in enumerate(hours(100, first=500.0)) if not 20 <= i < 40]
    rows[50] = (rows[50][0], "NE", None, 7.0)
    new = [silver(rows, version=2, sequence=2)]
    load_partitions(new, house.contract, house.handler, house.checkpoint(), lambda: 900.0)
    (load, price) = verify(house.contract, new, house.handler)
    assert (load.field, load.lake_count, load.influx_count) == ("load_mw", 79, 100)
    assert (price.field, price.lake_count, price.influx_count) == ("price_brl_mwh", 80, 100)
    report = house.publish(new, old, [])
    assert report.points_rewritten == 1
    assert verify(house.contract, new, house.handler) == []
    house.publish(new, old, [])
    assert verify(house.contract, new, house.handler) == []


def test_rows_of_other_sources_come_back(house: House, silver: Silver) -> None:
    other = [silver(hours(60, first=1000.0), source="b", sequence=1)]
    house.publish(other, [], [])
    old = [silver(hours(100), version=1, sequence=2)]
    house.publish(old, [], other)
    assert verify(house.contract, [*old, *other], house.handler) == []
    new = [silver(hours(30), version=2, sequence=3)]
    house.publish(new, old, other)
    assert verify(house.contract, [*new, *other], house.handler) == []
    house.publish([], new, other)
    assert verify(house.contract, other, house.handler) == []
    house.publish([], other, [])
    assert list(verify_months(house.contract, [], house.handler)) == []


def test_a_null_of_the_source_that_counts_hides_an_older_value(house: House, silver: Silver) -> None:
    other = [silver(hours(5), source="b", sequence=1)]
    house.publish(other, [], [])
    rows = [(r[0], r[1], 1.0, None) for r in hours(3)]
    new = [silver(rows, sequence=2)]
    house.publish(new, [], other)
    assert verify(house.contract, [*new, *other], house.handler) == []


def test_an_older_upload_loaded_late_does_not_win(house: House, silver: Silver) -> None:
    newer = [silver(hours(50, first=900.0), source="b", sequence=9)]
    house.publish(newer, [], [])
    older = [silver(hours(50), sequence=1)]
    house.publish(older, [], newer)
    assert verify(house.contract, [*older, *newer], house.handler) == []


@pytest.mark.parametrize("limits", [(64, 400), (3, 400), (64, 2)], ids=["ranges", "series", "month"])
def test_scattered_vanished_rows(
    house: House, silver: Silver, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int]
) -> None:
    monkeypatch.setattr(replacement, "RANGES_OF_A_SERIES", limits[0])
    monkeypatch.setattr(replacement, "RANGES_OF_A_MONTH", limits[1])
    everything = [
        *hours(60),
        *((t, "S", v, p) for t, _, v, p in hours(60)),
        *((t, None, v, p) for t, _, v, p in hours(60)),
    ]
    beside = [silver([(t, "SE", v, p) for t, _, v, p in hours(60)], source="b", sequence=5)]
    old = [silver(everything, version=1)]
    house.publish(beside, [], [])
    house.publish(old, [], beside)
    new = [silver([r for i, r in enumerate(everything) if i % 5], version=2, sequence=2)]
    house.publish(new, old, beside)
    assert verify(house.contract, [*new, *beside], house.handler) == []


def test_months_that_left_the_source(house: House, silver: Silver) -> None:
    old = [silver(hours(10, month=m), version=1) for m in ("2023-12", "2024-01", "2024-02")]
    house.publish(old, [], [])
    new = [silver(hours(10, month="2024-01"), version=2, sequence=2)]
    differences = verify(house.contract, new, house.handler)
    assert [(d.month, d.field) for d in differences] == [
        (m, f) for m in ("2023-12", "2024-02") for f in ("load_mw", "price_brl_mwh")
    ]
    assert differences[0].examples[0].time == "2023-12-01T00:00:00Z"
    january = verify(house.contract, new, house.handler, datetime(2024, 1, 1), datetime(2024, 2, 1))
    assert january == []
    house.publish(new, old, [])
    assert verify(house.contract, new, house.handler) == []


def test_a_changed_bit_is_found(house: House, silver: Silver, handler: InfluxDBHandler) -> None:
    ref = silver(hours(200))
    house.publish([ref], [], [])
    handler.write(
        f"{house.contract.dataset},subsystem=NE load_mw=103.00000000000001 1704078000000000000".encode()
    )
    (difference,) = verify(house.contract, [ref], house.handler)
    assert (difference.lake_count, difference.influx_count) == (200, 200)
    assert difference.lake_checksum != difference.influx_checksum
    (example,) = difference.examples
    assert (example.time, example.lake, example.influx) == ("2024-01-01T03:00:00Z", 103.0, 103.00000000000001)


def test_time_running_out_is_taken_up(house: House, silver: Silver) -> None:
    old = [silver(hours(10, month=m), version=1) for m in ("2024-01", "2024-02", "2024-03")]
    house.publish(old, [], [])
    checkpoint = house.checkpoint()
    runs = []
    while not runs or not runs[-1].done:
        runs.append(
            reconcile_source(
                *(house.contract, house.handler, checkpoint, lambda: 0.0),
                previous=old,
                current=[],
                others=[],
            )
        )
        assert len(runs) <= 3
    assert len(runs) == 3
    assert list(verify_months(house.contract, [], house.handler)) == []
