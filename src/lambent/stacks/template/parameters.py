"""What the caller gives for the parameters of a template → their values."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from lambent.kit.linear_regex import PatternError, compile_pattern
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.template import Parameter, Template

BYTES_MAX = 4_096
HIDDEN = "****"
"""Shown instead of the value of a parameter with NoEcho."""
_SSM_VALUE = "AWS::SSM::Parameter::Value<"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters of a stack. A later update takes `texts` as its `previous`."""

    texts: Mapping[str, str]
    """Each parameter as it was given or as its default says, by name."""
    lookups: Mapping[str, str]
    """What must be looked up first: name of the template's parameter → name of the parameter in
    Systems Manager."""
    types: Mapping[str, str]

    def values(self, looked_up: Mapping[str, str]) -> dict[str, str | Sequence[str]]:
        """The values that Ref returns. `looked_up` has the text of each of `lookups`. Raises
        `TemplateError` if one is missing."""
        missing = sorted({self.lookups[name] for name in self.lookups if name not in looked_up})
        if missing:
            raise TemplateError(
                f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this"
                " account."
            )
        return {
            name: _value(self.types[name], looked_up[name] if name in self.lookups else text)
            for name, text in self.texts.items()
        }


def resolve_parameters(
    template: Template, given: Mapping[str, str | None], previous: Mapping[str, str] | None
) -> Parameters:
    """The parameters of a stack. A given None is UsePreviousValue; `previous` are the texts of the
    stack that is updated, None if the stack is new. Raises `TemplateError`."""
    unknown = [name for name in given if name not in template.parameters]
    if unknown:
        raise TemplateError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    texts: dict[str, str] = {}
    missing = []
    for name, parameter in template.parameters.items():
        text = given.get(name, parameter.default)
        if name in given and text is None:
            if previous is None or name not in previous:
                raise TemplateError(
                    f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as"
                    " true for a parameter key not in the previous template"
                )
            text = previous[name]
        if text is None:
            missing.append(name)
        else:
            texts[name] = text
    if missing:
        raise TemplateError(f"Parameters: [{', '.join(missing)}] must have values")
    for name, text in texts.items():
        _check(template.parameters[name], text)
    types = {name: parameter.type for name, parameter in template.parameters.items()}
    return Parameters(
        texts=texts,
        lookups={name: text for name, text in texts.items() if types[name].startswith(_SSM_VALUE)},
        types=types,
    )


def _value(kind: str, text: str) -> str | list[str]:
    if kind.startswith(_SSM_VALUE):
        kind = kind.removeprefix(_SSM_VALUE).removesuffix(">")
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [item.strip() for item in text.split(",")]
    return text


def _check(parameter: Parameter, text: str) -> None:
    name = parameter.name
    if len(text.encode(errors="replace")) > BYTES_MAX:
        raise TemplateError(f"Parameter '{name}' must contain at most {BYTES_MAX} bytes.")
    value = _value(parameter.type, text) if not parameter.type.startswith(_SSM_VALUE) else text
    items = [value] if isinstance(value, str) else value
    numbers = []
    if parameter.type in ("Number", "List<Number>"):
        numbers = [_number(parameter, item) for item in items]
    complaint = _complaint(parameter, text, items, numbers)
    if complaint is not None:
        described = parameter.constraint_description
        if described is not None:
            raise TemplateError(f"Parameter '{name}' failed to satisfy constraint: {described}")
        raise TemplateError(f"Parameter '{name}' {complaint}")


def _complaint(
    parameter: Parameter, text: str, items: Sequence[str], numbers: Sequence[float]
) -> str | None:
    allowed = parameter.allowed_values
    if allowed is not None and not all(_is_allowed(item, allowed, bool(numbers)) for item in items):
        return "must be one of AllowedValues"
    if parameter.allowed_pattern is not None and not all(
        _matches(parameter.allowed_pattern, item) for item in items
    ):
        return f"must match pattern {parameter.allowed_pattern}"
    if parameter.min_length is not None and len(text) < parameter.min_length:
        return f"must contain at least {parameter.min_length} characters"
    if parameter.max_length is not None and len(text) > parameter.max_length:
        return f"must contain at most {parameter.max_length} characters"
    if parameter.min_value is not None and any(number < parameter.min_value for number in numbers):
        return f"must be a number not less than {parameter.min_value:g}"
    if parameter.max_value is not None and any(number > parameter.max_value for number in numbers):
        return f"must be a number not greater than {parameter.max_value:g}"
    return None


def _is_allowed(item: str, allowed: Sequence[str], is_number: bool) -> bool:
    return item in allowed or (is_number and float(item) in map(_to_number, allowed))


def _to_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _number(parameter: Parameter, text: str) -> float:
    number = _to_number(text)
    if not math.isfinite(number):
        raise TemplateError(f"Parameter '{parameter.name}' must be a number.")
    return number


def _matches(pattern: str, text: str) -> bool:
    try:
        return compile_pattern(pattern).matches(text)
    except PatternError as error:
        raise TemplateError(f"Template format error: AllowedPattern {pattern}: {error}") from None
