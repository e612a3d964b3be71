"""The statements of typed questions, and why nothing of the asker becomes syntax."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest

from gridlake.platform.errors import InvalidRequestError
from gridlake.questions.influxql import duration, identifier, literal, plan
from gridlake.questions.plan import TooLargeError

from .test_building import ask


def statements(**parts: Any) -> tuple[str, ...]:
    return plan(ask(**parts)).statements


def test_native_rows_are_limited_over_all_series() -> None:
    (text,) = statements(filters={"subsystem": ["NE", "S"]}, limit=10)
    assert text == (
        'SELECT "load_mw", "subsystem" FROM "ons_load_hourly" WHERE '
        "time >= '2023-08-01T03:00:00Z' AND time < '2023-09-01T03:00:00Z' "
        "AND (\"subsystem\" = 'NE' OR \"subsystem\" = 'S') ORDER BY time ASC LIMIT 11"
    )


def test_days_begin_at_local_midnight() -> None:
    (text,) = statements(window="1d")
    assert 'GROUP BY time(1d, 3h), "subsystem" fill(none)' in text


def test_summer_time_splits_days_into_runs_of_equal_ones() -> None:
    found = statements(start="2018-10-01", end="2018-12-01", window="1d")
    lengths = [re.search(r"time\((\w+)", text).group(1) for text in found]  # type: ignore[union-attr]
    assert lengths == ["1d", "23h", "1d"]


def test_months_are_bounded_windows_of_their_own() -> None:
    found = statements(start="2023-01-01", end="2023-04-01", window="1mo")
    assert [re.search(r"time\((\w+)", text).group(1) for text in found] == ["31d", "28d", "31d"]  # type: ignore[union-attr]


def test_weeks_begin_on_monday() -> None:
    query = ask(start="2023-08-02", end="2023-08-20", window="1w")
    found = plan(query)
    assert "time(7d, 4d3h" not in found.statements[0]
    assert any("first 1w window" in notice for notice in found.notices)
    offset = re.search(r"time\(7d, (\d+)h\)", found.statements[0])
    assert offset
    # The epoch was a Thursday: Monday is four days later, local midnight three hours after that.
    assert int(offset.group(1)) == 4 * 24 + 3


def test_members_are_added_before_time_is_averaged() -> None:
    (text,) = statements(window="1d", group_by=[])
    assert text.startswith(
        'SELECT mean("load_mw") AS "load_mw" FROM (SELECT sum("load_mw") AS "load_mw" FROM'
    )


def test_rows_are_counted_as_they_are_stored() -> None:
    (text,) = statements(window="1d", group_by=[], aggregate="count")
    assert "FROM (" not in text


def test_absurdly_many_windows_are_refused() -> None:
    for window in ("1m", "2h"):
        with pytest.raises(TooLargeError) as caught:
            statements(start="1900-01-01", end="2199-01-01", window=window)
        assert caught.value.status == 422


@pytest.mark.parametrize("text", ["", "a\nb", "a\x00b", "a\x7fb", "a\x9fb", "\ud800"])
def test_what_can_not_be_quoted_is_refused(text: str) -> None:
    for quote in (identifier, literal):
        with pytest.raises(InvalidRequestError):
            quote(text)


def test_quotes_and_backslashes_are_escaped() -> None:
    assert literal("O'Neill \\") == "'O\\'Neill \\\\'"
    assert identifier('a"b\\') == '"a\\"b\\\\"'


def test_lengths_are_written_in_the_widest_unit() -> None:
    assert [duration(dt.timedelta(**part)) for part in ({"days": 31}, {"hours": 25}, {"seconds": 90}, {"microseconds": 7})] == [
        "31d", "25h", "90s", "7u",
    ]  # fmt: skip


def test_no_statement_asks_for_more_than_one_row_beyond_the_limit() -> None:
    (text,) = statements(limit=10_000)
    assert text.endswith("LIMIT 10001")
    assert statements(limit=5, window="1d")[0].endswith("LIMIT 6")
    assert statements(limit=10_000, window="1d")[0].endswith("LIMIT 31")
