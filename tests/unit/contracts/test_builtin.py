"""The contracts of this release: sound, complete, and true to the files operators publish."""

from __future__ import annotations

import csv
import fnmatch
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gridlake.contracts import units
from gridlake.contracts.compile import compile_contracts, main
from gridlake.contracts.model import Contract, Kind
from gridlake.contracts.pages import main as pages_main
from gridlake.contracts.registry import Registry, read_folder
from gridlake.contracts.text import header_key
from gridlake.contracts.validation import validate
from tests.unit.contracts.conftest import CONTRACTS, ROOT

FILES = sorted(CONTRACTS.rglob("*.yaml"))
REGISTRY = Registry(read_folder(CONTRACTS))
DATASETS = [
    "ons_load_daily",
    "ons_load_monthly",
    "ons_load_hourly",
    "ons_energy_balance_hourly",
    "ons_cmo_half_hourly",
    "ons_cmo_weekly",
    "ons_stored_energy_daily",
    "ons_inflow_energy_daily",
    "ons_interchange_hourly",
    "ons_international_interchange_hourly",
    "ons_generation_by_plant_hourly",
    "ons_capacity_factor_hourly",
    "ons_reservoir_hydrology_daily",
    "ons_reservoir_hydrology_hourly",
    "ons_wind_constrained_off",
    "ons_solar_constrained_off",
    "ons_installed_capacity",
    "ons_thermal_cvu_weekly",
    "ons_load_interruptions",
    "ccee_pld_hourly",
    "entsoe_total_load",
    "ngeso_historic_demand",
    "eia930_balance",
    "aneel_residential_tariff",
]

OWNERS = {
    "ons/CURVA_CARGA_2018.csv": "ons_load_hourly",
    "ons/CURVA_CARGA_2023__partial_2023-09.csv": "ons_load_hourly",
    "ons/CMO_SEMIHORARIO_2022.csv": "ons_cmo_half_hourly",
    "ons/DADOS_HIDROLOGICOS_RES.csv": "ons_reservoir_hydrology_daily",
    "ons/CARGA_ENERGIA_2000.csv": "ons_load_daily",
    "ons/CARGA_ENERGIA_2013.csv": "ons_load_daily",
    "ons/CARGA_ENERGIA_2020.csv": "ons_load_daily",
    "ons/CAPACIDADE_GERACAO.csv": "ons_installed_capacity",
    "ons/excerpts/CVU_USINA_TERMICA_2026__fixture.csv": "ons_thermal_cvu_weekly",
    "ons/excerpts/FATOR_CAPACIDADE-2_2026_09__fixture.csv": "ons_capacity_factor_hourly",
    "ons/excerpts/EAR_DIARIO_SUBSISTEMA_2023__first10days.csv": "ons_stored_energy_daily",
    "ons/excerpts/ENA_DIARIO_SUBSISTEMA_2026__trecho.csv": "ons_inflow_energy_daily",
    "ons/excerpts/INTERCAMBIO_NACIONAL_2025__amostra.csv": "ons_interchange_hourly",
    "ons/excerpts/INTERCAMBIO_NACIONAL_2026__amostra.csv": "ons_interchange_hourly",
    "ons/excerpts/INTERCAMBIO_INTERNACIONAL_2022__amostra.csv": "ons_international_interchange_hourly",
    "ons/excerpts/INTERRUPCAO_CARGA__amostra.csv": "ons_load_interruptions",
    "ons/excerpts/RESTRICAO_COFF_EOLICA_2026_08__fixture.csv": "ons_wind_constrained_off",
    "ons/excerpts/GERACAO_USINA-2_2026_07__fixture.csv": "ons_generation_by_plant_hourly",
    "ons/excerpts/DADOS_HIDROLOGICOS_HO_2026_09__fixture.csv": "ons_reservoir_hydrology_hourly",
    "ons/excerpts/CCEE_pld_horario_20260926.csv": "ccee_pld_hourly",
    "other/ANEEL_TarifaFornecimentoResidencial.csv": "aneel_residential_tariff",
    "other/NGESO_demanddata_2019.csv": "ngeso_historic_demand",
    "other/ENTSOE_Total_Load_FI_2021.csv": "entsoe_total_load",
    "other/CARGA_MENSAL.csv": "ons_load_monthly",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_contract_has_no_problem(path: Path) -> None:
    contract, problems = validate(path.read_text("utf-8"), filename=path.name, others=REGISTRY.all())
    assert problems == []
    assert contract is not None
    assert contract.dataset == path.stem
    assert contract.publisher == path.parent.name


def test_every_promised_dataset_has_a_contract() -> None:
    assert set(DATASETS) == set(REGISTRY.names())


@pytest.mark.parametrize("contract", REGISTRY.all(), ids=lambda contract: contract.dataset)
def test_contract_can_be_asked_for_in_both_languages(contract: Contract) -> None:
    assert {"en", "pt"} <= set(contract.title)
    assert {"en", "pt"} <= set(contract.synonyms)
    assert contract.description
    assert contract.limitations
    assert contract.licence
    assert contract.source_url.startswith("https://")
    for column in (*contract.fields, *(tag for tag in contract.tags if tag.key)):
        assert {"en", "pt"} <= set(column.label), column.name
    assert (
        any(rule.kind == "unique" for rule in contract.rules) or contract.dataset == "ons_load_interruptions"
    )


@pytest.mark.parametrize("contract", REGISTRY.all(), ids=lambda contract: contract.dataset)
def test_a_measure_says_its_unit_in_its_name(contract: Contract) -> None:
    for column in contract.fields:
        unit = units.UNITS[column.unit or ""]
        assert column.combine in ("sum", "mean"), column.name
        suffix = {"%": "pct", "1": "ratio"}.get(column.unit or "", (column.unit or "").lower())
        assert column.name.endswith(("_" + re.sub(r"\W", "_", suffix), "_m3s", "_minutes")), (
            column.name,
            unit,
        )


def test_subsystems_mean_the_same_in_every_contract() -> None:
    meanings: dict[str, object] = {}
    for contract in REGISTRY.all():
        for column in contract.columns:
            if column.name in ("subsystem", "from_subsystem", "to_subsystem"):
                for member in column.members:
                    if member.code != "SIN":
                        assert meanings.setdefault(member.code, member) == member, contract.dataset
    assert set(meanings) == {"N", "NE", "S", "SE", "PY"}


def test_the_whole_system_is_the_total_of_its_subsystems() -> None:
    balance = REGISTRY.get("ons_energy_balance_hourly").column("subsystem").members[-1]
    assert (balance.code, balance.aggregates, balance.published) == ("SIN", ("N", "NE", "S", "SE"), True)
    load = REGISTRY.get("ons_load_hourly").column("subsystem").members[-1]
    assert (load.code, load.published) == ("SIN", False)


def test_dates_survive_summer_time_that_begins_at_midnight() -> None:
    for contract in REGISTRY.all():
        if contract.time and contract.time.interval in ("P1D", "P1W", "P1M"):
            assert contract.time.nonexistent == "shift", contract.dataset
        elif contract.time:
            assert contract.time.nonexistent == "quarantine", contract.dataset


@pytest.mark.parametrize(("file", "dataset"), OWNERS.items())
def test_header_of_a_real_file_is_known(reference_data: Path, file: str, dataset: str) -> None:
    with (reference_data / file).open(encoding="latin-1", newline="") as stream:
        sample = stream.readline().removeprefix("ï»¿").strip()
    header = next(csv.reader([sample], delimiter=";" if ";" in sample else ","))
    contract = REGISTRY.get(dataset)
    known, demanded = _names(contract)
    keys = {header_key(name) for name in header}
    patterns = [column.pattern for column in contract.columns if column.pattern]
    unknown = {key for key in keys - known if not any(re.search(p, key, re.IGNORECASE) for p in patterns)}
    assert not unknown
    assert all(keys & names for names in demanded)
    name = Path(file).name.casefold()
    assert any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in contract.file_patterns)


def test_entsoe_header_gives_the_zone() -> None:
    column = REGISTRY.get("entsoe_total_load").column("load_mw")
    assert column.pattern
    found = re.search(column.pattern, "Actual Total Load [MW] - BZN|FI")
    assert found
    member = next(m for m in REGISTRY.get("entsoe_total_load").column("area").members if m.code == "FI")
    assert found["area"] in member.spellings
    assert re.search(column.pattern, "Actual Total Load (MW)")


def test_compiled_contracts_are_the_same_and_reproducible(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    assert compile_contracts(CONTRACTS, one) == compile_contracts(CONTRACTS, two) == len(FILES)
    assert one.read_bytes() == two.read_bytes()
    compiled = Registry(json.loads(one.read_text("utf-8"))["contracts"])
    assert compiled.all() == REGISTRY.all()


def test_compiling_a_broken_folder_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.yaml").write_text("id: x\n")
    assert main([str(tmp_path), str(tmp_path / "out.json")]) == 1
    assert main([]) == 2
    assert "x" in capsys.readouterr().err


def test_two_files_of_one_dataset_do_not_compile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = FILES[0].read_text("utf-8")
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text)
    assert main([str(tmp_path), str(tmp_path / "out.json")]) == 1
    assert FILES[0].stem in capsys.readouterr().err


def test_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    status = pages_main([str(CONTRACTS), str(ROOT / "docs" / "datasets"), "--check"])
    assert status == 0, capsys.readouterr().out


def test_pages_are_written_and_stale_ones_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gone.md").write_text("old")
    assert pages_main([str(CONTRACTS), str(tmp_path), "--check"]) == 1
    assert pages_main([str(CONTRACTS), str(tmp_path)]) == 0
    assert pages_main([str(CONTRACTS), str(tmp_path), "--check"]) == 0
    assert not (tmp_path / "gone.md").exists()
    assert len(list(tmp_path.glob("*.md"))) == len(FILES) + 1
    assert pages_main([]) == 2
    capsys.readouterr()


def test_reading_all_contracts_is_fast_and_light(tmp_path: Path) -> None:
    compiled = tmp_path / "contracts.json"
    compile_contracts(CONTRACTS, compiled)
    program = (
        "import sys, time\n"
        "from gridlake.contracts import registry\n"
        "times = []\n"
        "for _ in range(5):\n"
        "    registry._builtin.cache_clear()\n"
        "    start = time.perf_counter()\n"
        "    count = len(registry.Registry.builtin().all())\n"
        "    times.append(time.perf_counter() - start)\n"
        "heavy = {'yaml', 'jsonschema', 'boto3', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "print(count, min(times), heavy or '')"
    )
    environment = {"PYTHONPATH": str(ROOT / "layers" / "shared"), "GRIDLAKE_CONTRACTS": str(compiled)}
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    count, seconds, *heavy = ran.stdout.split()
    assert int(count) == len(FILES)
    assert heavy == []
    assert float(seconds) < 0.1, "measured 0.01 s on an idle machine"


def test_reference_tables_have_no_time() -> None:
    kinds = {contract.dataset for contract in REGISTRY.all() if contract.kind is Kind.REFERENCE}
    assert kinds == {"ons_installed_capacity", "aneel_residential_tariff"}


def _names(contract: Contract) -> tuple[set[str], list[set[str]]]:
    """Header keys a contract knows, and those of which a file must have one each."""
    known: set[str] = set()
    demanded = []
    if contract.time:
        for column in contract.time.columns:
            names = {header_key(name) for name in (column, *contract.time.aliases.get(column, ()))}
            known |= names
            demanded.append(names)
        if contract.time.period_column:
            known.add(header_key(contract.time.period_column))
    for column in contract.columns:
        names = {header_key(name) for name in (column.source, *column.aliases) if name}
        known |= names
        if names and not column.optional:
            demanded.append(names)
    return known, demanded
