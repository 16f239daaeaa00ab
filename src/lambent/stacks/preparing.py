"""From what an operation's input says to a deployment that can begin."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.identity.authorizer import Caller
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.stacks.blueprint import TemplateBlueprint, inputs_of, read_large
from lambent.stacks.dynamic_values import DynamicValues
from lambent.stacks.engine.ports import FindType
from lambent.stacks.ports import AwsApi
from lambent.stacks.records import Deployment, Stack
from lambent.stacks.sources import invalid, read_source
from lambent.stacks.template.evaluation import Evaluation
from lambent.stacks.template.parameters import HIDDEN, Parameters, resolve_parameters
from lambent.stacks.template.summary import CAPABILITY_AUTO_EXPAND, CAPABILITY_IAM, summary
from lambent.stacks.template.template import Template
from lambent.stacks.transforms import Transforms
from lambent.stacks.update_policies import check_update_policy
from lambent.stacks.wait_conditions import check_creation_policy

NAMED_IAM = "CAPABILITY_NAMED_IAM"


class Prepared(NamedTuple):
    """A deployment that has been checked."""

    deployment: Deployment
    blueprint: TemplateBlueprint


class Preparing:
    """Reads, transforms, checks and evaluates templates."""

    def __init__(self, api: AwsApi, find_type: FindType, transforms: Transforms) -> None:
        self.api = api
        self._find_type = find_type
        self._values = DynamicValues(api)
        self._transforms = transforms

    async def read(self, caller: Caller, params: Mapping[str, Any]) -> str | None:
        """The text of the template in an input; None if there is none. Raises `ApiError`."""
        return await read_source(self.api, caller, params, "TemplateBody", "TemplateURL")

    async def prepare(
        self,
        caller: Caller,
        stack: Stack,
        params: Mapping[str, Any],
        previous: Deployment | None,
        exports: Mapping[str, str],
        *,
        expands: bool,
    ) -> Prepared:
        """The deployment that an input wants for a stack. `expands` says that transforms need no
        capability, as for change sets. Raises `ApiError`."""
        text = await self.read(caller, params)
        if params.get("UsePreviousTemplate"):
            if text is not None:
                raise invalid("Template and UsePreviousTemplate cannot both be given.")
            if previous is None:
                raise invalid("There is no previous template to use.")
            text = previous.template
        if text is None:
            raise invalid("Either Template URL or Template Body must be specified.")
        original = await read_large(text)
        given = _given(params.get("Parameters", ()))
        parameters = resolve_parameters(original, given, previous.parameters if previous else None)
        looked_up = await self._look_up(parameters, caller)
        arns = _kept(params, previous)
        inputs = inputs_of(stack, parameters, looked_up, arns, exports)
        capabilities = params.get("Capabilities", ())
        if original.transforms and not expands and CAPABILITY_AUTO_EXPAND not in capabilities:
            raise _insufficient([CAPABILITY_AUTO_EXPAND])
        template, processed = await self._transforms.transform(original, inputs, parameters, caller)
        _check_capabilities(template, capabilities)
        deployment = Deployment(
            template=text,
            processed=processed,
            is_extended=template.is_extended,
            parameters=parameters.texts,
            looked_up=looked_up,
            hidden=sorted(parameters.hidden),
            shown=_shown(parameters, looked_up),
            tags=_tags(params, previous),
            role_arn=params.get("RoleARN") or (previous.role_arn if previous else ""),
            capabilities=list(capabilities),
            notification_arns=arns,
        )

        def make() -> TemplateBlueprint:
            evaluation = Evaluation(template, inputs)
            evaluation.rules()
            return TemplateBlueprint(evaluation)

        blueprint = await computed(make)
        await computed(self._check, blueprint)
        return Prepared(deployment, blueprint)

    def _check(self, blueprint: TemplateBlueprint) -> None:
        """Refuse what no type of resource can make, before anything is made."""
        kinds, unknown = {}, []
        for type in dict.fromkeys(blueprint.types.values()):
            try:
                kinds[type] = self._find_type(type)
            except ApiError:
                unknown.append(type)
        if unknown:
            names = ", ".join(unknown)
            raise invalid(f"Template format error: Unrecognized resource types: [{names}]")
        for logical_id, type in blueprint.types.items():
            wanted = blueprint.resource(logical_id, {})
            kinds[type].check(wanted.properties)
            check_creation_policy(logical_id, type, wanted.creation_policy)
            check_update_policy(logical_id, type, wanted.update_policy)

    async def _look_up(self, parameters: Parameters, caller: Caller) -> Mapping[str, str]:
        found = {}
        for name, wanted in parameters.lookups.items():
            try:
                found[name] = await self._values.parameter(wanted, caller)
            except ApiError as error:
                raise invalid(
                    f"Unable to fetch parameters [{wanted}] from parameter store for this account."
                    f" ({error.message})"
                ) from error
        return found


def with_deployment(stack: Stack, prepared: Prepared) -> Stack:
    """A stack that shows what is deployed now."""
    return dataclasses.replace(
        stack.showing(prepared.deployment), description=prepared.blueprint.description
    )


def _given(parameters: Sequence[Mapping[str, Any]]) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for parameter in parameters:
        name = parameter.get("ParameterKey", "")
        uses_previous, value = parameter.get("UsePreviousValue"), parameter.get("ParameterValue")
        if uses_previous and value is not None:
            raise invalid(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true"
                " and non empty value for a parameter"
            )
        found[name] = None if uses_previous else value or ""
    return found


def _shown(parameters: Parameters, looked_up: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    shown = []
    for name, text in parameters.shown().items():
        members = {"ParameterKey": name, "ParameterValue": text}
        if name in looked_up:
            members["ResolvedValue"] = HIDDEN if name in parameters.hidden else looked_up[name]
        shown.append(members)
    return shown


def _tags(params: Mapping[str, Any], previous: Deployment | None) -> Mapping[str, str]:
    if "Tags" not in params:
        return previous.tags if previous else {}
    tags = {tag["Key"]: tag["Value"] for tag in params["Tags"]}
    reserved = [key for key in tags if key.lower().startswith("aws:")]
    if reserved:
        raise invalid(f"Tag keys that begin with 'aws:' are reserved: {', '.join(reserved)}")
    return tags


def _kept(params: Mapping[str, Any], previous: Deployment | None) -> Sequence[str]:
    if "NotificationARNs" in params:
        return list(params["NotificationARNs"])
    return list(previous.notification_arns) if previous else []


def _check_capabilities(template: Template, given: Sequence[str]) -> None:
    """Check those that resources need. Macros may have added some."""
    needed = []
    for capability in summary(template).capabilities:
        enough = {capability, NAMED_IAM} if capability == CAPABILITY_IAM else {capability}
        if not enough & set(given):
            needed.append(capability)
    if needed:
        raise _insufficient(needed)


def _insufficient(needed: Sequence[str]) -> ApiError:
    return ApiError(
        "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(needed)}]"
    )
