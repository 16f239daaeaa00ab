"""Makes pamqp decode AMQP as tolerantly as other clients do.

Anyone who may publish to a queue can put arbitrary bytes into a text, or a year of 200 billion
into a timestamp, and RabbitMQ delivers them. pamqp then raises an error, which ends the
connection, and RabbitMQ delivers the message again, without end. pamqp also does not accept a
refusal of the virtual host as a response.
"""

import struct
from collections.abc import Callable
from typing import Any

from pamqp import commands, decode

Decode = Callable[[bytes], tuple[int, Any]]


def _read_short_text(value: bytes) -> tuple[int, str]:
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="replace")


def _or_nothing(read: Decode, length: Callable[[bytes], int], nothing: Any) -> Decode:
    """Reads a value, or skips it and returns `nothing` if it is malformed."""

    def tolerant(value: bytes) -> tuple[int, Any]:
        try:
            return read(value)
        except (ValueError, OverflowError, OSError, RecursionError, TypeError):
            return length(value), nothing

    return tolerant


def _table_length(value: bytes) -> int:
    return 4 + int(struct.unpack(">I", value[:4])[0])


def install() -> None:
    """Patch pamqp's decoders."""
    decode.METHODS["shortstr"] = _read_short_text
    decode.METHODS["table"] = _or_nothing(decode.field_table, _table_length, {})
    timestamp = _or_nothing(decode.timestamp, lambda _: 8, None)
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = timestamp
    commands.Connection.Open.valid_responses = ["Connection.OpenOk", "Connection.Close"]
