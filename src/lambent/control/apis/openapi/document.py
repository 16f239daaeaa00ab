"""A parsed OpenAPI document."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from lambent.control.apis.errors import bad_request

PREFIX = "x-amazon-apigateway-"
ANY_METHOD = PREFIX + "any-method"
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_HOPS_MAX = 32
_VARIABLE = re.compile(r"\{([^{}]+)\}")

Node = Mapping[str, Any]


class Operation(NamedTuple):
    """One method of one path."""

    path: str
    """As in the document, without the base path: `/pets/{id}`."""
    method: str
    """In capitals; `ANY` for the extension."""
    node: Node
    path_item: Node
    """Where parameters of all methods are."""


@dataclasses.dataclass(frozen=True, slots=True)
class OpenApi:
    """An OpenAPI document, 2.0 or 3.0."""

    root: Node

    def __post_init__(self) -> None:
        if not (self.is_2 or re.fullmatch(r"3\.0\.\d+", str(self.root.get("openapi", "")))):
            raise bad_request(
                "Unsupported definition: `swagger` must be 2.0, or `openapi` must be 3.0.x."
            )

    @property
    def is_2(self) -> bool:
        """Whether it is a document of Swagger 2.0."""
        return str(self.root.get("swagger", "")) == "2.0"

    @property
    def info(self) -> Node:
        """Title, version, description."""
        return mapping_in(self.root, "info")

    @property
    def security_schemes(self) -> Node:
        """The security schemes, by name."""
        if self.is_2:
            return mapping_in(self.root, "securityDefinitions")
        return mapping_in(mapping_in(self.root, "components"), "securitySchemes")

    @property
    def schemas(self) -> Node:
        """The schemas with a name."""
        if self.is_2:
            return mapping_in(self.root, "definitions")
        return mapping_in(mapping_in(self.root, "components"), "schemas")

    @property
    def base_path(self) -> str:
        """What all paths begin with: `/v1`; empty for none."""
        if self.is_2:
            path = self.root.get("basePath") or ""
        else:
            servers = self.root.get("servers")
            server = servers[0] if isinstance(servers, list) and servers else {}
            path = _path_of_server(server if isinstance(server, Mapping) else {})
        return path.rstrip("/") if isinstance(path, str) else ""

    @property
    def operations(self) -> Iterator[Operation]:
        """All operations, in the document's order. Raises `BadRequestException`."""
        for path, item in mapping_in(self.root, "paths").items():
            if path.startswith("x-"):
                continue
            if not path.startswith("/"):
                raise bad_request(f"Invalid path {path[:200]!r}: it must begin with a slash.")
            item = self.resolve(item)
            for name, node in item.items():
                if name == ANY_METHOD or name.lower() in _METHODS:
                    method = "ANY" if name == ANY_METHOD else name.upper()
                    yield Operation(path, method, self.resolve(node), item)

    def security_of(self, operation: Operation) -> Sequence[tuple[str, Sequence[str]]]:
        """The security schemes that an operation requires, with scopes: its own, else the
        document's. Raises `BadRequestException`."""
        listed = operation.node.get("security", self.root.get("security")) or []
        found: list[tuple[str, Sequence[str]]] = []
        for requirement in listed if isinstance(listed, list) else ():
            if not isinstance(requirement, Mapping):
                raise bad_request("Invalid security requirement: it must be an object.")
            for name, scopes in requirement.items():
                if name not in self.security_schemes:
                    raise bad_request(f"Unknown security scheme {name[:100]!r}.")
                is_list = isinstance(scopes, list) and all(isinstance(s, str) for s in scopes)
                found.append((name, scopes if is_list else ()))
        return found

    def resolve(self, node: Any) -> Node:
        """An object, or what its `$ref` leads to within the document. Raises
        `BadRequestException`."""
        for _ in range(_HOPS_MAX):
            if not isinstance(node, Mapping):
                raise bad_request("Invalid definition: an object is missing.")
            reference = node.get("$ref")
            if not isinstance(reference, str):
                return node
            node = self._find(reference)
        raise bad_request("A $ref leads back to itself, or through too many others.")

    def _find(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise bad_request(
                f"Unable to resolve {reference[:200]!r}: only references within the document, such"
                " as #/components/…, are supported."
            )
        found: Any = self.root
        for part in reference[2:].split("/"):
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or name not in found:
                raise bad_request(f"Unable to resolve {reference[:200]!r}: there is no such part.")
            found = found[name]
        return found


def mapping_in(node: Node, name: str) -> Node:
    """A member that is an object; an empty one if there is none. Raises `BadRequestException`."""
    value = node.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise bad_request(f"Invalid definition: {name} must be an object.")
    return value


def text_in(node: Node, name: str) -> str | None:
    """A member that is a text, a number or a boolean, as text; None if there is none. Raises
    `BadRequestException`."""
    value = node.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    raise bad_request(f"Invalid definition: {name} must be a text.")


def _path_of_server(server: Node) -> str:
    variables = mapping_in(server, "variables")

    def value(match: re.Match[str]) -> str:
        variable = variables.get(match[1])
        default = variable.get("default") if isinstance(variable, Mapping) else None
        return str(default) if default is not None else ""

    url = _VARIABLE.sub(value, str(server.get("url", "")))
    try:
        path = urlsplit(url).path
    except ValueError:
        raise bad_request(f"Invalid URL of a server: {url[:200]!r}") from None
    return path if path.startswith("/") else f"/{path}" if path else ""
