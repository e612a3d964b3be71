"""Sources of one dataset that are written side by side, and sources that change their dataset, on a real InfluxDB."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from gridlake.contracts.publishing import register
from gridlake.platform.clients import client
from gridlake.stages import load as load_stage
from tests.integration.stages.test_load import MEASUREMENT, Loading, machine, server
from tests.unit.aws_environment import BUCKETS, LambdaContext
from tests.unit.stages.conftest import KEY, load_daily

__all__ = ["machine", "server"]

OTHER = "raw/ons/CARGA_ENERGIA_2023_other.csv"
FIRST, SECOND = ("N", "2023-01-01", "1"), ("N", "2023-01-02", "2")


def _processed(machine: Loading, body: bytes, key: str) -> dict[str, Any]:
    return machine.process(machine.route(machine.app.begin(machine.app.upload(body, key))))


def _load_once(machine: Loading, payload: dict[str, Any]) -> dict[str, Any]:
    return dict(load_stage.load(payload, LambdaContext(), settings=machine.app.settings))


def test_points_written_while_another_source_deletes_them_come_back(
    machine: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other source is published and written after the revision has read the lake and before it deletes."""
    monkeypatch.setattr(load_stage, "TURN_SECONDS", 0.0)
    machine.ingest(load_daily(FIRST, SECOND), KEY)
    revised = _processed(machine, load_daily(FIRST), KEY)
    waiting = machine.route(
        machine.app.begin(machine.app.upload(load_daily(("N", "2023-01-02", "7")), OTHER))
    )
    reconcile: Callable[..., Any] = load_stage.reconcile_source
    meanwhile: list[dict[str, Any]] = []

    def in_between(*arguments: Any, **named: Any) -> Any:
        if not meanwhile:
            meanwhile.append(_load_once(machine, machine.process(waiting)))
        return reconcile(*arguments, **named)

    monkeypatch.setattr(load_stage, "reconcile_source", in_between)
    machine.record(machine.load(revised))
    assert meanwhile[0]["stages"]["load"]["status"] == "continue"
    assert machine.points() == [("N", 1.0)]  # what the interrupted source had written is deleted
    machine.record(machine.load(meanwhile[0]))
    assert machine.points() == [("N", 1.0), ("N", 7.0)]
    assert machine.verified() == "equal"


def test_a_killed_replacement_is_finished_by_its_retry_and_given_up_by_its_failure(
    machine: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.ingest(load_daily(FIRST, SECOND), KEY)
    revised = _processed(machine, load_daily(FIRST), KEY)

    def killed(*_: Any, **__: Any) -> Any:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(load_stage, "reconcile_source", killed)
        with pytest.raises(Exception, match="killed"):
            _load_once(machine, revised)
    assert machine.ledger.take_turn(MEASUREMENT, "somebody else") is None
    machine.record(machine.load(revised))
    assert machine.points() == [("N", 1.0)]

    again = _processed(machine, load_daily(FIRST, SECOND), KEY)
    with monkeypatch.context() as patch:
        patch.setattr(load_stage, "reconcile_source", killed)
        with pytest.raises(Exception, match="killed") as caught:
            _load_once(machine, again)
    machine.fail(again, caught.value)
    assert machine.ledger.take_turn(MEASUREMENT, "somebody else") is not None


def test_sources_that_share_no_time_do_not_wait_for_each_other(machine: Loading) -> None:
    machine.ingest(load_daily(FIRST), KEY)
    assert machine.ledger.turn(MEASUREMENT).number == 0
    machine.ingest(load_daily(SECOND), OTHER)
    assert machine.ledger.turn(MEASUREMENT).number == 0
    assert machine.verified() == "equal"


@pytest.mark.parametrize("slower", [KEY, OTHER])
def test_two_overlapping_sources_revised_at_once_end_by_precedence(
    machine: Loading, monkeypatch: pytest.MonkeyPatch, slower: str
) -> None:
    """Whichever is written last, the source that was uploaded last counts where both have a row."""
    rows = [("N", f"2023-01-{day:02}") for day in range(1, 20)]
    for key, value in ((KEY, "1"), (OTHER, "2")):
        machine.ingest(load_daily(*((*row, value) for row in rows)), key)
    payloads = [
        _processed(machine, load_daily(*((*row, "3") for row in rows[:12])), KEY),
        _processed(machine, load_daily(*((*row, "4") for row in rows[6:])), OTHER),
    ]
    payloads.sort(key=lambda payload: bool(payload["source"]["key"] == slower))
    write = load_stage.load_partitions
    first_written = threading.Event()

    def ordered(partitions: Any, *arguments: Any) -> Any:
        mine = any(payloads[1]["source"]["source_id"] in ref.uri for ref in partitions)
        if mine:
            first_written.wait(10)
        done = write(partitions, *arguments)
        first_written.set()
        return done

    monkeypatch.setattr(load_stage, "load_partitions", ordered)
    ends = [threading.Thread(target=lambda p=p: machine.record(machine.load(p))) for p in payloads]
    for end in ends:
        end.start()
    for end in ends:
        end.join(60)
    assert [value for _, value in machine.points()] == [3.0] * 6 + [4.0] * 13
    assert machine.verified() == "equal"


def test_a_source_that_changes_its_dataset_leaves_nothing_behind(machine: Loading) -> None:
    lake, glue = BUCKETS["lake"], client("glue")
    body, key = (
        b"instante;planta;mw\n2031-01-01 00:00:00;A;10\n2031-01-01 01:00:00;A;11\n",
        "raw/x/plantas.csv",
    )
    uncatalogued = machine.ingest(body, key)
    assert (uncatalogued["status"], uncatalogued["dataset_version"]) == ("uncatalogued", None)
    draft = client("s3").get_object(Bucket=lake, Key=uncatalogued["draft_key"])["Body"].read().decode()
    register(draft, lake_bucket=lake, filename="plantas.yaml")
    as_series = machine.ingest(body, key)
    assert (as_series["status"], as_series["dataset"], as_series["points_written"]) == (
        "loaded",
        "plantas",
        2,
    )
    assert machine.app.keys("lake", "silver/uncatalogued/") == []

    retired = yaml.safe_dump({**yaml.safe_load(draft), "status": "deprecated", "version": "0.2.0"})
    register(retired, lake_bucket=lake, filename="plantas.yaml")
    successor = draft.replace("plantas", "usinas").replace("physicalName: usina\n", "physicalName: planta\n")
    register(successor, lake_bucket=lake, filename="usinas.yaml")
    moved = machine.ingest(body, key)
    assert (moved["status"], moved["dataset"], moved["unchanged"]) == ("loaded", "usinas", False)
    assert machine.app.keys("lake", "silver/plantas/") == []
    assert glue.get_partitions(DatabaseName="test_lake", TableName="plantas")["Partitions"] == []
    assert len(glue.get_partitions(DatabaseName="test_lake", TableName="usinas")["Partitions"]) == 1
    assert (machine.ledger.dataset("plantas") or {})["rows"] == 0
    assert (machine.ledger.dataset("usinas") or {})["rows"] == 2
    assert machine.series("plantas") == []
    assert machine.series("usinas") == [10.0, 11.0]
