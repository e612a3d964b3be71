"""A change of a layer publishes new versions of the functions that stand on it, and of no other.

SAM names an `AWS::Lambda::Version` after the hash of the function's code. Here the built templates go through the same
two steps as on `sam deploy`: artifacts are named by their checksum, then the SAM translator runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from samcli.lib.utils.hash import dir_checksum
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.managed_policy_translator import ManagedPolicyLoader
from samtranslator.translator.translator import Translator

from .conftest import ROOT, artifacts_of, sam_build

SOURCES = ("template.yaml", "stacks", "statemachine", "functions", "layers", "contracts", "api")
LIGHT = {
    "RecordFunction",
    "FailFunction",
    "HealthFunction",
    "DatasetsFunction",
    "ContractsFunction",
    "UploadsFunction",
    "IngestionsFunction",
    "QueryFunction",
    "VerificationsFunction",
}


class NoPolicies(ManagedPolicyLoader):
    """The templates use no managed policy by name, so nothing is asked of IAM."""

    def __init__(self) -> None:
        super().__init__(None)

    def load(self) -> dict[str, str]:
        return {}


def published_versions(build: Path) -> dict[str, str]:
    """Logical ID of the published version of each function."""
    versions = {}
    for path in sorted(build.glob("*/template.yaml")):
        template = yaml_parse(path.read_text(encoding="utf-8"))
        mine = [a for a in artifacts_of(build) if a.folder.parent == path.parent]
        if not mine:
            continue
        for artifact in mine:
            uri = f"s3://bucket/{dir_checksum(str(artifact.folder))}"
            template["Resources"][artifact.name]["Properties"]["CodeUri"] = uri
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::StateMachine":
                resource["Properties"]["DefinitionUri"] = "s3://bucket/definition"
        parameters = dict.fromkeys(template["Parameters"], "given") | {"EnableCanary": "false"}
        translated = Translator(NoPolicies().load(), Parser()).translate(template, parameters)
        for artifact in mine:
            [version] = [
                name
                for name, r in translated["Resources"].items()
                if r["Type"] == "AWS::Lambda::Version" and name.startswith(f"{artifact.name}Version")
            ]
            versions[artifact.name] = version
    return versions


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of everything `sam build` reads."""
    target = tmp_path / "checkout"
    target.mkdir()
    for name in SOURCES:
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(source, target / name, ignore=ignored) if source.is_dir() else shutil.copy(
            source, target
        )
    return target


def versions_after(checkout: Path, out: str) -> dict[str, str]:
    return published_versions(sam_build(checkout, checkout.parent / out))


@pytest.mark.slow
def test_who_gets_a_new_version(checkout: Path) -> None:
    before = versions_after(checkout, "before")
    assert len(before) == 14

    (checkout / "layers/shared/gridlake/__init__.py").open("a").write("\n")
    shared = versions_after(checkout, "shared")
    assert {n for n in before if shared[n] != before[n]} == set(before), (
        "all functions stand on the shared layer"
    )

    (checkout / "layers/dataframes/Makefile").open("a").write("\n# changed\n")
    dataframes = versions_after(checkout, "dataframes")
    assert {n for n in before if dataframes[n] != shared[n]} == set(before) - LIGHT

    (checkout / "functions/api_health/app.py").open("a").write("\n")
    function = versions_after(checkout, "function")
    assert {n for n in before if function[n] != dataframes[n]} == {"HealthFunction"}
