"""A response that comes in chunks."""

from collections.abc import Callable

from lambent.model.invocation import Outcome, ResponseSink, Succeeded
from lambent.node.apis.runtime_api import RESPONSE_BYTES_MAX
from lambent.node.environment.failures import oversized_response


class StreamedResponse:
    """Passed on to the caller's sink; without one the response is collected."""

    def __init__(self, sink: ResponseSink | None, content_type: str, latency_s: float) -> None:
        self._sink = sink
        self._content_type = content_type
        self._collected = bytearray()
        self.latency_s = latency_s
        self.count = 0
        """Bytes so far."""

    def begin(self, content_type: str, resume: Callable[[], None]) -> None:
        if self._sink is not None:
            self._sink.begin(content_type, resume)

    def write(self, data: bytes) -> bool:
        self.count += len(data)
        if self._sink is not None:
            return self._sink.write(data)
        if self.count <= RESPONSE_BYTES_MAX:
            self._collected += data
        return True

    def outcome(self) -> Outcome:
        if self._sink is None and self.count > RESPONSE_BYTES_MAX:
            return oversized_response()
        return Succeeded(bytes(self._collected), self._content_type)
