"""What a bot says: one message of each group, with values put in.

`{Slot}` is a slot's value, `[name]` a session attribute, `((name))` a request attribute.
https://docs.aws.amazon.com/lexv2/latest/dg/managing-conversations.html
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lambent.model.lex.slot_values import interpreted

Params = Mapping[str, Any]
CONTENT_MAX = 1024
MESSAGES_MAX = 10
_REFERENCE = re.compile(r"\{([0-9a-zA-Z_-]{1,100})\}|\(\(([^()]{1,100})\)\)|\[([^\[\]]{1,100})\]")
_KINDS = {
    "plainTextMessage": "PlainText",
    "ssmlMessage": "SSML",
    "customPayload": "CustomPayload",
}

Choose = Callable[[int], int]
"""Returns a number from 0 to one less than the argument."""
choose_at_random: Choose = random.Random().randrange


class References(NamedTuple):
    """What messages may refer to."""

    slots: Params
    session: Mapping[str, str]
    request: Mapping[str, str]

    def value(self, reference: re.Match[str]) -> str | None:
        """What a reference stands for; None if it is not known."""
        slot, request, session = reference.groups()
        if slot is not None:
            return interpreted(self.slots.get(slot))
        if request is not None:
            return self.request.get(request)
        return self.session.get(session)

    def filled(self, text: str) -> str:
        """A text with values put in. What has no value stays as it is written."""

        def value(match: re.Match[str]) -> str:
            found = self.value(match)
            return match[0] if found is None else found

        return _REFERENCE.sub(value, text)

    def resolved(self, text: str) -> str | None:
        """A text that may be one reference; None if it has no value."""
        match = _REFERENCE.fullmatch(text.strip())
        return text if match is None else self.value(match)


def messages_of(
    specification: Params | None, references: References, choose: Choose, attempt: int = 0
) -> list[dict[str, Any]]:
    """The messages of a prompt or a response, for the attempt-th time."""
    if not specification:
        return []
    is_ordered = specification.get("messageSelectionStrategy") == "Ordered"
    said = []
    for group in specification.get("messageGroups") or ():
        variations: Sequence[Params] = [group["message"], *(group.get("variations") or ())]
        at = attempt % len(variations) if is_ordered else choose(len(variations))
        if (message := _message(variations[at], references)) is not None:
            said.append(message)
    return said


def _message(message: Params, references: References) -> dict[str, Any] | None:
    if (card := message.get("imageResponseCard")) is not None:
        filled = {
            name: references.filled(value)[:250] if isinstance(value, str) else value
            for name, value in card.items()
        }
        return {"contentType": "ImageResponseCard", "imageResponseCard": filled}
    for name, kind in _KINDS.items():
        if (found := message.get(name)) is not None:
            content = references.filled(found["value"])[:CONTENT_MAX]
            return {"contentType": kind, "content": content} if content else None
    return None
