"""Libraries that are withheld from a process."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
from gridlake.platform.imports import withhold
withhold("pandas")
import sys, threading
import numpy as np
import pyarrow as pa
failures = []
def use():
    try:
        pa.array(np.arange(3)), pa.array([1.5, None]), pa.table({"a": ["x"]}).column("a").to_numpy()
    except Exception as error:
        failures.append(repr(error))
threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failures, failures
assert "pandas" not in sys.modules
try:
    import pandas
except ModuleNotFoundError as error:
    assert error.name == "pandas"
else:
    raise AssertionError("pandas came in")
import json
"""


def test_pyarrow_works_in_threads_without_the_pandas_that_is_installed() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
