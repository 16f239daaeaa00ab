"""Hooks: HTTP entry points for callers that are not AWS."""

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from lambent.kit.sealing import Sealing
from lambent.model.arn import Scope
from lambent.model.document import Document, Root

SERVICE: Final = "hooks"
HOOK: Final = "hook"
"""The kind of a hook's document. Its id is the id in the hook's address; its root is named as the
hook."""
PATH_PREFIX = "/_lambent/hook/"
"""Where a hook is reached: its id follows."""
PRINCIPAL = "hooks.lambent"
"""The service that calls functions for hooks; their policies may name it."""
ALEXA_PRINCIPAL = "alexa-appkit.amazon.com"
"""The same for hooks of the kind `alexa`, as in AWS."""
BODY_BYTES_MAX = 1 << 20
"""Bytes of the body of a request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """What a caller proves to know."""

    value: str = dataclasses.field(repr=False)
    ends: float | None = None
    """Epoch seconds after which it is not accepted; None if it has no end."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One entry point."""

    scope: Scope
    name: str
    id: str
    """32 hexadecimal digits that no one can guess."""
    kind: str
    """A key of `KINDS`."""
    function: str | None
    """The ARN of the function that gets the events, or None."""
    bus: str | None
    """The ARN of the event bus that gets them, or None."""
    is_synchronous: bool
    """Whether the caller waits for the function's response."""
    rate: float
    """Accepted requests a second, on average."""
    options: Mapping[str, Any]
    """See `KINDS`."""
    secrets: Sequence[Secret] = dataclasses.field(repr=False)
    """The newest first."""
    created: float
    """Epoch seconds."""

    @property
    def arn(self) -> str:
        """What policies call it."""
        return hook_arn(self.scope, self.name)

    @property
    def root(self) -> Root:
        """The root of its document."""
        return hook_root(self.scope, self.name)

    def secrets_at(self, now: float) -> list[str]:
        """The secrets that are accepted at a time."""
        return [each.value for each in self.secrets if each.ends is None or each.ends > now]

    def to_body(self, sealing: Sealing) -> dict[str, Any]:
        """The body of its document, which does not show its secrets."""
        body = dataclasses.asdict(self)
        for name in ("scope", "name", "id"):
            del body[name]
        body["secrets"] = [
            {"sealed": sealing.seal(each.value.encode(), self.arn), "ends": each.ends}
            for each in self.secrets
        ]
        return body

    @classmethod
    def of(cls, document: Document, sealing: Sealing) -> "Hook":
        """The hook of a document. Raises ValueError if its secrets were sealed with another key."""
        body, root = dict(document.body), document.root
        arn = hook_arn(root.scope, root.id)
        found = [
            Secret(sealing.open(each["sealed"], arn).decode(), each["ends"])
            for each in body.pop("secrets")
        ]
        return cls(scope=root.scope, name=root.id, id=document.id, secrets=found, **body)


def hook_arn(scope: Scope, name: str) -> str:
    """The ARN of a hook; with the name `*`, of all."""
    return f"arn:aws:lambent:{scope.region}:{scope.account}:hook/{name}"


def hook_root(scope: Scope, name: str) -> Root:
    """The root of the document of a hook."""
    return Root(SERVICE, *scope, name)


def new_hook_id() -> str:
    """A new id."""
    return secrets.token_hex(16)


def new_secret() -> str:
    """A secret of 256 random bits, in the letters of URLs."""
    return secrets.token_urlsafe(32)
