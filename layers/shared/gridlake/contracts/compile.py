"""``python -m gridlake.contracts.compile CONTRACTS_DIR OUT.json``: the built-in contracts for the shared layer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gridlake.contracts.odcs import parse
from gridlake.contracts.registry import read_folder
from gridlake.platform.errors import ContractError


def compile_contracts(folder: Path, out: Path) -> int:
    """Write the contracts of a folder as one JSON file and return how many there are.

    The output depends on the contents only (sorted, no dates), so an unchanged folder gives an unchanged layer.

    Raises
    ------
    ContractError
        A file is no contract, or two files describe one dataset.
    """
    documents = sorted(read_folder(folder), key=lambda document: str(document.get("id")))
    names = [parse(document).dataset for document in documents]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ContractError(f"more than one file under {folder.name} describes {', '.join(twice)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"contracts": documents}, ensure_ascii=False, separators=(",", ":"), default=str)
    out.write_text(text, encoding="utf-8")
    return len(documents)


def main(arguments: list[str]) -> int:
    """Command line; the exit code is 2 for wrong usage and 1 for a wrong contract."""
    if len(arguments) != 2:
        print("usage: python -m gridlake.contracts.compile CONTRACTS_DIR OUT.json", file=sys.stderr)
        return 2
    try:
        count = compile_contracts(Path(arguments[0]), Path(arguments[1]))
    except ContractError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{count} contracts compiled")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
