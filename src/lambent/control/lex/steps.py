"""Steps of a turn, and the points of an intent's definition that say what comes next."""

import dataclasses
from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]


class HookUnusable(Exception):
    """The code hook cannot be used, and the bot's definition does not say what then. The message is
    for the client."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What comes next."""

    type: str
    """A type of the API's `DialogAction`, or `Continue`: the default order."""
    slot: str = ""
    is_silent: bool = False
    """Whether the bot does not say what it usually says."""
    is_forced: bool = False
    """Whether a slot is elicited although it has a value."""


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """Names of the members that say what happens at a point of the flow."""

    response: str
    conditional: str
    next: str


def _point(prefix: str) -> Point:
    return Point(f"{prefix}Response", f"{prefix}Conditional", f"{prefix}NextStep")


INITIAL = Point("initialResponse", "conditional", "nextStep")
CLOSING = Point("closingResponse", "conditional", "nextStep")
CAPTURE, FAILURE, SUCCESS, TIMEOUT = map(_point, ("capture", "failure", "success", "timeout"))
CONFIRMATION, DECLINATION = _point("confirmation"), _point("declination")
CONTINUE, END = Step("Continue"), Step("EndConversation")


def says(section: Params, point: Point) -> bool:
    """Whether a definition says what happens at a point."""
    return any(section.get(name) for name in (point.response, point.conditional, point.next))
