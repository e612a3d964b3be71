"""Nothing that is committed is a secret, or gives away more than it must."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.templates import load_template

ROOT = Path(__file__).resolve().parents[2]
SECRETS = re.compile(
    r"(?<![A-Z0-9])(?:AKIA|ASIA)(?![A-Z0-9]*EXAMPLE)[A-Z0-9]{16}(?![A-Z0-9])"
    r"|-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"
    r"|\bgh[pousr]_[A-Za-z0-9]{36}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|(?i:\b(?:password|secret|token|api_?key)\b[\"']?\s*[:=]\s*[\"'][A-Za-z0-9+/_-]{24,}[\"'])"
)
TEMPLATES = [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and file.suffix not in {".txt", ".png", ".parquet"}]


def findings(text: str) -> list[str]:
    return [match[0] for match in SECRETS.finditer(text)]


def test_no_file_holds_a_secret() -> None:
    files = committed()
    assert len(files) > 300
    found = {
        str(file.relative_to(ROOT)): hits for file in files if (hits := findings(file.read_text("latin-1")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "gh" + "p_" + "a" * 36,
        "password = " + '"' + "Zm9vYmFyYmF6cXV4Zm9vYmFy" + '"',
        '"token": ' + '"' + "Zm9vYmFyYmF6cXV4Zm9vYmFy" + '"',
    ],
)
def test_the_check_above_sees_a_secret(text: str) -> None:
    assert findings(f"a line\n{text}\n")


def statements(node: Any) -> list[dict[str, Any]]:
    """Every policy statement of a template, wherever it is."""
    if isinstance(node, list):
        return [found for item in node for found in statements(item)]
    if not isinstance(node, dict):
        return []
    mine = [node] if "Effect" in node and ("Action" in node or "NotAction" in node) else []
    return mine + [found for value in node.values() for found in statements(value)]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_policy_allows_every_action(path: Path) -> None:
    for statement in statements(load_template(path)):
        if statement["Effect"] == "Allow":
            actions = statement.get("Action", "*")
            wide = [
                a
                for a in (actions if isinstance(actions, list) else [actions])
                if a == "*" or a.endswith(":*")
            ]
            # In a key's own policy the account may do everything with that one key, as AWS demands.
            assert wide in ([], ["kms:*"]), statement


def test_the_policies_are_found() -> None:
    assert sum(len(statements(load_template(path))) for path in TEMPLATES) > 40


def test_passwords_are_parameters_that_are_not_echoed() -> None:
    for path in TEMPLATES:
        for name, parameter in load_template(path).get("Parameters", {}).items():
            if re.search(r"password|token|secret$", name, re.IGNORECASE):
                assert parameter["NoEcho"] is True, f"{path.name}: {name}"
                assert not parameter.get("Default"), f"{path.name}: {name} has a default"
