"""`samples`: synthetic files in the publishers' own formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Synthetic sample files in the publishers' own formats.", no_args_is_help=True)


class Set(StrEnum):
    """Sets of sample files."""

    DEMO = "demo"
    FORMATS = "formats"
    DEFECTS = "defects"
    LARGE = "large"


@app.callback()
def group() -> None:
    """Keep `generate` a command of its own when it is the only one."""


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="Folder to write into.")],
    which: Annotated[Set, typer.Option("--set", help="Which files.")] = Set.DEMO,
    year: Annotated[int, typer.Option(help="Year of the data.", min=2000, max=2100)] = 2024,
    seed: Annotated[int, typer.Option(help="Equal seeds write equal files.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Write sample files and manifest.json, which says what each must give when ingested.

    Example: gridlake samples generate /tmp/samples --set defects
    """
    from gridlake_cli import output
    from gridlake_cli.errors import CommandError
    from gridlake_samples import generate as write

    try:
        files = write(which.value, folder, seed=seed, year=year)
    except OSError as error:
        raise CommandError(f"{folder} can't be written: {error.strerror}.", code="not_writable") from error
    if as_json:
        output.print_json([file.as_dict(folder) for file in files])
        return
    output.table(
        ["file", "dataset", "rows", "to be quarantined", "about"],
        [[f.path.name, f.dataset, f.rows_in, f.quarantined, f.about] for f in files],
        numbers=(2,),
    )
    output.message(f"{len(files)} synthetic files in {folder}, what each must give in manifest.json")
