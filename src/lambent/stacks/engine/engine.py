"""Starts a task for each stack under way, and takes up those of platforms that have ended."""

import dataclasses
from typing import Final

import anyio.abc

from lambent.kit.tasks import start_loop
from lambent.model.document import Root
from lambent.stacks.engine.ports import EngineContext
from lambent.stacks.engine.run import StackRun
from lambent.stacks.rows import StackRows
from lambent.store.store import Transaction

_LOOK_S: Final = 30.0
"""How often operations of another platform that has ended are looked for."""
_DAY_S: Final = 86_400.0
_DAYS_KEPT: Final = 90
"""How long a deleted stack can be described, as in AWS."""


class Engine:
    """Runs operations on stacks."""

    def __init__(self, context: EngineContext, tasks: anyio.abc.TaskGroup) -> None:
        self._context = context
        self._tasks = tasks
        self._runs: dict[Root, StackRun] = {}

    def start(self, root: Root) -> None:
        """Run the operation that a stack's documents say is under way. A run that is under way
        already takes notice of what has changed."""
        run = self._runs.get(root)
        if run is not None:
            run.halt.set()
            return
        run = self._runs[root] = StackRun(self._context, root)
        start_loop(self._tasks, self._context.clock, self._run, run)

    async def watch(self) -> None:
        """Take up every operation that no running platform works on, and keep looking. Once a day,
        forget stacks that were deleted long ago."""
        store, clock = self._context.store, self._context.clock
        forgets_at = clock.monotonic()
        while True:
            for root in await store.transact(self._abandoned):
                self.start(root)
            if clock.monotonic() >= forgets_at:
                forgets_at = clock.monotonic() + _DAY_S
                await store.transact(self._forget)
            await clock.sleep(_LOOK_S)

    def _forget(self, tx: Transaction) -> None:
        rows = StackRows(tx)
        for root in rows.deleted_before(self._context.clock.now() - _DAYS_KEPT * _DAY_S):
            rows.lock(root)
            rows.forget(root)

    async def _run(self, run: StackRun) -> None:
        await run.run()
        del self._runs[run.root]
        if await run.is_under_way() and run.root not in self._runs:
            self.start(run.root)  # An operation that began in this moment.

    def _abandoned(self, tx: Transaction) -> list[Root]:
        rows, own = StackRows(tx), self._context.store.starts
        found = []
        for root, operation in rows.under_way():
            if root in self._runs:
                continue
            if operation.owner != own:
                rows.lock(root)
                if rows.operation(root) != operation or rows.is_running(operation.owner):
                    continue
                rows.put_operation(root, dataclasses.replace(operation, owner=own))
            found.append(root)
        return found
