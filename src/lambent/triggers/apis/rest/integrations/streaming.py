"""Responses that are streamed: `responseTransferMode` is `STREAM`.

A function responds with status and headers as JSON, eight NULs, and the body, which goes to the
client chunk by chunk. The content type of the stream does not matter.
https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

import asyncio
import json
import logging
from collections.abc import Callable

from lambent.model.invocation import Outcome, Reply, RunReport
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.integrations.functions import Finish
from lambent.triggers.apis.rest.proxy_result import read_head
from lambent.triggers.url_response import PRELUDE_BYTES_MAX, PRELUDE_END, STREAM_TYPE, UrlResponse
from lambent.triggers.url_stream import UrlStream

logger = logging.getLogger(__name__)

IDLE_S, EDGE_IDLE_S = 300.0, 30.0
"""How long a stream may be silent: of a regional API, and of an edge-optimized one."""
FAILED = "The function failed: its log says why."
MALFORMED = "Malformed Lambda proxy response: the stream does not begin with metadata and 8 NULs."


def read_metadata(payload: bytes, _: str) -> UrlResponse | None:
    """The response that the first of a stream stands for: its status, its headers, and what there
    is of its body. None if it does not begin with metadata."""
    end = payload.find(PRELUDE_END, 0, PRELUDE_BYTES_MAX + len(PRELUDE_END))
    if end < 0:
        return None
    try:
        status, headers = read_head(json.loads(payload[:end]))
    except (ValueError, RecursionError):
        return None
    return UrlResponse(status, headers, payload[end + len(PRELUDE_END) :])


class StreamedReply:
    """The reply of a function whose response is streamed. See `Reply`. The whole may take as long
    as the integration's timeout: then the client gets 504, or its response is cut. The function
    runs on."""

    __slots__ = (
        "_finish",
        "_heard",
        "_idle_s",
        "_is_over",
        "_stream",
        "_timeout_s",
        "_timers",
        "call",
    )

    def __init__(self, call: RestCall, finish: Finish, *, timeout_s: float, idle_s: float) -> None:
        """`finish` goes on with the outcome of a call that has streamed nothing."""
        self.call = call
        self._finish = finish
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._heard = 0.0
        """When the last chunk came."""
        self._stream: UrlStream | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._is_over = False
        """Whether the client has had its response, or the time was over."""

    def begun(self) -> Reply:
        """See `CallReply`."""
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        self._timers = [
            loop.call_later(self._timeout_s, self._time_out),
            loop.call_later(self._idle_s, self._look),
        ]
        return self

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        """See `Reply`."""
        self._stream = UrlStream(
            self.call.request.exchange, start=self._start, respond=self._respond, read=read_metadata
        )
        self._stream.begin(STREAM_TYPE, resume)

    def write(self, data: bytes) -> bool:
        """See `Reply`."""
        assert self._stream is not None, "a stream has begun"
        if self._is_over:
            return True
        self._heard = asyncio.get_running_loop().time()
        return self._stream.write(data)

    def finish(self, outcome: Outcome, report: RunReport) -> None:
        """See `Reply`."""
        if self._is_over:
            return
        self._end()
        call, stream = self.call, self._stream
        try:
            if stream is None:
                self._finish(call, outcome)
                return
            if not stream.end(is_complete=outcome.has_succeeded):
                raise GatewayError("DEFAULT_5XX", MALFORMED if outcome.has_succeeded else FAILED)
            if call.is_streamed and outcome.has_succeeded:
                call.ended(stream.sent_bytes)
            elif call.is_streamed:
                call.cut(GatewayError("DEFAULT_5XX", FAILED), stream.sent_bytes)
        except GatewayError as error:
            call.refuse(error)
        except Exception:
            logger.exception("cannot respond to a request to %s", call.request.stage.root.id)
            call.fail()

    def _start(self, response: UrlResponse) -> None:
        self.call.note("Received response. Status: 200")
        self.call.integration_status = 200
        self.call.start(response.status, response.headers)

    def _respond(self, response: UrlResponse) -> None:
        self.call.integration_status = 200
        self.call.respond(response.status, response.headers)

    def _look(self) -> None:
        """Whether the stream was silent for too long."""
        loop, over = asyncio.get_running_loop(), self._heard + self._idle_s
        if loop.time() >= over:
            self._time_out()
        else:
            self._timers[1] = loop.call_at(over, self._look)

    def _time_out(self) -> None:
        self._end()
        error = GatewayError("INTEGRATION_TIMEOUT", "The integration has timed out.")
        if self.call.is_streamed:
            assert self._stream is not None, "it has begun"
            self.call.cut(error, self._stream.sent_bytes)
        else:
            self.call.refuse(error)

    def _end(self) -> None:
        self._is_over = True
        for timer in self._timers:
            timer.cancel()
