"""Single steps of resources: the wish before the call, the fact after it."""

import dataclasses
import secrets
import string
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from lambent.model.errors import ApiError
from lambent.stacks.engine.calls import STEP_S, UNCERTAIN, attempt
from lambent.stacks.engine.ledger import Ledger, event_of
from lambent.stacks.engine.ports import EngineContext
from lambent.stacks.plan import Wanted, compare
from lambent.stacks.records import Resource, State, caller_of
from lambent.stacks.resources.resource_type import (
    Made,
    Properties,
    ResourceType,
    Step,
    Unfinished,
    name_taken,
)
from lambent.stacks.statuses import CANCELLED, CREATION_INITIATED, REPLACING

_NAME_LETTERS: Final = string.ascii_uppercase + string.digits
_NAME_RANDOM: Final = 12
_RETAIN: Final = ("Retain", "Snapshot")

T = TypeVar("T")


class Steps:
    """The steps of one run."""

    def __init__(self, context: EngineContext, ledger: Ledger) -> None:
        self._context = context
        self._ledger = ledger

    # -- Towards a template ------------------------------------------------------------------------

    async def bring(self, logical_id: str, wanted: Wanted) -> None:
        """Make a resource what it is wanted to be. Raises `ApiError`."""
        ledger = self._ledger
        resource = ledger.resources.get(logical_id)
        if resource is None:
            status = "CREATE_IN_PROGRESS"
            resource = Resource(logical_id=logical_id, type=wanted.type, status=status, is_new=True)
        if resource.wish is not None and resource.wished_by == ledger.operation.token:
            await self._perform(resource, resource.wish, is_repeated=True)
            return
        if resource.wish is not None and resource.makes:
            # What an earlier operation failed to make: it would be in the way.
            await self._delete(resource, resource.wish)
            resource = dataclasses.replace(resource, wish=None, makes=False)
        if resource.current is None:
            new = self._new_state(logical_id, wanted)
            await self._require_free(logical_id, new)
            await self._wish(dataclasses.replace(resource, makes=True), new, "CREATE", "")
            return
        await self._change(resource, resource.current, wanted)

    async def _change(self, resource: Resource, current: State, wanted: Wanted) -> None:
        kind = self._context.find_type(wanted.type)
        unsure = resource.wish  # An update of an earlier operation, of which a part may be done.
        base = unsure or current
        tags = self._ledger.stack.tags
        difference = compare(kind, base, wanted, tags)
        if difference is None and unsure is None:
            return
        if difference is not None and difference.replacement != "False":
            name = kind.custom_name(wanted.properties)
            if base.type == wanted.type and name and name == kind.custom_name(base.properties):
                error = _in_the_way(name)
                await self.refuse(resource.logical_id, wanted.type, error)
                raise error
            new = self._new_state(resource.logical_id, wanted)
            await self._require_free(resource.logical_id, new)
            resource = dataclasses.replace(
                resource,
                type=wanted.type,
                previous=_previous(resource, current),
                leftovers=_with_middle(resource, current),
                makes=True,
            )
            await self._wish(resource, new, "UPDATE", REPLACING)
            return
        state = dataclasses.replace(
            current,
            properties=wanted.properties,
            tags=dict(tags),
            depends_on=list(wanted.depends_on),
            metadata=wanted.metadata,
            deletion_policy=wanted.deletion_policy,
            replace_policy=wanted.replace_policy,
        )
        resource = dataclasses.replace(resource, previous=_previous(resource, current))
        if difference is not None and not difference.needs_call and unsure is None:
            resource = dataclasses.replace(resource, current=state, status="UPDATE_COMPLETE")
            await self._ledger.note(resource)
            return
        await self._wish(resource, state, "UPDATE", "")

    async def _require_free(self, logical_id: str, new: State) -> None:
        """Refuse a resource whose name, which the template chose, is that of another one. Once the
        wish is written, what has the name counts as the step's own. Raises `ApiError`."""
        kind, step = self._context.find_type(new.type), self._step(logical_id, new)
        if kind.custom_name(new.properties) is None:
            return
        try:
            properties = await self._resolved(new.properties, step)
            is_taken = await self._attempt(kind, step, lambda s: kind.exists(s, properties))
            if is_taken:
                raise name_taken(new.type, str(kind.custom_name(properties)))
        except ApiError as error:
            await self.refuse(logical_id, new.type, error)
            raise

    async def _wish(self, resource: Resource, state: State, verb: str, reason: str) -> None:
        status = f"{verb}_IN_PROGRESS"
        resource = dataclasses.replace(
            resource,
            status=status,
            reason=reason,
            wish=state,
            wished_by=self._ledger.operation.token,
        )
        event = event_of(resource, status, reason, state=state)
        resource = await self._ledger.note(resource, event)
        await self._perform(resource, state, is_repeated=False)

    async def _perform(self, resource: Resource, wish: State, *, is_repeated: bool) -> None:
        """Do what is written as the wish, for the first time or again."""
        kind = self._context.find_type(wish.type)
        step = self._step(resource.logical_id, wish, is_repeated=is_repeated)
        verb = resource.status.partition("_")[0]
        try:
            properties = await self._resolved(wish.properties, step)
            if resource.makes:
                made = await self._attempt(kind, step, lambda s: kind.create(s, properties))
            else:
                assert resource.current is not None
                old = resource.current
                made = await self._attempt(
                    kind, step, lambda s: kind.update(s, old.made, old.properties, properties)
                )
        except ApiError as error:
            await self._fail(_after_failure(resource, wish, error), verb, error)
            raise
        if not resource.makes and wish.physical_id != made.physical_id:
            # The type has made another one: what was there is left over, or what to go back to.
            resource = dataclasses.replace(resource, leftovers=_with_middle(resource, wish))
        state = wish.with_made(made)
        is_made, resource = resource.makes, _settled(resource, state)
        resource = dataclasses.replace(resource, status=f"{verb}_COMPLETE")
        events = [event_of(resource, resource.status, state=state)]
        if is_made:
            begun = event_of(resource, f"{verb}_IN_PROGRESS", CREATION_INITIATED, state=state)
            events.insert(0, begun)
        await self._ledger.note(resource, *events)

    async def refuse(self, logical_id: str, type: str, error: ApiError) -> None:
        """Write that a resource fails before anything is done."""
        resource = self._ledger.resources.get(logical_id)
        if resource is None:
            status = "CREATE_FAILED"
            resource = Resource(logical_id=logical_id, type=type, status=status, is_new=True)
        if resource.current is None:
            await self._fail(resource, "CREATE", error)
            return
        previous = _previous(resource, resource.current)
        await self._fail(dataclasses.replace(resource, previous=previous), "UPDATE", error)

    async def _fail(self, resource: Resource, verb: str, error: ApiError) -> None:
        reason = reason_of(error)
        resource = dataclasses.replace(
            resource,
            status=f"{verb}_FAILED",
            reason=reason,
            wished_by=self._ledger.operation.token,
        )
        event = event_of(resource, resource.status, reason, state=resource.wish)
        await self._ledger.note(resource, event)

    async def cancelled(self, logical_id: str) -> None:
        """Write that a step was given up: what it has done is found out later."""
        resource = self._ledger.resources.get(logical_id)
        if resource is not None and resource.status.endswith("_IN_PROGRESS"):
            verb = resource.status.partition("_")[0]
            await self._fail(resource, verb, ApiError("", CANCELLED[verb]))

    async def give_up(self) -> None:
        """Write that all steps were given up that an earlier platform has begun and not ended."""
        for resource in list(self._ledger.resources.values()):
            if resource.wish is not None:
                await self.cancelled(resource.logical_id)

    # -- Back --------------------------------------------------------------------------------------

    async def restore(self, logical_id: str) -> None:
        """Make a resource what it was before the update. Raises `ApiError`."""
        resource = self._ledger.resources[logical_id]
        previous = resource.previous
        assert previous is not None
        events = []
        if resource.status != "UPDATE_IN_PROGRESS" or resource.wish is not None:
            events.append(event_of(resource, "UPDATE_IN_PROGRESS", state=previous))
        found = resource.current
        assert found is not None
        leftovers = list(resource.leftovers)
        if resource.wish is not None:
            if resource.makes:
                leftovers.append(resource.wish)
            else:
                found = resource.wish
        if found.physical_id != previous.physical_id:
            leftovers.append(found)
            found = previous
        # From here on the resource is what a repetition of this step begins with.
        resource = dataclasses.replace(
            _settled(resource, found),
            type=previous.type,
            status="UPDATE_IN_PROGRESS",
            leftovers=tuple(leftovers),
        )
        resource = await self._ledger.note(resource, *events)
        state = previous
        if found != previous and _is_call_needed(found, previous):
            kind = self._context.find_type(previous.type)
            step = self._step(logical_id, previous)
            try:
                properties = await self._resolved(previous.properties, step)
                made = await self._attempt(
                    kind, step, lambda s: kind.update(s, found.made, found.properties, properties)
                )
            except ApiError as error:
                await self._fail(resource, "UPDATE", error)
                raise
            state = previous.with_made(made)
        await self._restored(resource, state)

    async def skip(self, logical_id: str) -> None:
        """Take a resource for what it was before the update, as the user says."""
        resource = self._ledger.resources[logical_id]
        if resource.previous is not None:
            await self._restored(resource, resource.previous)

    async def _restored(self, resource: Resource, state: State) -> None:
        resource = dataclasses.replace(
            _settled(resource, state), status="UPDATE_COMPLETE", previous=None
        )
        await self._ledger.note(resource, event_of(resource, "UPDATE_COMPLETE", state=state))

    # -- Away --------------------------------------------------------------------------------------

    async def remove(self, logical_id: str, *, forgets: bool) -> None:
        """Delete the resource itself, and with `forgets` what is stored of it. Raises
        `ApiError`."""
        resource = self._ledger.resources[logical_id]
        state = resource.current or resource.wish
        if state is not None:
            if self.is_retained(resource, state):
                await self._gone(resource, state, "DELETE_SKIPPED", forgets=forgets)
                return
            if state.physical_id:
                resource = dataclasses.replace(resource, status="DELETE_IN_PROGRESS", reason="")
                event = event_of(resource, "DELETE_IN_PROGRESS", state=state)
                resource = await self._ledger.note(resource, event)
            try:
                await self._delete(resource, state)
            except ApiError as error:
                await self._fail(resource, "DELETE", error)
                raise
        await self._gone(resource, state, "DELETE_COMPLETE", forgets=forgets)

    def is_retained(self, resource: Resource, state: State) -> bool:
        """Whether a resource stays when its stack deletes it."""
        operation = self._ledger.operation
        if resource.logical_id in operation.retained:
            return True
        if not state.physical_id or (operation.deletes_new and resource.is_new):
            return False
        if state.deletion_policy == "RetainExceptOnCreate":
            return not resource.is_new
        return state.deletion_policy in _RETAIN

    async def discard(self, logical_id: str, state: State) -> None:
        """Delete a physical resource that was replaced. A failure leaves it to the user, as in
        AWS: the events name it."""
        resource = self._ledger.resources[logical_id]
        events = []
        if state.physical_id:
            begun = event_of(
                resource, "DELETE_IN_PROGRESS", state=state, physical_id=state.physical_id
            )
            await self._ledger.note(resource, begun)
        status, reason = "DELETE_COMPLETE", ""
        try:
            await self._delete(resource, state)
        except ApiError as error:
            status, reason = "DELETE_FAILED", reason_of(error)
        if state.physical_id:
            events = [
                event_of(resource, status, reason, state=state, physical_id=state.physical_id)
            ]
        resource = self._ledger.resources[logical_id]
        rest = tuple(other for other in resource.leftovers if not _is_same(other, state))
        await self._ledger.note(dataclasses.replace(resource, leftovers=rest), *events)

    async def _gone(
        self, resource: Resource, state: State | None, status: str, *, forgets: bool
    ) -> None:
        resource = dataclasses.replace(
            resource,
            status=status,
            reason="",
            current=None,
            wish=None,
            makes=False,
            wished_by="",
            previous=None,
            is_doomed=False,
        )
        event = event_of(resource, status, state=state)
        if forgets:
            await self._ledger.drop(resource, event)
        else:
            await self._ledger.note(resource, event)

    async def _delete(self, resource: Resource, state: State) -> None:
        kind = self._context.find_type(state.type)
        step = self._step(resource.logical_id, state)
        properties = state.properties
        made: Made | None = state.made
        if not state.physical_id:
            properties = await self._resolved(properties, step)
            made = await self._attempt(kind, step, lambda s: kind.find(s, properties))
        if made is not None:
            found = made
            await self._attempt(kind, step, lambda s: kind.delete(s, found, properties))

    # -- Parts -------------------------------------------------------------------------------------

    async def _resolved(self, properties: Properties, step: Step) -> Properties:
        """Properties with the values of dynamic references, which events do not show."""
        resolved: Properties
        resolved, values = await self._context.resolve(properties, step.caller)
        self._ledger.secrets |= values
        return resolved

    async def _attempt(
        self, kind: ResourceType, step: Step, call: Callable[[Step], Awaitable[T]]
    ) -> T:
        deadline_s: float = getattr(kind, "deadline_s", STEP_S)
        return await attempt(
            self._context.clock,
            deadline_s,
            lambda is_repeated: call(
                dataclasses.replace(step, is_repeated=True) if is_repeated else step
            ),
        )

    def _new_state(self, logical_id: str, wanted: Wanted) -> State:
        return State(
            type=wanted.type,
            name=new_name(self._ledger.stack.name, logical_id),
            token=str(uuid.uuid4()),
            properties=wanted.properties,
            tags=dict(self._ledger.stack.tags),
            depends_on=list(wanted.depends_on),
            metadata=wanted.metadata,
            creation_policy=wanted.creation_policy,
            deletion_policy=wanted.deletion_policy,
            replace_policy=wanted.replace_policy,
        )

    def _step(self, logical_id: str, state: State, *, is_repeated: bool = True) -> Step:
        stack = self._ledger.stack
        return Step(
            caller=caller_of(stack.caller, stack.scope, state.token),
            stack_id=stack.arn,
            stack_name=stack.name,
            logical_id=logical_id,
            name=state.name,
            token=state.token,
            tags=_all_tags(state.tags, stack.arn, stack.name, logical_id),
            operation=self._ledger.operation.token,
            creation_policy=state.creation_policy,
            is_repeated=is_repeated,
        )


def new_name(stack: str, logical_id: str) -> str:
    """`<stack>-<logical id>-<12 characters>`."""
    random = "".join(secrets.choice(_NAME_LETTERS) for _ in range(_NAME_RANDOM))
    return f"{stack}-{logical_id}-{random}"


def reason_of(error: ApiError) -> str:
    """An error as events show it. Those of the engine have no code."""
    if not error.code:
        return error.message
    return f'Resource handler returned message: "{error.message}" (Error code: {error.code})'


def _all_tags(
    tags: Mapping[str, str], stack_id: str, stack_name: str, logical_id: str
) -> Mapping[str, str]:
    return {
        **tags,
        "aws:cloudformation:stack-name": stack_name,
        "aws:cloudformation:stack-id": stack_id,
        "aws:cloudformation:logical-id": logical_id,
    }


def _in_the_way(name: str) -> ApiError:
    return ApiError(
        "",
        "CloudFormation cannot update a stack when a custom-named resource requires replacing."
        f" Rename {name} and update the stack again.",
    )


def _settled(resource: Resource, state: State) -> Resource:
    """A resource that is what a state says, and wishes nothing."""
    return dataclasses.replace(
        resource,
        type=state.type,
        reason="",
        physical_id=state.physical_id,
        current=state,
        wish=None,
        makes=False,
        wished_by="",
    )


def _after_failure(resource: Resource, wish: State, error: ApiError) -> Resource:
    """A resource whose step has failed. An error of a creation says whether it has left
    something."""
    if not resource.makes:
        return resource
    if isinstance(error, Unfinished):
        return dataclasses.replace(
            resource, wish=wish.with_made(error.made), physical_id=error.made.physical_id
        )
    if error.code in UNCERTAIN:
        return resource
    return dataclasses.replace(resource, wish=None, makes=False)


def _previous(resource: Resource, current: State) -> State | None:
    """What a rollback goes back to, once the resource is changed."""
    return None if resource.is_new else resource.previous or current


def _with_middle(resource: Resource, current: State) -> tuple[State, ...]:
    """The leftovers, once `current` is replaced: it is one of them if it is not what a rollback
    goes back to."""
    previous = resource.previous
    is_kept = not resource.is_new and (
        previous is None or previous.physical_id == current.physical_id
    )
    return tuple(resource.leftovers) if is_kept else (*resource.leftovers, current)


def _is_same(state: State, other: State) -> bool:
    return (state.token, state.physical_id) == (other.token, other.physical_id)


def _is_call_needed(found: State, previous: State) -> bool:
    return (found.properties, found.tags) != (previous.properties, previous.tags)
