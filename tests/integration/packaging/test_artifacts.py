"""Each built function fits into Lambda and imports with its own layers only; the API ones quickly and without data frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from .conftest import ROOT, Artifact

MEGABYTE = 1_000_000
PROBE = """
import json, sys, time
sys.path[:0] = sys.argv[1:]
before = time.perf_counter()
import app
seconds = time.perf_counter() - before
heavy = sorted({"pandas", "pyarrow", "numpy", "awswrangler", "matplotlib"} & set(sys.modules))
print(json.dumps({"seconds": seconds, "heavy": heavy, "callable": callable(app.handler)}))
"""
ENVIRONMENT = {"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test", "PATH": os.defpath}


def import_alone(artifact: Artifact, runtime: Path) -> dict[str, Any]:
    """Import the handler as Lambda does, by an interpreter that sees no site-packages (-I -S)."""
    path = [str(artifact.folder), *(str(layer / "python") for layer in artifact.layers), str(runtime)]
    command = [sys.executable, "-I", "-S", "-B", "-c", PROBE, *path]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"{artifact.name} does not import with its own layers:\n{run.stderr}"
    answer: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answer


def test_every_function_of_the_templates_is_built(artifacts: list[Artifact]) -> None:
    assert len(artifacts) == 14
    assert all((a.folder / "app.py").is_file() for a in artifacts)


def test_functions_with_their_layers_fit_into_lambda(artifacts: list[Artifact]) -> None:
    sizes = {a.name: round(a.bytes / MEGABYTE, 1) for a in artifacts}
    assert {name: size for name, size in sizes.items() if size > 240} == {}, sizes


def test_api_functions_are_small(artifacts: list[Artifact]) -> None:
    sizes = {a.name: round(a.bytes / MEGABYTE, 1) for a in artifacts if a.stack == "Api"}
    assert {name: size for name, size in sizes.items() if size > 60} == {}, sizes


def test_every_function_imports_with_nothing_but_its_layers(artifacts: list[Artifact], runtime: Path) -> None:
    answers = {a.name: import_alone(a, runtime) for a in artifacts}
    assert all(answer["callable"] for answer in answers.values()), answers


def test_functions_without_the_dataframes_layer_do_not_miss_it(
    artifacts: list[Artifact], runtime: Path
) -> None:
    light = [a for a in artifacts if len(a.layers) == 1]
    assert {a.stack for a in light} >= {"Api", "Ingestion"}
    assert {a.name: heavy for a in light if (heavy := import_alone(a, runtime)["heavy"])} == {}


def test_api_functions_import_in_400_ms(artifacts: list[Artifact], runtime: Path) -> None:
    """The best of three counts: the machine may be busy, the import may not be slow."""
    best = {
        a.name: min(import_alone(a, runtime)["seconds"] for _ in range(3))
        for a in artifacts
        if a.stack == "Api"
    }
    assert {name: round(s, 3) for name, s in best.items() if s >= 0.4} == {}


def test_the_libraries_of_the_trimmed_layer_all_work(build: Path, runtime: Path) -> None:
    """What was cut away is not missed: each library imports and does its main job."""
    job = """
import io, sys
sys.path[:0] = sys.argv[1:]
import awswrangler, numpy as np, pandas as pd, pyarrow as pa
import pyarrow.compute as pc, pyarrow.csv, pyarrow.dataset, pyarrow.parquet as pq
from python_calamine import CalamineWorkbook
table = pa.Table.from_pandas(pd.DataFrame({"x": [1.0, 2.0, None]}))
buffer = io.BytesIO()
pq.write_table(table, buffer, compression="zstd")
assert pc.sum(pq.read_table(buffer)["x"]).as_py() == 3.0
assert pyarrow.csv.read_csv(io.BytesIO(b"a;b\\n1;2\\n"), parse_options=pyarrow.csv.ParseOptions(delimiter=";")).num_rows == 1
assert float((np.ones((2, 2)) @ np.ones((2, 2))).sum()) == 8.0
assert pd.Timestamp("2018-11-04 01:00", tz="America/Sao_Paulo").tz_convert("UTC").hour == 3
"""
    layers = [str(build / f"Layers/{name}/python") for name in ("SharedLayer", "DataframesLayer")]
    command = [sys.executable, "-I", "-S", "-B", "-c", job, *layers, str(runtime)]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_light_layer_knows_time_zones_and_contracts(build: Path) -> None:
    """Lambda's image has no zone database, and a registry without contracts answers nothing."""
    job = """
import sys
sys.path[:0] = sys.argv[1:]
import zoneinfo
zoneinfo.reset_tzpath(to=[])
zoneinfo.ZoneInfo("America/Sao_Paulo")
from gridlake.contracts.registry import Registry
assert Registry.builtin().get("ons_load_daily")
"""
    layer = str(build / "Layers/SharedLayer/python")
    command = [sys.executable, "-I", "-S", "-B", "-c", job, layer]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert (build / "Layers/SharedLayer/contracts.json").is_file()


def test_the_contracts_function_validates_with_what_it_brings(
    artifacts: list[Artifact], runtime: Path
) -> None:
    """The standard's JSON schema and its reader are in the artifact, and pydantic is not needed for them."""
    job = """
import json, sys
sys.path[:0] = sys.argv[2:]
import app
from gridlake.contracts.registry import Registry
from gridlake.contracts.validation import validate
contract, problems = validate(sys.argv[1], filename="load.yaml", others=Registry.builtin().all())
_, wrong = validate(sys.argv[1].replace("kind: DataContract", "kind: Nothing"), filename="load.yaml")
print(json.dumps({
    "dataset": contract.dataset, "problems": [str(p) for p in problems], "wrong": [str(p) for p in wrong],
    "pydantic": "pydantic" in sys.modules,
}))
"""
    [artifact] = [a for a in artifacts if a.name == "ContractsFunction"]
    text = (ROOT / "contracts/ons/ons_load_daily.yaml").read_text(encoding="utf-8")
    path = [str(artifact.folder), *(str(layer / "python") for layer in artifact.layers), str(runtime)]
    command = [sys.executable, "-I", "-S", "-B", "-c", job, text, *path]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout.splitlines()[-1])
    assert (answer["dataset"], answer["problems"], answer["pydantic"]) == ("ons_load_daily", [], False)
    assert len(answer["wrong"]) == 1
    assert answer["wrong"][0].startswith("load.yaml:")
