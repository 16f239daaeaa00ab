"""An `AwsApi` over boto3's clients, of a platform or an emulator that tests have started."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import anyio.to_thread
import botocore.exceptions

from lambent.identity.authorizer import Caller
from lambent.model.errors import ApiError


class ClientApi:
    """Calls operations with a client of each service."""

    def __init__(self, client_of: Callable[[str], Any]) -> None:
        self._client_of = client_of
        self._clients: dict[str, Any] = {}

    async def call(
        self, service: str, operation: str, params: Mapping[str, Any], _caller: Caller
    ) -> Mapping[str, Any]:
        if service not in self._clients:
            self._clients[service] = self._client_of(service)
        perform = partial(self._clients[service]._make_api_call, operation, dict(params))
        try:
            output: Mapping[str, Any] = await anyio.to_thread.run_sync(perform)
        except botocore.exceptions.ClientError as error:
            told, status = error.response["Error"], error.response["ResponseMetadata"]
            raise ApiError(
                told["Code"], told["Message"], status=status["HTTPStatusCode"]
            ) from error
        return output
