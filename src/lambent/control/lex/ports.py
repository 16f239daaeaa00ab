"""What conversations need from outside: functions to call, and texts that are understood."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lambent.model.arn import Scope
from lambent.model.lex.understood import Understood


class HookFailed(Exception):
    """A function could not be called or has failed; the message says why."""


class HookTimedOut(HookFailed):
    """A function did not respond in time."""


class CallHook(Protocol):
    """Calls the function of a bot's alias."""

    async def __call__(self, scope: Scope, alias_arn: str, function: str, event: bytes) -> bytes:
        """What the function returns; `scope` is the bot's. Raises `HookFailed`."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """What a text may mean."""

    intents: Sequence[Understood] = ()
    """The best first."""
    slots: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What the text says by the utterances of the slot that is elicited: documents of values."""


class Understand(Protocol):
    """Understands texts."""

    async def __call__(
        self,
        locale_id: str,
        document: bytes,
        text: str,
        *,
        today: str,
        contexts: Sequence[str],
        slot: tuple[str, str] | None,
    ) -> Heard:
        """What a text may mean in a locale, of which `document` is the JSON. `slot` is elicited: an
        intent and a slot of it. Raises `ApiError` if it takes too long."""
        ...
