"""Runs the operation under way on one stack, from whatever its documents say to its end.

The stack's status is the phase. Each phase may be repeated: it begins with what is stored, and what
is done already needs no call.
"""

import dataclasses
import graphlib
import itertools
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from typing import Any, Final

from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.stacks.engine.graph import Halt, run_ready
from lambent.stacks.engine.ledger import Ledger
from lambent.stacks.engine.ports import Blueprint, EngineContext
from lambent.stacks.engine.steps import Steps, reason_of
from lambent.stacks.exports import change_exports
from lambent.stacks.records import DEPLOYED, WANTED, Resource, Stack, State
from lambent.stacks.rows import StackRows
from lambent.stacks.statuses import TIMED_OUT, failed_reason, undeleted_reason
from lambent.store.store import Transaction

_RETAIN: Final = ("Retain", "Snapshot")
_NOT_DOOMED: Final = ("DELETE_COMPLETE", "DELETE_SKIPPED")


class StackRun:
    """The run of one stack."""

    def __init__(self, context: EngineContext, root: Root) -> None:
        self.root = root
        self.halt = Halt()
        """Set when the operation was changed by its user: cancelled, or followed by a deletion."""
        self._context = context
        self._ledger = Ledger(context, root)
        self._steps = Steps(context, self._ledger)

    async def run(self) -> None:
        """Run until no operation is under way."""
        while True:
            self.halt.is_set = False
            if not await self._ledger.load():
                return
            await self._PHASES[self._ledger.stack.status](self)

    # -- Towards a template ------------------------------------------------------------------------

    async def _make(self) -> None:
        if self._ledger.operation.is_cancelled or self._failed():
            await self._steps.give_up()
            await self._fail(self._failed())
            return
        try:
            blueprint = await self._blueprint(WANTED)
            needs = {id: blueprint.dependencies(id) for id in blueprint.types}
        except ApiError as error:
            await self._fail(reason_of(error))
            return

        async def bring(logical_id: str) -> bool:
            try:
                wanted = blueprint.resource(logical_id, self._known())
            except ApiError as error:
                await self._steps.refuse(logical_id, blueprint.types[logical_id], error)
                return False
            try:
                await self._steps.bring(logical_id, wanted)
            except ApiError:
                return False
            return True

        is_in_time = await run_ready(
            needs,
            bring,
            self._steps.cancelled,
            self.halt,
            stops_at_failure=True,
            limit_s=self._limit_s(),
        )
        if self.halt.is_set:
            return  # The documents say what is to be done instead.
        if not is_in_time:
            await self._fail(TIMED_OUT)
            return
        if self._failed():
            await self._fail(self._failed())
            return
        try:
            await self._finish(blueprint)
        except ApiError as error:
            await self._fail(reason_of(error))

    def _limit_s(self) -> float:
        """How long a creation may still take."""
        stack, operation = self._ledger.stack, self._ledger.operation
        if not stack.timeout_minutes or stack.status != "CREATE_IN_PROGRESS":
            return math.inf
        ends_at = operation.started_at + 60 * stack.timeout_minutes
        return max(0.0, ends_at - self._context.clock.now())

    def _failed(self) -> str:
        """Why the operation has failed; empty if it has not."""
        by_status = {
            status: [
                resource.logical_id
                for resource in self._ledger.resources.values()
                if resource.status == status and resource.wished_by == self._ledger.operation.token
            ]
            for status in ("CREATE_FAILED", "UPDATE_FAILED")
        }
        return failed_reason(by_status["CREATE_FAILED"], by_status["UPDATE_FAILED"])

    async def _finish(self, blueprint: Blueprint) -> None:
        """All resources are what they shall be. Raises `ApiError` for outputs that cannot be."""
        ledger = self._ledger
        outputs = blueprint.outputs(self._known())
        is_new = ledger.stack.status == "CREATE_IN_PROGRESS"
        wanted = frozenset(blueprint.types)
        resources = [_settled(r, r.logical_id in wanted) for r in ledger.resources.values()]

        def change(rows: StackRows, stack: Stack) -> Stack:
            change_exports(rows, stack, outputs)
            deployment = rows.deployment(stack.root, WANTED)
            assert deployment is not None
            rows.put_deployment(stack.root, DEPLOYED, deployment)
            rows.drop_deployment(stack.root, WANTED)
            return dataclasses.replace(
                stack, outputs=list(outputs), imports=sorted(blueprint.imports())
            )

        status = "CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
        await ledger.turn(status, resources=resources, change=change, locks_account=True)

    async def _fail(self, reason: str) -> None:
        """The operation has failed: what follows is what its user has chosen."""
        stack, operation = self._ledger.stack, self._ledger.operation
        if operation.is_cancelled:
            await self._ledger.turn("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
            return
        verb = stack.status.partition("_")[0]
        on_failure = operation.on_failure
        if on_failure == "DO_NOTHING":
            await self._ledger.turn(f"{verb}_FAILED", reason)
        elif verb == "UPDATE":
            await self._ledger.turn("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        elif on_failure == "DELETE":
            await self._ledger.turn("DELETE_IN_PROGRESS", f"{_spaced(reason)}Delete requested.")
        else:
            reason = f"{_spaced(reason)}Rollback requested by user."
            await self._ledger.turn("ROLLBACK_IN_PROGRESS", reason)

    # -- Back --------------------------------------------------------------------------------------

    async def _restore(self) -> None:
        ledger, skipped = self._ledger, self._ledger.operation.skipped
        changed = {
            logical_id: frozenset[str]()
            for logical_id, resource in ledger.resources.items()
            if resource.previous is not None
        }

        async def restore(logical_id: str) -> bool:
            try:
                if logical_id in skipped:
                    await self._steps.skip(logical_id)
                else:
                    await self._steps.restore(logical_id)
            except ApiError:
                return False
            return True

        await run_ready(
            changed,
            restore,
            self._steps.cancelled,
            self.halt,
            stops_at_failure=False,
        )
        failed = [
            resource.logical_id
            for resource in ledger.resources.values()
            if resource.previous is not None and resource.status == "UPDATE_FAILED"
        ]
        if failed:
            await ledger.turn("UPDATE_ROLLBACK_FAILED", failed_reason((), failed))
            return
        if self.halt.is_set:
            return
        resources = [
            dataclasses.replace(resource, is_doomed=True)
            for resource in ledger.resources.values()
            if resource.is_new
        ]
        await ledger.turn(
            "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", resources=resources, change=_to_deployed
        )

    # -- Away --------------------------------------------------------------------------------------

    async def _clean_up(self) -> None:
        """Delete what an update has left. As in AWS a failure does not fail the update."""
        await self._remove(forgets=True)
        ledger = self._ledger
        for resource in list(ledger.resources.values()):
            if resource.is_doomed:
                await ledger.drop(resource)
        status = ledger.stack.status.removesuffix("_CLEANUP_IN_PROGRESS")
        await ledger.turn(status)

    async def _roll_back(self) -> None:
        await self._remove_all()
        failed = self._undeleted()
        if failed:
            await self._ledger.turn("ROLLBACK_FAILED", undeleted_reason(failed))
        else:
            await self._ledger.turn("ROLLBACK_COMPLETE")

    async def _delete(self) -> None:
        ledger = self._ledger
        try:
            await self._check_exports()
        except ApiError as error:
            await ledger.turn("DELETE_FAILED", reason_of(error))
            return
        await self._steps.give_up()
        await self._remove_all()
        failed = self._undeleted()
        if failed:
            await ledger.turn("DELETE_FAILED", undeleted_reason(failed))
            return
        now = self._context.clock.now()

        def change(rows: StackRows, stack: Stack) -> Stack:
            change_exports(rows, stack, ())
            rows.free_name(stack)
            for change_set in rows.change_sets(stack.root):
                rows.drop_change_set(stack.root, change_set.id)
            return dataclasses.replace(stack, deleted_at=now, imports=())

        await ledger.turn("DELETE_COMPLETE", change=change, locks_account=True)

    async def _check_exports(self) -> None:
        def run(tx: Transaction) -> None:
            change_exports(StackRows(tx), self._ledger.stack, (), only_checks=True)

        await self._context.store.read(run)

    async def _remove_all(self) -> None:
        doomed = [
            _doomed(resource)
            for resource in self._ledger.resources.values()
            if not resource.is_doomed and resource.status not in _NOT_DOOMED
        ]
        if doomed:
            await self._ledger.note_all(doomed)
        await self._remove(forgets=False)

    async def _remove(self, *, forgets: bool) -> None:
        """Delete what is doomed and what is left over: what depends on something first."""
        units = _removals(self._ledger.resources.values())

        async def remove(unit: str) -> bool:
            logical_id, _, leftover = unit.partition("#")
            try:
                if leftover:
                    await self._steps.discard(logical_id, units[unit].state)
                else:
                    await self._steps.remove(logical_id, forgets=forgets)
            except ApiError:
                return False
            return True

        async def cancelled(unit: str) -> None:
            await self._steps.cancelled(unit.partition("#")[0])

        await run_ready(
            {unit: removal.needs for unit, removal in units.items()},
            remove,
            cancelled,
            Halt(),
            stops_at_failure=False,
        )

    def _undeleted(self) -> Sequence[str]:
        return [r.logical_id for r in self._ledger.resources.values() if r.is_doomed]

    # -- Parts -------------------------------------------------------------------------------------

    async def is_under_way(self) -> bool:
        """Whether there is something to run."""
        return await self._ledger.load()

    async def _blueprint(self, which: str) -> Blueprint:
        def run(tx: Transaction) -> tuple[Any, Mapping[str, str]]:
            rows = StackRows(tx)
            exports = rows.exports(self.root.scope)
            values = {name: str(export["value"]) for name, export in exports.items()}
            return rows.deployment(self.root, which), values

        deployment, exports = await self._context.store.read(run)
        return await self._context.make_blueprint(self._ledger.stack, deployment, exports)

    def _known(self) -> Mapping[str, State]:
        return {
            logical_id: resource.current
            for logical_id, resource in self._ledger.resources.items()
            if resource.current is not None
        }

    _PHASES: Final[Mapping[str, Callable[["StackRun"], Awaitable[None]]]] = {
        "CREATE_IN_PROGRESS": _make,
        "UPDATE_IN_PROGRESS": _make,
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": _clean_up,
        "UPDATE_ROLLBACK_IN_PROGRESS": _restore,
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": _clean_up,
        "ROLLBACK_IN_PROGRESS": _roll_back,
        "DELETE_IN_PROGRESS": _delete,
    }


@dataclasses.dataclass(frozen=True, slots=True)
class _Removal:
    state: State
    needs: frozenset[str]


def _removals(resources: Iterable[Resource]) -> Mapping[str, _Removal]:
    """The units of a removal: resources by logical id, leftovers by logical id and number."""
    found: dict[str, tuple[str, State]] = {}
    order: dict[str, set[str]] = {}
    for resource in resources:
        units = []
        for at, state in enumerate(resource.leftovers):
            unit = f"{resource.logical_id}#{at}"
            found[unit] = resource.logical_id, state
            units.append(unit)
        if resource.is_doomed:
            state = resource.current or resource.wish or _NOTHING
            found[resource.logical_id] = resource.logical_id, state
            units.append(resource.logical_id)
        # Those of one resource after each other: they change the same document.
        for before, after in itertools.pairwise(units):
            order.setdefault(after, set()).add(before)
    chains = {unit: frozenset(others) for unit, others in order.items()}
    for unit, (logical_id, state) in found.items():
        for other, (needed, _) in found.items():
            if needed in state.depends_on and needed != logical_id:
                order.setdefault(other, set()).add(unit)
    # An update may have turned dependencies round: then there is no order that suits all.
    needs = chains if _is_circular(order) else order
    return {
        unit: _Removal(state, frozenset(needs.get(unit, ()))) for unit, (_, state) in found.items()
    }


def _is_circular(order: Mapping[str, Set[str]]) -> bool:
    try:
        graphlib.TopologicalSorter(order).prepare()
    except graphlib.CycleError:
        return True
    return False


_NOTHING: Final = State(type="", name="", token="")


def _settled(resource: Resource, is_wanted: bool) -> Resource:
    """A resource once the update has succeeded: there is no way back."""
    previous, current = resource.previous, resource.current
    leftovers = tuple(resource.leftovers)
    if previous is not None and current is not None:
        is_replaced = previous.physical_id != current.physical_id
        if is_replaced and previous.replace_policy not in _RETAIN:
            leftovers = (*leftovers, previous)
    return dataclasses.replace(
        resource,
        previous=None,
        is_new=False,
        is_doomed=not is_wanted,
        leftovers=leftovers,
    )


def _doomed(resource: Resource) -> Resource:
    """A resource that is to be deleted with everything that was made in its place."""
    current = resource.current
    extra = []
    if current is not None:
        if resource.wish is not None and resource.makes:
            extra.append(resource.wish)
        if resource.previous is not None and resource.previous.physical_id != current.physical_id:
            extra.append(resource.previous)
    return dataclasses.replace(
        resource,
        is_doomed=True,
        wish=resource.wish if current is None else None,
        makes=resource.makes and current is None,
        previous=None,
        leftovers=(*resource.leftovers, *extra),
    )


def _to_deployed(rows: StackRows, stack: Stack) -> Stack:
    """The stack shows what it was before the update."""
    deployment = rows.deployment(stack.root, DEPLOYED)
    rows.drop_deployment(stack.root, WANTED)
    return stack if deployment is None else stack.showing(deployment)


def _spaced(reason: str) -> str:
    return f"{reason.rstrip()} " if reason else ""
