"""May this caller do this? From an operation and its parameters to what it needs permission for,
as `permissions/table.py` says, and from there to the authorizer."""

from collections.abc import Mapping, Sequence

from lambent.gateway.permissions.asked import Asked, Lookups, Nothing, Params, function_target
from lambent.gateway.permissions.table import PERMISSIONS, Need
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.model.errors import ApiError
from lambent.model.names import FunctionReference


class Authorization:
    """Decides about requests to operations."""

    def __init__(self, authorizer: Authorizer, lookups: Lookups | None) -> None:
        self._authorizer = authorizer
        is_asking = authorizer.is_strict and lookups is not None
        self._lookups: Lookups = lookups if lookups is not None and is_asking else Nothing()

    async def check(
        self, caller: Caller, service: str, operation: str, params: Params
    ) -> Mapping[str, ApiError]:
        """Raise `ApiError` unless the caller may use an operation with these parameters; also for
        names that are none. Returns the members of the answer that he may not see, and why."""
        asked = Asked(params, caller, self._lookups)
        needed = await accesses(service, operation, asked)
        if self._authorizer.is_strict and caller.principal.session_key and service == "iam":
            raise ApiError(
                "AccessDenied",
                f"User: {caller.principal.arn} is not authorized to perform: iam:{operation}: the"
                " credentials of GetSessionToken are not for IAM.",
                status=403,
            )
        await self._authorizer.check_all(caller, needed)
        hidden = {}
        for need in PERMISSIONS[service][operation]:
            if need.shows is not None:
                try:
                    await self._authorizer.check_all(caller, await _accesses(need, asked))
                except ApiError as error:
                    if error.status >= 500:
                        raise
                    hidden[need.shows] = error
        return hidden


async def accesses(service: str, operation: str, asked: Asked) -> Sequence[Access]:
    """All that a request needs permission for. Raises `ApiError` for names that are none."""
    found: list[Access] = []
    for need in PERMISSIONS[service][operation]:
        is_asked = need.only_with is None or asked.params.get(need.only_with)
        if need.shows is None and is_asked:
            found += await _accesses(need, asked)
    return found


def invoke_access(reference: FunctionReference) -> Access:
    """What an invocation needs permission for."""
    target = function_target(reference)
    return Access("lambda:InvokeFunction", target.arn, target.owner, (), target.also)


async def _accesses(need: Need, asked: Asked) -> Sequence[Access]:
    context: dict[str, Sequence[str]] = {}
    for key in need.keys:
        context |= await key.find(asked)
    return [
        Access(
            need.action,
            target.arn,
            target.owner,
            tuple((key, tuple(values)) for key, values in {**context, **target.context}.items()),
            target.also,
        )
        for target in await need.resource.find(asked)
    ]
