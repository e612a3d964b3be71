"""An object's event in EventBridge names its version.

Stock: events of a versioned bucket lack ``detail.object.version-id`` (S3's other notifications have it), so a workflow could only read
whatever is the latest version by then.

Wraps ``s3._fire_s3_event`` (which version?) and ``eventbridge._dispatch_event`` (adds it).
"""

from __future__ import annotations

import contextvars
import json
from typing import Any

from gridlake_local.extensions import require

_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("gridlake_object_version", default=None)


def apply() -> None:
    """Add the version of the object to S3 events."""
    from ministack.services import eventbridge, s3

    fire = require(s3, "_fire_s3_event", "bucket_name", "key", "event_name")
    dispatch = require(eventbridge, "_dispatch_event", "event")

    def fire_with_version(*args: Any, version_id: str | None = None, **kwargs: Any) -> None:
        token = _version.set(version_id)
        try:
            fire(*args, version_id=version_id, **kwargs)
        finally:
            _version.reset(token)

    def dispatch_with_version(event: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        version = _version.get()
        if version and event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            detail["object"].setdefault("version-id", version)
            event = {**event, "Detail": json.dumps(detail)}
        return dispatch(event, *args, **kwargs)

    s3._fire_s3_event = fire_with_version
    eventbridge._dispatch_event = dispatch_with_version
