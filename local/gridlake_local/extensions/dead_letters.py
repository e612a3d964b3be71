"""Failed asynchronous work lands in the dead letter queue that the template names.

Stock: CloudFormation drops ``DeadLetterConfig`` of a function, and an EventBridge rule forgets an event whose state machine can't be
started (it also swallows the refusal).

Wraps the ``AWS::Lambda::Function`` handlers of ``cloudformation.provisioners`` and replaces ``eventbridge._invoke_target`` for state
machine targets with a ``DeadLetterConfig``. Retries of EventBridge itself (24 hours in AWS) are left out: a refusal here is final.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gridlake_local.extensions import require


def apply() -> None:
    """Keep dead letters."""
    from ministack.services import eventbridge, lambda_svc, sqs, stepfunctions
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create: Callable[..., tuple[str, Any]] = require(
        provisioners, "_lambda_create", "logical_id", "props", "stack_name"
    )
    update: Callable[..., tuple[str, Any]] = require(
        provisioners, "_lambda_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id"
    )
    invoke_target = require(eventbridge, "_invoke_target", "target", "event", "rule", "view")
    start_execution = require(stepfunctions, "_start_execution", "data")
    require(eventbridge, "_dispatch_to_stepfunctions", "arn", "payload")

    def configure(name: str, props: dict[str, Any]) -> None:
        config = lambda_svc._functions[name]["config"]
        if props.get("DeadLetterConfig"):
            config["DeadLetterConfig"] = dict(props["DeadLetterConfig"])
        else:
            config.pop("DeadLetterConfig", None)

    def create_function(logical_id: str, props: dict[str, Any], stack_name: str) -> tuple[str, Any]:
        created = create(logical_id, props, stack_name)
        configure(created[0], props)
        return created

    def update_function(
        physical_id: str,
        old_props: dict[str, Any],
        new_props: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> tuple[str, Any]:
        updated = update(physical_id, old_props, new_props, stack_name, logical_id)
        configure(updated[0], new_props)
        return updated

    def start_or_raise(arn: str, payload: str) -> None:
        status, _headers, body = start_execution({"stateMachineArn": arn, "input": payload})
        if status >= 400:
            raise RuntimeError(
                json.loads(body).get("message") or f"starting {arn} failed with status {status}"
            )

    def deliver(target: dict[str, Any], event: dict[str, Any], rule: Any, view: Any = None) -> None:
        queue_arn = (target.get("DeadLetterConfig") or {}).get("Arn")
        if (
            not queue_arn
            or ":states:" not in target.get("Arn", "")
            or set(target) & {"Input", "InputPath", "InputTransformer"}
        ):
            invoke_target(target, event, rule, view)
            return
        payload = json.dumps((view or eventbridge._pattern_event_view(event)).event_with_detail())
        try:
            start_or_raise(target["Arn"], payload)
        except Exception as error:  # noqa: BLE001 - whatever stopped it, the event must not be lost
            attributes = {
                "ERROR_MESSAGE": {"DataType": "String", "StringValue": str(error)},
                "TARGET_ARN": {"DataType": "String", "StringValue": target["Arn"]},
            }
            url = sqs._act_get_queue_url({"QueueName": queue_arn.rsplit(":", 1)[-1]}, "")["QueueUrl"]
            sqs._act_send_message(
                {"QueueUrl": url, "MessageBody": payload, "MessageAttributes": attributes}, url
            )

    handlers["create"], handlers["update"] = create_function, update_function
    eventbridge._invoke_target = deliver
