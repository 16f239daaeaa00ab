"""Distributions as they are served."""

import dataclasses
from collections.abc import Mapping, Sequence

from lambent.model.arn import AccountId
from lambent.model.cloudfront.names import DISTRIBUTION, arn_of
from lambent.model.function import FunctionKey
from lambent.triggers.edge.lifetimes import Ttls
from lambent.triggers.edge.response_headers import ResponseHeaders
from lambent.triggers.edge.selection import ForwardRule, KeyRule, PathPattern, normal_path


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A server, or a bucket."""

    id: str = ""
    domain: str
    path: str = ""
    """In front of the paths of requests."""
    headers: tuple[tuple[str, str], ...] = ()
    """Added to every request."""
    is_bucket: bool = False
    protocol: str = "https-only"
    """`http-only`, `https-only` or `match-viewer`."""
    http_port: int = 80
    https_port: int = 443
    attempts: int = 3
    connect_s: float = 10
    read_s: float = 30
    signs: str = "never"
    """Whether requests are signed: `never`, `always` or `no-override`."""
    has_identity: bool = False
    """Whether requests to a bucket come from an origin access identity."""
    identity: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Origins:
    """Where requests go: the second origin is for those that fail at the first."""

    first: Origin
    second: Origin | None = None
    fails_over: frozenset[int] = frozenset()
    """Status codes of the first origin that count as a failure."""


@dataclasses.dataclass(frozen=True, slots=True)
class EdgeLambda:
    """A function of Lambda at the edge."""

    key: FunctionKey
    version: str
    has_body: bool = False
    """Whether it gets the body of the request."""


@dataclasses.dataclass(frozen=True, slots=True)
class EdgeFunction:
    """A CloudFront function."""

    name: str
    code: str
    """In base64."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Behavior:
    """A cache behavior."""

    origins: Origins
    protocol: str
    """`allow-all`, `https-only` or `redirect-to-https`."""
    allowed: frozenset[str]
    cached: frozenset[str]
    """Methods."""
    key: KeyRule
    forward: ForwardRule
    is_legacy: bool
    """Whether it has `ForwardedValues`."""
    ttls: Ttls
    is_cached: bool
    """Whether any response is kept."""
    compresses: bool
    headers: ResponseHeaders | None
    lambdas: Mapping[str, EdgeLambda]
    functions: Mapping[str, EdgeFunction]
    """By event type."""

    @property
    def has_viewer_function(self) -> bool:
        """Whether a function runs although the response is in the cache."""
        return bool(self.functions) or any(name.startswith("viewer") for name in self.lambdas)

    @property
    def forwards_cookies(self) -> bool:
        """Whether an origin gets any cookies; if not, none that it sets reaches a viewer."""
        return self.key.cookies.kind != "none" or self.forward.cookies.kind != "none"


@dataclasses.dataclass(frozen=True, slots=True)
class ErrorPage:
    """What viewers get for an error of the origin."""

    path: str
    status: int


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Distribution:
    """A distribution."""

    id: str
    account: AccountId
    domain: str
    is_enabled: bool
    root_object: str
    behaviors: Sequence[tuple[PathPattern, Behavior]]
    default: Behavior
    error_pages: Mapping[int, ErrorPage]
    error_ttls: Mapping[int, float]
    is_current: bool = True
    """Whether nothing has changed since: what an origin sends now may be kept."""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return arn_of(self.account, DISTRIBUTION, self.id)

    def behavior(self, path: str) -> Behavior:
        """The cache behavior of a path."""
        if self.behaviors:
            normal = normal_path(path)
            for pattern, behavior in self.behaviors:
                if pattern.matches(normal):
                    return behavior
        return self.default

    def object_path(self, path: str) -> str:
        """The path of the object: of the root object for the root."""
        return f"/{self.root_object}" if path == "/" and self.root_object else path
