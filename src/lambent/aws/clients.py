"""Clients of AWS services, or of what speaks their protocols. They block: call them in threads."""

import threading
from typing import Any

import botocore.session
from botocore.config import Config

from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.model.errors import invalid_parameter
from lambent.model.names import is_region

_PLACEHOLDER = "lambent"
_CONNECTIONS_MAX = 32
CLIENTS_MAX = 64
"""How many are kept: callers choose the regions."""


class AwsClients:
    """Made when they are needed first; those used last are kept. They share what botocore knows of
    services, which is most of what one takes."""

    def __init__(self, settings: AwsSettings, local_services: str | None = None) -> None:
        """`local_services` is an endpoint that takes a key's id for the account."""
        self._settings = settings
        self._local_services = local_services
        self._clients: dict[tuple[str, str, str], Any] = {}
        """In the order of their last use."""
        self._sessions: dict[bool, Any] = {}
        """By whether an endpoint of one's own is meant."""
        self._making = threading.Lock()

    def known(self, service: str, region: str, account: str) -> Any | None:
        """The client of a service if it is made already."""
        key = (service, region, account)
        client = self._clients.pop(key, None)
        if client is not None:
            self._clients[key] = client
        return client

    def get(self, service: str, region: str, account: str = _PLACEHOLDER) -> Any:
        """The client of a service (`sqs`, `s3`, …) in a region, for any number of threads.

        Requests to an endpoint of one's own are signed with the account's id as the key when there
        are no credentials: servers that stand in for AWS take it for the account. Raises
        `InvalidParameterValueException` for a region that is none.
        """
        with self._making:
            client = self.known(service, region, account)
            if client is None:
                if not is_region(region):
                    raise invalid_parameter(f"'{region[:64]}' is not a region of AWS.")
                while len(self._clients) >= CLIENTS_MAX:
                    del self._clients[next(iter(self._clients))]
                client = self._make(service, region, account)
                self._clients[service, region, account] = client
            return client

    def _make(self, service: str, region: str, account: str) -> Any:
        settings: ServiceSettings = getattr(self._settings, service)
        session = self._session(is_own=bool(settings.endpoint_url))
        is_local_services = settings.endpoint_url == self._local_services
        needs_key = settings.endpoint_url and (
            is_local_services or session.get_credentials() is None
        )
        return session.create_client(
            service,
            region_name=region,
            endpoint_url=settings.endpoint_url or None,
            aws_access_key_id=account if needs_key else None,
            aws_secret_access_key=_PLACEHOLDER if needs_key else None,
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

    def _session(self, *, is_own: bool) -> Any:
        session = self._sessions.get(is_own)
        if session is None:
            session = self._sessions[is_own] = botocore.session.get_session()
            if is_own:
                # A cloud's metadata service knows no credentials for a server of one's own.
                session.get_component("credential_provider").remove("iam-role")
        return session
