"""Fetches deployment packages from S3. The client blocks, so it runs in a thread, with limits on
bytes and time."""

from typing import Any, Protocol

import anyio.to_thread

from lambent.aws.clients import AwsClients
from lambent.aws.errors import BotoCoreError, ClientError
from lambent.kit.clock import Clock
from lambent.model.arn import Scope
from lambent.model.errors import ApiError, invalid_parameter
from lambent.model.limits import CODE_SIZE_UNZIPPED_MAX

_CHUNK_BYTES = 1 << 20
_FETCHES_MAX = 2


class ObjectReader(Protocol):
    """What the control plane needs of an object store."""

    async def fetch(self, *, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        """The whole object, for a function in `scope`. Raises `ApiError` with AWS's message."""
        ...


class S3Objects:
    """Objects in S3."""

    def __init__(self, clients: AwsClients, clock: Clock, *, deadline_s: float) -> None:
        self._clients = clients
        self._deadline_s = deadline_s
        self._clock = clock
        self._limiter = anyio.CapacityLimiter(_FETCHES_MAX)

    async def fetch(self, *, scope: Scope, bucket: str, key: str, version: str | None) -> bytes:
        """The whole object, at most `CODE_SIZE_UNZIPPED_MAX` bytes of it.

        Raises `InvalidParameterValueException` if S3 refuses it, it is too large, or it takes
        longer than the deadline.
        """
        parameters = {"Bucket": bucket, "Key": key}
        if version is not None:
            parameters["VersionId"] = version

        def run() -> bytes:
            try:
                return self._read(self._clients.get("s3", scope.region), parameters)
            except ClientError as error:
                details = error.response.get("Error", {})
                raise refused_object(
                    details.get("Code", "Unknown"), details.get("Message", "Unknown")
                ) from error
            except BotoCoreError as error:
                raise refused_object(type(error).__name__, str(error)) from error

        return await anyio.to_thread.run_sync(run, limiter=self._limiter)

    def _read(self, client: Any, parameters: dict[str, str]) -> bytes:
        deadline = self._clock.monotonic() + self._deadline_s
        body = client.get_object(**parameters)["Body"]
        data = bytearray()
        with body:
            while chunk := body.read(_CHUNK_BYTES):
                data += chunk
                if len(data) > CODE_SIZE_UNZIPPED_MAX:
                    raise invalid_parameter(
                        f"Unzipped size must be smaller than {CODE_SIZE_UNZIPPED_MAX} bytes"
                    )
                if self._clock.monotonic() > deadline:
                    raise refused_object("RequestTimeout", "The object did not arrive in time")
        return bytes(data)


def refused_object(code: str, message: str) -> ApiError:
    """The error for an object that cannot be read, in AWS's words."""
    return invalid_parameter(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"
    )
