"""What the caller gives for the parameters of a template → their values."""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence

from lambent.kit.linear_regex import PatternError, compile_pattern
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.template import Parameter, Template

BYTES_MAX = 4_096
HIDDEN = "****"
"""Shown instead of the value of a parameter with NoEcho."""
_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
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
    """Of each parameter, as the template declares it."""
    hidden: frozenset[str]
    """Parameters with NoEcho."""

    def shown(self) -> dict[str, str]:
        """The texts, as they may be shown."""
        return {name: HIDDEN if name in self.hidden else text for name, text in self.texts.items()}

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
        hidden=frozenset(
            name for name, parameter in template.parameters.items() if parameter.no_echo
        ),
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
    value = text if parameter.type.startswith(_SSM_VALUE) else _value(parameter.type, text)
    items = [value] if isinstance(value, str) else value
    if parameter.type in ("Number", "List<Number>"):
        numbers = [_number(name, item) for item in items]
        complaint = _complaint_of_numbers(parameter, numbers)
    else:
        complaint = _complaint_of_texts(parameter, items, is_list=isinstance(value, list))
    if complaint is not None:
        described = parameter.constraint_description
        raise TemplateError(
            f"Parameter '{name}' {complaint}"
            if described is None
            else f"Parameter {name} failed to satisfy constraint: {described}"
        )


def _complaint_of_texts(parameter: Parameter, items: Sequence[str], is_list: bool) -> str | None:
    allowed = parameter.allowed_values
    if allowed is not None and not set(items) <= set(allowed):
        return "must be one of AllowedValues"
    pattern = parameter.allowed_pattern
    if pattern is not None and not all(_matches(pattern, item) for item in items):
        return f"must match pattern {pattern}"
    length = len(items[0])
    least, most = parameter.min_length, parameter.max_length
    if least is not None and not is_list and length < least:
        return f"must contain at least {least} characters"
    if most is not None and not is_list and length > most:
        return f"must contain at most {most} characters"
    return None


def _complaint_of_numbers(parameter: Parameter, numbers: Sequence[float]) -> str | None:
    allowed = parameter.allowed_values
    if allowed is not None and not set(numbers) <= {
        float(value) for value in allowed if _NUMBER.fullmatch(value)
    }:
        return "must be one of AllowedValues"
    least, most = parameter.min_value, parameter.max_value
    if least is not None and min(numbers) < least:
        return f"must be a number not less than {_written(least)}"
    if most is not None and max(numbers) > most:
        return f"must be a number not greater than {_written(most)}"
    return None


def _number(name: str, text: str) -> float:
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise TemplateError(f"Parameter '{name}' must be a number.")
    return number


def _written(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)


def _matches(pattern: str, text: str) -> bool:
    try:
        return compile_pattern(pattern).matches(text)
    except PatternError as error:
        raise TemplateError(f"Template format error: AllowedPattern {pattern}: {error}") from None
