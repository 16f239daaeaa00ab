"""Response headers policies.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lambent.model.document import Body
from lambent.triggers.edge.messages import HeaderItems

_SECURITY = (
    ("X-XSS-Protection", "XSSProtection"),
    ("X-Frame-Options", "FrameOptions"),
    ("Referrer-Policy", "ReferrerPolicy"),
    ("Content-Security-Policy", "ContentSecurityPolicy"),
    ("X-Content-Type-Options", "ContentTypeOptions"),
    ("Strict-Transport-Security", "StrictTransportSecurity"),
)


class ResponseHeaders:
    """Adds headers to responses, and removes some."""

    def __init__(self, config: Body) -> None:
        security = config.get("SecurityHeadersConfig") or {}
        self._set: list[tuple[str, str, bool]] = [
            (name, _security_value(name, security[member]), security[member]["Override"])
            for name, member in _SECURITY
            if security.get(member) and _security_value(name, security[member])
        ]
        for each in _items(config.get("CustomHeadersConfig")):
            self._set.append((each["Header"], each["Value"], each["Override"]))
        removed = _items(config.get("RemoveHeadersConfig"))
        self._removed = frozenset(each["Header"].lower() for each in removed)
        cors = config.get("CorsConfig")
        self._cors = None if cors is None else _Cors(cors)

    @property
    def depends_on_origin(self) -> bool:
        """Whether the result depends on the request's `Origin`."""
        return self._cors is not None

    def apply(self, headers: HeaderItems, method: str, origin: str | None) -> HeaderItems:
        """The headers of a response to a request with this method and `Origin`."""
        added = list(self._set)
        if self._cors is not None and origin is not None:
            added += self._cors.headers(method, origin)
        present = {name.lower() for name, _ in headers} - self._removed
        replaced = {name.lower() for name, _, overrides in added if overrides}
        made = [
            (name, value)
            for name, value in headers
            if name.lower() not in self._removed and name.lower() not in replaced
        ]
        for name, value, overrides in added:
            if overrides or name.lower() not in present:
                made.append((name, value))
        return made


class _Cors:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self._origins = _items(config["AccessControlAllowOrigins"])
        self._overrides = config["OriginOverride"]
        methods = _items(config["AccessControlAllowMethods"])
        if "ALL" in methods:
            methods = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS")
        headers = _items(config["AccessControlAllowHeaders"])
        exposed = _items(config.get("AccessControlExposeHeaders"))
        self._preflight = [
            ("Access-Control-Allow-Methods", ", ".join(methods)),
            ("Access-Control-Allow-Headers", ", ".join(headers)),
        ]
        if config.get("AccessControlMaxAgeSec"):
            age = str(config["AccessControlMaxAgeSec"])
            self._preflight.append(("Access-Control-Max-Age", age))
        self._always = []
        if config["AccessControlAllowCredentials"]:
            self._always.append(("Access-Control-Allow-Credentials", "true"))
        if exposed:
            self._always.append(("Access-Control-Expose-Headers", ", ".join(exposed)))

    def headers(self, method: str, origin: str) -> Iterator[tuple[str, str, bool]]:
        allowed = "*" if "*" in self._origins else origin
        if allowed != "*" and not any(_matches(each, origin) for each in self._origins):
            return
        found = [("Access-Control-Allow-Origin", allowed), *self._always]
        if allowed != "*":
            found.append(("Vary", "Origin"))
        if method == "OPTIONS":
            found += self._preflight
        for name, value in found:
            yield name, value, self._overrides


def _matches(pattern: str, origin: str) -> bool:
    """Whether an origin is one that a policy allows; a scheme need not be named."""
    if "://" not in pattern:
        origin = origin.partition("://")[2]
    first, star, last = pattern.partition("*")
    if not star:
        return origin == pattern
    long_enough = len(origin) >= len(first) + len(last)
    return long_enough and origin.startswith(first) and origin.endswith(last)


def _security_value(name: str, config: Mapping[str, Any]) -> str:
    if name == "X-XSS-Protection":
        if not config["Protection"]:
            return "0"
        if config.get("ModeBlock"):
            return "1; mode=block"
        report = config.get("ReportUri")
        return f"1; report={report}" if report else "1"
    if name == "X-Content-Type-Options":
        return "nosniff"
    if name == "Strict-Transport-Security":
        value = f"max-age={config['AccessControlMaxAgeSec']}"
        value += "; includeSubDomains" if config.get("IncludeSubdomains") else ""
        return value + ("; preload" if config.get("Preload") else "")
    member = {
        "X-Frame-Options": "FrameOption",
        "Referrer-Policy": "ReferrerPolicy",
        "Content-Security-Policy": "ContentSecurityPolicy",
    }[name]
    return str(config[member])


def _items(structure: Mapping[str, Any] | None) -> tuple[Any, ...]:
    return tuple((structure or {}).get("Items") or ())
