"""Intervals that a file lacks between the first and the last stamp of each key."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from gridlake.ingestion.silver_writer import series_and_offset


class Gaps:
    """Counts absent intervals from the sorted instants of each month."""

    def __init__(self, *, step: int, varies: bool, monthly: bool) -> None:
        self._step = step
        self._varies = varies
        self._monthly = monthly
        self._last: dict[int, int] = {}
        self._distances: dict[int, Counter[int]] = {}

    def add(self, month: int, keys: npt.NDArray[np.int64]) -> None:
        """Take the packed keys of the next month."""
        start = int(np.datetime64(month, "M").astype("datetime64[s]").astype(np.int64))
        series, offset = series_and_offset(np.sort(keys))
        time = offset + start
        first = np.flatnonzero(np.diff(series, prepend=-1))
        inner = np.diff(time)
        same = np.diff(series) == 0
        pairs, counts = np.unique((series[1:][same] << 32) | inner[same], return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            self._distances.setdefault(pair >> 32, Counter())[pair & 0xFFFFFFFF] += count
        ends = [*(first[1:] - 1).tolist(), len(series) - 1]
        for begin, end in zip(first.tolist(), ends, strict=True):
            number = int(series[begin])
            if number in self._last:
                self._distances.setdefault(number, Counter())[int(time[begin]) - self._last[number]] += 1
            self._last[number] = int(time[end])

    def missing(self) -> tuple[int, int]:
        """Absent intervals, and the keys that lack any."""
        total, keys = 0, 0
        for distances in self._distances.values():
            step = self._step
            if self._varies:
                step = distances.most_common(1)[0][0]
            unit = 2_629_746 if self._monthly else step
            absent = sum(max(0, round(d / unit) - 1) * n for d, n in distances.items())
            total += absent
            keys += absent > 0
        return total, keys
