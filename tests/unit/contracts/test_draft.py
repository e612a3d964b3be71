"""A contract proposed for a file nobody knows."""

from __future__ import annotations

import pytest
import yaml

from gridlake.contracts.draft import dataset_name, draft, to_yaml
from gridlake.contracts.model import Contract, Kind
from gridlake.contracts.odcs import parse
from gridlake.contracts.profile import ColumnProfile, TableProfile
from gridlake.contracts.validation import validate

METERS = TableProfile(
    columns=(
        ColumnProfile(name="Data", type="time", distinct=48, time_format="%d/%m/%Y %H:%M", step_seconds=1800),
        ColumnProfile(name="Estação", type="text", distinct=3, examples=("A", "B")),
        ColumnProfile(name="Observação", type="text", distinct=900, nulls=3),
        ColumnProfile(name="Geração (MW)", type="number"),
        ColumnProfile(name="Preço [R$/MWh]", type="number"),
        ColumnProfile(name="2nd value", type="number"),
        ColumnProfile(name="Lida em", type="time", time_format="%Y-%m-%d"),
    ),
    rows=1000,
    decimal=",",
)


def drafted(profile: TableProfile, filename: str) -> Contract:
    text = to_yaml(draft(profile, filename=filename))
    contract, problems = validate(text, filename="draft.yaml")
    assert problems == []
    assert contract is not None
    assert contract.status == "draft"
    return contract


def test_a_table_with_a_time_becomes_a_series() -> None:
    contract = drafted(METERS, "Estações 2024-01.csv.gz")
    assert contract.dataset == "estacoes"
    assert contract.kind is Kind.SERIES
    assert contract.time
    assert (contract.time.columns, contract.time.formats) == (("Data",), ("%d/%m/%Y %H:%M",))
    assert (contract.time.zone, contract.time.interval, contract.time.stamp) == ("UTC", "PT30M", "start")
    assert [(c.name, c.unit) for c in contract.fields] == [
        ("geracao_mw", "MW"),
        ("preco_brl_mwh", "BRL/MWh"),
        ("column_2nd_value", "1"),
    ]
    assert [(c.name, c.key) for c in contract.tags] == [("estacao", True)]
    assert [c.name for c in contract.attributes] == ["observacao", "lida_em"]
    assert contract.file_patterns == ("Estações *",)
    assert contract.decimal == ","
    assert "UTC" in contract.limitations


def test_a_table_without_time_becomes_a_reference() -> None:
    columns = (ColumnProfile(name="Code", type="text", distinct=9), ColumnProfile(name="MW", type="number"))
    contract = drafted(TableProfile(columns=columns, rows=9), "plants.xlsx")
    assert contract.kind is Kind.REFERENCE
    assert [c.name for c in contract.keys] == ["code"]
    assert [c.name for c in contract.fields] == ["mw"]


def test_many_valued_texts_become_keys_where_rows_need_them() -> None:
    columns = (
        ColumnProfile(name="t", type="time", distinct=24, step_seconds=3600),
        ColumnProfile(name="plant", type="text", distinct=3000),
        ColumnProfile(name="v", type="number"),
    )
    contract = drafted(TableProfile(columns=columns, rows=72_000), "plants.csv")
    assert [c.name for c in contract.keys] == ["plant"]


def test_odd_tables_are_drafted_too() -> None:
    only_numbers = TableProfile(columns=(ColumnProfile(name="x", type="number"),), rows=1)
    assert drafted(only_numbers, "x.csv").kind is Kind.REFERENCE
    repeated = TableProfile(
        columns=(
            ColumnProfile(name="time", type="time"),
            ColumnProfile(name="Value", type="number"),
            ColumnProfile(name="value ", type="number"),
            ColumnProfile(name="Válue", type="number"),
            ColumnProfile(name="year", type="number"),
            ColumnProfile(name="", type="empty"),
            ColumnProfile(name="%", type="number"),
        ),
        rows=5,
    )
    contract = drafted(repeated, "2024.csv")
    assert contract.dataset == "dataset_2024"
    assert [c.name for c in contract.fields] == ["value", "year_2", "pct"]


@pytest.mark.parametrize(
    ("filename", "dataset"),
    [
        ("raw/uploads/Load 2024.csv", "load"),
        ("report_2024_01.xlsx", "report"),
        ("C:\\data\\My File.CSV.GZ", "my_file"),
        ("ação.csv", "acao"),
        ("123.csv", "dataset_123"),
        ("数据.csv", "dataset"),
        ("x" * 200 + ".csv", "x" * 60),
        ("", "dataset"),
    ],
)
def test_a_file_name_becomes_a_dataset(filename: str, dataset: str) -> None:
    assert dataset_name(filename) == dataset


def test_yaml_says_what_the_document_says() -> None:
    document = draft(METERS, filename="m.csv")
    assert yaml.safe_load(to_yaml(document)) == document
    assert "Estação" in to_yaml(document)
    assert parse(document).dataset == "m"


def test_a_profile_survives_json() -> None:
    assert TableProfile.from_dict(METERS.as_dict()) == METERS
