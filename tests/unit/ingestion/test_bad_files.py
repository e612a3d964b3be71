"""Files that can't be read: each has a code and says what to do."""

from __future__ import annotations

import gzip
import io
import os
import random
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlwt

from gridlake.ingestion.detect import match, sniff
from gridlake.ingestion.facts import Limits
from gridlake.ingestion.pipeline import process_file
from gridlake.ingestion.report import FileRejectedError
from gridlake.platform.errors import ContractError, UnreadableFileError
from tests.unit.ingestion_engine import HEADER, SOURCE, ingest, load_contract

GOOD = (HEADER + "N;Norte;2020-01-01 00:00:00;1.5\n").encode()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def encrypted_workbook() -> bytes:
    import msoffcrypto.format.ooxml

    plain, secret = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.save(plain)
    plain.seek(0)
    msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("secret", secret)
    return secret.getvalue()


def word_like_ole() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512 + "WordDocument".encode("utf-16-le")


BAD = {
    "empty_file": b"",
    "truncated_gzip": gzip.compress(GOOD * 500)[:-20],
    "corrupt_archive": gzip.compress(GOOD * 500)[:40] + b"\xff" * 60,
    "truncated_zip": zipped(**{"a.csv": GOOD * 500})[:-30],
    "zip_bomb": zipped(**{"a.csv": b"0" * 60_000_000}),
    "zip_unsafe_path": zipped(**{"../../etc/a.csv": GOOD}),
    "zip_many_files": zipped(**{"a.csv": GOOD, "b.csv": GOOD}),
    "nested_archive": zipped(**{"a.csv.gz": gzip.compress(GOOD)}),
    "encrypted_workbook": encrypted_workbook(),
    "binary_garbage": random.Random(1).randbytes(20_000),
    "unsupported_format": b"<!DOCTYPE html><html><body>404</body></html>",
    "pdf_not_supported_yet": b"%PDF-1.7\n...",
    "corrupt_parquet": b"PAR1" + os.urandom(100) + b"PAR1",
    "no_table": b"just a sentence without columns\nand another one\n",
}


@pytest.mark.parametrize("code", BAD)
def test_each_unreadable_file_has_its_code(code: str, tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(BAD[code])
    with pytest.raises(UnreadableFileError) as caught:
        sniff(path, filename="CARGA_2020.csv")
    assert caught.value.error_code == code
    assert "CARGA_2020.csv" in caught.value.message


@pytest.mark.parametrize(
    "content",
    [b"   \r\n\n \n", b"\xef\xbb\xbf\n", b"\0" * 5000],
)
def test_blank_content_is_empty(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(UnreadableFileError, match="no content") as caught:
        sniff(tmp_path / "in", filename="x.csv")
    assert caught.value.error_code == "empty_file"


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(gzip.compress((HEADER + "0" * 100).encode() + b"0" * 40_000_000))
    with pytest.raises(UnreadableFileError) as caught:
        sniff(tmp_path / "in", filename="x.csv.gz")
    assert caught.value.error_code == "zip_bomb"


def test_an_absolute_bound_stops_what_compresses_little(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(gzip.compress(random.Random(2).randbytes(300_000)))
    with pytest.raises(UnreadableFileError) as caught:
        sniff(tmp_path / "in", filename="x.gz", limits=Limits(max_uncompressed=100_000))
    assert caught.value.error_code == "zip_bomb"


def test_a_truncation_beyond_the_sniffed_part_shows_while_reading(tmp_path: Path) -> None:
    rows = "".join(f"N;Norte;2020-01-01 {i % 24:02d}:00:00;{random.random()}\n" for i in range(100_000))
    whole = gzip.compress((HEADER + rows).encode())
    (tmp_path / "in").write_bytes(whole)
    facts = sniff(tmp_path / "in", filename="CARGA_1.csv.gz")
    (tmp_path / "in").write_bytes(whole[:-50])
    with pytest.raises(UnreadableFileError) as caught:
        process_file(
            tmp_path / "in", facts=facts, contract=load_contract(), source=SOURCE, out=tmp_path / "out"
        )
    assert caught.value.error_code == "truncated_gzip"
    assert not list((tmp_path / "out").rglob("silver/**/*.parquet"))


def test_header_only_is_no_rows(tmp_path: Path) -> None:
    (tmp_path / "in").write_text(HEADER)
    facts = sniff(tmp_path / "in", filename="CARGA_1.csv")
    with pytest.raises(FileRejectedError) as caught:
        process_file(
            tmp_path / "in", facts=facts, contract=load_contract(), source=SOURCE, out=tmp_path / "out"
        )
    assert caught.value.error_code == "no_rows"


def test_missing_columns_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("id_subsistema;din_instante\nN;2020-01-01 00:00:00\n")
    facts = sniff(tmp_path / "in", filename="CARGA_1.csv")
    found = match(facts, [load_contract()])
    assert found.contract is None
    assert found.missing == {"test_load": ("val_carga",)}
    with pytest.raises(ContractError, match="val_carga") as caught:
        process_file(
            tmp_path / "in", facts=facts, contract=load_contract(), source=SOURCE, out=tmp_path / "out"
        )
    assert caught.value.error_code == "no_contract_columns"


def test_xls_content_under_an_xlsx_name_is_read(tmp_path: Path) -> None:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Dados")
    rows = [["Carga por subsistema"], [], HEADER.strip().split(";"), ["N", "Norte", "2020-01-01 00:00:00", 7]]
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    book.save(str(tmp_path / "in"))
    facts = sniff(tmp_path / "in", filename="CARGA_1.xlsx")
    assert (facts.format, facts.header_line) == ("xls", 3)


def test_operating_system_clutter_in_a_zip_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(zipped(**{"a.csv": GOOD, "__MACOSX/._a.csv": b"x", ".DS_Store": b"x"}))
    facts = sniff(tmp_path / "in", filename="a.zip")
    assert (facts.compression, facts.member, facts.delimiter) == ("zip", "a.csv", ";")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_a_zip_is_named_whatever_packed_it(method: int, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.csv", random.Random(1).randbytes(5_000).hex())
    content = bytearray(buffer.getvalue())
    content[1_000:1_100] = bytes(100)
    path = tmp_path / "in"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError) as caught:
        sniff(path, filename="a.zip")
    assert caught.value.error_code == "corrupt_archive"
    assert "a.zip" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("row", [0, 500])
def test_parquet_text_that_is_not_utf8_is_a_damaged_file(row: int, tmp_path: Path) -> None:
    texts = ["N"] * 501
    texts[row] = "XYZXYZ"
    buffer = io.BytesIO()
    table = pa.table({"id_subsistema": texts, "din_instante": ["2020-01-01"] * 501, "val_carga": [1.0] * 501})
    pq.write_table(table, buffer, compression="none", write_statistics=False)
    path = tmp_path / "in"
    path.write_bytes(buffer.getvalue().replace(b"XYZXYZ", b"XYZ\xc1YZ"))
    with pytest.raises(UnreadableFileError) as caught:
        process_file(
            path,
            facts=sniff(path, filename="CARGA.parquet"),
            contract=load_contract(),
            source=SOURCE,
            out=tmp_path / "out",
        )
    assert caught.value.error_code == "corrupt_parquet"
    assert "CARGA.parquet" in caught.value.message


def test_a_monstrous_column_name_is_shortened_where_it_is_told(tmp_path: Path) -> None:
    """A record of the ledger holds 400 KB: what a file says must not keep its ingestion from being recorded."""
    name = "x" * 50_000
    result = ingest(GOOD.replace(b"\n", f";{name}\n".encode(), 1).replace(b"1.5\n", b"1.5;1\n"), tmp_path)
    assert result.report.rows_loaded == 1
    assert len(str(result.report.notices)) < 500
    assert "xxx…" in result.report.notices[0]


def test_a_file_without_the_contracts_columns_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"a;b\n1;2\n3;4\n")
    facts = sniff(path, filename="CARGA.csv")
    with pytest.raises(ContractError) as caught:
        process_file(path, facts=facts, contract=load_contract(), source=SOURCE, out=tmp_path / "out")
    assert caught.value.error_code == "no_contract_columns"
    assert not [p for p in (tmp_path / "out").rglob("*") if p.name.startswith(".work")]
