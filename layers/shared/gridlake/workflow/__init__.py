"""The workflow kernel: what every Lambda that is a step of a state machine has in common."""

from gridlake.workflow.context import Execution, ExecutionContext, Source
from gridlake.workflow.handler import stage
from gridlake.workflow.result import StageResult

__all__ = ["Execution", "ExecutionContext", "Source", "StageResult", "stage"]
