"""The state of a conversation, as it is kept between two turns."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

Params = Mapping[str, Any]
CONTEXTS_MAX = 20


@dataclasses.dataclass(slots=True)
class Session:
    """The state of a conversation. Everything in it is JSON."""

    attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    contexts: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """With `name`, `contextAttributes`, `turns` that are left, and the epoch second `ends_at`."""
    intent: dict[str, Any] | None = None
    """As the API shows it: `name`, `slots`, `state`, `confirmationState`."""
    action: dict[str, Any] | None = None
    """What the bot waits for, as the API shows it."""
    attempt: int = 0
    """How often the current question was repeated."""
    interpretations: list[Params] = dataclasses.field(default_factory=list)
    messages: list[Params] = dataclasses.field(default_factory=list)
    hints: Params | None = None
    originating_request_id: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, document: Params) -> "Session":
        """A session that was stored."""
        return cls(**document)

    @property
    def slots(self) -> dict[str, Any]:
        """The slots of the current intent; empty if there is none."""
        found: dict[str, Any] = (self.intent or {}).get("slots") or {}
        return found

    def drop_contexts(self, now: float) -> None:
        """Forget contexts whose time is over."""
        self.contexts = [each for each in self.contexts if each["ends_at"] > now]

    def count_turn(self, names: Iterable[str]) -> None:
        """Count a turn of the contexts that were active when it began."""
        gone = set(names)
        for each in self.contexts:
            if each["name"] in gone:
                each["turns"] -= 1
        self.contexts = [each for each in self.contexts if each["turns"] > 0]

    def activate(self, context: Params, attributes: Params, now: float) -> None:
        """Activate a context, as an intent or a request describes it."""
        lives = context.get("timeToLive") or context
        added = {
            "name": context["name"],
            "contextAttributes": dict(attributes),
            "turns": lives.get("turnsToLive", 1),
            "ends_at": now + lives.get("timeToLiveInSeconds", 90),
        }
        others = [each for each in self.contexts if each["name"] != context["name"]]
        self.contexts = [*others, added][-CONTEXTS_MAX:]

    def set_contexts(self, contexts: Iterable[Params], now: float) -> None:
        """Replace all contexts by those that a request or a function has."""
        self.contexts = []
        for each in contexts:
            self.activate(each, each.get("contextAttributes") or {}, now)

    def context_attribute(self, context: str, name: str) -> str | None:
        """A value that an active context has."""
        found = (each for each in self.contexts if each["name"] == context)
        attributes: Params = next((each["contextAttributes"] for each in found), {})
        return attributes.get(name)

    def shown_contexts(self, now: float) -> list[Params]:
        """The active contexts as the API shows them."""
        return [
            {
                "name": each["name"],
                "timeToLive": {
                    "timeToLiveInSeconds": max(1, math.ceil(each["ends_at"] - now)),
                    "turnsToLive": each["turns"],
                },
                "contextAttributes": each["contextAttributes"],
            }
            for each in self.contexts
        ]

    def state(self, now: float) -> dict[str, Any]:
        """`sessionState` of a response."""
        shown: dict[str, Any] = {
            "activeContexts": self.shown_contexts(now),
            "sessionAttributes": self.attributes,
            "originatingRequestId": self.originating_request_id,
        }
        for name, value in (
            ("dialogAction", self.action),
            ("intent", self.intent),
            ("runtimeHints", self.hints),
        ):
            if value is not None:
                shown[name] = value
        return {name: value for name, value in shown.items() if value != ""}
