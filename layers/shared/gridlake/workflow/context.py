"""What a stage knows about the execution it belongs to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol, Self

from gridlake.platform import ids
from gridlake.platform.clock import timestamp
from gridlake.platform.errors import PermanentError
from gridlake.platform.s3 import ObjectRef, read_json
from gridlake.platform.settings import Settings
from gridlake.workflow.paths import output_ref

LOCAL_DEADLINE_MS = 15 * 60 * 1000
"""Time of a stage that runs outside Lambda (Batch, tests)."""

UNVERSIONED = "null"
"""Version id that S3 gives an object written while its bucket had no versioning."""

REDRIVE = "gridlake.redrive"
"""Event source of an execution that somebody asked for, in place of ``aws.s3``."""


class LambdaContext(Protocol):
    """The part of the Lambda context object that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is killed."""
        ...


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a state machine."""

    id: str
    """ARN."""
    name: str
    started_at: str


@dataclass(frozen=True, slots=True)
class Source:
    """The upload an execution works on: one version of one raw object."""

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    ingestion_id: str
    source_id: str
    redrive: bool = False

    @property
    def ref(self) -> ObjectRef:
        """The exact object version."""
        return ObjectRef(self.bucket, self.key, None if self.version_id == UNVERSIONED else self.version_id)

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Self:
        """The upload of an S3 "Object Created" event, as EventBridge delivers it and `redrive` imitates it.

        Raises
        ------
        PermanentError
            It is no such event (`invalid_event`).
        """
        try:
            detail = event["detail"]
            bucket, uploaded = detail["bucket"]["name"], detail["object"]
            key, version_id = uploaded["key"], uploaded.get("version-id") or UNVERSIONED
            return cls(
                bucket=bucket,
                key=key,
                version_id=version_id,
                etag=str(uploaded.get("etag", "")).strip('"'),
                size=int(uploaded.get("size", 0)),
                ingestion_id=ids.ingestion_id(bucket, key, version_id),
                source_id=ids.source_id(key),
                redrive=event.get("source") == REDRIVE,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise PermanentError(
                f"the event names no S3 object: {error!r}",
                code="invalid_event",
                hint='send an S3 "Object Created" event, see events/ingestion_route.json',
            ) from error


class ExecutionContext:
    """A stage's view of its execution.

    Parameters
    ----------
    payload
        Input of the state: ``execution``, ``stages``, and ``source``, ``event`` or ``request``.
    settings
        Settings of the function.
    lambda_context
        The Lambda context, for the deadline.
    """

    def __init__(
        self,
        payload: Mapping[str, Any],
        *,
        stage: str,
        settings: Settings,
        lambda_context: LambdaContext | None = None,
    ) -> None:
        given = payload.get("execution") or {}
        name = given.get("name") or str(given.get("id", "")).rpartition(":")[2]
        if not name:
            raise PermanentError("the payload has no execution", code="invalid_event")
        self.execution = Execution(
            id=given.get("id") or name, name=name, started_at=given.get("started_at") or timestamp()
        )
        self.stage = stage
        self.settings = settings
        self.payload = payload
        self._lambda_context = lambda_context
        self._deadline = time.monotonic() + LOCAL_DEADLINE_MS / 1000
        self._outputs: dict[str, dict[str, Any]] = {}

    @property
    def source(self) -> Source:
        """The upload.

        Raises
        ------
        PermanentError
            The payload has neither a source nor an event that names one (`invalid_event`).
        """
        if given := self.payload.get("source"):
            return Source(**given)
        return Source.from_event(self.payload.get("event") or {})

    @property
    def request(self) -> Mapping[str, Any]:
        """What was asked of the execution, where it does not work on an upload."""
        return self.payload.get("request") or {}

    @property
    def stages(self) -> Mapping[str, Mapping[str, str]]:
        """Status and output address of the stages that have run."""
        return self.payload.get("stages") or {}

    @property
    def failure(self) -> Mapping[str, Any]:
        """``{"Error", "Cause"}`` of the state that failed, as Step Functions gives them to a Catch."""
        return self.payload.get("error") or {}

    def output_of(self, stage: str) -> dict[str, Any]:
        """Output of a stage that has run in this execution.

        Raises
        ------
        PermanentError
            The stage has not run (`stage_not_run`), or its output is gone.
        """
        if stage not in self._outputs:
            pointer = self.stages.get(stage)
            if not pointer:
                raise PermanentError(
                    f"the stage {stage!r} has not run in {self.execution.name}", code="stage_not_run"
                )
            self._outputs[stage] = read_json(ObjectRef.parse(pointer["output"]))
        return self._outputs[stage]

    def output_ref(self) -> ObjectRef:
        """Where the output of this stage goes."""
        return output_ref(self.settings.work_bucket, self.execution.name, self.stage)

    def remaining_ms(self) -> int:
        """Milliseconds until the function is killed."""
        if self._lambda_context is not None:
            return int(self._lambda_context.get_remaining_time_in_millis())
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def merged(
        self, status: str, *, source: Source | None, error: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """The payload for the next state: execution, source, request, and the stages with this one."""
        body: dict[str, Any] = {"execution": asdict(self.execution)}
        known = asdict(source) if source else self.payload.get("source")
        if known:
            body["source"] = known
        elif "event" in self.payload:
            body["event"] = self.payload["event"]
        if "request" in self.payload:
            body["request"] = self.payload["request"]
        if error:
            body["error"] = dict(error)
        body["stages"] = {**self.stages, self.stage: {"status": status, "output": self.output_ref().uri}}
        return body
