"""Operations of conversations.

PutSession and RecognizeUtterance return what they have to say in headers: JSON, compressed with
gzip, in Base64. RecognizeUtterance takes it in the same form.
"""

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from lambent.control.lex.code_hooks import CONTENT_TYPE
from lambent.control.lex.room import LexBots
from lambent.gateway.call import Call, Members
from lambent.gateway.definitions import Operation
from lambent.gateway.models import load_model
from lambent.gateway.protocols.values import from_document, scalar_from_json
from lambent.gateway.validation import validate
from lambent.kit.strict_json import parse_plain
from lambent.model.errors import ApiError

_HEADER_BYTES_MAX = 256 * 1024
_NAMES = ("botId", "botAliasId", "localeId", "sessionId")


async def _recognize_text(rooms: LexBots, call: Call) -> Members:
    return await rooms.conversations.recognize_text(call.scope, call.params)


async def _recognize_utterance(rooms: LexBots, call: Call) -> Members:
    params = call.params
    _check_type("requestContentType", params["requestContentType"])
    if "responseContentType" in params:
        _check_type("responseContentType", params["responseContentType"])
    try:
        text = (params.get("inputStream") or b"").decode()
    except UnicodeDecodeError:
        raise _invalid("The text is not UTF-8.") from None
    request: dict[str, Any] = {name: params[name] for name in _NAMES}
    request["text"] = text
    for name in ("sessionState", "requestAttributes"):
        if name in params:
            request[name] = _unpacked(name, params[name])
    model = load_model("lexv2-runtime").operation_model("RecognizeText")
    read: Members = from_document(model.input_shape, request, "", scalar_from_json)
    validate(model, read)
    said = await rooms.conversations.recognize_text(call.scope, read)
    return {
        **_packed(said, "messages", "sessionState", "interpretations", "requestAttributes"),
        **{"sessionId": said["sessionId"], "inputMode": "Text", "contentType": CONTENT_TYPE},
        "inputTranscript": _pack(text),
    }


async def _put_session(rooms: LexBots, call: Call) -> Members:
    if "responseContentType" in call.params:
        _check_type("responseContentType", call.params["responseContentType"])
    said = await rooms.conversations.put_session(call.scope, call.params)
    return {
        **_packed(said, "messages", "sessionState", "requestAttributes"),
        **{"sessionId": said["sessionId"], "contentType": CONTENT_TYPE},
    }


async def _get_session(rooms: LexBots, call: Call) -> Members:
    return await rooms.conversations.get_session(call.scope, call.params)


async def _delete_session(rooms: LexBots, call: Call) -> Members:
    return await rooms.conversations.delete_session(call.scope, call.params)


OPERATIONS: Mapping[str, Operation[LexBots]] = {
    "RecognizeText": _recognize_text,
    "RecognizeUtterance": _recognize_utterance,
    "PutSession": _put_session,
    "GetSession": _get_session,
    "DeleteSession": _delete_session,
}


def _check_type(member: str, value: str) -> None:
    if value.split(";")[0].strip().lower() != "text/plain":
        raise _invalid(f"{member} {value[:100]!r} is not offered: use text/plain, without speech.")


def _packed(said: Members, *names: str) -> dict[str, str]:
    return {name: _pack(said[name]) for name in names if said.get(name)}


def _pack(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def _unpacked(name: str, text: str) -> Any:
    try:
        packed = base64.b64decode(text, validate=True)
        unpack = zlib.decompressobj(wbits=31)
        data = unpack.decompress(packed, _HEADER_BYTES_MAX)
        if unpack.unconsumed_tail or not unpack.eof:
            raise _invalid(f"{name} has more than {_HEADER_BYTES_MAX} bytes, or is cut.")
        return parse_plain(data.decode())
    except (ValueError, zlib.error, binascii.Error):
        raise _invalid(f"{name} is not JSON that is compressed with gzip, in Base64.") from None


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message, status=400)
