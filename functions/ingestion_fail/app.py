"""Stage `fail` of the ingestion workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.fail import fail

handler = lambda_entry(fail)
