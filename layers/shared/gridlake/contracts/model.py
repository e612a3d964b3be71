"""What a dataset contract says, as plain frozen objects.

A contract is an ODCS v3 YAML file. These classes are its meaning for Gridlake; they need no library, so that an API
function reads the registry in milliseconds. `gridlake.contracts.odcs` turns the document into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Language = Literal["en", "pt"]
Words = Mapping[str, tuple[str, ...]]
"""Synonyms by language: ``{"en": ("load", "demand"), "pt": ("carga", "demanda")}``."""


class Kind(StrEnum):
    """What the rows of a dataset are."""

    SERIES = "series"
    """One value set per key and instant: goes to the lake, partitioned by UTC month, and to InfluxDB."""
    REFERENCE = "reference"
    """A register without a time axis (installed capacity): goes to the lake only, unpartitioned."""


class Role(StrEnum):
    """What a column is for."""

    TAG = "tag"
    """Identifies a series: dictionary-encoded string in silver, tag in InfluxDB."""
    FIELD = "field"
    """A measured value: float64 in silver, float field in InfluxDB."""
    ATTRIBUTE = "attribute"
    """Kept in silver with its own type, absent from InfluxDB (names, free text, dates of a register)."""
    IGNORED = "ignored"
    """Known and deliberately dropped (a repeated name of a coded entity, say)."""


class ColumnType(StrEnum):
    """Type of a column in silver."""

    STRING = "string"
    NUMBER = "number"
    """float64."""
    DATE = "date"
    """date32."""
    TIMESTAMP = "timestamp"
    """timestamp[us, UTC]."""


class Severity(StrEnum):
    """What breaking a rule does."""

    ERROR = "error"
    """The row goes to quarantine."""
    WARNING = "warning"
    """The row is loaded and counted in the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One canonical value of a coded tag, e.g. subsystem ``NE``."""

    code: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Name by language: ``{"en": "Northeast", "pt": "Nordeste"}``."""
    spellings: tuple[str, ...] = ()
    """Published spellings that mean this code; matched without case, accents and outer spaces."""
    synonyms: Words = field(default_factory=dict)
    aggregates: tuple[str, ...] = ()
    """Codes this member is the total of (SIN: N, NE, S, SE). Empty for an ordinary member."""
    published: bool = True
    """False where no file has rows of it: a question for it is answered from the members it is the total of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a column that no file has is computed from columns that it has.

    ``pair``: tag; the two tags in `inputs`, ordered by `order`, joined by ``-`` (a link whatever its direction).
    ``signed_by_pair``: field; `inputs` is (value, from, to); the value, negated where (from, to) is not in `order`.
    ``ordinal``: tag; 1, 2, … among rows with an equal key, in file order (registers of events without identity).
    ``header``: tag; the text captured by the named group `inputs[0]` of the columns' `pattern` in the header.

    A column that has both a `source` and a derivation is read where the file has it and derived where it doesn't.
    """

    kind: Literal["pair", "signed_by_pair", "ordinal", "header"]
    inputs: tuple[str, ...] = ()
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the dataset, other than the time."""

    name: str
    """English snake_case, unit last for values: ``load_mw``, ``stored_energy_pct``."""
    role: Role
    type: ColumnType = ColumnType.STRING
    source: str | None = None
    """The publisher's own column name; None for a derived column."""
    aliases: tuple[str, ...] = ()
    """Other published names, known misspellings included."""
    pattern: str | None = None
    """Regular expression over the header for names that carry a unit or an entity."""
    optional: bool = False
    """May be absent from a file (column sets grow over the years)."""
    required: bool = False
    """A null sends the row to quarantine (`missing_value`)."""
    key: bool = False
    """Part, with the time, of what identifies a row."""
    unit: str | None = None
    """Unit in silver and InfluxDB, from `gridlake.contracts.units`."""
    source_unit: str | None = None
    """Unit in the file when it differs; converted by the ratio of the two."""
    missing: tuple[str, ...] = ()
    """Words that mean missing, beside blank: ``-``, ``n/e``."""
    formats: tuple[str, ...] = ()
    """strptime formats of a date or timestamp column, tried in order; empty means ISO 8601."""
    members: tuple[Member, ...] = ()
    closed: bool = False
    """Whether a value outside `members` is an error (`unknown_code`)."""
    combine: Literal["sum", "mean"] | None = None
    """How values of different members make the value of their group: power adds up, prices and percentages average."""
    label: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    synonyms: Words = field(default_factory=dict)
    derive: Derivation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpec:
    """How a row says when it is."""

    columns: tuple[str, ...]
    """Published names of the columns the stamp is made of, in the order `template` uses them."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other published names of each of `columns`."""
    template: str = "{0}"
    """How the columns' texts are joined before parsing: ``{0}{1:0>2}{2:0>2}``."""
    formats: tuple[str, ...] = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    """strptime formats, tried in order on each value; true datetime cells of a workbook need none."""
    split: str | None = None
    """Separator of an interval printed as text (``start - end``); the part before it is parsed."""
    period_column: str | None = None
    """Column that counts intervals in the local day from 1 (settlement period); `columns` then give the day."""
    zone: str = "UTC"
    """IANA zone of the printed stamps."""
    stamp: Literal["start", "end"] = "start"
    """Whether the stamp marks the start or the end of its interval; silver holds the start."""
    interval: str | None = None
    """ISO 8601 length of the interval (PT30M, PT1H, P1D, P1W, P1M); None for events."""
    interval_varies: bool = False
    """Whether files or entities differ in it (ENTSO-E: 60, 30 or 15 minutes); `interval` is then the longest."""
    shift: str | None = None
    """ISO 8601 duration added to the local stamp (``-P6D``: a week known by its last day)."""
    end_of_day: str | None = None
    """A time of day printed for 24:00, e.g. ``23:59:00``."""
    ambiguous: Literal["earliest", "latest", "infer", "quarantine"] = "earliest"
    """The local hour that exists twice; `infer` reads the first of two equal stamps of a key as the earlier."""
    nonexistent: Literal["quarantine", "shift"] = "quarantine"
    """The local time that daylight saving skips. `shift` reads it as the first instant after the gap: right for
    calendar dates, because in some zones (America/Sao_Paulo until 2018) summer time began at midnight."""
    zones: Mapping[str, str] = field(default_factory=dict)
    """Zone by published name of the time column, where a name implies another than `zone` (``Time (UTC)``: UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One quality rule.

    ``not_null``      a null in `columns`
    ``range``         `params`: min, max (inclusive, either may be absent), in the unit of the column
    ``accepted``      `params`: values
    ``unique``        key repeated in the file: identical rows keep the first; of conflicting rows `params.keep`
                      (``last`` by default, or ``none``) says which stays
    ``identity``      `params`: terms {column: coefficient}, tolerance; the sum must be 0 (rows with a null term pass)
    ``completeness``  intervals absent between first and last stamp of each key; reported, never quarantined
    ``row_count``     `params`: min, max rows in the file
    """

    id: str
    kind: Literal["not_null", "range", "accepted", "unique", "identity", "completeness", "row_count"]
    columns: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR
    params: Mapping[str, Any] = field(default_factory=dict)
    fail_file_above: float | None = None
    """Share of rows (0 to 1) breaking this rule above which the whole file fails."""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One dataset."""

    dataset: str
    """Identifier, and name of the silver folder, the Glue table and the InfluxDB measurement: ``ons_load_hourly``."""
    version: str
    publisher: str
    kind: Kind
    title: Mapping[str, str]
    columns: tuple[Column, ...]
    time: TimeSpec | None = None
    file_patterns: tuple[str, ...] = ()
    """fnmatch patterns of file names, matched without case: ``CURVA_CARGA_*``."""
    rules: tuple[Rule, ...] = ()
    decimal: Literal[".", ","] | None = None
    """Decimal sign of the file; None means it is sniffed for each file."""
    max_series: int = 10_000
    """Distinct tag sets above which a load is refused (cardinality guard)."""
    fail_file_above: float | None = None
    """Share of quarantined rows (0 to 1) above which the whole file fails, whatever the reasons."""
    merge_surplus_into: str | None = None
    """Published name of a text column that holds the file's separator unquoted: the fields a row has beyond the
    header are joined back into it (with the separator) instead of quarantining the row as `too_many_columns`."""
    description: str = ""
    limitations: str = ""
    synonyms: Words = field(default_factory=dict)
    licence: str = ""
    source_url: str = ""
    status: Literal["active", "draft", "deprecated"] = "active"

    @property
    def tags(self) -> tuple[Column, ...]:
        """Columns that identify a series, in contract order."""
        return tuple(c for c in self.columns if c.role is Role.TAG)

    @property
    def fields(self) -> tuple[Column, ...]:
        """Columns that hold values, in contract order."""
        return tuple(c for c in self.columns if c.role is Role.FIELD)

    @property
    def attributes(self) -> tuple[Column, ...]:
        """Columns kept in the lake only."""
        return tuple(c for c in self.columns if c.role is Role.ATTRIBUTE)

    @property
    def keys(self) -> tuple[Column, ...]:
        """Columns that, with the time, identify a row."""
        return tuple(c for c in self.columns if c.key)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises
        ------
        KeyError
            No such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
