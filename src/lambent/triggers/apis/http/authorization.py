"""How routes of HTTP APIs are authorized: by JWT, by a function, by signature."""

from collections.abc import Mapping
from typing import Any, Protocol

from lambent.identity.authorizer import Access
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.model.document import Body
from lambent.model.errors import ApiError
from lambent.model.policy import ResourcePolicy
from lambent.triggers.apis.api import Stage
from lambent.triggers.apis.authorizers.decisions import Decision
from lambent.triggers.apis.context import ApiContext
from lambent.triggers.apis.http.call import HttpCall
from lambent.triggers.apis.http.function_authorizer import FunctionAuthorizer
from lambent.triggers.apis.http.jwt_authorizer import JwtAuthorizer, ScopedJwt

_NO_POLICY = ResourcePolicy()


class Authorization(Protocol):
    """Decides about the requests of a route."""

    def decide_nowait(self, call: HttpCall) -> Decision | None:
        """The decision, if all it takes is in memory; None means: await `decide`."""
        ...

    async def decide(self, call: HttpCall) -> Decision:
        """The decision. Does not raise for what a client sends or a function returns."""
        ...


def authorizers_of(context: ApiContext, stage: Stage) -> "StageAuthorizers":
    """The authorizers of a stage. Their caches end with it."""
    found: dict[str, JwtAuthorizer | FunctionAuthorizer] = {}
    for id, body in stage.of("authorizer").items():
        try:
            if body["AuthorizerType"] == "JWT":
                found[id] = JwtAuthorizer(context.issuers, context.clock, body)
            else:
                found[id] = FunctionAuthorizer(context, stage, id, body)
        except ValueError:
            continue  # Its routes refuse every request.
    return StageAuthorizers(SignatureAuthorization(context), found)


class StageAuthorizers:
    """The authorizers of a stage, by id."""

    def __init__(
        self,
        signature: "SignatureAuthorization",
        found: Mapping[str, JwtAuthorizer | FunctionAuthorizer],
    ) -> None:
        self._signature = signature
        self._found = found

    def of_route(self, route: Body) -> Authorization | None:
        """What authorizes a route; None if it is open. An authorizer that is missing refuses every
        request: nothing that is configured is skipped."""
        kind = route.get("AuthorizationType") or "NONE"
        if kind == "NONE":
            return None
        if kind == "AWS_IAM":
            return self._signature
        authorizer = self._found.get(route.get("AuthorizerId") or "")
        if isinstance(authorizer, JwtAuthorizer):
            return ScopedJwt(authorizer, route.get("AuthorizationScopes") or ())
        return authorizer or Broken()


class Broken:
    """In the place of an authorizer that is missing or cannot work."""

    def decide_nowait(self, call: HttpCall) -> Decision:
        """See `Authorization`."""
        return Decision(500)

    async def decide(self, call: HttpCall) -> Decision:
        """See `Authorization`."""
        return Decision(500)


class SignatureAuthorization:
    """`AWS_IAM`: the request is signed, and the signer's policies allow `execute-api:Invoke`."""

    def __init__(self, context: ApiContext) -> None:
        self._authorizer = context.authorizer

    def decide_nowait(self, call: HttpCall) -> Decision | None:
        """See `Authorization`."""
        if len(call.request.exchange.body) > LOOP_BYTES_MAX:
            return None  # To hash it takes a while.
        return self._decide(call)

    async def decide(self, call: HttpCall) -> Decision:
        """See `Authorization`."""
        return await computed(self._decide, call)

    def _decide(self, call: HttpCall) -> Decision:
        try:
            caller = self._authorizer.authenticate(call.request.exchange)
            if caller.access_key_id is None or caller.service != "execute-api":
                return Decision(403)
            account = call.request.stage.root.account
            access = Access("execute-api:Invoke", invoke_arn(call), account)
            self._authorizer.check_known(caller, access, _NO_POLICY)
        except ApiError:
            return Decision(403)
        principal = caller.principal
        iam: dict[str, Any] = {
            "accessKey": caller.access_key_id,
            "accountId": principal.account,
            "callerId": principal.user_id,
            "cognitoIdentity": None,
            "principalOrgId": None,
            "userArn": principal.arn,
            "userId": principal.user_id,
        }
        return Decision(event={"iam": iam}, caller=caller)


def invoke_arn(call: HttpCall) -> str:
    """What a request invokes, as policies call it: with the method and path of the request."""
    root, exchange = call.request.stage.root, call.request.exchange
    where = f"{call.request.stage.name}/{exchange.method}{call.path}"
    return f"arn:aws:execute-api:{root.region}:{root.account}:{root.id}/{where}"
