"""`up`, `down`, `status`, `demo`: the local platform."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from gridlake_local.platform import Status

PANEL = "Local platform"


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    for command in (up, down, status, demo):
        app.command(rich_help_panel=PANEL)(command)


def up(
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Run sam build when sources changed.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON.")] = False,
) -> None:
    """Build the SAM application, start the local AWS and InfluxDB, deploy. A second time: only what changed.

    Example: GRIDLAKE_STATE=/tmp/second gridlake up
    """
    show_status(start(build=build), as_json)


def down(
    purge: Annotated[bool, typer.Option(help="Also forget all data of the local platform.")] = False,
) -> None:
    """Stop the local platform; its data stays unless purged.

    Example: gridlake down --purge
    """
    from gridlake_cli import output
    from gridlake_cli.config import platform

    with local_failures():
        platform().down(purge=purge)
    output.message("stopped" + (" and purged" if purge else "; its data stays for the next `gridlake up`"))


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what runs where, with the URL and the keys of the API; exit code 1 when the platform is down.

    Example: gridlake status --json
    """
    from gridlake_cli.config import platform

    with local_failures():
        now = platform().status()
    show_status(now, as_json)
    if not now.running:
        raise typer.Exit(1)


def demo(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where the sample files and the plot go.", show_default="out/demo")
    ] = None,
    year: Annotated[int, typer.Option(help="Year of the sample data.")] = 2024,
) -> None:
    """Everything once: build, deploy, ingest sample files, query over HTTP, plot. May be run again.

    Example: gridlake demo
    """
    from gridlake_cli.demo import run

    run(start, ctx.obj, folder=folder or Path("out") / "demo", year=year)


def start(*, build: bool = True) -> Status:
    """Bring the local platform up, saying what it does."""
    from gridlake_cli.config import platform

    with local_failures(), _steps() as step:
        return platform().up(build=build, progress=step)


@contextmanager
def local_failures() -> Iterator[None]:
    """Failures of the local platform as messages of the command."""
    import subprocess

    from gridlake.platform.errors import GridlakeError
    from gridlake_cli.errors import CommandError

    try:
        yield
    except GridlakeError as error:
        raise CommandError(error.message, hint=error.hint, code=error.error_code) from error
    except subprocess.CalledProcessError as error:
        said = (
            (error.stderr or error.stdout or b"")
            if isinstance(error.stderr or error.stdout, bytes | None)
            else ""
        )
        tail = (
            said.decode(errors="replace") if isinstance(said, bytes) else str(error.stderr or error.stdout)
        )[-1500:]
        command = error.cmd if isinstance(error.cmd, str) else " ".join(map(str, error.cmd[:3]))
        raise CommandError(
            f"{command} failed with exit code {error.returncode}.\n{tail}".rstrip(),
            hint="The log is in the state folder; `gridlake down --purge` starts afresh.",
            code="platform_failed",
        ) from error
    except (OSError, RuntimeError, TimeoutError) as error:
        raise CommandError(
            f"The local platform failed: {error}",
            hint="Look at the logs in the state folder (`gridlake status`); `gridlake down --purge` starts afresh.",
            code="platform_failed",
        ) from error


@contextmanager
def _steps() -> Iterator[Callable[..., None]]:
    """Show the steps of `up` on standard error: a spinner on a terminal, lines in a log."""
    from gridlake_cli.output import err

    console = err()
    if not sys.stderr.isatty():
        yield lambda *words: console.print("·", *words, style="dim", markup=False)
        return
    with console.status("starting", spinner="dots") as spinner:

        def step(*words: Any) -> None:
            text = " ".join(map(str, words))
            console.print(f"[green]·[/] {text}")
            spinner.update(text)

        yield step


def show_status(now: Status, as_json: bool) -> None:
    """The status as a table or as JSON."""
    from dataclasses import asdict

    from gridlake_cli import output

    facts = asdict(now)
    if as_json:
        output.print_json(facts)
        return
    if not now.running:
        output.message("The local platform is not running. Start it with: gridlake up")
        return
    shown = {
        "API": now.api_url,
        **{f"API key ({tier})": key for tier, key in now.api_keys.items()},
        "InfluxDB": f"{now.influx_url} (version {now.influx_version})",
        "AWS": now.aws_endpoint,
    }
    output.table(["", ""], [[name, value] for name, value in shown.items()])
