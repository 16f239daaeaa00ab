"""The Telemetry API and the older Logs API: how an extension subscribes.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from lambent.kit.http.messages import Exchange
from lambent.node.apis.extensions_api import Extension, ExtensionsApi
from lambent.node.apis.responses import refuse

TELEMETRY = "/2022-07-01/telemetry"
LOGS = "/2020-08-15/logs"
_TYPES = ("platform", "function", "extension")
_HOSTS = ("sandbox.localdomain", "sandbox")
_RESERVED_PORTS = (9001, 9002)
_TELEMETRY_SCHEMAS = ("2022-07-01", "2022-12-13", "2025-01-29")
_LOGS_SCHEMAS = ("2020-08-15", "2021-03-18")
_OBJECTS_SINCE = "2022-12-13"
_BUFFERING = {
    "maxItems": (1000, 10_000, 10_000),
    "maxBytes": (262_144, 1_048_576, 262_144),
    "timeoutMs": (25, 30_000, 1000),
}
"""Minimum, maximum, default."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRequest:
    """What an extension subscribes to, and where it listens."""

    is_legacy: bool
    """Whether it is of the Logs API."""
    types: tuple[str, ...]
    """`platform`, `function`, `extension`."""
    schema: str
    items_max: int
    bytes_max: int
    timeout_s: float
    port: int
    """The port of the extension's server, in the box."""
    path: str | None
    """The path to post to; None for lines over TCP."""
    method: str = "POST"

    @property
    def takes_objects(self) -> bool:
        """Whether a line that is a JSON object is sent as one, not as text."""
        return not self.is_legacy and self.schema >= _OBJECTS_SINCE


class TelemetryApi:
    """Accepts subscriptions of the extensions of one box while the environment starts."""

    def __init__(
        self,
        extensions: ExtensionsApi,
        on_subscribe: Callable[[Extension, SubscriptionRequest], None],
    ) -> None:
        self._extensions = extensions
        self._on_subscribe = on_subscribe
        self._is_open = True
        self._uses_legacy: dict[str, bool] = {}

    def close(self) -> None:
        """The init phase is over."""
        self._is_open = False

    def handle(self, exchange: Exchange) -> None:
        """Serve one request to `TELEMETRY` or `LOGS`."""
        is_legacy = exchange.path == LOGS
        if exchange.method != "PUT":
            refuse(exchange, 405, "MethodNotAllowed", "Method not allowed")
            return
        extension = self._extensions.get(exchange)
        if extension is None:
            return
        api = "Logs" if is_legacy else "Telemetry"
        if not self._is_open:
            refuse(exchange, 403, f"{api}.SubscriptionClosed", f"{api} API subscription is closed")
            return
        if self._uses_legacy.get(extension.id, is_legacy) != is_legacy:
            message = "An extension can use the Telemetry API or the Logs API, not both"
            refuse(exchange, 400, _validation_error(is_legacy=is_legacy), message)
            return
        try:
            subscription = parse_subscription(exchange.body, is_legacy=is_legacy)
        except ValueError as error:
            refuse(exchange, 400, _validation_error(is_legacy=is_legacy), str(error))
            return
        self._uses_legacy[extension.id] = is_legacy
        self._on_subscribe(extension, subscription)
        exchange.respond(200, [("Content-Type", "application/json")], b'"OK"')


def parse_subscription(body: bytes, *, is_legacy: bool) -> SubscriptionRequest:
    """Parse a subscription request. Raises ValueError, which names everything that is wrong."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the request is not JSON") from None
    if not isinstance(request, Mapping):
        raise ValueError("the request is not an object")
    problems: list[str] = []
    schemas = _LOGS_SCHEMAS if is_legacy else _TELEMETRY_SCHEMAS
    schema = request.get("schemaVersion", _LOGS_SCHEMAS[0] if is_legacy else None)
    if schema not in schemas:
        problems.append(f"schemaVersion should be one of {', '.join(schemas)}")
    types = request.get("types") or []
    if not types:
        problems.append("types should not be empty")
    elif not isinstance(types, list) or any(type_ not in _TYPES for type_ in types):
        problems.append(f"types should be among {', '.join(_TYPES)}")
    numbers = _read_buffering(request.get("buffering") or {}, problems)
    port, path, method = _read_destination(request.get("destination"), problems)
    if problems:
        raise ValueError("; ".join(problems))
    return SubscriptionRequest(
        is_legacy=is_legacy,
        types=tuple(dict.fromkeys(types)),
        schema=schema,
        items_max=numbers["maxItems"],
        bytes_max=numbers["maxBytes"],
        timeout_s=numbers["timeoutMs"] / 1000,
        port=port,
        path=path,
        method=method,
    )


def _read_buffering(given: Any, problems: list[str]) -> dict[str, int]:
    numbers = {name: default for name, (_, _, default) in _BUFFERING.items()}
    if not isinstance(given, Mapping):
        problems.append("buffering should be an object")
        return numbers
    for name, (least, most, default) in _BUFFERING.items():
        value = given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            problems.append(f"buffering.{name} should be between {least} and {most}")
        else:
            numbers[name] = value
    return numbers


def _read_destination(given: Any, problems: list[str]) -> tuple[int, str | None, str]:
    """Port, path (None for TCP) and method."""
    if not isinstance(given, Mapping):
        problems.append("destination is not provided")
        return 0, None, "POST"
    protocol = given.get("protocol")
    if protocol not in ("HTTP", "TCP"):
        problems.append("destination protocol should be HTTP or TCP")
        return 0, None, "POST"
    path = None
    if protocol == "TCP" and "port" in given:
        port = given["port"]
    else:
        port, path = _read_uri(given.get("URI"), "http" if protocol == "HTTP" else "tcp", problems)
    if port is not None and (
        not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65_536
    ):
        problems.append("destination port should be between 1 and 65535")
    elif port in _RESERVED_PORTS:
        problems.append(f"port {port} is reserved")
    method = given.get("method", "POST")
    if method not in ("POST", "PUT"):
        problems.append("destination method should be POST or PUT")
    if given.get("encoding", "JSON") != "JSON":
        problems.append("destination encoding should be JSON")
    return port or 0, path if protocol == "HTTP" else None, str(method)


def _read_uri(uri: Any, scheme: str, problems: list[str]) -> tuple[int | None, str]:
    try:
        # Control characters would get into a request.
        if not isinstance(uri, str) or not uri.isascii() or not uri.isprintable() or " " in uri:
            raise ValueError("no text")
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        problems.append("URI is not valid")
        return None, "/"
    if parts.scheme != scheme:
        problems.append(f"URI scheme should be {scheme}")
    if parts.hostname not in _HOSTS:
        problems.append(f"URI host should be {_HOSTS[0]}")
    if port is None:
        problems.append("URI port is not provided")
    path = parts.path or "/"
    return port, f"{path}?{parts.query}" if parts.query else path


def _validation_error(*, is_legacy: bool) -> str:
    return "Logs.ValidationError" if is_legacy else "ValidationError"
