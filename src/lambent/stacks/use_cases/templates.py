"""Use cases that say what a template is."""

from typing import Any

from lambent.identity.authorizer import Caller
from lambent.stacks.blueprint import read_large
from lambent.stacks.records import DEPLOYED, WANTED, Deployment
from lambent.stacks.rows import StackRows
from lambent.stacks.sources import invalid
from lambent.stacks.template.parts import Parameter
from lambent.stacks.template.summary import Summary, summary
from lambent.stacks.use_cases.context import Params, UseCaseContext
from lambent.stacks.use_cases.finding import require_stack
from lambent.store.store import Transaction


class TemplateUseCases:
    """All raise `ApiError`."""

    def __init__(self, context: UseCaseContext) -> None:
        self._context = context

    async def validate(self, caller: Caller, params: Params) -> Params:
        """ValidateTemplate."""
        text = await self._context.preparing.read(caller, params)
        if text is None:
            raise invalid("Either Template URL or Template Body must be specified.")
        found = summary(await read_large(text))
        parameters = [
            {
                "ParameterKey": parameter.name,
                "NoEcho": parameter.no_echo,
                **_optional(parameter),
            }
            for parameter in found.parameters
        ]
        return {"Parameters": parameters, **_common(found)}

    async def summarize(self, caller: Caller, params: Params) -> Params:
        """GetTemplateSummary."""
        if params.get("StackSetName"):
            raise invalid("Lambent does not support stack sets.")
        name = params.get("StackName")
        text = await self._context.preparing.read(caller, params)
        if (name is None) == (text is None):
            raise invalid("Exactly one of StackName, TemplateBody and TemplateURL is required.")
        if name is not None:
            text = await self._stored(caller, name)
        assert text is not None
        template = await read_large(text)
        found = summary(template)
        shown: dict[str, Any] = {
            "Parameters": [
                {
                    "ParameterKey": parameter.name,
                    "ParameterType": parameter.type,
                    "NoEcho": parameter.no_echo,
                    "ParameterConstraints": (
                        {"AllowedValues": list(parameter.allowed_values)}
                        if parameter.allowed_values
                        else {}
                    ),
                    **_optional(parameter),
                }
                for parameter in found.parameters
            ],
            "ResourceTypes": list(found.resource_types),
            **_common(found),
        }
        version = template.document.get("AWSTemplateFormatVersion")
        if version is not None:
            shown["Version"] = version
        if found.metadata is not None:
            shown["Metadata"] = str(found.metadata)
        return shown

    async def _stored(self, caller: Caller, name: str) -> str:
        def run(tx: Transaction) -> Deployment | None:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, name)
            return rows.deployment(stack.root, WANTED) or rows.deployment(stack.root, DEPLOYED)

        deployment = await self._context.store.read(run)
        if deployment is None:
            raise invalid(f"Template for stack [{name}] does not exist")
        return deployment.template


def _optional(parameter: Parameter) -> dict[str, str]:
    found = {"DefaultValue": parameter.default, "Description": parameter.description}
    return {name: value for name, value in found.items() if value is not None}


def _common(found: Summary) -> dict[str, Any]:
    shown: dict[str, Any] = {"DeclaredTransforms": list(found.transforms)}
    if found.description is not None:
        shown["Description"] = found.description
    if found.capabilities:
        shown["Capabilities"] = list(found.capabilities)
        shown["CapabilitiesReason"] = found.capabilities_reason
    return shown
