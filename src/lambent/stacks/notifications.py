"""Notifications of topics: each event of a stack with NotificationARNs, in order and in AWS's form.

The stack does not wait. The number of the last event that was sent is stored, so after a
crash the rest follows, and an event may be sent twice. A topic that refuses events is passed over.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-notifications.html
"""

import logging
from typing import Any, Final

import anyio
import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.tasks import start_loop
from lambent.model.document import Body, Root
from lambent.stacks.ports import AwsApi
from lambent.stacks.records import Stack, caller_of
from lambent.stacks.rows import StackRows
from lambent.stacks.shown_events import event_id, moment_of, written_moment
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

_SUBJECT: Final = "AWS CloudFormation Notification"
_PAGE: Final = 50
_AT_ONCE: Final = 4
_LOOK_S: Final = 3600.0
_DEADLINE_S: Final = 10.0


class Notifications:
    """Sends events of stacks to their topics. `notify` never waits."""

    def __init__(self, store: Store, clock: Clock, api: AwsApi, tasks: anyio.abc.TaskGroup) -> None:
        self._store = store
        self._clock = clock
        self._api = api
        self._tasks = tasks
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._under_way: set[Root] = set()
        self._again: set[Root] = set()

    def notify(self, stack: Stack) -> None:
        """Send the events of a stack that were not sent yet."""
        if not stack.notification_arns:
            return
        if stack.root in self._under_way:
            self._again.add(stack.root)
            return
        self._under_way.add(stack.root)
        start_loop(self._tasks, self._clock, self._run, stack.root)

    async def watch(self) -> None:
        """Send what platforms that have ended have not sent, and keep looking."""
        while True:
            await self.resume()
            await self._clock.sleep(_LOOK_S)

    async def resume(self) -> None:
        """Send what was not sent yet, of all stacks."""
        for stack in await self._store.read(lambda tx: StackRows(tx).with_topics()):
            self.notify(stack)

    async def _run(self, root: Root) -> None:
        while True:
            self._again.discard(root)
            async with self._limiter:
                while await self._send_page(root):
                    pass
            if root not in self._again:
                self._under_way.discard(root)
                return

    async def _send_page(self, root: Root) -> bool:
        """Send the next events; returns whether there were any."""

        def read(tx: Transaction) -> tuple[Stack | None, list[Body]]:
            rows = StackRows(tx)
            number = rows.notified(root)
            return rows.stack(root), rows.events_after(root, number, limit=_PAGE)

        stack, events = await self._store.read(read)
        if stack is None or not events:
            return False
        for arn in stack.notification_arns:
            try:
                for event in events:
                    with anyio.fail_after(_DEADLINE_S):
                        await self._publish(stack, arn, event)
            except Exception as error:
                logger.info("events of %s do not reach %s: %r", stack.arn, arn, error)

        def note(tx: Transaction) -> None:
            rows = StackRows(tx)
            rows.lock(root)
            if rows.stack(root) is not None:
                rows.put_notified(root, events[-1]["number"])

        await self._store.transact(note)
        return True

    async def _publish(self, stack: Stack, arn: str, event: Body) -> None:
        message = {"TopicArn": arn, "Subject": _SUBJECT, "Message": message_of(stack, event)}
        caller = caller_of(stack.caller, stack.scope)
        await self._api.call("sns", "Publish", message, caller)


def message_of(stack: Stack, event: Body) -> str:
    """An event as topics receive it: a line for each member. A value is one line."""
    members: dict[str, Any] = {
        "StackId": stack.arn,
        "Timestamp": written_moment(moment_of(event)),
        "EventId": event_id(event),
        "LogicalResourceId": event["logical_id"],
        "Namespace": stack.account,
        "PhysicalResourceId": event.get("physical_id", ""),
        "PrincipalId": stack.caller.get("user_id", ""),
        "ResourceProperties": event.get("properties", "null"),
        "ResourceStatus": event["status"],
        "ResourceStatusReason": event.get("reason", ""),
        "ResourceType": event.get("type", ""),
        "StackName": stack.name,
        "ClientRequestToken": event.get("client_token", "null"),
    }
    return "".join(f"{name}='{' '.join(str(v).split())}'\n" for name, v in members.items())
