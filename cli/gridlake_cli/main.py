"""The `gridlake` command line: global options and the list of commands."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from gridlake_cli import __version__
from gridlake_cli.errors import CommandError

if TYPE_CHECKING:
    from gridlake_cli.client import Api

EXAMPLES = """
Files of grid operators in, answers with numbers out.

[bold]Examples[/]

  gridlake up                            start everything on this machine

  gridlake ingest CURVA_CARGA_2024.csv   upload, wait, report row by row

  gridlake query ons_load_hourly --measure load_mw --window 1d

  gridlake verify                        compare the lake with InfluxDB

Without --url the local platform is used.
Exit codes: 0 done, 1 the operation failed, 2 wrong usage or unreachable.
"""


class Group(TyperGroup):
    """Shows expected failures as one message, whatever command raised them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn a CommandError into its exit code."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            from gridlake_cli.output import show_error

            show_error(error.message, error.hint)
            raise typer.Exit(error.exit_code) from error


class Session:
    """What the global options say; the connection is opened when a command first needs it."""

    def __init__(self, url: str | None, key: str | None) -> None:
        self._url, self._key = url, key
        self._api: Api | None = None

    @property
    def api(self) -> Api:
        """The API that the options, the environment or the local platform name."""
        if self._api is None:
            from gridlake_cli.client import Api
            from gridlake_cli.config import resolve

            self._api = Api(resolve(self._url, self._key))
        return self._api

    def close(self) -> None:
        """Give the connection back."""
        if self._api is not None:
            self._api.close()


app = typer.Typer(
    cls=Group,
    help=EXAMPLES,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gridlake {__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(envvar="GRIDLAKE_API_URL", help="URL of the API, stage included.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="GRIDLAKE_API_KEY", help="Key of the API.", show_envvar=True)
    ] = None,
    version: Annotated[  # noqa: ARG001 handled by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Remember the global options."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text, and a terminal need not know every letter; in JSON what comes of it is an escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    ctx.obj = Session(url, api_key)
    ctx.call_on_close(ctx.obj.close)


def _register() -> None:
    from gridlake_cli.commands import contracts, data, files, platform, samples

    for module in (files, data, platform):
        module.register(app)
    app.add_typer(contracts.app, name="contracts", rich_help_panel="Contracts and samples")
    app.add_typer(samples.app, name="samples", rich_help_panel="Contracts and samples")


_register()


def run() -> None:
    """Entry point: no traceback reaches a user."""
    try:
        app(prog_name="gridlake")
    except BrokenPipeError:
        # What read our output has closed it, as `head` does: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; uploads that arrived go on by themselves: gridlake ingestions\n")
        raise SystemExit(130) from None
    except Exception as error:
        if os.environ.get("GRIDLAKE_DEBUG"):
            raise
        from gridlake_cli.output import show_error

        show_error(
            f"Something unforeseen went wrong ({type(error).__name__}: {error}).",
            "Run it again with GRIDLAKE_DEBUG=1 to see where, and report it.",
        )
        raise SystemExit(1) from error
