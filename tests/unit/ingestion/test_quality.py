"""Every kind of rule: which rows it sets aside, what it says, and when it fails the file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gridlake.contracts.model import Column, ColumnType, Contract, Role, Rule, Severity
from gridlake.ingestion.report import FileRejectedError
from tests.unit.ingestion_engine import Result, ingest, load_contract

HEADER = "id_subsistema;din_instante;val_carga;val_hidro;val_termica;nom_fonte;num_unidades\n"


def balance(*rules: Rule, **changes: Any) -> Contract:
    """Load, its two sources, the name of one and a count of units."""
    contract = load_contract()
    more = (
        Column(name="hydro_mw", role=Role.FIELD, type=ColumnType.NUMBER, source="val_hidro", unit="MW"),
        Column(name="thermal_mw", role=Role.FIELD, type=ColumnType.NUMBER, source="val_termica", unit="MW"),
        Column(name="source_name", role=Role.ATTRIBUTE, source="nom_fonte"),
        Column(name="units", role=Role.ATTRIBUTE, type=ColumnType.NUMBER, source="num_unidades"),
    )
    columns = tuple(replace(c, required=False) if c.name == "load_mw" else c for c in contract.columns)
    return replace(contract, columns=columns + more, rules=rules, **changes)


def run(folder: Path, rule: Rule, *rows: str, **changes: Any) -> Result:
    """Ingest rows ``load;hydro;thermal;name;units``, one an hour."""
    lines = (f"N;2020-01-01 {hour:02}:00:00;{row}\n" for hour, row in enumerate(rows))
    return ingest(HEADER + "".join(lines), folder, contract=balance(rule, **changes))


IDENTITY = Rule(
    id="balance",
    kind="identity",
    params={"terms": {"load_mw": 1, "hydro_mw": -1, "thermal_mw": -2}, "tolerance": 0.5},
)

CASES = {
    "a field that is null": (
        Rule(id="r", kind="not_null", columns=("load_mw", "hydro_mw")),
        ["1;;3;a;1", ";2;3;a;1"],
        "1;2;3;a;1",
        "missing_value",
        "hydro_mw has no value",
    ),
    "an attribute that is null": (
        Rule(id="r", kind="not_null", columns=("source_name",)),
        ["1;2;3;;1"],
        "1;2;3;a;1",
        "missing_value",
        "source_name has no value",
    ),
    "a field out of range": (
        Rule(id="r", kind="range", columns=("load_mw", "hydro_mw"), params={"min": 0, "max": 10}),
        ["1;10.5;3;a;1", "-0.1;2;3;a;1"],
        "0;10;99;a;1",
        "out_of_range",
        "hydro_mw is 10.5, outside from 0 to 10",
    ),
    "a field below its only bound": (
        Rule(id="r", kind="range", columns=("load_mw",), params={"min": 0}),
        ["-1;2;3;a;1"],
        "1e12;2;3;a;1",
        "out_of_range",
        "load_mw is -1, outside from 0 to ∞",
    ),
    "an attribute out of range": (
        Rule(id="r", kind="range", columns=("units",), params={"max": 5}),
        ["1;2;3;a;6"],
        "1;2;3;a;",
        "out_of_range",
        "units is 6, outside from -∞ to 5",
    ),
    "an attribute not accepted": (
        Rule(id="r", kind="accepted", columns=("source_name",), params={"values": ["água", "sol"]}),
        ["1;2;3;vento;1"],
        "1;2;3;água;1",
        "unknown_code",
        "source_name has a value not accepted",
    ),
    "a number not accepted": (
        Rule(id="r", kind="accepted", columns=("units", "load_mw"), params={"values": [1, 2.5]}),
        ["1;2;3;a;3", "3;2;3;a;1"],
        "2.5;2;3;a;2.5",
        "unknown_code",
        "units has a value not accepted",
    ),
    "a sum that does not close": (
        IDENTITY,
        ["9;2;3;a;1"],
        "8.5;2;3;a;1",
        "identity_violated",
        "load_mw - hydro_mw - 2 thermal_mw is 1, not 0 within 0.5",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_row_that_breaks_a_rule_is_set_aside(case: str, tmp_path: Path) -> None:
    rule, bad, good, reason, message = CASES[case]
    result = run(tmp_path, rule, *bad, good)
    assert result.reasons == [(line, reason) for line in range(2, 2 + len(bad))]
    assert (result.quarantine[0]["message"], result.quarantine[0]["rule"]) == (message, rule.id)
    assert result.report.rows_loaded == 1


@pytest.mark.parametrize("case", CASES)
def test_a_warning_loads_the_rows_and_counts_them(case: str, tmp_path: Path) -> None:
    rule, bad, good, _, _ = CASES[case]
    result = run(tmp_path, replace(rule, severity=Severity.WARNING), *bad, good)
    assert result.report.quarantine == {}
    [warning] = result.report.warnings
    assert (warning["rule"], warning["count"]) == (rule.id, len(bad))
    assert rule.kind in warning["message"]


def test_a_tag_not_accepted_is_set_aside(tmp_path: Path) -> None:
    rule = Rule(id="only_n", kind="accepted", columns=("subsystem",), params={"values": ["N"]})
    rows = "N;2020-01-01 00:00:00;1;;;;\nSE;2020-01-01 00:00:00;1;;;;\n"
    result = ingest(HEADER + rows, tmp_path, contract=balance(rule))
    assert result.reasons == [(3, "unknown_code")]


@pytest.mark.parametrize("row", [";2;3;a;1", "9;;3;a;1", "9;2;;a;1"])
def test_a_sum_with_a_null_term_is_not_judged(row: str, tmp_path: Path) -> None:
    assert run(tmp_path, IDENTITY, row).report.quarantine == {}


def test_a_null_is_in_every_range_and_accepted(tmp_path: Path) -> None:
    for n, rule in enumerate(
        (
            Rule(id="r", kind="range", columns=("hydro_mw", "units"), params={"min": 0, "max": 1}),
            Rule(
                id="a",
                kind="accepted",
                columns=("hydro_mw", "source_name", "units"),
                params={"values": ["1"]},
            ),
        )
    ):
        (tmp_path / str(n)).mkdir()
        assert run(tmp_path / str(n), rule, "1;;;;").report.quarantine == {}


def test_the_first_rule_broken_names_the_row(tmp_path: Path) -> None:
    rules = (
        Rule(id="low", kind="range", columns=("load_mw",), params={"min": 0}),
        Rule(id="known", kind="accepted", columns=("load_mw",), params={"values": [1]}),
    )
    content = HEADER + "N;2020-01-01 00:00:00;-1;;;;\nN;2020-01-01 01:00:00;1;;;;\n"
    result = ingest(content, tmp_path, contract=balance(*rules))
    assert [(q["rule"], q["reason"]) for q in result.quarantine] == [("low", "out_of_range")]


def rejected(folder: Path, rule: Rule, *rows: str, **changes: Any) -> str | None:
    """Code with which the file fails as a whole, None when it loads."""
    import tests.unit.ingestion_engine as engine

    caught: list[str] = []
    process = engine.process_file

    def watched(*args: Any, **options: Any) -> Any:
        try:
            return process(*args, **options)
        except FileRejectedError as problem:
            caught.append(problem.error_code)
            raise

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "process_file", watched)
        result = run(folder, rule, *rows, **changes)
    assert bool(caught) == (result.report.rows_loaded == 0 or not list(folder.rglob("silver/**/*.parquet")))
    return caught[0] if caught else None


GOOD, BAD = "1;2;3;a;1", "-1;2;3;a;1"


@pytest.mark.parametrize(("bad", "code"), [(1, None), (2, "quality_threshold_exceeded")])
def test_a_rule_may_fail_the_file_above_a_share(bad: int, code: str | None, tmp_path: Path) -> None:
    rule = Rule(id="r", kind="range", columns=("load_mw",), params={"min": 0}, fail_file_above=0.25)
    assert rejected(tmp_path, rule, *[BAD] * bad, *[GOOD] * (4 - bad)) == code


def test_a_warning_may_fail_the_file_too(tmp_path: Path) -> None:
    rule = Rule(
        id="r",
        kind="range",
        columns=("load_mw",),
        params={"min": 0},
        severity=Severity.WARNING,
        fail_file_above=0.25,
    )
    assert rejected(tmp_path, rule, BAD, BAD, GOOD, GOOD) == "quality_threshold_exceeded"


@pytest.mark.parametrize(("share", "code"), [(0.5, None), (0.49, "quality_threshold_exceeded")])
def test_a_contract_may_fail_the_file_above_a_share(share: float, code: str | None, tmp_path: Path) -> None:
    rule = Rule(id="r", kind="range", columns=("load_mw",), params={"min": 0})
    assert rejected(tmp_path, rule, BAD, GOOD, fail_file_above=share) == code


@pytest.mark.parametrize(
    ("params", "code"), [({"min": 2}, None), ({"min": 3}, "row_count"), ({"min": 1, "max": 1}, "row_count")]
)
def test_the_number_of_rows_is_bounded(params: dict[str, int], code: str | None, tmp_path: Path) -> None:
    assert rejected(tmp_path, Rule(id="rows", kind="row_count", params=params), GOOD, GOOD) == code


def test_a_number_of_rows_that_only_surprises_is_said(tmp_path: Path) -> None:
    rule = Rule(id="rows", kind="row_count", params={"min": 5, "max": 9}, severity=Severity.WARNING)
    result = run(tmp_path, rule, GOOD, GOOD)
    assert result.report.rows_loaded == 2
    assert result.report.warnings == [
        {
            "rule": "rows",
            "count": 2,
            "message": "CARGA_2020.csv has 2 rows; at least 5 and at most 9 are expected",
        }
    ]
