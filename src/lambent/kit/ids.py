"""Identifiers that must be unique but not secret. Making one needs no system call."""

import random

_random = random.Random()


def random_hex(digits: int) -> str:
    """Random hexadecimal digits."""
    return f"{_random.getrandbits(4 * digits):0{digits}x}"


def new_request_id() -> str:
    """A random (version 4) UUID as text."""
    text = random_hex(32)
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
