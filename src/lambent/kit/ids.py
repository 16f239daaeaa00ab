"""Identifiers that must be unique but not secret. Making one needs no system call."""

import os
import random

_random = random.Random()
os.register_at_fork(after_in_child=_random.seed)
_RANDOM_BITS = (1 << 128) - 1 - (0xF << 76) - (0x3 << 62)
_VERSION_4 = (0x4 << 76) + (0x2 << 62)
"""Version and variant of a UUID."""


def random_bits(count: int) -> int:
    """A random number of so many bits."""
    return _random.getrandbits(count)


def random_hex(digits: int) -> str:
    """Random hexadecimal digits."""
    return f"{_random.getrandbits(4 * digits):0{digits}x}"


def new_request_id() -> str:
    """A random (version 4) UUID as text."""
    text = f"{_random.getrandbits(128) & _RANDOM_BITS | _VERSION_4:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
