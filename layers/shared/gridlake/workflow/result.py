"""What a stage hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gridlake.workflow.context import Source


@dataclass(frozen=True, slots=True)
class StageResult:
    """The end of a stage.

    Parameters
    ----------
    status
        One word on which the state machine branches: ``small``, ``load``, ``done`` …
    output
        Everything later stages and people want to know, stored as JSON in S3 and never in the payload.
    source
        The upload, where this stage is the one that identifies it.
    error
        ``{"code", "message", "hint"}``, where this stage is the one that reads the failure of another.
    """

    status: str
    output: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None
    error: Mapping[str, Any] | None = None
