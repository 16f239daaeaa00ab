"""Lambda authorizers of HTTP APIs, in both payload formats."""

import logging
from collections.abc import Sequence
from typing import Any

from lambent.kit.computing import computed
from lambent.model.document import Body
from lambent.model.policy import Verdict
from lambent.model.selections import IDENTITY_SOURCES, parse_selection
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.authorizers.decisions import Cache, Decision
from lambent.triggers.apis.authorizers.functions import (
    ARN_CHARS_MAX,
    AskedFunction,
    AuthorizerFailed,
    Policy,
    SimpleAnswer,
    Unauthorized,
    read_policy,
    read_simple,
)
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.events import (
    encode,
    event_headers,
    event_v1,
    event_v2,
    path_v1,
    resource_of,
)
from lambent.triggers.apis.http.mapping import Outgoing
from lambent.triggers.apis.http.variables import look_up

logger = logging.getLogger(__name__)

_CACHED_MAX = 4096
_TTL_V1_S = 300
"""How long results are kept unless something else is configured; in format 2.0 they are not."""


class FunctionAuthorizer:
    """Asks one function. See `Authorization`."""

    def __init__(self, context: ApiContext, stage: Stage, id: str, body: Body) -> None:
        """Raises ValueError if the document names no function, or an identity source cannot be
        read."""
        self._function = AskedFunction(
            context.calls,
            stage.root,
            id,
            uri=body["AuthorizerUri"],
            variables=stage.body.get("StageVariables") or {},
            role=body.get("AuthorizerCredentialsArn"),
        )
        self._version = body.get("AuthorizerPayloadFormatVersion") or "1.0"
        self._is_simple = self._version == "2.0" and bool(body.get("EnableSimpleResponses"))
        self._sources = [
            parse_selection(text, IDENTITY_SOURCES) for text in body.get("IdentitySource") or ()
        ]
        ttl = body.get("AuthorizerResultTtlInSeconds")
        default = _TTL_V1_S if self._version == "1.0" else 0
        self._ttl_s = (default if ttl is None else ttl) if self._sources else 0
        self._results = Cache[Policy | SimpleAnswer](context.clock, size=_CACHED_MAX)
        """By the values of the identity sources."""

    def decide_nowait(self, call: HttpCall) -> Decision | None:
        """See `Authorization`."""
        identity = self._identity(call)
        if identity is None:
            return Decision(401)
        result = self._results.get(identity) if self._ttl_s else None
        return None if result is None or _is_large(result) else self._decide(call, result)

    async def decide(self, call: HttpCall) -> Decision:
        """See `Authorization`."""
        identity = self._identity(call) or ()
        result = self._results.get(identity) if self._ttl_s else None
        if result is None:
            asked = await self._ask(call, identity)
            if isinstance(asked, Decision):
                return asked
            result = asked
            self._results.put(identity, result, lifetime_s=self._ttl_s)
        if _is_large(result):
            return await computed(self._decide, call, result)
        return self._decide(call, result)

    async def _ask(
        self, call: HttpCall, identity: Sequence[str]
    ) -> Policy | SimpleAnswer | Decision:
        """What the function returns, or the decision if it fails."""
        try:
            event = self._event(call, identity)
            outcome = await self._function.ask(event, call.request.trace_id)
            return read_simple(outcome) if self._is_simple else read_policy(outcome)
        except Unauthorized:
            return Decision(401)
        except (AuthorizerFailed, TimeoutError) as error:
            logger.info("the authorizer %s failed: %s", self._function.arn, error)
            return Decision(500)

    def _identity(self, call: HttpCall) -> tuple[str, ...] | None:
        """The values of the identity sources; None if one is missing or empty."""
        find = look_up(call)
        values = tuple(find(source) or "" for source in self._sources)
        return values if all(values) else None

    def _decide(self, call: HttpCall, result: Policy | SimpleAnswer) -> Decision:
        values: dict[str, Any] = dict(result.context)
        if isinstance(result, SimpleAnswer):
            is_allowed = result.is_authorized
        else:
            values.setdefault("principalId", result.principal_id)
            address = call.request.exchange.client_address
            arn = route_arn(call)
            if len(arn) > ARN_CHARS_MAX:
                return Decision(403, values=values)
            try:
                verdict = result.judge(arn, {"aws:sourceip": [address]})
            except AuthorizerFailed as error:
                logger.info("the authorizer %s failed: %s", self._function.arn, error)
                return Decision(500)
            is_allowed = verdict is Verdict.ALLOWED
        if not is_allowed:
            return Decision(403, values=values)
        return Decision(event={"lambda": dict(result.context) or None}, values=values)

    def _event(self, call: HttpCall, identity: Sequence[str]) -> bytes:
        exchange = call.request.exchange
        plain = Outgoing(event_headers(call), exchange.query)
        if self._version == "2.0":
            event = event_v2(call, plain)
            event |= {
                "type": "REQUEST",
                "routeArn": route_arn(call),
                "identitySource": list(identity) or None,
            }
        else:
            whole = event_v1(call, plain)
            context = whole["requestContext"]
            event = {
                "version": "1.0",
                "type": "REQUEST",
                "methodArn": route_arn(call),
                "identitySource": ",".join(identity),
                "authorizationToken": ",".join(identity),
                "resource": resource_of(call),
                "path": path_v1(call, plain),
                "httpMethod": exchange.method,
                "headers": whole["headers"],
                "queryStringParameters": whole["queryStringParameters"] or {},
                "pathParameters": whole["pathParameters"] or {},
                "stageVariables": whole["stageVariables"] or {},
                "requestContext": context,
            }
        return encode(event)


def _is_large(result: Policy | SimpleAnswer) -> bool:
    return isinstance(result, Policy) and result.is_large


def route_arn(call: HttpCall) -> str:
    """The ARN of a request for the policy of a function: with the method and path of the request,
    or of the route `$default`."""
    root = call.request.stage.root
    is_default = call.route_key == "$default"
    where = "$default" if is_default else f"{call.request.exchange.method}{call.path}"
    return (
        f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}"
        f"/{call.request.stage.name}/{where}"
    )
