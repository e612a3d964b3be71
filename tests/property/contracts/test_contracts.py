"""Whatever a file looks like, its drafted contract validates; whatever validates can be read."""

from __future__ import annotations

import contextlib
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gridlake.contracts.draft import draft, to_yaml
from gridlake.contracts.model import Contract, Severity
from gridlake.contracts.odcs import parse
from gridlake.contracts.profile import ColumnProfile, TableProfile
from gridlake.contracts.registry import Registry
from gridlake.contracts.text import value_key
from gridlake.contracts.units import UNITS, compatible, factor
from gridlake.contracts.validation import validate
from gridlake.platform.errors import ContractError

NAMES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["time", "year", "Load [MW]", "preço (R$/MWh)", "%", "id_subsistema", "ND", "nd", " ND "]
    ),
)
FORMATS = st.sampled_from(
    [None, "%Y-%m-%d", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%y", "%Y%m%d%H"]
)
COLUMNS = st.builds(
    ColumnProfile,
    name=NAMES,
    type=st.sampled_from(["number", "time", "text", "empty"]),
    nulls=st.integers(0, 100),
    distinct=st.integers(0, 10_000),
    examples=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    time_format=FORMATS,
    step_seconds=st.one_of(
        st.none(), st.floats(0, 1e8), st.sampled_from([900.0, 3600.0, 86400.0, 2592000.0])
    ),
)
PROFILES = st.builds(
    TableProfile,
    columns=st.lists(COLUMNS, min_size=1, max_size=12).map(tuple),
    rows=st.integers(0, 100_000),
    decimal=st.sampled_from([None, ".", ","]),
)
DOCUMENTS = st.sampled_from([dict(document) for document in Registry.builtin().documents()])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(profile=PROFILES, filename=st.text(max_size=60))
@settings(max_examples=150)
def test_a_draft_always_validates(profile: TableProfile, filename: str) -> None:
    usable = [column for column in profile.columns if value_key(column.name.lstrip("\ufeff"))]
    document = draft(profile, filename=filename)
    contract, problems = validate(to_yaml(document), filename="draft.yaml")
    if usable:
        assert [problem for problem in problems if problem.severity is Severity.ERROR] == []
        assert contract == parse(document)


@given(profile=PROFILES)
@settings(max_examples=50)
def test_a_profile_always_survives_json(profile: TableProfile) -> None:
    assert TableProfile.from_dict(profile.as_dict()) == profile


@given(document=DOCUMENTS, data=st.data())
@settings(max_examples=30)
def test_what_validates_parses_and_what_does_not_is_said(
    document: dict[str, Any], data: st.DataObject
) -> None:
    changed = yaml.safe_load(yaml.safe_dump(document))
    node: Any = changed
    for _ in range(data.draw(st.integers(1, 6))):
        choices = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not choices:
            break
        key = data.draw(st.sampled_from(choices))
        if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
            node[key] = data.draw(JSON)
            break
        node = node[key]
    text = yaml.safe_dump(changed, allow_unicode=True)
    contract, problems = validate(text, filename="changed.yaml")
    lines = text.count("\n") + 1
    assert all(1 <= problem.line <= lines for problem in problems)
    if not [problem for problem in problems if problem.severity is Severity.ERROR]:
        assert isinstance(contract, Contract)
        assert contract == parse(changed)
    else:
        with contextlib.suppress(ContractError):
            parse(changed)


@given(text=st.text(max_size=300))
@settings(max_examples=150)
def test_validation_never_fails_on_any_text(text: str) -> None:
    _, problems = validate(text, filename="any.yaml")
    assert problems


@given(unit=st.sampled_from(sorted(UNITS)), data=st.data(), value=st.floats(-1e9, 1e9))
def test_converting_there_and_back_changes_nothing(unit: str, data: st.DataObject, value: float) -> None:
    other = data.draw(st.sampled_from(compatible(unit)))
    back = value * factor(unit, other) * factor(other, unit)
    assert abs(back - value) <= 1e-12 * max(1.0, abs(value))
