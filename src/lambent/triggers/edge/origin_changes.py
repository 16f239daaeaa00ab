"""Another origin, as a function of Lambda@Edge names it."""

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from lambent.triggers.edge.distribution import Origin
from lambent.triggers.edge.errors import LAMBDA_RESULT, EdgeFailure
from lambent.triggers.edge.lambda_events import is_disallowed

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,16}")
_PATH = re.compile(r"(?:/[^\x00-\x20\x7f/?#]+)*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,256}")
_VALUE = re.compile(r"[\x09\x20-\x7e\x80-\xff]{0,4096}")
_HEADERS_MAX = 30
_NEVER = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade", "via"})


def changed_origin(described: Mapping[str, Any], before: Origin) -> Origin:
    """The origin that a result describes, `custom` or `s3`. What protects a bucket stays with the
    distribution's own origins. Raises `EdgeFailure` for one that cannot be."""
    ((kind, members),) = described.items()
    if kind not in ("custom", "s3") or not isinstance(members, dict):
        raise _failure("A request has one origin, which is custom or s3.")
    domain, path = members.get("domainName"), members.get("path", "")
    if (
        not isinstance(domain, str)
        or _HOST.fullmatch(domain.lower()) is None
        or len(domain) > 253
        or _is_address(domain)
    ):
        raise _failure("The domainName of the origin is not valid.")
    if not isinstance(path, str) or _PATH.fullmatch(path) is None or len(path) > 255:
        raise _failure("The path of the origin is not valid.")
    made = Origin(
        domain=domain.lower(),
        path=path,
        headers=_headers(members.get("customHeaders", {})),
        attempts=before.attempts,
        connect_s=before.connect_s,
    )
    if kind == "s3":
        is_same = before.is_bucket and before.domain == made.domain
        identified = members.get("authMethod") == "origin-access-identity"
        return dataclasses.replace(
            made,
            is_bucket=True,
            signs=before.signs if is_same or (before.is_bucket and identified) else "never",
            has_identity=before.has_identity and identified,
            identity=before.identity,
        )
    port, protocol = members.get("port", 443), members.get("protocol", "https")
    if not isinstance(port, int) or not (port in (80, 443) or 1024 <= port <= 65535):
        raise _failure("The port of the origin is not valid.")
    if protocol not in ("http", "https"):
        raise _failure("The protocol of the origin is not valid.")
    read_s = members.get("readTimeout", 30)
    if not isinstance(read_s, int) or not 1 <= read_s <= 120:
        raise _failure("The readTimeout of the origin is not valid.")
    is_same = not before.is_bucket and before.domain == made.domain
    return dataclasses.replace(
        made,
        protocol=f"{protocol}-only",
        http_port=port,
        https_port=port,
        read_s=read_s,
        signs=before.signs if is_same else "never",
    )


def _headers(given: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(given, dict) or len(given) > _HEADERS_MAX:
        raise _failure("The customHeaders of the origin are not valid.")
    found = []
    for name, entries in given.items():
        low = name.lower()
        if _NAME.fullmatch(low) is None or low in _NEVER or is_disallowed(low):
            raise _failure("A custom header of the origin is not allowed.")
        for entry in entries if isinstance(entries, list) else [None]:
            value = entry.get("value") if isinstance(entry, dict) else None
            if not isinstance(value, str) or _VALUE.fullmatch(value) is None:
                raise _failure("A custom header of the origin is not valid.")
            found.append((low, value))
    return tuple(found)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdecimal()
    return True


def _failure(reason: str) -> EdgeFailure:
    return EdgeFailure(502, LAMBDA_RESULT.format(reason), "LambdaValidationError")
