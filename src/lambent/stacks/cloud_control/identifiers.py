"""Identifiers of resources: values of the primary identifier of a type, with `|` between them, or
as a JSON object. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lambent.stacks.cloud_control.patching import invalid_request, parse_properties
from lambent.stacks.resources.expressions import Values, expand
from lambent.stacks.resources.facts import facts_of
from lambent.stacks.resources.resource_type import Made, Properties, Step
from lambent.stacks.resources.row_type import Row


def _of_rule(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """`arn:…:rule/NAME` or `arn:…:rule/BUS/NAME`; other values are names."""
    _, slash, path = values["Arn"].partition(":rule/")
    bus, _, name = path.rpartition("/")
    return {"Name": name if slash else values["Arn"], **({"EventBusName": bus} if bus else {})}


def _of_queue(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"QueueName": values["QueueUrl"].rpartition("/")[2]}


_TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS::ApiGateway::GatewayResponse": {"RestApiId": "{$id.0}", "ResponseType": "{$id.1}"},
    "AWS::ApiGateway::UsagePlanKey": {"KeyId": "{Id:0}", "UsagePlanId": "{Id:1}"},
    "AWS::Lambda::Alias": {"FunctionName": "{AliasArn:6}", "Name": "{AliasArn:7}"},
    "AWS::Lambda::Url": {"TargetFunctionArn": "{FunctionArn}"},
    "AWS::SNS::Topic": {"TopicName": "{TopicArn:5}"},
    "AWS::StepFunctions::StateMachine": {"StateMachineName": "{Arn:6}"},
}
_RULES: Final[Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]] = {
    "AWS::Events::Rule": _of_rule,
    "AWS::SQS::Queue": _of_queue,
}
"""Properties that name a resource and are a part of its identifier."""


def known_of(row: Row, identifier: str, step: Step) -> dict[str, Any]:
    """The properties that an identifier says. Raises `InvalidRequestException`."""
    primary = facts_of(row.name).primary
    if identifier.startswith("{"):
        values = parse_properties(identifier, "Identifier")
    else:
        parts = identifier.split("|") if len(primary) > 1 else [identifier]
        values = dict(zip(primary, parts, strict=False)) if len(parts) == len(primary) else {}
    is_whole = set(values) == set(primary)
    if not is_whole or not all(isinstance(value, str) and value for value in values.values()):
        raise invalid_request(f"Identifier of {row.name} must be {'|'.join(primary)}.")
    about = Values(step=step, properties=values, physical_id=identifier)
    more = _RULES[row.name](values) if row.name in _RULES else {}
    return {**expand(_TEMPLATES.get(row.name, {}), about), **more, **values}


def canonical_of(row: Row, known: Properties) -> str:
    """An identifier as Cloud Control returns it."""
    return "|".join(str(known[name]) for name in facts_of(row.name).primary)


def physical_of(row: Row, known: Properties, step: Step) -> str:
    """The physical id of the resource with an identifier."""
    if "$name" not in row.physical:
        expanded = expand(row.physical, Values(step=step, properties=known))
        if expanded is not None:
            return str(expanded)
    facts = facts_of(row.name)
    chosen = [name for name in facts.primary if name in facts.read_only] or facts.primary
    return str(known[chosen[0]])


def identifier_of(row: Row, made: Made, properties: Properties) -> str:
    """The identifier of a resource that was made."""
    known = {**properties, **made.attributes}
    values = [known.get(name, made.physical_id) for name in facts_of(row.name).primary]
    return "|".join(str(value) for value in values)
