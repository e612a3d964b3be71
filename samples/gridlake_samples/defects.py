"""One small file for each kind of defect that real files have, with its right answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gridlake_samples import ons_system, shapes
from gridlake_samples.model import SampleFile
from gridlake_samples.ons_plants import HYDROLOGY_HEADER, HYDROLOGY_TIME, hydrology_rows
from gridlake_samples.shapes import Times
from gridlake_samples.text import decimals, stamps, write_csv

HOURLY_HEADER = "id_subsistema;nom_subsistema;din_instante;val_cargaenergiahomwmed"
NAMES = ons_system.NAMES
Row = tuple[str, ...]


def hourly_rows(seed: int, first_day: str, *, days: int = 3) -> list[Row]:
    """Clean hourly load rows of all subsystems from a day on: 96 a day, subsystems N, NE, S, SE within each hour."""
    start = np.datetime64(first_day, "m")
    times = np.arange(start, start + np.timedelta64(days * 1440, "m"), np.timedelta64(60, "m"))
    loads = {code: decimals(ons_system.subsystem_load(times, seed, code)) for code in NAMES}
    return [
        (code, NAMES[code], stamp, loads[code][i]) for i, stamp in enumerate(stamps(times)) for code in NAMES
    ]


def with_value(row: Row, value: str) -> Row:
    """The row with another text as its last column."""
    return (*row[:-1], value)


def plain(out: Path, seed: int, year: int) -> list[SampleFile]:
    """Defects of text files."""
    return [
        ons_system.energy_balance(out, seed, year, doubled_day=f"{year}-08-15", misspelt_header=True),
        ons_system.half_hourly_prices(out, seed, year, missing_days=5),
        _blank_days(out, seed, year),
        _summer_time(out, seed),
        _legal_extremes(out, seed, year),
        _saved_in_excel(out, seed, year),
        _decimal_comma(out, seed, year),
        _damaged_rows(out, seed, year),
        _duplicates(out, seed, year),
        _other_delimiter(out, seed, year),
        _latin_1(out, seed, year),
        _quoted_newlines(out, year),
        _without_contract(out, seed, year),
    ]


def _hourly(
    out: Path, name: str, rows: Sequence[Row], about: str, quarantined: Mapping[str, int] | None = None
) -> SampleFile:
    path = out / f"CURVA_CARGA_{name}__synthetic.csv"
    count = write_csv(path, HOURLY_HEADER, rows)
    return SampleFile(
        path=path, dataset="ons_load_hourly", rows_in=count, quarantined=quarantined or {}, about=about
    )


def _blank_days(out: Path, seed: int, year: int) -> SampleFile:
    """Daily load: stamps with a time of day, a stray row at 00:00:01 without value, two blank days."""
    days = shapes.local_times(year, 1440, days=31)
    rows: list[Row] = []
    for i, stamp in enumerate(stamps(days)):
        rng = shapes.generator(seed, "blank-days", i)
        for code, mean in ons_system.LOAD_MW.items():
            rows.append(
                (
                    code,
                    NAMES[code].capitalize(),
                    stamp,
                    "" if i in {9, 10} else f"{mean * rng.uniform(0.9, 1.1):.8f}",
                )
            )
    rows.append(("NE", "Nordeste", f"{year}-01-31 00:00:01", ""))
    path = out / f"CARGA_ENERGIA_{year}_01__synthetic.csv"
    count = write_csv(path, "id_subsistema;nom_subsistema;din_instante;val_cargaenergiamwmed", rows)
    return SampleFile(
        path=path,
        dataset="ons_load_daily",
        rows_in=count,
        quarantined={"missing_value": 9},
        about="two blank days and a stray row at 00:00:01",
    )


def _summer_time(out: Path, seed: int) -> SampleFile:
    """4 November 2018, 00:00 did not exist in São Paulo: three subsystems are blank, one says 0E-8."""
    rows = hourly_rows(seed, "2018-11-03")
    first = next(i for i, row in enumerate(rows) if row[2] == "2018-11-04 00:00:00")
    for offset, value in enumerate(("", "", "0E-8", "")):
        rows[first + offset] = with_value(rows[first + offset], value)
    return _hourly(out, "2018_11", rows, "the hour that does not exist", {"nonexistent_local_time": 4})


def _legal_extremes(out: Path, seed: int, year: int) -> SampleFile:
    """A blackout of one subsystem: zeros printed as 0E-8 are values."""
    rows = hourly_rows(seed, f"{year}-08-15", days=1)
    rows[36] = with_value(rows[36], "0E-8")
    rows[40] = with_value(rows[40], "0E-8")
    return _hourly(out, f"{year}_08_15", rows, "zeros that are values")


def _saved_in_excel(out: Path, seed: int, year: int) -> SampleFile:
    """BOM, CRLF, and dd/mm/yyyy beside ISO stamps in one column."""
    rows = []
    for i, row in enumerate(hydrology_rows(seed, year, reservoirs=1, days=60)):
        stamp = row[HYDROLOGY_TIME]
        changed = f"{stamp[8:10]}/{stamp[5:7]}/{stamp[:4]} 00:00:00" if i < 30 else stamp
        rows.append((*row[:HYDROLOGY_TIME], changed, *row[HYDROLOGY_TIME + 1 :]))
    path = out / f"DADOS_HIDROLOGICOS_RES_{year}_excel__synthetic.csv"
    count = write_csv(path, HYDROLOGY_HEADER, rows, newline="\r\n", encoding="utf-8-sig")
    return SampleFile(
        path=path,
        dataset="ons_reservoir_hydrology_daily",
        rows_in=count,
        about="BOM, CRLF, two date formats in one column",
    )


def _decimal_comma(out: Path, seed: int, year: int) -> SampleFile:
    """Monthly load as a hand-made file prints it: 2.397,64408602 and two-digit years."""
    months = np.arange(f"{year}-01", f"{year + 1}-01", dtype="datetime64[M]")
    lasts: Times = np.subtract(
        (months + np.timedelta64(1, "M")).astype("datetime64[D]"), np.timedelta64(1, "D")
    )
    rows, total = [], 0.0
    for i, day in enumerate(np.datetime_as_string(lasts).tolist()):
        for code, mean in ons_system.LOAD_MW.items():
            value = round(mean * float(shapes.generator(seed, "monthly", i, code).uniform(0.92, 1.08)), 8)
            total += value
            printed = f"{value:,.8f}".translate(str.maketrans(",.", ".,"))
            rows.append(
                (code, NAMES[code].capitalize(), f"{day[8:]}-{day[5:7]}-{day[2:4]} 00:00:00", printed)
            )
    path = out / f"CARGA_MENSAL_{year}__synthetic.csv"
    count = write_csv(path, "id_subsistema;nom_subsistema;din_instante;val_cargaenergiamwmed", rows)
    return SampleFile(
        path=path,
        dataset="ons_load_monthly",
        rows_in=count,
        sums={"load_mw": round(total, 6)},
        about="decimal comma, thousands point, two-digit years",
    )


def _damaged_rows(out: Path, seed: int, year: int) -> SampleFile:
    """One row of each kind of damage among good rows."""
    rows = hourly_rows(seed, f"{year}-03-01")
    rows[3] = with_value(rows[3], "")
    rows[10] = with_value(rows[10], "12a4")
    rows[20] = ("S", "SUL", "not a date", "1.0")
    rows[30] = ("XX", "NOWHERE", *rows[30][2:])
    rows[40] = rows[40][:-1]
    rows[50] = (*rows[50], "surplus")
    rows[60] = tuple(HOURLY_HEADER.split(";"))
    rows[70] = with_value(rows[70], "-5.0")
    rows[80] = (rows[80][0], rows[80][1], "", rows[80][3])
    damage = (
        "missing_value", "unparsable_number", "unparsable_time", "unknown_code", "too_few_columns",
        "too_many_columns", "repeated_header", "out_of_range", "missing_time",
    )  # fmt: skip
    return _hourly(
        out, f"{year}_03_damaged", rows, "one row of each kind of damage", dict.fromkeys(damage, 1)
    )


def _duplicates(out: Path, seed: int, year: int) -> SampleFile:
    """Two rows repeated as they are, one repeated with another value: the last stays."""
    rows = hourly_rows(seed, f"{year}-04-01")
    rows += [rows[5], rows[6], with_value(rows[7], "1234.500")]
    return _hourly(
        out,
        f"{year}_04_duplicates",
        rows,
        "repeated rows",
        {"duplicate_identical": 2, "duplicate_conflicting": 1},
    )


def _other_delimiter(out: Path, seed: int, year: int) -> SampleFile:
    """The same table with tabs."""
    path = out / f"CURVA_CARGA_{year}_05_tabs__synthetic.csv"
    count = write_csv(
        path, HOURLY_HEADER.replace(";", "\t"), hourly_rows(seed, f"{year}-05-01"), separator="\t"
    )
    return SampleFile(path=path, dataset="ons_load_hourly", rows_in=count, about="tabs instead of semicolons")


def _latin_1(out: Path, seed: int, year: int) -> SampleFile:
    """Accents in ISO 8859-1."""
    path = out / f"DADOS_HIDROLOGICOS_RES_{year}_latin1__synthetic.csv"
    rows = hydrology_rows(seed + 1, year, reservoirs=2, days=10)
    count = write_csv(path, HYDROLOGY_HEADER, rows, encoding="latin-1")
    return SampleFile(
        path=path, dataset="ons_reservoir_hydrology_daily", rows_in=count, about="accents in latin-1"
    )


def _quoted_newlines(out: Path, year: int) -> SampleFile:
    """Free text with a line break inside quotes: 16 columns, as since 2025."""
    rows = []
    for i in range(48):
        stamp = f"{year}-01-01 {i // 2:02}:{i % 2 * 30:02}:00"
        left = ("NE", "Nordeste", "BA", "Bahia", "Conj. USINA SINTÉTICA", "CJU_SIN", "-", stamp)
        note = '"Excedente de energia;\nsegunda linha"' if i % 8 == 0 else "Excedente"
        rows.append((*left, f"{50 + i}.000", "70.000", "411.0", "120.000", "118.000", "ENE", "SIS", note))
    path = out / f"RESTRICAO_COFF_EOLICA_{year}_02__synthetic.csv"
    count = write_csv(
        path,
        "id_subsistema;nom_subsistema;id_estado;nom_estado;nom_usina;id_ons;ceg;din_instante;val_geracao;"
        "val_geracaolimitada;val_disponibilidade;val_geracaoreferencia;val_geracaoreferenciafinal;"
        "cod_razaorestricao;cod_origemrestricao;dsc_restricao",
        rows,
    )
    return SampleFile(
        path=path,
        dataset="ons_wind_constrained_off",
        rows_in=count,
        about="line breaks and separators in quotes",
    )


def _without_contract(out: Path, seed: int, year: int) -> SampleFile:
    """A table that no contract knows."""
    times = shapes.local_times(year, 15, days=7)
    oil = 45 + 10 * shapes.load(times, shapes.generator(seed, "oil"))
    rows = [
        (stamp, f"{value:.2f}", f"{value / 3:.3f}") for stamp, value in zip(stamps(times), oil, strict=True)
    ]
    path = out / f"transformer_{year}__synthetic.csv"
    count = write_csv(path, "date,oil_temperature,useful_load", rows, separator=",")
    return SampleFile(
        path=path, dataset=None, rows_in=count, status="uncatalogued", about="a table without contract"
    )
