"""Sends lines of log groups to the functions that subscribe to them.

Lines are collected for a second, filtered, compressed, and put into the durable queue as one event
for each stream and filter. CloudWatch Logs is the caller, so the function's policy has to allow it;
a relaxed platform does not check that within an account. Without any filter, a line costs one look
at an empty dictionary.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

import base64
import gzip
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from lambent.asynchronous.queue import AsyncQueue
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.model.arn import Arn
from lambent.model.changes import Changes
from lambent.model.errors import ApiError
from lambent.model.log_subscription import LogSubscription
from lambent.model.names import FunctionReference, parse_function_name
from lambent.model.principal import service
from lambent.model.resources import LogGroupKey
from lambent.model.traces import trace_id_of
from lambent.telemetry.followed_groups import FollowedGroups
from lambent.telemetry.logs import LogStore
from lambent.telemetry.patterns import compile_pattern
from lambent.telemetry.taps import Line

logger = logging.getLogger(__name__)

_EVENT_BYTES_MAX = 512 * 1024
"""Bytes of messages in one event, so that it can be queued even if it cannot be compressed."""

LoadSubscriptions = Callable[[], Awaitable[Sequence[LogSubscription]]]
"""Returns all subscriptions of all accounts that do not lead a function's log to itself."""


class LogSubscriptions(FollowedGroups[LogSubscription]):
    """Delivers lines. It follows the store, because subscriptions and functions change."""

    def __init__(
        self,
        load: LoadSubscriptions,
        logs: LogStore,
        queue: AsyncQueue,
        authorizer: Authorizer,
        clock: Clock,
    ) -> None:
        super().__init__(load, logs, clock)
        self._queue = queue
        self._authorizer = authorizer

    def concerns(self, changes: Changes) -> bool:
        """See `FollowedGroups`: functions have policies."""
        return super().concerns(changes) or bool(changes.functions and self._followers)

    async def handle(self) -> None:
        """See `FollowedGroups`."""
        for subscriptions, lines in self.take("not delivered"):
            for subscription in subscriptions:
                for payload in await computed(payloads_of, subscription, lines):
                    await self._send(subscription, payload)

    async def check(self, group: LogGroupKey, function_arn: str) -> None:
        """Check that CloudWatch Logs may call the function for the group. Raises
        `InvalidParameterException`."""
        try:
            await self._authorize(group, _reference(function_arn))
        except ApiError as error:
            if error.status >= 500:
                raise
            raise ApiError(
                "InvalidParameterException",
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs"
                " permission to execute your function.",
            ) from error

    async def _send(self, subscription: LogSubscription, payload: bytes) -> None:
        reference = _reference(subscription.function_arn)
        try:
            await self._authorize(subscription.group, reference)
            await self._queue.keep(reference, payload, trace_id_of(None))
        except ApiError as error:
            logger.warning(
                "lines of %s are not delivered to %s: %s",
                subscription.group.name,
                subscription.function_arn,
                error.message,
            )

    async def _authorize(self, group: LogGroupKey, reference: FunctionReference) -> None:
        owner = reference.key.account
        if not self._authorizer.is_strict and group.scope.account == owner:
            return
        context = (
            ("aws:sourcearn", (f"{group.arn}:*",)),
            ("aws:sourceaccount", (group.scope.account,)),
        )
        access = Access("lambda:InvokeFunction", reference.arn, owner, context)
        principal = service("logs.amazonaws.com")
        caller = Caller(principal=principal, scope=group.scope, service=None, access_key_id=None)
        await self._authorizer.check(caller, access)


def payloads_of(subscription: LogSubscription, lines: Sequence[Line]) -> list[bytes]:
    """The events for the lines that a subscription wants, by stream."""
    matches = compile_pattern(subscription.pattern)
    streams: dict[str, list[tuple[int, str]]] = {}
    for line in lines:
        message = line.message.decode("utf-8", "replace")
        if matches(message):
            streams.setdefault(line.stream, []).append((line.timestamp_ms, message))
    return [
        _event(subscription, stream, part)
        for stream, found in streams.items()
        for part in _parts(found)
    ]


def _parts(lines: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    part: list[tuple[int, str]] = []
    size = 0
    for line in lines:
        length = len(line[1].encode())
        if part and size + length > _EVENT_BYTES_MAX:
            yield part
            part, size = [], 0
        part.append(line)
        size += length
    yield part


def _event(subscription: LogSubscription, stream: str, lines: Sequence[tuple[int, str]]) -> bytes:
    group = subscription.group
    content = {
        "messageType": "DATA_MESSAGE",
        "owner": group.scope.account,
        "logGroup": group.name,
        "logStream": stream,
        "subscriptionFilters": [subscription.name],
        "logEvents": [
            {"id": f"{at_ms:016d}{number:040d}", "timestamp": at_ms, "message": message}
            for number, (at_ms, message) in enumerate(lines)
        ],
    }
    data = base64.b64encode(gzip.compress(json.dumps(content).encode(), mtime=0)).decode()
    return json.dumps({"awslogs": {"data": data}}).encode()


def _reference(arn: str) -> FunctionReference:
    return parse_function_name(arn, Arn.parse(arn).scope)
