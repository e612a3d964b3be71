"""How load, sun, wind, water and prices move over the day, the week and the year.

All functions take local times as ``datetime64[m]`` and return float64 of the same length, without unit unless said.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.datetime64]
Values = npt.NDArray[np.float64]

FIXED_HOLIDAYS = ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 2), (11, 15), (12, 25))
EASTER_OFFSETS = (-48, -47, -2, 60)
"""Carnival Monday and Tuesday, Good Friday, Corpus Christi."""
EVENING, MORNING = 19.5, 10.5


def generator(seed: int, *names: object) -> np.random.Generator:
    """Random numbers that depend only on the seed and on what they are for."""
    return np.random.default_rng([seed, zlib.crc32(repr(names).encode())])


def local_times(year: int, minutes: int, *, days: int | None = None) -> Times:
    """Every `minutes` from 1 January of the year, for the year or the first `days`."""
    start = np.datetime64(f"{year}-01-01T00:00", "m")
    stop = (
        np.datetime64(f"{year + 1}-01-01T00:00", "m")
        if days is None
        else start + np.timedelta64(days * 1440, "m")
    )
    return np.arange(start, stop, np.timedelta64(minutes, "m"))


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)


def holidays(years: Iterable[int]) -> Times:
    """National holidays of Brazil, as days."""
    found = [date(year, month, day) for year in years for month, day in FIXED_HOLIDAYS]
    found += [easter(year) + timedelta(days=offset) for year in years for offset in EASTER_OFFSETS]
    return np.array(sorted(found), dtype="datetime64[D]")


def hour_of_day(times: Times) -> Values:
    """0 to 24."""
    hours: Values = (times - times.astype("datetime64[D]")) / np.timedelta64(60, "m")
    return hours


def season(times: Times, peak_day: float) -> Values:
    """A year's wave from -1 to 1, highest on day `peak_day` of the year."""
    day = (times - times.astype("datetime64[Y]")) / np.timedelta64(1440, "m")
    wave: Values = np.cos((day - peak_day) * (2 * np.pi / 365.25))
    return wave


def is_rest(times: Times) -> npt.NDArray[np.bool_]:
    """Whether the day is a Sunday or a holiday."""
    days = times.astype("datetime64[D]")
    years = {int(year) for year in np.unique(days.astype("datetime64[Y]").astype(int) + 1970)}
    rest: npt.NDArray[np.bool_] = ~np.is_busday(days, weekmask="1111110") | np.isin(days, holidays(years))
    return rest


def load(times: Times, rng: np.random.Generator, *, summer_day: float = 45.0) -> Values:
    """Electric load around 1: two peaks a day, quieter weekends and holidays, a hot season, slow noise."""
    hour = hour_of_day(times)
    daily = 0.11 * np.cos((hour - EVENING) * np.pi / 12) + 0.06 * np.cos((hour - MORNING) * np.pi / 6)
    saturday = np.is_busday(times.astype("datetime64[D]"), weekmask="0000010")
    week = np.where(is_rest(times), -0.13, np.where(saturday, -0.06, 0.0))
    return 1.0 + daily + week + 0.06 * season(times, summer_day) + 0.015 * slow_noise(len(times), rng)


def solar(times: Times, rng: np.random.Generator) -> Values:
    """Sunshine from 0 to 1: zero at night, clouds by day."""
    hour = hour_of_day(times)
    arc = np.clip(np.cos((hour - 12.0) * np.pi / 12.5), 0.0, None)
    return arc**1.3 * (0.88 + 0.08 * season(times, 355)) * (1 - 0.25 * rng.random(len(times)) ** 3)


def wind(times: Times, rng: np.random.Generator) -> Values:
    """Wind output from 0 to 1: windy nights, a windy season from July to October."""
    hour = hour_of_day(times)
    level = 0.42 + 0.2 * season(times, 245) + 0.08 * np.cos((hour - 1.0) * np.pi / 12)
    return np.clip(level + 0.12 * slow_noise(len(times), rng), 0.01, 0.97)


def slow_noise(length: int, rng: np.random.Generator, *, memory: int = 24) -> Values:
    """Noise of unit variance that remembers about `memory` steps."""
    white = rng.standard_normal(length + memory)
    sums = np.cumsum(white)
    smooth: Values = (sums[memory:] - sums[:-memory]) / np.sqrt(memory)
    return smooth
