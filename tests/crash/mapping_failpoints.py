"""`lambent up` that kills itself on the way of a batch from a source to its function and back. It
writes a line for each call that began, and how it ended, with the records in it.

python -m tests.crash.mapping_failpoints POINT N WITNESS up …
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lambent.invocation.call import CallResult
from lambent.model.invocation import Succeeded
from lambent.polling import batch_delivery
from lambent.polling.function_calls import FunctionCalls
from lambent.polling.sources.sqs.queue import Queue
from tests.crash.failpoints import Point, Write, run


def names_in(event: Mapping[str, Any]) -> Iterator[str]:
    """The content of the records of an event, of any source."""
    for record in event.get("Records", ()):
        yield record["body"] if "body" in record else _decoded(record["kinesis"]["data"])
    for group in ("records", "rmqMessagesByQueue"):
        for records in event.get(group, {}).values():
            yield from (_decoded(record.get("value") or record["data"]) for record in records)
    for message in event.get("messages", ()):
        yield _decoded(message["data"])


def _decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def _note_calls(write: Write) -> None:
    call = FunctionCalls.call

    async def patched(
        self: FunctionCalls, event: bytes, trace_header: str | None = None
    ) -> CallResult:
        names = " ".join(names_in(json.loads(event)))
        write("began", names)
        called = await call(self, event, trace_header)
        write("done" if isinstance(called.outcome, Succeeded) else "failed", names)
        return called

    FunctionCalls.call = patched  # type: ignore[method-assign]


def _before_call(come_by: Callable[[], None]) -> None:
    _around(FunctionCalls, "call", before=come_by)


def _after_call(come_by: Callable[[], None]) -> None:
    _around(FunctionCalls, "call", after=come_by)


def _before_commit(come_by: Callable[[], None]) -> None:
    _around(Queue, "delete", before=come_by)
    _around(batch_delivery, "commit", before=come_by)


def _after_commit(come_by: Callable[[], None]) -> None:
    _around(Queue, "delete", after=come_by)
    _around(batch_delivery, "commit", after=come_by)


def _around(
    where: Any,
    name: str,
    before: Callable[[], None] = lambda: None,
    after: Callable[[], None] = lambda: None,
) -> None:
    original = getattr(where, name)

    async def patched(*arguments: Any, **more: Any) -> Any:
        before()
        result = await original(*arguments, **more)
        after()
        return result

    setattr(where, name, patched)


POINTS: Mapping[str, Point] = {
    "before-call": _before_call,
    "after-call": _after_call,
    "before-commit": _before_commit,
    "after-commit": _after_commit,
}

if __name__ == "__main__":
    run(POINTS, _note_calls)
