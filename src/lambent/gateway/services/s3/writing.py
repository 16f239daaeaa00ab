"""Responses of S3 that are not documents of the model: the contents of objects, which are sent
chunk by chunk, and the location of a bucket."""

from collections.abc import Awaitable, Callable
from xml.etree import ElementTree

import anyio

from lambent.gateway.call import Members
from lambent.gateway.protocols.rest import write_outside_body
from lambent.gateway.protocols.xml import encode_xml
from lambent.gateway.request import Request, WriteResponse
from lambent.gateway.services.s3.operations import CONTENT, Found
from lambent.identity.authorizer import Caller
from lambent.kit.http.messages import Exchange
from lambent.model.errors import ApiError
from lambent.store.blobs import Blobs

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_WRITE_BYTES = 256 * 1024
_WHOLE_BYTES_MAX = 64 << 20

Dispatch = Callable[[str, str, Members, Caller], Awaitable[Members]]
"""Performs an operation: service, name, input, caller."""


def content_writer(blobs: Blobs) -> WriteResponse:
    """Writes the responses of GetObject and HeadObject."""

    async def write(request: Request, output: Members) -> None:
        members = dict(output)
        found: Found = members.pop(CONTENT)
        members.pop("ContentLength")
        exchange = request.exchange
        headers = write_outside_body(request.operation, members).headers
        headers.append(("x-amzn-RequestId", request.request_id))
        with anyio.CancelScope() as scope:
            exchange.on_disconnect(scope.cancel)
            status = 206 if "ContentRange" in members else 200
            exchange.start(status, headers, length=found.end - found.begin)
            try:
                if exchange.method != "HEAD":
                    await _write_content(exchange, found, blobs)
            except (OSError, ApiError):
                exchange.abort()  # The object was deleted, or its storage is away.
            else:
                exchange.finish()

    return write


def with_whole_objects(dispatch: Dispatch, blobs: Blobs) -> Dispatch:
    """`dispatch`, whose GetObject returns the object as `Body`, as clients have it. Objects of
    more than `_WHOLE_BYTES_MAX` are refused with EntityTooLarge."""

    async def perform(service: str, operation: str, params: Members, caller: Caller) -> Members:
        output = await dispatch(service, operation, params, caller)
        if CONTENT not in output:
            return output
        members = dict(output)
        found: Found = members.pop(CONTENT)
        if operation != "GetObject":
            return members
        if found.end - found.begin > _WHOLE_BYTES_MAX:
            raise ApiError("EntityTooLarge", "The object is too large to be read at once.")
        body, at = bytearray(), 0
        for chunk in found.chunks:
            begin, end = max(found.begin - at, 0), min(found.end - at, chunk.size)
            at += chunk.size
            if begin < end:
                body += (await blobs.read(chunk.code_key))[begin:end]
        return {**members, "Body": bytes(body)}

    return perform


async def write_location(request: Request, output: Members) -> None:
    """Writes the response of GetBucketLocation: one element with the region, which is empty for
    us-east-1."""
    root = ElementTree.Element("LocationConstraint", xmlns=_NAMESPACE)
    root.text = output.get("LocationConstraint", "")
    headers = [("Content-Type", "application/xml"), ("x-amzn-RequestId", request.request_id)]
    request.exchange.respond(200, headers, encode_xml(root))


async def _write_content(exchange: Exchange, found: Found, blobs: Blobs) -> None:
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
        data = await blobs.read(chunk.code_key)
        for start in range(begin, end, _WRITE_BYTES):
            if not exchange.write(data[start : min(start + _WRITE_BYTES, end)]):
                await caught_up.wait()
                caught_up = anyio.Event()
