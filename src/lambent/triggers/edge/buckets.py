"""Buckets as origins: of the platform's own S3, or of the emulator's.

Only objects of the distribution's account can be read. A strict platform asks the policy of the
bucket: for CloudFront with the ARN of the distribution, for the origin access identity, or for
everybody. Writing is asked in both modes.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from lambent.identity.authorizer import Caller
from lambent.kit.http.messages import Exchange
from lambent.model.arn import Region, Scope
from lambent.model.cloudfront.names import REGION
from lambent.model.policy import AccessRequest, Verdict, decide, statements_of
from lambent.model.principal import ANONYMOUS, Principal, root_of, service
from lambent.triggers.edge.distribution import Distribution, Origin
from lambent.triggers.edge.inner_exchange import InnerExchange
from lambent.triggers.edge.messages import HOP_BY_HOP, HeaderItems

_HOST = re.compile(
    r"(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.s3(?:[.-](?P<region>[a-z0-9-]{1,32}))?"
    r"\.[a-z0-9.-]{1,190}"
)
_ACTIONS = {
    "GET": "s3:GetObject",
    "HEAD": "s3:GetObject",
    "OPTIONS": "s3:GetObject",
    "PUT": "s3:PutObject",
    "DELETE": "s3:DeleteObject",
}
_PASSED = frozenset(
    {
        *("access-control-request-headers", "access-control-request-method", "cache-control"),
        *("content-disposition", "content-encoding", "content-language", "content-md5"),
        *("content-type", "if-match", "if-modified-since", "if-none-match", "if-range"),
        *("if-unmodified-since", "origin", "range"),
    }
)
"""Headers that S3 gets; others would change what the request means."""
_POLICY_BYTES_MAX = 64 * 1024
_IDENTITY = "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity {}"

Serve = Callable[[Exchange, Caller], None]
"""Serves a request to an AWS API whose caller is known: `Gateway.serve_known`."""


class BucketRefused(Exception):
    """A request that is not sent to S3."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.document = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        ).encode()


def _denied() -> BucketRefused:
    return BucketRefused(403, "AccessDenied", "Access Denied")


class Buckets:
    """See the module."""

    def __init__(self, serve: Serve, *, is_strict: bool) -> None:
        self._serve = serve
        self._is_strict = is_strict

    async def open(
        self,
        distribution: Distribution,
        origin: Origin,
        method: str,
        uri: str,
        headers: HeaderItems,
        body: bytes,
    ) -> InnerExchange:
        """The exchange of a request for an object, whose response has not begun yet. Raises
        `BucketRefused`, and OSError if S3 fails."""
        match = _HOST.fullmatch(origin.domain)
        if match is None:
            raise BucketRefused(404, "NoSuchBucket", "The specified bucket does not exist")
        bucket, region = match["bucket"], Region(match["region"] or REGION)
        action = _ACTIONS.get(method)
        if action is None:
            raise BucketRefused(
                405, "MethodNotAllowed", "The specified method is not allowed against this resource"
            )
        key = unquote(origin.path + uri).lstrip("/")
        if not key or any(part in (".", "..") for part in re.split(r"[/\\]", key)):
            raise _denied()
        scope = Scope(distribution.account, region)
        if self._is_strict or method in ("PUT", "DELETE"):
            await self._check(distribution, origin, scope, bucket, key, action)
        passed = [
            (name, value)
            for name, value in headers
            if name.lower() in _PASSED or name.lower().startswith("x-amz-meta-")
        ]
        path = f"/{bucket}/{(origin.path + uri).lstrip('/')}"
        return self._send(scope, method, path, "", passed, body)

    async def _check(
        self,
        distribution: Distribution,
        origin: Origin,
        scope: Scope,
        bucket: str,
        key: str,
        action: str,
    ) -> None:
        """Raise `BucketRefused` unless the bucket's policy allows an action."""
        policy = await self._policy(scope, bucket)
        principal: Principal = ANONYMOUS
        if origin.signs != "never":
            principal = service("cloudfront.amazonaws.com")
        elif origin.has_identity:
            arn = _IDENTITY.format(origin.identity)
            principal = Principal(
                kind="user", account=distribution.account, arn=arn, user_id=origin.identity
            )
        request = AccessRequest(
            principal=principal,
            action=action,
            resource=f"arn:aws:s3:::{bucket}/{key}",
            context={
                "aws:sourcearn": [distribution.arn],
                "aws:sourceaccount": [distribution.account],
            },
        )
        verdict = decide(
            request, identity=(), resource=statements_of([policy]), owner=distribution.account
        )
        if verdict is not Verdict.ALLOWED:
            raise _denied()

    async def _policy(self, scope: Scope, bucket: str) -> Mapping[str, Any]:
        exchange = self._send(scope, "GET", f"/{bucket}", "policy", [], b"")
        try:
            await exchange.head()
            text = b""
            while len(text) <= _POLICY_BYTES_MAX and (chunk := await exchange.read()):
                text += chunk
        finally:
            exchange.close()
        if exchange.status != 200:
            return {}
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _send(
        self, scope: Scope, method: str, path: str, query: str, headers: HeaderItems, body: bytes
    ) -> InnerExchange:
        headers = [("Host", "localhost"), *headers]
        headers = [each for each in headers if each[0].lower() not in HOP_BY_HOP]
        exchange = InnerExchange(
            method, path, query, headers, body, client_address="", is_secure=True
        )
        caller = Caller(
            principal=root_of(scope.account), scope=scope, service="s3", access_key_id=None
        )
        self._serve(exchange, caller)
        return exchange
