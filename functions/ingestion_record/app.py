"""Stage `record` of the ingestion workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.record import record

handler = lambda_entry(record)
