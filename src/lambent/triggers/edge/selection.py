"""What of a request is part of the key of the cache, and what is forwarded to the origin.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-the-cache-key.html
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from lambent.triggers.edge.messages import EdgeRequest, HeaderItems, find_header

Key = tuple[str, ...]
"""Identifies a response in the cache: the distribution, the path, and what was selected."""


class Selection(NamedTuple):
    """Some of the cookies or query strings, by name."""

    kind: str = "none"
    """`none`, `all`, `whitelist` or `allExcept`."""
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, config: Mapping[str, Any], behavior: str, names: str) -> "Selection":
        """The selection that a policy has."""
        listed = (config.get(names) or {}).get("Items") or ()
        return cls(config[behavior], frozenset(listed))

    def takes(self, name: str) -> bool:
        """Whether a name is selected."""
        if self.kind == "whitelist":
            return name in self.names
        return self.kind == "all" or (self.kind == "allExcept" and name not in self.names)

    def of_query(self, query: str) -> str:
        """The selected query strings, in their order."""
        if self.kind == "none" or not query:
            return ""
        if self.kind == "all":
            return query
        return "&".join(part for part in query.split("&") if self.takes(part.partition("=")[0]))

    def of_cookies(self, header: str | None) -> str:
        """The selected cookies, by name."""
        if self.kind == "none" or not header:
            return ""
        pairs = [pair.strip() for pair in header.split(";")]
        return "; ".join(sorted(pair for pair in pairs if self.takes(pair.partition("=")[0])))


class Encodings(NamedTuple):
    """The compressed forms that a cache policy tells apart."""

    gzip: bool
    brotli: bool

    def of(self, accepted: str | None) -> str:
        """The normalized `Accept-Encoding`; empty if the viewer accepts neither."""
        if not accepted or not (self.gzip or self.brotli):
            return ""
        known = _normalized.get((self, accepted))
        if known is None:
            names = {
                name.strip().lower()
                for name, _, weight in (part.partition(";") for part in accepted.split(","))
                if not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", weight)
            }
            known = ",".join(
                name
                for name, is_wanted in (("br", self.brotli), ("gzip", self.gzip))
                if is_wanted and name in names
            )
            if len(_normalized) >= _NORMALIZED_MAX:
                _normalized.clear()
            if len(accepted) <= _ACCEPTED_MAX:
                _normalized[self, accepted] = known
        return known


NOTHING = Selection()
NO_ENCODINGS = Encodings(False, False)
_NORMALIZED_MAX, _ACCEPTED_MAX = 1024, 256
_normalized: dict[tuple[Encodings, str], str] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class KeyRule:
    """Which parts of a request make the key."""

    headers: tuple[str, ...] = ()
    """In lower case."""
    cookies: Selection = NOTHING
    queries: Selection = NOTHING
    encodings: Encodings = NO_ENCODINGS

    @property
    def needs_made(self) -> bool:
        """Whether a header is part of the key that is made here: see `made_headers`."""
        return any(name.startswith("cloudfront-") for name in self.headers)

    def key(
        self,
        distribution: str,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
    ) -> Key:
        """The key of a request with these headers, by lower-case name."""
        encoding = self.encodings.of(headers.get("accept-encoding"))
        kind = "OPTIONS" if method == "OPTIONS" else ""
        query = self.queries.of_query(query)
        if not self.headers and self.cookies.kind == "none":
            return (distribution, kind, path, query, encoding)
        cookies = self.cookies.of_cookies(headers.get("cookie"))
        # A header that is absent is another value than an empty one.
        values = [f"={headers[name]}" if name in headers else "" for name in self.headers]
        return (distribution, kind, path, query, encoding, cookies, *values)


@dataclasses.dataclass(frozen=True, slots=True)
class ForwardRule:
    """Which further parts an origin gets."""

    kind: str = "none"
    """`none`, `whitelist`, `allViewer`, `allViewerAndWhitelistCloudFront` or `allExcept`."""
    names: frozenset[str] = frozenset()
    """In lower case."""
    cookies: Selection = NOTHING
    queries: Selection = NOTHING

    def takes(self, name: str) -> bool:
        """Whether a header of the viewer is forwarded, by its name in lower case."""
        if self.kind in ("allViewer", "allViewerAndWhitelistCloudFront"):
            return True
        if self.kind == "allExcept":
            return name not in self.names
        return self.kind == "whitelist" and name in self.names


_MOBILE = re.compile(r"Mobi|iPhone|iPod|Android.{0,200}Mobile", re.IGNORECASE)
_TABLET = re.compile(r"iPad|Tablet|Kindle|Silk|PlayBook", re.IGNORECASE)
_TV = re.compile(r"SmartTV|Smart-TV|AppleTV|GoogleTV|HbbTV|BRAVIA|NetCast|Web0S", re.IGNORECASE)


def made_headers(request: EdgeRequest) -> Mapping[str, str]:
    """The headers that CloudFront makes of a request, by lower-case name. Where the viewer is, is
    not known, so those headers are absent."""
    agent = (request.header("user-agent") or "")[:1024]
    is_android = "Android" in agent
    is_tv = _TV.search(agent) is not None
    is_tablet = not is_tv and (
        _TABLET.search(agent) is not None or (is_android and "Mobile" not in agent)
    )
    is_mobile = not is_tv and not is_tablet and _MOBILE.search(agent) is not None
    facts = {
        "cloudfront-is-android-viewer": is_android,
        "cloudfront-is-ios-viewer": any(name in agent for name in ("iPhone", "iPad", "iPod")),
        "cloudfront-is-mobile-viewer": is_mobile,
        "cloudfront-is-tablet-viewer": is_tablet,
        "cloudfront-is-smarttv-viewer": is_tv,
        "cloudfront-is-desktop-viewer": not (is_mobile or is_tablet or is_tv),
    }
    return {
        "cloudfront-forwarded-proto": "https" if request.is_secure else "http",
        "cloudfront-viewer-address": f"{request.client_ip}:0",
        "cloudfront-viewer-http-version": "1.1",
        **{name: str(fact).lower() for name, fact in facts.items()},
    }


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones are joined."""
    items: HeaderItems = list(headers)
    return {
        name: find_header(items, name) or "" for name in dict.fromkeys(k.lower() for k, _ in items)
    }


class PathPattern:
    """A path with wildcards. Matching takes time in proportion to the path, whatever the pattern:
    parts are found from left to right."""

    def __init__(self, pattern: str) -> None:
        """`*` stands for any characters, `?` for one. A pattern may begin with a slash or not."""
        text = pattern if pattern.startswith(("/", "*")) else f"/{pattern}"
        self._parts = [
            re.compile("".join("." if each == "?" else re.escape(each) for each in part), re.S)
            for part in text.split("*")
        ]
        self._last_length = len(text.rpartition("*")[2])

    def matches(self, path: str) -> bool:
        """Whether a path matches as a whole."""
        if len(self._parts) == 1:
            return self._parts[0].fullmatch(path) is not None
        first, *middle, last = self._parts
        found = first.match(path)
        if found is None:
            return False
        for part in middle:
            found = part.search(path, found.end())
            if found is None:
                return False
        start = len(path) - self._last_length
        return start >= found.end() and last.fullmatch(path, start) is not None


_DOTS = re.compile(r"/\.|//|%2e|%2f|\\|%5c", re.IGNORECASE)


def normal_path(path: str) -> str:
    """The path that cache behaviors are chosen by: without `.` and `..`, so that no spelling leads
    around a behavior."""
    if _DOTS.search(path) is None:
        return path
    segments: list[str] = []
    for segment in unquote(path, encoding="latin-1").replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments) + ("/" if path.endswith("/") and segments else "")
