"""Where stages leave their outputs: ``executions/{executionId}/{stage}/output.json`` of the work bucket."""

from __future__ import annotations

from gridlake.platform.s3 import ObjectRef


def output_key(execution: str, stage: str) -> str:
    """Key of a stage's output.

    Parameters
    ----------
    execution
        Name of the execution (the last part of its ARN).
    stage
        Name of the stage.
    """
    return f"executions/{execution}/{stage}/output.json"


def output_ref(work_bucket: str, execution: str, stage: str) -> ObjectRef:
    """The output object of a stage."""
    return ObjectRef(work_bucket, output_key(execution, stage))
