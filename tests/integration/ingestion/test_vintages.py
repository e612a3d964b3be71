"""Every dataset in the forms it was published in over the years, made up here from their descriptions.

What is expected is computed by `datetime` and `zoneinfo`, never by the engine's own code.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.integration.ingestion.support import ingest

SUBSYSTEMS = {"N": "NORTE", "NE": "NORDESTE", "S": "SUL", "SE": "SUDESTE"}
BRASILIA = ZoneInfo("America/Sao_Paulo")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ";") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def instants(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """UTC instants of a wall-clock time: none in the gap, two where clocks go back."""
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(i for i in found if i.astimezone(zone).replace(tzinfo=None) == local)


@pytest.mark.parametrize("header", ["id_subsistema", "id_subsistena"])
@pytest.mark.parametrize("filename", ["BALANCO_ENERGIA_SUBSISTEMA_2023.csv", "dados.csv"])
def test_the_doubled_day_of_the_balance_is_set_aside(header: str, filename: str, tmp_path: Path) -> None:
    columns = "nom_subsistema din_instante val_gerhidraulica val_gertermica val_gereolica val_gersolar val_carga val_intercambio"
    rows: list[list[object]] = []
    load = 0.0
    for hour in range(72):
        stamp = datetime(2023, 8, 14) + timedelta(hours=hour)
        factor = 2 if stamp.day == 15 else 1
        for number, (code, name) in enumerate(SUBSYSTEMS.items(), start=1):
            generation = [1000.0 * number, 100.0 + hour, 50.5, -0.25]
            own = 900.0 * number + hour
            rows.append([code, name, stamp, *generation, own * factor, (sum(generation) - own) * factor])
            load += own if factor == 1 else 0
        total = [r[3:] for r in rows[-4:]]
        sums = [sum(float(str(v)) for v in column) for column in zip(*total, strict=True)]
        sums[4:] = [v / factor for v in sums[4:]]
        rows.append(["SIN", "SISTEMA INTERLIGADO NACIONAL", stamp, *sums])
        load += sums[4]
    result = ingest(table([header, *columns.split()], rows), tmp_path, filename)
    assert result.report.dataset == "ons_energy_balance_hourly"
    assert result.report.quarantine == {"identity_violated": 24 * 4}
    assert result.report.rows_in == 72 * 5
    assert sum(v for (v,) in result.values("load_mw")) == pytest.approx(load)
    assert {s for (s,) in result.values("subsystem")} == {*SUBSYSTEMS, "SIN"}


DAILY = {
    "EAR_DIARIO_SUBSISTEMA_{}.csv": (
        "ons_stored_energy_daily",
        "ear_data",
        "ear_max_subsistema ear_verif_subsistema_mwmes ear_verif_subsistema_percentual",
    ),
    "ENA_DIARIO_SUBSISTEMA_{}.csv": (
        "ons_inflow_energy_daily",
        "ena_data",
        "ena_bruta_regiao_mwmed ena_bruta_regiao_percentualmlt ena_armazenavel_regiao_mwmed "
        "ena_armazenavel_regiao_percentualmlt",
    ),
    "CARGA_ENERGIA_{}.csv": ("ons_load_daily", "din_instante", "val_cargaenergiamwmed"),
}


@pytest.mark.parametrize("year", [2000, 2013, 2018, 2024])
@pytest.mark.parametrize("filename", DAILY)
def test_a_year_of_days_is_whole_whatever_its_summer_time(filename: str, year: int, tmp_path: Path) -> None:
    dataset, clock, measures = DAILY[filename]
    days = [date(year, 1, 1) + timedelta(days=i) for i in range(366)]
    days = [d for d in days if d.year == year]
    rows = [
        [f"{code} ", name.title(), day, *([50.5] * len(measures.split()))]
        for day in days
        for code, name in SUBSYSTEMS.items()
    ]
    header = ["id_subsistema", "nom_subsistema", clock, *measures.split()]
    result = ingest(table(header, rows), tmp_path, filename.format(year))
    assert (result.report.dataset, result.report.quarantine) == (dataset, {})
    found = {datetime.fromisoformat(t).astimezone(BRASILIA).date() for (t,) in result.values("time")}
    assert found == set(days)
    assert not [w for w in result.report.warnings if w["rule"] == "complete"]


@pytest.mark.parametrize("year", [2000, 2008, 2017, 2018, 2019, 2020])
def test_a_year_of_hours_of_brasilia(year: int, tmp_path: Path) -> None:
    stamps = [datetime(year, 1, 1) + timedelta(hours=h) for h in range(366 * 24)]
    stamps = [s for s in stamps if s.year == year]
    expected, rows = [], []
    for number, stamp in enumerate(stamps):
        rows.append(["SE", "Sudeste", stamp, 30_000 + number])
        expected += [(i.isoformat(), 30_000.0 + number) for i in instants(stamp, BRASILIA)[:1]]
    header = ["id_subsistema", "nom_subsistema", "din_instante", "val_cargaenergiahomwmed"]
    result = ingest(table(header, rows), tmp_path, f"CURVA_CARGA_{year}.csv")
    assert result.values("time", "load_mw") == expected
    absent = len(stamps) - len(expected)
    assert result.report.quarantine == ({"nonexistent_local_time": absent} if absent else {})


def test_the_hour_printed_twice_is_two_hours(tmp_path: Path) -> None:
    header = ["id_subsistema", "nom_subsistema", "din_instante", "val_cargaenergiahomwmed"]
    rows = [["N", "x", f"2018-02-17 {hour}:00:00", 5000] for hour in (22, 23, 23)]
    result = ingest(
        table(header, [*rows, ["N", "x", "2018-02-18 00:00:00", 5001]]), tmp_path, "CURVA_CARGA_2018.csv"
    )
    assert [t[:13] for (t,) in result.values("time")] == [f"2018-02-18T0{h}" for h in range(4)]


def entsoe(year: int, zone: str, minutes: int, *, new: bool, utc: bool) -> tuple[str, dict[str, float], int]:
    """A year as the platform exports it: the skipped hour without values, the repeated hour twice."""
    brussels, step = ZoneInfo("Europe/Brussels"), timedelta(minutes=minutes)
    pattern = "%d/%m/%Y %H:%M:%S" if new else "%d.%m.%Y %H:%M"
    stamp, value, skipped = datetime(year, 1, 1), 30_000.0, 0
    again: list[tuple[str, datetime]] = []
    rows: list[list[object]] = []
    expected: dict[str, float] = {}
    while stamp.year == year:
        text = f"{stamp.strftime(pattern)} - {(stamp + step).strftime(pattern)}"
        found = [stamp.replace(tzinfo=UTC)] if utc else instants(stamp, brussels)
        value += 1
        if found:
            expected[found[0].isoformat()] = value
        skipped += not found
        rows.append([text, "n/e" if not found else value - 500, value if found else "-"])
        if len(found) == 2:
            again.append((text, found[1]))
        if again and (stamp + step).minute == 0:
            for text, instant in again:
                value += 1
                expected[instant.isoformat()] = value
                rows.append([text, "N/A", value])
            again = []
        stamp += step
    clock = f"{'MTU' if new else 'Time'} ({'UTC' if utc else 'CET/CEST'})"
    if new:
        header = [clock, "Area", "Actual Total Load (MW)", "Day-ahead Total Load Forecast (MW)"]
        return table(header, [[t, f"BZN|{zone}", a, f] for t, f, a in rows], ","), expected, skipped
    header = [
        clock,
        f"Day-ahead Total Load Forecast [MW] - BZN|{zone}",
        f"Actual Total Load [MW] - BZN|{zone}",
    ]
    return table(header, rows, ","), expected, skipped


@pytest.mark.parametrize(
    ("year", "zone", "minutes", "new", "utc"),
    [
        (2021, "FI", 60, False, False),
        (2022, "DE-LU", 15, False, False),
        (2016, "GB", 30, False, False),
        (2024, "DE-LU", 15, True, False),
        (2024, "ES", 60, True, True),
        (2020, "PT", 60, False, True),
    ],
)
def test_a_year_of_total_load(
    year: int, zone: str, minutes: int, new: bool, utc: bool, tmp_path: Path
) -> None:
    content, expected, skipped = entsoe(year, zone, minutes, new=new, utc=utc)
    result = ingest(content, tmp_path, "export.csv")
    assert result.report.dataset == "entsoe_total_load"
    assert dict(result.values("time", "load_mw")) == expected
    assert result.values("area")[0] == (zone,)
    assert result.report.quarantine == ({"nonexistent_local_time": skipped} if skipped else {})


@pytest.mark.parametrize(
    "form",
    ["%d-%b-%Y", "%d-%b-%y", "%Y-%m-%d", "%d/%m/%Y", "%Y-%m-%dT00:00:00", "%Y-%m-%d 00:00:00+00", "%d %b %Y"],
)
def test_a_year_of_settlement_periods(form: str, tmp_path: Path) -> None:
    london, day = ZoneInfo("Europe/London"), date(2023, 1, 1)
    later = ["IFA2_FLOW", "NSL_FLOW", "ELECLINK_FLOW", "SCOTTISH_TRANSFER", "VIKING_FLOW", "GREENLINK_FLOW"]
    expected, rows = [], []
    while day.year == 2023:
        start = datetime.combine(day, datetime.min.time(), london).astimezone(UTC)
        end = datetime.combine(day + timedelta(days=1), datetime.min.time(), london).astimezone(UTC)
        for period in range(int((end - start) / timedelta(minutes=30))):
            expected.append(((start + timedelta(minutes=30 * period)).isoformat(), 20_000.0 + period))
            rows.append([day.strftime(form).upper(), period + 1, 20_000 + period, 21_000, *([-5] * 14)])
        day += timedelta(days=1)
    fixed = (
        "SETTLEMENT_DATE SETTLEMENT_PERIOD ND TSD ENGLAND_WALES_DEMAND EMBEDDED_WIND_GENERATION "
        "EMBEDDED_WIND_CAPACITY EMBEDDED_SOLAR_GENERATION EMBEDDED_SOLAR_CAPACITY NON_BM_STOR "
        "PUMP_STORAGE_PUMPING IFA_FLOW"
    )
    result = ingest(table([*fixed.split(), *later], rows, ","), tmp_path, "demanddata_2023.csv")
    assert result.values("time", "national_demand_mw") == expected


@pytest.mark.parametrize("form", ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%Y-%m-%d %H:%M:%S"])
@pytest.mark.parametrize("thousands", [True, False])
def test_half_a_year_of_american_hours(form: str, thousands: bool, tmp_path: Path) -> None:
    header = [
        "Balancing Authority", "Data Date", "Hour Number", "Local Time at End of Hour", "UTC Time at End of Hour",
        "Demand Forecast (MW)", "Demand (MW)", "Net Generation (MW)", "Total Interchange (MW)", "Region",
    ]  # fmt: skip
    expected, rows = [], []
    for hour in range(48):
        end = datetime(2024, 1, 1, 9) + timedelta(hours=hour)
        shown = (lambda v: f"{v:,}") if thousands else str
        demand = None if hour % 10 == 0 else 20_000 + hour
        rows.append(
            [
                "CISO",
                "01/01/2024",
                hour % 24 + 1,
                "",
                end.strftime(form),
                shown(21000),
                "MISSING" if demand is None else shown(demand),
                shown(19000),
                shown(-1234),
                "CAL",
            ]
        )
        expected.append(((end - timedelta(hours=1)).replace(tzinfo=UTC).isoformat(), demand))
    result = ingest(table(header, rows, ","), tmp_path, "EIA930_BALANCE_2024_Jan_Jun.csv")
    assert result.values("time", "load_mw") == expected
    assert set(result.values("interchange_mw")) == {(-1234.0,)}


CONSTRAINED = [
    "id_subsistema",
    "nom_subsistema",
    "id_estado",
    "nom_estado",
    "nom_usina",
    "id_ons",
    "ceg",
    "din_instante",
    "val_geracao",
    "val_geracaolimitada",
    "val_disponibilidade",
    "val_geracaoreferencia",
    "val_geracaoreferenciafinal",
    "cod_razaorestricao",
    "cod_origemrestricao",
]
LATER = [
    [],
    ["dsc_restricao"],
    [
        "dsc_restricao",
        "id_pontoconexao",
        "nom_pontoconexao",
        "nom_agenteoperador",
        "val_geracaonaorealizadaapurada",
        "num_minutos_rel",
        "num_minutos_cnf",
        "num_minutos_ene",
        "num_minutos_restricao",
    ],
]


def constrained(later: Sequence[str]) -> str:
    more = ['linha 1\nlinha "2"; fim', "P", "p", "a", "1", "1", "2", "3", "4"][: len(later)]
    fixed = ["NE", "NORDESTE", "BA", "BAHIA", "X", "BAX", "EOL"]
    rows = [
        [
            *fixed,
            datetime(2024, 1, 1) + timedelta(minutes=30 * i),
            12.5,
            "",
            20,
            15.2,
            "",
            "REL",
            "LOC",
            *more,
        ]
        for i in range(48)
    ]
    return table([*CONSTRAINED, *later], rows)


@pytest.mark.parametrize("later", LATER, ids=["15", "16", "24"])
@pytest.mark.parametrize(("word", "source"), [("EOLICA", "wind"), ("FOTOVOLTAICA", "solar")])
def test_constrained_off_of_15_16_and_24_columns(
    word: str, source: str, later: list[str], tmp_path: Path
) -> None:
    result = ingest(constrained(later), tmp_path, f"RESTRICAO_COFF_{word}_2024_12.csv")
    assert result.report.dataset == f"ons_{source}_constrained_off"
    assert (result.report.rows_loaded, result.report.quarantine) == (48, {})


def test_wind_and_solar_without_their_name_are_not_guessed(tmp_path: Path) -> None:
    result = ingest(constrained([]), tmp_path, "dados.csv")
    assert result.report.kind == "uncatalogued"
    assert result.report.rows_loaded == 48
    assert "fit equally well" in result.match.reasons[0]


def test_details_of_constrained_off_are_another_dataset(tmp_path: Path) -> None:
    header = "id_subsistema id_estado nom_conjuntousina nom_usina id_ons ceg din_instante val_ventoverificado val_geracaoverificada"
    rows = [["NE", "BA", "C", "U", "BAX", "E", datetime(2024, 1, 1, i), 7.5, 2.5] for i in range(5)]
    result = ingest(table(header.split(), rows), tmp_path, "RESTRICAO_COFF_EOLICA_DETAIL_2024_01.csv")
    assert result.report.kind == "uncatalogued"


def test_plants_of_one_name_are_told_apart_by_their_identifier(tmp_path: Path) -> None:
    header = [
        "din_instante",
        "id_subsistema",
        "nom_subsistema",
        "id_estado",
        "nom_estado",
        "cod_modalidadeoperacao",
        "nom_tipousina",
        "nom_tipocombustivel",
        "nom_usina",
        "id_ons",
        "ceg",
        "val_geracao",
    ]
    rows = [
        [
            datetime(2022, 1, 1, hour),
            " SE ",
            "SUDESTE",
            "MG",
            "MINAS",
            "TIPO I",
            "HIDROELÉTRICA",
            "Hídrica",
            "PCH",
            unit,
            "-",
            hour,
        ]
        for hour in range(24)
        for unit in ("MGA", "MGB", "")
    ]
    result = ingest(table(header, rows), tmp_path, "GERACAO_USINA-2_2022_01.csv")
    assert (result.report.rows_loaded, result.report.series) == (72, 3)


@pytest.mark.parametrize("form", ["%d-%m-%y", "%Y-%m-%d", "%m/%Y", "%Y-%m", "%d/%m/%Y"])
def test_months_in_every_mark(form: str, tmp_path: Path) -> None:
    header = ["id_subsistema", "nom_subsistema", "din_instante", "val_cargaenergiamwmed"]
    rows = [["N", "Norte", date(2020, month, 1).strftime(form), "2.397,64"] for month in range(1, 13)]
    result = ingest(table(header, rows), tmp_path, "CARGA_MENSAL.csv")
    assert [t[:10] for (t,) in result.values("time")] == [f"2020-{month:02d}-01" for month in range(1, 13)]
    assert set(result.values("load_mw")) == {(2397.64,)}


def test_a_register_saved_in_a_brazilian_locale(tmp_path: Path) -> None:
    header = [
        "id_subsistema",
        "nom_subsistema",
        "id_estado",
        "nom_estado",
        "nom_modalidadeoperacao",
        "nom_agenteproprietario",
        "nom_agenteoperador",
        "nom_tipousina",
        "nom_usina",
        "ceg",
        "nom_unidadegeradora",
        "cod_equipamento",
        "num_unidadegeradora",
        "nom_combustivel",
        "dat_entradateste",
        "dat_entradaoperacao",
        "dat_desativacao",
        "val_potenciaefetiva",
    ]
    rows = [
        [
            "SE",
            "x",
            "MG",
            "x",
            "T",
            "a; b",
            "c",
            "HIDROELÉTRICA",
            "U",
            "-",
            "G",
            f"E{i}",
            i,
            "HÍDRICA",
            "01/02/1910",
            "1970-01-01",
            "",
            "1.012,5",
        ]
        for i in range(5)
    ]
    result = ingest(table(header, rows), tmp_path, "CAPACIDADE_GERACAO (2).csv")
    assert (
        result.values("test_start", "operation_start", "installed_capacity_mw")
        == [("1910-02-01", "1970-01-01", 1012.5)] * 5
    )
