"""A gateway in a thread, for clients that block."""

import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import boto3
from anyio.from_thread import start_blocking_portal
from botocore import UNSIGNED
from botocore.config import Config

from lambent.gateway.definitions import AnyService
from lambent.gateway.server import Gateway, open_front_door, open_gateway
from lambent.gateway.settings import GatewaySettings
from tests.authorizers import relaxed

SETTINGS = GatewaySettings(shutdown_grace_s=1)


class Api:
    """Makes clients of it."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client of an account and region."""
        options: dict[str, Any] = {
            "region_name": "us-east-1",
            "endpoint_url": self.endpoint,
            "aws_access_key_id": "111111111111",
            "aws_secret_access_key": "secret",
            "config": _config(),
        }
        return boto3.client(service, **{**options, **more})

    def unsigned(self, service: str) -> Any:
        """A client whose requests have no signature."""
        return self.client(service, config=_config(signature_version=UNSIGNED))


def _config(**more: Any) -> Config:
    return Config(retries={"total_max_attempts": 1}, parameter_validation=False, **more)


@contextmanager
def running(services: Sequence[AnyService], set_up: Callable[[Gateway], None]) -> Iterator[Api]:
    """Serve these services; `set_up` registers operations and fronts."""

    @asynccontextmanager
    async def serving() -> AsyncIterator[Api]:
        sock = socket.create_server(("127.0.0.1", 0))
        async with open_gateway(SETTINGS, relaxed(), None, services) as gateway:
            set_up(gateway)
            async with open_front_door(gateway, SETTINGS, sock):
                yield Api(sock.getsockname()[1])

    with (
        start_blocking_portal("asyncio", {"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(serving()) as api,
    ):
        yield api
