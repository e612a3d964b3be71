"""One file from its bytes to silver Parquet and quarantined rows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gridlake.contracts.model import Contract, Kind, Rule, Severity
from gridlake.ingestion.assemble import Assembler
from gridlake.ingestion.binding import bind
from gridlake.ingestion.completeness import Gaps
from gridlake.ingestion.durations import duration
from gridlake.ingestion.facts import FileFacts, Limits
from gridlake.ingestion.quarantine import QuarantineWriter
from gridlake.ingestion.readers import Chunk, read_chunks
from gridlake.ingestion.report import FileRejectedError, ProcessReport, SourceRef
from gridlake.ingestion.rows import Rows
from gridlake.ingestion.silver_writer import Month, Partition, SilverWriter
from gridlake.ingestion.standardise import Standardiser
from gridlake.ingestion.unique import Keep
from gridlake.platform.errors import ContractError

_THREADS = 2
_AHEAD = 3
_NAME_SHOWN = 80


def process_file(
    path: Path,
    *,
    facts: FileFacts,
    contract: Contract | None,
    source: SourceRef,
    out: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> ProcessReport:
    """Read, standardise, check and write one file.

    Parameters
    ----------
    path
        The file on local disk, described by `facts` (see `gridlake.ingestion.detect.sniff`).
    contract
        None keeps the rows under ``silver/uncatalogued`` with a profile and a drafted contract.
    out
        Folder for the results: ``silver/{dataset}/year=YYYY/month=MM/{source_id}.parquet`` (a register:
        ``silver/{dataset}/{source_id}.parquet``) and ``quarantine/{dataset}/{source_id}.parquet``.

    Returns
    -------
    ProcessReport
        With ``rows_in == rows_loaded + rows_quarantined``.

    Raises
    ------
    ContractError
        ``no_contract_columns``: the file lacks columns that the contract needs.
    FileRejectedError
        ``no_rows``, ``all_rows_quarantined``, ``quality_threshold_exceeded``, ``row_count``; its `report` has counts.
    UnreadableFileError
        The content is damaged beyond the beginning that `sniff` has seen.
    """
    if contract is None:
        from gridlake.ingestion.uncatalogued import process_uncatalogued

        return process_uncatalogued(path, facts=facts, source=source, out=out, limits=limits)
    report = ProcessReport(
        dataset=contract.dataset, contract_version=contract.version, kind=contract.kind.value
    )
    place = _place(contract, source, out)
    return Run(path, facts, contract, source, out, limits, report=report, place=place).process()


class Run:
    """One pass over one file.

    Parameters
    ----------
    report
        Filled on the way; its `dataset` names the quarantine folder.
    place
        Path of the silver file of a month.
    unpartitioned
        One file for all months; repeated keys are let be.
    """

    def __init__(
        self,
        path: Path,
        facts: FileFacts,
        contract: Contract,
        source: SourceRef,
        out: Path,
        limits: Limits,
        *,
        report: ProcessReport,
        place: Callable[[Month], Path],
        unpartitioned: bool = False,
    ) -> None:
        if contract.decimal:
            facts = replace(facts, decimal=contract.decimal)
        self._path, self._facts, self._contract, self._out = path, facts, contract, out
        self._limits, self._report = limits, report
        self._binding = bind(facts.header, contract)
        metadata = {
            "gridlake.dataset": report.dataset,
            "gridlake.contract_version": contract.version,
            "gridlake.source_id": source.source_id,
            "gridlake.source_uri": source.uri,
            "gridlake.ingestion_id": source.ingestion_id,
            "gridlake.sequence": str(source.sequence),
        }
        self._assembler = Assembler(contract)
        self._silver = SilverWriter(
            contract,
            place=place,
            work=out / f".work-{source.source_id}",
            metadata=metadata,
            dictionary=self._assembler.dictionary,
            keep=None if unpartitioned else _keep(contract),
            unpartitioned=unpartitioned,
        )
        quarantine = out / "quarantine" / report.dataset / f"{source.source_id}.parquet"
        self._quarantine = QuarantineWriter(quarantine, metadata)
        self._broken: dict[str, int] = {}
        self._warned: dict[str, int] = {}

    def process(self) -> ProcessReport:
        """Run to the end; on any error no silver file is left behind."""
        started = time.monotonic()
        if self._binding.missing:
            self._silver.discard()
            names = ", ".join(self._binding.missing)
            raise ContractError(
                f"{self._facts.filename} lacks columns of {self._contract.dataset}: {names}",
                code="no_contract_columns",
                hint="add the names the file uses to the aliases of the contract, or make the columns optional",
            )
        try:
            self._read()
            self._finish()
            self._judge()
        except BaseException:
            self._silver.discard()
            raise
        finally:
            self._quarantine.close()
            report = self._report
            report.seconds = round(time.monotonic() - started, 4)
            if report.rows_quarantined:
                report.quarantine_path = str(self._quarantine.path.relative_to(self._out))
        return self._report

    def _read(self) -> None:
        report = self._report
        standardiser = Standardiser(self._contract, self._binding, self._facts)
        chunks = read_chunks(self._path, self._facts, standardiser.wanted(), limits=self._limits)
        report.notices.extend(self._facts.notices)
        unknown = [n for i, n in enumerate(self._facts.header) if n and i not in self._binding.known]
        if unknown:
            names = ", ".join(map(_short, unknown[:20])) + (
                f" and {len(unknown) - 20} more" if len(unknown) > 20 else ""
            )
            report.notices.append(f"columns the contract does not know were not loaded: {names}")
        for rows in _ahead(chunks, standardiser.rows):
            quarantined = rows.quarantined()
            report.rows_in += rows.count + len(rows.rejected)
            self._quarantine.add(quarantined)
            for totals, part in ((self._broken, rows.broken), (self._warned, rows.warned)):
                for rule, count in part.items():
                    totals[rule] = totals.get(rule, 0) + count
            if rows.count:
                self._silver.add(self._assembler.block(rows))
        report.bytes_read = self._facts.uncompressed_size or self._facts.size

    def _finish(self) -> None:
        report, spec = self._report, self._contract.time
        rule = next((r for r in self._contract.rules if r.kind == "completeness"), None)
        gaps = None
        if rule is not None and spec is not None and spec.interval is not None:
            step = duration(spec.interval)
            gaps = Gaps(step=step.seconds, varies=spec.interval_varies, monthly=bool(step.months))
        low: list[int] = []
        high: list[int] = []
        for partition, keys in self._silver.finish(self._quarantine.add):
            if gaps is not None and partition.month is not None:
                gaps.add(partition.month, keys)
            if partition.min_time is not None and partition.max_time is not None:
                low.append(partition.min_time)
                high.append(partition.max_time)
            report.partitions.append(self._described(partition))
        report.rows_loaded = sum(p["rows"] for p in report.partitions)
        report.quarantine = dict(sorted(self._quarantine.counts.items()))
        report.rows_quarantined = sum(report.quarantine.values())
        report.series = self._assembler.series if report.rows_loaded else 0
        report.min_time = _iso(min(low)) if low else None
        report.max_time = _iso(max(high)) if high else None
        self._warn(gaps, rule)

    def _described(self, partition: Partition) -> dict[str, object]:
        month = partition.month
        return {
            "path": str(partition.path.relative_to(self._out)),
            "year": None if month is None else 1970 + month // 12,
            "month": None if month is None else month % 12 + 1,
            "rows": partition.rows,
            "min_time": None if partition.min_time is None else _iso(partition.min_time),
            "max_time": None if partition.max_time is None else _iso(partition.max_time),
        }

    def _warn(self, gaps: Gaps | None, completeness: Rule | None) -> None:
        for rule in self._contract.rules:
            count = self._warned.get(rule.id, 0)
            if count:
                message = rule.description or f"rows break {rule.kind} of {', '.join(rule.columns)}"
                self._report.warnings.append({"rule": rule.id, "count": count, "message": message})
        if gaps is not None and completeness is not None:
            absent, keys = gaps.missing()
            if absent:
                message = f"{absent} intervals are absent between first and last stamp, in {keys} series"
                self._report.warnings.append({"rule": completeness.id, "count": absent, "message": message})

    def _judge(self) -> None:
        """Fail the file as a whole where its contract says so."""
        report, name = self._report, self._facts.filename
        if report.rows_in == 0:
            raise FileRejectedError(
                f"{name} has a header and no rows", code="no_rows", report=report, hint="check the download"
            )
        if report.rows_loaded == 0:
            worst = max(report.quarantine, key=lambda r: report.quarantine[r])
            raise FileRejectedError(
                f"all {report.rows_in} rows of {name} are quarantined, most of them as {worst}",
                code="all_rows_quarantined",
                report=report,
                hint="the quarantine file gives the reason and the source row of each",
            )
        for rule in self._contract.rules:
            broken = self._broken.get(rule.id, 0)
            if rule.kind == "unique":
                broken = sum(n for r, n in report.quarantine.items() if r.startswith("duplicate_"))
            if rule.kind == "row_count":
                self._row_count(rule)
            elif rule.fail_file_above is not None and broken > rule.fail_file_above * report.rows_in:
                self._reject(f"{broken} of {report.rows_in} rows of {name} break the rule {rule.id}")
        share = self._contract.fail_file_above
        if share is not None and report.rows_quarantined > share * report.rows_in:
            self._reject(f"{report.rows_quarantined} of {report.rows_in} rows of {name} are quarantined")

    def _row_count(self, rule: Rule) -> None:
        low, high = rule.params.get("min"), rule.params.get("max")
        rows = self._report.rows_in
        if (low is None or rows >= low) and (high is None or rows <= high):
            return
        bounds = (
            f"{'at least ' + str(low) if low is not None else ''}{' and ' if None not in (low, high) else ''}"
        )
        bounds += f"{'at most ' + str(high) if high is not None else ''}"
        message = f"{self._facts.filename} has {rows} rows; {bounds} are expected"
        if rule.severity is Severity.ERROR:
            self._reject(message, code="row_count")
        self._report.warnings.append({"rule": rule.id, "count": rows, "message": message})

    def _reject(self, message: str, *, code: str = "quality_threshold_exceeded") -> None:
        report = self._report
        report.quarantine["quality_threshold_exceeded"] = report.rows_loaded
        report.rows_quarantined, report.rows_loaded = report.rows_in, 0
        report.partitions, report.series, report.min_time, report.max_time = [], 0, None, None
        raise FileRejectedError(
            message,
            code=code,
            report=report,
            hint="nothing of the file is loaded; correct the file, or the limit in the contract",
        )


def _ahead(chunks: Iterator[Callable[[], Chunk]], work: Callable[[Chunk], Rows]) -> Iterator[Rows]:
    """Results in file order, the next few chunks being parsed in other threads meanwhile."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="ingestion") as pool:
        waiting: deque[Future[Rows]] = deque()
        try:
            for chunk in chunks:
                waiting.append(pool.submit(lambda chunk=chunk: work(chunk())))  # type: ignore[misc]
                if len(waiting) >= _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _keep(contract: Contract) -> Keep | None:
    for rule in contract.rules:
        if rule.kind == "unique":
            keep: Keep = rule.params.get("keep", "last")
            return keep
    return "last" if contract.kind is Kind.SERIES else None


def _place(contract: Contract, source: SourceRef, out: Path) -> Callable[[Month], Path]:
    folder = out / "silver" / contract.dataset
    if contract.kind is Kind.REFERENCE:
        return lambda _: folder / f"{source.source_id}.parquet"

    def partition(month: Month) -> Path:
        assert month is not None
        return (
            folder
            / f"year={1970 + month // 12:04d}"
            / f"month={month % 12 + 1:02d}"
            / f"{source.source_id}.parquet"
        )

    return partition


def _short(name: str) -> str:
    """A column's name as it is told: a file may call one by a whole page."""
    return name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…"


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
