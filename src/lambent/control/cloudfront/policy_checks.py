"""What policies may say: what would be configured and not enforced is refused."""

import re

from lambent.control.cloudfront.common import Params, invalid, items, unsupported
from lambent.model.errors import ApiError

NAMES_MAX = 10
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
"""The name of a header."""
_NO_CONTROLS = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_NAME = re.compile(r"[A-Za-z0-9-_]{1,128}")
_KNOWN = frozenset(
    {
        *("cloudfront-forwarded-proto", "cloudfront-viewer-address"),
        *("cloudfront-viewer-http-version", "cloudfront-is-android-viewer"),
        *("cloudfront-is-desktop-viewer", "cloudfront-is-ios-viewer"),
        *("cloudfront-is-mobile-viewer", "cloudfront-is-smarttv-viewer"),
        "cloudfront-is-tablet-viewer",
    }
)
"""Headers that are made here; the others say where a viewer is, which is not known."""
_NEVER_KEYED = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "cookie", "expect", "if-match"),
        *("if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive"),
        *("max-forwards", "pragma", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade", "via"),
        *("x-real-ip", "x-cache", "x-forwarded-proto"),
    }
)
_NEVER_SET = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-range", "date", "expect"),
        *("keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("set-cookie", "te", "trailer", "transfer-encoding", "upgrade", "via", "warning"),
        *("x-cache", "x-real-ip"),
    }
)


def check_ttls(low: int, usual: int | None, high: int | None) -> None:
    """Raise `InvalidTTLOrder` unless the times are in their order."""
    if low < 0 or (usual is not None and usual < low) or (high is not None and high < low):
        raise ApiError("InvalidTTLOrder", "The order of the TTL values is not valid.")
    if usual is not None and high is not None and usual > high:
        raise ApiError("InvalidTTLOrder", "The order of the TTL values is not valid.")


def check_quantity(structure: Params | None, what: str, most: int | None = None) -> None:
    """Raise unless a list has as many items as it says, and not too many."""
    if structure is None:
        return
    found = items(structure)
    if structure.get("Quantity", len(found)) != len(found):
        raise ApiError(
            "InconsistentQuantities",
            f"The value of Quantity and the size of Items don't match for {what}.",
        )
    if most is not None and len(found) > most:
        raise invalid(f"There are more than {most} {what}.")


def check_headers(names: Params | None, *, is_key: bool) -> None:
    """Raise for headers that cannot be part of a key, or forwarded."""
    check_quantity(names, "headers", None if names is None else 50)
    for name in items(names):
        low = name.lower()
        if TOKEN.fullmatch(name) is None or low in _NEVER_KEYED or low.startswith("x-amz-cf-"):
            raise invalid(f"The header {name[:128]!r} is not allowed.")
        if low.startswith("cloudfront-") and low not in _KNOWN:
            raise unsupported(f"the header {name[:128]}: where viewers are is not known here")
        if low == "authorization" and not is_key:
            raise invalid("The header Authorization belongs to a cache policy.")


def check_cache_policy(config: Params) -> None:
    """A `CachePolicyConfig`."""
    _check_name(config)
    check_ttls(config["MinTTL"], config.get("DefaultTTL"), config.get("MaxTTL"))
    selected = config.get("ParametersInCacheKeyAndForwardedToOrigin")
    if selected is None:
        return
    headers = selected["HeadersConfig"]
    check_headers(headers.get("Headers"), is_key=True)
    for what, member in (("Headers", headers), *_names(selected)):
        check_quantity(member.get(what), what, NAMES_MAX)
    _check_whitelist(headers, "HeaderBehavior", "Headers")
    _check_whitelists(selected)


def check_origin_request_policy(config: Params) -> None:
    """An `OriginRequestPolicyConfig`."""
    _check_name(config)
    headers = config["HeadersConfig"]
    check_headers(headers.get("Headers"), is_key=False)
    _check_whitelist(headers, "HeaderBehavior", "Headers")
    for what, member in _names(config):
        check_quantity(member.get(what), what, NAMES_MAX)
    _check_whitelists(config)


def _names(selected: Params) -> tuple[tuple[str, Params], ...]:
    return (
        ("Cookies", selected["CookiesConfig"]),
        ("QueryStrings", selected["QueryStringsConfig"]),
    )


def _check_whitelists(selected: Params) -> None:
    _check_whitelist(selected["CookiesConfig"], "CookieBehavior", "Cookies")
    _check_whitelist(selected["QueryStringsConfig"], "QueryStringBehavior", "QueryStrings")


def _check_whitelist(config: Params, behavior: str, names: str) -> None:
    chosen = config[behavior]
    needs = chosen in ("whitelist", "allExcept", "allViewerAndWhitelistCloudFront")
    if needs != bool(items(config.get(names))):
        raise invalid(f"The parameter {names} does not go with the {behavior} {chosen}.")


def check_response_headers_policy(config: Params) -> None:
    """A `ResponseHeadersPolicyConfig`."""
    _check_name(config)
    if (config.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        raise unsupported("the header Server-Timing (ServerTimingHeadersConfig)")
    values: list[str] = []
    cors = config.get("CorsConfig")
    if cors is not None:
        for part in ("Origins", "Headers", "Methods"):
            member = f"AccessControlAllow{part}"
            check_quantity(cors[member], member, 100)
            values += items(cors[member])
        check_quantity(cors.get("AccessControlExposeHeaders"), "AccessControlExposeHeaders", 100)
        values += items(cors.get("AccessControlExposeHeaders"))
        origins = items(cors["AccessControlAllowOrigins"])
        if not origins or any(origin.count("*") > 1 for origin in origins):
            raise invalid("The parameter AccessControlAllowOrigins is not valid.")
        if cors["AccessControlAllowCredentials"] and "*" in values:
            raise invalid("AccessControlAllowCredentials does not go with an item '*'.")
    security = config.get("SecurityHeadersConfig") or {}
    values.append((security.get("ContentSecurityPolicy") or {}).get("ContentSecurityPolicy", ""))
    protection = security.get("XSSProtection") or {}
    values.append(protection.get("ReportUri", ""))
    if protection.get("ReportUri") and protection.get("ModeBlock"):
        raise invalid("The parameters ModeBlock and ReportUri exclude each other.")
    for name in ("CustomHeadersConfig", "RemoveHeadersConfig"):
        check_quantity(config.get(name), name, NAMES_MAX)
        for header in items(config.get(name)):
            if TOKEN.fullmatch(header["Header"]) is None:
                raise invalid(f"The header {header['Header'][:128]!r} is not allowed.")
            if header["Header"].lower() in _NEVER_SET and name == "CustomHeadersConfig":
                raise invalid(f"The header {header['Header']} cannot be set.")
            if header["Header"].lower() in _NEVER_SET - {"set-cookie", "warning"}:
                raise invalid(f"The header {header['Header']} cannot be removed.")
            values.append(header.get("Value", ""))
    for value in values:
        check_value(value)


def check_value(value: str) -> None:
    """Raise for text that is no value of a header."""
    if _NO_CONTROLS.fullmatch(value) is None or len(value) > 4096 or not _is_latin(value):
        raise invalid(f"{value[:128]!r} cannot be the value of a header.")


def _is_latin(value: str) -> bool:
    return not value or max(value) <= "\xff"


def check_access_control(config: Params) -> None:
    """An `OriginAccessControlConfig`."""
    if config["OriginAccessControlOriginType"] not in ("s3", "lambda"):
        raise unsupported("origins of this type: a bucket or a function URL is one here")
    if config["SigningProtocol"] != "sigv4" or config["SigningBehavior"] == "always-amz-auth":
        raise unsupported("this way to sign requests")


def _check_name(config: Params) -> None:
    if _NAME.fullmatch(config["Name"]) is None:
        raise invalid("The parameter Name is not valid.")
    if config["Name"].startswith("Managed-"):
        raise invalid("Names of own policies do not begin with Managed-.")
