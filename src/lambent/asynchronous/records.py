"""The records for destinations and dead-letter queues, byte by byte as in AWS.

Pure. A record contains payloads unchanged, so that numbers and duplicate keys stay as they were.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, assert_never

from lambent.asynchronous.retries import Done
from lambent.model.delivery import Delivery, DeliveryKind, object_prefix, service_of
from lambent.model.function import LATEST, FunctionVersion
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    Succeeded,
    TimedOut,
)
from lambent.model.traces import extend_lineage

RECORD_BYTES_MAX = 256 * 1024
"""Of a record for SQS, SNS and EventBridge; a larger one goes without its payloads."""
LAMBDA_RECORD_BYTES_MAX = 1024 * 1024
_ERROR_MESSAGE_BYTES_MAX = 1024
_TOO_OLD = "The event has exceeded its maximum age."


def deliveries_of(
    over: Done,
    outcome: Outcome | None,
    function: FunctionVersion | None,
    configuration: Mapping[str, Any] | None,
    now: float,
    trace_id: str = "",
) -> list[Delivery]:
    """The deliveries about an event that is over.

    `outcome` is that of the last attempt, None if there was none just now; `function` the version
    it ran; `configuration` the event-invoke configuration of the qualifier; `trace_id` the header
    that the function got, empty if it was not called.
    """
    event = over.event
    arn = f"{event.key.arn}:{event.qualifier or LATEST}"
    if not trace_id:
        trace_id, _ = extend_lineage(event.trace_id, event.key.arn)

    def delivery(
        target: str, kind: DeliveryKind, body: bytes, attributes: Mapping[str, str] | None = None
    ) -> Delivery:
        return Delivery(
            key=event.key,
            arn=arn,
            target=target,
            kind=kind,
            body=body,
            attributes=attributes or {},
            object_prefix=object_prefix(event.key.name),
            trace_id=trace_id,
            role="" if function is None else function.role,
            created_at=now,
            due_at=now,
        )

    found: list[Delivery] = []
    is_success = over.condition == "Success"
    dead_letter_target = None if function is None else function.dead_letter_target
    if not is_success and dead_letter_target:
        attributes = _attributes(event.request_id, outcome)
        found.append(
            delivery(dead_letter_target, DeliveryKind.DEAD_LETTER, event.payload, attributes)
        )
    destinations = (configuration or {}).get("DestinationConfig") or {}
    chosen = destinations.get("OnSuccess" if is_success else "OnFailure") or {}
    if target := chosen.get("Destination"):
        kind = DeliveryKind.ON_SUCCESS if is_success else DeliveryKind.ON_FAILURE
        body = make_record(over, outcome, function, arn=arn, now=now)
        bytes_max = _bytes_max(target)
        if bytes_max is not None and len(body) > bytes_max:
            body = make_record(over, outcome, function, arn=arn, now=now, has_payloads=False)
        found.append(delivery(target, kind, body))
    return found


def make_record(
    over: Done,
    outcome: Outcome | None,
    function: FunctionVersion | None,
    *,
    arn: str,
    now: float,
    has_payloads: bool = True,
) -> bytes:
    """The document about one event: UTF-8 JSON."""
    event = over.event
    moment = datetime.fromtimestamp(now, UTC)
    context = {
        "requestId": event.request_id,
        "functionArn": arn,
        "condition": over.condition,
        "approximateInvokeCount": over.invoke_count,
    }
    members = [
        ("version", b'"1.0"'),
        ("timestamp", _json(f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z")),
        ("requestContext", _json(context)),
    ]
    if has_payloads:
        members.append(("requestPayload", as_json(event.payload)))
    if outcome is not None and not isinstance(outcome, Refused):
        response: dict[str, Any] = {
            "statusCode": 200,
            "executedVersion": LATEST if function is None else function.version,
        }
        if not outcome.has_succeeded:
            response["functionError"] = "Unhandled"
        members.append(("responseContext", _json(response)))
        if has_payloads:
            members.append(("responsePayload", as_json(outcome.payload)))
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in members) + b"}"


def as_json(payload: bytes) -> bytes:
    """A payload as part of a document: itself if it is JSON in UTF-8, else a string."""
    text = payload.decode(errors="replace")
    try:
        json.loads(payload.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _json(text)
    return payload.strip()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def _bytes_max(target: str) -> int | None:
    service = service_of(target)
    if service == "s3":
        return None
    return LAMBDA_RECORD_BYTES_MAX if service == "lambda" else RECORD_BYTES_MAX


def _attributes(request_id: str, outcome: Outcome | None) -> Mapping[str, str]:
    """The attributes of a message in a dead-letter queue."""
    match outcome:
        case None:
            code, message = 429, _TOO_OLD
        case Refused():
            code, message = outcome.error.status, outcome.error.message
        case Succeeded() | FunctionFailed() | TimedOut() | Crashed():
            code, message = 200, _error_message(outcome.payload)
        case _:
            assert_never(outcome)
    short = message.encode(errors="replace")[:_ERROR_MESSAGE_BYTES_MAX].decode(errors="ignore")
    found = {"RequestID": request_id, "ErrorCode": str(code)}
    # A message attribute cannot be empty.
    return {**found, "ErrorMessage": short} if short else found


def _error_message(payload: bytes) -> str:
    """The error message of a function that failed."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode(errors="replace")
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return message if isinstance(message, str) else payload.decode(errors="replace")
