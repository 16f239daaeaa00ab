"""`lambent up` that kills itself with SIGKILL when it reaches a point for the n-th time. It writes
a line for each attempt that began or was refused, and for the kill.

python -m tests.crash.failpoints POINT N WITNESS up …
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from lambent.asynchronous.destinations import Destinations
from lambent.asynchronous.group_commit import GroupCommit
from lambent.asynchronous.settlement import Settlement
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker, MakeReply
from lambent.model.alias import Route
from lambent.model.invocation import (
    InvocationRequest,
    Outcome,
    Refused,
    Reply,
    RunReport,
    WholeReply,
)
from lambent.store import store as stores
from lambent.store.database import Engines
from lambent.store.directory_blobs import DirectoryBlobs
from lambent.store.store import Store

Write = Callable[[str, str], None]
"""Appends a line of two words to the witness: written at once, so that it survives the process."""


Point = Callable[[Callable[[], None]], None]
"""Patches the platform so that it calls the argument when it reaches the point."""


def run(points: Mapping[str, Point], watch: Callable[[Write], None]) -> None:
    """Watch attempts, patch the point, then become the platform."""
    point, number, witness = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    del sys.argv[1:4]
    # Opened while that is still possible: the platform drops its privileges later.
    file = os.open(witness, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    passed = 0

    def write(word: str, about: str) -> None:
        os.write(file, f"{word} {about}\n".encode())

    def come_by() -> None:
        nonlocal passed
        passed += 1
        if passed == number:
            write("killed", point)
            os.kill(os.getpid(), signal.SIGKILL)

    watch(write)
    if point in points:
        points[point](come_by)
    from lambent.__main__ import main as platform

    platform()


def _note_attempts(write: Write) -> None:
    run = Invoker.run

    def patched(self: Invoker, call: Call, route: Route, make_reply: MakeReply) -> None:
        def make_noting(request: InvocationRequest) -> Reply:
            return WholeReply(partial(_note_end, write, call.request_id, make_reply(request)))

        write("began", call.request_id)
        run(self, call, route, make_noting)

    Invoker.run = patched  # type: ignore[method-assign]


def _note_end(
    write: Write, request_id: str, reply: Reply, outcome: Outcome, report: RunReport
) -> None:
    if isinstance(outcome, Refused):
        write("refused", request_id)
    reply.finish(outcome, report)


def before_commit(come_by: Callable[[], None]) -> None:
    connect = stores.connect_both

    def patched(*arguments: Any) -> Engines:
        engines = connect(*arguments)
        sa.event.listen(engines.writing, "commit", lambda _connection: come_by())
        return engines

    stores.connect_both = patched  # type: ignore[attr-defined]


def _after_commit(come_by: Callable[[], None]) -> None:
    commit = GroupCommit._commit

    async def patched(self: GroupCommit, works: Any) -> bool:
        transact = self._store.transact

        class Stopping:
            async def transact(self, work: Any) -> Any:
                result = await transact(work)
                come_by()
                return result

        store: Store = self._store
        self._store = Stopping()  # type: ignore[assignment]
        try:
            return await commit(self, works)
        finally:
            self._store = store

    GroupCommit._commit = patched  # type: ignore[method-assign]


def _between_payload_and_row(come_by: Callable[[], None]) -> None:
    put = DirectoryBlobs.put

    def patched(self: DirectoryBlobs, key: str, data: bytes) -> None:
        put(self, key, data)
        come_by()

    DirectoryBlobs.put = patched  # type: ignore[method-assign]


def _between_outcome_and_delete(come_by: Callable[[], None]) -> None:
    write = Settlement.write

    def patched(self: Settlement) -> None:
        if self._over or self.again:
            come_by()
        write(self)

    Settlement.write = patched  # type: ignore[method-assign]


def _between_send_and_delete(come_by: Callable[[], None]) -> None:
    send = Destinations.send

    async def patched(self: Destinations, delivery: Any) -> None:
        await send(self, delivery)
        come_by()

    Destinations.send = patched  # type: ignore[method-assign]


POINTS: Mapping[str, Point] = {
    "before-commit": before_commit,
    "after-commit": _after_commit,
    "between-payload-and-row": _between_payload_and_row,
    "between-outcome-and-delete": _between_outcome_and_delete,
    "between-send-and-delete": _between_send_and_delete,
}
ANY_TIME = "any-time"
"""No point: the process that started it kills it."""

if __name__ == "__main__":
    run(POINTS, _note_attempts)
