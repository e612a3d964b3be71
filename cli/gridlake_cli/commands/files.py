"""`ingest`, `ingestions`, `redrive`: files on their way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gridlake_cli.ingest import Job

PANEL = "Data"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (ingest, ingestions, redrive):
        app.command(rich_help_panel=PANEL)(command)


def ingest(
    ctx: typer.Context,
    files: Annotated[
        list[str], typer.Argument(help="Files to ingest.", metavar="FILE...", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of reports.")] = False,
    accept_draft: Annotated[
        bool, typer.Option(help="Register the drafted contract of an unknown table and load it.")
    ] = False,
    publisher: Annotated[
        str | None, typer.Option(help="Folder of the raw bucket.", show_default="uploads")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the results.", min=1)] = 900,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the results.")] = True,
) -> None:
    """Upload files, wait until each is loaded, say what became of every row.

    Example: gridlake ingest CURVA_CARGA_2024.csv 'prices/*.xlsx' --json
    """
    from gridlake_cli import output
    from gridlake_cli.files import expand, repeated_names
    from gridlake_cli.ingest import Ingestor, report

    paths = expand(files)
    for name in repeated_names(paths):
        output.message(
            f"Several files are called {name}: the last one replaces the others. "
            "Ingest them with different --publisher to keep all.",
            style="yellow",
        )
    with progress(not as_json) as listen:
        jobs = Ingestor(ctx.obj.api, publisher=publisher, timeout=timeout, listen=listen).run(
            paths, wait=wait
        )
    if accept_draft:
        _accept(ctx, jobs, timeout)
    reports = [report(job) for job in jobs]
    if as_json:
        output.print_json(reports)
    else:
        show_reports(reports)
    if any(entry["status"] == "failed" or entry["error"] for entry in reports):
        raise typer.Exit(1)


def ingestions(
    ctx: typer.Context,
    ingestion_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show one in full.")] = None,
    status: Annotated[str | None, typer.Option(help="Only of this status, e.g. failed.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Only of this dataset.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List ingestions, newest first, or show one.

    Example: gridlake ingestions --status failed
    """
    from gridlake_cli import output

    api = ctx.obj.api
    if ingestion_id:
        record = api.get(f"/ingestions/{ingestion_id}")
        if as_json:
            output.print_json(record)
        else:
            show_record(record)
        return
    items = list(api.pages("/ingestions", limit=limit, status=status, dataset=dataset))
    if as_json:
        output.print_json(items)
        return
    if not items:
        output.message("No ingestions" + (f" with status {status}" if status else "") + ".")
        return
    output.table(
        ["received", "status", "file", "dataset", "rows", "loaded", "quarantined", "id"],
        [
            [
                str(item.get("received_at", ""))[:19],
                str(item.get("status", "")),
                item.get("file"),
                item.get("dataset"),
                item.get("rows_in"),
                item.get("rows_loaded"),
                item.get("rows_quarantined"),
                item.get("ingestion_id"),
            ]
            for item in items
        ],
        numbers=(4, 5, 6),
    )


def redrive(
    ctx: typer.Context,
    ingestion_id: Annotated[str, typer.Argument(metavar="ID", help="Ingestion to run again.")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait for its end.", min=1)] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run an ingestion again, from its raw file.

    Example: gridlake redrive ing-0f3b6c1d2e4a5b6c7d8e
    """
    from gridlake_cli import output
    from gridlake_cli.ingest import redrive as run_again
    from gridlake_cli.ingest import report

    with progress(not as_json) as listen:
        done = report(run_again(ctx.obj.api, ingestion_id, timeout=timeout, listen=listen))
    if as_json:
        output.print_json(done)
    else:
        show_reports([done])
    if done["status"] == "failed" or done["error"]:
        raise typer.Exit(1)


def _accept(ctx: typer.Context, jobs: list[Job], timeout: float) -> None:
    from gridlake_cli.errors import CommandError
    from gridlake_cli.ingest import accept_draft

    for job in jobs:
        if job.status != "uncatalogued":
            continue
        try:
            accept_draft(ctx.obj.api, job, timeout=timeout)
        except CommandError as error:
            job.error = error.as_dict()


def show_reports(reports: list[dict[str, Any]]) -> None:
    """Table of what was ingested, then what needs attention."""
    from pathlib import Path

    from gridlake_cli import output

    output.table(
        ["file", "status", "dataset", "rows", "loaded", "quarantined", "points", "seconds", "reasons"],
        [
            [
                Path(entry["file"]).name,
                entry["status"],
                entry["dataset"],
                entry["rows_in"],
                entry["rows_loaded"],
                entry["rows_quarantined"],
                entry["points_written"],
                entry["seconds"],
                "unchanged" if entry["unchanged"] else output.reasons(entry),
            ]
            for entry in reports
        ],
        numbers=(3, 4, 5, 6, 7),
    )
    for entry in reports:
        if entry["error"]:
            error = entry["error"]
            output.show_error(
                f"{entry['file']}: {error.get('message')} [{error.get('code')}]", error.get("hint")
            )
        elif entry["status"] == "uncatalogued":
            output.message(
                f"{entry['file']} fits no contract; it is kept as silver/uncatalogued. "
                "Make it a series with: gridlake ingest --accept-draft " + entry["file"],
                style="yellow",
            )
        elif entry["status"] == "superseded":
            output.message(f"{entry['file']}: a newer upload of the same name took its place.", style="dim")


def show_record(record: dict[str, Any]) -> None:
    """One ingestion in full, a line for each value."""
    from gridlake_cli import output

    output.table(["", ""], list(_lines(record)))


def _lines(record: dict[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if value in (None, "", {}, []):
            continue
        if isinstance(value, dict):
            yield from _lines(value, f"{parent}{name}.")
        elif isinstance(value, list):
            yield from ((f"{parent}{name}", entry) for entry in value)
        else:
            yield f"{parent}{name}", value


@contextmanager
def progress(wanted: bool) -> Iterator[Callable[[Job], None]]:
    """A bar for each of a few files, one bar for many; nothing unless standard error is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from gridlake_cli.output import err

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[stage]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err(), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def listen(job: Job) -> None:
            name = str(job.path)
            if name not in tasks:
                shown = len(tasks) < 12
                tasks[name] = bars.add_task(job.path.name, total=max(job.size, 1), stage="", visible=shown)
            state = "done" if job.done else job.stage
            bars.update(tasks[name], completed=max(job.sent, 1 if job.done else 0), stage=state)
            if job.done:
                bars.update(tasks[name], stage=job.status)

        yield listen
