"""Real files of grid operators give exactly the counts, sums and bounds that plain pandas finds in them.

The files are not part of the repository: `GRIDLAKE_REFERENCE_DATA` names their folder.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gridlake.contracts.model import Contract
from gridlake.contracts.registry import Registry
from gridlake.ingestion.binding import bind
from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.pipeline import process_file
from gridlake.ingestion.report import ProcessReport, SourceRef

ROOT = Path(__file__).resolve().parents[3]
DATA = Path(os.environ.get("GRIDLAKE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
EXPECTED: dict[str, Any] = (
    json.loads((DATA / "expected.json").read_text()) if (DATA / "expected.json").exists() else {}
)

pytestmark = pytest.mark.skipif(not EXPECTED, reason="the reference data is not on this machine")

DATASETS = {
    "CURVA_CARGA_2018.csv": "ons_load_hourly",
    "CURVA_CARGA_2023__partial_2023-09.csv": "ons_load_hourly",
    "CMO_SEMIHORARIO_2022.csv": "ons_cmo_half_hourly",
    "CARGA_ENERGIA_2000.csv": "ons_load_daily",
    "CARGA_ENERGIA_2013.csv": "ons_load_daily",
    "CARGA_ENERGIA_2020.csv": "ons_load_daily",
    "CARGA_MENSAL.csv": "ons_load_monthly",
    "DADOS_HIDROLOGICOS_RES.csv": "ons_reservoir_hydrology_daily",
    "DADOS_HIDROLOGICOS_RES.xlsx": "ons_reservoir_hydrology_daily",
    "DADOS_HIDROLOGICOS_HO_2026_09__fixture.csv": "ons_reservoir_hydrology_hourly",
    "CAPACIDADE_GERACAO.csv": "ons_installed_capacity",
    "CVU_USINA_TERMICA_2026__fixture.csv": "ons_thermal_cvu_weekly",
    "FATOR_CAPACIDADE-2_2026_09__fixture.csv": "ons_capacity_factor_hourly",
    "EAR_DIARIO_SUBSISTEMA_2023__first10days.csv": "ons_stored_energy_daily",
    "ENA_DIARIO_SUBSISTEMA_2026__trecho.csv": "ons_inflow_energy_daily",
    "INTERCAMBIO_NACIONAL_2025__amostra.csv": "ons_interchange_hourly",
    "INTERCAMBIO_NACIONAL_2026__amostra.csv": "ons_interchange_hourly",
    "INTERCAMBIO_INTERNACIONAL_2022__amostra.csv": "ons_international_interchange_hourly",
    "CCEE_pld_horario_20260926.csv": "ccee_pld_hourly",
    "INTERRUPCAO_CARGA__amostra.csv": "ons_load_interruptions",
    "RESTRICAO_COFF_EOLICA_2026_08__fixture.csv": "ons_wind_constrained_off",
    "GERACAO_USINA-2_2026_07__fixture.csv": "ons_generation_by_plant_hourly",
    "ANEEL_TarifaFornecimentoResidencial.csv": "aneel_residential_tariff",
    "NGESO_demanddata_2019.csv": "ngeso_historic_demand",
    "ENTSOE_Total_Load_FI_2021.csv": "entsoe_total_load",
}

QUARANTINED = {
    # 2018-11-04 00:00 does not exist in America/Sao_Paulo: three blanks and one `0E-8`.
    "CURVA_CARGA_2018.csv": {"nonexistent_local_time": 4},
    "CARGA_ENERGIA_2013.csv": {"missing_value": 5},
    "CVU_USINA_TERMICA_2026__fixture.csv": {"duplicate_identical": 1},
    "GERACAO_USINA-2_2026_07__fixture.csv": {"missing_value": 1},
    "ENTSOE_Total_Load_FI_2021.csv": {"nonexistent_local_time": 1},
}

ENTITY_TAGS = {
    "ons_generation_by_plant_hourly": ("plant",),
    "ons_capacity_factor_hourly": ("ons_id",),
    "ons_wind_constrained_off": ("ons_id",),
    "ons_thermal_cvu_weekly": ("plant_code",),
    "ons_load_interruptions": ("disturbance", "agent"),
    "ons_interchange_hourly": ("from_subsystem", "to_subsystem"),
    "ons_international_interchange_hourly": ("country",),
    "ons_reservoir_hydrology_hourly": ("reservoir_id",),
}
CODES = {
    "ARGENTINA": "AR",
    "PARAGUAI": "PY",
    "URUGUAI": "UY",
    "NORDESTE": "NE",
    "NORTE": "N",
    "SUDESTE": "SE",
    "SUL": "S",
}
DUPLICATE_VALUE = {"CVU_USINA_TERMICA_2026__fixture.csv": ("15", 453.09)}


class Loaded:
    """One reference file, processed."""

    def __init__(self, name: str, out: Path) -> None:
        path = DATA / name
        self.file = path.name
        self.expected: dict[str, Any] = EXPECTED[name]["expected"]
        facts = sniff(path, filename=path.name)
        contract = match(facts, Registry.builtin().all()).contract
        assert contract is not None
        self.contract: Contract = contract
        self.binding = bind(facts.header, contract)
        self.header = facts.header
        source = SourceRef(source_id="reference", uri=f"s3://raw/{name}", ingestion_id="ing-test", sequence=7)
        self.report: ProcessReport = process_file(
            path, facts=facts, contract=contract, source=source, out=out
        )
        parts = [pq.read_table(out / p["path"], partitioning=None) for p in self.report.partitions]
        self.table: pa.Table = pa.concat_tables(parts).unify_dictionaries()

    def field_of(self, published: str) -> str:
        """Silver name of a published column."""
        position = self.header.index(published)
        return next(name for name, at in self.binding.columns.items() if at == position)

    def total(self, published: str) -> float:
        """Sum of a published column."""
        return float(pc.sum(self.table[self.field_of(published)]).as_py() or 0.0)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Process each file once."""
    cache: dict[str, Loaded] = {}

    def get(name: str) -> Loaded:
        if name not in cache:
            cache[name] = Loaded(name, tmp_path_factory.mktemp("out"))
        return cache[name]

    return get


@pytest.mark.parametrize("name", EXPECTED)
def test_counts_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    report, expected = file.report, file.expected
    assert file.contract.dataset == DATASETS[file.file]
    assert report.rows_in == expected["rows_in"]
    assert report.rows_in == report.rows_loaded + report.rows_quarantined
    assert report.quarantine == QUARANTINED.get(file.file, {})
    assert file.table.num_rows == report.rows_loaded


@pytest.mark.parametrize("name", EXPECTED)
def test_sums_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    expected = file.expected
    less = DUPLICATE_VALUE.get(file.file, ("", 0.0))[1]
    if "value_column" in expected:
        assert file.total(expected["value_column"]) == pytest.approx(
            expected["sum_value"] - less, rel=1e-12, abs=1e-6
        )
    elif "sum_value" in expected:
        main = file.contract.fields[0].name
        assert pc.sum(file.table[main]).as_py() == pytest.approx(expected["sum_value"], rel=1e-12, abs=1e-6)
    for column, value in expected.get("sums", {}).items():
        assert file.total(column) == pytest.approx(value, rel=1e-12, abs=1e-5)
    if "sum_vlrTarifa" in expected:
        assert file.total("vlrTarifa") == pytest.approx(expected["sum_vlrTarifa"])
        assert file.total("vlrTarifaFinal") == pytest.approx(expected["sum_vlrTarifaFinal_after_merge"])
    if "sum_TSD" in expected:
        assert file.total("TSD") == expected["sum_TSD"]


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "sum_by_entity" in v["expected"]])
def test_sums_by_entity_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    tags = ENTITY_TAGS.get(file.contract.dataset, ("subsystem",))
    expected = file.expected
    published = expected.get("value_column")
    value = file.field_of(published) if published else file.contract.fields[0].name
    sums: dict[str, float] = {}
    columns = [file.table[t].to_pylist() for t in tags]
    for row in zip(*columns, file.table[value].to_pylist(), strict=True):
        entity = "|".join(row[:-1])
        sums[entity] = sums.get(entity, 0.0) + (row[-1] or 0.0)
    dropped, less = DUPLICATE_VALUE.get(file.file, ("", 0.0))
    wanted = {
        CODES.get(k, k): v - (less if k == dropped else 0.0) for k, v in expected["sum_by_entity"].items()
    }
    wanted = {k: v for k, v in wanted.items() if k in sums or v}
    assert {k: pytest.approx(v, rel=1e-9, abs=1e-6) for k, v in wanted.items()} == sums


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "min_ts_local" in v["expected"]])
def test_time_bounds_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    spec = file.contract.time
    for bound, actual in (("min_ts_local", file.report.min_time), ("max_ts_local", file.report.max_time)):
        printed = datetime.fromisoformat(file.expected[bound])
        if spec.stamp == "end":
            printed -= timedelta(hours=1)
        utc = printed.replace(tzinfo=ZoneInfo(spec.zone)).astimezone(ZoneInfo("UTC"))
        assert datetime.fromisoformat(actual) == utc


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "min_ts_utc" in v["expected"]])
def test_settlement_periods_cover_the_year_without_gap(name: str, loaded: Any) -> None:
    file = loaded(name)
    expected = file.expected
    assert datetime.fromisoformat(file.report.min_time) == datetime.fromisoformat(expected["min_ts_utc"])
    assert datetime.fromisoformat(file.report.max_time) == datetime.fromisoformat(expected["max_ts_utc"])
    assert not [w for w in file.report.warnings if w["rule"] == "complete"]


def test_silver_tells_where_it_comes_from(loaded: Any) -> None:
    file = loaded("ons/CURVA_CARGA_2018.csv")
    metadata = file.table.schema.metadata
    assert metadata[b"gridlake.dataset"] == b"ons_load_hourly"
    assert metadata[b"gridlake.sequence"] == b"7"
    assert metadata[b"gridlake.source_uri"] == b"s3://raw/ons/CURVA_CARGA_2018.csv"


def _values(file: Any) -> list[float]:
    published = file.expected.get("value_column")
    name = file.field_of(published) if published else file.contract.fields[0].name
    return [v for v in file.table[name].to_pylist() if v is not None]


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "min_value" in v["expected"]])
def test_extremes_zeros_and_negatives_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    expected, values = file.expected, _values(loaded(name))
    # The one zero of 2018 is printed in the hour that does not exist: it is missing, not 0 MW.
    nonexistent_zero = file.file == "CURVA_CARGA_2018.csv"
    if not nonexistent_zero:
        assert min(values) == pytest.approx(expected["min_value"], rel=1e-12)
    assert max(values) == pytest.approx(expected["max_value"], rel=1e-12)
    if "zeros" in expected:
        assert sum(v == 0 for v in values) == expected["zeros"] - nonexistent_zero
    if "negatives" in expected:
        assert sum(v < 0 for v in values) == expected["negatives"]


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "rows_by_entity" in v["expected"]])
def test_rows_by_entity_are_those_of_the_file(name: str, loaded: Any) -> None:
    """Rows loaded and rows quarantined make the rows that the file has, entity by entity."""
    file = loaded(name)
    tags = ENTITY_TAGS.get(file.contract.dataset, ("subsystem",))
    counted: dict[str, int] = {}
    for row in zip(*(file.table[t].to_pylist() for t in tags), strict=True):
        counted["|".join(row)] = counted.get("|".join(row), 0) + 1
    wanted = {CODES.get(k, k): v for k, v in file.expected["rows_by_entity"].items()}
    assert all(counted.get(k, 0) <= v for k, v in wanted.items())
    assert set(counted) <= set(wanted)
    assert sum(wanted.values()) - sum(counted.values()) == file.report.rows_quarantined


@pytest.mark.parametrize("name", EXPECTED)
def test_valid_rows_are_loaded(name: str, loaded: Any) -> None:
    file = loaded(name)
    expected = file.expected
    wanted = expected.get("rows_valid_if_nonexistent_hour_quarantined", expected.get("rows_valid"))
    if wanted is None:
        wanted = expected["rows_in"]
    # An exact duplicate is a valid row of the file, and quarantined. A row of ten without inflow has other values.
    wanted -= file.report.quarantine.get("duplicate_identical", 0)
    if file.file == "DADOS_HIDROLOGICOS_HO_2026_09__fixture.csv":
        wanted += expected["rows_blank_value"]
    assert file.report.rows_loaded == wanted


def test_installed_capacity_is_that_of_the_register(loaded: Any) -> None:
    file = loaded("ons/CAPACIDADE_GERACAO.csv")
    expected, rows = file.expected, file.table.to_pylist()
    active = [r["installed_capacity_mw"] for r in rows if r["retirement"] is None]
    assert (len(active), sum(active)) == (
        expected["rows_active"],
        pytest.approx(expected["sum_active_only"], abs=1e-6),
    )
    types: dict[str, list[float]] = {}
    for row in rows:
        types.setdefault(row["plant_type"], []).append(row["installed_capacity_mw"])
    found = sorted((len(v), round(sum(v), 6)) for v in types.values())
    assert found == sorted((n, pytest.approx(v, abs=1e-6)) for n, v in expected["by_type"].values())
    subsystems = [r["subsystem"] for r in rows]
    assert {s: subsystems.count(s) for s in set(subsystems)} == expected["id_subsistema"]
    assert sum(r["test_start"] is None for r in rows) == expected["blank_dat_entradateste"]
    starts = [r["operation_start"] for r in rows]
    assert starts.count(None) == expected["blank_dat_entradaoperacao"]
    assert (str(min(starts)), str(max(starts))) == (expected["min_entrada"], expected["max_entrada"])


@pytest.mark.parametrize("name", [n for n, v in EXPECTED.items() if "missing_days" in v["expected"]])
def test_missing_days_are_those_of_the_file(name: str, loaded: Any) -> None:
    file = loaded(name)
    zone = ZoneInfo(file.contract.time.zone)
    days = {t.astimezone(zone).date() for t in file.table["time"].to_pylist()}
    absent = [min(days) + timedelta(days=i) for i in range((max(days) - min(days)).days + 1)]
    absent = [str(d) for d in absent if d not in days]
    wanted = file.expected["missing_days"]
    assert (absent if isinstance(wanted, list) else len(absent)) == wanted


def test_two_orders_of_day_and_month_are_told_apart(loaded: Any) -> None:
    """The CSV of the reservoir prints dd/mm/yyyy for three years and ISO for one; its twin has true dates."""
    text, cells = loaded("ons/DADOS_HIDROLOGICOS_RES.csv"), loaded("ons/DADOS_HIDROLOGICOS_RES.xlsx")
    assert sorted(text.table["time"].to_pylist()) == sorted(cells.table["time"].to_pylist())
    for column, count in text.expected["blanks"].items():
        assert text.table[text.field_of(column)].null_count == count


def test_settlement_days_of_46_and_50_periods(loaded: Any) -> None:
    file = loaded("other/NGESO_demanddata_2019.csv")
    london = [t.astimezone(ZoneInfo("Europe/London")).date() for t in file.table["time"].to_pylist()]
    counts = {d: london.count(d) for d in set(london)}
    odd = {d.strftime("%d-%b-%Y").upper(): n for d, n in counts.items() if n != 48}
    assert odd == file.expected["days_not_48"]
    assert len(set(file.table["time"].to_pylist())) == file.expected["rows_valid"]


def test_every_number_expected_is_looked_at() -> None:
    """A key that appears in expected.json later has to be given a test here."""
    known = {
        "rows_in columns value_column min_ts_local max_ts_local min_ts_utc max_ts_utc sum_value sum_by_entity",
        "rows_by_entity min_value max_value zeros negatives rows_valid rows_valid_if_nonexistent_hour_quarantined",
        "sums sum_TSD sum_vlrTarifa sum_vlrTarifaFinal_after_merge sum_active_only rows_active by_type id_subsistema",
        "blank_dat_entradateste blank_dat_entradaoperacao min_entrada max_entrada",
        "rows_blank_value rows_blank rows_unparsable_value duplicate_keys",
        "duplicate_utc utc_gaps days_not_48 duplicate_local_stamps tz rows_dash dup_cod_equipamento",
        "header_fields field_counts note sheet din_instante_types value_text_cells missing_days",
        "rows_dmy rows_iso duplicate_days blanks",
    }
    words = {word for line in known for word in line.split()}
    assert {k for v in EXPECTED.values() for k in v["expected"]} - words == set()
