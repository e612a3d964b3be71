"""The canary switch, on what the SAM transform really emits."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import FUNCTIONS, STACKS
from .transform import translate

WITH_FUNCTIONS = sorted({f.stack for f in FUNCTIONS})


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: r for name, r in resources.items() if r["Type"] == kind}


@pytest.mark.parametrize("stack", WITH_FUNCTIONS)
def test_off_means_no_codedeploy_at_all(stack: str) -> None:
    """The local AWS has no CodeDeploy, and an environment without canaries needs none."""
    resources = translate(STACKS[stack], {"EnableCanary": "false"})
    assert not [name for name, r in resources.items() if "CodeDeploy" in r["Type"]]
    assert not [a for a in of_type(resources, "AWS::Lambda::Alias").values() if "UpdatePolicy" in a]


@pytest.mark.parametrize("stack", WITH_FUNCTIONS)
def test_on_means_ten_percent_for_five_minutes_and_a_roll_back_by_the_own_alarm(stack: str) -> None:
    resources = translate(STACKS[stack], {"EnableCanary": "true"})
    groups = of_type(resources, "AWS::CodeDeploy::DeploymentGroup")
    mine = {f.name for f in FUNCTIONS if f.stack == stack}
    assert {name.removesuffix("DeploymentGroup") for name in groups} == mine
    for name, group in groups.items():
        properties = group["Properties"]
        assert "Canary10Percent5Minutes" in str(properties["DeploymentConfigName"])
        alarm = name.removesuffix("FunctionDeploymentGroup") + "Errors"
        assert properties["AlarmConfiguration"] == {"Enabled": True, "Alarms": [{"Name": {"Ref": alarm}}]}
        assert "DEPLOYMENT_STOP_ON_ALARM" in properties["AutoRollbackConfiguration"]["Events"]
    for alias in of_type(resources, "AWS::Lambda::Alias").values():
        assert alias["Properties"]["Name"] == "live"
        assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
