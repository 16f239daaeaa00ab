"""AWS's managed policies, by id.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html
"""

from collections.abc import Mapping
from typing import Any

from lambent.model.cloudfront.names import (
    CACHE_POLICY,
    ORIGIN_REQUEST_POLICY,
    RESPONSE_HEADERS_POLICY,
)
from lambent.model.document import Body

_DAY, _YEAR = 86_400, 31_536_000


def _some(behavior: str, kind: str, names: tuple[str, ...]) -> dict[str, Any]:
    chosen: dict[str, Any] = {behavior: names[0] if names[:1] in _WORDS else "whitelist"}
    listed = names[1:] if names[:1] in _WORDS else names
    if listed:
        chosen[kind] = {"Quantity": len(listed), "Items": list(listed)}
    return chosen


_WORDS = (
    *(("none",), ("all",), ("allExcept",), ("allViewer",)),
    ("allViewerAndWhitelistCloudFront",),
)
_NONE, _ALL = ("none",), ("all",)


def _selected(
    headers: tuple[str, ...], cookies: tuple[str, ...], queries: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "HeadersConfig": _some("HeaderBehavior", "Headers", headers),
        "CookiesConfig": _some("CookieBehavior", "Cookies", cookies),
        "QueryStringsConfig": _some("QueryStringBehavior", "QueryStrings", queries),
    }


def _cache(
    name: str,
    ttls: tuple[int, int, int],
    headers: tuple[str, ...] = _NONE,
    cookies: tuple[str, ...] = _NONE,
    queries: tuple[str, ...] = _NONE,
    *,
    compresses: tuple[bool, bool] = (True, True),
) -> Body:
    low, usual, high = ttls
    return {
        "Name": f"Managed-{name}",
        "Comment": "",
        "MinTTL": low,
        "DefaultTTL": usual,
        "MaxTTL": high,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": compresses[0],
            "EnableAcceptEncodingBrotli": compresses[1],
            **_selected(headers, cookies, queries),
        },
    }


_ORIGIN_HEADERS = (
    *("host", "origin", "x-http-method-override", "x-http-method"),
    "x-method-override",
)
_DEVICE_HEADERS = (
    *("CloudFront-Forwarded-Proto", "CloudFront-Is-Android-Viewer"),
    *("CloudFront-Is-Desktop-Viewer", "CloudFront-Is-IOS-Viewer"),
    *("CloudFront-Is-Mobile-Viewer", "CloudFront-Is-SmartTV-Viewer"),
    *("CloudFront-Is-Tablet-Viewer", "CloudFront-Viewer-Address", "CloudFront-Viewer-ASN"),
    *("CloudFront-Viewer-City", "CloudFront-Viewer-Country", "CloudFront-Viewer-Country-Name"),
    *("CloudFront-Viewer-Country-Region", "CloudFront-Viewer-Country-Region-Name"),
    *("CloudFront-Viewer-Http-Version", "CloudFront-Viewer-Latitude"),
    *("CloudFront-Viewer-Longitude", "CloudFront-Viewer-Metro-Code"),
    *("CloudFront-Viewer-Postal-Code", "CloudFront-Viewer-Time-Zone", "CloudFront-Viewer-TLS"),
)


def _forward(
    name: str,
    headers: tuple[str, ...],
    cookies: tuple[str, ...] = _NONE,
    queries: tuple[str, ...] = _NONE,
) -> Body:
    return {"Name": f"Managed-{name}", "Comment": "", **_selected(headers, cookies, queries)}


def _items(*values: str) -> dict[str, Any]:
    return {"Quantity": len(values), "Items": list(values)}


def _cors(*methods: str, exposes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "CorsConfig": {
            "AccessControlAllowOrigins": _items("*"),
            "AccessControlAllowHeaders": _items("*"),
            "AccessControlAllowMethods": _items(*methods),
            "AccessControlAllowCredentials": False,
            **({"AccessControlExposeHeaders": _items(*exposes)} if exposes else {}),
            "OriginOverride": False,
        }
    }


_SIMPLE = _cors("GET", "HEAD")
_PREFLIGHT = _cors(
    *("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"),
    exposes=("*",),
)
_SECURITY: Body = {
    "SecurityHeadersConfig": {
        "XSSProtection": {"Override": False, "Protection": True, "ModeBlock": True},
        "FrameOptions": {"Override": False, "FrameOption": "SAMEORIGIN"},
        "ReferrerPolicy": {
            "Override": False,
            "ReferrerPolicy": "strict-origin-when-cross-origin",
        },
        "ContentTypeOptions": {"Override": True},
        "StrictTransportSecurity": {"Override": False, "AccessControlMaxAgeSec": _YEAR},
    }
}


def _answer(name: str, *parts: Body) -> Body:
    body: dict[str, Any] = {"Name": f"Managed-{name}", "Comment": ""}
    for part in parts:
        body |= part
    return body


MANAGED: Mapping[str, Mapping[str, Body]] = {
    CACHE_POLICY: {
        "658327ea-f89d-4fab-a63d-7e88639e58f6": _cache("CachingOptimized", (1, _DAY, _YEAR)),
        "b2884449-e4de-46a7-ac36-70bc7f1ddd6d": _cache(
            "CachingOptimizedForUncompressedObjects", (1, _DAY, _YEAR), compresses=(False, False)
        ),
        "4135ea2d-6df8-44a3-9df3-4b5a84be39ad": _cache(
            "CachingDisabled", (0, 0, 0), compresses=(False, False)
        ),
        "08627262-05a9-4f76-9ded-b50ca2e3a84f": _cache(
            "Elemental-MediaPackage",
            (0, _DAY, _YEAR),
            ("origin",),
            queries=("aws.manifestfilter", "start", "end", "m"),
            compresses=(True, False),
        ),
        "2e54312d-136d-493c-8eb9-b001f22f67d2": _cache(
            "Amplify",
            (2, 2, 600),
            ("Authorization", "CloudFront-Viewer-Country", "Host"),
            _ALL,
            _ALL,
        ),
        "83da9c7e-98b4-4e11-a168-04f0df8e2c65": _cache(
            "UseOriginCacheControlHeaders", (0, 0, _YEAR), _ORIGIN_HEADERS, _ALL
        ),
        "4cc15a8a-d715-48a4-82b8-cc0b614638fe": _cache(
            "UseOriginCacheControlHeaders-QueryStrings", (0, 0, _YEAR), _ORIGIN_HEADERS, _ALL, _ALL
        ),
    },
    ORIGIN_REQUEST_POLICY: {
        "216adef6-5c7f-47e4-b989-5492eafa07d3": _forward("AllViewer", ("allViewer",), _ALL, _ALL),
        "33f36d7e-f396-46d9-90e0-52428a34d9dc": _forward(
            "AllViewerAndCloudFrontHeaders-2022-06",
            ("allViewerAndWhitelistCloudFront", *_DEVICE_HEADERS),
            _ALL,
            _ALL,
        ),
        "b689b0a8-53d0-40ab-baf2-68738e2966ac": _forward(
            "AllViewerExceptHostHeader", ("allExcept", "host"), _ALL, _ALL
        ),
        "59781a5b-3903-41f3-afcb-af62929ccde1": _forward("CORS-CustomOrigin", ("origin",)),
        "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": _forward(
            "CORS-S3Origin",
            ("origin", "access-control-request-headers", "access-control-request-method"),
        ),
        "775133bc-15f2-49f9-abea-afb2e0bf67d2": _forward(
            "Elemental-MediaTailor-PersonalizedManifests",
            (
                *("origin", "access-control-request-headers", "access-control-request-method"),
                *("user-agent", "x-forwarded-for"),
            ),
            queries=_ALL,
        ),
        "bf0718e1-ba1e-49d1-88b1-f726733018ae": _forward("HostHeaderOnly", ("host",)),
        "acba4595-bd28-49b8-b9fe-13317c0390fa": _forward(
            "UserAgentRefererHeaders", ("user-agent", "referer")
        ),
    },
    RESPONSE_HEADERS_POLICY: {
        "60669652-455b-4ae9-85a4-c4c02393f86c": _answer("SimpleCORS", _SIMPLE),
        "5cc3b908-e619-4b99-88e5-2cf7f45965bd": _answer("CORS-With-Preflight", _PREFLIGHT),
        "67f7725c-6f97-4210-82d7-5512b31e9d03": _answer("SecurityHeadersPolicy", _SECURITY),
        "e61eb60c-9c35-4d20-a928-2b84e02af89c": _answer(
            "CORS-and-SecurityHeadersPolicy", _SIMPLE, _SECURITY
        ),
        "eaab4381-ed33-4a86-88ca-d9558dc6cd63": _answer(
            "CORS-with-preflight-and-SecurityHeadersPolicy", _PREFLIGHT, _SECURITY
        ),
    },
}
"""Configurations by kind and id."""
