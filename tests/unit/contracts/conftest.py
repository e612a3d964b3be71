"""Contracts to change and break, and a lake to register them in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from gridlake.contracts.registry import Registry
from gridlake.platform import clients

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = ROOT / "contracts"

SOUND = """\
apiVersion: v3.2.0
kind: DataContract
id: meter_readings
name: Meter readings
version: 1.0.0
status: active
tenant: example
schema:
  - name: meter_readings
    customProperties:
      - property: gridlake
        value:
          kind: series
          file_patterns: [METER_*]
    properties:
      - name: time
        physicalName: instant
        logicalType: timestamp
        customProperties:
          - property: gridlake
            value:
              formats: ['%Y-%m-%d %H:%M']
              zone: Europe/Lisbon
              interval: PT15M
              end_of_day: '23:59:00'
      - name: site
        physicalName: site
        logicalType: string
        primaryKey: true
        required: true
        enum:
          - value: LX
            label: Lisbon
            customProperties:
              - property: gridlake
                value: {spellings: [LISBOA]}
          - value: OP
            label: Porto
          - value: ALL
            customProperties:
              - property: gridlake
                value: {aggregates: [LX, OP]}
        customProperties:
          - property: gridlake
            value: {role: tag, closed: true}
      - name: power_kw
        physicalName: power
        logicalType: number
        customProperties:
          - property: gridlake
            value: {role: field, unit: kW, source_unit: W, aliases: [potencia], combine: sum}
      - name: loss_kw
        physicalName: loss
        logicalType: number
        customProperties:
          - property: gridlake
            value: {role: field, unit: kW}
    quality:
      - id: possible
        type: custom
        engine: gridlake
        severity: error
        implementation: {kind: range, columns: [power_kw], min: 0, max: 1000}
      - id: unique_key
        type: custom
        engine: gridlake
        implementation: {kind: unique, keep: last}
      - id: complete
        type: custom
        engine: gridlake
        severity: warning
        implementation: {kind: completeness}
"""


@pytest.fixture
def sound() -> str:
    """A small contract without any problem."""
    return SOUND


@pytest.fixture
def reference_data() -> Path:
    """Folder of files operators published; they are not part of the repository."""
    folder = Path(os.environ.get("GRIDLAKE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no reference data on this machine")
    return folder


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty lake bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        clients.reset()
        Registry.forget()
        boto3.client("s3").create_bucket(Bucket="lake")
        yield "lake"
    clients.reset()
    Registry.forget()
