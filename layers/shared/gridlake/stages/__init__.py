"""The stages of the workflows, one module each: what the Lambda functions of the state machines run.

This is the floor where ingestion and time series meet. Nothing heavy is imported here, so that each function loads
only what its own stage needs.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder


class WithoutPandas(MetaPathFinder):
    """Makes pandas look as if it were not installed.

    pyarrow imports pandas with the first array it makes, where it can be had. No stage uses it, and it takes half of a
    cold start.
    """

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Leave every other module to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError("stages do without pandas", name="pandas")


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    sys.meta_path.insert(0, WithoutPandas())
