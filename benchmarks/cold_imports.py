"""What importing each function costs: a fresh interpreter that sees the built artifact, its layers and Lambda's own libraries.

Run: ``python benchmarks/cold_imports.py [--repeat N] [--build DIR]``; without a folder of `sam build` it builds one first.
Prints one JSON object and a markdown table. The median of the repeats counts. A cold start in AWS adds the start of the
runtime itself and has another processor and disk; what it shares with this are the modules that are loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
SITE = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3")
"""What Lambda's Python brings."""

PROBE = """
import sys, time
sys.path[:0] = sys.argv[1:]
before = time.perf_counter()
import app
seconds = time.perf_counter() - before
heavy = [name for name in ("pandas", "pyarrow", "numpy", "boto3", "pydantic") if name in sys.modules]
print(seconds, len(sys.modules), " ".join(heavy))
"""


def build(out: Path) -> Path:
    """`sam build` of the checkout into a folder."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        "SAM_CLI_TELEMETRY": "0",
    }
    subprocess.run(
        ["sam", "build", "--build-dir", str(out)], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    return out


def functions(built: Path) -> dict[str, list[str]]:
    """Import path of every function of the built templates: its artifact, then its layers."""
    layers = {
        f"{name}LayerArn": str(built / f"Layers/{name}Layer/python") for name in ("Shared", "Dataframes")
    }
    found = {}
    for path in sorted(built.glob("*/template.yaml")):
        template = yaml_parse(path.read_text(encoding="utf-8"))
        common = template.get("Globals", {}).get("Function", {})
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                properties = {**common, **resource["Properties"]}
                own = [layers[layer["Ref"]] for layer in properties["Layers"]]
                found[name] = [str(path.parent / properties["CodeUri"]), *own]
    return found


def measure(path: list[str], repeat: int) -> dict[str, Any]:
    """Median, least and greatest milliseconds of the import, and what it loaded."""
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "PATH": os.defpath, "POWERTOOLS_SERVICE_NAME": "bench"}
    command = [sys.executable, "-I", "-S", "-B", "-c", PROBE, *path]
    answers = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(repeat)
    ]
    seconds = sorted(float(answer[0]) * 1000 for answer in answers)
    return {
        "median_ms": round(statistics.median(seconds)),
        "least_ms": round(seconds[0]),
        "greatest_ms": round(seconds[-1]),
        "modules": int(answers[0][1]),
        "heavy": answers[0][2:],
    }


def main() -> None:
    """Measure every function."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--build", type=Path, help="folder of `sam build`")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        built = chosen.build or build(Path(scratch) / "build")
        runtime = Path(scratch) / "runtime"
        runtime.mkdir()
        for name in RUNTIME:
            (runtime / name).symlink_to(SITE / name)
        found = {
            name: measure([*path, str(runtime)], chosen.repeat) for name, path in functions(built).items()
        }
    print(json.dumps(found))
    print("\n| function | import, ms (median) | least to greatest, ms | modules | heavy libraries |")
    print("|---|---:|---:|---:|---|")
    for name, row in sorted(found.items(), key=lambda item: item[1]["median_ms"]):
        spread = f"{row['least_ms']} to {row['greatest_ms']}"
        heavy = ", ".join(row["heavy"]) or "none"
        print(f"| {name} | {row['median_ms']} | {spread} | {row['modules']} | {heavy} |")


if __name__ == "__main__":
    main()
