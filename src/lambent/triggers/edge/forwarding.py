"""The request for an origin, made of a viewer's.

What is part of the key of the cache is forwarded, and what an origin request policy names. With
`ForwardedValues` CloudFront forwards further headers that are not part of the key. Lambent does so
only for requests whose response is not kept: so no header can change what other viewers get unless
the key or a policy names it.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html
"""

from lambent.triggers.edge.distribution import Behavior, Distribution, Origin
from lambent.triggers.edge.messages import HOP_BY_HOP, EdgeRequest, HeaderItems
from lambent.triggers.edge.selection import made_headers

_ALWAYS = frozenset({"content-type", "content-encoding", "content-language", "content-md5"})
"""What describes the body."""
_CONDITIONS = frozenset(
    {
        *("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
        "range",
    }
)
_NEVER = HOP_BY_HOP | {
    *("accept-encoding", "cookie", "host", "via", "x-forwarded-for", "x-amz-cf-id"),
    *("x-cache", "x-real-ip", "x-forwarded-proto", "cdn-loop"),
}
"""What is made here."""
_NOT_IN_LEGACY = frozenset(
    {"accept", "accept-charset", "accept-language", "referer", "user-agent", "x-http-method"}
)
AGENT = "Amazon CloudFront"


def forwarded_headers(
    request: EdgeRequest, behavior: Behavior, *, is_kept: bool, has_range: bool
) -> HeaderItems:
    """The headers of the viewer that an origin gets. `is_kept` says whether the response may be
    kept, `has_range` whether the request is for a part, which never is."""
    made = made_headers(request)
    found: HeaderItems = []
    for name, value in request.headers:
        low = name.lower()
        if low in _NEVER or low.startswith(("cloudfront-", "x-amz-cf-", "x-edge-")):
            continue
        if low in _CONDITIONS:
            # The response must be the whole object if it is kept.
            if not is_kept or (has_range and low in ("range", "if-range")):
                found.append((name, value))
        elif low in _ALWAYS or _takes(behavior, low, request.method, is_kept=is_kept):
            found.append((name, value))
    for name, value in made.items():
        if name in behavior.key.headers or name in behavior.forward.names:
            found.append((_titled(name), value))
    if not any(name.lower() == "user-agent" for name, _ in found):
        found.append(("User-Agent", AGENT))
    cookies = _cookies(request, behavior)
    if cookies:
        found.append(("Cookie", cookies))
    encoding = _encoding(request, behavior)
    if encoding:
        found.append(("Accept-Encoding", encoding))
    return found


def _takes(behavior: Behavior, name: str, method: str, *, is_kept: bool) -> bool:
    if name in behavior.key.headers:
        return True
    if name == "authorization" and is_kept and not behavior.is_legacy:
        return behavior.forward.kind in ("allViewer", "allViewerAndWhitelistCloudFront")
    if behavior.forward.takes(name):
        return True
    if not behavior.is_legacy or is_kept or name in _NOT_IN_LEGACY:
        return False
    return name != "authorization" or method not in ("GET", "HEAD", "OPTIONS")


def _cookies(request: EdgeRequest, behavior: Behavior) -> str:
    header = request.header("cookie")
    if not header:
        return ""
    keyed, more = behavior.key.cookies, behavior.forward.cookies
    pairs = [pair.strip() for pair in header.split(";")]
    return "; ".join(
        pair for pair in pairs if keyed.takes(name := pair.partition("=")[0]) or more.takes(name)
    )


def _encoding(request: EdgeRequest, behavior: Behavior) -> str:
    accepted = request.header("accept-encoding")
    encodings = behavior.key.encodings
    if encodings.gzip or encodings.brotli:
        return encodings.of(accepted) or "identity"
    return accepted if accepted and behavior.forward.takes("accept-encoding") else ""


def forwarded_query(request: EdgeRequest, behavior: Behavior) -> str:
    """The query strings that an origin gets."""
    keyed, more = behavior.key.queries, behavior.forward.queries
    if "all" in (keyed.kind, more.kind):
        return request.query
    return "&".join(
        part
        for part in request.query.split("&")
        if part and (keyed.takes(name := part.partition("=")[0]) or more.takes(name))
    )


def viewer_host(request: EdgeRequest, behavior: Behavior) -> str | None:
    """The viewer's `Host`, if the origin gets it; else None: it gets its own name."""
    takes = "host" in behavior.key.headers or behavior.forward.takes("host")
    return request.header("host") if takes else None


def passed_headers(request: EdgeRequest, distribution: Distribution) -> HeaderItems:
    """The headers that say where a request has passed."""
    before, via = request.header("x-forwarded-for"), request.header("via")
    return [
        ("X-Forwarded-For", f"{before}, {request.client_ip}" if before else request.client_ip),
        ("Via", f"{via + ', ' if via else ''}1.1 {distribution.domain} (CloudFront)"),
        ("X-Amz-Cf-Id", request.id),
    ]


def headers_for(headers: HeaderItems, host: str | None, origin: Origin) -> HeaderItems:
    """The headers of a request for one origin: with its own name, unless it gets another `Host`,
    and the headers that are configured for it."""
    own = {name.lower() for name, _ in origin.headers}
    kept = [each for each in headers if each[0].lower() not in own and each[0].lower() != "host"]
    return [("Host", host or origin.domain), *kept, *origin.headers]


def _titled(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))
