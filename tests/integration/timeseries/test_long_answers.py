"""Answers longer than what the server puts into one piece come whole, and a cut one is never taken for whole."""

from __future__ import annotations

import pytest

from gridlake.timeseries.handler import InfluxDBHandler

CHUNK = 10_000
"""Rows the server puts into one piece."""


@pytest.mark.parametrize("rows", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 25_000])
def test_a_series_of_any_length_comes_whole(handler: InfluxDBHandler, measurement: str, rows: int) -> None:
    handler.write("\n".join(f"{measurement} f={n} {n}" for n in range(rows)).encode())
    (series,) = handler.query(f'SELECT f FROM "{measurement}"')
    assert list(series.values) == [[n, n] for n in range(rows)]


def test_series_and_statements_stay_apart(handler: InfluxDBHandler, measurement: str) -> None:
    lengths = {"a": 12_000, "b": 3, "c": CHUNK}
    lines = [f"{measurement},member={tag} f={n} {n}" for tag, count in lengths.items() for n in range(count)]
    handler.write("\n".join(lines).encode())
    grouped = f'SELECT f FROM "{measurement}" GROUP BY member'
    answers = handler.query(";".join([grouped, f'SELECT f FROM "{measurement}" WHERE f < 0', grouped]))
    assert [(s.tags["member"], len(s.values)) for s in answers] == [*lengths.items(), *lengths.items()]


def test_two_answers_of_the_same_series_are_two(handler: InfluxDBHandler, measurement: str) -> None:
    handler.write("\n".join(f"{measurement} f={n} {n}" for n in range(CHUNK + 5)).encode())
    text = f'SELECT f FROM "{measurement}"'
    assert [len(s.values) for s in handler.query(f"{text};{text} LIMIT {CHUNK}")] == [CHUNK + 5, CHUNK]
