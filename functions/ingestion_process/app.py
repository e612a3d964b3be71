"""Stage `process` of the ingestion workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.process import process

handler = lambda_entry(process)
