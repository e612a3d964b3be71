"""The definitions are valid Amazon States Language, every step is retried, caught and shorter-lived than its machine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint

from .conftest import FUNCTIONS, ROOT, STACKS

MACHINES = {"ingestion": "ingestion", "verification": "timeseries"}
"""Name of the definition → stack."""

Definition = dict[str, Any]


def load(name: str) -> Definition:
    definition: Definition = json.loads((ROOT / f"statemachine/{name}.asl.json").read_text(encoding="utf-8"))
    return definition


def schema_errors(definition: Definition) -> list[str]:
    """What cfn-lint's Amazon States Language schema says; it reads inline definitions only."""
    machine = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition}
    template = {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}}}
    return [m.message for m in lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"]))]


def successors(state: Definition) -> list[str]:
    """Names of the states that may follow."""
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    return [n for n in (state.get("Next"), state.get("Default"), *(r["Next"] for r in rules)) if n]


@pytest.fixture(params=MACHINES)
def name(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def test_is_valid(name: str) -> None:
    # Substitutions make the ARNs; the schema wants none in particular.
    assert schema_errors(load(name)) == []


def test_the_schema_finds_a_mistake() -> None:
    broken = load("ingestion")
    broken["States"]["WaitForSource"]["Seconds"] = "three"
    assert schema_errors(broken)


def test_every_state_is_reachable_and_every_name_exists(name: str) -> None:
    definition = load(name)
    states, seen, todo = definition["States"], set(), [definition["StartAt"]]
    while todo:
        current = todo.pop()
        assert current in states, current
        if current not in seen:
            seen.add(current)
            todo += successors(states[current])
    assert seen == set(states)


def test_substitutions_are_aliases_of_functions(name: str) -> None:
    """A machine that called the function itself would bypass the alias, and with it canaries and roll-backs."""
    needed = set(
        re.findall(r"\$\{(\w+)\}", (ROOT / f"statemachine/{name}.asl.json").read_text(encoding="utf-8"))
    )
    [machine] = [
        r["Properties"]
        for r in STACKS[MACHINES[name]]["Resources"].values()
        if r["Type"] == "AWS::Serverless::StateMachine"
    ]
    assert machine["DefinitionSubstitutions"] == {
        n: {"Ref": f"{n.removesuffix('Arn')}.Alias"} for n in needed
    }
    [invoke] = [
        s for p in machine["Policies"] for s in p["Statement"] if s["Action"] == ["lambda:InvokeFunction"]
    ]
    assert {r["Ref"] for r in invoke["Resource"]} == {
        v["Ref"] for v in machine["DefinitionSubstitutions"].values()
    }


def test_logs_errors_without_data_and_is_traced(name: str) -> None:
    resources = STACKS[MACHINES[name]]["Resources"]
    [machine] = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Serverless::StateMachine"]
    assert (machine["Logging"]["Level"], machine["Logging"]["IncludeExecutionData"]) == ("ERROR", False)
    assert machine["Tracing"] == {"Enabled": True}
    [destination] = machine["Logging"]["Destinations"]
    group = destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"]
    group = group[0] if isinstance(group, list) else group.split(".")[0]
    assert resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_tasks_retry_with_jitter_and_outlive_their_function(name: str) -> None:
    timeouts = {f.name: f.properties["Timeout"] for f in FUNCTIONS}
    definition = load(name)
    for title, state in definition["States"].items():
        if state["Type"] != "Task":
            continue
        function = re.sub(r"\W|Arn\b", "", state["Parameters"]["FunctionName"].removesuffix("Arn}"))
        assert timeouts[function] < state["TimeoutSeconds"] < definition["TimeoutSeconds"], title
        assert all(r["JitterStrategy"] == "FULL" and r["BackoffRate"] > 1 for r in state["Retry"]), title
        assert "TransientError" in state["Retry"][0]["ErrorEquals"], title
        assert "States.ALL" not in [e for r in state["Retry"] for e in r["ErrorEquals"]], (
            "permanent errors are not retried"
        )


def test_every_failure_of_an_ingestion_is_recorded() -> None:
    states = load("ingestion")["States"]
    for title, state in states.items():
        if state["Type"] == "Task" and title != "RecordFailure":
            assert [c["Next"] for c in state["Catch"] if c["ErrorEquals"] == ["States.ALL"]] == [
                "RecordFailure"
            ], title
        if state["Type"] == "Choice":
            assert "RecordFailure" in successors(states[state["Default"]]), title
    assert {successors(s)[0] for s in [states["RecordFailure"]]} == {"Failed"}
    assert states["Failed"]["Type"] == "Fail"


@pytest.mark.parametrize(
    ("stage", "status", "following"),
    [
        ("route", "small", "Process"),
        ("route", "large", "ProcessLarge"),
        ("route", "unchanged", "Record"),
        ("route", "busy", "WaitForSource"),
        ("route", "duplicate", "Done"),
        ("route", "superseded", "Done"),
        ("process", "load", "Load"),
        ("process", "record", "Record"),
        ("load", "continue", "Load"),
        ("load", "done", "Record"),
    ],
)
def test_what_follows_a_status(stage: str, status: str, following: str) -> None:
    rules = [r for s in load("ingestion")["States"].values() for r in s.get("Choices", [])]
    found = [
        r["Next"] for r in rules if (r["Variable"], r["StringEquals"]) == (f"$.stages.{stage}.status", status)
    ]
    assert found == [following]


def test_an_upload_that_cannot_start_an_execution_waits_in_a_queue() -> None:
    machine = STACKS["ingestion"]["Resources"]["IngestionStateMachine"]["Properties"]
    rule = machine["Events"]["Upload"]["Properties"]
    assert rule["Pattern"]["detail-type"] == ["Object Created"]
    assert rule["Pattern"]["detail"]["object"] == {"key": [{"prefix": "raw/"}]}
    assert rule["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
    assert rule["DeadLetterConfig"]["Arn"]


def test_waiting_for_a_source_stays_below_the_events_of_an_execution() -> None:
    """Step Functions ends an execution at 25,000 events, uncaught; one round of wait, task and choice makes nine."""
    definition = load("ingestion")
    rounds = definition["TimeoutSeconds"] / definition["States"]["WaitForSource"]["Seconds"]
    assert rounds * 9 < 25_000
