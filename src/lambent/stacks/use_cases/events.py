"""Use cases of events: what has happened to stacks, and signals from outside."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from lambent.identity.authorizer import Caller
from lambent.model.document import Body
from lambent.stacks.custom_resources import Responses, Taken
from lambent.stacks.records import Event, Stack
from lambent.stacks.rows import StackRows
from lambent.stacks.shown_events import has_failed, operation_event, stack_event
from lambent.stacks.sources import invalid
from lambent.stacks.use_cases.context import Params, UseCaseContext
from lambent.stacks.use_cases.finding import require_change_set, require_stack
from lambent.stacks.wait_conditions import SIGNALS_MAX
from lambent.store.store import Transaction

_PAGE: Final = 100


class EventUseCases:
    """All raise `ApiError`."""

    def __init__(self, context: UseCaseContext, responses: Responses) -> None:
        self._context = context
        self._responses = responses

    async def describe_stack_events(self, caller: Caller, params: Params) -> Params:
        """DescribeStackEvents: the newest first."""
        after = _after(params)

        def run(tx: Transaction) -> tuple[Stack, Sequence[tuple[str, Body]]]:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, params["StackName"])
            return stack, rows.events(stack.root, after=after, limit=_PAGE + 1)

        stack, found = await self._context.store.read(run)
        shown = [stack_event(stack, body) for _, body in found[:_PAGE]]
        return {"StackEvents": shown, **_next_token(found)}

    async def describe_events(self, caller: Caller, params: Params) -> Params:
        """DescribeEvents: those of a stack or of one operation, the newest first. The creation of a
        change set has none here."""
        after, operation = _after(params), params.get("OperationId")
        name, change_set_name = params.get("StackName"), params.get("ChangeSetName")
        if name is None and change_set_name is None and operation is None:
            raise invalid("One of StackName, ChangeSetName and OperationId must be specified.")
        only_failed = params.get("Filters", {}).get("FailedEvents", False)

        def is_wanted(body: Body) -> bool:
            is_of_operation = operation is None or body.get("operation") == operation
            return is_of_operation and (not only_failed or has_failed(body))

        def run(tx: Transaction) -> tuple[Stack, Sequence[tuple[str, Body]]]:
            rows = StackRows(tx)
            if change_set_name is not None:
                return require_change_set(rows, caller.scope, change_set_name, name)[0], ()
            if name is not None:
                stack = require_stack(rows, caller.scope, name)
            else:
                stack = _with_operation(rows.stacks(caller.scope), str(operation))
            wanted = (found for found in _all(rows, stack, after) if is_wanted(found[1]))
            return stack, list(islice(wanted, _PAGE + 1))

        stack, found = await self._context.store.read(run)
        shown = [operation_event(stack, body) for _, body in found[:_PAGE]]
        return {"OperationEvents": shown, **_next_token(found)}

    async def signal(self, caller: Caller, params: Params) -> Params:
        """SignalResource: of a resource that waits for signals by its CreationPolicy."""
        logical_id, id, status = params["LogicalResourceId"], params["UniqueId"], params["Status"]

        def find(tx: Transaction) -> tuple[Stack, str]:
            rows = StackRows(tx)
            stack = require_stack(rows, caller.scope, params["StackName"])
            if not stack.is_under_way:
                raise invalid(
                    f"Stack {stack.arn} is in {stack.status} state and cannot be signaled"
                )
            resource = rows.resources(stack.root).get(logical_id)
            if resource is None:
                raise invalid(f"Resource {logical_id} does not exist for stack {stack.name}")
            wish = resource.wish
            if wish is None or wish.creation_policy is None or not resource.makes:
                raise invalid(
                    f"Resource {logical_id} is in {resource.status} state and cannot be signaled"
                )
            return stack, wish.token

        stack, token = await self._context.store.read(find)
        await self._responses.open(stack.root, token, signals_max=SIGNALS_MAX)
        signal = json.dumps({"Status": status, "UniqueId": id})
        if await self._responses.take(stack.root, token, signal) is not Taken.TAKEN:
            raise invalid(f"Resource {logical_id} has received {SIGNALS_MAX} signals.")

        def note(tx: Transaction) -> None:
            rows = StackRows(tx)
            rows.lock(stack.root)
            now, operation = rows.stack(stack.root), rows.operation(stack.root)
            resource = rows.resources(stack.root).get(logical_id)
            if now is None or resource is None or operation is None:
                return
            reason = f"Received {status} signal with UniqueId {id}"
            event = Event(logical_id, "", resource.type, "CREATE_IN_PROGRESS", reason)
            time = self._context.clock.now()
            rows.put_stack(rows.add_events(now, [event], time, operation))

        await self._context.store.transact(note)
        return {}


def _all(rows: StackRows, stack: Stack, after: str) -> Iterator[tuple[str, Body]]:
    while page := rows.events(stack.root, after=after, limit=_PAGE):
        yield from page
        after = page[-1][0]


def _with_operation(stacks: Sequence[Stack], operation: str) -> Stack:
    for stack in stacks:
        if any(known["OperationId"] == operation for known in stack.operations):
            return stack
    raise invalid(f"Operation [{operation}] does not exist")


def _after(params: Params) -> str:
    after: str = params.get("NextToken", "")
    if after and not (after.isascii() and after.isdecimal() and len(after) == 12):
        raise invalid("Invalid NextToken. Use the one of a previous response.")
    return after


def _next_token(found: Sequence[tuple[str, Any]]) -> Params:
    return {"NextToken": found[_PAGE - 1][0]} if len(found) > _PAGE else {}
