"""Amazon SQS, standard and FIFO: messages are received, handed to the function and then deleted.

A message is deleted when the function has taken it. When the function fails it stays, and comes
again when its visibility timeout is over; the queue's redrive policy says how often. While a batch
is under way its messages are kept invisible.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.abc
import botocore.exceptions

from lambent.aws.client import error_code
from lambent.invocation.adaptive_limit import AdaptiveLimit
from lambent.invocation.call import CallResult
from lambent.kit.tasks import start_part
from lambent.model.invocation import Succeeded
from lambent.model.traces import LOOPS_MAX, extend_lineage
from lambent.polling.active_mapping import ActiveMapping
from lambent.polling.backoff import Backoff
from lambent.polling.item_failures import failed_items, read_failures
from lambent.polling.options import EVENT_BYTES_MAX
from lambent.polling.ports import Envelope, Record, SourceError
from lambent.polling.role_client import refused

_DEADLINE_S = 30.0
_AT_ONCE_MAX = 10
"""Messages in one request."""
_WORKERS_AT_FIRST = 5
_WORKERS_MAX = 1250
"""Both as in AWS."""
_DELETES_MAX = 8
_ENVELOPE = Envelope(b'{"Records":[', b"]}")
_TRACE_HEADER = "AWSTraceHeader"
_ACTIONS = {
    "GetQueueUrl": "sqs:GetQueueAttributes",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ReceiveMessage",
}
"""What roles for Lambda are allowed instead of what is called."""


class Queue:
    """The requests to one queue."""

    def __init__(self, polled: ActiveMapping) -> None:
        self.arn = polled.mapping.source_id
        self._aws = polled.aws
        _, _, _, _, self._account, self._name = self.arn.split(":")
        self._url = ""
        self.visibility_s = 0.0

    async def open(self) -> None:
        """Find it. Raises `SourceError`."""
        found = await self._call(
            "GetQueueUrl", {"QueueName": self._name, "QueueOwnerAWSAccountId": self._account}
        )
        self._url = found["QueueUrl"]
        await self.look()

    async def look(self) -> int:
        """Read the visibility timeout; returns how many messages wait. Raises `SourceError`."""
        names = ["VisibilityTimeout", "ApproximateNumberOfMessages"]
        found = await self._call("GetQueueAttributes", {"AttributeNames": names})
        attributes = found.get("Attributes", {})
        self.visibility_s = float(attributes.get("VisibilityTimeout", 30))
        return int(attributes.get("ApproximateNumberOfMessages", 0))

    async def receive(self, most: int, wait_s: int) -> list[Mapping[str, Any]]:
        """Messages, invisible to others for a while from now on. Raises `SourceError`."""
        parameters = {
            "MaxNumberOfMessages": min(most, _AT_ONCE_MAX),
            "WaitTimeSeconds": wait_s,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        found = await self._call("ReceiveMessage", parameters, deadline_s=wait_s + _DEADLINE_S)
        messages: list[Mapping[str, Any]] = found.get("Messages") or []
        return messages

    async def delete(self, records: Sequence[Record]) -> list[Record]:
        """Up to ten; returns those that it could not. Raises `SourceError`."""
        entries = [
            {"Id": str(number), "ReceiptHandle": one.raw["ReceiptHandle"]}
            for number, one in enumerate(records)
        ]
        answer = await self._call("DeleteMessageBatch", {"Entries": entries})
        failed = answer.get("Failed") or ()
        return [records[int(one["Id"])] for one in failed if not one.get("SenderFault")]

    async def hide(self, records: Sequence[Record], seconds: int) -> None:
        """Keep messages, up to ten, invisible for so long from now on. Raises `SourceError`."""
        entries = [
            {
                "Id": str(number),
                "ReceiptHandle": one.raw["ReceiptHandle"],
                "VisibilityTimeout": seconds,
            }
            for number, one in enumerate(records)
        ]
        await self._call("ChangeMessageVisibilityBatch", {"Entries": entries})

    async def _call(
        self, operation: str, parameters: Mapping[str, Any], deadline_s: float = _DEADLINE_S
    ) -> Any:
        if self._url:
            parameters = {"QueueUrl": self._url, **parameters}
        try:
            return await self._aws.call(
                "sqs",
                operation,
                parameters,
                resource=self.arn,
                action=_ACTIONS.get(operation),
                account=self._account,
                deadline_s=deadline_s,
            )
        except botocore.exceptions.ClientError as error:
            if error_code(error).endswith(("NonExistentQueue", "QueueDoesNotExist")):
                raise SourceError("PROBLEM: The specified queue does not exist") from error
            raise refused(error) from error


class SqsPoller:
    """Workers that each receive a batch, have it processed and delete it, one after the other. One
    is always there; as long as there is more, there are as many as make it faster."""

    def __init__(self, polled: ActiveMapping, queue: Queue) -> None:
        self._polled = polled
        self._queue = queue
        self._options = polled.options
        self._pace = AdaptiveLimit(polled.clock.monotonic(), start=_WORKERS_AT_FIRST)
        self._limit = min(self._options.concurrency_max or _WORKERS_MAX, _WORKERS_MAX)
        settings = polled.settings
        self._throttled = Backoff(settings.throttled_s, settings.throttled_max_s)
        self._held: dict[int, tuple[Sequence[Record], float]] = {}
        """Batches under way, and since when their messages are invisible."""
        self._workers = 0
        self._throttles = 0
        """Workers whose batch the function cannot take now."""
        self._free = anyio.Event()
        self._failure: SourceError | None = None

    async def run(self) -> None:
        """Until the mapping is stopped. Raises `SourceError`."""
        async with anyio.create_task_group() as keeping:
            start_part(keeping, self._keep_hidden)
            start_part(keeping, self._look)
            async with anyio.create_task_group() as tasks:
                for _ in range(self._options.pollers_min):
                    self._start(tasks)
            keeping.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    def _start(self, tasks: anyio.abc.TaskGroup) -> None:
        self._workers += 1
        start_part(tasks, self._work, tasks)

    async def _work(self, tasks: anyio.abc.TaskGroup) -> None:
        try:
            while self._is_wanted():
                while self._throttles and self._is_wanted():
                    # Who cannot process does not receive: each time counts for the redrive policy.
                    await self._free.wait()
                records = await self._receive(
                    self._options.batch_size, self._polled.settings.long_poll_s
                )
                if not records:
                    if self._workers > self._options.pollers_min:
                        return
                    continue
                with self._polled.stop.under_way(), self._kept_hidden(records):
                    await self._fill(records)
                    self._grow(tasks, is_full=len(records) >= min(self._options.batch_size, 10))
                    await self._process(records)
                self._pace.note_end()
        except SourceError as error:
            self._polled.status.note_problem(error)
            self._failure = error
        finally:
            self._workers -= 1

    def _is_wanted(self) -> bool:
        return (
            not self._polled.stop.is_set
            and self._failure is None
            and self._workers <= max(min(self._pace.limit, self._limit), self._options.pollers_min)
        )

    def _grow(self, tasks: anyio.abc.TaskGroup, *, is_full: bool) -> None:
        if not is_full or self._throttles:
            return
        if self._workers >= self._pace.limit:
            self._pace.note_full(self._polled.clock.monotonic(), self._limit)
        if self._workers < min(self._pace.limit, self._limit):
            self._start(tasks)

    async def _receive(self, most: int, wait_s: int) -> list[Record]:
        """What comes first and is wanted; none if nothing came for so long."""
        polled = self._polled
        messages = await self._queue.receive(most, wait_s)
        polled.status.note_source_works()
        polled.status.count("PolledEventCount", len(messages))
        has_window = bool(self._options.window_s)
        return await self._filter(
            [_to_record(one, self._queue.arn, polled.region, has_window) for one in messages]
        )

    async def _fill(self, records: list[Record]) -> None:
        """Add what comes within the window to a batch."""
        polled, options = self._polled, self._options
        size = _ENVELOPE.size + sum(len(one.document) + 1 for one in records)
        ends_at = polled.clock.monotonic() + options.window_s
        # Given back at a stop, they would have been received for nothing.
        while len(records) < options.batch_size and size <= EVENT_BYTES_MAX:
            left_s = ends_at - polled.clock.monotonic()
            if left_s <= 0 or polled.stop.is_set:
                return
            wait_s = min(polled.settings.long_poll_s, math.ceil(left_s))
            found = await self._receive(options.batch_size - len(records), wait_s)
            records += found
            size += sum(len(one.document) + 1 for one in found)

    async def _filter(self, records: list[Record]) -> list[Record]:
        criteria = self._options.criteria
        if criteria is None:
            return records
        unwanted = [one for one in records if not criteria.admits(*_view(one))]
        self._polled.status.count("FilteredOutEventCount", len(unwanted))
        await self._delete(unwanted)
        gone = set(map(id, unwanted))
        return [one for one in records if id(one) not in gone]

    async def _process(self, records: list[Record]) -> None:
        """Have a batch processed, in as many events as it takes, and delete what was. `records`
        keeps those that are not processed yet."""
        arn = self._polled.mapping.function_key.arn
        loops = [one for one in records if _times(_trace_header(one), arn) >= LOOPS_MAX]
        # Those that end here would take the others with them.
        others = [one for one in records if one not in loops] if loops else records
        for batch in [*_split(others), *_split(loops)]:
            done = await self._deliver(batch)
            self._polled.status.count("DeletedEventCount", await self._delete(done))
            ended = set(map(id, batch))
            records[:] = [one for one in records if id(one) not in ended]

    @contextmanager
    def _kept_hidden(self, records: Sequence[Record]) -> Iterator[None]:
        """What is, or comes, into the batch stays invisible to others: also what is gathered yet,
        and what waits for the events before it."""
        self._held[id(records)] = (records, self._polled.clock.monotonic())
        try:
            yield
        finally:
            del self._held[id(records)]

    async def _deliver(self, records: Sequence[Record]) -> Sequence[Record]:
        """Have the function take a batch; returns what it has processed."""
        polled = self._polled
        event = _ENVELOPE.wrap([one.document for one in records])
        arn = polled.mapping.function_key.arn
        header = max(map(_trace_header, records), key=lambda one: _times(one, arn))
        while True:
            polled.status.in_flight += 1
            try:
                called = await polled.calls.call(event, header)
            finally:
                polled.status.in_flight -= 1
            if called.outcome.has_run or called.is_loop:
                break
            polled.status.note_call(has_failed=True)
            if not await self._wait_for_room():
                await self._hide(records, 0)
                return ()
        self._throttled.succeeded()
        polled.status.count("InvokedEventCount", len(records))
        done = await self._done(called, records)
        polled.status.note_call(has_failed=not done)
        polled.status.count("FailedInvokeEventCount", len(records) - len(done))
        return done

    async def _done(self, called: CallResult, records: Sequence[Record]) -> Sequence[Record]:
        if not isinstance(called.outcome, Succeeded):
            return ()
        if not self._options.reports_failures:
            return records
        ids = {one.id for one in records}
        failed = await read_failures(failed_items, called.outcome.payload, ids)
        if failed is None:
            return ()
        return [one for one in records if one.id not in failed]

    async def _wait_for_room(self) -> bool:
        """Hold on to messages that the function cannot take; whether to offer them again."""
        if not self._throttles:
            self._free = anyio.Event()
        self._throttles += 1
        try:
            with self._polled.stop.interrupts():
                await self._polled.clock.sleep(self._throttled.failed())
        finally:
            self._throttles -= 1
            if not self._throttles:
                self._free.set()
        return not self._polled.stop.is_set

    async def _delete(self, records: Sequence[Record]) -> int:
        """Delete messages, trying again while they are ours; returns how many are gone."""
        settings = self._polled.settings
        left = [records[at : at + _AT_ONCE_MAX] for at in range(0, len(records), _AT_ONCE_MAX)]
        gone = 0
        limiter = anyio.CapacityLimiter(_DELETES_MAX)

        async def delete(some: Sequence[Record]) -> None:
            nonlocal gone
            backoff = Backoff(settings.throttled_s, settings.backoff_max_s)
            give_up_at = self._polled.clock.monotonic() + max(self._queue.visibility_s, 1.0)
            async with limiter:
                while some:
                    before = len(some)
                    try:
                        some = await self._queue.delete(some)
                    except SourceError as error:
                        self._polled.status.note_problem(error)
                    gone += before - len(some)
                    if some and self._polled.clock.monotonic() > give_up_at:
                        return  # They come again; the function is called twice.
                    if some:
                        await self._polled.clock.sleep(backoff.failed())

        if len(left) == 1:
            await delete(left[0])
        elif left:
            async with anyio.create_task_group() as tasks:
                for some in left:
                    start_part(tasks, delete, some)
        return gone

    async def _hide(self, records: Sequence[Record], seconds: int) -> None:
        """Keep messages invisible for so long from now on; 0 hands them back."""
        for at in range(0, len(records), _AT_ONCE_MAX):
            try:
                await self._queue.hide(records[at : at + _AT_ONCE_MAX], seconds)
            except SourceError:
                return  # They come again when their time is over.

    async def _keep_hidden(self) -> None:
        """Keep the messages of batches under way invisible."""
        clock = self._polled.clock
        while True:
            visible_s = self._queue.visibility_s
            await clock.sleep(max(visible_s / 4, 0.25))
            now = clock.monotonic()
            for number, (records, since) in list(self._held.items()):
                if visible_s and now - since >= visible_s / 2:
                    await self._hide([*records], int(visible_s))
                    if number in self._held:
                        self._held[number] = (records, now)

    async def _look(self) -> None:
        """Keep an eye on the queue's attributes, which may change."""
        while True:
            await self._polled.clock.sleep(60.0)
            try:
                self._polled.status.waiting = await self._queue.look()
            except SourceError:
                continue


async def poll(polled: ActiveMapping) -> None:
    """See `poller.Poll`."""
    queue = Queue(polled)
    with polled.stop.interrupts():
        await queue.open()
    if not polled.stop.is_set:
        await SqsPoller(polled, queue).run()


def _split(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Batches that are small enough for an event."""
    batches: list[list[Record]] = [[]] if records else []
    size = _ENVELOPE.size
    for record in records:
        size += len(record.document) + 1
        if batches[-1] and size > EVENT_BYTES_MAX:
            batches.append([])
            size = _ENVELOPE.size + len(record.document) + 1
        batches[-1].append(record)
    return list(batches)


def _trace_header(record: Record) -> str:
    header: str = record.raw.get("Attributes", {}).get(_TRACE_HEADER, "")
    return header


def _times(trace_header: str, function_arn: str) -> int:
    """How often a function comes up in the chain that a header tells of."""
    return extend_lineage(trace_header, function_arn)[1] if trace_header else -1


def _to_record(message: Mapping[str, Any], arn: str, region: str, has_window: bool) -> Record:
    attributes = message.get("Attributes", {})
    document: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": attributes,
        "messageAttributes": {
            name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message.get("MD5OfBody"),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": region,
    }
    # AWS leaves the digest of no attributes out, but from batches that were gathered in a window.
    if has_window or "MD5OfMessageAttributes" in message:
        document["md5OfMessageAttributes"] = message.get("MD5OfMessageAttributes")
    return Record(
        id=message["MessageId"],
        document=json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(
            errors="replace"
        ),
        raw=message,
        arrived_at=float(attributes.get("SentTimestamp", 0)) / 1000,
        key=attributes.get("MessageGroupId", ""),
    )


def _attribute(value: Mapping[str, Any]) -> Mapping[str, Any]:
    content: dict[str, Any] = {}
    if "BinaryValue" in value:
        content["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    else:
        content["stringValue"] = value.get("StringValue", "")
    return {
        **content,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value.get("DataType", "String"),
    }


def _view(record: Record) -> tuple[Mapping[str, Any], str]:
    """What filters look at."""
    metadata = json.loads(record.document)
    body = metadata.pop("body")
    return metadata, body
