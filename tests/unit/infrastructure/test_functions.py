"""What holds for every function, so that a new one can't be deployed without it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .conftest import FOLDERS, FUNCTIONS, ROOT, Function

NEEDS_INFLUX = {"LoadFunction", "VerificationFunction", "QueryFunction", "HealthFunction"}
MOVES_DATA = {
    "RouteFunction",
    "ProcessFunction",
    "ProcessLargeFunction",
    "LoadFunction",
    "VerificationFunction",
}
"""Functions with the dataframes layer; the others must start without pandas and pyarrow."""


def test_every_function_is_known_to_these_tests() -> None:
    assert {f.name for f in FUNCTIONS} == set(FOLDERS)


def test_runs_on_the_runtime_the_layers_are_built_for(function: Function) -> None:
    assert (function.properties["Runtime"], function.properties["Architectures"]) == (
        "python3.13",
        ["x86_64"],
    )


def test_is_published_behind_the_alias_live(function: Function) -> None:
    assert function.properties["AutoPublishAlias"] == "live"
    assert function.properties["AutoPublishAliasAllProperties"] is True


def test_canary_is_switched_by_a_plain_parameter(function: Function) -> None:
    """`!If` here makes SAM emit CodeDeploy resources whatever the condition says."""
    preference = function.properties["DeploymentPreference"]
    assert preference["Enabled"] == {"Ref": "EnableCanary"}
    assert preference["Type"] == "Canary10Percent5Minutes"


def test_errors_of_the_alias_roll_a_canary_back(function: Function) -> None:
    [alarm] = function.properties["DeploymentPreference"]["Alarms"]
    properties = function.template["Resources"][alarm["Ref"]]["Properties"]
    dimensions = {d["Name"]: d["Value"] for d in properties["Dimensions"]}
    assert (properties["Namespace"], properties["MetricName"]) == ("AWS/Lambda", "Errors")
    assert dimensions == {
        "FunctionName": {"Ref": function.name},
        "Resource": {"Fn::Sub": f"${{{function.name}}}:live"},
    }
    assert properties["AlarmActions"] == [{"Ref": "AlertsTopicArn"}]


def test_is_traced_and_logs_json_to_its_own_group_with_retention(function: Function) -> None:
    assert function.properties["Tracing"] == "Active"
    logging = function.properties["LoggingConfig"]
    assert logging["LogFormat"] == "JSON"
    group = function.template["Resources"][logging["LogGroup"]["Ref"]]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_has_a_dead_letter_queue(function: Function) -> None:
    queue = function.properties["DeadLetterQueue"]["TargetArn"]["Fn::GetAtt"]
    name = queue[0] if isinstance(queue, list) else queue.split(".")[0]
    assert function.template["Resources"][name]["Type"] == "AWS::SQS::Queue"


def test_is_built_with_the_hash_of_its_layers(function: Function) -> None:
    resource = function.template["Resources"][function.name]
    assert resource["Metadata"] == {"BuildMethod": "makefile"}
    [target] = re.findall(
        rf"^build-{function.name}: ; \$\(call build,(\w+),\$\((\w+)\)\)$",
        (ROOT / "functions/Makefile").read_text(),
        re.MULTILINE,
    )
    assert target == (function.folder, "HEAVY" if function.name in MOVES_DATA else "LIGHT")


def test_has_only_the_layers_it_needs(function: Function) -> None:
    layers = [layer["Ref"] for layer in function.properties["Layers"]]
    assert (
        layers == ["SharedLayerArn", "DataframesLayerArn"]
        if function.name in MOVES_DATA
        else ["SharedLayerArn"]
    )


def test_has_code_and_a_sample_event(function: Function) -> None:
    assert (ROOT / "functions" / function.folder / "app.py").is_file()
    named = (ROOT / "events").rglob("*.json")
    samples = [p for p in named if function.folder in (p.stem, p.parent.name)]
    assert samples, f"events/{function.folder}.json is missing"
    for sample in samples:
        json.loads(sample.read_text(encoding="utf-8"))


def test_only_those_who_talk_to_influxdb_are_in_its_network_and_read_its_secret(function: Function) -> None:
    secrets = [s for s in function.statements if "secretsmanager:GetSecretValue" in s["Action"]]
    assert ("VpcConfig" in function.properties, bool(secrets)) == ((function.name in NEEDS_INFLUX,) * 2)


NARROW = re.compile(
    r"arn:\$\{AWS::Partition\}:("
    r"s3:::\$\{\w+Bucket\}(/[a-z]+(/[a-z]+)*/\*)?"  # a bucket, or a folder in it
    r"|dynamodb:HERE:table/\$\{LedgerTable\}(/index/\*)?"
    r"|states:HERE:execution:\$\{VerificationStateMachineName\}:\*"
    r"|glue:HERE:(catalog|database/\$\{GlueDatabase\}|table/\$\{GlueDatabase\}/\*))".replace(
        "HERE", r"\$\{AWS::Region\}:\$\{AWS::AccountId\}"
    )
)
"""ARNs with a pattern in them that are as narrow as the service allows. A whole bucket's objects are not."""


def is_narrow(resource: Any) -> bool:
    """Whether an IAM resource is one thing by reference, or one of the patterns above."""
    if not isinstance(resource, dict):
        return False
    return bool(NARROW.fullmatch(resource["Fn::Sub"])) if "Fn::Sub" in resource else True


def test_permissions_name_actions_and_resources(function: Function) -> None:
    for statement in function.statements:
        assert statement["Effect"] == "Allow"
        assert not [a for a in statement["Action"] if "*" in a], statement
        resources = (
            statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        )
        assert all(map(is_narrow, resources)), statement


@pytest.mark.parametrize(
    "wide", ["*", {"Fn::Sub": "arn:${AWS::Partition}:s3:::${RawBucket}/*"}, {"Fn::Sub": "*"}]
)
def test_the_check_above_sees_a_wildcard(wide: Any) -> None:
    assert not is_narrow(wide)


def test_listing_a_bucket_is_bounded_by_a_prefix(function: Function) -> None:
    """HeadBucket of the health check is the one exception: it lists nothing."""
    for statement in function.statements:
        if "s3:ListBucket" in statement["Action"] and function.name != "HealthFunction":
            assert statement["Condition"]["StringLikeIfExists"]["s3:prefix"], statement


def test_functions_of_the_api_snapshot_after_imports_where_told(stacks: dict[str, Any]) -> None:
    snap_start = stacks["api"]["Globals"]["Function"]["SnapStart"]
    assert snap_start == {"ApplyOn": {"Fn::If": ["UseSnapStart", "PublishedVersions", "None"]}}


def test_api_gateway_waits_as_long_as_the_slowest_function_may_run() -> None:
    assert all(f.properties["Timeout"] <= 29 for f in FUNCTIONS if f.stack == "api")


def test_a_changed_server_publishes_new_versions(function: Function) -> None:
    """SAM's hash sees references, not values; a version's description is one that CloudFormation compares by value."""
    description = function.properties["VersionDescription"]["Fn::Sub"]
    environment = function.properties["Environment"]["Variables"]
    for name in ("InfluxUrl", "InfluxVersion", "InfluxDatabase", "InfluxOrg"):
        assert f"${{{name}}}" in description
        assert name in str(environment)


def test_a_version_description_fits(root: dict[str, Any]) -> None:
    bound = {name: p.get("MaxLength", 1) for name, p in root["Parameters"].items()}
    assert bound["InfluxUrl"] + bound["InfluxDatabase"] + bound["InfluxOrg"] + len("1") + 3 <= 256
