"""``python -m gridlake.contracts.pages CONTRACTS_DIR OUT_DIR [--check]``: a page of documentation per dataset."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from gridlake.contracts.model import Column, Contract, Derivation, Role, Rule, TimeSpec, Words
from gridlake.contracts.registry import Registry, read_folder

_DERIVED = {
    "pair": "the pair of {0} and {1}",
    "signed_by_pair": "{0}, negated where {1} and {2} run against the order",
    "ordinal": "order among rows with an equal key",
    "header": "the header of the value columns",
}


def render(contracts: tuple[Contract, ...]) -> dict[str, str]:
    """Pages by file name, the index included."""
    pages = {f"{contract.dataset}.md": _page(contract) for contract in contracts}
    return pages | {"README.md": _index(contracts)}


def _index(contracts: tuple[Contract, ...]) -> str:
    lines = [
        "# Datasets",
        "",
        "Generated from `contracts/` by `python -m gridlake.contracts.pages contracts docs/datasets`.",
        "",
        "| dataset | publisher | interval | measures |",
        "|---|---|---|---|",
    ]
    for contract in contracts:
        interval = (contract.time.interval or "events") if contract.time else "register"
        shown = [field.name for field in contract.fields[:4]]
        more = f" and {len(contract.fields) - 4} more" if len(contract.fields) > 4 else ""
        link = f"[{contract.title['en']}]({contract.dataset}.md)"
        lines.append(f"| {link} | {contract.publisher} | {interval} | {', '.join(shown)}{more} |")
    return "\n".join(lines) + "\n"


def _page(contract: Contract) -> str:
    parts = [
        f"# {contract.title['en']}",
        f"*{contract.title.get('pt', '')}* · `{contract.dataset}` version {contract.version} · "
        f"[source]({contract.source_url}) · {contract.licence}",
        contract.description,
        f"**Limitations.** {contract.limitations}" if contract.limitations else "",
        "Generated from the contract; change that, not this page.",
        *_files(contract),
        *(_time(contract.time) if contract.time else ()),
        *_columns("Measures", contract.fields),
        *_columns("Tags", contract.tags),
        *_members(contract),
        *_columns("Attributes (lake only)", contract.attributes),
        *_columns("Ignored", tuple(c for c in contract.columns if c.role is Role.IGNORED)),
        *_rules(contract.rules),
        *_synonyms(contract),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _files(contract: Contract) -> Iterator[str]:
    names = ", ".join(f"`{pattern}`" for pattern in contract.file_patterns)
    yield "## Files"
    yield f"Recognised by the columns below and, where another dataset has the same, by names like {names}."
    if contract.merge_surplus_into:
        yield f"Fields beyond the header are joined back into `{contract.merge_surplus_into}`."


def _time(time: TimeSpec) -> Iterator[str]:
    yield "## Time"
    stamp = "start" if time.stamp == "start" else "end"
    interval = f" of {time.interval}" + (" or finer" if time.interval_varies else "") if time.interval else ""
    what = f"{stamp} of an interval{interval}" if time.interval else "instant of the event"
    rows = [
        f"- published in {', '.join(f'`{column}`' for column in time.columns)}, zone {time.zone}: {what}; "
        "the lake holds the start in UTC",
        f"- formats: {', '.join(f'`{text}`' for text in time.formats)}",
    ]
    if time.period_column:
        rows.append(f"- `{time.period_column}` counts the intervals of the local day from 1")
    if time.shift:
        rows.append(f"- shifted by {time.shift}")
    if time.end_of_day:
        rows.append(f"- {time.end_of_day} means 24:00")
    rows.append(
        f"- the local hour that exists twice: {time.ambiguous}; the one that doesn't exist: {time.nonexistent}"
    )
    yield "\n".join(rows)


def _columns(heading: str, columns: tuple[Column, ...]) -> Iterator[str]:
    if not columns:
        return
    lines = ["| column | published as | unit | meaning |", "|---|---|---|---|"]
    for column in columns:
        marks = [word for word, true in (("key", column.key), ("optional", column.optional)) if true]
        meaning = " ".join(text for text in (column.label.get("en", ""), _brackets(marks)) if text)
        text = ". ".join(part for part in (meaning, column.description) if part)
        lines.append(f"| `{column.name}` | {_source(column)} | {column.unit or ''} | {_cell(text)} |")
    yield f"## {heading}"
    yield "\n".join(lines)


def _source(column: Column) -> str:
    if column.derive and not column.source:
        return f"derived: {_derived(column.derive)}"
    names = [name for name in (column.source, *column.aliases) if name]
    shown = [f"`{_cell(name)}`" for name in names] or [f"pattern `{_cell(column.pattern or '')}`"]
    return ", ".join(shown)


def _derived(derive: Derivation) -> str:
    return _DERIVED[derive.kind].format(*(f"`{name}`" for name in derive.inputs))


def _members(contract: Contract) -> Iterator[str]:
    for column in contract.columns:
        if not column.members:
            continue
        lines = ["| code | English | Portuguese | total of |", "|---|---|---|---|"]
        for member in column.members:
            labels = member.labels
            parts = ", ".join(member.aggregates)
            lines.append(
                f"| {_cell(member.code)} | {labels.get('en', '')} | {labels.get('pt', '')} | {parts} |"
            )
        yield f"### Values of {column.name}"
        yield "\n".join(lines)


def _rules(rules: tuple[Rule, ...]) -> Iterator[str]:
    if not rules:
        return
    lines = ["| rule | what | breaking it |", "|---|---|---|"]
    for rule in rules:
        settings = ", ".join(f"{key} {value}" for key, value in rule.params.items() if key != "terms")
        if "terms" in rule.params:
            terms = " ".join(f"{factor:+g}·{name}" for name, factor in rule.params["terms"].items())
            settings = f"{terms} = 0, {settings}"
        columns = f" of {', '.join(rule.columns)}" if rule.columns and "terms" not in rule.params else ""
        outcome = "quarantines the row" if rule.severity == "error" else "is counted"
        what = f"{rule.kind}{columns}" + (f" ({settings})" if settings else "")
        lines.append(f"| {rule.id} | {_cell(what)}. {rule.description} | {outcome} |")
    yield "## Quality rules"
    yield "\n".join(lines)


def _synonyms(contract: Contract) -> Iterator[str]:
    lines = [f"- dataset: {_words(contract.synonyms)}"]
    lines += [
        f"- `{column.name}`: {_words(column.synonyms)}" for column in contract.columns if column.synonyms
    ]
    yield "## Words that ask for it"
    yield "\n".join(lines)


def _words(words: Words) -> str:
    return "; ".join(f"{language}: {', '.join(texts)}" for language, texts in sorted(words.items()))


def _brackets(marks: list[str]) -> str:
    return f"({', '.join(marks)})" if marks else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` say which are out of date (exit code 1)."""
    check = "--check" in arguments
    folders = [Path(argument) for argument in arguments if argument != "--check"]
    if len(folders) != 2:
        sys.stderr.write("usage: python -m gridlake.contracts.pages CONTRACTS_DIR OUT_DIR [--check]\n")
        return 2
    source, out = folders
    pages = render(Registry(read_folder(source)).all())
    stale = [name for name, text in pages.items() if not _same(out / name, text)]
    extra = [path.name for path in out.glob("*.md") if path.name not in pages]
    if check:
        for name in [*stale, *extra]:
            sys.stdout.write(
                f"{out / name} is out of date: run python -m gridlake.contracts.pages {source} {out}\n"
            )
        return 1 if stale or extra else 0
    out.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (out / name).write_text(pages[name], encoding="utf-8")
    for name in extra:
        (out / name).unlink()
    sys.stdout.write(f"{len(pages)} pages, {len(stale)} written, {len(extra)} removed\n")
    return 0


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
