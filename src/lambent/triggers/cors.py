"""Cross-origin requests to function URLs and HTTP APIs: preflights get their response here, and
configured headers replace those of the function.
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from collections.abc import Mapping, Sequence
from typing import Any

Headers = list[tuple[str, str]]

_PREFIX = "access-control-"


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser asks what it may send."""
    return (
        method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
    )


def preflight_headers(cors: Mapping[str, Any], headers: Mapping[str, str]) -> Headers:
    """What a browser may send, if anything."""
    found = _origin_headers(cors, headers)
    if not found:
        return []
    methods = _listed(cors, "AllowMethods")
    if methods:
        requested = headers["access-control-request-method"]
        found.append(
            ("Access-Control-Allow-Methods", requested if "*" in methods else ",".join(methods))
        )
    allowed = _listed(cors, "AllowHeaders")
    if allowed:
        requested = headers.get("access-control-request-headers", "")
        found.append(
            ("Access-Control-Allow-Headers", requested if "*" in allowed else ",".join(allowed))
        )
    if cors.get("MaxAge") is not None:
        found.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return found


def with_cors(
    cors: Mapping[str, Any] | None, headers: Mapping[str, str], answer: Headers
) -> Headers:
    """The headers of an answer with those that are configured instead of the function's own."""
    if cors is None:
        return answer
    rest = [(name, value) for name, value in answer if not name.lower().startswith(_PREFIX)]
    found = _origin_headers(cors, headers)
    exposed = _listed(cors, "ExposeHeaders")
    if found and exposed:
        found.append(("Access-Control-Expose-Headers", ",".join(exposed)))
    return rest + found


def _origin_headers(cors: Mapping[str, Any], headers: Mapping[str, str]) -> Headers:
    """That the request's origin is welcome; empty if it is not."""
    origin = headers.get("origin")
    origins = _listed(cors, "AllowOrigins")
    if origin is None or ("*" not in origins and not _is_listed(origin, origins)):
        return []
    # Browsers take no wildcard together with credentials: AWS names the origin then.
    is_named = _is_listed(origin, origins) or bool(cors.get("AllowCredentials"))
    found = [("Access-Control-Allow-Origin", origin if is_named else "*")]
    if is_named:
        found.append(("Vary", "Origin"))
    if cors.get("AllowCredentials"):
        found.append(("Access-Control-Allow-Credentials", "true"))
    return found


def _is_listed(origin: str, origins: Sequence[str]) -> bool:
    """Whether an origin is named, or every origin of its scheme is: `https://*`."""
    scheme = origin.partition("://")[0]
    return origin in origins or (scheme in ("http", "https") and f"{scheme}://*" in origins)


def _listed(cors: Mapping[str, Any], member: str) -> Sequence[str]:
    return cors.get(member) or []
