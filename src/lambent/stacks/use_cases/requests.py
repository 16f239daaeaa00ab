"""What requests that begin an operation have in common."""

import dataclasses

from lambent.model.arn import Arn
from lambent.model.errors import ApiError
from lambent.stacks.records import Stack
from lambent.stacks.sources import invalid
from lambent.stacks.use_cases.context import Params


def is_repeated(stack: Stack | None, name: str, params: Params) -> bool:
    """Whether an operation `name` with a ClientRequestToken is the one that began what was done
    last to a stack: then it is not done again. Raises `TokenAlreadyExistsException` if another
    operation had the token."""
    token = params.get("ClientRequestToken")
    if stack is None or not token or not stack.request or stack.request[1] != token:
        return False
    if stack.request[0] != name:
        raise ApiError(
            "TokenAlreadyExistsException",
            f"Token {token} was already used for {stack.request[0]}.",
        )
    return True


def requested(stack: Stack, name: str, params: Params) -> Stack:
    """A stack that remembers the request that changes it."""
    token = params.get("ClientRequestToken", "")
    return dataclasses.replace(stack, request=[name, token] if token else [])


def check_topics(params: Params) -> None:
    """Raises `ValidationError` if a notification is not for a topic of SNS."""
    for text in params.get("NotificationARNs", ()):
        arn = Arn.try_parse(text)
        if arn is None or arn.service != "sns":
            raise invalid(f"NotificationARNs must be ARNs of topics: {text[:256]}")


def said(stack: Stack) -> Params:
    """The output of an operation that has begun."""
    shown = {"StackId": stack.arn}
    if stack.operations:
        shown["OperationId"] = stack.operations[0]["OperationId"]
    return shown


def refuse(params: Params, members: tuple[str, ...]) -> None:
    """Refuse what is not offered."""
    for member in members:
        if params.get(member):
            raise invalid(f"Lambent does not support {member}.")
