"""Function URLs: any HTTP client's way to a function.

A URL is reached by its host name, `<id>.lambda-url.<region>.<domain>`, and by the path
`/_lambent/url/<id>/` where names cannot be resolved. URLs are kept in memory until a function
changes. As with Invoke, a call of a function that is in memory takes no task.
"""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import anyio.abc

from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.invocation.call import Call
from lambent.invocation.invoker import Invoker
from lambent.kit.clock import Clock
from lambent.kit.computing import LOOP_BYTES_MAX, computed
from lambent.kit.http.messages import Exchange
from lambent.kit.ids import new_request_id
from lambent.kit.tasks import start_task
from lambent.model.arn import AccountId, Region, Scope
from lambent.model.changes import Changes
from lambent.model.errors import ApiError
from lambent.model.function import LATEST
from lambent.model.function_url import PATH_PREFIX, FunctionUrl
from lambent.model.invocation import InvocationKind
from lambent.model.limits import SYNCHRONOUS_EVENT_BYTES_MAX
from lambent.model.principal import ANONYMOUS
from lambent.model.traces import trace_id_of_request
from lambent.telemetry.metrics import Metrics
from lambent.triggers.cors import is_preflight, preflight_headers
from lambent.triggers.url_event import UrlRequest, make_event
from lambent.triggers.url_reply import FORBIDDEN, UrlReply, fail, refuse, refuse_error

HOSTS = re.compile(r"([a-z0-9]{32})\.lambda-url\.([a-z0-9-]{1,32})\.[a-z0-9.-]{1,190}(?::\d{1,5})?")
"""The host names of URLs, in lower case and with the port."""
_ID = re.compile(r"[a-z0-9]{32}")
_KNOWN_MAX = 8192
_NOWHERE = Scope(AccountId(""), Region(""))
Find = Callable[[str], Awaitable[FunctionUrl | None]]
"""Looks up a URL by its id."""


class Signer(NamedTuple):
    """An AWS service that signs a request for a resource of its own."""

    caller: Caller
    source_arn: str


class FunctionUrls:
    """Serves all function URLs."""

    def __init__(
        self,
        find: Find,
        invoker: Invoker,
        authorizer: Authorizer,
        clock: Clock,
        tasks: anyio.abc.TaskGroup,
        metrics: Metrics,
    ) -> None:
        self._find = find
        self._metrics = metrics
        self._invoker = invoker
        self._authorizer = authorizer
        self._clock = clock
        self._tasks = tasks
        self._known: dict[str, FunctionUrl | None] = {}
        self._changes = 0

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`."""
        if changes.functions or changes.is_everything:
            self._changes += 1
            self._known.clear()

    def handle_host(self, exchange: Exchange) -> None:
        """Serve a request whose host name is one of `HOSTS`."""
        url_id = exchange.headers["host"].lower().partition(".")[0]
        self._handle(exchange, url_id, exchange.path)

    def handle_path(self, exchange: Exchange) -> None:
        """Serve a request below `PATH_PREFIX`."""
        url_id, _, rest = exchange.path.removeprefix(PATH_PREFIX).partition("/")
        self._handle(exchange, url_id if _ID.fullmatch(url_id) else "", f"/{rest}")

    def handle_signed(self, exchange: Exchange, caller: Caller, source_arn: str) -> None:
        """Serve a request whose host name is one of `HOSTS`, which a service has signed for the
        resource with an ARN."""
        url_id = exchange.headers["host"].lower().partition(".")[0]
        self._handle(exchange, url_id, exchange.path, Signer(caller, source_arn))

    def _handle(
        self, exchange: Exchange, url_id: str, path: str, signer: Signer | None = None
    ) -> None:
        url = self._known.get(url_id)
        if url is None and url_id in self._known:
            refuse(exchange, 403, None)
        elif (
            url is None
            or len(exchange.body) > LOOP_BYTES_MAX
            or not self._begin(exchange, url, path, signer)
        ):
            failed = partial(fail, exchange)
            start_task(self._tasks, failed, self._handle_slowly, exchange, url_id, path, signer)

    def _begin(
        self, exchange: Exchange, url: FunctionUrl, path: str, signer: Signer | None
    ) -> bool:
        """Serve a request if all it takes is in memory; returns whether it is."""
        try:
            caller = self._identify(exchange, url, signer)
            needs = self._needs(url, signer)
            if not all(self._authorizer.check_nowait(caller, access) for access in needs):
                return False
            request = self._request(exchange, url, path, caller)
            if request is None:
                return True
            call = _call(request, make_event(request, self._clock.now()))
            return self._invoker.begin(call, lambda _: UrlReply(request, self._tasks))
        except ApiError as error:
            self._note(url, self._clock.monotonic(), refuse_error(exchange, url, error))
            return True

    async def _handle_slowly(
        self, exchange: Exchange, url_id: str, path: str, signer: Signer | None
    ) -> None:
        try:
            url = await self._look_up(url_id)
        except ApiError as error:
            refuse_error(exchange, None, error)
            return
        if url is None:
            refuse(exchange, 403, None)
            return
        try:
            # A body may be large: to verify it and to make an event of it takes a while.
            caller = await computed(self._identify, exchange, url, signer)
            await self._authorizer.check_all(caller, self._needs(url, signer))
            request = self._request(exchange, url, path, caller)
            if request is not None:
                call = _call(request, await computed(make_event, request, self._clock.now()))
                await self._invoker.start(call, lambda _: UrlReply(request, self._tasks))
        except ApiError as error:
            self._note(url, self._clock.monotonic(), refuse_error(exchange, url, error))

    def _note(self, url: FunctionUrl, began: float, status: int) -> None:
        """Count a response to a request that came at a monotonic time."""
        add, key = self._metrics.add, url.key
        add("UrlRequestCount", key)
        if status >= 400:
            add("Url5xxCount" if status >= 500 else "Url4xxCount", key)
        add("UrlRequestLatency", key, (self._clock.monotonic() - began) * 1000)

    async def _look_up(self, url_id: str) -> FunctionUrl | None:
        changes = self._changes
        url = await self._find(url_id)
        if changes == self._changes:
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[url_id] = url
        return url

    def _identify(self, exchange: Exchange, url: FunctionUrl, signer: Signer | None) -> Caller:
        """Who calls. Raises `ApiError` if the URL asks for a signature and there is no good one."""
        is_asking = url.cors is not None and is_preflight(exchange.method, exchange.headers)
        if url.auth_type != "AWS_IAM" or is_asking:
            return Caller(
                principal=ANONYMOUS,
                scope=_NOWHERE,
                service=None,
                access_key_id=None,
                exchange=exchange,
            )
        if signer is not None:
            return signer.caller
        caller = self._authorizer.authenticate(exchange)
        if caller.access_key_id is None:
            raise ApiError("AccessDeniedException", FORBIDDEN, status=403)
        return caller

    def _needs(self, url: FunctionUrl, signer: Signer | None) -> list[Access]:
        """What a caller needs permission for: both, as in AWS."""
        is_own = signer is not None and signer.caller.scope.account == url.key.account
        if not self._authorizer.is_strict and (url.auth_type == "NONE" or is_own):
            return []
        source: tuple[tuple[str, tuple[str, ...]], ...] = ()
        if signer is not None:
            source = (
                ("aws:sourcearn", (signer.source_arn,)),
                ("aws:sourceaccount", (signer.caller.scope.account,)),
            )
        auth_type = (
            ("lambda:functionurlauthtype", (url.auth_type,)),
            ("lambda:functionarn", (url.arn,)),
        )
        through_url = (("lambda:invokedviafunctionurl", ("true",)),)
        return [
            Access("lambda:InvokeFunctionUrl", url.arn, url.key.account, auth_type + source),
            Access("lambda:InvokeFunction", url.arn, url.key.account, through_url + source),
        ]

    def _request(
        self, exchange: Exchange, url: FunctionUrl, path: str, caller: Caller
    ) -> UrlRequest | None:
        """The request for the function; None for a preflight, which gets its response here."""
        headers = exchange.headers
        if url.cors is not None and is_preflight(exchange.method, headers):
            exchange.respond(200, preflight_headers(url.cors, headers))
            return None
        return UrlRequest(
            exchange=exchange,
            url=url,
            path=path,
            domain=headers.get("host", "").partition(":")[0],
            request_id=new_request_id(),
            trace_id=trace_id_of_request(
                headers.get("x-amzn-trace-id"), headers.get("traceparent")
            ),
            caller=None if caller.principal is ANONYMOUS else caller,
            note=partial(self._note, url, self._clock.monotonic()),
        )


def _call(request: UrlRequest, event: bytes) -> Call:
    """Raises `ApiError` (413) for an event that is too large."""
    if len(event) > SYNCHRONOUS_EVENT_BYTES_MAX:
        raise ApiError("RequestTooLargeException", "Request Entity Too Large", status=413)
    url = request.url
    return Call(
        request_id=request.request_id,
        kind=InvocationKind.URL,
        key=url.key,
        qualifier=None if url.qualifier == LATEST else url.qualifier,
        event=event,
        trace_header=request.trace_id,
        wants_stream=url.invoke_mode == "RESPONSE_STREAM",
    )
