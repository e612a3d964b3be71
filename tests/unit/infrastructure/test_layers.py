"""The hash that makes functions follow their layers, and the locks of the layers."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import ROOT


@pytest.fixture
def content_hash() -> ModuleType:
    spec = importlib.util.spec_from_file_location("content_hash", ROOT / "layers/content_hash.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The sources of the layers, in miniature."""
    for name in (
        "layers/shared/gridlake/units.py",
        "layers/dataframes/Makefile",
        "contracts/ons/load.yaml",
        "layers/common.mk",
        "samconfig.toml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"content of {name}\n")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "layers"),
    [
        ("layers/shared/gridlake/units.py", {"shared"}),
        ("contracts/ons/load.yaml", {"shared"}),
        ("layers/dataframes/Makefile", {"dataframes"}),
        ("layers/common.mk", {"shared", "dataframes"}),
        ("samconfig.toml", {"shared", "dataframes"}),
    ],
)
def test_changes_with_what_the_layer_is_made_from(
    content_hash: ModuleType, checkout: Path, changed: str, layers: set[str]
) -> None:
    before = {layer: content_hash.content_hash([layer], checkout) for layer in content_hash.SOURCES}
    (checkout / changed).write_text("something else\n")
    after = {layer: content_hash.content_hash([layer], checkout) for layer in content_hash.SOURCES}
    assert {layer for layer in before if before[layer] != after[layer]} == layers


def test_a_renamed_file_is_a_change(content_hash: ModuleType, checkout: Path) -> None:
    before = content_hash.content_hash(["shared"], checkout)
    (checkout / "contracts/ons/load.yaml").rename(checkout / "contracts/ons/demand.yaml")
    assert content_hash.content_hash(["shared"], checkout) != before


def test_caches_and_copies_elsewhere_do_not_matter(
    content_hash: ModuleType, checkout: Path, tmp_path: Path
) -> None:
    before = content_hash.content_hash(["shared", "dataframes"], checkout)
    cache = checkout / "layers/shared/gridlake/__pycache__"
    cache.mkdir()
    (cache / "units.cpython-313.pyc").write_bytes(b"x")
    (checkout / "contracts/.mypy_cache").mkdir()
    (checkout / "contracts/.mypy_cache/x.json").write_text("{}")
    copy = tmp_path.parent / f"{tmp_path.name}-copy"
    shutil.copytree(checkout, copy)
    assert content_hash.content_hash(["shared", "dataframes"], copy) == before


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", lock.read_text(), re.MULTILINE))


LOCKS = ["layers/shared", "layers/dataframes", "functions/api_contracts"]


def test_every_lock_of_layers_and_functions_is_looked_at() -> None:
    found = [p for folder in ("layers", "functions") for p in (ROOT / folder).glob("*/requirements.txt")]
    assert {p.parent.relative_to(ROOT).as_posix() for p in found} == set(LOCKS)


@pytest.mark.parametrize("folder", LOCKS)
def test_functions_run_the_versions_that_are_tested(folder: str) -> None:
    tested, shipped = pins(ROOT / "requirements/dev.txt"), pins(ROOT / folder / "requirements.txt")
    assert shipped
    assert {n: v for n, v in shipped.items() if tested.get(n) != v} == {}


def test_the_runtime_brings_boto3_and_the_light_layer_no_data_frames() -> None:
    shared, dataframes = (pins(ROOT / f"layers/{name}/requirements.txt") for name in ("shared", "dataframes"))
    assert not {"boto3", "botocore", "s3transfer"} & {*shared, *dataframes}
    assert not {"pandas", "pyarrow", "numpy"} & set(shared)
    assert not set(shared) & set(dataframes), "a library is in one layer only"


def test_a_function_brings_no_library_of_its_layer_and_no_model_it_does_not_use() -> None:
    own = set(pins(ROOT / "functions/api_contracts/requirements.txt"))
    assert not own & set(pins(ROOT / "layers/shared/requirements.txt"))
    assert not own & {"pydantic", "pydantic-core"}
