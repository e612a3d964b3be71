"""Rows that can't be loaded: each goes to quarantine with its reason and its physical line, the rest loads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlake.contracts.model import Rule, Severity
from tests.unit.ingestion_engine import HEADER, ingest, load_contract

A = "N;Norte;2020-01-01 00:00:00;1.5\n"
B = "SE;Sudeste;2020-01-01 00:00:00;2.5\n"

ROWS = {
    "too many columns": ("N;Norte;2020-01-02 00:00:00;1;9;9\n", "too_many_columns"),
    "too few columns": ("N;Norte\n", "too_few_columns"),
    "repeated header": (HEADER, "repeated_header"),
    "NUL byte": ("N;Nor\0te;2020-01-02 00:00:00;1\n", "nul_byte"),
    "unparsable number": ("N;Norte;2020-01-02 00:00:00;abc\n", "unparsable_number"),
    "infinite number": ("N;Norte;2020-01-02 00:00:00;inf\n", "unparsable_number"),
    "infinite value with sign": ("N;Norte;2020-01-02 00:00:00;-inf\n", "unparsable_number"),
    "NaN": ("N;Norte;2020-01-02 00:00:00;nan\n", "missing_value"),
    "spreadsheet error": ("N;Norte;2020-01-02 00:00:00;#N/A\n", "missing_value"),
    "unparsable time": ("N;Norte;2020-02-30 00:00:00;1\n", "unparsable_time"),
    "missing time": ("N;Norte; ;1\n", "missing_time"),
    "missing value": ("N;Norte;2020-01-02 00:00:00;\n", "missing_value"),
    "word for missing": ("N;Norte;2020-01-02 00:00:00;n/e\n", "missing_value"),
    "unknown code": ("XX;Norte;2020-01-02 00:00:00;1\n", "unknown_code"),
    "missing key": (" ;Norte;2020-01-02 00:00:00;1\n", "missing_key"),
    "out of range": ("N;Norte;2020-01-02 00:00:00;100001\n", "out_of_range"),
    "nonexistent hour": ("N;Norte;2018-11-04 00:00:00;0E-8\n", "nonexistent_local_time"),
    "identical duplicate": (A, "duplicate_identical"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_bad_row_is_set_aside_with_its_line(case: str, tmp_path: Path) -> None:
    row, reason = ROWS[case]
    result = ingest(HEADER + A + B + row, tmp_path)
    assert result.reasons == [(4, reason)]
    assert result.report.quarantine == {reason: 1}
    assert [r[1:] for r in result.rows] == [("N", 1.5), ("SE", 2.5)]
    assert result.quarantine[0]["message"]
    if not reason.startswith("duplicate"):
        assert result.quarantine[0]["raw"].replace("\\x00", "\0") == row.rstrip("\n")


def test_a_line_of_another_encoding_is_set_aside(tmp_path: Path) -> None:
    good = "SE;São Paulo;2020-01-01 01:00:00;3\n".encode()
    result = ingest(
        HEADER.encode()
        + A.encode()
        + good * 1
        + B.encode()
        + "N;Pará;2020-01-03 00:00:00;1\n".encode("latin-1"),
        tmp_path,
    )
    assert result.reasons == [(5, "undecodable_text")]
    assert result.report.rows_loaded == 3


def test_of_conflicting_rows_the_last_stays(tmp_path: Path) -> None:
    result = ingest(HEADER + A + B + A.replace("1.5", "9") + A, tmp_path)
    # Lines 2 and 5 are equal and 5 stays; 4 differs.
    assert result.reasons == [(2, "duplicate_identical"), (4, "duplicate_conflicting")]
    assert [r[1:] for r in result.rows] == [("N", 1.5), ("SE", 2.5)]


def test_of_conflicting_rows_none_stays_where_the_contract_says_so(tmp_path: Path) -> None:
    contract = load_contract(rules=(Rule(id="u", kind="unique", params={"keep": "none"}),))
    result = ingest(HEADER + A + B + A.replace("1.5", "9"), tmp_path, contract=contract)
    assert result.reasons == [(2, "duplicate_conflicting"), (4, "duplicate_conflicting")]


def test_lines_are_physical_after_blank_lines_and_quoted_newlines(tmp_path: Path) -> None:
    text = HEADER + "\n" + 'N;"Nor\nte";2020-01-01 00:00:00;1\n' + "\n" + "N;x;2020-01-01 01:00:00;bad\n"
    result = ingest(text, tmp_path)
    assert result.reasons == [(6, "unparsable_number")]
    assert result.report.rows_in == 2


def test_a_quote_inside_a_field_is_text(tmp_path: Path) -> None:
    result = ingest(HEADER + 'N;5" pipe;2020-01-01 00:00:00;1\n' + B, tmp_path)
    assert result.report.rows_loaded == 2


def test_a_quote_never_closed_does_not_swallow_the_file(tmp_path: Path) -> None:
    rows = "".join(f"N;Norte;2020-01-01 {h:02d}:00:00;{h}\n" for h in range(24))
    result = ingest(HEADER + 'N;"open;2020-01-02 00:00:00;1\n' + rows, tmp_path)
    assert result.report.rows_in == 25
    assert result.report.rows_loaded >= 24


def test_trailing_separators_are_no_columns(tmp_path: Path) -> None:
    text = (HEADER + A + B).replace("\n", ";\n")
    assert ingest(text, tmp_path).report.rows_loaded == 2
    assert ingest(HEADER + A.replace("\n", ";;\n") + B, tmp_path).report.rows_loaded == 2


def test_all_rows_bad_fails_the_file_with_its_counts(tmp_path: Path) -> None:
    result = ingest(HEADER + "N;x;yesterday;1\nN;x;today;1\n", tmp_path)
    assert (result.report.rows_in, result.report.rows_loaded) == (2, 0)
    assert result.report.quarantine == {"unparsable_time": 2}


def test_a_file_above_the_threshold_fails_as_a_whole(tmp_path: Path) -> None:
    contract = load_contract(fail_file_above=0.3)
    result = ingest(HEADER + A + "N;x;2020-01-05 00:00:00;bad\n", tmp_path, contract=contract)
    assert result.report.rows_loaded == 0
    assert result.report.quarantine == {"unparsable_number": 1, "quality_threshold_exceeded": 1}
    assert not list((tmp_path / "out" / "silver").rglob("*.parquet"))


def test_a_warning_loads_the_row_and_counts_it(tmp_path: Path) -> None:
    rule = Rule(id="usual", kind="range", columns=("load_mw",), params={"max": 2}, severity=Severity.WARNING)
    result = ingest(HEADER + A + B, tmp_path, contract=load_contract(rules=(rule,)))
    assert result.report.rows_loaded == 2
    assert [(w["rule"], w["count"]) for w in result.report.warnings] == [("usual", 1)]


def test_absent_intervals_are_reported(tmp_path: Path) -> None:
    rows = "".join(f"N;x;2020-01-01 {h:02d}:00:00;1\n" for h in (0, 1, 5))
    result = ingest(HEADER + rows, tmp_path)
    assert [(w["rule"], w["count"]) for w in result.report.warnings] == [("complete", 3)]


def test_rows_of_another_separator_than_the_header_are_all_set_aside(tmp_path: Path) -> None:
    result = ingest(HEADER + (A + B).replace(";", ","), tmp_path)
    assert result.report.quarantine == {"too_few_columns": 2}
    assert result.report.rows_loaded == 0
