"""The common front of all APIs: finds the API and the stage of a request.

An API is reached by its host name, `<id>.execute-api.<region>.<domain>`, also as AWS spells it, by
the custom domain names that lead to it, and by the path `/_lambent/api/<id>/`. Two more paths are
those of other emulators. See the package for what follows.
"""

import json
import logging
import re
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

import anyio.abc

from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import start_task
from lambent.model.api_paths import EXECUTE_API_PREFIX, PATH_PREFIX, USER_REQUEST
from lambent.model.traces import trace_id_of_request
from lambent.triggers.apis.api import DomainMapping
from lambent.triggers.apis.directory import (
    ApiDirectory,
    ServedApi,
    Unread,
    find_mapping,
    mappings_of,
)
from lambent.triggers.apis.request import ApiRequest, new_extended_id

logger = logging.getLogger(__name__)

_ID = re.compile(r"[a-z0-9]{1,32}")
_JSON = ("Content-Type", "application/json")


class _Target(NamedTuple):
    """Where a request goes."""

    api_id: str
    path: str
    """The path with the stage, or without if `mapping` names it."""
    host: str = ""
    """The name of ours that the client used, without port; empty if it used another."""
    mapping: DomainMapping | None = None


class ApiFront:
    """See the module."""

    def __init__(
        self, directory: ApiDirectory, clock: Clock, tasks: anyio.abc.TaskGroup, *, domain: str
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._tasks = tasks
        self._domain = domain

    # -- ways in -------------------------------------------------------------------------------

    def handle_host(self, exchange: Exchange) -> None:
        """Serve a request whose host name is one of `HOSTS`."""
        host = _host_of(exchange)
        self._enter(exchange, _Target(host.partition(".")[0], exchange.path, host))

    def handle_path(self, exchange: Exchange) -> None:
        """Serve a request below `PATH_PREFIX` or `EXECUTE_API_PREFIX`."""
        path = exchange.path
        prefix = PATH_PREFIX if path.startswith(PATH_PREFIX) else EXECUTE_API_PREFIX
        api_id, _, rest = path[len(prefix) :].partition("/")
        self._enter(exchange, _Target(api_id, f"/{rest}"))

    def handle_user_request(self, exchange: Exchange) -> None:
        """Serve a request whose path is a `USER_REQUEST`."""
        match = USER_REQUEST.fullmatch(exchange.path)
        assert match is not None, "the front is found by its path"
        self._enter(exchange, _Target(match[1], f"/{match[2]}{match[3] or '/'}"))

    def handle_domain(self, exchange: Exchange) -> None:
        """Serve a request for a custom domain name."""
        domains = self._directory.domains_nowait()
        host, path = _host_of(exchange), exchange.path
        mappings = None if domains is None else mappings_of(domains, host)
        mapping = None if mappings is None else find_mapping(mappings, path)
        if mapping is None:
            respond_message(exchange, 403, "Forbidden")
            return
        rest = path[len(mapping.key) + 1 :] if mapping.key else path
        self._enter(exchange, _Target(mapping.api_id, rest or "/", host, mapping))

    def is_custom_domain(self, host: str) -> bool | None:
        """Whether a `Host` is a custom domain name; None if that is not in memory: then await
        `read_domains`."""
        domains = self._directory.domains_nowait()
        if not domains:
            return None if domains is None else False
        return mappings_of(domains, host.lower().partition(":")[0]) is not None

    async def read_domains(self) -> None:
        """Have all custom domain names in memory."""
        await self._directory.domains()

    def handle_oversized(self, exchange: Exchange) -> None:
        """Respond to a request whose body is too large."""
        respond_message(exchange, 413, "Request Entity Too Large")

    # -- to the stage --------------------------------------------------------------------------

    def _enter(self, exchange: Exchange, target: _Target) -> None:
        api = self._directory.get_nowait(target.api_id)
        if not isinstance(api, Unread):
            self._serve(exchange, target, api)
        elif _ID.fullmatch(target.api_id) is None:
            respond_message(exchange, 403, "Forbidden")
        else:
            failed = partial(_fail, exchange)
            start_task(self._tasks, failed, self._enter_slowly, exchange, target)

    async def _enter_slowly(self, exchange: Exchange, target: _Target) -> None:
        self._serve(exchange, target, await self._directory.get(target.api_id))

    def _serve(self, exchange: Exchange, target: _Target, api: ServedApi | None) -> None:
        mapping = target.mapping
        if api is None or (
            # A domain name of one account leads to no API of another.
            mapping is not None and mapping.root.scope != api.api.root.scope
        ):
            respond_message(exchange, 403, "Forbidden")
            return
        try:
            if mapping is None and not api.api.has_default_endpoint:
                api.kind.refuse(exchange, 403)
            else:
                self._hand_over(exchange, target, api)
        except Exception:
            logger.exception("a request for the API %s failed", target.api_id)
            if exchange.is_open:
                api.kind.refuse(exchange, 500)

    def _hand_over(self, exchange: Exchange, target: _Target, api: ServedApi) -> None:
        mapping = target.mapping
        if mapping is not None and mapping.stage:
            chosen: tuple[str, str] | None = mapping.stage, target.path
        else:
            chosen = api.kind.choose_stage(api.api, target.path)
        served = None if chosen is None else api.stage(chosen[0])
        if served is None or chosen is None:
            api.kind.refuse(exchange, 404)
            return
        name, path = chosen
        root = api.api.root
        served.handle(
            ApiRequest(
                exchange,
                api.api.stages[name],
                path if path.startswith("/") else f"/{path}",
                f"/{mapping.key}" if mapping is not None and mapping.key else "",
                target.host or f"{root.id}.execute-api.{root.region}.{self._domain}",
                new_request_id(),
                new_extended_id(),
                trace_id_of_request(
                    exchange.headers.get("x-amzn-trace-id"), exchange.headers.get("traceparent")
                ),
                self._clock.now(),
            )
        )


def _host_of(exchange: Exchange) -> str:
    """The host name without port, in lower case."""
    return exchange.headers.get("host", "").lower().partition(":")[0]


def respond_message(
    exchange: Exchange, status: int, message: str, headers: Iterable[tuple[str, str]] = ()
) -> None:
    """Respond with a JSON document that has only a message."""
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    exchange.respond(status, [_JSON, *headers], body)


def _fail(exchange: Exchange, _: Exception) -> None:
    respond_message(exchange, 500, "Internal Server Error")
