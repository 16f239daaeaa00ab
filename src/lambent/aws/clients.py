"""Clients of AWS services, or of what speaks their protocols. They block: call them in threads."""

import threading
from typing import Any

import botocore.session
from botocore.config import Config

from lambent.aws.settings import AwsSettings, ServiceSettings

_PLACEHOLDER = "lambent"
_CONNECTIONS_MAX = 32


class AwsClients:
    """Made when they are needed first, and then kept."""

    def __init__(self, settings: AwsSettings, stand_in: str | None = None) -> None:
        """`stand_in` is the endpoint that takes a key's id for the account and needs no more."""
        self._settings = settings
        self._stand_in = stand_in
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._making = threading.Lock()

    def known(self, service: str, region: str, account: str) -> Any | None:
        """The client of a service if it is made already."""
        return self._clients.get((service, region, account))

    def get(self, service: str, region: str, account: str = _PLACEHOLDER) -> Any:
        """The client of a service (`sqs`, `s3`, …) in a region, for any number of threads.

        Requests to an endpoint of one's own are signed with the account's id as the key when there
        are no credentials: servers that stand in for AWS take it for the account.
        """
        with self._making:
            client = self._clients.get((service, region, account))
            if client is None:
                settings: ServiceSettings = getattr(self._settings, service)
                is_stand_in = settings.endpoint_url == self._stand_in
                client = _make(service, region, account, settings, is_stand_in=is_stand_in)
                self._clients[service, region, account] = client
            return client


def _make(
    service: str, region: str, account: str, settings: ServiceSettings, *, is_stand_in: bool
) -> Any:
    session = botocore.session.get_session()
    if settings.endpoint_url:
        # A cloud's metadata service knows no credentials for a server of one's own.
        session.get_component("credential_provider").remove("iam-role")
        if is_stand_in or session.get_credentials() is None:
            session.set_credentials(account, _PLACEHOLDER)
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=settings.endpoint_url or None,
        config=Config(
            # A short one: the usual one is put together for each request, twice.
            user_agent="lambent",
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.deadline_s,
            max_pool_connections=_CONNECTIONS_MAX,
            retries={"total_max_attempts": 2},
            # Anything that speaks S3 has paths; names of its own for buckets, few.
            s3={"addressing_style": "path"} if settings.endpoint_url else None,
        ),
    )
