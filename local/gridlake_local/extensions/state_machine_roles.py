"""A state machine may call only the functions that its role allows.

Stock: with AUTH=true the calls of functions are checked, but a state machine invokes any function whatever its role says.

Wraps ``stepfunctions._run_execution`` (which role?) and ``stepfunctions._call_lambda`` (may it?). Other service integrations stay
unchecked: this application's state machines only invoke functions.
"""

from __future__ import annotations

import contextvars
from typing import Any

from gridlake_local.extensions import require

_role: contextvars.ContextVar[str] = contextvars.ContextVar("gridlake_state_machine_role", default="")


def apply() -> None:
    """Check lambda:InvokeFunction against the role of the execution."""
    from ministack import app
    from ministack.core import iam_evaluator
    from ministack.services import lambda_svc, stepfunctions

    run = require(stepfunctions, "_run_execution", "exec_arn")
    call = require(stepfunctions, "_call_lambda", "func_ref", "event")
    gather = require(iam_evaluator, "_gather_role_policies", "role_name", "account_id")
    evaluate = require(iam_evaluator, "evaluate", "ctx", "policies")

    def run_execution(exec_arn: str) -> None:
        execution = stepfunctions._executions.get(exec_arn) or {}
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
        token = _role.set(machine.get("roleArn", ""))
        try:
            run(exec_arn)
        finally:
            _role.reset(token)

    def allowed(role_arn: str, resource: str) -> bool:
        account = role_arn.split(":")[4]
        role = role_arn.rsplit("/", 1)[-1]
        context = iam_evaluator.EvalContext(
            principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/execution",
            principal_type="AssumedRole",
            principal_account=account,
            action="lambda:InvokeFunction",
            resource_arn=resource,
            region=resource.split(":")[3],
        )
        return bool(evaluate(context, gather(role, account)).decision == "Allow")

    def call_lambda(func_ref: Any, event: Any) -> Any:
        role_arn = _role.get()
        if app.AUTH and role_arn:
            function, config, _name = lambda_svc._get_func_record_for_ref(func_ref)
            resource = str(func_ref)
            if function and not resource.startswith("arn:"):
                resource = config["FunctionArn"]
            if function and not allowed(role_arn, resource):
                raise stepfunctions._ExecutionError(
                    "Lambda.AWSLambdaException",
                    f"User: {role_arn} is not authorized to perform: lambda:InvokeFunction on resource: {resource} "
                    "because no identity-based policy allows the lambda:InvokeFunction action (Status Code: 403)",
                )
        return call(func_ref, event)

    stepfunctions._run_execution = run_execution
    stepfunctions._call_lambda = call_lambda
