"""The records that a function's response reports as failed: ReportBatchItemFailures.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Callable, Collection
from typing import Any

from lambent.kit.computing import read_wherever
from lambent.kit.strict_json import parse_plain

ReadFailures = Callable[[bytes, Collection[str]], frozenset[str] | None]
"""`failed_items` or `failed_offsets`, depending on how functions name the records of a source."""


async def read_failures(
    read: ReadFailures, payload: bytes, known: Collection[str]
) -> frozenset[str] | None:
    """Apply `read` to a response. A large response is read off the event loop."""
    return await read_wherever(read, payload, frozenset(known), data=payload)


def failed_items(payload: bytes, known: Collection[str]) -> frozenset[str] | None:
    """The identifiers that a function reports as failed, of those in the batch (`known`). Empty if
    all records succeeded, None if the whole batch failed.

    All records succeeded if the response is empty, `null`, `""`, `[]`, or an object whose
    `batchItemFailures` is missing (as in a response that only has a window's state), null or empty.
    The whole batch failed if the response is not JSON or is anything else (a number, a text, a list
    that is not empty), or if a failure has no `itemIdentifier` that is in the batch.
    """
    return _failed(payload, known, lambda identifier: identifier)


def failed_offsets(payload: bytes, known: Collection[str]) -> frozenset[str] | None:
    """As `failed_items`, for identifiers such as `{"partition": "topic-0", "offset": 100}`. In
    `known` and in the result, they are `topic-0:100`."""
    return _failed(payload, known, _offset)


def _failed(
    payload: bytes, known: Collection[str], name: Callable[[Any], Any]
) -> frozenset[str] | None:
    try:
        response = parse_plain(payload.decode() or "null")
    except ValueError:
        return None
    if response in (None, "", []):
        return frozenset()
    if not isinstance(response, dict):
        return None
    failures = response.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        return None
    failed = set()
    for failure in failures:
        identifier = name(failure.get("itemIdentifier")) if isinstance(failure, dict) else None
        if type(identifier) is not str or not identifier or identifier not in known:
            return None
        failed.add(identifier)
    return frozenset(failed)


def _offset(identifier: Any) -> str | None:
    if not isinstance(identifier, dict):
        return None
    partition, offset = identifier.get("partition"), identifier.get("offset")
    if type(partition) is not str or type(offset) is not int:
        return None
    return f"{partition}:{offset}"
