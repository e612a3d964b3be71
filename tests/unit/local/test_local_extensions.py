"""The parts of the extensions that need no emulator."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlake_local import extensions
from gridlake_local.extensions import api_definition, state_machine_errors


def test_another_emulator_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "9.9.9")
    with pytest.raises(extensions.IncompatibleEmulatorError, match=r"9\.9\.9.*1\.5\.33.*make setup"):
        extensions.check_version()


def test_a_missing_or_different_symbol_is_refused():
    owner = types.SimpleNamespace(__name__="m", known=lambda first, second: None)
    assert extensions.require(owner, "known", "first") is owner.known
    with pytest.raises(extensions.IncompatibleEmulatorError, match=r"m\.gone"):
        extensions.require(owner, "gone")
    with pytest.raises(extensions.IncompatibleEmulatorError, match="expects"):
        extensions.require(owner, "known", "second")


def test_every_extension_module_is_applied_and_says_what_stock_lacks():
    folder = importlib.resources.files(extensions)
    found = {p.name.removesuffix(".py") for p in folder.iterdir() if p.name.endswith(".py")}
    assert found - {"__init__", "python_worker"} == set(extensions.NAMES)
    for name in extensions.NAMES:
        module = importlib.import_module(f"gridlake_local.extensions.{name}")
        assert "Stock:" in module.__doc__
        assert any(word in module.__doc__ for word in ("Replaces", "Wraps", "Adds"))


@given(
    st.integers(1, 60),
    st.floats(1, 10),
    st.integers(1, 120),
    st.integers(0, 12),
    st.sampled_from(["NONE", "FULL"]),
)
def test_a_delay_never_exceeds_its_bound(interval, rate, greatest, attempt, jitter):
    retrier = {
        "IntervalSeconds": interval,
        "BackoffRate": rate,
        "MaxDelaySeconds": greatest,
        "JitterStrategy": jitter,
    }
    seconds = state_machine_errors.delay(retrier, attempt)
    assert 0 <= seconds <= greatest
    if jitter == "NONE":
        assert seconds == min(greatest, interval * rate**attempt)


def test_parameters_of_the_path_and_references_are_found():
    document = {
        "components": {"parameters": {"Limit": {"name": "limit", "in": "query", "required": False}}},
        "paths": {
            "/x/{id}": {
                "parameters": [{"name": "id", "in": "path", "required": True}],
                "get": {"parameters": [{"$ref": "#/components/parameters/Limit"}]},
                "summary": "not an operation",
            }
        },
    }
    [(path, method, _operation, parameters)] = list(api_definition.operations(document))
    assert (path, method) == ("/x/{id}", "GET")
    assert [parameter["name"] for parameter in parameters] == ["id", "limit"]


def test_a_body_model_is_named_after_its_schema_or_its_operation():
    named = {
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Query"}}}}
    }
    inline = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
    assert api_definition.model_of(named, "/q", "POST")[0] == "Query"
    assert api_definition.model_of(inline, "/q/{id}", "POST")[0] == "POSTqid"
    assert api_definition.model_of({}, "/q", "GET") is None
