"""Containers damaged on the way, or written by other programs: an error of ours, or every row."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gridlake.platform.errors import UnreadableFileError
from tests.integration.ingestion.support import ingest

NAMES = ["id_subsistema", "nom_subsistema", "din_instante", "val_cargaenergiahomwmed"]
ROWS = [("N", "Norte", f"2020-01-01 {h:02d}:00:00", f"12,{345 + h}") for h in range(24)]
VALUES = [(12.345 + h / 1000,) for h in range(24)]
NAME = "CURVA_CARGA_2020"


def parquet(kind: pa.DataType) -> bytes:
    sink = io.BytesIO()
    columns = [pa.array(column, kind) for column in zip(*ROWS, strict=True)]
    pq.write_table(pa.table(columns, names=NAMES), sink, use_dictionary=False)
    return sink.getvalue()


def workbook(*rows: tuple[str, ...]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows or (NAMES, *ROWS):
        book.active.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
def test_numbers_printed_with_a_decimal_comma_in_parquet(kind: pa.DataType, tmp_path: Path) -> None:
    result = ingest(parquet(kind), tmp_path, f"{NAME}.parquet")
    assert result.values("load_mw") == [(pytest.approx(v),) for (v,) in VALUES]


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view()])
def test_a_bad_row_among_string_views_is_quarantined(kind: pa.DataType, tmp_path: Path) -> None:
    sink = io.BytesIO()
    rows = [*ROWS, ("N", "Norte", "2020-01-02 00:00:00", "?")]
    columns = [pa.array(column, kind) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(columns, names=NAMES), sink)
    assert ingest(sink.getvalue(), tmp_path, NAME).reasons == [(25, "unparsable_number")]


def test_damaged_parquet_pages_are_named(tmp_path: Path) -> None:
    content = bytearray(parquet(pa.string()))
    content[4:40] = b"\xff" * 36
    with pytest.raises(UnreadableFileError) as caught:
        ingest(bytes(content), tmp_path, NAME)
    assert caught.value.error_code == "corrupt_parquet"


@pytest.mark.parametrize("damage", ["xml", "header"])
def test_a_damaged_sheet_is_named(damage: str, tmp_path: Path) -> None:
    content = workbook()
    if damage == "header":
        start = content.index(b"xl/worksheets/sheet1.xml") - 30
        content = content[:start] + b"????" + content[start + 4 :]
    else:
        sink = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w") as new:
            for entry in old.infolist():
                data = old.read(entry)
                new.writestr(entry.filename, data[:200] + b"<c r=" if "sheet1" in entry.filename else data)
        content = sink.getvalue()
    with pytest.raises(UnreadableFileError) as caught:
        ingest(content, tmp_path, f"{NAME}.xlsx")
    assert caught.value.error_code == "corrupt_workbook"


def test_a_zip_whose_names_are_no_utf_8_is_damaged(tmp_path: Path) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("dados_ç.csv", "a;b\n1;2\n")
    with pytest.raises(UnreadableFileError) as caught:
        ingest(sink.getvalue().replace("ç".encode(), b"\xc4_"), tmp_path, f"{NAME}.zip")
    assert caught.value.error_code == "truncated_zip"


def test_a_column_without_a_name_right_of_a_sheet_costs_no_row(tmp_path: Path) -> None:
    noted = [(*row, "", "checked") for row in ROWS]
    result = ingest(workbook(tuple(NAMES), *noted), tmp_path, f"{NAME}.xlsx")
    assert (len(result.values("load_mw")), result.reasons) == (24, [])


def test_a_stray_cell_right_of_a_sheet_is_quarantined_with_its_row(tmp_path: Path) -> None:
    rows = [ROWS[0], (*ROWS[1], "?"), *ROWS[2:]]
    result = ingest(workbook(tuple(NAMES), *rows), tmp_path, f"{NAME}.xlsx")
    assert (len(result.values("load_mw")), result.reasons) == (23, [(3, "too_many_columns")])
