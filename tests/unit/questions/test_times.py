"""Intervals and windows of the local calendar where clocks change."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from gridlake.questions.times import interval_end

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.mark.parametrize(
    ("start", "interval", "hours"),
    [
        ("2017-10-14T03:00", "P1D", 24),
        ("2017-10-15T03:00", "P1D", 23),  # begins at 01:00: that day's first hour does not exist
        ("2018-02-17T02:00", "P1D", 25),
        ("2017-10-15T03:00", "PT1H", 1),
        ("2017-10-01T03:00", "P1M", 31 * 24 - 1),
        ("2017-10-15T03:00", "P1W", 7 * 24 - 1),
        ("2017-10-15T14:00", "P1D", 24),  # noon to noon
    ],
)
def test_an_interval_ends_by_the_local_calendar(start: str, interval: str, hours: int) -> None:
    begin = dt.datetime.fromisoformat(start).replace(tzinfo=dt.UTC)
    assert interval_end(begin, interval, SAO_PAULO) - begin == dt.timedelta(hours=hours)
