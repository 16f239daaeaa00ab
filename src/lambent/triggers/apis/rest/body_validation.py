"""Request validators: bodies that have to match a model. The library takes a tenth of a second to
import, so this is loaded with the first model."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

import jsonschema
from jsonschema.protocols import Validator
from jsonschema.validators import Draft4Validator, extend
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT4

from lambent.kit import strict_json
from lambent.kit.linear_regex import PatternError, Work, compile_pattern
from lambent.model.document import Body
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.validation import TooManySteps

DEPTH_MAX = 100
"""How deeply a body may be nested that is validated."""
_STEPS = 20_000
_BYTES_PER_STEP = 10
_MESSAGE_CHARS = 200
_MODELS = "https://apigateway.amazonaws.com/restapis/"
_REFERENCE = re.compile(r"/models/([A-Za-z0-9]{1,128})")
"""In the text of a schema."""


class _Steps:
    """Counts applications of keywords: `$ref` and `allOf` make many of few."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> None:
        """Raises `TooManySteps`."""
        self._left -= count
        if self._left < 0:
            raise TooManySteps


_Keyword = Callable[[Any, Any, Any, Any], Iterator[jsonschema.ValidationError] | None]
_steps: ContextVar[_Steps] = ContextVar("_steps")


class Models:
    """The models of an API, each parsed once. Parsing may take a while: it is done in a thread."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self._bodies = bodies
        self._resources: dict[str, Resource[Any]] = {}

    def load(self, name: str) -> Any:
        """The schema of a model. Those that it refers to are parsed as well. Raises LookupError if
        there is no such model, and ValueError and RecursionError if it is not JSON."""
        self._resource(name)
        names = [name]
        while names:
            for found in _REFERENCE.findall(self._bodies[names.pop()].get("schema") or ""):
                if found in self._bodies and found not in self._resources:
                    self._resource(found)
                    names.append(found)
        return self._resources[name].contents

    def find(self, uri: str) -> Resource[Any]:
        """The model that a reference leads to. Raises LookupError."""
        name = uri.rpartition("/models/")[2]
        if not uri.startswith(_MODELS):
            raise LookupError(uri)
        return self._resource(name)

    def _resource(self, name: str) -> Resource[Any]:
        resource = self._resources.get(name)
        if resource is None:
            schema = strict_json.parse_plain(self._bodies[name].get("schema") or "{}")
            resource = self._resources[name] = DRAFT4.create_resource(schema)
        return resource


class BodyValidator:
    """Checks bodies against one model of an API. Regular expressions run in linear time; other
    models are found by `$ref`, and nothing is read from anywhere."""

    def __init__(self, model: str, models: Models) -> None:
        self._model = model
        self._models = models
        self._compiled: Validator | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the model is compiled. The first check does that: call it in a thread."""
        return self._compiled is not None

    def _validator(self) -> Validator:
        """Raises `GatewayError` for a model that is no schema."""
        if self._compiled is None:
            try:
                schema = self._models.load(self._model)
                Draft4Validator.check_schema(schema)
            except (LookupError, ValueError, RecursionError, jsonschema.SchemaError) as error:
                text = f"The model {self._model} cannot be used: {error!r}"[:500]
                raise GatewayError("API_CONFIGURATION_ERROR", text) from None
            registry: Registry[Any] = Registry(retrieve=self._models.find)  # type: ignore[call-arg]
            self._compiled = _Draft4(schema, registry=registry)
        return self._compiled

    def check(self, body: bytes, steps: int | None = None) -> None:
        """Raises `GatewayError`, and `TooManySteps` if `steps` applications of keywords do not
        suffice; if None, it is as many as bodies of this size may take. An empty body is an empty
        object."""
        validator = self._validator()
        _steps.set(_Steps(_STEPS + len(body) // _BYTES_PER_STEP if steps is None else steps))
        try:
            document = json.loads(body or b"{}")
            faults = [error.message for _, error in zip(range(5), validator.iter_errors(document))]  # noqa: B905
        except (ValueError, RecursionError):
            raise GatewayError("BAD_REQUEST_BODY", validation="[Invalid JSON]") from None
        except Unresolvable as error:
            raise GatewayError("API_CONFIGURATION_ERROR", f"A model is missing: {error}") from None
        if faults:
            text = ", ".join(fault[:200] for fault in faults)
            raise GatewayError("BAD_REQUEST_BODY", text, validation=f"[{text}]")


def _counted(check: _Keyword) -> _Keyword:
    """A keyword whose applications are counted, and whose errors are short."""

    def counted(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterator[jsonschema.ValidationError]:
        steps = _steps.get()
        steps.take(1)
        for error in check(validator, value, instance, schema) or ():
            steps.take(len(error.message) // _MESSAGE_CHARS)
            error.message = error.message[:_MESSAGE_CHARS]
            yield error

    return counted


def _pattern(
    validator: Validator, pattern: Any, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if isinstance(instance, str) and not _matches(str(pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in patterns.items():
        for name, value in instance.items():
            _steps.get().take(1)
            if _matches(str(pattern), name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties") or {}
    patterns = list(schema.get("patternProperties") or ())
    for name, value in instance.items():
        _steps.get().take(1 + len(patterns))
        if name in known or any(_matches(pattern, name) for pattern in patterns):
            continue
        if isinstance(allowed, dict):
            yield from validator.descend(value, allowed, path=name)
        elif not allowed:
            yield jsonschema.ValidationError(
                f"Additional properties are not allowed ({name!r} was unexpected)"
            )


def _unique(
    validator: Any, is_unique: Any, instance: Any, _schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if is_unique and isinstance(instance, list):
        texts = {json.dumps(item, sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield jsonschema.ValidationError("the items are not unique")


def _matches(pattern: str, text: str) -> bool:
    """A pattern that cannot be matched in linear time matches nothing."""
    try:
        return compile_pattern(pattern).search(text, 0, Work()) is not None
    except PatternError:
        return False


_extend: Any = extend
_OWN: Mapping[str, _Keyword] = {
    "additionalProperties": _additional_properties,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique,
}
"""Those of the library use Python's regular expressions, or take quadratic time."""
_keywords: dict[str, Any] = {**Draft4Validator.VALIDATORS, **_OWN}
_Draft4: Any = _extend(
    Draft4Validator, {name: _counted(check) for name, check in _keywords.items()}
)
