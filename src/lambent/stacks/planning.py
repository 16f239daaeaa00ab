"""The changes that a deployment makes to a stack, and whether the stack's policy allows them."""

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit import strict_json
from lambent.stacks.blueprint import TemplateBlueprint
from lambent.stacks.engine.ports import FindType
from lambent.stacks.plan import Change, Planner
from lambent.stacks.records import Resource, Stack, State
from lambent.stacks.sources import invalid

POLICY_BYTES_MAX = 16_384


def plan_changes(
    blueprint: TemplateBlueprint,
    resources: Mapping[str, Resource],
    find_type: FindType,
    tags: Mapping[str, str],
) -> Sequence[Change]:
    """The changes of a deployment. Raises `ApiError` for what cannot be evaluated."""
    deployed = {
        logical_id: resource.current
        for logical_id, resource in resources.items()
        if resource.current is not None
    }
    planner = Planner(deployed, blueprint.parameters, find_type, tags)
    known: dict[str, State] = {}
    for logical_id in blueprint.types:
        wanted = blueprint.resource(logical_id, known)
        if planner.add(logical_id, wanted):
            known[logical_id] = deployed[logical_id]
    return planner.finish()


def changes_outputs(
    blueprint: TemplateBlueprint, stack: Stack, resources: Mapping[str, Resource]
) -> bool:
    """Whether the outputs of a deployment that changes no resource differ."""
    known = {id: resource.current for id, resource in resources.items() if resource.current}
    return [dict(o) for o in blueprint.outputs(known)] != [dict(o) for o in stack.outputs]


def check_policy(text: str) -> str:
    """A stack policy that can be stored. Raises `ValidationError`."""
    try:
        document = strict_json.parse_loosely(text)
    except ValueError as error:
        raise invalid(f"Error validating stack policy: Invalid stack policy ({error})") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    statements = [statements] if isinstance(statements, dict) else statements
    if len(text.encode()) > POLICY_BYTES_MAX or not isinstance(statements, list):
        raise invalid("Error validating stack policy: Invalid stack policy")
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise invalid("Error validating stack policy: Invalid stack policy")
        if ("Resource" in statement) == ("NotResource" in statement) or "Action" not in statement:
            raise invalid("Error validating stack policy: Invalid stack policy")
    return text


def check_changes(policy: str, changes: Sequence[Change]) -> None:
    """Check changes against a stack policy: without one all are allowed, with one those that a
    statement allows and none denies. Raises `ValidationError`."""
    if not policy:
        return
    statements = strict_json.parse_loosely(policy)["Statement"]
    statements = [statements] if isinstance(statements, dict) else statements
    for change in changes:
        if change.action == "Add":
            continue
        verb = "Delete" if change.action == "Remove" else "Modify"
        action = "Update:Replace" if change.replacement in ("True", "Conditional") else verb
        action = action if ":" in action else f"Update:{action}"
        about = [
            (number, statement["Effect"])
            for number, statement in enumerate(statements, 1)
            if _is_about(statement, action, change)
        ]
        denials = [number for number, effect in about if effect == "Deny"]
        if denials or not about:
            which = f"Statement [#{denials[0]}]" if denials else "no statement"
            raise invalid(
                f"Action denied by stack policy: {which} {'denies' if denials else 'allows'}"
                f" [{action}] for resource [LogicalResourceId/{change.logical_id}]"
            )


def _is_about(statement: Mapping[str, Any], action: str, change: Change) -> bool:
    if not any(fnmatch.fnmatchcase(action, each) for each in _texts(statement["Action"])):
        return False
    resource = f"LogicalResourceId/{change.logical_id}"
    patterns = _texts(statement.get("Resource", statement.get("NotResource")))
    is_named = any(fnmatch.fnmatchcase(resource, each) for each in patterns)
    if is_named != ("Resource" in statement):
        return False
    condition = statement.get("Condition", {})
    for operator in ("StringEquals", "StringLike"):
        wanted = condition.get(operator, {}).get("ResourceType")
        if wanted is not None and not any(
            fnmatch.fnmatchcase(change.type, each) for each in _texts(wanted)
        ):
            return False
    return True


def _texts(value: Any) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
