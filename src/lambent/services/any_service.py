"""AWS's APIs without a connection to the platform: its own services and the others, with the rights
of a caller."""

from collections.abc import Awaitable, Callable, Mapping, Set
from typing import Any

from lambent.aws.any_service import AnyServiceCalls, AwsRefused
from lambent.aws.client import AwsUnreachable
from lambent.aws.settings import AwsSettings
from lambent.identity.authorizer import Authorizer, Caller
from lambent.model.errors import ApiError
from lambent.services.actions import accesses_of_call, not_certain
from lambent.services.endpoints import find_endpoint, unknown_service
from lambent.services.local_services import LocalServices

Dispatch = Callable[[str, str, Mapping[str, Any], Caller], Awaitable[Mapping[str, Any]]]
"""Performs an operation of the platform itself."""
_SIGNING_NAMES = {"stepfunctions": "states"}
"""Of services whose name is another one in botocore."""
_AWAY_S = 10.0


class AnyService:
    """Calls operations by botocore's names of services. See `stacks/ports.py: AwsApi`."""

    def __init__(
        self,
        dispatch: Dispatch,
        own: Set[str],
        calls: AnyServiceCalls,
        authorizer: Authorizer,
        settings: AwsSettings,
        local_services: LocalServices | None,
        url: str,
    ) -> None:
        """`url` is the platform's own. It replaces that of local services in responses: theirs is
        for the platform alone, and changes with every start."""
        self._dispatch = dispatch
        self._own = own
        self._calls = calls
        self._authorizer = authorizer
        self._settings = settings
        self._local_services = local_services
        self._url = url

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> Mapping[str, Any]:
        """Perform an operation; returns its output members. Raises `ApiError`."""
        if service in self._own:
            return await self._dispatch(service, operation, params, caller)
        name = _SIGNING_NAMES.get(service, service)
        local_services = self._local_services
        url = local_services.url if local_services is not None else None
        endpoint = find_endpoint(self._settings, url, name, "")
        if endpoint is None:
            has_local_services = local_services is not None
            raise unknown_service(name, sorted(self._own), has_local_services=has_local_services)
        await self._authorize(name, operation, params, caller)
        if endpoint.is_local_services and local_services is not None:
            await local_services.wait_ready(_AWAY_S)
        account, region = caller.scope
        try:
            output = await self._calls.call(
                service, operation, params, region=region, account=account
            )
        except AwsRefused as error:
            raise ApiError(error.code, error.message, status=error.status) from error
        except AwsUnreachable as error:
            raise ApiError("ServiceUnavailable", str(error), status=503) from error
        if endpoint.is_local_services and local_services is not None:
            return {name: _moved(v, local_services.url, self._url) for name, v in output.items()}
        return output

    async def _authorize(
        self, service: str, operation: str, params: Mapping[str, Any], caller: Caller
    ) -> None:
        if not self._authorizer.is_strict:
            return
        accesses = accesses_of_call(service, operation, params, caller.scope)
        if accesses is not None:
            await self._authorizer.check_all(caller, accesses)
        elif caller.principal.kind != "root":
            raise not_certain(caller, service)


def _moved(value: Any, old: str, new: str) -> Any:
    """A value whose URLs that begin with `old` begin with `new`."""
    if isinstance(value, str):
        return new + value.removeprefix(old) if value.startswith(f"{old}/") else value
    if isinstance(value, list):
        return [_moved(item, old, new) for item in value]
    if isinstance(value, dict):
        return {name: _moved(item, old, new) for name, item in value.items()}
    return value
