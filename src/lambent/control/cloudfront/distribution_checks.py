"""What the configuration of a distribution may say.

What would be configured and not enforced is refused when it is configured.
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from lambent.control.cloudfront.associations import check_associations
from lambent.control.cloudfront.common import Params, invalid, items, listed, unsupported
from lambent.control.cloudfront.policies import KINDS, behaviors_of, find_policy, identity_of
from lambent.control.cloudfront.policy_checks import (
    TOKEN,
    check_headers,
    check_quantity,
    check_ttls,
    check_value,
)
from lambent.model.arn import AccountId
from lambent.model.cloudfront.names import (
    ACCESS_CONTROL,
    ACCESS_IDENTITY,
    CACHE_POLICY,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
)
from lambent.model.errors import ApiError
from lambent.store.store import Transaction

_ORIGINS_MAX = _ALIASES_MAX = 100
_BEHAVIORS_MAX, _GROUPS_MAX, _HEADERS_MAX = 75, 10, 30
_METHODS = (
    {"GET", "HEAD"},
    {"GET", "HEAD", "OPTIONS"},
    {"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"},
)
_ERROR_CODES = frozenset(
    {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504},
)
_FAILOVER = frozenset({403, 404, 416, 429, 500, 502, 503, 504})
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){0,16}", re.IGNORECASE)
_ALIAS = re.compile(r"(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_PORT = re.compile(r"[0-9]{1,5}")
_PATTERN = re.compile(r"[A-Za-z0-9_\-.*$/~\"'@:+&?]{1,255}")
_PATH = re.compile(r"(?:/[^\x00-\x20\x7f/?#]+)*")
_REFUSED: Mapping[str, str] = {
    "WebACLId": "web ACLs",
    "ContinuousDeploymentPolicyId": "continuous deployment",
    "Staging": "staging distributions",
    "AnycastIpListId": "static addresses",
    "TenantConfig": "tenants",
    "ViewerMtlsConfig": "certificates of viewers",
    "ConnectionFunctionAssociation": "connection functions",
    "CacheTagConfig": "cache tags",
}
_REFUSED_OF_BEHAVIORS: Mapping[str, str] = {
    "SmoothStreaming": "Smooth Streaming",
    "FieldLevelEncryptionId": "field-level encryption",
    "RealtimeLogConfigArn": "real-time logs",
}
_REFUSED_OF_ORIGINS: Mapping[str, str] = {
    "VpcOriginConfig": "VPC origins",
    "ResponseCompletionTimeout": "ResponseCompletionTimeout",
}
_NEVER_CUSTOM = frozenset(
    {
        *("cache-control", "connection", "content-length", "cookie", "host", "if-match"),
        *("if-modified-since", "if-none-match", "if-range", "if-unmodified-since"),
        *("max-forwards", "pragma", "proxy-authenticate", "proxy-authorization"),
        *("proxy-connection", "range", "request-range", "te", "trailer", "transfer-encoding"),
        *("upgrade", "via", "x-real-ip"),
    }
)


def complete(config: Params) -> dict[str, Any]:
    """A configuration with AWS's defaults for what it leaves out, as it is shown."""
    made = {
        "Aliases": listed(()),
        "DefaultRootObject": "",
        "OriginGroups": listed(()),
        "CacheBehaviors": listed(()),
        "CustomErrorResponses": listed(()),
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "PriceClass": "PriceClass_All",
        "ViewerCertificate": {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        },
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "WebACLId": "",
        "HttpVersion": "http2",
        "IsIPV6Enabled": True,
        "Staging": False,
        **config,
    }
    made["Origins"] = listed([_complete_origin(each) for each in items(config["Origins"])])
    made["DefaultCacheBehavior"] = _complete_behavior(config["DefaultCacheBehavior"])
    made["CacheBehaviors"] = listed(
        [_complete_behavior(each) for each in items(made["CacheBehaviors"])]
    )
    return made


def _complete_origin(origin: Params) -> dict[str, Any]:
    made = {
        "OriginPath": "",
        "CustomHeaders": listed(()),
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 10,
        "OriginShield": {"Enabled": False},
        "OriginAccessControlId": "",
        **origin,
    }
    if "CustomOriginConfig" in origin:
        made["CustomOriginConfig"] = {
            "OriginSslProtocols": listed(("TLSv1.2",)),
            "OriginReadTimeout": 30,
            "OriginKeepaliveTimeout": 5,
            **origin["CustomOriginConfig"],
        }
    return made


def _complete_behavior(behavior: Params) -> dict[str, Any]:
    methods = listed(("GET", "HEAD"))
    given = behavior.get("AllowedMethods") or methods
    return {
        "TrustedSigners": {"Enabled": False, "Quantity": 0},
        "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "SmoothStreaming": False,
        "Compress": False,
        "LambdaFunctionAssociations": listed(()),
        "FunctionAssociations": listed(()),
        "FieldLevelEncryptionId": "",
        **behavior,
        "AllowedMethods": {"CachedMethods": methods, **given},
    }


def check_distribution(
    tx: Transaction, account: AccountId, config: Params, domain: str, *, is_strict: bool
) -> None:
    """Raise `ApiError` for a completed configuration that cannot be served."""
    for member, what in _REFUSED.items():
        if config.get(member):
            raise unsupported(f"{what} ({member})")
    if config.get("ConnectionMode", "direct") != "direct":
        raise unsupported("tenants (ConnectionMode)")
    if (config["Logging"] or {}).get("Enabled"):
        raise unsupported("access logs (Logging)")
    if config["Restrictions"]["GeoRestriction"]["RestrictionType"] != "none":
        raise unsupported("restrictions by country: where viewers are is not known here")
    _check_certificate(config["ViewerCertificate"])
    _check_root_object(config["DefaultRootObject"])
    check_aliases(config, domain)
    check_quantity(config["Origins"], "origins", _ORIGINS_MAX)
    origins = items(config["Origins"])
    ids = [origin["Id"] for origin in origins]
    for origin in origins:
        _check_origin(tx, account, origin, domain)
    groups = items(config["OriginGroups"])
    for group in groups:
        _check_group(group, ids)
    known = [*ids, *(group["Id"] for group in groups)]
    if not origins or len(set(known)) != len(known) or len(groups) > _GROUPS_MAX:
        raise invalid("The ids of origins are missing, or two are the same.", "InvalidOrigin")
    check_quantity(config["CacheBehaviors"], "cache behaviors", _BEHAVIORS_MAX)
    patterns = [each["PathPattern"] for each in items(config["CacheBehaviors"])]
    if len(set(patterns)) != len(patterns):
        raise invalid("Two cache behaviors have the same path pattern.")
    for behavior in behaviors_of(config):
        _check_behavior(tx, account, behavior, known)
        check_associations(tx, account, behavior, is_strict=is_strict)
    for response in items(config["CustomErrorResponses"]):
        _check_error_response(response)


def _check_certificate(certificate: Params) -> None:
    if certificate.get("MinimumProtocolVersion") == "TLSv1.3_2025":
        raise unsupported("a minimum of TLS 1.3: the oldest version is TLS 1.2 for everybody")
    if certificate.get("CloudFrontDefaultCertificate"):
        return
    if certificate.get("SSLSupportMethod") in ("vip", "static-ip"):
        raise unsupported("addresses of a distribution's own (SSLSupportMethod)")


def _check_root_object(name: str) -> None:
    if (
        name.startswith("/")
        or len(name) > 255
        or _PATH.fullmatch(f"/{name}" if name else "") is None
    ):
        raise ApiError(
            "InvalidDefaultRootObject",
            "The default root object file name is too big or contains an invalid character.",
        )


def check_aliases(config: Params, domain: str) -> None:
    """Raise for aliases that are not names of the caller's own: an address, the platform's domain,
    a name of AWS's."""
    check_quantity(config["Aliases"], "aliases", _ALIASES_MAX)
    for alias in items(config["Aliases"]):
        name = alias.lower()
        below = f".{name}".endswith
        if (
            _ALIAS.fullmatch(name) is None
            or len(name) > 253
            or name.rpartition(".")[2].isdecimal()
            or below((f".{domain.lower()}", ".localhost", ".amazonaws.com", ".amazonaws.com.cn"))
            or below((".cloudfront.net", ".on.aws", ".api.aws"))
        ):
            raise invalid(f"The alias {alias[:255]!r} is not a name that can be served.")


def _check_origin(tx: Transaction, account: AccountId, origin: Params, domain: str) -> None:
    for member, what in _REFUSED_OF_ORIGINS.items():
        if origin.get(member):
            raise unsupported(what)
    name, colon, port = origin["DomainName"].partition(":")
    if colon and not (name.lower().endswith(f".{domain.lower()}") and _PORT.fullmatch(port)):
        # The addresses of this platform have its port, and templates cut names out of them.
        raise invalid("The parameter origin name cannot have a colon.")
    if _HOST.fullmatch(name) is None or len(name) > 253 or _is_address(name):
        raise invalid("The parameter origin name cannot be resolved or is not valid.")
    path = origin["OriginPath"]
    if len(path) > 255 or _PATH.fullmatch(path) is None:
        raise invalid("The origin path must begin with a slash and not end with one.")
    check_quantity(origin["CustomHeaders"], "custom headers", _HEADERS_MAX)
    for header in items(origin["CustomHeaders"]):
        low = header["HeaderName"].lower()
        if TOKEN.fullmatch(low) is None or low in _NEVER_CUSTOM or low.startswith("x-amz-"):
            raise invalid(f"The custom header {low[:128]!r} is not allowed.")
        check_value(header["HeaderValue"])
    if not 1 <= origin["ConnectionAttempts"] <= 3 or not 1 <= origin["ConnectionTimeout"] <= 10:
        raise invalid("ConnectionAttempts is 1 to 3, ConnectionTimeout 1 to 10 seconds.")
    custom, s3 = origin.get("CustomOriginConfig"), origin.get("S3OriginConfig")
    if (custom is None) == (s3 is None):
        raise invalid("An origin has either CustomOriginConfig or S3OriginConfig.", "InvalidOrigin")
    if custom is not None:
        _check_custom_origin(custom)
    control, identity = origin["OriginAccessControlId"], identity_of(origin)
    if control:
        found = find_policy(tx, account, ACCESS_CONTROL, control)
        if found is None:
            raise KINDS[ACCESS_CONTROL].missing()
        if identity or (found["OriginAccessControlOriginType"] == "s3") != (custom is None):
            raise ApiError(
                "InvalidOriginAccessControl", "The origin access control is of another type."
            )
    if identity and find_policy(tx, account, ACCESS_IDENTITY, identity) is None:
        raise ApiError(
            "InvalidOriginAccessIdentity",
            "The specified origin access identity does not exist or is not valid.",
        )


def _check_custom_origin(custom: Params) -> None:
    if custom.get("OriginMtlsConfig"):
        raise unsupported("certificates for origins (OriginMtlsConfig)")
    for port in (custom["HTTPPort"], custom["HTTPSPort"]):
        if port not in (80, 443) and not 1024 <= port <= 65535:
            raise invalid("The port of an origin is 80, 443, or 1024 to 65535.")
    if "TLSv1.2" not in items(custom["OriginSslProtocols"]):
        raise unsupported("protocols older than TLSv1.2 (OriginSslProtocols)")
    if not 1 <= custom["OriginReadTimeout"] <= 120:
        raise ApiError("InvalidOriginReadTimeout", "The read timeout is 1 to 120 seconds.")
    if not 1 <= custom["OriginKeepaliveTimeout"] <= 120:
        raise ApiError("InvalidOriginKeepaliveTimeout", "The timeout is 1 to 120 seconds.")


def _check_group(group: Params, origins: list[str]) -> None:
    members = [member["OriginId"] for member in items(group["Members"])]
    codes = items(group["FailoverCriteria"]["StatusCodes"])
    if len(members) != 2 or not set(members) <= set(origins):
        raise invalid("An origin group has two members, which are origins.", "NoSuchOrigin")
    if not codes or not set(codes) <= _FAILOVER:
        raise invalid("The status codes of an origin group are not valid.")
    if group.get("SelectionCriteria", "default") != "default":
        raise unsupported("this way to select an origin (SelectionCriteria)")


def _check_behavior(
    tx: Transaction, account: AccountId, behavior: Params, origins: list[str]
) -> None:
    for member, what in _REFUSED_OF_BEHAVIORS.items():
        if behavior.get(member):
            raise unsupported(f"{what} ({member})")
    for member in ("TrustedSigners", "TrustedKeyGroups", "GrpcConfig"):
        if (behavior.get(member) or {}).get("Enabled"):
            raise unsupported(f"{member}")
    if behavior["TargetOriginId"] not in origins:
        raise ApiError(
            "NoSuchOrigin",
            "One or more of your origins or origin groups do not exist.",
        )
    pattern = behavior.get("PathPattern")
    if pattern is not None and _PATTERN.fullmatch(pattern) is None:
        raise invalid("The path pattern of a cache behavior is not valid.")
    methods, cached = behavior["AllowedMethods"], behavior["AllowedMethods"]["CachedMethods"]
    if set(items(methods)) not in _METHODS or set(items(cached)) not in _METHODS[:2]:
        raise invalid("The combination of methods is not valid.")
    if not set(items(cached)) <= set(items(methods)):
        raise invalid("A method is cached that is not allowed.")
    legacy, policy = behavior.get("ForwardedValues"), behavior.get("CachePolicyId")
    if bool(legacy) == bool(policy):
        raise invalid("A cache behavior has either CachePolicyId or ForwardedValues.")
    for member, kind in (
        ("CachePolicyId", CACHE_POLICY),
        ("OriginRequestPolicyId", ORIGIN_REQUEST_POLICY),
        ("ResponseHeadersPolicyId", RESPONSE_HEADERS_POLICY),
    ):
        id = behavior.get(member)
        if id and find_policy(tx, account, kind, id) is None:
            raise KINDS[kind].missing()
    if legacy:
        if behavior.get("OriginRequestPolicyId"):
            raise invalid("OriginRequestPolicyId does not go with ForwardedValues.")
        _check_legacy(behavior, legacy)


def _check_legacy(behavior: Params, legacy: Params) -> None:
    check_ttls(behavior.get("MinTTL", 0), behavior.get("DefaultTTL"), behavior.get("MaxTTL"))
    headers = legacy.get("Headers")
    if "*" not in items(headers):
        check_headers(headers, is_key=True)
    elif behavior.get("MinTTL", 0):
        raise ApiError("InvalidTTLOrder", "MinTTL must be 0 if all headers are forwarded.")
    cookies = legacy["Cookies"]
    check_quantity(cookies.get("WhitelistedNames"), "cookies", 10)
    check_quantity(legacy.get("QueryStringCacheKeys"), "query strings", 10)
    if (cookies["Forward"] == "whitelist") != bool(items(cookies.get("WhitelistedNames"))):
        raise ApiError("InvalidForwardCookies", "The list of cookies does not go with Forward.")


def _check_error_response(response: Params) -> None:
    if response["ErrorCode"] not in _ERROR_CODES:
        raise ApiError("InvalidErrorCode", "The error code is not valid.")
    path, code = response.get("ResponsePagePath"), response.get("ResponseCode")
    if bool(path) != bool(code):
        raise invalid("ResponsePagePath and ResponseCode go together.")
    if path and (not path.startswith("/") or _PATH.fullmatch(path) is None):
        raise invalid("The path of an error page is not valid.")
    if code and (not code.isascii() or not code.isdecimal() or not 200 <= int(code[:4]) < 600):
        raise ApiError("InvalidResponseCode", "A response code is not valid.")
    if response.get("ErrorCachingMinTTL", 0) < 0:
        raise invalid("ErrorCachingMinTTL is not valid.")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.rpartition(".")[2].isdecimal()
    return True
