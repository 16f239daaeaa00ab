"""Forwards requests for other services to their servers, and returns the responses."""

import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
import anyio
import anyio.abc
import anyio.to_thread
from yarl import URL

from lambent.aws.clients import AwsClients
from lambent.aws.settings import AwsSettings
from lambent.aws.signing import signed
from lambent.identity.authorizer import Authorizer, Caller
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError, service_failure
from lambent.model.limits import REQUEST_BYTES_MAX
from lambent.model.principal import ANONYMOUS
from lambent.services.actions import accesses_of, not_certain
from lambent.services.endpoints import (
    Endpoint,
    answer_headers,
    find_endpoint,
    for_local_services,
    headers_of,
    is_signed,
    plain_host,
    public_headers,
    target_of,
    unknown_service,
    without_chunks,
)
from lambent.services.local_services import LocalServices

logger = logging.getLogger(__name__)

_AT_ONCE_MAX = 1024
_HELD_BYTES_MAX = 8 * REQUEST_BYTES_MAX
"""Maximum bytes of requests that wait for a response."""
_WHOLE_BYTES_MAX = 256 * 1024
"""A response up to this size is returned at once, a longer one chunk by chunk."""
_CHUNK_BYTES = 64 * 1024
_KEPT_S = 3.0
"""How long an idle connection is kept: shorter than servers do, so that they do not close one while
the next request is being sent."""
_AWAY_S = 10.0
"""How long a request waits for an emulator that restarts."""

Refuse = Callable[[ApiError], None]
"""Responds with an error in the protocol of the service."""


class Forwarder:
    """Serves requests for services that are not the platform's own."""

    def __init__(
        self,
        settings: AwsSettings,
        clients: AwsClients,
        authorizer: Authorizer,
        session: aiohttp.ClientSession,
        tasks: anyio.abc.TaskGroup,
        local_services: LocalServices | None,
        own: Sequence[str],
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._authorizer = authorizer
        self._session = session
        self._tasks = tasks
        self._local_services = local_services
        self._own = own
        self._id = f"lambent-{secrets.token_hex(8)}"
        self._at_once = 0
        self._held_bytes = 0

    def handle(self, exchange: Exchange, caller: Caller, service: str, refuse: Refuse) -> bool:
        """Serve a request for the service with a signing name. Returns False if no server is known
        for it and the request, which would be one for an object, may mean something else. Raises
        `ApiError`."""
        local_services = self._local_services.url if self._local_services is not None else None
        target = exchange.headers.get("x-amz-target", "")
        endpoint = find_endpoint(self._settings, local_services, service, target)
        if endpoint is None:
            if caller.service is None and service == "s3":
                return False
            has_local_services = self._local_services is not None
            raise unknown_service(service, self._own, has_local_services=has_local_services)
        if self._id in exchange.headers.get("via", ""):
            raise ApiError(
                "LoopDetected",
                f"The endpoint of '{service}', {endpoint.url}, leads back to this platform.",
                status=508,
            )
        size = len(exchange.body)
        if self._at_once >= _AT_ONCE_MAX or self._held_bytes + size > _HELD_BYTES_MAX:
            raise ApiError("SlowDown", "Too many requests are under way.", status=503)
        serve = partial(self._serve, exchange, caller, service, endpoint, refuse)
        start_task(self._tasks, lambda _: refuse(service_failure()), serve)
        return True

    async def _serve(
        self,
        exchange: Exchange,
        caller: Caller,
        service: str,
        endpoint: Endpoint,
        refuse: Refuse,
    ) -> None:
        size = len(exchange.body)
        self._at_once += 1
        self._held_bytes += size
        try:
            with anyio.CancelScope() as scope:
                exchange.on_disconnect(scope.cancel)
                await self._authorize(exchange, caller, service)
                if endpoint.is_local_services:
                    await self._await_local_services()
                await self._forward(exchange, caller, endpoint)
        except ApiError as error:
            refuse(error)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            logger.warning("cannot forward a request to %s: %r", endpoint.url, error)
            message = f"The endpoint that is configured for '{service}' does not answer."
            refuse(ApiError("ServiceUnavailable", message, status=503))
        finally:
            self._at_once -= 1
            self._held_bytes -= size

    async def _authorize(self, exchange: Exchange, caller: Caller, service: str) -> None:
        """Raise `AccessDeniedException` unless the caller may do this."""
        if not self._authorizer.is_strict or caller.principal is ANONYMOUS:
            return  # The gateway accepts unsigned requests only for public operations.
        if len(exchange.body) > LOOP_BYTES_MAX:
            accesses = await computed(accesses_of, service, exchange, caller.scope)
        else:
            accesses = accesses_of(service, exchange, caller.scope)
        if accesses is not None:
            await self._authorizer.check_all(caller, accesses)
        elif caller.principal.kind != "root":
            raise not_certain(caller, service)

    async def _await_local_services(self) -> None:
        assert self._local_services is not None
        if not await self._local_services.wait_ready(_AWAY_S):
            raise ApiError(
                "ServiceUnavailable",
                "The emulator of other services is not running; the platform's log says why.",
                status=503,
            )

    async def _forward(self, exchange: Exchange, caller: Caller, endpoint: Endpoint) -> None:
        body = exchange.body
        headers, target = without_chunks(headers_of(exchange), len(body)), target_of(exchange)
        if caller.principal is ANONYMOUS:
            headers = public_headers(headers)
        if endpoint.is_local_services:
            headers, target = for_local_services(headers, target, caller)
            if self._authorizer.is_strict:
                headers["host"] = plain_host(headers.get("host", ""))
        elif caller.service is not None and not is_signed(exchange):
            headers = await self._signed(exchange, caller, caller.service, endpoint, headers)
        via = headers.get("via")
        headers["via"] = f"{via}, 1.1 {self._id}" if via else f"1.1 {self._id}"
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=endpoint.connect_timeout_s, sock_read=endpoint.deadline_s
        )
        async with self._session.request(
            exchange.method,
            URL(endpoint.url + target, encoded=True),
            headers=headers,
            data=body or None,
            timeout=timeout,
            allow_redirects=False,
        ) as answer:
            await _return_response(exchange, answer)

    async def _signed(
        self,
        exchange: Exchange,
        caller: Caller,
        service: str,
        endpoint: Endpoint,
        headers: Mapping[str, str],
    ) -> dict[str, str]:
        """The headers of a request that the platform makes for an API or a distribution. A server
        knows no roles of this platform, which has asked their policies itself."""
        own = {name: value for name, value in headers.items() if name != "host"}
        sign = partial(
            signed,
            self._clients,
            service,
            caller.scope,
            method=exchange.method,
            url=endpoint.url + target_of(exchange),
            headers=own,
            body=exchange.body,
        )
        return await anyio.to_thread.run_sync(sign)


async def _return_response(exchange: Exchange, answer: aiohttp.ClientResponse) -> None:
    headers = answer_headers(answer.raw_headers)
    length = answer.content_length
    if exchange.method == "HEAD" or answer.status in (204, 304):
        exchange.start(answer.status, headers, length=length)
        exchange.finish()
        return
    if length is not None and length <= _WHOLE_BYTES_MAX:
        exchange.respond(answer.status, headers, await answer.read())
        return
    caught_up = anyio.Event()

    def note() -> None:
        caught_up.set()

    exchange.on_writable(note)
    exchange.start(answer.status, headers, length=length)
    try:
        async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
            if not exchange.write(chunk):
                await caught_up.wait()
                caught_up = anyio.Event()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        logger.warning("a response of %s broke off: %r", answer.url.host, error)
        exchange.abort()
    else:
        exchange.finish()


@asynccontextmanager
async def open_forwarder(
    settings: AwsSettings,
    clients: AwsClients,
    authorizer: Authorizer,
    local_services: LocalServices | None,
    own: Sequence[str],
) -> AsyncIterator[Forwarder]:
    """The forwarder; requests in progress end with it. `clients` have the credentials for requests
    of the platform itself. `own` are the signing names of the platform's own services, which its
    errors list."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_S)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            trust_env=False,
        ) as session,
        anyio.create_task_group() as tasks,
    ):
        yield Forwarder(settings, clients, authorizer, session, tasks, local_services, own)
        tasks.cancel_scope.cancel()
