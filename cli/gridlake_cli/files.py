"""From what was typed to files that exist."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from gridlake_cli.errors import UNUSABLE, CommandError


def expand(arguments: Iterable[str]) -> list[Path]:
    """Files named by `arguments`; patterns that the shell left alone are expanded here.

    Raises
    ------
    CommandError
        A file that does not exist or can't be read, a folder, a pattern that matches nothing. Nothing has been uploaded then.
    """
    files: list[Path] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        if path.is_dir():
            raise _unusable(
                f"{argument} is a folder.",
                "Name its files: gridlake ingest " + str(path / "*.csv"),
                "is_a_folder",
            )
        if path.exists():
            files.append(path)
            continue
        if glob.has_magic(argument):
            matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207 absolute too
            matches = [match for match in matches if match.is_file()]
            if not matches:
                raise _unusable(
                    f"No file matches {argument}.", "Check the folder and the pattern.", "no_match"
                )
            files += matches
            continue
        raise _unusable(
            f"{argument}: no such file.", "Check the path; nothing was uploaded.", "file_not_found"
        )
    for path in files:
        _check_readable(path)
    return files


def repeated_names(files: Iterable[Path]) -> list[str]:
    """File names that occur in more than one folder: on upload the later replaces the earlier."""
    distinct = {path.resolve() for path in files}
    return sorted(name for name, count in Counter(path.name for path in distinct).items() if count > 1)


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unusable(
            f"{path} can't be read: {error.strerror}.",
            "Check its permissions; nothing was uploaded.",
            "unreadable",
        ) from error


def _unusable(text: str, hint: str, code: str) -> CommandError:
    return CommandError(text, hint=hint, code=code, exit_code=UNUSABLE)
