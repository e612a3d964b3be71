"""Columns as text, and tag sets that are numbered once and found again."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlake.timeseries import _tag_sets
from gridlake.timeseries._tag_sets import TagSets
from gridlake.timeseries._values import field_text, stamp_text
from gridlake.timeseries.line_protocol import Serialiser

finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.none() | finite), st.integers(0, 5))
def test_floats_read_back_as_the_same_bits(values: list[float | None], skipped: int) -> None:
    column = pa.array(values, pa.float64()).slice(skipped)
    texts = field_text(column).to_pylist()
    assert [None if t is None else np.float64(t).tobytes() for t in texts] == [
        None if v is None else np.float64(v).tobytes() for v in values[skipped:]
    ]


@given(st.lists(st.sampled_from([-5, 0, 7, 10**18]), min_size=1, max_size=40))
def test_stamps_are_the_times_in_their_order(times: list[int]) -> None:
    assert stamp_text(np.array(times, dtype=np.int64)).to_pylist() == [str(t) for t in times]


def tags_of(values: list[str | None]) -> pa.RecordBatch:
    return pa.record_batch({"t": pa.array(values, pa.string()).dictionary_encode()})


def test_a_tag_set_keeps_its_number_whatever_the_dictionary() -> None:
    sets = TagSets("m", ["t"])
    assert sets.numbers(tags_of(["a", "b", "a"])).tolist() == [0, 1, 0]
    again = sets.numbers(tags_of(["b", None, "c", "", "a"])).tolist()
    assert [again[0], again[4]] == [1, 0]
    assert [sets.texts[n].as_py() for n in again] == ["m,t=b ", "m ", "m,t=c ", "m ", "m,t=a "]
    assert len(sets.texts) == 4


def test_more_combinations_than_a_table_holds_are_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_tag_sets, "_DENSE", 2)
    sets = TagSets("m", ["t"])
    assert sets.numbers(tags_of(["a", "b", "c", "a"])).tolist() == [0, 1, 2, 0]
    assert sets.numbers(tags_of(["c", "d"])).tolist() == [2, 3]


def test_series_are_those_of_the_batch_only() -> None:
    serialiser = Serialiser("m", tags=["t"], fields=[])
    assert serialiser.tag_sets(tags_of(["a", "b\n"])) == {"m,t=a"}
    numbers, names = serialiser.series(tags_of(["c", "b\n", "c"]))
    assert [names[n] for n in numbers] == ["m,t=c", None, "m,t=c"]
    assert serialiser.tag_sets(tags_of(["c"])) == {"m,t=c"}
    assert serialiser.tag_sets(tags_of([])) == set()
