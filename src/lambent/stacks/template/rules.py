"""The Rules section: assertions about parameters."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.stacks.template import functions
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.functions import Function, Run
from lambent.stacks.template.inputs import Inputs
from lambent.stacks.template.runs import TemplateRun
from lambent.stacks.template.sections import written_out
from lambent.stacks.template.template import Parameter, Rule, Template


def check_rules(template: Template, inputs: Inputs) -> None:
    """Check the rules that apply. Raises `TemplateError` with the description of each assertion
    that fails."""
    run = TemplateRun(
        _functions(template),
        inputs,
        template.mappings,
        holds=_refuse("a condition"),
        resource=lambda name, _: _refuse("a resource")(name),
        exported=_refuse("an export"),
    )
    failures = [failure for rule in template.rules.values() for failure in _failures(run, rule)]
    if failures:
        raise TemplateError("\n".join(failures))


def _failures(run: TemplateRun, rule: Rule) -> list[str]:
    if rule.condition is not None and not run.truth(rule.condition):
        return []
    return [
        assertion.description or f"Assertion {number} of the rule {rule.name} failed."
        for number, assertion in enumerate(rule.assertions, 1)
        if not run.truth(assertion.condition)
    ]


def _functions(template: Template) -> Mapping[str, Function]:
    def ref_all(run: Run, raw: Any) -> list[str]:
        if not isinstance(raw, str):
            raise TemplateError(
                "Template error: every Fn::RefAll object requires a parameter type."
            )
        return [
            value
            for parameter in template.parameters.values()
            if parameter.type in (raw, f"List<{raw}>")
            for value in _values(run, parameter)
        ]

    return {
        "Ref": functions.VALUES["Ref"],
        **functions.BOOLEANS,
        "Fn::Contains": _contains,
        "Fn::EachMemberEquals": _each_member_equals,
        "Fn::EachMemberIn": _each_member_in,
        "Fn::RefAll": ref_all,
        "Fn::ValueOf": _not_offered("Fn::ValueOf"),
        "Fn::ValueOfAll": _not_offered("Fn::ValueOfAll"),
    }


def _contains(run: Run, raw: Any) -> bool:
    members, value = _pair(run, "Fn::Contains", raw)
    return _text("Fn::Contains", value) in _texts("Fn::Contains", members)


def _each_member_equals(run: Run, raw: Any) -> bool:
    members, value = _pair(run, "Fn::EachMemberEquals", raw)
    wanted = _text("Fn::EachMemberEquals", value)
    return all(member == wanted for member in _texts("Fn::EachMemberEquals", members))


def _each_member_in(run: Run, raw: Any) -> bool:
    members, allowed = _pair(run, "Fn::EachMemberIn", raw)
    return set(_texts("Fn::EachMemberIn", members)) <= set(_texts("Fn::EachMemberIn", allowed))


def _pair(run: Run, name: str, raw: Any) -> tuple[Any, Any]:
    if not isinstance(raw, list) or len(raw) != 2:
        raise _shape(name)
    return run.value(raw[0]), run.value(raw[1])


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list):
        raise _shape(name)
    return [_text(name, item) for item in value]


def _text(name: str, value: Any) -> str:
    try:
        return written_out(value)
    except TypeError:
        raise _shape(name) from None


def _shape(name: str) -> TemplateError:
    return TemplateError(
        f"Template error: every {name} object requires a list of strings and what it is compared"
        " with."
    )


def _values(run: Run, parameter: Parameter) -> list[str]:
    value = run.ref(parameter.name)
    return value if isinstance(value, list) else [value]


def _not_offered(name: str) -> Function:
    def refuse(run: Run, raw: Any) -> Any:
        raise TemplateError(
            f"Template error: {name} reads resources of EC2 or Route 53, which are not offered."
        )

    return refuse


def _refuse(what: str) -> Callable[[str], Any]:
    def refuse(name: str) -> Any:
        raise TemplateError(f"Template error: A rule cannot refer to {what}: {name}")

    return refuse
