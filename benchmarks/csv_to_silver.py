"""CSV to partitioned Parquet: Gridlake against pandas + awswrangler and DuckDB, on a file of ONS's hourly form.

``python benchmarks/csv_to_silver.py [--rows 2000000] [--repeat 3] [--full] [--json OUT]``

Every contender runs in a process of its own and does the same job: read the CSV, turn local time into UTC, write one
Parquet file per month with the value as float64. Gridlake also checks its contract (codes, ranges, unique keys,
completeness) and keeps the source row. The sums must agree. ``--full`` adds the scaling of Gridlake from 1 MB to 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "layers" / "shared"))
CODES = (("N", "NORTE"), ("NE", "NORDESTE"), ("S", "SUL"), ("SE", "SUDESTE"))
HEADER = "id_subsistema;nom_subsistema;cod_area;din_instante;val_cargaenergiahomwmed\n"
AREAS = 25


def generate(path: Path, rows: int) -> None:
    """Write synthetic hourly load of 100 areas from 2000 on, in the form of CURVA_CARGA (no summer time: from 2020)."""
    start = datetime(2020, 1, 1)  # noqa: DTZ001 - printed as local time
    names = [(code, name, f"{code}{i:02d}") for i in range(AREAS) for code, name in CODES]
    with path.open("w") as file:
        file.write(HEADER)
        hour = written = 0
        while written < rows:
            stamp = (start + timedelta(hours=hour)).isoformat(sep=" ")
            lines = [
                f"{code};{name};{area};{stamp};{1000 + (hour * 7919 + k * 104729) % 5_000_000 / 1000:.8f}\n"
                for k, (code, name, area) in enumerate(names[: rows - written])
            ]
            file.writelines(lines)
            written += len(lines)
            hour += 1


def run_gridlake(csv: Path, out: Path) -> float:
    """The engine, with a contract of the generated form."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Member, Role, Rule, TimeSpec
    from gridlake.ingestion.detect import match, sniff
    from gridlake.ingestion.pipeline import process_file
    from gridlake.ingestion.report import SourceRef

    contract = Contract(
        dataset="benchmark_load_hourly",
        version="1.0.0",
        publisher="benchmark",
        kind=Kind.SERIES,
        title={"en": "Benchmark"},
        time=TimeSpec(columns=("din_instante",), zone="America/Sao_Paulo", interval="PT1H"),
        columns=(
            Column(
                name="subsystem",
                role=Role.TAG,
                source="id_subsistema",
                key=True,
                required=True,
                closed=True,
                members=tuple(Member(code=code, spellings=(name,)) for code, name in CODES),
            ),
            Column(name="subsystem_name", role=Role.IGNORED, source="nom_subsistema"),
            Column(name="area", role=Role.TAG, source="cod_area", key=True, required=True),
            Column(
                name="load_mw",
                role=Role.FIELD,
                type=ColumnType.NUMBER,
                source="val_cargaenergiahomwmed",
                unit="MW",
                required=True,
            ),
        ),
        rules=(
            Rule(id="possible", kind="range", columns=("load_mw",), params={"min": 0, "max": 500_000}),
            Rule(id="unique_key", kind="unique"),
            Rule(id="complete", kind="completeness"),
        ),
    )
    facts = sniff(csv, filename=csv.name)
    assert match(facts, [contract]).contract is contract
    source = SourceRef(source_id="0" * 16, uri="s3://raw/benchmark.csv", ingestion_id="ing-0", sequence=1)
    report = process_file(csv, facts=facts, contract=contract, source=source, out=out)
    assert report.rows_in == report.rows_loaded, report.quarantine
    files = (out / part["path"] for part in report.partitions)
    return sum(
        pc.sum(pq.read_table(f, columns=["load_mw"], partitioning=None)["load_mw"]).as_py() for f in files
    )


def run_pandas(csv: Path, out: Path) -> float:
    """pandas.read_csv and what awswrangler.s3.to_parquet does (pandas → pyarrow, one file per partition), to disk."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = pd.read_csv(csv, sep=";", parse_dates=["din_instante"])
    frame["time"] = frame.pop("din_instante").dt.tz_localize("America/Sao_Paulo").dt.tz_convert("UTC")
    frame["year"], frame["month"] = frame["time"].dt.year, frame["time"].dt.month
    total = 0.0
    for (year, month), part in frame.groupby(["year", "month"], observed=True):
        table = pa.Table.from_pandas(part.drop(columns=["year", "month"]), preserve_index=False)
        folder = out / f"year={year}" / f"month={month}"
        folder.mkdir(parents=True)
        pq.write_table(
            table, folder / "data.parquet", compression="snappy", coerce_timestamps="ms", flavor="spark"
        )
        total += part["val_cargaenergiahomwmed"].sum()
    return total


def run_awswrangler(csv: Path, out: Path) -> float:
    """pandas.read_csv and awswrangler.s3.to_parquet itself, into a mocked S3 in this process."""
    import awswrangler as wr
    import boto3
    import pandas as pd
    from moto import mock_aws

    del out
    with mock_aws():
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        session.client("s3").create_bucket(Bucket="lake")
        frame = pd.read_csv(csv, sep=";", parse_dates=["din_instante"])
        frame["time"] = frame.pop("din_instante").dt.tz_localize("America/Sao_Paulo").dt.tz_convert("UTC")
        frame["year"], frame["month"] = frame["time"].dt.year, frame["time"].dt.month
        wr.s3.to_parquet(
            frame,
            path="s3://lake/silver/",
            dataset=True,
            partition_cols=["year", "month"],
            boto3_session=session,
        )
    return float(frame["val_cargaenergiahomwmed"].sum())


def run_duckdb(csv: Path, out: Path) -> float:
    """DuckDB's CSV reader and partitioned Parquet writer; the fixed offset spares it the time zone rules."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads TO 2")
    connection.execute(
        f"""COPY (SELECT id_subsistema, nom_subsistema, cod_area, din_instante + INTERVAL 3 HOUR AS time,
                  val_cargaenergiahomwmed, year(din_instante + INTERVAL 3 HOUR) AS year,
                  month(din_instante + INTERVAL 3 HOUR) AS month
             FROM read_csv('{csv}', delim=';', header=true))
            TO '{out}' (FORMAT parquet, PARTITION_BY (year, month), COMPRESSION snappy)"""
    )
    row = connection.execute(f"SELECT sum(val_cargaenergiahomwmed) FROM '{out}/**/*.parquet'").fetchone()
    assert row is not None
    return float(row[0])


CONTENDERS = {
    "gridlake": run_gridlake,
    "pandas + pyarrow (local)": run_pandas,
    "pandas + awswrangler": run_awswrangler,
    "DuckDB": run_duckdb,
}


def contend(name: str, csv: Path) -> None:
    """Run one contender here and print what it took; imports are not part of the time."""
    # pyarrow imports pandas by itself on the first conversion, so its import is kept out of everybody's time.
    import pandas  # noqa: F401
    import pyarrow  # noqa: F401

    if "aws" in name:
        import awswrangler  # noqa: F401
    if name == "DuckDB":
        import duckdb  # noqa: F401
    if name == "gridlake":
        import gridlake.ingestion.pipeline  # noqa: F401
    before = resource.getrusage(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory(dir=csv.parent) as folder:
        started = time.perf_counter()
        total = CONTENDERS[name](csv, Path(folder) / "out")
        seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    answer = {
        "seconds": seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "sum": total,
        "extra_mb": (after.ru_maxrss - before.ru_maxrss) / 1024,
        "peak_mb": after.ru_maxrss / 1024,
    }
    print(json.dumps(answer))


def measure(name: str, csv: Path, rows: int, repeat: int) -> dict[str, object]:
    """Best of `repeat` runs, each in a fresh process."""
    runs = []
    for _ in range(repeat):
        command = [sys.executable, __file__, "--contender", name, str(csv)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
        runs.append(json.loads(done.stdout.strip().splitlines()[-1]))
    best = min(runs, key=lambda r: r["seconds"])
    return {
        "contender": name,
        "rows": rows,
        "mb": round(csv.stat().st_size / 1e6, 1),
        "seconds": round(best["seconds"], 3),
        "cpu_seconds": round(min(r["cpu_seconds"] for r in runs), 3),
        "rows_per_second": round(rows / best["seconds"]),
        "peak_mb": round(max(r["peak_mb"] for r in runs)),
        "extra_mb": round(max(r["extra_mb"] for r in runs)),
        "sum": best["sum"],
    }


def table(results: list[dict[str, object]]) -> str:
    """Results as a Markdown table."""
    names = ["contender", "rows", "mb", "seconds", "cpu_seconds", "rows_per_second", "peak_mb", "extra_mb"]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(r[n]) for n in names) + " |" for r in results]
    return "\n".join(lines)


def main() -> int:
    """Run the comparison, print it, and fail where the sums differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="also scale from 1 MB to 1 GB")
    parser.add_argument("--json", type=Path, help="write the results there")
    parser.add_argument("--contender", nargs=2, metavar=("NAME", "CSV"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        contend(options.contender[0], Path(options.contender[1]))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="csv-to-silver-"))
    try:
        csv = folder / "benchmark.csv"
        generate(csv, options.rows)
        results = [measure(name, csv, options.rows, options.repeat) for name in CONTENDERS]
        scaling = []
        if options.full:
            for megabytes in (1, 10, 100, 1000):
                rows = int(megabytes * 1e6 / 47)
                generate(csv, rows)
                scaling.append(measure("gridlake", csv, rows, 1))
    finally:
        shutil.rmtree(folder)
    seconds = {str(r["contender"]): float(str(r["seconds"])) for r in results}
    ratios = {name: round(took / seconds["gridlake"], 2) for name, took in seconds.items()}
    print(json.dumps({"results": results, "scaling": scaling, "times_gridlake": ratios}, indent=1))
    print(table(results))
    if scaling:
        print(table(scaling))
    if options.json:
        options.json.write_text(
            json.dumps({"results": results, "scaling": scaling, "times_gridlake": ratios}, indent=1)
        )
    sums = [float(str(r["sum"])) for r in results]
    same = all(abs(s - sums[0]) <= 1e-9 * abs(sums[0]) for s in sums)
    print("sums agree" if same else f"sums differ: {sums}")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
