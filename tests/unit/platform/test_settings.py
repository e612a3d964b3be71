"""Settings name the variable that is missing, and only when it is used."""

from __future__ import annotations

import pytest

from gridlake.platform.settings import ConfigurationError, Settings


def test_missing_variable_is_named_when_it_is_asked_for() -> None:
    settings = Settings.from_env({"LAKE_BUCKET": "lake"})
    assert settings.lake_bucket == "lake"
    with pytest.raises(ConfigurationError, match="RAW_BUCKET") as caught:
        _ = settings.raw_bucket
    assert caught.value.error_code == "misconfigured"


@pytest.mark.parametrize(
    ("name", "value"), [("INFLUX_VERSION", "4"), ("INFLUX_VERSION", "two"), ("LAMBDA_MAX_BYTES", "64MB")]
)
def test_malformed_number_is_named(name: str, value: str) -> None:
    settings = Settings.from_env({name: value})
    with pytest.raises(ConfigurationError, match=name):
        getattr(settings, name.lower())


def test_bounds_have_defaults_and_unknown_variables_are_ignored() -> None:
    settings = Settings.from_env({"PASSWORD": "secret"})
    assert (settings.lambda_max_bytes, settings.large_max_bytes) == (64 * 2**20, 5 * 2**30)
    assert "secret" not in repr(settings)


def test_settings_come_from_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_BUCKET", "work")
    assert Settings.from_env().work_bucket == "work"


@pytest.mark.parametrize("name", [n for n in Settings.NAMES if n not in ("GRIDLAKE_ENV",)])
def test_every_variable_has_a_property(name: str) -> None:
    value = "2" if name in {"INFLUX_VERSION", "LAMBDA_MAX_BYTES", "LARGE_MAX_BYTES"} else "text"
    assert str(getattr(Settings.from_env({name: value}), name.lower())) == value
