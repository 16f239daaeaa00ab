"""Functions that authorize clients. They are asked once, when a client connects; what they say of
the client is in every further event.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
"""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.model.document import Body
from lambent.model.policy import Verdict
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.authorizers.functions import (
    AskedFunction,
    AuthorizerFailed,
    Policy,
    Unauthorized,
    read_policy,
)
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.websocket.answers import FAILED, FORBIDDEN, UNAUTHORIZED, Answer
from lambent.triggers.apis.websocket.events import RouteRequest, authorizer_event

logger = logging.getLogger(__name__)

_SOURCES = ("header", "querystring", "stageVariables", "context")


class Permit(NamedTuple):
    """A client may connect."""

    authorizer: Mapping[str, Any]
    """`requestContext.authorizer` of its events."""


class FunctionAuthorizer:
    """One authorizer, as it is used by `$connect`."""

    def __init__(
        self, clock: Clock, function: AskedFunction, sources: Sequence[tuple[str, str]]
    ) -> None:
        self._clock = clock
        self._function = function
        self._sources = sources
        """Where the client's identity is: a place and a name."""

    async def decide(self, request: RouteRequest, exchange: Exchange, arn: str) -> Permit | Answer:
        """Whether a client may use the route with this ARN; else the answer that says why not."""
        if not all(_value(source, request, exchange) for source in self._sources):
            return Answer(401, error=UNAUTHORIZED)
        began = self._clock.monotonic()
        try:
            event = authorizer_event(request, arn, exchange)
            policy = read_policy(await self._function.ask(event, request.connection.trace_id))
            verdict = policy.judge(arn, {"aws:sourceip": [request.connection.source_ip]})
            permit = _permit(policy, self._clock.monotonic() - began)
        except Unauthorized:
            return Answer(401, error=UNAUTHORIZED)
        except (AuthorizerFailed, TimeoutError) as error:
            logger.info("the authorizer %s failed: %s", self._function.arn, error)
            return FAILED
        return permit if verdict is Verdict.ALLOWED else Answer(403, error=FORBIDDEN)


def compile_authorizer(stage: Stage, context: ApiContext, id: str) -> FunctionAuthorizer | None:
    """The authorizer with this id; None if it is not there or cannot be used."""
    body: Body | None = stage.of("authorizer").get(id)
    if body is None or body.get("AuthorizerType") != "REQUEST":
        return None
    try:
        function = AskedFunction(
            context.calls,
            stage.root,
            id,
            uri=body.get("AuthorizerUri") or "",
            variables=stage.body.get("StageVariables") or {},
            role=body.get("AuthorizerCredentialsArn"),
        )
        sources = [parse_source(text) for text in body.get("IdentitySource") or ()]
    except ValueError:
        return None
    return FunctionAuthorizer(context.clock, function, sources)


def parse_source(text: str) -> tuple[str, str]:
    """The place and the name of an identity source: `route.request.header.Auth`. Raises
    ValueError."""
    place, _, name = text.removeprefix("route.request.").partition(".")
    is_of_request = text.startswith("route.request.")
    if place not in _SOURCES or not name or is_of_request != (place in _SOURCES[:2]):
        raise ValueError(f"{text[:128]!r} is no identity source of a WebSocket API")
    return place, name


def _value(source: tuple[str, str], request: RouteRequest, exchange: Exchange) -> object:
    place, name = source
    if place == "header":
        return exchange.headers.get(name.lower())
    if place == "querystring":
        return dict(parse_qsl(request.query, errors="replace")).get(name)
    if place == "stageVariables":
        return request.stage_variables.get(name)
    value: Any = request.context()
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _permit(policy: Policy, took_s: float) -> Permit:
    """Raises `AuthorizerFailed` for a context that has more than texts, numbers and booleans."""
    context = {name: _text(value) for name, value in policy.context.items()}
    return Permit(
        {
            **({} if policy.principal_id is None else {"principalId": policy.principal_id}),
            **context,
            "integrationLatency": int(took_s * 1000),
        }
    )


def _text(value: object) -> str | None:
    if isinstance(value, dict | list):
        raise AuthorizerFailed("the context has a value that is no text, number or boolean")
    return value if isinstance(value, str) or value is None else json.dumps(value)
