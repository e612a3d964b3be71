"""Files as people save, edit and rename them: each gives the rows a human sees, or says which rows and why not."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.integration.ingestion.support import ingest

NAMES = ["id_subsistema", "nom_subsistema", "din_instante", "val_cargaenergiahomwmed"]
HEADER = ";".join(NAMES) + "\n"
NAME = "CURVA_CARGA_2020.csv"
STAMPS = [datetime(2020, 1, 1) + timedelta(hours=h) for h in range(36)]
EXPECTED = [
    ((s + timedelta(hours=3)).replace(tzinfo=UTC).isoformat(), 1000.5 + i) for i, s in enumerate(STAMPS)
]


def lines(form: str = "%Y-%m-%d %H:%M:%S", number: Callable[[float], str] = str) -> str:
    return "".join(f"N;São;{s.strftime(form)};{number(1000.5 + i)}\n" for i, s in enumerate(STAMPS))


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M",
        "%Y/%m/%d %H:%M",
        "%Y-%m-%d %H:%M:%S.0000000",
        "%d/%m/%Y %H:%M",
        "%d-%m-%Y %H:%M",
        "%d.%m.%Y %H:%M:%S",
        "%d/%m/%y %H:%M",
        "%d-%b-%Y %H:%M",
        "%Y-%m-%dT%H:%M:%S-03:00",
        "%Y-%m-%d %H:%M:%S -0300",
        "%Y-%m-%d %H:%M:%S-03",
        "\u00a0%Y-%m-%d  %H:%M:%S ",
    ],
)
def test_stamps_in_other_marks(form: str, tmp_path: Path) -> None:
    assert ingest(HEADER + lines(form), tmp_path, NAME).values("time", "load_mw") == EXPECTED


@pytest.mark.parametrize(
    "form", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S UTC", "%Y-%m-%dT%H:%M:%S.000+00:00"]
)
def test_an_offset_wins_over_the_zone_of_the_contract(form: str, tmp_path: Path) -> None:
    result = ingest(HEADER + lines(form), tmp_path, NAME)
    assert result.values("time")[0] == ("2020-01-01T00:00:00+00:00",)


def test_days_and_months_are_never_swapped_where_both_orders_are_printed(tmp_path: Path) -> None:
    iso, local = lines().splitlines(), lines("%d/%m/%Y %H:%M").splitlines()
    mixed = "\n".join(a if i % 2 else b for i, (a, b) in enumerate(zip(iso, local, strict=True)))
    assert ingest(HEADER + mixed, tmp_path, NAME).values("time", "load_mw") == EXPECTED


@pytest.mark.parametrize(
    "name",
    [
        "CURVA_CARGA_2018 (1).csv",
        "curva_carga_2018.CSV",
        "CURVA_CARGA_2018.csv.gz",
        "Curva_Carga - Cópia.txt",
        "dados",
    ],
)
def test_a_renamed_file_is_recognised(name: str, tmp_path: Path) -> None:
    assert ingest(HEADER + lines(), tmp_path, name).report.dataset == "ons_load_hourly"


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        HEADER.replace("_", " "),
        " ; ".join(NAMES) + "\n",
        HEADER.strip() + ";\n",
        "\ufeff" + HEADER,
    ],
)
def test_a_header_in_other_letters(header: str, tmp_path: Path) -> None:
    assert ingest(header + lines(), tmp_path, NAME).values("time", "load_mw") == EXPECTED


def test_unknown_columns_are_named_and_do_no_harm(tmp_path: Path) -> None:
    more = ";".join(f"extra{i}" for i in range(5000))
    content = HEADER.strip() + f";{more}\n" + lines().replace("\n", ";1" * 5000 + "\n")
    result = ingest(content, tmp_path, NAME)
    assert result.values("time", "load_mw") == EXPECTED
    assert result.report.notices[0].endswith("extra18, extra19 and 4980 more")


@pytest.mark.parametrize("end", ["\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("title", ["", "Curva de carga\nUnidade;MWmed\n\n", "Página\x0c1 de 2\n"])
def test_no_row_is_lost_whatever_ends_the_lines(end: str, encoding: str, title: str, tmp_path: Path) -> None:
    content = (title + HEADER + lines()).replace("\n", end).encode(encoding)
    assert ingest(gzip.compress(content), tmp_path, NAME).values("time", "load_mw") == EXPECTED


NUMBERS = {
    "0E-8": 0.0,
    "1.234,56": 1234.56,
    "12,5": 12.5,
    "1,5E+3": 1500.0,
    "\u00a012,5\u00a0": 12.5,
    "1 234,5": 1234.5,
    "1\u00a0234,5": 1234.5,
    '"7,5"': 7.5,
    "+5": 5.0,
    "12.25": 12.25,
    "1,234.5": 1234.5,
    "\u2212" + "5,5": "out_of_range",
    "1.234": "unparsable_number",
    "-": "missing_value",
    "NaN": "missing_value",
    "#N/A": "missing_value",
    "null": "missing_value",
    "": "missing_value",
    "#DIV/0!": "unparsable_number",
    "inf": "unparsable_number",
    "5%": "unparsable_number",
}


def test_numbers_of_a_file_with_decimal_commas(tmp_path: Path) -> None:
    """``1.234`` beside ``12.25`` could be either number, so it is set aside, never guessed."""
    rows = [f"N;x;{STAMPS[i]};{text}" for i, text in enumerate(NUMBERS)]
    rows += [f"N;x;{STAMPS[30]};2,5", f"N;x;{STAMPS[31]};2.000,5"]
    result = ingest(HEADER + "\n".join(rows), tmp_path, NAME)
    found: dict[int, Any] = dict(result.values("_source_row", "load_mw")) | dict(result.reasons)
    assert {text: found[i] for i, text in enumerate(NUMBERS, start=2)} == NUMBERS


def test_whole_numbers_with_thousands_follow_the_sign_of_the_file(tmp_path: Path) -> None:
    header = [
        "id_subsistema",
        "nom_subsistema",
        "ear_data",
        "ear_max_subsistema",
        "ear_verif_subsistema_mwmes",
    ]
    content = ";".join([*header, "ear_verif_subsistema_percentual"]) + "\nN;x;01/02/2020;1.234;2.345;12,5\n"
    result = ingest(content, tmp_path, "EAR_DIARIO_SUBSISTEMA_2020.csv")
    assert result.values("stored_energy_max_mwmonth", "stored_energy_mwmonth", "stored_energy_pct") == [
        (1234.0, 2345.0, 12.5)
    ]


ROW, BAD = f"N;x;{STAMPS[0]};5000\n", "N;x;2020-01-05 00:00:00;abc\n"
PLACES: dict[str, tuple[bytes | str, list[tuple[int, str]]]] = {
    "plain": (HEADER + ROW + BAD, [(3, "unparsable_number")]),
    "titles": ("Título\n\nsub;\n" + HEADER + ROW + BAD, [(6, "unparsable_number")]),
    "title of two cells": ("Unidade;MWmed\n" + HEADER + ROW + BAD, [(4, "unparsable_number")]),
    "blank lines": (HEADER + ROW + "\n\n" + BAD + "\n\n", [(5, "unparsable_number")]),
    "newline in a field": (HEADER + ROW.replace(";x;", ';"a\nb";') + BAD, [(4, "unparsable_number")]),
    "newline in the title": ('"a\nb";;;\n' + HEADER + ROW + BAD, [(5, "unparsable_number")]),
    "newline in the header": (HEADER.replace("nom_", '"nom\n').replace(";din", '";din') + ROW + BAD, [(4, "unparsable_number")]),
    "form feed": ("a\x0cb\n" + HEADER + ROW + BAD, [(4, "unparsable_number")]),
    "line separator": ("a\u2028b\n" + HEADER + ROW + BAD, [(4, "unparsable_number")]),
    "gzip": (gzip.compress((HEADER + ROW + BAD).encode()), [(3, "unparsable_number")]),
    "utf-16": ((HEADER + ROW + BAD).encode("utf-16"), [(3, "unparsable_number")]),
    "header again": (HEADER + ROW + HEADER, [(3, "repeated_header")]),
    "footer": (HEADER + ROW + "\nFonte: ONS\nTotal;;;5000\n", [(4, "too_few_columns"), (5, "missing_time")]),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_the_source_row_is_the_line_of_the_file(case: str, tmp_path: Path) -> None:
    content, reasons = PLACES[case]
    result = ingest(content, tmp_path, NAME)
    assert result.reasons == reasons
    assert result.report.rows_in == 1 + len(reasons)


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


CELLS: list[list[Any]] = [["N", "x", s, 1000.5 + i] for i, s in enumerate(STAMPS)]
COVER: list[list[Any]] = [["Operador Nacional"], ["Curva de carga", "anual"], ["Contato", "x@y"]]
DICTIONARY: list[list[Any]] = [["Campo", "Descrição", "Tipo"], *([n, "d", "t"] for n in NAMES)]


@pytest.mark.parametrize(
    "sheets",
    [
        [("Dados", [NAMES, *CELLS])],
        [("Capa", COVER), ("Dados", [NAMES, *CELLS])],
        [("Dicionário", DICTIONARY), ("Dados", [["Título"], [], NAMES, *CELLS])],
        [("2020", [NAMES, *CELLS[:20]]), ("2021", [["Título"], NAMES, *CELLS[20:]])],
        [
            (
                "Dados",
                [
                    NAMES,
                    *([*c[:2], f"{c[2]:%d/%m/%Y %H:%M}", f"{c[3]:.1f}".replace(".", ",")] for c in CELLS),
                ],
            )
        ],
        [
            (
                "Dados",
                [
                    NAMES,
                    *([c[0], c[1], c[2] if i % 9 else 43831 + i / 24, c[3]] for i, c in enumerate(CELLS)),
                ],
            )
        ],
        [("Dados", [[None, *row] for row in [[], [], NAMES, *CELLS]])],
    ],
    ids=["plain", "cover", "dictionary", "years", "text", "some serials", "from B3"],
)
@pytest.mark.parametrize("name", ["CURVA_CARGA_2020.xlsx", "CURVA_CARGA_2020.csv"])
def test_a_workbook_gives_its_table(
    sheets: list[tuple[str, list[list[Any]]]], name: str, tmp_path: Path
) -> None:
    result = ingest(workbook(*sheets), tmp_path, name)
    assert result.report.quarantine == {}
    assert result.values("time", "load_mw") == EXPECTED


def test_totals_and_footers_of_a_workbook_are_set_aside_by_sheet_row(tmp_path: Path) -> None:
    rows = [["Título"], [], NAMES, *CELLS, [], ["Total", None, None, 1.0], ["Fonte: ONS"]]
    result = ingest(workbook(("Dados", rows)), tmp_path, "CURVA_CARGA_2020.xlsx")
    last = 3 + len(CELLS)
    assert result.reasons == [(last + 2, "missing_time"), (last + 3, "missing_time")]


@pytest.mark.parametrize("kind", ["text", "binary", "us", "ns", "zoned", "decimal comma", "not a number"])
def test_parquet_of_any_physical_type(kind: str, tmp_path: Path) -> None:
    texts = [str(s) for s in STAMPS]
    columns: dict[str, Any] = {
        "text": pa.array(texts),
        "binary": pa.array([t.encode() for t in texts], pa.binary()),
        "zoned": pa.array([s + timedelta(hours=3) for s in STAMPS], pa.timestamp("ms", tz="UTC")),
        "us": pa.array(STAMPS, pa.timestamp("us")),
        "ns": pa.array(STAMPS, pa.timestamp("ns")),
    }
    values: list[Any] = [1000.5 + i for i in range(len(STAMPS))]
    if kind == "decimal comma":
        values = [f"{v:.5f}".replace(".", ",") for v in values]
    if kind == "not a number":
        values[0] = float("nan")
    table = pa.table([["N "] * 36, ["x"] * 36, columns.get(kind, columns["text"]), values], names=NAMES)
    pq.write_table(table, tmp_path / "p")
    result = ingest((tmp_path / "p").read_bytes(), tmp_path, "CURVA_CARGA_2020.parquet")
    missing = kind == "not a number"
    assert result.values("time", "load_mw") == EXPECTED[missing:]
    assert result.reasons == ([(1, "missing_value")] if missing else [])


@pytest.mark.parametrize("text", ["9999-12-31 23:00:00", "0001-01-01 00:00:00", "1577836800", "bad 1"])
def test_a_stamp_beyond_all_files_is_set_aside(text: str, tmp_path: Path) -> None:
    assert ingest(HEADER + ROW + f"N;x;{text};5000\n", tmp_path, NAME).reasons == [(3, "unparsable_time")]


def test_a_hundred_thousand_stamps_with_offsets_take_no_time(tmp_path: Path) -> None:
    stamps = [datetime(2000, 1, 1) + timedelta(hours=h) for h in range(100_000)]
    content = HEADER + "".join(f"N;x;{s.isoformat()}-03:00;5000\n" for s in stamps)
    result = ingest(content, tmp_path, NAME)
    assert (result.report.rows_loaded, result.report.seconds < 10) == (100_000, True)


@pytest.mark.parametrize(
    "form", ["{s.day}/{s.month}/{s.year} {s.hour}:00", "{s.year}-{s.month}-{s.day} {s.hour}:00:00"]
)
def test_stamps_without_leading_zeros(form: str, tmp_path: Path) -> None:
    content = HEADER + "".join(f"N;x;{form.format(s=s)};{1000.5 + i}\n" for i, s in enumerate(STAMPS))
    assert ingest(content, tmp_path, NAME).values("time", "load_mw") == EXPECTED


def test_the_decimal_sign_of_the_contract_stands_whatever_separates_the_columns(tmp_path: Path) -> None:
    content = (
        "Balancing Authority;Data Date;Hour Number;UTC Time at End of Hour;Demand Forecast (MW);Demand (MW);"
        "Net Generation (MW);Total Interchange (MW)\n"
        "CISO;01/30/2024;10;01/30/2024 10:00:00 AM;22,495;22,272;20,936;-1,336\n"
        "CISO;01/30/2024;11;01/30/2024 11:00:00 AM;21,495;21,272;19,936;-1,336\n"
    )
    result = ingest(content, tmp_path, "EIA930_BALANCE_2024_Jan_Jun.csv")
    assert result.values("load_mw") == [(21272.0,), (22272.0,)]


def test_a_padded_header_repeated_midway_is_named(tmp_path: Path) -> None:
    header, rows = " ; ".join(NAMES) + "\n", lines()
    result = ingest(header + rows + header, tmp_path, NAME)
    assert (len(result.values("time")), result.reasons) == (36, [(38, "repeated_header")])


def test_a_short_file_padded_with_nul_bytes_keeps_its_rows(tmp_path: Path) -> None:
    result = ingest((HEADER + lines()).encode() + bytes(4096), tmp_path, NAME)
    assert result.values("time", "load_mw") == EXPECTED
    assert result.reasons == [(38, "nul_byte")]
