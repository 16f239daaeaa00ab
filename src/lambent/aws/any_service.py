"""Calls of any operation of any service, by name. botocore's clients block, so they run in threads;
for calls that are rare and may need what botocore does for S3 and others on the way."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from lambent.aws.client import AwsUnreachable
from lambent.aws.clients import AwsClients
from lambent.model.arn import AccountId, Region

_AT_ONCE = 16
_BODY_BYTES_MAX = 64 << 20


class AwsRefused(Exception):
    """A service has refused a request, or there is no such request."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class AnyServiceCalls:
    """Calls services at the endpoints of the settings."""

    def __init__(self, clients: AwsClients) -> None:
        self._clients = clients
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        region: Region,
        account: AccountId,
    ) -> Mapping[str, Any]:
        """Make a request and return the members of the response; a body that is streamed is read.
        Raises `AwsRefused`, and `AwsUnreachable` when the service does not respond."""
        run = partial(self._call, service, operation, parameters, region, account)
        return await anyio.to_thread.run_sync(run, limiter=self._limiter, abandon_on_cancel=True)

    def _call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        region: Region,
        account: AccountId,
    ) -> Mapping[str, Any]:
        try:
            client = self._clients.get(service, region, account)
            names = {name: method for method, name in client.meta.method_to_api_mapping.items()}
            output: dict[str, Any] = getattr(client, names[operation])(**parameters)
            for name, value in output.items():
                if hasattr(value, "read"):
                    output[name] = value.read(_BODY_BYTES_MAX)
        except ClientError as error:
            response: Any = error.response
            details, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
            code = str(details.get("Code", "Unknown")).rpartition("#")[2]
            message = str(details.get("Message", "Unknown"))
            raise AwsRefused(code, message, metadata.get("HTTPStatusCode", 400)) from error
        except ParamValidationError as error:
            raise AwsRefused("ValidationException", str(error), 400) from error
        except (BotoCoreError, OSError) as error:
            raise AwsUnreachable(f"{service}: {error or type(error).__name__}") from error
        output.pop("ResponseMetadata", None)
        return output
