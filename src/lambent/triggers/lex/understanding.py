"""Understands texts in processes of their own: matching is Python, and would hold up everything
else. What takes too long is ended."""

import datetime
import json
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from lambent.control.lex.ports import Heard
from lambent.kit.computing import computed_in_process
from lambent.model.errors import ApiError
from lambent.model.lex.locale import compile_locale
from lambent.model.lex.values import Context

if TYPE_CHECKING:
    from lambent.model.lex.understanding import Matcher

logger = logging.getLogger(__name__)

_DEADLINE_S = 10.0
"""Texts are matched in milliseconds, and what they may cost is bounded. This is for what was not
thought of."""
_AT_ONCE = 2
_WAITING_MAX = 256
_MATCHERS_MAX = 16
_matchers: OrderedDict[tuple[str, bytes], "Matcher"] = OrderedDict()
"""In a process: by locale and document."""


class Processes:
    """See the module. It is an `Understand`."""

    def __init__(self, *, deadline_s: float = _DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._waiting = 0

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
        """See `Understand`."""
        if self._waiting >= _WAITING_MAX:
            raise ApiError("ThrottlingException", "Too many texts at once.", status=429)
        self._waiting += 1
        active = tuple(contexts)
        try:
            async with self._limiter:
                with anyio.fail_after(self._deadline_s):
                    return await computed_in_process(
                        understand, locale_id, document, text, today, active, slot
                    )
        except TimeoutError:
            logger.warning("a text of a bot was not matched within %g s", self._deadline_s)
            raise ApiError(
                "ThrottlingException", "The text takes too long to match.", status=429
            ) from None
        finally:
            self._waiting -= 1


def understand(
    locale_id: str,
    document: bytes,
    text: str,
    today: str,
    contexts: tuple[str, ...],
    slot: tuple[str, str] | None,
) -> Heard:
    """What a text may mean."""
    # The platform itself has no use for it.
    from lambent.model.lex.understanding import Matcher

    key = locale_id, document
    matcher = _matchers.get(key)
    if matcher is None:
        _matchers[key] = matcher = Matcher(compile_locale(locale_id, json.loads(document)))
        if len(_matchers) > _MATCHERS_MAX:
            _matchers.popitem(last=False)
    _matchers.move_to_end(key)
    context = Context(datetime.date.fromisoformat(today), locale_id)
    said = matcher.of_slot(text, *slot, context) if slot is not None else {}
    return Heard(tuple(matcher.understand(text, context, contexts)), said)
