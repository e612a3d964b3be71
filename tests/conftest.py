"""How the whole run is shared between two workers, and where the real files are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what shares a server on one worker: all end-to-end tests together, every other file by itself."""
    for item in items:
        path = item.path.relative_to(ROOT)
        folder = path.parts[:2]
        group = "-".join(folder) if folder == ("tests", "e2e") else path.as_posix()
        item.add_marker(pytest.mark.xdist_group(group))
