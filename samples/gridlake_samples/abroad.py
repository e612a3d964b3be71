"""Files of publishers outside Brazil: ENTSO-E, National Grid ESO, EIA; each with the summer time of its country."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from gridlake_samples import shapes, text
from gridlake_samples.model import SampleFile

BRUSSELS, LONDON = ZoneInfo("Europe/Brussels"), ZoneInfo("Europe/London")


def demo(out: Path, seed: int, year: int) -> list[SampleFile]:
    """The files of the tour."""
    return [entsoe_load(out, seed, year), ngeso_demand(out, seed, year)]


def formats(out: Path, seed: int, year: int) -> list[SampleFile]:
    """One file of each format."""
    return [entsoe_load(out, seed, year), ngeso_demand(out, seed, year), eia930(out, seed, year)]


def _hours(year: int, zone: ZoneInfo, minutes: int) -> list[datetime]:
    """Instants of a local year, in its zone."""
    moment = datetime(year, 1, 1, tzinfo=zone).astimezone(UTC)
    stop = datetime(year + 1, 1, 1, tzinfo=zone).astimezone(UTC)
    found = []
    while moment < stop:
        found.append(moment.astimezone(zone))
        moment += timedelta(minutes=minutes)
    return found


def entsoe_load(out: Path, seed: int, year: int) -> SampleFile:
    """Total load: a blank row at the hour that does not exist, two rows for the hour that exists twice."""
    hours = _hours(year, BRUSSELS, 60)
    naive = np.array([hour.replace(tzinfo=None) for hour in hours], dtype="datetime64[m]")
    rng = shapes.generator(seed, "entsoe")
    load = np.rint(9_400 * (shapes.load(naive, rng, summer_day=20.0) + 0.1 * shapes.season(naive, 20)))
    forecast = np.rint(load * (1 + 0.01 * rng.standard_normal(len(load))))
    rows: list[tuple[str, str, str]] = []
    for i, hour in enumerate(hours):
        if i and hour.utcoffset() != hours[i - 1].utcoffset() and hour.hour == 3:
            rows.append((_interval(hour.replace(hour=2)), "", ""))
        rows.append((_interval(hour), f"{forecast[i]:.0f}", f"{load[i]:.0f}"))
    path = out / f"ENTSOE_Total_Load_FI_{year}__synthetic.csv"
    count = text.write_csv(
        path,
        '"Time (CET/CEST)","Day-ahead Total Load Forecast [MW] - BZN|FI","Actual Total Load [MW] - BZN|FI"',
        (tuple(f'"{cell}"' for cell in row) for row in rows),
        separator=",",
    )
    return SampleFile(
        path=path,
        dataset="entsoe_total_load",
        rows_in=count,
        quarantined={"nonexistent_local_time": count - len(hours)},
        sums={"load_mw": float(load.sum())},
        about="total load, both days when the clocks change",
    )


def _interval(hour: datetime) -> str:
    start = hour.replace(tzinfo=None)
    return f"{start:%d.%m.%Y %H:%M} - {start + timedelta(hours=1):%d.%m.%Y %H:%M}"


def ngeso_demand(out: Path, seed: int, year: int) -> SampleFile:
    """Historic demand: settlement periods 1 to 48, to 46 and to 50 when the clocks change."""
    halves = _hours(year, LONDON, 30)
    naive = np.array([half.replace(tzinfo=None) for half in halves], dtype="datetime64[m]")
    rng = shapes.generator(seed, "ngeso")
    demand = np.rint(29_000 * (shapes.load(naive, rng, summer_day=10.0) + 0.12 * shapes.season(naive, 10)))
    wind = np.rint(6_500 * shapes.wind(naive, rng))
    sun = np.rint(13_000 * shapes.solar(naive, rng))
    french = np.rint(1_500 * shapes.season(naive, 200) + 200 * rng.standard_normal(len(naive)))
    rows, period, today = [], 0, None
    for i, half in enumerate(halves):
        period, today = (period + 1, today) if half.date() == today else (1, half.date())
        numbers = (
            demand[i],
            demand[i] * 1.07,
            demand[i] * 0.9,
            wind[i],
            6_500,
            sun[i],
            13_000,
            0,
            180,
            french[i],
        )
        printed = [f"{number:.0f}" for number in numbers]
        rows.append((f"{half:%d-%b-%Y}".upper(), str(period), *printed))
    path = out / f"demanddata_{year}__synthetic.csv"
    count = text.write_csv(
        path,
        "SETTLEMENT_DATE,SETTLEMENT_PERIOD,ND,TSD,ENGLAND_WALES_DEMAND,EMBEDDED_WIND_GENERATION,"
        "EMBEDDED_WIND_CAPACITY,EMBEDDED_SOLAR_GENERATION,EMBEDDED_SOLAR_CAPACITY,NON_BM_STOR,PUMP_STORAGE_PUMPING,"
        "FRENCH_FLOW",
        rows,
        separator=",",
    )
    return SampleFile(
        path=path,
        dataset="ngeso_historic_demand",
        rows_in=count,
        sums={"national_demand_mw": float(demand.sum())},
        about="demand by settlement period, days of 46 and 50",
    )


def eia930(out: Path, seed: int, year: int) -> SampleFile:
    """EIA-930 balance: stamped at the end of the hour in UTC, thousands with commas inside quotes."""
    times = shapes.local_times(year, 60, days=60)
    rows, total = [], 0.0
    for authority, mean in {"CISO": 26_000.0, "ERCO": 48_000.0}.items():
        rng = shapes.generator(seed, "eia", authority)
        load = np.rint(mean * shapes.load(times, rng, summer_day=205.0))
        total += float(load.sum())
        for i, start in enumerate(times.astype(datetime).tolist()):
            end = start + timedelta(hours=1)
            local = end - timedelta(hours=8 if authority == "CISO" else 6)
            produced = load[i] * 0.94
            rows.append((
                authority, f"{start:%m/%d/%Y}", str(start.hour + 1), f"{local:%m/%d/%Y %I:%M:%S %p}",
                f"{end:%m/%d/%Y %I:%M:%S %p}", f'"{load[i] * 1.01:,.0f}"', f'"{load[i]:,.0f}"',
                f'"{produced:,.0f}"', f'"{produced - load[i]:,.0f}"',
            ))  # fmt: skip
    path = out / f"EIA930_BALANCE_{year}_Jan_Jun__synthetic.csv"
    count = text.write_csv(
        path,
        "Balancing Authority,Data Date,Hour Number,Local Time at End of Hour,UTC Time at End of Hour,"
        "Demand Forecast (MW),Demand (MW),Net Generation (MW),Total Interchange (MW)",
        rows,
        separator=",",
    )
    return SampleFile(
        path=path,
        dataset="eia930_balance",
        rows_in=count,
        sums={"load_mw": total},
        about="hourly balance, end of hour in UTC, thousands with commas",
    )
