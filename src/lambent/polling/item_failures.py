"""What a function's answer says of single records: ReportBatchItemFailures.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Callable, Collection
from typing import Any

from lambent.kit.computing import read_wherever
from lambent.kit.strict_json import parse_plain

ReadFailures = Callable[[bytes, Collection[str]], frozenset[str] | None]
"""`failed_items` or `failed_offsets`, by how functions name the records of a source."""


async def read_failures(
    read: ReadFailures, payload: bytes, known: Collection[str]
) -> frozenset[str] | None:
    """What `read` finds in a response, off the event loop if that is large."""
    return await read_wherever(read, payload, frozenset(known), data=payload)


def failed_items(payload: bytes, known: Collection[str]) -> frozenset[str] | None:
    """The identifiers that a function reports as failed, of those in the batch (`known`); empty
    when all succeeded, None when the whole batch failed.

    All succeeded if the answer is empty, `null`, `""`, `[]`, or an object whose `batchItemFailures`
    is missing (as in `{}`, and in an answer that only has a window's state), null or empty. The
    whole batch failed if the answer is not JSON or anything else (a number, a text, a list with
    something in it), or if one of the failures has no `itemIdentifier` that is in the batch.
    """
    return _failed(payload, known, lambda identifier: identifier)


def failed_offsets(payload: bytes, known: Collection[str]) -> frozenset[str] | None:
    """As `failed_items`, where identifiers are `{"partition": "topic-0", "offset": 100}`; in
    `known` and what is returned, `topic-0:100`."""
    return _failed(payload, known, _offset)


def _failed(
    payload: bytes, known: Collection[str], name: Callable[[Any], Any]
) -> frozenset[str] | None:
    try:
        answer = parse_plain(payload.decode() or "null")
    except ValueError:
        return None
    if answer in (None, "", []):
        return frozenset()
    if not isinstance(answer, dict):
        return None
    failures = answer.get("batchItemFailures")
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
