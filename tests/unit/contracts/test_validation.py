"""Every mistake is found, with the file and the line it is in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlake.contracts.model import Severity
from gridlake.contracts.odcs import parse
from gridlake.contracts.registry import Registry
from gridlake.contracts.validation import MAX_BYTES, Problem, require_valid, validate
from gridlake.platform.errors import ContractError


def test_a_sound_contract_has_no_problem(sound: str) -> None:
    contract, problems = validate(sound, filename="meter.yaml", others=Registry.builtin().all())
    assert problems == []
    assert contract is not None
    assert contract.column("power_kw").source_unit == "W"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
"""Nested aliases: nine lines that unfold to a thousand million values."""

MISTAKES = [
    ("unit: kW, source_unit: W", "unit: kWatt, source_unit: W", "unknown unit 'kWatt'; known: "),
    ("unit: kW, source_unit: W", "unit: kw, source_unit: W", "did you mean 'kW'"),
    ("unit: kW, source_unit: W", "unit: kW, source_unit: Wh", "Wh (energy) can't become kW (power)"),
    ("unit: kW, source_unit: W", "source_unit: W", "needs the unit it is converted to"),
    ("- name: loss_kw", "- name: power_kw", "two columns are named 'power_kw'"),
    ("physicalName: loss", "physicalName: Potência", "'Potência' is a published name of 'power_kw' too"),
    ("physicalName: loss", "physicalName: INSTANT", "is a published name of 'time' too"),
    (
        "        primaryKey: true\n        required: true\n        enum",
        "        enum",
        "no key: set primaryKey",
    ),
    ("- name: loss_kw", "- name: Loss KW", "is no column name"),
    ("- name: loss_kw", "- name: year", "'year' is reserved"),
    ("- name: loss_kw", "- name: site", "two columns are named 'site'"),
    ("zone: Europe/Lisbon", "zone: Europe/Lisboa", "unknown time zone 'Europe/Lisboa'"),
    ("interval: PT15M", "interval: 15min", "'15min' is no ISO 8601 duration"),
    ("interval: PT15M", "interval: PT0M", "has no length"),
    ("interval: PT15M", "intervall: PT15M", "unknown key 'intervall'; did you mean 'interval'?"),
    ("'%Y-%m-%d %H:%M'", "'%Y-%m-%d %Q'", "unknown directive '%Q'"),
    ("'%Y-%m-%d %H:%M'", "'%d/%m %H:%M'", "says no year"),
    ("'%Y-%m-%d %H:%M'", "'%Y-%m-%d %I:%M'", "%I without %p"),
    ("'%Y-%m-%d %H:%M'", "'%Y-%m-%Y'", "a directive twice"),
    ("'%Y-%m-%d %H:%M'", "yyyy-mm-dd", "no strptime format"),
    ("end_of_day: '23:59:00'", "end_of_day: '24:00'", "no time of day"),
    ("end_of_day: '23:59:00'", "stamp: middle", "must be one of start, end"),
    ("end_of_day: '23:59:00'", "template: '{0}{1}'", "doesn't fit 1 columns"),
    ("end_of_day: '23:59:00'", "shift: six days", "no ISO 8601 duration"),
    ("aliases: [potencia]", "pattern: 'Power [(MW'", "not a regular expression"),
    ("combine: sum", "combine: add", "must be sum or mean"),
    ("role: tag, closed", "role: label, closed", "must be tag, field, attribute or ignored"),
    ("role: tag, closed: true", "role: field", "a field is a number, 'site' is string"),
    ("aggregates: [LX, OP]", "aggregates: [LX, FA]", "can't be the total of 'FA'"),
    ("- value: OP", "- value: LX", "'LX' is listed twice"),
    ("- value: OP", "- value: Lisboa", "means 'LX' too"),
    ("columns: [power_kw]", "columns: [powr_kw]", "names 'powr_kw', which is no column"),
    ("columns: [power_kw]", "columns: [site]", "'site' is no number"),
    ("min: 0, max: 1000", "min: 2000, max: 1000", "no value can pass"),
    ("min: 0, max: 1000", "minimum: 0", "unknown key 'minimum'"),
    ("kind: range", "kind: between", "kind is one of"),
    ("{kind: completeness}", "{kind: identity, terms: {power_kw: 1, lost_kw: -1}, tolerance: 1}", "lost_kw"),
    ("{kind: completeness}", "{kind: identity, terms: {power_kw: 1, loss_kw: -1}}", "needs a tolerance"),
    ("keep: last", "keep: first", "must be last or none"),
    ("severity: warning", "severity: info", "must be error"),
    ("- id: unique_key", "- id: possible", "two rules are named 'possible'"),
    ("version: 1.0.0", "version: '1.0'", "is not MAJOR.MINOR.PATCH"),
    ("status: active", "status: published", "must be active, draft or deprecated"),
    ("id: meter_readings", "id: Meter-Readings", "is no dataset name"),
    ("kind: series", "kind: table", "must be series or reference"),
    ("kind: series", "kind: reference", "a reference table has no property named time"),
    ("file_patterns: [METER_*]", "max_series: many", "positive whole number"),
    ("file_patterns: [METER_*]", "decimal: point", "must be '.' or ','"),
    ("file_patterns: [METER_*]", "fail_file_above: 20", "a number from 0 to 1"),
    ("file_patterns: [METER_*]", "merge_surplus_into: note", "no published name of a text column"),
    ("tenant: example", "tenent: example", "ODCS has no 'tenent' here"),
    ("logicalType: number", "logicalType: decimal", "'decimal' is not one of"),
    ("closed: true}", "derive: {kind: pair, inputs: [site]}}", "pair takes 2 inputs"),
    (
        "closed: true}",
        "derive: {kind: header, inputs: [zone]}}",
        "no pattern of a column has a group named 'zone'",
    ),
    ("closed: true}", "derive: {kind: hash}}", "must be one of pair"),
    (
        "closed: true}",
        "derive: {kind: pair, inputs: [site, place], order: [LX]}}",
        "no column is named 'place'",
    ),
    ("closed: true}", "derive: {kind: pair, inputs: [site, site]}}", "needs the order of the codes"),
    ("closed: true}", "closed: true, formats: ['%Y']}", "formats are for dates"),
    ("combine: sum", "derive: {kind: ordinal}", "ordinal makes a tag"),
    ("- name: loss_kw", "- name: time", "the name 'time' is kept for when a row is"),
    ("        physicalName: loss\n", "", "needs a physicalName, a pattern or a derivation"),
    (
        "        physicalName: loss\n",
        "        physicalName: loss\n        primaryKey: true\n",
        "a field can't be part",
    ),
    ("role: tag, closed: true", "role: attribute", "so it must be a tag"),
    ("{role: field, unit: kW}", "{role: tag}", "a tag is text, 'loss_kw' is number"),
    ("logicalType: string", "logicalType: object", "'object' is not supported"),
    (
        "          - value: LX\n            label: Lisbon\n",
        "          - value: LX\n            label: 5\n",
        "5 is not",
    ),
    (
        "zone: Europe/Lisbon",
        "zone: Europe/Lisbon\n              zones: {instant_utc: Mars}",
        "unknown time zone 'Mars'",
    ),
    ("zone: Europe/Lisbon", "aliases: {moment: [t]}", "none of the columns of the time"),
    ("zone: Europe/Lisbon", "split: ''", "is empty"),
    ("interval: PT15M", "stamp: end", "a stamp at the end needs the interval"),
    ("interval: PT15M", "period_column: period", "period_column needs the interval"),
    ("min: 0, max: 1000", "fail_file_above: 2, max: 1", "a number from 0 to 1"),
    (
        "kind: range, columns: [power_kw], min: 0, max: 1000",
        "kind: range, columns: [power_kw]",
        "needs min, max",
    ),
    ("kind: range, columns: [power_kw], ", "kind: range, ", "range needs columns"),
    ("min: 0, max: 1000", "min: low", "must be a number"),
    (
        "kind: range, columns: [power_kw], min: 0, max: 1000",
        "kind: accepted, columns: [site]",
        "a list of values",
    ),
    ("{kind: completeness}", "{kind: identity, terms: {power_kw: 1}, tolerance: 0}", "identity needs terms"),
    (
        "{kind: completeness}",
        "{kind: identity, terms: {power_kw: 0, loss_kw: 1}, tolerance: 0}",
        "other than 0",
    ),
    (
        "      - id: unique_key\n",
        "      - {id: n, metric: nullValues, mustBe: 0}\n      - id: unique_key\n",
        "to a column",
    ),
    (
        "      - id: unique_key\n",
        "      - {id: n, metric: duplicateValues, mustBe: 3}\n      - id: unique_key\n",
        "mustBe: 0",
    ),
    (
        "      - id: unique_key\n",
        "      - {id: n, metric: rowCount, mustNotBe: 3}\n      - id: unique_key\n",
        "rowCount is read",
    ),
    (
        "      - id: unique_key\n",
        "      - {id: n, dimension: accuracy}\n      - id: unique_key\n",
        "neither metric nor",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "message"), MISTAKES, ids=[wrong for _, wrong, _ in MISTAKES])
def test_a_mistake_is_found_on_its_line(sound: str, right: str, wrong: str, message: str) -> None:
    assert right in sound
    text = sound.replace(right, wrong, 1)
    _, problems = validate(text, filename="contracts/meter.yaml")
    found = [problem for problem in problems if message in problem.message]
    assert found, [str(problem) for problem in problems]
    assert str(found[0]).startswith("contracts/meter.yaml:")
    at = sound[: sound.index(right)].count("\n") + 1
    # A mistake of a whole column or table (a clash, a missing key) is reported where that begins.
    assert at - 20 <= found[0].line <= at + 6, (found[0].line, at)


def test_gaps_can_only_be_counted_with_an_interval(sound: str) -> None:
    _, problems = validate(sound.replace("interval: PT15M", "shift: P1D"), filename="m.yaml")
    assert [problem.message for problem in problems] == ["completeness needs the interval of the time"]


def test_lines_are_exact(sound: str) -> None:
    text = sound.replace("zone: Europe/Lisbon", "zone: Mars/Olympus").replace("max: 1000", "max: -1")
    _, problems = validate(text, filename="m.yaml")
    lines = text.splitlines()
    assert [lines[problem.line - 1].strip().split(":")[0] for problem in problems] == [
        "zone",
        "implementation",
    ]
    assert lines[problems[0].line - 1][problems[0].column - 1 :].startswith("zone: Mars")


def test_all_problems_are_listed_at_once(sound: str) -> None:
    text = (
        sound.replace("Europe/Lisbon", "X/Y")
        .replace("unit: kW", "unit: stones")
        .replace("keep: last", "keep: x")
    )
    _, problems = validate(text, filename="m.yaml")
    assert len(problems) >= 4
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no contract"),
        ("- a\n- b\n", "holds no contract"),
        ("a: [1, 2\n", "not YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML"),
        ("id: x\nid: y\n", "'id' is here twice"),
        ("a: &a [*a]\n", "refers to itself"),
        ("x" * (MAX_BYTES + 1), "larger than"),
        (BOMB, "aliases unfolded"),
    ],
)
def test_what_is_no_contract_is_said_to_be_none(text: str, message: str) -> None:
    contract, problems = validate(text, filename="x.yaml")
    assert contract is None
    assert any(message in problem.message for problem in problems), problems


def test_two_datasets_that_nothing_tells_apart_are_refused(sound: str) -> None:
    other = parse_text(sound.replace("meter_readings", "other_readings"))
    _, problems = validate(sound, filename="m.yaml", others=[other])
    assert ["can't be told from one of other_readings" in problem.message for problem in problems] == [True]
    named = sound.replace("METER_*", "READINGS_*")
    assert validate(named, filename="m.yaml", others=[other])[1] == []
    retired = replace(other, status="deprecated")
    assert validate(sound, filename="m.yaml", others=[retired])[1] == []
    hourly = sound.replace("PT15M", "PT1H")
    assert validate(hourly, filename="m.yaml", others=[other])[1] == []


def test_a_missing_unit_is_a_warning_and_none_in_a_draft(sound: str) -> None:
    text = sound.replace("{role: field, unit: kW}", "{role: field}")
    contract, problems = validate(text, filename="m.yaml")
    assert contract is not None
    assert [problem.severity for problem in problems] == [Severity.WARNING]
    assert validate(text.replace("status: active", "status: draft"), filename="m.yaml")[1] == []
    assert require_valid(text, filename="m.yaml") == contract


def test_errors_are_raised_with_all_problems(sound: str) -> None:
    text = sound.replace("Europe/Lisbon", "X/Y").replace("keep: last", "keep: x")
    with pytest.raises(ContractError, match=r"m\.yaml:\d+:\d+: error: .* \(and 1 more\)") as raised:
        require_valid(text, filename="m.yaml")
    assert len(raised.value.details["problems"]) == 2


def test_checks_of_the_standard_are_understood(sound: str) -> None:
    text = sound.replace(
        "    quality:\n",
        "    quality:\n"
        "      - {id: size, metric: rowCount, mustBeBetween: [1, 10]}\n"
        "      - {id: sql_check, type: sql, query: 'select 1', mustBe: 1}\n"
        "      - {id: prose, type: text, description: looked at by hand}\n",
    ).replace(
        "        physicalName: loss\n",
        "        physicalName: loss\n"
        "        quality:\n"
        "          - {id: loss_known, metric: nullValues, mustBe: 0}\n"
        "        logicalTypeOptions: {minimum: 0}\n",
    )
    contract, problems = validate(text, filename="m.yaml")
    assert [problem.message for problem in problems] == ["this platform doesn't run this check"]
    assert contract is not None
    rules = {rule.id: rule for rule in contract.rules}
    assert rules["size"].params == {"min": 1, "max": 10}
    assert (rules["loss_known"].kind, rules["loss_known"].columns) == ("not_null", ("loss_kw",))
    assert rules["loss_kw_bounds"].params == {"min": 0}
    assert "sql_check" not in rules
    assert "prose" not in rules


def test_problem_reads_like_a_compiler_message() -> None:
    problem = Problem(file="a.yaml", line=3, column=7, message="wrong")
    assert str(problem) == "a.yaml:3:7: error: wrong"


def parse_text(text: str):
    import yaml

    return parse(yaml.safe_load(text))
