"""Responses of S3 that operations write themselves: the contents of objects, chunk by chunk, and
the one document that does not follow the model."""

from xml.etree import ElementTree

import anyio
import anyio.abc

from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.protocols.rest import write_outside_body
from lambent.gateway.protocols.xml import encode_xml
from lambent.gateway.request import Request
from lambent.gateway.services.s3.operations import CONTENT, Found
from lambent.gateway.services.s3.service import S3
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError
from lambent.store.blobs import Blobs

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_WRITE_BYTES = 256 * 1024


class DirectResponses:
    """Serves these operations; what they do is in `operations`."""

    def __init__(self, dispatcher: Dispatcher, blobs: Blobs, tasks: anyio.abc.TaskGroup) -> None:
        self._dispatcher = dispatcher
        self._blobs = blobs
        self._tasks = tasks

    def handle(self, request: Request) -> None:
        """Respond to one request, later."""
        start_task(self._tasks, request.fail, self._serve, request)

    async def _serve(self, request: Request) -> None:
        try:
            output = dict(
                await self._dispatcher.perform(
                    S3,
                    request.operation.name,
                    request.params(),
                    request.caller,
                    request_id=request.request_id,
                    endpoint="",
                )
            )
        except ApiError as error:
            request.refuse(error)
            return
        if request.operation.name == "GetBucketLocation":
            _write_location(request, output.get("LocationConstraint", ""))
            return
        found: Found = output.pop(CONTENT)
        status, headers = _head_of(request, output)
        with anyio.CancelScope() as scope:
            request.exchange.on_disconnect(scope.cancel)
            request.exchange.start(status, headers, length=found.end - found.begin)
            if request.exchange.method != "HEAD":
                await self._write(request.exchange, found)
            request.exchange.finish()

    async def _write(self, exchange: Exchange, found: Found) -> None:
        """Write the bytes that are wanted, as fast as the client reads them."""
        caught_up = anyio.Event()

        def note() -> None:
            caught_up.set()

        exchange.on_writable(note)
        at = 0
        for chunk in found.chunks:
            begin, end = max(found.begin - at, 0), min(found.end - at, chunk.size)
            at += chunk.size
            if begin >= end:
                continue
            try:
                data = await self._blobs.read(chunk.code_key)
            except OSError:
                exchange.abort()  # The object was deleted while it was being read.
                return
            for start in range(begin, end, _WRITE_BYTES):
                if not exchange.write(data[start : min(start + _WRITE_BYTES, end)]):
                    await caught_up.wait()
                    caught_up = anyio.Event()


def _head_of(request: Request, output: dict[str, object]) -> tuple[int, list[tuple[str, str]]]:
    output.pop("ContentLength", None)
    written = write_outside_body(request.operation, output)
    headers = [*written.headers, ("x-amzn-RequestId", request.request_id)]
    return (206 if "ContentRange" in output else 200), headers


def _write_location(request: Request, region: str) -> None:
    """GetBucketLocation's document is one element with the region, which is empty for
    us-east-1."""
    root = ElementTree.Element("LocationConstraint", xmlns=_NAMESPACE)
    root.text = region
    headers = [("Content-Type", "application/xml"), ("x-amzn-RequestId", request.request_id)]
    request.exchange.respond(200, headers, encode_xml(root))
