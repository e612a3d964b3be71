"""Files whose defect is their container: compressed, workbooks, wrong extensions, and files that can't be read."""

from __future__ import annotations

import gzip
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from gridlake_samples import shapes
from gridlake_samples.defects import HOURLY_HEADER, Row, hourly_rows
from gridlake_samples.model import SampleFile


def readable(out: Path, seed: int, year: int) -> list[SampleFile]:
    """Containers that must be read like the CSV inside them.

    Raises
    ------
    ModuleNotFoundError
        openpyxl or xlwt, which write workbooks, are not installed (they are in the development lock).
    """
    header = tuple(HOURLY_HEADER.split(";"))
    packed = hourly_rows(seed, f"{year}-06-01")
    content = "\n".join(";".join(row) for row in (header, *packed)).encode() + b"\n"
    zipped = out / f"CURVA_CARGA_{year}_06_zip__synthetic.zip"
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(f"CURVA_CARGA_{year}_06.csv", (1980, 1, 1, 0, 0, 0)), content)
    gzipped = out / f"CURVA_CARGA_{year}_06__synthetic.csv.gz"
    gzipped.write_bytes(gzip.compress(content, mtime=0))
    xlsx = out / f"CURVA_CARGA_{year}_07__synthetic.xlsx"
    _write_xlsx(xlsx, header, hourly_rows(seed, f"{year}-07-01"))
    xls = out / f"CURVA_CARGA_{year}_08_xls__synthetic.xlsx"
    _write_xls(xls, header, hourly_rows(seed, f"{year}-08-01"))
    about = {
        zipped: "a zip of one file",
        gzipped: "gzip",
        xlsx: "a workbook with true dates",
        xls: "XLS content under an .xlsx name",
    }
    return [
        SampleFile(path=path, dataset="ons_load_hourly", rows_in=len(packed), about=text)
        for path, text in about.items()
    ]


def unreadable(out: Path, seed: int, year: int) -> list[SampleFile]:
    """Files that must fail, each with its code."""
    content = "\n".join(
        [HOURLY_HEADER, *(";".join(row) for row in hourly_rows(seed, f"{year}-09-01"))]
    ).encode()
    whole = gzip.compress(content, mtime=0)
    broken = {
        "empty": (b"", "empty_file", "no bytes"),
        "header_only": (HOURLY_HEADER.encode() + b"\n", "no_rows", "a header without rows"),
        "garbage": (shapes.generator(seed, "garbage").bytes(20_000), "binary_garbage", "garbage named .csv"),
        "truncated": (whole[: len(whole) // 2], "truncated_gzip", "half a gzip"),
    }
    files = []
    for name, (body, code, about) in broken.items():
        suffix = ".csv.gz" if name == "truncated" else ".csv"
        path = out / f"CURVA_CARGA_{year}_{name}__synthetic{suffix}"
        path.write_bytes(body)
        files.append(SampleFile(path=path, dataset=None, rows_in=0, status="failed", error=code, about=about))
    return files


def _typed(row: Row) -> tuple[Any, ...]:
    return (*row[:2], datetime.fromisoformat(row[2]), float(row[3]))


def _write_xlsx(path: Path, header: Row, rows: list[Row]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("CURVA_CARGA")
    sheet.append(header)
    for row in rows:
        sheet.append(_typed(row))
    book.save(path)


def _write_xls(path: Path, header: Row, rows: list[Row]) -> None:
    import xlwt

    book = xlwt.Workbook()
    sheet = book.add_sheet("CURVA_CARGA")
    stamp = xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm:ss")
    for column, name in enumerate(header):
        sheet.write(0, column, name)
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(_typed(row)):
            if isinstance(value, datetime):
                sheet.write(number, column, value, stamp)
            else:
                sheet.write(number, column, value)
    with path.open("wb") as file:
        book.save(file)
