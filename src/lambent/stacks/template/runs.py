"""One evaluation of a value of a template."""

from collections.abc import Callable, Mapping
from typing import Any

from lambent.stacks.template.budget import Budget
from lambent.stacks.template.errors import TemplateError
from lambent.stacks.template.functions import NO_VALUE, Function
from lambent.stacks.template.inputs import Inputs
from lambent.stacks.template.parts import Mappings

Resolve = Callable[[str, str | None], Any]
"""What a resource is (no attribute) or has. Raises `TemplateError` if there is no such resource."""


class TemplateRun:
    """Evaluates values with a table of functions. Its budget serves all of its values."""

    def __init__(
        self,
        functions: Mapping[str, Function],
        inputs: Inputs,
        mappings: Mappings,
        *,
        holds: Callable[[str], bool],
        resource: Resolve,
        exported: Callable[[str], Any],
        budget: Budget | None = None,
    ) -> None:
        self.inputs = inputs
        self.mappings = mappings
        self.holds = holds
        self.exported = exported
        self.budget = budget or Budget()
        self._functions = functions
        self._resource = resource

    def value(self, raw: Any) -> Any:
        """A value, evaluated; `NO_VALUE` if it is to be left out. Raises `TemplateError`."""
        self.budget.step()
        if isinstance(raw, dict):
            if len(raw) == 1:
                ((name, argument),) = raw.items()
                function = self._functions.get(name)
                if function is not None:
                    return function(self, argument)
            return self._members(raw)
        if isinstance(raw, list):
            values = map(self.value, raw)
            return [value for value in values if value is not NO_VALUE]
        return self.budget.copy(raw)

    def truth(self, raw: Any) -> bool:
        """A condition, evaluated. Raises `TemplateError` if it is something else."""
        value = self.value(raw)
        if not isinstance(value, bool):
            raise TemplateError(
                "Template format error: Conditions can only be boolean operations on parameters and"
                " other conditions"
            )
        return value

    def ref(self, name: str) -> Any:
        """What Ref returns."""
        inputs = self.inputs
        if name in inputs.parameters:
            value = self.budget.copy(inputs.parameters[name])
            return value if isinstance(value, str) else list(value)
        pseudo = _PSEUDO.get(name)
        if pseudo is not None:
            return pseudo(inputs)
        return self.budget.copy(self._resource(name, None))

    def attribute(self, name: str, attribute: str) -> Any:
        """What Fn::GetAtt returns."""
        return self.budget.copy(self._resource(name, attribute))

    def _members(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        for name, member in raw.items():
            if name.startswith("Fn::"):
                raise TemplateError(
                    f"Template error: {name} cannot be used here, or not together with other"
                    " members."
                )
            value = self.value(member)
            if value is not NO_VALUE:
                made[name] = value
        return made


_PSEUDO: Mapping[str, Callable[[Inputs], Any]] = {
    "AWS::AccountId": lambda inputs: inputs.account,
    "AWS::NoValue": lambda inputs: NO_VALUE,
    "AWS::NotificationARNs": lambda inputs: list(inputs.notification_arns),
    "AWS::Partition": lambda inputs: inputs.partition,
    "AWS::Region": lambda inputs: inputs.region,
    "AWS::StackId": lambda inputs: inputs.stack_id,
    "AWS::StackName": lambda inputs: inputs.stack_name,
    "AWS::URLSuffix": lambda inputs: inputs.url_suffix,
}
