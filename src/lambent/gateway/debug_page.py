"""`POST /_lambent/debug/FUNCTION`: one call of a function under a debugger.

The query says `port`, the port of the host's loopback that leads to the debugger, and perhaps
`qualifier` and `layer`: the ARN of a layer version with the debugger, for this call only. The body
is the event. The response comes when the call has ended; the call ends when the client disconnects.

The caller needs `lambent:DebugFunction` on the function, and `lambda:GetLayerVersion` on the layer.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

import anyio

from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.call import Call
from lambent.invocation.debugging import DebugCalls
from lambent.kit.computing import computed_apart
from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.kit.strict_json import fault_of
from lambent.model.arn import Scope
from lambent.model.errors import invalid_parameter
from lambent.model.function import AttachedLayer
from lambent.model.invocation import InvocationKind, Refused
from lambent.model.layer import LayerVersion, require_layer_version_arn
from lambent.model.names import parse_function_name

PATH = "/_lambent/debug/"
_KNOWN = frozenset({"port", "qualifier", "layer"})
FindLayer = Callable[[Scope, Mapping[str, Any]], Awaitable[LayerVersion]]
"""Finds the layer version of an `Arn`. Raises `ApiError`."""


class DebugPage:
    """See the module."""

    def __init__(self, authorizer: Authorizer, calls: DebugCalls, find_layer: FindLayer) -> None:
        self._authorizer = authorizer
        self._calls = calls
        self._find_layer = find_layer

    async def call(self, exchange: Exchange, caller: Caller) -> dict[str, Any]:
        """Run a call; returns what Invoke returns, as a document. Raises `ApiError`."""
        asked = {name: values[-1] for name, values in parse_qs(exchange.query).items()}
        if unknown := asked.keys() - _KNOWN:
            raise invalid_parameter(f"Unknown parameters: {', '.join(sorted(unknown))[:100]}.")
        name = unquote(exchange.path.removeprefix(PATH))
        reference = parse_function_name(name, caller.scope, qualifier=asked.get("qualifier"))
        key = reference.key
        access = Access("lambent:DebugFunction", reference.arn, key.account)
        await self._authorizer.check(caller, access)
        layers = await self._layers(caller, asked.get("layer"))
        if not asked.get("port", "").isdecimal() or len(asked["port"]) > 5:
            raise invalid_parameter("The parameter `port` must be a port of the host's loopback.")
        event = exchange.body or b"{}"
        if fault := await computed_apart(fault_of, event, data=event):
            raise invalid_parameter(f"The event is not JSON: {fault[:200]}")
        call = Call(
            new_request_id(), InvocationKind.REQUEST_RESPONSE, key, reference.qualifier, event
        )
        with anyio.CancelScope() as scope:
            exchange.on_disconnect(scope.cancel)
            result = await self._calls.call(call, int(asked["port"]), layers)
        if scope.cancelled_caught:
            return {}
        outcome = result.outcome
        if isinstance(outcome, Refused):
            raise outcome.error
        return {
            "StatusCode": 200,
            "Payload": outcome.payload.decode(errors="replace"),
            "FunctionError": None if outcome.has_succeeded else "Unhandled",
            "ExecutedVersion": result.function.version if result.function else None,
        }

    async def _layers(self, caller: Caller, arn: str | None) -> tuple[AttachedLayer, ...]:
        if arn is None:
            return ()
        key, _ = require_layer_version_arn(arn)
        if key.account != caller.scope.account:
            raise invalid_parameter("The layer must be one of your account.")
        await self._authorizer.check(caller, Access("lambda:GetLayerVersion", arn, key.account))
        found = await self._find_layer(caller.scope, {"Arn": arn})
        return (AttachedLayer(found.arn, found.code_size, found.code_key),)
