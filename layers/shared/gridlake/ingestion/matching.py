"""Which contract a file is published under."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from gridlake.contracts.model import Contract, TimeSpec
from gridlake.ingestion.binding import Binding, bind
from gridlake.ingestion.facts import FileFacts

_COPY_MARKS = re.compile(r"(?:[ _-]*\(\d+\)|[ _-]+(?:copy|c[oó]pia)(?: ?\(?\d+\)?)?)+$", re.IGNORECASE)
_SUFFIXES = re.compile(r"\.(?:csv|txt|tsv|xlsx?|xlsm|ods|parquet|gz|zip|dat)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The contract found for a file and why.

    Attributes
    ----------
    score
        Share of the header's columns that the contract knows (0 to 1), of the winner.
    candidates
        Every dataset whose columns are all there: (dataset, score), best first.
    missing
        For each dataset that almost fitted, the published names that the file lacks.
    """

    contract: Contract | None
    score: float = 0.0
    reasons: tuple[str, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "dataset": self.contract.dataset if self.contract else None,
            "score": self.score,
            "reasons": list(self.reasons),
            "candidates": [list(c) for c in self.candidates],
            "missing": {k: list(v) for k, v in self.missing.items()},
        }


def match(facts: FileFacts, contracts: Iterable[Contract]) -> Match:
    """Find the contract whose columns a file has.

    A contract is a candidate when the header has every column that it can't do without. Among candidates the file
    name decides, then the distance between stamps (daily and monthly load have equal headers), then the share of the
    header that the contract knows.

    Returns
    -------
    Match
        Its `contract` is None where no contract fits, or two fit equally well.
    """
    ranked: list[tuple[tuple[bool, int, float, int], Contract, float]] = []
    missing: dict[str, tuple[str, ...]] = {}
    named = [n for n in facts.header if n]
    for contract in contracts:
        if contract.status == "deprecated":
            continue
        binding = bind(facts.header, contract)
        by_name = any(
            fnmatch.fnmatchcase(n, p.casefold())
            for n in _names(facts.filename)
            for p in contract.file_patterns
        )
        if binding.missing:
            if binding.columns and (by_name or len(binding.known) >= 2):
                missing[contract.dataset] = binding.missing
            continue
        if not binding.columns:
            continue
        score = len(binding.known) / max(len(named), 1)
        cadence = _cadence_fits(facts, contract, binding)
        ranked.append(((by_name, cadence, score, len(binding.known)), contract, score))
    ranked.sort(key=lambda item: item[0], reverse=True)
    candidates = tuple((c.dataset, round(s, 3)) for _, c, s in ranked)
    if not ranked:
        return Match(contract=None, reasons=("no contract has its columns in this header",), missing=missing)
    rank, contract, score = ranked[0]
    if len(ranked) > 1 and ranked[1][0] == rank:
        reason = f"{contract.dataset} and {ranked[1][1].dataset} fit equally well"
        return Match(contract=None, score=score, reasons=(reason,), candidates=candidates, missing=missing)
    if not rank[0] and (rank[1] < 0 or score < 0.5):
        why = (
            "the distance between its stamps differs"
            if rank[1] < 0
            else "most columns of the file are unknown to it"
        )
        reason = f"the header fits {contract.dataset}, but {why} and the file name is not one of its own"
        return Match(contract=None, score=score, reasons=(reason,), candidates=candidates, missing=missing)
    reasons = [
        f"{len(bind(facts.header, contract).known)} of {len(named)} columns are known to {contract.dataset}"
    ]
    if rank[0]:
        reasons.append("the file name is one of its patterns")
    if rank[1] > 0:
        reasons.append("the distance between stamps is its interval")
    return Match(
        contract=contract,
        score=round(score, 3),
        reasons=tuple(reasons),
        candidates=candidates,
        missing=missing,
    )


def _names(filename: str) -> tuple[str, ...]:
    """Forms of a file name to compare: as it is, and without copy marks (`` (1)``) and suffixes."""
    name = PurePosixPath(filename.replace("\\", "/")).name.casefold()
    stem = name
    while (shorter := _SUFFIXES.sub("", stem)) != stem:
        stem = shorter
    plain = _COPY_MARKS.sub("", stem).strip()
    suffix = name[len(stem) :]
    return (name, stem, plain, plain + suffix)


def _cadence_fits(facts: FileFacts, contract: Contract, binding: Binding) -> int:
    """1 where the sample's stamps lie an interval apart, -1 where they clearly don't, 0 where unknown."""
    spec = contract.time
    expected = _length(spec.interval) if spec else None
    if spec is None or expected is None or spec.period_column or spec.interval_varies:
        return 0
    stamps = sorted({s for row in facts.sample if (s := _stamp(row, spec, binding)) is not None})
    steps = [b - a for a, b in pairwise(stamps) if b > a]
    if not steps:
        return 0
    step = sorted(steps)[len(steps) // 2] if expected >= timedelta(days=1) else min(steps)
    return 1 if 0.85 <= step / expected <= 1.15 else -1


def _length(interval: str | None) -> timedelta | None:
    known = {"P1D": 1.0, "P7D": 7.0, "P1W": 7.0, "P1M": 30.4, "P1Y": 365.25}
    if interval in known:
        return timedelta(days=known[interval])
    hit = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?", interval or "")
    return timedelta(hours=int(hit[1] or 0), minutes=int(hit[2] or 0)) if hit else None


def _stamp(row: tuple[str, ...], spec: TimeSpec, binding: Binding) -> datetime | None:
    try:
        text = spec.template.format(*(row[i].strip() for i in binding.time))
    except IndexError:
        return None
    if spec.split:
        text = text.split(spec.split)[0].strip()
    for pattern in (*spec.formats, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"):
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
