"""Lambda authorizers of REST APIs: `TOKEN` and `REQUEST`.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.kit.computing import computed
from lambent.kit.linear_regex import Pattern, PatternError, Work, compile_pattern
from lambent.model.document import Body
from lambent.model.policy import Verdict
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.authorizers.decisions import Cache
from lambent.triggers.apis.authorizers.functions import (
    ARN_CHARS_MAX,
    AskedFunction,
    AuthorizerFailed,
    Policy,
    Unauthorized,
    read_policy,
)
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.parameters import source_value
from lambent.triggers.apis.rest.authorization import DENIED, conditions_of
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError
from lambent.triggers.apis.rest.proxy_event import request_members

_CACHED_MAX = 4_096
_TTL_S = 300


class FunctionAuthorizer:
    """Asks one function. See `Authorization`."""

    def __init__(
        self,
        context: ApiContext,
        stage: Stage,
        id: str,
        body: Body,
        variables: Mapping[str, str],
    ) -> None:
        """Raises ValueError if the document names no function, or has a pattern that cannot be
        used."""
        self._function = AskedFunction(
            context.calls,
            stage.root,
            id,
            uri=body.get("authorizerUri") or "",
            variables=variables,
            role=body.get("authorizerCredentials") or None,
        )
        self._is_token = body.get("type") == "TOKEN"
        text = body.get("identitySource") or ""
        self._sources = [source.strip() for source in text.split(",") if source.strip()]
        if self._is_token and len(self._sources) != 1:
            raise ValueError("A TOKEN authorizer has one identity source.")
        self._pattern = _pattern_of(body)
        ttl = body.get("authorizerResultTtlInSeconds")
        self._ttl_s = (_TTL_S if ttl is None else int(ttl)) if self._sources else 0
        self._results = Cache[Policy](context.clock, size=_CACHED_MAX)
        """By the values of the identity sources."""

    def decide_nowait(self, call: RestCall) -> bool:
        """See `Authorization`."""
        identity = self._identity(call)
        policy = self._results.get(identity) if self._ttl_s else None
        if policy is None or policy.is_large:
            return False
        self._apply(call, policy)
        return True

    async def decide(self, call: RestCall) -> None:
        """See `Authorization`."""
        identity = self._identity(call)
        policy = self._results.get(identity) if self._ttl_s else None
        if policy is None:
            policy = await self._ask(call, identity)
            self._results.put(identity, policy, lifetime_s=self._ttl_s)
        if policy.is_large:
            await computed(self._apply, call, policy)
        else:
            self._apply(call, policy)

    def _identity(self, call: RestCall) -> tuple[str, ...]:
        """The values of the identity sources. Raises `GatewayError` (401) if one is missing, or the
        token has the wrong form. Without caching, REQUEST authorizers are asked anyway."""
        values = tuple(
            source_value(source, call.parameters, call.context, call.variables) or ""
            for source in self._sources
        )
        if not all(values) and (self._is_token or self._ttl_s):
            raise GatewayError("UNAUTHORIZED", "An identity source is missing.")
        if self._pattern is not None:
            try:
                if not self._pattern.matches(values[0], Work()):
                    raise GatewayError("UNAUTHORIZED", "The token has the wrong form.")
            except PatternError as error:
                raise GatewayError("UNAUTHORIZED", str(error)) from None
        return values

    async def ask(self, call: RestCall) -> Policy:
        """What the function says now, whatever it has said before. Raises `GatewayError`."""
        return await self._ask(call, self._identity(call))

    async def _ask(self, call: RestCall, identity: Sequence[str]) -> Policy:
        try:
            event = self._event(call, identity)
            policy = read_policy(await self._function.ask(event, call.request.trace_id))
            for value in policy.context.values():
                if isinstance(value, list | dict):
                    raise AuthorizerFailed("a value of the context is no scalar")
            return policy
        except Unauthorized:
            raise GatewayError("UNAUTHORIZED", "The authorizer raised Unauthorized.") from None
        except AuthorizerFailed as error:
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR", str(error)) from None
        except TimeoutError:
            raise GatewayError("AUTHORIZER_FAILURE", "The authorizer has timed out.") from None

    def _apply(self, call: RestCall, policy: Policy) -> None:
        """Let the request pass, or raise `GatewayError`."""
        if len(call.arn) > ARN_CHARS_MAX:
            raise GatewayError("ACCESS_DENIED", "The ARN of the request is too long.")
        try:
            verdict = policy.judge(call.arn, conditions_of(call))
        except AuthorizerFailed as error:
            raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR", str(error)) from None
        call.authorizer = {
            **{name: _text(value) for name, value in policy.context.items() if value is not None},
            **({} if policy.principal_id is None else {"principalId": policy.principal_id}),
        }
        call.usage_key = policy.usage_key
        if verdict is Verdict.DENIED_BY_IDENTITY:
            raise GatewayError("ACCESS_DENIED", "The authorizer denies it.", message=DENIED)
        if verdict is not Verdict.ALLOWED:
            raise GatewayError("ACCESS_DENIED", "The authorizer does not allow it.")

    def _event(self, call: RestCall, identity: Sequence[str]) -> bytes:
        event: dict[str, Any]
        if self._is_token:
            event = {"type": "TOKEN", "authorizationToken": identity[0], "methodArn": call.arn}
        else:
            event = {"type": "REQUEST", "methodArn": call.arn} | request_members(
                call.resource_path,
                call.path,
                call.request.exchange.method,
                call.parameters,
                call.variables,
                call.context,
            )
            empty = ("queryStringParameters", "multiValueQueryStringParameters")
            for name in (*empty, "pathParameters", "stageVariables"):
                event[name] = event[name] or {}
        return json.dumps(event, separators=(",", ":")).encode()


def _pattern_of(body: Body) -> Pattern | None:
    text = body.get("identityValidationExpression")
    if not text or body.get("type") != "TOKEN":
        return None
    return compile_pattern(text)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
