"""Pages for hooks, as `lambent hook` uses them.

| request | what | action |
|---|---|---|
| `POST /_lambent/hooks` | create | `lambent:CreateHook`; `events:PutEvents` on the bus |
| `GET /_lambent/hooks` | list | `lambent:ListHooks` |
| `GET /_lambent/hooks/NAME` | show; with `?secret=true` the secret, too | `lambent:GetHook`; `lambent:GetHookSecret` |
| `POST /_lambent/hooks/NAME/rotate` | another secret | `lambent:RotateHook` |
| `DELETE /_lambent/hooks/NAME` | delete | `lambent:DeleteHook` |

The resource is `arn:aws:lambent:REGION:ACCOUNT:hook/NAME`.
"""  # noqa: E501 - a table

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio.abc

from lambent.control.hooks import Hooks, check_name
from lambent.gateway.pages import check_method, fail, refuse, respond
from lambent.identity.authorizer import Access, Authorizer, Caller
from lambent.kit.http.messages import Exchange
from lambent.kit.strict_json import parse_plain
from lambent.kit.tasks import start_task
from lambent.model.errors import ApiError, invalid_parameter, not_found
from lambent.model.hooks.hook import PATH_PREFIX, Hook, hook_arn
from lambent.model.hooks.kinds import KINDS

PAGES = "/_lambent/hooks"
PATHS = (PAGES, f"{PAGES}/")
"""Where the gateway must route to `HooksApi.handle`."""
_ROTATE = "rotate"
_WITH_SECRET = "secret=true"

Check = Callable[[Hook], Awaitable[None]]
"""Raises `AccessDeniedException` unless the platform may call the function of a hook."""
Observe = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Returns what has happened to a hook, by its id."""


class HooksApi:
    """Serves these pages."""

    def __init__(
        self,
        authorizer: Authorizer,
        hooks: Hooks,
        check: Check,
        observe: Observe,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self._authorizer = authorizer
        self._hooks = hooks
        self._check = check
        self._observe = observe
        self._tasks = tasks

    def handle(self, exchange: Exchange) -> None:
        """Serve one request for any of the pages."""
        try:
            caller = self._authorizer.authenticate(exchange)
        except ApiError as error:
            refuse(exchange, error)
        else:
            start_task(self._tasks, partial(fail, exchange), self._serve, exchange, caller)

    async def _serve(self, exchange: Exchange, caller: Caller) -> None:
        try:
            respond(exchange, await self._result(exchange, caller))
        except ApiError as error:
            refuse(exchange, error)

    async def _result(self, exchange: Exchange, caller: Caller) -> Mapping[str, Any]:
        name, _, verb = exchange.path.removeprefix(PAGES).removeprefix("/").partition("/")
        if not name:
            check_method(exchange, "GET", "POST")
            return await (self._create if exchange.method == "POST" else self._list)(
                exchange, caller
            )
        check_name(name)
        if verb == _ROTATE:
            check_method(exchange, "POST")
            return await self._rotate(exchange, caller, name)
        if verb:
            raise not_found("There is no such page.")
        check_method(exchange, "GET", "DELETE")
        if exchange.method == "GET":
            return await self._show(exchange, caller, name)
        await self._allow(caller, "DeleteHook", name)
        await self._hooks.delete(caller.scope, name)
        return {"name": name, "deleted": True}

    async def _create(self, exchange: Exchange, caller: Caller) -> Mapping[str, Any]:
        members = _members(exchange)
        name = members.get("name")
        check_name(name if isinstance(name, str) else "")
        await self._allow(caller, "CreateHook", members["name"])
        hook = await self._hooks.prepare(caller.scope, members)
        if hook.bus is not None:
            access = Access("events:PutEvents", hook.bus, caller.scope.account)
            await self._authorizer.check(caller, access)
        else:
            await self._check_function(hook)
        await self._hooks.create(hook)
        return _view(hook, has_secret=True)

    async def _check_function(self, hook: Hook) -> None:
        try:
            await self._check(hook)
        except ApiError as error:
            if error.status >= 500:
                raise
            raise invalid_parameter(
                f"The function's policy does not let {KINDS[hook.kind].principal} invoke it. Add a"
                f" permission with this principal and the source ARN {hook.arn}."
            ) from error

    async def _list(self, _: Exchange, caller: Caller) -> Mapping[str, Any]:
        await self._allow(caller, "ListHooks", "*")
        hooks = await self._hooks.list(caller.scope)
        return {"hooks": [_view(hook, has_secret=False) for hook in hooks]}

    async def _show(self, exchange: Exchange, caller: Caller, name: str) -> Mapping[str, Any]:
        await self._allow(caller, "GetHook", name)
        has_secret = exchange.query == _WITH_SECRET
        if has_secret:
            await self._allow(caller, "GetHookSecret", name)
        hook = await self._hooks.get(caller.scope, name)
        return {**_view(hook, has_secret=has_secret), **await self._observe(hook.id)}

    async def _rotate(self, exchange: Exchange, caller: Caller, name: str) -> Mapping[str, Any]:
        await self._allow(caller, "RotateHook", name)
        members = _members(exchange)
        secret, grace_s = members.get("secret"), members.get("grace_s", 0)
        is_valid = (secret is None or isinstance(secret, str)) and type(grace_s) is int
        if not is_valid or not {"secret", "grace_s"}.issuperset(members):
            raise invalid_parameter("A rotation has the members secret and grace_s.")
        hook = await self._hooks.rotate(caller.scope, name, secret, grace_s=grace_s)
        return _view(hook, has_secret=True)

    async def _allow(self, caller: Caller, action: str, name: str) -> None:
        access = Access(f"lambent:{action}", hook_arn(caller.scope, name), caller.scope.account)
        await self._authorizer.check(caller, access)


def _members(exchange: Exchange) -> Mapping[str, Any]:
    try:
        members = parse_plain(exchange.body.decode()) if exchange.body else {}
    except ValueError as error:
        raise invalid_parameter("The body is not valid JSON.") from error
    if not isinstance(members, dict):
        raise invalid_parameter("The body is not an object.")
    return members


def _view(hook: Hook, *, has_secret: bool) -> Mapping[str, Any]:
    """A hook as pages show it. The path is that of its address."""
    view: dict[str, Any] = {
        "name": hook.name,
        "kind": hook.kind,
        "path": f"{PATH_PREFIX}{hook.id}",
        "arn": hook.arn,
        "function": hook.function,
        "bus": hook.bus,
        "sync": hook.is_synchronous,
        "rate": hook.rate,
        "options": dict(hook.options),
        "created": hook.created,
    }
    if has_secret and hook.secrets:
        view["secret"] = hook.secrets[0].value
    return view
