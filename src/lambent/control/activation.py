"""The reconciler that prepares deployed versions.

It has no input queue. After every change, and when the platform starts, it reads which versions are
not settled. Each is prepared (its code unpacked) and then marked Active or Successful, or Failed
with the reason. A version that changed or disappeared in the meantime is skipped: that change has
triggered the reconciler again. After a crash, the scan at start finds the versions that were in
progress.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
import anyio.abc

from lambent.control.packages import Packages
from lambent.control.states import failed, settled
from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.changes import Changes
from lambent.model.errors import InitFailed
from lambent.model.function import FunctionVersion
from lambent.model.packages import PackageError
from lambent.sandbox.ports import SandboxBusy
from lambent.store.outage import is_full
from lambent.store.problems import StoreUnavailable
from lambent.store.store import Store, Transaction

_log = logging.getLogger(__name__)

_PREPARED_AT_START = 200
"""Functions at most."""

Prepare = Callable[[FunctionVersion], Awaitable[None]]
"""Prepare a version to run. Idempotent. Raises PackageError if its package cannot be used,
InitFailed if it must be initialized ahead and that fails, SandboxBusy or TimeoutError if the
machine has no capacity now; any other exception means that the machine could not do it."""


Conclude = Callable[[FunctionVersion], FunctionVersion]


class Activation:
    """Prepares deployed versions, several at a time."""

    def __init__(
        self,
        store: Store,
        packages: Packages,
        prepare: Prepare,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        *,
        parallel: int,
    ) -> None:
        self._store = store
        self._packages = packages
        self._prepare = prepare
        self._clock = clock
        self._tasks = tasks
        self._limiter = anyio.CapacityLimiter(parallel)
        self._bell = anyio.Event()
        self._under_way = set[str]()

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`: read the versions again."""
        if changes.functions or changes.is_everything:
            self._bell.set()

    async def run(self) -> None:
        """Reconcile now and after every change, until cancelled."""
        while True:
            self._bell = anyio.Event()
            for version in await self._store.read(lambda tx: tx.functions.unsettled()):
                if version.configuration_id not in self._under_way:
                    self._under_way.add(version.configuration_id)
                    start_loop(self._tasks, self._clock, self._activate, version)
            await self._bell.wait()

    async def _activate(self, version: FunctionVersion) -> None:
        async with self._limiter:
            conclude = await self._try_to_prepare(version)
        if conclude is not None:
            await self._packages.discard_unused(
                await self._store.transact(lambda tx: _finish(tx, version, conclude))
            )
        self._under_way.discard(version.configuration_id)

    async def _try_to_prepare(self, version: FunctionVersion) -> Conclude | None:
        """Returns what to store about it, None for nothing."""
        try:
            await self._prepare(version)
        except FileNotFoundError:
            # Lost with a disk. It is retried when the platform starts with a backup that has it.
            _log.error("cannot prepare %s: its package is gone", version.arn)
            return None
        except PackageError as error:
            _log.warning("cannot unpack %s: %s", version.arn, error)
            return partial(failed, reason=str(error), code="InvalidZipFileException")
        except InitFailed as error:
            return partial(failed, reason=str(error), code=error.reason_code)
        except (SandboxBusy, TimeoutError, StoreUnavailable):
            raise  # No capacity now, or the package cannot be fetched: the loop retries.
        except OSError as error:
            if is_full(error):
                raise  # There may be space later.
            return self._unable(version, error)
        except Exception as error:  # Whatever the error is, it affects only this version.
            return self._unable(version, error)
        return settled

    @staticmethod
    def _unable(version: FunctionVersion, error: Exception) -> Conclude:
        _log.exception("cannot prepare %s: %s", version.arn, error)
        reason = "Lambda could not prepare the function."
        return partial(failed, reason=reason, code="InternalError")


def _finish(tx: Transaction, prepared: FunctionVersion, conclude: Conclude) -> set[str]:
    """Store the result if the version is still the one that was prepared; returns the packages that
    may have become unused."""
    tx.locks.function(prepared.key)
    current = tx.functions.get(prepared.key, prepared.version)
    if current is None or current.configuration_id != prepared.configuration_id:
        return set()
    if current.is_settled:
        return set()  # Another platform on the same database was faster.
    serving = tx.functions.serving(prepared.key, prepared.version)
    assert serving is not None
    outcome = conclude(current)
    if outcome.last_update_status == "Failed":
        tx.functions.update(outcome, serving=serving)
        return set()
    tx.functions.update(outcome)
    return {serving.code_key}


async def prepare_deployed(store: Store, prepare: Prepare) -> None:
    """Prepare functions that were deployed before the platform started, so that their first call is
    fast. If that fails, it is only logged: the function's callers get the error."""
    functions = await store.read(lambda tx: tx.functions.list_everywhere(_PREPARED_AT_START))
    for function in functions:
        try:
            await prepare(function)
        except Exception as error:
            _log.warning("cannot prepare %s: %r", function.arn, error)
