"""The record that an on-failure destination gets of discarded records.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambent.invocation.call import CallResult
from lambent.kit.ids import new_request_id
from lambent.model.function import LATEST
from lambent.polling.retries import Discard


def make_failure_record(
    discard: Discard,
    called: CallResult | None,
    about: Mapping[str, Any],
    *,
    function_arn: str,
    now: float,
    payload: bytes | None = None,
) -> bytes:
    """The document: UTF-8 JSON.

    `called` is the last call of the function with these records, None if there was none. `about`
    says which records they are. `payload` is the event, for destinations that get it, too.
    """
    members: dict[str, Any] = {
        "requestContext": {
            "requestId": new_request_id() if called is None else called.request_id,
            "functionArn": function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": max(discard.chunk.attempts, 1),
        }
    }
    if called is not None and called.outcome.has_run and discard.condition != "RecordAgeExceeded":
        members["responseContext"] = {
            "statusCode": 200,
            "executedVersion": LATEST if called.function is None else called.function.version,
            # Null if the function succeeded and reported records that had failed.
            "functionError": None if called.outcome.has_succeeded else "Unhandled",
        }
    members["version"] = "1.0"
    members["timestamp"] = timestamp(now)
    members.update(about)
    text = json.dumps(members, separators=(",", ":")).encode()
    if payload is None:
        return text
    return b'%b,"payload":%b}' % (text[:-1], json.dumps(payload.decode()).encode())


def timestamp(epoch_s: float, *, has_milliseconds: bool = True) -> str:
    """A time, epoch seconds, in the form of AWS's failure records."""
    when = datetime.fromtimestamp(epoch_s, UTC)
    fraction = f".{when.microsecond // 1000:03d}" if has_milliseconds else ""
    return f"{when:%Y-%m-%dT%H:%M:%S}{fraction}Z"
