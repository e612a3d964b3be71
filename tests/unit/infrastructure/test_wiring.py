"""The root template passes what children ask for and reads what they give; lint is clean without exceptions."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from .conftest import ROOT, STACKS, Template

ROOT_OUTPUTS = {
    "ApiUrl",
    "RawBucketName",
    "LakeBucketName",
    "QuarantineBucketName",
    "WorkBucketName",
    "LedgerTableName",
    "GlueDatabaseName",
    "IngestionStateMachineArn",
    "VerificationStateMachineArn",
    "InfluxSecretArn",
    "BasicApiKeyId",
    "StandardApiKeyId",
    "PremiumApiKeyId",
    "AlertsTopicArn",
}


def references(node: Any) -> Iterator[tuple[str, str]]:
    """(stack, output) of every ``!GetAtt Stack.Outputs.Name``."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "Fn::GetAtt":
                parts = value if isinstance(value, list) else value.split(".")
                found = re.fullmatch(r"(\w+)\.Outputs\.(\w+)", ".".join(parts))
                if found:
                    yield found[1], found[2]
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_root_only_nests(root: Template) -> None:
    assert {r["Type"] for r in root["Resources"].values()} == {"AWS::Serverless::Application"}
    assert {r["Properties"]["Location"] for r in root["Resources"].values()} == {
        f"stacks/{s}.yaml" for s in STACKS
    }


def test_children_get_every_parameter_and_no_other(root: Template) -> None:
    for resource in root["Resources"].values():
        stack = STACKS[Path(resource["Properties"]["Location"]).stem]
        given, declared = set(resource["Properties"]["Parameters"]), stack.get("Parameters", {})
        required = {name for name, p in declared.items() if "Default" not in p}
        assert required <= given <= set(declared), resource["Properties"]["Location"]


def test_outputs_that_are_read_exist(root: Template) -> None:
    locations = {n: Path(r["Properties"]["Location"]).stem for n, r in root["Resources"].items()}
    missing = [(s, o) for s, o in references(root) if o not in STACKS[locations[s]]["Outputs"]]
    assert missing == []


def test_the_root_gives_the_outputs_others_rely_on(root: Template) -> None:
    assert set(root["Outputs"]) >= ROOT_OUTPUTS


def test_every_declared_parameter_is_used() -> None:
    """cfn-lint tells this too, but not for parameters that only a Description names."""
    for name, stack in STACKS.items():
        text = str({k: v for k, v in stack.items() if k != "Parameters"})
        unused = [p for p in stack.get("Parameters", {}) if not re.search(rf"'Ref': '{p}'|\$\{{{p}\}}", text)]
        assert unused == [], name


@pytest.mark.parametrize("path", ["template.yaml", *(f"stacks/{s}.yaml" for s in STACKS)])
def test_lint_is_clean(path: str) -> None:
    matches = lint((ROOT / path).read_text(encoding="utf-8"), config=ManualArgs(regions=["us-east-1"]))
    assert [f"{m.rule.id} {m.message}" for m in matches] == []


def test_nothing_is_excluded_from_lint() -> None:
    assert not (ROOT / ".cfnlintrc").exists() or "ignore" not in (ROOT / ".cfnlintrc").read_text()
    assert "cfn-lint" not in "".join(p.read_text() for p in (ROOT / "stacks").glob("*.yaml"))


class TestEnvironments:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))

    @pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
    def test_overrides_name_parameters_of_the_root(self, environment: str, root: Template) -> None:
        given = dict(
            o.split("=", 1)
            for o in self.config[environment]["deploy"]["parameters"]["parameter_overrides"].split()
        )
        assert set(given) <= set(root["Parameters"])
        assert given["Environment"] == environment
        for name, value in given.items():
            allowed = root["Parameters"][name].get("AllowedValues")
            assert allowed is None or value in map(str, allowed), name

    def test_a_canary_runs_where_customers_are(self) -> None:
        assert "EnableCanary=true" in self.config["prod"]["deploy"]["parameters"]["parameter_overrides"]

    @pytest.mark.parametrize("environment", ["default", "local", "dev", "staging", "prod"])
    def test_builds_are_never_cached(self, environment: str) -> None:
        """sam's cache looks at a function's folder only, and would keep the hash of the old layer."""
        assert self.config[environment]["build"]["parameters"]["cached"] is False

    def test_no_secret_is_committed(self) -> None:
        assert not re.search(
            r"password|token|secret", re.sub(r"#.*", "", (ROOT / "samconfig.toml").read_text()), re.IGNORECASE
        )
