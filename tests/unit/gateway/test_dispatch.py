"""Operations without an HTTP exchange: validated, authorized and performed for a caller."""

from collections.abc import Mapping
from typing import Any

import pytest

from lambent.gateway.authorization import Authorization
from lambent.gateway.call import Call
from lambent.gateway.dispatch import Dispatcher
from lambent.gateway.services.iam.service import IAM
from lambent.gateway.services.lambda_.service import LAMBDA
from lambent.identity.authorizer import Authorizer, Caller
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, not_found
from lambent.model.principal import Principal, root_of
from tests.authorizers import relaxed, strict

pytestmark = pytest.mark.anyio

HERE = "111111111111"
FUNCTION = f"arn:aws:lambda:us-east-1:{HERE}:function:f"
USER = Principal(kind="user", account=HERE, arn=f"arn:aws:iam::{HERE}:user/ann", user_id="AIDA1")


def caller_of(principal: Principal) -> Caller:
    """As a room makes one for whom it acts: without a request."""
    scope = Scope(principal.account, "us-east-1")
    return Caller(principal=principal, scope=scope, service=None, access_key_id=None)


class Functions:
    """Handlers that remember their calls."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    async def get_function(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        if call.params["FunctionName"] == "none":
            raise not_found("Function not found")
        return {"Configuration": {"FunctionName": call.params["FunctionName"]}}

    async def list_users(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        return {"Users": []}


def dispatcher_of(authorizer: Authorizer, functions: Functions) -> Dispatcher:
    dispatcher = Dispatcher(Authorization(authorizer, None))
    dispatcher.register(LAMBDA, {"GetFunction": functions.get_function})
    dispatcher.register(IAM, {"ListUsers": functions.list_users})
    return dispatcher


async def refusal(dispatcher: Dispatcher, service: str, operation: str, **params: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await dispatcher.dispatch(service, operation, params, caller_of(USER))
    return refused.value


async def test_an_operation_is_performed() -> None:
    """For the caller, in the caller's scope; each call has a request id of its own."""
    functions = Functions()
    dispatcher = dispatcher_of(relaxed(), functions)
    caller = caller_of(root_of(HERE))
    for _ in range(2):
        output = await dispatcher.dispatch("lambda", "GetFunction", {"FunctionName": "f"}, caller)
        assert output == {"Configuration": {"FunctionName": "f"}}
    first, second = functions.calls
    assert (first.scope, first.caller, first.params) == (
        Scope(HERE, "us-east-1"),
        caller,
        {"FunctionName": "f"},
    )
    assert first.request_id != second.request_id
    assert first.endpoint.startswith("http://")


async def test_errors_are_those_of_the_api() -> None:
    """Of the operation, of the model's constraints, and of what is not offered or not there."""
    dispatcher = dispatcher_of(relaxed(), Functions())
    error = await refusal(dispatcher, "lambda", "GetFunction", FunctionName="none")
    assert error.code == "ResourceNotFoundException"
    assert (await refusal(dispatcher, "lambda", "GetFunction")).code == "ValidationException"
    error = await refusal(dispatcher, "lambda", "GetFunction", FunctionName="!")
    assert error.code == "ValidationException"
    error = await refusal(dispatcher, "lambda", "ListFunctions")
    assert (error.code, "not offer" in error.message) == ("InvalidParameterValueException", True)
    for service, operation in (("lambda", "Nothing"), ("nothing", "GetFunction"), ("sts", "x")):
        error = await refusal(dispatcher, service, operation)
        assert error.code == "UnknownOperationException"


async def test_the_caller_must_be_allowed() -> None:
    """By the policies of the caller that it is given; the handler is not reached without."""
    functions = Functions()
    allowed = {"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": FUNCTION}
    dispatcher = dispatcher_of(strict(allowed), functions)
    caller = caller_of(USER)
    await dispatcher.dispatch("lambda", "GetFunction", {"FunctionName": "f"}, caller)
    assert set(functions.calls[0].hidden) == {"Tags"}
    error = await refusal(dispatcher, "lambda", "GetFunction", FunctionName="g")
    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert "lambda:GetFunction" in error.message
    assert len(functions.calls) == 1


async def test_a_service_may_take_no_session_tokens() -> None:
    """IAM, as in AWS."""
    functions = Functions()
    dispatcher = dispatcher_of(
        strict({"Effect": "Allow", "Action": "*", "Resource": "*"}), functions
    )
    session = Principal(
        kind="user", account=HERE, arn=USER.arn, user_id="AIDA1", session_key="AKIA"
    )
    await dispatcher.dispatch("lambda", "GetFunction", {"FunctionName": "f"}, caller_of(session))
    with pytest.raises(ApiError) as refused:
        await dispatcher.dispatch("iam", "ListUsers", {}, caller_of(session))
    assert refused.value.code == "AccessDenied"
    assert refused.value.message.endswith("the credentials of GetSessionToken are not for IAM.")
