"""The responses of function URLs: from an outcome, or an error of the platform, to HTTP."""

import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import assert_never

import anyio.abc

from lambent.kit.computing import LOOP_BYTES_MAX, computed_apart
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError
from lambent.model.function_url import FunctionUrl
from lambent.model.invocation import (
    Crashed,
    FunctionFailed,
    Outcome,
    Refused,
    RunReport,
    Succeeded,
    TimedOut,
)
from lambent.triggers.cors import with_cors
from lambent.triggers.url_event import UrlRequest
from lambent.triggers.url_response import FAILED, UrlResponse, read_buffered, read_stream
from lambent.triggers.url_stream import UrlStream

logger = logging.getLogger(__name__)

FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see:"
    " https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


class UrlReply:
    """The reply of a call through a URL. See `Reply`."""

    def __init__(self, request: UrlRequest, tasks: anyio.abc.TaskGroup) -> None:
        self._request = request
        self._tasks = tasks
        self._stream: UrlStream | None = None

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        request = self._request
        self._stream = UrlStream(
            request.exchange, start=partial(_start, request), respond=partial(_respond, request)
        )
        self._stream.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        assert self._stream is not None, "a stream has begun"
        return self._stream.write(data)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        try:
            self._finish(outcome)
        except Exception as error:
            logger.exception("cannot respond to a request to %s", self._request.url.arn)
            fail(self._request.exchange, error)
            self._request.note(500)

    def _finish(self, outcome: Outcome) -> None:
        request, stream = self._request, self._stream
        if stream is not None:
            if not stream.end(is_complete=outcome.has_succeeded):
                _respond(request, FAILED)
            return
        match outcome:
            case Succeeded(payload, content_type):
                if request.url.invoke_mode == "RESPONSE_STREAM":
                    _respond(request, read_stream(payload, content_type) or FAILED)
                elif len(payload) > LOOP_BYTES_MAX:
                    failed = partial(fail, request.exchange)
                    start_task(self._tasks, failed, _respond_large, request, payload)
                else:
                    _respond(request, read_buffered(payload))
            case TimedOut():
                body = json.dumps({"Message": "Endpoint request timed out"}).encode()
                headers = [("Content-Type", "application/json")]
                _respond(request, UrlResponse(504, headers, body))
            case FunctionFailed() | Crashed():
                _respond(request, FAILED)
            case Refused(error):
                request.note(refuse_error(request.exchange, request.url, error))
            case _:
                assert_never(outcome)


async def _respond_large(request: UrlRequest, result: bytes) -> None:
    """Respond with a result that takes a while to parse."""
    _respond(request, await computed_apart(read_buffered, result, data=result))


def _respond(request: UrlRequest, response: UrlResponse) -> None:
    _send(request.exchange, response.status, _headers(request, response), response.body)
    request.note(response.status)


def _start(request: UrlRequest, response: UrlResponse) -> None:
    """Begin a response in chunks, the first of which is the body of `response`."""
    request.exchange.start(response.status, _headers(request, response))
    request.note(response.status)


def _headers(request: UrlRequest, response: UrlResponse) -> list[tuple[str, str]]:
    return [
        *with_cors(request.url.cors, request.exchange.headers, response.headers),
        ("x-amzn-RequestId", request.request_id),
        ("X-Amzn-Trace-Id", request.trace_id),
    ]


def fail(exchange: Exchange, _: Exception) -> None:
    """Respond with 500 to a request that failed here."""
    refuse(exchange, 500, "Internal Server Error")


def refuse_error(exchange: Exchange, url: FunctionUrl | None, error: ApiError) -> int:
    """Respond with an error of the platform and return the status; `url` is None if it is not
    known."""
    cors = None if url is None else url.cors
    status = error.status if error.status in (403, 413, 429, 503) else FAILED.status
    match error.status:
        case 403:
            message = FORBIDDEN if error.code == "AccessDeniedException" else error.message
            refuse(exchange, 403, message, cors)
        case 404:
            status = 403
            refuse(exchange, 403, None, cors)
        case 413:
            refuse(exchange, 413, error.message)
        case 429:
            refuse(exchange, 429, error.message, cors)
        case 503:
            refuse(exchange, 503, "Service Unavailable", cors)
        case _:
            _send(exchange, FAILED.status, FAILED.headers, FAILED.body)
    return status


def refuse(
    exchange: Exchange,
    status: int,
    message: str | None,
    cors: Mapping[str, object] | None = None,
) -> None:
    """Respond with an error document."""
    headers = [("Content-Type", "application/json")]
    if status == 403:
        headers.append(("x-amzn-ErrorType", "AccessDeniedException"))
    body = json.dumps({"Message": message}).encode()
    _send(exchange, status, with_cors(cors, exchange.headers, headers), body)


def _send(exchange: Exchange, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    exchange.respond(status, headers, body if status not in (204, 304) else b"")
