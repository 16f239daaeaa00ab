"""What the kinds of hooks have in common with each other, as data."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from lambent.model.hooks.hook import ALEXA_PRINCIPAL, PRINCIPAL


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HookKind:
    """The facts of one kind."""

    secret: Literal["needed", "optional", "none"]
    """Whether a hook has a secret. One that is needed and not given is made."""
    goes_to_bus: bool = False
    """Whether events may go to an event bus."""
    synchronous: Literal["never", "if asked", "always"] = "never"
    """Whether the caller waits for the function's response."""
    options: frozenset[str] = frozenset()
    """The options that a hook of this kind takes."""
    principal: str = PRINCIPAL
    """The service that calls the function."""


_OF_BUS = frozenset({"source", "detail_type"})

KINDS: Mapping[str, HookKind] = {
    "s3": HookKind(secret="needed"),
    "sns": HookKind(secret="none", options=frozenset({"topics"})),
    "cloudevents": HookKind(secret="needed", goes_to_bus=True, synchronous="if asked"),
    "hmac": HookKind(
        secret="needed",
        goes_to_bus=True,
        synchronous="if asked",
        options=frozenset(
            {
                *("scheme", "header", "algorithm", "encoding", "prefix", "signed"),
                *("timestamp_header", "id_header", "tolerance_s", "replay_window_s"),
                *_OF_BUS,
            }
        ),
    ),
    "token": HookKind(
        secret="needed",
        goes_to_bus=True,
        synchronous="if asked",
        options=frozenset({"token_in", *_OF_BUS}),
    ),
    "alb": HookKind(
        secret="optional", synchronous="always", options=frozenset({"multi_value_headers"})
    ),
    "alexa": HookKind(
        secret="none",
        synchronous="always",
        options=frozenset({"skill", "local"}),
        principal=ALEXA_PRINCIPAL,
    ),
}
