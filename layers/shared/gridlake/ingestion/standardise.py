"""From the columns of a file to the columns of its contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gridlake.contracts.model import Column, ColumnType, Contract, Kind, Role
from gridlake.contracts.text import value_key as fold
from gridlake.contracts.units import factor
from gridlake.ingestion import numbers, stamps
from gridlake.ingestion.binding import Binding
from gridlake.ingestion.facts import FileFacts
from gridlake.ingestion.quality import check
from gridlake.ingestion.readers.chunk import Chunk, Wanted
from gridlake.ingestion.rows import Codes, Message, Rows
from gridlake.ingestion.when import Clock
from gridlake.ingestion.zones import Mask, to_utc

_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")


class Standardiser:
    """Gives the rows of one file their meaning, a chunk at a time; chunks may be worked on in several threads."""

    def __init__(self, contract: Contract, binding: Binding, facts: FileFacts) -> None:
        self._contract = contract
        self._binding = binding
        self._facts = facts
        self._decimal = contract.decimal or facts.decimal
        self._cells = facts.format != "csv"
        self._clock = Clock(contract.time, zone=binding.zone, cells=self._cells) if contract.time else None
        self._spelling: dict[str, dict[str, str]] = {c.name: _spellings(c) for c in contract.tags}
        self._seen: dict[str, dict[str | None, str | None]] = {c.name: {} for c in contract.tags}
        self._scale = {
            c.name: factor(c.source_unit, c.unit)
            for c in contract.columns
            if c.source_unit and c.unit and c.source_unit != c.unit
        }

    def wanted(self) -> Wanted:
        """Columns to read, and as what."""
        binding, contract = self._binding, self._contract
        positions = binding.columns
        used = [c for c in contract.columns if c.name in positions and c.role is not Role.IGNORED]
        stamped = {*binding.time, *([binding.period] if binding.period is not None else [])}
        texts = {positions[c.name] for c in used if c.role is Role.TAG or c.type in _CALENDAR} | stamped
        values = {
            positions[c.name]: numbers.ABSENT.union(c.missing)
            for c in used
            if positions[c.name] not in texts and (c.role is Role.FIELD or c.type is ColumnType.NUMBER)
        }
        free = {positions[c.name] for c in used} - texts - set(values)
        surplus = None
        if contract.merge_surplus_into:
            names = [fold(n) for n in self._facts.header]
            wanted = fold(contract.merge_surplus_into)
            surplus = names.index(wanted) if wanted in names else None
        return Wanted(numbers=values, texts=frozenset(texts), free=frozenset(free), merge_surplus=surplus)

    def rows(self, chunk: Chunk) -> Rows:
        """Standardise a chunk and apply the row rules."""
        rows = Rows(lines=chunk.lines, raw=chunk.raw, rejected=chunk.rejected)
        rows.fault = np.zeros(rows.count, np.int16)
        if rows.count == 0:
            return rows
        if self._clock is not None:
            self._time(rows, chunk)
        for column in self._contract.columns:
            position = self._binding.columns.get(column.name)
            if column.role is Role.TAG:
                self._tag(rows, column, None if position is None else chunk.columns[position])
            elif column.role is Role.FIELD or (
                column.role is Role.ATTRIBUTE and column.type is ColumnType.NUMBER
            ):
                self._number(rows, column, None if position is None else chunk.columns[position])
            elif column.role is Role.ATTRIBUTE:
                self._attribute(rows, column, None if position is None else chunk.columns[position])
        self._derive(rows)
        self._nulls(rows)
        check(rows, self._contract)
        return rows

    def _time(self, rows: Rows, chunk: Chunk) -> None:
        binding = self._binding
        assert self._clock is not None
        period = chunk.columns[binding.period] if binding.period is not None else None
        found = self._clock.read([chunk.columns[i] for i in binding.time], period)
        rows.time, rows.late, rows.ambiguous = found.earliest, found.latest, found.ambiguous

        def shown(i: int) -> str:
            return repr(found.text[int(found.which[i])].as_py())

        rows.fail(found.missing, "missing_time", "", lambda _: "the row has no time")
        rows.fail(
            found.unparsable,
            "unparsable_time",
            "",
            lambda i: f"{shown(i)} is no time in the contract's formats",
        )
        rows.fail(
            found.nonexistent,
            "nonexistent_local_time",
            "",
            lambda i: f"{shown(i)} does not exist in {binding.zone}: clocks skip it when summer time begins",
        )
        if self._contract.time is not None and self._contract.time.ambiguous == "quarantine":
            rows.fail(
                found.ambiguous,
                "ambiguous_local_time",
                "",
                lambda i: f"{shown(i)} exists twice in {binding.zone}",
            )

    def _tag(self, rows: Rows, column: Column, cells: pa.Array | None) -> None:
        if cells is None:
            text = ""
            if column.derive is not None and column.derive.kind == "header":
                text = self._binding.captures.get(column.derive.inputs[0], "")
            code = self._canonical(column, text)
            codes = np.full(rows.count, 0 if code else -1, np.int32)
            rows.tags[column.name] = (codes, [code] if code else [])
            return
        encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
        printed = encoded.dictionary.to_pylist()
        words: dict[str, int] = {}
        lookup = np.full(len(printed) + 1, -1, np.int32)
        unknown = np.zeros(len(printed) + 1, np.bool_)
        for i, text in enumerate(printed):
            code = self._canonical(column, text)
            if code is None:
                continue
            if column.closed and code not in self._spelling[column.name].values():
                unknown[i] = True
            lookup[i] = words.setdefault(code, len(words))
        indices = np.asarray(pc.fill_null(encoded.indices, len(printed)))
        rows.tags[column.name] = (lookup[indices], list(words))
        if unknown.any():
            rows.fail(
                unknown[indices],
                "unknown_code",
                column.name,
                lambda i: f"{column.name} {printed[int(indices[i])]!r} is none of the contract's codes",
            )

    def _canonical(self, column: Column, text: str | None) -> str | None:
        seen = self._seen[column.name]
        if text not in seen:
            plain = " ".join((text or "").replace("\u00a0", " ").split())
            if not plain or plain in column.missing:
                seen[text] = None
            else:
                seen[text] = self._spelling[column.name].get(fold(plain), plain)
        return seen[text]

    def _number(self, rows: Rows, column: Column, cells: pa.Array | None) -> None:
        if cells is None:
            values = np.full(rows.count, np.nan)
        else:
            values, wrong = numbers.parse(cells, decimal=self._decimal, missing=column.missing)
            if wrong.any():
                rows.fail(
                    wrong,
                    "unparsable_number",
                    column.name,
                    lambda i: f"{column.source or column.name}: {cells[i].as_py()!r} is not a number",
                )
            scale = self._scale.get(column.name)
            if scale is not None:
                values = values * scale
        if column.role is Role.FIELD:
            rows.fields[column.name] = values
        else:
            rows.attributes[column.name] = pa.array(values, pa.float64(), from_pandas=True)

    def _attribute(self, rows: Rows, column: Column, cells: pa.Array | None) -> None:
        if column.type is ColumnType.STRING:
            if cells is None:
                rows.attributes[column.name] = pa.nulls(rows.count, pa.string())
                return
            text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
            missing = pc.is_in(text, value_set=pa.array(["", *column.missing], pa.string()))
            rows.attributes[column.name] = pc.if_else(missing, pa.scalar(None, pa.string()), text)
            return
        kind = pa.date32() if column.type is ColumnType.DATE else pa.timestamp("us", tz="UTC")
        if cells is None:
            rows.attributes[column.name] = pa.nulls(rows.count, kind)
            return
        encoded = cells if pa.types.is_dictionary(cells.type) else cells.dictionary_encode()
        text = pc.fill_null(pc.utf8_trim_whitespace(encoded.dictionary.cast(pa.string())), "")
        blank = np.asarray(pc.is_in(text, value_set=pa.array(["", *column.missing], pa.string())))
        formats = stamps.widened((*column.formats, *_DATES))
        parsed = stamps.parse(text, formats, serials=self._cells)
        seconds = parsed.seconds
        if column.type is ColumnType.TIMESTAMP:
            seconds = np.where(parsed.absolute, seconds, to_utc(seconds, self._binding.zone).earliest)
            unique = pa.array(seconds * 1_000_000, pa.int64()).cast(kind)
        else:
            unique = pa.array((seconds // 86_400).astype(np.int32), pa.int32()).cast(kind)
        unique = pc.if_else(pa.array(parsed.valid & ~blank), unique, pa.scalar(None, kind))
        rows.attributes[column.name] = unique.take(encoded.indices)
        wrong = ~parsed.valid & ~blank
        if wrong.any():
            indices = np.asarray(pc.fill_null(encoded.indices, 0))
            rows.fail(
                wrong[indices] & np.asarray(pc.is_valid(encoded.indices)),
                "unparsable_time",
                column.name,
                lambda i: f"{column.source or column.name}: {text[int(indices[i])].as_py()!r} is no date",
            )

    def _derive(self, rows: Rows) -> None:
        for column in self._contract.columns:
            rule = column.derive
            if rule is None or column.name in self._binding.columns:
                continue
            if rule.kind == "pair":
                rows.tags[column.name] = _pair(rows, rule.inputs, rule.order)
            elif rule.kind == "signed_by_pair":
                value, origin, target = rule.inputs
                forward = _forward(rows, (origin, target), rule.order)
                rows.fields[column.name] = np.where(forward, rows.fields[value], -rows.fields[value])

    def _nulls(self, rows: Rows) -> None:
        for column in self._contract.columns:
            derived_later = column.derive is not None and column.derive.kind == "ordinal"
            if not column.required or column.role is Role.IGNORED or derived_later:
                continue
            reason = "missing_key" if column.key else "missing_value"
            if column.name in rows.tags:
                mask: Mask = rows.tags[column.name][0] < 0
            elif column.name in rows.fields:
                mask = np.isnan(rows.fields[column.name])
            else:
                mask = np.asarray(pc.is_null(rows.attributes[column.name]))
            rows.fail(mask, reason, column.name, _no_value(column.source or column.name))
        if self._contract.kind is Kind.SERIES and rows.fields:
            empty = np.ones(rows.count, np.bool_)
            for values in rows.fields.values():
                empty &= np.isnan(values)
            rows.fail(empty, "missing_value", "", lambda _: "the row has no value in any measured column")


def _no_value(name: str) -> Message:
    return lambda _: f"{name} has no value"


_CALENDAR = (ColumnType.DATE, ColumnType.TIMESTAMP)


def _spellings(column: Column) -> dict[str, str]:
    known: dict[str, str] = {}
    for member in column.members:
        for text in (member.code, *member.spellings, *member.labels.values()):
            known.setdefault(fold(text), member.code)
    for member in column.members:
        known[fold(member.code)] = member.code
    return known


def _forward(rows: Rows, inputs: Sequence[str], order: Sequence[str]) -> Mask:
    """Whether the first tag of each row stands before the second in `order` (unknown ones after all, by name)."""
    ranks: list[npt.NDArray[np.int64]] = []
    names = sorted({w for tag in inputs for w in rows.tags[tag][1]} - set(order))
    place = {w: i for i, w in enumerate((*order, *names))}
    for tag in inputs:
        codes, words = rows.tags[tag]
        ranks.append(np.array([*(place[w] for w in words), len(place)], np.int64)[codes])
    return ranks[0] <= ranks[1]


def _pair(rows: Rows, inputs: Sequence[str], order: Sequence[str]) -> tuple[Codes, list[str]]:
    forward = _forward(rows, inputs, order)
    (first, first_words), (second, second_words) = rows.tags[inputs[0]], rows.tags[inputs[1]]
    width = len(second_words) + 1
    combined = ((first.astype(np.int64) + 1) * width + second + 1) * 2 + forward
    unique, which = np.unique(combined, return_inverse=True)
    words: dict[str, int] = {}
    lookup = np.full(len(unique), -1, np.int32)
    for i, code in enumerate(unique.tolist()):
        rest, ahead = divmod(code, 2)
        a, b = divmod(rest, width)
        if a and b:
            names = (first_words[a - 1], second_words[b - 1])
            lookup[i] = words.setdefault("-".join(names if ahead else names[::-1]), len(words))
    return lookup[which], list(words)
