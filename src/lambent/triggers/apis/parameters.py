"""What a request carries besides its body, and where mappings take values from."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from lambent.kit.strict_json import parse_plain
from lambent.triggers.apis.vtl.budget import Budget, TemplateError
from lambent.triggers.apis.vtl.values import to_json

Multi = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Parameters:
    """Headers as the client spells them, the query decoded, path variables as they were sent."""

    headers: Multi
    query: Multi
    path: Mapping[str, str]

    def header(self, name: str) -> str | None:
        """The last value of a header, in any case of its name."""
        values = self.headers.get(name)
        if values is None:
            lowered = name.lower()
            for key, found in self.headers.items():
                if key.lower() == lowered:
                    values = found
        return values[-1] if values else None

    def of(self, place: str, name: str) -> str | None:
        """A value by `header`, `querystring` or `path`; the last one if there are several."""
        if place == "header":
            return self.header(name)
        if place == "querystring":
            values = self.query.get(name)
            return values[-1] if values else None
        return self.path.get(name)

    def single(self) -> Mapping[str, Mapping[str, str]]:
        """What `$input.params()` is."""
        return {
            "path": self.path,
            "querystring": last_values(self.query),
            "header": last_values(self.headers),
        }


def last_values(multi: Multi) -> dict[str, str]:
    """Of each name the last value."""
    return {name: values[-1] for name, values in multi.items()}


def parse_query(query: str) -> dict[str, list[str]]:
    """The values of a query by name, decoded."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        found.setdefault(name, []).append(value)
    return found


def context_value(context: Mapping[str, Any], path: str) -> Any:
    """A value of `$context` by its dotted path; None if there is none."""
    found: Any = context
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def source_value(
    source: str,
    parameters: Parameters,
    context: Mapping[str, Any],
    variables: Mapping[str, str],
    prefix: str = "method.request",
) -> str | None:
    """The value of a mapping's right side: `'literal'`, `method.request.header.X`, `context.x`,
    `stageVariables.x`. None if there is none, or the source is none of these."""
    if len(source) >= 2 and source[0] == source[-1] == "'":
        return source[1:-1]
    kind, _, name = source.partition(".")
    if kind == "context":
        return _text(context_value(context, name))
    if kind == "stageVariables":
        return variables.get(name)
    if source.startswith(f"{prefix}."):
        place, _, name = source[len(prefix) + 1 :].partition(".")
        if place in ("header", "querystring", "path"):
            return parameters.of(place, name)
        many = {"multivalueheader": parameters.headers, "multivaluequerystring": parameters.query}
        values = many.get(place, {}).get(name)
        return None if values is None else ",".join(values)
    return None


def body_value(body: bytes, path: str) -> str | None:
    """The value of a mapping's right side that is a part of a JSON body: `path` follows `$` in
    JSONPath. None if there is none, or the body is no JSON."""
    # The library takes long to import.
    from lambent.triggers.apis.vtl.json_path import find

    budget = Budget()
    try:
        value = find(parse_plain(body.decode()), f"${path}", budget)
        return value if isinstance(value, str) or value is None else to_json(value, budget)
    except (TemplateError, ValueError):
        return None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
