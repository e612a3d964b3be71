"""ONS files of whole subsystems: load, balance, prices, stored and inflowing energy, interchange."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gridlake_samples import shapes, text
from gridlake_samples.model import SampleFile
from gridlake_samples.shapes import Times, Values

NAMES = {"N": "NORTE", "NE": "NORDESTE", "S": "SUL", "SE": "SUDESTE"}
LOAD_MW = {"N": 7_200.0, "NE": 12_600.0, "S": 13_100.0, "SE": 42_500.0}
"""Mean load that a subsystem's shape is scaled to."""
STORED_MAX_MWMONTH = {"N": 15_302.396, "NE": 51_691.227, "S": 20_459.241, "SE": 204_615.324}
LINKS = (("N", "NE"), ("N", "SE"), ("NE", "SE"), ("SE", "S"))
BALANCE_HEADER = "{id};nom_subsistema;din_instante;val_gerhidraulica;val_gertermica;val_gereolica;val_gersolar;val_carga;val_intercambio"
Balance = dict[str, Values]


def demo(out: Path, seed: int, year: int) -> list[SampleFile]:
    """The files of the tour, with a few of the defects that real ones have."""
    return [
        hourly_load(out, seed, year, blanks=5),
        daily_load(out, seed, year, stray_row=True),
        energy_balance(out, seed, year, doubled_day=f"{year}-08-15", misspelt_header=True),
        half_hourly_prices(out, seed, year, missing_days=2),
        stored_energy(out, seed, year),
        inflow_energy(out, seed, year),
        interchange(out, seed, year),
    ]


def formats(out: Path, seed: int, year: int) -> list[SampleFile]:
    """One clean file of each format."""
    return [
        hourly_load(out, seed, year),
        daily_load(out, seed, year),
        energy_balance(out, seed, year),
        half_hourly_prices(out, seed, year),
        weekly_prices(out, seed, year),
        stored_energy(out, seed, year),
        inflow_energy(out, seed, year),
        interchange(out, seed, year),
    ]


def subsystem_load(times: Times, seed: int, code: str) -> Values:
    """Load of a subsystem in MW, to three decimals."""
    return np.round(LOAD_MW[code] * shapes.load(times, shapes.generator(seed, "load", code)), 3)


def hourly_load(out: Path, seed: int, year: int, *, blanks: int = 0) -> SampleFile:
    """CURVA_CARGA: hourly load; `blanks` rows have no value."""
    times = shapes.local_times(year, 60)
    loads = {code: subsystem_load(times, seed, code) for code in NAMES}
    empty = {int(i) for i in shapes.generator(seed, "blanks").choice(len(times), blanks, replace=False)}
    printed = {code: text.decimals(values, 8) for code, values in loads.items()}
    for row in empty:
        printed["NE"][row] = ""
    total = sum(text.rounded_sum(values) for values in loads.values())
    total -= sum(float(loads["NE"][row]) for row in empty)
    path = out / f"CURVA_CARGA_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;din_instante;val_cargaenergiahomwmed",
        ((c, NAMES[c], stamp, printed[c][i]) for i, stamp in enumerate(text.stamps(times)) for c in NAMES),
    )
    return SampleFile(
        path=path,
        dataset="ons_load_hourly",
        rows_in=rows,
        quarantined={"missing_value": blanks} if blanks else {},
        sums={"load_mw": round(total, 3)},
        about="hourly load" + (f", {blanks} blank hours" if blanks else ""),
    )


def daily_load(out: Path, seed: int, year: int, *, stray_row: bool = False) -> SampleFile:
    """CARGA_ENERGIA: daily mean load; the stray row at 00:00:01 has no value."""
    times = shapes.local_times(year, 60)
    dates = text.days(times[::24])
    loads = {
        code: np.round(subsystem_load(times, seed, code).reshape(-1, 24).mean(axis=1), 8) for code in NAMES
    }
    printed = {code: text.decimals(values, 8) for code, values in loads.items()}
    rows = [(c, NAMES[c].capitalize(), day, printed[c][i]) for i, day in enumerate(dates) for c in NAMES]
    if stray_row:
        rows.insert(4 * 59 + 2, ("NE", "Nordeste", f"{dates[59]} 00:00:01", ""))
    path = out / f"CARGA_ENERGIA_{year}__synthetic.csv"
    count = text.write_csv(path, "id_subsistema;nom_subsistema;din_instante;val_cargaenergiamwmed", rows)
    return SampleFile(
        path=path,
        dataset="ons_load_daily",
        rows_in=count,
        quarantined={"missing_value": 1} if stray_row else {},
        sums={"load_mw": round(sum(text.rounded_sum(values, 8) for values in loads.values()), 8)},
        about="daily load" + (", a stray row without value" if stray_row else ""),
    )


def balances(times: Times, seed: int) -> dict[str, Balance]:
    """Generation by source, load and interchange of each subsystem and of SIN, in MW to three decimals.

    Integers of kW are added, so that generation − interchange − load = 0 exactly on every row.
    """
    found: dict[str, Balance] = {}
    total = {
        name: np.zeros(len(times), dtype=np.int64) for name in ("hydro", "thermal", "wind", "solar", "load")
    }
    for code in NAMES:
        rng = shapes.generator(seed, "balance", code)
        load = np.rint(subsystem_load(times, seed, code) * 1000).astype(np.int64)
        peak_wind = {"N": 400, "NE": 17_000, "S": 2_000, "SE": 60}[code]
        peak_solar = {"N": 250, "NE": 6_000, "S": 900, "SE": 9_500}[code]
        kw = {
            "wind": np.rint(peak_wind * 1000 * shapes.wind(times, rng)).astype(np.int64),
            "solar": np.rint(peak_solar * 1000 * shapes.solar(times, rng)).astype(np.int64),
            "thermal": np.rint(LOAD_MW[code] * 1000 * (0.12 + 0.03 * shapes.season(times, 260))).astype(
                np.int64
            ),
            "load": load,
        }
        share = {"N": 1.25, "NE": 0.35, "S": 0.75, "SE": 0.8}[code] + 0.1 * shapes.season(times, 60)
        kw["hydro"] = np.rint(load * share).astype(np.int64)
        for name, values in kw.items():
            total[name] += values
        kw["interchange"] = kw["hydro"] + kw["thermal"] + kw["wind"] + kw["solar"] - load
        found[code] = {name: values / 1000 for name, values in kw.items()}
    generated = total["hydro"] + total["thermal"] + total["wind"] + total["solar"]
    found["SIN"] = {name: values / 1000 for name, values in total.items()} | {
        "interchange": (generated - total["load"]) / 1000
    }
    return found


def energy_balance(
    out: Path, seed: int, year: int, *, doubled_day: str | None = None, misspelt_header: bool = False
) -> SampleFile:
    """BALANCO_ENERGIA_SUBSISTEMA with the aggregate SIN; on the doubled day load and interchange are twice themselves."""
    times = shapes.local_times(year, 60)
    found = balances(times, seed)
    codes = [*NAMES, "SIN"]
    doubled = np.zeros(len(times), dtype=bool)
    if doubled_day:
        doubled = times.astype("datetime64[D]") == np.datetime64(doubled_day, "D")
    printed: dict[str, list[list[str]]] = {}
    total = 0.0
    for code in codes:
        factor = np.where(doubled & (code != "SIN"), 2.0, 1.0)
        balance = found[code]
        columns = [balance[name] for name in ("hydro", "thermal", "wind", "solar")]
        columns += [balance["load"] * factor, balance["interchange"] * factor]
        printed[code] = [text.decimals(values) for values in columns]
        kept = ~doubled if code != "SIN" else np.ones(len(times), dtype=bool)
        total += text.rounded_sum(balance["load"][kept])
    names = {**NAMES, "SIN": "SISTEMA INTERLIGADO NACIONAL"}
    path = out / f"BALANCO_ENERGIA_SUBSISTEMA_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        BALANCE_HEADER.format(id="id_subsistena" if misspelt_header else "id_subsistema"),
        (
            (code, names[code], stamp, *(column[i] for column in printed[code]))
            for i, stamp in enumerate(text.stamps(times))
            for code in codes
        ),
    )
    wrong = int(doubled.sum()) * len(NAMES)
    return SampleFile(
        path=path,
        dataset="ons_energy_balance_hourly",
        rows_in=rows,
        quarantined={"identity_violated": wrong} if wrong else {},
        sums={"load_mw": round(total, 3)},
        about="energy balance with SIN" + (", a day with load and interchange doubled" if wrong else ""),
    )


def half_hourly_prices(out: Path, seed: int, year: int, *, missing_days: int = 0) -> SampleFile:
    """CMO_SEMIHORARIO: half-hourly prices, some zero or negative; whole days are absent."""
    times = shapes.local_times(year, 30)
    rng = shapes.generator(seed, "absent")
    days = times.astype("datetime64[D]")
    absent = rng.choice(np.unique(days)[1:-1], missing_days, replace=False)
    times = times[~np.isin(days, absent)]
    printed, total = {}, 0.0
    for code in NAMES:
        noise = shapes.slow_noise(len(times), shapes.generator(seed, "price", code), memory=96)
        level = (
            90 - 80 * shapes.season(times, 75) + 25 * np.cos((shapes.hour_of_day(times) - 19) * np.pi / 12)
        )
        prices = np.round(np.where(level + 30 * noise < 8, 0.0, level + 30 * noise), 2)
        prices[:: 1009 + len(code)] = -0.01
        printed[code] = text.decimals(prices, 8)
        total += text.rounded_sum(prices, 2)
    path = out / f"CMO_SEMIHORARIO_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;din_instante;val_cmo",
        ((c, NAMES[c], stamp, printed[c][i]) for i, stamp in enumerate(text.stamps(times)) for c in NAMES),
    )
    return SampleFile(
        path=path,
        dataset="ons_cmo_half_hourly",
        rows_in=rows,
        sums={"price_brl_mwh": round(total, 2)},
        about="half-hourly prices" + (f", {missing_days} whole days absent" if missing_days else ""),
    )


def weekly_prices(out: Path, seed: int, year: int) -> SampleFile:
    """CMO_SEMANAL: weekly prices by load step, stamped on the Friday that ends the week."""
    days = shapes.local_times(year, 1440)
    fridays = days[np.is_busday(days.astype("datetime64[D]"), weekmask="0000100")]
    rng = shapes.generator(seed, "weekly")
    rows, total = [], 0.0
    for day in text.days(fridays):
        for code, name in NAMES.items():
            light = round(float(rng.uniform(0, 180)), 2)
            mean = round(light * 1.05, 2)
            total += mean
            rows.append((code, name, day, *(f"{v:.2f}" for v in (mean, light, light * 1.06, light * 1.15))))
    path = out / f"CMO_SEMANAL_{year}__synthetic.csv"
    header = (
        "id_subsistema;nom_subsistema;din_instante;val_cmomediasemanal;val_cmoleve;val_cmomedia;val_cmopesada"
    )
    count = text.write_csv(path, header, rows)
    return SampleFile(
        path=path,
        dataset="ons_cmo_weekly",
        rows_in=count,
        sums={"price_brl_mwh": round(total, 2)},
        about="weekly prices, stamped at the end of the week",
    )


def stored_energy(out: Path, seed: int, year: int) -> SampleFile:
    """EAR_DIARIO_SUBSISTEMA: energy stored in the reservoirs, in MWmonth and percent."""
    days = shapes.local_times(year, 1440)
    printed, total = {}, 0.0
    for code, full in STORED_MAX_MWMONTH.items():
        noise = shapes.slow_noise(len(days), shapes.generator(seed, "ear", code), memory=40)
        stored = np.round(full * np.clip(0.6 + 0.22 * shapes.season(days, 120) + 0.02 * noise, 0.05, 1.0), 6)
        printed[code] = (f"{full}", text.decimals(stored, 6), text.decimals(stored / full * 100, 8))
        total += text.rounded_sum(stored, 6)
    path = out / f"EAR_DIARIO_SUBSISTEMA_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;ear_data;ear_max_subsistema;ear_verif_subsistema_mwmes;ear_verif_subsistema_percentual",
        (
            (c, NAMES[c], day, printed[c][0], printed[c][1][i], printed[c][2][i])
            for i, day in enumerate(text.days(days))
            for c in NAMES
        ),
    )
    return SampleFile(path=path, dataset="ons_stored_energy_daily", rows_in=rows, about="stored energy (EAR)")


def inflow_energy(out: Path, seed: int, year: int) -> SampleFile:
    """ENA_DIARIO_SUBSISTEMA: energy of the inflow; the codes are padded with blanks."""
    days = shapes.local_times(year, 1440)
    printed, total = {}, 0.0
    for code, mean in {"N": 9_000.0, "NE": 5_500.0, "S": 9_800.0, "SE": 38_000.0}.items():
        noise = shapes.slow_noise(len(days), shapes.generator(seed, "ena", code), memory=12)
        ratio = np.clip(1 + 0.18 * noise, 0.2, None)
        gross = np.round(mean * (1 + 0.6 * shapes.season(days, 50)) * ratio, 4)
        printed[code] = [text.decimals(v, 4) for v in (gross, ratio * 100, gross * 0.93, ratio * 93)]
        total += text.rounded_sum(gross, 4)
    path = out / f"ENA_DIARIO_SUBSISTEMA_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        "id_subsistema;nom_subsistema;ena_data;ena_bruta_regiao_mwmed;ena_bruta_regiao_percentualmlt;"
        "ena_armazenavel_regiao_mwmed;ena_armazenavel_regiao_percentualmlt",
        (
            (f"{c:<2}", NAMES[c], day, *(column[i] for column in printed[c]))
            for i, day in enumerate(text.days(days))
            for c in NAMES
        ),
    )
    return SampleFile(
        path=path,
        dataset="ons_inflow_energy_daily",
        rows_in=rows,
        sums={"inflow_energy_mw": round(total, 4)},
        about="inflow energy (ENA), padded codes",
    )


def interchange(out: Path, seed: int, year: int) -> SampleFile:
    """INTERCAMBIO_NACIONAL: signed flows over fixed pairs; names have a leading blank."""
    times = shapes.local_times(year, 60)
    printed, total = {}, 0.0
    for pair in LINKS:
        noise = shapes.slow_noise(len(times), shapes.generator(seed, "link", pair), memory=48)
        flow = np.round(1_800 * shapes.season(times, 90) + 900 * noise + 400, 3)
        printed[pair] = text.decimals(flow)
        total += text.rounded_sum(flow)
    path = out / f"INTERCAMBIO_NACIONAL_{year}__synthetic.csv"
    rows = text.write_csv(
        path,
        "din_instante;id_subsistema_origem;nom_subsistema_origem;id_subsistema_destino;nom_subsistema_destino;val_intercambiomwmed",
        (
            (stamp, a, f" {NAMES[a]}", b, f" {NAMES[b]}", printed[a, b][i])
            for i, stamp in enumerate(text.stamps(times))
            for a, b in LINKS
        ),
    )
    return SampleFile(
        path=path,
        dataset="ons_interchange_hourly",
        rows_in=rows,
        sums={"interchange_mw": round(total, 3)},
        about="interchange between subsystems",
    )
