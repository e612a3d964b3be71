"""`datasets`, `query`, `verify`: what is in the lake and in InfluxDB."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

PANEL = "Data"
_JSON = typer.Option("--json", help="Print JSON.")


class Order(StrEnum):
    """Order of the rows by time."""

    ASC = "asc"
    DESC = "desc"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (datasets, query, verify):
        app.command(rich_help_panel=PANEL)(command)


def datasets(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show one in full.")] = None,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """List the datasets, or describe one: measures, units, tags, what is loaded.

    Example: gridlake datasets ons_load_hourly
    """
    from gridlake_cli import output

    if name:
        found = ctx.obj.api.get(f"/datasets/{name}")
        if as_json:
            output.print_json(found)
        else:
            show_dataset(found)
        return
    answer = ctx.obj.api.get("/datasets")
    items = answer["items"]
    if as_json:
        output.print_json(items)
        return
    output.table(
        ["dataset", "title", "kind", "interval", "rows", "from", "to"],
        [
            [
                item["dataset"],
                _title(item),
                item.get("kind"),
                item.get("interval"),
                item.get("rows"),
                (item.get("start") or "")[:10],
                (item.get("end") or "")[:10],
            ]
            for item in items
        ],
        numbers=(4,),
    )


def _title(item: dict[str, Any]) -> str:
    title = item.get("title") or ""
    return str(title.get("en") or next(iter(title.values()), "")) if isinstance(title, dict) else str(title)


def show_dataset(dataset: dict[str, Any]) -> None:
    """One dataset: its facts, then its measures and tags."""
    from gridlake_cli import output

    lists = {name: value for name, value in dataset.items() if isinstance(value, list) and value}
    facts = {
        name: value for name, value in dataset.items() if name not in lists and value not in (None, "", {})
    }
    output.table(["", ""], [[name, value] for name, value in facts.items()])
    for name, entries in lists.items():
        if all(isinstance(entry, dict) for entry in entries):
            columns = ["name", "unit", "type", "combine", "members", "published_as", "description"]
            columns = [column for column in columns if any(entry.get(column) for entry in entries)]
            output.table(
                columns, [[_brief(entry.get(column)) for column in columns] for entry in entries], title=name
            )
        else:
            output.table([name], [[entry] for entry in entries])


def _brief(value: Any) -> Any:
    """Members by their codes, everything else as it is."""
    if isinstance(value, list):
        return [entry.get("code", entry) if isinstance(entry, dict) else entry for entry in value]
    return value


def query(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Dataset to ask, e.g. ons_load_hourly.")],
    measure: Annotated[list[str] | None, typer.Option(help="Measure; may be repeated. Default: all.")] = None,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help="TAG=VALUE; repeated for several tags or values.", metavar="TAG=VALUE"),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(help="Date or time, inclusive, in the dataset's zone. Default: first loaded."),
    ] = None,
    end: Annotated[str | None, typer.Option(help="Date or time, exclusive. Default: last loaded.")] = None,
    window: Annotated[str | None, typer.Option(help="15m, 1h, 1d, 1w, 1mo, 1q, 1y …")] = None,
    aggregate: Annotated[str | None, typer.Option(help="mean, sum, min, max, count, median …")] = None,
    group_by: Annotated[
        list[str] | None, typer.Option(help="Tag to keep apart; `none` merges all.", metavar="TAG")
    ] = None,
    order: Annotated[Order, typer.Option(help="Order by time.")] = Order.ASC,
    limit: Annotated[int | None, typer.Option(help="At most so many rows.", min=1)] = None,
    unit: Annotated[
        list[str] | None, typer.Option(help="Output unit: GW, or MEASURE=GW.", metavar="[MEASURE=]UNIT")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print columns, rows, unit and query as JSON.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the rows into this PNG file.", metavar="FILE.png")
    ] = None,
) -> None:
    """Ask for a time series over HTTP.

    Example: gridlake query ons_load_hourly --measure load_mw --filter subsystem=SE --start 2024-01-01 --end 2024-02-01
    --window 1d --aggregate mean --unit GW --plot load.png
    """
    from gridlake_cli import output
    from gridlake_cli.query import ask, request_body, write_csv

    if as_json and as_csv:
        raise typer.BadParameter("choose one of --json and --csv")
    body = request_body(
        dataset,
        measures=measure or [],
        filters=filters or [],
        start=start,
        end=end,
        window=window,
        aggregate=aggregate,
        group_by=group_by or None,
        order=order.value,
        limit=limit,
        units=unit or [],
    )
    answer = ask(ctx.obj.api, body)
    if plot:
        from gridlake_cli.plot import draw

        draw(answer, plot)
    if as_json:
        output.print_json(answer)
    elif as_csv:
        write_csv(answer)
    else:
        show_answer(answer)
    if plot:
        output.message(f"plot written to {plot}")


def show_answer(answer: dict[str, Any], *, rows: int | None = None) -> None:
    """Rows as a table, then the rendered query and what the API noticed."""
    from gridlake_cli import output
    from gridlake_cli.query import heading, local_times, query_text

    columns = answer["columns"]
    shown = local_times(answer, answer["rows"] if rows is None else answer["rows"][:rows])
    numbers = [i for i, column in enumerate(columns) if column.get("type") in {"number", "integer"}]
    output.table([heading(column) for column in columns], shown, numbers=numbers)
    left = len(answer["rows"]) - len(shown)
    if left > 0:
        output.message(f"… and {left:,} rows more", style="dim")
    if answer.get("truncated") and not answer.get("notices"):
        output.message(
            "The answer is cut at the limit: narrow the range, widen the window, or raise --limit.",
            style="yellow",
        )
    for notice in answer.get("notices") or []:
        output.message(str(notice), style="yellow")
    for text in query_text(answer):
        output.message(text, style="dim")


def verify(
    ctx: typer.Context,
    dataset: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="Default: every dataset.")
    ] = None,
    start: Annotated[str | None, typer.Option(help="From this date.")] = None,
    end: Annotated[str | None, typer.Option(help="To this date, exclusive.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait.", min=1)] = 900,
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Compare the lake with InfluxDB by count and value checksum per month; exit code 1 if they differ.

    Example: gridlake verify ons_load_hourly --start 2024-01-01
    """
    from gridlake_cli import output
    from gridlake_cli.verify import show, verification

    answer = verification(ctx.obj.api, dataset=dataset, start=start, end=end, timeout=timeout)
    if as_json:
        output.print_json(answer)
    else:
        show(answer)
    if not answer["equal"]:
        raise typer.Exit(1)
