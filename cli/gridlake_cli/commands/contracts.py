"""`contracts`: draft, add, list, show, validate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Dataset contracts (ODCS v3): one YAML file says all about a dataset.", no_args_is_help=True
)
_JSON = typer.Option("--json", help="Print JSON.")


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(help="A file of an unknown table.")],
    output_file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the draft here instead of standard output.")
    ] = None,
) -> None:
    """Propose a contract for an unknown file. Works without a platform.

    Example: gridlake contracts draft transformer.csv -o transformer.yaml
    """
    import sys

    from gridlake.platform.errors import GridlakeError
    from gridlake_cli import output
    from gridlake_cli.errors import CommandError
    from gridlake_cli.files import expand

    (path, *_) = expand([str(file)])
    try:
        text = _draft(path)
    except GridlakeError as error:
        raise CommandError(f"{path}: {error.message}", hint=error.hint, code=error.error_code) from error
    if output_file is None:
        sys.stdout.write(text)
        return
    try:
        output_file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{output_file} can't be written: {error.strerror}.", code="not_writable"
        ) from error
    output.message(f"Draft written to {output_file}. Read it, then: gridlake contracts add {output_file}")


def _draft(path: Path) -> str:
    from gridlake.contracts.draft import draft as propose
    from gridlake.contracts.draft import to_yaml
    from gridlake.ingestion.detect import sniff
    from gridlake.ingestion.facts import Limits
    from gridlake.ingestion.profiling import profile_file

    facts = sniff(path, filename=path.name)
    return to_yaml(propose(profile_file(path, facts, limits=Limits()), filename=path.name))


@app.command()
def validate(
    files: Annotated[list[Path], typer.Argument(help="Contract files.")],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Check contracts; every problem names file, line and column. Works without a platform.

    Example: gridlake contracts validate contracts/ons/*.yaml
    """
    from gridlake_cli import output

    problems: list[dict[str, Any]] = []
    for file in files:
        found = _problems(file)
        problems += found
        if not found and not as_json:
            output.out().print(f"{file}: [green]ok[/]")
    if as_json:
        output.print_json(problems)
    else:
        _print_problems(problems)
    if _refused(problems):
        raise typer.Exit(1)


def _print_problems(problems: list[dict[str, Any]]) -> None:
    from gridlake_cli import output

    for entry in problems:
        output.out().print(
            f"{entry['file']}:{entry['line']}:{entry['column']}: {entry['severity']}: {entry['message']}",
            markup=False,
        )


def _refused(problems: list[dict[str, Any]]) -> bool:
    return any(entry["severity"] == "error" for entry in problems)


def _problems(file: Path) -> list[dict[str, Any]]:
    from dataclasses import asdict

    from gridlake.contracts.validation import validate as check
    from gridlake.platform.errors import GridlakeError

    try:
        _, problems = check(_read(file), filename=str(file))
    except GridlakeError as error:
        listed = error.details.get("problems")
        if listed:
            return [entry if isinstance(entry, dict) else asdict(entry) for entry in listed]
        place = {"line": error.details.get("line", 1), "column": error.details.get("column", 1)}
        return [{"file": str(file), **place, "message": error.message, "severity": "error"}]
    return [asdict(problem) for problem in problems]


@app.command()
def add(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Contract file (YAML).")],
    as_json: Annotated[bool, _JSON] = False,
) -> None:
    """Register a contract at run time: validated, versioned, kept in the lake; no deployment.

    Example: gridlake contracts add transformer.yaml
    """
    from gridlake_cli import output

    # Here the file has a name and all problems are shown; the service checks again, beside what it has registered.
    problems = _problems(file)
    if _refused(problems):
        if as_json:
            output.print_json(problems)
        else:
            _print_problems(problems)
        raise typer.Exit(1)
    answer = ctx.obj.api.post("/contracts", {"contract": _read(file)})
    if as_json:
        output.print_json(answer)
    else:
        output.message(f"{answer.get('dataset', file)} {answer.get('version', '')} is registered.")


@app.command("list")
def list_(ctx: typer.Context, as_json: Annotated[bool, _JSON] = False) -> None:
    """List the registered contracts with their versions.

    Example: gridlake contracts list
    """
    from gridlake_cli import output

    answer = ctx.obj.api.get("/datasets")
    items = answer["items"]
    if as_json:
        output.print_json(items)
        return
    columns = ("dataset", "contract_version", "status", "publisher", "kind")
    output.table(columns, [[item.get(name) for name in columns] for item in items])


@app.command()
def show(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Dataset, e.g. ons_load_hourly.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of YAML.")] = False,
) -> None:
    """Print the contract of a dataset.

    Example: gridlake contracts show ons_load_hourly
    """
    import sys

    from gridlake_cli import output

    if as_json:
        output.print_json(ctx.obj.api.get(f"/contracts/{dataset}"))
    else:
        sys.stdout.write(ctx.obj.api.text(f"/contracts/{dataset}", format="yaml").rstrip() + "\n")


def _read(file: Path) -> str:
    from gridlake_cli.errors import UNUSABLE, CommandError

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandError(
            f"{file} can't be read: {reason}.", hint="Check the path.", code="unreadable", exit_code=UNUSABLE
        ) from error
