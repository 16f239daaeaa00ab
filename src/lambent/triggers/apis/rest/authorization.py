"""Who may call a method: everyone, or who an authorizer or a signature lets in.

The API's resource policy is evaluated with it.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lambent.identity.authorizer import Access, Authorizer
from lambent.kit import strict_json
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.policy import AccessRequest, Statement, Verdict, decide, statements_of
from lambent.model.principal import ANONYMOUS
from lambent.triggers.apis.rest.call import RestCall
from lambent.triggers.apis.rest.gateway_responses import GatewayError

_ACTION = "execute-api:Invoke"
_SIGNATURE_ERRORS = {
    "ExpiredTokenException": "EXPIRED_TOKEN",
    "MissingAuthenticationTokenException": "MISSING_AUTHENTICATION_TOKEN",
    "IncompleteSignatureException": "MISSING_AUTHENTICATION_TOKEN",
}
DENIED = "User is not authorized to access this resource with an explicit deny"
Conditions = Mapping[str, Sequence[str]]


class Authorization(Protocol):
    """Decides whether a request may pass."""

    def decide_nowait(self, call: RestCall) -> bool:
        """Let a request pass, if all it takes is in memory; returns whether it is. If not, await
        `decide`. Raises `GatewayError` for a request that may not pass."""
        ...

    async def decide(self, call: RestCall) -> None:
        """As `decide_nowait`, reading and asking what is missing."""
        ...


class NoAuthorization:
    """Everyone may call, unless the resource policy says otherwise."""

    def decide_nowait(self, call: RestCall) -> bool:
        """See `Authorization`."""
        return True

    async def decide(self, call: RestCall) -> None:
        """See `Authorization`."""


class UnusableAuthorization:
    """In the place of an authorizer that is missing or cannot work: no one may call."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def decide_nowait(self, call: RestCall) -> bool:
        """See `Authorization`."""
        raise GatewayError("AUTHORIZER_CONFIGURATION_ERROR", self._reason)

    async def decide(self, call: RestCall) -> None:
        """See `Authorization`."""
        self.decide_nowait(call)


class IamAuthorization:
    """The request is signed, and its signer may invoke the API."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def decide_nowait(self, call: RestCall) -> bool:
        """See `Authorization`."""
        try:
            caller = self._authorizer.authenticate(call.request.exchange)
            if caller.access_key_id is None:
                raise GatewayError("MISSING_AUTHENTICATION_TOKEN")
            call.caller = caller
            call.identified()
            return self._authorizer.check_nowait(caller, self._access(call))
        except ApiError as error:
            raise _signature_error(error) from None

    async def decide(self, call: RestCall) -> None:
        """See `Authorization`."""
        assert call.caller is not None, "decide_nowait has authenticated"
        try:
            await self._authorizer.check(call.caller, self._access(call))
        except ApiError as error:
            raise _signature_error(error) from None

    def _access(self, call: RestCall) -> Access:
        return Access(_ACTION, call.arn, call.request.stage.root.account)


def _signature_error(error: ApiError) -> GatewayError:
    if error.code == "AccessDeniedException":
        return GatewayError("ACCESS_DENIED", error.message, message=error.message)
    kind = _SIGNATURE_ERRORS.get(error.code, "INVALID_SIGNATURE")
    return GatewayError(kind, error.message, message=error.message)


class ResourcePolicy:
    """The policy of an API."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements

    @classmethod
    def of(cls, api: Body) -> "ResourcePolicy | None":
        """The policy in an API's document; None if there is none. Raises ValueError for one that
        cannot be read."""
        text = api.get("policy")
        if not text:
            return None
        document = strict_json.parse_plain(text) if isinstance(text, str) else text
        if isinstance(document, str):
            document = strict_json.parse_plain(document)
        if not isinstance(document, Mapping):
            raise ValueError("the resource policy is no object")
        return cls([_expanded(statement) for statement in statements_of([document])])

    def check(self, call: RestCall, is_authorized: bool) -> None:
        """Raises `GatewayError` unless the policy lets a request pass: by allowing it, or, if an
        authorizer has allowed it, by not denying it."""
        request = AccessRequest(
            principal=ANONYMOUS if call.caller is None else call.caller.principal,
            action=_ACTION,
            resource=call.arn,
            context=conditions_of(call),
        )
        owner = call.request.stage.root.account
        verdict = decide(request, identity=(), resource=self._statements, owner=owner)
        if verdict is Verdict.DENIED_BY_RESOURCE:
            raise GatewayError("ACCESS_DENIED", "The resource policy denies it.", message=DENIED)
        if verdict is not Verdict.ALLOWED and not is_authorized:
            raise GatewayError("ACCESS_DENIED", "The resource policy does not allow it.")


def conditions_of(call: RestCall) -> Conditions:
    """Values of condition keys, by lower-case key."""
    exchange = call.request.exchange
    return {
        "aws:sourceip": (exchange.client_address,),
        "aws:useragent": (exchange.headers.get("user-agent", ""),),
        "aws:securetransport": ("true" if exchange.is_secure else "false",),
    }


def _expanded(statement: Statement) -> Statement:
    """`execute-api:/stage/GET/x` is short for the ARN of any API: the policy belongs to one."""
    resources = statement.get("Resource")
    if resources is None:
        return statement
    listed = [resources] if isinstance(resources, str) else list(resources)
    long = [
        f"arn:aws:execute-api:*:*:*/{text.removeprefix('execute-api:').lstrip('/')}"
        if isinstance(text, str) and text.startswith("execute-api:")
        else text
        for text in listed
    ]
    return {**statement, "Resource": long}
