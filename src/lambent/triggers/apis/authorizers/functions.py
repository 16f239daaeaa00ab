"""What functions that authorize requests return, and whether that allows a request.
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lambent.kit.ids import new_request_id
from lambent.model.arn import AccountId
from lambent.model.document import Root
from lambent.model.function_uris import parse_function_uri
from lambent.model.invocation import FunctionFailed, Outcome, Succeeded
from lambent.model.policy import AccessRequest, Statement, Verdict, decide, statements_of
from lambent.model.principal import Principal
from lambent.triggers.apis.calls import ApiCall, FunctionCalls

_DEADLINE_S = 10.0
"""Seconds that a function has to authorize a request."""
_UNAUTHORIZED = "Unauthorized"
"""A function that raises exactly this makes the response 401."""
_STATEMENTS_MAX = 256
RESULT_BYTES_MAX = 8192
ARN_CHARS_MAX = 1600
"""Of the ARN of a request that a policy decides about."""
LOOP_BYTES_MAX = 1024
"""Up to this size, a result is judged on the event loop."""
_SOMEBODY = Principal(
    kind="user", account=AccountId("anonymous"), arn="anonymous", user_id="anonymous"
)


class AuthorizerFailed(Exception):
    """The function failed, or returned what is no decision."""


class Unauthorized(Exception):
    """The function has raised `Unauthorized`."""


class Policy(NamedTuple):
    """A function's policy, which is evaluated for each request."""

    principal_id: str | None
    statements: Sequence[Statement]
    context: Mapping[str, Any]
    usage_key: str | None = None
    """`usageIdentifierKey`: an API key."""
    is_large: bool = False
    """Whether to judge it may take more than a moment: do it in a thread."""

    def judge(self, arn: str, values: Mapping[str, Sequence[str]]) -> Verdict:
        """Whether it allows `execute-api:Invoke` of a route or method, given by its ARN. `values`
        are those of condition keys. Raises `AuthorizerFailed` for a policy that cannot be read."""
        request = AccessRequest(
            principal=_SOMEBODY, action="execute-api:Invoke", resource=arn, context=values
        )
        try:
            return decide(request, identity=self.statements, resource=(), owner=_SOMEBODY.account)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise AuthorizerFailed("the policy cannot be read") from error


class SimpleAnswer(NamedTuple):
    """`isAuthorized`."""

    is_authorized: bool
    context: Mapping[str, Any]


class AskedFunction:
    """The function that is an authorizer of an API."""

    def __init__(
        self,
        calls: FunctionCalls,
        root: Root,
        id: str,
        *,
        uri: str,
        variables: Mapping[str, str],
        role: str | None,
    ) -> None:
        """`id` is the authorizer's, `variables` are the stage's. Raises ValueError for a URI that
        names no function."""
        self.arn = f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/authorizers/{id}"
        """Of the authorizer."""
        self._calls = calls
        self._scope = root.scope
        self._function = parse_function_uri(uri, variables)
        self._role = role

    async def ask(self, event: bytes, trace_id: str) -> Outcome:
        """How a call of the function ends. Raises `Unauthorized` if the function does, and
        TimeoutError."""
        outcome = await self._calls.call(
            ApiCall(
                self._scope,
                self._function,
                self.arn,
                event,
                new_request_id(),
                trace_id,
                self._role,
            ),
            deadline_s=_DEADLINE_S,
        )
        if _is_unauthorized(outcome):
            raise Unauthorized
        return outcome


def _is_unauthorized(outcome: Outcome) -> bool:
    if not isinstance(outcome, FunctionFailed):
        return False
    try:
        document = json.loads(outcome.payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, Mapping) and document.get("errorMessage") == _UNAUTHORIZED


def read_simple(outcome: Outcome) -> SimpleAnswer:
    """The simple response of a function. Raises `AuthorizerFailed`."""
    document = _read(outcome)
    is_authorized = document.get("isAuthorized")
    if not isinstance(is_authorized, bool):
        raise AuthorizerFailed("`isAuthorized` is no boolean")
    return SimpleAnswer(is_authorized, _context(document))


def read_policy(outcome: Outcome) -> Policy:
    """The policy that a function returns. Raises `AuthorizerFailed`."""
    document = _read(outcome)
    policy = document.get("policyDocument")
    if not isinstance(policy, Mapping):
        raise AuthorizerFailed("there is no policy document")
    try:
        statements = statements_of([policy])
    except (TypeError, ValueError) as error:
        raise AuthorizerFailed("the statements cannot be read") from error
    if len(statements) > _STATEMENTS_MAX:
        raise AuthorizerFailed("the policy has too many statements")
    for statement in statements:
        if statement.get("Effect") not in ("Allow", "Deny"):
            raise AuthorizerFailed("a statement has no effect")
        if "Action" not in statement and "NotAction" not in statement:
            raise AuthorizerFailed("a statement has no action")
        if "Resource" not in statement and "NotResource" not in statement:
            raise AuthorizerFailed("a statement has no resource")
    principal_id, key = document.get("principalId"), document.get("usageIdentifierKey")
    return Policy(
        principal_id if isinstance(principal_id, str) else None,
        statements,
        _context(document),
        key if isinstance(key, str) else None,
        isinstance(outcome, Succeeded) and len(outcome.payload) > LOOP_BYTES_MAX,
    )


def _read(outcome: Outcome) -> Mapping[str, Any]:
    if not isinstance(outcome, Succeeded):
        raise AuthorizerFailed(f"the function did not succeed: {outcome.error_type}")
    if len(outcome.payload) > RESULT_BYTES_MAX:
        raise AuthorizerFailed("the result is too large")
    try:
        document = json.loads(outcome.payload)
    except (ValueError, RecursionError) as error:
        raise AuthorizerFailed("the result is not JSON") from error
    if not isinstance(document, Mapping):
        raise AuthorizerFailed("the result is no object")
    return document


def _context(document: Mapping[str, Any]) -> Mapping[str, Any]:
    context = document.get("context")
    if context is not None and not isinstance(context, Mapping):
        raise AuthorizerFailed("the context is no object")
    return context or {}
