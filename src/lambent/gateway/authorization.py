"""May this caller do this? From an operation and its parameters to what it needs permission for,
as the service's definition says, and from there to the authorizer."""

from collections.abc import Mapping, Sequence

from lambent.gateway.definitions import AnyService
from lambent.gateway.permissions.asked import Asked, Lookups, Nothing, Params
from lambent.gateway.permissions.needs import Need, Needs
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.model.errors import ApiError


class Authorization:
    """Decides about requests to operations."""

    def __init__(self, authorizer: Authorizer, lookups: Lookups | None) -> None:
        self._authorizer = authorizer
        is_asking = authorizer.is_strict and lookups is not None
        self._lookups: Lookups = lookups if lookups is not None and is_asking else Nothing()

    async def check(
        self, caller: Caller, service: AnyService, operation: str, params: Params
    ) -> Mapping[str, ApiError]:
        """Raise `ApiError` unless the caller may use an operation with these parameters; also for
        names that are none. Returns the members of the output that the caller may not see, and why.
        """
        asked = Asked(params, caller, self._lookups)
        needs = service.permissions[operation]
        needed = await _needed(needs, asked)
        is_session = caller.principal.session_key is not None
        if self._authorizer.is_strict and is_session and not service.takes_session_tokens:
            raise ApiError(
                "AccessDenied",
                f"User: {caller.principal.arn} is not authorized to perform:"
                f" {service.signing_name}:{operation}: the credentials of GetSessionToken are not"
                f" for {service.signing_name.upper()}.",
                status=403,
            )
        await self._authorizer.check_all(caller, needed)
        hidden = {}
        for need in needs:
            if need.shows is not None:
                try:
                    await self._authorizer.check_all(caller, await _accesses(need, asked))
                except ApiError as error:
                    if error.status >= 500:
                        raise
                    hidden[need.shows] = error
        return hidden


async def _needed(needs: Needs, asked: Asked) -> Sequence[Access]:
    """All that a request needs permission for. Raises `ApiError` for names that are none."""
    found: list[Access] = []
    for need in needs:
        is_asked = need.only_with is None or asked.params.get(need.only_with)
        if need.shows is None and is_asked:
            found += await _accesses(need, asked)
    return found


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
