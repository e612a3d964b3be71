"""Stage `route` of the ingestion workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.route import route

handler = lambda_entry(route)
