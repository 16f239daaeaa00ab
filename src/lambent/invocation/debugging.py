"""Calls that run under a debugger: one call in an environment of its own, which ends with it."""

import anyio

from lambent.invocation.call import Call, CallResult
from lambent.invocation.checks import state_error
from lambent.invocation.invoker import Invoker
from lambent.invocation.ports import Node
from lambent.model.alias import Route
from lambent.model.debugging import can_debug, debugged
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.function import AttachedLayer
from lambent.model.invocation import InvocationRequest, Outcome, Reply, RunReport, WholeReply

PORT_MIN, PORT_MAX = 1024, 65535


class DebugCalls:
    """See the module."""

    def __init__(self, invoker: Invoker, node: Node, *, is_isolated: bool) -> None:
        """`is_isolated`: boxes have networks of their own, so that no other process reaches a
        debugger inside one."""
        self._invoker = invoker
        self._node = node
        self._is_isolated = is_isolated

    async def call(self, call: Call, port: int, layers: tuple[AttachedLayer, ...]) -> CallResult:
        """Run a call whose debugger is reached at a port of the host's loopback. If it is
        cancelled, the environment ends at once. Raises `ApiError`."""
        if not self._is_isolated:
            raise invalid_parameter(
                "Debugging needs network namespaces, which the isolation tier `process` lacks."
            )
        if not PORT_MIN <= port <= PORT_MAX:
            raise invalid_parameter(f"The port must be a number from {PORT_MIN} to {PORT_MAX}.")
        version = await self._invoker.resolve(call.key, call.qualifier)
        if not can_debug(version):
            raise invalid_parameter(
                f"Functions of {version.runtime} cannot be debugged: only Python and Node.js can."
            )
        if (error := state_error(version)) is not None:
            raise error
        wanted = debugged(version, port, layers)
        results: list[CallResult] = []
        has_ended = anyio.Event()

        def make_reply(request: InvocationRequest) -> Reply:
            def finish(outcome: Outcome, _: RunReport) -> None:
                results.append(CallResult(call.request_id, outcome, version, request.trace_id))
                has_ended.set()

            return WholeReply(finish)

        try:
            self._invoker.run(call, Route(wanted), make_reply)
            await has_ended.wait()
        finally:
            self._node.retire([wanted.configuration_id])
        return results[0]


def port_taken(port: int) -> ApiError:
    """The error of a call whose port is in use."""
    return ApiError(
        "ResourceConflictException",
        f"Port {port} of the host's loopback is in use: choose another one for the debugger.",
        status=409,
    )
