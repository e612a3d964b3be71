"""Is this text a contract, and if not, everything that is wrong with it, line by line.

Three passes: YAML, the JSON schema of the Open Data Contract Standard (taken from its own package), and the rules of
this platform in `gridlake.contracts.checks`. A pass runs only when the one before found no error in the structure.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema
import yaml
from jsonschema.exceptions import best_match

from gridlake.contracts.checks import check, recognition_clashes
from gridlake.contracts.findings import Finding
from gridlake.contracts.marks import Marked
from gridlake.contracts.model import Contract, Severity
from gridlake.contracts.odcs import parse
from gridlake.platform.errors import ContractError

MAX_BYTES = 1_000_000
"""A contract is text that people read; anything larger is a mistake or an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where."""

    file: str
    line: int
    column: int
    message: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}"


def validate(
    text: str, *, filename: str, others: Iterable[Contract] = ()
) -> tuple[Contract | None, list[Problem]]:
    """Check a contract.

    Parameters
    ----------
    text
        YAML, or JSON, which is YAML.
    filename
        Name the messages give.
    others
        Contracts of the registry, against which recognition is checked.

    Returns
    -------
    contract
        None when the text is not even shaped like one.
    problems
        Everything found, in the order of lines; empty for a sound contract.
    """
    if len(text.encode()) > MAX_BYTES:
        return None, [_problem(filename, (1, 1), f"larger than {MAX_BYTES:,} bytes")]
    try:
        marked = Marked(text)
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        return None, [_yaml_problem(filename, problem)]
    if not isinstance(marked.data, dict):
        return None, [
            _problem(filename, (1, 1), "holds no contract: expected a mapping that begins with apiVersion")
        ]
    findings = [Finding(path, f"the key {path[-1]!r} is here twice") for path in marked.duplicates]
    findings += _schema_findings(marked.data)
    contract: Contract | None = None
    if not findings:
        findings, contract = _own_findings(marked.data, others)
    problems = [_problem(filename, marked.at(f.path), f.message, f.severity) for f in findings]
    return contract, sorted(set(problems), key=lambda p: (p.line, p.column, p.message))


def require_valid(text: str, *, filename: str, others: Iterable[Contract] = ()) -> Contract:
    """The contract of a text without errors; warnings pass.

    Raises
    ------
    ContractError
        It has errors: the message is the first, ``details["problems"]`` all of them.
    """
    contract, problems = validate(text, filename=filename, others=others)
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors or contract is None:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ContractError(
            f"{errors[0]}{more}",
            hint="correct every problem listed and send it again",
            problems=[str(problem) for problem in errors],
        )
    return contract


def _own_findings(
    document: Mapping[str, Any], others: Iterable[Contract]
) -> tuple[list[Finding], Contract | None]:
    findings = list(check(document))
    if any(finding.severity is Severity.ERROR for finding in findings):
        try:
            return findings, parse(document)
        except ContractError:
            return findings, None
    try:
        contract = parse(document)
    except ContractError as problem:
        return [*findings, Finding((), problem.message)], None
    path = ("schema", 0)
    findings += [Finding(path, message) for message in recognition_clashes(contract, others)]
    return findings, contract


def _schema_findings(document: Mapping[str, Any]) -> list[Finding]:
    plain = json.loads(json.dumps(document, default=str))
    findings = []
    for error in _validator().iter_errors(plain):
        cause = best_match([error]) or error
        path = tuple(cause.absolute_path)
        unexpected = re.search(r"\('([^']+)' (?:was|were) unexpected\)", cause.message)
        message = cause.message if len(cause.message) < 300 else cause.message[:300] + "…"
        if unexpected:
            path = (*path, unexpected[1])
            message = f"ODCS has no {unexpected[1]!r} here"
        findings.append(Finding(path, message))
    return findings


@cache
def _validator() -> Any:
    package = importlib.resources.files("open_data_contract_standard")
    schema = json.loads((package / "schema.json").read_text("utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def _yaml_problem(filename: str, problem: Exception) -> Problem:
    mark = getattr(problem, "problem_mark", None)
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    reason = getattr(problem, "problem", None) or str(problem)
    return _problem(filename, place, f"not YAML: {reason}")


def _problem(
    filename: str, place: tuple[int, int], message: str, severity: Severity = Severity.ERROR
) -> Problem:
    return Problem(file=filename, line=place[0], column=place[1], message=message, severity=severity)
