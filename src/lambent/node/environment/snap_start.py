"""Initialises a version when it is published, and captures its processes.

A version that cannot be captured (threads, open connections, a host that cannot do it) is
initialised for each environment, with the same hooks at the same moments. The log of its
publication says why.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
"""

import logging
import uuid
from collections.abc import Callable

from lambent.kit.tasks import shielded
from lambent.model.errors import InitFailed
from lambent.model.function import FunctionVersion
from lambent.model.invocation import Refused, ResponseSink
from lambent.node.environment.attempt import Attempt
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment_log import open_environment_log
from lambent.node.environment.failures import (
    Failure,
    Fault,
    extension_failed,
    init_failed,
)
from lambent.node.environment.startup import Startup, unwatched_limit_s
from lambent.node.environment.variables import SNAP_START
from lambent.node.languages.launch import LaunchSpec
from lambent.sandbox.ports import SandboxError

logger = logging.getLogger(__name__)

_REASON_MAX = 500


async def take_snapshot(host: NodeContext, function: FunctionVersion) -> None:
    """Initialise a version and keep a snapshot of its processes, if it can be captured. Raises
    InitFailed."""
    if host.snapshots.knows(function):
        return
    async with host.launch(function) as launch:
        await _take(host, function, launch)


async def _take(host: NodeContext, function: FunctionVersion, launch: LaunchSpec) -> None:
    log = open_environment_log(
        host.logs,
        host.clock,
        function,
        environment_id=uuid.uuid4().hex,
        initialization_type=SNAP_START,
    )
    template = _Template()
    attempt = template.attempt = Attempt(
        template, host, function, launch, log, initialization_type=SNAP_START
    )
    try:
        startup = Startup(host, function, log, "init")
        async with host.ask_to_start(function):
            startup.begin(restores=False)
            await attempt.open(None)
        failure = await attempt.init(unwatched_limit_s(function))
        attempt.drain()
        startup.report(failure)
        if failure is not None:
            raise InitFailed(*_describe(failure))
        try:
            host.snapshots.keep(function, await attempt.take_snapshot())
        except SandboxError as error:
            host.snapshots.keep(function, None)
            log.note(f"SNAPSHOT_SKIPPED Reason: {error}")
            logger.warning("%s is initialised for each environment: %s", function.arn, error)
    finally:
        await attempt.close()
        if attempt.volume is not None:
            await shielded(attempt.volume.close)
        log.close()


def _describe(failure: Failure) -> tuple[str, str]:
    """Reason and reason code of the version's state."""
    error_type = failure.error_type or ""
    if failure.status == "timeout":
        return "Function initialization timed out.", "FunctionError.InitTimeout"
    if error_type == "Runtime.InvalidEntrypoint":
        return "The function has no valid entry point.", "FunctionError.InvalidEntryPoint"
    text = ""
    if failure.outcome is not None:
        outcome = failure.outcome("")
        payload = b"" if isinstance(outcome, Refused) else outcome.payload
        text = payload.decode(errors="replace")[:_REASON_MAX]
    kind = "Extension" if error_type.startswith("Extension.") else "Runtime"
    return f"Function initialization failed: {text}", f"FunctionError.{kind}InitError"


class _Template:
    """Listens to the runtime that is captured. Its init is over when it waits to be restored."""

    attempt: Attempt

    def on_ready(self) -> None:
        """A runtime that knows nothing of snapshots asks for its first event."""
        self.attempt.settle(None)

    def on_restore_ready(self) -> None:
        self.attempt.api.restore(captures=True)
        self.attempt.settle(None)

    def on_restore_error(self, payload: bytes, error_type: str) -> None:
        self.on_init_error(payload, error_type)

    def on_init_error(self, payload: bytes, error_type: str) -> None:
        self.attempt.settle(init_failed(payload, error_type))

    def on_extension_failed(self, error_type: str, message: str) -> None:
        self.attempt.settle(extension_failed(error_type, message))

    def on_failure(self, attempt: Attempt, fault: Fault, failure: Failure) -> None:
        attempt.settle(failure)

    def on_extension_waiting(self) -> None:
        pass

    def on_response(self, payload: bytes, content_type: str) -> None:
        raise AssertionError("a template gets no events")

    def on_error(self, payload: bytes, error_type: str, cause: str = "") -> None:
        raise AssertionError("a template gets no events")

    def on_oversized_response(self) -> None:
        raise AssertionError("a template gets no events")

    def on_stream(self, content_type: str, resume: Callable[[], None]) -> ResponseSink:
        raise AssertionError("a template gets no events")
