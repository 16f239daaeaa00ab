"""The Extensions API, as the extensions of one box see it.

Extensions are separate programs (external, from layers) or parts of the runtime's process
(internal). They register while the environment starts, and poll for events like the runtime. An
invocation is over when the extensions that follow invocations poll again. Like `RuntimeApi`, this
owns no socket and starts no task.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import asyncio
import dataclasses
import json
import uuid
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from lambent.kit.http.messages import Exchange
from lambent.model.function import FunctionVersion
from lambent.model.invocation import InvocationRequest
from lambent.node.apis.responses import accept, refuse

PREFIX = "/2020-01-01/extension/"
EXTENSIONS_MAX = 10
ID_HEADER = "Lambda-Extension-Identifier"
INVOKE, SHUTDOWN = "INVOKE", "SHUTDOWN"
_NAME_LENGTH_MAX = 128
_ERROR_TYPE_LENGTH_MAX = 256


class ExtensionsListener(Protocol):
    """Notifies the environment. All calls come on the event loop."""

    def on_extension_waiting(self) -> None:
        """An extension asked for its next event."""
        ...

    def on_extension_failed(self, error_type: str, message: str) -> None:
        """An extension reported an error that it cannot recover from; `message` is its own text."""
        ...


@dataclasses.dataclass(slots=True, eq=False)
class Extension:
    """A registered extension."""

    name: str
    id: str
    is_external: bool
    events: tuple[str, ...]
    state: str = "Registered"
    """`Registered`, `Ready` (polling), `Running`, `InitError` or `ExitError`, as in AWS."""
    waiting: Exchange | None = None
    pending: bytes | None = None
    """An event that came while it did not poll."""

    def send(self, event: bytes) -> None:
        """Send it an event, now or at its next poll."""
        waiting, self.waiting = self.waiting, None
        if waiting is None or not waiting.is_open:
            self.pending = event
            return
        self.state = "Running"
        waiting.respond(
            200,
            [
                ("Content-Type", "application/json"),
                ("Lambda-Extension-Event-Identifier", str(uuid.uuid4())),
            ],
            event,
        )

    @property
    def has_failed(self) -> bool:
        """Whether it reported an error: it should end, and gets no more events."""
        return self.state in ("InitError", "ExitError")


class ExtensionsApi:
    """Serves the extensions of one box. `expected` are the names of the external ones."""

    def __init__(
        self, listener: ExtensionsListener, function: FunctionVersion, expected: Collection[str]
    ) -> None:
        self._listener = listener
        self._function = function
        self._expected = frozenset(expected)
        self._by_id: dict[str, Extension] = {}
        self._wants_invoke: tuple[Extension, ...] = ()
        self._is_open = True
        self.all_registered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when every external extension has registered."""
        if not expected:
            self.all_registered.set_result(None)

    @property
    def registered(self) -> Collection[Extension]:
        """All registered extensions, in the order in which they registered."""
        return self._by_id.values()

    @property
    def follow_invocations(self) -> bool:
        """Whether any extension follows invocations."""
        return bool(self._wants_invoke)

    @property
    def all_waiting(self) -> bool:
        """Whether every extension that follows invocations polls for the next one."""
        return all(extension.waiting is not None for extension in self._wants_invoke)

    @property
    def all_started(self) -> bool:
        """Whether every registered extension has asked for its first event."""
        return all(extension.state != "Registered" for extension in self._by_id.values())

    def get(self, exchange: Exchange) -> Extension | None:
        """The extension that sent a request; None if the request was refused."""
        id_ = exchange.headers.get(ID_HEADER.lower(), "")
        if not id_:
            refuse(
                exchange,
                403,
                "Extension.MissingExtensionIdentifier",
                f"Missing {ID_HEADER} header",
            )
            return None
        extension = self._by_id.get(id_)
        if extension is not None:
            return extension
        try:
            uuid.UUID(id_)
        except ValueError:
            refuse(
                exchange, 403, "Extension.InvalidExtensionIdentifier", f"Invalid {ID_HEADER} header"
            )
        else:
            refuse(
                exchange, 403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {id_}"
            )
        return None

    def close_registration(self) -> None:
        """The runtime is ready: no extension may register any more."""
        self._is_open = False

    def invoke(self, request: InvocationRequest, deadline_ms: int) -> None:
        """Send an INVOKE event; `deadline_ms` is in epoch milliseconds."""
        event: dict[str, Any] = {
            "eventType": INVOKE,
            "deadlineMs": deadline_ms,
            "requestId": request.request_id,
            "invokedFunctionArn": request.invoked_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": request.trace_id},
        }
        data = json.dumps(event, separators=(",", ":")).encode()
        for extension in self._wants_invoke:
            extension.send(data)

    def shut_down(self, reason: str, deadline_ms: int) -> list[str]:
        """Send the SHUTDOWN event; returns the names of the external extensions that get it."""
        event = {"eventType": SHUTDOWN, "shutdownReason": reason, "deadlineMs": deadline_ms}
        data = json.dumps(event, separators=(",", ":")).encode()
        notified = []
        for extension in self._by_id.values():
            if extension.is_external and SHUTDOWN in extension.events:
                extension.send(data)
                notified.append(extension.name)
        return notified

    # -- requests --------------------------------------------------------------------------

    def handle(self, exchange: Exchange) -> None:
        """Serve one request below `PREFIX`."""
        action = exchange.method, exchange.path[len(PREFIX) :]
        if action == ("POST", "register"):
            self._register(exchange)
        elif action == ("GET", "event/next"):
            self._next(exchange)
        elif action == ("POST", "init/error"):
            self._fail(exchange, "InitError")
        elif action == ("POST", "exit/error"):
            self._fail(exchange, "ExitError")
        else:
            refuse(exchange, 404, "NotFound", "404 page not found")

    def _register(self, exchange: Exchange) -> None:
        name = exchange.headers.get("lambda-extension-name", "")
        if not name or len(name) > _NAME_LENGTH_MAX:
            refuse(exchange, 403, "Extension.InvalidExtensionName", "Empty extension name")
            return
        try:
            events = _read_events(exchange.body)
        except ValueError:
            refuse(exchange, 403, "InvalidRequestFormat", "Invalid register request")
            return
        is_external = name in self._expected
        if wrong := _wrong_event(events, is_external=is_external):
            refuse(exchange, 403, "Extension.InvalidEventType", wrong)
        elif not self._is_open:
            refuse(
                exchange,
                403,
                "Extension.RegistrationClosed",
                "Extension registration closed already",
            )
        elif any(extension.name == name for extension in self._by_id.values()):
            refuse(
                exchange,
                403,
                "Extension.InvalidExtensionState",
                "Extension with this name already registered",
            )
        elif len(self._by_id) >= EXTENSIONS_MAX:
            refuse(
                exchange,
                403,
                "Extension.TooManyExtensions",
                f"Extension limit ({EXTENSIONS_MAX}) reached",
            )
        else:
            self._add(exchange, Extension(name, str(uuid.uuid4()), is_external, events))

    def _add(self, exchange: Exchange, extension: Extension) -> None:
        self._by_id[extension.id] = extension
        if INVOKE in extension.events:
            self._wants_invoke = (*self._wants_invoke, extension)
        function = self._function
        described = {
            "functionName": function.key.name,
            "functionVersion": function.version,
            "handler": function.handler or "",
        }
        features = exchange.headers.get("lambda-extension-accept-feature", "")
        if "accountId" in [feature.strip() for feature in features.split(",")]:
            described["accountId"] = function.key.account
        exchange.respond(
            200,
            [("Content-Type", "application/json"), (ID_HEADER, extension.id)],
            json.dumps(described).encode(),
        )
        names = {extension.name for extension in self._by_id.values() if extension.is_external}
        if names == self._expected and not self.all_registered.done():
            self.all_registered.set_result(None)

    def _next(self, exchange: Exchange) -> None:
        extension = self.get(exchange)
        if extension is None:
            return
        is_waiting = extension.waiting is not None and extension.waiting.is_open
        if extension.has_failed or is_waiting:
            _refuse_state(exchange, extension, "Ready")
            return
        extension.state = "Ready"
        extension.waiting = exchange
        event, extension.pending = extension.pending, None
        if event is not None:
            extension.send(event)
        else:
            self._listener.on_extension_waiting()

    def _fail(self, exchange: Exchange, state: str) -> None:
        extension = self.get(exchange)
        if extension is None:
            return
        error_type = exchange.headers.get("lambda-extension-function-error-type", "")
        if not error_type:
            refuse(
                exchange,
                403,
                "Extension.MissingHeader",
                "Missing Lambda-Extension-Function-Error-Type header",
            )
            return
        if extension.has_failed or (state == "InitError" and extension.state != "Registered"):
            _refuse_state(exchange, extension, state)
            return
        extension.state = state
        accept(exchange)
        self._listener.on_extension_failed(
            f"Extension.{state}", error_type[:_ERROR_TYPE_LENGTH_MAX]
        )


def _read_events(body: bytes) -> tuple[str, ...]:
    """The events that a request to register names. Raises ValueError."""
    if not body.strip():
        return ()
    try:
        request = json.loads(body)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(request, Mapping) or request.get("configurationKeys"):
        raise ValueError("not such an object")
    events = request.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ValueError("events are names")
    return tuple(dict.fromkeys(events))


def _wrong_event(events: tuple[str, ...], *, is_external: bool) -> str | None:
    for event in events:
        if event not in (INVOKE, SHUTDOWN):
            return f"{event[:_NAME_LENGTH_MAX]}: ErrorInvalidEventType"
        if event == SHUTDOWN and not is_external:
            return f"{event}: ShutdownEventNotSupportedForInternalExtension"
    return None


def _refuse_state(exchange: Exchange, extension: Extension, wanted: str) -> None:
    refuse(
        exchange,
        403,
        "Extension.InvalidExtensionState",
        f"State transition from {extension.state} to {wanted} failed for extension"
        f" {extension.name}. Error: State transition is not allowed",
    )
