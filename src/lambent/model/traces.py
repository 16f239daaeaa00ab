"""X-Ray trace headers, and the lineage in them: which functions called each other on the way here.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
"""

import functools
import hashlib
import re
import time

from lambent.kit.ids import random_hex

LOOPS_MAX = 16
"""As often a function may come up in a chain of invocations it is part of."""
_LINEAGE = "Lineage=1:"
_ANCESTOR = re.compile(r"([0-9a-f]{8}):([0-9]{1,5})")
_ANCESTORS_MAX = 16
_REST_MAX = 768
TRACE_ID_MAX = 1024
_TRACE_ID = re.compile(rf"[\x21-\x7e]{{1,{TRACE_ID_MAX}}}")
_ROOT = re.compile(r"(?:^|;)Root=1-[0-9a-f]{8}-[0-9a-f]{24}(?:;|$)", re.IGNORECASE)


def trace_id_of(given: str | None) -> str:
    """The trace header to hand on: the caller's, or one of its own, not sampled, in X-Ray's form:
    version, epoch, 96 random bits."""
    if given and _TRACE_ID.fullmatch(given):
        return given
    digits = random_hex(40)
    return f"Root=1-{int(time.time()):08x}-{digits[:24]};Parent={digits[24:]};Sampled=0"


def is_trace_header(text: str) -> bool:
    """Whether it has the form that services demand of a trace header: not every text that a
    caller of ours may send has."""
    return _ROOT.search(text) is not None


def extend_lineage(header: str, arn: str) -> tuple[str, int]:
    """The trace header for an invocation of a function, and how often that function comes up in
    the chain already. SDKs hand the header on to whatever a function calls.

    A lineage is `Lineage=1:<hash>:<times>`, with further functions after a `|`. One that is not
    understood is replaced; of one that is too long the oldest function is forgotten.
    """
    own = _hash(arn)
    if _LINEAGE not in header:
        rest = header.rstrip(";")[:_REST_MAX]
        return f"{rest};{_LINEAGE}{own}:0".lstrip(";"), 0
    start = header.index(_LINEAGE)
    found, _, after = header[start + len(_LINEAGE) :].partition(";")
    rest = header[:start] + after
    ancestors = {
        match[1]: int(match[2]) for match in map(_ANCESTOR.fullmatch, found.split("|")) if match
    }
    count = ancestors.pop(own, -1) + 1
    kept = [*ancestors.items()][1 - _ANCESTORS_MAX :]
    lineage = "|".join(f"{hash_}:{times}" for hash_, times in (*kept, (own, min(count, 99_999))))
    rest = rest.rstrip(";")[:_REST_MAX]
    return f"{rest};{_LINEAGE}{lineage}".lstrip(";"), count


@functools.lru_cache(4096)
def _hash(arn: str) -> str:
    return hashlib.sha256(arn.encode()).hexdigest()[:8]
