"""A change of a layer publishes new versions of the functions that stand on it, and of no other.

SAM names an `AWS::Lambda::Version` after the hash of the function's code. Here the built templates go through the same
two steps as on `sam deploy`: artifacts are named by their checksum, then the SAM translator runs.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from samcli.lib.utils.hash import dir_checksum

from tests.templates import load_template
from tests.unit.infrastructure.transform import translate

from .conftest import ROOT, artifacts_of, sam_build

SOURCES = (
    "template.yaml",
    "stacks",
    "statemachine",
    "functions",
    "layers",
    "contracts",
    "api",
    "samconfig.toml",
)
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


def published_versions(build: Path) -> dict[str, str]:
    """Logical ID of the published version of each function."""
    versions = {}
    for path in sorted(build.glob("*/template.yaml")):
        template = load_template(path)
        mine = [a.name for a in artifacts_of(build) if a.folder.parent == path.parent]
        for artifact in artifacts_of(build):
            if artifact.name in mine:
                uri = f"s3://bucket/{dir_checksum(str(artifact.folder))}"
                template["Resources"][artifact.name]["Properties"]["CodeUri"] = uri
        resources = translate(template, {"EnableCanary": "false"}) if mine else {}
        for name, resource in resources.items():
            if resource["Type"] == "AWS::Lambda::Version":
                versions[resource["Properties"]["FunctionName"]["Ref"]] = name
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


LAYERS = ("Layers/SharedLayer", "Layers/DataframesLayer")


def versions_after(checkout: Path, out: str) -> dict[str, str]:
    return published_versions(sam_build(checkout, checkout.parent / out))


@pytest.mark.slow
def test_who_gets_a_new_version(build: Path, checkout: Path, tmp_path: Path) -> None:
    before = published_versions(build)
    assert len(before) == 14

    assert versions_after(checkout, "again") == before, "nothing changed, nothing is published"
    checksums = [[dir_checksum(str(out / layer)) for layer in LAYERS] for out in (build, tmp_path / "again")]
    assert checksums[0] == checksums[1], "the same sources build the same bytes, wherever they lie"

    (checkout / "layers/shared/gridlake/__init__.py").open("a").write("\n")
    shared = versions_after(checkout, "shared")
    assert {n for n in before if shared[n] != before[n]} == set(before), (
        "all functions stand on the shared layer"
    )

    (checkout / "layers/dataframes/Makefile").open("a").write("\n# changed\n")
    dataframes = versions_after(checkout, "dataframes")
    assert {n for n in before if dataframes[n] != shared[n]} == set(before) - LIGHT
