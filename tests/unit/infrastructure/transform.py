"""What AWS makes of a template: the SAM translator, run here."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from boto3 import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator


def translate(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Resources of the translated template; parameters not given have the value ``given``.

    Local paths, which `sam package` would have replaced by uploads, become an S3 address.
    """
    packaged = deepcopy(dict(template))
    for resource in packaged["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::Serverless::Function" and not str(
            properties.get("CodeUri", "")
        ).startswith("s3:"):
            properties["CodeUri"] = "s3://bucket/code"
        if resource["Type"] == "AWS::Serverless::StateMachine":
            properties["DefinitionUri"] = "s3://bucket/definition"
    values = {name: str(p.get("Default", "given")) for name, p in packaged["Parameters"].items()} | dict(
        parameters
    )
    translated: dict[str, Any] = Translator(
        {}, Parser(), boto_session=Session(region_name="us-east-1")
    ).translate(packaged, values)
    return dict(translated["Resources"])
