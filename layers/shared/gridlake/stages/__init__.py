"""The stages of the workflows, one module each: what the Lambda functions of the state machines run.

This is the floor where ingestion and time series meet. Nothing heavy is imported here, so that each function loads
only what its own stage needs.
"""

import os

from gridlake.platform.imports import withhold

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # pyarrow imports pandas with the first array it makes, where pandas can be had. No stage uses it, and it takes half
    # of a cold start.
    withhold("pandas")
