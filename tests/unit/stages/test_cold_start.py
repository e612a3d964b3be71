"""What a function of the workflow loads before it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "layers" / "shared"


@pytest.mark.parametrize("stage", ["route", "process", "load", "verify"])
def test_a_function_makes_arrays_and_reads_parquet_without_loading_pandas(stage: str, tmp_path: Path) -> None:
    program = f"""
import gridlake.stages.{stage}, sys
import pyarrow as pa, pyarrow.parquet as pq
table = pa.table({{"n": pa.array([1, 2, None]), "t": pa.array(["a", "b", "a"]).dictionary_encode()}})
pq.write_table(table, {str(tmp_path / "t.parquet")!r})
read = pq.read_table({str(tmp_path / "t.parquet")!r})
assert read["n"].to_numpy()[0] == 1 and read.to_pylist()[1]["t"] == "b"
assert "pandas" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(SHARED), "AWS_LAMBDA_FUNCTION_NAME": "any"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
