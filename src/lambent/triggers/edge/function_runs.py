"""Runs CloudFront functions, each in execution environments of its own, through the one invoker.

A function is a version that is in no database: its package is the platform's own wrapper (see
`runtimes/edge/index.js`), its code is a variable. So it is isolated as any other function is.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import anyio

from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.ids import new_request_id
from lambent.model.alias import Route
from lambent.model.arn import AccountId, Scope
from lambent.model.cloudfront.names import REGION
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.function import FunctionKey, FunctionVersion, LoggingConfiguration
from lambent.model.invocation import (
    InvocationKind,
    InvocationRequest,
    Outcome,
    Reply,
    RunReport,
    Succeeded,
    WholeReply,
)
from lambent.triggers.edge.distribution import EdgeFunction
from lambent.triggers.edge.errors import FUNCTION_INVALID, EdgeFailure
from lambent.triggers.edge.function_events import InvalidResult, read_result

_TIMEOUT_S, _MEMORY_MB = 3, 128
_COLD_S = 15.0
"""How long a viewer waits for a function that has to start."""
_CPU_MS = 50.0
"""What a compute utilization of 100 is."""
_KNOWN_MAX = 256
_EVENT_BYTES_MAX = 40 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionRun:
    """What came of a run."""

    output: Any
    """What the function returned, as JSON; None if it failed."""
    error: str
    """Empty if it succeeded."""
    lines: Sequence[str]
    """What it logged."""
    cpu_ms: float


class FunctionRuns:
    """See the module."""

    def __init__(self, invoker: Invoker, runtime: str | None) -> None:
        """`runtime` runs the wrapper; None if this host has none."""
        self._invoker = invoker
        self._runtime = runtime
        self.package = _package()
        self.package_key = hashlib.sha256(self.package).hexdigest()
        self._versions: dict[tuple[AccountId, EdgeFunction], Route] = {}

    async def run(self, account: AccountId, function: EdgeFunction, event: Any) -> FunctionRun:
        """Run a function once. Raises `EdgeFailure` if it could not be run."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        if self._runtime is None:
            raise _failure("This host has no Node.js.")
        route = self._route(account, function)
        outcomes: list[Outcome] = []
        has_ended = anyio.Event()

        def make_reply(_: InvocationRequest) -> Reply:
            def finish(outcome: Outcome, _: RunReport) -> None:
                outcomes.append(outcome)
                has_ended.set()

            return WholeReply(finish)

        call = Call(new_request_id(), InvocationKind.SERVICE, route.version.key, None, payload)
        self._invoker.run(call, route, make_reply)
        try:
            with anyio.fail_after(_COLD_S):
                await has_ended.wait()
        except TimeoutError as error:
            raise _failure("It took too long to start.") from error
        (outcome,) = outcomes
        if outcome.is_throttled:
            raise EdgeFailure(503, FUNCTION_INVALID, "FunctionThrottledError")
        if not isinstance(outcome, Succeeded):
            return FunctionRun(None, "The function could not run", (), 0)
        return _read(outcome.payload)

    def _route(self, account: AccountId, function: EdgeFunction) -> Route:
        known = self._versions.get((account, function))
        if known is None:
            if len(self._versions) >= _KNOWN_MAX:
                self._versions.clear()
            known = self._versions[account, function] = Route(self._version(account, function))
        return known

    def _version(self, account: AccountId, function: EdgeFunction) -> FunctionVersion:
        key = FunctionKey(account, REGION, f"cloudfront:{function.name}")
        identity = "/".join((account, function.name, function.code, self.package_key))
        id = hashlib.sha256(identity.encode()).hexdigest()[:32]
        return FunctionVersion(
            key=key,
            version="1",
            role=f"arn:aws:iam::{account}:role/cloudfront-functions",
            runtime=self._runtime,
            handler="index.handler",
            timeout_s=_TIMEOUT_S,
            memory_mb=_MEMORY_MB,
            environment={"LAMBENT_EDGE_CODE": function.code},
            logging=LoggingConfiguration(log_group=f"/aws/cloudfront/function/{function.name}"),
            code_key=self.package_key,
            code_size=len(self.package),
            configuration_id=id,
            revision_id=id,
            last_modified_ms=0,
        )

    async def test(self, scope: Scope, name: str, stage: Body, event: bytes) -> dict[str, Any]:
        """TestFunction: the members of `TestResult`. Raises `ApiError`."""
        if len(event) > _EVENT_BYTES_MAX:
            raise ApiError("InvalidArgument", "The event object is too large.")
        try:
            given = json.loads(event)
        except (ValueError, RecursionError) as error:
            raise ApiError("InvalidArgument", "The event object is not JSON.") from error
        kind = given.get("context", {}).get("eventType") if isinstance(given, dict) else None
        if kind not in ("viewer-request", "viewer-response"):
            raise ApiError("InvalidArgument", "The eventType of the event object is not valid.")
        try:
            run = await self.run(scope.account, EdgeFunction(name, stage["code"]), given)
        except EdgeFailure as error:
            raise ApiError("TestFunctionFailed", str(error), status=500) from error
        result: dict[str, Any] = {
            "ComputeUtilization": str(min(100, round(run.cpu_ms / _CPU_MS * 100))),
            "FunctionExecutionLogs": list(run.lines),
            "FunctionErrorMessage": run.error and f"{FUNCTION_INVALID} Error: {run.error}",
        }
        if run.error:
            return result
        request = given.get("request") or {}
        try:
            read_result(run.output, kind, request.get("method", "GET"), _headers_of(given, kind))
        except InvalidResult as error:
            return {**result, "FunctionErrorMessage": f"{FUNCTION_INVALID} Error: {error}"}
        member = "response" if "statusCode" in run.output else "request"
        return {**result, "FunctionOutput": json.dumps({member: run.output})}


def _headers_of(event: dict[str, Any], kind: str) -> list[tuple[str, str]]:
    """The headers in an event that someone has written."""
    message = event.get("request" if kind == "viewer-request" else "response") or {}
    headers = message.get("headers") if isinstance(message, dict) else None
    return [
        (name.lower(), str(entry.get("value", "")))
        for name, entry in (headers or {}).items()
        if isinstance(entry, dict)
    ]


def _failure(reason: str) -> EdgeFailure:
    return EdgeFailure(503, f"{FUNCTION_INVALID} {reason}", "FunctionExecutionError")


def _read(payload: bytes) -> FunctionRun:
    """What the wrapper returns. The code in it may have taken it over, so nothing is trusted."""
    try:
        found = json.loads(payload)
        lines = [str(line)[:10_240] for line in found["lines"][:1000]]
        error, cpu_ms = str(found["error"])[:1000], float(found["ms"])
        output = None if error else json.loads(found["output"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return FunctionRun(None, "The function returned an invalid value", (), 0)
    return FunctionRun(output, error, lines, max(0.0, min(cpu_ms, 1e6)))


def _package() -> bytes:
    """The wrapper as a package, the same bytes each time."""
    source = files("lambent.runtimes").joinpath("edge", "index.js").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo("index.js")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, source)
    return packed.getvalue()
