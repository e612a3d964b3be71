"""Stage `verify` of the verification workflow."""

from gridlake.platform.observability import lambda_entry
from gridlake.stages.verify import verify

handler = lambda_entry(verify)
