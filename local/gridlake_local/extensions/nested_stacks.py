"""Nested stacks are SAM applications too.

Stock: only the root template goes through the SAM transform; a child with ``AWS::Serverless::*`` fails with an unsupported type.
When a nested stack is updated, resources that did not change lose their attributes, so the next ``!GetAtt`` on them is empty.

Replaces ``cloudformation.engine._parse_template`` (imported late, only by the code of nested stacks; the root's handlers bound the
original when they were imported) and ``cloudformation.provisioners._update_resource``.
"""

from __future__ import annotations

from typing import Any

from gridlake_local.extensions import require


def apply() -> None:
    """Transform children and keep the attributes of unchanged resources."""
    from ministack.services import cloudformation

    # The root's modules must hold the original parser before it is replaced.
    from ministack.services.cloudformation import changesets, engine, handlers, provisioners

    parse = require(engine, "_parse_template", "template_body")
    transform = require(engine, "_apply_transforms", "template")
    update = require(
        provisioners,
        "_update_resource",
        "resource_type",
        "physical_id",
        "old_props",
        "new_props",
        "stack_name",
    )
    assert handlers._parse_template is changesets._parse_template is parse

    def parse_child(template_body: str) -> dict[str, Any]:
        template: dict[str, Any] = transform(parse(template_body))
        if isinstance(template, engine._TransformFailed):
            raise ValueError(  # noqa: TRY004 - what CloudFormation reports
                f"the SAM transform of a nested stack failed: {template.error}"
            )
        return template

    def update_resource(
        resource_type: str,
        physical_id: str,
        old_props: dict[str, Any],
        new_props: dict[str, Any],
        stack_name: str,
        logical_id: str | None = None,
        old_attrs: dict[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        if old_attrs is None:
            resources = (cloudformation._stacks.get(stack_name) or {}).get("_resources") or {}
            old_attrs = (resources.get(logical_id) or {}).get("Attributes") or {}
        new_id, attributes = update(
            resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs
        )
        if new_id == physical_id:
            attributes = {**old_attrs, **(attributes or {})}
        return new_id, attributes

    engine._parse_template = parse_child
    provisioners._update_resource = update_resource
