"""How long a response is kept in the cache.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_KEPT = frozenset({200, 203, 204, 300, 301, 302, 307, 308, 410})
_ERRORS = frozenset({404, 405, 414, 500, 501, 502, 503, 504})
"""Are always kept for a while."""
_ERRORS_IF_ASKED = frozenset({400, 403, 412, 415})
"""Are kept if the origin says so."""
ERROR_TTL = 10
_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*"?([^",]*)"?)?', re.IGNORECASE)
_AGE_MAX = 3_153_600_000


class Ttls(NamedTuple):
    """Minimum, default and maximum of a behavior, in seconds."""

    low: float
    usual: float
    high: float

    @property
    def is_off(self) -> bool:
        """Whether nothing is kept."""
        return self.high <= 0


class Lifetime(NamedTuple):
    """What is done with a response."""

    is_kept: bool
    seconds: float = 0
    if_error: float | None = None
    """Seconds for which it may be served beyond, while the origin fails; None for any time."""


NOT_KEPT = Lifetime(False)


def directives(header: str | None) -> Mapping[str, str]:
    """The directives of `Cache-Control`, in lower case; those without a value are empty."""
    if not header:
        return {}
    return {match[1].lower(): match[2] or "" for match in _DIRECTIVE.finditer(header[:2048])}


def lifetime(
    status: int,
    headers: Mapping[str, str],
    ttls: Ttls,
    error_ttls: Mapping[int, float],
    now: float,
    *,
    is_private: bool,
) -> Lifetime:
    """What to do with a response with these headers, by lower-case name. `is_private` says whether
    the request had an `Authorization` that is not part of the key: then only what the origin calls
    public is kept."""
    control = directives(headers.get("cache-control"))
    if "*" in headers.get("vary", ""):
        return NOT_KEPT
    if is_private and "public" not in control and "s-maxage" not in control:
        return NOT_KEPT
    said = _said(control, headers.get("expires"), now)
    if status in _ERRORS or (status in _ERRORS_IF_ASKED and said is not None):
        if "no-store" in control or "private" in control:
            return NOT_KEPT
        seconds = max(error_ttls.get(status, ERROR_TTL), said or 0)
        return Lifetime(seconds > 0, seconds)
    if status not in _KEPT:
        return NOT_KEPT
    if_error = _number(control.get("stale-if-error"))
    if "must-revalidate" in control or "proxy-revalidate" in control:
        if_error = 0
    if any(word in control for word in ("no-store", "private")):
        return Lifetime(ttls.low > 0, ttls.low, if_error)
    if "no-cache" in control:
        said = 0
    seconds = max(ttls.low, ttls.usual) if said is None else max(ttls.low, min(said, ttls.high))
    can_revalidate = "etag" in headers or "last-modified" in headers
    return Lifetime(seconds > 0 or can_revalidate, seconds, if_error)


def _said(control: Mapping[str, str], expires: str | None, now: float) -> float | None:
    """For how long the origin says that a response is fresh; None if it does not say."""
    for name in ("s-maxage", "max-age"):
        seconds = _number(control.get(name))
        if seconds is not None:
            return seconds
    if expires is None:
        return None
    try:
        return max(0.0, parsedate_to_datetime(expires).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return 0.0  # RFC 9111: what is no date is in the past.


def _number(text: str | None) -> float | None:
    if text is None or not text.isascii() or not text.strip().isdecimal():
        return None
    return float(min(int(text.strip()[:12]), _AGE_MAX))
