"""X-Ray trace headers."""

import re
import time

from lambent.kit.ids import random_hex

_TRACE_ID = re.compile(r"[\x21-\x7e]{1,512}")


def trace_id_of(given: str | None) -> str:
    """The trace header to hand on: the caller's, or one of its own, not sampled, in X-Ray's form:
    version, epoch, 96 random bits."""
    if given and _TRACE_ID.fullmatch(given):
        return given
    root, parent = random_hex(24), random_hex(16)
    return f"Root=1-{int(time.time()):08x}-{root};Parent={parent};Sampled=0"
