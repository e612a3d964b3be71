"""The tour: from nothing to an answered question and a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridlake_cli import output
from gridlake_cli.client import Api
from gridlake_cli.commands.data import show_answer
from gridlake_cli.commands.files import progress, show_reports
from gridlake_cli.config import Target
from gridlake_cli.errors import CommandError
from gridlake_cli.ingest import Ingestor, report
from gridlake_cli.query import request_body

if TYPE_CHECKING:
    from gridlake_cli.main import Session
    from gridlake_local.platform import Status


def run(start: Callable[[], Status], session: Session, *, folder: Path, year: int) -> None:
    """Build, deploy, ingest, query, plot.

    Raises
    ------
    CommandError
        A file did not load, or the numbers of rows are not what the generator wrote.
    """
    _chapter("1. The SAM application, deployed on this machine")
    status = start()
    session.close()
    output.table(
        ["", ""], [["API", status.api_url], ["InfluxDB", status.influx_url], ["AWS", status.aws_endpoint]]
    )

    _chapter("2. Synthetic files in the operators' own formats, defects included")
    from gridlake_samples import generate

    samples = generate("demo", folder / "files", year=year)
    for sample in samples:
        output.out().print(
            f"  {sample.path.name:<40} {sample.rows_in:>8,} rows  {sample.about}", markup=False
        )

    _chapter("3. Ingest: upload, recognise, standardise, check, load")
    key = status.api_keys.get("premium") or next(iter(status.api_keys.values()))
    with Api(Target(str(status.api_url).rstrip("/"), key)) as api:
        with progress(wanted=True) as listen:
            jobs = Ingestor(api, publisher="samples", timeout=600, listen=listen).run(
                [s.path for s in samples]
            )
        reports = [report(job) for job in jobs]
        show_reports(reports)
        _reasons(reports)
        _check(samples, reports)

        _chapter("4. A question over HTTP with an API key")
        body = request_body(
            "ons_load_hourly",
            measures=["load_mw"],
            filters=[],
            units=["GW"],
            group_by=["subsystem"],
            start=f"{year}-01-01",
            end=f"{year}-02-01",
            window="1d",
            aggregate="mean",
        )
        output.out().print(f"POST {status.api_url}/timeseries/query\n{body}\n", markup=False, style="dim")
        answer = api.post("/timeseries/query", body)
        show_answer(answer, rows=8)
        _sparklines(answer)

    from gridlake_cli.plot import draw

    plot = folder / "load.png"
    draw(answer, plot)
    _chapter("5. Done")
    _next_steps(plot, status)


def _chapter(title: str) -> None:
    output.out().print(f"\n[bold cyan]{title}[/]")


def _reasons(reports: list[dict[str, Any]]) -> None:
    rows = [
        [Path(entry["file"]).name, quarantined["reason"], quarantined["count"]]
        for entry in reports
        for quarantined in entry["quarantine"]
    ]
    if rows:
        output.table(["file", "quarantined because", "rows"], rows, numbers=(2,))


def _check(samples: list[Any], reports: list[dict[str, Any]]) -> None:
    """Hold what was loaded against what the generator wrote."""
    for sample, entry in zip(samples, reports, strict=True):
        if entry["error"]:
            raise CommandError(
                f"{sample.path.name} did not load: {entry['error'].get('message')}",
                hint=entry["error"].get("hint"),
            )
        if entry["dataset"] != sample.dataset:
            raise CommandError(
                f"{sample.path.name} was taken for {entry['dataset']}, it is {sample.dataset}."
            )
        quarantined = sum(sample.quarantined.values())
        if (entry["rows_in"], entry["rows_quarantined"]) != (sample.rows_in, quarantined):
            raise CommandError(
                f"{sample.path.name}: {entry['rows_in']} rows read and {entry['rows_quarantined']} quarantined, "
                f"the generator wrote {sample.rows_in} and {quarantined} of them wrong.",
                hint="This is a defect of Gridlake; please report it.",
            )
    output.out().print("[green]every row is accounted for[/]: rows read = loaded + quarantined, as generated")


def _sparklines(answer: dict[str, Any]) -> None:
    names = [column["name"] for column in answer["columns"]]
    tag, value = names.index("subsystem"), names.index("load_mw")
    series: dict[str, list[float | None]] = {}
    for row in answer["rows"]:
        series.setdefault(str(row[tag]), []).append(row[value])
    for name, values in series.items():
        output.out().print(f"  {name:<4}{output.sparkline(values)}", markup=False)


def _next_steps(plot: Path, status: Status) -> None:
    lines = [
        f"plot             {plot}",
        "go on            gridlake datasets",
        "                 gridlake ingest YOUR_FILE.csv",
        "                 gridlake query ons_energy_balance_hourly --measure solar_generation_mw --window 1d --aggregate mean",
        "                 gridlake verify",
        "stop             gridlake down",
        f"over HTTP        curl -H 'x-api-key: KEY' {status.api_url}/datasets   (keys: gridlake status)",
    ]
    output.out().print("\n".join(lines), markup=False)
    output.out().print(
        "the command is .venv/bin/gridlake (`source .venv/bin/activate` makes it gridlake)", style="dim"
    )
