"""An independent reading of a typed question, by pandas over the points themselves."""

from __future__ import annotations

import math

import pandas as pd

from gridlake.questions.ir import Aggregate, SeriesQuery, WindowUnit

FREQUENCIES = {WindowUnit.MONTH: "M", WindowUnit.QUARTER: "Q", WindowUnit.YEAR: "Y", WindowUnit.WEEK: "W-SUN"}


def answer(points: pd.DataFrame, query: SeriesQuery) -> list[list[object]]:
    """Rows of `query` over points with a UTC `time`, tags and measures: ISO time, tags, values."""
    names = [term.name for term in query.measures]
    frame = points[(points.time >= query.start) & (points.time < query.end)]
    for entry in query.filters:
        inside = frame[entry.tag].isin(entry.values)
        frame = frame[~inside if entry.exclude else inside]
    groups = list(query.group_by)
    frame = frame.dropna(subset=names, how="all")
    if query.merges and query.aggregate is not Aggregate.COUNT and len(frame):
        frame = merged(frame, query, groups)
    if frame.empty:
        return []
    frame = frame[["time", *groups, *names]] if query.aggregate is None else summarised(frame, query, groups)
    frame = frame.sort_values(["time", *groups], ascending=[query.order == "asc", *[True] * len(groups)])
    frame = frame.dropna(subset=names, how="all")
    for term in query.measures:
        if query.aggregate is not Aggregate.COUNT:
            frame[term.name] = frame[term.name] * term.factor
    local = frame.time.dt.tz_convert(query.zone)
    columns = [[stamp.isoformat() for stamp in local], *(frame[name].tolist() for name in [*groups, *names])]
    return [list(row) for row in zip(*columns, strict=True)]


def merged(frame: pd.DataFrame, query: SeriesQuery, groups: list[str]) -> pd.DataFrame:
    by = frame.groupby(["time", *groups])
    columns = {
        term.name: by[term.name].sum(min_count=1) if term.combine == "sum" else by[term.name].mean()
        for term in query.measures
    }
    return pd.DataFrame(columns).reset_index()


def labels(times: pd.Series, query: SeriesQuery) -> pd.Series:
    """Start of the local calendar window of each time, as pandas' own calendar has it."""
    if query.window is None:
        return pd.Series(pd.Timestamp(query.start), index=times.index)
    window = query.window
    wall = times.dt.tz_convert(query.zone).dt.tz_localize(None)
    if window.unit is WindowUnit.MINUTE or str(window) == "1h":
        step = f"{window.count}{'min' if window.unit is WindowUnit.MINUTE else 'h'}"
        return times - (wall - wall.dt.floor(step))
    if window.unit is WindowUnit.HOUR:
        start = wall.dt.normalize() + pd.to_timedelta(wall.dt.hour // window.count * window.count, unit="h")
    elif window.unit is WindowUnit.DAY:
        start = wall.dt.normalize()
    else:
        start = wall.dt.to_period(FREQUENCIES[window.unit]).dt.start_time
    located = start.dt.tz_localize(query.zone, ambiguous=[True] * len(start), nonexistent="shift_forward")
    return located.dt.tz_convert("UTC")


def summarised(frame: pd.DataFrame, query: SeriesQuery, groups: list[str]) -> pd.DataFrame:
    names = [term.name for term in query.measures]
    frame = frame.sort_values("time").assign(label=labels(frame.time, query))
    if query.aggregate is Aggregate.ENERGY:
        hours = interval_hours(frame.time, query)
        frame = frame.assign(**{name: frame[name] * hours for name in names})
    by = frame.groupby(["label", *groups])
    columns = {name: one(by[name], query) for name in names}
    return pd.DataFrame(columns).reset_index().rename(columns={"label": "time"})


def interval_hours(times: pd.Series, query: SeriesQuery) -> pd.Series:
    if query.interval == "PT1H":
        return pd.Series(1.0, index=times.index)
    if query.interval == "PT30M":
        return pd.Series(0.5, index=times.index)
    step = {"P1D": pd.DateOffset(days=1), "P1M": pd.DateOffset(months=1)}[str(query.interval)]
    wall = times.dt.tz_convert(query.zone).dt.tz_localize(None).dt.normalize()
    ends = (wall + step).dt.tz_localize(query.zone, ambiguous=[True] * len(wall), nonexistent="shift_forward")
    return (ends.dt.tz_convert("UTC") - times) / pd.Timedelta(hours=1)


def one(values: object, query: SeriesQuery) -> pd.Series:
    by: pd.core.groupby.SeriesGroupBy = values  # type: ignore[assignment]
    match query.aggregate:
        case Aggregate.SUM | Aggregate.ENERGY:
            return by.sum(min_count=1)
        case Aggregate.COUNT:
            return by.count()
        case Aggregate.STDDEV:
            return by.std(ddof=1)
        case Aggregate.SPREAD:
            return by.max() - by.min()
        case Aggregate.PERCENTILE:
            return by.agg(lambda group: nearest_rank(group, query.percentile or 0))
        case _:
            return by.agg(query.aggregate.value)


def nearest_rank(group: pd.Series, percentile: float) -> float:
    values = sorted(group.dropna())
    position = math.floor(len(values) * percentile / 100 + 0.5) - 1
    return values[position] if 0 <= position < len(values) else math.nan
