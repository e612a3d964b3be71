"""The ledger under events delivered twice, executions that die, and executions side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from gridlake.ingestion import ledger_table
from gridlake.ingestion.ledger import LEASE_SECONDS, Claim, Ledger
from gridlake.ingestion.ledger_items import cursor_of, decode, encode_item, key_of
from gridlake.platform import clock
from gridlake.platform.clients import client
from gridlake.platform.errors import (
    ConflictError,
    GridlakeError,
    InvalidRequestError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from gridlake.workflow.context import Execution, Source
from tests.unit.aws_environment import TABLE, application

A, B = (Execution(f"arn:{name}", name, "2026-11-20T12:00:00.000Z") for name in ("a", "b"))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with application():
        yield Ledger(TABLE)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Moves the clock of leases forward."""

    def move(seconds: float) -> None:
        now = ledger_table.time.time()
        monkeypatch.setattr(ledger_table.time, "time", lambda: now + seconds)

    yield move
    monkeypatch.undo()


def source(key: str = "raw/ons/file.csv", version: str = "v1", *, redrive: bool = False) -> Source:
    event = {
        "source": "gridlake.redrive" if redrive else "aws.s3",
        "detail": {
            "bucket": {"name": "raw"},
            "object": {"key": key, "version-id": version, "etag": "e", "size": 3},
        },
    }
    return Source.from_event(event)


def test_a_claimed_upload_has_a_record_with_everything_known(ledger: Ledger) -> None:
    upload = source("raw/ons/é file.csv")
    assert ledger.claim(upload, A) is Claim.OURS
    record = ledger.get(upload.ingestion_id)
    assert record["status"] == "received"
    assert (record["file"], record["key"], record["attempts"]) == ("é file.csv", "raw/ons/é file.csv", 1)
    assert record["rows_in"] == record["rows_loaded"] + record["rows_quarantined"] == 0
    assert not {"pk", "sk", "gsi1pk"} & set(record)


def test_an_event_delivered_twice_is_worked_on_once(ledger: Ledger) -> None:
    assert [ledger.claim(source(), execution) for execution in (A, A, B)] == [
        Claim.OURS,
        Claim.OURS,
        Claim.DUPLICATE,
    ]
    ledger.finish(source().ingestion_id, "a", status="loaded")
    assert ledger.claim(source(), B) is Claim.DUPLICATE
    assert ledger.claim(source(), A) is Claim.DUPLICATE


def test_a_redrive_takes_a_finished_upload_over_and_counts_the_attempt(ledger: Ledger) -> None:
    ledger.claim(source(), A)
    ledger.fail(source().ingestion_id, "a", error={"code": "influx_unavailable", "message": "down"})
    assert ledger.get(source().ingestion_id)["error"]["code"] == "influx_unavailable"
    assert ledger.claim(source(redrive=True), B) is Claim.OURS
    record = ledger.get(source().ingestion_id)
    assert (record["attempts"], record["status"], record["execution"]) == (2, "received", "b")
    assert "error" not in record
    assert "finished_at" not in record


def test_a_redrive_is_refused_while_an_execution_is_alive_and_allowed_when_its_lease_is_over(
    ledger: Ledger, later: Any
) -> None:
    ledger.claim(source(), A)
    ledger.update(source().ingestion_id, "a", status="running", stage="process")
    with pytest.raises(ConflictError) as caught:
        ledger.claim(source(redrive=True), B)
    assert caught.value.error_code == "ingestion_running"
    with pytest.raises(ConflictError):
        ledger.check_redrive(source().ingestion_id)
    later(LEASE_SECONDS + 1)
    assert ledger.check_redrive(source().ingestion_id)["status"] == "running"
    assert ledger.claim(source(redrive=True), B) is Claim.OURS
    with pytest.raises(ConflictError) as caught:
        ledger.update(source().ingestion_id, "a", stage="load")
    assert caught.value.error_code == "ingestion_taken_over"


def test_a_late_delivery_takes_over_what_a_killed_execution_left(ledger: Ledger, later: Any) -> None:
    ledger.claim(source(), A)
    later(LEASE_SECONDS + 1)
    assert ledger.claim(source(), B) is Claim.OURS
    assert ledger.get(source().ingestion_id)["attempts"] == 2


def test_of_two_redrives_at_once_one_wins(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.claim(source(), A)
    ledger.fail(source().ingestion_id, "a", error={"code": "x", "message": "x"})
    seen_by_both = ledger.get(source().ingestion_id)
    assert ledger.claim(source(redrive=True), B) is Claim.OURS
    monkeypatch.setattr(ledger, "get", lambda _: seen_by_both)
    with pytest.raises(ConflictError):
        ledger.claim(source(redrive=True), Execution("arn:c", "c", clock.timestamp()))


def test_a_redrive_event_names_the_same_upload(ledger: Ledger) -> None:
    ledger.claim(source("raw/ons/a b+é.csv"), A)
    record = ledger.get(source("raw/ons/a b+é.csv").ingestion_id)
    again = Source.from_event(ledger.redrive_event(record))
    assert again == source("raw/ons/a b+é.csv", redrive=True)


def test_unknown_upload(ledger: Ledger) -> None:
    with pytest.raises(NotFoundError) as caught:
        ledger.get("ing-x")
    assert caught.value.error_code == "unknown_ingestion"
    with pytest.raises(ConflictError):
        ledger.update("ing-x", "a", stage="load")


def test_a_source_is_locked_by_one_execution_until_it_gives_the_lock_back(ledger: Ledger) -> None:
    assert [ledger.acquire_lock("s", owner) for owner in ("a", "a", "b")] == [True, True, False]
    ledger.release_lock("s", "b")
    assert not ledger.acquire_lock("s", "b")
    ledger.keep_lock("s", "a")
    ledger.release_lock("s", "a")
    ledger.release_lock("s", "a")
    assert ledger.acquire_lock("s", "b")


def test_a_lock_whose_lease_is_over_is_lost_to_the_next(ledger: Ledger, later: Any) -> None:
    ledger.acquire_lock("s", "a")
    later(LEASE_SECONDS + 1)
    ledger.keep_lock("s", "a")  # nobody else wanted it: still ours, and renewed
    assert not ledger.acquire_lock("s", "b")
    later(2 * (LEASE_SECONDS + 1))
    assert ledger.acquire_lock("s", "b")
    with pytest.raises(ConflictError) as caught:
        ledger.keep_lock("s", "a")
    assert caught.value.error_code == "lock_lost"


def test_what_is_pending_ends_with_the_next_current(ledger: Ledger) -> None:
    assert ledger.current("s") is None
    ledger.set_pending("s", [{"key": "silver/x", "version_id": None}])
    assert ledger.pending("s") == [{"key": "silver/x", "version_id": None}]
    ledger.set_current("s", {"etag": "e", "rows_loaded": 3, "seconds": 1.5, "silver": []})
    assert ledger.pending("s") == []
    assert ledger.current("s") == {"etag": "e", "rows_loaded": 3, "seconds": 1.5, "silver": []}


def test_datasets_add_their_sources_up_and_every_change_counts(ledger: Ledger) -> None:
    rows = {"rows": 10, "points": 20, "min_time": "2023-01-01", "max_time": "2023-12-31"}
    assert ledger.set_rows("load", "one", rows) == 1
    assert ledger.set_rows("load", "two", {**rows, "max_time": "2024-12-31"}) == 2
    assert ledger.set_rows("load", "one", {**rows, "rows": 5}) == 3
    assert ledger.set_rows("load", "one", {**rows, "rows": 5}) == 4  # a retry
    totals = ledger.dataset("load")
    assert totals is not None
    assert (totals["rows"], totals["points"], totals["sources"], totals["version"]) == (15, 40, 2, 4)
    assert totals["max_time"] == "2024-12-31"
    ledger.set_rows("prices", "three", rows)
    assert set(ledger.dataset_versions()) == {"load", "prices"}
    ledger.drop_rows("prices", "three")
    assert ledger.dataset_versions()["prices"]["rows"] == 0
    assert ledger.dataset("nothing") is None


def test_totals_read_early_do_not_overwrite_later_ones(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One execution stops between reading the totals and writing them; another one passes it."""
    slow = Ledger(TABLE)
    update = slow._update

    def passed_by(*args: Any, **kwargs: Any) -> bool:
        ledger.set_rows("load", "two", {"rows": 7})
        return update(*args, **kwargs)

    monkeypatch.setattr(slow, "_update", passed_by)
    slow.set_rows("load", "one", {"rows": 5})
    totals = ledger.dataset("load")
    assert totals is not None
    assert totals["rows"] == 12


@pytest.fixture
def listed(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Twelve uploads, one a second: even ones loaded, odd ones failed; three of one key."""
    for number in range(12):
        monkeypatch.setattr(
            "gridlake.ingestion.ledger.timestamp", lambda n=number: f"2026-11-20T12:00:{n:02d}.000Z"
        )
        upload = source("raw/one.csv" if number < 3 else f"raw/{number}.csv", f"v{number}")
        ledger.claim(upload, A)
        ledger.finish(
            upload.ingestion_id, "a", status="failed" if number % 2 else "loaded", dataset=f"d{number % 3}"
        )
    return ledger


def seconds(items: list[dict[str, Any]]) -> list[int]:
    return [int(item["received_at"][17:19]) for item in items]


def test_lists_begin_with_the_newest_and_go_on_at_the_cursor(listed: Ledger) -> None:
    first, cursor = listed.list(limit=5)
    second, cursor = listed.list(limit=5, cursor=cursor)
    third, end = listed.list(limit=5, cursor=cursor)
    assert seconds([*first, *second, *third]) == list(range(11, -1, -1))
    assert end is None


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"status": "failed"}, [11, 9, 7, 5, 3, 1]),
        ({"dataset": "d0"}, [9, 6, 3, 0]),
        ({"status": "failed", "dataset": "d0"}, [9, 3]),
        ({"key": "raw/one.csv"}, [2, 1, 0]),
        ({"key": "raw/one.csv", "status": "loaded"}, [2, 0]),
        ({"key": "raw/none.csv"}, []),
    ],
)
def test_filters_find_all_whatever_the_page(
    listed: Ledger, wanted: dict[str, str], expected: list[int]
) -> None:
    for limit in (1, 2, 200):
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        for _ in range(20):
            items, cursor = listed.list(limit=limit, cursor=cursor, **wanted)
            assert len(items) <= limit
            found += items
            if cursor is None:
                break
        assert seconds(found) == expected


@pytest.mark.parametrize("cursor", ["x", "e30x", "ü", "W10", "eyJhIjoxfQ", "A" * 5_000])
def test_a_foreign_cursor_is_refused(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        ledger.list(cursor=cursor)
    assert caught.value.error_code == "invalid_cursor"


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDeniedException", 400, PermanentError),
        ("ProvisionedThroughputExceededException", 400, TransientError),
    ],
)
def test_refusals_and_throttling_of_dynamodb_are_told_apart(
    ledger: Ledger, code: str, status: int, expected: type[Exception]
) -> None:
    with Stubber(client("dynamodb")) as stub:
        stub.add_client_error("get_item", code, http_status_code=status)
        with pytest.raises(expected):
            ledger.get("ing-x")


numbers = st.integers(-(10**30), 10**30) | st.floats(1e-100, 1e15) | st.floats(-1e15, -1e-100) | st.just(0.0)
plain = st.recursive(
    st.none() | st.booleans() | st.text() | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(value=plain)
def test_values_survive_the_table(value: Any) -> None:
    assert decode(encode_item({"value": value}))["value"] == value


def test_what_a_number_of_the_table_can_not_be_is_null() -> None:
    assert decode(encode_item({"a": float("nan"), "b": float("inf"), "c": 5e-324})) == {
        "a": None,
        "b": None,
        "c": 0,
    }


def test_cursors_read_back() -> None:
    key = {"pk": {"S": "INGESTION#é"}, "sk": {"S": "INGESTION"}}
    assert key_of(cursor_of(key)) == key


def test_points_of_a_dataset_are_replaced_in_turns(ledger: Ledger, later: Any) -> None:
    before = ledger.turn("load")
    assert (before.number, before.taken) == (0, False)
    first = ledger.take_turn("load", "a")
    assert first is not None
    assert ledger.take_turn("load", "b") is None
    assert ledger.turn("load").taken
    assert ledger.take_turn("load", "a") == first  # its retry goes on in the same turn
    ledger.end_turn("load", "b")
    assert ledger.take_turn("load", "b") is None
    ledger.end_turn("load", "a")
    second = ledger.take_turn("load", "b")
    assert second is not None
    assert second.number == first.number + 1
    later(LEASE_SECONDS + 1)
    third = ledger.take_turn("load", "c")
    assert third is not None
    assert third.number == second.number + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"rows_in": 3, "rows_loaded": 2, "rows_quarantined": 0, "quarantine": {}},
        {"rows_in": 3, "rows_loaded": 2, "rows_quarantined": 1, "quarantine": {}},
        {"rows_in": 3, "rows_loaded": 2, "rows_quarantined": 1, "quarantine": {"missing_value": 2}},
    ],
)
def test_a_record_that_loses_rows_is_not_written(ledger: Ledger, fields: dict[str, Any]) -> None:
    ledger.claim(source(), A)
    with pytest.raises(GridlakeError) as caught:
        ledger.finish(source().ingestion_id, "a", status="loaded", **fields)
    assert caught.value.error_code == "rows_unaccounted"
    assert ledger.get(source().ingestion_id)["status"] == "received"
