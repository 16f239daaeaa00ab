"""Authenticates callers and authorizes what they do.

In relaxed mode a key that is not known here stands for the root of an account, and within an
account everything is allowed. In strict mode every request must be signed with a known key, and
policies decide. Across accounts the resource's policy decides in both modes.

Decisions are cached until a policy changes, so that a repeated call costs one lookup. Decisions
that depend on conditions are not cached.
"""

import dataclasses
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from lambent.identity.keyring import Keyring
from lambent.identity.signature import read_signature, verify, verify_head
from lambent.kit.clock import Clock
from lambent.kit.http.messages import Exchange
from lambent.kit.http.passed import PassedExchange
from lambent.model.arn import AccountId, Scope
from lambent.model.changes import Changes
from lambent.model.errors import ApiError
from lambent.model.policy import AccessRequest, ResourcePolicy, Verdict, decide, is_unconditional
from lambent.model.principal import ANONYMOUS, Principal, root_of

LoadPolicy = Callable[[str], Awaitable[ResourcePolicy]]
"""Returns the policies and tags of the resource with this ARN."""

_ACCOUNT = re.compile(r"\d{12}")
_DECISIONS_MAX = 16_384
_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "role": "AssumedRole",
    "anonymous": "Anonymous",
}
ASSUME_ROLE = "sts:AssumeRole"
"""Decided by the role's trust policy; in relaxed mode roles need not exist."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The principal that sent a request, and the account and region it acts in."""

    principal: Principal
    scope: Scope
    service: str | None
    """The signing name (`lambda`, `logs`, `sts`), or None for an unsigned request."""
    access_key_id: str | None
    exchange: Exchange | None = dataclasses.field(default=None, repr=False, compare=False)
    """The request, for conditions that ask where it came from."""
    token: str = dataclasses.field(default="", compare=False)
    """What tells a step of a stack from others: by it a stack knows what it has made under an id
    that the service has chosen. Empty for all other callers."""


class KnownExchange(PassedExchange):
    """A request whose caller the platform has authenticated in another way than by a signature.
    Only the platform makes them, so what says who calls is not the client's."""

    def __init__(self, exchange: Exchange, caller: Caller) -> None:
        super().__init__(exchange)
        self.caller = caller


class Access(NamedTuple):
    """An action on a resource that needs permission."""

    action: str
    resource: str
    owner: str
    """The resource's account."""
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Further condition keys, in lower case, and their values."""
    also: tuple[str, ...] = ()
    """Further names of the resource: policies may use any of them."""
    is_unsure: bool = False
    """Whether part of `resource` is not known. Every denial of the action then applies."""


class Authorizer:
    """Authenticates requests and decides about them."""

    def __init__(
        self,
        keyring: Keyring,
        load: LoadPolicy,
        clock: Clock,
        *,
        home: Scope,
        is_strict: bool,
    ) -> None:
        self.is_strict = is_strict
        self._keyring = keyring
        self._load = load
        self._clock = clock
        self._home = home
        self._root_here = Caller(
            principal=root_of(home.account), scope=home, service=None, access_key_id=None
        )
        self._known: dict[str, ResourcePolicy] = {}
        self._decisions: dict[tuple[str, Access], Verdict] = {}
        self._generation = 0
        self._changes = 0

    def authenticate(self, exchange: Exchange) -> Caller:
        """The caller of a request. Joins a body that was signed in chunks.

        Raises `ApiError`: `MissingAuthenticationTokenException`, `UnrecognizedClientException`,
        `InvalidSignatureException`, `IncompleteSignatureException`, `ExpiredTokenException`.
        """
        signature = read_signature(exchange)
        if signature is None:
            if isinstance(exchange, KnownExchange):
                return exchange.caller
            if self.is_strict or _is_from_a_page(exchange):
                raise _missing_token()
            return self._root_here
        found = self._keyring.find(signature.access_key_id, signature.session_token)
        if found is not None:
            principal, secret = found
            if self.is_strict and not self._keyring.is_current(principal):
                raise _unrecognized()
            exchange.body = verify(signature, exchange, secret, self._clock.now())
        elif self.is_strict:
            raise _unrecognized()
        elif _is_from_a_page(exchange):
            raise _missing_token()
        else:
            key_id = signature.access_key_id
            is_account = _ACCOUNT.fullmatch(key_id) is not None
            principal = root_of(AccountId(key_id) if is_account else self._home.account)
        return Caller(
            principal=principal,
            scope=Scope(principal.account, signature.region),
            service=signature.service,
            access_key_id=signature.access_key_id,
            exchange=exchange,
        )

    def screen(self, exchange: Exchange) -> bool:
        """Whether a known key has signed a request whose body has not arrived yet; False if only
        the body can show it. Raises as `authenticate` if the request is refused in any case."""
        signature = read_signature(exchange)
        found = None
        if signature is not None:
            found = self._keyring.find(signature.access_key_id, signature.session_token)
        if signature is None or found is None:
            if self.is_strict and signature is not None:
                raise _unrecognized()
            if self.is_strict or _is_from_a_page(exchange):
                raise _missing_token()
            return False
        principal, secret = found
        if self.is_strict and not self._keyring.is_current(principal):
            raise _unrecognized()
        return verify_head(signature, exchange, secret, self._clock.now())

    def check_nowait(self, caller: Caller, access: Access) -> bool:
        """As `check`, without the database. Returns False if the database must be read."""
        principal = caller.principal
        if not self.is_strict and (
            principal.account == access.owner or access.action == ASSUME_ROLE
        ):
            return True
        if self._generation != self._keyring.generation:
            self._generation = self._keyring.generation
            self._decisions.clear()
        verdict = self._decisions.get((principal.arn, access))
        if verdict is None:
            known = self._known.get(access.resource)
            if known is None:
                return False
            verdict = self._decide(caller, access, known)
        if verdict is not Verdict.ALLOWED:
            raise access_denied(principal, access, verdict)
        return True

    async def check(self, caller: Caller, access: Access) -> None:
        """Raise `AccessDeniedException` unless the caller may do this."""
        if self.check_nowait(caller, access):
            return
        verdict = self._decide(caller, access, await self._policy(access.resource))
        if verdict is not Verdict.ALLOWED:
            raise access_denied(caller.principal, access, verdict)

    def check_known(self, caller: Caller, access: Access, policy: ResourcePolicy) -> None:
        """As `check`, of a resource whose policy is known, such as a route of an API."""
        if not self.is_strict and caller.principal.account == access.owner:
            return
        verdict = self._decide(caller, access, policy)
        if verdict is not Verdict.ALLOWED:
            raise access_denied(caller.principal, access, verdict)

    async def check_all(self, caller: Caller, accesses: Sequence[Access]) -> None:
        """Raise `AccessDeniedException` unless the caller may do all of this."""
        for access in accesses:
            await self.check(caller, access)

    async def _policy(self, resource: str) -> ResourcePolicy:
        known = self._known.get(resource)
        if known is not None:
            return known
        changes = self._changes
        found = await self._load(resource)
        if changes == self._changes and _is_function(resource):
            if len(self._known) >= _DECISIONS_MAX:
                self._known.clear()
            self._known[resource] = found
        return found

    def note_changes(self, changes: Changes) -> None:
        """See `ChangeListener`. With a function its policy may have changed, with a document its
        tags. The keyring hears of identities itself, and decisions go by its generation."""
        if not (changes.functions or changes.documents or changes.is_everything):
            return
        self._changes += 1
        self._decisions.clear()
        self._known.clear()

    def _decide(self, caller: Caller, access: Access, known: ResourcePolicy) -> Verdict:
        principal = caller.principal
        own = self._keyring.statements(principal)
        is_assuming = access.action == ASSUME_ROLE
        granted = known.trust if is_assuming else known.statements
        verdict = decide(
            AccessRequest(
                principal=principal,
                action=access.action,
                resource=access.resource,
                also=access.also,
                is_unsure=access.is_unsure,
                context=self._context(caller, access, known),
            ),
            identity=own,
            resource=granted,
            owner=access.owner,
            needs_grant=is_assuming,
        )
        is_lasting = all(is_unconditional(statement) for statement in (*own, *granted))
        if is_lasting and _is_function(access.resource):
            if len(self._decisions) >= _DECISIONS_MAX:
                self._decisions.clear()
            self._decisions[principal.arn, access] = verdict
        return verdict

    def _context(
        self, caller: Caller, access: Access, known: ResourcePolicy
    ) -> dict[str, Sequence[str]]:
        now = self._clock.now()
        context: dict[str, Sequence[str]] = {
            "aws:currenttime": [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))],
            "aws:epochtime": [str(int(now))],
            "aws:requestedregion": [caller.scope.region],
            "aws:resourceaccount": [access.owner],
            **dict(access.context),
        }
        principal = caller.principal
        if principal is not ANONYMOUS:
            context |= {
                "aws:principalarn": [principal.role_arn or principal.arn],
                "aws:principalaccount": [principal.account],
                "aws:userid": [principal.user_id],
            }
        if principal.kind in _PRINCIPAL_TYPES:
            context["aws:principaltype"] = [_PRINCIPAL_TYPES[principal.kind]]
        if principal.kind == "user":
            context["aws:username"] = [principal.name]
        if caller.exchange is not None:
            _add_origin(context, caller.exchange)
        _add_tags(context, "aws:principaltag", self._keyring.tags(principal))
        _add_tags(context, "aws:resourcetag", known.tags)
        if access.action.startswith(("iam:", "sts:")):
            _add_tags(context, "iam:resourcetag", known.tags)
        return context


def _add_origin(context: dict[str, Sequence[str]], exchange: Exchange) -> None:
    """Add the condition keys that say where a request came from."""
    context["aws:securetransport"] = [str(exchange.is_secure).lower()]
    known = (
        ("aws:sourceip", exchange.client_address),
        ("aws:useragent", exchange.headers.get("user-agent")),
        ("aws:referer", exchange.headers.get("referer")),
    )
    for key, value in known:
        if value:
            context[key] = [value]


def _add_tags(context: dict[str, Sequence[str]], key: str, tags: Mapping[str, str]) -> None:
    """Add the condition keys that a resource's or a principal's tags are."""
    for name, value in tags.items():
        of_name = f"{key}/{name.lower()}"
        context[of_name] = [*context.get(of_name, ()), value]


def _is_from_a_page(exchange: Exchange) -> bool:
    """Whether a web page made its visitor's browser send a request. Any page can send to loopback,
    and a page of the same origin, such as a function's, can set any header. Only the signature of a
    known key shows that the page is trusted."""
    headers = exchange.headers
    return "origin" in headers or headers.get("sec-fetch-site", "none") != "none"


def _missing_token() -> ApiError:
    return ApiError(
        "MissingAuthenticationTokenException", "Missing Authentication Token", status=403
    )


def _unrecognized() -> ApiError:
    return ApiError(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        status=403,
    )


def _is_function(arn: str) -> bool:
    """Whether `forget` is called when the resource's policy changes."""
    return ":function:" in arn


def access_denied(principal: Principal, access: Access, verdict: Verdict) -> ApiError:
    """`AccessDeniedException` in AWS's words."""
    reason = verdict.value.format(action=access.action)
    return ApiError(
        "AccessDeniedException",
        f"User: {principal.arn} is not authorized to perform: {access.action} on resource:"
        f" {access.resource} {reason}",
        status=403,
    )
