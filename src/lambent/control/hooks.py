"""Use cases of hooks: HTTP entry points for callers that are not AWS."""

import dataclasses
import datetime
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lambent.control.events.buses import require_bus
from lambent.control.events.naming import find_bus
from lambent.control.lookup import require_version
from lambent.kit.clock import Clock
from lambent.kit.computing import computed
from lambent.kit.sealing import Sealing
from lambent.kit.tls.authority import new_signer
from lambent.model.arn import Scope
from lambent.model.document import Document
from lambent.model.errors import ApiError, conflict, invalid_parameter, not_found
from lambent.model.hooks.alexa import NAME as ALEXA_NAME
from lambent.model.hooks.hook import (
    HOOK,
    SERVICE,
    Hook,
    Secret,
    hook_root,
    new_hook_id,
    new_secret,
)
from lambent.model.hooks.kinds import KINDS
from lambent.model.hooks.options import check_options, check_secret
from lambent.model.names import parse_function_name
from lambent.store.store import Store, Transaction

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]

_SEALING_KEY = "hooks"
"""Name of the platform's secret that seals those of hooks."""
HOOKS_MAX = 1000
"""Of one account in one Region."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MEMBERS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "kind": (str,),
    "function": (str,),
    "bus": (str,),
    "secret": (str,),
    "sync": (bool,),
    "rate": (int, float),
    "options": (dict,),
}
_RATE, _RATE_MAX = 100.0, 10_000.0
_GRACE_S_MAX = 7 * 86_400


class Hooks:
    """See the module. All use cases raise `ApiError`."""

    def __init__(self, store: Store, sealing: Sealing, clock: Clock) -> None:
        """`sealing` is for secrets: `open_sealing` makes it."""
        self._store = store
        self._sealing = sealing
        self._clock = clock

    async def prepare(self, scope: Scope, params: Params) -> Hook:
        """The hook that a request describes, with a new id. It is not stored yet."""
        _check_members(params)
        name, kind = params.get("name", ""), params.get("kind", "")
        check_name(name)
        if kind not in KINDS:
            raise invalid_parameter(f"The kind of a hook is one of {', '.join(KINDS)}.")
        options = params.get("options", {})
        try:
            check_options(kind, options)
        except ValueError as error:
            raise invalid_parameter(f"{error}.") from error
        rate = float(params.get("rate", _RATE))
        if not 0 < rate <= _RATE_MAX:
            raise invalid_parameter(f"The rate is at most {_RATE_MAX:.0f} requests a second.")
        function, bus = _target(scope, kind, params)
        return Hook(
            scope=scope,
            name=name,
            id=new_hook_id(),
            kind=kind,
            function=function,
            bus=bus,
            is_synchronous=_is_synchronous(kind, bus, params.get("sync", False)),
            rate=rate,
            options=options,
            secrets=await self._secrets(kind, options, params.get("secret")),
            created=self._clock.now(),
        )

    async def create(self, hook: Hook) -> None:
        """Store a hook that was prepared."""

        def run(tx: Transaction) -> None:
            tx.locks.scope(hook.scope)
            if self._find(tx, hook.scope, hook.name) is not None:
                raise conflict(f"The hook {hook.name} exists already.")
            if len(tx.documents.list_in(SERVICE, hook.scope, HOOK)) >= HOOKS_MAX:
                raise ApiError("LimitExceededException", f"There can be at most {HOOKS_MAX} hooks.")
            if hook.function is not None:
                require_version(tx, parse_function_name(hook.function, hook.scope))
            if hook.bus is not None:
                require_bus(tx, find_bus(hook.scope, hook.bus))
            tx.documents.put(hook.root, HOOK, hook.id, hook.to_body(self._sealing))

        await self._store.transact(run)

    async def get(self, scope: Scope, name: str) -> Hook:
        """A hook, by its name."""
        return await self._store.read(lambda tx: self._require(tx, scope, name))

    async def list(self, scope: Scope) -> Sequence[Hook]:
        """All hooks of an account in a Region, by name."""
        found = await self._store.read(lambda tx: tx.documents.list_in(SERVICE, scope, HOOK))
        return sorted(map(self._open, found), key=lambda hook: hook.name)

    async def load(self) -> Sequence[Hook]:
        """All hooks of all accounts."""
        found = await self._store.read(lambda tx: tx.documents.everywhere(SERVICE, HOOK))
        hooks = []
        for document in found:
            try:
                hooks.append(self._open(document))
            except ApiError:
                logger.warning("the secret of the hook %s cannot be read", document.root.id)
        return hooks

    async def rotate(
        self, scope: Scope, name: str, secret: str | None = None, *, grace_s: int = 0
    ) -> Hook:
        """Give a hook another secret. The present ones are accepted for `grace_s` seconds more."""
        if not 0 <= grace_s <= _GRACE_S_MAX:
            raise invalid_parameter(f"A secret is kept for at most {_GRACE_S_MAX} seconds.")
        before = await self.get(scope, name)
        added = await self._secrets(before.kind, before.options, secret)
        if not added:
            raise invalid_parameter(f"The hook {name} has no secret.")

        def run(tx: Transaction) -> Hook:
            tx.locks.scope(scope)
            hook = self._require(tx, scope, name)
            now = self._clock.now()
            ends = now + grace_s
            kept = [
                Secret(each.value, ends if each.ends is None else min(each.ends, ends))
                for each in hook.secrets
                if grace_s and (each.ends is None or each.ends > now)
            ]
            changed = dataclasses.replace(hook, secrets=[*added, *kept[:1]])
            tx.documents.put(hook.root, HOOK, hook.id, changed.to_body(self._sealing))
            return changed

        return await self._store.transact(run)

    async def delete(self, scope: Scope, name: str) -> None:
        """Delete a hook. Events that it has accepted are delivered."""

        def run(tx: Transaction) -> None:
            tx.locks.scope(scope)
            tx.documents.delete_all(self._require(tx, scope, name).root)

        await self._store.transact(run)

    def _find(self, tx: Transaction, scope: Scope, name: str) -> Hook | None:
        found = tx.documents.list_of(hook_root(scope, name), HOOK, limit=1)
        return self._open(found[0]) if found else None

    def _require(self, tx: Transaction, scope: Scope, name: str) -> Hook:
        hook = self._find(tx, scope, name)
        if hook is None:
            raise not_found(f"There is no hook {name[:64]!r}.")
        return hook

    def _open(self, document: Document) -> Hook:
        try:
            return Hook.of(document, self._sealing)
        except ValueError as error:
            raise ApiError(
                "ServiceException",
                f"The secret of the hook {document.root.id} cannot be read: it was sealed with"
                " another key.",
                status=500,
            ) from error

    async def _secrets(self, kind: str, options: Params, given: str | None) -> Sequence[Secret]:
        """The secret of a new hook: the one that was given, or a new one if it needs one."""
        if given is not None:
            try:
                check_secret(kind, options, given)
            except ValueError as error:
                raise invalid_parameter(f"{str(error).capitalize()}.") from error
            return [Secret(given)]
        if options.get("local"):
            now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
            return [Secret((await computed(new_signer, ALEXA_NAME, now)).decode())]
        return [Secret(_new_secret(options))] if KINDS[kind].secret == "needed" else []


async def open_sealing(store: Store) -> Sealing:
    """What secrets are sealed with."""
    return Sealing(await store.transact(lambda tx: tx.identities.platform_secret(_SEALING_KEY)))


def check_name(name: str) -> None:
    """Raises `InvalidParameterValueException` for what is no name of a hook."""
    if _NAME.fullmatch(name) is None:
        raise invalid_parameter("The name of a hook has 1 to 64 letters, digits, - and _.")


def _new_secret(options: Params) -> str:
    """Standard Webhooks' are base64."""
    secret = new_secret()
    return (
        f"whsec_{secret.replace('-', '+').replace('_', '/')}="
        if (options.get("scheme") == "standard")
        else secret
    )


def _check_members(params: Params) -> None:
    for member, value in params.items():
        types = _MEMBERS.get(member)
        if types is None:
            raise invalid_parameter(f"{member[:64]} is not a member of a hook.")
        if not isinstance(value, types) or (bool not in types and isinstance(value, bool)):
            raise invalid_parameter(f"The member {member} of a hook has the wrong type.")


def _target(scope: Scope, kind: str, params: Params) -> tuple[str | None, str | None]:
    """The ARNs of the function and of the bus, of which there is one."""
    if ("function" in params) == ("bus" in params):
        raise invalid_parameter("A hook has a function or an event bus.")
    if "function" in params:
        return parse_function_name(params["function"], scope).arn, None
    if not KINDS[kind].goes_to_bus:
        raise invalid_parameter(f"A hook of the kind {kind} needs a function.")
    bus = find_bus(scope, params["bus"])
    if bus.scope != scope:
        raise invalid_parameter("The event bus of a hook is in its account and Region.")
    return None, bus.arn


def _is_synchronous(kind: str, bus: str | None, is_asked: bool) -> bool:
    rule = KINDS[kind].synchronous
    if is_asked and (rule == "never" or bus is not None):
        raise invalid_parameter("A caller of this hook does not wait for a response.")
    return rule == "always" or is_asked
