"""Hash of everything a layer is built from.

`functions/Makefile` writes it into each function's artifact, so a changed layer changes the function's own code and
`AutoPublishAlias` publishes a new version. Without it SAM publishes nothing when only a layer changes, and the alias
silently stays on the old one. SAM hashes templates with parameters unresolved as well, so that a changed parameter alone
publishes nothing either: the file with the parameters of the environments is therefore part of every hash.

Usage: ``python content_hash.py shared [dataframes]`` prints one SHA-256. Standard library only: it runs within `sam build`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = {
    "shared": ("layers/shared", "layers/common.mk", "contracts"),
    "dataframes": ("layers/dataframes", "layers/common.mk"),
}
"""What each layer is made from: its folder, the common build rules, the contracts compiled into it."""

PARAMETERS = "samconfig.toml"


def files(source: Path) -> Iterator[Path]:
    """The files below `source`, without caches and hidden ones, in an order that does not depend on the disk."""
    if source.is_file():
        yield source
        return
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if path.is_file() and not any(p.startswith(".") or p in ("__pycache__", "out") for p in parts):
            yield path


def content_hash(layers: list[str], root: Path = ROOT) -> str:
    """SHA-256 over names and bytes of the sources of `layers`; moving a file counts as a change."""
    digest = hashlib.sha256()
    for layer in layers:
        for source in (*SOURCES[layer], PARAMETERS):
            for path in files(root / source):
                content = path.read_bytes()
                digest.update(f"{layer}:{path.relative_to(root).as_posix()}:{len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(f"{content_hash(sys.argv[1:])}\n")
