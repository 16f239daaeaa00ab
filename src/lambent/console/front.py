"""Serves `/_lambent/console`: pages, sign-in, and the APIs as the user who has signed in.

| request | what |
|---|---|
| `GET /` | the page; all others are parts of it |
| `GET /static/NAME` | its files |
| `GET /session` | who the user is |
| `POST /session`, `DELETE /session` | sign in, sign out |
| `POST /api/SERVICE/OPERATION` | an operation, by botocore's names; members are JSON documents |
| `/raw/NAME/PATH` | a request to the service with this signing name |
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Set
from functools import partial
from importlib.metadata import version
from typing import Any

import anyio.abc

from lambent.console.assets import Assets
from lambent.console.documents import read_members, write_members
from lambent.console.origins import (
    RESOURCE_HEADERS,
    TOKEN_HEADER,
    Origins,
    page_headers,
)
from lambent.console.raw import RawExchange
from lambent.console.sessions import Halves, Session, Sessions
from lambent.console.settings import PAGE, PREFIX
from lambent.gateway.call import Members, missing_header
from lambent.gateway.models import OperationModel, load_model
from lambent.gateway.pages import check_method, fail, refuse
from lambent.gateway.protocols.documents import decode_json
from lambent.identity.authorizer import Caller
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.http.messages import Exchange
from lambent.kit.tasks import start_task
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.principal import root_of

_STATIC, _SESSION = PAGE + "static/", PAGE + "session"
_API, _RAW = PAGE + "api/", PAGE + "raw/"
_AT_ONCE = 256
_NAME = re.compile(r"[a-zA-Z0-9-]{1,64}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}")
_ACCOUNT = re.compile(r"[0-9]{12}")
_LOOPBACK = ("127.", "::1")
_SIGN_IN_BYTES_MAX = 16 * 1024
_NOT_RAW = (PREFIX, "/_lambent/debug")

Call = Callable[[str, str, Mapping[str, Any], Caller], Awaitable[Members]]
"""Performs an operation of any service for a caller. Raises `ApiError`."""


class ConsoleFront:
    """See the module."""

    def __init__(
        self,
        origins: Origins,
        sessions: Sessions | None,
        call: Call,
        services: Set[str],
        serve: Callable[[Exchange], None],
        tasks: anyio.abc.TaskGroup,
        *,
        home: Scope,
    ) -> None:
        """`sessions` is None on a relaxed platform, where every user of the machine is the root of
        any account. `services` are those whose operations `call` performs. `serve` serves a request
        to the public API."""
        self._origins = origins
        self._sessions = sessions
        self._call = call
        self._services = services
        self._serve = serve
        self._tasks = tasks
        self._home = home
        self._assets = Assets()
        self._serving = 0

    # -- requests ------------------------------------------------------------------------------

    def screen(self, exchange: Exchange) -> bool:
        """Check the head of a request with a body. Raises `ApiError`."""
        self._origins.check(exchange)
        if exchange.path == _SESSION:
            return False
        self._caller(exchange, "")
        return True

    def handle(self, exchange: Exchange) -> None:
        """Serve one request."""
        try:
            self._origins.check_host(exchange)
            if exchange.path in (PREFIX, PAGE) or exchange.path.startswith(_STATIC):
                self._send_file(exchange)
                return
            self._origins.check(exchange)
            self._handle_script(exchange)
        except ApiError as error:
            refuse(exchange, error)

    def _handle_script(self, exchange: Exchange) -> None:
        """Serve what a script of the page asks for."""
        if exchange.path == _SESSION:
            self._handle_session(exchange)
        elif exchange.path.startswith(_RAW):
            self._pass_on(exchange)
        elif exchange.path.startswith(_API):
            check_method(exchange, "POST")
            self._start(exchange)
        else:
            raise not_found("The console has no such page.")

    def _caller(self, exchange: Exchange, signing_name: str) -> Caller:
        """The user, as the caller of a service. Raises `UnrecognizedClientException`."""
        region = exchange.headers.get("x-lambent-region", self._home.region)
        if _REGION.fullmatch(region) is None:
            raise invalid_parameter(f"'{region[:100]}' is not a Region.")
        session = self._session(exchange)
        if session is None:
            account = exchange.headers.get("x-lambent-account", self._home.account)
            if _ACCOUNT.fullmatch(account) is None:
                raise invalid_parameter(f"'{account[:100]}' is not an account ID.")
            principal = root_of(AccountId(account))
        else:
            principal = session.principal
        return Caller(
            principal=principal,
            scope=Scope(principal.account, Region(region)),
            service=signing_name,
            access_key_id=None if session is None else session.access_key_id,
            exchange=exchange,
        )

    # -- files ---------------------------------------------------------------------------------

    def _send_file(self, exchange: Exchange) -> None:
        check_method(exchange, "GET", "HEAD")
        if exchange.path == PREFIX:
            exchange.respond(308, [("Location", PAGE), *RESOURCE_HEADERS])
            return
        is_page = exchange.path == PAGE
        name = "index.html" if is_page else exchange.path.removeprefix(_STATIC)
        asset = self._assets.find(name)
        if asset is None or (not is_page and name == "index.html"):
            raise not_found("The console has no such file.")
        is_html = asset.type.startswith("text/html")
        headers = page_headers(exchange, asset.script_hash) if is_html else [*RESOURCE_HEADERS]
        asset.send(exchange, headers)

    # -- sessions ------------------------------------------------------------------------------

    def _session(self, exchange: Exchange) -> Session | None:
        """The session of a request; None on a relaxed platform."""
        if self._sessions is None:
            return None
        token = exchange.headers.get(TOKEN_HEADER, "")
        return self._sessions.find(_cookie_of(exchange), token)

    def _handle_session(self, exchange: Exchange) -> None:
        check_method(exchange, "GET", "POST", "DELETE")
        if exchange.method == "GET":
            caller = self._caller(exchange, "")
            _respond(exchange, self._describe(caller))
        elif self._sessions is None:
            raise invalid_parameter("This platform is relaxed: no one signs in.")
        elif exchange.method == "DELETE":
            self._sessions.sign_out(_cookie_of(exchange))
            cookie = _cookie(exchange, "", "; Max-Age=0")
            self._respond_when_known(self._sessions, exchange, {}, cookie)
        else:
            halves = self._sign_in(exchange, self._sessions)
            cookie = _cookie(exchange, halves.cookie, "")
            self._respond_when_known(self._sessions, exchange, {"token": halves.token}, cookie)

    def _respond_when_known(
        self, sessions: Sessions, exchange: Exchange, document: object, cookie: tuple[str, str]
    ) -> None:
        """Respond when other nodes know of a change: the next request may go to any."""

        async def respond() -> None:
            await sessions.tell()
            _respond(exchange, document, cookie)

        if sessions.has_news:
            start_task(self._tasks, partial(fail, exchange), respond)
        else:
            _respond(exchange, document, cookie)

    def _describe(self, caller: Caller) -> Mapping[str, Any]:
        return {
            "mode": "relaxed" if self._sessions is None else "strict",
            "arn": caller.principal.arn,
            "account": caller.scope.account,
            "region": caller.scope.region,
            "version": version("lambent"),
        }

    def _sign_in(self, exchange: Exchange, sessions: Sessions) -> Halves:
        address = exchange.client_address
        if not exchange.is_secure and not address.startswith(_LOOPBACK):
            raise ApiError(
                "AccessDeniedException",
                "A secret key must not cross a network unencrypted: serve TLS (--tls auto, or"
                " --tls-cert), or forward the port with ssh -L.",
                status=403,
            )
        if len(exchange.body) > _SIGN_IN_BYTES_MAX:
            raise invalid_parameter("The request is too large.")
        given = decode_json(exchange.body)
        if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
            raise invalid_parameter("The request must be an object of texts.")
        if "link" in given:
            return sessions.sign_in_by_link(address, given["link"])
        return sessions.sign_in(
            address,
            given.get("accessKeyId", ""),
            given.get("secretAccessKey", ""),
            given.get("sessionToken") or None,
        )

    # -- the APIs ------------------------------------------------------------------------------

    def _pass_on(self, exchange: Exchange) -> None:
        name, slash, path = exchange.path.removeprefix(_RAW).partition("/")
        if _NAME.fullmatch(name) is None or not slash or f"/{path}".startswith(_NOT_RAW):
            raise not_found("The console passes nothing on to this path.")
        self._serve(RawExchange(exchange, self._caller(exchange, name), f"/{path}"))

    def _start(self, exchange: Exchange) -> None:
        service, _, name = exchange.path.removeprefix(_API).partition("/")
        if service not in self._services or name not in load_model(service).operation_names:
            raise ApiError(
                "UnknownOperationException", f"Unknown operation: {service}.{name}"[:200]
            )
        caller = self._caller(exchange, str(load_model(service).signing_name))
        if self._serving >= _AT_ONCE:
            raise ApiError("TooManyRequestsException", "Too many requests at once.", status=429)
        operation = load_model(service).operation_model(name)
        start_task(self._tasks, partial(fail, exchange), self._perform, exchange, operation, caller)

    async def _perform(self, exchange: Exchange, operation: OperationModel, caller: Caller) -> None:
        service = operation.service_model.service_name
        self._serving += 1
        try:
            if len(exchange.body) > LOOP_BYTES_MAX:
                params = await computed(read_members, operation, exchange.body)
            else:
                params = read_members(operation, exchange.body)
            output = await self._call(service, operation.name, params, caller)
            body = await computed(write_members, operation, output)
            _send(exchange, body, *missing_header(output))
        except ApiError as error:
            refuse(exchange, error)
        finally:
            self._serving -= 1


def _respond(exchange: Exchange, document: object, *headers: tuple[str, str]) -> None:
    _send(exchange, json.dumps(document).encode(), *headers)


def _send(exchange: Exchange, body: bytes, *headers: tuple[str, str]) -> None:
    kind = ("Content-Type", "application/json"), ("Cache-Control", "no-store")
    exchange.respond(200, [*kind, *headers, *RESOURCE_HEADERS], body)


def _cookie_name(exchange: Exchange) -> str:
    """Cookies are those of a host, whatever the port is: each port has a name of its own."""
    _, _, port = exchange.headers.get("host", "").rpartition(":")
    return f"lambent-console-{port if port.isdecimal() else 'default'}"


def _cookie(exchange: Exchange, value: str, more: str) -> tuple[str, str]:
    secure = "; Secure" if exchange.is_secure else ""
    attributes = f"Path={PREFIX}; HttpOnly; SameSite=Strict{secure}{more}"
    return "Set-Cookie", f"{_cookie_name(exchange)}={value}; {attributes}"


def _cookie_of(exchange: Exchange) -> str:
    name = _cookie_name(exchange)
    for pair in exchange.headers.get("cookie", "").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            return value
    return ""
