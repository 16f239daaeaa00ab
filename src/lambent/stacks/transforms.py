"""The transforms of a template: AWS's own, and macros of the account.

Macros in the template run first, the innermost before those around them; those of the Transform
section follow in their order.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros-overview.html
"""

import copy
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import anyio

from lambent.identity.authorizer import Caller
from lambent.kit import strict_json
from lambent.kit.computing import computed
from lambent.model.errors import ApiError
from lambent.stacks.macros import find_macro
from lambent.stacks.ports import AwsApi, Functions
from lambent.stacks.sam.translator import SamTranslator
from lambent.stacks.sources import fetch_text
from lambent.stacks.template import functions as template_functions
from lambent.stacks.template.errors import TemplateError, TransformFailed
from lambent.stacks.template.inputs import Inputs
from lambent.stacks.template.language_extensions import LANGUAGE_EXTENSIONS, expand
from lambent.stacks.template.macro_calls import (
    FUNCTION,
    SECTION,
    MacroCall,
    Place,
    calls_of,
    places_of,
    value_at,
)
from lambent.stacks.template.parameters import Parameters
from lambent.stacks.template.reading import read_template
from lambent.stacks.template.runs import TemplateRun
from lambent.stacks.template.sections import mappings, members
from lambent.stacks.template.shape import CHARACTERS_MAX, Document, check_document
from lambent.stacks.template.template import SERVERLESS, Template, parse_template
from lambent.store.store import Store

INCLUDE: Final = "AWS::Include"
CALLS_MAX: Final = 100
"""Calls of macros in one template."""
DEADLINE_S: Final = 50.0
"""For all transforms of a template. Clients wait for a minute."""


class Transforms:
    """Applies transforms."""

    def __init__(self, store: Store, api: AwsApi, functions: Functions, sam: SamTranslator) -> None:
        self.store = store
        self.api = api
        self.functions = functions
        self.sam = sam

    async def transform(
        self, template: Template, inputs: Inputs, parameters: Parameters, caller: Caller
    ) -> tuple[Template, str]:
        """The template after its transforms, and its text, which is empty without transforms.
        Raises `ApiError`."""
        if not template.transforms:
            return template, ""
        with anyio.move_on_after(DEADLINE_S):
            run = _Transformation(self, template, inputs, parameters, caller)
            document = await run.run()
            return await computed(_finished, document, template.is_extended)
        raise TransformFailed(
            f"The transforms of the template take longer than {DEADLINE_S:.0f} seconds."
        )


def _finished(document: Document, is_extended: bool) -> tuple[Template, str]:
    if SECTION in document or places_of(check_document(document)):
        raise TransformFailed(
            "Template error: A macro has returned a template that calls macros itself. These are"
            " not processed."
        )
    template = parse_template(document, is_extended=is_extended)
    return template, json.dumps(document, separators=(",", ":"))


class _Transformation:
    """One template on its way through its transforms."""

    def __init__(
        self,
        transforms: Transforms,
        template: Template,
        inputs: Inputs,
        parameters: Parameters,
        caller: Caller,
    ) -> None:
        self._transforms = transforms
        self._template = template
        self._inputs = inputs
        self._parameters = parameters
        self._caller = caller
        self._calls_left = CALLS_MAX
        self._characters_left = CHARACTERS_MAX

    async def run(self) -> Document:
        document = await self._fragments()
        for call in calls_of(document.pop(SECTION, [])):
            match call.name:
                case name if name == LANGUAGE_EXTENSIONS:
                    document = await computed(expand, _formed(document), self._inputs)
                case name if name == SERVERLESS:
                    texts, region = self._parameters.texts, self._inputs.region
                    document = dict(
                        await self._transforms.sam.translate(_formed(document), texts, region)
                    )
                case _:
                    document = check_document(await self._apply(call, document))
        return document

    async def _fragments(self) -> Document:
        """The document without Fn::Transform."""
        document = self._template.document
        places = await computed(places_of, document)
        if not places:
            return dict(document)
        whole = {"": await computed(copy.deepcopy, document)}
        for place in places:
            parent: Any = value_at(whole, ("", *place)[:-1])
            key: Any = ("", *place)[-1]
            fragment = parent[key]
            for call in calls_of(fragment.pop(FUNCTION)):
                fragment = await self._apply(call, fragment, place)
            parent[key] = fragment
        return check_document(whole[""])

    async def _apply(self, call: MacroCall, fragment: Any, place: Place | None = None) -> Any:
        """What a macro makes of a fragment. Raises `TransformFailed`."""
        self._calls_left -= 1
        if self._calls_left < 0:
            raise TransformFailed(f"The template calls macros more than {CALLS_MAX} times.")
        if place is not None and call.name in (LANGUAGE_EXTENSIONS, SERVERLESS):
            raise TransformFailed(f"{call.name} can only be used in the Transform section.")
        parameters = await computed(self._evaluated, call)
        if call.name == INCLUDE:
            return await self._include(parameters, fragment)
        return await self._call(call.name, parameters, fragment)

    async def _include(self, parameters: Mapping[str, Any], fragment: Any) -> Document:
        location = parameters.get("Location")
        if not isinstance(location, str) or not isinstance(fragment, dict):
            raise _failed(INCLUDE, "The location parameter is not a valid S3 uri.")
        try:
            text = await fetch_text(self._transforms.api, self._caller, location, "Location")
            self._take(text)
            snippet = await computed(read_template, text)
        except ApiError as error:
            raise _failed(INCLUDE, error.message) from error
        twice = sorted(fragment.keys() & snippet.keys())
        if twice:
            raise _failed(INCLUDE, f"{location} has the member {twice[0]}, which is there already.")
        return {**fragment, **snippet}

    async def _call(self, name: str, parameters: Mapping[str, Any], fragment: Any) -> Any:
        account, scope = self._inputs.account, self._caller.scope
        macro = await find_macro(self._transforms.store, scope, name)
        id = f"{account}::{name}"
        if macro is None:
            id = name if name.startswith("AWS::") else id
            raise TransformFailed(f"No transform named {id} found.")
        event = {
            "region": self._inputs.region,
            "accountId": account,
            "fragment": fragment,
            "transformId": id,
            "params": parameters,
            "requestId": str(uuid.uuid4()),
            "templateParameterValues": self._inputs.parameters,
        }
        try:
            document = await computed(json.dumps, event)
            result = await self._transforms.functions.call(
                macro.function, document.encode(), self._caller
            )
        except ApiError as error:
            raise _failed(id, error.message) from error
        if result is None:
            raise _malformed(id)
        self._take(result)
        return await computed(_read, result, event["requestId"], id)

    def _take(self, text: str | bytes) -> None:
        self._characters_left -= len(text)
        if self._characters_left < 0:
            raise TransformFailed(
                f"The transforms of the template make more than {CHARACTERS_MAX:,} characters."
            )

    def _evaluated(self, call: MacroCall) -> Mapping[str, Any]:
        """Parameters of a call: they are made of parameters, mappings and exports."""
        if not call.parameters:
            return {}
        run = TemplateRun(
            template_functions.VALUES,
            self._inputs,
            mappings(self._template.document.get("Mappings", {})),
            holds=_unresolved(call.name),
            resource=_unresolved(call.name),
            exported=self._exported,
        )
        made = {name: run.value(value) for name, value in call.parameters.items()}
        for name, value in made.items():
            if not all(isinstance(v, str | int | float) for v in _listed(value)):
                raise TransformFailed(
                    f"The value of parameter {name} under transform {call.name} must resolve to a"
                    " string, number, boolean or a list of any of these."
                )
        return made

    def _exported(self, name: str) -> str:
        if name not in self._inputs.imports:
            raise TemplateError(f"No export named {name} found.")
        return self._inputs.imports[name]


def _read(result: bytes, request_id: str, id: str) -> Any:
    """The fragment that a macro has returned. Raises `TransformFailed`."""
    try:
        found = strict_json.parse_plain(result.decode())
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("requestId") != request_id:
        raise _malformed(id)
    if found.get("status") != "success":
        message = found.get("errorMessage")
        if isinstance(message, str) and message:
            raise _failed(id, message)
        raise TransformFailed(f"Transform {id} failed without an error message.")
    if "fragment" not in found:
        raise _malformed(id)
    return found["fragment"]


def _formed(document: Document) -> Document:
    """A template that a macro may have made, once its sections are objects."""
    for name in ("Parameters", "Resources", "Conditions", "Outputs", "Mappings"):
        members(document.get(name, {}), name)
    return document


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unresolved(macro: str) -> Any:
    def refuse(name: str, _: str | None = None) -> Any:
        raise TransformFailed(
            f"Parameters of the transform {macro} cannot refer to {name}: they use parameters,"
            " mappings and exports only."
        )

    return refuse


def _failed(id: str, reason: str) -> TransformFailed:
    return TransformFailed(f"Transform {id} failed with: {reason}")


def _malformed(id: str) -> TransformFailed:
    return TransformFailed(f"Received malformed response from transform {id}.")
