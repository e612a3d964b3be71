"""When to deploy again, and with which parameters."""

from __future__ import annotations

import stat
import tomllib

import pytest

from gridlake_local.deployment import Deployment, DeploymentError

CONFIG = """version = 0.1
[local.global.parameters]
stack_name = "tiny"
[local.deploy.parameters]
resolve_s3 = true
capabilities = ["CAPABILITY_IAM"]
parameter_overrides = "Environment=local InfluxUrl=nowhere"
"""


@pytest.fixture
def deployment(tmp_path):
    checkout = tmp_path / "checkout"
    for name in ("stacks/a.yaml", "functions/f/app.py", "contracts/ons/x.yaml", "template.yaml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    (checkout / "samconfig.toml").write_text(CONFIG)
    state = tmp_path / "state"
    state.mkdir()
    return Deployment(checkout, state)


def fake_sam(tmp_path, monkeypatch, script):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sam").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "sam").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    "changed", ["stacks/a.yaml", "functions/f/app.py", "contracts/ons/x.yaml", "samconfig.toml"]
)
def test_a_changed_source_changes_the_fingerprint(deployment, changed):
    before = deployment.fingerprint({})
    path = deployment.checkout / changed
    path.write_text(path.read_text() + "\n# more\n")
    assert deployment.fingerprint({}) != before


def test_a_new_or_renamed_source_changes_the_fingerprint(deployment):
    before = deployment.fingerprint({})
    (deployment.checkout / "stacks" / "a.yaml").rename(deployment.checkout / "stacks" / "b.yaml")
    assert deployment.fingerprint({}) != before


def test_what_is_no_source_does_not_change_it(deployment):
    before = deployment.fingerprint({"a": "1"})
    cache = deployment.checkout / "functions" / "f" / "__pycache__"
    cache.mkdir()
    (cache / "app.cpython-313.pyc").write_bytes(b"x")
    (deployment.checkout / "README.md").write_text("x")
    assert deployment.fingerprint({"a": "1"}) == before
    assert deployment.fingerprint({"a": "2"}) != before


def test_parameters_are_laid_over_those_of_the_environment_in_a_private_file(
    deployment, tmp_path, monkeypatch
):
    environment = fake_sam(tmp_path, monkeypatch, 'echo "$@"')
    deployment.deploy(environment, {"InfluxUrl": "http://127.0.0.1:1", "InfluxPassword": 'a"b\\c=d'})
    path = deployment.state / "samconfig.toml"
    written = tomllib.loads(path.read_text())["local"]["deploy"]["parameters"]
    assert written["parameter_overrides"] == [
        "Environment=local",
        "InfluxUrl=http://127.0.0.1:1",
        'InfluxPassword=a"b\\c=d',
    ]
    assert (written["stack_name"], written["resolve_s3"]) == ("tiny", True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    log = (deployment.state / "logs" / "sam-deploy.log").read_text()
    assert "--config-env local" in log
    assert "InfluxPassword" not in log, "the password is not on the command line"


def test_a_failure_shows_the_end_of_the_log_and_the_next_step(deployment, tmp_path, monkeypatch):
    environment = fake_sam(tmp_path, monkeypatch, 'echo "template.yaml: bad"; exit 3')
    with pytest.raises(DeploymentError, match="exit code 3") as failure:
        deployment.build(environment)
    message = str(failure.value)
    assert "template.yaml: bad" in message
    assert "sam-build.log" in message
    assert "gridlake up" in message
