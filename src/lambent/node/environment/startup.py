"""The start of one attempt: its init, or its restore from a snapshot, measured and reported to the
log."""

import contextlib
from typing import NamedTuple

from lambent.kit.turns import Turn
from lambent.model.function import FunctionVersion
from lambent.node.environment.attempt import Attempt
from lambent.node.environment.context import NodeContext
from lambent.node.environment.environment_log import EnvironmentLog
from lambent.node.environment.failures import CUT, RESTORE_TIMED_OUT, Failure
from lambent.sandbox.ports import SandboxError, Volume

_RESTORE_LIMIT_S = 10.0
"""Seconds that a restore may take, as in AWS."""
_UNWATCHED_LIMIT_S_MIN = 130.0


def unwatched_limit_s(function: FunctionVersion) -> float:
    """Seconds that an init may take while no call waits for it: provisioned concurrency, SnapStart.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
    return max(_UNWATCHED_LIMIT_S_MIN, function.timeout_s)


class StartDurations(NamedTuple):
    """How long an environment took to start, for the report of its first invocation."""

    init_ms: float | None = None
    """Of an init ahead of the invocation, if AWS reports it there."""
    restore_ms: float | None = None


class Startup:
    """Has two parts if a function that uses SnapStart is started without a snapshot: init, then
    what it does after a restore. Each part is reported once."""

    def __init__(
        self, context: NodeContext, function: FunctionVersion, log: EnvironmentLog, phase: str
    ) -> None:
        """`phase` is `init`, or `invoke` if an invocation has to wait for it."""
        self._snapshots = context.snapshots
        self._clock = context.clock
        self._function = function
        self._log = log
        self._phase = phase
        self._began = 0.0
        self._is_restore = False
        self._is_reported = False
        self.init_ms: float | None = None
        """Duration of an init that succeeded."""
        self.restore_ms: float | None = None
        """Duration of a restore that succeeded."""

    async def run(
        self, attempt: Attempt, turn: Turn, volume: Volume | None, limit_s: float | None
    ) -> Failure | None:
        """Have the attempt's box built, restored from the version's snapshot if there is one; then
        its init. Ends the turn when the box is there. Returns why the attempt is not ready.
        Raises `SandboxError`."""
        limit, snapshot = CUT, None
        with contextlib.closing(turn):
            if self._function.snap_starts:
                snapshot = self._snapshots.find(self._function)
            self.begin(restores=snapshot is not None)
            try:
                await attempt.open(volume, snapshot)
            except SandboxError:
                if snapshot is not None:
                    self._snapshots.note_restore(self._function, failed=True)
                raise
        if snapshot is not None:
            self._snapshots.note_restore(self._function, failed=False)
            limit, limit_s = RESTORE_TIMED_OUT, _RESTORE_LIMIT_S
        failure = await attempt.init(limit_s, limit)
        self.report(failure)
        return failure

    def begin(self, *, restores: bool) -> None:
        """It begins now: log that."""
        self._log.begin()
        if restores:
            self.begin_restore()
        else:
            self._began = self._clock.monotonic()
            self._log.init_start(self._phase)

    def begin_restore(self) -> None:
        """From here on the function is restored."""
        self._began = self._clock.monotonic()
        self._is_restore, self._is_reported = True, False
        self._log.restore_start()

    def report(self, failure: Failure | None) -> None:
        """Init, or the restore, is over. Does nothing if that has been reported already."""
        if self._is_reported:
            return
        self._is_reported = True
        status, error_type = "success", None
        if failure is not None:
            status, error_type = failure.status, failure.error_type
        took_ms = (self._clock.monotonic() - self._began) * 1000
        if self._is_restore:
            self._log.restore_report(took_ms, status, error_type)
            self.restore_ms = took_ms if failure is None else None
        else:
            self._log.init_runtime_done(self._phase, status, error_type)
            self._log.init_report(self._phase, took_ms, status, error_type)
            self.init_ms = took_ms if failure is None else None
