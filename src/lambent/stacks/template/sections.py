"""The sections of a template, read one by one: names, members and their types."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.parts import (
    Assertion,
    Mappings,
    Output,
    Parameter,
    Resource,
    Rule,
)

LOOP = "Fn::ForEach::"
"""What the keys of loops start with."""
_PARAMETER_MEMBERS = frozenset({
    "AllowedPattern", "AllowedValues", "ConstraintDescription", "Default", "Description",
    "MaxLength", "MaxValue", "MinLength", "MinValue", "NoEcho", "Type",
})  # fmt: skip
_RESOURCE_MEMBERS = frozenset({
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type",
    "UpdatePolicy", "UpdateReplacePolicy", "Version",
})  # fmt: skip
_OUTPUT_MEMBERS = frozenset({"Condition", "Description", "Export", "Value"})
_POLICIES = {
    "DeletionPolicy": ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot"),
    "UpdateReplacePolicy": ("Delete", "Retain", "Snapshot"),
}
_NAME = re.compile(r"[A-Za-z0-9]+")
_OF_AWS = r"AWS::(?:EC2|Route53)::[A-Za-z]+(?:::[A-Za-z.]+)*"
_PARAMETER_TYPE = re.compile(
    r"String|Number|CommaDelimitedList|List<(?:Number|String)>|AWS::SSM::Parameter::Name"
    rf"|{_OF_AWS}|List<{_OF_AWS}>"
    r"|AWS::SSM::Parameter::Value<(?:String|CommaDelimitedList|List<String>"
    rf"|{_OF_AWS}|List<{_OF_AWS}>)>"
)
_T = TypeVar("_T")


def members(section: Any, what: str) -> Mapping[str, Any]:
    """A value that must be an object. Raises `TemplateError`."""
    if not isinstance(section, dict):
        raise TemplateError(f"Template format error: Any {what} member must be an object.")
    return section


def section(
    written: Any, what: str, read: Callable[[str, Any], _T], *, most: int, looped: bool = False
) -> dict[str, _T]:
    """The members of a section, each read. `looped` says whether loops are members, too; they are
    left out. Raises `TemplateError`."""
    made = {}
    for name, value in members(written, f"{what}s").items():
        if name == "Fn::Transform" or (looped and name.startswith(LOOP)):
            continue
        if not _NAME.fullmatch(name):
            raise TemplateError(f"Template format error: {what} name {name} is non alphanumeric.")
        if len(name) > 255:
            raise TemplateError(
                f"Template format error: {what} name {name[:20]}… is longer than 255 characters."
            )
        made[name] = read(name, value)
    if len(made) > most:
        raise TemplateError(
            f"Template format error: Number of {what.lower()}s, {len(made)}, is greater than"
            f" maximum allowed, {most}"
        )
    return made


def parameter(name: str, written: Any) -> Parameter:
    """A parameter. Raises `TemplateError`."""
    value = members(written, "Parameters")
    _known(value, _PARAMETER_MEMBERS, "parameter")
    kind = value.get("Type")
    if kind is None:
        raise TemplateError(
            f"Template format error: [/Parameters/{name}] Every Parameters object must contain a"
            " Type member."
        )
    if not isinstance(kind, str) or not _PARAMETER_TYPE.fullmatch(kind):
        raise TemplateError(f"Template format error: Unrecognized parameter type: {kind}")
    allowed = value.get("AllowedValues")
    if allowed is not None and not (
        isinstance(allowed, list) and allowed and all(map(_is_scalar, allowed))
    ):
        raise TemplateError(
            f"Template format error: [/Parameters/{name}/AllowedValues] AllowedValues must be a"
            " list of values."
        )
    text = _texts(value, f"/Parameters/{name}")
    return Parameter(
        name=name,
        type=kind,
        default=text("Default"),
        description=text("Description"),
        no_echo=text("NoEcho") == "true",
        allowed_values=None if allowed is None else tuple(map(written_out, allowed)),
        allowed_pattern=text("AllowedPattern"),
        constraint_description=text("ConstraintDescription"),
        min_length=_integer(text("MinLength"), name, "MinLength"),
        max_length=_integer(text("MaxLength"), name, "MaxLength"),
        min_value=_number(text("MinValue"), name, "MinValue"),
        max_value=_number(text("MaxValue"), name, "MaxValue"),
    )


def resource(name: str, written: Any, *, lenient: bool = False) -> Resource:
    """A resource. `lenient` accepts members that are a macro's. Raises `TemplateError`."""
    value = members(written, "Resources")
    if not lenient:
        _known(value, _RESOURCE_MEMBERS, "resource")
    kind = value.get("Type")
    if kind is None:
        raise TemplateError(
            f"Template format error: [/Resources/{name}] Every Resources object must contain a"
            " Type member."
        )
    if not isinstance(kind, str):
        raise TemplateError(f"Template format error: [/Resources/{name}/Type] must be a string.")
    depends_on = value.get("DependsOn", [])
    if isinstance(depends_on, str):
        depends_on = [depends_on]
    if not isinstance(depends_on, list) or not all(isinstance(on, str) for on in depends_on):
        raise TemplateError("Template format error: Every DependsOn value must be a string.")
    condition = value.get("Condition")
    if condition is not None and not isinstance(condition, str):
        raise TemplateError("Template format error: Every Condition member must be a string.")
    for policy in _POLICIES:
        if not isinstance(value.get(policy), dict | None):
            check_policy(name, policy, value[policy])
    return Resource(
        logical_id=name,
        type=kind,
        properties=members(value.get("Properties", {}), "Properties"),
        depends_on=tuple(depends_on),
        condition=condition,
        deletion_policy=value.get("DeletionPolicy"),
        update_replace_policy=value.get("UpdateReplacePolicy"),
        creation_policy=value.get("CreationPolicy"),
        update_policy=value.get("UpdatePolicy"),
        metadata=value.get("Metadata"),
    )


def check_policy(logical_id: str, name: str, value: Any) -> None:
    """Raises `TemplateError` if a policy is not known."""
    if value not in _POLICIES[name]:
        raise TemplateError(
            f"Template format error: Unrecognized {name} {value} for resource {logical_id}"
        )


def output(name: str, written: Any) -> Output:
    """An output. Raises `TemplateError`."""
    value = members(written, "Outputs")
    _known(value, _OUTPUT_MEMBERS, "output")
    if "Value" not in value:
        raise TemplateError(
            "Template format error: Every Outputs member must contain a Value object"
        )
    export = value.get("Export")
    if export is not None and (not isinstance(export, dict) or set(export) != {"Name"}):
        raise TemplateError(
            f"Template format error: Output {name} is malformed. The Name field of every Export"
            " member must be specified."
        )
    text = _texts(value, f"/Outputs/{name}")
    return Output(
        name=name,
        value=value["Value"],
        description=text("Description"),
        export_name=None if export is None else export["Name"],
        condition=text("Condition"),
    )


def mappings(written: Any) -> Mappings:
    """The mappings. Raises `TemplateError`."""
    made: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    for name, entries in members(written, "Mappings").items():
        if name == "Fn::Transform":
            continue
        for key, values in _map(entries, name).items():
            for value in _map(values, key).values():
                if not _is_scalar(value) and not (
                    isinstance(value, list) and all(map(_is_scalar, value))
                ):
                    raise TemplateError(
                        f"Template format error: [/Mappings/{name}/{key}] Every Mappings attribute"
                        " must be a String or a List."
                    )
        made[name] = entries
    if len(made) > 200:
        raise TemplateError(
            f"Template format error: Number of mappings, {len(made)}, is greater than maximum"
            " allowed, 200"
        )
    return made


def _map(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TemplateError(f"Template format error: Every Mappings member {name} must be a map")
    return value


def rule(name: str, written: Any) -> Rule:
    """A rule. Raises `TemplateError`."""
    value = members(written, "Rules")
    _known(value, frozenset({"Assertions", "RuleCondition"}), "rule")
    assertions = value.get("Assertions")
    if not isinstance(assertions, list) or not assertions:
        raise TemplateError(
            f"Template format error: [/Rules/{name}] Every Rules object must contain an Assertions"
            " member."
        )
    made = []
    for assertion in assertions:
        if not isinstance(assertion, dict) or "Assert" not in assertion:
            raise TemplateError(
                f"Template format error: [/Rules/{name}/Assertions] Every assertion must contain"
                " an Assert member."
            )
        _known(assertion, frozenset({"Assert", "AssertDescription"}), "assertion")
        text = _texts(assertion, f"/Rules/{name}/Assertions")
        made.append(Assertion(condition=assertion["Assert"], description=text("AssertDescription")))
    return Rule(name=name, condition=value.get("RuleCondition"), assertions=tuple(made))


def written_out(value: Any) -> str:
    """A scalar as a text, as AWS writes it. Raises `TypeError` for others."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise TypeError(value)


def _texts(value: Mapping[str, Any], path: str) -> Callable[[str], str | None]:
    def text(member: str) -> str | None:
        found = value.get(member)
        if found is None:
            return None
        if not _is_scalar(found):
            raise TemplateError(
                f"Template format error: [{path}] Every {member} member must be a string."
            )
        return written_out(found)

    return text


def _known(value: Mapping[str, Any], known: Collection[str], what: str) -> None:
    for member in value:
        if member not in known and member != "Fn::Transform":
            raise TemplateError(f"Invalid template {what} property '{member}'")


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _integer(text: str | None, name: str, member: str) -> int | None:
    number = _number(text, name, member)
    return None if number is None else int(number)


def _number(text: str | None, name: str, member: str) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TemplateError(
            f"Template format error: [/Parameters/{name}] Every {member} member must be a number."
        )
    return number
