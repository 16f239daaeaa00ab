"""Asynchronous calls of AWS services: hundreds of concurrent long polls that can be cancelled.

botocore makes and signs each request and parses each response; aiohttp carries them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio.to_thread
import botocore.exceptions

from lambent.aws.clients import AwsClients
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError

_CONNECTIONS_IDLE_S = 30.0


class AwsUnreachable(Exception):
    """A service did not respond: no connection, no credentials, or a timeout."""


Own = Callable[[Scope, Mapping[str, Any]], Awaitable[Any]]
"""Serves an operation of a service of the platform itself. Raises `ApiError`."""


class AwsClient:
    """Calls services at the endpoints of the settings."""

    def __init__(self, clients: AwsClients, http: aiohttp.ClientSession) -> None:
        self._clients = clients
        self._http = http
        self._own: dict[tuple[str, str], Own] = {}

    def serve(self, service: str, operation: str, own: Own) -> None:
        """From now on, calls of an operation stay on this platform."""
        self._own[service, operation] = own

    def has_own(self, service: str, operation: str) -> bool:
        """Whether calls of an operation stay on this platform."""
        return (service, operation) in self._own

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        region: Region,
        account: AccountId,
        deadline_s: float = 20.0,
    ) -> Any:
        """Make one request, without retries, and return the members of the response.

        Raises `botocore.exceptions.ClientError` when the service refuses, `AwsUnreachable` when it
        does not respond within `deadline_s`.
        """
        own = self._own.get((service, operation))
        if own is not None:
            try:
                return await own(Scope(account, region), parameters)
            except ApiError as refused:
                raise _refusal(refused, operation) from refused
        client: Any = self._clients.known(service, region, account)
        try:
            if client is None:
                client = await anyio.to_thread.run_sync(self._clients.get, service, region, account)
            model = client.meta.service_model.operation_model(operation)
            context = {
                "client_region": region,
                "client_config": client.meta.config,
                "auth_type": model.resolved_auth_type,
            }
            described = client._convert_to_request_dict(
                parameters, model, client.meta.endpoint_url, context
            )
            request = client._endpoint.create_request(described, model)
            async with self._http.request(
                request.method,
                request.url,
                data=request.body,
                headers={name: _text(value) for name, value in request.headers.items()},
                timeout=aiohttp.ClientTimeout(total=deadline_s),
                allow_redirects=False,
            ) as response:
                body = await response.read()
        except botocore.exceptions.NoCredentialsError as error:
            raise AwsUnreachable(f"{service}: there are no credentials for AWS") from error
        except (botocore.exceptions.HTTPClientError, aiohttp.ClientError, OSError) as error:
            where = "" if client is None else f" at {client.meta.endpoint_url}"
            raise AwsUnreachable(f"{service}{where}: {error or type(error).__name__}") from error
        parsed = client._response_parser.parse(
            {"status_code": response.status, "headers": response.headers, "body": body},
            model.output_shape,
        )
        if response.status >= 300:
            raise botocore.exceptions.ClientError(parsed, operation)
        return parsed


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _refusal(error: ApiError, operation: str) -> botocore.exceptions.ClientError:
    """An error of an own service in the form of an error of AWS."""
    response: Any = {
        "Error": {"Code": error.code, "Message": error.message},
        "ResponseMetadata": {"HTTPStatusCode": error.status},
    }
    return botocore.exceptions.ClientError(response, operation)


def error_code(error: botocore.exceptions.ClientError) -> str:
    """The code of a refusal, without the namespace that some services prepend."""
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    return code.rpartition("#")[2]


@asynccontextmanager
async def open_aws_calls(clients: AwsClients) -> AsyncIterator[AwsClient]:
    """Open a client whose calls share persistent connections."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_CONNECTIONS_IDLE_S)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=True, skip_auto_headers=("User-Agent",)
    ) as http:
        yield AwsClient(clients, http)
