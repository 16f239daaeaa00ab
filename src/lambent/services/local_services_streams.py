"""Transformations of Firehose: the function of a delivery stream, with its role, and the records
that were not transformed, which go to the error prefix of the bucket, as in AWS.

Part of the emulator's program, which loads this file; it imports nothing of the platform.
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

import base64
import importlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Replace = Callable[[Any, str, Callable[..., Any]], None]
Record = tuple[str, bytes]
"""The id and the content."""

_FAILED = "processing-failed"
_RETRIES = 3
_BAD_RESPONSE = "Lambda.JsonProcessingException"
_CODES = {
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
}


class _Failed(Exception):
    """A record, or all of them, is not transformed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def lead_streams(deliveries: Any, replace: Replace) -> None:
    """Have delivery streams transform records by functions of the platform."""
    streams = importlib.import_module("ministack.services.firehose")

    def transform(
        stream: Json,
        destination: Json,
        records: list[Record],
        metadata_sink: Json | None = None,
        partition_sink: Json | None = None,
    ) -> list[Record]:
        config = destination.get("config") or {}
        sinks = ((metadata_sink, "otfMetadata"), (partition_sink, "partitionKeys"))
        for processor in _processors(config):
            source = {
                "service": "firehose.amazonaws.com",
                "arn": stream["arn"],
                "account": stream["arn"].split(":")[4],
                "role": processor.get("RoleArn") or config.get("RoleARN", ""),
            }
            answer = _Answer(deliveries, stream, processor, records, source)
            kept = []
            for id, content in records:
                try:
                    made = answer.of(id)
                except _Failed as error:
                    arn = processor["LambdaArn"]
                    _store_failed(streams, stream, config, content, error, arn, answer.attempts)
                    continue
                if made is None:
                    continue
                kept.append((id, made))
                metadata = answer.metadata(id)
                for sink, member in sinks:
                    if sink is not None and isinstance(metadata.get(member), dict):
                        sink[id] = metadata[member]
            records = kept
            if not records:
                break
        return records

    replace(streams, "_apply_lambda_processors", transform)


def _processors(config: Json) -> list[dict[str, str]]:
    """The parameters of each processor that is a function."""
    processing = config.get("ProcessingConfiguration") or {}
    found = []
    for processor in processing.get("Processors") or () if processing.get("Enabled") else ():
        parameters = {
            each.get("ParameterName"): each.get("ParameterValue")
            for each in processor.get("Parameters") or ()
        }
        if processor.get("Type") == "Lambda" and parameters.get("LambdaArn"):
            found.append(parameters)
    return found


class _Answer:
    """What a function made of a batch."""

    def __init__(
        self, deliveries: Any, stream: Json, processor: Json, records: list[Record], source: Json
    ) -> None:
        self.attempts = 0
        self._failure: _Failed | None = None
        self._made: dict[str, Json] = {}
        now_ms = int(time.time() * 1000)
        event = {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": stream["arn"],
            "region": stream["arn"].split(":")[3],
            "records": [
                {
                    "recordId": id,
                    "approximateArrivalTimestamp": now_ms,
                    "data": base64.b64encode(content).decode(),
                }
                for id, content in records
            ],
        }
        try:
            self._read(self._call(deliveries, processor, event, source))
        except _Failed as error:
            self._failure = error

    def of(self, id: str) -> bytes | None:
        """The content that a record has now; None if it was dropped. Raises `_Failed`."""
        if self._failure is not None:
            raise self._failure
        record = self._made.get(id)
        if record is None:
            raise _Failed("Lambda.MissingRecordId", f"The function returned no record {id}.")
        if record.get("result") == "Dropped":
            return None
        if record.get("result") == "ProcessingFailed":
            text = "ProcessingFailed status set for record"
            raise _Failed("Lambda.ProcessingFailedStatus", text)
        if record.get("result") != "Ok":
            text = f"The result of the record {id} is none of Ok, Dropped and ProcessingFailed."
            raise _Failed(_BAD_RESPONSE, text)
        try:
            return base64.b64decode(record.get("data") or "", validate=True)
        except (ValueError, TypeError):
            raise _Failed(_BAD_RESPONSE, f"The data of the record {id} is not base64.") from None

    def metadata(self, id: str) -> Json:
        """`metadata` of a record."""
        found = self._made[id].get("metadata")
        return found if isinstance(found, dict) else {}

    def _call(self, deliveries: Any, processor: Json, event: Json, source: Json) -> Any:
        retries = str(processor.get("NumberOfRetries") or _RETRIES)
        for attempt in range(1 + (int(retries) if retries.isdecimal() else _RETRIES)):
            self.attempts = attempt + 1
            result = deliveries.call(processor["LambdaArn"], event, source)
            if not result.get("error"):
                return result["body"]
            if result.get("code") != "TooManyRequestsException":
                break
            threading.Event().wait(0.2 * 2 ** min(attempt, 5))
        text = json.dumps(result["body"])[:1024]
        raise _Failed(_CODES.get(result.get("code", ""), "Lambda.FunctionError"), text)

    def _read(self, body: Any) -> None:
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list):
            raise _Failed(_BAD_RESPONSE, "The function returned no records.")
        for record in records:
            id = record.get("recordId") if isinstance(record, dict) else None
            if not isinstance(id, str):
                raise _Failed(_BAD_RESPONSE, "A record that the function returned has no recordId.")
            if id in self._made:
                raise _Failed("Lambda.DuplicatedRecordId", f"The record {id} was returned twice.")
            self._made[id] = record


def _store_failed(
    streams: Any,
    stream: Json,
    config: Json,
    content: bytes,
    error: _Failed,
    function: str,
    attempts: int,
) -> None:
    """Put a record that was not transformed into the bucket, with what went wrong."""
    bucket = config if config.get("BucketARN") else config.get("S3Configuration") or {}
    now, now_ms = streams._arrival_time(config), int(time.time() * 1000)
    document = {
        "attemptsMade": attempts,
        "arrivalTimestamp": now_ms,
        "errorCode": error.code,
        "errorMessage": error.message,
        "attemptEndingTimestamp": now_ms,
        "rawData": base64.b64encode(content).decode(),
        "lambdaArn": function,
    }
    if bucket.get("ErrorOutputPrefix"):
        prefix = streams._evaluate_prefix(bucket["ErrorOutputPrefix"], now, error_type=_FAILED)
    else:
        hours = streams._java_time("yyyy/MM/dd/HH/", now)
        prefix = f"{bucket.get('Prefix') or ''}{_FAILED}/{hours}"
    name = f"{stream['name']}-{stream.get('version', 1)}-"
    name += f"{streams._java_time('yyyy-MM-dd-HH-mm-ss', now)}-{uuid.uuid4()}"
    target = streams._s3_bucket_from_arn(bucket.get("BucketARN", ""))
    streams._put_s3_object(target, f"{prefix}{name}", (json.dumps(document) + "\n").encode())
