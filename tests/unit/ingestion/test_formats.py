"""Workbooks, Parquet and unknown tables give the same rows as text."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from gridlake.ingestion.detect import sniff
from gridlake.ingestion.pipeline import process_file
from tests.unit.ingestion_engine import HEADER, SOURCE, ingest

NAMES = HEADER.strip().split(";")
EXPECTED = [("2020-01-01T03:00Z", "N", 1.5), ("2020-01-01T04:00Z", "N", 2397.644)]


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_workbook_with_title_rows_and_true_dates(tmp_path: Path) -> None:
    content = workbook(
        ["Carga por subsistema"],
        [],
        NAMES,
        ["N", "Norte", datetime(2020, 1, 1, 0), 1.5],
        ["N", "Norte", datetime(2020, 1, 1, 1), "2.397,644"],
        ["N", "Norte", datetime(2020, 1, 1, 2), "erro"],
    )
    result = ingest(content, tmp_path, filename="CARGA_1.xls")
    assert result.rows == EXPECTED
    assert result.reasons == [(6, "unparsable_number")]


def test_a_workbook_with_serial_dates(tmp_path: Path) -> None:
    serial = 43831
    content = workbook(NAMES, ["N", "x", serial, 1.5], ["N", "x", serial + 1 / 24, 2397.644])
    assert ingest(content, tmp_path, filename="CARGA_1.xlsx").rows == EXPECTED


def test_parquet_with_int96_stamps_and_numbers_as_text(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id_subsistema": ["N ", "N "],
            "nom_subsistema": ["x", "x"],
            "din_instante": pa.array([datetime(2020, 1, 1, 0), datetime(2020, 1, 1, 1)], pa.timestamp("us")),
            "val_carga": ["1.50000", "2397.644"],
        }
    )
    pq.write_table(table, tmp_path / "p", use_deprecated_int96_timestamps=True)
    assert ingest((tmp_path / "p").read_bytes(), tmp_path, filename="CARGA_1.parquet").rows == EXPECTED


def test_an_unknown_table_is_kept_with_a_profile_and_a_draft(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("when,plant,Output (MW)\n2020-01-01 00:00,A,1\n2020-01-01 01:00,A,2\n")
    facts = sniff(tmp_path / "in", filename="plants_2020.csv")
    report = process_file(tmp_path / "in", facts=facts, contract=None, source=SOURCE, out=tmp_path / "out")
    folder = tmp_path / "out" / "silver" / "uncatalogued" / SOURCE.source_id
    assert sorted(p.name for p in folder.iterdir()) == ["data.parquet", "draft.yaml", "profile.json"]
    assert (report.kind, report.rows_in, report.rows_loaded) == ("uncatalogued", 2, 2)
    assert pq.read_table(folder / "data.parquet").num_rows == 2
    assert report.draft is not None
    assert report.draft["status"] == "draft"


def test_of_two_parquet_columns_of_one_name_the_first_is_taken(tmp_path: Path) -> None:
    values = [["N", "SE"], ["Norte", "Sudeste"], ["2020-01-01 00:00:00"] * 2, [1.5, None], [9.0, 8.0]]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(v) for v in values], [*NAMES, "val_carga"]), buffer)
    result = ingest(buffer.getvalue(), tmp_path)
    assert result.rows == [("2020-01-01T03:00Z", "N", 1.5)]
    assert result.report.notices == ["columns the contract does not know were not loaded: val_carga.2"]
    [quarantined] = result.quarantine
    assert (quarantined["source_row"], quarantined["reason"]) == (2, "missing_value")
    assert json.loads(quarantined["raw"]) == {
        **dict(zip(NAMES, ["SE", "Sudeste", "2020-01-01 00:00:00", None], strict=True)),
        "val_carga.2": 8.0,
    }


def test_a_parquet_column_with_a_dot_in_its_name_is_itself(tmp_path: Path) -> None:
    values = [["N"], ["Norte"], ["2020-01-01 00:00:00"], [1.5], [9.0]]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array(v) for v in values], [*NAMES, "val_carga.max"]), buffer)
    assert ingest(buffer.getvalue(), tmp_path).rows == [("2020-01-01T03:00Z", "N", 1.5)]


def test_string_views_are_read_and_quarantined_like_strings(tmp_path: Path) -> None:
    columns = [
        pa.array(v).cast(pa.string_view()) for v in (["N", "XX"], ["", ""], ["2020-01-01 00:00:00"] * 2)
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.table([*columns, pa.array([1.5, 2.5])], names=NAMES), buffer)
    result = ingest(buffer.getvalue(), tmp_path)
    assert result.rows == [("2020-01-01T03:00Z", "N", 1.5)]
    assert result.reasons == [(2, "unknown_code")]
