"""The templates as written, with Globals merged into each function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.templates import load_template

ROOT = Path(__file__).resolve().parents[3]
Template = dict[str, Any]

FOLDERS = {
    "RouteFunction": "ingestion_route",
    "ProcessFunction": "ingestion_process",
    "ProcessLargeFunction": "ingestion_process",
    "LoadFunction": "ingestion_load",
    "RecordFunction": "ingestion_record",
    "FailFunction": "ingestion_fail",
    "VerificationFunction": "verification",
    "HealthFunction": "api_health",
    "DatasetsFunction": "api_datasets",
    "ContractsFunction": "api_contracts",
    "UploadsFunction": "api_uploads",
    "IngestionsFunction": "api_ingestions",
    "QueryFunction": "api_query",
    "VerificationsFunction": "api_verifications",
}
"""Folder below functions/ of each function; one folder may be deployed twice with different sizes."""


@dataclass(frozen=True)
class Function:
    """One function and the stack it is in."""

    stack: str
    name: str
    template: Template
    properties: dict[str, Any]

    @property
    def folder(self) -> str:
        return FOLDERS[self.name]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """Its own IAM statements."""
        return [s for policy in self.properties["Policies"] for s in policy["Statement"]]


def functions_of(stack: str, template: Template) -> Iterator[Function]:
    shared = template.get("Globals", {}).get("Function", {})
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties = dict(shared)
        for key, value in resource["Properties"].items():
            properties[key] = {**shared[key], **value} if isinstance(shared.get(key), dict) else value
        yield Function(stack, name, template, properties)


STACKS = {path.stem: load_template(path) for path in sorted((ROOT / "stacks").glob("*.yaml"))}
FUNCTIONS = [f for stack, template in STACKS.items() for f in functions_of(stack, template)]


@pytest.fixture
def root() -> Template:
    return load_template(ROOT / "template.yaml")


@pytest.fixture
def stacks() -> dict[str, Template]:
    return STACKS


@pytest.fixture(params=FUNCTIONS, ids=lambda f: f.name)
def function(request: pytest.FixtureRequest) -> Function:
    """Each function of the application in turn."""
    value: Function = request.param
    return value
