"""Does what requests ask for: one task for each request under way. What a platform has left under
way is done again by the next one, since every step of a type may be repeated."""

import dataclasses
from typing import Final

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.document import Root
from lambent.model.errors import ApiError
from lambent.stacks.cloud_control.failures import code_of, message_of
from lambent.stacks.cloud_control.identifiers import identifier_of
from lambent.stacks.cloud_control.records import FAILED, SUCCESS, Request, RequestRows, Work
from lambent.stacks.engine.calls import STEP_S, attempt
from lambent.stacks.records import caller_of
from lambent.stacks.resources.driver import Driver
from lambent.stacks.resources.registry import ROWS, ResourceTypes
from lambent.stacks.resources.resource_type import Made, Step, Unfinished, name_taken
from lambent.store.store import Store, Transaction

_LOOK_S: Final = 30.0
"""How often requests of another platform that has ended are looked for."""


@dataclasses.dataclass(slots=True)
class _Run:
    """A request that this platform works on."""

    root: Root
    token: str
    is_repeated: bool
    """Whether something may be done already."""
    scope: anyio.CancelScope = dataclasses.field(default_factory=anyio.CancelScope)


class Runs:
    """The requests under way."""

    def __init__(
        self, store: Store, clock: Clock, types: ResourceTypes, tasks: anyio.abc.TaskGroup
    ) -> None:
        self._store = store
        self._clock = clock
        self._types = types
        self._tasks = tasks
        self._runs: dict[str, _Run] = {}

    def start(self, root: Root, token: str, *, is_repeated: bool = False) -> None:
        """Do what a request asks for."""
        if token not in self._runs:
            run = self._runs[token] = _Run(root, token, is_repeated)
            start_loop(self._tasks, self._clock, self._run, run)

    def cancel(self, token: str) -> None:
        """Give a request up, if it runs here. The documents say already that it has ended."""
        run = self._runs.get(token)
        if run is not None:
            run.scope.cancel()

    async def watch(self) -> None:
        """Take up every request that no running platform works on, and keep looking."""
        while True:
            for root, token in await self._store.transact(self._abandoned):
                self.start(root, token, is_repeated=True)
            await self._clock.sleep(_LOOK_S)

    def _abandoned(self, tx: Transaction) -> list[tuple[Root, str]]:
        rows, own = RequestRows(tx), self._store.starts
        found = []
        for root, token, work in rows.all_under_way():
            if token in self._runs or (rows.is_running(work.owner) and work.owner != own):
                continue
            rows.lock(root.scope)
            if work.owner != own:
                if rows.work(root, token) != work:
                    continue
                rows.put_work(root, token, work._replace(owner=own))
            found.append((root, token))
        return found

    async def _run(self, run: _Run) -> None:
        is_repeated, run.is_repeated = run.is_repeated, True
        with anyio.CancelScope() as run.scope:
            found = await self._store.transact(lambda tx: self._load(tx, run))
            if found is not None:
                request, work = found
                ended, made = await self._perform(run.root, request, work, is_repeated)
                await self._store.transact(lambda tx: self._end(tx, run, ended, made, work))
        del self._runs[run.token]

    def _load(self, tx: Transaction, run: _Run) -> tuple[Request, Work] | None:
        rows = RequestRows(tx)
        request = rows.request(run.root.scope, run.token)
        work = rows.work(run.root, run.token)
        return None if request is None or work is None else (request, work)

    async def _perform(
        self, root: Root, request: Request, work: Work, is_repeated: bool
    ) -> tuple[Request, Made | None]:
        """How the request ends, and what it has made or changed."""
        step = step_for(work, root, request, is_repeated=is_repeated)
        made: Made | None
        try:
            if request.operation == "CREATE" and not work.is_free:
                await self._require_free(root, request, work, step)
            made = await attempt(
                self._clock,
                STEP_S,
                lambda again: self._step(
                    request, work, dataclasses.replace(step, is_repeated=again or is_repeated)
                ),
            )
        except ApiError as error:
            made = error.made if isinstance(error, Unfinished) else None
            request = request._replace(
                status=FAILED, code=code_of(error), message=message_of(error)
            )
        else:
            request = request._replace(status=SUCCESS)
        if made is not None and request.operation == "CREATE":
            identifier = identifier_of(ROWS[request.type], made, work.wanted)
            request = request._replace(identifier=identifier)
        return request._replace(time=self._clock.now()), made

    async def _require_free(self, root: Root, request: Request, work: Work, step: Step) -> None:
        """Refuse a resource whose name another one has. Raises `ApiError`."""
        kind = self._kind(request)
        if await attempt(self._clock, STEP_S, lambda _: kind.exists(step, work.wanted)):
            raise name_taken(kind.name, str(kind.custom_name(work.wanted)))

        def note(tx: Transaction) -> None:
            rows = RequestRows(tx)
            rows.lock(root.scope)
            if rows.work(root, request.token) == work:
                rows.put_work(root, request.token, work._replace(is_free=True))

        await self._store.transact(note)

    def _kind(self, request: Request) -> Driver:
        kind = self._types.find_type(request.type)
        if kind is None:
            message = f"Resource type {request.type} is not offered any more."
            raise ApiError("UnsupportedActionException", message)
        return kind

    async def _step(self, request: Request, work: Work, step: Step) -> Made | None:
        kind = self._kind(request)
        if request.operation == "CREATE":
            return await kind.create(step, work.wanted)
        made = Made(work.physical_id, work.attributes)
        if request.operation == "UPDATE":
            return await kind.update(step, made, work.old, work.wanted)
        await kind.delete(step, made, work.old)
        return None

    def _end(
        self, tx: Transaction, run: _Run, request: Request, made: Made | None, work: Work
    ) -> None:
        rows, scope = RequestRows(tx), run.root.scope
        rows.lock(scope)
        if rows.work(run.root, run.token) is None:
            return  # It was cancelled in this moment.
        rows.end(run.root, request)
        if request.status == SUCCESS:
            kept = work.wanted if made is not None else {}
            rows.put_given(scope, request.type, request.identifier, kept)


def step_for(work: Work, root: Root, request: Request, *, is_repeated: bool) -> Step:
    """The step of a request. It belongs to no stack."""
    return Step(
        caller=caller_of(work.caller, root.scope, work.step_token),
        stack_id="",
        stack_name="",
        logical_id=request.type.rpartition("::")[2],
        name=work.name,
        token=work.step_token,
        tags={},
        operation=request.token,
        is_repeated=is_repeated,
    )
