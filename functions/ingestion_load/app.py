"""Stage `load` of the ingestion workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.load import load

handler = lambda_entry(load)
