"""botocore's clients of AWS services, or of compatible servers. They block: call them in
threads."""

import threading
from pathlib import Path
from typing import Any

import botocore
import botocore.session
from botocore.config import Config
from botocore.credentials import ReadOnlyCredentials

from lambent.aws.settings import AwsSettings, ServiceSettings
from lambent.model.arn import AccountId, Region
from lambent.model.errors import invalid_parameter
from lambent.model.names import is_region

_PLACEHOLDER = AccountId("lambent")
_CONNECTIONS_MAX = 32
CLIENTS_MAX = 64
"""Most clients that are kept. Callers choose the regions, so there may be many."""


def trusted_by_default() -> Path:
    """The certificates that clients trust."""
    return Path(botocore.__file__).with_name("cacert.pem")


class AwsClients:
    """Makes a client when it is first needed, and keeps those used last. Clients share botocore's
    service models, which are most of their memory."""

    def __init__(self, settings: AwsSettings, local_services: str | None = None) -> None:
        """`local_services` is the endpoint of the emulator, which takes the access key id as the
        account."""
        self._settings = settings
        self._local_services = local_services
        self._clients: dict[tuple[str, str, str], Any] = {}
        """In the order of their last use."""
        self._sessions: dict[bool, Any] = {}
        """By whether the endpoint is a custom one."""
        self._making = threading.Lock()

    def known(self, service: str, region: Region, account: AccountId) -> Any | None:
        """The client of a service if there is one already."""
        key = (service, region, account)
        client = self._clients.pop(key, None)
        if client is not None:
            self._clients[key] = client
        return client

    def get(self, service: str, region: Region, account: AccountId = _PLACEHOLDER) -> Any:
        """The client of a service (`sqs`, `s3`, …) in a region. Any number of threads may use it.

        Requests to a custom endpoint are signed with the account's id as the access key id when
        there are no credentials: emulators of AWS take it as the account. Raises
        `InvalidParameterValueException` for an invalid region.
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

    def credentials(self, account: AccountId) -> ReadOnlyCredentials:
        """What requests to a custom endpoint are signed with: see `get`."""
        with self._making:
            found = self._session(is_custom=True).get_credentials()
        if found is None:
            return ReadOnlyCredentials(account, _PLACEHOLDER, None)
        frozen: ReadOnlyCredentials = found.get_frozen_credentials()
        return frozen

    def _make(self, service: str, region: Region, account: AccountId) -> Any:
        settings: ServiceSettings = getattr(self._settings, service, None) or ServiceSettings(
            endpoint_url=self._local_services or ""
        )
        session = self._session(is_custom=bool(settings.endpoint_url))
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
                # botocore builds its default user agent twice for each request.
                user_agent="lambent",
                connect_timeout=settings.connect_timeout_s,
                read_timeout=settings.deadline_s,
                max_pool_connections=_CONNECTIONS_MAX,
                retries={"total_max_attempts": 2},
                # All compatible servers support paths; few support buckets in host names.
                s3={"addressing_style": "path"} if settings.endpoint_url else None,
            ),
        )

    def _session(self, *, is_custom: bool) -> Any:
        session = self._sessions.get(is_custom)
        if session is None:
            session = self._sessions[is_custom] = botocore.session.get_session()
            if is_custom:
                # The metadata service of a cloud has no credentials for a custom endpoint.
                session.get_component("credential_provider").remove("iam-role")
        return session
